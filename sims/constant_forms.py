"""The forms n = C unit that the papers promise: what each measures, and with which simulation."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sims import coverage, recycling, single_weight, subset_sum
from sims.constant_search import Bracket, from_counts, product_counter, product_coverage_counter, walk
from sims.experiment import Counter
from sims.statistics.intervals import clopper_pearson
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

_REHEARSED, _CASES = 64, 24
"""Trials of a rehearsal, and cases that are rehearsed."""

_COUNTERS: dict[type, Callable[..., Counter]] = {
    module.EXPERIMENT.question: module.EXPERIMENT.counter for module in (coverage, recycling, single_weight, subset_sum)
}


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


@dataclass(frozen=True)
class Rehearsal(Case):
    """A row that counts only a few trials and takes their shares for those of all, to find out what these take.

    ``spent``: seconds that all trials would have taken, one number for each count.
    """

    spent: list[float] = field(default_factory=list)

    def counts(self, question: object, sizes: Sequence[int], make: Callable[..., Counter] | None = None) -> list[int]:
        few = min(self.trials, _REHEARSED)
        counter = (make or _COUNTERS[type(question)])(question, sizes, self.seed, self.jobs)
        counter(0, 1)  # loads the kernels
        begun = time.monotonic()
        found = count_trials(counter, 0, few, piece=min(counter.piece, -(-few // self.jobs)), jobs=self.jobs)
        times = self.trials / few
        self.spent.append((time.monotonic() - begun) * times)
        return [round(count * times) for count in found.tolist()]


def seconds_of(cases: Sequence[tuple[str, Case]]) -> float:
    """About how long the rows of these forms and cases take; a few of them are rehearsed."""
    chosen = {k * (len(cases) - 1) // (_CASES - 1) for k in range(_CASES)} if cases else set()
    total = 0.0
    for k in sorted(chosen):
        name, case = cases[k]
        rehearsal = Rehearsal(**vars(case))
        with contextlib.suppress(ValueError):  # that no n is confirmed, after so many counts
            FORMS[name].row(name, rehearsal) if name in FORMS else burkholz_row(name, rehearsal)
        total += math.fsum(rehearsal.spent)
    return total * len(cases) / max(1, len(chosen))


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

    ``text``, ``law``, ``target``: the unit, the law of the values, and what must be hit. ``unit``: case to the number.
    ``bracket``: (case, unit) to the n that simulation finds. ``draws``: whether the form speaks of R. ``guess``: where
    a search among all targets begins: this times the unit; 0 for the other forms.
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
            raise ValueError(
                f"--form {name} would take about 2^{n} sums a trial at eps={case.eps:g}, delta={case.delta:g}, the "
                f"limit is 2^{MAX_N - 3}: larger values, or other forms"
            )

    def row(self, name: str, case: Case) -> dict[str, Any]:
        """The measured constant."""
        unit = self.unit(case)
        found = self.bracket(case, unit)
        constants = tuple(n / unit for n in (found.refuted + 1, found.n, found.confirmed))
        return _row(name, (self.text, self.law, self.target), case, found, constants)


def _row(
    form: str, words: tuple[str, str, str], case: Case, found: Bracket, constants: tuple[float, ...]
) -> dict[str, Any]:
    return {
        "form": form,
        **dict(zip(("unit", "law", "target"), words, strict=True)),
        "R": case.R,
        "eps": case.eps,
        "delta": case.delta,
        "trials": case.trials,
        "n_refuted": found.refuted,
        "n": found.n,
        "n_confirmed": found.confirmed,
        **dict(zip(("C_low", "C", "C_high"), constants, strict=True)),
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
    return burkholz_row(law, Case(BURKHOLZ_EPS, 0.0, 1, trials, seed, jobs))


def burkholz_row(law: str, case: Case) -> dict[str, Any]:
    """`burkholz` of a case whose eps is that of the author."""
    trials = case.trials
    make = None if law == "U" else product_counter
    (hits,) = case.counts(SubsetSum(eps=BURKHOLZ_EPS, alpha="uniform"), (BURKHOLZ_N,), make)
    low, high = clopper_pearson(trials - hits, trials)
    missed = replace(case, delta=(trials - hits) / trials)
    constants = tuple(
        BURKHOLZ_N / -math.log(min(BURKHOLZ_EPS, miss)) if miss > 0.0 else 0.0 for miss in (low, missed.delta, high)
    )
    words = ("-log(min(eps, delta_hat))", law, "alpha ~ U[-1, 1]")
    return _row("burkholz", words, missed, Bracket(BURKHOLZ_N, BURKHOLZ_N, BURKHOLZ_N), constants)
