"""The failures of recycling that no multiset can help: every value lies on the wrong side (theory/PROOFS.md, 6.1)."""

from __future__ import annotations

from theory.numerics import check
from theory.numerics.irwin_hall import UNIT
from theory.numerics.logspace import SMALLEST_NORMAL
from theory.question import Target
from theory.recycling.parameters import RecyclingParameters
from theory.subset_sum.parameters import certified


def certain_failure(n: int, *, eps: float, alpha: Target) -> float:
    """Proved lower bound on the failure probability of recycling, about exp(alpha-eps) 2^-n.

    If every value is below (alpha-eps)/n (alpha > 0), every multiset of at most n of them sums to less than alpha-eps;
    if every value is above alpha+eps, every nonempty one sums to more than that.

    In [0, 1], rounded down, nonincreasing in n; the exact failure probability for n <= 1. 0 if |alpha| <= eps, and
    where it is below 2.3e-308. Parameters are those of `Recycling`; n >= 0 values and slots. Proved in
    theory/PROOFS.md, 6.1.

    Examples
    --------
    >>> round(certain_failure(1, eps=0.01, alpha=0.5), 12), certain_failure(10, eps=0.01, alpha=0.5) > 2**-10
    (0.99, True)
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if case.certain:
        return 0.0
    if n == 0:
        return (1.0 - case.eps if case.uniform else 1.0) * (1.0 - 2 * UNIT)
    if n > 10**6:
        return 0.0  # below 2^-1000000
    if case.uniform:
        low = (1.0 + (1.0 - case.eps) / n) / 2.0
        # 2n/(n+1) (low^(n+1) - 2^-(n+1)), and the second family where eps < 1/2
        total = 2.0 * n / (n + 1) * (low ** (n + 1) - 0.5 ** (n + 1))
        total += 2.0 / (n + 1) * max(0.0, 0.5 - case.eps) ** (n + 1)
        slack = 2.0 * n * (8 * n + 32) * UNIT * low ** (n + 1)  # the subtraction may cancel
        return _lowered(total - slack)
    below = (1.0 + (case.size - case.eps) / n) / 2.0
    above = max(0.0, (1.0 - case.size - case.eps) / 2.0)
    return _lowered((below**n + above**n) * (1.0 - (8 * n + 32) * UNIT))


def _lowered(value: float) -> float:
    """The value, or 0 where floats are too coarse for the rounding that was allowed for."""
    return value if value >= SMALLEST_NORMAL else 0.0
