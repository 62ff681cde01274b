"""Checks of statements 6: recycling, every multiset of at most n of n values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cache

import numpy as np

from sims.checks import _sums
from sims.checks._check import Check, Closest, Fact, Point, Simulation, Untested, equal, generator, single
from sims.philox import uniforms
from theory import recycling as theory


@cache
def multisets(n: int) -> np.ndarray:
    """How often each of n values is taken, for every multiset of size at most n."""
    return np.array([c for c in itertools.product(range(n + 1), repeat=n) if sum(c) <= n], float)


def _recycled(n: int, eps: float, alpha: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        sums = uniforms(seed, first, trials, n) @ multisets(n).T
        return np.asarray((np.abs(sums - alpha) <= eps).any(axis=1))

    cost = 0.01 * n * math.comb(2 * n, n)
    return Simulation(f"multisets n={n} eps={eps} alpha={alpha}", single(event), cost, 50_000, 1_000_000)


def checks(seed: int) -> list[Check]:
    """Statements 6.1 to 6.4 and controls."""
    return [
        *_curves(),
        Fact("6.1", "number of multisets; necessary n; expected sums for n <= 2", _compare_counts),
        Untested("6.4", "a definition: the R that would do as well"),
        *_controls(),
    ]


def _curves() -> Iterator[Check]:
    for n, eps, alpha in ((1, 0.1, 0.5), (2, 0.05, 0.5), (3, 0.02, -0.7), (4, 0.01, 0.5)):
        simulation = _recycled(n, eps, alpha)
        where = f"P(success), n={n} eps={eps:g} alpha={alpha:g}"
        upper = theory.success_prob_upper(n, eps=eps, alpha=alpha)
        if upper < 1.0:
            yield Point("6.1", where, "upper", 0.0, upper, simulation)
        pairs = theory.success_prob_pairs(n, eps=eps, alpha=alpha)
        yield Point("6.2", f"{where}, by pairs", "lower", pairs, 1.0, simulation)
        lower = theory.success_prob_lower(n, eps=eps, alpha=alpha)
        yield Point("6.2", where, "lower", lower, 1.0, simulation)
        bound = theory.failure_prob_bound(n, eps=eps, alpha=alpha)
        yield Point("6.2", f"P(failure), n={n} eps={eps:g} alpha={alpha:g}", "upper", 0.0, bound, simulation, 0, True)
        predicted = theory.success_prediction(n, eps=eps, alpha=alpha)
        yield Point("6.3", where, "prediction", 0.0, predicted, simulation)


def _controls() -> Iterator[Check]:
    where = "P(success), n=3 eps=.02 alpha=-.7"
    upper = theory.success_prob_upper(3, eps=0.02, alpha=-0.7)
    simulation = _recycled(3, 0.02, -0.7)
    yield Point("6.1", where, "upper", 0.0, upper / 2, simulation, control="constant halved")
    wrong = theory.success_prob_lower(6, eps=0.02, alpha=-0.7)
    yield Point("6.2", where, "lower", wrong, 1.0, simulation, control="n = 6's bound claimed of n = 3")


def _compare_counts(seed: int) -> Closest:
    rng = generator(seed, "6.1")
    pairs = [(float(theory.multiset_count(n)), float(len(multisets(n)))) for n in range(1, 6)]
    for _ in range(20):
        eps, alpha = float(10 ** rng.uniform(-4, -1.5)), float(rng.uniform(0.1, 1))
        one = _sums.window(1, alpha, eps)
        pairs.append((theory.success_prob_upper(1, eps=eps, alpha=alpha), float(one)))
        two = 2 * one + 2 * _sums.window(1, alpha / 2, eps / 2) + _sums.window(2, alpha, eps)
        found = theory.success_prob_upper(2, eps=eps, alpha=alpha)
        if found > float(two) * (1 + 1e-9):  # a bound, and for n = 2 at most the expected number
            pairs.append((found, float(two)))
        delta = float(rng.uniform(0.05, 0.9))
        n = theory.necessary_n(eps, delta, alpha=alpha)
        fits = theory.success_prob_upper(n, eps=eps, alpha=alpha) >= 1 - delta
        before = n == 0 or theory.success_prob_upper(n - 1, eps=eps, alpha=alpha) < 1 - delta
        pairs.append((1.0, 1.0 if fits and before else 0.0))
    return equal(pairs, 1e-9)
