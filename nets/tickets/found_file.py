"""The file of a found ticket: a seed, at most one bit per weight, and no more of the weights than the seed cannot give.

A safetensors file, so reading one runs no code. Its metadata hold ``schema``, ``ticket`` (a JSON object, see
`FoundTicket`) and ``checksum`` (SHA-256 over the JSON text and every tensor, `nets.tickets.file.checksum`). Tensors,
all
bits starting with the lowest of the first byte, unused bits 0:

==============  ========  ==============================================================================================
name            dtype     content
==============  ========  ==============================================================================================
mask.LAYER      uint8     one bit per weight, row-major
signs.LAYER     uint8     values "signs": one bit per kept weight, 1 for negative; all have the layer's ``size``, or,
                          if it has none, each that of its first draw
moved.LAYER     uint8     values "history": one bit per kept weight, 1 where it is not its own first draw
draws.LAYER     uint8     "history": for every moved weight, which draw it is, in ``draw_bits`` bits
origins.LAYER   uint8     "history": for every moved weight, whose draw it is, in ``origin_bits`` bits
floats.LAYER    float32   values "floats": the kept weights
rest.KEY        any       what else the model holds, such as the statistics of batch norms
logits          float32   outputs for 8 inputs that follow from the seed
==============  ========  ==============================================================================================

With values "seed" a layer needs its mask alone. Each layer takes what costs least.

A file of version 2 has, in place of mask.LAYER, signs.LAYER or moved.LAYER, their code where that is shorter, under the
name with "coded." before it and of dtype uint32: see `nets.tickets.found_code`. In version 1 nothing is coded. Layers
leave out what has its default in `Layer`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction.bits import pack, popcount, spare_bits, unpack
from nets.tickets.file import Tensors, TicketError, file_bytes, read_file, write_bytes
from nets.tickets.found_code import CODED, coded, decoded

SCHEMA, OLD_SCHEMA = "strong-tickets/found-ticket/2", "strong-tickets/found-ticket/1"
VALUES = ("seed", "signs", "history", "floats")
_CHUNK = 2**16
_MAX_SIDE = 2**31


@dataclass(frozen=True)
class Layer:
    """One layer of a found ticket.

    Attributes
    ----------
    name : str
        Of the module in its model.
    shape : tuple of int
    n_keep : int
    values : {"seed", "signs", "history", "floats"}
        Where the kept weights come from.
    size : float or None
        "signs": their absolute value, a float32; None: that of each weight's own first draw.
    moved, draw_bits, origin_bits : int
        "history": weights that are not their own first draw, and bits of the two numbers stored for each.
    """

    name: str
    shape: tuple[int, ...]
    n_keep: int
    values: str = "seed"
    size: float | None = None
    moved: int = 0
    draw_bits: int = 0
    origin_bits: int = 0

    @property
    def numel(self) -> int:
        """Weights, kept or not."""
        return math.prod(self.shape)

    @property
    def bits(self) -> str | None:
        """Which tensor of one bit per kept weight it has: "signs", "moved" or none."""
        return {"signs": "signs", "history": "moved"}.get(self.values)

    @property
    def tensors(self) -> dict[str, tuple[str, int]]:
        """Name, dtype and length of the layer's tensors, not coded."""
        own = {f"mask.{self.name}": ("U8", -(-self.numel // 8))}
        if self.values == "signs":
            own[f"signs.{self.name}"] = ("U8", -(-self.n_keep // 8))
        elif self.values == "floats":
            own[f"floats.{self.name}"] = ("F32", self.n_keep)
        elif self.values == "history":
            own[f"moved.{self.name}"] = ("U8", -(-self.n_keep // 8))
            own[f"draws.{self.name}"] = ("U8", -(-self.moved * self.draw_bits // 8))
            own[f"origins.{self.name}"] = ("U8", -(-self.moved * self.origin_bits // 8))
        return own


@dataclass(frozen=True, eq=False, repr=False)
class FoundTicket:
    """What the file holds; all but `tensors` is the JSON object of its metadata.

    Attributes
    ----------
    params : dict
        Settings of the run that found it; they make the model and its random weights again.
    shape : tuple of int
        Of one input.
    classes : int
    layers : tuple of Layer
    events : int
        Re-randomisations and recyclings during the search.
    values_sha256 : str
        Of all kept effective weights as little-endian float32, layer after layer.
    made_with : dict
        Versions, for the record.
    tensors : dict of ndarray
        Those of version 1: nothing is coded in memory.
    """

    params: dict[str, Any]
    shape: tuple[int, int, int]
    classes: int
    layers: tuple[Layer, ...]
    events: int
    values_sha256: str
    made_with: dict[str, Any]
    tensors: Tensors = field(default_factory=dict)

    def __repr__(self) -> str:
        method, arch = self.params.get("method"), self.params.get("arch")
        return f"<FoundTicket of {method} in {arch}: {self.kept} of {self.weights} weights kept>"

    @property
    def weights(self) -> int:
        """Weights under the masks."""
        return sum(layer.numel for layer in self.layers)

    @property
    def kept(self) -> int:
        """Weights kept."""
        return sum(layer.n_keep for layer in self.layers)

    def packed_mask(self, name: str) -> npt.NDArray[np.uint8]:
        """The mask of a layer, packed as by `nets.construction.mask.Mask.pack`."""
        return np.asarray(self.tensors[f"mask.{name}"])

    def to_bytes(self) -> bytes:
        """The file's content."""
        content = {key: value for key, value in asdict(replace(self, tensors={})).items() if key != "tensors"}
        usual = {item.name: item.default for item in fields(Layer)}
        content["layers"] = [
            {key: value for key, value in layer.items() if value != usual[key]} for layer in content["layers"]
        ]
        text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
        return file_bytes(SCHEMA, text, coded(self))

    def save(self, path: str | Path) -> int:
        """Write the file so that it appears whole or not at all; returns its size in bytes."""
        return write_bytes(path, self.to_bytes())


def read_found(path: str | Path) -> FoundTicket:
    """Read and check a found ticket; nothing is rebuilt yet.

    Raises
    ------
    TicketError
        If the file is missing, truncated, edited, of another kind, or contradicts itself. The message is one line.
    """
    return read_file(path, check=_check_schema, finish=_finish)


def _check_schema(text: Mapping[str, str], file: Any) -> None:
    schema = text.get("schema", "")
    if schema not in (SCHEMA, OLD_SCHEMA):
        own = schema.startswith("strong-tickets/")
        raise TicketError(f"it is {schema}, not {SCHEMA}" if own else "its metadata name no found ticket")
    if schema == OLD_SCHEMA and any(name.startswith(CODED) for name in sorted(file.keys())):
        raise TicketError(f"it is {schema}, which has no codes")


def _finish(meta: str, tensors: Tensors) -> FoundTicket:
    ticket = _parse(meta)
    ticket = replace(ticket, tensors=decoded(ticket, tensors))
    _check(ticket)
    return ticket


def _parse(text: str) -> FoundTicket:
    try:
        content = json.loads(text)
        layers = tuple(Layer(**{**layer, "shape": tuple(layer["shape"])}) for layer in content.pop("layers"))
        ticket = FoundTicket(**{**content, "shape": tuple(content["shape"]), "layers": layers})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TicketError(f"the metadata do not hold a found ticket ({type(error).__name__})") from None
    good = isinstance(ticket.params, dict) and isinstance(ticket.made_with, dict) and bool(layers)
    good &= isinstance(ticket.values_sha256, str) and bool(re.fullmatch("[0-9a-f]{64}", ticket.values_sha256))
    good &= _sides(ticket.shape) and len(ticket.shape) == 3 and _whole(ticket.classes, 1) and _whole(ticket.events, 0)
    good &= len({layer.name for layer in layers}) == len(layers)
    for layer in layers:
        good &= isinstance(layer.name, str) and _sides(layer.shape) and layer.values in VALUES
        good = good and _whole(layer.n_keep, 0, layer.numel) and _whole(layer.moved, 0, layer.n_keep)
        good = good and _whole(layer.draw_bits, 0, 32) and _whole(layer.origin_bits, 0, 62)
        good = good and (layer.size is None or layer.values == "signs")
        good = good and (layer.size is None or (type(layer.size) is float and 0 <= layer.size < math.inf))
    if not good:
        raise TicketError("the metadata hold values that make no sense")
    return ticket


def _check(ticket: FoundTicket) -> None:
    """Refuse tensors whose names, types, lengths or counts are not those that the metadata announce."""
    wanted = {name: kind for layer in ticket.layers for name, kind in layer.tensors.items()}
    found = {name: array for name, array in ticket.tensors.items() if not name.startswith("rest.")}
    if set(found) != {*wanted, "logits"}:
        odd = sorted(set(found) ^ {*wanted, "logits"})
        raise TicketError(f"tensors are missing or too many: {', '.join(odd)[:100]}")
    kinds = {"U8": np.uint8, "F32": np.float32}
    for name, (kind, length) in wanted.items():
        if found[name].dtype != kinds[kind] or found[name].shape != (length,):
            raise TicketError(f"{name} must be {length} numbers of type {kind}")
    if found["logits"].dtype != np.float32 or found["logits"].shape[1:] != (ticket.classes,):
        raise TicketError(f"logits must be float32 of shape (inputs, {ticket.classes})")
    for layer in ticket.layers:
        bits = [("mask", layer.numel, layer.n_keep)]
        if layer.values == "history":
            bits.append(("moved", layer.n_keep, layer.moved))
        for kind, count, ones in bits:
            packed = found[f"{kind}.{layer.name}"]
            if popcount(packed) != ones or spare_bits(packed, count):
                raise TicketError(f"{kind}.{layer.name} must have {ones} ones among its {count} bits")


def pack_numbers(values: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.uint8]:
    """Numbers in `bits` bits each, one after the other.

    Examples
    --------
    >>> packed = pack_numbers(np.array([5, 0, 7]), 3)
    >>> packed.tolist(), unpack_numbers(packed, 3, 3).tolist()
    ([197, 1], [5, 0, 7])
    """
    places = np.arange(bits)
    parts = []
    for start in range(0, len(values), _CHUNK):  # a multiple of 8: every part but the last ends with a byte
        chunk = values[start : start + _CHUNK, None]
        parts.append(pack((chunk >> places) & 1))
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def unpack_numbers(packed: npt.NDArray[np.uint8], bits: int, count: int) -> npt.NDArray[np.int64]:
    """Numbers that `pack_numbers` wrote; zeros where each has no bits."""
    out = np.zeros(count, np.int64)
    if bits == 0:
        return out
    places = np.arange(bits)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        part = packed[start * bits // 8 : -(-(start + size) * bits // 8)]
        ones = unpack(part, size * bits).reshape(size, bits)
        out[start : start + size] = (ones.astype(np.int64) << places).sum(axis=1)
    return out


def _whole(value: Any, low: int, high: int = 2**62) -> bool:
    return type(value) is int and low <= value <= high


def _sides(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(_whole(side, 1, _MAX_SIDE) for side in shape)
