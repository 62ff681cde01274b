"""Checks of statements 2: one target, sums of draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from sims.checks.check import Check, Closest, Fact, Point, Simulation, asked, events, settings
from sims.checks.facts import Pairs, Rng, agree, all_true, equal, generator
from sims.checks.rare import rare
from sims.checks.sides import sums as sides
from sims.checks.twins import sums as _sums
from sims.solver import best_subsets
from sims.solver.philox import uniforms
from theory import subset_sum as theory
from theory.subset_sum import SubsetSum

CURVES = (
    (SubsetSum(R=1, eps=0.1), (2, 4, 6)),
    (SubsetSum(R=1, eps=0.01), (4, 8, 12)),
    (SubsetSum(R=5, eps=0.01), (1, 2, 3, 4)),
    (SubsetSum(R=1, eps=1e-3, alpha=-0.9), (6, 12, 16)),
    (SubsetSum(R=3, eps=0.01, model="vector"), (4, 6, 8)),
    (SubsetSum(R=2, eps=0.05, alpha="uniform"), (1, 2, 3)),
    (SubsetSum(R=2, eps=0.05, alpha="uniform", model="vector"), (2, 4)),
)
"""Questions whose success curves are simulated, with their n."""


def _curve(one: SubsetSum, sizes: Sequence[int]) -> Simulation:
    name = f"{one.model} R={one.R} eps={one.eps:g} alpha={one.alpha} n={sizes}"
    return asked(name, one, sizes, 0.5, least=200_000, most=4_000_000)


def _where(one: SubsetSum, n: int) -> str:
    model = ", R vectors" if one.model == "vector" else ""
    return f"n={n} R={one.R} eps={one.eps:g} alpha={one.alpha}{model}"


def checks(seed: int) -> list[Check]:
    """Statements 2.0 to 2.5 and their controls."""
    return [
        *_sums_of_draws(), *_curves(), *_required(), *_rare(), *_sharper(), *_formulas(), *_partition(), *_controls(),
        *sides.subset_sums(),
    ]  # fmt: skip


def _sum_within(key: str, k: int, eps: float, alpha: float, cost: float, least: int) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return np.asarray(np.abs(uniforms(seed, first, trials, k).sum(axis=1) - alpha) <= eps)

    return events(key, event, cost, least, 4_000_000)


def _sums_of_draws() -> Iterator[Check]:
    for k, eps, alpha in ((3, 0.05, 0.5), (6, 0.1, -1.0)):
        low, high = theory.sum_hit_prob(k, eps=eps, alpha=alpha)
        where = f"P(|S_{k} - alpha| <= eps), eps={eps:g} alpha={alpha:g}"
        simulation = _sum_within(f"sum of {k}", k, eps, alpha, 0.05 * k, 1_000_000)
        yield simulation.point("exact", "2.0", where, low, high, 0)
    yield Fact("2.0", "encloses the exact fraction, k <= 30, within 1e-12", _compare_windows)


def _curves() -> Iterator[Check]:
    for one, sizes in CURVES:
        simulation = _curve(one, sizes)
        for i, n in enumerate(sizes):
            where, at = f"P(success), {_where(one, n)}", settings(one)
            upper = theory.success_prob_upper(n, one.R, **at)
            if upper < 1.0:
                yield simulation.upper("2.1", where, upper, i)
            yield simulation.lower("2.2", where, theory.success_prob_second_moment(n, one.R, **at), i)
            yield simulation.predicted("2.4", where, theory.success_prediction(n, one.R, **at), i)
    yield _given_values()


def _given_values() -> Point:
    """The prediction given the values, averaged over values; tested on trials of their own."""
    n, one = 8, SubsetSum(eps=0.01, alpha=0.5)
    values = uniforms(1, 0, 20_000, n * one.R, stream=3).reshape(-1, n, one.R)
    mu, v = theory.mean_and_variance(values)
    predicted = float(np.mean(theory.success_prediction_given(mu, v, n, one.R, eps=one.eps, alpha=0.5)))
    return _curve(one, (n,)).predicted("2.4", f"P(success) given the values, {_where(one, n)}", predicted)


def _required() -> Iterator[Check]:
    for one, delta in (
        (SubsetSum(R=1, eps=0.1), 0.2),
        (SubsetSum(R=2, eps=0.05, alpha=-0.9), 0.05),
        (SubsetSum(R=3, eps=0.1, model="vector"), 0.1),
    ):
        few = theory.necessary_n(delta=delta, **vars(one)) - 1
        enough = theory.required_n(delta=delta, **vars(one)).n
        sizes = tuple(sorted({max(1, few), enough, 4}))
        simulation = _curve(one, sizes)
        if few >= 1:
            where = f"P(success) below necessary_n={few + 1}, delta={delta:g}, {_where(one, few)}"
            yield simulation.upper("2.1", where, 1.0 - delta, sizes.index(few))
        where = f"P(failure) at required_n={enough}, delta={delta:g}, {_where(one, enough)}"
        yield simulation.upper("2.3", where, delta, sizes.index(enough), complement=True)
        n = theory.predicted_n(delta=delta, **vars(one))
        yield _curve(one, (n,)).predicted("2.4", f"P(success) at predicted_n={n}, {_where(one, n)}", 1.0 - delta)
        bound = theory.failure_prob_bound(4, one.R, **settings(one))
        yield simulation.upper("2.3", f"P(failure), {_where(one, 4)}", bound, sizes.index(4), complement=True)


def _sharper() -> Iterator[Check]:
    """Statements 2.1 (b), 2.2 (b), 2.3 (b) and 2.3 (c), each with its control."""
    one = SubsetSum(R=1, eps=0.01)
    simulation, at = _curve(one, (10, 12)), settings(one)
    at_10, at_12 = f"P(success), {_where(one, 10)}", f"P(success), {_where(one, 12)}"
    yield simulation.upper("2.1 (b)", at_10, theory.success_prob_upper(10, 1, **at), 0)
    dropped = 1 - (1 + 0.49) ** 12 / 2**12  # sum_k C(n, k) x^k
    yield simulation.upper("2.1 (b)", at_12, dropped, 1, control="volumes of cubes: 1/k! dropped")
    yield simulation.lower("2.2 (b)", at_12, theory.success_prob_weighted(12, 1, eps=0.01, alpha=0.5), 1)
    many = SubsetSum(R=5, eps=0.01)
    few = _curve(many, (3, 5))
    for claim, prob in (("2.2 (b)", theory.success_prob_weighted), ("2.2 (c)", theory.success_prob_last_variable)):
        bound = prob(5, 5, eps=0.01, alpha=0.5)
        yield few.lower(claim, f"P(success), {_where(many, 5)}", bound, 1)
        yield few.lower(claim, f"P(success), {_where(many, 3)}", bound, 0, control="n off by two (n=5's bound)")
    bound = theory.failure_prob_bound(5, 10, eps=0.01, alpha=0.5, weights=False)
    ten = SubsetSum(R=10, eps=0.01)
    grouped = _curve(ten, (2, 5))
    yield grouped.upper("2.3 (b)", f"P(failure), {_where(ten, 5)}", bound, 1, complement=True)
    square = theory.failure_prob_bound(2, 10, eps=0.01, alpha=0.5) ** 4
    where, four = f"P(failure), {_where(ten, 2)}", "four groups of ten draws counted where there is one"
    yield grouped.upper("2.3 (b)", where, square, 0, complement=True, control=four)
    shared = SubsetSum(R=1, eps=0.1, alpha="uniform")
    covered, where = _curve(shared, (12, 18)), f"P(failure), {_where(shared, 18)}"
    yield covered.upper("2.3 (c)", where, 9 * 0.75**18, 1, complement=True)
    bound = theory.failure_prob_bound(18, 1, eps=0.1, alpha="uniform")
    yield covered.upper("2.3 (c)", f"{where}, best bound", bound, 1, complement=True)
    halved, where = "every variable halves the rest", f"P(failure), {_where(shared, 12)}"
    yield covered.upper("2.3 (c)", where, 9 * 0.5**12, 0, complement=True, control=halved)


def _rare() -> Iterator[Check]:
    """Failures far below what counts see."""
    for one, delta in ((SubsetSum(R=1, eps=0.1), 1e-9), (SubsetSum(R=2, eps=0.1), 1e-6)):
        n = one.required_n(delta)
        where = f"P(no sum) at required_n={n}, delta={delta:g} R={one.R} eps={one.eps:g}"
        yield rare("2.3", where, one, n, delta, samples=400)
    one, delta = SubsetSum(R=1, eps=0.1), 1e-9
    few = one.necessary_n(delta) - 2
    where = f"P(no sum) at necessary_n - 2 = {few}, delta={delta:g} R=1 eps=0.1"
    yield rare("2.3", where, one, few, delta, control="2 variables fewer than necessary")


def _formulas() -> Iterator[Check]:
    yield Fact("2.1", "expected number of good sums by exact fractions", _compare_first_moment)
    yield Fact("2.1", "necessary n: the least that the bounds allow", _compare_necessary)
    yield Fact("2.2", "moments by enumeration and quadrature, n <= 4", _compare_second_moment)
    yield Fact("2.3", "best partition into blocks, and required_n over m", _compare_blocks)


def _partition() -> Iterator[Check]:
    n, x = 12, 2e-4

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        values = 0.5 + 0.5 * uniforms(seed, first, trials, n)  # sum of +-v is 2 (subset sum) - (sum of all)
        return np.asarray(2 * best_subsets(values, values.sum(axis=1) / 2, jobs=1).error > x)

    simulation = events("number partitioning", event, 2.0, 20_000, 200_000)
    predicted = theory.partition_miss_prediction(n, x)
    where = f"P(smallest signed sum of {n} > {x:g})"
    yield simulation.predicted("2.5", where, predicted)


def _controls() -> Iterator[Check]:
    one = SubsetSum(R=5, eps=0.01, alpha=0.5)
    simulation = _curve(one, (2, 3))
    at, at_2, at_3 = settings(one), f"P(success), {_where(one, 2)}", f"P(success), {_where(one, 3)}"
    low, high = theory.sum_hit_prob(3, eps=0.05, alpha=0.5)
    three = _sum_within("sum of 3, control", 3, 0.05, 0.5, 0.3, 200_000)
    yield three.exact("2.0", "P(|S_3 - .5| <= .05)", (low + high) / 4, control="constant halved")
    yield simulation.upper("2.1", at_2, theory.success_prob_upper(2, 4, **at), control="R off by one")
    wrong = sum(math.comb(2, k) * float(_sums.window(k, 0.5, 0.01)) for k in (1, 2))
    yield simulation.upper("2.1", at_2, wrong, control="R^k dropped")
    expected = float(_sums.expected_good_sums(2, 5, 0.5, 0.01))
    yield simulation.lower("2.2", at_2, expected, control="second moment dropped")
    lower = theory.success_prob_second_moment(4, 5, **at)
    yield simulation.lower("2.2", at_3, lower, 1, control="n off by one (n=4's bound)")
    wrong, blocks = theory.failure_prob_bound(3, 5, **at) ** 2, "two blocks counted where there is one"
    yield simulation.upper("2.3", f"P(failure), {_where(one, 3)}", wrong, 1, complement=True, control=blocks)
    half = SubsetSum(R=1, eps=0.01, alpha=0.5)
    few = 8  # below half of required_n for delta = .05, which is 17
    where, too_few = (
        f"P(failure), {_where(half, few)} delta=.05",
        "too few candidates: below half of required_n for delta/5",
    )
    yield _curve(half, (few - 1,)).upper("2.3", where, 0.01, complement=True, control=too_few)


# -- independent computations -----------------------------------------------------------------------------------------


def _compare_windows(seed: int) -> Closest:
    rng = generator(seed, "2.0")
    inside, pairs = [], []
    for _ in range(60):
        k, eps, alpha = int(rng.integers(1, 31)), float(10 ** rng.uniform(-5, 0)), float(rng.uniform(-1, 1))
        true = _sums.window(k, alpha, eps)
        low, high = theory.sum_hit_prob(k, eps=eps, alpha=alpha)
        log_low, log_high = theory.log_sum_hit_prob(k, eps=eps, alpha=alpha)
        inside += [Fraction(low) <= true <= Fraction(high), log_low <= math.log(low) <= math.log(high) <= log_high]
        pairs += [(bound, true) for bound in (low, high, math.exp(log_low), math.exp(log_high))]
    found = equal(pairs, 1e-12)
    return found if all(inside) else all_true(inside, "enclosed")


@agree(1e-9, "2.1")
def _compare_first_moment(rng: Rng) -> Pairs:
    for _ in range(60):
        n, R = int(rng.integers(1, 12)), int(rng.integers(1, 9))
        eps, alpha = float(10 ** rng.uniform(-9, -2)), float(rng.uniform(0.02, 1))
        one = float(_sums.expected_good_sums(n, R, alpha, eps))
        if one > 0.05:  # beyond, 2.1 (b) may be sharper
            continue
        yield theory.success_prob_upper(n, R, eps=eps, alpha=alpha), min(1.0, one)
        logged = theory.log_success_prob_upper(n, R, eps=eps, alpha=-alpha)
        yield math.exp(logged), min(1.0, one)
        single_vector = min(1.0, float(_sums.expected_good_sums(n, 1, alpha, eps)))
        vectors = -math.expm1(R * math.log1p(-single_vector)) if single_vector < 1 else 1.0
        yield theory.success_prob_upper(n, R, eps=eps, alpha=alpha, model="vector"), vectors
        average = sum(math.comb(n, k) * R**k * _sums.window(k + 1, 0.0, eps) for k in range(n + 1))
        yield theory.success_prob_upper(n, R, eps=eps, alpha="uniform"), min(1.0, float(average))


@agree(1e-12, "2.1 necessary")
def _compare_necessary(rng: Rng) -> Pairs:
    for _ in range(12):
        R, eps = int(rng.integers(1, 9)), float(10 ** rng.uniform(-6, -1))
        alpha, delta = float(rng.uniform(0.2, 1)), float(rng.uniform(0.01, 0.9))
        n = 0
        while _sums.expected_good_sums(n, R, alpha, eps) < 1 - Fraction(delta):
            n += 1
        found = theory.necessary_n(eps, delta, R=R, alpha=alpha)
        yield min(found, n), n
        yield float(theory.success_prob_upper(found - 1, R, eps=eps, alpha=alpha) < 1 - delta), 1.0
        closed = 0
        while (R + 1) ** closed * Fraction(eps) < 1 - Fraction(delta):
            closed += 1
        yield theory.necessary_n_closed_form(eps, delta, R=R, alpha=alpha), closed


@agree(1e-5, "2.2")
def _compare_second_moment(rng: Rng) -> Pairs:
    for n, R in ((1, 1), (1, 4), (2, 1), (2, 3), (3, 1), (3, 2), (4, 1)):
        eps, alpha = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.2, 1))
        best, alone = _sums.second_moment(n, R, alpha, eps)
        yield theory.success_prob_second_moment(n, R, eps=eps, alpha=alpha), best
        yield theory.success_prob_second_moment(n, R, eps=eps, alpha=alpha, combine=False), alone


@agree(1e-9, "2.3")
def _compare_blocks(rng: Rng) -> Pairs:
    for eps in (0.02, 0.01):
        alpha = float(rng.uniform(0.2, 0.9))
        last = 24
        at: dict[str, Any] = {"eps": eps, "alpha": alpha}
        single_block = [theory.success_prob_second_moment(m, 1, **at) for m in range(last + 1)]
        best = [1.0]
        for n in range(1, last + 1):
            best.append(min(best[n - m] * (1 - single_block[m]) for m in range(1, n + 1)))
            best[n] = min(best[n], best[n - 1])
            yield theory.failure_prob_bound(n, 1, weights=False, **at), best[n]
            yield theory.log_failure_prob_bound(n, 1, weights=False, **at), math.log(best[n])
            yield theory.success_prob_lower(n, 1, weights=False, **at), 1 - best[n]
        found = theory.required_n(eps, 0.2, R=1, alpha=alpha)
        yield float(found.n == found.m * found.blocks and (1 - found.block_success) ** found.blocks <= 0.2), 1.0
