"""Rare failures by splitting: unbiased estimates at every number of variables, however rare.

Samples are drawn that fail on purpose. Given the first draws of one, the probability that the next draw also fails is
known exactly: it must not lie in a set of intervals. So the product of the samples' mean probabilities estimates the
failure at every n without bias; samples go on in proportion to that probability, and their next draws are taken from
outside the set. This is a fully adapted particle filter (``pitt1999``, recalled), which is unbiased (``delmoral2004``,
recalled).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import numpy as np

from sims.solver.arguments import Floats, Integers
from sims.solver.fixed_point import window
from sims.solver.limits import GRID_BITS
from sims.solver.memory import available_bytes, readable
from sims.solver.philox import grid_draws

TARGETS, RESAMPLING, MEMBERS, SIZES = 2**19, 2**20, 2**21, 2**22
"""Streams, from each on one a step: the samples' targets, who goes on, the samples' draws, and sizes of weights."""

END = 2**GRID_BITS
MOST_STEPS = 2**19
MOST_VARIABLES = 1000
"""Their sums and targets must stay below 2^63 grid points."""


class Source:
    """The random numbers of one run: functions of the seed, the run's number, the stream and the sample."""

    def __init__(self, seed: int, number: int, samples: int) -> None:
        self._seed, self._number, self._samples = seed, number, samples

    def each(self, stream: int, count: int = 1) -> Floats:
        """Numbers in [0, 1), shape (samples, count)."""
        first = self._number * self._samples
        return _unit(grid_draws(self._seed, first, self._samples, count, stream=stream))

    def one(self, stream: int) -> float:
        """A number in [0, 1)."""
        return float(_unit(grid_draws(self._seed, self._number, 1, 1, stream=stream))[0, 0])


class Sets:
    """A set of intervals for every sample, with as much room as they need: row s of ``low`` and ``high``, sizes[s]."""

    def __init__(self, samples: int, room: int = 16) -> None:
        self._samples = samples
        self.sizes = np.zeros(samples, np.int64)
        self._make(room)

    def _make(self, room: int) -> None:
        size = 16 * self._samples * room
        if 4 * size > available_bytes():
            raise ValueError(
                f"{self._samples} samples of {room} intervals need {readable(size)} of memory, several times: "
                "take fewer trials or a larger eps"
            )
        self.room = room
        self.low, self.high = np.empty((2, self._samples, room), np.int64)
        self.spare = np.empty((4, room), np.int64)

    def fit(self, fill: Callable[[], int]) -> None:
        """Call ``fill``, which writes the sets and returns the room that they need, until there is as much."""
        while (needed := int(fill())) > self.room:
            self._make(max(2 * self.room, needed))

    @property
    def nbytes(self) -> int:
        """Bytes of the sets."""
        return self.low.nbytes + self.high.nbytes


class Splitting(ABC):
    """Estimates of P(the first k of n variables fail), k = 1, ..., n.

    Parameters
    ----------
    n : int
        >= 1.
    parts : int
        Steps of a variable.
    samples : int
        >= 1, of one run. More of them make a run's estimate closer; any number leaves it unbiased.
    """

    def __init__(self, n: int, samples: int, *, parts: int = 1) -> None:
        if n > MOST_VARIABLES:
            raise ValueError(f"n must be at most {MOST_VARIABLES} with --tail, got {n}")
        if n * parts > MOST_STEPS:
            raise ValueError(f"n = {n} variables take {n * parts} steps, the limit is {MOST_STEPS}")
        self.n, self.samples, self._parts = n, samples, parts

    def run(self, seed: int, number: int) -> Floats:
        """One run's estimates, shape (n,); runs of other numbers, or seeds, are independent of it."""
        found = np.zeros(self.n)
        source = Source(seed, number, self.samples)
        weights = np.full(self.samples, self._start(source))
        last = self.n * self._parts - 1
        for step in range(last + 1):
            if not weights.any():
                break
            weights *= self._chances(step, source)
            if (step + 1) % self._parts == 0:
                found[step // self._parts] = weights.mean()
            if not weights.any() or step == last:
                break
            promise = self._promise()
            wanted = weights * promise
            parents = systematic(wanted, source.one(RESAMPLING + step))
            weights = wanted.mean() / promise[parents]
            self._extend(step, parents, source)
        return found

    def _promise(self) -> Floats:
        """Of every sample, > 0: how much more likely than others it is to fail in the far future, if that is known.

        It decides who goes on, and not what a sample counts: the estimates are unbiased whatever it says.
        """
        return np.ones(self.samples)

    @abstractmethod
    def _start(self, source: Source) -> float:
        """Make the samples before the first step; returns the probability of failing there."""

    @abstractmethod
    def _chances(self, step: int, source: Source) -> Floats:
        """Of every sample: the probability that it still fails after this step."""

    @abstractmethod
    def _extend(self, step: int, parents: Integers, source: Source) -> None:
        """Sample s becomes parents[s] with this step done, and still fails."""


class Window:
    """The sums within eps of alpha, as grid points ``low``, ..., ``high``; for a uniform target, those around 0."""

    def __init__(self, eps: float, alpha: float | Literal["uniform"]) -> None:
        self.uniform = alpha == "uniform"
        centre, width = window(0.0 if alpha == "uniform" else float(alpha), eps, GRID_BITS)
        self.low, self.high = (centre - width) // 2, (centre + width) // 2

    def targets(self, source: Source, samples: int) -> tuple[float, Integers]:
        """How likely the empty sum misses, and targets that it misses, to be added to the window."""
        if not self.uniform:
            return float(not self.low <= 0 <= self.high), np.zeros(samples, np.int64)
        missing = max(0, 2 * END - (min(self.high, END - 1) - max(self.low, -END) + 1))
        if not missing:
            return 0.0, np.zeros(samples, np.int64)
        target = rank(source.each(TARGETS)[:, 0], np.array(missing)) - END
        return missing / (2 * END), target + np.where(target >= self.low, self.high - self.low + 1, 0)


def rank(part: Floats, count: Integers) -> Integers:
    """Numbers in [0, 1) as ranks 0, ..., count - 1."""
    found: Integers = np.minimum((part * count).astype(np.int64), count - 1)
    return found


def _unit(draws: Integers) -> Floats:
    """Draws as numbers in [0, 1)."""
    unit: Floats = (draws + END) / (2.0 * END)
    return unit


def systematic(weights: Floats, offset: float) -> Integers:
    """Who goes on: sample s weights[s] / mean times on average, never a whole time more or less.

    Examples
    --------
    >>> systematic(np.array([1.0, 0.0, 2.0, 1.0]), 0.5).tolist()
    [0, 2, 2, 3]
    """
    total = np.cumsum(weights)
    places = (np.arange(len(weights)) + offset) * (total[-1] / len(weights))
    chosen: Integers = np.minimum(np.searchsorted(total, places, side="right"), len(weights) - 1).astype(np.int64)
    return chosen
