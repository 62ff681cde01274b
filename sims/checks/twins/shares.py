"""Independent computations about covered shares: areas by strips, exact means and potentials, chords for the tail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np

Union = Sequence[tuple[Fraction, Fraction]]


def random_union(rng: np.random.Generator) -> list[tuple[Fraction, Fraction]]:
    """Disjoint intervals in [-1, 1] with ends on a grid, some at its ends."""
    count = int(rng.integers(1, 6))
    ends = np.sort(rng.choice(np.arange(-1024, 1025), 2 * count, replace=False))
    if rng.uniform() < 0.3:
        ends[0] = -1024
    return [(Fraction(int(a), 1024), Fraction(int(b), 1024)) for a, b in ends.reshape(-1, 2)]


def share(union: Union) -> Fraction:
    """|A| / 2."""
    return sum((b - a for a, b in union), Fraction(0)) / 2


def gain_by_strips(union: Union, near: Fraction = Fraction(1)) -> Fraction:
    """|{(y, z): y in A, z not in A, |y - z| <= near}| / 4: the length seen from z is piecewise linear between knots."""
    knots = {Fraction(-1), Fraction(1)}
    for a, b in union:
        for end in (a, b):
            knots |= {k for k in (end, end - near, end + near) if -1 <= k <= 1}
    cuts = sorted(knots)

    def seen(z: Fraction) -> Fraction:
        return sum((max(Fraction(0), min(b, z + near) - max(a, z - near)) for a, b in union), Fraction(0))

    total = Fraction(0)
    for left, right in itertools.pairwise(cuts):
        middle = (left + right) / 2
        if not any(a <= middle <= b for a, b in union):
            total += (right - left) * seen(middle)  # linear there: the middle is the mean
    return total / 4


def mean_share(v: Fraction, R: int, x: Fraction) -> Fraction:
    """The mean share after R draws of density x/2 on [-1/x, 1/x], at least, from share v; exact."""

    def reached(q: Fraction) -> Fraction:
        return 1 - (1 - q) ** R

    if 2 * x <= 1:
        return v + (1 - v) * reached(x * v)
    low, high = max(Fraction(0), Fraction(1, 2) - x * (1 - v)), x * v
    part = (v / 2 - low) / (high - low)
    return v + (1 - v) * ((1 - part) * reached(low) + part * reached(high))


def potential(R: int, x: Fraction) -> Fraction:
    """E 1/(1 + B), B binomial (R, x), term by term."""
    return sum((math.comb(R, b) * x**b * (1 - x) ** (R - b) / (b + 1) for b in range(R + 1)), Fraction(0))


def share_chain(v: Fraction, R: int, n: int) -> float:
    """E[1/v_n - 1] of the extremal chain on a circle of pieces: a draw adds v whole with probability (1-b)/2."""
    law = {v: Fraction(1)}
    for _ in range(n):
        after: dict[Fraction, Fraction] = {}
        for start, p in law.items():
            inner = {start: p}
            for _ in range(R):
                new: dict[Fraction, Fraction] = {}
                for b, mass in inner.items():
                    step = min(start, 1 - b)
                    up = start * (1 - b) / 2 / step if step else Fraction(0)
                    new[b + step] = new.get(b + step, Fraction(0)) + mass * up
                    new[b] = new.get(b, Fraction(0)) + mass * (1 - up)
                inner = new
            for b, mass in inner.items():
                after[b] = after.get(b, Fraction(0)) + mass
        law = after
    return float(sum((p * (1 / b - 1) for b, p in law.items()), Fraction(0)))


@cache
def below(v: float, y: float, R: int, x: float) -> float:
    """P(next share < y) at most, from v: E (c - B)^+/(c - k), B binomial (R, x (1-y)), at the best whole c."""
    p, k = x * (1 - y), y / v - 1
    masses = [math.comb(R, b) * p**b * (1 - p) ** (R - b) for b in range(R + 1)]
    tries = (sum((c - b) * masses[b] for b in range(c)) / (c - k) for c in range(1, R + 1) if c > k)
    return min(1.0, min(tries, default=1.0))


def tail_bounds(R: int, start: float, stop: float, x: float, *, cells: int, steps: int) -> list[float]:
    """Bounds on P(v_t < stop), t = 0..steps: concave envelopes by trying every chord, on a grid of our own."""
    odds = np.geomspace(start / (1 - start), stop / (1 - stop), cells + 1)
    grid = odds / (1 + odds)
    ends = np.append(grid[1:], 1.0)
    level = np.append(np.ones(cells), 0.0)
    bounds = [1.0]
    for _ in range(steps):
        new = level.copy()
        for i in range(cells):
            v = grid[i]
            mean = float(mean_share(Fraction(float(v)), R, Fraction(x)))
            reach = min(1.0, (R + 1) * grid[i + 1])
            cellsi = [j for j in range(i, cells + 1) if grid[j] <= reach]
            at = np.array([min(ends[j], reach) for j in cellsi])
            y = level[cellsi]
            best = y[at >= mean].max() if (at >= mean).any() else 0.0
            left, right = np.flatnonzero(at < mean), np.flatnonzero(at >= mean)
            for a in left:
                chord = y[a] + (y[right] - y[a]) * (mean - at[a]) / (at[right] - at[a])
                best = max(best, float(chord.max())) if len(chord) else best
            if x <= 0.5:
                best = min(best, sum((level[j] - level[j + 1]) * below(v, ends[j], R, x) for j in range(i, cells)))
            new[i] = min(1.0, best)
        level[:-1] = np.minimum(level[:-1], np.maximum.accumulate(new[:-1][::-1])[::-1])
        bounds.append(min(bounds[-1], float(level[0])))
    return bounds
