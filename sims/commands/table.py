"""The machinery of the commands that print success probabilities against n, beside proved bounds.

A command supplies an ``Experiment``; this module supplies the flags, the loops, the verdicts, the table and the files.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from sims.commands import cli
from sims.commands.output import COLOURS, check_files, console, deliver, number
from sims.solver.fixed_point import Integers, window
from sims.solver.memory import default_jobs
from sims.solver.philox import GRID_BITS, MAX_SEED, MAX_TRIAL, TARGETS, VALUES, grid_draws
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from sims.statistics.result import Result, provenance
from sims.statistics.trials import Count, count_trials, count_until
from sims.statistics.verdict import verdicts

MAX_TRIALS = 10**12

MIN_EPS = 2.0**-40
"""Draws stand on a grid of 2^-52; a window narrower than this would feel it."""

Alpha = float | Literal["uniform"]


@dataclass(frozen=True)
class Flags:
    """Flags that these commands share."""

    R: Annotated[tuple[str, ...], cli.values("INT [INT ...]")] = ("1",)
    """Draws that each variable may take; several make a grid. Ranges: 1:5, 1:9:2."""
    eps: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("0.01",)
    """Accuracy in (0, 1]; several make a grid."""
    alpha: Annotated[tuple[str, ...], cli.values("FLOAT|uniform [...]")] = ("0.5",)
    """Target in [-1, 1], or `uniform`: a new one for every trial."""
    n: Annotated[tuple[str, ...], cli.values("auto|INT|RANGE [...]")] = ("auto",)
    """Numbers of variables: 8, 1:30, 4:40:4. auto: from 1 to two past the first whose predicted success is at least
    1 - delta; where those are more than 60, 31 of them."""
    delta: Annotated[str, cli.values("FLOAT")] = "0.01"
    """Failure probability in (0, 1) that the summary asks for."""
    trials: Annotated[str, cli.values("INT")] = "1e5"
    """Trials per row, up to 1e12."""
    until: Annotated[str | None, cli.values("WIDTH")] = None
    """Stop a row as soon as its 95 % confidence sequence is narrower than this."""
    seed: Annotated[str | None, cli.values("INT")] = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    first_trial: Annotated[str, cli.values("INT")] = "0"
    """Number of the first trial: runs that cover the trials in parts add up to the same counts."""
    jobs: Annotated[str | None, cli.values("INT")] = None
    """Threads. Default: all available cores. The counts do not depend on it."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows as CSV."""
    plot: Annotated[str | None, cli.values("FILE")] = None
    """Also draw the result (.png, .pdf or .svg)."""
    check: bool = False
    """Exit with 1 if a proved bound is refuted."""
    quiet: bool = False
    """No table and no progress bar."""


@dataclass(frozen=True)
class Settings:
    """Validated flags."""

    R: tuple[int, ...]
    eps: tuple[float, ...]
    alpha: tuple[Alpha, ...]
    n: tuple[int, ...] | None
    delta: float
    trials: int
    until: float | None
    seed: int
    first_trial: int
    jobs: int


def settings(flags: Flags) -> Settings:
    """Validate the flags.

    Raises
    ------
    UsageError or ValueError
        One line naming the flag and the value.
    """
    from theory.numerics import check

    alphas: list[Alpha] = [
        "uniform" if token == "uniform" else check.target_value("alpha", cli.real("--alpha", token))
        for token in flags.alpha
    ]
    if len(set(alphas)) < len(alphas) or not alphas:
        raise cli.UsageError("--alpha needs at least one value and none twice")
    sizes = None if flags.n == ("auto",) else cli.integers("--n", flags.n)
    for n in sizes or ():
        cli.between("--n", n, 1, 10**6)
    draws = cli.integers("--R", flags.R)
    for value in draws:
        cli.between("--R", value, 1, 10**12)
    trials = cli.between("--trials", cli.integer("--trials", flags.trials), 1, MAX_TRIALS)
    first = cli.between("--first-trial", cli.integer("--first-trial", flags.first_trial), 0, MAX_TRIAL - MAX_TRIALS)
    until = None if flags.until is None else cli.real("--until", flags.until)
    if until is not None and not 0.0 < until < 1.0:
        raise cli.UsageError(f"--until must be in (0, 1), got {flags.until}")
    seed = cli.fresh_seed() if flags.seed is None else cli.integer("--seed", flags.seed)
    jobs = default_jobs() if flags.jobs is None else cli.integer("--jobs", flags.jobs)
    return Settings(
        R=draws,
        eps=tuple(check.accuracy("eps", value) for value in cli.reals("--eps", flags.eps)),
        alpha=tuple(alphas),
        n=sizes,
        delta=check.open_probability("delta", cli.real("--delta", flags.delta)),
        trials=trials,
        until=until,
        seed=cli.between("--seed", seed, 0, MAX_SEED),
        first_trial=first,
        jobs=cli.between("--jobs", jobs, 1, 4096),
    )


@dataclass(frozen=True)
class Cell:
    """One setting of the grid; ``kind`` is the model or the sampler."""

    R: int
    eps: float
    alpha: Alpha
    kind: str


@dataclass(frozen=True)
class Bounds:
    """What theory says of one row: the proved band and the further columns, in order."""

    low: float
    high: float
    columns: Mapping[str, float]


class Experiment(ABC):
    """What a command adds to the table machinery."""

    command: ClassVar[str]
    kind_name: ClassVar[str]
    """Column name of ``Cell.kind``."""

    @abstractmethod
    def predicted_n(self, cell: Cell, delta: float) -> int:
        """Smallest n whose predicted success is at least 1 - delta."""

    @abstractmethod
    def counter(self, cell: Cell, sizes: Sequence[int], seed: int, jobs: int) -> tuple[Count, int]:
        """The counting function of a cell, for all its n at once, and how many trials one call should take.

        Raises ValueError if it does not fit into memory.
        """

    @abstractmethod
    def bounds(self, cell: Cell, n: int) -> Bounds:
        """The theory of a row."""

    @abstractmethod
    def summary(self, cell: Cell, delta: float) -> dict[str, Any]:
        """Necessary and sufficient n of a cell, and what else its summary says."""

    @abstractmethod
    def sentence(self, entry: Mapping[str, Any]) -> str:
        """The summary of a cell for people."""

    @abstractmethod
    def draw(self, result: Result, path: str) -> None:
        """Draw the result into a file; imports the figure lazily."""


def windows(alpha: Alpha, eps: float, seed: int, first: int, trials: int) -> tuple[Integers, Integers]:
    """The success windows of a range of trials as (twice the centre, width) on the grid of ``sims.solver.philox``."""
    import numpy as np

    if alpha == "uniform":
        centres = 2 * grid_draws(seed, first, trials, 1, stream=TARGETS)[:, 0]
        return centres, np.full(trials, window(0.0, eps, GRID_BITS)[1], np.int64)
    centre, width = window(float(alpha), eps, GRID_BITS)
    return np.full(trials, centre, np.int64), np.full(trials, width, np.int64)


def default_sizes(last: int) -> tuple[int, ...]:
    """1, ..., last, or 31 of them if they are many.

    Examples
    --------
    >>> default_sizes(4), default_sizes(3001)[:3], default_sizes(3001)[-1]
    ((1, 2, 3, 4), (1, 101, 201), 3001)
    """
    if last <= 60:
        return tuple(range(1, last + 1))
    return tuple(1 + (last - 1) * i // 30 for i in range(31))


def check_grid(eps: float) -> None:
    """Refuse an eps so small that the grid of the draws would show in the result."""
    if eps < MIN_EPS:
        raise ValueError(f"eps must be at least 2^-40 = {MIN_EPS:.3g} for draws on a grid of 2^-52, got eps={eps:g}")


def draws(seed: int, first: int, trials: int, count: int) -> Integers:
    """The values of a range of trials, shape (trials, count), on the grid of ``sims.solver.philox``."""
    return grid_draws(seed, first, trials, count, stream=VALUES)


def run_table(experiment: Experiment, flags: Flags, kind: str) -> int:
    """Simulate every cell and row, judge them, and write what was asked for; returns the exit code."""
    started = time.monotonic()
    options = settings(flags)
    cells = [Cell(R, eps, alpha, kind) for R in options.R for eps in options.eps for alpha in options.alpha]
    check_files(flags, curves=len(cells), settings_of="R, eps and alpha")
    plan = []
    for cell in cells:
        sizes = options.n or default_sizes(experiment.predicted_n(cell, options.delta) + 2)
        plan.append((cell, sizes, *experiment.counter(cell, sizes, options.seed, options.jobs)))
    if not (flags.quiet or flags.json):
        print(f"seed {options.seed}, {options.trials} trials a row", flush=True)
    result = simulate(experiment, options, plan, kind, quiet=flags.quiet or flags.json, started=started)
    return deliver(
        result,
        flags,
        draw=lambda path: experiment.draw(result, path),
        show=lambda: print_tables(experiment, result),
    )


def simulate(
    experiment: Experiment,
    options: Settings,
    plan: Sequence[tuple[Cell, Sequence[int], Count, int]],
    kind: str,
    *,
    quiet: bool,
    started: float,
) -> Result:
    """Count, then judge all rows together."""
    counts: list[tuple[int, int]] = []
    with cli.progress(options.trials * len(plan), quiet=quiet) as advance:
        for cell, _, count, piece in plan:
            report = partial(advance, label=f"R={cell.R} eps={cell.eps:g}")
            first, trials, jobs = options.first_trial, options.trials, options.jobs
            if options.until is None:
                found = count_trials(count, first, trials, piece=piece, jobs=jobs, advance=report)
                counts += [(successes, trials) for successes in found.tolist()]
            else:
                counts += count_until(count, first, trials, options.until, piece=piece, jobs=jobs, advance=report)
    cells = [(cell, n) for cell, sizes, _, _ in plan for n in sizes]
    bounds = [experiment.bounds(cell, n) for cell, n in cells]
    anytime = options.until is not None
    judged = verdicts(counts, [(bound.low, bound.high) for bound in bounds], anytime=anytime)
    interval = confidence_sequence if anytime else clopper_pearson
    rows = []
    for (cell, n), (successes, trials), bound, verdict in zip(cells, counts, bounds, judged, strict=True):
        low, high = interval(successes, trials)
        rows.append(
            {
                "n": n,
                "R": cell.R,
                "eps": cell.eps,
                "alpha": cell.alpha,
                experiment.kind_name: cell.kind,
                "trials": trials,
                "successes": successes,
                "success": successes / trials,
                "ci_low": low,
                "ci_high": high,
                **bound.columns,
                "verdict": verdict,
            }
        )
    return Result(
        command=experiment.command,
        params={**dataclasses.asdict(options), experiment.kind_name: kind},
        rows=rows,
        summary=[_summarise(experiment, cell, options.delta, rows) for cell, *_ in plan],
        provenance=provenance(seed=options.seed, threads=options.jobs, seconds=time.monotonic() - started),
    )


def _summarise(experiment: Experiment, cell: Cell, delta: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mine = [row for row in rows if (row["R"], row["eps"], row["alpha"]) == (cell.R, cell.eps, cell.alpha)]
    reached = [row["n"] for row in mine if row["ci_low"] >= 1.0 - delta]
    return {
        "R": cell.R,
        "eps": cell.eps,
        "alpha": cell.alpha,
        experiment.kind_name: cell.kind,
        "delta": delta,
        **experiment.summary(cell, delta),
        "first_n": min(reached, default=None),
    }


_HEADINGS = {"ci_low": "95 % interval", "success": "simulated", "lower_bound": "lower", "upper_bound": "upper"}
_HIDDEN = ("R", "eps", "alpha", "model", "sampler", "kind", "gain", "trials", "successes", "ci_high")


def print_tables(experiment: Experiment, result: Result) -> None:
    """One table per cell, readable in 100 columns."""
    from rich.table import Table

    out = console()
    for entry in result.summary:
        cell = tuple(entry[key] for key in ("R", "eps", "alpha"))
        kind = entry[experiment.kind_name]
        title = f"R = {cell[0]}, eps = {cell[1]:g}, alpha = {cell[2]}, {experiment.kind_name} {kind}"
        rows = [row for row in result.rows if (row["R"], row["eps"], row["alpha"]) == cell]
        same = ("bound", "prediction") if "exact" in rows[0] else ()  # repeated in lower and exact
        shown = [key for key in rows[0] if key not in (*_HIDDEN, *same)]
        table = Table(title=title, title_justify="left")
        for key in shown:
            table.add_column(_HEADINGS.get(key, key), justify="left" if key == "verdict" else "right", no_wrap=True)
        for row in rows:
            texts = []
            for key in shown:
                value = row[key]
                if key == "ci_low":
                    texts.append(f"{number(value)} .. {number(row['ci_high'])}")
                elif key == "verdict":
                    texts.append(f"[{COLOURS[value]}]{value}[/]")
                else:
                    texts.append(str(value) if key == "n" else number(value))
            table.add_row(*texts)
        out.print(table)
        out.print(experiment.sentence(entry), soft_wrap=True)
