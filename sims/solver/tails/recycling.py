"""Rare failures of recycling: k slots, each of which takes one of the same k values, or none."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sims.solver.arguments import Floats, Integers
from sims.solver.kernels.tail import add_value, covered, fatal, values_outside
from sims.solver.tails.splitting import END, MEMBERS, Sets, Source, Splitting, Window, rank

MOST_VALUES = 200


class RecyclingTail(Splitting):
    """P(no multiset of at most k of the first k of n values sums to within eps of alpha).

    Given k values a further one fails unless it, or a multiple of it, brings what is missing with the slots that this
    leaves; and unless one slot more is enough, without it. Both are exact.

    Parameters
    ----------
    n : int
        Values and slots, 1 to 200.
    eps : float
        In (0, 1].
    alpha : float or "uniform"
        In [-1, 1]; "uniform": each sample has a target of its own.
    samples : int
        Of one run.
    """

    def __init__(self, n: int, eps: float, alpha: float | Literal["uniform"], samples: int) -> None:
        super().__init__(n, samples)
        if n > MOST_VALUES:
            raise ValueError(
                f"n must be at most {MOST_VALUES}: a sample keeps a set for every number of slots, got {n}"
            )
        self._window = Window(eps, alpha)
        self._now, self._next, self._hits = Sets(samples, 4 * n), Sets(samples, 4 * n), Sets(samples)
        self._starts, self._starts_out = np.empty((2, samples, n + 2), np.int64)
        self._inside, self._x = np.empty((2, samples), np.int64)
        self._done = np.empty(samples, np.bool_)
        self._ends = np.full(samples, END, np.int64)

    def _start(self, source: Source) -> float:
        missed, targets = self._window.targets(source, self.samples)
        self._starts[:, 0] = 0
        rows = np.arange(self.samples)
        for m in range(self.n + 1):
            reach = (self.n - m) * END
            low = np.maximum(targets + self._window.low, -reach)
            high = np.minimum(targets + self._window.high, reach)
            at = self._starts[:, m]
            self._now.low[rows, at], self._now.high[rows, at] = low, high
            self._starts[:, m + 1] = at + (low <= high)
        return missed

    def _chances(self, step: int, source: Source) -> Floats:
        now, hits = self._now, self._hits
        hits.fit(
            lambda: fatal(
                now.low, now.high, self._starts, step + 1, hits.low, hits.high, hits.sizes, self._done, hits.spare
            )
        )
        covered(hits.low, hits.high, hits.sizes, self._ends, self._inside)
        missed: Floats = np.where(self._done, 0.0, (2 * END - self._inside) / (2.0 * END))
        return missed

    def _extend(self, step: int, parents: Integers, source: Source) -> None:
        now, new, hits = self._now, self._next, self._hits
        ranks = rank(source.each(MEMBERS + step)[:, 0], 2 * END - self._inside[parents])
        values_outside(hits.low, hits.high, hits.sizes, parents, ranks, self._x)

        def fill() -> int:
            enough = add_value(now.low, now.high, self._starts, parents, self._x, new.low, new.high, self._starts_out)
            return 0 if enough else 2 * new.room

        new.fit(fill)
        self._now, self._next = new, now
        self._starts, self._starts_out = self._starts_out, self._starts
