"""The file of a found ticket: a seed, at most one bit per weight, and no more of the weights than the seed cannot give.

A safetensors file, so reading one runs no code. Its metadata hold ``schema``, ``ticket`` (a JSON object, see
`FoundTicket`) and ``checksum`` (SHA-256 over the JSON text and every tensor, `nets.tickets.file.checksum`). Tensors,
all bits starting with the lowest of the first byte, unused bits 0:

==============  ========  ==============================================================================================
name            dtype     content
==============  ========  ==============================================================================================
mask.LAYER      uint8     one bit per weight, row-major
signs.LAYER     uint8     values "signs": one bit per kept weight, 1 for negative; all have the layer's ``size``, or,
                          if it has none, each that of its first draw
moved.LAYER     uint8     values "history": one bit per kept weight, 1 where it is not its own first draw
draws.LAYER     uint8     "history": for every moved weight, which draw it is, in ``draw_bits`` bits
origins.LAYER   uint8     "history": for every moved weight, whose draw it is, in ``origin_bits`` bits
floats.LAYER    of layer  values "floats": the kept weights
rest.KEY        any       what else the model holds, such as biases and the statistics of batch norms
buffer.KEY      any       buffers outside the model's state that its builder does not give back
logits          float32   of a training run: outputs for 8 inputs that follow from the seed
input.NAME      any       of any other model, if recorded: inputs by place or name
output.I        any       its outputs for these, in order; of n > 1024 numbers those at places floor(n i / 1024)
==============  ========  ==============================================================================================

With values "seed" a layer needs its mask alone. Each layer takes what costs least. Numbers of type bfloat16 are written
as uint16, and ``bfloat16`` lists these tensors.

A weight's draw number d is `nets.search.draws.shaped` of the draw (``seed``, 2^24 + ``index``, element, d) with the
layer's ``std``, of the ticket's ``law`` for d = 0 and of ``later_law`` after that, rounded to the layer's ``dtype``.
Where values "seed" come with a ``size``, only the sign is the draw's.

A training run's ticket has ``shape``, ``classes`` and the run's settings; any other's has neither, and its network is
what the named ``builder`` makes of ``arguments``. No program is run that a file names: who reads it brings the builder.

Older versions are read. In version 3 the digest covers masks and kept weights alone. Version 2 is for training runs
alone, its digest leaves out where weights are, and the laws follow from the settings; a method that binarises is
applied to the values. In version 1 nothing is coded: from version 2 on a file has, in place of mask.LAYER, signs.LAYER
or moved.LAYER, their code where that is shorter, under the name with "coded." before it and of dtype uint32: see
`nets.tickets.found_code`. Metadata leave out what has its default in `Layer` and, from version 3 on, in `FoundTicket`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction.bits import pack, popcount, spare_bits, unpack
from nets.search.methods import LAWS
from nets.tickets.file import Tensors, TicketError, bound, file_bytes, read_file
from nets.tickets.found_code import CODED, coded, decoded
from sims.files import write_bytes
from sims.solver.philox import MAX_SEED

VERSION = 4
SCHEMAS = {f"strong-tickets/found-ticket/{version}": version for version in range(1, VERSION + 1)}
SCHEMA = f"strong-tickets/found-ticket/{VERSION}"
DTYPES = {"float16": "F16", "bfloat16": "U16", "float32": "F32", "float64": "F64"}
"""Types of weights, and the types of their tensors in the file."""
VALUES = ("seed", "signs", "history", "floats")
KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
"""Types of tensors, beside bfloat16."""
_UNWRITTEN = ("tensors", "version")
_NEW = ("law", "later_law", "builder", "arguments", "batch_norm", "inputs", "bfloat16")
_CHUNK = 2**16
_MAX_SIDE = 2**31
_MAX_INPUT = 2**22
"""Numbers of one input of a run's network."""
PROBES = 8
"""Inputs of a run's network whose outputs are recorded."""


@dataclass(frozen=True)
class Layer:
    """One layer of a found ticket.

    Attributes
    ----------
    name : str
        Of the module in its model; with the parameter's name where that is not "weight".
    shape : tuple of int
    n_keep : int
    values : {"seed", "signs", "history", "floats"}
        Where the kept weights come from.
    size : float or None
        "signs", and "seed" where only signs are the seed's: their absolute value; "signs" without it: that of each
        weight's own first draw.
    moved, draw_bits, origin_bits : int
        "history": weights that are not their own first draw, and bits of the two numbers stored for each.
    dtype : str
        Of the weights, one of `DTYPES`.
    index : int or None
        Number of the tensor in its model: the stream of its random numbers; None for its place in the ticket.
    std : float or None
        Standard deviation of its random weights.
    """

    name: str
    shape: tuple[int, ...]
    n_keep: int
    values: str = "seed"
    size: float | None = None
    moved: int = 0
    draw_bits: int = 0
    origin_bits: int = 0
    dtype: str = "float32"
    index: int | None = None
    std: float | None = None

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
            own[f"floats.{self.name}"] = (DTYPES[self.dtype], self.n_keep)
        elif self.values == "history":
            own[f"moved.{self.name}"] = ("U8", -(-self.n_keep // 8))
            own[f"draws.{self.name}"] = ("U8", -(-self.moved * self.draw_bits // 8))
            own[f"origins.{self.name}"] = ("U8", -(-self.moved * self.origin_bits // 8))
        return own


@dataclass(frozen=True, eq=False, repr=False)
class FoundTicket:
    """What the file holds; all but `version` and `tensors` is the JSON object of its metadata.

    Attributes
    ----------
    params : dict
        Settings of the run that found it, which make the model again; or of the search, as
        `nets.search.search.TicketSearch.settings` and the arguments of `nets.search.find.find_tickets`.
    shape : tuple of int or None
        Of one input of a run's network.
    classes : int or None
    layers : tuple of Layer
    events : int
        Re-randomisations and recyclings during the search.
    values_sha256 : str
        For layer after layer of the text "NAME DTYPE [SHAPE]", a zero byte, the packed mask, and the kept effective
        weights, little-endian; before version 3 of the kept weights alone. From version 4 on
        `nets.tickets.file.bound` of that SHA-256, all other fields (this one empty) and the tensors, not coded.
    made_with : dict
        Versions, for the record.
    tensors : dict of ndarray
        Not coded in memory.
    law, later_law : str or None
        Of random weights and of new draws; no `law` where the model came with its weights.
    builder : str or None
        Name "module:function" of what built the model, for the record.
    arguments : dict
        What it was called with.
    batch_norm : {"keep", "non-affine"}
        "non-affine": batch norms have lost weight and bias.
    inputs : tuple of str
        Places (digits) and names of the inputs that are recorded.
    bfloat16 : tuple of str
        Names of tensors of that type.
    version : int
    """

    params: dict[str, Any]
    shape: tuple[int, int, int] | None
    classes: int | None
    layers: tuple[Layer, ...]
    events: int
    values_sha256: str
    made_with: dict[str, Any]
    tensors: Tensors = field(default_factory=dict)
    law: str | None = None
    later_law: str | None = None
    builder: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    batch_norm: str = "keep"
    inputs: tuple[str, ...] = ()
    bfloat16: tuple[str, ...] = ()
    version: int = VERSION

    def __repr__(self) -> str:
        method, model = self.params.get("method"), self.params.get("arch", self.builder)
        return f"<FoundTicket of {method} in {model}: {self.kept} of {self.weights} weights kept>"

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

    def meta(self) -> str:
        """The JSON text of the metadata."""
        content = {key: value for key, value in asdict(replace(self, tensors={})).items() if key not in _UNWRITTEN}
        content["layers"] = [_unusual(Layer, layer) for layer in content["layers"]]
        return json.dumps(_unusual(FoundTicket, content), sort_keys=True, allow_nan=False, separators=(",", ":"))

    def bound(self, values: str) -> str:
        """`values_sha256` of this ticket if its masks and kept weights have the digest `values`."""
        return values if self.version < 4 else bound(values, replace(self, values_sha256="").meta(), self.tensors)

    def to_bytes(self) -> bytes:
        """The file's content, in its version; one of version 1 becomes one of version 2."""
        version = max(self.version, 2)
        return file_bytes(next(name for name, own in SCHEMAS.items() if own == version), self.meta(), coded(self))

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
    version = 0

    def check(text: Mapping[str, str], file: Any) -> None:
        nonlocal version
        version = _version(text, file)

    return read_file(path, check=check, finish=lambda meta, tensors: _finish(version, meta, tensors))


def _unusual(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """The items of a dataclass without those that have their defaults."""
    usual = {
        item.name: item.default if item.default_factory is MISSING else item.default_factory() for item in fields(kind)
    }
    return {key: value for key, value in content.items() if value != usual[key]}


def _version(text: Mapping[str, str], file: Any) -> int:
    schema = text.get("schema", "")
    if schema not in SCHEMAS:
        own = schema.startswith("strong-tickets/")
        raise TicketError(f"it is {schema}, not {SCHEMA}" if own else "its metadata name no found ticket")
    if SCHEMAS[schema] == 1 and any(name.startswith(CODED) for name in sorted(file.keys())):
        raise TicketError(f"it is {schema}, which has no codes")
    return SCHEMAS[schema]


def _finish(version: int, meta: str, tensors: Tensors) -> FoundTicket:
    ticket = _parse(meta, version)
    ticket = replace(ticket, tensors=decoded(ticket, tensors))
    _check(ticket)
    return ticket


def _parse(text: str, version: int) -> FoundTicket:
    try:
        content = json.loads(text)
        if not content.keys().isdisjoint(_UNWRITTEN) or (version < 3 and not content.keys().isdisjoint(_NEW)):
            raise ValueError
        layers = tuple(Layer(**{**layer, "shape": tuple(layer["shape"])}) for layer in content.pop("layers"))
        shape = content.pop("shape")
        for name in ("inputs", "bfloat16"):
            content[name] = tuple(content.get(name, ()))
        ticket = FoundTicket(
            **content,
            shape=None if shape is None else tuple(shape),
            layers=layers,
            version=version,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TicketError(f"the metadata do not hold a found ticket ({type(error).__name__})") from None
    good = isinstance(ticket.params, dict) and isinstance(ticket.made_with, dict) and bool(layers)
    good &= isinstance(ticket.values_sha256, str) and bool(re.fullmatch("[0-9a-f]{64}", ticket.values_sha256))
    good &= _whole(ticket.events, 0) and all(isinstance(layer.name, str) for layer in layers)
    good = good and len({layer.name for layer in layers}) == len(layers)
    good = good and (_of_a_run(ticket) or (version >= 3 and _of_any_model(ticket)))
    good = good and all(_layer_makes_sense(layer, ticket) for layer in layers)
    if not good:
        raise TicketError("the metadata hold values that make no sense")
    return ticket


def _of_a_run(ticket: FoundTicket) -> bool:
    good = _sides(ticket.shape) and ticket.shape is not None and len(ticket.shape) == 3 and _whole(ticket.classes, 1)
    return good and _unbuilt(ticket) and math.prod(ticket.shape or ()) <= _MAX_INPUT


def _unbuilt(ticket: FoundTicket) -> bool:
    return ticket.builder is None and not ticket.arguments and not ticket.inputs and ticket.batch_norm == "keep"


def _of_any_model(ticket: FoundTicket) -> bool:
    good = ticket.shape is None and ticket.classes is None and isinstance(ticket.arguments, dict)
    good = good and (ticket.builder is None or isinstance(ticket.builder, str))
    good = good and ticket.batch_norm in ("keep", "non-affine")
    names = (*ticket.inputs, *ticket.bfloat16)
    return good and all(isinstance(name, str) for name in names) and len(set(ticket.inputs)) == len(ticket.inputs)


def _layer_makes_sense(layer: Layer, ticket: FoundTicket) -> bool:
    good = isinstance(layer.name, str) and _sides(layer.shape) and layer.values in VALUES and layer.dtype in DTYPES
    good = good and _whole(layer.n_keep, 0, layer.numel) and _whole(layer.moved, 0, layer.n_keep)
    good = good and _whole(layer.draw_bits, 0, 32) and _whole(layer.origin_bits, 0, 62)
    sized = layer.values == "signs" or (layer.values == "seed" and ticket.version >= 3)
    good = good and (layer.size is None or sized)
    good = good and (layer.size is not None or layer.values != "signs" or ticket.version >= 3)
    good = good and (layer.size is None or (type(layer.size) is float and 0 <= layer.size < math.inf))
    if ticket.version < 3:
        return good and (layer.dtype, layer.index, layer.std) == ("float32", None, None)
    good = good and (layer.dtype == "float32" or ticket.shape is None)
    good = good and (layer.index is None or _whole(layer.index, 0, 2**24 - 1))
    good = good and (layer.std is None or (type(layer.std) is float and 0 <= layer.std < 1e30))
    laws = ticket.law in LAWS and (ticket.later_law is None or ticket.later_law in LAWS)
    drawn = layer.values in ("seed", "history") or (layer.values == "signs" and layer.size is None)
    return good and (
        not (drawn and layer.n_keep > 0)
        or (laws and layer.std is not None and _whole(ticket.params.get("seed"), 0, MAX_SEED))
    )


def _check(ticket: FoundTicket) -> None:
    """Refuse tensors whose names, types, lengths or counts are not those that the metadata announce."""
    wanted = {name: kind for layer in ticket.layers for name, kind in layer.tensors.items()}
    found = {name: array for name, array in ticket.tensors.items() if not name.startswith(("rest.", "buffer."))}
    outputs = [name for name in found if name.startswith("output.")]
    probes = {"logits"} if ticket.shape is not None else {f"input.{name}" for name in ticket.inputs} | set(outputs)
    if set(found) != {*wanted, *probes} or (bool(outputs) != bool(ticket.inputs)):
        odd = sorted(set(found) ^ {*wanted, *probes}) or ["outputs for its inputs"]
        raise TicketError(f"tensors are missing or too many: {', '.join(odd)[:100]}")
    kinds = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32, "F64": np.float64}
    for name, (kind, length) in wanted.items():
        if found[name].dtype != kinds[kind] or found[name].shape != (length,):
            raise TicketError(f"{name} must be {length} numbers of type {kind}")
    for name in ticket.bfloat16:
        if name not in ticket.tensors or ticket.tensors[name].dtype != np.uint16:
            raise TicketError(f"{name[:100]} must be numbers of type U16")
    for name, array in ticket.tensors.items():
        if array.dtype.name not in KINDS and name not in ticket.bfloat16:
            raise TicketError(f"{name[:100]} has type {array.dtype.name}, which ticket files do not hold")
    logits = found.get("logits")
    if logits is not None and (logits.dtype != np.float32 or logits.shape != (PROBES, ticket.classes)):
        raise TicketError(f"logits must be float32 of shape ({PROBES}, {ticket.classes})")
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
