"""Sharp predictions for recycling, by the random-energy picture: heuristic, never used as bounds (6.3).

The multiplicities of a uniformly chosen multiset of at most n of n values are n particles on n+1 places (one is the
empty slot) with Bose-Einstein statistics: mean n/(n+1) each, covariance proportional to 1[i=j] - 1/(n+1). Given the
values x, a random sum thus has mean n/(n+1) sum x and variance n(2n+1)/((n+1)(n+2)) (sum x^2 - (sum x)^2/(n+1)). The
C(2n, n) sums are treated as independent Gaussians with these, the values enter through the number K of those on the
target's side of 0 (none: no success) and a Gaussian rest, and all rates are scaled by one factor so that the expected
number of good sums is the exact one. The public names live in theory.recycling.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from theory.numerics import check
from theory.numerics.targets import target_nodes
from theory.question import Target
from theory.recycling.moments import expected_good
from theory.recycling.parameters import RecyclingParameters
from theory.recycling.tail import certain_failure
from theory.subset_sum.parameters import certified

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LARGEST_N = 1000
_EXACT_N = 32
TARGETS = 16
"""Nodes of an average over a uniform target."""


def log_count(n: int) -> float:
    """log C(2n, n)."""
    return math.lgamma(2 * n + 1) - 2.0 * math.lgamma(n + 1)


@lru_cache(maxsize=512)
def _log_rates(n: int, eps: float, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """log lambda and the weight of every (K, rest): arrays over K = 1..n and over the rest; before the common factor.

    The weights sum to 1 - 2^-n.
    """
    import numpy as np

    z = np.arange(-8.0, 8.005, 0.02)
    weights = 0.02 / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * z * z)
    K = np.arange(1.0, n + 1)[:, None]
    lgamma = np.vectorize(math.lgamma)
    share = np.exp(math.lgamma(n + 1) - lgamma(K + 1) - lgamma(n - K + 1) - n * math.log(2.0))
    drift = K - 0.5 * n  # the mean of the sum of the values, given K
    mean = n / (n + 1) * (drift + math.sqrt(n / 12.0) * z)
    spread = n / 3.0 - (drift**2 + n / 12.0) / (n + 1)
    variance = n * (2 * n + 1) / ((n + 1) * (n + 2)) * spread
    log_rate = log_count(n) + math.log(2.0 * eps) - 0.5 * np.log(2.0 * math.pi * variance)
    return log_rate - 0.5 * (alpha - mean) ** 2 / variance, share * weights


@lru_cache(maxsize=4096)
def _log_factor(n: int, eps: float, alpha: float, uniform: bool) -> float:
    """log of the exact expected number of good nonempty sums over the Gaussian one, at n <= 32."""
    import numpy as np

    gauss = 0.0
    for target, weight in zip(*target_nodes(0.0 if uniform else eps, uniform, alpha, TARGETS), strict=True):
        log_rate, weights = _log_rates(n, eps, target)
        gauss += weight * float((weights * np.exp(log_rate)).sum())
    return math.log(float(expected_good(n, alpha=alpha, eps=eps, uniform=uniform))) - math.log(gauss)


@lru_cache(maxsize=4096)
def _predict(n: int, eps: float, alpha: float, uniform: bool) -> float:
    """Predicted failure probability; alpha > eps, n >= 1."""
    import numpy as np

    factor = _log_factor(min(n, _EXACT_N), eps, alpha, uniform)
    miss = 0.0
    for target, weight in zip(*target_nodes(eps, uniform, alpha, TARGETS), strict=True):
        log_rate, weights = _log_rates(n, eps, target)
        missed = float((weights * np.exp(-np.exp(np.minimum(log_rate + factor, 700.0)))).sum()) + 0.5**n
        miss += weight * missed
    return min(1.0, max(miss, certain_failure(n, eps=eps, alpha="uniform" if uniform else alpha)))


def failure_prediction(n: int, *, eps: float, alpha: Target) -> float:
    """Predicted probability that no multiset has a sum within eps of alpha (heuristic).

    In [0, 1]; not a bound. Against simulation at eps = 0.01 and 0.001 and alpha = 0.1, 0.5, 1 and "uniform" the success
    is off by at most 0.03; failures below 0.1 are too small by up to a factor of about two. For larger eps it is worse:
    at n = 2, eps = 0.3, alpha = 0.8 the success is 0.61, predicted 0.50. 0 if |alpha| <= eps. Parameters are those of
    `Recycling`; 0 <= n <= 1000 values and slots. Heuristic 6.3.

    Examples
    --------
    >>> round(failure_prediction(6, eps=0.01, alpha=0.5), 2)
    0.08
    """
    n = check.natural("n", n)
    case = certified(RecyclingParameters(eps=eps, alpha=alpha))
    if n > _LARGEST_N:
        raise ValueError(f"n must be at most {_LARGEST_N}, got n={n}")
    if case.certain:
        return 0.0
    if n == 0:
        return 1.0 - case.eps if case.uniform else 1.0
    return _predict(n, case.eps, case.size, case.uniform)


def success_prediction(n: int, *, eps: float, alpha: Target) -> float:
    """Predicted probability that some multiset has a sum within eps of alpha (heuristic): 1 - `failure_prediction`.

    In [0, 1]; not a bound. Parameters are those of `Recycling`; 0 <= n <= 1000 values and slots. Heuristic 6.3.

    Examples
    --------
    >>> round(success_prediction(4, eps=0.01, alpha=0.5), 3)
    0.285
    """
    return 1.0 - failure_prediction(n, eps=eps, alpha=alpha)


def predicted_n(eps: float, delta: float, *, alpha: Target) -> int:
    """Smallest n whose predicted failure probability is at most delta (heuristic).

    Neither necessary nor sufficient, >= 0. Parameters are those of `Recycling`; a failure probability delta in (0, 1).
    Raises ValueError if no n up to 1000 is predicted to do. Heuristic 6.3.

    Examples
    --------
    >>> predicted_n(0.01, 0.05, alpha=0.5)
    7
    """
    delta = check.open_probability("delta", delta)
    for n in range(_LARGEST_N + 1):
        if certain_failure(n, eps=eps, alpha=alpha) <= delta and failure_prediction(n, eps=eps, alpha=alpha) <= delta:
            return n
    raise ValueError(f"no n up to {_LARGEST_N} has a predicted failure probability <= delta={delta}")
