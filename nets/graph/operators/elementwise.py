"""Operators that work on each element alone: arithmetic, comparisons, elementary functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator


def _unary(function: Callable[[Tensor], Tensor]) -> Operator:
    return Operator(lambda call: function(call.value(0)))


def _binary(function: Callable[[Tensor, Tensor], Tensor], attributes: str = "") -> Operator:
    return Operator(lambda call: function(call.value(0), call.value(1)), attributes, 2, 2)


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return Operator(lambda call: reduce(function, call.all()), "", 1, None)


def _div(call: Call) -> Tensor:
    left, right = call.value(0), call.value(1)
    if left.is_floating_point():
        return left / right
    return torch.div(left, right, rounding_mode="trunc")


def _pow(call: Call) -> Tensor:
    base, exponent = call.value(0), call.value(1)
    return torch.pow(base, exponent.to(base.dtype) if base.is_floating_point() else exponent).to(base.dtype)


def _mod(call: Call) -> Tensor:
    left, right = call.value(0), call.value(1)
    if call.flag("fmod"):
        return torch.fmod(left, right)
    if left.is_floating_point() and call.opset < 28:
        call.refuse("fmod=0 of real numbers is not supported")
    return torch.remainder(left, right)


def _mean(call: Call) -> Tensor:
    values = call.all()
    return reduce(torch.add, values) / len(values)


def _round(value: Tensor) -> Tensor:
    return torch.round(value)  # halves to the even neighbour, as the standard asks


def _where(call: Call) -> Tensor:
    return torch.where(call.value(0), call.value(1), call.value(2))


def _is_inf(call: Call) -> Tensor:
    value = call.value(0)
    above, below = call.flag("detect_positive", True), call.flag("detect_negative", True)
    return (torch.isposinf(value) & above) | (torch.isneginf(value) & below)


def _clip(call: Call) -> Tensor:
    value = call.value(0)
    if call.opset < 11:
        if len(call.values) > 1:
            call.refuse(f"bounds as inputs came with opset 11, got opset={call.opset}")
        low = call.number("min", -torch.inf) if call.given("min") else None
        high = call.number("max", torch.inf) if call.given("max") else None
        return value.clone() if low is None and high is None else torch.clamp(value, low, high)
    for name in ("min", "max"):
        if call.given(name):
            call.refuse(f"attribute {name} went with opset 11, got opset={call.opset}")
    lower, upper = call.optional(1), call.optional(2)
    for bound in (lower, upper):
        if bound is not None and bound.numel() != 1:
            call.refuse(f"a bound must be one number, got shape={tuple(bound.shape)}")
    if lower is not None:
        value = torch.maximum(value, lower.reshape(()).to(value.dtype))
    if upper is not None:
        value = torch.minimum(value, upper.reshape(()).to(value.dtype))
    return value


OPERATORS: dict[str, Operator] = {
    "Add": _binary(torch.add),
    "Sub": _binary(torch.sub),
    "Mul": _binary(torch.mul),
    "Div": Operator(_div, "", 2, 2),
    "Pow": Operator(_pow, "", 2, 2),
    "Mod": Operator(_mod, "fmod", 2, 2),
    "Sum": _many(torch.add),
    "Mean": Operator(_mean, "", 1, None),
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Neg": _unary(torch.neg),
    "Abs": _unary(torch.abs),
    "Sign": _unary(torch.sign),
    "Sqrt": _unary(torch.sqrt),
    "Exp": _unary(torch.exp),
    "Log": _unary(torch.log),
    "Reciprocal": _unary(torch.reciprocal),
    "Erf": _unary(torch.erf),
    "Sin": _unary(torch.sin),
    "Cos": _unary(torch.cos),
    "Tan": _unary(torch.tan),
    "Asin": _unary(torch.asin),
    "Acos": _unary(torch.acos),
    "Atan": _unary(torch.atan),
    "Sinh": _unary(torch.sinh),
    "Cosh": _unary(torch.cosh),
    "Asinh": _unary(torch.asinh),
    "Acosh": _unary(torch.acosh),
    "Atanh": _unary(torch.atanh),
    "Floor": _unary(torch.floor),
    "Ceil": _unary(torch.ceil),
    "Round": _unary(_round),
    "Where": Operator(_where, "", 3, 3),
    "Equal": _binary(torch.eq),
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "And": _binary(torch.logical_and),
    "Or": _binary(torch.logical_or),
    "Xor": _binary(torch.logical_xor),
    "Not": _unary(torch.logical_not),
    "IsNaN": _unary(torch.isnan),
    "IsInf": Operator(_is_inf, "detect_negative detect_positive"),
    "Clip": Operator(_clip, "min max", 1, 3),
}
