"""What recycling is worth, as a number R of fresh draws a slot in the choice model (6.4).

By the number of sums (`count_R`), by the expected number of good ones (`expected_R`), or by the success probability,
measured (`interpolated_R`) or predicted (`effective_R`). The public names live in theory.recycling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from theory.numerics import check
from theory.numerics.invert import bisected
from theory.numerics.irwin_hall import hit_table
from theory.numerics.targets import target_nodes
from theory.question import Target
from theory.recycling.moments import MAX_N, expected_good
from theory.recycling.parameters import RecyclingParameters
from theory.recycling.prediction import TARGETS, log_count
from theory.subset_sum.parameters import certified
from theory.subset_sum.prediction import annealed

_MOST_SLOTS = 10**15


def multiset_count(n: int) -> int:
    """Number of multisets of at most n of n values, the empty one included: C(2n, n).

    Proved in theory/PROOFS.md, 6.1.

    Parameters
    ----------
    n : int
        Values and slots, >= 0.

    Examples
    --------
    >>> multiset_count(2), multiset_count(14)
    (6, 40116600)
    """
    n = check.natural("n", n)
    return math.comb(2 * n, n)


def count_R(n: int) -> float:
    """The R at which the choice model has as many sums, (R+1)^n = C(2n, n): below 3, and 3 as n grows.

    In [1, 3) up to rounding. Definition.

    Parameters
    ----------
    n : int
        Values and slots, 1 to 10^15.

    Examples
    --------
    >>> round(count_R(1), 12), round(count_R(5), 2), round(count_R(1000), 2)
    (1.0, 2.02, 2.98)
    """
    n = check.positive_int("n", n)
    if n > _MOST_SLOTS:
        raise ValueError(f"n must be at most {_MOST_SLOTS:.0e}, got n >= 2^{n.bit_length() - 1}")
    return min(math.expm1(log_count(n) / n), math.nextafter(3.0, 0.0))


def effective_R(success: float, n: int, *, eps: float, alpha: Target) -> float | None:
    """The real R at which the prediction 2.4 of the choice model gives this success probability (heuristic).

    In [0.5, 10^6]; None where no such R gives this success, and for 0 and 1, which say nothing. Parameters are those of
    `Recycling`; n >= 1 variables. Heuristic 2.4, whose formula makes sense for every real R.

    Parameters
    ----------
    success : float
        Success probability, in [0, 1].

    Examples
    --------
    >>> from theory.subset_sum import success_prediction as choice
    >>> round(effective_R(choice(5, 2, eps=0.01, alpha=0.5), 5, eps=0.01, alpha=0.5), 6)
    2.0
    """
    success = check.real("success", success, "[0, 1]")
    if not 0.0 <= success <= 1.0:
        raise ValueError(f"success must be in [0, 1], got success={success}")
    n = check.positive_int("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if case.certain or not 0.0 < success < 1.0:
        return None

    def predicted(log_options: float) -> float:
        nodes = zip(*target_nodes(case.eps, case.uniform, case.size, TARGETS), strict=True)
        R = math.expm1(log_options)
        hit = sum(weight * annealed(n, R, case.eps, target)[0] for target, weight in nodes)
        return hit + (case.eps if case.uniform else 0.0)

    low, high = math.log(1.5), math.log1p(1e6)
    if not predicted(low) <= success <= predicted(high):
        return None
    return math.expm1(bisected(lambda x: not predicted(x) <= success, low, high, steps=50)[0])


def expected_R(n: int, *, eps: float, alpha: Target) -> float:
    """The real R at which the choice model expects as many good nonempty sums as recycling does.

    The solution of sum_k C(n,k) R^k P(|S_k - alpha| <= eps) = E(good multisets); to about 1e-12. Parameters are those
    of `Recycling`; 1 <= n <= 64 values and slots. Definition, with the expected numbers proved in theory/PROOFS.md, 2.1
    and 6.1.

    Examples
    --------
    >>> round(expected_R(1, eps=0.01, alpha=0.5), 9), round(expected_R(5, eps=0.01, alpha=0.5), 2)
    (1.0, 1.76)
    """
    n = check.positive_int("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if n > MAX_N:
        raise ValueError(f"n must be at most {MAX_N}, got n={n}")
    wanted = float(expected_good(n, alpha=case.size, eps=case.eps, uniform=case.uniform))
    hits = hit_table(n + 1, alpha=case.size, eps=case.eps)

    def enough(R: float) -> bool:
        return math.fsum(math.comb(n, k) * R**k * hits[k + case.uniform] for k in range(1, n + 1)) >= wanted

    high = 4.0
    while not enough(high):
        high *= 2.0
    return bisected(enough, 0.0, high, steps=60)[1]


def interpolated_R(success: float, choice: Mapping[int, float]) -> float | None:
    """The real R of the choice model with this success probability, between measured ones.

    Returns log(-log(1-p)), the logarithm of a Poisson rate, is taken as linear in log(R+1) between neighbouring R. None
    outside the measured range, and where a probability is 0 or 1. Definition.

    Parameters
    ----------
    success : float
        Success probability, in [0, 1].
    choice : mapping of int to float
        Success probability of the choice model at each R.

    Examples
    --------
    >>> interpolated_R(0.5, {1: 0.5, 2: 0.75}), interpolated_R(0.9, {1: 0.5, 2: 0.75})
    (1.0, None)
    """

    def rate(p: float) -> float:
        return math.log(-math.log1p(-p))

    if not 0.0 < success < 1.0:
        return None
    known = sorted((R, p) for R, p in choice.items() if 0.0 < p < 1.0)
    for (first, p), (second, q) in pairwise(known):
        if p <= success <= q and p < q:
            share = (rate(success) - rate(p)) / (rate(q) - rate(p))
            return math.expm1((1.0 - share) * math.log1p(first) + share * math.log1p(second))
    return None


def gain_left(R: float, n: int) -> float | None:
    """Share of the gain over R = 1 that correlation leaves: log((R+1)/2) / log((count_R(n)+1)/2).

    Returns 1 if recycling is worth as many fresh draws as it has sums, 0 if it is worth R = 1. None for n = 1, where
    there is nothing to gain. Definition.

    Parameters
    ----------
    R : float
        The R that recycling is worth, > 0.
    n : int
        Values and slots, 1 to 10^15.

    Examples
    --------
    >>> gain_left(count_R(5), 5), gain_left(1.0, 5), gain_left(1.0, 1)
    (1.0, 0.0, None)
    """
    n = check.positive_int("n", n)
    R = check.real("R", R, "(0, inf)")
    if not 0.0 < R < math.inf:
        raise ValueError(f"R must be in (0, inf), got R={R}")
    if n == 1:
        return None
    return math.log((R + 1.0) / 2.0) / math.log((count_R(n) + 1.0) / 2.0)
