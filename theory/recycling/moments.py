"""First and second moments of the number of good multisets, in exact rational arithmetic (theory/PROOFS.md, 6.1, 6.2).

A multiset takes value i c_i times, c_i >= 0, and at most n values in all; it is good if |sum c_i X_i - alpha| <= eps.
Nothing here is rounded: alpha and eps are binary fractions, everything else is an integer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_N = 64
"""Largest n whose expected number of good multisets is computed."""

MAX_PAIRS = 8
"""Largest n whose pairs of multisets are counted."""

Sums = tuple[tuple[Fraction, ...], ...]


@cache
def _rising(order: int) -> tuple[int, ...]:
    """Coefficients of t(t+1)...(t+order-1), from t^0 on."""
    if order == 0:
        return (1,)
    lower = _rising(order - 1)
    return tuple((order - 1) * a + b for a, b in zip((*lower, 0), (0, *lower), strict=True))


@cache
def _weights(i: int, j: int) -> tuple[int, ...]:
    """(i+j)! a_m(i, j) for m = 0, ..., i+j: coefficients of C(i+j, i) t(t+1)...(t+i-1) (-t)(-t+1)...(-t+j-1)."""
    out = [0] * (i + j + 1)
    for p, a in enumerate(_rising(i)):
        for q, b in enumerate(_rising(j)):
            out[p + q] += a * (-b if q % 2 else b)
    return tuple(math.comb(i + j, i) * value for value in out)


@lru_cache(maxsize=64)
def _composition_sums(alpha: float, eps: float, uniform: bool, order: int) -> Sums:
    high, low = Fraction(alpha) + Fraction(eps), Fraction(alpha) - Fraction(eps)
    scale = max(high.denominator, low.denominator)  # powers of two: both ends are integers over it
    top, bottom = int(high * scale), int(low * scale)

    @cache
    def step(shift: int, power: int) -> int:
        """scale^power times [(high + shift)_+^power - (low + shift)_+^power]."""
        return int(max(0, top + shift * scale) ** power - max(0, bottom + shift * scale) ** power)

    table = [[Fraction(0)] * (order + 1) for _ in range(order + 1)]
    for m in range(1, order + 1):
        power = m + uniform
        divisor = (2 * scale) ** power * (power if uniform else 1)
        for k in range(m, order + 1):
            total = 0
            for i in range(k + 1):
                shift = 2 * i - k
                if uniform:
                    total += _weights(i, k - i)[m] * (step(shift + 1, power) - step(shift - 1, power))
                else:
                    total += _weights(i, k - i)[m] * step(shift, power)
            table[m][k] = Fraction(total, divisor * math.factorial(k))
    return tuple(tuple(row) for row in table)


def composition_sums(n: int, *, alpha: float, eps: float, uniform: bool) -> Sums:
    """Sums over all compositions (c_1, ..., c_m) of k of P(|c_1 X_1 + ... + c_m X_m - alpha| <= eps).

    Entry [m][k], exact. Proved in theory/PROOFS.md, 6.1.

    ``n``: largest k wanted, 0 to MAX_N; tables are cached at 8, 16, 32 and 64; ``alpha``, ``eps``: target in [0, 1]
    and accuracy in (0, 1]; ``uniform``: a uniform target in place of alpha, which must then be 0.

    Examples
    --------
    >>> composition_sums(2, alpha=0.5, eps=0.125, uniform=False)[1][2]  # 2 X_1 within 1/8 of 1/2
    Fraction(1, 16)
    """
    return _composition_sums(alpha, eps, uniform, max(8, 1 << (n - 1).bit_length()) if n else 8)


@lru_cache(maxsize=4096)
def expected_good(n: int, *, alpha: float, eps: float, uniform: bool) -> Fraction:
    """Expected number of good multisets with at least one value, exact.

    Proved in theory/PROOFS.md, 6.1.

    ``n``: values and slots, 0 to MAX_N; ``alpha``, ``eps``: target in [0, 1] and accuracy in (0, 1]; ``uniform``: a
    uniform target in place of alpha, which must then be 0.
    """
    table = composition_sums(n, alpha=alpha, eps=eps, uniform=uniform)
    return sum((math.comb(n, m) * sum(table[m][m : n + 1], Fraction(0)) for m in range(1, n + 1)), Fraction(0))


def _multisets(n: int, slots: int) -> NDArray[np.int64]:
    """All multiplicity vectors of n values with at most ``slots`` in all, one a row."""
    if n == 0:
        return np.zeros((1, 0), np.int64)
    parts = []
    for first in range(slots + 1):
        rest = _multisets(n - 1, slots - first)
        parts.append(np.hstack([np.full((len(rest), 1), first, np.int64), rest]))
    return np.vstack(parts)


@lru_cache(maxsize=32)
def pair_weight(n: int, uniform: bool) -> Fraction:
    """Sum of 1/D over unordered pairs of different multisets, D the largest 2 x 2 minor of the pair; D = 0 is left out.

    Proved in theory/PROOFS.md, 6.2.

    ``n``: values and slots, 0 to MAX_PAIRS; ``uniform``: the target is one more variable, with coefficient -1 in
    every sum, and the empty multiset is one of them.

    Examples
    --------
    >>> pair_weight(2, False)  # (1,0) or (2,0) with (0,1), (0,2) or (1,1); (1,1) with (0,1) or (0,2)
    Fraction(21, 4)
    """
    every = _multisets(n, n)
    if uniform:
        every = np.hstack([every, np.ones((len(every), 1), np.int64)])
    else:
        every = every[every.sum(axis=1) > 0]
    values = every[:, :n]
    sorted_ones = every[(np.diff(values, axis=1) <= 0).all(axis=1)]  # one for each order of its multiplicities
    total = Fraction(0)
    for one in sorted_ones:
        orders = math.factorial(n)
        for repeats in np.unique(one[:n], return_counts=True)[1]:
            orders //= math.factorial(int(repeats))
        minors = np.zeros(len(every), np.int64)
        for i in range(len(one)):
            for j in range(i):
                np.maximum(minors, np.abs(every[:, i] * one[j] - every[:, j] * one[i]), out=minors)
        counts = np.bincount(minors)
        total += orders * sum((Fraction(int(counts[d]), d) for d in range(1, len(counts))), Fraction(0))
    return total / 2


def _primitive(n: int) -> Iterator[tuple[int, int]]:
    """(s, number of multisets of exactly s of n values whose multiplicities have no common divisor)."""
    found: dict[int, int] = {}
    for s in range(1, n + 1):
        found[s] = math.comb(n + s - 1, s) - sum(found[d] for d in range(1, s) if s % d == 0)
        yield s, found[s]


def pairs_good(n: int, *, alpha: float, eps: float, uniform: bool) -> Fraction:
    """Upper bound on the expected number of unordered pairs of good multisets.

    Exact evaluation of the bound. Proved in theory/PROOFS.md, 6.2.

    ``n``: values and slots, 0 to MAX_PAIRS; ``alpha``, ``eps``: target in [0, 1], above eps, and accuracy in (0,
    1]; ``uniform``: a uniform target in place of alpha; the empty multiset is then one of the multisets.
    """
    total = Fraction(eps) ** 2 * pair_weight(n, uniform)
    if uniform:
        return total
    high, low = Fraction(alpha) + Fraction(eps), Fraction(alpha) - Fraction(eps)
    for s, count in _primitive(n):
        for b in range(2, n // s + 1):
            total += count * sum((max(Fraction(0), high / b - low / a) / 2 for a in range(1, b)), Fraction(0))
    return total
