"""Upper bounds on the success of the vector sum: good sums, values that cannot reach, one coordinate alone (9.1).

The public names live in theory.vector_sum.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from theory import subset_sum
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import hit_table, window_error
from theory.numerics.rounding import above
from theory.question import Target
from theory.subset_sum.parameters import certified
from theory.vector_sum.parameters import VectorSumParameters

_MAX_VALUES = 4096
"""Values n R beyond which the second bound of 9.1 is so near to 1 that it is not computed."""

_TERMS = 40
"""Terms of that bound; leaving out the rest makes failure less probable, which is the safe side."""


@lru_cache(maxsize=4096)
def _expected_good_sums(n: int, case: VectorSumParameters) -> Fraction:
    """Expected number of good sums, every p_k rounded up and the rest exact, at most 1."""
    if case.certain:
        return Fraction(1)
    total = Fraction(0)
    weight = 1  # C(n, k) R^k
    for k in range(n + 1):
        order = k + case.uniform
        if order > 0:
            p = hit_table(order, alpha=case.size, eps=case.eps)[order]
            total += weight * (Fraction(p) * (1 + Fraction(window_error(order)))) ** case.d
        if total >= 1:
            return Fraction(1)
        weight = weight * (n - k) * case.R // (k + 1)
    return total


@lru_cache(maxsize=4096)
def _within_reach(n: int, case: VectorSumParameters) -> Fraction:
    """P(in every coordinate the positive values add up to at least alpha - eps), exactly or 1."""
    count = n * case.R
    if case.uniform or case.certain or count > _MAX_VALUES:
        return Fraction(1)
    reach = Fraction(case.size) - Fraction(case.eps)
    total, term = Fraction(0), Fraction(1)  # C(count, k) reach^k / k!
    for k in range(min(count, _TERMS) + 1):
        total += term
        term *= reach * (count - k) / (k + 1) ** 2
    reached: Fraction = (1 - total / 2**count) ** case.d
    return reached


def success_prob_upper(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Proved upper bound on the success probability: good sums, that no coordinate fails, or one coordinate alone.

    In [0, 1], rounded up. 1 if |alpha| <= eps, where the empty sum succeeds. At most `subset_sum.success_prob_upper`,
    and for d = 1 that. Parameters are those of `VectorSum`; n >= 0 variables. Proved in theory/PROOFS.md, 9.1.

    Examples
    --------
    >>> round(success_prob_upper(2, 1, d=2, eps=0.01, alpha=0.5), 12)  # 2 * 0.01^2 + 0.0075^2
    0.00025625
    """
    n = check.natural("n", n)
    case = certified(VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha))
    total = min(_expected_good_sums(n, case), _within_reach(n, case))
    one = subset_sum.success_prob_upper(n, R, eps=eps, alpha=alpha)
    return one if total == 1 else min(one, above(total))


def necessary_n(eps: float, delta: float, *, d: int, R: int, alpha: Target) -> int:
    """Fewest variables that the bound 9.1 does not exclude.

    Every n with failure probability <= delta is at least this. 0 if |alpha| <= eps. Parameters are those of
    `VectorSum`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 9.1.

    Examples
    --------
    >>> [necessary_n(0.01, 0.05, d=d, R=1, alpha=0.5) for d in (1, 2, 3, 4)]
    [10, 16, 24, 33]
    """
    delta = check.open_probability("delta", delta)
    wanted = math.nextafter(1.0 - delta, 0.0)
    return smallest_n(lambda n: -success_prob_upper(n, R, d=d, eps=eps, alpha=alpha), -wanted)


def necessary_n_closed_form(eps: float, delta: float, *, d: int, R: int, alpha: Target) -> int:
    """Fewest variables by the closed form: the least n >= (d log(1/eps) + log(1-delta))/log(R+1).

    At most `necessary_n`; the comparison is made in exact arithmetic. 0 if |alpha| <= eps, where the empty sum succeeds
    for certain and nothing is necessary. Parameters are those of `VectorSum`; a failure probability delta in (0, 1).
    Proved in theory/PROOFS.md, 9.1.

    Examples
    --------
    >>> [necessary_n_closed_form(0.01, 0.05, d=d, R=1, alpha=0.5) for d in (1, 2, 3, 4)]
    [7, 14, 20, 27]
    """
    delta = check.open_probability("delta", delta)
    asked = VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)
    if asked.certain and not asked.uniform:
        return 0
    wanted = (1 - Fraction(delta)) / Fraction(asked.eps) ** asked.d
    n, power = 0, 1
    while power < wanted:
        n, power = n + 1, power * (asked.R + 1)
    return n
