"""How sums, products and choices of two values carry norms, ranges and errors; theory/PROOFS.md 4.8."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from nets.certificate.rules_fixed import through
from nets.certificate.upward import INF, add, joined, lower, mul, root, upper
from nets.certificate.values import NoBound, Side, Step, Tail, Term, Value, array_norm, array_side, hull, known_error
from nets.graph.graph import Array, Node
from nets.graph.pointwise import Function, dipping, function, number


def added(step: Step) -> list[Value]:
    """Add, Sub, Sum, Mean, Max, Min: errors add up; those of Max and Min at most as orthogonal vectors."""
    op, places = step.node.op, range(len(step.node.inputs))
    given = [_operand(step, place) for place in places]
    spreads = [step.spread(place) for place in places]
    combine = joined if op in ("Max", "Min") else lambda lengths: add(*lengths)
    share = 1.0 / len(given) if op == "Mean" else 1.0

    def whole(lengths: Sequence[float]) -> float:
        sized = combine([mul(f, size) for f, size in zip(spreads, lengths, strict=True)])
        return upper(sized * share) if op == "Mean" else sized

    def side(sides: list[Side]) -> Side:
        return Side(whole([one.norm for one in sides]), *_RANGES[op](sides))

    error = whole([known_error(value) for value in given])
    tail = _shifted_tail(step, given) if op in ("Add", "Sub") else None
    return [Value(side([v.target for v in given]), side([v.pruned for v in given]), error, tail=tail)]


def _shifted_tail(step: Step, given: list[Value]) -> Tail | None:
    """Where a constant is added to a value that is known as a sum of terms."""
    for place, other in ((0, 1), (1, 0)):
        tail, constant = given[place].tail, step.constant(other)
        if (
            tail is None
            or constant is None
            or step.shape(place) != step.out_shape
            or (step.node.op, other) == ("Sub", 0)
        ):
            continue
        sign = -1.0 if step.node.op == "Sub" else 1.0
        own = constant.astype(np.float64) * sign
        part = step.effective.get(step.name(other))
        return with_shift(tail, own, own if part is None else np.asarray(part[0], np.float64) * sign, step.out_shape)
    return None


def with_shift(tail: Tail, own: Array, pruned: Array | None, shape: tuple[int, ...]) -> Tail | None:
    """The tail with a constant vector added on the last axis, as a term that is fed by ones."""
    if pruned is None or own.size != shape[-1] or own.shape[-1:] != (own.size,):
        return None
    rows = math.prod(shape[:-1])
    moved = pruned - own
    columns = [torch.from_numpy(one.reshape(-1, 1).copy()) for one in (pruned, moved)]
    ones = root(float(rows))
    term = Term((columns[0], None), (columns[1], None), ones, 1.0, rows, mul(ones, array_norm(moved)))
    return Tail((*tail.terms, term), tail.whole)


def _sum_range(sides: list[Side]) -> tuple[float, float]:
    low, high = 0.0, 0.0
    for side in sides:
        low, high = lower(low + side.low), upper(high + side.high)
    return _finite(low, -INF), _finite(high, INF)


def _mean_range(sides: list[Side]) -> tuple[float, float]:
    low, high = _sum_range(sides)
    return lower(low / len(sides)), upper(high / len(sides))


def _difference_range(sides: list[Side]) -> tuple[float, float]:
    a, b = sides
    return _finite(lower(a.low - b.high), -INF), _finite(upper(a.high - b.low), INF)


_RANGES: dict[str, Callable[[list[Side]], tuple[float, float]]] = {
    "Add": _sum_range,
    "Sum": _sum_range,
    "Sub": _difference_range,
    "Mean": _mean_range,
    "Max": lambda sides: (max(s.low for s in sides), max(s.high for s in sides)),
    "Min": lambda sides: (min(s.low for s in sides), min(s.high for s in sides)),
}


def _finite(x: float, otherwise: float) -> float:
    return otherwise if math.isnan(x) else x


def _operand(step: Step, place: int, *, halves: bool = False) -> Value:
    """A value, or a constant as one; a part added is fed by a constant 1, a part multiplied (`halves`) by its value."""
    name = step.name(place)
    if name not in step.effective:
        return step.values[name]
    source = step.graph.constants[name].astype(np.float64)
    sides = [np.asarray(one, np.float64) for one in step.effective[name][: 2 if halves else 1]]
    off = np.abs(sides[0] - source) if len(sides) == 1 else np.maximum(*(np.abs(one - source) for one in sides))
    found = [array_side(one) for one in sides]
    pruned = Side(array_norm(np.maximum.reduce([np.abs(one) for one in sides])), *hull(found))
    return Value(array_side(source), pruned, array_norm(off), peak=upper(float(off.max(initial=0.0))))


def multiplied(step: Step) -> list[Value]:
    """Mul, Div: a b - a' b' = a (b - b') + (a - a') b' in every entry."""
    gate = _gate(step)
    if gate is not None:
        place, found = gate
        return through(step, found, step.value(place))
    a, b = _operand(step, 0, halves=True), _operand(step, 1, halves=True)
    if step.node.op == "Div":
        b = _inverted(step, b)
    spreads = step.spread(0), step.spread(1)

    def side(one: Side, other: Side) -> Side:
        norm = min(mul(one.largest, other.norm, spreads[1]), mul(other.largest, one.norm, spreads[0]))
        low, high = product_range(one, other)
        squared = step.node.op == "Mul" and step.name(0) == step.name(1)
        return Side(norm, max(low, 0.0) if squared else low, high)

    def met(factor: Side, f: float, value: Value, g: float) -> float:
        """Length of the error of `value` times a factor."""
        return min(mul(factor.largest, g, known_error(value)), mul(factor.norm, f, value.largest_error))

    orders = ((a.target, b.pruned), (a.pruned, b.target))
    error = min(
        add(met(left, spreads[0], b, spreads[1]), met(right, spreads[1], a, spreads[0])) for left, right in orders
    )
    return [Value(side(a.target, b.target), side(a.pruned, b.pruned), error)]


def product_range(a: Side, b: Side) -> tuple[float, float]:
    """Range of products of entries; 0 times an infinite end is 0, as entries are finite."""
    ends = [_finite(x * y, 0.0) for x in (a.low, a.high) for y in (b.low, b.high)]
    return lower(min(ends)), upper(max(ends))


def _inverted(step: Step, value: Value) -> Value:
    """1 / b; a constant's own smallest entry counts, as its range may hold 0."""
    constant = None if step.is_part(1) else step.constant(1)
    if constant is not None and (constant != 0).all():
        inverse = 1 / constant.astype(np.float64)
        side = array_side(inverse)
        side = Side(mul(side.norm, 1 + 2.0**-50), lower(side.low), upper(side.high))
        return Value(side, side, 0.0)
    found = function(Node("Reciprocal", ("x",), ("y",)), {})
    assert found is not None
    slope = found.slope(*value.both)
    if slope == INF:
        raise NoBound("has no bound: its divisor may be 0")
    sides = [Side(INF, *found.image(one.low, one.high)) for one in (value.target, value.pruned)]
    many = root(float(step.size(1)))
    sides = [Side(mul(many, one.largest), one.low, one.high) for one in sides]
    return Value(sides[0], sides[1], mul(slope, known_error(value)), peak=mul(slope, value.largest_error))


def _gate(step: Step) -> tuple[int, Function] | None:
    """x Sigmoid(x) (Swish) and x HardSigmoid(x): one function of x, far less steep than the product rule says."""
    if step.node.op != "Mul":
        return None
    for place in (0, 1):
        origin = step.origins.get(step.name(1 - place))
        if origin is None or origin.inputs[0] != step.name(place):
            continue
        if origin.op == "Sigmoid":
            found = function(Node("Swish", ("x",), ("y",)), {})
            return None if found is None else (place, found)
        a, b = number(origin, "alpha", 0.2), number(origin, "beta", 0.5)
        if origin.op == "HardSigmoid" and a > 0 and 0 <= b <= 1:
            return place, _hard_gate(a, b)
    return None


def _hard_gate(a: float, b: float) -> Function:
    """x clip(a x + b, 0, 1), 0 <= b <= 1: slopes -b and 2 - b at its two kinks, 0 and 1 outside."""

    def gated(x: float) -> float:
        return x * min(max(a * x + b, 0.0), 1.0)

    return dipping(gated, max(1.0, 2.0 - b), -b / (2 * a), -b * b / (4 * a) * (1 + 2.0**-48))


def matrix_product(step: Step) -> list[Value]:
    """MatMul of two values: A B - A' B' = A (B - B') + (A - A') B', the norm of a product by a spectral norm."""
    a, b = step.value(0), step.value(1)
    shapes = [step.shape(0), step.shape(1)]
    if min(map(len, shapes)) < 2:
        raise NoBound("has no bound: one of its values is a vector")
    batch = math.prod(step.out_shape[:-2])
    spreads = [root(max(1.0, batch / max(1, math.prod(shape[:-2])))) for shape in shapes]
    inner = float(shapes[0][-1])

    def matrix(side: Side, place: int) -> float:
        rows, columns = shapes[place][-2:]
        return min(side.matrix, side.norm, mul(side.largest, root(float(rows * columns))))

    def side(one: Side, other: Side) -> Side:
        norm = min(mul(matrix(one, 0), other.norm, spreads[1]), mul(matrix(other, 1), one.norm, spreads[0]))
        low, high = product_range(one, other)
        return Side(norm, lower(low * inner), upper(high * inner))

    errors = [mul(known_error(v), f) for v, f in zip((a, b), spreads, strict=True)]
    orders = ((a.target, b.pruned), (a.pruned, b.target))
    error = min(add(mul(matrix(x, 0), errors[1]), mul(matrix(y, 1), errors[0])) for x, y in orders)
    return [Value(side(a.target, b.target), side(a.pruned, b.pruned), error)]


def chosen(step: Step) -> list[Value]:
    """Where: every entry is one of two."""
    if known_error(step.value(0)) != 0:
        raise NoBound("has no bound: its condition may differ")
    a, b = step.value(1), step.value(2)
    spreads = step.spread(1), step.spread(2)

    def side(one: Side, other: Side) -> Side:
        return Side(joined([mul(one.norm, spreads[0]), mul(other.norm, spreads[1])]), *hull([one, other]))

    error = joined([mul(known_error(a), spreads[0]), mul(known_error(b), spreads[1])])
    return [Value(side(a.target, b.target), side(a.pruned, b.pruned), error)]
