"""Checks of statements 3: all targets at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial

import numpy as np

from sims.checks.check import Check, Fact, Simulation, events, settings
from sims.checks.facts import Pairs, Rng, agree, never_above
from sims.checks.rare import rare
from sims.checks.sides import sums as sides
from sims.checks.twins import shares as _shares
from sims.coverage import CoverageCounter, ValueSets
from sims.solver.philox import uniforms
from sims.statistics.trials import Count
from theory import coverage as theory
from theory.coverage import Coverage
from theory.coverage.tail import mean_below

CURVES = (
    (6, (Coverage(eps=0.2), Coverage(eps=0.1)), 3.0),
    (10, (Coverage(eps=0.02), Coverage(eps=0.01)), 5.0),
    (3, (Coverage(R=4, eps=0.1), Coverage(R=4, eps=0.05)), 2.0),
    (12, (Coverage(eps=0.05, low=-1.0, high=1.0),), 15.0),
    (5, (Coverage(R=5, eps=0.1),), 20.0),
)
"""n, the questions whose coverage is simulated at once, and the cost of a trial."""


def _covered(n: int, questions: Sequence[Coverage], cost: float) -> Simulation:
    """One count for each question; they differ in eps alone."""
    one, eps = questions[0], tuple(question.eps for question in questions)

    def make(seed: int, jobs: int) -> tuple[Count, int]:
        counter = CoverageCounter(ValueSets(n, one.R, one.low, one.high, None, eps, 0), seed, jobs)
        return counter, counter.piece

    name = f"coverage n={n} R={one.R} {one.low:g}..{one.high:g} eps={eps}"
    return Simulation(name, make, cost, least=10_000, most=1_000_000)


def _where(n: int, one: Coverage) -> str:
    return f"P(covered), n={n} R={one.R} eps={one.eps:g} [{one.low:g}, {one.high:g}]"


def checks(seed: int) -> list[Check]:
    """Statements 3.1 to 3.8 and their controls."""
    return [*_drift(), *_curves(), *_rare(), *_formulas(), *_controls(), *sides.coverages()]


def _reached(intervals: Sequence[tuple[float, float]], R: int) -> Simulation:
    """Whether a uniform point is in A or in one of R uniform translates of A."""
    ends = np.array(intervals)

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        draws = uniforms(seed, first, trials, R + 1)
        points = np.concatenate([draws[:, :1], draws[:, :1] - draws[:, 1:]], axis=1)
        inside = (points[..., None] >= ends[:, 0]) & (points[..., None] <= ends[:, 1])
        return np.asarray(inside.any(axis=(1, 2)))

    return events(f"reached {intervals} R={R}", event, 0.03 * (R + 1), 200_000, 2_000_000)


UNIONS = (
    ((-1.0, -0.25),),
    ((-0.75, -0.5), (0.125, 0.25), (0.5, 1.0)),
    ((-0.0625, 0.0625),),
)


def _drift() -> Iterator[Check]:
    for union in UNIONS:
        exact = [(Fraction(a), Fraction(b)) for a, b in union]
        v = float(sum((b - a for a, b in exact), Fraction(0)) / 2)
        p = v + float(theory.gain(exact))
        yield _reached(union, 1).exact("3.1", f"E(next share) = v + gain, A = {union}", p)
        for R in (1, 3, 8):
            bound = theory.expected_share(v, R, x=1.0)
            where = f"E(next share), R={R} A = {union}"
            yield _reached(union, R).lower("3.2", where, bound)
    yield Fact("3.1", "gain by splitting areas, random unions of intervals, near = 1 to 2", _compare_gain)
    yield Fact("3.1", "gain >= (near/2) v(1-v), random and extreme unions", _drift_of)
    yield Fact("3.2", "formula by exact fractions", _compare_expected)
    yield Fact("3.2", "the mean that the programme uses is below the exact one, and near it", _compare_mean)
    yield Fact("3.7", "factor by the binomial sum, and above an extremal chain", _compare_potential)
    yield Fact("3.4 (a)", "Lueker's form: the potential tail at its n is at most delta", _compare_lueker)
    yield Fact("3.4 (b)", "da Cunha et al.'s form is above the tail it rests on", _compare_dacunha)
    yield Fact("3.8", "best split between shift and window, recomputed", _compare_shift)


def _curves() -> Iterator[Check]:
    for n, questions, cost in CURVES:
        simulation = _covered(n, questions, cost)
        for i, one in enumerate(questions):
            where, at = _where(n, one), settings(one)
            upper = theory.success_prob_upper(n, one.R, **at)
            if upper < 1.0:
                yield simulation.upper("3.5", where, upper, i)
            lower = theory.success_prob_lower(n, one.R, **at)
            if lower > 0.0:
                yield simulation.lower("3.5", where, lower, i)
            yield simulation.predicted("3.6", where, theory.success_prediction(n, one.R, **at), i)
    for one, delta in ((Coverage(R=4, eps=0.25, low=-0.3, high=0.3), 0.3), (Coverage(R=5, eps=0.4), 0.2)):
        enough = one.required_n(delta)
        few = theory.necessary_n(delta=delta, **vars(one)) - 1
        n = min(enough, 5)
        simulation = _covered(n, (one,), 20.0)
        where = f"P(not covered) at required_n={enough}, tried with n={n}, delta={delta:g} R={one.R} eps={one.eps:g}"
        yield simulation.upper("3.3", where, delta, complement=True)
        bound = theory.coverage_failure_bound(n, one.R, **settings(one))
        if bound < 1.0:
            where = f"P(not covered), n={n} R={one.R} eps={one.eps:g}"
            yield simulation.upper("3.3", where, bound, complement=True)
        if few >= 1:
            where = f"below necessary_n={few + 1}, delta={delta:g}: {_where(few, one)}"
            yield _covered(few, (one,), 3.0).upper("3.5", where, 1.0 - delta)
    one = Coverage(eps=0.05)
    n = theory.predicted_n(delta=0.1, **vars(one))
    yield _covered(n, (one,), 5.0).predicted("3.6", f"at predicted_n={n}, delta=.1: {_where(n, one)}", 0.9)


def _rare() -> Iterator[Check]:
    """Failures far below what counts see."""
    for one, delta in ((Coverage(R=2, eps=0.2), 1e-6), (Coverage(R=1, eps=0.2), 1e-6)):
        n = one.required_n(delta)
        yield rare("3.3", f"P(not covered) at required_n={n}, delta={delta:g} R={one.R} eps={one.eps:g}", one, n, delta)
    wide = Coverage(R=1, eps=0.5, low=-1.0, high=1.0)  # accuracy 2 eps, and eps = 0.25
    for n in (32, 44):
        bound = theory.dacunha_failure(n, 0.25)
        yield rare("3.4 (b)", f"P(not covered within 2 eps), n={n} eps=0.25", wide, n, bound)
    few = Coverage(R=2, eps=0.1).necessary_n(1e-9) - 2
    where = f"P(not covered) at necessary_n - 2 = {few}, delta=1e-09 R=2 eps=0.1"
    yield rare("3.5", where, Coverage(R=2, eps=0.1), few, 1e-9, control="2 variables fewer than necessary")


def _formulas() -> Iterator[Check]:
    yield Fact("3.3", "share after n steps: a coarser programme, every chord tried", _compare_tail)
    yield Fact("3.3", "targets from shares; required_n is the least n of its ways", _compare_levels)
    yield Fact("3.5", "union over targets, recomputed", _compare_union)
    yield Fact("3.5", "necessary_n by counting and by single targets", _compare_necessary)


def _controls() -> Iterator[Check]:
    union, v = UNIONS[0], 0.375
    bound = v + 0.55 * v * (1 - v)
    yield _reached(union, 1).lower("3.1", f"E(next share), A = {union}", bound, control="c = 0.55")
    bound = v + 0.5 * (1 - v) * (1 - (1 - v) ** 8)
    where = f"E(next share), R=2 A = {union}"
    yield _reached(union, 2).lower("3.2", where, bound, control="R = 8 with c = 1/2 claimed of R = 2")
    p = v - float(theory.gain([(Fraction(-1), Fraction(-1, 4))]))
    yield _reached(union, 1).exact("3.1", f"E(next share) = v - gain, A = {union}", p, control="a sign")
    yield Fact("3.1", "gain >= 0.55 near v(1-v)", partial(_drift_of, c=0.55), control="c = 0.55")
    yield Fact("3.7", "factor 2/(R+2)", partial(_compare_potential, factor=lambda R: 2 / (R + 2)), control="2/(R+2)")
    wrong = partial(_compare_dacunha, constant=0.6)
    yield Fact("3.4 (b)", "da Cunha et al.'s form with 0.6 C", wrong, control="0.6 times the constant")
    one = Coverage(eps=0.1)
    simulation, where = _covered(6, (one,), 3.0), _where(6, one)
    failure = theory.coverage_failure_bound(60, 1, **settings(one))
    yield simulation.lower("3.3", where, 1 - failure, control="n = 60's bound claimed of n = 6")
    wide = theory.success_prob_lower(10, 4, eps=0.2, low=-0.5, high=0.5)
    yield simulation.lower("3.5", where, wide, control="R and eps of another setting")


# -- independent computations -----------------------------------------------------------------------------------------


@agree(1e-12, "3.1 gain")
def _compare_gain(rng: Rng) -> Pairs:
    for _ in range(20):
        union = _shares.random_union(rng)
        for near in (Fraction(1), Fraction(int(rng.integers(8, 17)), 8)):
            yield theory.gain(union, near), _shares.gain_by_strips(union, near)


@never_above("3.1 drift", slack=1e-12)
def _drift_of(rng: Rng, c: float = 0.5) -> Pairs:
    unions = [_shares.random_union(rng) for _ in range(120)]
    unions += [[(Fraction(-1), Fraction(b, 16))] for b in range(-15, 16)]
    unions += [[(-Fraction(b, 16), Fraction(b, 16))] for b in range(1, 16)]
    for union in unions:
        v, near = _shares.share(union), Fraction(int(rng.integers(8, 17)), 8)
        yield c * float(v * (1 - v)), theory.gain(union)
        yield c * float(near * v * (1 - v)), theory.gain(union, near)


@agree(1e-12, "3.2")
def _compare_expected(rng: Rng) -> Pairs:
    for _ in range(100):
        v, R, x = float(rng.uniform(0.001, 1)), int(rng.integers(1, 40)), float(rng.uniform(0.01, 1.0))
        for width in (x, 0.5, 1.0):
            yield theory.expected_share(v, R, x=width), _shares.mean_share(Fraction(v), R, Fraction(width))


@never_above("3.2 mean", slack=0.0)
def _compare_mean(rng: Rng) -> Pairs:
    for _ in range(60):
        v, R = float(rng.uniform(0.001, 0.999)), int(rng.integers(1, 30))
        for x in (0.5, 1.0, float(rng.uniform(0.1, 1.0))):
            true = _shares.mean_share(Fraction(v), R, Fraction(x))
            found = Fraction(float(mean_below(np.array([v]), R, x)[0]))
            yield float(found - true), 0.0
            yield float(true - found), 1e-12


@never_above("3.7")
def _compare_potential(_: Rng, factor: Callable[[int], float] = theory.potential_factor) -> Pairs:
    for R in (1, 2, 3, 8, 20):
        exact = _shares.potential(R, Fraction(1, 2))
        yield float(exact - Fraction(factor(R))), 0.0
        yield factor(R), float(exact) * (1 + 1e-12)
    for R, k, n in ((1, 6, 4), (2, 7, 3), (3, 9, 2)):
        start = Fraction(1, k)
        chain = _shares.share_chain(start, R, n)
        yield chain, float(1 / start - 1) * factor(R) ** n * (1 + 1e-12)


@never_above("3.4 (a)")
def _compare_lueker(_: Rng) -> Pairs:
    for R, eps, delta in itertools.product((1, 2, 10), (0.3, 0.01, 1e-7), (0.2, 1e-3, 1e-9)):
        n, rho = theory.lueker_required_n(eps, delta, R=R), float(_shares.potential(R, Fraction(1, 2)))
        yield 2 / eps**2 * rho**n, delta
        size = 3 * math.log(2 / min(eps, delta)) / -math.log(rho)
        yield n, size + 1.0
        yield theory.potential_failure_bound(n, R, eps=eps), delta


@never_above("3.4 (b)", slack=1e-9)
def _compare_dacunha(_: Rng, constant: float = 1.0) -> Pairs:
    """The true tail of this proof is 2 eps^-2 (3/4)^n; with a smaller constant the form falls below it."""
    for eps in (0.4, 0.05, 1e-3, 1e-8):
        x = constant * 3 * math.log(1 / eps) / math.log(4 / 3)
        for n in range(math.ceil(x) + 1, math.ceil(3 * x), 7):
            form = math.exp(-((n - x) ** 2) / (4 * n))
            yield 2 / eps**2 * 0.75**n, form
            if constant == 1.0:
                yield abs(theory.dacunha_failure(n, eps) - form), 1e-9 * form


@agree(1e-9)
def _compare_shift(_: Rng) -> Pairs:
    for R, eps, n, low, high in ((10, 0.1, 7, -0.4, 0.9), (5, 0.1, 12, -1.0, 1.0)):
        inner = {"eps": eps, "low": max(low, -0.5), "high": min(high, 0.5)}
        outer = [abs(end) for end in (low, high) if abs(end) > 0.5]
        splits = (
            math.fsum((1 - (1.5 - end) / 2) ** (R * s) for end in outer)
            + theory.coverage_failure_bound(n - s, R, **inner)
            for s in range(n + 1)
        )
        wide = theory.share_failure_bound(n, R, start=eps / 2, stop=1 - eps / 4, x=1.0)
        least = min(1.0, min(splits))
        found = theory.coverage_failure_bound(n, R, eps=eps, low=low, high=high)
        yield found, least if least < wide else found
        yield True, found <= wide


@agree(0.05)
def _compare_tail(_: Rng) -> Pairs:
    for R, start, stop, x, steps in (
        (1, 0.05, 0.95, 0.5, (8, 16, 24)),
        (4, 0.02, 0.9, 0.5, (4, 8)),
        (3, 0.1, 0.9, 1.0, (9,)),
    ):
        coarse = _shares.tail_bounds(R, start, stop, x, cells=40, steps=max(steps))
        for n in steps:
            yield theory.share_failure_bound(n, R, start=start, stop=stop, x=x, cells=40), coarse[n]


@agree(1e-3)
def _compare_levels(_: Rng) -> Pairs:
    """One part of eps for the share, the rest for the gaps; the library tries two parts, and the formula too."""
    for R, eps, low, high in ((1, 0.2, -0.5, 0.5), (3, 0.1, -0.3, 0.25)):
        n = theory.required_n(eps, 0.03, R=R, low=low, high=high).n
        for m in (n - 1, n):
            tries = []
            for part in (0.5, 0.625):
                near, slack = part * eps, (1 - part) * eps
                centre = max(high - 0.5, min(0.0, low + 0.5))
                margin = min(low - centre, centre - high) + 0.5
                missing = min(2 * slack, slack + max(0.0, margin))
                start = min(near, 0.5 - centre) + min(near, 0.5 + centre)
                tries.append(theory.share_failure_bound(m, R, start=start, stop=1 - missing))
                tries.append((1 / missing - 1) * (1 / start - 1) * float(_shares.potential(R, Fraction(1, 2))) ** m)
            bound = theory.coverage_failure_bound(m, R, eps=eps, low=low, high=high)
            yield bound, min(1.0, *tries)
            failure = 1.0 - theory.success_prob_lower(m, R, eps=eps, low=low, high=high)  # 3.5 may be less
            yield failure <= 0.03, m == n


@agree(1e-6)
def _compare_union(_: Rng) -> Pairs:
    from theory.subset_sum import failure_prob_bound

    for n, R, eps, high in ((10, 9, 0.1, 0.5),):
        count = math.ceil(2 * high / (eps * (1 - 2**-20))) + 1
        targets = [min(1.0, abs(-high + 2 * high * (i + 0.5) / count)) for i in range(count)]
        total = sum(failure_prob_bound(n, R, eps=eps / 2, alpha=target, weights=False) for target in targets)
        bound = theory.union_failure_bound(n, R, eps=eps, low=-high, high=high)
        yield bound, min(1.0, total)
        tail = theory.coverage_failure_bound(n, R, eps=eps, low=-high, high=high)
        lower = theory.success_prob_lower(n, R, eps=eps, low=-high, high=high)
        yield lower, max(0.0, 1.0 - min(bound, tail))
    for n in (12, 16, 30):  # never the other side, not by one unit in the last place
        failures = [
            theory.coverage_failure_bound(n, 5, eps=0.1, low=-0.5, high=0.5),
            theory.union_failure_bound(n, 5, eps=0.1, low=-0.5, high=0.5),
        ]
        lower = theory.success_prob_lower(n, 5, eps=0.1, low=-0.5, high=0.5)
        yield True, Fraction(lower) <= 1 - Fraction(min(failures))


@agree(1e-12)
def _compare_necessary(_: Rng) -> Pairs:
    from theory.subset_sum import success_prob_upper

    for R, eps, low, high, delta in ((1, 0.01, -0.5, 0.5, 0.05), (3, 0.001, -1.0, 1.0, 0.1), (2, 0.03, 0.1, 0.6, 0.2)):

        def allowed(n: int, R: int = R, eps: float = eps, low: float = low, high: float = high) -> float:
            if (R + 1) ** n * 2 * Fraction(eps) < Fraction(high) - Fraction(low):
                return 0.0
            return min(success_prob_upper(n, R, eps=eps, alpha=z) for z in (low, high, (low + high) / 2))

        n = next(n for n in range(100) if allowed(n) >= 1 - delta)
        yield theory.necessary_n(eps, delta, R=R, low=low, high=high), n
        for m in range(2, n + 2):
            yield theory.success_prob_upper(m, R, eps=eps, low=low, high=high), allowed(m)
