"""Slow twins of whatever theory rounds to a side: the formulas of theory/PROOFS.md in mpmath, at 100 digits and more.

Nothing here shares code with theory. Arguments are the exact rationals that floats are; every function returns an mpf
that is off by less than 1e-90 of itself, so that a float's side can be decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import wraps
from typing import Any, Literal

import mpmath

Target = float | Literal["uniform"]


def digits(count: int) -> Any:
    """Work with that many digits."""

    def decorate(function: Any) -> Any:
        @wraps(function)
        def inner(*args: Any, **more: Any) -> Any:
            with mpmath.workdps(count):
                return function(*args, **more)

        return inner

    return decorate


def mp(x: Fraction | float) -> Any:
    """The rational number, at the present precision."""
    x = Fraction(x)
    return mpmath.mpf(x.numerator) / x.denominator


def log_of_one_minus(p: Fraction) -> Any:
    """log(1 - p) for a rational p, near 0 and near 1."""
    return mpmath.log(mp(1 - p)) if p > Fraction(1, 2) else mpmath.log1p(-mp(p))


@digits(1500)
def log_miss(draws: int, eps: float, alpha: Target) -> Any:
    """log P(none of the draws is within eps of alpha), 1.1; -inf where it is impossible."""
    e = Fraction(eps)
    if alpha != "uniform":
        low, high = max(Fraction(-1), Fraction(alpha) - e), min(Fraction(1), Fraction(alpha) + e)
        p = (high - low) / 2
        return -mpmath.inf if p == 1 else draws * log_of_one_minus(p)
    inner = mp(1 - e) ** (draws + 1)
    edge = 2 * (mp(1 - e / 2) ** (draws + 1) - inner) / (draws + 1)
    return mpmath.log(inner + edge)


@digits(100)
def some_of(draws: int, p: float) -> Any:
    """1 - (1-p)^draws."""
    p = Fraction(p)
    return mpmath.mpf(1) if p == 1 else -mpmath.expm1(draws * log_of_one_minus(p))


def eta(widths: Sequence[int], i: int, eps: float, *, taps: int = 1, linf: bool = False) -> Any:
    """eta_i of 4.2 and of 4.4 (conv), i from 1."""
    e = mp(eps) / mpmath.sqrt(widths[0]) if linf else mp(eps)
    return mpmath.log1p(e) / ((len(widths) - 1) * taps * mpmath.sqrt(widths[i] * widths[i - 1]))


def log_window_miss(eta_b: Any, R: int, p_a: Any = None) -> Any:
    """log(1 - q_b q_a) of 4.3, q_a that of the worst weight or of the measure p_a of its window."""
    log_b = R * mpmath.log1p(-eta_b / 4)
    log_a = log_b if p_a is None else R * mpmath.log1p(-p_a)
    product = mpmath.expm1(log_b) * mpmath.expm1(log_a)
    if product < 0.5:
        return mpmath.log1p(-product)
    return log_b + mpmath.log1p(mpmath.exp(log_a - log_b) * -mpmath.expm1(log_b))


@digits(150)
def log_failure(
    widths: Sequence[int], eps: float, R: int, n: Sequence[int], *, taps: int = 1, linf: bool = False
) -> Any:
    """log of the union bound of 4.4 and of 4.4 (conv)."""
    terms = []
    for i, count in enumerate(n, start=1):
        miss = log_window_miss(eta(widths, i, eps, taps=taps, linf=linf), R)
        terms.append(mpmath.log(2 * taps * widths[i] * widths[i - 1]) + count * miss)
    top = max(terms)
    return top + mpmath.log(mpmath.fsum(mpmath.exp(term - top) for term in terms))


@digits(700)
def published_n(
    widths: Sequence[int], i: int, eps: float, delta: float, R: int, *, linf: bool = False
) -> tuple[Any, Any]:
    """K_i/R and K_i^2 L_i/R^2 of 4.5."""
    depth = len(widths) - 1
    e = mp(eps) / mpmath.sqrt(widths[0]) if linf else mp(eps)
    K = 8 * depth * widths[i - 1] * mpmath.sqrt(widths[i]) / e
    return K / R, (K / R) ** 2 * mpmath.log(2 * depth * widths[i - 1] * widths[i] / mp(delta))


@digits(700)
def log2_packing(widths: Sequence[int], eps: float) -> Any:
    """5.1; it may be negative."""
    if len(widths) == 2:
        return widths[0] * widths[1] * mpmath.log(1 / (2 * mp(eps)), 2)
    first = widths[0] * min(widths[1:]) * mpmath.log(1 / (4 * mp(eps)), 2)
    last = min(widths[:-1]) * widths[-1] * mpmath.log(1 / (mpmath.sqrt(8) * mp(eps)), 2)
    return max(first, last)


@digits(700)
def bits(R: int, density: float) -> Any:
    """5.2."""
    q = Fraction(density)
    if q >= Fraction(R, R + 1):
        return mpmath.log(R + 1, 2)
    rest = -mp(1 - q) * log_of_one_minus(q) / mpmath.log(2)
    return mp(q) * mpmath.log(R / mp(q), 2) + rest


@digits(700)
def necessary_params(widths: Sequence[int], eps: float, delta: float, R: int, density: float) -> Any:
    """The real number that 5.3 rounds up."""
    return (log2_packing(widths, eps) + log_of_one_minus(Fraction(delta)) / mpmath.log(2)) / bits(R, density)
