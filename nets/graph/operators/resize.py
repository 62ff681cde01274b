"""Resizing: along each axis every new place is a mean of old ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator, float32

_ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda place: torch.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: torch.floor(place + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def _old_places(call: Call, mode: str, old: int, new: int, scale: float, precision: torch.dtype) -> Tensor:
    """Where the new places lie among the old ones."""
    place = torch.arange(new, dtype=precision)
    if mode == "half_pixel":
        return (place + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjusted = new / (scale * old)
        return old / 2 * (1 - adjusted) + (place + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (place + 0.5) / scale - 0.5 if new > 1 else torch.zeros_like(place)
    if mode == "align_corners":
        if abs(scale * old - new) > 1e-3:  # the standard's data and onnxruntime then go different ways
            call.refuse(f"align_corners with scale={scale} of {old} places, which is no whole number, is not supported")
        return place * (old - 1) / (new - 1) if new > 1 else torch.zeros_like(place)
    if mode == "asymmetric":
        return place / scale
    if mode != "tf_half_pixel_for_nn" or call.opset >= 13:
        call.refuse(f"coordinate_transformation_mode={mode!r} is not supported")
    return (place + 0.5) / scale


def _weights(call: Call, places: Tensor, kind: str, old: int) -> Tensor:
    """Weight of each old place in each new one; one beyond an end counts for the end."""
    base = torch.floor(places)
    part = places - base
    if kind == "linear":
        taps = {0: 1 - part, 1: part}
    else:
        a = call.number("cubic_coeff_a", -0.75)
        taps = {shift: _cubic(part - shift, a) for shift in (-1, 0, 1, 2)}
    weights = torch.zeros(len(places), old, dtype=torch.float64)
    outside = call.flag("exclude_outside")
    for shift, weight in taps.items():
        tap = base + shift
        if outside:
            weight = torch.where((tap >= 0) & (tap < old), weight, torch.zeros_like(weight))
        weights.scatter_add_(1, tap.clamp(0, old - 1).to(torch.int64)[:, None], weight[:, None])
    return weights / weights.sum(1, keepdim=True) if outside else weights


def _cubic(distance: Tensor, a: float) -> Tensor:
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def _resized(
    call: Call, value: Tensor, axis: int, new: int, scale: float, kind: str, where: str, rounding: str
) -> Tensor:
    old = value.shape[axis]
    if new == old and scale == 1:
        return value
    places = _old_places(call, where, old, new, scale, torch.float64)
    if kind == "nearest":
        if rounding not in _ROUNDINGS:
            call.refuse(f"nearest_mode={rounding!r} is not supported")
        chosen = _ROUNDINGS[rounding](places)
        if (chosen != _ROUNDINGS[rounding](_old_places(call, where, old, new, scale, torch.float32))).any():
            call.refuse(f"{new} places from {old} fall midway between two, where rounding errors decide")
        return value.index_select(axis, chosen.clamp(0, old - 1).to(torch.int64).to(value.device))
    weights = _weights(call, places, kind, old).to(value)
    return torch.movedim(torch.movedim(value, axis, -1) @ weights.T, -1, axis)


def _sizes(
    call: Call, value: Tensor, scales: list[float] | None, sizes: list[int] | None
) -> list[tuple[int, int, float]]:
    """For each axis that changes: the axis, its new length and the scale."""
    listed = call.listed("axes")
    axes = list(range(value.ndim)) if listed is None else call.axes(listed, value.ndim)
    given = scales if sizes is None else sizes
    if given is None or len(given) != len(axes) or min(given, default=1) <= 0:
        call.refuse(f"scales={scales}, sizes={sizes} for {len(axes)} axes")
    if sizes is None:
        lengths = [_floor(value.shape[axis], scale) for axis, scale in zip(axes, given, strict=True)]
        if 0 in lengths:
            call.refuse(f"scales={scales} leave no places of shape={tuple(value.shape)}")
        return list(zip(axes, lengths, given, strict=True))
    policy = call.text("keep_aspect_ratio_policy", "stretch")
    ratios = [size / value.shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    if policy == "stretch":
        return list(zip(axes, sizes, ratios, strict=True))
    if policy not in ("not_larger", "not_smaller"):
        call.refuse(f"keep_aspect_ratio_policy={policy!r} is not supported")
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [(axis, math.floor(scale * value.shape[axis] + 0.5), scale) for axis in axes]


def _floor(side: int, scale: float) -> int:
    """New length, computed in 32 bits as the scales are: 10 x 0.7 is 7."""
    return math.floor(float32(side * scale))


def _kind(call: Call, mode: str) -> str:
    kinds = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}
    if mode not in kinds:
        call.refuse(f"mode={mode!r} is not supported")
    return kinds[mode]


def _resize(call: Call) -> Tensor:
    value = call.value(0)
    kind = _kind(call, call.text("mode", "nearest"))
    if call.opset < 11:
        return _upsampled(call, value, _numbers(call.value(1)), kind)
    if call.flag("antialias"):
        call.refuse("antialias=1 is not supported")
    if call.given("exclude_outside") and kind != "cubic":
        call.only("exclude_outside", 0)
    where = call.text("coordinate_transformation_mode", "half_pixel")
    rounding = call.text("nearest_mode", "round_prefer_floor")
    scales, sizes = call.optional(2), call.integers(3)
    factors = None if scales is None or scales.numel() == 0 else _numbers(scales)
    lengths = _sizes(call, value, factors, sizes or None)
    if all(new == value.shape[axis] for axis, new, _ in lengths) and any(scale != 1 for _, _, scale in lengths):
        call.refuse(f"scales={factors} that change no length are not supported")  # onnxruntime then copies
    for axis, new, scale in lengths:
        value = _resized(call, value, axis, new, scale, kind, where, rounding)
    return value


def _numbers(scales: Tensor) -> list[float]:
    return [float(one) for one in scales.tolist()]


def _upsample(call: Call) -> Tensor:
    value, kind = call.value(0), _kind(call, call.text("mode", "nearest"))
    if call.opset >= 10:
        call.refuse(f"it went with opset 10, got opset={call.opset}")
    if call.opset >= 9:
        return _upsampled(call, value, _numbers(call.value(1)), kind)
    scales = call.node.attributes.get("scales")
    if not isinstance(scales, tuple) or len(call.values) > 1:
        call.refuse(f"scales={scales!r} are not supported")
    return _upsampled(call, value, [float(one) for one in scales], kind)


def _upsampled(call: Call, value: Tensor, scales: list[float], kind: str) -> Tensor:
    """As before opset 11, when every new place n stood at n / scale, and nearest was the one below."""
    if kind == "cubic":
        call.refuse("mode='cubic' is not supported")
    for axis, new, scale in _sizes(call, value, scales, None):
        if kind == "nearest" and scale < 1 and (1 / scale) % 1:  # where runtimes differ: some take the one above
            call.refuse(f"nearest places at scale={scale} before opset 11 are not supported")
        value = _resized(call, value, axis, new, scale, kind, "asymmetric", "floor")
    return value


OPERATORS: dict[str, Operator] = {
    "Resize": Operator(
        _resize,
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
        "keep_aspect_ratio_policy mode nearest_mode",
        1,
        4,
    ),
    "Upsample": Operator(_upsample, "mode scales", 1, 2),
}
