"""What work will take, said before it begins: about how long, and whether it fits.

    announce(Prediction(seconds=4000.0, bytes=2**31), max_time=given.max_time, quiet=given.quiet)

prints "about 1 h 06 min" on standard error, or refuses with one line. An experiment's command gets its passes from
``plan`` and its prediction from ``foresee``; another command makes its own.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sims.commands.flags import UsageError
from sims.experiment import Experiment
from sims.options import Request
from sims.solver.memory import available_bytes, readable
from sims.statistics.intervals import confidence_sequence
from sims.statistics.trials import looks

WORTH_SAYING = 5.0
"""Seconds from which a prediction is shown."""

LONGEST = 86400.0
"""Seconds that nobody has to ask for."""

_WORTH_MEASURING = 0.3
_MANY_ROWS, _USUAL_ROWS = 3000, 30
_ROW = 3e-4
"""Seconds of a row's intervals, verdict and print."""
_PROBES = 2


@dataclass(frozen=True)
class Prediction:
    """What work will take.

    Attributes
    ----------
    seconds : float
        On this machine, with all its threads; good to a factor of about 3.
    bytes : int
        Memory that the work takes at once; 0: that is checked elsewhere.
    at_most : bool
        Whether it may take less, since it stops when it knows enough.
    """

    seconds: float
    bytes: int
    at_most: bool = False


def announce(prediction: Prediction, *, max_time: float | None = None, quiet: bool = False, what: str = "this") -> None:
    """Say what work will take, if that is more than a few seconds.

    Parameters
    ----------
    max_time : float or None
        Seconds that the work may take, > 0; None: a day.
    what : str
        The work, as the subject of a sentence.

    Raises
    ------
    UsageError
        It would take longer, or does not fit into memory.
    """
    span = f"{'at most ' if prediction.at_most else ''}about {duration(prediction.seconds)}"
    if prediction.bytes > available_bytes():
        raise UsageError(
            f"{what} needs about {readable(prediction.bytes)} of memory, {readable(available_bytes())} are available"
        )
    if prediction.seconds > (LONGEST if max_time is None else max_time):
        limit = "a day; --max-time inf goes on" if max_time is None else f"--max-time, {duration(max_time)}"
        raise UsageError(f"{what} would take {span}, more than {limit}")
    if prediction.seconds > WORTH_SAYING and not quiet:
        memory = f" and {readable(prediction.bytes)} of memory" if prediction.bytes else ""
        print(f"{what} takes {span}{memory}", file=sys.stderr, flush=True)


def plan(
    experiment: Experiment[Any, Any], request: Request[Any], *, max_time: float | None = None, quiet: bool = False
) -> list[Any]:
    """The passes of a request; where its questions and rows are many, what their formulas take is announced first.

    Raises as `announce` and `sims.experiment.Experiment.passes`.
    """
    questions = request.questions
    rows = len(questions) * (len(request.options.n) if request.options.n is not None else _USUAL_ROWS)
    if rows > _MANY_ROWS:
        seconds = _formula_seconds(experiment, request) * len(questions)
        what = f"the plan of {len(questions)} question{'s' if len(questions) > 1 else ''}, about {rows} rows,"
        announce(Prediction(seconds, 0), max_time=max_time, quiet=quiet, what=what)
    return experiment.passes(request)


def _formula_seconds(experiment: Experiment[Any, Any], request: Request[Any]) -> float:
    """Measured seconds of a question: its plan, and the bounds and the verdicts of its rows."""
    questions = request.questions
    chosen = {questions[k * (len(questions) - 1) // 3]: None for k in (3, 0, 1, 2)}  # the last one first: the largest
    experiment.passes(replace(request, questions=questions[:1]))  # loads what is needed
    spent = 0.0
    for question in chosen:
        begun = time.monotonic()
        passes = experiment.passes(replace(request, questions=(question,)))
        spent += time.monotonic() - begun
        for work in passes:
            sizes = getattr(work, "sizes", ())
            tried = {sizes[k * (len(sizes) - 1) // 3] for k in range(4)} if sizes else set()
            begun = time.monotonic()
            for n in tried:
                with contextlib.suppress(NotImplementedError, ValueError):  # a row without such a formula
                    experiment.bounds(work.question, n)
            each = (time.monotonic() - begun) / max(1, len(tried))
            spent += (each + _ROW) * len(sizes)
    return spent / len(chosen)


def foresee(experiment: Experiment[Any, Any], request: Request[Any], passes: Sequence[Any]) -> Prediction:
    """The prediction for an experiment: its formulas, and where these say seconds, a short probe of this machine."""
    options = request.options
    trials = options.trials if options.until is None else trials_until(options.until, options.trials)
    costs = [experiment.cost(work) for work in passes]
    seconds = trials * math.fsum(costs) / options.jobs
    if seconds > _WORTH_MEASURING:
        seconds *= _measured(experiment, request, passes, costs)
    each = max(experiment.memory(work) for work in passes)
    return Prediction(seconds, each * (1 if experiment.own_threads else options.jobs), options.until is not None)


def _measured(
    experiment: Experiment[Any, Any], request: Request[Any], passes: Sequence[Any], costs: Sequence[float]
) -> float:
    """Seconds of this machine for one by formula, from the longest pass of which a trial can be tried."""
    from sims.sweep.cost import MOST_NOMINAL, chunk_trials, probe
    from sims.sweep.plan import Plan

    cheap = [k for k, cost in enumerate(costs) if cost <= MOST_NOMINAL]
    if not cheap:
        return 1.0
    longest = max(cheap, key=lambda k: costs[k])
    jobs = 1 if experiment.own_threads else request.options.jobs
    plan = Plan(experiment, request, tuple(passes))
    most = chunk_trials(costs[longest])
    return min(probe(plan, passes[longest], jobs, most) for _ in range(_PROBES)) / costs[longest]


def trials_until(width: float, trials: int) -> int:
    """Trials after which every 95 % confidence sequence is narrower than ``width``, at most ``trials``.

    Examples
    --------
    >>> trials_until(0.1, 10**6), trials_until(0.1, 500)
    (1563, 500)
    """
    for look in looks(trials):
        low, high = confidence_sequence(look // 2, look)  # the widest of that many trials
        if high - low < width:
            return look
    return trials


def duration(seconds: float) -> str:
    """A time span for people.

    Examples
    --------
    >>> duration(42.3), duration(185), duration(7300), duration(3e6)
    ('42 s', '3 min 05 s', '2 h 01 min', '34.7 days')
    """
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    if seconds < 2 * 86400:
        return f"{int(seconds) // 3600} h {int(seconds) // 60 % 60:02d} min"
    return f"{seconds / 86400:.1f} days" if seconds < 1e9 else f"{seconds / 31557600:.3g} years"
