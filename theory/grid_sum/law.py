"""Laws of sums of values that are uniform on {-M, ..., M}: exact, and as tables with a known error (2.7)."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from theory.numerics.irwin_hall import UNIT, Array


def ways_up_to(k: int, M: int, t: int) -> int:
    """How many of the (2M+1)^k outcomes of k values have a sum of at most t.

    Examples
    --------
    >>> [ways_up_to(2, 1, t) for t in range(-3, 4)]
    [0, 1, 3, 6, 8, 9, 9]
    """
    if k == 0:
        return int(t >= 0)
    if t >= k * M:
        return int((2 * M + 1) ** k)
    room = t + k * M  # the sum of k values of {0, ..., 2M} is at most this
    return sum(
        (-1) ** i * math.comb(k, i) * math.comb(room - i * (2 * M + 1) + k, k)
        for i in range(k + 1)
        if room - i * (2 * M + 1) >= 0
    )


@lru_cache(maxsize=65536)
def hit_prob(k: int, M: int, target: int, tolerance: int) -> Fraction:
    """P(the sum of k values is within tolerance of the target), exactly.

    Examples
    --------
    >>> hit_prob(2, 1, 1, 0)
    Fraction(2, 9)
    """
    ways = ways_up_to(k, M, target + tolerance) - ways_up_to(k, M, target - tolerance - 1)
    return Fraction(ways, (2 * M + 1) ** k)


def _windowed(values: Array, half: int) -> Array:
    """Sums of the entries at most ``half`` places away, grown by ``half`` at both ends; additions alone."""
    length, width = len(values) + 2 * half, 2 * half + 1
    block = np.concatenate([values, np.zeros(2 * half)])  # sums of the last ``size`` entries
    out, offset, size = np.zeros(length), 0, 1
    while True:
        if width & size:
            out[offset:] += block[: length - offset]
            offset += size
        if 2 * size > width:
            return out
        block[size:] = block[size:] + block[:-size]
        size *= 2


def laws(order: int, M: int, tolerance: int) -> tuple[list[Array], list[Array], float]:
    """P(S_k = s) and P(|S_k - s| <= tolerance) for k = 0..order and every s at which they can be positive.

    The first over s = -kM..kM, the second over s = -kM-tolerance..kM+tolerance. Third: relative error of every entry
    per summand (count k + 1), first order. Proved in theory/PROOFS.md, 2.7.
    """
    point = np.ones(1)
    points, windows = [], []
    for k in range(order + 1):
        points.append(point)
        windows.append(_windowed(point, tolerance))
        if k < order:
            point = _windowed(point, M) / (2 * M + 1)
    return points, windows, (2 * (2 * M + 1).bit_length() + 1) * UNIT
