"""Pooling over windows and over whole images."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.graph.operators.call import Call, Operator
from nets.graph.operators.windows import Windows, windows

_MAX_POOL: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _pooled(call: Call, value: Tensor) -> tuple[Windows, list[int]]:
    """The windows, and the places past the pads that the last windows reach into where lengths round up."""
    if value.ndim < 3:
        call.refuse(f"a spatial axis is missing: shape={tuple(value.shape)}")
    kernel = call.listed("kernel_shape")
    if kernel is None:
        call.refuse("kernel_shape is missing")
    form = windows(call, value.shape[2:], kernel)
    for pad, span in zip(form.before + form.after, form.spans * 2, strict=True):
        if pad >= span:
            call.refuse(f"pads={form.before + form.after} are not smaller than the window {form.spans}")
    up = call.flag("ceil_mode") and call.text("auto_pad", "NOTSET") == "NOTSET"
    extra = []
    for axis, side in enumerate(value.shape[2:]):
        room = form.before[axis] + side + form.after[axis] - form.spans[axis]
        if room < 0:
            call.refuse(f"a window of {form.spans[axis]} does not fit into {side} with its pads")
        steps, stride = room // form.strides[axis], form.strides[axis]
        if up and room % stride and (steps + 1) * stride < form.before[axis] + side:
            steps += 1
        extra.append(max(steps * stride - room, 0))
    return form, extra


def _max_pool(call: Call) -> Tensor:
    value = call.value(0)
    form, extra = _pooled(call, value)
    real = value if value.is_floating_point() else value.to(torch.float64)
    if len(form.kernel) not in _MAX_POOL:
        call.refuse(f"1 to 3 spatial axes expected, got shape={tuple(value.shape)}")
    padded = form.pad(real, -torch.inf, extra)
    pooled = _MAX_POOL[len(form.kernel)](padded, form.kernel, form.strides, 0, form.dilations)
    return pooled.to(value.dtype)


def _window_sums(value: Tensor, form: Windows) -> Tensor:
    """Sums over windows, one axis after the other."""
    for axis in range(len(form.kernel)):
        taken = value.unfold(axis + 2, form.spans[axis], form.strides[axis])
        value = taken[..., :: form.dilations[axis]].sum(-1)
    return value


def _average_pool(call: Call) -> Tensor:
    value = call.value(0)
    form, extra = _pooled(call, value)
    ones = value.new_ones(1, 1, *value.shape[2:])
    counted = form.pad(ones, float(call.flag("count_include_pad")))
    past = [end for one in reversed(extra) for end in (0, one)]
    counts = _window_sums(F.pad(counted, past), form)
    return _window_sums(form.pad(value, 0.0, extra), form) / counts


def _lp_pool(call: Call) -> Tensor:
    value, p = call.value(0), _power(call)
    form, extra = _pooled(call, value)
    sums = _window_sums(form.pad(value.abs() ** p, 0.0, extra), form)
    return sums ** (1 / p)


def _power(call: Call) -> int:
    p = call.integer("p", 2)
    if p < 1:
        call.refuse(f"p={p} is not supported")
    return p


def _over_image(function: Callable[[Tensor, tuple[int, ...]], Tensor]) -> Operator:
    def run(call: Call) -> Tensor:
        value = call.value(0)
        if value.ndim < 3:
            call.refuse(f"a spatial axis is missing: shape={tuple(value.shape)}")
        return function(value, tuple(range(2, value.ndim)))

    return Operator(run)


def _global_lp(call: Call) -> Tensor:
    value = call.value(0)
    norm: Tensor = torch.linalg.vector_norm(value, _power(call), tuple(range(2, value.ndim)), keepdim=True)
    return norm


_WINDOW = "auto_pad ceil_mode dilations kernel_shape pads strides"

OPERATORS: dict[str, Operator] = {
    "MaxPool": Operator(_max_pool, f"{_WINDOW} storage_order"),
    "AveragePool": Operator(_average_pool, f"{_WINDOW} count_include_pad"),
    "LpPool": Operator(_lp_pool, f"{_WINDOW} p"),
    "GlobalAveragePool": _over_image(lambda value, axes: value.mean(axes, keepdim=True)),
    "GlobalMaxPool": _over_image(lambda value, axes: value.amax(axes, keepdim=True)),
    "GlobalLpPool": Operator(_global_lp, "p"),
}
