"""Operators that reduce along axes, or run along one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator

_Reducer = Callable[[Tensor, list[int], bool], Tensor]


def _reduce(reducer: _Reducer, inputs_since: int = 18) -> Operator:
    """A reduction; its axes are an attribute before opset `inputs_since`, then an input."""

    def run(call: Call) -> Tensor:
        value = call.value(0)
        if call.opset < inputs_since and len(call.values) > 1:
            call.refuse(f"axes as an input came with opset {inputs_since}, got opset={call.opset}")
        if call.opset >= inputs_since and call.given("axes"):
            call.refuse(f"attribute axes went with opset {inputs_since}, got opset={call.opset}")
        axes = call.listed("axes") if call.opset < inputs_since else call.integers(1)
        if not axes and not call.flag("noop_with_empty_axes"):
            axes = list(range(value.ndim))
        return reducer(value, call.axes(axes or [], value.ndim), call.flag("keepdims", True))

    return Operator(run, "axes keepdims noop_with_empty_axes", 1, 2)


def _sum(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    return value.sum(axes, keepdim=keep, dtype=value.dtype) if axes else value


def _mean(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    if not axes:
        return value
    if value.is_floating_point():
        return value.mean(axes, keepdim=keep)
    return torch.div(_sum(value, axes, keep), _count(value, axes), rounding_mode="trunc")


def _count(value: Tensor, axes: list[int]) -> int:
    return torch.Size([value.shape[axis] for axis in axes]).numel()


def _extreme(value: Tensor, axes: list[int], keep: bool, largest: bool) -> Tensor:
    if not axes:
        return value
    if _count(value, axes):
        return value.amax(axes, keepdim=keep) if largest else value.amin(axes, keepdim=keep)
    if value.is_floating_point():
        worst: float | int | bool = -torch.inf if largest else torch.inf
    elif value.dtype == torch.bool:
        worst = not largest
    else:
        worst = torch.iinfo(value.dtype).min if largest else torch.iinfo(value.dtype).max
    return torch.full_like(_sum(value, axes, keep), worst)


def _prod(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in axes:
        value = value.prod(axis, keepdim=True, dtype=value.dtype)
    return value if keep or not axes else value.squeeze(tuple(axes))


def _l2(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    if not axes:
        return value.abs()
    if value.is_floating_point():  # whose slope at 0 is 0, not NaN
        norm: Tensor = torch.linalg.vector_norm(value, 2, axes, keepdim=keep)
        return norm
    return _sum(value.to(torch.float64).square(), axes, keep).sqrt().to(value.dtype)


def _log_sum(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _through_real(value, lambda real: _sum(real, axes, keep).log())


def _log_sum_exp(value: Tensor, axes: list[int], keep: bool) -> Tensor:
    return _through_real(value, lambda real: torch.logsumexp(real, axes, keepdim=keep) if axes else real)


def _through_real(value: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    return function(value if value.is_floating_point() else value.to(torch.float64)).to(value.dtype)


def _arg(largest: bool) -> Operator:
    def run(call: Call) -> Tensor:
        value = call.value(0)
        axis, last = call.axis(call.integer("axis", 0), value.ndim), call.flag("select_last_index")
        seen = value.flip(axis) if last else value
        keep = call.flag("keepdims", True)
        found = seen.argmax(axis, keepdim=keep) if largest else seen.argmin(axis, keepdim=keep)
        return value.shape[axis] - 1 - found if last else found

    return Operator(run, "axis keepdims select_last_index")


def _running(function: Callable[..., Tensor], start: int) -> Operator:
    def run(call: Call) -> Tensor:
        value, where = call.value(0), call.scalar(1)
        axis = call.axis(int(where or 0), value.ndim)
        backwards = call.flag("reverse")
        seen = value.flip(axis) if backwards else value
        if call.flag("exclusive"):
            first = torch.full_like(seen.narrow(axis, 0, 1), start)
            seen = torch.cat([first, seen.narrow(axis, 0, seen.shape[axis] - 1)], axis)
        found = function(seen, axis, dtype=value.dtype)
        return found.flip(axis) if backwards else found

    return Operator(run, "exclusive reverse", 2, 2)


def _top_k(call: Call) -> tuple[Tensor, Tensor]:
    value = call.value(0)
    if call.opset < 10:
        count = call.integer("k", -1)
    else:
        given = call.scalar(1)
        count = -1 if given is None else int(given)
    axis = call.axis(call.integer("axis", -1), value.ndim)
    if not 0 <= count <= value.shape[axis]:
        call.refuse(f"k={count} of {value.shape[axis]}")
    ranked, order = torch.sort(value, dim=axis, descending=call.flag("largest", True), stable=True)
    call.flag("sorted", True)  # either order will do where it is 0
    return ranked.narrow(axis, 0, count), order.narrow(axis, 0, count)


OPERATORS: dict[str, Operator] = {
    "ReduceSum": _reduce(_sum, 13),
    "ReduceMean": _reduce(_mean),
    "ReduceMax": _reduce(lambda value, axes, keep: _extreme(value, axes, keep, True)),
    "ReduceMin": _reduce(lambda value, axes, keep: _extreme(value, axes, keep, False)),
    "ReduceProd": _reduce(_prod),
    "ReduceL1": _reduce(lambda value, axes, keep: _sum(value.abs(), axes, keep)),
    "ReduceL2": _reduce(_l2),
    "ReduceSumSquare": _reduce(lambda value, axes, keep: _sum(value * value, axes, keep)),
    "ReduceLogSum": _reduce(_log_sum),
    "ReduceLogSumExp": _reduce(_log_sum_exp),
    "ArgMax": _arg(True),
    "ArgMin": _arg(False),
    "CumSum": _running(torch.cumsum, 0),
    "CumProd": _running(torch.cumprod, 1),
    "TopK": Operator(_top_k, "axis k largest sorted", 1, 2, outputs=2),
}
