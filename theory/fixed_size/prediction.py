"""A sharp prediction for sums of fixed size, and the published shape: heuristic, never used as bounds (2.6)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from theory.fixed_size import bounds
from theory.fixed_size.parameters import FixedSizeParameters, size_of
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import hit_table
from theory.numerics.random_energy import success_and_failure
from theory.numerics.targets import target_nodes
from theory.question import Target

_TARGETS = 32
_LARGEST_N = 10**9


@lru_cache(maxsize=4096)
def _predict(n: int, case: FixedSizeParameters) -> tuple[float, float]:
    k = case.size
    if n < k:
        return 0.0, 1.0
    check.certified_accuracy("eps", case.eps)
    log_count = math.log(math.comb(n, k)) + k * math.log(case.R)
    hit = miss = 0.0
    for target, share in zip(*target_nodes(0.0, case.uniform, case.distance, _TARGETS), strict=True):
        expected = {k: log_count + math.log(hit_table(k, alpha=target, eps=case.eps)[k])}
        found = success_and_failure(n, case.R, alpha=target, variance=1 / 3, log_expected=expected)
        hit, miss = hit + share * found[0], miss + share * found[1]
    at: dict[str, Any] = {"eps": case.eps, "alpha": case.alpha, "size": k}
    low, high = bounds.success_prob_lower(n, case.R, **at), bounds.success_prob_upper(n, case.R, **at)
    return min(max(hit, low), high), min(max(miss, 1.0 - high), bounds.failure_prob_bound(n, case.R, **at))


def success_prediction(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Predicted probability that some sum of exactly ``size`` values lies within eps of alpha (heuristic).

    In [0, 1]; neither an upper nor a lower bound. Parameters are those of `FixedSize`, eps >= 1e-60; n >= 0 variables.
    Heuristic 2.6: the random-energy picture with the exact expected number of good sums,
    clipped to the proved bounds.

    Examples
    --------
    >>> round(success_prediction(14, 1, eps=0.01, alpha=0.5, size=5), 2)
    0.99
    """
    return _predict(check.natural("n", n), FixedSizeParameters(R=R, eps=eps, alpha=alpha, size=size))[0]


def failure_prediction(n: int, R: int, *, eps: float, alpha: Target, size: int) -> float:
    """Predicted probability that none does; parameters and source are those of `success_prediction`."""
    return _predict(check.natural("n", n), FixedSizeParameters(R=R, eps=eps, alpha=alpha, size=size))[1]


def predicted_n(eps: float, delta: float, *, R: int, alpha: Target, size: int) -> int:
    """An n >= size whose predicted failure probability is at most delta, and that of n - 1 is not (heuristic).

    Parameters are those of `success_prediction`; delta in (0, 1). Raises ValueError beyond n = 10^9.

    Examples
    --------
    >>> predicted_n(0.01, 0.05, R=1, alpha=0.5, size=5)
    13
    """
    delta = check.open_probability("delta", delta)
    size = size_of(size)
    return smallest_n(
        lambda n: failure_prediction(n, R, eps=eps, alpha=alpha, size=size), delta, lo=size, limit=_LARGEST_N
    )


def entropy_shape(n: int, *, eps: float, size: int) -> float:
    """n H2(k/n) / log2(k/eps), k = size: the published condition asks that it exceed a constant c_hyp (not given).

    H2: binary entropy in bits. 0 for n = k. Its theorem says n >= c_hyp log2(k/eps)/H2(k/n) suffices for one target and
    n >= (d^2/2) log2(k/eps)/H2(k/n) is necessary for a d x d matrix. Parameters are those of `FixedSize`; n >= size.
    Read in key ``natale2024``; the constant is not known to us.

    Examples
    --------
    >>> round(entropy_shape(14, eps=0.01, size=5), 2)
    1.47
    """
    n, k, eps = check.positive_int("n", n), size_of(size), check.accuracy("eps", eps)
    if n < k:
        raise ValueError(f"n must be at least size={k}, got n={n}")
    shares = [share for share in (k / n, 1.0 - k / n) if share > 0.0]
    bits = math.log2(k) - math.log2(eps)
    return n * -sum(share * math.log2(share) for share in shares) / bits if bits > 0.0 else math.inf
