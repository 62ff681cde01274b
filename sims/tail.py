"""How rare is a failure: 1e-3, or 1e-12? The ``--tail`` of the commands that have one.

``python -m sims.subset_sum --tail --R 5 --eps 0.01`` estimates the failure for every n, without bias and however rare
it is, beside the proved bounds and the prediction; without ``--tail`` trials are counted, which see none below
1e-6. ``python -m sims.tail`` is the same command.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from typing import Any, ClassVar

import numpy as np

from sims.band import FOOTNOTE, MARK, clamped
from sims.commands import cli, flags
from sims.commands.experiment import kept_or
from sims.commands.output import COLOURS, check_files, console, deliver, refuted
from sims.commands.prediction import Prediction, announce
from sims.experiment import Experiment, necessary, rows_by, suffices
from sims.options import Options, Request, Row, between, default_sizes, read_options
from sims.plain_text import counted
from sims.progress import Advance, progress, silent
from sims.registry import experiment as experiment_named
from sims.registry import experiment_of
from sims.solver.arguments import Floats
from sims.statistics.intervals import holm
from sims.statistics.replicates import excess_p_value, mean_interval
from sims.statistics.result import Result, provenance
from sims.statistics.verdict import CONSISTENT, LEVEL, NO_POWER, REFUTED
from sims.tailed import LEAST_TOLD, Run, Tailed
from sims.threads import one_per_thread, ordered

RUNS = 64
"""Independent runs, into which the samples are divided; their spread gives the interval."""

_TINY = sys.float_info.min  # below it floats end: all that is known is then what is proved

_PROBE = 32  # samples of the run that the prediction of the time is measured on

REFUSED = {
    "binary_weights": "how rare a failure of binary weights is, is known exactly: see the column exact",
    "vector_sum": "what a further vector must avoid is a union of (R+1)^n boxes, whose volume in d dimensions has no "
    "short exact form; one number is a subset sum: sims.subset_sum --tail",
    "fixed_size": "a sample would have to keep one set for every number of values taken, which is not built",
    "grid_sum": "quantised values hit exactly or not at all: what they must avoid is no set of intervals",
    "movable_sum": "how far the kept values may move depends on which are kept, so what is missing is a set for every "
    "number of them, which is not built",
    "draw_code": "the first good draw always comes: there is no failure",
    "main_theorem": "whether a network fails is decided by a certificate of the whole network: given all but one draw, "
    "the failures of the last are no set of intervals; one weight: sims.product_sum --tail",
}
"""Experiments without a ``--tail``, and why."""

_COLUMNS = ("n", "failure", "failure_low", "failure_least", "failure_most", "prediction", "verdict")
_HEADINGS = {"failure_low": "95 % interval", "failure_least": "proved >=", "failure_most": "proved <="}


@dataclass(frozen=True, kw_only=True)
class TailOptions(Options):
    """`sims.options.Options`, of which ``trials`` are samples, at least 128; nothing stops early or begins later."""

    delta: float = 1e-12

    max_trials: ClassVar[int] = 10**9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("trials", self.trials, 2 * RUNS, self.max_trials)
        if self.until is not None or self.first_trial:
            raise ValueError("until and first_trial are for counted trials, not for samples of rare failures")


def rare_failures(questions: Sequence[Any], *, advance: Advance = silent, **options: Any) -> Result:
    """Estimate the failure for every n, however rare.

    Parameters
    ----------
    questions : sequence
        All of one kind: SubsetSum, Coverage, Recycling, ProductSum or SingleWeight.
    **options
        Of `TailOptions`: n, trials, seed, jobs, delta.

    Returns
    -------
    Result
        Rows with ``failure``, its 95 % interval ``failure_low`` to ``failure_high`` (approximate: Hall's), its relative
        standard ``error`` and the relative ``spread`` of one run (an interval with a spread above 1 is not to be
        trusted), the proved ``failure_least`` and ``failure_most``, the ``prediction`` and by what factor the failure
        exceeds it before it is clamped (each None where floats near 1 end), and a verdict on ``failure_most`` at 1e-6,
        which holds whatever the law of the runs. ``no power``: nothing is claimed.

    Raises
    ------
    ValueError
        A question of another kind, an option outside its domain, or samples that do not fit into memory.

    Examples
    --------
    >>> from theory.subset_sum import SubsetSum
    >>> result = rare_failures([SubsetSum(R=1, eps=0.5, alpha=1.0)], n=[20], trials=20000, seed=1)
    >>> [f"{row['failure']:.1e}" for row in result.rows]  # exactly 7.26e-5
    ['7.3e-05']
    """
    kinds = {experiment_of(question).name: experiment_of(question) for question in questions}
    if len(kinds) != 1:
        raise ValueError(f"questions must be of one kind, and at least one, got {', '.join(kinds) or 'none'}")
    (experiment,) = kinds.values()
    return _simulated(_tailed(experiment), Request(tuple(questions), TailOptions(**options)), advance)


def foreseen(questions: Sequence[Any], **options: Any) -> Prediction:
    """What `rare_failures` will take, measured on a small run of every question."""
    return _foreseen(_tailed(experiment_of(questions[0])), Request(tuple(questions), TailOptions(**options)))


def _tailed(experiment: Experiment[Any, Any]) -> Tailed[Any]:
    if not isinstance(experiment, Tailed):
        raise ValueError(f"{experiment.name} has no --tail: {REFUSED[experiment.name]}")
    return experiment


def _sizes(tailed: Tailed[Any], question: Any, options: TailOptions) -> tuple[int, ...]:
    if options.n is not None:
        return options.n
    try:
        return default_sizes(min(tailed.tail_n, question.required_n(options.delta)))
    except ValueError:  # nothing is proved to suffice
        return default_sizes(tailed.tail_n)


def _simulated(tailed: Tailed[Any], request: Request[Any], advance: Advance) -> Result:
    started, options = time.monotonic(), request.options
    assert isinstance(options, TailOptions)
    samples = -(-options.trials // RUNS)
    rows: list[Row] = []
    summary: list[Row] = []
    tails: list[float] = []
    for question in request.questions:
        sizes = _sizes(tailed, question, options)
        own = one_per_thread(partial(tailed.tail, question, sizes, samples))

        def one(number: int, own: Callable[[], Run] = own) -> Floats:
            return own()(options.seed, number)

        estimates = []
        for estimate in ordered(one, ((number,) for number in range(RUNS)), jobs=options.jobs):
            estimates.append(estimate)
            advance(samples, label=_named(question))
        mine = [
            _row(tailed, question, n, samples, np.array([found[at] for found in estimates]), tails)
            for at, n in enumerate(sizes)
        ]
        rows += mine
        summary.append(_summary(question, options.delta, mine))
    refuted = holm(tails, LEVEL)
    rows = [{**row, "verdict": _verdict(row, bad)} for row, bad in zip(rows, refuted, strict=True)]
    axes = [name for name in ("R", "eps", "alpha") if name in _settings(request.questions[0])]
    several: Row = {name: request.axis(name) for name in axes}
    return Result(
        command="sims.tail",
        params={
            **several,
            **asdict(options),
            **{name: value for name, value in _settings(request.questions[0]).items() if name not in several},
            "question": type(request.questions[0]).__name__,
            "runs": RUNS,
        },
        rows=rows,
        summary=summary,
        provenance=provenance(seed=options.seed, threads=options.jobs, seconds=time.monotonic() - started),
    )


def _settings(question: Any) -> Row:
    """A question's parameters, but for how trials would be counted."""
    return {name: value for name, value in asdict(question).items() if name != "sampler"}


def _named(question: Any) -> str:
    return " ".join(f"{name}={_number(value)}" for name, value in _settings(question).items())


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verdict(row: Row, refuted: bool) -> str:
    if refuted:
        return REFUTED
    return NO_POWER if row["failure_most"] is not None and row["failure_most"] >= 1.0 else CONSISTENT


def _row(tailed: Tailed[Any], question: Any, n: int, samples: int, estimates: Floats, tails: list[float]) -> Row:
    stated = tailed.stated(question, n)
    low, high = mean_interval(estimates)
    failure = float(estimates.mean())
    if failure < _TINY:
        failure, low, high = 0.0, 0.0, max(high, min(1.0, stated.most))
    spread = float((estimates / failure).std(ddof=1)) if failure > 0.0 else 0.0
    tails.append(excess_p_value(estimates, stated.most))
    predicted: Row = {"prediction": None, "prediction_clamped": False}
    if stated.prediction is not None and stated.least is not None:
        predicted = clamped(stated.prediction, stated.least, stated.most)
    return {
        "n": n,
        **_settings(question),
        "samples": RUNS * samples,
        "failure": failure,
        "failure_low": low,
        "failure_high": high,
        "error": spread / math.sqrt(RUNS),
        "spread": spread,
        "failure_least": stated.least,
        "failure_most": stated.most if stated.most >= LEAST_TOLD else None,
        **predicted,
        "over_prediction": failure / stated.prediction if stated.prediction else None,
    }


def _summary(question: Any, delta: float, rows: Sequence[Row]) -> Row:
    """``first_n``: the first n whose interval lies below delta. ``decay``: a variable's, from the size before
    that n to it (else between the last two sizes); ``decay_least``: of what is proved to fail. ``over_prediction``:
    there.
    """
    try:
        enough: int | None = question.required_n(delta)
    except ValueError:
        enough = None
    seen = [row for row in rows if row["failure_high"] <= delta]
    near = [row for row in rows if not seen or row["n"] <= seen[0]["n"]]
    told = [row["over_prediction"] for row in near[-1:] if row["over_prediction"] is not None]
    return {
        **_settings(question),
        "delta": delta,
        "necessary_n": question.necessary_n(delta),
        "required_n": enough,
        "first_n": seen[0]["n"] if seen else None,
        "decay": _decay(near, "failure"),
        "decay_least": _decay(near, "failure_least"),
        "over_prediction": told[0] if told else None,
    }


def _decay(rows: Sequence[Row], name: str) -> float | None:
    if len(rows) < 2 or not (rows[-2][name] and rows[-1][name]):
        return None
    before, last = rows[-2:]
    return math.exp(math.log(last[name] / before[name]) / (last["n"] - before["n"]))


def _foreseen(tailed: Tailed[Any], request: Request[Any]) -> Prediction:
    """Measured on a small run of every question."""
    options, seconds = request.options, 0.0
    assert isinstance(options, TailOptions)
    for question in request.questions:
        run = tailed.tail(question, _sizes(tailed, question, options), _PROBE)
        run(0, 0)  # compiles what is not yet compiled
        begun = time.perf_counter()
        run(0, 1)
        seconds += (time.perf_counter() - begun) / _PROBE * options.trials / options.jobs
    return Prediction(seconds, 0)


def _show(result: Result) -> None:
    from rich.table import Table

    out = console(markup=True)
    axes = tuple(takewhile(lambda name: name != "delta", result.summary[0]))
    rows = rows_by(result.rows, axes)
    for entry in result.summary:
        setting = {name: entry[name] for name in axes}
        title = ", ".join(f"{name} = {_number(value)}" for name, value in setting.items())
        table = Table(title=title, title_justify="left", padding=(0, 1))
        for key in _COLUMNS:
            table.add_column(_HEADINGS.get(key, key), justify="left" if key == "verdict" else "right", no_wrap=True)
        mine = rows[tuple(setting.values())]
        for row in mine:
            table.add_row(*(_cell(row, key) for key in _COLUMNS))
        out.print(table)
        if any(row["prediction_clamped"] for row in mine):
            out.print(FOOTNOTE, soft_wrap=True)
        if any(row["spread"] > 1.0 for row in mine):
            out.print("? the runs differ by more than their mean: take more trials", soft_wrap=True)
        out.print(_sentence(entry), soft_wrap=True)


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "verdict":
        return f"[{COLOURS[row[key]]}]{row[key]}[/]"
    if key == "failure_low":
        return f"{row[key]:.2e} .. {row['failure_high']:.2e}" + ("?" if row["spread"] > 1.0 else "")
    if row[key] is None:
        return "-"
    mark = MARK if key == "prediction" and row["prediction_clamped"] else ""
    return (f"{row[key]:.2e}" if isinstance(row[key], float) else str(row[key])) + mark


def _sentence(entry: Mapping[str, Any]) -> str:
    seen = "no n here shows it" if entry["first_n"] is None else f"the estimates show it from n = {entry['first_n']}"
    text = f"For failure <= {entry['delta']:g}: {necessary(entry)}, {suffices(entry)}; {seen}."
    if entry["decay"] is not None:
        text += f" There a further variable multiplies it by {entry['decay']:.3g}"
        text += "." if entry["decay_least"] is None else f", what is proved to fail by {entry['decay_least']:.3g}."
    if entry["over_prediction"] is not None:
        text += f" The failure is {entry['over_prediction']:.3g} times the prediction."
    return text


def estimate(experiment: Experiment[Any, Any], args: Sequence[str], *, prog: str = "") -> int:
    """The command of an experiment with ``--tail``."""
    if not isinstance(experiment, Tailed):
        raise flags.UsageError(f"--tail: {REFUSED[experiment.name]}")
    given: Any = flags.parse(experiment.tail_config, args, prog=prog or f"python -m {experiment.command} --tail")
    experiment.check_tail(given)
    questions = experiment.request(given).questions
    request = Request(questions, read_options(TailOptions, given))
    check_files(given, figure="tail", curves=len(questions), settings_of="the question")
    head = f"seed {request.options.seed}, {counted(request.options.trials, 'sample')} in {RUNS} runs"

    def count() -> Result:
        announce(_foreseen(experiment, request), max_time=given.max_time, quiet=given.quiet)
        quiet = given.quiet or given.json
        if not quiet:
            print(head, flush=True)
        with progress(request.options.trials * len(questions), quiet=quiet) as advance:
            return _simulated(experiment, request, advance)

    result = kept_or(count, "sims.tail", 1, request, given, head=head)
    picture = ("picture", given.plot, lambda: result.plot(given.plot))
    return deliver(result, given, show=lambda: _show(result), files=[picture], code=refuted(result, given))


def configs() -> dict[str, type[Any]]:
    """The flags of the command, which asks about subset sums."""
    experiment = experiment_named("subset_sum")
    assert isinstance(experiment, Tailed)
    return {"": experiment.tail_config}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        given = list(sys.argv[1:] if args is None else args)
        return estimate(experiment_named("subset_sum"), given, prog="python -m sims.tail")

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
