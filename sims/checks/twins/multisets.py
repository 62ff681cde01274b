"""Independent computations about multisets of draws (6), by enumeration in exact fractions; no theory."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import cache

import numpy as np

from sims.checks.twins import sums as _sums


@cache
def multisets(n: int) -> np.ndarray:
    """How often each of n values is taken, for every multiset of size at most n."""
    return np.array([c for c in itertools.product(range(n + 1), repeat=n) if sum(c) <= n], float)


def form_window(c: tuple[int, ...], alpha: float, eps: float) -> Fraction:
    """P(|sum c_i X_i - alpha| <= eps): truncated powers over all signs."""
    parts = [x for x in c if x]
    m = len(parts)

    def below(w: Fraction) -> Fraction:
        total = Fraction(0)
        for signs in itertools.product((1, -1), repeat=m):
            end = w + sum(s * x for s, x in zip(signs, parts, strict=True))
            total += math.prod(signs) * max(Fraction(0), end) ** m
        return total / (math.factorial(m) * math.prod(2 * x for x in parts))

    return below(Fraction(alpha) + Fraction(eps)) - below(Fraction(alpha) - Fraction(eps))


def _nonempty(n: int) -> list[tuple[int, ...]]:
    return [tuple(int(x) for x in c) for c in multisets(n) if c.any()]


def expected_good(n: int, alpha: float, eps: float) -> Fraction:
    """Expected number of good nonempty multisets."""
    return sum((form_window(c, alpha, eps) for c in _nonempty(n)), Fraction(0))


def pair_weight(n: int, alpha: float, eps: float) -> Fraction:
    """Bound on the expected number of unordered pairs of good nonempty multisets, alpha > eps: pair by pair."""
    total, a, e = Fraction(0), Fraction(alpha), Fraction(eps)
    for one, two in itertools.combinations(_nonempty(n), 2):
        minor = max(abs(one[i] * two[j] - one[j] * two[i]) for i in range(n) for j in range(n))
        if minor:
            total += e**2 / minor
        else:  # multiples x < y of the same primitive one
            x, y = sorted((math.gcd(*one), math.gcd(*two)))
            total += max(Fraction(0), (a + e) / y - (a - e) / x) / 2
    return total


def pairs_bound(n: int, alpha: float, eps: float) -> Fraction:
    """The best of E^2/(E + 2T) and of (2/(r+1)) (E - T/r), over r and over at most n values."""
    best = Fraction(0)
    for m in range(1, n + 1):
        E, T = expected_good(m, alpha, eps), pair_weight(m, alpha, eps)
        best = max([best, E * E / (E + 2 * T)] + [2 * (E - T / r) / (r + 1) for r in range(1, 30)])
    return best


def wrong_side(n: int, alpha: float, eps: float) -> Fraction:
    """P(all values below (alpha - eps)/n, or all above alpha + eps), alpha > eps."""
    a, e = Fraction(alpha), Fraction(eps)
    return ((1 + (a - e) / n) / 2) ** n + (max(Fraction(0), 1 - a - e) / 2) ** n


def wrong_side_uniform(n: int, eps: float) -> float:
    """Its mean over a uniform target, by quadrature."""
    x, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    for low, high in ((eps, max(eps, 1 - eps)), (max(eps, 1 - eps), 1.0)):
        a = low + (high - low) * (x + 1) / 2
        both = ((1 + (a - eps) / n) / 2) ** n + (np.maximum(0.0, 1 - a - eps) / 2) ** n
        total += float(weights @ both) * (high - low) / 2
    return total


def choice_R(n: int, alpha: float, eps: float) -> float:
    """The real R with sum_k C(n,k) R^k P(|S_k - alpha| <= eps) equal to the expected good multisets, by Newton."""
    wanted = float(expected_good(n, alpha, eps))
    terms = [math.comb(n, k) * float(_sums.window(k, alpha, eps)) for k in range(1, n + 1)]
    R = 1.0
    for _ in range(100):
        value = sum(t * R**k for k, t in enumerate(terms, 1)) - wanted
        R -= value / sum(k * t * R ** (k - 1) for k, t in enumerate(terms, 1))
    return R
