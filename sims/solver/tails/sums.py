"""Rare failures of one target: sums of re-sampled values, and sums of products of two weights."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sims.solver.arguments import Floats, Integers
from sims.solver.kernels.tail import add_variable, covered
from sims.solver.tails.splitting import END, MEMBERS, SIZES, Sets, Source, Splitting, Window, rank

MOST_DRAWS = 10**4


class SumTail(Splitting):
    """P(no choice among the first k of n variables sums to within eps of alpha).

    Parameters
    ----------
    n, R : int
        >= 1. At most one of a variable's R draws is taken.
    eps : float
        In (0, 1].
    alpha : float or "uniform"
        In [-1, 1]; "uniform": each sample has a target of its own.
    samples : int
        Of one run.
    """

    def __init__(self, n: int, R: int, eps: float, alpha: float | Literal["uniform"], samples: int) -> None:
        super().__init__(n, samples)
        if R > MOST_DRAWS:
            raise ValueError(f"R must be at most {MOST_DRAWS} here, where every draw is made, got R={R}")
        self._R, self._window = R, Window(eps, alpha)
        self._now, self._next = Sets(samples), Sets(samples)
        self._inside = np.empty(samples, np.int64)
        self._ends = np.full(samples, END, np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of the samples' sets."""
        return self._now.nbytes + self._next.nbytes

    def _start(self, source: Source) -> float:
        missed, targets = self._window.targets(source, self.samples)
        self._now.low[:, 0], self._now.high[:, 0] = targets + self._window.low, targets + self._window.high
        self._now.sizes[:] = 1
        return missed

    def _chances(self, step: int, source: Source) -> Floats:
        covered(self._now.low, self._now.high, self._now.sizes, self._ends, self._inside)
        missed: Floats = ((2 * self._ends - self._inside) / (2.0 * self._ends)) ** self._R
        return missed

    def _extend(self, step: int, parents: Integers, source: Source) -> None:
        self._add(step, parents, self._ends[parents], source)

    def _add(self, step: int, parents: Integers, ends: Integers, source: Source) -> None:
        """A variable of draws in [-ends, ends)."""
        now, new = self._now, self._next
        part = source.each(MEMBERS + step, self._R)
        ranks = rank(part, np.maximum(1, 2 * ends - self._inside[parents])[:, None])
        reach = (self.n - step - 1) * END
        new.fit(
            lambda: add_variable(
                now.low, now.high, now.sizes, parents, ends, ranks, reach, new.low, new.high, new.sizes, new.spare
            )
        )
        self._now, self._next = new, now


class ProductTail(SumTail):
    """P(no contributions of the first k of n neurons sum to within eps of alpha), the neurons of statement 4.7.

    A neuron's size, the largest of R draws, is drawn before the samples are chosen; whether it is usable and what its R
    contributions are, which are uniform below that size, is averaged over exactly. Parameters are those of `SumTail`.
    """

    def _chances(self, step: int, source: Source) -> Floats:
        size = (1.0 - source.each(SIZES + step)[:, 0]) ** (1.0 / self._R)
        self._ends = np.maximum(1, np.rint(size * END)).astype(np.int64)
        self._missed = super()._chances(step, source)
        chances: Floats = 0.5 * (1.0 + self._missed)
        return chances

    def _extend(self, step: int, parents: Integers, source: Source) -> None:
        missed = self._missed[parents]
        usable = source.each(SIZES + 2**20 + step)[:, 0] * (1.0 + missed) < missed
        self._add(step, parents, np.where(usable, self._ends[parents], 0), source)
