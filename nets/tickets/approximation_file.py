"""The ticket file: bit-packed masks and a seed, from which anyone can rebuild the pruned random network.

A ticket is a safetensors file, so reading one runs no code. Its metadata hold three texts: ``schema``, ``ticket`` (a
JSON object, see `Ticket`) and ``checksum`` (SHA-256 over the JSON text and every tensor, `nets.tickets.file.checksum`).
Tensors:

===========  =========  ================================================================================================
name         dtype      content
===========  =========  ================================================================================================
mask{i}      uint8      private, shared: for target layer i one bit per (weight, value), row-major
mask{m}      uint8      layered: for source layer m = 2i-1 one bit per neuron (its weight from its own coordinate); for
                        m = 2i one bit per element of the d_i x 2 n d_{i-1} matrix, row-major
draws{..}    unsigned   only where R > 1: which draw every kept value takes, in the order of the mask's bits
witness      float64    the input at which the recorded lower end of the error is attained
===========  =========  ================================================================================================

The first bit is the lowest bit of the first byte; unused bits are 0.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction.bits import popcount, spare_bits
from nets.tickets.file import Tensors, TicketError, file_bytes, read_file, write_bytes
from sims.solver.memory import available_bytes, readable

SCHEMA_NAME, SCHEMA_VERSION = "strong-tickets/ticket", 1
GENERATOR = "philox4x32-10/2^-52"
KINDS = ("layered", "private", "shared")
CONSTRUCTIONS = ("window", "best", "subset-sum")
_MAX_META = 2**22
_MAX_INT = 2**40


@dataclass(frozen=True, eq=False, repr=False)
class Ticket:
    """What a ticket file holds; all but `tensors` is the JSON object of its metadata.

    Attributes
    ----------
    kind : {"layered", "private", "shared"}
    construction, signs, halves : str
        How it was made (`nets.construction.prune_approx`); private and shared tickets are always "subset-sum",
        "open", "both".
    seed : int
    widths : tuple of int
        d_0, ..., d_l, with the constant coordinate if `has_bias`.
    has_bias : bool
    n, R : int
    scale : tuple of float, one a layer
        private, shared: the range r of the values. layered: the power of two by which the effective weights of the
        layer are multiplied (the network is positively homogeneous: one factor on its output).
    eta : float
    target_sha256 : str
        `target_sha256` of the target.
    values_sha256 : str
        SHA-256 of all kept values in file order, as little-endian float64.
    numbers : dict
        ``weights kept within_eta max_weight_error layers error``; layers has one dict a layer with ``kept within_eta
        max_weight_error``, error has ``lower upper domain``.
    tensors : dict of ndarray
    """

    def __repr__(self) -> str:
        shape = "-".join(map(str, self.widths))
        return f"<Ticket {self.kind} of {shape}: n={self.n}, R={self.R}, eta={self.eta:g}, seed {self.seed}>"

    kind: str
    construction: str
    signs: str
    halves: str
    seed: int
    widths: tuple[int, ...]
    has_bias: bool
    n: int
    R: int
    scale: tuple[float, ...]
    eta: float
    target_sha256: str
    values_sha256: str
    numbers: dict[str, Any]
    tensors: Tensors = field(default_factory=dict)
    generator: str = GENERATOR

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(d_i, d_{i-1}) of every target layer."""
        return list(zip(self.widths[1:], self.widths[:-1], strict=True))

    @property
    def weights(self) -> int:
        """Number of target weights."""
        return sum(rows * cols for rows, cols in self.shapes)

    @property
    def mask_bits(self) -> dict[str, int]:
        """Number of bits of every mask, by its name."""
        bits: dict[str, int] = {}
        for i, (d_out, d_in) in enumerate(self.shapes, 1):
            if self.kind == "layered":
                bits[f"mask{2 * i - 1}"] = 2 * self.n * d_in
                bits[f"mask{2 * i}"] = 2 * self.n * d_in * d_out
            else:
                bits[f"mask{i}"] = self.n * d_in * d_out
        return bits

    def kept(self) -> dict[str, int]:
        """Number of kept values, by the name of the mask."""
        return {name: popcount(self.tensors[name]) for name in self.mask_bits}

    def meta(self) -> str:
        """The JSON text of the metadata."""
        content = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "tensors"}
        return json.dumps(content, sort_keys=True, allow_nan=False)

    def to_bytes(self) -> bytes:
        """The file's content."""
        return file_bytes(f"{SCHEMA_NAME}/{SCHEMA_VERSION}", self.meta(), self.tensors)


def save_ticket(path: str | Path, ticket: Ticket) -> int:
    """Write a ticket so that it appears whole or not at all; returns its size in bytes."""
    return write_bytes(path, ticket.to_bytes())


def read_ticket(path: str | Path) -> Ticket:
    """Read and check a ticket file; nothing is regenerated yet.

    Raises
    ------
    TicketError
        If the file is missing, truncated, edited, no ticket, of a newer version, holds values that make no sense, or
        needs more than half of the available memory. The message is one line.
    """
    return read_file(path, check=_check_file, finish=_finish)


def _check_file(text: Mapping[str, str], file: Any) -> None:
    """Refuse what is no ticket of this program before any tensor is read."""
    check_version(text)
    parts = {name: file.get_slice(name) for name in sorted(file.keys())}
    shapes = {name: (part.get_dtype(), part.get_shape()) for name, part in parts.items()}
    check_shapes(parse_meta(text.get("ticket", "")), shapes)


def _finish(meta: str, tensors: Tensors) -> Ticket:
    ticket = replace(parse_meta(meta), tensors=tensors)
    check_tensors(ticket)
    return ticket


def check_version(text: Mapping[str, str]) -> None:
    """Refuse metadata that name no schema of tickets, or one that this program does not know."""
    found = re.fullmatch(re.escape(SCHEMA_NAME) + r"/(\d{1,9})", text.get("schema", ""))
    if found is None:
        raise TicketError("a safetensors file, but no ticket: its metadata name no ticket schema")
    version = int(found[1])
    if version > SCHEMA_VERSION:
        raise TicketError(f"schema {text['schema']} is newer than this program, which reads up to {SCHEMA_VERSION}")
    if version < 1:
        raise TicketError(f"schema {text['schema']} does not exist")


def parse_meta(text: str) -> Ticket:
    """The ticket of a JSON text, every field checked, without tensors.

    Raises
    ------
    TicketError
        With the field and its value.
    """
    if len(text) > _MAX_META:
        raise TicketError(f"the metadata take {len(text)} characters, the limit is {_MAX_META}")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise TicketError("the metadata are no JSON") from None
    wanted = {item.name for item in fields(Ticket)} - {"tensors"}
    if not isinstance(content, dict) or set(content) != wanted:
        odd = sorted(set(content) ^ wanted)[:3] if isinstance(content, dict) else type(content).__name__
        raise TicketError(f"the metadata do not hold the fields of a ticket: {odd}")
    if content["generator"] != GENERATOR:
        raise TicketError(f"generator must be {GENERATOR!r}, got {_short(content['generator'])}")
    _one_of(content, "kind", KINDS)
    _one_of(content, "construction", CONSTRUCTIONS if content["kind"] == "layered" else ("subset-sum",))
    _one_of(content, "signs", ("assigned", "open"))
    _one_of(content, "halves", ("both", "needed"))
    _one_of(content, "has_bias", (True, False))
    _integer(content, "seed", 0, 2**64 - 1)
    _integer(content, "n", 1, _MAX_INT)
    _integer(content, "R", 1, 2**33)
    widths, scale = content["widths"], content["scale"]
    if not isinstance(widths, list) or not all(type(d) is int and 1 <= d <= _MAX_INT for d in widths):
        raise TicketError(f"widths must be integers from 1 to {_MAX_INT}, got {_short(widths)}")
    if len(widths) < 2 or not isinstance(scale, list) or len(scale) != len(widths) - 1:
        raise TicketError(
            f"widths and scale must be d_0, ..., d_l and one number a layer, got {_short([widths, scale])}"
        )
    layered = content["kind"] == "layered"
    good = all(_number(c) and (c > 0 and math.frexp(c)[0] == 0.5 if layered else c >= 0) for c in scale)
    if not good or not (layered or len(set(scale)) == 1):
        raise TicketError(f"scale must be {'powers of two' if layered else 'one size >= 0'}, got {_short(scale)}")
    if not _number(content["eta"]) or not content["eta"] > 0:
        raise TicketError(f"eta must be > 0, got {_short(content['eta'])}")
    if not layered and content["n"] * content["R"] > 2**33:
        raise TicketError(f"n R must be at most 2^33, got n={content['n']}, R={content['R']}")
    for name in ("target_sha256", "values_sha256"):
        if not isinstance(content[name], str) or not re.fullmatch("[0-9a-f]{64}", content[name]):
            raise TicketError(f"{name} must be 64 hexadecimal digits, got {_short(content[name])}")
    _check_numbers(content["numbers"], len(widths) - 1)
    content["widths"], content["scale"] = tuple(widths), tuple(float(c) for c in scale)
    return Ticket(**content)


def _check_numbers(numbers: Any, layers: int) -> None:
    own = {"weights", "kept", "within_eta", "max_weight_error", "layers", "error"}
    if not isinstance(numbers, dict) or set(numbers) != own:
        raise TicketError(f"numbers must have the keys {sorted(own)}, got {_short(numbers)}")
    rows, error = numbers["layers"], numbers["error"]
    if not isinstance(rows, list) or len(rows) != layers:
        raise TicketError(f"numbers must have one entry for each of {layers} layers")
    counts = {"kept", "within_eta"}
    for entry in [numbers, *rows]:
        if entry is not numbers and (not isinstance(entry, dict) or set(entry) != counts | {"max_weight_error"}):
            raise TicketError(f"numbers of a layer are not readable: {_short(entry)}")
        for name in counts | ({"weights"} if entry is numbers else set()):
            _integer(entry, name, 0, 2**62)
        if not _number(entry["max_weight_error"]) or entry["max_weight_error"] < 0:
            raise TicketError(f"max_weight_error must be >= 0, got {_short(entry['max_weight_error'])}")
    if not isinstance(error, dict) or set(error) != {"lower", "upper", "domain"}:
        raise TicketError(f"error must hold lower, upper and domain, got {_short(error)}")
    _one_of(error, "domain", ("l2", "linf"))
    for name in ("lower", "upper"):
        if error[name] is not None and (not _number(error[name]) or error[name] < 0):
            raise TicketError(f"error {name} must be >= 0 or null, got {_short(error[name])}")


def check_shapes(ticket: Ticket, shapes: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """Refuse tensors whose names, dtypes or shapes are not those of the ticket, before any is read."""
    bits = ticket.mask_bits
    draws = {f"draws{name[4:]}" for name in bits} if ticket.R > 1 else set()
    wanted = {*bits, *draws, "witness"}
    if set(shapes) != wanted:
        raise TicketError(f"must hold the tensors {_short(sorted(wanted))}, got {_short(sorted(shapes))}")
    kind = f"U{8 * np.min_scalar_type(ticket.R - 1).itemsize}"
    for name, (dtype, shape) in shapes.items():
        if name in bits:
            good = dtype == "U8" and list(shape) == [-(-bits[name] // 8)]
        elif name in draws:
            good = dtype == kind and len(shape) == 1
        else:
            good = dtype == "F64" and list(shape) == [ticket.widths[0]]
        if not good:
            raise TicketError(f"{name} has the wrong shape or type for these widths, n and R: {dtype} {list(shape)}")


def check_tensors(ticket: Ticket) -> None:
    """Refuse bits and draws that make no sense, and networks that would not fit into memory."""
    kept = ticket.kept()
    needed = 96 * sum(kept.values()) if ticket.kind == "layered" else 0
    needed += 64 * ticket.weights
    if needed > available_bytes() // 2:
        raise TicketError(f"rebuilding it needs {readable(needed)}, the limit is {readable(available_bytes() // 2)}")
    for name, bits in ticket.mask_bits.items():
        if spare_bits(ticket.tensors[name], bits):
            raise TicketError(f"{name} sets a bit beyond its {bits} bits")
        if ticket.R > 1:
            draws = ticket.tensors[f"draws{name[4:]}"]
            if len(draws) != kept[name]:
                raise TicketError(
                    f"draws{name[4:]} must name {kept[name]} draws, one for each kept value, got {len(draws)}"
                )
            if len(draws) and int(draws.max()) >= ticket.R:
                raise TicketError(f"draws{name[4:]} names draw {int(draws.max())}, but R={ticket.R}")
    if not np.isfinite(ticket.tensors["witness"]).all():
        raise TicketError("witness holds NaN or infinity")


def target_sha256(weights: Iterable[npt.NDArray[np.float64]]) -> str:
    """SHA-256 of a network: for every layer its two sides as little-endian int64, then its weights as float64."""
    found = hashlib.sha256()
    for weight in weights:
        found.update(np.array(weight.shape, "<i8").tobytes())
        found.update(np.ascontiguousarray(weight, "<f8").data)
    return found.hexdigest()


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _integer(content: Mapping[str, Any], name: str, low: int, high: int) -> None:
    if type(content[name]) is not int or not low <= content[name] <= high:
        raise TicketError(f"{name} must be an integer in [{low}, {high}], got {_short(content[name])}")


def _one_of(content: Mapping[str, Any], name: str, allowed: Sequence[Any]) -> None:
    if not any(type(content[name]) is type(value) and content[name] == value for value in allowed):
        raise TicketError(f"{name} must be one of {allowed}, got {_short(content[name])}")


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else text[:97] + "..."
