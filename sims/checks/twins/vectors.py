"""Independent computations about sums of vectors: all selections, exact windows and honest draws; no theory."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from sims.checks.twins.sums import pair_prob, window


def expected_good_sums(n: int, R: int, d: int, alpha: float, eps: float) -> Fraction:
    """Sum over k of C(n, k) R^k P(|S_k - alpha| <= eps)^d."""
    terms = (math.comb(n, k) * R**k * window(k, alpha, eps) ** d for k in range(n + 1))
    return sum(terms, Fraction(0))


def second_moment(n: int, R: int, d: int, alpha: float, eps: float) -> float:
    """The best combination e' M^-1 e of the numbers of good sums of k vectors, over all pairs of selections."""
    selections = list(itertools.product(range(R + 1), repeat=n))  # 0: no draw of this variable
    e, M = np.zeros(n + 1), np.zeros((n + 1, n + 1))
    for one in selections:
        k = n - one.count(0)
        e[k] += float(window(k, alpha, eps)) ** d
        for other in selections:
            size, shared = n - other.count(0), sum(x == y != 0 for x, y in zip(one, other, strict=True))
            if k and size:
                M[k, size] += pair_prob(shared, k - shared, size - shared, alpha, eps) ** d
    return float(e[1:] @ np.linalg.solve(M[1:, 1:], e[1:]))


def short(values: np.ndarray, reach: float) -> np.ndarray:
    """Trials where the positive values of some coordinate add up to less than ``reach``; values (trials, n R, d)."""
    return np.asarray((np.maximum(values, 0.0).sum(axis=1) < reach).any(axis=1))


def best_errors(values: np.ndarray, target: float) -> np.ndarray:
    """The least max-norm error of all selections of every trial; values (trials, n, R, d)."""
    sums = np.zeros((len(values), 1, values.shape[3]))
    for i in range(values.shape[1]):
        taken = [sums + values[:, i, None, r] for r in range(values.shape[2])]
        sums = np.concatenate([sums, *taken], axis=1)
    return np.asarray(np.abs(sums - target).max(axis=2).min(axis=1))
