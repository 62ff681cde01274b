"""How many variables cover an interval for certain, by the best of all proved ways (3.3, 3.5, 3.7, 3.8).

n variables offer R values each, i.i.d. U[-1, 1]; at most one value of each is taken; the empty sum counts. [low, high]
is *covered* when each of its points has a sum within eps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from theory.coverage.parameters import CoverageParameters
from theory.coverage.potential import log_window_failure_bound
from theory.coverage.tail import Step, Tail
from theory.coverage.targets import MAX_UNION_N, union_failure_bound
from theory.coverage.windows import narrow_windows, wide_windows
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import exp_up
from theory.numerics.rounding import probability_above

CELLS = 600
"""Cells of the dynamic programme 3.3."""

MIN_EPS = 1e-9
"""Smallest eps of the dynamic programme: its cells are floating-point numbers next to 1."""

_MIN_DELTA = 1e-40
"""Below it `required_n` leaves the dynamic programme out: it would take many steps and gain little on its formula."""

_MAX_STEPS = 10**4


@dataclass(frozen=True)
class RequiredN:
    """A sufficient number of variables and the way that proves it.

    Attributes
    ----------
    n : int
        Variables.
    way : str
        "empty sum" (nothing to do), "drift" (3.3), "potential" (3.7), either of them after a "shift" (3.8), or "union"
        (3.5).
    """

    n: int
    way: str


@lru_cache(maxsize=64)
def tail_of(R: int, start: float, stop: float, steps: tuple[Step, ...], cells: int) -> Tail:
    """A tail that is kept: the next question about it goes on where the last one stopped."""
    return Tail(R, start, stop, steps, cells)


def share_failure_bound(n: int, R: int, *, start: float, stop: float, x: float = 0.5, cells: int = CELLS) -> float:
    """Upper bound on P(v_n < stop), v_n the share of an interval of length 2x within the accuracy of a sum.

    In [0, 1], rounded up, nonincreasing in n. Parameters are those of `Coverage`; n >= 0 variables. Proved in
    theory/PROOFS.md, 3.3.

    Parameters
    ----------
    start : float
        v_0: the share that the empty sum covers, in (0, 1).
    stop : float
        Share to reach, in (start, 1).
    x : float
        Half the length of the interval measured, in (0, 1]; it holds 0.
    cells : int
        Fineness of the dynamic programme; valid for any, better with more.

    Examples
    --------
    >>> share_failure_bound(37, 1, start=0.01, stop=0.995) <= 0.05
    True
    """
    n, R = check.natural("n", n), check.draw_count("R", R)
    if not 0.0 < start < stop < 1.0:
        raise ValueError(f"start and stop must satisfy 0 < start < stop < 1, got start={start}, stop={stop}")
    if not 0.0 < x <= 1.0:
        raise ValueError(f"x must be in (0, 1], got x={x}")
    cells = check.positive_int("cells", cells)
    return tail_of(R, float(start), float(stop), (Step(1.0, float(x)),), cells).up_to(n)


def potential_failure_bound(n: int, R: int, *, eps: float, low: float = -0.5, high: float = 0.5) -> float:
    """Upper bound on the probability that some point of [low, high] has no sum within eps, as a formula.

    2 eps^-2 rho_R^n for [-1/2, 1/2], or a little better. In [0, 1], rounded up, nonincreasing in n; 1 for an interval
    longer than 1, which `coverage_failure_bound` shifts. Parameters are those of `Coverage`; n >= 0 variables. Proved
    in theory/PROOFS.md, 3.7.

    Examples
    --------
    >>> potential_failure_bound(50, 1, eps=0.01) < 2e4 * 0.75**50
    True
    """
    asked = CoverageParameters(R=R, eps=eps, low=low, high=high)
    return 0.0 if asked.certain else _by_potential(check.natural("n", n), asked)


def _by_potential(n: int, asked: CoverageParameters) -> float:
    logs = [
        log_window_failure_bound(n, asked.R, start=window.start, missing=window.missing)
        for window in narrow_windows(asked)
        if window.start > 0.0 and window.missing > 0.0  # they may underflow
    ]
    return probability_above(min(logs)) if logs else 1.0


def _by_drift(n: int, asked: CoverageParameters) -> float:
    if asked.eps < MIN_EPS:
        return 1.0
    bounds = (
        share_failure_bound(n, asked.R, start=window.start, stop=window.stop, x=window.x)
        for window in narrow_windows(asked) or wide_windows(asked)
        if window.start < window.stop
    )
    return min(bounds, default=1.0)


def _after_shift(n: int, asked: CoverageParameters, way: Callable[[int, CoverageParameters], float]) -> float:
    """The best split of n into variables that shift the outer targets and variables that cover [-1/2, 1/2]."""
    if asked.high - asked.low <= 1.0:
        return 1.0
    inner = replace(asked, low=-0.5, high=0.5)  # all of it: a shifted target may lie anywhere there
    misses = [0.5 + 0.5 * (abs(end) - 0.5) for end in (asked.low, asked.high) if abs(end) > 0.5]

    def split(shifts: int) -> float:
        missed = sum(exp_up(asked.R * shifts * math.log(miss)) for miss in misses)
        return (missed * (1.0 + 1e-12) + way(n - shifts, inner)) * (1.0 + 2.0**-50)

    return min(1.0, min(split(shifts) for shifts in range(min(n, 1 + 3000 // asked.R) + 1)))


_WAYS: dict[str, Callable[[int, CoverageParameters], float]] = {
    "potential": _by_potential,
    "shift, potential": lambda n, asked: _after_shift(n, asked, _by_potential),
    "drift": _by_drift,
    "shift, drift": lambda n, asked: _after_shift(n, asked, _by_drift),
}


def coverage_failure_bound(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Upper bound on the probability that some point of [low, high] has no sum within eps, by the drift of the share.

    The best of the dynamic programme (3.3), its formula (3.7), and either of them after variables that bring the outer
    targets into [-1/2, 1/2] (3.8).

    In [0, 1], rounded up, nonincreasing in n; 0 if 0 alone covers the interval. Parameters are those of `Coverage`; n
    >= 0 variables. Proved in theory/PROOFS.md, 3.3, 3.7 and 3.8.

    Examples
    --------
    >>> coverage_failure_bound(50, 1, eps=0.01, low=-0.5, high=0.5) < 2e-3
    True
    """
    asked, n = CoverageParameters(R=R, eps=eps, low=low, high=high), check.natural("n", n)
    return 0.0 if asked.certain else min(way(n, asked) for way in _WAYS.values())


def required_n(eps: float, delta: float, *, R: int, low: float = -1.0, high: float = 1.0) -> RequiredN:
    """Variables that suffice for every point of [low, high] at once, by the best of all proved ways.

    Sufficient, rounded to the safe side. Parameters are those of `Coverage`; a failure probability delta in (0, 1).
    Raises ValueError if more than 10000 variables would be needed. Proved in theory/PROOFS.md, 3.3, 3.5, 3.7 and 3.8.

    Examples
    --------
    >>> required_n(0.01, 0.01, R=1, low=-0.5, high=0.5), required_n(0.01, 0.01, R=10, low=-0.5, high=0.5)
    (RequiredN(n=42, way='drift'), RequiredN(n=7, way='drift'))
    """
    delta = check.open_probability("delta", delta)
    asked = CoverageParameters(R=R, eps=eps, low=low, high=high)
    if asked.certain:
        return RequiredN(0, "empty sum")
    best = RequiredN(_MAX_STEPS + 1, "")
    for name, way in _WAYS.items():
        if "potential" in name:
            if way(best.n - 1, asked) <= delta:
                n = smallest_n(lambda n, way=way: way(n, asked), delta)  # type: ignore[misc]
                best = RequiredN(n, name)
        elif delta >= _MIN_DELTA and asked.eps >= MIN_EPS:
            best = next((RequiredN(n, name) for n in range(best.n) if way(n, asked) <= delta), best)
    if not best.way:
        raise ValueError(f"delta must be reached by at most {_MAX_STEPS} variables, got delta={delta} at eps={eps}")
    fewest = min(best.n, MAX_UNION_N + 1)
    while fewest > 0 and union_failure_bound(fewest - 1, R, eps=eps, low=low, high=high, enough=delta) <= delta:
        fewest -= 1
    return best if fewest == min(best.n, MAX_UNION_N + 1) else RequiredN(fewest, "union")


def success_prob_lower(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Proved lower bound on the probability that [low, high] is covered: the best of 3.3, 3.5, 3.7 and 3.8.

    In [0, 1], rounded down. Parameters are those of `Coverage`; n >= 0 variables. Proved in theory/PROOFS.md, 3.3, 3.5,
    3.7 and 3.8.

    Examples
    --------
    >>> success_prob_lower(12, 9, eps=0.1, low=-0.5, high=0.5) > 0.999
    True
    """
    failure = coverage_failure_bound(n, R, eps=eps, low=low, high=high)
    if failure > 1e-9 and n <= MAX_UNION_N:
        failure = min(failure, union_failure_bound(n, R, eps=eps, low=low, high=high, enough=failure))
    return max(0.0, math.nextafter(1.0 - failure, 0.0)) if failure > 0.0 else 1.0
