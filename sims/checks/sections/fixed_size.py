"""Checks of statement 2.6: sums of exactly k values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sims.checks.check import Check, Closest, Fact, Simulation, asked, settings, success_curve
from sims.checks.facts import Pairs, Rng, agree, measured
from sims.checks.twins import sums as _sums
from theory import fixed_size as theory
from theory.fixed_size import FixedSize

CURVES = (
    (FixedSize(size=3), (5, 8, 12)),
    (FixedSize(R=3, eps=0.05, alpha=-0.9, size=2), (2, 4)),
    (FixedSize(eps=0.01, alpha="uniform", size=6), (7, 9)),
)
"""Questions whose success curves are simulated, with their n."""


def checks(seed: int) -> list[Check]:
    """Statement 2.6 and its controls."""
    return [*_curves(), *_required(), *_formulas(), *_controls()]


def _curve(one: FixedSize, sizes: tuple[int, ...]) -> Simulation:
    return asked(f"fixed size {one} n={sizes}", one, sizes, 3.0, least=20_000, most=1_000_000)


def _where(one: FixedSize, n: int) -> str:
    return f"n={n} k={one.size} R={one.R} eps={one.eps:g} alpha={one.alpha}"


def _curves() -> Iterator[Check]:
    for one, sizes in CURVES:
        where = [(n, _where(one, n)) for n in sizes]
        yield from success_curve(_curve(one, sizes), theory, one, where, "2.6", "2.6", "2.6 (p)")


def _required() -> Iterator[Check]:
    one, delta = FixedSize(R=2, eps=0.1, size=3), 0.1
    few, enough = one.necessary_n(delta) - 1, one.required_n(delta)
    simulation = _curve(one, (few, enough))
    where = f"P(success) below necessary_n={few + 1}, {_where(one, few)}"
    yield simulation.upper("2.6", where, 1.0 - delta)
    where = f"P(failure) at required_n={enough}, {_where(one, enough)}"
    yield simulation.upper("2.6", where, delta, 1, complement=True)
    where = f"P(failure), two blocks or more, {_where(one, enough)}"
    bound = theory.failure_prob_bound(enough, one.R, **settings(one))
    yield simulation.upper("2.6", where, bound, 1, complement=True)


def _formulas() -> Iterator[Check]:
    yield Fact("2.6", "expected number of good sums by exact fractions", _compare_first_moment)
    yield Fact("2.6", "second moment by enumeration and quadrature, n <= 4", _compare_second_moment)
    yield Fact("2.6", "blocks multiply: the best size of block", _compare_blocks)
    yield Fact("2.6 (p)", "one good value of n: 1 - (1-p)^n", _single_values)


def _controls() -> Iterator[Check]:
    one = FixedSize(size=3)
    simulation = _curve(one, (5, 8, 12))
    at, where = settings(one), f"P(success), {_where(one, 5)}"
    empty = math.comb(5, 3) * float(_sums.window(3, 0.5, 0.01)) / 3
    yield simulation.upper("2.6", where, empty, control="C(n, k) replaced by C(n, k)/k")
    where = f"P(success), {_where(one, 8)}"
    other = theory.success_prob_upper(8, 1, **{**at, "size": 2})
    yield simulation.upper("2.6", where, other, 1, control="k off by one")
    yield simulation.lower("2.6", where, one.success_upper(8), 1, control="second moment dropped")
    later = theory.success_prob_second_moment(16, 1, **at)
    yield simulation.lower("2.6", where, later, 1, control="n off by the factor 2")


# -- independent computations -----------------------------------------------------------------------------------------


@agree(1e-9, "2.6")
def _compare_first_moment(rng: Rng) -> Pairs:
    for _ in range(40):
        n, R, k = int(rng.integers(1, 14)), int(rng.integers(1, 9)), int(rng.integers(1, 9))
        eps, alpha = float(10 ** rng.uniform(-7, -2)), float(rng.uniform(-1, 1))
        true = math.comb(n, k) * R**k * _sums.window(k, alpha, eps)
        yield theory.success_prob_upper(n, R, eps=eps, alpha=alpha, size=k), min(Fraction(1), true)
        delta = float(rng.uniform(0.01, 0.9))
        least = k
        while least < 400 and math.comb(least, k) * R**k * _sums.window(k, alpha, eps) < 1 - Fraction(delta):
            least += 1
        if least < 400:
            yield theory.necessary_n(eps, delta, R=R, alpha=alpha, size=k), least


@agree(1e-5, "2.6 second")
def _compare_second_moment(rng: Rng) -> Pairs:
    for n, R in ((1, 1), (1, 4), (2, 1), (2, 3), (3, 1), (3, 2), (4, 1)):
        eps, alpha = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.2, 0.8))
        e, M = _sums.moments(n, R, alpha, eps)
        for k in range(1, n + 1):
            yield (
                theory.success_prob_second_moment(n, R, eps=eps, alpha=alpha, size=k),
                e[k - 1] ** 2 / M[k - 1, k - 1],
            )


@agree(1e-9, "2.6 blocks")
def _compare_blocks(rng: Rng) -> Pairs:
    for n in (7, 20, 45):
        at: dict[str, Any] = {"eps": float(rng.uniform(0.01, 0.05)), "alpha": float(rng.uniform(-1, 1)), "size": 3}
        misses = [1 - theory.success_prob_second_moment(m, 2, **at) for m in range(n + 1)]
        least = [min(misses[: m + 1]) for m in range(n + 1)]
        best = min([least[n], *(least[m] ** (n // m) * least[n % m] for m in range(3, n + 1))])
        yield theory.failure_prob_bound(n, 2, **at), best
        yield theory.success_prob_lower(n, 2, **at), 1 - best


def _single_values(seed: int) -> Closest:
    errors = []
    for n in (100, 1000):
        predicted = theory.success_prediction(n, 2, eps=0.001, alpha=0.5, size=1)
        errors.append(abs(predicted / (1 - 0.999 ** (2 * n)) - 1))
    return measured(errors, 0.02)
