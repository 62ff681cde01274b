"""How rare is it that no choice of n re-sampled values sums to within eps of alpha: 1e-3, or 1e-12?

``python -m sims.tail --R 5 --eps 0.01`` estimates the failure for every n, without bias and however rare it is, beside
the proved bounds and the prediction. ``sims.subset_sum`` counts trials instead, and sees no failure below 1e-6.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from sims.band import FOOTNOTE, MARK, clamped
from sims.commands import cli, flags
from sims.commands.experiment import kept_or
from sims.commands.output import COLOURS, check_files, console, deliver, refuted
from sims.commands.prediction import Prediction, announce
from sims.experiment import necessary, suffices
from sims.options import Options, Request, Row, between, check_grid, default_sizes, grid, read_options
from sims.plain_text import counted
from sims.progress import Advance, progress, silent
from sims.solver.arguments import Floats
from sims.statistics.intervals import holm
from sims.statistics.replicates import excess_p_value, mean_interval
from sims.statistics.result import Result, provenance
from sims.statistics.verdict import CONSISTENT, LEVEL, REFUTED
from sims.threads import one_per_thread, ordered
from theory.subset_sum import SubsetSum

RUNS = 64
"""Independent runs, into which the samples are divided; their spread gives the interval."""

_PROBE = 32  # samples of the run that the prediction of the time is measured on
_LEAST_TOLD = 1e-14
"""The bounds are of success, as floats: what they say of smaller failures is not shown."""

_COLUMNS = ("n", "failure", "failure_low", "failure_least", "failure_most", "prediction", "verdict")
_HEADINGS = {"failure_low": "95 % interval", "failure_least": "proved >=", "failure_most": "proved <="}


@dataclass(frozen=True)
class Config(flags.Grid):
    """With n uniform variables on [-1, 1], R draws each, how rare is it that no choice sums to within eps of alpha?

    Prints for every n an unbiased estimate of the failure with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic) and a verdict on the upper bound, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.tail --R 5 --eps 0.01",
        "python -m sims.tail --R 1 2 5 --n 1:50 --plot failure.png",
    )

    n: flags.AutoIntegers = None
    """Numbers of variables: 8, 1:30, 4:40:4. Default: auto, from 1 to the n that is proved to suffice, at most 60."""
    delta: flags.Real = 1e-12
    """Failure probability in (0, 1) that the summary asks for."""
    trials: flags.Integer = 10**5
    """Samples, in 64 independent runs; the error falls like one over their square root."""
    model: Literal["choice", "vector"] = "choice"
    """choice: at most one of the R draws of each variable. vector: a subset of one of R independent vectors."""


@dataclass(frozen=True, kw_only=True)
class TailOptions(Options):
    """`sims.options.Options`, of which ``trials`` are samples, at least 128; nothing stops early or begins later."""

    delta: float = 1e-12

    max_n: ClassVar[int] = 1000
    max_trials: ClassVar[int] = 10**9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("trials", self.trials, 2 * RUNS, self.max_trials)
        if self.until is not None or self.first_trial:
            raise ValueError("until and first_trial are for counted trials, not for samples of rare failures")


def rare_failures(questions: Sequence[SubsetSum], *, advance: Advance = silent, **options: Any) -> Result:
    """Estimate the failure of subset sums for every n, however rare.

    Parameters
    ----------
    questions : sequence of SubsetSum
    **options
        Of `TailOptions`: n, trials, seed, jobs, delta.

    Returns
    -------
    Result
        Rows with ``failure``, its 95 % interval ``failure_low`` to ``failure_high`` (approximate: Hall's), the relative
        ``spread`` of one run (an interval with a spread above 1 is not to be trusted), the proved ``failure_least`` and
        ``failure_most`` (None below 1e-14, where floats near 1 end; so is the prediction then), and a verdict on the
        latter at 1e-6, which holds whatever the law of the runs.

    Raises
    ------
    ValueError
        An option outside its domain, or samples that do not fit into memory.

    Examples
    --------
    >>> result = rare_failures([SubsetSum(R=1, eps=0.5, alpha=1.0)], n=[20], trials=20000, seed=1)
    >>> [f"{row['failure']:.1e}" for row in result.rows]  # exactly 7.26e-5
    ['7.3e-05']
    """
    return _simulated(Request(tuple(questions), TailOptions(**options)), advance)


def _sizes(question: SubsetSum, options: TailOptions) -> tuple[int, ...]:
    if options.n is not None:
        return options.n
    try:
        return default_sizes(min(60, question.required_n(options.delta)))
    except ValueError:  # nothing is proved to suffice
        return default_sizes(60)


def _runs(question: SubsetSum, n: int, samples: int) -> Callable[[int, int], Floats]:
    """run(seed, number): unbiased estimates of the failure at 1, ..., n."""
    from sims.solver.tail import Tail

    check_grid(question.eps)
    if question.model == "choice":
        return Tail(n, question.R, question.eps, question.alpha, samples).run
    if question.alpha == "uniform":
        raise ValueError("model vector with a uniform alpha is not done here: its R vectors share the target")
    tail = Tail(n, 1, question.eps, question.alpha, samples)

    def every_vector(seed: int, number: int) -> Floats:
        """All R vectors fail independently, so one estimate for each of them, multiplied, is unbiased."""
        product: Floats = np.prod([tail.run(seed, number * question.R + r) for r in range(question.R)], axis=0)
        return product

    return every_vector


def _simulated(request: Request[SubsetSum], advance: Advance) -> Result:
    started, options = time.monotonic(), request.options
    assert isinstance(options, TailOptions)
    samples = -(-options.trials // RUNS)
    rows: list[Row] = []
    summary: list[Row] = []
    tails: list[float] = []
    for question in request.questions:
        sizes = _sizes(question, options)
        own = one_per_thread(partial(_runs, question, max(sizes), samples))

        def one(number: int, own: Callable[[], Callable[[int, int], Floats]] = own) -> Floats:
            return own()(options.seed, number)

        estimates = []
        for estimate in ordered(one, ((number,) for number in range(RUNS)), jobs=options.jobs):
            estimates.append(estimate)
            advance(samples, label=_named(question))
        mine = [_row(question, n, samples, np.array([found[n - 1] for found in estimates]), tails) for n in sizes]
        rows += mine
        summary.append(_summary(question, options.delta, mine))
    refuted = holm(tails, LEVEL)
    rows = [{**row, "verdict": REFUTED if bad else CONSISTENT} for row, bad in zip(rows, refuted, strict=True)]
    axes = {name: request.axis(name) for name in ("R", "eps", "alpha")}
    return Result(
        command="sims.tail",
        params={**axes, **asdict(options), "model": request.axis("model")[0], "runs": RUNS},
        rows=rows,
        summary=summary,
        provenance=provenance(seed=options.seed, threads=options.jobs, seconds=time.monotonic() - started),
    )


def _named(question: SubsetSum) -> str:
    return f"R={question.R} eps={question.eps:g} alpha={question.alpha}"


def _row(question: SubsetSum, n: int, samples: int, estimates: Floats, tails: list[float]) -> Row:
    least, most = 1.0 - question.success_upper(n), 1.0 - question.success_lower(n)
    low, high = mean_interval(estimates)
    failure = float(estimates.mean())
    tails.append(excess_p_value(estimates, most))
    return {
        "n": n,
        "R": question.R,
        "eps": question.eps,
        "alpha": question.alpha,
        "model": question.model,
        "samples": RUNS * samples,
        "failure": failure,
        "failure_low": low,
        "failure_high": high,
        "spread": float((estimates / failure).std(ddof=1)) if failure > 0.0 else 0.0,
        "failure_least": least if least >= _LEAST_TOLD else None,
        "failure_most": most if most >= _LEAST_TOLD else None,
        **(
            clamped(1.0 - question.success_prediction(n), least, most)
            if least >= _LEAST_TOLD
            else {"prediction": None, "prediction_clamped": False}
        ),
    }


def _summary(question: SubsetSum, delta: float, rows: Sequence[Row]) -> Row:
    """``first_n``: the first n whose interval lies below delta. ``decay``: of the last two sizes, a variable."""
    try:
        enough: int | None = question.required_n(delta)
    except ValueError:
        enough = None
    seen = [row for row in rows if row["failure"] > 0.0]
    decay = None
    if len(seen) > 1:
        (a, b), between_them = seen[-2:], seen[-1]["n"] - seen[-2]["n"]
        decay = math.exp(math.log(b["failure"] / a["failure"]) / between_them)
    return {
        "R": question.R,
        "eps": question.eps,
        "alpha": question.alpha,
        "delta": delta,
        "necessary_n": question.necessary_n(delta),
        "required_n": enough,
        "first_n": min((row["n"] for row in rows if row["failure_high"] <= delta), default=None),
        "decay": decay,
    }


def _foreseen(request: Request[SubsetSum]) -> Prediction:
    """Measured on a small run of every question."""
    options, seconds = request.options, 0.0
    assert isinstance(options, TailOptions)
    for question in request.questions:
        run = _runs(question, max(_sizes(question, options)), _PROBE)
        run(0, 0)  # compiles what is not yet compiled
        begun = time.perf_counter()
        run(0, 1)
        seconds += (time.perf_counter() - begun) / _PROBE * options.trials / options.jobs
    return Prediction(seconds, 0)


def _show(result: Result) -> None:
    from rich.table import Table

    out = console(markup=True)
    for entry in result.summary:
        title = f"R = {entry['R']}, eps = {entry['eps']:g}, alpha = {entry['alpha']}"
        table = Table(title=title, title_justify="left", padding=(0, 1))
        for key in _COLUMNS:
            table.add_column(_HEADINGS.get(key, key), justify="left" if key == "verdict" else "right", no_wrap=True)
        mine = [row for row in result.rows if all(row[key] == entry[key] for key in ("R", "eps", "alpha"))]
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
    decay = "" if entry["decay"] is None else f" At the end a further variable multiplies it by {entry['decay']:.3g}."
    return f"For failure <= {entry['delta']:g}: {necessary(entry)}, {suffices(entry)}; {seen}.{decay}"


def _work(args: Sequence[str] | None) -> int:
    given = flags.parse(Config, args, prog="python -m sims.tail")
    questions = grid(SubsetSum, {"R": given.R, "eps": given.eps, "alpha": given.alpha}, model=given.model)
    request = Request(questions, read_options(TailOptions, given))
    check_files(given, figure="tail", curves=len(questions), settings_of="R, eps and alpha")
    head = f"seed {request.options.seed}, {counted(request.options.trials, 'sample')} in {RUNS} runs"

    def count() -> Result:
        announce(_foreseen(request), max_time=given.max_time, quiet=given.quiet)
        quiet = given.quiet or given.json
        if not quiet:
            print(head, flush=True)
        with progress(request.options.trials * len(questions), quiet=quiet) as advance:
            return _simulated(request, advance)

    result = kept_or(count, "sims.tail", 1, request, given, head=head)
    picture = ("picture", given.plot, lambda: result.plot(given.plot))
    return deliver(result, given, show=lambda: _show(result), files=[picture], code=refuted(result, given))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(_work, argv)


if __name__ == "__main__":
    sys.exit(main())
