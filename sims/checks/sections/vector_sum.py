"""Checks of statements 9: sums of vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, Untested, asked, events, settings, success_curve
from sims.checks.facts import Pairs, Rng, agree, all_true, generator
from sims.checks.twins import vectors as _vectors
from sims.solver.philox import uniforms
from sims.solver.vector_sums import best_vector
from theory import vector_sum as theory
from theory.vector_sum import VectorSum

CURVES = (
    (VectorSum(d=2, R=1, eps=0.1), (3, 6, 10), 6.0),
    (VectorSum(d=2, R=3, eps=0.05, alpha=-0.8), (2, 4, 6), 15.0),
    (VectorSum(d=3, R=2, eps=0.2, alpha="uniform"), (2, 4, 6), 15.0),
    (VectorSum(d=4, R=4, eps=0.2), (3, 5), 25.0),
)
"""Questions whose success curves are simulated, with their n and the cost of a trial."""

SHORT = VectorSum(d=3, R=1, eps=0.3, alpha=1.0)
"""Where some coordinate's positive values often do not reach the target."""


def checks(seed: int) -> list[Check]:
    """Statements 9.1 to 9.4 and their controls."""
    unknown = Untested("9.4", "its constant C is unknown, so no data can contradict it")
    return [*_curves(), *_required(), *_formulas(), unknown, *_controls()]


def _curve(one: VectorSum, sizes: Sequence[int], cost: float) -> Simulation:
    name = f"d={one.d} R={one.R} eps={one.eps:g} alpha={one.alpha} n={sizes}"
    return asked(name, one, sizes, cost, least=20_000, most=1_000_000)


def _where(one: VectorSum, n: int) -> str:
    return f"n={n} d={one.d} R={one.R} eps={one.eps:g} alpha={one.alpha}"


def _curves() -> Iterator[Check]:
    for one, sizes, cost in CURVES:
        where = [(n, _where(one, n)) for n in sizes]
        yield from success_curve(_curve(one, sizes, cost), theory, one, where, "9.1", "9.2", "9.3")
    within = theory.success_prob_upper(12, 1, **settings(SHORT))
    yield _short(12).exact("9.1", f"P(no coordinate falls short), {_where(SHORT, 12)}", within)


def _short(n: int) -> Simulation:
    """Trials in which no coordinate falls short of the target."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        values = uniforms(seed, first, trials, n * SHORT.d).reshape(trials, n, SHORT.d)
        return ~_vectors.short(values, SHORT.size - SHORT.eps)

    return events(f"within reach n={n}", event, 0.1 * n, 50_000, 1_000_000)


def _required() -> Iterator[Check]:
    for one, delta, cost in (
        (VectorSum(d=2, R=2, eps=0.2), 0.2, 6.0),
        (VectorSum(d=3, R=4, eps=0.3, alpha=-0.9), 0.05, 15.0),
    ):
        few = theory.necessary_n(delta=delta, **vars(one)) - 1
        enough = theory.required_n(delta=delta, **vars(one))
        sizes = (max(few, 1), enough)
        simulation = _curve(one, sizes, cost)
        if few >= 1:
            where = f"P(success) below necessary_n={few + 1}, delta={delta:g}, {_where(one, few)}"
            yield simulation.upper("9.1", where, 1.0 - delta)
        where = f"P(failure) at required_n={enough}, delta={delta:g}, {_where(one, enough)}"
        yield simulation.upper("9.2", where, delta, 1, complement=True)
        bound = theory.failure_prob_bound(sizes[0], one.R, **settings(one))
        yield simulation.upper("9.2", f"P(failure), {_where(one, sizes[0])}", bound, complement=True)


def _formulas() -> Iterator[Check]:
    yield Fact("9.1", "expected number of good sums by exact fractions", _compare_first_moment)
    yield Fact("9.1", "necessary n: the least that the bounds allow", _compare_necessary)
    yield Fact("9.2", "moments by enumeration and quadrature, n <= 3", _compare_second_moment)
    yield Fact("9.2", "best blocks and halves of draws, and required_n", _compare_blocks)
    yield Fact("9.2", "the solver against all selections", _compare_solver)


def _controls() -> Iterator[Check]:
    one = VectorSum(d=2, R=3, eps=0.05, alpha=-0.8)
    at, simulation = settings(one), _curve(one, (3, 5), 15.0)
    at_3, at_5 = f"P(success), {_where(one, 3)}", f"P(success), {_where(one, 5)}"
    yield simulation.upper("9.1", at_3, theory.success_prob_upper(3, 2, **at), control="R off by one")
    cubed = settings(replace(one, d=3))
    yield simulation.upper("9.1", at_3, theory.success_prob_upper(3, 3, **cubed), control="window to the power d + 1")
    expected = min(1.0, float(_vectors.expected_good_sums(5, 3, 2, 0.8, 0.05)))
    yield simulation.lower("9.2", at_5, expected, 1, control="second moment dropped")
    line = settings(replace(one, d=1))
    lower = theory.success_prob_second_moment(5, 3, **line)
    yield simulation.lower("9.2", at_5, lower, 1, control="the bound of one coordinate")
    wrong = theory.success_prob_upper(14, 1, **settings(SHORT))
    yield _short(12).exact("9.1", f"P(no coordinate falls short), {_where(SHORT, 12)}", wrong, control="n = 14's bound")
    few = VectorSum(d=2, R=1, eps=0.1)
    n = theory.required_n(delta=0.05, **vars(few)) // 3
    where = f"P(failure), {_where(few, n)}"
    yield _curve(few, (n,), 6.0).upper("9.2", where, 0.05, complement=True, control="a third of required_n")


# -- independent computations -----------------------------------------------------------------------------------------


@agree(1e-9, "9.1")
def _compare_first_moment(rng: Rng) -> Pairs:
    for _ in range(30):
        R, d = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        eps, alpha = float(10 ** rng.uniform(-9, -1.7)), float(rng.uniform(0.05, 1))
        for n, sign in ((int(rng.integers(1, 9)), -1), (12, 1)):
            both = min(float(_vectors.expected_good_sums(n, R, d, alpha, eps)), _reached(n * R, d, alpha - eps))
            if both < 0.4:  # elsewhere (d) may be less: one coordinate alone, whose bounds section 2 checks
                yield theory.success_prob_upper(n, R, d=d, eps=eps, alpha=sign * alpha), both


def _reached(count: int, d: int, reach: float) -> float:
    short = sum(math.comb(count, k) * reach**k / math.factorial(k) for k in range(count + 1)) / 2**count
    return float((1.0 - short) ** d)


@agree(1e-12, "9.1 necessary")
def _compare_necessary(rng: Rng) -> Pairs:
    for _ in range(12):
        R, d, eps = int(rng.integers(1, 6)), int(rng.integers(2, 5)), float(10 ** rng.uniform(-3, -1))
        alpha, delta = float(rng.uniform(0.2, 1)), float(rng.uniform(0.01, 0.9))
        n = 0
        while min(float(_vectors.expected_good_sums(n, R, d, alpha, eps)), _reached(n * R, d, alpha - eps)) < 1 - delta:
            n += 1
        yield theory.necessary_n(eps, delta, d=d, R=R, alpha=alpha), n
        closed = 0
        while (R + 1) ** closed * Fraction(eps) ** d < 1 - Fraction(delta):
            closed += 1
        yield theory.necessary_n_closed_form(eps, delta, d=d, R=R, alpha=alpha), closed


@agree(1e-5, "9.2")
def _compare_second_moment(rng: Rng) -> Pairs:
    for n, R, d in ((1, 3, 2), (2, 2, 3), (3, 1, 2), (3, 1, 4), (2, 3, 2)):
        eps, alpha = float(10 ** rng.uniform(-2, -0.7)), float(rng.uniform(0.3, 1))
        true = _vectors.second_moment(n, R, d, alpha, eps)
        yield theory.success_prob_second_moment(n, R, d=d, eps=eps, alpha=alpha), true


@agree(1e-9, "9.2 blocks")
def _compare_blocks(rng: Rng) -> Pairs:
    d, eps, alpha, delta, last = 2, 0.1, float(rng.uniform(0.3, 0.9)), 0.02, 16
    tables: dict[int, list[float]] = {}
    for R in (1, 2, 3):
        own = [1 - theory.success_prob_second_moment(m, R, d=d, eps=eps, alpha=alpha) for m in range(last + 1)]
        best = [1.0]
        for n in range(1, last + 1):
            best.append(min([best[n - 1], own[n], *(best[m] * best[n - m] for m in range(1, n))]))
            if R > 1:
                best[n] = min(best[n], tables[R // 2][n] ** 2)
            yield theory.failure_prob_bound(n, R, d=d, eps=eps, alpha=alpha), best[n]
            yield theory.success_prob_lower(n, R, d=d, eps=eps, alpha=alpha), 1 - best[n]
            yield math.exp(theory.log_failure_prob_bound(n, R, d=d, eps=eps, alpha=alpha)), best[n]
        tables[R] = best
        n = theory.required_n(eps, delta, d=d, R=R, alpha=alpha)
        if n <= last:
            yield n, next(m for m in range(last + 1) if best[m] <= delta)


def _compare_solver(seed: int) -> Closest:
    rng, cases = generator(seed, "9 solver"), []
    for d in (1, 2, 3, 4):
        for _ in range(8):
            R = int(rng.integers(1, 4))
            values = rng.integers(-64, 65, (1, int(rng.integers(1, 7 if R < 3 else 5)), R, d)) / 64.0
            found = best_vector(values[0], np.full(d, 0.375))
            cases.append(found.error == _vectors.best_errors(values, 0.375)[0])
    return all_true(cases, "least max-norm error")
