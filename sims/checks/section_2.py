"""Checks of statements 2: one target, sums of draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from sims.checks import sums as _sums
from sims.checks.check import Check, Closest, Fact, Point, Simulation, all_true, equal, generator, single
from sims.commands.table import Cell
from sims.solver import best_subsets
from sims.solver.philox import uniforms
from sims.statistics.trials import Count
from sims.subset_sum import subset_sum_counter
from theory import subset_sum as theory

CELLS = (
    (Cell(1, 0.1, 0.5, "choice"), (2, 4, 6)),
    (Cell(1, 0.01, 0.5, "choice"), (4, 8, 12)),
    (Cell(5, 0.01, 0.5, "choice"), (1, 2, 3, 4)),
    (Cell(1, 1e-3, -0.9, "choice"), (6, 12, 16)),
    (Cell(3, 0.01, 0.5, "vector"), (4, 6, 8)),
    (Cell(2, 0.05, "uniform", "choice"), (1, 2, 3)),
    (Cell(2, 0.05, "uniform", "vector"), (2, 4)),
)
"""Settings of the simulated success curves, with their n."""


def _curve(cell: Cell, sizes: Sequence[int]) -> Simulation:
    def make(seed: int, jobs: int) -> tuple[Count, int]:
        return subset_sum_counter(sizes, cell, seed, jobs)

    name = f"{cell.kind} R={cell.R} eps={cell.eps:g} alpha={cell.alpha} n={sizes}"
    return Simulation(name, make, 0.5, least=200_000, most=4_000_000)


def _where(cell: Cell, n: int) -> str:
    model = ", R vectors" if cell.kind == "vector" else ""
    return f"n={n} R={cell.R} eps={cell.eps:g} alpha={cell.alpha}{model}"


def checks(seed: int) -> list[Check]:
    """Statements 2.0 to 2.5 and their controls."""
    return [*_sums_of_draws(), *_curves(), *_required(), *_formulas(), *_partition(), *_controls()]


def _sums_of_draws() -> Iterator[Check]:
    for k, eps, alpha in ((3, 0.05, 0.5), (6, 0.1, -1.0)):

        def event(seed: int, first: int, trials: int, k: int = k, eps: float = eps, alpha: float = alpha) -> np.ndarray:
            return np.asarray(np.abs(uniforms(seed, first, trials, k).sum(axis=1) - alpha) <= eps)

        low, high = theory.sum_hit_prob(k, eps=eps, alpha=alpha)
        simulation = Simulation(f"sum of {k}", single(event), 0.05 * k, 1_000_000, 4_000_000)
        where = f"P(|S_{k} - alpha| <= eps), eps={eps:g} alpha={alpha:g}"
        yield Point("2.0", where, "exact", low, high, simulation)
    yield Fact("2.0", "encloses the exact fraction, k <= 30, within 1e-12", _compare_windows)


def _curves() -> Iterator[Check]:
    for cell, sizes in CELLS:
        simulation = _curve(cell, sizes)
        at: dict[str, Any] = {"eps": cell.eps, "alpha": cell.alpha, "model": cell.kind}
        for i, n in enumerate(sizes):
            upper = theory.success_prob_upper(n, cell.R, **at)
            if upper < 1.0:
                yield Point("2.1", f"P(success), {_where(cell, n)}", "upper", 0.0, upper, simulation, i)
            lower = theory.success_prob_second_moment(n, cell.R, **at)
            yield Point("2.2", f"P(success), {_where(cell, n)}", "lower", lower, 1.0, simulation, i)
            predicted = theory.success_prediction(n, cell.R, **at)
            yield Point("2.4", f"P(success), {_where(cell, n)}", "prediction", 0.0, predicted, simulation, i)
    yield _given_values()


def _given_values() -> Point:
    """The prediction given the values, averaged over values; tested on trials of their own."""
    n, R, eps, alpha = 8, 1, 0.01, 0.5
    values = uniforms(1, 0, 20_000, n * R, stream=3).reshape(-1, n, R)
    mu, v = theory.mean_and_variance(values)
    predicted = float(np.mean(theory.success_prediction_given(mu, v, n, R, eps=eps, alpha=alpha)))
    cell = Cell(R, eps, alpha, "choice")
    where = f"P(success) given the values, {_where(cell, n)}"
    return Point("2.4", where, "prediction", 0.0, predicted, _curve(cell, (n,)))


def _required() -> Iterator[Check]:
    for cell, delta in (
        (Cell(1, 0.1, 0.5, "choice"), 0.2),
        (Cell(2, 0.05, -0.9, "choice"), 0.05),
        (Cell(3, 0.1, 0.5, "vector"), 0.1),
    ):
        at: dict[str, Any] = {"eps": cell.eps, "alpha": cell.alpha, "model": cell.kind}
        few = theory.necessary_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind) - 1
        enough = theory.required_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind).n
        sizes = tuple(sorted({max(1, few), enough, 4}))
        simulation = _curve(cell, sizes)
        if few >= 1:
            where = f"P(success) below necessary_n={few + 1}, delta={delta:g}, {_where(cell, few)}"
            yield Point("2.1", where, "upper", 0.0, 1.0 - delta, simulation, sizes.index(few))
        where = f"P(failure) at required_n={enough}, delta={delta:g}, {_where(cell, enough)}"
        yield Point("2.3", where, "upper", 0.0, delta, simulation, sizes.index(enough), True)
        predicted = theory.predicted_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind)
        more = _curve(cell, (predicted,))
        where = f"P(success) at predicted_n={predicted}, {_where(cell, predicted)}"
        yield Point("2.4", where, "prediction", 0.0, 1.0 - delta, more)
        bound = theory.failure_prob_bound(4, cell.R, **at)
        yield Point("2.3", f"P(failure), {_where(cell, 4)}", "upper", 0.0, bound, simulation, sizes.index(4), True)


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

    simulation = Simulation("number partitioning", single(event), 2.0, 20_000, 200_000)
    predicted = theory.partition_miss_prediction(n, x)
    where = f"P(smallest signed sum of {n} > {x:g})"
    yield Point("2.5", where, "prediction", 0.0, predicted, simulation)


def _controls() -> Iterator[Check]:
    cell = Cell(5, 0.01, 0.5, "choice")
    simulation = _curve(cell, (2, 3))
    at: dict[str, Any] = {"eps": 0.01, "alpha": 0.5}
    low, high = theory.sum_hit_prob(3, eps=0.05, alpha=0.5)
    halved = (low + high) / 4

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return np.asarray(np.abs(uniforms(seed, first, trials, 3).sum(axis=1) - 0.5) <= 0.05)

    three = Simulation("sum of 3, control", single(event), 0.3, 200_000, 4_000_000)
    yield Point("2.0", "P(|S_3 - .5| <= .05)", "exact", halved, halved, three, control="constant halved")
    wrong = theory.success_prob_upper(2, 4, **at)
    yield Point("2.1", f"P(success), {_where(cell, 2)}", "upper", 0.0, wrong, simulation, control="R off by one")
    wrong = sum(math.comb(2, k) * float(_sums.window(k, 0.5, 0.01)) for k in (1, 2))
    yield Point("2.1", f"P(success), {_where(cell, 2)}", "upper", 0.0, wrong, simulation, control="R^k dropped")
    expected = float(_sums.expected_good_sums(2, 5, 0.5, 0.01))
    yield Point(
        "2.2", f"P(success), {_where(cell, 2)}", "lower", expected, 1.0, simulation, control="second moment dropped"
    )
    lower = theory.success_prob_second_moment(4, 5, **at)
    yield Point(
        "2.2",
        f"P(success), {_where(cell, 3)}",
        "lower",
        lower,
        1.0,
        simulation,
        1,
        control="n off by one (n=4's bound)",
    )
    blocks = theory.failure_prob_bound(3, 5, **at) ** 2
    yield Point(
        "2.3", f"P(failure), {_where(cell, 3)}", "upper", 0.0, blocks, simulation, 1, True,
        control="two blocks counted where there is one",
    )  # fmt: skip
    delta = 0.05
    few = theory.required_n(0.01, delta, R=1, alpha=0.5).n // 2
    half = Cell(1, 0.01, 0.5, "choice")
    yield Point(
        "2.3", f"P(failure), {_where(half, few)} delta=.05", "upper", 0.0, 0.01, _curve(half, (few - 1,)), 0, True,
        control="too few candidates: below half of required_n for delta/5",
    )  # fmt: skip


# -- independent computations -----------------------------------------------------------------------------------------


def _compare_windows(seed: int) -> Closest:
    rng = generator(seed, "2.0")
    inside, pairs = [], []
    for _ in range(60):
        k, eps, alpha = int(rng.integers(1, 31)), float(10 ** rng.uniform(-5, 0)), float(rng.uniform(-1, 1))
        true = _sums.window(k, alpha, eps)
        low, high = theory.sum_hit_prob(k, eps=eps, alpha=alpha)
        log_low, log_high = theory.log_sum_hit_prob(k, eps=eps, alpha=alpha)
        inside.append(
            Fraction(low) <= true <= Fraction(high) and log_low <= math.log(low) <= math.log(high) <= log_high
        )
        pairs += [(low, float(true)), (high, float(true)), (math.exp(log_low), float(true))]
        pairs.append((math.exp(log_high), float(true)))
    found = equal(pairs, 1e-12)
    return found if all(inside) else all_true(inside, "enclosed")


def _compare_first_moment(seed: int) -> Closest:
    rng = generator(seed, "2.1")
    pairs = []
    for _ in range(60):
        n, R = int(rng.integers(1, 12)), int(rng.integers(1, 9))
        eps, alpha = float(10 ** rng.uniform(-9, -2)), float(rng.uniform(0.02, 1))
        one = float(_sums.expected_good_sums(n, R, alpha, eps))
        pairs.append((theory.success_prob_upper(n, R, eps=eps, alpha=alpha), min(1.0, one)))
        logged = theory.log_success_prob_upper(n, R, eps=eps, alpha=-alpha)
        pairs.append((math.exp(logged), min(1.0, one)))
        single_vector = min(1.0, float(_sums.expected_good_sums(n, 1, alpha, eps)))
        vectors = -math.expm1(R * math.log1p(-single_vector)) if single_vector < 1 else 1.0
        pairs.append((theory.success_prob_upper(n, R, eps=eps, alpha=alpha, model="vector"), vectors))
        average = sum(math.comb(n, k) * R**k * _sums.window(k + 1, 0.0, eps) for k in range(n + 1))
        pairs.append((theory.success_prob_upper(n, R, eps=eps, alpha="uniform"), min(1.0, float(average))))
    return equal(pairs, 1e-9)


def _compare_necessary(seed: int) -> Closest:
    rng = generator(seed, "2.1 necessary")
    pairs = []
    for _ in range(40):
        R, eps = int(rng.integers(1, 9)), float(10 ** rng.uniform(-6, -1))
        alpha, delta = float(rng.uniform(0.2, 1)), float(rng.uniform(0.01, 0.9))
        n = 0
        while _sums.expected_good_sums(n, R, alpha, eps) < 1 - Fraction(delta):
            n += 1
        pairs.append((float(theory.necessary_n(eps, delta, R=R, alpha=alpha)), float(n)))
        closed = 0
        while (R + 1) ** closed * Fraction(eps) < 1 - Fraction(delta):
            closed += 1
        pairs.append((float(theory.necessary_n_closed_form(eps, delta, R=R, alpha=alpha)), float(closed)))
    return equal(pairs, 1e-12)


def _compare_second_moment(seed: int) -> Closest:
    rng = generator(seed, "2.2")
    pairs = []
    for n, R in ((1, 1), (1, 4), (2, 1), (2, 3), (3, 1), (3, 2), (4, 1)):
        eps, alpha = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.2, 1))
        best, alone = _sums.second_moment(n, R, alpha, eps)
        pairs.append((theory.success_prob_second_moment(n, R, eps=eps, alpha=alpha), best))
        pairs.append((theory.success_prob_second_moment(n, R, eps=eps, alpha=alpha, combine=False), alone))
    return equal(pairs, 1e-5)


def _compare_blocks(seed: int) -> Closest:
    rng = generator(seed, "2.3")
    pairs = []
    for R, eps in ((1, 0.02), (3, 0.01)):
        alpha, delta = float(rng.uniform(0.2, 0.9)), float(10 ** rng.uniform(-9, -1))
        last = 30
        single_block = [theory.success_prob_second_moment(m, R, eps=eps, alpha=alpha) for m in range(last + 1)]
        best = [1.0]
        for n in range(1, last + 1):
            best.append(min(best[n - m] * (1 - single_block[m]) for m in range(1, n + 1)))
            best[n] = min(best[n], best[n - 1])
            pairs.append((theory.failure_prob_bound(n, R, eps=eps, alpha=alpha), best[n]))
            pairs.append((theory.log_failure_prob_bound(n, R, eps=eps, alpha=alpha), math.log(best[n])))
            pairs.append((theory.success_prob_lower(n, R, eps=eps, alpha=alpha), 1 - best[n]))
        found = theory.required_n(eps, delta, R=R, alpha=alpha)
        costs = []
        for m in range(1, 65):
            c = theory.success_prob_second_moment(m, R, eps=eps, alpha=alpha)
            costs.append(m * math.ceil(math.log(1 / delta) / -math.log1p(-c)))
        pairs.append((float(found.n), float(min(costs))))
    return equal(pairs, 1e-9)
