"""Rare failures to reach every target of an interval at once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from sims.solver.arguments import Floats, Integers
from sims.solver.kernels.tail import add_draw, covered, finishing, values_outside
from sims.solver.tails.splitting import END, MEMBERS, Sets, Source, Splitting, rank


class CoverageTail(Splitting):
    """P(some point of [low, high] has no sum of the first k of n variables within eps), a draw a step.

    On the grid a sum s reaches the w points s, ..., s + w - 1, w = floor(2 eps): two sums leave nothing out between
    them if they differ by at most w. The points to be reached begin at the largest sum that reaches low, and end where
    the smallest sum that reaches high has its last one.

    Parameters
    ----------
    n, R : int
        >= 1. At most one of a variable's R draws is taken.
    eps : float
        In (0, 1].
    low, high : float
        In [-1, 1], low < high.
    samples : int
        Of one run.
    """

    def __init__(self, n: int, R: int, eps: float, low: float, high: float, samples: int) -> None:
        super().__init__(n, samples, parts=R)
        if Fraction(high) - Fraction(low) < Fraction(4, END):
            raise ValueError(f"an interval from {low} to {high} is one target: that is a subset sum")
        self._R = R
        self._width = int(2 * Fraction(eps) * END)
        self._begin = int((Fraction(low) + Fraction(eps)) * END // 1)
        self._end = int(-((Fraction(eps) - Fraction(high)) * END // 1)) + self._width - 1
        self._roots = np.arange(samples)
        self._before = self._now = Sets(samples)
        self._free = [Sets(samples), Sets(samples)]
        self._hits = Sets(samples)
        self._inside, self._x, self._widths = np.empty((3, samples), np.int64)
        self._ends = np.full(samples, END, np.int64)

    def _start(self, source: Source) -> float:
        self._release(self._before, self._now)
        self._before = self._now = self._free.pop()
        self._roots = np.arange(self.samples)
        self._now.low[:, 0], self._now.high[:, 0], self._now.sizes[:] = 0, self._width - 1, 1
        return float(not 0 <= self._begin <= self._end < self._width)

    def _release(self, *sets: Sets) -> None:
        self._free += [one for number, one in enumerate(sets) if one not in sets[:number]]

    def _chances(self, step: int, source: Source) -> Floats:
        before, now, hits = self._before, self._now, self._hits
        hits.fit(
            lambda: finishing(
                before.low, before.high, before.sizes, self._roots, now.low, now.high, now.sizes,
                self._begin, self._end, hits.low, hits.high, hits.sizes, self._widths, hits.spare,
            )
        )  # fmt: skip
        covered(hits.low, hits.high, hits.sizes, self._ends, self._inside)
        missed: Floats = (2 * END - self._inside) / (2.0 * END)
        return missed

    def _promise(self) -> Floats:
        """The widest hole: what leaves a wide one early is what fails far out; its spread is a third to a half then."""
        promise: Floats = self._widths / END
        return promise

    def _extend(self, step: int, parents: Integers, source: Source) -> None:
        before, now, new, hits = self._before, self._now, self._free.pop(), self._hits
        ranks = rank(source.each(MEMBERS + step)[:, 0], 2 * END - self._inside[parents])
        values_outside(hits.low, hits.high, hits.sizes, parents, ranks, self._x)
        reach = (self.n - step // self._R - 1) * END
        new.fit(
            lambda: add_draw(
                before.low, before.high, before.sizes, self._roots, now.low, now.high, now.sizes, parents, self._x,
                self._begin - reach, self._end + reach, new.low, new.high, new.sizes,
            )
        )  # fmt: skip
        if (step + 1) % self._R:
            self._roots = self._roots[parents]
            if now is not before:
                self._release(now)
            self._now = new
        else:
            self._release(before, now)
            self._roots = np.arange(self.samples)
            self._before = self._now = new
