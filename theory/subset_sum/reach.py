"""Upper bounds on success that know what one value of the draws decides (theory/PROOFS.md, 2.1 (b)).

The largest sum of all may be too small, and given the total of all draws the expected number of good sums may be.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from theory.numerics.irwin_hall import UNIT, hit_table
from theory.numerics.rounding import below
from theory.subset_sum.parameters import SubsetSumParameters
from theory.subset_sum.totals import Kernels, bin_width

_DEGREE = 64
"""Powers of x that are kept: all terms are positive, so that what is cut keeps a lower bound."""

_LARGEST_EXPONENT = 2000
"""With n R beyond it the largest sum is too small with a probability of no use."""

_MAX_DRAWS = 400
"""Largest n R at which the total of the draws is looked at."""


@lru_cache(maxsize=4096)
def miss_below(n: int, case: SubsetSumParameters) -> float:
    """Lower bound on P(the largest sum of all stays below |alpha| - eps), one vector; rounded down.

    Examples
    --------
    >>> round(miss_below(3, SubsetSumParameters(R=1, eps=0.25, alpha=0.75)), 6)  # (1 + 3/2 + 3/8 + 1/48)/8
    0.361979
    """
    R, x = case.options, (Fraction(1) if case.uniform else Fraction(case.size)) - Fraction(case.eps)
    if x <= 0 or n * R > _LARGEST_EXPONENT:
        return 0.0
    one = [math.perm(R, i) for i in range(min(R, _DEGREE) + 1)]
    total, power, extra = Fraction(0), Fraction(1), int(case.uniform)
    for q, coefficient in enumerate(_power(one, n)):
        total += coefficient * power / math.factorial(q + extra)
        power *= x
    return below(total * x**extra / 2 ** (n * R)) if total else 0.0


def _power(polynomial: list[int], n: int) -> list[int]:
    """The coefficients of the n-th power, up to _DEGREE."""
    out, base = [1], polynomial
    while n:
        if n % 2:
            out = _times(out, base)
        base, n = _times(base, base), n // 2
    return out


def _times(a: list[int], b: list[int]) -> list[int]:
    out = [0] * min(len(a) + len(b) - 1, _DEGREE + 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b[: len(out) - i]):
            out[i + j] += x * y
    return out


@lru_cache(maxsize=4096)
def success_above(n: int, case: SubsetSumParameters) -> float:
    """Upper bound on P(success) by the expected number of good sums given the bin of the total; one vector, rounded up.

    1 where n R is too large to look at, and for a uniform target.

    Examples
    --------
    >>> round(success_above(11, SubsetSumParameters(R=1, eps=0.01, alpha=0.5)), 2)
    0.99
    """
    R, draws = case.options, n * case.options
    if case.uniform or not 0 < draws <= _MAX_DRAWS:
        return 1.0
    alpha, eps, width = Fraction(case.size), Fraction(case.eps), bin_width(R)
    kernels = Kernels(draws, width, math.ceil((draws + 3) / width))
    share = kernels.at(2 * alpha)[0, draws]
    near = kernels.nearest(alpha, eps)
    p = np.array(hit_table(n, alpha=case.size, eps=case.eps)[1 : n + 1])
    number = np.array([float(math.comb(n, k) * R**k) for k in range(1, n + 1)])
    expected = (number * p) @ near[draws - np.arange(1, n + 1)]
    error = 1.01 * (22 * draws + 2 * n + len(share) + 30) * UNIT
    return min(1.0, float(np.minimum(share, expected).sum()) * (1.0 + error) + 1e-250)
