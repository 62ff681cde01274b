"""Activations, and the softmax family."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.graph.operators.call import Call, Operator


def softplus(value: Tensor) -> Tensor:
    """log(1 + exp x) at every x, without the linear tail that PyTorch puts above 20."""
    return torch.logaddexp(value, torch.zeros_like(value))


def _prelu(call: Call) -> Tensor:
    value, slope = call.value(0), call.value(1)
    if torch.broadcast_shapes(value.shape, slope.shape) != value.shape:
        call.refuse(f"slope of shape={tuple(slope.shape)} does not fit shape={tuple(value.shape)}")
    return torch.where(value < 0, slope * value, value)


def _selu(call: Call) -> Tensor:
    alpha, gamma = call.number("alpha", 1.67326319217681884765625), call.number("gamma", 1.05070102214813232421875)
    return gamma * F.elu(call.value(0), alpha)


def _celu(call: Call) -> Tensor:
    alpha = call.number("alpha", 1.0)
    if alpha == 0:
        call.refuse("alpha=0.0 is not supported")
    return F.celu(call.value(0), alpha)


def _gelu(call: Call) -> Tensor:
    kind = call.text("approximate", "none")
    if kind not in ("none", "tanh"):
        call.refuse(f"approximate={kind!r} is not supported")
    return F.gelu(call.value(0), approximate=kind)


def _swish(call: Call) -> Tensor:
    value = call.value(0)
    return value * torch.sigmoid(call.number("alpha", 1.0) * value)


def _hard_sigmoid(call: Call) -> Tensor:
    return torch.clamp(call.number("alpha", 0.2) * call.value(0) + call.number("beta", 0.5), 0, 1)


def _hard_swish(call: Call) -> Tensor:
    value = call.value(0)
    return value * torch.clamp(value / 6 + 0.5, 0, 1)


def _mish(call: Call) -> Tensor:
    value = call.value(0)
    return value * torch.tanh(softplus(value))


def _softsign(call: Call) -> Tensor:
    value = call.value(0)
    return value / (1 + value.abs())


def _thresholded(call: Call) -> Tensor:
    value = call.value(0)
    return torch.where(value > call.number("alpha", 1.0), value, torch.zeros_like(value))


def _shrink(call: Call) -> Tensor:
    value, bias, edge = call.value(0), call.number("bias", 0.0), call.number("lambd", 0.5)
    zero = torch.zeros_like(value)
    return torch.where(value < -edge, value + bias, torch.where(value > edge, value - bias, zero))


def _over_axis(function: Callable[[Tensor, int], Tensor]) -> Operator:
    """Before opset 13 the axes from the one named on were taken together; the default was then 1."""

    def run(call: Call) -> Tensor:
        value = call.value(0)
        if call.opset >= 13:
            return function(value, call.axis(call.integer("axis", -1), value.ndim))
        axis = call.integer("axis", 1)
        if axis != value.ndim:
            axis = call.axis(axis, value.ndim)
        rows = value.shape[:axis].numel()
        flat = value.reshape(rows, value.shape[axis:].numel())
        return function(flat, 1).reshape(value.shape)

    return Operator(run, "axis")


def _hardmax(value: Tensor, axis: int) -> Tensor:
    best = value.argmax(axis, keepdim=True)
    return torch.zeros_like(value).scatter(axis, best, 1)


OPERATORS: dict[str, Operator] = {
    "Relu": Operator(lambda call: torch.relu(call.value(0))),
    "LeakyRelu": Operator(lambda call: F.leaky_relu(call.value(0), call.number("alpha", 0.01)), "alpha"),
    "PRelu": Operator(_prelu, "", 2, 2),
    "Elu": Operator(lambda call: F.elu(call.value(0), call.number("alpha", 1.0)), "alpha"),
    "Selu": Operator(_selu, "alpha gamma"),
    "Celu": Operator(_celu, "alpha"),
    "Gelu": Operator(_gelu, "approximate"),
    "Sigmoid": Operator(lambda call: torch.sigmoid(call.value(0))),
    "HardSigmoid": Operator(_hard_sigmoid, "alpha beta"),
    "HardSwish": Operator(_hard_swish),
    "Swish": Operator(_swish, "alpha"),
    "Mish": Operator(_mish),
    "Tanh": Operator(lambda call: torch.tanh(call.value(0))),
    "Softplus": Operator(lambda call: softplus(call.value(0))),
    "Softsign": Operator(_softsign),
    "ThresholdedRelu": Operator(_thresholded, "alpha"),
    "Shrink": Operator(_shrink, "bias lambd"),
    "Softmax": _over_axis(lambda value, axis: torch.softmax(value, axis)),
    "LogSoftmax": _over_axis(lambda value, axis: torch.log_softmax(value, axis)),
    "Hardmax": _over_axis(_hardmax),
}
