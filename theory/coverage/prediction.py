"""What is not proved about coverage: a heuristic prediction (3.6); public names in theory.coverage."""

from __future__ import annotations

import math

import numpy as np

from theory.coverage.parameters import CoverageParameters
from theory.numerics import check


def success_prediction(n: int, R: int, *, eps: float, low: float = -1.0, high: float = 1.0) -> float:
    """Heuristic: the chance that a Poisson process with the mean density of the sums leaves no gap above 2 eps.

    Given the mean M of the sums, their density is r(z) = (R+1)^n phi((z-M)/sqrt V)/sqrt V, V = n R^2/(3 (R+1)^2); the
    interval is covered with probability about (1-exp(-2 eps r(low))) exp(-(integral of r exp(-2 eps r))), averaged over
    M ~ N(0, n R/(3 (R+1)^2)). In the spirit of 2.4; never used as a bound.

    In [0, 1]. Parameters are those of `Coverage`; n >= 0 variables. Heuristic (random-energy picture).

    Examples
    --------
    >>> success_prediction(6, 1, eps=0.01) < 0.01 < 0.9 < success_prediction(20, 1, eps=0.01, low=-0.5, high=0.5)
    True
    """
    n, asked = check.natural("n", n), CoverageParameters(R=R, eps=eps, low=low, high=high)
    if asked.certain:
        return 1.0
    R, eps, low, high = asked.R, asked.eps, asked.low, asked.high
    if n == 0:
        return 0.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    centres = nodes * math.sqrt(n * R / 3.0) / (R + 1)
    scale = math.sqrt(n * R * R / 3.0) / (R + 1)
    z, widths = np.polynomial.legendre.leggauss(60)
    z = (low + high) / 2 + (high - low) / 2 * z
    peak = n * math.log(R + 1.0) - math.log(scale * math.sqrt(2 * math.pi))

    def mean_number(at: np.ndarray) -> np.ndarray:
        """2 eps r at the given points, one row per centre; cut where it makes no difference."""
        log_density = peak - 0.5 * ((at[None, :] - centres[:, None]) / scale) ** 2
        return np.exp(np.minimum(log_density + math.log(2 * eps), 50.0))

    inside = mean_number(z)
    gaps = (inside * np.exp(-inside)) @ widths * (high - low) / (4 * eps)
    first = -np.expm1(-mean_number(np.array([low]))[:, 0])
    return float(np.clip(weights @ (first * np.exp(-gaps)) / weights.sum(), 0.0, 1.0))


def predicted_n(eps: float, delta: float, *, R: int, low: float = -1.0, high: float = 1.0) -> int:
    """Heuristic: smallest n whose predicted probability of covering [low, high] is at least 1 - delta.

    Parameters are those of `Coverage`; a failure probability delta in (0, 1).

    Examples
    --------
    >>> 13 <= predicted_n(0.01, 0.05, R=1, low=-0.5, high=0.5) <= 15
    True
    """
    delta = check.open_probability("delta", delta)
    for n in range(10**4):
        if success_prediction(n, R, eps=eps, low=low, high=high) >= 1.0 - delta:
            return n
    raise ValueError(f"delta={delta} is not predicted to be reached by n < 10000")
