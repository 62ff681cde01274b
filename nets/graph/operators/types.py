"""Types of numbers: casts, and weights kept as quantised integers."""

from __future__ import annotations

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator

# The numbers and NumPy's names of the standard's types; None stands for the real numbers in which a network runs.
_TYPES: dict[int | str, torch.dtype | None] = {
    **dict.fromkeys((1, 10, 11, 16, "float16", "float32", "float64", "bfloat16")),
    **dict.fromkeys((2, "uint8"), torch.uint8),
    **dict.fromkeys((3, "int8"), torch.int8),
    **dict.fromkeys((4, "uint16"), torch.uint16),
    **dict.fromkeys((5, "int16"), torch.int16),
    **dict.fromkeys((6, "int32"), torch.int32),
    **dict.fromkeys((7, "int64"), torch.int64),
    **dict.fromkeys((9, "bool"), torch.bool),
    **dict.fromkeys((12, "uint32"), torch.uint32),
    **dict.fromkeys((13, "uint64"), torch.uint64),
}


def named_type(call: Call, name: int | str) -> torch.dtype:
    """The type of a number or a NumPy name; every real type is the one in which the network runs."""
    if name not in _TYPES:
        call.refuse(f"type {name} is not supported")
    return _TYPES[name] or call.real


def _cast(call: Call) -> Tensor:
    if not call.given("to"):
        call.refuse("to is missing")
    return call.value(0).to(named_type(call, call.integer("to", 0)))


def _cast_like(call: Call) -> Tensor:
    kind = call.value(1).dtype
    if kind.is_floating_point and kind.itemsize < 2:
        call.refuse(f"type {kind} is not supported")
    return call.value(0).to(call.real if kind.is_floating_point else kind)


def _spread(call: Call, vector: Tensor, value: Tensor) -> Tensor:
    """Scales or zero points, one for the tensor, for each place of an axis or for each block, as a full tensor."""
    block = call.integer("block_size", 0)
    if vector.numel() == 1 and not block:
        return vector.reshape(())
    axis = call.axis(call.integer("axis", 1), value.ndim)
    if not block:
        if vector.ndim != 1 or vector.numel() != value.shape[axis]:
            call.refuse(f"scales of shape={tuple(vector.shape)} for axis={axis} of shape={tuple(value.shape)}")
        return vector.reshape([-1 if place == axis else 1 for place in range(value.ndim)])
    if call.opset < 21 or block < 0:
        call.refuse(f"block_size={block} is not supported")
    spread = vector.repeat_interleave(block, axis).narrow(axis, 0, value.shape[axis])
    if spread.shape != value.shape:
        call.refuse(f"scales of shape={tuple(vector.shape)} in blocks of {block} for shape={tuple(value.shape)}")
    return spread


def _dequantize(call: Call) -> Tensor:
    value, zero = call.value(0), call.optional(2)
    if value.is_floating_point():
        call.refuse(f"input type {value.dtype} is not supported")
    scale = _spread(call, call.value(1).to(call.real), value)
    whole = value.to(torch.int64)
    if zero is not None:
        whole = whole - _spread(call, zero.to(torch.int64), value)
    return whole.to(call.real) * scale


def _quantize(call: Call) -> Tensor:
    value, scale, zero = call.value(0), call.value(1), call.optional(2)
    kind = torch.uint8 if zero is None else zero.dtype
    if call.integer("output_dtype", 0):
        kind = named_type(call, call.integer("output_dtype", 0))
    if kind not in (torch.uint8, torch.int8, torch.uint16, torch.int16, torch.int32):
        call.refuse(f"output type {kind} is not supported")
    if not value.is_floating_point():
        call.refuse("whole numbers cannot be quantised")
    steps = torch.round(value / _spread(call, scale, value))
    if zero is not None:
        steps = steps + _spread(call, zero.to(steps.dtype), value)
    bounds = torch.iinfo(kind)
    return steps.clamp(bounds.min, bounds.max).to(kind)


OPERATORS: dict[str, Operator] = {
    "Cast": Operator(_cast, "round_mode saturate to"),
    "CastLike": Operator(_cast_like, "round_mode saturate", 2, 2),
    "DequantizeLinear": Operator(_dequantize, "axis block_size output_dtype", 2, 3),
    "QuantizeLinear": Operator(_quantize, "axis block_size output_dtype precision saturate", 2, 3),
}
