"""First and second moment of the number of sums that hit a grid point: bounds from both sides (2.7).

The public names live in theory.grid_sum.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from theory.grid_sum.law import hit_prob, laws
from theory.grid_sum.parameters import GridSumParameters
from theory.numerics import check
from theory.numerics.amplify import Blocks
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, Array
from theory.numerics.rounding import above, complement_below, probability_above
from theory.question import Target
from theory.subset_sum.second_moment import overlap_table, success_lower

MAX_BLOCK = 24
"""Largest n of one second-moment bound; beyond it, blocks of variables are combined."""


def _case(R: int, grid: int, alpha: Target, tolerance: int) -> GridSumParameters:
    """The parameters with a target >= 0."""
    asked = GridSumParameters(R=R, grid=grid, alpha=alpha, tolerance=tolerance)
    return asked if asked.uniform else replace(asked, alpha=abs(float(asked.alpha)))


def sum_hit_prob_exact(k: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """P(a sum of k values hits the target), rounded to nearest.

    Parameters are those of `GridSum`; k >= 0 values. Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> sum_hit_prob_exact(1, grid=100, alpha=0.5) == 1 / 201
    True
    """
    case = _case(1, grid, alpha, tolerance)
    return float(hit_prob(check.natural("k", k) + case.uniform, case.grid, case.target, case.tolerance))


# -- first moment -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _expected(n: int, case: GridSumParameters) -> Fraction:
    """Expected number of good sums, at most 1."""
    if case.certain:
        return Fraction(1)
    total = Fraction(0)
    for k in range(n + 1):
        hit = hit_prob(k + case.uniform, case.grid, case.target, case.tolerance)
        total += math.comb(n, k) * case.R**k * hit
        if total >= 1:
            return Fraction(1)
    return total


def success_prob_upper(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Proved upper bound on the success probability: the expected number of good sums, at most 1.

    In [0, 1], rounded up, nondecreasing in n and R. 1 where the empty sum succeeds. Parameters are those of `GridSum`;
    n >= 0 variables. Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> round(success_prob_upper(2, 1, grid=1, alpha=1.0), 9)  # 2/3 + 2/9
    0.888888889
    """
    total = _expected(check.natural("n", n), _case(R, grid, alpha, tolerance))
    return 1.0 if total >= 1 else above(total)


def necessary_n(grid: int, delta: float, *, R: int, alpha: Target, tolerance: int = 0) -> int:
    """Fewest variables that the first moment does not exclude.

    Every n with failure probability <= delta is at least this. Parameters are those of `GridSum`; delta in (0, 1).
    Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> necessary_n(100, 0.05, R=1, alpha=0.5), necessary_n(100, 0.05, R=5, alpha=0.5)
    (9, 4)
    """
    wanted = math.nextafter(1.0 - check.open_probability("delta", delta), 0.0)
    rest = {"grid": grid, "alpha": alpha, "tolerance": tolerance}
    return smallest_n(lambda n: -success_prob_upper(n, R, **rest), -wanted)  # type: ignore[arg-type]


# -- second moment ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _pair_table(grid: int, target: int, tolerance: int, order: int) -> tuple[Array, float]:
    """Q_j(k-j, k'-j) / (p_k p_k') for j >= 1, as in 2.2; 1 for j = 0, and their error (theory/PROOFS.md, 2.7)."""
    points, windows, error = laws(order, grid, tolerance)
    p = np.array([float(hit_prob(k, grid, target, tolerance)) for k in range(order + 1)])
    p[0] = 1.0  # the empty sum is treated apart
    table = np.zeros((order + 1, order + 1, order + 1))
    table[0] = 1.0
    for j in range(1, order + 1):
        t = np.arange(-j * grid, j * grid + 1)
        factors = np.zeros((order + 1 - j, len(t)))
        for a in range(order + 1 - j):
            place = target - t + a * grid + tolerance
            inside = (place >= 0) & (place < len(windows[a]))
            factors[a, inside] = windows[a][place[inside]]
        table[j, j:, j:] = (factors * points[j]) @ factors.T / np.outer(p[j:], p[j:])
    table.flags.writeable = False
    return table, 2 * (order + 1) * error + (2 * order * grid + 20) * UNIT


@lru_cache(maxsize=65536)
def _second_moment(n: int, case: GridSumParameters) -> float:
    if case.certain:
        return 1.0
    if n == 0:
        return float(hit_prob(1, case.grid, 0, case.tolerance)) * (1.0 - 2 * UNIT) if case.uniform else 0.0
    shift = int(case.uniform)
    order = min(MAX_BLOCK + 1, 8 * math.ceil((n + shift) / 8))
    pairs, error = _pair_table(case.grid, case.target, case.tolerance, order)
    inner = pairs[shift : n + 1 + shift, shift : n + 1 + shift, shift : n + 1 + shift]
    moments = np.einsum("jkl,jkl->kl", overlap_table(n, case.R), inner)
    slack = 1.01 * (error + (4 * n + 20) * UNIT)
    return success_lower(moments if case.uniform else moments[1:, 1:], slack, combine=True)


def success_prob_second_moment(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Proved lower bound on the success probability: the second-moment bound of 2.7 itself.

    In [0, 1], rounded down. 1 where the empty sum succeeds. Parameters are those of `GridSum`; 0 <= n <= MAX_BLOCK
    variables. Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> success_prob_second_moment(1, 1, grid=100, alpha=0.5) <= 1 / 201
    True
    """
    n = check.natural("n", n)
    if n > MAX_BLOCK:
        raise ValueError(f"n must be at most {MAX_BLOCK}, got n={n}")
    return _second_moment(n, _case(R, grid, alpha, tolerance))


@lru_cache(maxsize=256)
def _blocks(case: GridSumParameters) -> Blocks:
    return Blocks(lambda m: _second_moment(m, case), range(int(not case.uniform), MAX_BLOCK + 1), together=case.uniform)


def log_failure_prob_bound(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows; parameters and source are the same."""
    n, case = check.natural("n", n), _case(R, grid, alpha, tolerance)
    return -math.inf if case.certain else _blocks(case).log_failure(n)


def failure_prob_bound(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Proved upper bound on the probability that no sum hits.

    The second-moment bound of blocks of at most MAX_BLOCK variables, multiplied over disjoint blocks unless the target
    is uniform. In [0, 1], rounded up, nonincreasing in n. Parameters are those of `GridSum`; n >= 0 variables. Proved
    in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> failure_prob_bound(100, 5, grid=100, alpha=0.5) < 1e-15
    True
    """
    return probability_above(log_failure_prob_bound(n, R, grid=grid, alpha=alpha, tolerance=tolerance))


def success_prob_lower(n: int, R: int, *, grid: int, alpha: Target, tolerance: int = 0) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`, rounded down.

    Parameters and source are those of `failure_prob_bound`.

    Examples
    --------
    >>> success_prob_lower(0, 1, grid=100, alpha=0.5)
    0.0
    """
    return complement_below(log_failure_prob_bound(n, R, grid=grid, alpha=alpha, tolerance=tolerance))


def required_n(grid: int, delta: float, *, R: int, alpha: Target, tolerance: int = 0) -> int:
    """Variables that suffice for failure probability delta: the least n at which `failure_prob_bound` is that small.

    Proved sufficient. 0 where the empty sum succeeds. Parameters are those of `GridSum`; delta in (0, 1). Raises
    ValueError if the target is uniform and MAX_BLOCK variables are not proved to do. Proved in theory/PROOFS.md, 2.7.

    Examples
    --------
    >>> required_n(100, 0.05, R=1, alpha=0.5) <= 30
    True
    """
    delta, case = check.open_probability("delta", delta), _case(R, grid, alpha, tolerance)
    return 0 if case.certain else _blocks(case).required_n(delta)
