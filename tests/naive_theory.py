"""Slow, independent twins of theory.single_weight and theory.subset_sum: enumeration, exact fractions and mpmath.

Nothing here shares code or formulas with theory: densities come from the alternating sum over truncated powers, and
pairs of selections are enumerated one by one.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np


def density(k: int, t: Any) -> Any:
    """f_k(t) of the sum of k values U[-1, 1] by truncated powers; exact for Fraction."""
    total = sum((-1) ** i * math.comb(k, i) * (t + k - 2 * i) ** (k - 1) for i in range(k + 1) if t + k - 2 * i > 0)
    return total / (2**k * math.factorial(k - 1))


def distribution(k: int, t: Any) -> Any:
    """P(S_k <= t), exact for Fraction."""
    if k == 0:
        return int(t >= 0)
    total = sum((-1) ** i * math.comb(k, i) * (t + k - 2 * i) ** k for i in range(k + 1) if t + k - 2 * i > 0)
    return total / (2**k * math.factorial(k))


def window(k: int, t: Any, alpha: Any, eps: Any) -> Any:
    """P(|t + S_k - alpha| <= eps)."""
    if k == 0:
        return int(abs(t - alpha) <= eps)
    return distribution(k, alpha + eps - t) - distribution(k, alpha - eps - t)


def pair_prob(j: int, a: int, b: int, alpha: float, eps: float) -> mpmath.mpf:
    """P(both sums good) when they share j values and have a and b further ones, by mpmath quadrature."""
    al, ep = Fraction(alpha), Fraction(eps)
    if j == 0:
        return mpmath.mpmathify(window(a, Fraction(0), al, ep)) * mpmath.mpmathify(window(b, Fraction(0), al, ep))
    cuts = {Fraction(i) for i in range(-j, j + 1)}
    cuts |= {end + i for end in (al + ep, al - ep) for i in range(-j - 2, j + 3)}
    points = [_mp(c) for c in sorted(cuts) if -j <= c <= j]
    mal, mep = _mp(al), _mp(ep)

    def integrand(t: mpmath.mpf) -> mpmath.mpf:
        return density(j, t) * window(a, t, mal, mep) * window(b, t, mal, mep)

    return mpmath.quad(integrand, points, method="gauss-legendre", maxdegree=3)


def _mp(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


def overlap_counts(n: int, R: int) -> Counter[tuple[int, int, int]]:
    """Number of ordered pairs of selections by (k, k', j), by enumeration of all of them."""
    counts: Counter[tuple[int, int, int]] = Counter()
    selections = list(itertools.product(range(R + 1), repeat=n))  # 0 means: no draw of this variable
    sizes = [sum(map(bool, s)) for s in selections]
    for s, k in zip(selections, sizes, strict=True):
        for other, size in zip(selections, sizes, strict=True):
            counts[k, size, sum(x == y != 0 for x, y in zip(s, other, strict=True))] += 1
    return counts


def moments(n: int, R: int, alpha: float, eps: float) -> tuple[mpmath.matrix, mpmath.matrix]:
    """E[N_k] and E[N_k N_k'], k, k' = 1..n, from enumerated pairs and 40-digit integrals."""
    with mpmath.workdps(40):
        cache: dict[tuple[int, int, int], mpmath.mpf] = {}
        e, M = mpmath.zeros(n, 1), mpmath.zeros(n, n)
        for k in range(1, n + 1):
            e[k - 1] = math.comb(n, k) * R**k * _mp(window(k, Fraction(0), Fraction(alpha), Fraction(eps)))
        for (k, other, j), count in overlap_counts(n, R).items():
            if k == 0 or other == 0:
                continue
            key = (j, k - j, other - j)
            if key not in cache:
                cache[key] = cache[j, other - j, k - j] = pair_prob(*key, alpha, eps)
            M[k - 1, other - 1] += count * cache[key]
        return e, M


def best_bound(e: mpmath.matrix, M: mpmath.matrix) -> mpmath.mpf:
    """e' M^-1 e."""
    with mpmath.workdps(40):
        return (e.T * mpmath.lu_solve(M, e))[0]


def reachable_sums(values: list[list[float]]) -> list[float]:
    """Every sum with at most one value of each row."""
    sums = [0.0]
    for row in values:
        sums = [s + x for s in sums for x in [0.0, *row]]
    return sums


@dataclass(frozen=True)
class ByTotal:
    """Simulated moments of the numbers of good sums in the bins of the total of all draws."""

    bins: np.ndarray
    first: np.ndarray
    first_error: np.ndarray
    second: np.ndarray
    second_error: np.ndarray
    success: float


def good_sums_by_total(n: int, R: int, alpha: float, eps: float, width: float, bins: int, trials: int) -> ByTotal:
    """E[N_k; T in bin k] and E[N_k N_k'; T in bin], bins centred at 2 alpha + width * (-bins..bins), by simulation."""
    rng = np.random.default_rng(11)
    counts, kind = np.zeros((trials, n)), np.zeros(trials, dtype=int)
    choices = [[None, *range(R)]] * n
    values = rng.uniform(-1, 1, (trials, n, R))
    kind = np.rint((values.sum(axis=(1, 2)) - 2 * alpha) / width).astype(int)
    for chosen in itertools.product(*choices):
        used = [(i, r) for i, r in enumerate(chosen) if r is not None]
        if used:
            total = sum(values[:, i, r] for i, r in used)
            counts[:, len(used) - 1] += np.abs(total - alpha) <= eps
    shares, first, second, errors = [], [], [], []
    for k in range(-bins, bins + 1):
        inside = counts * (kind == k)[:, None]
        products = inside[:, :, None] * inside[:, None, :]
        shares.append(float((kind == k).mean()))
        first.append(inside.mean(axis=0))
        second.append(products.mean(axis=0))
        errors.append((inside.std(axis=0) / trials**0.5, products.std(axis=0) / trials**0.5))
    return ByTotal(
        np.array(shares),
        np.array(first),
        np.array([error for error, _ in errors]),
        np.array(second),
        np.array([error for _, error in errors]),
        float((counts.sum(axis=1) > 0).mean()),
    )
