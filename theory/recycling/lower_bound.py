"""Lower bounds on the success of recycling: pairs of good multisets, subsets, and independent blocks (6.2)."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from theory import subset_sum
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT
from theory.numerics.rounding import below, complement_below, lowered, probability_above
from theory.question import Target
from theory.recycling.moments import MAX_N, MAX_PAIRS, expected_good, pairs_good
from theory.recycling.parameters import RecyclingParameters
from theory.subset_sum.blocks import log_least_weighted
from theory.subset_sum.parameters import SubsetSumParameters, certified


@lru_cache(maxsize=4096)
def _pairs_bound(n: int, case: RecyclingParameters) -> Fraction:
    """Bound 6.2 for n <= MAX_PAIRS, exact; nondecreasing in n."""
    if n == 0:
        return Fraction(case.eps) if case.uniform else Fraction(0)
    first = expected_good(n, alpha=case.size, eps=case.eps, uniform=case.uniform)
    first += Fraction(case.eps) if case.uniform else 0
    second = pairs_good(n, alpha=case.size, eps=case.eps, uniform=case.uniform)
    best = _pairs_bound(n - 1, case)
    around = int(2 * second / first)
    for r in range(max(1, around - 1), around + 3):
        best = max(best, 2 * (first - second / r) / (r + 1))
    return max(best, first * first / (first + 2 * second))


def success_prob_pairs(n: int, *, eps: float, alpha: Target) -> float:
    """Proved lower bound on the success probability from the pairs of good multisets alone.

    In [0, 1], rounded down, nondecreasing in n. Close to the truth where success is improbable, and stuck near 0.7
    where it is not; `success_prob_lower` combines it with other bounds. Parameters are those of `Recycling`; 0 <= n <=
    MAX_PAIRS = 8 values and slots. Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> from theory.recycling import success_prob_upper
    >>> round(success_prob_pairs(3, eps=0.01, alpha=0.5), 3), round(success_prob_upper(3, eps=0.01, alpha=0.5), 3)
    (0.106, 0.114)
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if n > MAX_PAIRS:
        raise ValueError(f"n must be at most {MAX_PAIRS}, got n={n}")
    if case.certain:
        return 1.0
    return below(_pairs_bound(n, case))


@lru_cache(maxsize=65536)
def _log_failure(n: int, case: RecyclingParameters) -> float:
    """Upper bound on log P(failure), n <= 64, not yet corrected for rounding; nonincreasing in n."""
    subset = SubsetSumParameters(R=1, eps=case.eps, alpha="uniform" if case.uniform else case.size)
    best = subset_sum.log_failure_prob_bound(n, 1, eps=case.eps, alpha=subset.alpha, weights=False)
    if n <= MAX_PAIRS and not case.certain:
        best = min(best, math.log1p(-below(_pairs_bound(n, case))))
    if n > 0:
        best = min(best, _log_failure(n - 1, case))
    if not case.uniform:  # blocks of values with their own slots fail independently
        for m in range(1, n // 2 + 1):
            best = min(best, _log_failure(m, case) + _log_failure(n - m, case))
        if n > 0 and best > log_least_weighted(n, subset):
            best = min(best, subset_sum.log_failure_prob_bound(n, 1, eps=case.eps, alpha=case.size))
    return best


def log_failure_prob_bound(n: int, *, eps: float, alpha: Target) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows.

    In [-inf, 0], rounded up, nonincreasing in n. Parameters are those of `Recycling`; n >= 0 values and slots. Proved
    in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> log_failure_prob_bound(3, eps=0.01, alpha=0.005)
    -inf
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    best = _log_failure(min(n, MAX_N), case)
    if n > MAX_N:
        best = min(best, subset_sum.log_failure_prob_bound(n, 1, eps=eps, alpha=alpha))
        if not case.uniform:
            blocks = ((n // m) * _log_failure(m, case) + _log_failure(n % m, case) for m in range(1, MAX_N + 1))
            best = min(best, *blocks)
    return best * (1.0 - 256 * UNIT) + 0.0


def failure_prob_bound(n: int, *, eps: float, alpha: Target) -> float:
    """Proved upper bound on the probability that no multiset has a sum within eps of alpha.

    The best of the pair bound 6.2 (n <= 8), of the bounds 2.2 and 2.3 for subsets, which are multisets, and, for a
    fixed target, of products over disjoint blocks of values that keep their slots.

    In [0, 1], rounded up, nonincreasing in n. Parameters are those of `Recycling`; n >= 0 values and slots. Proved in
    theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> failure_prob_bound(60, eps=0.01, alpha=0.5) < 1e-3
    True
    """
    return probability_above(log_failure_prob_bound(n, eps=eps, alpha=alpha))


def success_prob_lower(n: int, *, eps: float, alpha: Target) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`.

    In [0, 1], rounded down, nondecreasing in n; at least that of theory.subset_sum with R = 1 (up to 1e-13 relative).
    Parameters are those of `Recycling`; n >= 0 values and slots. Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> round(success_prob_lower(4, eps=0.01, alpha=0.5), 3), round(success_prob_lower(20, eps=0.01, alpha=0.5), 3)
    (0.263, 0.993)
    """
    return complement_below(log_failure_prob_bound(n, eps=eps, alpha=alpha))


def required_n(eps: float, delta: float, *, alpha: Target) -> int:
    """Values and slots that suffice for failure probability delta.

    The least n whose `log_failure_prob_bound` is at most log(delta), rounded down. 0 if |alpha| <= eps. Parameters are
    those of `Recycling`; a failure probability delta in (0, 1). Raises ValueError if the target is uniform and 64
    values are not proved to do. Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> required_n(0.01, 0.5, alpha=0.5), required_n(0.01, 0.05, alpha=0.5)
    (6, 14)
    """
    delta = check.open_probability("delta", delta)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    wanted = lowered(math.log(delta))
    if case.uniform and log_failure_prob_bound(MAX_N, eps=eps, alpha=alpha) > wanted:
        raise ValueError(f'delta must be reached by n <= {MAX_N} when alpha="uniform", got delta={delta}')
    return smallest_n(lambda n: log_failure_prob_bound(n, eps=eps, alpha=alpha), wanted)
