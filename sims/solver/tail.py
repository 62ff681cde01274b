"""Rare failures of a random subset sum: an unbiased estimate at every number of variables, however rare.

Samples are drawn that fail on purpose. Given the first k variables of one, the probability that the next also misses is
known exactly: none of its R draws may lie in a set of intervals (`sims.solver.kernels.tail`). So the product over k of
the samples' mean probability estimates the failure at every n without bias; samples go on in proportion to that
probability, and their next draws are taken from outside the set. This is a fully adapted particle filter
(``pitt1999``, recalled), which is unbiased (``delmoral2004``, recalled).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from sims.solver.arguments import Floats, Integers
from sims.solver.fixed_point import window
from sims.solver.kernels.tail import add_variable, covered
from sims.solver.limits import GRID_BITS
from sims.solver.memory import available_bytes, readable
from sims.solver.philox import grid_draws

RESAMPLING, MEMBERS = 2**20, 2**21
"""Streams, from each on one a variable: what chooses who goes on, and the samples' draws."""

TARGETS = 2**19
"""Stream of the samples' targets, where these are random."""

_END = 2**GRID_BITS
_VALUES = 2.0 * _END


class Tail:
    """Estimates of P(no choice among the first k of n variables sums to within eps of alpha), k = 1, ..., n.

    Parameters
    ----------
    n, R : int
        >= 1. At most one of a variable's R draws is taken.
    eps : float
        In (0, 1].
    alpha : float or "uniform"
        In [-1, 1]; "uniform": each sample has a target of its own.
    samples : int
        >= 1, of one run. More of them make a run's estimate closer; any number leaves it unbiased.
    """

    def __init__(self, n: int, R: int, eps: float, alpha: float | Literal["uniform"], samples: int) -> None:
        self.n, self.R, self.samples = n, R, samples
        self._random = alpha == "uniform"
        centre, width = window(0.0 if alpha == "uniform" else float(alpha), eps, GRID_BITS)
        self._low, self._high = (centre - width) // 2, (centre + width) // 2
        self._room = 16
        self._sets: list[Any] = []
        self._make()

    def _make(self) -> None:
        size = 8 * (4 * self.samples + 4) * self._room
        if size > available_bytes() // 2:
            raise ValueError(
                f"{self.samples} samples of {self._room} intervals need {readable(size)} of memory: "
                "take fewer trials or a larger eps"
            )
        shape = (self.samples, self._room)
        old = self._sets
        self._sets = [np.empty(shape, np.int64) for _ in range(4)]
        for new, held in zip(self._sets[:2], old[:2], strict=False):
            new[:, : held.shape[1]] = held
        self._spare = np.empty((4, self._room), np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of the samples' sets."""
        return sum(one.nbytes for one in self._sets)

    def run(self, seed: int, number: int) -> Floats:
        """One run's estimates, shape (n,); runs of other numbers, or seeds, are independent of it."""
        found = np.zeros(self.n)
        start = self._start(seed, number)
        sizes, sizes_out = np.ones(self.samples, np.int64), np.ones(self.samples, np.int64)
        inside = np.empty(self.samples, np.int64)
        estimate = start
        for k in range(self.n):
            if estimate == 0.0:
                break
            covered(*self._sets[:2], sizes, inside)
            chances = ((2 * _END - inside) / _VALUES) ** self.R
            estimate *= float(chances.mean())
            found[k] = estimate
            if estimate == 0.0 or k == self.n - 1:
                break
            parents = _systematic(chances, _unit(grid_draws(seed, number, 1, 1, stream=RESAMPLING + k))[0, 0])
            outside = 2 * _END - inside[parents][:, None]
            part = _unit(grid_draws(seed, number * self.samples, self.samples, self.R, stream=MEMBERS + k))
            ranks = np.minimum((part * outside).astype(np.int64), outside - 1)
            while True:
                low, high, low_out, high_out = self._sets
                reach = (self.n - k - 1) * _END
                needed = add_variable(
                    low, high, sizes, parents, ranks, reach, low_out, high_out, sizes_out, self._spare
                )
                if needed <= self._room:
                    break
                self._room = max(2 * self._room, int(needed))
                self._make()
            self._sets = [low_out, high_out, low, high]
            sizes, sizes_out = sizes_out, sizes
        return found

    def _start(self, seed: int, number: int) -> float:
        """The sets before the first variable, of samples whose empty sum misses; returns how likely that is."""
        low, high = self._sets[:2]
        if not self._random:
            low[:, 0], high[:, 0] = self._low, self._high
            return float(not self._low <= 0 <= self._high)
        missing = max(0, 2 * _END - (min(self._high, _END - 1) - max(self._low, -_END) + 1))
        if missing:
            part = _unit(grid_draws(seed, number * self.samples, self.samples, 1, stream=TARGETS))[:, 0]
            target = np.minimum((part * missing).astype(np.int64), missing - 1) - _END
            target += np.where(target >= self._low, self._high - self._low + 1, 0)
            low[:, 0], high[:, 0] = target + self._low, target + self._high
        return float(missing / _VALUES)


def _unit(draws: Integers) -> Floats:
    """Draws as numbers in [0, 1)."""
    unit: Floats = (draws + _END) / _VALUES
    return unit


def _systematic(weights: Floats, offset: float) -> Integers:
    """Who goes on: sample s weights[s] / mean times on average, never a whole time more or less."""
    total = np.cumsum(weights)
    places = (np.arange(len(weights)) + offset) * (total[-1] / len(weights))
    chosen: Integers = np.minimum(np.searchsorted(total, places, side="right"), len(weights) - 1).astype(np.int64)
    return chosen
