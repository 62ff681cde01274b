"""Independent computations about covered shares: areas by strips, a matrix for the gap, chords for the tail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

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


def gain_by_strips(union: Union) -> Fraction:
    """|{(y, z): y in A, z not in A, |y - z| <= 1}| / 4: the length seen from z is piecewise linear between knots."""
    knots = {Fraction(-1), Fraction(1)}
    for a, b in union:
        for end in (a, b):
            knots |= {k for k in (end, end - 1, end + 1) if -1 <= k <= 1}
    cuts = sorted(knots)

    def seen(z: Fraction) -> Fraction:
        return sum((max(Fraction(0), min(b, z + 1) - max(a, z - 1)) for a, b in union), Fraction(0))

    total = Fraction(0)
    for left, right in itertools.pairwise(cuts):
        middle = (left + right) / 2
        if not any(a <= middle <= b for a, b in union):
            total += (right - left) * seen(middle)  # linear there: the middle is the mean
    return total / 4


def matrix_gap(points: int) -> tuple[float, float]:
    """Second and largest eigenvalue of (Lh)(z) = (2-|z|) h(z) - (integral of h over |y-z| <= 1), discretised."""
    z = (np.arange(points) + 0.5) * 2 / points - 1
    width = 2 / points
    distance = np.abs(z[:, None] - z[None, :])
    near = np.where(np.isclose(distance, 1.0), 0.5, (distance < 1.0) * 1.0) * width
    values = np.linalg.eigvalsh(np.diag(near.sum(axis=1)) - near)
    return float(values[1]), float(values[-1])


def tail_bounds(R: int, start: float, stop: float, c: float, *, cells: int, steps: int) -> list[float]:
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
            mean = v + c * (1 - v) * (1 - (1 - v) ** R)
            reach = min(1.0, (R + 1) * grid[i + 1])
            cellsi = [j for j in range(i, cells + 1) if grid[j] <= reach]
            x = np.array([min(ends[j], reach) for j in cellsi])
            y = level[cellsi]
            best = y[x >= mean].max() if (x >= mean).any() else 0.0
            left, right = np.flatnonzero(x < mean), np.flatnonzero(x >= mean)
            for a in left:
                chord = y[a] + (y[right] - y[a]) * (mean - x[a]) / (x[right] - x[a])
                best = max(best, float(chord.max())) if len(chord) else best
            new[i] = min(1.0, best)
        level[:-1] = np.minimum(level[:-1], np.maximum.accumulate(new[:-1][::-1])[::-1])
        bounds.append(min(bounds[-1], float(level[0])))
    return bounds
