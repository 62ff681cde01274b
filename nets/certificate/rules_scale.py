"""How batch normalisation, a scale and a shift of every channel, carries norms, ranges and errors; PROOFS.md 4.8."""

from __future__ import annotations

import math

import numpy as np

from nets.certificate.upward import add, lower, mul, root, upper
from nets.certificate.values import NoBound, Side, Step, Value, array_norm, known_error
from nets.graph.graph import Array

_ROUNDING = 2.0**-49  # of the few operations that a scale and a shift are made of


def batch_norm(step: Step) -> list[Value]:
    """y = a x + c, a = scale / sqrt(variance + epsilon), c = bias - a mean; scale and bias may be parts."""
    if step.attribute("training_mode", 0):
        raise NoBound("has no bound in training mode")
    mean, variance = step.known(3).astype(np.float64), step.known(4).astype(np.float64)
    deviation = np.sqrt(variance + float(step.attribute("epsilon", 1e-5)))
    scale, plus, minus = _thrice(step, 1)
    bias, bias_plus, _ = _thrice(step, 2)
    if minus is not plus and mean.any():
        raise NoBound("has no bound: its scale has two halves and its mean is not 0")
    places = root(float(step.out_size // max(1, scale.size)))

    def channels(s: Array, b: Array) -> tuple[Array, Array, Array]:
        """a, c and a bound on what rounding does to c."""
        a = s / deviation
        return a, b - a * mean, (np.abs(b) + np.abs(a * mean)) * _ROUNDING

    a, c, off = channels(scale, bias)
    a_plus, c_plus, off_plus = channels(plus, bias_plus)
    a_minus = a_plus if minus is plus else minus / deviation

    def side(given: Side, p: Array, n: Array, shift: Array, room: Array) -> Side:
        size = _largest(np.maximum(np.abs(p), np.abs(n)))
        norm = add(mul(size, given.norm), mul(places, array_norm(np.abs(shift) + room)))
        if not math.isfinite(given.largest):
            return Side(norm)
        ends = np.stack([(p if t >= 0 else n) * t for t in (given.low, given.high, 0.0)][: 3 if given.low < 0 else 2])
        room = room + np.abs(ends).max(0) * _ROUNDING
        low, high = ends.min(0) + shift - room, ends.max(0) + shift + room
        return Side(norm, lower(float(low.min())), upper(float(high.max())))

    value = step.value()
    moved, shifted = 0.0, 0.0
    if plus is not scale or bias_plus is not bias:
        d = np.maximum(np.abs(a_plus - a), np.abs(a_minus - a))
        moved = mul(_largest(d + (np.abs(a) + np.abs(a_plus) + np.abs(a_minus)) * _ROUNDING), value.pruned.norm)
        shifted = mul(places, array_norm(np.abs(c_plus - c) + off + off_plus))
    error = add(mul(_largest(np.abs(a)), known_error(value)), moved, shifted)
    target = side(value.target, a, a, c, off)
    return [Value(target, side(value.pruned, a_plus, a_minus, c_plus, off_plus), error)]


def _largest(sizes: Array) -> float:
    return float(sizes.max()) * (1 + _ROUNDING)


def _thrice(step: Step, place: int) -> tuple[Array, Array, Array]:
    """The target's constant, and the pruned network's for both halves; the same object where equal."""
    source = step.constant(place)
    if source is None:
        raise NoBound(f"has no bound, as its input {step.name(place)!r} is no constant")
    own = source.astype(np.float64)
    if not step.is_part(place):
        return own, own, own
    plus, minus = step.effective[step.name(place)]
    left = np.asarray(plus, np.float64)
    return own, left, left if minus is plus else np.asarray(minus, np.float64)
