"""What work will take, said before it begins: about how long, and whether it fits.

    announce(Prediction(seconds=4000.0, bytes=2**31), max_time=given.max_time, quiet=given.quiet)

prints "about 1 h 06 min" on standard error, or refuses with one line. An experiment's command gets its passes from
``prepare``, which predicts counting (``foresee``) and finishing (``finishing_seconds``); another command makes its own.
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
from sims.finishing import WORTH_PROCESSES
from sims.options import Request
from sims.solver.memory import available_bytes, readable
from sims.statistics.intervals import confidence_sequence
from sims.statistics.trials import looks

WORTH_SAYING = 5.0
"""Seconds from which a prediction is shown."""

LONGEST = 86400.0
"""Seconds that nobody has to ask for."""

_WORTH_MEASURING = 0.03
_MANY_ROWS, _USUAL_ROWS = 3000, 30
ROW = 8e-5
"""Seconds of a row's intervals, verdict and print."""
_PROBES, _PROBED, _MOST_OF_IT = 2, 6, 0.95
_SPREAD, _SIZES, _ENOUGH = (0.5, 1.0, 0.0, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875), 7, 1.5
"""Blocks of questions that are tried, how many of their sizes, and seconds after which it is enough."""


@dataclass(frozen=True)
class Prediction:
    """What work will take.

    Attributes
    ----------
    seconds : float
        On this machine, on cores of its own; good to a factor of about 1.3 where it was measured.
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
) -> tuple[list[Any], float | None]:
    """The passes of a request; and where its rows are many, `finishing_seconds`, which are announced first, else None.

    Raises as `announce` and `sims.experiment.Experiment.passes`.
    """
    finishing = None
    questions = request.questions
    rows = len(questions) * (len(request.options.n) if request.options.n is not None else _USUAL_ROWS)
    if rows > _MANY_ROWS:
        what = f"the plan of {len(questions)} question{'s' if len(questions) > 1 else ''}, about {rows} rows,"
        finishing = finishing_seconds(experiment, request)
        announce(Prediction(finishing, 0), max_time=max_time, quiet=quiet, what=what)
    return experiment.passes(request), finishing


def prepare(
    experiment: Experiment[Any, Any], request: Request[Any], *, max_time: float | None = None, quiet: bool = False
) -> list[Any]:
    """The passes of a request, once it is announced what counting them and finishing the rows takes."""
    passes, finishing = plan(experiment, request, max_time=max_time, quiet=quiet)
    counting = foresee(experiment, request, passes)
    announce(counting, max_time=max_time, quiet=True)  # before formulas are tried that nobody will need
    if finishing is None:
        finishing = finishing_seconds(experiment, request)
    announce(replace(counting, seconds=counting.seconds + finishing), max_time=max_time, quiet=quiet)
    return passes


def finishing_seconds(experiment: Experiment[Any, Any], request: Request[Any]) -> float:
    """Measured seconds of the plan, and of bounds, intervals and verdicts of all rows, in processes where that pays.

    Neighbours, which differ in the last parameter alone, share what their bounds have in common: of some of their
    blocks the first question, the second and the last are tried.
    """
    questions = request.questions
    width = len(request.axis(experiment.group[-1])) if experiment.group else 1
    width = width if len(questions) % width == 0 else 1
    blocks = len(questions) // width
    experiment.passes(replace(request, questions=questions[:1]))  # loads what is needed
    first, second, begun = list[float](), list[float](), time.process_time()
    for k in dict.fromkeys(int(share * (blocks - 1)) for share in _SPREAD):
        first.append(_question_seconds(experiment, request, questions[k * width]))
        others = {k * width + 1, (k + 1) * width - 1} - {k * width} if width > 1 else ()
        second += [_question_seconds(experiment, request, questions[i]) for i in sorted(others)]
        if time.process_time() - begun > _ENOUGH:
            break
    alone = math.fsum(first) / len(first)
    seconds = blocks * (alone + (width - 1) * (math.fsum(second) / len(second) if second else 0.0))
    return seconds if seconds < WORTH_PROCESSES else seconds / request.options.jobs


def _question_seconds(experiment: Experiment[Any, Any], request: Request[Any], question: Any) -> float:
    begun = time.process_time()
    asked = replace(request, questions=(question,))
    passes = experiment.passes(asked)
    spent = time.process_time() - begun
    for one, sizes in experiment.asked(asked, passes):
        tried = {sizes[k * (len(sizes) - 1) // _SIZES]: None for k in range(_SIZES, -1, -1)}
        begun, done = time.process_time(), 0
        for n in tried:
            with contextlib.suppress(NotImplementedError, ValueError):  # a row without such a formula
                experiment.bounds(one, n)
            done += 1
            if time.process_time() - begun > _ENOUGH / 2:
                break
        spent += ((time.process_time() - begun) / done + ROW) * len(sizes)
        begun = time.process_time()
        with contextlib.suppress(NotImplementedError, ValueError):
            experiment.needs(one, request.options.delta)
        spent += time.process_time() - begun
    return spent


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
    """Seconds of this machine for one by formula, from the passes that take longest and of which a trial can be tried.

    They are tried until they stand for most of the work.
    """
    from sims.sweep.cost import MOST_NOMINAL, chunk_trials, probe
    from sims.sweep.plan import Plan

    cheap = sorted((k for k, cost in enumerate(costs) if cost <= MOST_NOMINAL), key=lambda k: -costs[k])[:_PROBED]
    if not cheap:
        return 1.0
    jobs = 1 if experiment.own_threads else request.options.jobs
    plan = Plan(experiment, request, tuple(passes))
    found, formula = 0.0, 0.0
    for k in cheap:
        found += min(probe(plan, passes[k], jobs, chunk_trials(costs[k])) for _ in range(_PROBES))
        formula += costs[k]
        if formula > _MOST_OF_IT * math.fsum(costs):
            break
    return found / formula


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
