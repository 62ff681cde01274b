"""Linear operators: products of matrices and convolutions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.graph.operators.call import Call, Operator
from nets.graph.operators.windows import Windows, padding_kind, per_axis, split_pads, windows

_CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}


def _gemm(call: Call) -> Tensor:
    left, right, bias = call.value(0), call.value(1), call.optional(2)
    if left.ndim != 2 or right.ndim != 2:
        call.refuse(f"two matrices expected, got shapes {tuple(left.shape)} and {tuple(right.shape)}")
    left = left.T if call.flag("transA") else left
    right = right.T if call.flag("transB") else right
    product = left @ right
    product = _scaled(call, product, call.number("alpha", 1.0))
    if bias is None:
        return product
    if torch.broadcast_shapes(bias.shape, product.shape) != product.shape:
        call.refuse(f"C of shape={tuple(bias.shape)} does not fit shape={tuple(product.shape)}")
    return product + _scaled(call, bias, call.number("beta", 1.0))


def _scaled(call: Call, value: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return value
    if not value.is_floating_point():
        call.refuse(f"a scale of {scale} for whole numbers is not supported")
    return scale * value


def _einsum(call: Call) -> Tensor:
    return torch.einsum(call.text("equation", ""), *call.all())


def _conv(call: Call) -> Tensor:
    value, weight, bias = call.value(0), call.value(1), call.optional(2)
    axes = _spatial_axes(call, value, weight)
    kernel = _kernel(call, weight)
    form = windows(call, value.shape[2:], kernel)
    function, group = _CONV[axes], call.integer("group", 1)
    if form.before == form.after:
        return function(value, weight, bias, form.strides, form.before, form.dilations, group)
    return function(form.pad(value, 0.0), weight, bias, form.strides, 0, form.dilations, group)


def _spatial_axes(call: Call, value: Tensor, weight: Tensor) -> int:
    if value.ndim != weight.ndim or not 3 <= value.ndim <= 5:
        call.refuse(f"1 to 3 spatial axes expected, got shapes {tuple(value.shape)} and {tuple(weight.shape)}")
    return value.ndim - 2


def _kernel(call: Call, weight: Tensor) -> tuple[int, ...]:
    kernel = tuple(weight.shape[2:])
    given = call.listed("kernel_shape")
    if given is not None and tuple(given) != kernel:
        call.refuse(f"kernel_shape={tuple(given)} but the weights have {kernel}")
    return kernel


def _conv_transpose(call: Call) -> Tensor:
    value, weight, bias = call.value(0), call.value(1), call.optional(2)
    axes = _spatial_axes(call, value, weight)
    kernel, group = _kernel(call, weight), call.integer("group", 1)
    strides, dilations = per_axis(call, "strides", axes, 1, 1), per_axis(call, "dilations", axes, 1, 1)
    whole = _CONV_TRANSPOSE[axes](value, weight, None, strides, 0, 0, group, dilations)
    extra = per_axis(call, "output_padding", axes, 0, 0)
    before, after = _transposed_pads(call, tuple(value.shape[2:]), Windows(kernel, strides, dilations, (), ()), extra)
    ends = [end for b, a, e in reversed(list(zip(before, after, extra, strict=True))) for end in (-b, e - a)]
    cut = F.pad(whole, ends) if any(ends) else whole
    return cut if bias is None else cut + bias.reshape(-1, *[1] * axes)


def _transposed_pads(
    call: Call, sides: tuple[int, ...], form: Windows, extra: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many places a transposed convolution leaves out at each end."""
    axes, kind, wanted = len(sides), padding_kind(call), call.listed("output_shape")
    if wanted is None and kind in ("NOTSET", "VALID"):
        pads = per_axis(call, "pads", 2 * axes, 0, 0)
        return pads[:axes], pads[axes:]
    if wanted is None:
        wanted = [side * stride for side, stride in zip(sides, form.strides, strict=True)]
    if len(wanted) != axes:
        call.refuse(f"output_shape={tuple(wanted)} for {axes} spatial axes")
    full = [s * (n - 1) + e + span for n, s, e, span in zip(sides, form.strides, extra, form.spans, strict=True)]
    total = [have - want for have, want in zip(full, wanted, strict=True)]
    upper = "SAME_UPPER" if kind == "SAME_UPPER" else "SAME_LOWER"  # where no kind is given, too
    before, _ = split_pads(upper, [max(one, 0) for one in total])  # what is wanted past the end is 0 before the bias
    return before, tuple(one - first for one, first in zip(total, before, strict=True))


OPERATORS: dict[str, Operator] = {
    "Gemm": Operator(_gemm, "alpha beta transA transB", 2, 3),
    "MatMul": Operator(lambda call: torch.matmul(call.value(0), call.value(1)), "", 2, 2),
    "Einsum": Operator(_einsum, "equation", 1, None),
    "Conv": Operator(_conv, "auto_pad dilations group kernel_shape pads strides", 2, 3),
    "ConvTranspose": Operator(
        _conv_transpose, "auto_pad dilations group kernel_shape output_padding output_shape pads strides", 2, 3
    ),
}
