"""The second moment of the good sums given the total of all draws (theory/PROOFS.md, 2.2 (b)).

T is the sum of all N = n R draws, and bin b the event |T - 2 alpha - b w| <= w/2. If two selections with the same sum
t of common draws are both good, T = 2 alpha - t + (the sum of the other draws) up to 2 eps, so that a bin costs the
second moment one more window. K_c(x) = P(|S_c - x| <= w/2) is even and falls in \\|x\\|, so the errors of the sums
only move x by at most 2 eps towards 0 (eps away from 0 in the first moment).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from theory.numerics.irwin_hall import UNIT, Array, Points, densities, hit_table, single_point, window_error, windows
from theory.subset_sum.mesh import Mesh
from theory.subset_sum.second_moment import overlap_table, success_lower

MAX_VARIABLES = 40
"""Largest n of the bound."""

MAX_DRAWS = 100
"""Largest number n R of draws of the bound."""

Mask = NDArray[np.bool_]

_DEVIATIONS = 4.0
"""Bins reach this many standard deviations of T; what lies beyond is given up."""

_TINY = 1e-60
"""Sizes k whose moment in a bin is less than this are left out of it."""


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

    def farthest(self, x: Fraction, slack: Fraction) -> Array:
        """The least over \\|y\\| <= slack in place of the greatest."""
        out: Array = np.min(self.at(x + slack, x - slack), axis=0)
        return out

    def knots(self, slack: Fraction) -> set[Fraction]:
        """Points that are knots, modulo 1, of the functions of t that ``on`` gives."""
        shifts = [sign * slack - offset for sign in (-1, 1) for offset in self.classes]
        ends = {shift + end for shift in shifts for end in (-self.half, Fraction(0), self.half)}
        return ends | {-offset for offset in self.classes}

    def on(self, mesh: Mesh, reach: int, first: int, slack: Fraction) -> list[Array]:
        """Max and min over \\|y\\| <= slack of K_c(t + k w - y) on the mesh, -reach <= t <= reach, for c >= ``first``.

        Returns for every c an array of shape (2 reach, nodes, 2, 2 bins + 1), each value within window_error(c).
        """
        span = reach + int(np.abs(self.whole).max())
        rows = max(span, self.draws + 2 + math.ceil(slack)) + 4
        start = (self.kind[:, None] * 2 * rows + rows - reach + self.whole[:, None]) + np.arange(2 * reach)
        centre = hit_table(self.draws, alpha=0.0, eps=float(self.half))
        towards = [self._towards(mesh, offset, rows, slack) for offset in self.classes]
        tables = []
        for c, pair in enumerate(
            zip(*(self._moved(mesh, offset, rows, slack) for offset in self.classes), strict=True)
        ):
            if c < first:
                continue
            most = [
                np.where(above, up, np.where(below, down, centre[c]))
                for (above, below), (up, down) in zip(towards, pair, strict=True)
            ]
            least = [np.minimum(up, down) for up, down in pair]  # the farther one: K_c falls in \\|x\\|
            table = np.empty((2 * reach, len(mesh.weights), 2, len(self.kind)))
            for side, lattice in enumerate((most, least)):
                table[:, :, side] = np.concatenate(lattice)[start].transpose(1, 2, 0)
            tables.append(table)
        return tables

    def _moved(self, mesh: Mesh, offset: Fraction, rows: int, slack: Fraction) -> Iterator[tuple[Array, Array]]:
        """K_c(x - slack) and K_c(x + slack) at x = t + offset, for c = 0, 1, ..."""
        up, down = (
            windows(
                self.draws,
                mesh.falling(centre + self.half, rows),
                mesh.falling(centre - self.half, rows),
                float(self.half),
            )
            for centre in (slack - offset, -slack - offset)
        )
        return zip(up, down, strict=True)

    @staticmethod
    def _towards(mesh: Mesh, offset: Fraction, rows: int, slack: Fraction) -> tuple[Mask, Mask]:
        """Where x = t + offset is above slack, and where it is below -slack: exact, piece by piece."""
        index = np.arange(-rows, rows)[:, None]
        middles = [(left + right) / 2 + offset for left, right in mesh.pieces]
        above = np.repeat([math.floor(slack - x) + 1 for x in middles], mesh.count)
        below = np.repeat([math.ceil(-slack - x) - 1 for x in middles], mesh.count)
        return index >= above, index <= below


def success_given_total(n: int, R: int, *, eps: float, alpha: float) -> float:
    """Proved lower bound on the success probability: the second moment given the total of all draws.

    In [0, 1], rounded down. Proved in theory/PROOFS.md, 2.2 (b).

    ``n``, ``R``: variables, 1 to MAX_VARIABLES, and draws of each, n R <= MAX_DRAWS; ``eps``: accuracy in
    [check.MIN_EPS, 1]; ``alpha``: target in [0, 1], > eps.

    Examples
    --------
    >>> success_given_total(8, 5, eps=1e-4, alpha=0.5) > 0.98
    True
    """
    draws, width = n * R, bin_width(R)
    bins = math.ceil(_DEVIATIONS * math.sqrt(draws / 3) / width)
    kernels = Kernels(draws, width, bins)
    first = _first_moments(kernels, n, Fraction(alpha), Fraction(eps))
    most, least, error = _second_moments(kernels, n, R, Fraction(alpha), Fraction(eps))
    total = 0.0
    for v, upper, lower in zip(first, most, least, strict=True):
        kept = (np.diag(upper) > _TINY) & (v > _TINY)
        if kept.any():
            square = np.ix_(kept, kept)
            total += success_lower(upper[square], error, combine=True, first=v[kept], least=lower[square])
    return min(1.0, max(0.0, total * (1.0 - len(first) * 2 * UNIT)))


def _first_moments(kernels: Kernels, n: int, alpha: Fraction, eps: Fraction) -> Array:
    """Lower bounds on P(T in bin | a given selection of k values is good), shape (bins, n), k = 1..n."""
    sizes = kernels.draws - np.arange(1, n + 1)
    return kernels.farthest(alpha, eps)[sizes].T * (1.0 - window_error(kernels.draws))


def _second_moments(kernels: Kernels, n: int, R: int, alpha: Fraction, eps: Fraction) -> tuple[Array, Array, float]:
    """E[N_k N_k'; T in bin] / (E[N_k] E[N_k']) from above and from below, shape (bins, n, n), and a relative error."""
    draws, slack, (high, low), rows = kernels.draws, 2 * eps, (alpha + eps, alpha - eps), n + 4
    mesh = Mesh({high, low} | kernels.knots(slack), math.ceil(draws / 2))
    G = np.stack(list(windows(n, mesh.falling(high, rows), mesh.falling(low, rows), float(eps))))[:, 4:-4]
    f = np.stack(list(densities(n, mesh.rising(rows))))[:, 4:-4]
    fewest = max(0, draws - 2 * n)
    tables = kernels.on(mesh, n, fewest, slack)
    apart = np.stack([kernels.nearest(Fraction(0), slack), kernels.farthest(Fraction(0), slack)], axis=1)
    p = np.array(hit_table(n, alpha=float(alpha), eps=float(eps))[: n + 1])
    overlap = overlap_table(n, R)
    out = np.zeros((2, 2 * kernels.bins + 1, n + 1, n + 1))
    for j in range(n + 1):
        inside = slice(n - j, n + j)
        nodes = G[:, inside].reshape(n + 1, -1)
        weight = (mesh.weights * f[j - 1, inside]).ravel() if j else None
        for both in range(min(2 * (n - j), draws - j - fewest) + 1):
            c = draws - j - both
            a = np.arange(max(0, both - (n - j)), both // 2 + 1)
            k, other = j + a, j + both - a
            if weight is None:
                values = np.repeat(apart[c].reshape(1, -1), len(a), axis=0)
            else:
                values = (nodes[a] * nodes[both - a] * weight) @ tables[c - fewest][inside].reshape(nodes.shape[1], -1)
                values /= (p[k] * p[other])[:, None]
            values *= overlap[j, k, other][:, None]
            entries = values.T.reshape(2, -1, len(a))
            out[:, :, k, other] += entries
            out[:, :, other, k] += np.where(k == other, 0.0, entries)
    count = 2 * n * len(mesh.weights)
    return out[0, :, 1:, 1:], out[1, :, 1:, 1:], 1.01 * (11 * draws + 26 * n + count + 40) * UNIT
