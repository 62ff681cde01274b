"""Upper bounds on the success probability of the random subset sum, from the expected number of good sums (2.1).

The public names live in theory.subset_sum.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, hit_table, window_error
from theory.numerics.logspace import any_of
from theory.numerics.rounding import lowered, raised
from theory.question import Target
from theory.subset_sum.parameters import Model, SubsetSumParameters, certified

_MAX_SUMMANDS = 4096


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


def success_prob_upper(n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice") -> float:
    """Proved upper bound on the success probability: the expected number of good sums, at most 1.

    In [0, 1], rounded up. 1 if |alpha| <= eps, where the empty sum succeeds. Nondecreasing in n, R and eps (up to its
    rounding of 1e-13 relative). Parameters are those of `SubsetSum`; n >= 0 variables. Proved in theory/PROOFS.md, 2.1.

    Examples
    --------
    >>> round(success_prob_upper(2, 1, eps=0.01, alpha=0.5), 9)  # 2 * 0.01 + 0.0075
    0.0275
    """
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    total = _expected_good_sums(check.natural("n", n), case)
    if total == 0:
        return 0.0
    one = min(1.0, math.nextafter(float(total), math.inf))
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
    """Fewest variables that the first-moment bound 2.1 does not exclude.

    Every n with failure probability <= delta is at least this. 0 if |alpha| <= eps. Parameters are those of
    `SubsetSum`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 2.1.

    Examples
    --------
    >>> necessary_n(0.01, 0.05, R=1, alpha=0.5), necessary_n(0.01, 0.05, R=5, alpha=0.5)
    (8, 3)
    """
    delta = check.open_probability("delta", delta)
    certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    wanted = math.nextafter(1.0 - delta, 0.0)
    return smallest_n(lambda n: -success_prob_upper(n, R, eps=eps, alpha=alpha, model=model), -wanted)


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
