"""The constants that the papers leave open, measured: the smallest n that does, in units of each paper's form.

``python -m sims.constants --eps 0.01 --delta 0.01`` prints C = n/form with an interval for every form.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from sims.commands.output import console
from sims.commands.table import Cell, check_grid
from sims.constant_search import Bracket, ProductCoverageCounter, from_counts, product_counter, walk
from sims.coverage import CoverageCounter, Setting
from sims.recycling import recycling_counter
from sims.single_weight import draws_counter
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result, check_output, print_json, provenance, write_text
from sims.statistics.trials import count_trials
from sims.subset_sum import subset_sum_counter

ALPHA = 0.5
"""The fixed target of the forms that speak of one."""

MAX_N = 26
"""Largest n of the exact coverage: 2^26 sums for one value set."""

BURKHOLZ_N, BURKHOLZ_EPS = 15, 0.01
"""What the author's code simulates."""


@dataclass(frozen=True)
class Constants:
    """The constant of every O(.) form: C = n/form at the smallest n whose success probability is at least 1 - delta.

    The interval comes from the largest n that the simulation refutes and the smallest that it confirms, at 95 %. The
    forms of theory.necessary.widths take these constants as C.
    """

    eps: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("0.01",)
    """Accuracy in [1e-4, 0.5]; several make a grid."""
    delta: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("0.01",)
    """Failure probability in (0, 1); several make a grid."""
    R: Annotated[tuple[str, ...], cli.values("INT [INT ...]")] = ("1", "2", "5")
    """Draws, for the forms that have them."""
    form: Annotated[tuple[str, ...], cli.values("NAME [NAME ...]")] = ("all",)
    """Which forms: threshold, lueker, lueker-products, dacunha, burkholz, pick-one, recycling, or all."""
    trials: Annotated[str, cli.values("INT")] = "2000"
    """Trials per n, up to 1e9."""
    seed: Annotated[str | None, cli.values("INT")] = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    jobs: Annotated[str | None, cli.values("INT")] = None
    """Threads. Default: all available cores. The counts do not depend on it."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows as CSV."""
    quiet: bool = False
    """No table and no progress bar."""


@dataclass(frozen=True)
class Case:
    """One row to measure."""

    eps: float
    delta: float
    R: int
    trials: int
    seed: int
    jobs: int


def _bracket_row(
    case: Case, bracket: Bracket, unit: float, form: str, text: str, law: str, target: str
) -> dict[str, Any]:
    return {
        "form": form,
        "unit": text,
        "law": law,
        "target": target,
        "R": case.R,
        "eps": case.eps,
        "delta": case.delta,
        "trials": case.trials,
        "n_refuted": bracket.refuted,
        "n": bracket.n,
        "n_confirmed": bracket.confirmed,
        "C_low": (bracket.refuted + 1) / unit,
        "C": bracket.n / unit,
        "C_high": bracket.confirmed / unit,
    }


def _curve(case: Case, make: Callable[..., Any], guess: int, step: int = 1) -> Bracket:
    """Counts at 1, ..., top (in steps), all at once; top grows until an n is confirmed."""
    top = guess
    cell = Cell(case.R, case.eps, ALPHA, "choice")
    while True:
        sizes = range(1, top + 1, step)
        count, piece = make(sizes, cell, case.seed, case.jobs)
        found = count_trials(count, 0, case.trials, piece=piece, jobs=case.jobs)
        bracket = from_counts(sizes, found.tolist(), case.trials, case.delta)
        if bracket is not None:
            return bracket
        if np.ptp(found[-3:]) == 0 and top > 4 * guess + 40:
            raise ValueError(f"no n is confirmed with {case.trials} trials at delta={case.delta}; raise --trials")
        top += max(2, top // 4)


def threshold(case: Case) -> dict[str, Any]:
    """One target, choice model: n = C log(1/eps)/log(R+1) (2.4)."""
    unit = math.log(1.0 / case.eps) / math.log(case.R + 1)
    bracket = _curve(case, subset_sum_counter, math.ceil(1.5 * unit) + 3)
    return _bracket_row(case, bracket, unit, "threshold", "log(1/eps)/log(R+1)", "U", f"alpha = {ALPHA:g}")


def recycling(case: Case) -> dict[str, Any]:
    """One target, n slots from n values: n = C log(1/eps)/log 4 (6)."""
    unit = math.log(1.0 / case.eps) / math.log(4.0)
    bracket = _curve(case, recycling_counter, math.ceil(1.5 * unit) + 3)
    return _bracket_row(case, bracket, unit, "recycling", "log(1/eps)/log 4", "U, reused", f"alpha = {ALPHA:g}")


def pick_one(case: Case) -> dict[str, Any]:
    """One draw within eps of alpha = 1, the worst target: n = C 2/(eps R) log(1/delta) (1.2)."""
    unit = 2.0 / (case.eps * case.R) * -math.log(case.delta)
    sizes = sorted({max(1, round(unit * (0.5 + i / 400.0))) for i in range(601)})
    count, piece = draws_counter(sizes, Cell(case.R, case.eps, 1.0, "draws"), case.seed)
    found = count_trials(count, 0, case.trials, piece=piece, jobs=case.jobs)
    bracket = from_counts(sizes, found.tolist(), case.trials, case.delta)
    if bracket is None:
        raise ValueError(f"no n is confirmed with {case.trials} trials at delta={case.delta}; raise --trials")
    return _bracket_row(case, bracket, unit, "pick-one", "2/(eps R) log(1/delta)", "U", "alpha = 1")


_GUESS = {"lueker": 2.6, "lueker-products": 3.6, "dacunha": 2.2}
"""Where the search begins: this times the unit."""


def _unit(form: str, eps: float, delta: float) -> float:
    """The unit of the forms about all targets at once."""
    return math.log2(1.0 / eps) if form == "dacunha" else math.log(2.0 / min(eps, delta))


def _check_coverage(form: str, eps: float, delta: float) -> None:
    """Refuse what would have too many sums."""
    n = round(_GUESS[form] * _unit(form, eps, delta))
    if n > MAX_N - 3:
        raise cli.UsageError(
            f"--form {form} would take about 2^{n} sums a trial at eps={eps:g}, delta={delta:g}, the limit is "
            f"2^{MAX_N - 3}: larger values, or other forms"
        )


def _coverage(case: Case, kind: type[CoverageCounter], eps: float, half: float, form: str) -> Bracket:
    def successes(n: int) -> int:
        counter = kind(Setting(n, 1, -half, half, None), [eps], case.seed, jobs=case.jobs)
        return int(count_trials(counter, 0, case.trials, piece=counter.piece, jobs=case.jobs)[0])

    guess = round(_GUESS[form] * _unit(form, case.eps, case.delta))
    return walk(successes, guess, case.trials, case.delta, last=MAX_N)


def lueker(case: Case) -> dict[str, Any]:
    """All targets in [-1/2, 1/2]: n = C log(2/min(eps, delta)) (3.4)."""
    unit = _unit("lueker", case.eps, case.delta)
    bracket = _coverage(case, CoverageCounter, case.eps, 0.5, "lueker")
    return _bracket_row(case, bracket, unit, "lueker", "log(2/min(eps, delta))", "U", "all in [-1/2, 1/2]")


def lueker_products(case: Case) -> dict[str, Any]:
    """The same for products of two draws, as the construction of Pensia et al. needs it."""
    unit = _unit("lueker-products", case.eps, case.delta)
    bracket = _coverage(case, ProductCoverageCounter, case.eps, 0.5, "lueker-products")
    return _bracket_row(case, bracket, unit, "lueker-products", "log(2/min(eps, delta))", "U*U", "all in [-1/2, 1/2]")


def dacunha(case: Case) -> dict[str, Any]:
    """All targets in [-1, 1] at accuracy 2 eps: n = C log2(1/eps) (3.4; the failure is delta, not its exponential)."""
    unit = _unit("dacunha", case.eps, case.delta)
    bracket = _coverage(case, CoverageCounter, 2.0 * case.eps, 1.0, "dacunha")
    return _bracket_row(case, bracket, unit, "dacunha", "log2(1/eps)", "U", "all in [-1, 1], 2 eps")


def burkholz(law: str, trials: int, seed: int, jobs: int) -> dict[str, Any]:
    """C = n/(-log min(eps, delta_hat)) at n = 15, eps = 0.01, a uniform target; delta_hat by simulation."""
    cell = Cell(1, BURKHOLZ_EPS, "uniform", "choice")
    make = subset_sum_counter if law == "U" else product_counter
    count, piece = make((BURKHOLZ_N,), cell, seed, jobs)
    misses = trials - int(count_trials(count, 0, trials, piece=piece, jobs=jobs)[0])
    low, high = clopper_pearson(misses, trials)

    def constant(miss: float) -> float:
        return BURKHOLZ_N / -math.log(min(BURKHOLZ_EPS, miss)) if miss > 0.0 else 0.0

    return {
        "form": "burkholz",
        "unit": "-log(min(eps, delta_hat))",
        "law": law,
        "target": "alpha ~ U[-1, 1]",
        "R": 1,
        "eps": BURKHOLZ_EPS,
        "delta": misses / trials,
        "trials": trials,
        "n_refuted": BURKHOLZ_N,
        "n": BURKHOLZ_N,
        "n_confirmed": BURKHOLZ_N,
        "C_low": constant(low),
        "C": constant(misses / trials),
        "C_high": constant(high),
    }


_WITH_R = {"threshold": threshold, "pick-one": pick_one}
_WITHOUT_R = {"lueker": lueker, "lueker-products": lueker_products, "dacunha": dacunha, "recycling": recycling}
FORMS = ("threshold", "lueker", "lueker-products", "dacunha", "burkholz", "pick-one", "recycling")


def _forms(tokens: Sequence[str]) -> tuple[str, ...]:
    if tuple(tokens) == ("all",):
        return FORMS
    for token in tokens:
        if token not in FORMS:
            raise cli.UsageError(f"--form takes all or names among {', '.join(FORMS)}, got {token!r}")
    if len(set(tokens)) < len(tokens) or not tokens:
        raise cli.UsageError("--form needs at least one name and none twice")
    return tuple(tokens)


def measure(flags: Constants) -> Result:
    """Measure every form that was asked for."""
    started = time.monotonic()
    forms = _forms(flags.form)
    trials = cli.between("--trials", cli.integer("--trials", flags.trials), 1, 10**9)
    seed = cli.fresh_seed() if flags.seed is None else cli.integer("--seed", flags.seed)
    seed = cli.between("--seed", seed, 0, MAX_SEED)
    jobs = default_jobs() if flags.jobs is None else cli.integer("--jobs", flags.jobs)
    jobs = cli.between("--jobs", jobs, 1, 4096)
    eps, deltas = cli.reals("--eps", flags.eps), cli.reals("--delta", flags.delta)
    R = tuple(cli.between("--R", value, 1, 10**6) for value in cli.integers("--R", flags.R))
    for value in eps:
        if not 1e-4 <= value <= 0.5:
            raise cli.UsageError(f"--eps must be in [1e-4, 0.5], got {value:g}")
        check_grid(value)
    for value in deltas:
        if not 0.0 < value < 1.0:
            raise cli.UsageError(f"--delta must be in (0, 1), got {value:g}")
        if clopper_pearson(trials, trials)[0] < 1.0 - value:
            need = math.ceil(math.log(0.025) / math.log1p(-value))
            raise cli.UsageError(f"--delta {value:g} cannot be confirmed with {trials} trials: give --trials {need}")
    work: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    for e in eps:
        for delta in deltas:
            for form in forms:
                if form in _WITH_R:
                    for r in R:
                        work.append((form, _later(_WITH_R[form], Case(e, delta, r, trials, seed, jobs))))
                elif form in _WITHOUT_R:
                    if form in _GUESS:
                        _check_coverage(form, e, delta)
                    work.append((form, _later(_WITHOUT_R[form], Case(e, delta, 1, trials, seed, jobs))))
    if "burkholz" in forms:
        for law in ("U", "U*U"):
            work.append(("burkholz", lambda law=law: burkholz(law, trials, seed, jobs)))  # type: ignore[misc]
    rows = []
    with cli.progress(len(work), quiet=flags.quiet or flags.json) as advance:
        for form, row in work:
            advance(0, label=form)
            rows.append(row())
            advance(1, label=form)
    params = {"eps": eps, "delta": deltas, "R": R, "form": forms, "trials": trials, "seed": seed, "jobs": jobs}
    seconds = time.monotonic() - started
    return Result("sims.constants", params, rows, provenance(seed=seed, threads=jobs, seconds=seconds))


def _later(work: Callable[[Case], dict[str, Any]], case: Case) -> Callable[[], dict[str, Any]]:
    return lambda: work(case)


def _print(result: Result) -> None:
    from rich.table import Table

    out = console()
    print(f"seed {result.params['seed']}, {result.params['trials']} trials at each n")
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


def run_constants(flags: Constants) -> int:
    """Measure, print and write what was asked for; returns the exit code."""
    check_output("--csv", flags.csv)
    result = measure(flags)
    if flags.csv is not None:
        write_text(flags.csv, result.to_csv())
    if flags.json:
        print_json(result)
    elif not flags.quiet:
        _print(result)
        if flags.csv is not None:
            print(f"table: {flags.csv}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: run_constants(cli.parse(Constants, args, prog="python -m sims.constants")), argv)


if __name__ == "__main__":
    sys.exit(main())
