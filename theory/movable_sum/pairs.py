"""Certified second moments where the window depends on the number of values (theory/PROOFS.md, 2.8)."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from theory.numerics.irwin_hall import UNIT, Array, Points, densities, hit_table, windows
from theory.subset_sum.mesh import gauss_nodes


def _lattice(floors: Array, part: Array, rest: Array, index: Array, step: int) -> Points:
    return Points(floors - index if step < 0 else index + floors, part, rest, step)


@lru_cache(maxsize=32)
def pair_table(alpha: float, reaches: tuple[float, ...]) -> tuple[Array, float]:
    """Ratios Q_j(k-j, k'-j) / (p_k p_k') for sums of k and k' values, j of them the same, windows of their own.

    ``reaches``: half the window of sums of 0, 1, ..., ``order`` values, each in [check.MIN_EPS, 1]. Returns table of
    shape (order+1, order+1, order+1), 1 for j = 0, and the relative error of every entry with 1 <= j <= min(k, k'),
    first order in UNIT.
    """
    order = len(reaches) - 1
    ends = [(Fraction(alpha) + Fraction(w), Fraction(alpha) - Fraction(w)) for w in reaches]
    cuts = sorted({Fraction(0), Fraction(1), *(end - math.floor(end) for pair in ends for end in pair)})
    x, rest, weight = gauss_nodes(order)
    rows = order + 4
    index = np.arange(-rows, rows, dtype=np.float64)[:, None]
    width = np.repeat(np.array(reaches), order)  # one column for every size and node
    table = np.zeros((order + 1, order + 1, order + 1))
    for left, right in pairwise(cuts):
        span = float(right - left)
        u, not_u = float(left) + span * x, float(1 - right) + span * rest
        lattices = []
        for side in (0, 1):
            floors, parts, rests = [], [], []
            for pair in ends:
                end = pair[side]
                floor = math.ceil(end - left) - 1
                floors.append(np.full(order, float(floor)))
                parts.append(float(end - right - floor) + span * rest)
                rests.append(float(1 + floor - end + left) + span * x)
            lattices.append(_lattice(np.concatenate(floors), np.concatenate(parts), np.concatenate(rests), index, -1))
        wide: Any = width
        tables = windows(order - 1, lattices[0], lattices[1], wide)
        window = [found.reshape(2 * rows, order + 1, order) for found in tables]
        points = _lattice(np.zeros(order), u, not_u, index, 1)
        for j, density in enumerate(densities(order, points), start=1):
            inside = slice(rows - j, rows + j)
            measure = (span * weight * density[inside]).ravel()
            factors = np.stack([window[k - j][inside, k].ravel() for k in range(j, order + 1)])
            table[j, j:, j:] += (factors * measure) @ factors.T
    p = np.array([hit_table(k, alpha=alpha, eps=w)[k] for k, w in enumerate(reaches)])
    p[0] = 1.0  # the empty sum is treated apart
    table[1:] /= np.outer(p, p)
    table[0] = 1.0
    terms = 2 * order * order * (len(cuts) - 1)
    table.flags.writeable = False
    return table, (44 * order + terms + 10) * UNIT
