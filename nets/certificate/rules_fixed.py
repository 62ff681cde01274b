"""How weightless linear nodes, poolings and pointwise functions carry norms, ranges and errors; PROOFS.md 4.8."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nets.certificate.upward import INF, add, div, joined, lower, mul, root, upper
from nets.certificate.values import NoBound, Side, Step, Value, array_norm, array_side, hull, known_error
from nets.certificate.windows import mean_gain, overlap, resize_gain
from nets.graph.graph import Array, GraphError
from nets.graph.pointwise import Function, function

Rule = Callable[[Step], list[Value]]


def scaled(value: Value, gain: float, range_of: Callable[[Side], tuple[float, float]], *, keep: bool = False) -> Value:
    """A linear map of norm at most `gain` and the range of its output."""

    def side(given: Side) -> Side:
        return Side(mul(gain, given.norm), *range_of(given))

    tail = value.tail if keep else None
    return Value(side(value.target), side(value.pruned), mul(gain, known_error(value)), tail=tail)


def _same(side: Side) -> tuple[float, float]:
    return side.low, side.high


def _with_zero(side: Side) -> tuple[float, float]:
    return min(side.low, 0.0), max(side.high, 0.0)


def _moved(step: Step) -> list[Value]:
    """Entries keep their values and change places; the last axis may stay as it is."""
    if step.node.op in ("Identity", "Dropout", "Cast"):
        return [step.value() for _ in step.node.outputs]
    shapes = [step.shape(), step.out_shape]
    keep = step.node.op in _ORDERED and all(shapes) and shapes[0][-1] == shapes[1][-1]
    return [scaled(step.value(), 1.0, _same, keep=keep) for _ in step.node.outputs]


_ORDERED = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}


def _cast(step: Step) -> list[Value]:
    if step.attribute("to", 1) not in (1, 10, 11, 16):  # floating types
        raise NoBound("has no bound: it does not go to a floating type")
    return _moved(step)


def _gather(step: Step) -> list[Value]:
    """Rows of a table of constants (an embedding), or entries of a value by constant indices."""
    axis = step.axis(0)
    indices = step.constant(1)
    count = math.prod(step.shape(1))
    table = step.constant(0)
    if table is None:
        most = (
            int(np.unique(indices % step.shape()[axis], return_counts=True)[1].max()) if indices is not None else count
        )
        return [scaled(step.value(), root(float(most)), _same)]
    if step.name(1) in step.values and known_error(step.value(1)) != 0:
        raise NoBound("has no bound: its indices may differ")
    plus = step.effective.get(step.name(0), (table, table))[0]

    def rows(array: Array) -> float:
        flat = np.moveaxis(array.astype(np.float64), axis, 0).reshape(array.shape[axis], -1)
        return max(array_norm(row) for row in (flat if indices is None else flat[indices.reshape(-1)]))

    repeated = root(float(count))
    sides = [replace(array_side(one), norm=mul(repeated, rows(one)), matrix=INF) for one in (table, plus)]
    error = 0.0 if plus is table else mul(repeated, rows(plus.astype(np.float64) - table))
    return [Value(sides[0], sides[1], error)]


def _repeated(step: Step) -> list[Value]:
    return [scaled(step.value(), step.spread(0), _same)]


def _concat(step: Step) -> list[Value]:
    given = [step.values[name] for name in step.node.inputs]
    sides = []
    for one in ([v.target for v in given], [v.pruned for v in given]):
        sides.append(Side(joined([side.norm for side in one]), *hull(one)))
    return [Value(sides[0], sides[1], joined([known_error(v) for v in given]))]


def _pad(step: Step) -> list[Value]:
    pads, mode, shape = step.integers(1, "pads"), step.attribute("mode", "constant"), step.shape()
    if pads is None:
        raise NoBound("has no bound: its pads are not constant")
    axes = [axis % len(shape) for axis in step.integers(3, "axes") or range(len(shape))]
    before, after = dict(zip(axes, pads, strict=False)), dict(zip(axes, pads[len(axes) :], strict=True))
    if mode != "constant":
        gain = 1.0
        for axis in axes:
            ends = max(before[axis], 0), max(after[axis], 0)
            gain = mul(gain, root(float(np.bincount(_filled(shape[axis], ends, mode)).max())))
        return [scaled(step.value(), gain, _same)]
    fill = float(step.known(2).reshape(-1)[0]) if step.name(2) else float(step.attribute("value", 0.0))
    kept = [side + min(before.get(axis, 0), 0) + min(after.get(axis, 0), 0) for axis, side in enumerate(shape)]
    filled = mul(abs(fill), root(float(max(0, step.out_size - math.prod(kept)))))
    value = scaled(step.value(), 1.0, lambda side: (min(side.low, fill), max(side.high, fill)))
    sides = [replace(side, norm=joined([side.norm, filled])) for side in (value.target, value.pruned)]
    return [Value(sides[0], sides[1], value.error)]


def _filled(side: int, ends: tuple[int, int], mode: str) -> npt.NDArray[np.int64]:
    """Which entry of an axis stands where after padding."""
    places = np.arange(side)
    if mode == "edge":
        return np.pad(places, ends, mode="edge")
    return np.pad(places, ends, mode="wrap") if mode == "wrap" else np.pad(places, ends, mode="reflect")


def _resize(step: Step) -> list[Value]:
    mode = str(step.attribute("mode", "nearest"))
    old = step.node.op == "Upsample" or step.graph.opset < 11
    transformation = str(step.attribute("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"))
    nearest = str(step.attribute("nearest_mode", "floor" if old else "round_prefer_floor"))
    other = mode not in ("nearest", "linear") or bool(step.attribute("antialias", 0))
    other = other or step.attribute("keep_aspect_ratio_policy", "stretch") != "stretch"
    gain = 1.0
    scales = None
    place = 1 if old else 2
    if step.name(place) and step.known(place).size:
        scales = step.known(place).astype(np.float64).reshape(-1)
    axes = step.integers(99, "axes") or tuple(range(len(step.shape())))
    for k, axis in enumerate(axes):
        side, out = step.shape()[axis], step.out_shape[axis]
        scale = float(scales[k]) if scales is not None else out / side
        if side != out:
            try:
                one = resize_gain(
                    side,
                    out,
                    scale,
                    mode=mode,
                    transformation=transformation,
                    nearest=nearest,
                    cubic_or_antialias=other,
                )
            except GraphError as error:
                raise NoBound(str(error)) from None
            gain = mul(gain, one)
    return [scaled(step.value(), gain, _same)]


def _reduced(step: Step) -> list[Value]:
    count = float(max(1, step.size() // max(1, step.out_size)))
    if step.node.op == "ReduceSum":
        return [scaled(step.value(), root(count), lambda s: (lower(s.low * count), upper(s.high * count)))]
    return [scaled(step.value(), div(1.0, _root_below(count)), _same)]


def _root_below(x: float) -> float:
    found = math.sqrt(x)
    return found if found * found == x else lower(found)


def window(step: Step) -> tuple[list[int], list[int], list[int], list[int], list[int]]:
    """Kernel, strides, dilations, and the pads before and after, of a pooling; auto_pad resolved by the shapes."""
    kernel = [int(k) for k in step.attribute("kernel_shape", ())]
    ones = [1] * len(kernel)
    strides = [int(s) for s in step.attribute("strides", ones)]
    dilations = [int(d) for d in step.attribute("dilations", ones)]
    before, after = padding(step, kernel, strides, dilations, step.shape()[2:], step.out_shape[2:])
    return kernel, strides, dilations, before, after


def padding(
    step: Step,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    sides: tuple[int, ...],
    outs: tuple[int, ...],
) -> tuple[list[int], list[int]]:
    """Pads before and after every axis; auto_pad by the shapes of input and output."""
    auto = step.attribute("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        pads = (
            [int(p) for p in step.attribute("pads", [0] * 2 * len(kernel))]
            if auto == "NOTSET"
            else [0] * 2 * len(kernel)
        )
        return pads[: len(kernel)], pads[len(kernel) :]
    before, after = [], []
    for k, s, d, side, out in zip(kernel, strides, dilations, sides, outs, strict=True):
        total = max((out - 1) * s + (k - 1) * d + 1 - side, 0)
        small = total // 2
        before.append(small if auto == "SAME_UPPER" else total - small)
        after.append(total - small if auto == "SAME_UPPER" else small)
    return before, after


def _average_pool(step: Step) -> list[Value]:
    kernel, strides, dilations, before, after = window(step)
    counted = bool(step.attribute("count_include_pad", 0))
    gain = mean_gain(step.shape()[2:], step.out_shape[2:], kernel, strides, dilations, before, after, counted)
    return [scaled(step.value(), gain, _with_zero if counted and any(before + after) else _same)]


def _max_pool(step: Step) -> list[Value]:
    kernel, strides, dilations, _, _ = window(step)
    most = math.prod(overlap(k, s, d) for k, s, d in zip(kernel, strides, dilations, strict=True))
    if len(step.node.outputs) > 1:
        raise NoBound("has no bound: its second output is a place")
    return [scaled(step.value(), root(float(min(most, step.out_size))), _same)]


def _negated(step: Step) -> list[Value]:
    return [scaled(step.value(), 1.0, lambda side: (-side.high, -side.low))]


def pointwise(step: Step) -> list[Value]:
    """One function on every entry."""
    known = not any(step.is_part(k) for k in range(1, len(step.node.inputs)))
    found = function(step.node, step.graph.constants) if known else None
    if found is None:
        raise NoBound("has no bound: its parameters are not constants, or out of range")
    return through(step, found, step.value())


def through(step: Step, found: Function, value: Value) -> list[Value]:
    """|f(a) - f(b)| <= slope |a - b| on every entry, and |f(a)| <= slope |a| + |f(0)|."""
    whole = found.slope(*value.both)
    if whole == INF:
        raise NoBound(f"has no bound: it is too steep on [{value.both[0]:.3g}, {value.both[1]:.3g}]")
    at_zero = max(map(abs, found.image(0.0, 0.0)))

    def side(given: Side) -> Side:
        slope = found.slope(min(given.low, 0.0), max(given.high, 0.0))
        norm = add(mul(slope, given.norm), mul(at_zero, root(float(step.out_size)))) if slope < INF else INF
        return Side(norm, *found.image(given.low, given.high))

    keep = value.tail if found.contracts else None
    if keep is not None and at_zero > 0:  # f(y) is not L y
        keep = replace(keep, whole=False)
    return [Value(side(value.target), side(value.pruned), mul(whole, known_error(value)), tail=keep)]


def softmax(step: Step) -> list[Value]:
    """p of every row: the Jacobian diag(p) - p p' has norm at most 1/2; a row has norm at most 1, p in [0, 1]."""
    shape = step.out_shape
    old = step.graph.opset < 13
    axis = step.axis(1 if old else -1)
    length = math.prod(shape[axis:]) if old else shape[axis]
    error = known_error(step.value())
    if step.node.op == "LogSoftmax":
        return [Value(Side(high=0.0), Side(high=0.0), mul(root(float(max(length, 2))), error))]
    rows = root(float(step.out_size // max(1, length)))
    last = axis == len(shape) - 1 and len(shape) > 1
    side = Side(rows, 0.0, 1.0, root(float(shape[-2])) if last else INF)
    return [Value(side, side, error / 2)]


FIXED: dict[str, Rule] = {
    **dict.fromkeys(
        ("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice", "DepthToSpace"),
        _moved,
    ),
    "SpaceToDepth": _moved,
    "Dropout": _moved,
    "Cast": _cast,
    "Gather": _gather,
    "Expand": _repeated,
    "Tile": _repeated,
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "ReduceSum": _reduced,
    "ReduceMean": _reduced,
    "GlobalAveragePool": _reduced,
    "AveragePool": _average_pool,
    "Neg": _negated,
}
MAXPOOL: dict[str, Rule] = {
    "MaxPool": _max_pool,
    **dict.fromkeys(("GlobalMaxPool", "ReduceMax", "ReduceMin"), lambda step: [scaled(step.value(), 1.0, _same)]),
}
