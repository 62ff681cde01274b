"""Checks of statement 2.7: sums of quantised values."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sims.checks.check import Check, Closest, Fact, Simulation, asked, settings, success_curve
from sims.checks.facts import Pairs, Rng, agree, never_above
from theory import grid_sum as theory
from theory.grid_sum import GridSum

CURVES = (
    (GridSum(grid=100), (4, 8, 12)),
    (GridSum(R=3, grid=30, alpha=-0.9), (2, 3)),
    (GridSum(grid=50, alpha="uniform", tolerance=1), (3, 6)),
)
"""Questions whose success curves are simulated, with their n."""


def checks(seed: int) -> list[Check]:
    """Statement 2.7 and its controls."""
    return [*_curves(), *_required(), *_formulas(), *_controls()]


def _curve(one: GridSum, sizes: tuple[int, ...]) -> Simulation:
    return asked(f"grid {one} n={sizes}", one, sizes, 3.0, least=20_000, most=1_000_000)


def _where(one: GridSum, n: int) -> str:
    return f"n={n} R={one.R} M={one.grid} alpha={one.alpha} tolerance={one.tolerance}"


def _curves() -> Iterator[Check]:
    for one, sizes in CURVES:
        where = [(n, _where(one, n)) for n in sizes]
        yield from success_curve(_curve(one, sizes), theory, one, where, "2.7", "2.7", "2.7 (p)")


def _required() -> Iterator[Check]:
    one, delta = GridSum(R=2, grid=20), 0.1
    few, enough = one.necessary_n(delta) - 1, one.required_n(delta)
    simulation = _curve(one, (few, enough))
    where = f"P(success) below necessary_n={few + 1}, {_where(one, few)}"
    yield simulation.upper("2.7", where, 1.0 - delta)
    where = f"P(failure) at required_n={enough}, {_where(one, enough)}"
    yield simulation.upper("2.7", where, theory.failure_prob_bound(enough, 2, **settings(one)), 1, complement=True)
    yield simulation.upper("2.7", where, delta, 1, complement=True)


def _formulas() -> Iterator[Check]:
    yield Fact("2.7", "laws and expected numbers by exact convolution", _compare_first_moment)
    yield Fact("2.7", "below the success of all outcomes, n R <= 4", _below_all_outcomes)
    yield Fact("2.7", "one value alone: (1-p)^(nR) and the least n", _compare_one)


def _controls() -> Iterator[Check]:
    one = GridSum(grid=100)
    simulation, at = _curve(one, (4, 8, 12)), settings(one)
    where = f"P(success), {_where(one, 8)}"
    coarse = theory.success_prob_upper(8, 1, **{**at, "grid": 200})
    yield simulation.upper("2.7", where, coarse, 1, control="grid off by the factor 2")
    yield simulation.lower("2.7", where, one.success_upper(8), 1, control="second moment dropped")
    alone = 1 - theory.miss_prob_one_exact(8, 1, grid=100, alpha=0.5)
    yield simulation.upper("2.7", where, alone, 1, control="one value in place of sums")
    yield Fact("2.7", "second moment of n + 1", _below_wrong, control="n off by one")


# -- independent computations -----------------------------------------------------------------------------------------


def _hit(k: int, M: int, target: int, tolerance: int) -> Fraction:
    ways = {0: 1}
    for _ in range(k):
        after: Counter[int] = Counter()
        for s, count in ways.items():
            for step in range(-M, M + 1):
                after[s + step] += count
        ways = dict(after)
    return Fraction(sum(count for s, count in ways.items() if abs(s - target) <= tolerance), (2 * M + 1) ** k)


@agree(1e-12, "2.7")
def _compare_first_moment(rng: Rng) -> Pairs:
    for _ in range(12):
        n, R, M, tolerance = (int(rng.integers(1, top)) for top in (6, 9, 12, 3))
        target = int(rng.integers(1 + tolerance, M + 1)) if tolerance < M else M
        at: dict[str, Any] = {"grid": M, "alpha": target / M, "tolerance": min(tolerance, M)}
        hits = [_hit(k, M, target, min(tolerance, M)) for k in range(n + 1)]
        for k, hit in enumerate(hits):
            yield theory.sum_hit_prob_exact(k, **at), hit
        expected = sum(math.comb(n, k) * R**k * hits[k] for k in range(n + 1))
        yield theory.success_prob_upper(n, R, **at), min(Fraction(1), expected)
        least = theory.necessary_n(M, 0.5, R=R, alpha=target / M, tolerance=min(tolerance, M))
        yield (
            least,
            next(
                m
                for m in range(30)
                if sum(math.comb(m, k) * R**k * _hit(k, M, target, min(tolerance, M)) for k in range(min(m, 5) + 1))
                >= Fraction(1, 2)
            ),
        )


def _success(n: int, R: int, M: int, target: int) -> Fraction:
    good = 0
    for values in itertools.product(range(-M, M + 1), repeat=n * R):
        sums = {0}
        for i in range(n):
            sums |= {s + x for s in sums for x in values[i * R : (i + 1) * R]}
        good += target in sums
    return Fraction(good, (2 * M + 1) ** (n * R))


CASES = ((1, 1, 4), (2, 1, 4), (3, 1, 3), (2, 2, 2), (4, 1, 2), (1, 3, 3))


def _below(rng: Rng, more: int = 0) -> Pairs:
    for n, R, M in CASES:
        target = int(rng.integers(1, M + 1))
        at: dict[str, Any] = {"grid": M, "alpha": target / M}
        exact = _success(n, R, M, target)
        yield theory.success_prob_second_moment(n + more, R, **at), exact
        yield theory.success_prob_lower(n + more, R, **at), exact


_below_all_outcomes = never_above("2.7 outcomes")(_below)


def _below_wrong(seed: int) -> Closest:
    return never_above("2.7 outcomes")(_below)(seed, more=1)


@agree(1e-12, "2.7 one")
def _compare_one(rng: Rng) -> Pairs:
    for _ in range(20):
        n, R, M = (int(rng.integers(1, top)) for top in (30, 9, 50))
        p, delta = Fraction(1, 2 * M + 1), float(rng.uniform(0.01, 0.9))
        yield theory.miss_prob_one_exact(n, R, grid=M, alpha=1.0), (1 - p) ** (n * R)
        least = math.ceil(math.log(delta) / (R * math.log1p(-p)) - 1e-12)
        yield theory.required_n_one(M, delta, R=R, alpha=1.0), least
