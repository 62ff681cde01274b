"""How many variables cover an interval for certain: the tail of the covered share (3.3), and the better of 3.3 and 3.5.

n variables offer R values each, i.i.d. U[-1, 1]; at most one value of each is taken; the empty sum counts. [low, high]
is *covered* when each of its points has a sum within eps.
"""

from __future__ import annotations

import math
from functools import lru_cache

from theory.coverage.drift import DRIFT_PROVED, drift_constant
from theory.coverage.parameters import CoverageParameters
from theory.coverage.tail import Tail
from theory.coverage.targets import levels_for, union_failure_bound
from theory.numerics import check
from theory.numerics.invert import smallest_n

CELLS = 2000
"""Cells of the dynamic programme 3.3."""

_MAX_STEPS = 10**4
_MAX_UNION_N = 64
_MAX_UNION_TARGETS = 256


@lru_cache(maxsize=64)
def _tail(R: int, start: float, stop: float, c: float, cells: int) -> Tail:
    return Tail(R, start, stop, c, cells)


def share_failure_bound(
    n: int, R: int, *, start: float, stop: float, c: float = DRIFT_PROVED, cells: int = CELLS
) -> float:
    """Upper bound on P(v_n < stop), v_n the share of [-1, 1] within ``start`` of a sum of n variables.

    In [0, 1], rounded up, nonincreasing in n. Parameters are those of `Coverage`; n >= 0 variables. Proved in
    theory/PROOFS.md, 3.3, for c <= 0.307.

    Parameters
    ----------
    start : float
        v_0: the accuracy, in (0, 1).
    stop : float
        Share to reach, in (start, 1).
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.
    cells : int
        Fineness of the dynamic programme; valid for any, better with more.

    Examples
    --------
    >>> share_failure_bound(62, 1, start=0.01, stop=0.995) <= 0.05
    True
    """
    n, R = check.natural("n", n), check.positive_int("R", R)
    if not 0.0 < start < stop < 1.0:
        raise ValueError(f"start and stop must satisfy 0 < start < stop < 1, got start={start}, stop={stop}")
    return _tail(R, float(start), float(stop), drift_constant(c), check.positive_int("cells", cells)).up_to(n)


def coverage_failure_bound(
    n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0, c: float = DRIFT_PROVED, cells: int = CELLS
) -> float:
    """Upper bound on the probability that some point of [low, high] has no sum within eps.

    The dynamic programme runs at accuracy eps/2 until at most a share s of [-1, 1] is missing. A missing point then
    lies in an open stretch of length at most 2s. With s = eps/2 it is within eps/2 of the stretch's ends, and these
    are covered unless they are the ends of [-1, 1], which is harmless for |low|, |high| <= 1 - eps/2; otherwise
    s = eps/4.

    In [0, 1], rounded up, nonincreasing in n; 0 if 0 alone covers the interval. Parameters are those of `Coverage`; n
    >= 0 variables, eps >= 1e-9. ``c`` and ``cells`` are those of `share_failure_bound`. Proved in theory/PROOFS.md,
    3.3, for c <= 0.307.

    Examples
    --------
    >>> coverage_failure_bound(100, 1, eps=0.01, low=-0.5, high=0.5) < 1e-3
    True
    """
    levels = levels_for(CoverageParameters(R=R, eps=eps, low=low, high=high))
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

    Sufficient (proved for c <= 0.307), rounded to the safe side. Parameters are those of `Coverage`; eps >= 1e-9, and a
    failure probability delta in (0, 1). ``c`` and ``cells`` are those of `share_failure_bound`. Proved in
    theory/PROOFS.md, 3.3.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=5) < required_n(0.01, 0.05, R=1) < 80
    True
    """
    delta = check.open_probability("delta", delta)

    def bound(n: int) -> float:
        return coverage_failure_bound(n, R, eps=eps, low=low, high=high, c=c, cells=cells)

    return smallest_n(bound, delta, limit=_MAX_STEPS)


def success_prob_lower(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Proved lower bound on the probability that [low, high] is covered: the better of 3.3 and 3.5.

    The sum over targets of 3.5 is left out where it would take long: above n = 64, or above 256 targets.

    In [0, 1], rounded down. Parameters are those of `Coverage`; n >= 0 variables, eps >= 1e-9. Proved in
    theory/PROOFS.md, 3.3 and 3.5.

    Examples
    --------
    >>> success_prob_lower(12, 9, eps=0.1, low=-0.5, high=0.5) > 0.999
    True
    """
    failure = coverage_failure_bound(n, R, eps=eps, low=low, high=high)
    if failure > 1e-9 and n <= _MAX_UNION_N and high - low <= _MAX_UNION_TARGETS * eps:
        failure = min(failure, union_failure_bound(n, R, eps=eps, low=low, high=high))
    return max(0.0, math.nextafter(1.0 - failure, 0.0)) if failure > 0.0 else 1.0
