"""Checks of statement 2.8: sums of movable values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from sims.checks.check import Check, Fact, Simulation, asked, settings, success_curve
from sims.checks.facts import Pairs, Rng, agree, never_above
from sims.checks.twins import sums as _sums
from theory import movable_sum as theory
from theory.movable_sum import MovableSum

CURVES = (
    (MovableSum(move=0.01), (2, 5, 9)),
    (MovableSum(R=3, eps=0.02, alpha=-0.9, move=0.002), (2, 3)),
    (MovableSum(eps=0.01, alpha="uniform", move=0.02), (2, 4)),
)
"""Questions whose success curves are simulated, with their n."""


def checks(seed: int) -> list[Check]:
    """Statement 2.8 and its controls."""
    return [*_curves(), *_required(), *_formulas(), *_controls()]


def _curve(one: MovableSum, sizes: tuple[int, ...]) -> Simulation:
    return asked(f"movable {one} n={sizes}", one, sizes, 3.0, least=20_000, most=1_000_000)


def _where(one: MovableSum, n: int) -> str:
    return f"n={n} R={one.R} eps={one.eps:g} move={one.move:g} alpha={one.alpha}"


def _curves() -> Iterator[Check]:
    for one, sizes in CURVES:
        where = [(n, _where(one, n)) for n in sizes]
        yield from success_curve(_curve(one, sizes), theory, one, where, "2.8", "2.8", "2.8 (p)")


def _required() -> Iterator[Check]:
    one, delta = MovableSum(R=2, eps=0.02, move=0.02), 0.1
    few, enough = one.necessary_n(delta) - 1, one.required_n(delta)
    simulation = _curve(one, (few, enough))
    where = f"P(success) below necessary_n={few + 1}, {_where(one, few)}"
    yield simulation.upper("2.8", where, 1.0 - delta)
    where = f"P(failure) at required_n={enough}, {_where(one, enough)}"
    yield simulation.upper("2.8", where, theory.failure_prob_bound(enough, 2, **settings(one)), 1, complement=True)
    yield simulation.upper("2.8", where, delta, 1, complement=True)


def _formulas() -> Iterator[Check]:
    yield Fact("2.8", "expected number of good sums by exact fractions", _compare_first_moment)
    yield Fact("2.8", "n = 1 exactly; n = 2 below 1 - P(all miss)", _below_two)


def _controls() -> Iterator[Check]:
    one = MovableSum(move=0.01)
    simulation, at = _curve(one, (2, 5, 9)), settings(one)
    where = f"P(success), {_where(one, 2)}"
    yield simulation.upper("2.8", where, one.success_upper(2) / 2, control="window 2 eps replaced by eps")
    still = theory.success_prob_upper(2, 1, **{**at, "move": 0.0})
    yield simulation.upper("2.8", where, still, control="values that do not move")
    where = f"P(success), {_where(one, 5)}"
    yield simulation.lower("2.8", where, one.success_upper(5), 1, control="second moment dropped")
    further = theory.success_prob_second_moment(5, 1, **{**at, "move": 0.05})
    yield simulation.lower("2.8", where, further, 1, control="move off by the factor 5")


# -- independent computations -----------------------------------------------------------------------------------------


@agree(1e-9, "2.8")
def _compare_first_moment(rng: Rng) -> Pairs:
    for _ in range(30):
        n, R = int(rng.integers(1, 9)), int(rng.integers(1, 6))
        eps, move = float(10 ** rng.uniform(-7, -3)), float(10 ** rng.uniform(-7, -3))
        alpha = float(rng.uniform(0.1, 1))

        def expected(m: int, R: int = R, eps: float = eps, move: float = move, alpha: float = alpha) -> Fraction:
            widths = (float(Fraction(eps) + k * Fraction(move)) for k in range(m + 1))
            terms = (math.comb(m, k) * R**k * _sums.window(k, alpha, w) for k, w in enumerate(widths))
            return sum(terms, Fraction(0))

        yield theory.success_prob_upper(n, R, eps=eps, alpha=alpha, move=move), min(Fraction(1), expected(n))
        least = next(m for m in range(60) if expected(m) >= Fraction(1, 4))
        yield theory.necessary_n(eps, 0.75, R=R, alpha=alpha, move=move), least


@never_above("2.8 two")
def _below_two(rng: Rng) -> Pairs:
    for _ in range(20):
        eps, move = float(rng.uniform(0.01, 0.1)), float(rng.uniform(0.01, 0.1))
        alpha = float(rng.uniform(0.3, 0.7))
        at = {"eps": eps, "alpha": alpha, "move": move}
        one = float(_sums.window(1, alpha, eps + move))
        yield theory.success_prob_second_moment(1, 1, **at), one * (1 + 1e-12)
        yield one * (1 - 1e-9), theory.success_prob_second_moment(1, 1, **at)
        union = 1 - (1 - one) ** 2 + float(_sums.window(2, alpha, eps + 2 * move))
        yield theory.success_prob_second_moment(2, 1, **at), union
