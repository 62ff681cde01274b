"""The constants that the papers leave open, measured: the smallest n that does, in units of each paper's form.

``python -m sims.constants --eps 0.01 --delta 0.01`` prints C = n/form with an interval for every form.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from sims import coverage, recycling, single_weight, subset_sum
from sims.commands import cli, flags
from sims.commands.flags import UsageError, between
from sims.commands.output import console
from sims.constant_search import Bracket, from_counts, product_counter, product_coverage_counter, walk
from sims.experiment import Counter, check_grid, fresh_seed
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result, check_output, print_json, provenance, write_text
from sims.statistics.trials import count_trials
from theory.coverage import Coverage
from theory.recycling import Recycling
from theory.single_weight import SingleWeight
from theory.subset_sum import SubsetSum

ALPHA = 0.5
"""The fixed target of the forms that speak of one."""

MAX_N = 26
"""Largest n of the exact coverage: 2^26 sums for one value set."""

BURKHOLZ_N, BURKHOLZ_EPS = 15, 0.01
"""What the author's code simulates."""

_COUNTERS: dict[type, Callable[..., Counter]] = {
    module.EXPERIMENT.question: module.EXPERIMENT.counter for module in (coverage, recycling, single_weight, subset_sum)
}

Names = Annotated[tuple[str, ...], *flags.written("NAME [NAME ...]", tuple, many=True)]


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
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
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

    def counts(self, question: object, sizes: Sequence[int], make: Callable[..., Counter] | None = None) -> list[int]:
        """Successes at each size, counted by the question's experiment or by what ``make`` returns."""
        counter = (make or _COUNTERS[type(question)])(question, sizes, self.seed, self.jobs)
        found: list[int] = count_trials(counter, 0, self.trials, piece=counter.piece, jobs=self.jobs).tolist()
        return found

    def unconfirmed(self) -> ValueError:
        """No n is confirmed with these trials."""
        return ValueError(f"no n is confirmed with {self.trials} trials at delta={self.delta}; raise --trials")


def _curve(case: Case, unit: float, question: object) -> Bracket:
    """Counts at 1, ..., top, all at once; top grows until an n is confirmed."""
    guess = top = math.ceil(1.5 * unit) + 3
    while True:
        sizes = range(1, top + 1)
        found = case.counts(question, sizes)
        bracket = from_counts(sizes, found, case.trials, case.delta)
        if bracket is not None:
            return bracket
        if min(found[-3:]) == max(found[-3:]) and top > 4 * guess + 40:
            raise case.unconfirmed()
        top += max(2, top // 4)


def _around(case: Case, unit: float) -> Bracket:
    """Counts at sizes from half the unit to twice it, for alpha = 1, the worst target."""
    sizes = sorted({max(1, round(unit * (0.5 + i / 400.0))) for i in range(601)})
    question = SingleWeight(R=case.R, eps=case.eps, alpha=1.0)
    bracket = from_counts(sizes, case.counts(question, sizes), case.trials, case.delta)
    if bracket is None:
        raise case.unconfirmed()
    return bracket


@dataclass(frozen=True)
class Form:
    """What a paper promises: n = C unit.

    Attributes
    ----------
    text, law, target : str
        The unit, the law of the values, and what must be hit.
    unit : callable
        Case to the number.
    bracket : callable
        (case, unit) to the n that simulation finds.
    draws : bool
        Whether the form speaks of R.
    guess : float
        Where a search among all targets begins: this times the unit; 0 for the other forms.
    """

    text: str
    law: str
    target: str
    unit: Callable[[Case], float]
    bracket: Callable[[Case, float], Bracket]
    draws: bool = False
    guess: float = 0.0

    def check(self, name: str, case: Case) -> None:
        """Refuse what would have too many sums."""
        n = round(self.guess * self.unit(case))
        if n > MAX_N - 3:
            raise UsageError(
                f"--form {name} would take about 2^{n} sums a trial at eps={case.eps:g}, delta={case.delta:g}, the "
                f"limit is 2^{MAX_N - 3}: larger values, or other forms"
            )

    def row(self, name: str, case: Case) -> dict[str, Any]:
        """The measured constant."""
        unit = self.unit(case)
        found = self.bracket(case, unit)
        return {
            "form": name,
            "unit": self.text,
            "law": self.law,
            "target": self.target,
            "R": case.R,
            "eps": case.eps,
            "delta": case.delta,
            "trials": case.trials,
            "n_refuted": found.refuted,
            "n": found.n,
            "n_confirmed": found.confirmed,
            "C_low": (found.refuted + 1) / unit,
            "C": found.n / unit,
            "C_high": found.confirmed / unit,
        }


def _all_targets(text: str, law: str, target: str, *, half: float, factor: float, guess: float) -> Form:
    """Every target in [-half, half] at accuracy factor eps."""

    def unit(case: Case) -> float:
        return math.log2(1.0 / case.eps) if text == _DACUNHA else math.log(2.0 / min(case.eps, case.delta))

    def bracket(case: Case, unit: float) -> Bracket:
        question = Coverage(eps=factor * case.eps, low=-half, high=half)
        make = None if law == "U" else product_coverage_counter
        start = round(guess * unit)
        return walk(lambda n: case.counts(question, (n,), make)[0], start, case.trials, case.delta, last=MAX_N)

    return Form(text, law, target, unit, bracket, guess=guess)


_LUEKER, _DACUNHA, _HALF = "log(2/min(eps, delta))", "log2(1/eps)", "all in [-1/2, 1/2]"

FORMS = {
    # one target, choice model (2.4)
    "threshold": Form(
        "log(1/eps)/log(R+1)",
        "U",
        f"alpha = {ALPHA:g}",
        lambda case: math.log(1.0 / case.eps) / math.log(case.R + 1),
        lambda case, unit: _curve(case, unit, SubsetSum(R=case.R, eps=case.eps, alpha=ALPHA)),
        draws=True,
    ),
    # all targets in [-1/2, 1/2] (3.4)
    "lueker": _all_targets(_LUEKER, "U", _HALF, half=0.5, factor=1.0, guess=2.6),
    # the same for products of two draws, as the construction of Pensia et al. needs it
    "lueker-products": _all_targets(_LUEKER, "U*U", _HALF, half=0.5, factor=1.0, guess=3.6),
    # all targets in [-1, 1] at accuracy 2 eps (3.4; the failure is delta, not its exponential)
    "dacunha": _all_targets(_DACUNHA, "U", "all in [-1, 1], 2 eps", half=1.0, factor=2.0, guess=2.2),
    # one draw within eps of alpha = 1, the worst target (1.2)
    "pick-one": Form(
        "2/(eps R) log(1/delta)",
        "U",
        "alpha = 1",
        lambda case: 2.0 / (case.eps * case.R) * -math.log(case.delta),
        _around,
        draws=True,
    ),
    # one target, n slots from n values (6)
    "recycling": Form(
        "log(1/eps)/log 4",
        "U, reused",
        f"alpha = {ALPHA:g}",
        lambda case: math.log(1.0 / case.eps) / math.log(4.0),
        lambda case, unit: _curve(case, unit, Recycling(eps=case.eps, alpha=ALPHA)),
    ),
}
"""The forms n = C unit; the constant of Burkholz is an estimate at one n."""

NAMES = ("threshold", "lueker", "lueker-products", "dacunha", "burkholz", "pick-one", "recycling")
"""Of all forms, in the order of the table."""


def burkholz(law: str, trials: int, seed: int, jobs: int) -> dict[str, Any]:
    """C = n/(-log min(eps, delta_hat)) at n = 15, eps = 0.01, a uniform target; delta_hat by simulation."""
    case = Case(BURKHOLZ_EPS, 0.0, 1, trials, seed, jobs)
    question = SubsetSum(eps=BURKHOLZ_EPS, alpha="uniform")
    (hits,) = case.counts(question, (BURKHOLZ_N,), None if law == "U" else product_counter)
    misses = trials - hits
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


def _forms(names: Sequence[str]) -> tuple[str, ...]:
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
    rows = []
    with cli.progress(len(cases) + len(laws), quiet=given.quiet or given.json) as advance:
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


def run_constants(given: Constants) -> int:
    """Measure, print and write what was asked for; returns the exit code."""
    check_output("--csv", given.csv)
    result = measure(given)
    if given.csv is not None:
        write_text(given.csv, result.to_csv())
    if given.json:
        print_json(result)
    elif not given.quiet:
        _print(result)
        if given.csv is not None:
            print(f"table: {given.csv}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: run_constants(flags.parse(Constants, args, prog="python -m sims.constants")), argv)


if __name__ == "__main__":
    sys.exit(main())
