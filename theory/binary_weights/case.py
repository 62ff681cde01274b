"""Arguments of ``theory.binary_weights``, the count of signs a target takes, and the share of the targets covered."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

from theory.binary_weights.parameters import Gain
from theory.numerics import check

Target = float | Literal["uniform", "worst"]

MAX_SIGNS = 10**15
"""Largest number of variables of the exact laws."""


def gain_of(gain: Gain, eps: float) -> Fraction:
    """The gain as a rational; "best" is 2 eps."""
    if gain == "best":
        return 2 * Fraction(eps)
    return positive_gain(gain)


def positive_gain(gain: float) -> Fraction:
    """A positive number as the rational that it is."""
    value = check.nonnegative("gain", gain)
    if value == 0.0:
        raise ValueError(f"gain must be positive, got gain={gain}")
    return Fraction(value)


def target_of(alpha: Target) -> Target:
    """A number in [-1, 1], "uniform" or "worst"."""
    return "worst" if alpha == "worst" else check.target_or_uniform("alpha", alpha)


def signs_needed(eps: float, *, alpha: Target, gain: Gain = "best") -> int | None:
    """The count a of signs of one kind that success takes, or None where no count succeeds.

    Returns 0 if |alpha| <= eps; else ceil((|alpha|-eps)/g), if g times it is at most |alpha|+eps. Parameters are those
    of `BinaryWeights`, but any gain > 0; alpha is a number or "worst", the least favourable target in [-1, 1]. Raises
    ValueError if alpha is "uniform". Proved in theory/PROOFS.md, 7.1 and 7.2.

    Examples
    --------
    >>> signs_needed(0.05, alpha=0.5), signs_needed(0.05, alpha=0.5, gain=0.3), signs_needed(0.05, alpha="worst")
    (5, None, 10)
    """
    width, alpha = Fraction(check.accuracy("eps", eps)), target_of(alpha)
    if alpha == "uniform":
        raise ValueError("alpha must be a number or \"worst\" here, got alpha='uniform'")
    step = gain_of(gain, eps)
    if alpha == "worst":
        return None if step > 2 * width and width < 1 else math.ceil((1 - width) / step)
    size = abs(Fraction(alpha))
    count = max(0, math.ceil((size - width) / step))
    return count if abs(count * step - size) <= width else None


def sign_count(n: int) -> int:
    """A number of variables that the exact laws can handle: an integer in [1, MAX_SIGNS]."""
    n = check.positive_int("n", n)
    if n > MAX_SIGNS:
        raise ValueError(f"n must be at most {MAX_SIGNS:.0e}, got n >= 2^{n.bit_length() - 1}")
    return n


def covered_line(eps: float, step: Fraction) -> tuple[int, Fraction, Fraction]:
    """(k, rise, last): eps + j rise is the share of [0, 1] within eps of {0, g, ..., jg} for j <= k.

    One multiple more adds ``last``, and further ones nothing.
    """
    width = Fraction(eps)
    k, rise = math.floor((1 - width) / step), min(2 * width, step)
    low = max((k + 1) * step - width, k * step + width)
    return k, rise, max(Fraction(0), 1 - low)
