"""Upper bounds on the success of recycling, from the expected number of good multisets and certain failures (6.1)."""

from __future__ import annotations

import math
from fractions import Fraction

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.rounding import above
from theory.question import Target
from theory.recycling.moments import MAX_N, expected_good
from theory.recycling.parameters import RecyclingParameters
from theory.recycling.tail import certain_failure
from theory.subset_sum.parameters import certified

_MAX_COUNTED = 110
"""From here on C(2n, n) eps exceeds 1 for every eps that the bounds accept."""


def success_prob_upper(n: int, *, eps: float, alpha: Target) -> float:
    """Proved upper bound on the success probability of recycling.

    The lesser of the expected number of good sums, which is exact for n <= 64, and of 1 minus the probability that
    every value is on the wrong side (`certain_failure`).

    In [0, 1], rounded up. 1 if |alpha| <= eps, where the empty sum succeeds. Nondecreasing in n. Parameters are those
    of `Recycling`; n >= 0 values and slots. Proved in theory/PROOFS.md, 6.1.

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
    counted = 1.0 if total >= 1 else above(total)
    return min(counted, math.nextafter(1.0 - certain_failure(n, eps=eps, alpha=alpha), 1.0))


def necessary_n(eps: float, delta: float, *, alpha: Target) -> int:
    """Fewest values and slots that the upper bound 6.1 does not exclude.

    Every n with failure probability <= delta is at least this. 0 if |alpha| <= eps. Parameters are those of
    `Recycling`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 6.1.

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
