"""Probabilities of bins of the total of all draws (theory/PROOFS.md, 2.1 (b)).

T is the sum of all N = n R draws, and bin b the event |T - 2 alpha - b w| <= w/2. K_c(x) = P(|S_c - x| <= w/2) is even
and falls in \\|x\\|, so the error of a good sum only moves x by at most eps towards 0.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from theory.numerics.irwin_hall import Array, Points, hit_table, single_point, windows


def bin_width(R: int) -> Fraction:
    """Width of a bin: the expected number of good sums moves with T/(R+1), so that more draws allow wider bins."""
    return Fraction(1, 2) if R <= 2 else Fraction(1) if R < 5 else Fraction(2)


def _columns(values: list[Fraction], rows: int) -> Points:
    """The lattices value - i, i = -rows..rows-1, of several exact numbers, one column each."""
    each = [single_point(value, rows) for value in values]
    return Points(
        np.concatenate([one.whole for one in each], axis=1),
        np.concatenate([one.part for one in each]),
        np.concatenate([one.rest for one in each]),
        -1,
    )


class Kernels:
    """K_c for c = 0..draws, at the points x + k w, k = -bins..bins."""

    def __init__(self, draws: int, width: Fraction, bins: int) -> None:
        self.draws, self.half, self.bins = draws, width / 2, bins
        self.classes = [Fraction(rest, width.denominator) for rest in range(width.denominator)]  # k w modulo 1
        k = np.arange(-bins, bins + 1)
        self.kind = k % width.denominator
        self.whole = (k - self.kind) // width.denominator * width.numerator  # k w = whole + classes[kind]

    def at(self, *points: Fraction) -> Array:
        """K_c(x + k w) for every x of ``points``: shape (points, draws + 1, 2 bins + 1), within window_error(c)."""
        out = np.empty((len(points), self.draws + 1, len(self.kind)))
        rows = max(self.draws, int(np.abs(self.whole).max())) + math.ceil(max(map(abs, points))) + 4
        centres = [-x - offset for x in points for offset in self.classes]
        upper, lower = (_columns([centre + side for centre in centres], rows) for side in (self.half, -self.half))
        for c, values in enumerate(windows(self.draws, upper, lower, float(self.half))):
            for x in range(len(points)):
                out[x, c] = values[rows + self.whole, x * len(self.classes) + self.kind]
        return out

    def nearest(self, x: Fraction, slack: Fraction) -> Array:
        """max over \\|y\\| <= slack of K_c(x + k w - y), shape (draws + 1, 2 bins + 1), within window_error(c)."""
        out: Array = np.max(self.at(x + slack, x - slack), axis=0)
        around = [abs(x + k * 2 * self.half) <= slack for k in range(-self.bins, self.bins + 1)]
        centre = hit_table(self.draws, alpha=0.0, eps=float(self.half))[: self.draws + 1]
        out[:, around] = np.array(centre)[:, None]
        return out
