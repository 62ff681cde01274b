"""Passes: what one run over the trials counts, how it is cut and stopped, and the columns that a count gives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from sims.options import Options, Question, Row
from sims.progress import silent
from sims.solver.arguments import Integers
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from sims.statistics.trials import Count, Counts, count_trials, count_until
from sims.statistics.verdict import verdicts


@dataclass(frozen=True, slots=True)
class Pass(Generic[Question]):
    """One question at all its sizes: a run over the trials gives one count for each of them."""

    question: Question
    sizes: tuple[int, ...]


class Counter:
    """Counts the successes among the trials of a pass, from any thread.

    ``count``: count(first, trials): one count per row of the pass. ``piece``: trials that one call should take.
    """

    def __init__(self, count: Count, piece: int) -> None:
        self._count, self.piece = count, max(1, piece)
        self.own_threads = False
        """Whether one call uses all threads, so that calls follow one another."""
        self.at_once = False
        """Whether a call takes no time: it is then made on the calling thread."""
        self.records: dict[int, bytes] = {}
        """What else the rows need, by first trial."""
        self.seconds: float | None = None
        """What counting took, where that is known from elsewhere."""

    def __call__(self, first: int, trials: int) -> Counts:
        return self._count(first, trials)

    def piece_of(self, trials: int) -> int:
        """Trials that one call should take, of that many in all."""
        return self.piece

    def chunk(self, first: int, trials: int, tick: Callable[[float], None]) -> tuple[Counts, bytes]:
        """Count on the calling thread alone; the counts and what else the rows need."""
        self.records = {}
        counts = count_trials(self, first, trials, piece=self.piece_of(trials), jobs=1, advance=tick)
        return counts, b"".join(self.recorded())

    def recorded(self) -> list[bytes]:
        """The records in the order of their trials."""
        return [self.records[first] for first in sorted(self.records)]


def first_hits(needed: Callable[[int, int], Integers], sizes: Sequence[int], piece: int) -> Counter:
    """A counter of the trials that need at most n variables, for every size n.

    ``needed``: needed(first, trials): how many variables each trial takes until some choice hits.
    """

    def count(first: int, trials: int) -> Counts:
        hit = needed(first, trials)
        return np.array([(hit <= n).sum() for n in sizes], np.int64)

    return Counter(count, piece)


@dataclass(frozen=True, slots=True)
class Found:
    """What a pass gave: (successes, trials) of each of its rows, the records, and the seconds that it took."""

    counts: list[tuple[int, int]]
    records: list[bytes]
    seconds: float


def count_pass(counter: Counter, options: Options, advance: Callable[[float], None] = silent) -> Found:
    """Count all trials of a pass, or as many as ``options.until`` asks for."""
    started = time.monotonic()
    first, trials, piece = options.first_trial, options.trials, counter.piece_of(options.trials)
    jobs = 0 if counter.at_once else 1 if counter.own_threads else options.jobs
    if options.until is None:
        totals = count_trials(counter, first, trials, piece=piece, jobs=jobs, advance=advance)
        counts = [(successes, trials) for successes in totals.tolist()]
    else:
        counts = count_until(counter, first, trials, options.until, piece=piece, jobs=jobs, advance=advance)
    spent = time.monotonic() - started if counter.seconds is None else counter.seconds
    return Found(counts, counter.recorded(), spent)


def measured(count: tuple[int, int], options: Options) -> Row:
    """The columns of a count: trials, successes, their share and its 95 % interval."""
    successes, trials = count
    low, high = (clopper_pearson if options.until is None else confidence_sequence)(successes, trials)
    return {
        "trials": trials,
        "successes": successes,
        "success": successes / trials,
        "ci_low": low,
        "ci_high": high,
    }


def judge(rows: Sequence[Row], bands: Sequence[tuple[float, float]], options: Options) -> list[Row]:
    """The rows, each given its verdict, judged together."""
    counts = [(row["successes"], row["trials"]) for row in rows]
    judged = verdicts(counts, bands, anytime=options.until is not None)
    for row, verdict in zip(rows, judged, strict=True):
        row["verdict"] = verdict
    return list(rows)


def sums_cost(draws: float, sums: float) -> float:
    """Seconds of a trial that makes ``draws`` values and looks at ``sums`` half sums, by formula."""
    return 4e-8 + 3e-9 * draws + 1.2e-9 * min(sums, 1e300)


def half_sum_reach(n: int, eps: float, base: int) -> float:
    """Variables until a sum within eps is likely: no more are looked at."""
    return min(n, math.log(1.0 / eps) / math.log(base) + 3)
