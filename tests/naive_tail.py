"""Slow twins of the tail estimators: the last value is averaged over exactly, all others are plain random numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

Pair = tuple[Fraction, Fraction]


def length_outside(intervals: Iterable[Pair], end: Fraction) -> Fraction:
    """Length of [-end, end] that no interval covers."""
    free, at = Fraction(0), -end
    for low, high in sorted(intervals):
        if low > at:
            free += min(low, end) - min(at, end)
        at = max(at, high)
    return free + max(Fraction(0), end - at)


def _sums(values: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """All sums of at most one number of each row."""
    return [sum(one, Fraction(0)) for one in itertools.product(*([Fraction(0), *row] for row in values))]


def _multisets(values: Sequence[Fraction], slots: int) -> list[Fraction]:
    """All sums of at most so many values, each as often as one likes."""
    counts = itertools.product(range(slots + 1), repeat=len(values))
    return [sum((c * v for c, v in zip(one, values, strict=True)), Fraction(0)) for one in counts if sum(one) <= slots]


def sum_missed(values: Sequence[Sequence[Fraction]], R: int, end: Fraction, eps: Fraction, alpha: Fraction) -> Fraction:
    """P(no sum hits) over R draws in [-end, end] of one variable more than ``values``."""
    sums = _sums(values)
    if any(abs(s - alpha) <= eps for s in sums):
        return Fraction(0)
    return (length_outside(((alpha - eps - s, alpha + eps - s) for s in sums), end) / (2 * end)) ** R


def recycling_missed(values: Sequence[Fraction], eps: Fraction, alpha: Fraction) -> Fraction:
    """P(no multiset hits) over one value, and one slot, more than ``values``."""
    slots = len(values) + 1
    if any(abs(s - alpha) <= eps for s in _multisets(values, slots)):
        return Fraction(0)
    hits = [
        ((alpha - eps - s) / j, (alpha + eps - s) / j)
        for j in range(1, slots + 1)
        for s in _multisets(values, slots - j)
    ]
    return length_outside(hits, Fraction(1)) / 2


def covers(sums: np.ndarray, eps: float, low: float, high: float) -> np.ndarray:
    """Of each row of sums: whether every point from low to high has one within eps."""
    reach = np.full(len(sums), low)
    for one in np.sort(sums, axis=1).T:
        reach = np.where((one - eps <= reach) & (one + eps > reach), one + eps, reach)
    return np.asarray(reach >= high)


def coverage_missed(before: np.ndarray, others: np.ndarray, eps: float, low: float, high: float) -> float:
    """P(some point is missed) over one draw x more of a variable, whose ``others`` are known.

    ``before``: the sums of the variables before. Whether x helps changes only where a new sum is as far from another
    one, or from an end, as it may be: between two such places one x stands for all.
    """
    known = np.concatenate([before, *(before + one for one in others)])
    marks = np.concatenate([known - 2 * eps, known, known + 2 * eps, [low - eps, low + eps, high - eps, high + eps]])
    new = before[:, None]
    places = np.concatenate([(marks[None, :] - new).ravel(), (new - new.T).ravel() - 2 * eps, [-1.0, 1.0]])
    places = np.unique(places[(places >= -1.0) & (places <= 1.0)])
    middles = (places[1:] + places[:-1]) / 2
    sums = np.hstack([np.tile(known, (len(middles), 1)), before[None, :] + middles[:, None]])
    return float(np.diff(places)[~covers(sums, eps, low, high)].sum() / 2)
