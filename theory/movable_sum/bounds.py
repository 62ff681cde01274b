"""First and second moment of the number of good sums of movable values: bounds from both sides (2.8).

The public names live in theory.movable_sum.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from theory.movable_sum.pairs import pair_table
from theory.movable_sum.parameters import MovableSumParameters
from theory.numerics import check
from theory.numerics.amplify import Blocks
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, hit_table, window_error
from theory.numerics.rounding import above, below, complement_below, probability_above
from theory.question import Target
from theory.subset_sum.parameters import certified
from theory.subset_sum.second_moment import overlap_table, success_lower

MAX_BLOCK = 20
"""Largest n of one second-moment bound; beyond it, blocks of variables are combined."""


def _case(R: int, eps: float, alpha: Target, move: float) -> MovableSumParameters:
    return certified(MovableSumParameters(R=R, eps=eps, alpha=alpha, move=move))


# -- first moment -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _expected(n: int, case: MovableSumParameters) -> Fraction:
    """Expected number of good sums, rounded up, at most 1."""
    if case.certain:
        return Fraction(1)
    total = Fraction(0)
    for k in range(n + 1):
        order = k + case.uniform
        if case.reach(k) >= 1:
            return Fraction(1)
        if order > 0:
            p = hit_table(order, alpha=case.size, eps=above(case.reach(k)))[order]
            total += math.comb(n, k) * case.R**k * Fraction(p) * (1 + Fraction(window_error(order)))
        if total >= 1:
            return Fraction(1)
    return total


def success_prob_upper(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Proved upper bound on the success probability: the expected number of good sums, at most 1.

    In [0, 1], rounded up, nondecreasing in n, R and ``move``. 1 if |alpha| <= eps, and where eps + k move reaches 1 for
    some k <= n. Parameters are those of `MovableSum`; n >= 0 variables. Proved in theory/PROOFS.md, 2.8.

    Examples
    --------
    >>> round(success_prob_upper(2, 1, eps=0.01, alpha=0.5, move=0.01), 9)  # 2 * 0.02 + 0.0225
    0.0625
    """
    total = _expected(check.natural("n", n), _case(R, eps, alpha, move))
    return 1.0 if total >= 1 else above(total)


def necessary_n(eps: float, delta: float, *, R: int, alpha: Target, move: float) -> int:
    """Fewest variables that the first moment does not exclude.

    Every n with failure probability <= delta is at least this. Parameters are those of `MovableSum`; delta in (0, 1).
    Proved in theory/PROOFS.md, 2.8.

    Examples
    --------
    >>> [necessary_n(0.01, 0.05, R=1, alpha=0.5, move=move) for move in (0.0, 0.01, 0.1)]
    [8, 6, 3]
    """
    wanted = math.nextafter(1.0 - check.open_probability("delta", delta), 0.0)
    return smallest_n(lambda n: -success_prob_upper(n, R, eps=eps, alpha=alpha, move=move), -wanted)


# -- second moment ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _second_moment(n: int, case: MovableSumParameters) -> float:
    if case.certain:
        return 1.0
    if n == 0:
        return case.eps * (1.0 - 2 * UNIT) if case.uniform else 0.0
    shift = int(case.uniform)  # the target is one more value
    largest = min(4 * math.ceil(n / 4), MAX_BLOCK)
    reaches = [below(case.reach(k)) for k in range(largest + 1) if case.reach(k) <= 1]
    reaches = [reaches[0]] * shift + reaches
    pairs, error = pair_table(case.size, tuple(reaches))
    last = min(n, len(reaches) - 1 - shift)  # longer sums are left out: any set of sizes will do
    inner = pairs[shift : last + 1 + shift, shift : last + 1 + shift, shift : last + 1 + shift]
    overlaps = overlap_table(n, case.R)[: last + 1, : last + 1, : last + 1]
    moments = np.einsum("jkl,jkl->kl", overlaps, inner)
    if not case.uniform:
        moments = moments[1:, 1:]
    if not len(moments):
        return 0.0
    return success_lower(moments, 1.01 * (error + (4 * n + 20) * UNIT), combine=True)


def success_prob_second_moment(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Proved lower bound on the success probability: the second-moment bound of 2.8 itself.

    In [0, 1], rounded down. 1 if |alpha| <= eps. Only sums of k values with eps + k move <= 1 are counted. Parameters
    are those of `MovableSum`; 0 <= n <= MAX_BLOCK variables. Proved in theory/PROOFS.md, 2.8.

    Examples
    --------
    >>> round(success_prob_second_moment(8, 1, eps=0.01, alpha=0.5, move=0.0), 3)
    0.54
    """
    n = check.natural("n", n)
    if n > MAX_BLOCK:
        raise ValueError(f"n must be at most {MAX_BLOCK}, got n={n}")
    return _second_moment(n, _case(R, eps, alpha, move))


@lru_cache(maxsize=256)
def _blocks(case: MovableSumParameters) -> Blocks:
    return Blocks(lambda m: _second_moment(m, case), range(int(not case.uniform), MAX_BLOCK + 1), together=case.uniform)


def log_failure_prob_bound(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows; parameters and source are the same."""
    n, case = check.natural("n", n), _case(R, eps, alpha, move)
    return -math.inf if case.certain else _blocks(case).log_failure(n)


def failure_prob_bound(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Proved upper bound on the probability that no sum succeeds.

    The second-moment bound of blocks of at most MAX_BLOCK variables, multiplied over disjoint blocks unless the target
    is uniform. In [0, 1], rounded up, nonincreasing in n. Parameters are those of `MovableSum`; n >= 0 variables.
    Proved in theory/PROOFS.md, 2.8.

    Examples
    --------
    >>> failure_prob_bound(100, 5, eps=0.01, alpha=0.5, move=0.01) < 1e-15
    True
    """
    return probability_above(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, move=move))


def success_prob_lower(n: int, R: int, *, eps: float, alpha: Target, move: float) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`, rounded down.

    Parameters and source are those of `failure_prob_bound`.

    Examples
    --------
    >>> success_prob_lower(0, 1, eps=0.01, alpha=0.5, move=0.01)
    0.0
    """
    return complement_below(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, move=move))


def required_n(eps: float, delta: float, *, R: int, alpha: Target, move: float) -> int:
    """Variables that suffice for failure probability delta: the least n at which `failure_prob_bound` is that small.

    Proved sufficient. 0 if |alpha| <= eps. Parameters are those of `MovableSum`; delta in (0, 1). Raises ValueError if
    the target is uniform and MAX_BLOCK variables are not proved to do. Proved in theory/PROOFS.md, 2.8.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1, alpha=0.5, move=0.01) < 22
    True
    """
    delta, case = check.open_probability("delta", delta), _case(R, eps, alpha, move)
    return 0 if case.certain else _blocks(case).required_n(delta)
