"""What of a model a ticket holds, and how a model of the same builder becomes its network."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from nets.construction.bits import pack
from nets.search.find import remove_affine
from nets.search.masked_module import make_plain
from nets.search.masked_weight import MaskedWeight, hold_masks
from nets.search.search import TicketSearch
from nets.tickets.file import TicketError
from nets.tickets.found_file import DTYPES, FoundTicket, Layer
from nets.tickets.found_values import Draws, as_tensor, cheapest, effective, same_bits


@dataclass(frozen=True)
class Found:
    """What a search has found, taken out of it.

    Attributes
    ----------
    model : torch.nn.Module
        Plain, on the CPU, in evaluation mode.
    layers : tuple of Layer
    tensors : dict of ndarray
        Of the layers.
    weights : dict of str to torch.Tensor
        Effective weights by layer name.
    rest : dict of str to torch.Tensor
        Parameters that are not masked, and buffers of the model's state, by "rest." and their first name.
    """

    model: nn.Module
    layers: tuple[Layer, ...]
    tensors: dict[str, npt.NDArray[Any]]
    weights: dict[str, torch.Tensor]
    rest: dict[str, torch.Tensor]


@torch.no_grad()
def found_in(search: TicketSearch) -> Found:
    """Take what was found out of a copy of a search's model.

    Raises
    ------
    ValueError
        If the model has state that is no parameter or buffer, or weights of a dtype that the file does not know.
    """
    memo: dict[int, Any] = {}
    model = copy.deepcopy(search.model, memo).eval()
    masked: dict[str, MaskedWeight] = {name: memo[id(layer)] for name, layer in search.layers.items()}
    made: dict[MaskedWeight, nn.Parameter] = {}
    with hold_masks(list(masked.values())):
        masks = {name: layer.mask().cpu().reshape(-1).numpy() for name, layer in masked.items()}
        for module in list(model.modules()):
            make_plain(module, made)
    model.cpu()
    for parameter in made.values():
        parameter.data = parameter.data.contiguous()
    weights = {name: made[layer].detach() for name, layer in masked.items()}
    source = Draws(search.seed, None if search.init == "keep" else search.init, search.method.later_law)
    layers: list[Layer] = []
    tensors: dict[str, npt.NDArray[Any]] = {}
    for place, (name, weight) in enumerate(weights.items()):
        searched, kept, dtype = masked[name], masks[name], str(weight.dtype)[6:]
        if dtype not in DTYPES:
            raise ValueError(f"layer {name} has weights of {weight.dtype}, which ticket files do not hold")
        flat, pruned = weight.reshape(-1), torch.from_numpy(~kept)
        if bool((flat[pruned] != 0).any()):
            raise ValueError(f"layer {name} has effective weights outside its mask: method {search.method.name} is no "
                             "method of masks")  # fmt: skip
        flat[pruned] = 0  # not -0, which a negative weight leaves
        base = Layer(
            name,
            tuple(weight.shape),
            int(kept.sum()),
            dtype=dtype,
            index=None if searched.index == place else searched.index,
            std=None if search.init == "keep" else float(search.stds[name]),
        )
        history = [None if one is None else one.cpu().reshape(-1) for one in (searched.draws, searched.origins)]
        layer, own = cheapest(base, source, searched.index, kept, flat[torch.from_numpy(kept)], *history)
        layers.append(layer)
        tensors |= {f"mask.{name}": pack(kept), **own}
    return Found(model, tuple(layers), tensors, weights, _rest(model, {id(one) for one in made.values()}))


def named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers of the model's state under all their names."""
    found: dict[str, torch.Tensor] = dict(model.named_parameters(remove_duplicate=False))
    for path, module in model.named_modules(remove_duplicate=False):
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in module._non_persistent_buffers_set:
                found[f"{path}.{name}".lstrip(".")] = buffer
    return found


def own_buffers(model: nn.Module, fresh: nn.Module) -> dict[str, torch.Tensor]:
    """Buffers outside the state whose values a new model does not have, by "buffer." and their name."""
    found = {}
    new = dict(fresh.named_buffers(remove_duplicate=False))
    state = named_tensors(model)
    for name, buffer in model.named_buffers():
        if name not in state and (name not in new or not same_bits(buffer, new[name])):
            found[f"buffer.{name}"] = buffer
    return found


def check_fit(ticket: FoundTicket, model: nn.Module) -> dict[str, str]:
    """Names of the parameters of a ticket's layers in a model.

    Raises
    ------
    TicketError
        If the ticket is not of this model: something is missing, too much, or of another shape.
    """
    tensors = named_tensors(model)
    places = {layer.name: _path(layer.name, tensors) for layer in ticket.layers}
    shapes = {places[layer.name]: layer.shape for layer in ticket.layers}
    stored = {name[5:]: array for name, array in ticket.tensors.items() if name.startswith("rest.")}
    twice = next((name for name in stored if name in shapes), None)
    if twice is not None or len(shapes) < len(places):
        raise TicketError(f"it holds {(twice or 'a weight')[:100]!r} twice")
    shapes |= {name: array.shape for name, array in stored.items()}
    kinds = {name: "bfloat16" if f"rest.{name}" in ticket.bfloat16 else one.dtype.name for name, one in stored.items()}
    known = set()
    for name, shape in shapes.items():
        tensor = tensors.get(name)
        if tensor is None or nn.parameter.is_lazy(tensor):
            raise TicketError(f"its network has {name[:100]!r}, which the builder's has not")
        if tuple(tensor.shape) != tuple(shape):
            raise TicketError(f"its {name[:100]!r} has shape {tuple(shape)}, the builder's {tuple(tensor.shape)}")
        here, there = kinds.get(name, str(tensor.dtype)[6:]), str(tensor.dtype)[6:]
        if here != there and not (here in DTYPES and there in DTYPES):
            raise TicketError(f"its {name[:100]!r} is of type {here}, the builder's of {there}")
        if id(tensor) in known:
            raise TicketError(f"it holds {name[:100]!r} twice")
        known.add(id(tensor))
    bare = _affine_names(model) if ticket.batch_norm == "non-affine" else ()
    odd = next((name for name, tensor in tensors.items() if id(tensor) not in known and name not in bare), None)
    if odd is not None:
        raise TicketError(f"the builder's network has {odd!r}, of which it says nothing")
    return places


@torch.no_grad()
def fill(ticket: FoundTicket, model: nn.Module) -> nn.Module:
    """Turn a newly built model into the network of a ticket, in place; it is then in evaluation mode.

    Raises
    ------
    TicketError
        If the ticket is not of this model.
    """
    places = check_fit(ticket, model)
    if ticket.batch_norm == "non-affine":
        remove_affine(model)
    model.cpu()
    tensors = named_tensors(model)
    for number, layer in enumerate(ticket.layers):
        tensors[places[layer.name]].data = effective(ticket, number)
    for name, array in ticket.tensors.items():
        kind, _, key = name.partition(".")
        dtype = torch.bfloat16 if name in ticket.bfloat16 else None
        if kind == "rest":
            tensors[key].data = as_tensor(array, dtype)
        elif kind == "buffer":
            path, _, own = key.rpartition(".")
            owner = dict(model.named_modules()).get(path)
            if owner is None or own not in owner._non_persistent_buffers_set:
                raise TicketError(f"its network has a buffer {key[:100]!r}, which the builder's has not")
            owner._buffers[own] = as_tensor(array, dtype)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return model.eval()


def same_model(model: nn.Module, other: nn.Module) -> str | None:
    """What differs between two models in classes, parameters or buffers; None if nothing does."""
    kinds = [{name: type(part).__name__ for name, part in one.named_modules()} for one in (model, other)]
    for name in {**kinds[0], **kinds[1]}:
        here, there = (kind.get(name, "nothing") for kind in kinds)
        if here != there:
            return f"{name or 'the model'!r} is a {here} in one and a {there} in the other"
    for name, part in model.named_modules():
        mine, theirs = (_set_options(one) for one in (part, other.get_submodule(name)))
        odd = next((key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)), None)
        if odd is not None:
            return f"{odd} of {name or 'the model'!r} is {mine.get(odd)} in one and {theirs.get(odd)} in the other"
    tensors = [{**named_tensors(one), **dict(one.named_buffers(remove_duplicate=False))} for one in (model, other)]
    for name in {**tensors[0], **tensors[1]}:
        if name not in tensors[0] or name not in tensors[1] or not same_bits(tensors[0][name], tensors[1][name]):
            return f"{name!r} differs"
    return None


def _set_options(module: nn.Module) -> dict[str, Any]:
    """What a module of PyTorch was built with: numbers of heads, strides, eps and the like."""
    if not type(module).__module__.startswith("torch.nn."):
        return {}  # of other classes' attributes nobody knows which are settings
    plain = {key: value for key, value in vars(module).items() if isinstance(value, bool | int | float | str | tuple)}
    return {key: value for key, value in plain.items() if key != "training" and not key.startswith("_")}


def _rest(model: nn.Module, masked: Collection[int]) -> dict[str, torch.Tensor]:
    tensors = named_tensors(model)
    odd = next((name for name in model.state_dict() if name not in tensors), None)
    if odd is not None:
        raise ValueError(f"the model's state holds {odd!r}, which is no parameter or buffer")
    seen, found = set(masked), {}
    for name, tensor in tensors.items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[f"rest.{name}"] = tensor.detach()
    return found


def _path(layer: str, tensors: Collection[str]) -> str:
    """Name of the parameter that a search calls by this layer's name."""
    whole = f"{layer}.weight".lstrip(".")
    return whole if whole in tensors else layer


def _affine_names(model: nn.Module) -> list[str]:
    return [
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for name in ("weight", "bias")
    ]
