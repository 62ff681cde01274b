"""Binomial tails of the number of variables that offer a sign, enclosed in ball arithmetic (python-flint).

Every variable offers R independent fair signs. It lacks a plus with probability p = 2^-R, so the number N of variables
that offer one is Bin(n, 1-p). All sums below have nonnegative terms; each result is a float on the side that its name
says, and tails of 1e-300 keep their relative accuracy.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from theory._check import draw_count

_PREC = 128
_DROP = 90
"""A sum stops once what is left is below 2^-_DROP of it; the rest is added to the radius."""


@contextlib.contextmanager
def _precision() -> Iterator[None]:
    from flint import ctx

    before, ctx.prec = ctx.prec, _PREC
    try:
        yield
    finally:
        ctx.prec = before


def exact(value: float | Fraction) -> Any:
    """A rational number as a ball."""
    from flint import arb, fmpq

    fraction = Fraction(value)
    return arb(fmpq(fraction.numerator, fraction.denominator))


def _upper_tail(n: int, m: int, p: Any, q: Any) -> Any:
    """P(Bin(n, p) >= m), for m no smaller than the mean or so; q = 1-p."""
    from flint import arb

    term = arb.bin_uiui(n, m) * p**m * q ** (n - m)
    total, odds = term, p / q
    for j in range(m, n):
        ratio = odds * (n - j) / (j + 1)
        if ratio < 0.75 and 4 * term * ratio < total * arb(2) ** -_DROP:
            rest = term * ratio / (1 - ratio)
            return total + arb(rest.upper() / 2, (rest.upper() / 2).upper())
        term *= ratio
        total += term
    return total


@lru_cache(maxsize=4096)
def _balls(n: int, k: int, R: int) -> tuple[Any, Any]:
    """Enclosures of P(N >= k) and P(N < k) for 1 <= k <= n."""
    from flint import arb

    p = arb(2) ** -R
    q = 1 - p
    if k <= n * -math.expm1(-R * math.log(2.0)):  # fewer than k plus signs: more than n-k variables without one
        miss = _upper_tail(n, n - k + 1, p, q)
        return 1 - miss, miss
    hit = _upper_tail(n, k, q, p)
    return hit, 1 - hit


def tail(n: int, k: int, R: int) -> tuple[Any, Any]:
    """Enclosures of P(N >= k) and P(N < k), N ~ Bin(n, 1 - 2^-R), as balls of python-flint.

    Examples
    --------
    >>> [float(ball) for ball in tail(2, 1, 1)]
    [0.75, 0.25]
    """
    from flint import arb

    R = draw_count("R", R)
    with _precision():
        if k <= 0:
            return arb(1), arb(0)
        if k > n:
            return arb(0), arb(1)
        return _balls(n, k, R)


def at_least(n: int, k: int, R: int) -> float:
    """P(N >= k), the nearest float up to one or two units.

    Examples
    --------
    >>> at_least(3, 2, 1), at_least(3, 0, 5), at_least(3, 4, 5)
    (0.5, 1.0, 0.0)
    """
    return float(tail(n, k, R)[0])


def fewer(n: int, k: int, R: int) -> float:
    """P(N < k), the nearest float up to one or two units, with full relative accuracy.

    Examples
    --------
    >>> fewer(3, 1, 2)
    0.015625
    """
    return float(tail(n, k, R)[1])


def misses_at_most(n: int, k: int, R: int, delta: float | Fraction) -> bool:
    """Whether P(N < k) <= delta: certain when True; a tie is settled by integers while n R is at most 2^16.

    Examples
    --------
    >>> misses_at_most(3, 2, 1, 0.5), misses_at_most(3, 2, 1, 0.49)
    (True, False)
    """
    miss = tail(n, k, R)[1]
    with _precision():
        bar = exact(delta)
        if miss <= bar:
            return True
        if miss > bar or n * R > 2**16:
            return False
    plus = 2**R - 1
    return bool(sum(math.comb(n, j) * plus**j for j in range(min(k, n + 1))) <= Fraction(delta) * 2 ** (n * R))


@lru_cache(maxsize=256)
def pmf(n: int, R: int) -> tuple[float, ...]:
    """P(N = j) for j = 0..n, the nearest floats up to one or two units.

    Examples
    --------
    >>> pmf(2, 2)
    (0.0625, 0.375, 0.5625)
    """
    from flint import arb

    with _precision():
        p = arb(2) ** -draw_count("R", R)
        term, odds = (1 - p) ** n, p / (1 - p)  # from j = n down: exponents of a ball do not underflow
        found = [float(term)]
        for j in range(n, 0, -1):
            term = term * odds * j / (n - j + 1)
            found.append(float(term))
    return tuple(reversed(found))


def joint_tail(n: int, k: int, R: int) -> tuple[float, float]:
    """P(at least k variables offer a plus and at least k a minus) and its complement.

    The numbers of variables with only minus and only plus signs are (M, L) of a multinomial law of n trials with
    probabilities (2^-R, 2^-R, 1 - 2^(1-R)); the event is M <= n-k and L <= n-k.

    Examples
    --------
    >>> joint_tail(2, 1, 1), joint_tail(3, 2, 1)
    ((0.5, 0.5), (0.0, 1.0))
    """
    from flint import arb

    R = draw_count("R", R)
    if k <= 0:
        return 1.0, 0.0
    if k > n:
        return 0.0, 1.0
    with _precision():
        one, p, least = tail(n, k, R)[1], arb(2) ** -R, n - k + 1
        hit, both = arb(0), arb(0)  # both: M and L both at least n-k+1
        for j in range(n + 1):
            share = arb.bin_uiui(n, j) * p**j * (1 - p) ** (n - j)  # P(M = j); given it, L is Bin(n-j, p/(1-p))
            if R == 1:
                other = arb(int(n - j >= least))
            else:
                other = _tail_of(n - j, least, p / (1 - p))
            if j < least:
                hit += share * (1 - other)
            else:
                both += share * other
        return float(hit), float(2 * one - both)


def _tail_of(n: int, m: int, p: Any) -> Any:
    """P(Bin(n, p) >= m) for a ball p."""
    from flint import arb

    if m > n:
        return arb(0)
    if m > n * float(p):
        return _upper_tail(n, m, p, 1 - p)
    return 1 - _upper_tail(n, n - m + 1, 1 - p, p)
