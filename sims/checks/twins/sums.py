"""Independent computations about sums of U[-1, 1]: exact fractions, enumeration and plain quadrature; no theory."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from functools import cache

import numpy as np


@cache
def distribution(k: int, t: Fraction) -> Fraction:
    """P(S_k <= t) by truncated powers, exactly."""
    if k == 0:
        return Fraction(t >= 0)
    terms = ((-1) ** i * math.comb(k, i) * (t + k - 2 * i) ** k for i in range(k + 1) if t + k - 2 * i > 0)
    return sum(terms, Fraction(0)) / Fraction(2**k * math.factorial(k))


def window(k: int, alpha: float, eps: float) -> Fraction:
    """P(|S_k - alpha| <= eps), exactly."""
    if k == 0:
        return Fraction(abs(Fraction(alpha)) <= Fraction(eps))
    return distribution(k, Fraction(alpha) + Fraction(eps)) - distribution(k, Fraction(alpha) - Fraction(eps))


def expected_good_sums(n: int, R: int, alpha: float, eps: float) -> Fraction:
    """Sum over k of C(n, k) R^k P(|S_k - alpha| <= eps)."""
    return sum((math.comb(n, k) * R**k * window(k, alpha, eps) for k in range(n + 1)), Fraction(0))


def _window_at(k: int, t: np.ndarray, alpha: float, eps: float) -> np.ndarray:
    """P(|t + S_k - alpha| <= eps) for an array of t, in floating point."""

    def below(x: np.ndarray) -> np.ndarray:
        if k == 0:
            return np.where(x >= 0, 1.0, 0.0)
        total = sum((-1) ** i * math.comb(k, i) * np.maximum(x + k - 2 * i, 0.0) ** k for i in range(k + 1))
        return np.asarray(total / (2**k * math.factorial(k)))

    return np.asarray(below(alpha + eps - t) - below(alpha - eps - t))


def _density_at(k: int, t: np.ndarray) -> np.ndarray:
    total = sum(
        (-1) ** i * math.comb(k, i) * np.where(t + k - 2 * i > 0, np.maximum(t + k - 2 * i, 0.0) ** (k - 1), 0.0)
        for i in range(k + 1)
    )
    return np.asarray(total / (2**k * math.factorial(k - 1)))


def pair_prob(j: int, a: int, b: int, alpha: float, eps: float) -> float:
    """P(two sums are good) when they share j values and have a and b further ones; Gauss-Legendre between all knots."""
    if j == 0:
        return float(window(a, alpha, eps) * window(b, alpha, eps))
    knots = {float(i) for i in range(-j, j + 1)}
    knots |= {end + i for end in (alpha + eps, alpha - eps) for i in range(-j - 2, j + 3)}
    cuts = sorted(c for c in knots if -j <= c <= j)
    x, weights = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for left, right in itertools.pairwise(cuts):
        t = left + (right - left) * (x + 1) / 2
        both = _window_at(a, t, alpha, eps) * _window_at(b, t, alpha, eps)
        total += float(weights @ (_density_at(j, t) * both)) * (right - left) / 2
    return total


def moments(n: int, R: int, alpha: float, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """E N_k and E N_k N_k' for k, k' = 1..n, by enumerating all ordered pairs of selections."""
    selections = list(itertools.product(range(R + 1), repeat=n))  # 0: no draw of this variable
    sizes = [sum(map(bool, chosen)) for chosen in selections]
    counts: Counter[tuple[int, int, int]] = Counter()
    for one, k in zip(selections, sizes, strict=True):
        for other, size in zip(selections, sizes, strict=True):
            counts[k, size, sum(x == y != 0 for x, y in zip(one, other, strict=True))] += 1
    e, M = np.zeros(n), np.zeros((n, n))
    for k in range(1, n + 1):
        e[k - 1] = math.comb(n, k) * R**k * float(window(k, alpha, eps))
    for (k, size, j), count in counts.items():
        if k and size:
            M[k - 1, size - 1] += count * pair_prob(j, k - j, size - j, alpha, eps)
    return e, M


def second_moment(n: int, R: int, alpha: float, eps: float) -> tuple[float, float]:
    """The best combination e' M^-1 e and the best single k, e_k^2 / M_kk."""
    e, M = moments(n, R, alpha, eps)
    return float(e @ np.linalg.solve(M, e)), float((e**2 / np.diag(M)).max())
