"""What one value alone does on a grid, without sums: exact (2.7)."""

from __future__ import annotations

import math

from theory.grid_sum.law import hit_prob
from theory.grid_sum.parameters import GridSumParameters
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.rounding import lowered
from theory.question import Target


def _log_miss(R: int, grid: int, alpha: Target, tolerance: int) -> float:
    """Logarithm of the probability that the R values of one variable miss."""
    case = GridSumParameters(R=R, grid=grid, alpha=alpha, tolerance=tolerance)
    if case.uniform:
        raise ValueError("alpha must be a number here, got alpha='uniform'")
    hit = hit_prob(1, case.grid, case.target, case.tolerance)
    return case.R * math.log1p(-float(hit)) if hit < 1 else -math.inf


def miss_prob_one_exact(n: int, R: int, *, grid: int, alpha: float, tolerance: int = 0) -> float:
    """Probability that none of n R single values hits, to rounding: (1-p)^(nR), p = 1/(2M+1) if tolerance = 0.

    In [0, 1]. Parameters are those of `GridSum`, the empty sum does not count; n >= 0 variables and a fixed target.
    Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> miss_prob_one_exact(2, 1, grid=1, alpha=1.0) == (2 / 3) ** 2
    True
    """
    n = check.natural("n", n)
    return math.exp(n * _log_miss(R, grid, alpha, tolerance)) if n else 1.0


def required_n_one(grid: int, delta: float, *, R: int, alpha: float, tolerance: int = 0) -> int:
    """Variables that picking one value takes for failure probability delta: the least n with (1-p)^(nR) <= delta.

    Sufficient; necessary up to rounding. Parameters are those of `miss_prob_one_exact`; delta in (0, 1). Proved in
    theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> required_n_one(100, 0.05, R=1, alpha=0.5)
    601
    """
    rate = _log_miss(R, grid, alpha, tolerance) * (1.0 - 2.0**-49)
    return smallest_n(lambda n: n * rate if n else 0.0, lowered(math.log(check.open_probability("delta", delta))))
