"""The constants that the papers leave open, measured: the smallest n that does, in units of each paper's form.

``python -m sims.constants --eps 0.01 --delta 0.01`` prints C = n/form with an interval for every form.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from sims.commands import cli, flags
from sims.commands.flags import UsageError, between
from sims.options import fresh_seed
from sims.plain_text import counted
from sims.progress import progress

if TYPE_CHECKING:
    from sims.statistics.result import Result

Names = Annotated[tuple[str, ...], *flags.written("NAME [NAME ...]", tuple, many=True)]


_WORTH_REHEARSING = 10_000
"""Trials at one n of all rows together, from which the work may take longer than a word about it."""


@dataclass(frozen=True)
class Constants:
    """The constant of every O(.) form: C = n/form at the smallest n whose success probability is at least 1 - delta.

    The interval comes from the largest n that the simulation refutes and the smallest that it confirms, at 95 %. The
    forms of theory.necessary.widths take these constants as C.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.constants --eps 0.01 --delta 0.01",
        "python -m sims.constants --form threshold recycling --eps 1e-2 1e-3 --R 1:5 --json",
    )

    eps: flags.Reals = (0.01,)
    """Accuracy in [1e-4, 0.5]; several make a grid."""
    delta: flags.Reals = (0.01,)
    """Failure probability in (0, 1); several make a grid."""
    R: flags.Integers = (1, 2, 5)
    """Draws, for the forms that have them."""
    form: Names = ("all",)
    """Which forms: threshold, lueker, lueker-products, dacunha, burkholz, pick-one, recycling, or all."""
    trials: flags.Integer = 2000
    """Trials per n, up to 1e9."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores. The counts do not depend on it."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv replace files of any kind, but for inputs."""


def _forms(names: Sequence[str]) -> tuple[str, ...]:
    from sims.constant_forms import NAMES

    if tuple(names) == ("all",):
        return NAMES
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--form takes all or names among {', '.join(NAMES)}, got {name!r}")
    if len(set(names)) < len(names) or not names:
        raise UsageError("--form needs at least one name and none twice")
    return tuple(names)


def measure(given: Constants) -> Result:
    """Measure every form that was asked for."""
    from sims.commands.prediction import Prediction, announce
    from sims.constant_forms import BURKHOLZ_EPS, FORMS, Case, burkholz, seconds_of
    from sims.options import check_grid
    from sims.solver.limits import MAX_SEED
    from sims.solver.memory import default_jobs
    from sims.statistics.intervals import clopper_pearson
    from sims.statistics.result import Result, provenance

    started = time.monotonic()
    forms = _forms(given.form)
    trials = between("--trials", given.trials, 1, 10**9)
    seed = between("--seed", fresh_seed() if given.seed is None else given.seed, 0, MAX_SEED)
    jobs = between("--jobs", default_jobs() if given.jobs is None else given.jobs, 1, 4096)
    for R in given.R:
        between("--R", R, 1, 10**6)
    for eps in given.eps:
        if not 1e-4 <= eps <= 0.5:
            raise UsageError(f"--eps must be in [1e-4, 0.5], got {eps:g}")
        check_grid(eps)
    for delta in given.delta:
        if not 0.0 < delta < 1.0:
            raise UsageError(f"--delta must be in (0, 1), got {delta:g}")
        if clopper_pearson(trials, trials)[0] < 1.0 - delta:
            need = math.ceil(math.log(0.025) / math.log1p(-delta))
            raise UsageError(f"--delta {delta:g} cannot be confirmed with {trials} trials: give --trials {need}")
    cases = [
        (name, Case(eps, delta, R, trials, seed, jobs))
        for eps in given.eps
        for delta in given.delta
        for name in forms
        if name in FORMS
        for R in (given.R if FORMS[name].draws else (1,))
    ]
    for name, case in cases:
        FORMS[name].check(name, case)
    laws = ("U", "U*U") if "burkholz" in forms else ()
    if trials * (len(cases) + len(laws)) > _WORTH_REHEARSING:
        estimates = [(law, Case(BURKHOLZ_EPS, 0.0, 1, trials, seed, jobs)) for law in laws]
        seconds = seconds_of(cases) + seconds_of(estimates)
        announce(Prediction(seconds, 0), max_time=given.max_time, quiet=given.quiet)
    rows = []
    with progress(len(cases) + len(laws), quiet=given.quiet or given.json) as advance:
        for name, case in cases:
            advance(0, label=name)
            rows.append(FORMS[name].row(name, case))
            advance(1, label=name)
        for law in laws:
            advance(0, label="burkholz")
            rows.append(burkholz(law, trials, seed, jobs))
            advance(1, label="burkholz")
    params = {
        "eps": given.eps, "delta": given.delta, "R": given.R, "form": forms,
        "trials": trials, "seed": seed, "jobs": jobs,
    }  # fmt: skip
    seconds = time.monotonic() - started
    return Result("sims.constants", params, rows, provenance(seed=seed, threads=jobs, seconds=seconds))


def _print(result: Result) -> None:
    from rich.table import Table

    from sims.commands.output import console

    out = console()
    print(f"seed {result.params['seed']}, {counted(result.params['trials'], 'trial')} at each n")
    table = Table(
        title="Smallest n with success >= 1 - delta, and its 95 % interval", title_justify="left", padding=(0, 0)
    )
    for name in ("form", "law", "R", "eps", "delta", "unit", "n", "C = n/unit"):
        table.add_column(name, justify="right" if name in ("R", "eps", "delta") else "left", no_wrap=True)
    for row in result.rows:
        given = row["form"] == "burkholz"
        table.add_row(
            row["form"],
            row["law"],
            str(row["R"]),
            f"{row['eps']:g}",
            f"{row['delta']:.3g}",
            row["unit"],
            f"{row['n']} (given)" if given else f"{row['n']} ({row['n_refuted'] + 1}..{row['n_confirmed']})",
            f"{row['C']:.3g} ({row['C_low']:.3g}..{row['C_high']:.3g})",
        )
    out.print(table, soft_wrap=True)
    print("Measured, no bounds. U: uniform on [-1, 1]; U*U: products of two, rounded to the grid 2^-52.")
    for form, target in {row["form"]: row["target"] for row in result.rows}.items():
        print(f"{form}: {target}")


def run_constants(given: Constants) -> int:
    """Measure, print and write what was asked for; returns the exit code."""
    from sims.commands.output import check_table, deliver

    check_table(given)
    result = measure(given)
    return deliver(result, given, show=lambda: _print(result))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: run_constants(flags.parse(Constants, args, prog="python -m sims.constants")), argv)


if __name__ == "__main__":
    sys.exit(main())
