"""Random subset sum for all targets at once: when is every point of an interval within eps of a sum?

n variables offer R values each, i.i.d. U[-1, 1]; at most one value of each is taken; the empty sum counts. [low, high]
is *covered* when each of its points has a sum within eps. Statements 3.1 to 3.5; proofs in theory/PROOFS.md. The
prediction is heuristic; the forms from the literature are recalled, and their constants, unknown, must be passed.
"""

from __future__ import annotations

import math
from functools import lru_cache

from theory.coverage.drift import (
    CERTIFICATE,
    DRIFT_CONJECTURED,
    DRIFT_MIDPOINT,
    DRIFT_PROVED,
    check_certificate,
    gain,
    spectral_gap_enclosure,
)
from theory.coverage.prediction import dacunha_failure, lueker_required_n, predicted_n, success_prediction
from theory.coverage.tail import Tail
from theory.coverage.targets import levels_for, necessary_n, success_prob_upper, union_failure_bound
from theory.numerics import check
from theory.numerics.invert import smallest_n

__all__ = [
    "CERTIFICATE",
    "DRIFT_CONJECTURED",
    "DRIFT_MIDPOINT",
    "DRIFT_PROVED",
    "check_certificate",
    "coverage_failure_bound",
    "dacunha_failure",
    "expected_share",
    "gain",
    "lueker_required_n",
    "necessary_n",
    "predicted_n",
    "required_n",
    "share_failure_bound",
    "spectral_gap_enclosure",
    "success_prediction",
    "success_prob_lower",
    "success_prob_upper",
    "union_failure_bound",
]

CELLS = 2000
"""Cells of the dynamic programme 3.3."""

_MAX_STEPS = 10**4
_MAX_UNION_N = 64
_MAX_UNION_TARGETS = 256


def _drift(c: float) -> float:
    if not 0.0 < c <= DRIFT_CONJECTURED:
        raise ValueError(f"c must be in (0, 1/2], got c={c}")
    return float(c)


# -- 3.1 and 3.2 drift ------------------------------------------------------------------------------------------------


def expected_share(v: float, R: int, *, c: float = DRIFT_PROVED) -> float:
    """Lower bound on the expected covered share after one more variable: v + c (1-v)(1-(1-v)^R).

    Parameters
    ----------
    v : float
        Share of [-1, 1] within eps of a sum, in [0, 1].
    R : int
        Draws of the variable.
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.

    Returns
    -------
    float
        In [v, 1]; not rounded to a side.

    Source
    ------
    Proved in theory/PROOFS.md, 3.1 and 3.2, for c <= 0.307.

    Examples
    --------
    >>> expected_share(0.5, 1, c=0.2)
    0.55
    """
    if not 0.0 <= v <= 1.0:
        raise ValueError(f"v must be in [0, 1], got v={v}")
    R = check.positive_int("R", R)
    reached = 1.0 if v == 1.0 else -math.expm1(R * math.log1p(-v))
    return v + _drift(c) * (1.0 - v) * reached


# -- 3.3 explicit tail ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _tail(R: int, start: float, stop: float, c: float, cells: int) -> Tail:
    return Tail(R, start, stop, c, cells)


def share_failure_bound(
    n: int, R: int, *, start: float, stop: float, c: float = DRIFT_PROVED, cells: int = CELLS
) -> float:
    """Upper bound on P(v_n < stop), v_n the share of [-1, 1] within ``start`` of a sum of n variables.

    Parameters
    ----------
    n, R : int
        Variables >= 0, and draws of each >= 1.
    start : float
        v_0: the accuracy, in (0, 1).
    stop : float
        Share to reach, in (start, 1).
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.
    cells : int
        Fineness of the dynamic programme; valid for any, better with more.

    Returns
    -------
    float
        In [0, 1], rounded up, nonincreasing in n.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 3.3, for c <= 0.307.

    Examples
    --------
    >>> share_failure_bound(62, 1, start=0.01, stop=0.995) <= 0.05
    True
    """
    n, R = check.natural("n", n), check.positive_int("R", R)
    if not 0.0 < start < stop < 1.0:
        raise ValueError(f"start and stop must satisfy 0 < start < stop < 1, got start={start}, stop={stop}")
    return _tail(R, float(start), float(stop), _drift(c), check.positive_int("cells", cells)).up_to(n)


def coverage_failure_bound(
    n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0, c: float = DRIFT_PROVED, cells: int = CELLS
) -> float:
    """Upper bound on the probability that some point of [low, high] has no sum within eps.

    The dynamic programme runs at accuracy eps/2 until at most a share s of [-1, 1] is missing. A missing point then
    lies in an open stretch of length at most 2s. With s = eps/2 it is within eps/2 of the stretch's ends, and these
    are covered unless they are the ends of [-1, 1], which is harmless for |low|, |high| <= 1 - eps/2; otherwise
    s = eps/4.

    Parameters
    ----------
    n, R : int
        Variables >= 0, and draws of each >= 1.
    eps : float
        Accuracy in [1e-9, 1].
    low, high : float
        The interval, in [-1, 1].
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.
    cells : int
        Fineness of the dynamic programme; valid for any, better with more.

    Returns
    -------
    float
        In [0, 1], rounded up, nonincreasing in n; 0 if 0 alone covers the interval.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 3.3, for c <= 0.307.

    Examples
    --------
    >>> coverage_failure_bound(100, 1, eps=0.01, low=-0.5, high=0.5) < 1e-3
    True
    """
    levels = levels_for(eps, low, high)
    if levels is None:
        return 0.0
    return share_failure_bound(n, R, start=levels[0], stop=levels[1], c=c, cells=cells)


def required_n(
    eps: float,
    delta: float,
    *,
    R: int,
    low: float = -1.0,
    high: float = 1.0,
    c: float = DRIFT_PROVED,
    cells: int = CELLS,
) -> int:
    """Variables that suffice for every point of [low, high] at once: failure <= delta by `coverage_failure_bound`.

    Parameters
    ----------
    eps : float
        Accuracy in [1e-9, 1].
    delta : float
        Failure probability in (0, 1).
    R : int
        Draws of each variable.
    low, high : float
        The interval, in [-1, 1].
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.
    cells : int
        Fineness of the dynamic programme; valid for any, better with more.

    Returns
    -------
    int
        Sufficient (proved for c <= 0.307), rounded to the safe side.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 3.3.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=5) < required_n(0.01, 0.05, R=1) < 80
    True
    """
    delta = check.open_probability("delta", delta)

    def bound(n: int) -> float:
        return coverage_failure_bound(n, R, eps=eps, low=low, high=high, c=c, cells=cells)

    return smallest_n(bound, delta, limit=_MAX_STEPS)


# -- the better of both ----------------------------------------------------------------------------------------------


def success_prob_lower(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Proved lower bound on the probability that [low, high] is covered: the better of 3.3 and 3.5.

    The sum over targets of 3.5 is left out where it would take long: above n = 64, or above 256 targets.

    Parameters
    ----------
    n, R : int
        Variables >= 0, and draws of each >= 1.
    eps : float
        Accuracy in [1e-9, 1].
    low, high : float
        The interval, in [-1, 1].

    Returns
    -------
    float
        In [0, 1], rounded down.

    Source
    ------
    Proved in theory/PROOFS.md, 3.3 and 3.5.

    Examples
    --------
    >>> success_prob_lower(12, 9, eps=0.1, low=-0.5, high=0.5) > 0.999
    True
    """
    failure = coverage_failure_bound(n, R, eps=eps, low=low, high=high)
    if failure > 1e-9 and n <= _MAX_UNION_N and high - low <= _MAX_UNION_TARGETS * eps:
        failure = min(failure, union_failure_bound(n, R, eps=eps, low=low, high=high))
    return max(0.0, math.nextafter(1.0 - failure, 0.0)) if failure > 0.0 else 1.0
