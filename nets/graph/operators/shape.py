"""Operators that move elements about: shapes, cuts, joins, pads; and those that tell shapes or make tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator
from nets.graph.operators.types import named_type


def _reshape(call: Call) -> Tensor:
    value, shape = call.value(0), call.integers(1) or []
    if not call.flag("allowzero"):
        for place, side in enumerate(shape):
            if side == 0:
                shape[place] = value.shape[call.axis(place, value.ndim)]
    elif 0 in shape and -1 in shape:
        call.refuse(f"shape={tuple(shape)} has 0 and -1 with allowzero=1")
    if -1 in shape and value.numel() == 0:
        known = math.prod(side for side in shape if side != -1)
        if known == 0:
            call.refuse(f"shape={tuple(shape)} leaves -1 open for an empty tensor")
    return value.reshape(shape)


def _flatten(call: Call) -> Tensor:
    value, axis = call.value(0), call.integer("axis", 1)
    if axis != value.ndim:
        axis = call.axis(axis, max(value.ndim, 1))
    return value.reshape(value.shape[:axis].numel(), value.shape[axis:].numel())


def _transpose(call: Call) -> Tensor:
    value = call.value(0)
    order = call.listed("perm")
    if order is None:
        order = list(range(value.ndim))[::-1]
    return value.permute(order)


def _axes(call: Call, since: int = 13) -> list[int] | None:
    """Axes: an attribute before an opset, then an input."""
    if call.opset < since:
        if len(call.values) > 1:
            call.refuse(f"axes as an input came with opset {since}, got opset={call.opset}")
        return call.listed("axes")
    if call.given("axes"):
        call.refuse(f"attribute axes went with opset {since}, got opset={call.opset}")
    return call.integers(1)


def _squeeze(call: Call) -> Tensor:
    value, axes = call.value(0), _axes(call)
    if axes is None:
        return value.squeeze()
    found = call.axes(axes, value.ndim)
    for axis in found:
        if value.shape[axis] != 1:
            call.refuse(f"axis={axis} of shape={tuple(value.shape)} is not 1")
    return value.squeeze(tuple(found))


def _unsqueeze(call: Call) -> Tensor:
    value, axes = call.value(0), _axes(call)
    if axes is None:
        call.refuse("axes are missing")
    for axis in sorted(call.axes(axes, value.ndim + len(axes))):
        value = value.unsqueeze(axis)
    return value


def _concat(call: Call) -> Tensor:
    values = call.all()
    if not call.given("axis"):
        call.refuse("axis is missing")
    axis = call.axis(call.integer("axis", 0), values[0].ndim)
    for value in values:
        if value.ndim != values[0].ndim:  # which PyTorch lets pass for an empty vector
            call.refuse(f"{value.ndim} axes beside {values[0].ndim}")
    return torch.cat(values, axis)


def _split(call: Call) -> tuple[Tensor, ...]:
    value = call.value(0)
    axis = call.axis(call.integer("axis", 0), value.ndim)
    side, count = value.shape[axis], len(call.node.outputs)
    if call.opset < 13 and len(call.values) > 1:
        call.refuse(f"split as an input came with opset 13, got opset={call.opset}")
    if call.opset >= 13 and call.given("split"):
        call.refuse(f"attribute split went with opset 13, got opset={call.opset}")
    sizes = call.listed("split") if call.opset < 13 else call.integers(1)
    if call.given("num_outputs"):
        if call.opset < 18 or sizes is not None or call.integer("num_outputs", 0) != count:
            call.refuse(f"num_outputs={call.node.attributes['num_outputs']} is not supported here")
        step = -(-side // count)
        sizes = [step] * (count - 1) + [side - step * (count - 1)]
    elif sizes is None:
        if side % count:
            call.refuse(f"{side} cannot be split into {count} equal parts")
        sizes = [side // count] * count
    if len(sizes) != count or sum(sizes) != side or min(sizes) < 0:
        call.refuse(f"split={tuple(sizes)} of {side} into {count}")
    return torch.split(value, sizes, axis)


def _slice(call: Call) -> Tensor:
    value = call.value(0)
    if call.opset < 10:
        if len(call.values) > 1:
            call.refuse(f"starts as an input came with opset 10, got opset={call.opset}")
        starts, ends, axes, steps = call.listed("starts"), call.listed("ends"), call.listed("axes"), None
    else:
        for name in ("starts", "ends", "axes"):
            if call.given(name):
                call.refuse(f"attribute {name} went with opset 10, got opset={call.opset}")
        starts, ends, axes, steps = (call.integers(place) for place in (1, 2, 3, 4))
    if starts is None or ends is None:
        call.refuse("starts and ends are missing")
    axes = call.axes(list(range(len(starts))) if axes is None else axes, value.ndim)
    steps = [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 0 and end >= 2**31 - 1:  # nothing by the standard, all down to the first by onnxruntime
            call.refuse(f"end={end} with step={step} is not supported")
        places = _sliced(value.shape[axis], start, end, step)
        if step > 0:
            value = value[(slice(None),) * axis + (slice(places.start, places.stop, step),)]
        else:
            value = value.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=value.device))
    return value


def _sliced(side: int, start: int, end: int, step: int) -> range:
    """Places of a slice; backwards, a start before the first place is the first, which Python sees otherwise."""
    start, end = (place + side if place < 0 else place for place in (start, end))
    low, high = (0, side) if step > 0 else (-1, side - 1)
    return range(min(max(start, 0), high), min(max(end, low), high), step)


def _expand(call: Call) -> Tensor:
    value, shape = call.value(0), call.integers(1) or []
    return value.expand(torch.broadcast_shapes(value.shape, tuple(shape)))


def _tile(call: Call) -> Tensor:
    value, repeats = call.value(0), call.integers(1) or []
    if len(repeats) != value.ndim or min(repeats, default=0) < 0:
        call.refuse(f"repeats={tuple(repeats)} for {value.ndim} axes")
    return value.repeat(repeats)


def _pad(call: Call) -> Tensor:
    value, mode = call.value(0), call.text("mode", "constant")
    if call.opset < 11:
        if len(call.values) > 1:
            call.refuse(f"pads as an input came with opset 11, got opset={call.opset}")
        pads, fill = call.listed("pads"), call.number("value", 0.0)
    else:
        for name in ("pads", "value"):
            if call.given(name):
                call.refuse(f"attribute {name} went with opset 11, got opset={call.opset}")
        given = call.scalar(2)
        pads, fill = call.integers(1), 0 if given is None else given
    listed = call.integers(3)
    axes = call.axes(range(value.ndim) if listed is None else listed, value.ndim)
    if pads is None or len(pads) != 2 * len(axes):
        call.refuse(f"pads={pads} for {len(axes)} axes")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        call.refuse(f"mode={mode!r} is not supported")
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if mode == "constant":
            value = _pad_constant(call, value, axis, before, after, fill)
        elif before or after:
            places = _padded_places(call, mode, value.shape[axis], before, after)
            value = value.index_select(axis, places.to(value.device))
    return value


def _pad_constant(call: Call, value: Tensor, axis: int, before: int, after: int, fill: float) -> Tensor:
    side = value.shape[axis]
    first, last = max(-before, 0), side - max(-after, 0)
    if first > last:
        call.refuse(f"pads of {before} and {after} cut more than {side}")
    shape = list(value.shape)
    parts = [value.narrow(axis, first, last - first)]
    for amount, place in ((before, 0), (after, len(parts) + (before > 0))):
        if amount > 0:
            shape[axis] = amount
            parts.insert(place, torch.full(shape, fill, dtype=value.dtype, device=value.device))
    return torch.cat(parts, axis) if len(parts) > 1 else parts[0]


def _padded_places(call: Call, mode: str, side: int, before: int, after: int) -> Tensor:
    """Which elements stand in a padded axis."""
    if before < 0 or after < 0 or side == 0:
        call.refuse(f"mode={mode} with pads of {before} and {after} of {side} is not supported")
    places = torch.arange(-before, side + after)
    if mode == "edge":
        return places.clamp(0, side - 1)
    if mode == "wrap":
        return places.remainder(side)
    turn = max(2 * (side - 1), 1)
    folded = places.remainder(turn)
    return torch.minimum(folded, turn - folded) if side > 1 else torch.zeros_like(places)


def _shape(call: Call) -> Tensor:
    value = call.value(0)
    end = call.integer("end", value.ndim) if call.given("end") else None
    sides = list(value.shape)[call.integer("start", 0) : end]
    return torch.tensor(sides, dtype=torch.int64, device=value.device)


def _constant_of_shape(call: Call) -> Tensor:
    given = call.node.attributes.get("value", 0.0)
    if not isinstance(given, int | float):
        call.refuse(f"value={given!r} is not supported")
    kind = named_type(call, call.text("dtype", "float32"))
    shape = call.value(0)
    return torch.full([int(one) for one in shape.tolist()], given, dtype=kind, device=shape.device)


def _range(call: Call) -> Tensor:
    start, limit, delta = (call.scalar(place) for place in range(3))
    first = call.value(0)
    if start is None or limit is None or not delta:
        call.refuse(f"delta={delta} is not supported")
    count = max(math.ceil((limit - start) / delta), 0)
    steps = torch.arange(count, device=first.device, dtype=first.dtype)
    return start + steps * delta


def _blocks(call: Call, value: Tensor) -> tuple[int, tuple[int, int, int, int]]:
    if value.ndim != 4:
        call.refuse(f"4 axes expected, got shape={tuple(value.shape)}")
    size = call.integer("blocksize", 0)
    if size < 1:
        call.refuse(f"blocksize={size} is not supported")
    return size, (value.shape[0], value.shape[1], value.shape[2], value.shape[3])


def _depth_to_space(call: Call) -> Tensor:
    value, mode = call.value(0), call.text("mode", "DCR")
    b, (n, c, h, w) = _blocks(call, value)
    if mode == "DCR":
        split = value.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2)
    elif mode == "CRD":
        split = value.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        call.refuse(f"mode={mode!r} is not supported")
    return split.reshape(n, c // b**2, h * b, w * b)


def _space_to_depth(call: Call) -> Tensor:
    value, mode = call.value(0), call.text("mode", "DCR")
    b, (n, c, h, w) = _blocks(call, value)
    split = value.reshape(n, c, h // b, b, w // b, b)
    if mode == "DCR":
        split = split.permute(0, 3, 5, 1, 2, 4)
    elif mode == "CRD":
        split = split.permute(0, 1, 3, 5, 2, 4)
    else:
        call.refuse(f"mode={mode!r} is not supported")
    return split.reshape(n, c * b**2, h // b, w // b)


def _trilu(call: Call) -> Tensor:
    diagonal = int(call.scalar(1) or 0)
    return torch.triu(call.value(0), diagonal) if call.flag("upper", True) else torch.tril(call.value(0), diagonal)


def _dropout(call: Call) -> tuple[Tensor, Tensor]:
    value = call.value(0)
    if call.opset < 12 and len(call.values) > 1:
        call.refuse(f"ratio as an input came with opset 12, got opset={call.opset}")
    ratio = call.scalar(1)
    if call.scalar(2) and ratio != 0:
        call.refuse("training_mode=1 is not supported")
    if call.opset < 12 and any(call.node.outputs[1:]):
        call.refuse(f"the mask of opset {call.opset} is not supported")  # ones by some runtimes, zeros by others
    return value, torch.ones_like(value, dtype=torch.bool)


def _eye_like(call: Call) -> Tensor:
    value = call.value(0)
    rows, columns = value.shape
    diagonal = torch.arange(columns, device=value.device) - torch.arange(rows, device=value.device)[:, None]
    kind = named_type(call, call.integer("dtype", 0)) if call.given("dtype") else value.dtype
    return (diagonal == call.integer("k", 0)).to(kind)


OPERATORS: dict[str, Operator] = {
    "Reshape": Operator(_reshape, "allowzero", 2, 2),
    "Flatten": Operator(_flatten, "axis"),
    "Transpose": Operator(_transpose, "perm"),
    "Squeeze": Operator(_squeeze, "axes", 1, 2),
    "Unsqueeze": Operator(_unsqueeze, "axes", 1, 2),
    "Concat": Operator(_concat, "axis", 1, None),
    "Split": Operator(_split, "axis num_outputs split", 1, 2, outputs=None),
    "Slice": Operator(_slice, "axes ends starts", 1, 5),
    "Expand": Operator(_expand, "", 2, 2),
    "Tile": Operator(_tile, "", 2, 2),
    "Pad": Operator(_pad, "mode pads value", 1, 4),
    "Shape": Operator(_shape, "end start"),
    "Size": Operator(lambda call: torch.tensor(call.value(0).numel(), device=call.value(0).device)),
    "ConstantOfShape": Operator(_constant_of_shape, "dtype value"),
    "Range": Operator(_range, "", 3, 3),
    "DepthToSpace": Operator(_depth_to_space, "blocksize mode"),
    "SpaceToDepth": Operator(_space_to_depth, "blocksize mode"),
    "Trilu": Operator(_trilu, "upper", 1, 2),
    "Identity": Operator(lambda call: call.value(0)),
    "Dropout": Operator(_dropout, "ratio seed", 1, 3, outputs=2),
    "EyeLike": Operator(_eye_like, "dtype k"),
}
