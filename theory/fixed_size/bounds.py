"""First and second moment of the number of good sums of exactly k values: bounds from both sides (2.6).

The public names live in theory.fixed_size.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from theory.fixed_size.parameters import FixedSizeParameters
from theory.numerics import check
from theory.numerics.amplify import Blocks
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, hit_table, window_error
from theory.numerics.rounding import above, complement_below, probability_above
from theory.question import Target
from theory.subset_sum.second_moment import pair_table

MAX_BLOCK = 10**6
"""Largest n of one second-moment bound."""

_ALL, _STEP = 96, 1.06
"""Block sizes that are tried: size + 0, 1, ..., _ALL, then growing by the factor _STEP."""


def _case(R: int, eps: float, alpha: Target, size: int) -> FixedSizeParameters:
    """The parameters with a target >= 0, for certified arithmetic."""
    check.certified_accuracy("eps", eps)
    asked = FixedSizeParameters(R=R, eps=eps, alpha=alpha, size=size)
    return asked if asked.uniform else replace(asked, alpha=asked.distance)


# -- first moment -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _hit_prob_above(case: FixedSizeParameters) -> Fraction:
    """P(a given sum is good), rounded up."""
    order = case.size + case.uniform  # S_k - A has the law of S_{k+1}
    p = hit_table(order, alpha=case.distance, eps=case.eps)[order]
    return Fraction(p) * (1 + Fraction(window_error(order)))


def success_prob_upper(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Proved upper bound on the success probability: the expected number of good sums, at most 1.

    In [0, 1], rounded up, nondecreasing in n and R; 0 for n < size. Parameters are those of `FixedSize`; n >= 0
    variables. Proved in theory/PROOFS.md, 2.6.

    Examples
    --------
    >>> round(success_prob_upper(3, 1, eps=0.01, alpha=0.5, size=2), 9)  # 3 * 0.0075
    0.0225
    """
    n, case = check.natural("n", n), _case(R, eps, alpha, size)
    expected = math.comb(n, case.size) * case.R**case.size * _hit_prob_above(case)
    return 1.0 if expected >= 1 else above(expected)


def necessary_n(eps: float, delta: float, *, R: int, alpha: Target, size: int) -> int:
    """Fewest variables that the first moment does not exclude; never below ``size``.

    Every n with failure probability <= delta is at least this. Parameters are those of `FixedSize`; delta in (0, 1).
    Proved in theory/PROOFS.md, 2.6. Raises ValueError if it would be above 2^60.

    Examples
    --------
    >>> necessary_n(0.01, 0.05, R=1, alpha=0.5, size=3), necessary_n(0.01, 0.05, R=1, alpha=0.5, size=1)
    (11, 95)
    """
    delta = check.open_probability("delta", delta)
    case = _case(R, eps, alpha, size)
    wanted = math.nextafter(1.0 - delta, 0.0)
    return smallest_n(lambda n: -success_prob_upper(n, R, eps=eps, alpha=alpha, size=size), -wanted, lo=case.size)


# -- second moment ----------------------------------------------------------------------------------------------------


def _overlaps(n: int, k: int, R: int) -> list[float]:
    """P(exactly j elements in common), j = 0..k, for two independent random selections of k values; rounded up."""
    whole = math.comb(n, k) * R**k
    found = []
    for j in range(k + 1):
        ways = sum(
            math.comb(k, m) * math.comb(n - k, k - m) * math.comb(m, j) * (R - 1) ** (m - j) * R ** (k - m)
            for m in range(max(j, 2 * k - n), k + 1)
        )
        found.append(math.nextafter(ways / whole, math.inf) if ways else 0.0)
    return found


@lru_cache(maxsize=65536)
def _second_moment(n: int, case: FixedSizeParameters) -> float:
    k, shift = case.size, int(case.uniform)
    if n < k:
        return 0.0
    pairs, error = pair_table(k + shift, alpha=case.distance, eps=case.eps)
    ratios = [1.0] + [float(pairs[j + shift, k + shift, k + shift]) for j in range(1, k + 1)]
    if case.uniform:
        ratios[0] = float(pairs[1, k + 1, k + 1])  # both sums contain the target
    moment = float(np.dot(_overlaps(n, k, case.R), ratios))
    return min(1.0, (1.0 - 1.01 * (error + (2 * k + 8) * UNIT)) / moment)


def success_prob_second_moment(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Proved lower bound on the success probability: (E N)^2 / E N^2, N the number of good sums.

    In [0, 1], rounded down; 0 for n < size. Parameters are those of `FixedSize`; 0 <= n <= 10^6 variables. Proved in
    theory/PROOFS.md, 2.6.

    Examples
    --------
    >>> round(success_prob_second_moment(14, 1, eps=0.01, alpha=0.5, size=5), 3)
    0.821
    """
    n, case = check.natural("n", n), _case(R, eps, alpha, size)
    if n > MAX_BLOCK:
        raise ValueError(f"n must be at most {MAX_BLOCK}, got n={n}")
    return _second_moment(n, case)


@lru_cache(maxsize=256)
def _blocks(case: FixedSizeParameters) -> Blocks:
    sizes = list(range(case.size, case.size + _ALL))
    while sizes[-1] * _STEP < MAX_BLOCK:
        sizes.append(int(sizes[-1] * _STEP))
    return Blocks(lambda m: _second_moment(m, case), sizes, together=case.uniform)


def log_failure_prob_bound(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows; parameters and source are the same."""
    return _blocks(_case(R, eps, alpha, size)).log_failure(check.natural("n", n))


def failure_prob_bound(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Proved upper bound on the probability that no sum of exactly ``size`` values lies within eps of alpha.

    The second-moment bound, multiplied over disjoint blocks of variables unless the target is uniform. In [0, 1],
    rounded up, nonincreasing in n. Parameters are those of `FixedSize`; n >= 0 variables. Proved in theory/PROOFS.md,
    2.6.

    Examples
    --------
    >>> failure_prob_bound(400, 1, eps=0.01, alpha=0.5, size=5) < 1e-15
    True
    """
    return probability_above(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, size=size))


def success_prob_lower(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`, rounded down.

    Parameters and source are those of `failure_prob_bound`.

    Examples
    --------
    >>> success_prob_lower(4, 1, eps=0.01, alpha=0.5, size=5)
    0.0
    """
    return complement_below(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, size=size))


def required_n(eps: float, delta: float, *, R: int, alpha: Target, size: int) -> int:
    """Variables that suffice for failure probability delta: the least n at which `failure_prob_bound` is that small.

    Proved sufficient. Parameters are those of `FixedSize`; delta in (0, 1). Raises ValueError if the target is uniform
    and no single block is proved to do, or more than 2^60 variables would be needed. Proved in theory/PROOFS.md, 2.6.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1, alpha=0.5, size=5) <= 40
    True
    """
    delta = check.open_probability("delta", delta)
    return _blocks(_case(R, eps, alpha, size)).required_n(delta)
