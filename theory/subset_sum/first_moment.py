"""Upper bounds on the success probability of the random subset sum: the expected number of good sums, and more (2.1).

The public names live in theory.subset_sum.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, hit_table, window_error
from theory.numerics.logspace import any_of
from theory.numerics.rounding import lowered, raised
from theory.question import Target
from theory.subset_sum.parameters import Model, SubsetSumParameters, certified
from theory.subset_sum.reach import miss_below, success_above

_MAX_SUMMANDS = 4096

_USEFUL = 0.1
"""Below this expected number of good sums the total of the draws tells next to nothing."""


def sum_hit_prob(k: int, *, eps: float, alpha: Target) -> tuple[float, float]:
    """Enclosure of P(|S_k - alpha| <= eps), S_k the sum of k independent U[-1, 1].

    Returns lower, upper: proved bounds in [0, 1]; their relative distance is about 22 k 2^-53. Parameters are those of
    `SubsetSum`. Proved in theory/PROOFS.md, 2.0.

    Parameters
    ----------
    k : int
        Number of summands, 0 to 4096.

    Examples
    --------
    >>> lower, upper = sum_hit_prob(2, eps=0.01, alpha=0.5)
    >>> lower < 0.0075 < upper < lower * (1 + 1e-14)
    True
    """
    k = check.natural("k", k)
    case = certified(SubsetSumParameters(eps=eps, alpha=alpha))
    if k > _MAX_SUMMANDS:
        raise ValueError(f"k must be at most {_MAX_SUMMANDS}, got k={k}")
    if k == 0 and not case.uniform:
        return (1.0, 1.0) if case.certain else (0.0, 0.0)
    order = k + case.uniform  # S_k - A has the law of S_{k+1}
    p, error = hit_table(order, alpha=case.size, eps=case.eps)[order], window_error(order) + 2 * UNIT
    return p * (1.0 - error), min(1.0, p * (1.0 + error))


def log_sum_hit_prob(k: int, *, eps: float, alpha: Target) -> tuple[float, float]:
    """Logarithms of the enclosure `sum_hit_prob`, rounded outwards.

    Returns lower, upper: in [-inf, 0]. Parameters are those of `SubsetSum`. 0 <= k <= 4096 summands. Proved in
    theory/PROOFS.md, 2.0.

    Examples
    --------
    >>> log_sum_hit_prob(0, eps=0.01, alpha=0.5)
    (-inf, -inf)
    """
    lower, upper = sum_hit_prob(k, eps=eps, alpha=alpha)
    if upper == 0.0:
        return -math.inf, -math.inf
    return lowered(math.log(lower)), min(0.0, raised(math.log(upper)))


@lru_cache(maxsize=4096)
def _expected_good_sums(n: int, case: SubsetSumParameters) -> Fraction:
    """Expected number of good sums, p_k rounded up and summed exactly, at most 1; an upper bound on P(success)."""
    if case.certain:
        return Fraction(1)
    total = Fraction(0)
    weight = 1  # C(n, k) R^k
    for k in range(n + 1):
        order = k + case.uniform
        if order > 0:
            p = hit_table(order, alpha=case.size, eps=case.eps)[order]
            total += weight * Fraction(p) * (1 + Fraction(window_error(order)))
        if total >= 1:
            return Fraction(1)
        weight = weight * (n - k) * case.options // (k + 1)
    return total


@lru_cache(maxsize=4096)
def _one_vector_upper(n: int, case: SubsetSumParameters) -> float:
    """The least of the bounds of 2.1 and 2.1 (b) for one vector, rounded up."""
    total = _expected_good_sums(n, case)
    first = min(1.0, math.nextafter(float(total), math.inf)) if total else 0.0
    if case.certain or first == 0.0:
        return first
    missed = miss_below(n, case)
    best = min(first, math.nextafter(1.0 - missed, math.inf) if missed else 1.0)
    return min(best, success_above(n, case)) if float(total) > _USEFUL else best


def success_prob_upper(n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice") -> float:
    """Proved upper bound on the success probability.

    The least of: the expected number of good sums; the same given the total of all draws, bin by bin, and at most the
    probability of the bin; the probability that the largest sum of all reaches abs(alpha) - eps.

    In [0, 1], rounded up. 1 if |alpha| <= eps, where the empty sum succeeds. Parameters are those of `SubsetSum`;
    n >= 0 variables. Proved in theory/PROOFS.md, 2.1 and 2.1 (b).

    Examples
    --------
    >>> round(success_prob_upper(2, 1, eps=0.01, alpha=0.5), 9)  # 2 * 0.01 + 0.0075
    0.0275
    >>> round(success_prob_upper(10, 1, eps=0.01, alpha=0.5), 3)
    0.976
    """
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    one = _one_vector_upper(check.natural("n", n), replace(case, R=case.options, model="choice"))
    return min(1.0, any_of(one, case.vectors) * (1.0 + 8 * UNIT)) if case.vectors > 1 else one


def log_success_prob_upper(n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice") -> float:
    """Logarithm of `success_prob_upper`, rounded up.

    In [-inf, 0]. Parameters are those of `SubsetSum`; n >= 0 variables. Proved in theory/PROOFS.md, 2.1.

    Examples
    --------
    >>> log_success_prob_upper(0, 1, eps=0.01, alpha=0.5)
    -inf
    """
    upper = success_prob_upper(n, R, eps=eps, alpha=alpha, model=model)
    return min(0.0, raised(math.log(upper))) if upper > 0.0 else -math.inf


def necessary_n(eps: float, delta: float, *, R: int, alpha: Target, model: Model = "choice") -> int:
    """Fewest variables that the bounds 2.1 and 2.1 (b) do not exclude.

    Every n with failure probability <= delta is at least this. 0 if |alpha| <= eps. Parameters are those of
    `SubsetSum`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 2.1 and 2.1 (b).

    Examples
    --------
    >>> necessary_n(0.01, 0.05, R=1, alpha=0.5), necessary_n(0.01, 0.05, R=5, alpha=0.5)
    (10, 3)
    >>> necessary_n(0.01, 0.01, R=1, alpha=0.5), necessary_n(0.01, 1e-6, R=1, alpha=0.5)
    (12, 28)
    """
    delta = check.open_probability("delta", delta)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    return smallest_n(lambda n: _failure_above(n, case), delta)


def _failure_above(n: int, case: SubsetSumParameters) -> float:
    """Lower bound on P(failure), rounded down; it keeps its digits where success is all but certain."""
    success = success_prob_upper(n, case.R, eps=case.eps, alpha=case.alpha, model=case.model)
    rest = max(0.0, math.nextafter(1.0 - success, 0.0))
    if case.certain or success == 0.0:
        return rest
    missed = miss_below(n, replace(case, R=case.options, model="choice"))
    return max(rest, float(missed**case.vectors) * (1.0 - 8 * UNIT)) if missed < 1.0 else 1.0


def necessary_n_closed_form(eps: float, delta: float, *, R: int, alpha: Target, model: Model = "choice") -> int:
    """Fewest variables by the closed form: the least n >= log((1-delta)/eps)/log(R+1).

    At most `necessary_n`; the comparison is made in exact arithmetic. 0 if |alpha| <= eps, where the empty sum succeeds
    for certain and nothing is necessary. Parameters are those of `SubsetSum`; a failure probability delta in (0, 1).
    Proved in theory/PROOFS.md, 2.1.

    Examples
    --------
    >>> necessary_n_closed_form(0.01, 0.05, R=1, alpha=0.5), necessary_n_closed_form(0.01, 0.05, R=5, alpha=0.5)
    (7, 3)
    """
    delta = check.open_probability("delta", delta)
    asked = SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model)
    if asked.certain and not asked.uniform:
        return 0
    base, wanted = asked.options + 1, (1 - Fraction(delta)) / (asked.vectors * Fraction(asked.eps))
    n, power = 0, 1
    while power < wanted:
        n, power = n + 1, power * base
    return n
