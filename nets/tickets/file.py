"""What the two kinds of ticket files share: safetensors with a checksum, one-line errors, always the same bytes.

Reading one runs no code. The metadata hold three texts: ``schema``, ``ticket`` (a JSON object) and ``checksum``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nets.arguments import file_path
from sims.files import Kind
from sims.solver.memory import available_bytes, readable

Tensors = Mapping[str, npt.NDArray[Any]]
Read = TypeVar("Read")


_SMALL, _PACKED = 2**30, 2**12
"""Bytes that a file may ask for whatever its size, and for each of its own bytes."""


class TicketError(ValueError):
    """A file that is no usable ticket; the message is one line with the reason."""


def checksum(meta: str, tensors: Tensors) -> str:
    """SHA-256 over the JSON text and, sorted by name, every tensor's name, dtype, shape and little-endian bytes."""
    found = hashlib.sha256(meta.encode())
    for name, array in sorted(tensors.items()):
        found.update(f"\0{name} {array.dtype.str.lstrip('<>|=')} {list(array.shape)}\0".encode())
        found.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).data)
    return found.hexdigest()


def bound(values: str, meta: str, tensors: Tensors) -> str:
    """SHA-256 over the digest of a ticket's kept values and the `checksum` of all else that it holds.

    The values are not in the file: whoever changes a field and wants the digest to fit has to make the network again.
    """
    return hashlib.sha256((values + checksum(meta, tensors)).encode()).hexdigest()


def file_bytes(schema: str, meta: str, tensors: Tensors) -> bytes:
    """The content of a ticket file, with its header in a fixed order, which safetensors alone does not keep."""
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, order="C") for name, array in sorted(tensors.items())}
    raw = save(arrays, metadata={"schema": schema, "ticket": meta, "checksum": checksum(meta, arrays)})
    size = int.from_bytes(raw[:8], "little")
    text = json.dumps(json.loads(raw[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + raw[8 + size :]


def _header(path: str | Path) -> Any:
    with Path(path).open("rb") as file:
        return json.loads(file.read(min(int.from_bytes(file.read(8), "little"), Path(path).stat().st_size)))


TICKET = Kind("ticket", lambda path: _header(path)["__metadata__"]["schema"].startswith("strong-tickets/"))
"""Of either kind; weights in safetensors are none."""


def check_memory(what: str, needed: int, held: int) -> None:
    """Refuse what needs more than half of the available memory, or a thousandfold of what stands for it in the file.

    Raises
    ------
    TicketError
    """
    limit = min(available_bytes() // 2, max(_SMALL, _PACKED * held))
    if needed > limit:
        raise TicketError(f"{what} needs {readable(needed)}, the limit is {readable(limit)}")


def tensor_bytes(path: str | Path) -> dict[str, int]:
    """Bytes of each tensor in a file that `read_file` has taken, by name."""
    header = _header(path)
    places = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: stop - start for name, (start, stop) in places.items()}


def read_file(
    path: str | Path,
    *,
    check: Callable[[Mapping[str, str], Any], None],
    finish: Callable[[str, dict[str, npt.NDArray[Any]]], Read],
) -> Read:
    """Read a ticket file.

    Parameters
    ----------
    check : callable (metadata, open safetensors file)
        Refuses files of another kind before their tensors are read.
    finish : callable (JSON text, tensors)
        Makes the ticket once the checksum has been found right.

    Raises
    ------
    TicketError
        If the file is missing, truncated, edited, too large for the memory, or refused by `check` or `finish`. The
        message is one line that starts with the file's name.
    """
    path = Path(file_path("path", path))
    try:
        if not path.is_file():
            raise TicketError("no such file")
        return finish(*_contents(path, check))
    except TicketError as error:
        raise TicketError(f"{path.name}: {error}") from None


def _contents(path: Path, check: Callable[[Mapping[str, str], Any], None]) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    size = path.stat().st_size
    if size > available_bytes() // 4:
        raise TicketError(f"a file of {readable(size)} does not fit into memory")
    try:
        with safe_open(path, framework="numpy") as file:
            text = file.metadata() or {}
            check(text, file)
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, OSError, OverflowError, MemoryError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TicketError(f"not a readable safetensors file: truncated, damaged or foreign ({reason})") from None
    if checksum(text.get("ticket", ""), tensors) != text.get("checksum"):
        raise TicketError("the checksum does not fit: the file was edited or damaged")
    return text["ticket"], tensors
