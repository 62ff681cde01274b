"""Kept weights of found tickets: the form that costs least, and the weights from each form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.construction.bits import pack, unpack
from nets.search.draws import rebuild_weight
from nets.tickets.file import Tensors, TicketError
from nets.tickets.found_file import KINDS, FoundTicket, Layer, pack_numbers, unpack_numbers

Flat = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """Where random weights come from: seed of the search, law of the first and of later draws."""

    seed: int
    law: str | None
    later_law: str | None

    def of(self, layer: Layer, index: int, place: Flat, draws: Flat, origins: Flat) -> torch.Tensor:
        """Random weights at some places of a layer, in its dtype.

        Raises
        ------
        TicketError
            If there is no such draw.
        """
        every, source = np.zeros(layer.numel, np.int64), np.arange(layer.numel)
        every[place], source[place] = draws, origins
        try:
            whole = rebuild_weight(
                seed=self.seed,
                index=index,
                shape=layer.shape,
                law=str(self.law),
                std=0.0 if layer.std is None else layer.std,
                draws=torch.from_numpy(every),
                origins=torch.from_numpy(source),
                later_law=self.later_law,
            )
        except ValueError as error:
            raise TicketError(f"layer {layer.name}: {error}") from None
        return whole.reshape(-1)[torch.from_numpy(place)].to(getattr(torch, layer.dtype))


def cheapest(
    base: Layer,
    source: Draws,
    index: int,
    kept: npt.NDArray[np.bool_],
    values: torch.Tensor,
    draws: torch.Tensor | None,
    origins: torch.Tensor | None,
) -> tuple[Layer, dict[str, npt.NDArray[Any]]]:
    """A layer with its tensors in the form of fewest bits; of equal ones the first of seed, signs, history, floats.

    Parameters
    ----------
    base : Layer
        Its name, shape, number kept, dtype and standard deviation.
    index : int
        The stream of its random numbers.
    kept : ndarray of bool, shape (numel,)
    values : torch.Tensor, shape (n_keep,)
        The kept effective weights. Every form gives them bit for bit: what the seed or the history does not give takes
        signs or floats.
    draws, origins : int tensors of shape (numel,), optional
        The history of all weights, as `nets.search.masked_weight.MaskedWeight` has it.
    """
    place = np.flatnonzero(kept)
    if not len(place):
        return base, {}
    drawn = np.zeros(len(place), np.int64) if draws is None else draws.numpy()[place].astype(np.int64)
    origin = place if origins is None else origins.numpy()[place].astype(np.int64)
    moved = (drawn != 0) | (origin != place)
    sizes = values.abs().unique()
    size = float(sizes[0]) if len(sizes) == 1 and bool(sizes[0] > 0) else None
    made = None if source.law is None else source.of(base, index, place, drawn, origin)
    if made is not None and not moved.any():
        if same_bits(made, values):
            return base, {}
        if size is not None and same_bits(torch.sign(made) * size, values):
            return replace(base, size=size), {}
    if size is not None:  # one bit each, and history has more
        return replace(base, values="signs", size=size), {f"signs.{base.name}": pack((values < 0).numpy())}
    if made is not None and not moved.any() and same_bits(made.abs(), values.abs()):  # signs that a method turns
        return replace(base, values="signs"), {f"signs.{base.name}": pack((values < 0).numpy())}
    draw_bits = int(drawn.max()).bit_length()
    origin_bits = (len(kept) - 1).bit_length() if bool((origin != place).any()) else 0
    history = len(place) + int(moved.sum()) * (draw_bits + origin_bits)
    if made is None or not same_bits(made, values) or 8 * values.element_size() * len(place) < history:
        return replace(base, values="floats"), {f"floats.{base.name}": as_array(values)}
    found = replace(base, values="history", moved=int(moved.sum()), draw_bits=draw_bits, origin_bits=origin_bits)
    return found, {
        f"moved.{base.name}": pack(moved),
        f"draws.{base.name}": pack_numbers(drawn[moved], draw_bits),
        f"origins.{base.name}": pack_numbers(origin[moved], origin_bits),
    }


def kept_values(ticket: FoundTicket, layer: Layer, place: Flat, source: Draws, index: int) -> torch.Tensor:
    """Kept weights of a layer in its dtype, from the tensors of a ticket.

    Parameters
    ----------
    place : ndarray of int64
        Row-major numbers of the kept weights.

    Raises
    ------
    TicketError
        If its history names draws that do not exist.
    """
    dtype = getattr(torch, layer.dtype)
    if not len(place):
        return torch.empty(0, dtype=dtype)
    if layer.values == "floats":
        return as_tensor(ticket.tensors[f"floats.{layer.name}"], dtype)
    if layer.values == "signs":
        negative = torch.from_numpy(unpack(ticket.tensors[f"signs.{layer.name}"], len(place)).astype(bool))
        sign = torch.where(negative, -1.0, 1.0).to(dtype)
        if layer.size is not None:
            return sign * layer.size
        return sign * source.of(layer, index, place, np.zeros(len(place), np.int64), place).abs()
    draws, origins = np.zeros(len(place), np.int64), place.copy()
    if layer.values == "history":
        moved = unpack(ticket.tensors[f"moved.{layer.name}"], len(place)).astype(bool)
        draws[moved] = unpack_numbers(ticket.tensors[f"draws.{layer.name}"], layer.draw_bits, layer.moved)
        if layer.origin_bits:
            packed = ticket.tensors[f"origins.{layer.name}"]
            origins[moved] = unpack_numbers(packed, layer.origin_bits, layer.moved)
    found = source.of(layer, index, place, draws, origins)
    return found if layer.size is None else torch.sign(found) * layer.size


def effective(ticket: FoundTicket, number: int) -> torch.Tensor:
    """The effective weight of the layer of that number in a ticket of version 3, 0 where pruned."""
    layer = ticket.layers[number]
    place = np.flatnonzero(unpack(ticket.packed_mask(layer.name), layer.numel))
    source = Draws(ticket.params.get("seed", 0), ticket.law, ticket.later_law)
    index = number if layer.index is None else layer.index
    out = torch.zeros(layer.numel, dtype=getattr(torch, layer.dtype))
    out[torch.from_numpy(place)] = kept_values(ticket, layer, place, source, index)
    return out.reshape(layer.shape)


def digest(ticket: FoundTicket, weights: Mapping[str, torch.Tensor]) -> str:
    """`FoundTicket.values_sha256` of a ticket with these weights.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Effective weights by layer name.
    """
    found = hashlib.sha256()
    for layer in ticket.layers:
        packed = ticket.packed_mask(layer.name)
        if ticket.version >= 3:
            found.update(f"{layer.name} {layer.dtype} {list(layer.shape)}\0".encode())
            found.update(packed.tobytes())
        mask = torch.from_numpy(unpack(packed, layer.numel).astype(bool))
        values = as_array(weights[layer.name].detach().reshape(-1)[mask])
        found.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
    return ticket.bound(found.hexdigest())


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors hold the same bytes.

    Examples
    --------
    >>> zero = torch.zeros(1)
    >>> same_bits(zero, zero), same_bits(zero, -zero), same_bits(zero, zero.double())
    (True, False, False)
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return as_array(a).tobytes() == as_array(b).tobytes()


def as_array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A copy of a tensor as a row-major array; bfloat16 as uint16."""
    tensor = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    return np.asarray((tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy())


def as_tensor(array: npt.NDArray[Any], dtype: torch.dtype | None = None) -> torch.Tensor:
    """A copy of an array of `as_array` as a tensor; bfloat16 has to be said."""
    found = torch.from_numpy(np.array(array, order="C"))
    return found.view(torch.bfloat16) if dtype == torch.bfloat16 else found


def written(tensors: Mapping[str, torch.Tensor]) -> tuple[Tensors, tuple[str, ...]]:
    """Tensors as a file takes them, and the names of those of type bfloat16.

    Raises
    ------
    ValueError
        If one has a dtype or layout that the file does not know.
    """
    for name, tensor in tensors.items():
        if str(tensor.dtype)[6:] not in (*KINDS, "bfloat16") or tensor.layout != torch.strided or tensor.is_quantized:
            raise ValueError(f"{name.partition('.')[2]} has dtype {tensor.dtype}, which ticket files do not hold")
    short = tuple(name for name, tensor in tensors.items() if tensor.dtype == torch.bfloat16)
    return {name: as_array(tensor) for name, tensor in tensors.items()}, short
