"""Attention as one operator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator


def _heads(call: Call, value: Tensor, name: str) -> Tensor:
    """A tensor as batch, heads, steps, size."""
    if value.ndim == 4:
        return value
    count = call.integer(name, 0)
    if value.ndim != 3 or count < 1 or value.shape[2] % count:
        call.refuse(f"{name}={count} for shape={tuple(value.shape)}")
    return value.reshape(value.shape[0], value.shape[1], count, -1).transpose(1, 2)


def _attention(call: Call) -> tuple[Tensor, ...]:
    if call.has(6):
        call.refuse("input nonpad_kv_seqlen is not supported")
    for name in ("left_window_size", "right_window_size"):
        call.only(name, -1)
    if call.has(4) != call.has(5):
        call.refuse("past_key and past_value come together")
    query = _heads(call, call.value(0), "q_num_heads")
    key, value = (_heads(call, call.value(place), "kv_num_heads") for place in (1, 2))
    past = 0
    if call.has(4):
        past = call.value(4).shape[2]
        key, value = torch.cat([call.value(4), key], 2), torch.cat([call.value(5), value], 2)
    present = key, value
    if query.shape[1] % key.shape[1]:
        call.refuse(f"{query.shape[1]} heads of queries for {key.shape[1]} of keys")
    key, value = (one.repeat_interleave(query.shape[1] // key.shape[1], 1) for one in present)
    scale = call.number("scale", 0.0) if call.given("scale") else 1 / math.sqrt(query.shape[-1])
    softcap = call.number("softcap", 0.0)
    if not (scale >= 0 and softcap >= 0):  # of the scale the standard takes the root
        call.refuse(f"scale={scale:g} and softcap={softcap:g} must be at least 0")
    scores = scale * (query @ key.transpose(2, 3))
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    scores = _masked(call, scores, past)
    hidden = torch.isneginf(scores).all(-1, keepdim=True)  # such a row is 0, not NaN
    shares = torch.softmax(torch.where(hidden, torch.zeros_like(scores), scores), -1)
    result = torch.where(hidden, torch.zeros_like(shares), shares) @ value
    if call.value(0).ndim == 3:
        result = result.transpose(1, 2).flatten(2)
    return result, *present


def _masked(call: Call, scores: Tensor, past: int) -> Tensor:
    steps, keys = scores.shape[-2:]
    mask = call.optional(3)
    if mask is not None:
        if torch.broadcast_shapes(mask.shape, scores.shape) != scores.shape:
            call.refuse(f"attn_mask of shape={tuple(mask.shape)} for scores of shape={tuple(scores.shape)}")
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if call.flag("is_causal"):
        late = torch.ones(steps, keys, dtype=torch.bool, device=scores.device).triu(past + 1)
        scores = scores.masked_fill(late, -torch.inf)
    return scores


OPERATORS: dict[str, Operator] = {
    "Attention": Operator(
        _attention,
        "is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale softcap "
        "softmax_precision",
        3,
        7,
        outputs=3,
    ),
}
