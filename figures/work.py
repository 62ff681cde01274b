"""What a figure computes for parameters of one's own: predicted before, shown while it lasts, refused if too long."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sims.commands.output import MAX_CURVES
from sims.commands.prediction import Prediction, announce, foresee, plan
from sims.options import Request
from sims.progress import progress
from sims.registry import experiment_of
from sims.solver.memory import default_jobs
from sims.statistics.result import Result

Item = TypeVar("Item")


@dataclass(frozen=True)
class Work:
    """How the numbers of a figure are computed; they do not depend on it.

    Attributes
    ----------
    jobs : int or None
        Threads. None: all available cores.
    max_time : float or None
        Seconds that the work may take by its prediction. None: a day.
    quiet : bool
        Neither prediction nor progress bar.
    """

    jobs: int | None = None
    max_time: float | None = None
    quiet: bool = True

    @property
    def threads(self) -> int:
        """``jobs``, or all available cores."""
        return default_jobs() if self.jobs is None else self.jobs

    def announce(self, seconds: float) -> None:
        """Say what work will take, or refuse it with one line, as `sims.commands.prediction.announce`."""
        announce(Prediction(seconds, 0), max_time=self.max_time, quiet=self.quiet, what="this figure")

    def each(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items, one by one, with a progress bar; what all will take is said, or refused, after the first."""
        started = time.monotonic()
        with progress(len(items), quiet=self.quiet) as advance:
            for place, item in enumerate(items):
                yield item
                advance(1)
                if place == 0:
                    self.announce((time.monotonic() - started) * len(items))

    def run(self, requests: Sequence[Request[Any]], *, more: float = 0.0) -> list[Result]:
        """The results of several requests; ``more``: seconds of what the figure computes beside them.

        Raises
        ------
        ValueError
            One line: all together would take too long, or would not fit into memory.
        """
        planned = []
        for request in requests:
            experiment = experiment_of(request.questions[0])
            own = replace(request, options=replace(request.options, jobs=self.threads))
            passes, finishing = plan(experiment, own, max_time=self.max_time, quiet=self.quiet)
            planned.append((experiment, own, passes))
            more += finishing or 0.0
        each = [foresee(*one) for one in planned]
        whole = Prediction(
            math.fsum([more, *(one.seconds for one in each)]),
            max((one.bytes for one in each), default=0),
            any(one.at_most for one in each),
        )
        announce(whole, max_time=self.max_time, quiet=self.quiet, what="this figure")
        trials = sum(request.options.trials * len(passes) for _, request, passes in planned)
        with progress(trials, quiet=self.quiet) as advance:
            return [
                experiment.simulate(request, passes=passes, advance=advance) for experiment, request, passes in planned
            ]


def few(name: str, count: int, most: int = MAX_CURVES) -> None:
    """Refuse, before the work, more curves or panels than a picture can tell apart."""
    if count > most:
        raise ValueError(f"a picture holds up to {most} settings of {name}, got {count}")


def reached(result: Result, delta: float) -> int | None:
    """The smallest n whose simulated success is at least 1 - delta."""
    found = [row["n"] for row in result.rows if row["successes"] >= (1.0 - delta) * row["trials"]]
    return found[0] if found else None
