"""Slow twins of section 8: the law of the index by quadrature, and covers of an interval, from the definitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

Cells = Sequence[tuple[float, float, float]]
"""(left end, right end, probability) of the cells of a law."""


def caught(source: Cells, w: float, eps: float) -> float:
    """Probability that a draw of the source lies in [w - eps, w + eps]."""
    return sum(share * max(0.0, min(b, w + eps) - max(a, w - eps)) / (b - a) for a, b, share in source)


def nodes(target: Cells, source: Cells, eps: float, d: int, count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Weights and values p of a quadrature rule for averages over p(W): Gauss-Legendre between all kinks."""
    x, weights = np.polynomial.legendre.leggauss(count)
    kinks = sorted({edge + side for a, b, _ in source for edge in (a, b) for side in (-eps, eps)})
    one_weight, one_p = [], []
    for a, b, share in target:
        ends = [a, *(kink for kink in kinks if a < kink < b), b]
        for left, right in itertools.pairwise(ends):
            for node, weight in zip(x, weights, strict=True):
                one_weight.append(share * (right - left) / (b - a) * weight / 2)
                one_p.append(caught(source, (left + right) / 2 + (right - left) / 2 * node, eps))
    all_weights, all_p = np.ones(1), np.ones(1)
    for _ in range(d):
        all_weights = np.multiply.outer(all_weights, one_weight).ravel()
        all_p = np.multiply.outer(all_p, one_p).ravel()
    return all_weights, all_p


def index_law(weights: np.ndarray, p: np.ndarray, last: int) -> np.ndarray:
    """P(K = k) for k = 1, ..., last."""
    law, left = np.empty(last), weights.copy()
    for k in range(last):
        law[k] = left @ p
        left *= 1.0 - p
    return law


def entropy(law: Sequence[float]) -> float:
    """In bits."""
    return -math.fsum(q * math.log2(q) for q in law if q > 0.0)


def mean(law: np.ndarray, value: Callable[[int], float]) -> float:
    """Mean of a function of the index."""
    return math.fsum(q * value(k) for k, q in enumerate(law.tolist(), 1))


def first_hit_shares(draws: Sequence[float], eps: float) -> list[float]:
    """Share of [-1, 1] that each draw is the first to lie within eps of; they add up to 1 if all is covered."""
    left, shares = [(-1.0, 1.0)], []
    for x in draws:
        low, high, kept, new = x - eps, x + eps, [], 0.0
        for a, b in left:
            new += max(0.0, min(b, high) - max(a, low))
            kept += [(u, v) for u, v in ((a, min(b, low)), (max(a, high), b)) if u < v]
        left = kept
        shares.append(new / 2)
    return shares
