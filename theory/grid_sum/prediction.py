"""A sharp prediction for quantised values: heuristic, never used as bounds (2.7)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from theory.grid_sum import bounds
from theory.grid_sum.law import hit_prob
from theory.grid_sum.parameters import GridSumParameters
from theory.numerics import check
from theory.numerics.random_energy import success_and_failure
from theory.question import Target

_TARGETS = 32
_LARGEST_N = 10**4


@lru_cache(maxsize=4096)
def _predict(n: int, case: GridSumParameters) -> tuple[float, float]:
    M, tolerance = case.grid, case.tolerance
    if case.certain:
        return 1.0, 0.0
    if case.uniform:
        beyond = M - tolerance  # targets on one side that the empty sum misses
        count = min(beyond, _TARGETS)
        targets = [tolerance + 1 + (2 * i + 1) * beyond // (2 * count) for i in range(count)]
        shares = [2 * beyond / ((2 * M + 1) * count)] * count
    else:
        targets, shares = [abs(case.target)], [1.0]
    hit, miss = 1.0 - sum(shares), 0.0
    for target, share in zip(targets, shares, strict=True):
        expected = {}
        for k in range(1, n + 1):
            p = hit_prob(k, M, target, tolerance)
            expected[k] = math.log(math.comb(n, k)) + k * math.log(case.R) + math.log(p) if p else -math.inf
        found = success_and_failure(n, case.R, alpha=target / M, variance=(M + 1) / (3 * M), log_expected=expected)
        hit, miss = hit + share * found[0], miss + share * found[1]
    at: dict[str, Any] = {"grid": M, "alpha": case.alpha, "tolerance": tolerance}
    low, high = bounds.success_prob_lower(n, case.R, **at), bounds.success_prob_upper(n, case.R, **at)
    return min(max(hit, low), high), min(max(miss, 1.0 - high), bounds.failure_prob_bound(n, case.R, **at))


def success_prediction(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Predicted probability that some sum hits (heuristic).

    In [0, 1]; neither an upper nor a lower bound. Parameters are those of `GridSum`; n >= 0 variables. Heuristic 2.7:
    the random-energy picture with the exact expected number of good sums of every size, clipped to the proved bounds.

    Examples
    --------
    >>> round(success_prediction(10, 1, grid=100, alpha=0.5), 1)
    0.9
    """
    case = GridSumParameters(R=R, grid=grid, alpha=alpha, tolerance=tolerance)
    return _predict(check.natural("n", n), case)[0]


def failure_prediction(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Predicted probability that none does; parameters and source are those of `success_prediction`."""
    case = GridSumParameters(R=R, grid=grid, alpha=alpha, tolerance=tolerance)
    return _predict(check.natural("n", n), case)[1]


def predicted_n(grid: int, delta: float, *, R: int, alpha: Target, tolerance: int = 0) -> int:
    """Smallest n whose predicted failure probability is at most delta (heuristic).

    Parameters are those of `GridSum`; delta in (0, 1). Raises ValueError if no n up to 10^4 is predicted to do.

    Examples
    --------
    >>> predicted_n(100, 0.05, R=1, alpha=0.5)
    12
    """
    delta = check.open_probability("delta", delta)
    for n in range(_LARGEST_N):
        if failure_prediction(n, R, grid=grid, alpha=alpha, tolerance=tolerance) <= delta:
            return n
    raise ValueError(f"no n below {_LARGEST_N} has a predicted failure probability <= delta={delta}")
