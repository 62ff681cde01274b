"""A sharp prediction for movable values: heuristic, never used as bounds (2.8)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from theory.movable_sum import bounds
from theory.movable_sum.parameters import MovableSumParameters
from theory.numerics import check
from theory.numerics.irwin_hall import hit_table
from theory.numerics.random_energy import success_and_failure
from theory.numerics.targets import target_nodes
from theory.question import Target

_TARGETS = 32
_LARGEST_N = 4000


@lru_cache(maxsize=4096)
def _predict(n: int, case: MovableSumParameters) -> tuple[float, float]:
    if case.certain:
        return 1.0, 0.0
    check.certified_accuracy("eps", case.eps)
    hit, miss = case.eps if case.uniform else 0.0, 0.0
    for target, share in zip(*target_nodes(case.eps, case.uniform, case.size, _TARGETS), strict=True):
        expected = {}
        for k in range(1, n + 1):
            p = 1.0
            if case.reach(k) <= 1:
                p = hit_table(k, alpha=target, eps=float(case.reach(k)))[k]
            expected[k] = math.log(math.comb(n, k)) + k * math.log(case.R) + math.log(p)
        found = success_and_failure(n, case.R, alpha=target, variance=1 / 3, log_expected=expected)
        hit, miss = hit + share * found[0], miss + share * found[1]
    at: dict[str, Any] = {"eps": case.eps, "alpha": case.alpha, "move": case.move}
    low, high = bounds.success_prob_lower(n, case.R, **at), bounds.success_prob_upper(n, case.R, **at)
    return min(max(hit, low), high), min(max(miss, 1.0 - high), bounds.failure_prob_bound(n, case.R, **at))


def success_prediction(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Predicted probability that some sum succeeds (heuristic).

    In [0, 1]; neither an upper nor a lower bound. Parameters are those of `MovableSum`, eps >= 1e-60; n >= 0 variables.
    Heuristic 2.8: the random-energy picture with the exact expected number of good sums of every size, clipped to the
    proved bounds.

    Examples
    --------
    >>> round(success_prediction(8, 1, eps=0.01, alpha=0.5, move=0.0), 2)
    0.73
    """
    return _predict(check.natural("n", n), MovableSumParameters(R=R, eps=eps, alpha=alpha, move=move))[0]


def failure_prediction(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Predicted probability that none does; parameters and source are those of `success_prediction`."""
    return _predict(check.natural("n", n), MovableSumParameters(R=R, eps=eps, alpha=alpha, move=move))[1]


def predicted_n(eps: float, delta: float, *, R: int, alpha: Target, move: float) -> int:
    """Smallest n whose predicted failure probability is at most delta (heuristic).

    Parameters are those of `success_prediction`; delta in (0, 1). Raises ValueError if no n up to 4000 is predicted to
    do.

    Examples
    --------
    >>> [predicted_n(0.01, 0.05, R=1, alpha=0.5, move=move) for move in (0.0, 0.01)]
    [11, 9]
    """
    delta = check.open_probability("delta", delta)
    for n in range(_LARGEST_N):
        if failure_prediction(n, R, eps=eps, alpha=alpha, move=move) <= delta:
            return n
    raise ValueError(f"no n below {_LARGEST_N} has a predicted failure probability <= delta={delta}")
