"""Coverage as a formula (3.7): the potential 1/v - 1 falls by the factor rho_R a variable, on average."""

from __future__ import annotations

import math

from theory.numerics import check
from theory.numerics.rounding import lowered, probability_above, raised

_SAFE = 1e-13
"""Far above the relative rounding of a few logarithms."""


def potential_factor(R: int, *, x: float = 0.5) -> float:
    """rho = E 1/(1 + B), B binomial (R, x): (1 - (1-x)^(R+1))/((R+1) x); rounded up.

    In (0, 1). R >= 1 draws; x in (0, 1/2]: in units in which the interval measured is [-1, 1] the draws have density
    x/2 on [-1/x, 1/x]. Proved in theory/PROOFS.md, 3.7.

    Examples
    --------
    >>> round(potential_factor(1), 6), round(potential_factor(2), 6), round(potential_factor(10), 6)
    (0.75, 0.583333, 0.181729)
    """
    R = check.draw_count("R", R)
    if not 0.0 < x <= 0.5:
        raise ValueError(f"x must be in (0, 1/2], got x={x}")
    hit = -math.expm1((R + 1.0) * math.log1p(-x))
    return hit / ((R + 1.0) * x) * (1.0 + 2.0**-50)


def log_odds(start: float, missing: float) -> float:
    """Log of ((1-missing)/missing) (1/start - 1), for start and missing in (0, 1); rounded up.

    Examples
    --------
    >>> round(log_odds(0.5, 0.1), 6)  # log 9
    2.197225
    """
    for name, value in (("start", start), ("missing", missing)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} must be in (0, 1), got {name}={value}")
    logs = [math.log1p(-missing), -math.log(missing), -math.log(start), math.log1p(-start)]
    return sum(logs) + _SAFE * (1.0 + sum(abs(value) for value in logs))


def log_window_failure_bound(n: int, R: int, *, start: float, missing: float) -> float:
    """Log of ((1-missing)/missing) (1/start - 1) rho_R^n, at most 0: a bound on P(v_n < 1 - missing) from v_0 >= start.

    v_n is the covered share of an interval of length 1, rho_R is `potential_factor`. Rounded up, nonincreasing in n. n
    >= 0 variables of R >= 1 draws; start and missing in (0, 1). Proved in theory/PROOFS.md, 3.7.

    Examples
    --------
    >>> round(log_window_failure_bound(50, 1, start=0.01, missing=0.005), 2)
    -4.5
    """
    n, rate = check.natural("n", n), math.log(potential_factor(R))
    return min(0.0, log_odds(start, missing) + n * rate * (1.0 - _SAFE))


def lueker_constant(R: int = 1) -> float:
    """C_R = 3/log(1/rho_R): n >= C_R log(2/min(eps, delta)) variables cover [-1/2, 1/2]; rounded up.

    R >= 1 draws. Lueker's form (key lueker1998) with a number; proved in theory/PROOFS.md, 3.7.

    Examples
    --------
    >>> round(lueker_constant(), 4), round(lueker_constant(2), 4), round(lueker_constant(10), 4)
    (10.4282, 5.5659, 1.7593)
    """
    return 3.0 / -math.log(potential_factor(R)) * (1.0 + _SAFE)


def lueker_required_n(eps: float, delta: float, *, R: int = 1) -> int:
    """n >= C_R log(2/min(eps, delta)) variables cover [-1/2, 1/2] within eps but for a probability delta.

    Sufficient, rounded up; `required_n` is smaller. Lueker's form (key lueker1998), `lueker_constant` ours; proved in
    theory/PROOFS.md, 3.7.

    Parameters
    ----------
    eps, delta : float
        Accuracy in (0, 1] and failure probability in (0, 1).
    R : int
        Draws of each variable, >= 1.

    Examples
    --------
    >>> lueker_required_n(0.01, 0.05), lueker_required_n(0.01, 0.05, R=10)
    (56, 10)
    """
    eps, delta = check.accuracy("eps", eps), check.open_probability("delta", delta)
    log_size = math.log(2.0) - math.log(min(eps, delta))
    return math.ceil(lueker_constant(R) * log_size * (1.0 + _SAFE))


DACUNHA_C = raised(3.0 * math.log(2.0) / lowered(math.log(4.0 / 3.0)))
"""C = 3 log 2/log(4/3) = 7.228..., with which da Cunha et al.'s form is proved (3.7)."""


def dacunha_failure(n: int, eps: float) -> float:
    """For n >= C log2(1/eps), [-1, 1] is covered at accuracy 2 eps but for exp(-(n - C log2(1/eps))^2/(4n)).

    In [0, 1], rounded up; 1 where the statement says nothing. The form is that of da Cunha et al. (key
    dacunha2022subsetsum), the constant `DACUNHA_C` ours; proved in theory/PROOFS.md, 3.7, for every R.

    Parameters
    ----------
    n : int
        Variables >= 1.
    eps : float
        Half the accuracy, in (0, 1].

    Examples
    --------
    >>> dacunha_failure(48, 0.01)
    1.0
    >>> round(dacunha_failure(100, 0.01), 5)
    0.00117
    """
    n, eps = check.positive_int("n", n), check.accuracy("eps", eps)
    excess = n - DACUNHA_C * -math.log2(eps) * (1.0 + _SAFE)
    if excess <= 0.0:
        return 1.0
    return probability_above(-(excess * (1.0 - _SAFE)) * (excess / (4.0 * n)))
