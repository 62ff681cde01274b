"""Recycling: n slots may each take any of the n values already present, or stay empty. What does it gain?

The n values are i.i.d. U[-1, 1]. A sum uses value i c_i times, c_1 + ... + c_n <= n: a multiset, one of C(2n, n).
Success means that some sum lies within eps of alpha; the empty sum counts. ``alpha`` is a number in [-1, 1] or
"uniform": drawn once from U[-1, 1], independent of the values, and averaged over. An idealisation of iterative weight
recycling, compared with the choice model of theory.subset_sum. Statements 6.1 to 6.4; proofs in theory/PROOFS.md. The
predictions are heuristic.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from theory import subset_sum
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT
from theory.numerics.logspace import exp_up
from theory.numerics.rounding import lowered
from theory.question import Target
from theory.recycling.moments import MAX_N, MAX_PAIRS, expected_good, pairs_good
from theory.recycling.parameters import RecyclingParameters
from theory.recycling.prediction import failure_prediction, predicted_n, success_prediction
from theory.recycling.tail import certain_failure
from theory.recycling.worth import count_R, effective_R, expected_R, gain_left, interpolated_R, multiset_count
from theory.subset_sum.parameters import certified

__all__ = [
    "certain_failure",
    "count_R",
    "effective_R",
    "expected_R",
    "failure_prediction",
    "failure_prob_bound",
    "gain_left",
    "interpolated_R",
    "log_failure_prob_bound",
    "multiset_count",
    "necessary_n",
    "predicted_n",
    "required_n",
    "success_prediction",
    "success_prob_lower",
    "success_prob_pairs",
    "success_prob_upper",
]

_MAX_COUNTED = 110
"""From here on C(2n, n) eps exceeds 1 for every eps that the bounds accept."""


# -- 6.1 upper bounds -------------------------------------------------------------------------------------------------


def success_prob_upper(n: int, *, eps: float, alpha: Target) -> float:
    """Proved upper bound on the success probability of recycling.

    The lesser of the expected number of good sums, which is exact for n <= 64, and of 1 minus the probability that
    every value is on the wrong side (`certain_failure`).

    Parameters
    ----------
    n : int
        Values and slots, >= 0.
    eps : float
        Accuracy in [1e-60, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [0, 1], rounded up. 1 if |alpha| <= eps, where the empty sum succeeds. Nondecreasing in n.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.1.

    Examples
    --------
    >>> success_prob_upper(2, eps=0.125, alpha=0.5)  # 2 (1/8 + 1/16) + 3/32: one value once or twice, and both
    0.46875
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if case.certain:
        return 1.0
    if n <= MAX_N:
        total = expected_good(n, alpha=case.size, eps=case.eps, uniform=case.uniform)
    else:
        total = Fraction(case.eps) * math.comb(2 * min(n, _MAX_COUNTED), min(n, _MAX_COUNTED))
    total += Fraction(case.eps) if case.uniform and n <= MAX_N else 0
    counted = 1.0 if total >= 1 else float(total)
    if counted < 1.0 and Fraction(counted) < total:
        counted = math.nextafter(counted, 1.0)
    return min(counted, math.nextafter(1.0 - certain_failure(n, eps=eps, alpha=alpha), 1.0))


def necessary_n(eps: float, delta: float, *, alpha: Target) -> int:
    """Fewest values and slots that the upper bound 6.1 does not exclude.

    Parameters
    ----------
    eps : float
        Accuracy in [1e-60, 1].
    delta : float
        Failure probability in (0, 1).
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    int
        Every n with failure probability <= delta is at least this. 0 if |alpha| <= eps.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.1.

    Examples
    --------
    >>> necessary_n(0.01, 0.05, alpha=0.5), necessary_n(0.01, 1e-6, alpha=0.5)
    (6, 21)
    """
    delta = check.open_probability("delta", delta)
    certified(RecyclingParameters(eps=eps, alpha=alpha))
    wanted = math.nextafter(1.0 - delta, 0.0)
    n = smallest_n(lambda n: -success_prob_upper(n, eps=eps, alpha=alpha), -wanted)
    # 1-delta as a float says nothing of a tiny delta: the certain failures are compared with delta itself
    return smallest_n(lambda n: certain_failure(n, eps=eps, alpha=alpha), delta, lo=n)


# -- 6.2 lower bounds -------------------------------------------------------------------------------------------------


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

    Parameters
    ----------
    n : int
        Values and slots, 0 to MAX_PAIRS = 8.
    eps : float
        Accuracy in [1e-60, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [0, 1], rounded down, nondecreasing in n. Close to the truth where success is improbable, and stuck near
        0.7 where it is not; `success_prob_lower` combines it with other bounds.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> round(success_prob_pairs(3, eps=0.01, alpha=0.5), 3), round(success_prob_upper(3, eps=0.01, alpha=0.5), 3)
    (0.106, 0.114)
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if n > MAX_PAIRS:
        raise ValueError(f"n must be at most {MAX_PAIRS}, got n={n}")
    if case.certain:
        return 1.0
    exact = _pairs_bound(n, case)
    return _below(exact)


def _below(exact: Fraction) -> float:
    """The largest float not above a number in [0, 1)."""
    value = float(exact)
    return value if Fraction(value) <= exact else math.nextafter(value, 0.0)


@lru_cache(maxsize=65536)
def _log_failure(n: int, case: RecyclingParameters) -> float:
    """Upper bound on log P(failure), n <= 64, not yet corrected for rounding; nonincreasing in n."""
    target: Target = "uniform" if case.uniform else case.size
    best = subset_sum.log_failure_prob_bound(n, 1, eps=case.eps, alpha=target)
    if n <= MAX_PAIRS and not case.certain:
        best = min(best, math.log1p(-_below(_pairs_bound(n, case))))
    if n > 0:
        best = min(best, _log_failure(n - 1, case))
    if not case.uniform:  # blocks of values with their own slots fail independently
        for m in range(1, n // 2 + 1):
            best = min(best, _log_failure(m, case) + _log_failure(n - m, case))
    return best


def log_failure_prob_bound(n: int, *, eps: float, alpha: Target) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows.

    Parameters
    ----------
    n : int
        Values and slots, >= 0.
    eps : float
        Accuracy in [1e-60, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [-inf, 0], rounded up, nonincreasing in n.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.2.

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

    Parameters
    ----------
    n : int
        Values and slots, >= 0.
    eps : float
        Accuracy in [1e-60, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [0, 1], rounded up, nonincreasing in n.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> failure_prob_bound(60, eps=0.01, alpha=0.5) < 1e-3
    True
    """
    return min(1.0, exp_up(log_failure_prob_bound(n, eps=eps, alpha=alpha)) * (1.0 + 4 * UNIT))


def success_prob_lower(n: int, *, eps: float, alpha: Target) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`.

    Parameters
    ----------
    n : int
        Values and slots, >= 0.
    eps : float
        Accuracy in [1e-60, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [0, 1], rounded down, nondecreasing in n; at least that of theory.subset_sum with R = 1 (up to 1e-13
        relative).

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> round(success_prob_lower(4, eps=0.01, alpha=0.5), 3), round(success_prob_lower(20, eps=0.01, alpha=0.5), 3)
    (0.263, 0.954)
    """
    log_bound = log_failure_prob_bound(n, eps=eps, alpha=alpha)
    if log_bound == -math.inf:
        return 1.0
    return max(0.0, -math.expm1(log_bound) * (1.0 - 4 * UNIT))


def required_n(eps: float, delta: float, *, alpha: Target) -> int:
    """Values and slots that suffice for failure probability delta.

    Parameters
    ----------
    eps : float
        Accuracy in [1e-60, 1].
    delta : float
        Failure probability in (0, 1).
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    int
        The least n whose `log_failure_prob_bound` is at most log(delta), rounded down. 0 if |alpha| <= eps.

    Raises
    ------
    ValueError
        If an argument is outside its domain, or the target is uniform and 64 values are not proved to do.

    Source
    ------
    Proved in theory/PROOFS.md, 6.2.

    Examples
    --------
    >>> required_n(0.01, 0.5, alpha=0.5), required_n(0.01, 0.05, alpha=0.5)
    (6, 20)
    """
    delta = check.open_probability("delta", delta)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    wanted = lowered(math.log(delta))
    if case.uniform and log_failure_prob_bound(MAX_N, eps=eps, alpha=alpha) > wanted:
        raise ValueError(f'delta must be reached by n <= {MAX_N} when alpha="uniform", got delta={delta}')
    return smallest_n(lambda n: log_failure_prob_bound(n, eps=eps, alpha=alpha), wanted)
