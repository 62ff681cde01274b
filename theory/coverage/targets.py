"""Coverage from single targets: what suffices by adding up over targets, and what is necessary (3.5).

The public names live in theory.coverage.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import lru_cache

from theory.coverage.parameters import CoverageParameters
from theory.numerics import check
from theory.subset_sum import failure_prob_bound
from theory.subset_sum import success_prob_upper as hit_prob_upper

MAX_TARGETS = 4096
"""The sum over targets is not taken over more than this; the bound is then 1."""

MAX_UNION_N = 32
"""Most variables with which `required_n` and `success_prob_lower` try the sum over targets, to be quick."""

_MAX_N = 256


@lru_cache(maxsize=4096)
def _targets(low: float, high: float, eps: float) -> tuple[tuple[float, int], ...]:
    """Sizes of the targets, the outermost first, and how many targets have that size; none if they are too many."""
    # a little closer than eps, so that rounding the targets cannot open a gap
    count = math.ceil(Fraction(high - low) / (Fraction(eps) * Fraction(1 - 2**-20))) + 1
    if count > MAX_TARGETS:
        return ()
    folded = low == -high  # then target i and target count - 1 - i fail alike
    each = range((count + 1) // 2 if folded else count)
    found = [(min(1.0, abs(low + (high - low) * (i + 0.5) / count)), i) for i in each]
    return tuple((size, 2 if folded and 2 * i + 1 != count else 1) for size, i in sorted(found, reverse=True))


def union_failure_bound(
    n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0, enough: float = 1.0
) -> float:
    """Upper bound on the probability that [low, high] is not covered, by adding up over targets (3.5).

    If targets at most eps apart, with ends within eps/2, each have a sum within eps/2, every point has one within eps.

    In [0, 1], rounded up; 1 as soon as the sum exceeds ``enough``, or where it would have more than MAX_TARGETS terms.
    Parameters are those of `Coverage`; 0 <= n <= 256 variables, eps >= 1e-9. Proved in theory/PROOFS.md, 3.5 (with 2.2
    and 2.3).

    Examples
    --------
    >>> union_failure_bound(12, 9, eps=0.1, low=-0.5, high=0.5) < 1e-4
    True
    """
    asked, n = CoverageParameters(R=R, eps=eps, low=low, high=high), check.natural("n", n)
    if n > _MAX_N:
        raise ValueError(f"n must be at most {_MAX_N}, got n={n}")
    if asked.certain:
        return 0.0
    targets = _targets(asked.low, asked.high, asked.eps)
    if not targets:
        return 1.0
    total = 0.0
    for size, count in targets:
        total += count * failure_prob_bound(n, R, eps=asked.eps / 2, alpha=size, weights=False) * (1.0 + 2.0**-40)
        if total > enough:
            return 1.0
    return min(1.0, total)


def success_prob_upper(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Proved upper bound on the probability that [low, high] is covered.

    A covered interval has a sum within eps of each of its points, in particular of its ends and of its middle (2.1);
    and 2 eps times the number of sums must reach its length.

    In [0, 1], rounded up. Parameters are those of `Coverage`; n >= 0 variables. Proved in theory/PROOFS.md, 3.5.

    Examples
    --------
    >>> success_prob_upper(4, 1, eps=0.01, low=-0.5, high=0.5)
    0.0
    """
    n, asked = check.natural("n", n), CoverageParameters(R=R, eps=eps, low=low, high=high)
    R, eps, low, high = asked.R, asked.eps, asked.low, asked.high
    if n * math.log2(R + 1) < 64 and (R + 1) ** n * 2 * Fraction(eps) < Fraction(high) - Fraction(low):
        return 0.0
    targets = {low, high, (low + high) / 2}
    return min(hit_prob_upper(n, R, eps=eps, alpha=target) for target in targets if low <= target <= high)


def necessary_n(eps: float, delta: float, *, R: int, low: float = -1.0, high: float = 1.0) -> int:
    """Variables that are necessary: smallest n at which `success_prob_upper` allows success with probability 1 - delta.

    With fewer variables [low, high] is not covered with probability 1 - delta. Parameters are those of `Coverage`; a
    failure probability delta in (0, 1). Proved in theory/PROOFS.md, 3.5.

    Examples
    --------
    >>> necessary_n(0.01, 0.05, R=1, low=-0.5, high=0.5)
    10
    """
    delta = check.open_probability("delta", delta)
    # the bound is not claimed to be monotone: success itself is, so that every smaller n is excluded too
    return next(n for n in itertools.count() if success_prob_upper(n, R, eps=eps, low=low, high=high) >= 1.0 - delta)
