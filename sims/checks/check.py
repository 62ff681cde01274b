"""What a check is: a test of simulated counts, a computed fact, a prediction's error, or the reason why there is none.

A section is a module with ``checks(seed)``, which returns a list of these, controls included. It asks the functions of
``theory`` through their modules at that moment, so that whatever is in the modules is what is checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sims.registry import experiment_of
from sims.solver.philox import block
from sims.statistics.trials import Count, Counts

Kind = Literal["exact", "upper", "lower", "band", "prediction"]

OFF_EXACT = 1.05
"""Power of a test of an exact probability: against one that is off by this factor."""

OFF_BOUND = 1.5
"""Power of a test of a bound: against a truth that exceeds the bound by this factor."""


@dataclass(frozen=True)
class Simulation:
    """Trials that one or more points read.

    ``key``: its name; its random numbers depend on the run's seed and on this name alone. ``make``: (seed, jobs) to
    (count, piece) as ``sims.statistics.trials`` takes them; count returns one number for each index. ``cost``: declared
    cost of a trial, in microseconds of one core: the number of trials follows from it, not from a clock. ``least``,
    ``most``: trials at any budget. ``weight``: share of the budget.
    """

    key: str
    make: Callable[[int, int], tuple[Count, int]]
    cost: float
    least: int = 2000
    most: int = 10**7
    weight: float = 1.0

    def point(self, kind: Kind, claim: str, where: str, low: float, high: float, index: int, **more: Any) -> Point:
        """A claim about one of its counts; ``more`` is ``complement`` or ``control``."""
        return Point(claim, where, kind, low, high, self, index, **more)

    def exact(self, claim: str, where: str, p: float, index: int = 0, *, off: float = 0.0, **more: Any) -> Point:
        """The probability is p, up to ``off``."""
        low, high = (max(0.0, p - off), min(1.0, p + off)) if off else (p, p)
        return self.point("exact", claim, where, low, high, index, **more)

    def upper(self, claim: str, where: str, bound: float, index: int = 0, **more: Any) -> Point:
        """The probability is at most the bound."""
        return self.point("upper", claim, where, 0.0, bound, index, **more)

    def lower(self, claim: str, where: str, bound: float, index: int = 0, **more: Any) -> Point:
        """The probability is at least the bound."""
        return self.point("lower", claim, where, bound, 1.0, index, **more)

    def predicted(self, claim: str, where: str, p: float, index: int = 0, **more: Any) -> Point:
        """The probability is about p."""
        return self.point("prediction", claim, where, 0.0, p, index, **more)


@dataclass(frozen=True)
class Point:
    """A claimed probability of an event, to be tested by counting it.

    ``claim``: identifier in theory/claims.py. ``where``: the event and its parameters. ``kind``: what is claimed. A
    prediction is not tested: its error is measured. ``low``, ``high``: the claim: the probability lies in [low, high].
    ``index``: which of its counts. ``complement``: count the trials that are not in it. ``control``: empty, or what is
    wrong with this claim, which then must be refuted.
    """

    claim: str
    where: str
    kind: Kind
    low: float
    high: float
    simulation: Simulation
    index: int = 0
    complement: bool = False
    control: str = ""

    @property
    def factor(self) -> float:
        """The factor that the stated power is about."""
        return OFF_BOUND if self.kind in ("upper", "lower") else OFF_EXACT


@dataclass(frozen=True)
class Closest:
    """How near the cases of a fact came to contradicting it.

    ``ratio``: at least 1 if every case agrees. ``text``: for people. ``catches``: a constant off by this factor or more
    would have been refuted by these cases. ``error``: for a prediction: its largest relative error, which is what is
    shown; None for everything else.
    """

    ratio: float
    text: str
    catches: float
    error: float | None = None


@dataclass(frozen=True)
class Fact:
    """A statement without chance, checked by an independent computation at given and at random cases.

    ``claim``, ``where``, ``control``: as for Point. ``compare``: seed to Closest.
    """

    claim: str
    where: str
    compare: Callable[[int], Closest]
    control: str = ""


@dataclass(frozen=True)
class Untested:
    """A statement that no check can decide, and why."""

    claim: str
    reason: str


Check = Point | Fact | Untested


def own_seed(seed: int, key: str) -> int:
    """64 bits for one simulation or fact, a function of the run's seed and of its name."""
    words = block([zlib.crc32(key.encode()), 0x5EED, 0, 0], seed)
    return int(words[0]) | int(words[1]) << 32


def settings(question: Any) -> dict[str, Any]:
    """What a bound f(n, R, **settings) takes of a question."""
    return {name: value for name, value in vars(question).items() if name != "R"}


def asked(
    key: str, question: object, sizes: Sequence[int], cost: float, *, least: int = 2000, most: int = 10**7
) -> Simulation:
    """The simulation of a question at several sizes, one count for each, by its experiment."""

    def make(seed: int, jobs: int) -> tuple[Count, int]:
        counter = experiment_of(question).counter(question, sizes, seed, jobs)
        return counter, counter.piece

    return Simulation(key, make, cost, least, most)


def success_curve(
    simulation: Simulation, theory: Any, one: Any, where: Sequence[tuple[int, str]], upper: str, lower: str, guess: str
) -> Iterator[Check]:
    """The bounds and the prediction of a package at every n of a simulated question, each with its words; ``upper``,
    ``lower`` and ``guess`` are the claims that state them. An upper bound of 1 says nothing and is left out."""
    at = settings(one)
    for i, (n, words) in enumerate(where):
        bound = theory.success_prob_upper(n, one.R, **at)
        if bound < 1.0:
            yield simulation.upper(upper, f"P(success), {words}", bound, i)
        yield simulation.lower(lower, f"P(success), {words}", theory.success_prob_second_moment(n, one.R, **at), i)
        yield simulation.predicted(guess, f"P(success), {words}", theory.success_prediction(n, one.R, **at), i)


def events(
    key: str, event: Callable[[int, int, int], np.ndarray], cost: float, least: int = 2000, most: int = 10**7
) -> Simulation:
    """A simulation of one or more events from event(seed, first, trials), of shape (trials,) or (events, trials)."""

    def make(seed: int, jobs: int) -> tuple[Count, int]:
        def count(first: int, trials: int) -> Counts:
            happened = np.atleast_2d(event(seed, first, trials))
            return np.asarray(happened.sum(axis=1), np.int64)

        return count, 2**13

    return Simulation(key, make, cost, least, most)
