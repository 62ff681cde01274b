"""Normalisations, in the form that inference uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.graph.operators.call import Call, Operator


def _per_channel(vector: Tensor, rank: int) -> Tensor:
    return vector.reshape(-1, *[1] * (rank - 2))


def _batch(call: Call) -> Tensor:
    if call.flag("training_mode") or not call.flag("spatial", True):
        call.refuse("training_mode=1 and spatial=0 are not supported")
    if any(call.node.outputs[1:]):
        call.refuse("the outputs of training are not supported")
    value, scale, bias, mean, variance = call.all()
    factor = scale * torch.rsqrt(variance + call.number("epsilon", 1e-5))
    return value * _per_channel(factor, value.ndim) + _per_channel(bias - mean * factor, value.ndim)


def _standardised(value: Tensor, axes: Sequence[int], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """The value with mean 0 and variance 1 along axes, the mean, and 1 / deviation."""
    mean = value.mean(list(axes), keepdim=True)
    centred = value - mean
    inverse = torch.rsqrt(centred.square().mean(list(axes), keepdim=True) + epsilon)
    return centred * inverse, mean, inverse


def _instance(call: Call) -> Tensor:
    value, scale, bias = call.all()
    standard, _, _ = _standardised(value, range(2, value.ndim), call.number("epsilon", 1e-5))
    return standard * _per_channel(scale, value.ndim) + _per_channel(bias, value.ndim)


def _group(call: Call) -> Tensor:
    value, scale, bias = call.all()
    groups = call.integer("num_groups", 0)
    if groups < 1 or value.shape[1] % groups:
        call.refuse(f"num_groups={groups} of {value.shape[1]} channels")
    split = value.reshape(value.shape[0], groups, -1)
    standard, _, _ = _standardised(split, [2], call.number("epsilon", 1e-5))
    if call.opset < 21:  # one number for each group
        return (standard * scale[:, None] + bias[:, None]).reshape(value.shape)
    return standard.reshape(value.shape) * _per_channel(scale, value.ndim) + _per_channel(bias, value.ndim)


def _last_axes(call: Call, value: Tensor) -> list[int]:
    return list(range(call.axis(call.integer("axis", -1), value.ndim), value.ndim))


def _layer(call: Call) -> tuple[Tensor, ...]:
    value, scale, bias = call.value(0), call.value(1), call.optional(2)
    standard, mean, inverse = _standardised(value, _last_axes(call, value), call.number("epsilon", 1e-5))
    result = standard * scale
    return result if bias is None else result + bias, mean, inverse


def _rms(call: Call) -> Tensor:
    value = call.value(0)
    mean = value.square().mean(_last_axes(call, value), keepdim=True)
    return value * torch.rsqrt(mean + call.number("epsilon", 1e-5)) * call.value(1)


def _local_response(call: Call) -> Tensor:
    value, size = call.value(0), call.integer("size", 0)
    if size < 1:
        call.refuse(f"size={size} is not supported")
    flat = value.reshape(value.shape[0], value.shape[1], -1)
    padded = F.pad(flat.square(), (0, 0, (size - 1) // 2, size // 2))
    sums = padded.unfold(1, size, 1).sum(-1).reshape(value.shape)
    alpha, beta, bias = call.number("alpha", 1e-4), call.number("beta", 0.75), call.number("bias", 1.0)
    return value / (bias + alpha / size * sums) ** beta


def _lp(call: Call) -> Tensor:
    value, p = call.value(0), call.integer("p", 2)
    if p not in (1, 2):
        call.refuse(f"p={p} is not supported")
    axis = call.axis(call.integer("axis", -1), value.ndim)
    norm = torch.linalg.vector_norm(value, p, axis, keepdim=True)
    return value / torch.where(norm == 0, torch.ones_like(norm), norm)


def _mean_variance(call: Call) -> Tensor:
    value = call.value(0)
    axes = call.axes(call.listed("axes") or [0, 2, 3], value.ndim)
    centred = value - value.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + 1e-9)


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": Operator(_batch, "epsilon momentum spatial training_mode", 5, 5, outputs=None),
    "InstanceNormalization": Operator(_instance, "epsilon", 3, 3),
    "GroupNormalization": Operator(_group, "epsilon num_groups stash_type", 3, 3),
    "LayerNormalization": Operator(_layer, "axis epsilon stash_type", 2, 3, outputs=3),
    "RMSNormalization": Operator(_rms, "axis epsilon stash_type", 2, 2),
    "LRN": Operator(_local_response, "alpha beta bias size"),
    "LpNormalization": Operator(_lp, "axis p"),
    "MeanVarianceNormalization": Operator(_mean_variance, "axes"),
}
