"""The ticket file: bit-packed masks, a seed and the network's graph, from which anyone rebuilds the pruned network.

A ticket is a safetensors file, so reading one runs no code. Its metadata hold three texts: ``schema``, ``ticket`` (a
JSON object, see `Ticket`) and ``checksum`` (SHA-256 over the JSON text and every tensor, `nets.tickets.file.checksum`).
Tensors, for part p = 1, 2, ... of the table of parts:

=============  =========  ==============================================================================================
name           dtype      content
=============  =========  ==============================================================================================
mask{p}        uint8      private, shared: one bit per (weight, value), output by output
mask{2p-1}     uint8      layered: one bit per hidden neuron, 2n for every input channel
mask{2p}       uint8      layered: one bit per weight of the second random layer, (groups rows) x (2n cols), row-major
draws{..}      uint8      only where R > 1: which draw every kept value takes, ceil(log2 R) bits each, in the order of
                          the mask's bits
exact{i}       any        constant i of the graph that is no part, as it is
witness{i}     any        input i at which the recorded lower end of the error is attained
=============  =========  ==============================================================================================

The first bit is the lowest bit of the first byte; unused bits are 0. Version 2, whose digest covers masks and kept
values alone, and version 1, dense ReLU chains only (`nets.tickets.version1`), are read too; versions 3 and 5 hold coded
tickets (`nets.tickets.coded_file`).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nets.arguments import file_path, of_type
from nets.construction.bits import draw_bits, popcount, spare_bits, unpack_draws
from nets.graph.graph import Array, Graph
from nets.tickets.coded_file import CODED_VERSIONS, CodedTicket, check_coded, coded_ticket
from nets.tickets.fields import (
    GENERATOR,
    MAX_INT,
    MAX_WEIGHT,
    check_certificate,
    check_common,
    check_counts,
    integer,
    is_number,
    json_object,
    one_line,
    one_of,
    parts_in,
    short,
)
from nets.tickets.file import Tensors, TicketError, bound, file_bytes, read_file
from sims.files import write_bytes
from sims.solver.memory import available_bytes, readable

SCHEMA_NAME, SCHEMA_VERSION = "strong-tickets/ticket", 4
_TYPES = {
    "BOOL": "?", "U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8",
    "F16": "f2", "F32": "f4", "F64": "f8",
}  # fmt: skip
_VIEW = ("constant", "kind", "shape", "groups", "rows", "cols", "outputs")
Shapes = Mapping[str, tuple[str, Sequence[int]]]
"""Type, as safetensors names it, and sides of every tensor of a file."""


@dataclass(frozen=True)
class TicketPart:
    """One row of a ticket's table of parts.

    Attributes
    ----------
    constant : str
        The constant of the graph that it stands for.
    kind : str
        As in `nets.graph.parts.Part`.
    shape : tuple of int
        Of the constant.
    groups, rows, cols : int
        Of its view as matrices.
    outputs : int
        Output channels of a group.
    gain : float
        layered: power of two by which the sums of products are multiplied. private, shared: range of the values.
    halves : int
        layered: 2 where the network treats s(h) and s(-h) apart, else 1.
    relu : bool
        layered: whether a ReLU stands between the two random layers.
    """

    constant: str
    kind: str
    shape: tuple[int, ...]
    groups: int
    rows: int
    cols: int
    outputs: int
    gain: float
    halves: int = 2
    relu: bool = True

    @property
    def weights(self) -> int:
        """Numbers in it."""
        return self.groups * self.rows * self.cols

    def mask_bits(self, kind: str, n: int) -> tuple[int, ...]:
        """Bits of its masks."""
        if kind == "layered":
            block = 2 * n if self.relu else n
            return block * self.groups * self.cols, block * self.weights
        return (n * self.weights,)


@dataclass(frozen=True, eq=False, repr=False)
class Ticket:
    """What a ticket file holds; all but `tensors` is the JSON object of its metadata.

    Attributes
    ----------
    kind : {"layered", "private", "shared"}
    construction, signs : str
        How it was made (`nets.construction.prune_approx`); private and shared tickets are always "subset-sum", "open".
    seed, n, R : int
    eta : float
    parts : tuple of TicketPart
    graph : dict
        `nets.graph.text.to_plain` of the target's graph.
    exact : tuple of str
        The constants of the graph that stand in the file as they are.
    target_sha256 : str
        `target_sha256` of the target's parts.
    values_sha256 : str
        `nets.tickets.file.bound` of all other fields (this one empty) and tensors, and of the SHA-256 of, part after
        part, its masks, which say the places, and its kept values as little-endian float64; in version 2 the latter
        SHA-256 itself.
    numbers : dict
        ``weights kept within_eta max_weight_error parts certificate``; parts has one dict a part with ``kept
        within_eta max_weight_error``; certificate is that of `nets.certificate`.
    tensors : dict of ndarray
    version : int
        Of the file that it was read from; versions 1 and 2 are read, not written.
    """

    kind: str
    construction: str
    signs: str
    seed: int
    n: int
    R: int
    eta: float
    parts: tuple[TicketPart, ...]
    graph: dict[str, Any]
    exact: tuple[str, ...]
    target_sha256: str
    values_sha256: str
    numbers: dict[str, Any]
    tensors: Tensors = field(default_factory=dict)
    generator: str = GENERATOR
    version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        return (
            f"<Ticket {self.kind} of {self.weights} weights in {len(self.parts)} parts: n={self.n}, R={self.R}, "
            f"eta={self.eta:g}, seed {self.seed}>"
        )

    @property
    def weights(self) -> int:
        """Number of target weights that are found in the random network."""
        return sum(part.weights for part in self.parts)

    @property
    def exact_numbers(self) -> int:
        """Number of floating-point constants that are kept as they are, arrays of zeros or of ones not counted."""
        arrays = [self.tensors[f"exact{i}"] for i in range(1, len(self.exact) + 1)]
        floating = [array for array in arrays if array.dtype.kind == "f"]
        return sum(array.size for array in floating if not ((array == 0).all() or (array == 1).all()))

    @property
    def mask_bits(self) -> dict[str, int]:
        """Number of bits of every mask, by its name."""
        each = [part.mask_bits(self.kind, self.n) for part in self.parts]
        return {f"mask{i}": bits for i, bits in enumerate([count for counts in each for count in counts], 1)}

    def masks_of(self, number: int) -> list[str]:
        """Names of the masks of part `number`, from 0."""
        step = 2 if self.kind == "layered" else 1
        return [f"mask{step * number + i + 1}" for i in range(step)]

    def kept(self) -> dict[str, int]:
        """Number of kept values, by the name of the mask."""
        return {name: popcount(self.tensors[name]) for name in self.mask_bits}

    def network(self, constants: Mapping[str, Array]) -> Graph:
        """The graph with the exact constants and the given ones of the parts."""
        from nets.graph.text import from_plain

        exact = {name: self.tensors[f"exact{i}"] for i, name in enumerate(self.exact, 1)}
        return from_plain(self.graph, {**exact, **constants})

    def bound(self, values: str) -> str:
        """`values_sha256` of this ticket if its masks and kept values have the digest `values`."""
        return values if self.version < 4 else bound(values, replace(self, values_sha256="").meta(), self.tensors)

    def meta(self) -> str:
        """The JSON text of the metadata."""
        content = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("tensors", "version")
        }
        content["parts"] = [asdict(part) for part in self.parts]
        return json.dumps(content, sort_keys=True, allow_nan=False)

    def to_bytes(self) -> bytes:
        """The file's content.

        Raises
        ------
        TicketError
            For a ticket that was read from a file of an older version.
        """
        if self.version != SCHEMA_VERSION:
            raise TicketError(f"a ticket of version {self.version} is read, but not written again")
        return file_bytes(f"{SCHEMA_NAME}/{SCHEMA_VERSION}", self.meta(), self.tensors)


def save_ticket(path: str | Path, ticket: Ticket) -> int:
    """Write a ticket so that it appears whole or not at all; returns its size in bytes."""
    of_type("ticket", ticket, (Ticket, CodedTicket))
    return write_bytes(file_path("path", path), ticket.to_bytes())


def read_ticket(path: str | Path) -> Ticket | CodedTicket:
    """Read and check a ticket file; nothing is regenerated yet. A file of version 3 or 5 is a `CodedTicket`.

    Raises
    ------
    TicketError
        If the file is missing, truncated, edited, no ticket, of a newer version, holds values that make no sense, or
        needs more than half of the available memory. The message is one line.
    """
    checked: list[Ticket | int] = []

    def check(text: Mapping[str, str], file: Any) -> None:
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        shapes = {name: (one.get_dtype(), one.get_shape()) for name, one in slices.items()}
        version = schema_version(text)
        if version == 1:
            from nets.tickets import version1

            checked.append(version1.check(text.get("ticket", ""), shapes))
        elif version in CODED_VERSIONS:
            check_coded(shapes)
            checked.append(version)
        else:
            checked.append(_checked(text.get("ticket", ""), shapes, version))

    def finish(meta: str, tensors: dict[str, npt.NDArray[Any]]) -> Ticket | CodedTicket:
        (ticket,) = checked
        if isinstance(ticket, int):
            return coded_ticket(tensors, ticket)
        if ticket.version == 1:
            from nets.tickets import version1

            ticket = version1.ticket(meta, tensors)
        else:
            ticket = replace(ticket, tensors=tensors)
        check_tensors(ticket)
        return ticket

    return read_file(path, check=check, finish=finish)


def schema_version(text: Mapping[str, str]) -> int:
    """The version that metadata name; those that name no schema of tickets, or an unknown one, are refused."""
    found = re.fullmatch(re.escape(SCHEMA_NAME) + r"/(\d{1,9})", text.get("schema", ""))
    if found is None:
        raise TicketError("a safetensors file, but no ticket: its metadata name no ticket schema")
    version = int(found[1])
    if version > max(SCHEMA_VERSION, *CODED_VERSIONS):
        newest = max(SCHEMA_VERSION, *CODED_VERSIONS)
        raise TicketError(f"schema {text['schema']} is newer than this program, which reads up to {newest}")
    if version < 1:
        raise TicketError(f"schema {text['schema']} does not exist")
    return version


def _checked(text: str, shapes: Shapes, version: int) -> Ticket:
    """The ticket of a JSON text without its tensors, of which types and sides are known: every field checked."""
    content = json_object(text, (item.name for item in fields(Ticket) if item.name not in ("tensors", "version")))
    check_common(content)
    rows, exact = content["parts"], content["exact"]
    if not isinstance(rows, list) or not rows:
        raise TicketError(f"parts must be a list of parts, got {short(rows)}")
    parts = tuple(_part(row, content["kind"], content["construction"]) for row in rows)
    names = [part.constant for part in parts]
    if not isinstance(exact, list) or not all(type(name) is str for name in exact):
        raise TicketError(f"exact must be a list of names, got {short(exact)}")
    if len(set(names + exact)) != len(names) + len(exact):
        raise TicketError("parts and exact must name every constant once")
    _check_numbers(content["numbers"], len(rows))
    ticket = Ticket(**{**content, "parts": parts, "exact": tuple(exact), "version": version})
    _check_masks(ticket, shapes)
    graph = _hollow(ticket, shapes)
    _check_witness(ticket, graph, shapes)
    _check_views(ticket, graph)
    check_certificate(ticket.numbers["certificate"], [one.name for one in graph.inputs if one.floating])
    return ticket


def _check_numbers(numbers: Any, parts: int) -> None:
    own = {"weights", "kept", "within_eta", "max_weight_error", "parts", "certificate"}
    if not isinstance(numbers, dict) or set(numbers) != own:
        raise TicketError(f"numbers must have the keys {sorted(own)}, got {short(numbers)}")
    rows = numbers["parts"]
    if not isinstance(rows, list) or len(rows) != parts:
        raise TicketError(f"numbers must have one entry for each of {parts} parts")
    check_counts(numbers, rows)


def _part(row: Any, kind: str, construction: str) -> TicketPart:
    layered = kind == "layered"
    names = {item.name for item in fields(TicketPart)}
    if not isinstance(row, dict) or set(row) != names:
        raise TicketError(f"a part must have the fields {', '.join(sorted(names))}, got {short(row)}")
    for name in ("constant", "kind"):
        if type(row[name]) is not str:
            raise TicketError(f"{name} of a part must be a text, got {short(row[name])}")
    for name in ("groups", "rows", "cols", "outputs"):
        integer(row, name, 1, MAX_INT)
    shape, gain = row["shape"], row["gain"]
    if not isinstance(shape, list) or not all(type(side) is int and 1 <= side < MAX_INT for side in shape):
        raise TicketError(f"shape of a part must be its sides, got {short(shape)}")
    if math.prod(shape) != row["groups"] * row["rows"] * row["cols"] or row["rows"] % row["outputs"]:
        raise TicketError(f"the view of part {short(row['constant'])} does not fit its shape {shape}")
    good = is_number(gain) and 0 <= gain < 2 * MAX_WEIGHT
    if not good or (layered and math.frexp(gain)[0] != 0.5):
        raise TicketError(f"gain must be {'a power of two' if layered else 'a range >= 0'}, got {short(gain)}")
    one_of(row, "relu", (True, False) if layered and construction == "subset-sum" else (True,))
    one_of(row, "halves", (1, 2) if layered and row["relu"] else (1,))
    return TicketPart(**{**row, "shape": tuple(shape), "gain": float(gain)})


def _hollow(ticket: Ticket, shapes: Shapes) -> Graph:
    """The graph with zeros for all its constants, which take no memory."""
    from nets.graph.text import from_plain

    try:
        constants = {part.constant: np.broadcast_to(np.float32(0), part.shape) for part in ticket.parts}
        for i, name in enumerate(ticket.exact, 1):
            dtype, shape = shapes[f"exact{i}"]
            constants[name] = np.broadcast_to(np.zeros((), _TYPES[dtype]), tuple(shape))
        return from_plain(ticket.graph, constants)
    except ValueError as error:
        raise TicketError(f"the graph is not usable: {one_line(error)}") from None


def _check_views(ticket: Ticket, graph: Graph) -> None:
    """Refuse a table of parts that is not that of the graph, and constants that nothing uses."""
    found = parts_in(graph)
    for part, view in zip(ticket.parts, found, strict=False):
        if any(getattr(part, name) != getattr(view, name) for name in _VIEW):
            raise TicketError(f"part {short(part.constant)} is not what the graph takes: {short(view.constant)}")
        if part.halves == 2 and not view.signed:
            raise TicketError(f"halves of part {short(part.constant)} must be 1: its input is never negative")
    if len(found) != len(ticket.parts):
        raise TicketError(f"the graph has {len(found)} parts, the table {len(ticket.parts)}")
    used = {name for node in graph.nodes for name in node.inputs}.union(graph.outputs)
    for name in ticket.exact:
        if name not in used:
            raise TicketError(f"exact names {short(name)}, which nothing uses")


def _check_masks(ticket: Ticket, shapes: Shapes) -> None:
    """Refuse masks and draws whose types or shapes are not those of the ticket, and constants of odd types."""
    bits = ticket.mask_bits
    for name in bits:
        if shapes.get(name) is None or shapes[name][0] != "U8" or list(shapes[name][1]) != [-(-bits[name] // 8)]:
            _refuse_tensor(name, shapes)
        draws = f"draws{name[4:]}"
        if ticket.R > 1 and (shapes.get(draws) is None or shapes[draws][0] != "U8" or len(shapes[draws][1]) != 1):
            _refuse_tensor(draws, shapes)
    for i in range(1, len(ticket.exact) + 1):
        if shapes.get(f"exact{i}", ("", ()))[0] not in _TYPES:
            _refuse_tensor(f"exact{i}", shapes)


def _check_witness(ticket: Ticket, graph: Graph, shapes: Shapes) -> None:
    """Refuse a witness that is none of the network's inputs, and tensors that nobody asked for."""
    wanted = {*ticket.mask_bits, *(f"exact{i}" for i in range(1, len(ticket.exact) + 1))}
    wanted |= {f"draws{name[4:]}" for name in ticket.mask_bits} if ticket.R > 1 else set()
    for i, one in enumerate(graph.inputs, 1):
        wanted.add(f"witness{i}")
        dtype, shape = shapes.get(f"witness{i}", ("", ()))
        good = dtype in _TYPES and (dtype == "F64" if one.floating else dtype[0] != "F")
        if not good or not one.fits(tuple(shape)):
            _refuse_tensor(f"witness{i}", shapes)
    for name in shapes:
        if name not in wanted:
            raise TicketError(f"holds the tensor {short(name)}, which belongs to nothing")


def _refuse_tensor(name: str, shapes: Shapes) -> NoReturn:
    if name not in shapes:
        raise TicketError(f"must hold the tensor {name}")
    dtype, shape = shapes[name]
    raise TicketError(f"{name} has the wrong shape or type for these parts, n and R: {dtype} {short(list(shape))}")


def check_tensors(ticket: Ticket) -> None:
    """Refuse bits and draws that make no sense, and networks that would not fit into memory."""
    needed = 64 * ticket.weights
    if needed > available_bytes() // 2:
        raise TicketError(f"rebuilding it needs {readable(needed)}, the limit is {readable(available_bytes() // 2)}")
    kept = ticket.kept()
    for name, bits in ticket.mask_bits.items():
        if spare_bits(ticket.tensors[name], bits):
            raise TicketError(f"{name} sets a bit beyond its {bits} bits")
        if ticket.R > 1:
            _check_draws(f"draws{name[4:]}", ticket.tensors[f"draws{name[4:]}"], kept[name], ticket.R)
    for name, array in ticket.tensors.items():
        if name.startswith("witness") and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise TicketError(f"{name} holds NaN or infinity")


def _check_draws(name: str, packed: npt.NDArray[np.uint8], count: int, R: int) -> None:
    bits = count * draw_bits(R)
    if len(packed) != -(-bits // 8):
        raise TicketError(f"{name} must name {count} draws, one for each kept value, in {-(-bits // 8)} bytes")
    if bits and spare_bits(packed, bits):
        raise TicketError(f"{name} sets a bit beyond its {bits} bits")
    largest = int(unpack_draws(packed, count, R=R).max(initial=0))
    if largest >= R:
        raise TicketError(f"{name} names draw {largest}, but R={R}")


def target_sha256(weights: Iterable[npt.NDArray[Any]]) -> str:
    """SHA-256 of a network: for every part its sides as little-endian int64, then its weights as float64."""
    found = hashlib.sha256()
    for weight in weights:
        found.update(np.array(weight.shape, "<i8").tobytes())
        found.update(np.ascontiguousarray(weight, "<f8").data)
    return found.hexdigest()
