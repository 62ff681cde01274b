"""Checks of statements 7: binary weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from sims.binary_sums import best_errors, sign_options
from sims.checks._check import Check, Closest, Fact, Point, Simulation, Untested, equal, generator, single
from sims.philox import TARGETS, uniforms
from theory import binary_weights as theory

ROUNDING = 1e-12
"""Errors are compared with eps plus this; no case lies so near."""


def _signs(n: int, R: int, eps: float, alpha: float, gain: float, kind: str = "subset", inner: int = 1) -> Simulation:
    """Whether some choice of n paths is within eps of alpha; whether every one of 41 targets in [-1, 1] is."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        options = sign_options(seed, first, trials, n, R, kind=kind, inner=inner)
        here = best_errors(options, gain, alpha) <= eps + ROUNDING
        every = [best_errors(options, gain, float(z)) <= eps + ROUNDING for z in (-1.0, 1.0)]
        return np.array([here, np.all(every, axis=0)])

    name = f"signs n={n} R={R} eps={eps} alpha={alpha} gain={gain} {kind} {inner}"
    return Simulation(name, single(event), 0.1 * n * R * inner + 1.0, 300_000, 1_000_000)


def checks(seed: int) -> list[Check]:
    """Statements 7.1 to 7.7 and controls."""
    return [
        *_laws(), *_paths(), *_forms(),
        Untested("7.6", "widths of deep networks; tests/theory/test_binary_bounds.py enumerates small ones"),
        Untested("7.7", "orders of growth, and a scale without a target"),
        *_controls(),
    ]  # fmt: skip


def _laws() -> Iterator[Check]:
    for n, R, eps, alpha in ((6, 1, 0.15, 0.9), (8, 2, 0.06, -0.7), (4, 3, 0.12, 1.0)):
        gain = theory.best_gain(eps)
        simulation = _signs(n, R, eps, alpha, 2 * eps)
        at = f"n={n} R={R} eps={eps:g} alpha={alpha:g}"
        p = theory.success_prob_exact(n, R, eps=eps, alpha=alpha, gain=gain)
        yield Point("7.1", f"P(success), {at}", "exact", p, p, simulation)
        p = theory.miss_prob_exact(n, R, eps=eps, alpha=alpha)
        yield Point("7.1", f"P(miss), {at}", "exact", p, p, simulation, 0, True)
        p = theory.success_prob_all_exact(n, R, eps=eps)
        yield Point("7.3", f"P(every target), n={n} R={R} eps={eps:g}", "exact", p, p, simulation, 1)
        p = theory.miss_prob_all_exact(n, R, eps=eps)
        yield Point("7.3", f"P(some target missed), n={n} R={R} eps={eps:g}", "exact", p, p, simulation, 1, True)
    for eps, delta, R in ((0.15, 0.1, 1), (0.1, 0.2, 3)):
        n = theory.required_n(eps, delta, R=R)
        where = f"P(miss) at required_n={n}, eps={eps:g} delta={delta:g} R={R} alpha=1"
        yield Point("7.2", where, "upper", 0.0, delta, _signs(n, R, eps, 1.0, 2 * eps), 0, True)
        where = f"P(miss) at n={n - 1}, one less"
        yield Point("7.2", where, "lower", delta, 1.0, _signs(n - 1, R, eps, 1.0, 2 * eps), 0, True)
    eps, delta, R = 0.02, 0.1, 1
    n = theory.necessary_n(eps, delta, R=R) - 1

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        options = sign_options(seed, first, trials, n, R)
        targets = uniforms(seed, first, trials, 1, stream=TARGETS)[:, 0]
        errors = np.array([best_errors(options[i : i + 1], 2 * eps, float(z))[0] for i, z in enumerate(targets)])
        return errors <= eps

    simulation = Simulation(f"signs, uniform target, n={n}", single(event), 20.0, 20_000, 100_000)
    where = f"P(success) at n={n}, below necessary_n, eps={eps:g} delta={delta:g}, uniform target"
    yield Point("7.4", where, "upper", 0.0, 1.0 - delta, simulation)


def _paths() -> Iterator[Check]:
    for n, R, kind, inner in ((7, 2, "product", 1), (3, 2, "two-stage", 3)):
        count, draws = theory.equivalent_subset(n, R, kind=kind, inner=inner)
        p = theory.success_prob_exact(count, draws, eps=0.1, alpha=0.95)
        where = f"P(success), {kind} n={n} R={R} inner={inner} eps=.1 alpha=.95"
        yield Point("7.5", where, "exact", p, p, _signs(n, R, 0.1, 0.95, 0.2, kind, inner))


def _forms() -> Iterator[Check]:
    yield Fact("7.1", "law by exact fractions", _compare_law)
    yield Fact("7.2", "required n by exact fractions, gain 2 eps", _compare_required)
    yield Fact("7.4", "necessary n by its definition", _compare_necessary)


def _controls() -> Iterator[Check]:
    simulation = _signs(6, 1, 0.15, 0.9, 0.3)
    where = "P(success), n=6 R=1 eps=.15 alpha=.9"
    for wrong, p in (
        ("R off by one", theory.success_prob_exact(6, 2, eps=0.15, alpha=0.9)),
        ("the sign of eps", _at_least(6, 1, math.ceil((0.9 + 0.15) / 0.3))),
    ):
        yield Point("7.1", where, "exact", p, p, simulation, control=wrong)
    few = theory.required_n(0.15, 0.1, R=1) - 2
    where = f"P(miss) at n={few}, two below required_n"
    yield Point("7.2", where, "upper", 0.0, 0.1, _signs(few, 1, 0.15, 1.0, 0.3), 0, True, control="too few candidates")


def _exactly_at_least(n: int, R: int, k: int) -> Fraction:
    """P(Bin(n, 1 - 2^-R) >= k)."""
    q = 1 - Fraction(1, 2**R)
    return sum((math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(max(0, k), n + 1)), Fraction(0))


def _at_least(n: int, R: int, k: int) -> float:
    return float(_exactly_at_least(n, R, k))


def _compare_law(seed: int) -> Closest:
    rng = generator(seed, "7.1")
    pairs = []
    for _ in range(60):
        n, R = int(rng.integers(1, 40)), int(rng.integers(1, 6))
        eps, alpha = float(rng.uniform(0.02, 0.9)), float(rng.uniform(-1, 1))
        k = math.ceil((abs(Fraction(alpha)) - Fraction(eps)) / (2 * Fraction(eps)))
        p = _exactly_at_least(n, R, k)
        pairs.append((theory.success_prob_exact(n, R, eps=eps, alpha=alpha), float(p)))
        pairs.append((theory.miss_prob_exact(n, R, eps=eps, alpha=alpha), float(1 - p)))
    return equal(pairs, 1e-6)


def _compare_required(seed: int) -> Closest:
    rng = generator(seed, "7.2")
    pairs = []
    for _ in range(30):
        R, eps, delta = int(rng.integers(1, 5)), float(rng.uniform(0.02, 0.6)), float(rng.uniform(0.01, 0.5))
        pairs.append((theory.best_gain(eps), 2 * eps))
        k = math.ceil((1 - Fraction(eps)) / (2 * Fraction(eps)))
        n = next(n for n in range(1, 10**4) if _at_least(n, R, k) >= 1 - delta)
        pairs.append((float(theory.required_n(eps, delta, R=R)), float(n)))
        closed = theory.required_n_closed_form(eps, delta, R=R)
        pairs.append((1.0, 1.0 if n <= closed and _at_least(closed, R, k) >= 1 - delta else 0.0))
    return equal(pairs, 1e-9)


def _compare_necessary(seed: int) -> Closest:
    rng = generator(seed, "7.4")
    pairs = []
    for _ in range(30):
        R, eps, delta = int(rng.integers(1, 5)), float(10 ** rng.uniform(-4, -1)), float(rng.uniform(0.01, 0.5))
        n = math.ceil(((1 - delta) / eps - 1) / (2 * (1 - 0.5**R)) - 1e-9)
        pairs.append((float(theory.necessary_n(eps, delta, R=R)), float(max(0, n))))
    return equal(pairs, 1e-9)
