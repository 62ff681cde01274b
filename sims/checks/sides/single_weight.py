"""Sides of statements 1 and of the logarithms below them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from sims.checks.check import Fact
from sims.checks.sides.exact import (
    LARGEST_DELTA,
    TINIEST,
    at_least,
    at_most,
    ball,
    fact,
    is_above_exp,
    is_above_rest,
    is_below_rest,
    log,
)
from theory import single_weight as theory
from theory.single_weight import SingleWeight

EPS = (1e-15, 1e-16, 3e-17, 1e-300, 0.3, 0.01, 1.0)


def checks() -> list[Fact]:
    """Statements 1.1 and 1.2, and a control."""
    return [
        fact("1.1", "law at |alpha| = 1, at the ends of eps and for uniform targets", _law),
        fact("1.1", "least n where P(miss) = delta", _ties),
        fact("1.2", "bound above exp(-nR eps/2), its complement below", _bound),
        fact("1.2", "n >= 2 log(1/delta)/(eps R) where n has more digits than a float", _required),
        fact("1.2", "bound above the exact miss", lambda: _below_exact(lambda x: math.exp(x)), control="not rounded"),
    ]


def _hit(alpha: float, eps: float) -> Fraction:
    return (Fraction(eps) + min(Fraction(eps), 1 - abs(Fraction(alpha)))) / 2


def _near(x: float, true: Any) -> bool:
    return bool(abs(ball(x) - true) <= abs(true) * ball(2.0**-52) + ball(TINIEST))


def _law() -> Iterator[bool]:
    for eps in EPS:
        for alpha in (1.0, 0.0, 1e-20, 0.4):
            for n, R in ((1, 1), (7, 3), (10**15, 1)):
                hit, asked = _hit(alpha, eps), SingleWeight(R=R, eps=eps, alpha=alpha)
                upper = asked.success_upper(n)
                yield upper == 1.0 or is_above_rest(upper, n * R * log(1 - Fraction(eps)))
                if hit < 1:
                    true = n * R * log(1 - hit)
                    yield _near(theory.log_miss_prob_exact(n, R, eps=eps, alpha=alpha), true)
                    yield _near(theory.miss_prob_exact(n, R, eps=eps, alpha=alpha), true.exp())
    for eps in (1e-12, 1e-60, 0.5):  # one draw: (1 - eps/2)^2
        yield _near(theory.log_miss_prob_exact(1, 1, eps=eps, alpha="uniform"), 2 * log(1 - Fraction(eps) / 2))
        if eps < 1e-20:
            yield abs(theory.log_miss_prob_exact(3, 1, eps=eps, alpha="uniform") / (-3 * eps) - 1) < 1e-9


def _ties() -> Iterator[bool]:
    for k in (1, 3, 60, 1000):
        yield theory.required_n_exact(0.5, 2.0**-k, R=1, alpha=0.0) == k
        yield theory.required_n_exact(0.5, math.nextafter(2.0**-k, 0.0), R=1, alpha=0.0) == k + 1
    yield theory.required_n_exact(1.0, 0.25, R=1, alpha="uniform") == 1
    for eps in (3e-15, 1e-9, 0.123):
        for delta in (TINIEST, 1e-7, LARGEST_DELTA):
            n, each = theory.required_n_exact(eps, delta, R=1, alpha=1.0), log(1 - _hit(1.0, eps))
            yield bool(n * each <= log(delta)) and (n == 1 or bool((n - 1) * each > log(delta)))


def _bound() -> Iterator[bool]:
    for eps in EPS:
        for n, R in ((1, 1), (3, 1), (10, 7), (149, 10), (10**15, 10**18)):
            exponent = -n * R * Fraction(eps) / 2
            yield at_least(theory.log_miss_prob_bound(n, R, eps=eps), exponent)
            yield is_above_exp(theory.miss_prob_bound(n, R, eps=eps), ball(exponent))
            yield is_below_rest(SingleWeight(R=R, eps=eps).success_lower(n), ball(exponent))
    for n in (1416, 1449, 1485, 1489, 1490, 1500, 2000):  # down to the smallest floats and beyond
        yield is_above_exp(theory.miss_prob_bound(n, 1, eps=1.0), ball(Fraction(-n, 2)))


def _below_exact(exponential: Callable[[float], float]) -> Iterator[bool]:
    for eps in (1e-15, 1e-14, 3e-15, 7e-15):
        for n in (1, 3, 10):
            exact = (n * log(1 - _hit(1.0, eps))).exp()
            yield at_least(exponential(theory.log_miss_prob_bound(n, 1, eps=eps)), exact)


def _required() -> Iterator[bool]:
    for eps in (1e-20, 1e-25, 7e-31, 0.01):
        for delta in (0.05, 0.3, 1e-9, 1e-300, TINIEST, LARGEST_DELTA):
            n = theory.required_n(eps, delta, R=3)
            exact = -2 * log(delta) / (3 * ball(eps))
            yield at_least(n, exact) and at_most(n - 1, exact * (1 + ball(1e-15)))
