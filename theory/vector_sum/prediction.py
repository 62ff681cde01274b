"""Sharp predictions for sums of vectors, by the random-energy picture of 2.4: heuristic, never used as bounds.

Given the values, the (R+1)^n sums are treated as independent Gaussians with independent coordinates, so the number of
good ones is Poisson of rate lambda = (R+1)^n (2 eps)^d times their density at the target. Statement 9.3. The public
names live in theory.vector_sum.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from theory import subset_sum
from theory.numerics import check
from theory.question import Target
from theory.vector_sum.parameters import VectorSumParameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LARGEST_N = 10_000
_NODES = {2: 64, 3: 40, 4: 24}
"""Nodes of a coordinate's distance, by dimension."""


@lru_cache(maxsize=4)
def _multisets(nodes: int, d: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every multiset of d node numbers, and in how many orders it comes."""
    import numpy as np

    sets = list(combinations_with_replacement(range(nodes), d))
    orders = [math.factorial(d) / math.prod(map(math.factorial, Counter(one).values())) for one in sets]
    return np.array(sets), np.array(orders)


def _variance(n: int, case: VectorSumParameters) -> float:
    """Of a coordinate of the sums, given the values, on average."""
    return n / 3.0 * (case.R / (case.R + 1)) ** 2


def _log_rate(n: int, case: VectorSumParameters) -> float:
    """log lambda where the target is the sums' mean."""
    width = 2.0 * case.eps / math.sqrt(2.0 * math.pi * _variance(n, case))
    return n * math.log1p(case.R) + case.d * math.log(width)


@lru_cache(maxsize=4096)
def _predict(n: int, case: VectorSumParameters) -> tuple[float, float]:
    """Predicted probabilities of success and of failure, d >= 2."""
    if case.certain:
        return 1.0, 0.0
    sure = case.eps**case.d if case.uniform else 0.0  # the share of targets that the empty sum reaches
    if n == 0:
        return sure, 1.0 - sure
    import numpy as np
    from scipy.special import ndtr

    variance = _variance(n, case)
    spread = math.sqrt(variance / case.R)  # of the mean M of a coordinate of the sums
    x, weights = np.polynomial.legendre.leggauss(_NODES[case.d])
    end = (1.0 if case.uniform else case.size) + 8.0 * spread
    distance, weights = 0.5 * end * (1.0 + x), 0.5 * end * weights  # of the target from M, folded to >= 0
    if case.uniform:
        density = ndtr((1.0 - distance) / spread) - ndtr((-1.0 - distance) / spread)
    else:
        two = [np.exp(-0.5 * ((distance + side * case.size) / spread) ** 2) for side in (1, -1)]
        density = sum(two) / (spread * math.sqrt(2.0 * math.pi))
    shares = weights * density
    sets, orders = _multisets(_NODES[case.d], case.d)
    share = orders * shares[sets].prod(axis=1)
    rate = np.exp(np.minimum(_log_rate(n, case) - (distance**2 / (2.0 * variance))[sets].sum(axis=1), 700.0))
    share /= share.sum()
    hits, misses = float(share @ -np.expm1(-rate)), float(share @ np.exp(-rate))
    return min(1.0, sure + (1.0 - sure) * hits), (1.0 - sure) * misses


def failure_prediction(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Predicted probability that no sum lies within eps of the target (heuristic, annealed).

    In [0, 1]; neither an upper nor a lower bound. 0 if |alpha| <= eps, where the empty sum succeeds for certain.
    Parameters are those of `VectorSum`; n >= 0 variables. Heuristic 9.3; for d = 1 it is 2.4.

    Examples
    --------
    >>> [round(failure_prediction(16, 1, d=d, eps=0.05, alpha=0.5), 3) for d in (2, 3)]
    [0.023, 0.531]
    """
    n = check.natural("n", n)
    case = VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)
    if case.d == 1:
        return subset_sum.failure_prediction(n, case.R, eps=case.eps, alpha=case.alpha)
    return _predict(n, case)[1]


def success_prediction(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Predicted probability that some sum lies within eps of the target (heuristic, annealed).

    In [0, 1]; neither an upper nor a lower bound. 1 if |alpha| <= eps. Parameters are those of `VectorSum`; n >= 0
    variables. Heuristic 9.3; for d = 1 it is 2.4.

    Examples
    --------
    >>> round(success_prediction(12, 1, d=2, eps=0.05, alpha=0.5), 2)
    0.79
    """
    n = check.natural("n", n)
    case = VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)
    if case.d == 1:
        return subset_sum.success_prediction(n, case.R, eps=case.eps, alpha=case.alpha)
    return _predict(n, case)[0]


def predicted_n(eps: float, delta: float, *, d: int, R: int, alpha: Target) -> int:
    """Smallest n whose predicted failure probability is at most delta (heuristic).

    Neither necessary nor sufficient, >= 0. Parameters are those of `VectorSum`; a failure probability delta in (0, 1).
    Raises ValueError if no n up to 10000 is predicted to do. Heuristic 9.3.

    Examples
    --------
    >>> [predicted_n(0.01, 0.05, d=d, R=1, alpha=0.5) for d in (1, 2, 3)]
    [11, 20, 29]
    """
    delta = check.open_probability("delta", delta)
    case = VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)
    for n in range(_LARGEST_N):
        hopeless = not case.certain and _log_rate(max(n, 1), case) < math.log1p(-delta)
        if not hopeless and failure_prediction(n, R, d=d, eps=eps, alpha=alpha) <= delta:
            return n
    raise ValueError(f"no n below {_LARGEST_N} has a predicted failure probability <= delta={delta}")


def threshold_n(eps: float, R: int, *, d: int) -> float:
    """Leading order d log(1/eps)/log(R+1) of the n at which success sets in (heuristic).

    At least 0; not an integer. Parameters are those of `VectorSum`. Heuristic 9.3.

    Examples
    --------
    >>> threshold_n(0.125, 1, d=2)
    6.0
    """
    return VectorSumParameters(d=d).d * subset_sum.threshold_n(eps, R)
