"""Operators that read or write elements by index."""

from __future__ import annotations

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _checked(call: Call, indices: Tensor, side: int) -> Tensor:
    """Indices from the front; those outside an axis are refused."""
    indices = indices.to(torch.int64)
    if indices.numel() and (int(indices.min()) < -side or int(indices.max()) >= side):
        call.refuse(f"indices from {int(indices.min())} to {int(indices.max())} of {side} elements")
    return torch.where(indices < 0, indices + side, indices)


def _gather(call: Call) -> Tensor:
    value = call.value(0)
    axis = call.axis(call.integer("axis", 0), value.ndim)
    indices = _checked(call, call.value(1), value.shape[axis])
    taken = value.index_select(axis, indices.reshape(-1))
    return taken.reshape(value.shape[:axis] + indices.shape + value.shape[axis + 1 :])


def _gather_elements(call: Call) -> Tensor:
    value = call.value(0)
    axis = call.axis(call.integer("axis", 0), value.ndim)
    return value.gather(axis, _checked(call, call.value(1), value.shape[axis]))


def _flat_places(call: Call, indices: Tensor, sides: torch.Size) -> Tensor:
    """Rows of indices as places in the flattened axes."""
    places = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=indices.device)
    for axis, side in enumerate(sides):
        places = places * side + _checked(call, indices[..., axis], side)
    return places


def _gather_nd(call: Call) -> Tensor:
    value, indices, batch = call.value(0), call.value(1), call.integer("batch_dims", 0)
    depth = indices.shape[-1]
    if not 0 <= batch < min(value.ndim, indices.ndim) or not 1 <= depth <= value.ndim - batch:
        call.refuse(f"batch_dims={batch}, shapes {tuple(value.shape)} and {tuple(indices.shape)} do not fit")
    if value.shape[:batch] != indices.shape[:batch]:
        call.refuse(f"batch_dims={batch}, shapes {tuple(value.shape)} and {tuple(indices.shape)} do not fit")
    inner, rest = value.shape[batch : batch + depth], value.shape[batch + depth :]
    batches = value.shape[:batch].numel()
    places = _flat_places(call, indices, inner).reshape(batches, -1)
    rows = torch.arange(batches, device=value.device)[:, None] * inner.numel()
    flat = value.reshape(batches * inner.numel(), rest.numel())
    return flat.index_select(0, (rows + places).reshape(-1)).reshape(indices.shape[:-1] + rest)


def _written(call: Call, value: Tensor, axis: int, places: Tensor, updates: Tensor) -> Tensor:
    kind = call.text("reduction", "none")
    if kind == "none":
        return value.scatter(axis, places, updates)
    if kind not in _REDUCTIONS:
        call.refuse(f"reduction={kind!r} is not supported")
    return value.scatter_reduce(axis, places, updates, _REDUCTIONS[kind], include_self=True)


def _scatter_elements(call: Call) -> Tensor:
    value, updates = call.value(0), call.value(2)
    axis = call.axis(call.integer("axis", 0), value.ndim)
    places = _checked(call, call.value(1), value.shape[axis])
    if places.shape != updates.shape:
        call.refuse(f"indices of shape={tuple(places.shape)} for updates of shape={tuple(updates.shape)}")
    return _written(call, value, axis, places, updates)


def _scatter_nd(call: Call) -> Tensor:
    value, indices, updates = call.value(0), call.value(1), call.value(2)
    depth = indices.shape[-1]
    if not 1 <= depth <= value.ndim:
        call.refuse(f"indices of shape={tuple(indices.shape)} for shape={tuple(value.shape)}")
    rest = value.shape[depth:]
    if updates.shape != indices.shape[:-1] + rest:
        call.refuse(f"updates of shape={tuple(updates.shape)} for indices of shape={tuple(indices.shape)}")
    places = _flat_places(call, indices, value.shape[:depth]).reshape(-1, 1).expand(-1, rest.numel())
    flat = value.reshape(-1, rest.numel())
    return _written(call, flat, 0, places, updates.reshape(-1, rest.numel())).reshape(value.shape)


def _one_hot(call: Call) -> Tensor:
    indices, depth, values = call.value(0).to(torch.int64), int(call.scalar(1) or 0), call.value(2)
    if depth < 1 or values.numel() != 2:
        call.refuse(f"depth={depth} with {values.numel()} values")
    axis = call.axis(call.integer("axis", -1), indices.ndim + 1)
    within = torch.where(indices < 0, indices + depth, indices).unsqueeze(axis)
    shape = [depth if place == axis else 1 for place in range(indices.ndim + 1)]
    hot = within == torch.arange(depth, device=indices.device).reshape(shape)
    return torch.where(hot, values[1], values[0])


OPERATORS: dict[str, Operator] = {
    "Gather": Operator(_gather, "axis", 2, 2),
    "GatherElements": Operator(_gather_elements, "axis", 2, 2),
    "GatherND": Operator(_gather_nd, "batch_dims", 2, 2),
    "Scatter": Operator(_scatter_elements, "axis", 3, 3),
    "ScatterElements": Operator(_scatter_elements, "axis reduction", 3, 3),
    "ScatterND": Operator(_scatter_nd, "reduction", 3, 3),
    "OneHot": Operator(_one_hot, "axis", 3, 3),
    "NonZero": Operator(lambda call: torch.nonzero(call.value(0)).T),
}
