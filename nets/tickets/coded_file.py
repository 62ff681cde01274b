"""The file of a coded ticket (version 5): a seed and the coded names of draws, a few bits for each weight.

A safetensors file, so reading one runs no code. Its metadata hold ``schema``, ``ticket`` (empty) and ``checksum``
(`nets.tickets.file.checksum`), and its three tensors are bytes:

======  ================================================================================================================
name    content
======  ================================================================================================================
meta    the JSON object of the ticket (`CodedTicket`), compressed by zlib
exact   the constants of the graph that are no parts, little-endian, one after the other, compressed by zlib
code    the coded parts, one after the other (`nets.tickets.codes.part`)
======  ================================================================================================================

The parts are coded one by one: each can be decoded without the others. Version 3, whose digest covers the decoded
values alone, is read too.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.graph.graph import Array, Graph
from nets.tickets.codes.part import CODES, DRAWS, LAWS, Coded, PartCode
from nets.tickets.codes.rank import MAX_VALUES
from nets.tickets.fields import MAX_INT, MAX_WEIGHT, integer, is_number, json_object, one_line, one_of, parts_in, short
from nets.tickets.file import Tensors, TicketError, bound, check_memory, file_bytes
from sims.files import write_bytes

CODED_VERSIONS = (3, 5)
_SCHEMA = "strong-tickets/ticket"
CODED_GENERATOR = "philox4x32-10/32"
MAX_DRAWS = 2**24
_MAX_META = 2**25
_TYPES = ("?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
_UNWRITTEN = ("held", "content", "version")
_NUMBERS = {"weights", "kept", "exceptions", "within_eta", "max_weight_error"}


@dataclass(frozen=True)
class CodedPart:
    """A part of a coded ticket: a constant of the graph, its sides, its largest absolute value, its code's bytes."""

    constant: str
    shape: tuple[int, ...]
    size: float
    bytes: int

    @property
    def weights(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class CodedTicket:
    """What the file of a coded ticket holds; its metadata have all but `held`, `content` and `version`.

    Attributes
    ----------
    code : {"draw", "block", "pool", "rank"}
    d, n, R : int
    draws : {"even", "independent"}
    law : {"matched", "uniform"}
        As in `nets.tickets.codes.part.PartCode`.
    seed : int
    eta : float
        Largest error of a weight, as a share of the largest weight of its part unless `absolute`.
    absolute : bool
    parts : tuple of CodedPart
    graph : dict
        `nets.graph.text.to_plain` of the target's graph.
    exact : tuple of (name, type, sides)
        The constants of the graph that stand in the file as they are.
    target_sha256 : str
        `nets.tickets.approximation_file.target_sha256` of the target's parts.
    values_sha256 : str
        `nets.tickets.file.bound` of all other fields (this one empty), of the tensors "exact.NAME" and "code" of these
        arrays and bytes, and of the SHA-256 of the decoded values, part after part, as little-endian float64; in
        version 3 that SHA-256 itself.
    numbers : dict
        ``weights kept exceptions within_eta max_weight_error``; the largest error is a share of its part's largest
        weight, as eta is, or itself.
    held : dict of ndarray
        The exact constants, by name.
    content : tuple of bytes
        The code of every part.
    version : int
        Of the file.
    """

    code: str
    d: int
    n: int
    R: int
    draws: str
    law: str
    seed: int
    eta: float
    absolute: bool
    parts: tuple[CodedPart, ...]
    graph: dict[str, Any]
    exact: tuple[tuple[str, str, tuple[int, ...]], ...]
    target_sha256: str
    values_sha256: str
    numbers: dict[str, Any]
    generator: str = CODED_GENERATOR
    held: Tensors = field(default_factory=dict)
    content: tuple[bytes, ...] = ()
    version: int = CODED_VERSIONS[-1]

    def __repr__(self) -> str:
        return (
            f"<CodedTicket of {self.weights} weights in {len(self.parts)} parts: code {self.code}, eta={self.eta:g}, "
            f"seed {self.seed}>"
        )

    @property
    def kind(self) -> str:
        """The code, where other tickets have the kind of their source."""
        return self.code

    @property
    def weights(self) -> int:
        """Number of weights that are coded."""
        return sum(part.weights for part in self.parts)

    @property
    def exact_numbers(self) -> int:
        """Number of floating-point constants that are kept as they are, arrays of zeros or of ones not counted."""
        floating = [array for array in self.held.values() if array.dtype.kind == "f"]
        return sum(array.size for array in floating if not ((array == 0).all() or (array == 1).all()))

    def part_code(self, number: int) -> PartCode:
        """How part `number`, from 0, is coded."""
        size = self.parts[number].size
        own = {name: getattr(self, name) for name in ("d", "n", "R", "draws", "law", "absolute")}
        return PartCode(self.code, self.seed, number, size, self.eta, **own)

    def decode(self, number: int) -> Coded:
        """Part `number`, from 0; no other part is decoded.

        Raises
        ------
        TicketError
            If its bytes are not a code.
        """
        part = self.parts[number]
        try:
            return self.part_code(number).decode(self.content[number], part.weights)
        except (ValueError, OverflowError) as error:
            raise TicketError(f"{part.constant}: {one_line(error)}") from None

    def network(self, constants: Mapping[str, Array]) -> Graph:
        """The graph with the exact constants and the given ones of the parts."""
        from nets.graph.text import from_plain

        return from_plain(self.graph, {**self.held, **constants})

    def bound(self, values: str) -> str:
        """`values_sha256` of this ticket if its decoded values have the digest `values`."""
        if self.version == 3:
            return values
        code = np.frombuffer(b"".join(self.content), np.uint8)
        held = {f"exact.{name}": np.asarray(array) for name, array in self.held.items()}
        return bound(values, replace(self, values_sha256="").meta(), {**held, "code": code})

    def meta(self) -> str:
        """The JSON text of the metadata."""
        names = [item.name for item in fields(self) if item.name not in _UNWRITTEN]
        plain = {name: getattr(self, name) for name in names}
        plain["parts"] = [[part.constant, list(part.shape), part.size, part.bytes] for part in self.parts]
        return json.dumps(plain, sort_keys=True, allow_nan=False, separators=(",", ":"))

    def to_bytes(self) -> bytes:
        """The file's content."""
        raw = b"".join(np.ascontiguousarray(self.held[name], dtype).tobytes() for name, dtype, _ in self.exact)
        texts = {"meta": zlib.compress(self.meta().encode(), 9), "exact": zlib.compress(raw, 9)}
        tensors = {name: np.frombuffer(text, np.uint8) for name, text in texts.items()}
        tensors["code"] = np.frombuffer(b"".join(self.content), np.uint8)
        return file_bytes(f"{_SCHEMA}/{self.version}", "", tensors)

    def save(self, path: str | Path) -> int:
        """Write the file so that it appears whole or not at all; returns its size in bytes."""
        return write_bytes(path, self.to_bytes())


def type_of(array: npt.NDArray[Any]) -> str:
    """How a file names the type of a constant."""
    return "?" if array.dtype.kind == "b" else f"{array.dtype.kind}{array.dtype.itemsize}"


def check_coded(shapes: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """Refuse a file that does not hold the three tensors of a coded ticket."""
    if set(shapes) != {"meta", "exact", "code"}:
        raise TicketError(f"a coded ticket holds the tensors code, exact and meta, got {short(sorted(shapes))}")
    for name, (dtype, shape) in shapes.items():
        if dtype != "U8" or len(shape) != 1:
            raise TicketError(f"{name} must be bytes, got {dtype} {short(list(shape))}")


def coded_ticket(tensors: Mapping[str, npt.NDArray[Any]], version: int) -> CodedTicket:
    """The ticket of the tensors of its file, every field checked; nothing is decoded yet."""
    from nets.graph.text import from_plain

    names = [item.name for item in fields(CodedTicket) if item.name not in _UNWRITTEN]
    try:
        text = _expanded(tensors["meta"], _MAX_META, "meta").decode()
    except UnicodeDecodeError:
        raise TicketError("the metadata are no text") from None
    plain = json_object(text, names)
    _check_fields(plain, version)
    parts = tuple(_part(row) for row in _list(plain, "parts"))
    exact = tuple(_constant(row) for row in _list(plain, "exact"))
    called = [part.constant for part in parts] + [name for name, _, _ in exact]
    if not parts or len(set(called)) != len(called):
        raise TicketError("parts and exact must name every constant once, and at least one part")
    content = tensors["code"].tobytes()
    if sum(part.bytes for part in parts) != len(content):
        raise TicketError(f"the parts take {sum(part.bytes for part in parts)} bytes, the file has {len(content)}")
    ends = np.cumsum([0, *(part.bytes for part in parts)]).tolist()
    pieces = tuple(content[a:b] for a, b in itertools.pairwise(ends))
    ticket = CodedTicket(**{**plain, "parts": parts, "exact": exact, "content": pieces, "version": version})
    constants = sum(np.dtype(kind).itemsize * math.prod(sides) for _, kind, sides in exact)
    check_memory("rebuilding it", 64 * ticket.weights, len(content))
    check_memory("unpacking its constants", 16 * constants, tensors["exact"].nbytes)
    ticket = replace(ticket, held=_held(exact, tensors["exact"]))
    try:
        graph = from_plain(
            ticket.graph,
            {**ticket.held, **{part.constant: np.broadcast_to(np.float32(0), part.shape) for part in parts}},
        )
    except ValueError as error:
        raise TicketError(f"the graph is not usable: {one_line(error)}") from None
    found = [(view.constant, view.shape) for view in parts_in(graph)]
    if found != [(part.constant, part.shape) for part in parts]:
        raise TicketError("the parts are not those that the graph takes")
    used = {name for node in graph.nodes for name in node.inputs}.union(graph.outputs)
    for name, _, _ in exact:
        if name not in used:
            raise TicketError(f"exact names {short(name)}, which nothing uses")
    return ticket


def _check_fields(plain: Mapping[str, Any], version: int) -> None:
    one_of(plain, "code", CODES)
    one_of(plain, "draws", DRAWS)
    one_of(plain, "absolute", (True, False))
    one_of(plain, "law", LAWS)
    one_of(plain, "generator", (CODED_GENERATOR,))
    integer(plain, "d", 1, 4 if plain["code"] == "block" else 1)
    integer(plain, "n", 1, MAX_VALUES if plain["code"] == "rank" else 1)
    integer(plain, "R", 1, MAX_DRAWS)
    if version > 3 and plain["code"] in ("pool", "rank"):
        one_of(plain, "draws", DRAWS[:1])
        one_of(plain, "law", LAWS[:1])
    if plain["code"] == "pool" and (plain["R"] & (plain["R"] - 1) or not 2 <= plain["R"] <= 2**23):
        raise TicketError(f"the R of a pool must be a power of two from 2 to 2^23, got {plain['R']}")
    integer(plain, "seed", 0, 2**64 - 1)
    if not is_number(plain["eta"]) or not plain["eta"] > 0:
        raise TicketError(f"eta must be > 0, got {short(plain['eta'])}")
    for name in ("target_sha256", "values_sha256"):
        if not isinstance(plain[name], str) or not re.fullmatch("[0-9a-f]{64}", plain[name]):
            raise TicketError(f"{name} must be 64 hexadecimal digits, got {short(plain[name])}")
    numbers = plain["numbers"]
    if not isinstance(numbers, dict) or set(numbers) != _NUMBERS:
        raise TicketError(f"numbers must have the keys {sorted(_NUMBERS)}, got {short(numbers)}")
    for name in sorted(_NUMBERS - {"max_weight_error"}):
        integer(numbers, name, 0, 2**62)
    if not is_number(numbers["max_weight_error"]) or numbers["max_weight_error"] < 0:
        raise TicketError(f"max_weight_error must be >= 0, got {short(numbers['max_weight_error'])}")


def _list(plain: Mapping[str, Any], name: str) -> list[Any]:
    rows = plain[name]
    if not isinstance(rows, list):
        raise TicketError(f"{name} must be a list, got {short(rows)}")
    return rows


def _sides(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(side) is int and 0 <= side < MAX_INT for side in shape):
        raise TicketError(f"sides must be integers, got {short(shape)}")
    return tuple(shape)


def _part(row: Any) -> CodedPart:
    if not isinstance(row, list) or len(row) != 4 or type(row[0]) is not str or type(row[3]) is not int:
        raise TicketError(f"a part must be its name, sides, largest weight and bytes, got {short(row)}")
    sides = _sides(row[1])
    if not (0 not in sides and is_number(row[2]) and 0 <= row[2] < MAX_WEIGHT and 0 <= row[3] < 2**40):
        raise TicketError(f"a part must be its name, sides, largest weight and bytes, got {short(row)}")
    return CodedPart(row[0], sides, float(row[2]), row[3])


def _constant(row: Any) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(row, list) or len(row) != 3 or type(row[0]) is not str or row[1] not in _TYPES:
        raise TicketError(f"a constant must be its name, type and sides, got {short(row)}")
    return row[0], row[1], _sides(row[2])


def _held(
    exact: Sequence[tuple[str, str, tuple[int, ...]]], packed: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]:
    total = sum(np.dtype(kind).itemsize * math.prod(sides) for _, kind, sides in exact)
    raw = _expanded(packed, total, "exact")
    if len(raw) != total:
        raise TicketError(f"the constants take {total} bytes, the file has {len(raw)}")
    held: dict[str, npt.NDArray[Any]] = {}
    place = 0
    for name, kind, sides in exact:
        dtype = np.dtype(kind).newbyteorder("<")
        count = math.prod(sides)
        held[name] = np.frombuffer(raw, dtype, count, place).reshape(sides).astype(np.dtype(kind))
        place += count * dtype.itemsize
    return held


def _expanded(packed: npt.NDArray[np.uint8], limit: int, name: str) -> bytes:
    """Bytes that zlib made smaller, at most `limit` of them."""
    unpacker = zlib.decompressobj()
    try:
        made = unpacker.decompress(packed.tobytes(), limit + 1)
    except zlib.error:
        raise TicketError(f"{name} is not compressed by zlib") from None
    if len(made) > limit or not unpacker.eof or unpacker.unused_data:
        raise TicketError(f"{name} does not end where it should")
    return made
