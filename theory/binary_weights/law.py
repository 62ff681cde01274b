"""Binomial tails of the number of variables that offer a sign, enclosed in ball arithmetic (python-flint).

Every variable offers R independent fair signs. It lacks a plus with probability p = 2^-R, so the number N of variables
that offer one is Bin(n, 1-p). Every tail is found on its small side, from nonnegative terms or as an incomplete beta
function; each result is a float on the side that its name says, and tails of 1e-300 keep their relative accuracy.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

from theory.numerics.balls import PRECISION, exact, precision
from theory.numerics.check import draw_count

_SLACK = 38
"""A sum stops once what is left is below 2^(_SLACK - precision) of it; the rest is added to the radius."""

_MANY = 10**5
"""From this n on a tail whose terms fall slowly is an incomplete beta function, enclosed by FLINT."""

_TIES = 2**16
"""Largest n R at which a tie of a probability and a float is settled by integers."""

_MAX_BOTH = 200_000
"""Largest n of `joint_tail` for R > 1, whose time is proportional to n."""


def _upper_tail(n: int, m: int, p: Any, q: Any) -> Any:
    """P(Bin(n, p) >= m), for m no smaller than the mean or so; q = 1-p."""
    from flint import arb, ctx

    odds = p / q
    if n > _MANY and not odds * (n - m) / (m + 1) < 0.75:
        return p.beta_lower(m, n - m + 1, regularized=True)
    term = arb.bin_uiui(n, m) * p**m * q ** (n - m)
    total, small = term, arb(2) ** (_SLACK - ctx.prec)
    for j in range(m, n):
        ratio = odds * (n - j) / (j + 1)
        if ratio < 1 and term * ratio < total * small * (1 - ratio):
            rest = term * ratio / (1 - ratio)
            return total + arb(rest.upper() / 2, (rest.upper() / 2).upper())
        term *= ratio
        total += term
    return total


@lru_cache(maxsize=4096)
def _balls(n: int, k: int, R: int, bits: int) -> tuple[Any, Any]:
    """Enclosures of P(N >= k) and P(N < k) for 1 <= k <= n."""
    from flint import arb

    with precision(bits):
        p = arb(2) ** -R
        q = 1 - p
        if k <= n * -math.expm1(-R * math.log(2.0)):  # fewer than k plus signs: more than n-k variables without one
            miss = _upper_tail(n, n - k + 1, p, q)
            return 1 - miss, miss
        hit = _upper_tail(n, k, q, p)
        return hit, 1 - hit


def tail(n: int, k: int, R: int, bits: int = PRECISION) -> tuple[Any, Any]:
    """Enclosures of P(N >= k) and P(N < k), N ~ Bin(n, 1 - 2^-R), as balls of python-flint.

    Examples
    --------
    >>> [float(ball) for ball in tail(2, 1, 1)]
    [0.75, 0.25]
    """
    from flint import arb

    R = draw_count("R", R)
    if k <= 0:
        return arb(1), arb(0)
    if k > n:
        return arb(0), arb(1)
    return _balls(n, k, R, bits)


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
    """Whether P(N < k) <= delta: certain when True.

    The tie at delta = 1/2 that R = 1 and 2k = n + 1 make, by symmetry, is known at every n; any other is settled by
    integers while n R is at most 2^16, and beyond that counts as too many misses.

    Examples
    --------
    >>> misses_at_most(3, 2, 1, 0.5), misses_at_most(3, 2, 1, 0.49)
    (True, False)
    >>> misses_at_most(2 * 10**12 - 1, 10**12, 1, 0.5)
    True
    """
    if R == 1 and 2 * k == n + 1:
        return delta >= 0.5
    for bits in (PRECISION, 2 * PRECISION, 8 * PRECISION):
        miss = tail(n, k, R, bits)[1]
        with precision(bits):
            bar = exact(delta)
            if miss <= bar:
                return True
            if miss > bar:
                return False
    return n * R <= _TIES and _count_below(n, k, R) <= Fraction(delta) * 2 ** (n * R)


def _count_below(n: int, k: int, R: int) -> int:
    """2^(nR) P(N < k), term by term."""
    from flint import fmpz

    term, plus, total = fmpz(1), fmpz(2) ** R - 1, fmpz(0)
    for j in range(min(k, n + 1)):
        total += term
        term = term * (n - j) * plus // (j + 1)
    return int(total)


def pmf(n: int, R: int, count: int) -> list[float]:
    """P(N = j) for j = 0..count-1, the nearest floats up to one or two units.

    Examples
    --------
    >>> pmf(2, 2, 3)
    [0.0625, 0.375, 0.5625]
    """
    from flint import arb

    with precision():
        p = arb(2) ** -draw_count("R", R)
        term, odds = p**n, (1 - p) / p  # exponents of a ball do not underflow
        found = []
        for j in range(count):
            found.append(float(term))
            term = term * odds * (n - j) / (j + 1)
    return found


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
    if k > n or (R == 1 and 2 * k > n):  # for R = 1 there are M + L = n signs
        return 0.0, 1.0
    if R > 1 and n > _MAX_BOTH:
        raise ValueError(f"n must be at most {_MAX_BOTH} for all targets at once with R > 1, got n={n}")
    one, least = tail(n, k, R)[1], n - k + 1
    with precision():
        if R == 1:  # at most one of the two is missed; hit is at least the middle binomial, so nothing cancels
            return float(1 - 2 * one), float(2 * one)
        p = arb(2) ** -R
        small, large = _given(n, least, p / (1 - p))
        hit, both, share = arb(0), arb(0), (1 - p) ** n  # both: M and L both at least n-k+1
        for j in range(n + 1):  # share = P(M = j); given it, L is Bin(n-j, p/(1-p))
            if j < least:
                hit += share * small[n - j]
            else:
                both += share * large[n - j]
            share = share * (n - j) / (j + 1) * p / (1 - p)
        return float(hit), float(2 * one - both)


def _given(n: int, m: int, p: Any) -> tuple[list[Any], list[Any]]:
    """P(Bin(i, p) < m) and P(Bin(i, p) >= m) for i = 0..n, m >= 1: one more trial matters if it makes the m-th success.

    Both are sums of nonnegative terms: the second from i = 0 up, the first from i = n down.
    """
    from flint import arb

    steps, term = [], p**m  # P(trial i+1 makes the m-th success) for i = m-1, ..., n-1
    for i in range(m - 1, n):
        steps.append(term)
        term = term * (i + 1) / (i + 2 - m) * (1 - p)
    large = [arb(0)] * min(m, n + 1)
    for step in steps:
        large.append(large[-1] + step)
    if m > n:
        return [arb(1)] * (n + 1), large
    bottom = arb(0)  # P(Bin(n, p) < m), its few largest terms first
    term = arb.bin_uiui(n, m - 1) * p ** (m - 1) * (1 - p) ** (n - m + 1)
    for j in range(m - 1, -1, -1):
        bottom += term
        term = term * j / (n - j + 1) * (1 - p) / p
    small = [bottom]
    for step in reversed(steps):
        small.append(small[-1] + step)
    small += [arb(1)] * (n + 1 - len(small))
    return small[::-1], large
