"""Statement 4.7 for one weight as a question, with what is proved and what is predicted of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from theory.numerics import check
from theory.product_sum import first_moment
from theory.product_sum.bounds import MIN_DELTA, required_neurons
from theory.product_sum.parameters import ProductSumParameters

_LIMIT = 10**5
"""Neurons beyond which nothing is proved here."""


@dataclass(frozen=True, kw_only=True)
class ProductSum(ProductSumParameters):
    __doc__ = ProductSumParameters.__doc__

    def required_n(self, delta: float) -> int:
        """Neurons that suffice for every target weight, by the covering groups of 4.7 (proved).

        Raises ValueError if delta is below 1e-30, or more than 1e5 neurons would be needed.
        """
        return required_neurons(self.eps, delta, R=self.R).neurons

    def necessary_n(self, delta: float) -> int:
        """Neurons without which success >= 1 - delta is impossible (proved, 4.7 (e))."""
        return first_moment.necessary_n(self.eps, delta, R=self.R, alpha=self.alpha)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (heuristic)."""
        return first_moment.predicted_n(self.eps, delta, R=self.R, alpha=self.alpha)

    def success_lower(self, n: int) -> float:
        """Proved lower bound on success with n >= 0 neurons: 4.7, which speaks of every target weight."""
        n = check.natural("n", n)
        if self.alpha != "uniform" and abs(self.alpha) <= self.eps:
            return 1.0
        halvings = _provable_halvings(n, self.R, self.eps)
        return 0.0 if halvings == 0 else math.nextafter(1.0 - 2.0**-halvings, 0.0)

    def success_upper(self, n: int) -> float:
        """Proved upper bound on success with n >= 0 neurons: the expected number of good choices."""
        return first_moment.success_prob_upper(n, self.R, eps=self.eps, alpha=self.alpha)

    def success_prediction(self, n: int) -> float:
        """Predicted success with n >= 0 neurons (heuristic)."""
        return first_moment.success_prediction(n, self.R, eps=self.eps, alpha=self.alpha)


@lru_cache(maxsize=4096)
def _needed(halvings: int, R: int, eps: float) -> int:
    try:
        return required_neurons(eps, 2.0**-halvings, R=R).neurons
    except ValueError:
        return _LIMIT + 1


def _provable_halvings(n: int, R: int, eps: float) -> int:
    """The largest k with failure at most 2^-k proved for n neurons, 0 if there is none."""
    low, high = 0, math.floor(-math.log2(MIN_DELTA))
    while low < high:
        middle = (low + high + 1) // 2
        if _needed(middle, R, eps) <= n:
            low = middle
        else:
            high = middle - 1
    return low
