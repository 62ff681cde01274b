"""Checkpoints that a kill cannot spoil: written whole beside the last one, then put in its place.

A checkpoint is a PyTorch file of plain values and tensors, read with ``weights_only=True``, so reading one runs no
code. It holds a SHA-256 of all its content; a file that was cut short or changed is refused.
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from nets.pickled import check_torch
from sims.files import atomic_path

SCHEMA = "strong-tickets/checkpoint/1"
_SHARED = 8
"""Tensors may share their memory in the file, which holds it once: so many times the file's size they take at most."""


class CheckpointError(ValueError):
    """A file that is no usable checkpoint; the message is one line with the reason."""


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint so that at every moment `path` is a whole one, the last or the new.

    Parameters
    ----------
    content : mapping
        Nested mappings, lists and tuples of tensors, numbers, texts, bytes and None.

    Raises
    ------
    TypeError
        Any other type inside.
    WriteError
        One line, for a full disk and the like.
    """
    whole = {"schema": SCHEMA, "digest": digest(content), "content": dict(content)}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        noting = _Noting(file)
        try:
            torch.save(whole, noting)  # type: ignore[arg-type]
        except RuntimeError:
            if noting.problem is None:
                raise
            raise noting.problem from None
        file.flush()
        os.fsync(file.fileno())  # the name must not reach the disk before the bytes


class _Noting:
    """A file that remembers why it could not be written: PyTorch says only that it stands at the wrong place."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.problem: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as problem:
            self.problem = problem
            raise

    def flush(self) -> None:
        self._file.flush()


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint, its tensors on the CPU.

    Returns
    -------
    dict
        The `content` of `save_checkpoint`, equal bit for bit.

    Raises
    ------
    CheckpointError
        If the file is missing, cut short, changed or no checkpoint, or its tensors are larger than the file.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    _check_members(path)
    try:
        check_torch(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are not ours; they are refused
            whole = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds for damaged files
        raise CheckpointError(f"{path}: cut short, damaged or no checkpoint ({type(error).__name__})") from None
    if not isinstance(whole, dict) or set(whole) != {"schema", "digest", "content"}:
        raise CheckpointError(f"{path}: a PyTorch file, but no checkpoint")
    if whole["schema"] != SCHEMA:
        raise CheckpointError(f"{path}: schema {whole['schema']!r} is not {SCHEMA!r}, which this program reads")
    try:
        _check_sizes(whole["content"], path.stat().st_size)
        found = digest(whole["content"])
    except RecursionError:
        raise CheckpointError(f"{path}: its values lie too deep in one another") from None
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    if not isinstance(whole["content"], dict):
        raise CheckpointError(f"{path}: a PyTorch file, but no checkpoint")
    if found != whole["digest"]:
        raise CheckpointError(f"{path}: the digest does not fit: the file was edited or damaged")
    content: dict[str, Any] = whole["content"]
    return content


def _check_members(path: Path) -> None:
    """Refuse what is not written as `save_checkpoint` does, whose files are no smaller than what they hold."""
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(f"{path}: cut short, damaged or no checkpoint ({type(error).__name__})") from None
    packed = any(one.compress_type != zipfile.ZIP_STORED for one in members)
    if packed or sum(one.file_size for one in members) > path.stat().st_size:
        raise CheckpointError(f"{path}: it holds more than the file's size, which no checkpoint does")


def _check_sizes(content: Any, size: int) -> None:
    """Refuse tensors that are no plain arrays, or together several times larger than the file of `size` bytes."""
    left = _SHARED * size
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
            if not plain:
                raise TypeError("a checkpoint holds plain values and tensors, got a tensor of another kind")
            left -= value.numel() * value.element_size()
        elif isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
            left -= len(value)
        elif isinstance(value, list | tuple):
            waiting += value
            left -= len(value)
        if left < 0:
            raise ValueError("its tensors are larger than the file")


def digest(content: Any) -> str:
    """SHA-256 of nested plain values and tensors; tensors by dtype, shape and bytes, whatever their memory layout.

    Examples
    --------
    >>> digest({"a": torch.zeros(2)}) == digest({"a": torch.zeros(2)}) != digest({"a": -torch.zeros(2)})
    True
    """
    found = hashlib.sha256()
    _feed(found, content)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    """Every piece carries its kind and length, so that different contents give different bytes."""
    if isinstance(value, torch.Tensor):
        array = value.detach().cpu().contiguous()
        raw = array.reshape(-1).view(torch.uint8).numpy().tobytes() if array.numel() else b""
        _piece(found, b"tensor", f"{array.dtype} {list(array.shape)}".encode())
        _piece(found, b"data", raw)
    elif isinstance(value, Mapping):
        _piece(found, b"mapping", str(len(value)).encode())
        for key, item in value.items():
            _feed(found, key)
            _feed(found, item)
    elif isinstance(value, list | tuple):
        _piece(found, b"list", str(len(value)).encode())
        for item in value:
            _feed(found, item)
    elif type(value) is float:
        _piece(found, b"float", struct.pack("<d", value))
    elif isinstance(value, bytes):
        _piece(found, b"bytes", value)
    elif value is None or type(value) in (bool, int, str):  # no subclasses: they would not be read back
        _piece(found, type(value).__name__.encode(), str(value).encode())
    else:
        raise TypeError(f"a checkpoint holds plain values and tensors, got {type(value).__name__}")


def _piece(found: Any, kind: bytes, data: bytes) -> None:
    found.update(kind + b" " + str(len(data)).encode() + b"\0")
    found.update(data)
