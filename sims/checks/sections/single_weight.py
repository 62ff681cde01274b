"""Checks of statements 1: one target, single draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Literal

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, asked, events
from sims.checks.facts import Pairs, Rng, agree, equal, generator
from sims.checks.sides import single_weight as sides
from sims.solver.philox import GRID_BITS, uniforms
from theory import single_weight as theory
from theory.single_weight import SingleWeight

Alpha = float | Literal["uniform"]


def _misses(R: int, eps: float, alpha: Alpha, sizes: Sequence[int], cost: float) -> Simulation:
    name = f"draws R={R} eps={eps:g} alpha={alpha} n={sizes}"
    return asked(name, SingleWeight(R=R, eps=eps, alpha=alpha), sizes, cost, least=400_000, most=4_000_000)


EXACT: tuple[tuple[int, float, Alpha, tuple[int, ...]], ...] = (
    (1, 0.1, 0.5, (1, 7, 20)),
    (3, 0.05, "uniform", (2, 10)),
    (2, 0.2, -0.95, (1, 8)),
)
"""R, eps, alpha and the numbers of candidates at which the exact law is tested."""


def checks(seed: int) -> list[Check]:
    """Statements 1.1 to 1.3 and their controls."""
    return [*_exact_law(), *_bound(), *_nearest(), *_controls(), *sides.checks()]


def _exact_law() -> Iterator[Check]:
    for R, eps, alpha, sizes in EXACT:
        simulation = _misses(R, eps, alpha, sizes, 0.3)
        for i, n in enumerate(sizes):
            p, grid = theory.miss_prob_exact(n, R, eps=eps, alpha=alpha), n * R * 2.0**-GRID_BITS
            where = f"P(miss), n={n} R={R} eps={eps:g} alpha={alpha}"
            yield simulation.exact("1.1", where, p, i, off=grid, complement=True)
    yield Fact("1.1", "hit_prob by the overlap of intervals", _compare_hit_prob)
    yield Fact("1.1", "log P(miss) in 40 digits", _compare_log_miss)
    yield Fact("1.1", "required_n_exact is the least n", _compare_required_exact)


def _bound() -> Iterator[Check]:
    for R, eps, alpha, n in ((1, 0.1, 1.0, 25), (5, 0.02, -1.0, 40), (1, 0.1, 0.5, 7)):
        simulation = _misses(R, eps, alpha, (n,), 0.4)
        bound = theory.miss_prob_bound(n, R, eps=eps)
        where = f"P(miss), n={n} R={R} eps={eps:g} alpha={alpha:g}"
        yield simulation.upper("1.2", where, bound, complement=True)
    for eps, delta, R in ((0.02, 0.05, 2), (0.1, 0.2, 1)):
        n = theory.required_n(eps, delta, R=R)
        simulation = _misses(R, eps, 1.0, (n,), 0.4)
        where = f"P(miss) at required_n={n}, eps={eps:g} delta={delta:g} R={R} alpha=1"
        yield simulation.upper("1.2", where, delta, complement=True)
    yield Fact("1.2", "log bound and least n by exact fractions", _compare_bound)


def _honest(R: int, alpha: float, seed: int, first: int, trials: int) -> np.ndarray:
    """The nearest of R draws, all of which are made."""
    values = uniforms(seed, first, trials, R)
    nearest: np.ndarray = values[np.arange(trials), np.abs(values - alpha).argmin(axis=1)]
    return nearest


def _nearest() -> Iterator[Check]:
    for R, alpha, cuts in ((4, 0.3, (0.1, 0.5)), (20, -0.9, (0.03, 0.15))):

        def made(seed: int, first: int, trials: int, R: int = R, alpha: float = alpha, cuts=cuts) -> np.ndarray:  # type: ignore[no-untyped-def]
            return _events(_honest(R, alpha, seed, first, trials), alpha, cuts)

        def drawn(seed: int, first: int, trials: int, R: int = R, alpha: float = alpha, cuts=cuts) -> np.ndarray:  # type: ignore[no-untyped-def]
            u = uniforms(seed, first, trials, 2)
            sides = np.where(u[:, 1] < 0.0, -1.0, 1.0)
            return _events(theory.nearest_draw(0.5 + 0.5 * u[:, 0], sides, R=R, alpha=alpha), alpha, cuts)

        honest = events(f"honest nearest R={R} alpha={alpha}", made, 0.03 * R, 300_000, 2_000_000)
        by_law = events(f"nearest_draw R={R} alpha={alpha}", drawn, 0.5, 300_000, 2_000_000)
        for i, d in enumerate(cuts):
            p = theory.nearest_distance_cdf(d, R, alpha=alpha)
            above = p / 2 if d <= 1.0 - abs(alpha) else None
            for name, simulation in (("all draws made", honest), ("one number", by_law)):
                yield simulation.exact("1.3", f"P(D <= {d:g}), R={R} alpha={alpha:g}, {name}", p, 2 * i)
                if above is not None:
                    where = f"P(D <= {d:g}, above alpha), R={R} alpha={alpha:g}, {name}"
                    yield simulation.exact("1.3", where, above, 2 * i + 1)
    yield Fact("1.3", "cdf and quantile in 40 digits", _compare_nearest)


def _events(values: np.ndarray, alpha: float, cuts: Sequence[float]) -> np.ndarray:
    """Within each cut of alpha, and within it above alpha."""
    near = [np.abs(values - alpha) <= d for d in cuts]
    return np.array([event for within in near for event in (within, within & (values > alpha))])


def _controls() -> Iterator[Check]:
    def log_draws(n: int, R: int, alpha: float, eps: float) -> float:
        p = theory.hit_prob(alpha, eps)
        return float((1.0 - p) ** (n * R))

    simulation = _misses(3, 0.05, 0.5, (10,), 0.8)
    for wrong, p in (
        ("R off by one", log_draws(10, 2, 0.5, 0.05)),
        ("window halved", log_draws(10, 3, 0.5, 0.025)),
    ):
        yield simulation.exact("1.1", "P(miss), n=10 R=3 eps=.05 alpha=.5", p, complement=True, control=wrong)
    edge = _misses(2, 0.2, -1.0, (5,), 0.8)
    p = (1.0 - 0.2) ** 10  # 1 + |alpha| for 1 - |alpha|: no overlap lost
    where = "P(miss), n=5 R=2 eps=.2 alpha=-1"
    yield edge.exact("1.1", where, p, complement=True, control="1 + |alpha| in place of 1 - |alpha|")
    bound = math.exp(-5 * 2 * 0.2)
    yield edge.upper("1.2", where, bound, complement=True, control="constant halved: exp(-nR eps)")
    for wrong, n in (
        ("log10 for log", math.ceil(2 / 0.02 * math.log10(1 / 0.05))),
        ("nine tenths of the candidates", math.ceil(0.9 * 2 / 0.02 * math.log(1 / 0.05))),
    ):
        few = _misses(1, 0.02, 1.0, (n,), 0.4)
        yield few.upper("1.2", f"P(miss) at n={n}, eps=.02 delta=.05", 0.05, complement=True, control=wrong)

    def nearest(seed: int, first: int, trials: int) -> np.ndarray:
        return np.abs(_honest(4, 0.9, seed, first, trials) - 0.9) <= 0.5

    p = 1.0 - (1.0 - 0.5) ** 4  # the lost part of the window forgotten
    honest = events("honest nearest, control", nearest, 0.6, 100_000, 2_000_000)
    yield honest.exact("1.3", "P(D <= .5), R=4 alpha=.9", p, control="the end of [-1, 1] forgotten")


# -- independent computations -----------------------------------------------------------------------------------------


def overlap(alpha: float, eps: float) -> Fraction:
    """Half the length of [alpha-eps, alpha+eps] inside [-1, 1]."""
    low = max(Fraction(-1), Fraction(alpha) - Fraction(eps))
    high = min(Fraction(1), Fraction(alpha) + Fraction(eps))
    return max(Fraction(0), high - low) / 2


def _settings(rng: Rng, count: int) -> Iterator[tuple[float, float, int, int, float]]:
    """Random alpha, eps, n, R, delta, the ends of their ranges among them."""
    for i in range(count):
        alpha = float((1.0, -1.0, 0.0, rng.uniform(-1, 1))[min(i, 3)])
        eps = float((1e-3, 0.5, 0.999, 10 ** rng.uniform(-6, 0))[min(i, 3)])
        n, R = int(10 ** rng.uniform(0, 5)), int(10 ** rng.uniform(0, 4))
        yield alpha, eps, n, R, float(10 ** rng.uniform(-12, -0.1))


def _compare_hit_prob(seed: int) -> Closest:
    settings = _settings(generator(seed, "1.1 hit"), 200)
    pairs = [(theory.hit_prob(alpha, eps), overlap(alpha, eps)) for alpha, eps, *_ in settings]
    for _, eps, *_ in _settings(generator(seed, "1.1 uniform"), 50):
        # the overlap is eps for |alpha| <= 1-eps and falls linearly to eps/2 at 1: trapezia
        e = Fraction(eps)
        pairs.append((theory.hit_prob("uniform", eps), (1 - e) * e + e * (e + e / 2) / 2))
    return equal(pairs, 1e-12)


def _log_miss(alpha: float, eps: float, draws: int) -> float:
    with localcontext() as context:
        context.prec = 40
        miss = 1 - overlap(alpha, eps)
        return float(draws * (Decimal(miss.numerator) / Decimal(miss.denominator)).ln()) if miss else -math.inf


@agree(1e-9, "1.1 log")
def _compare_log_miss(rng: Rng) -> Pairs:
    for alpha, eps, n, R, _ in _settings(rng, 200):
        true = _log_miss(alpha, eps, n * R)
        if true:
            yield theory.log_miss_prob_exact(n, R, eps=eps, alpha=alpha), true
        if true > -600:
            yield theory.miss_prob_exact(n, R, eps=eps, alpha=alpha), math.exp(true)
    x, weights = np.polynomial.legendre.leggauss(200)
    for eps, draws in ((0.5, 3), (0.1, 40), (0.9, 7)):  # a uniform target: numerical average over alpha >= 0
        edge = eps * (x + 1) / 2
        inner = (1 - eps) * (1 - eps) ** draws
        tail = eps / 2 * float(weights @ (1 - (eps + edge) / 2) ** draws)
        yield theory.miss_prob_exact(draws, 1, eps=eps, alpha="uniform"), inner + tail


@agree(1e-12, "1.1 required")
def _compare_required_exact(rng: Rng) -> Pairs:
    for alpha, eps, _, R, delta in _settings(rng, 100):
        per_n = _log_miss(alpha, eps, R)
        true = max(1, math.ceil(math.log(delta) / per_n * (1 - 1e-13))) if per_n else 1
        yield theory.required_n_exact(eps, delta, R=R, alpha=alpha), true


@agree(1e-11, "1.2")
def _compare_bound(rng: Rng) -> Pairs:
    for _, eps, n, R, delta in _settings(rng, 200):
        exponent = float(-Fraction(eps) * n * R / 2)
        yield theory.log_miss_prob_bound(n, R, eps=eps), exponent
        if exponent > -600:
            yield theory.miss_prob_bound(n, R, eps=eps), math.exp(exponent)
        least = max(1, math.ceil(2 * Fraction(math.log(1 / Fraction(delta))) / (Fraction(eps) * R)))
        yield theory.required_n(eps, delta, R=R), least


@agree(1e-9, "1.3")
def _compare_nearest(rng: Rng) -> Pairs:
    for alpha, d, _, R, u in _settings(rng, 200):
        true = -math.expm1(_log_miss(alpha, d, R))
        yield theory.nearest_distance_cdf(d, R, alpha=alpha), true
        there = theory.nearest_distance_ppf(u, R, alpha=alpha)
        yield -math.expm1(_log_miss(alpha, there, R)), u
