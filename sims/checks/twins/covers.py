"""Weights coded by the first draw near them, from the definitions: what each draw covers first, and entropies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def first_hit_shares(draws: Sequence[float], eps: float) -> list[float]:
    """Share of [-1, 1] that each draw is the first to lie within eps of.

    Examples
    --------
    >>> first_hit_shares([0.0, 0.5], 0.5)
    [0.5, 0.25]
    """
    left, shares = [(-1.0, 1.0)], []
    for x in draws:
        new = sum(max(0.0, min(b, x + eps) - max(a, x - eps)) for a, b in left)
        parts = [part for a, b in left for part in ((a, min(b, x - eps)), (max(a, x + eps), b))]
        left = [(a, b) for a, b in parts if a < b]
        shares.append(new / 2)
    return shares


def entropy(shares: Sequence[float]) -> float:
    """In bits.

    Examples
    --------
    >>> entropy([0.5, 0.25, 0.25])
    1.5
    """
    return -math.fsum(share * math.log2(share) for share in shares if share > 0.0)


def averages(eps: float, d: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and hit probabilities of a midpoint rule over a uniform block, ``count`` points a weight."""
    w = (np.arange(count) + 0.5) / count  # distance from the middle, by symmetry
    each = (np.minimum(1.0, w + eps) - np.maximum(-1.0, w - eps)) / 2
    p = np.ones(1)
    for _ in range(d):
        p = np.multiply.outer(p, each).ravel()
    return np.full(len(p), 1.0 / len(p)), p


def index_law(weights: np.ndarray, p: np.ndarray, last: int) -> list[float]:
    """P(K = k), k = 1, ..., last, of the index of the first hit."""
    found, left = [], weights
    for _ in range(last):
        found.append(float(left @ p))
        left = left * (1.0 - p)
    return found


def places(values: np.ndarray, targets: np.ndarray, eps: float) -> np.ndarray:
    """Place of the first sum within eps, in the order of sizes, of n values a row; 2^n + 1 where there is none."""
    n = values.shape[1]
    masks = np.array(sorted(range(2**n), key=lambda mask: (mask.bit_count(), mask)))
    sums = values @ ((masks[:, None] >> np.arange(n)) & 1).T
    good = np.abs(sums - targets[:, None]) <= eps
    found: np.ndarray = np.where(good.any(axis=1), good.argmax(axis=1) + 1, 2**n + 1)
    return found
