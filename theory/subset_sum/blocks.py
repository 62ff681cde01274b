"""Lower bounds on the success of the random subset sum: the second moment of a block (2.2), and many blocks (2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from theory.numerics import check
from theory.numerics.irwin_hall import UNIT
from theory.numerics.logspace import any_of
from theory.numerics.rounding import complement_below, probability_above, raised
from theory.question import Target
from theory.subset_sum.parameters import Model, SubsetSumParameters, certified
from theory.subset_sum.second_moment import normalised_moments, success_lower

MAX_BLOCK = 64
"""Largest n of one second-moment bound; beyond it, blocks of variables are combined."""


# -- 2.2 second moment ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _second_moment(n: int, case: SubsetSumParameters, combine: bool) -> float:
    """Bound 2.2 for n <= MAX_BLOCK; case.vectors > 1 only for a uniform target."""
    if case.certain:
        return 1.0
    if n == 0:
        return case.eps if case.uniform else 0.0
    moments, error = normalised_moments(
        n, case.options, eps=case.eps, alpha=case.size, uniform=case.uniform, vectors=case.vectors
    )
    return success_lower(moments, error, combine=combine)


def success_prob_second_moment(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True
) -> float:
    """Proved lower bound on the success probability: the second-moment bound 2.2 itself.

    In [0, 1], rounded down. 1 if |alpha| <= eps. Not monotone in general; see `success_prob_lower`. Parameters are
    those of `SubsetSum`; 0 <= n <= MAX_BLOCK variables. Proved in theory/PROOFS.md, 2.2.

    Parameters
    ----------
    combine : bool
        Combine the counts N_k linearly (default), or take the best single k.

    Examples
    --------
    >>> round(success_prob_second_moment(8, 1, eps=0.01, alpha=0.5), 3)
    0.54
    >>> round(success_prob_second_moment(8, 1, eps=0.01, alpha=0.5, combine=False), 3)
    0.28
    """
    n = check.natural("n", n)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    if n > MAX_BLOCK:
        raise ValueError(f"n must be at most {MAX_BLOCK}, got n={n}")
    if case.uniform or case.vectors == 1:
        return _second_moment(n, case, combine)
    single = _second_moment(n, case.one_vector(), combine)
    return max(single, any_of(single, case.vectors) * (1.0 - 8 * UNIT))


# -- 2.3 amplification ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _log_failure(n: int, case: SubsetSumParameters, combine: bool) -> float:
    """Upper bound on log P(failure), n <= MAX_BLOCK, one vector or any uniform target; nonincreasing in n."""
    best = math.log1p(-_second_moment(n, case, combine)) if not case.certain else -math.inf
    if n > 0:
        best = min(best, _log_failure(n - 1, case, combine))
    if case.uniform:
        if case.vectors > 1:
            best = min(best, _log_failure(n, case.one_vector(), combine))
        return best  # blocks share the target: their failures need not multiply
    for m in range(1, n // 2 + 1):
        best = min(best, _log_failure(m, case, combine) + _log_failure(n - m, case, combine))
    return best


def log_failure_prob_bound(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True
) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows.

    In [-inf, 0], rounded up, nonincreasing in n. Parameters are those of `SubsetSum`; n >= 0 variables. ``combine`` is
    that of `success_prob_second_moment`. Proved in theory/PROOFS.md, 2.2 and 2.3.

    Examples
    --------
    >>> round(log_failure_prob_bound(4000, 1, eps=0.01, alpha=0.5))
    -599
    """
    n = check.natural("n", n)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    copies = 1
    if not case.uniform:
        case, copies = case.one_vector(), case.vectors
    if n <= MAX_BLOCK or case.uniform:
        best = _log_failure(min(n, MAX_BLOCK), case, combine)
    else:
        best = min(
            (n // m) * _log_failure(m, case, combine) + _log_failure(n % m, case, combine)
            for m in range(1, MAX_BLOCK + 1)
        )
    return copies * best * (1.0 - 128 * UNIT)


def failure_prob_bound(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True
) -> float:
    """Proved upper bound on the probability that no sum lies within eps of alpha.

    The second-moment bound of blocks of at most MAX_BLOCK variables, multiplied over disjoint blocks, at the best
    block sizes. For a uniform target, which all blocks share, the best bound with at most MAX_BLOCK variables.

    In [0, 1], rounded up, nonincreasing in n. Parameters are those of `SubsetSum`; n >= 0 variables. ``combine`` is
    that of `success_prob_second_moment`. Proved in theory/PROOFS.md, 2.2 and 2.3.

    Examples
    --------
    >>> failure_prob_bound(100, 5, eps=0.01, alpha=0.5) < 1e-20
    True
    """
    return probability_above(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, model=model, combine=combine))


def success_prob_lower(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True
) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`.

    In [0, 1], rounded down, nondecreasing in n, at least `success_prob_second_moment` (up to 1e-13 relative).
    Parameters are those of `SubsetSum`; n >= 0 variables. ``combine`` is that of `success_prob_second_moment`. Proved
    in theory/PROOFS.md, 2.2 and 2.3.

    Examples
    --------
    >>> round(success_prob_lower(20, 1, eps=0.01, alpha=0.5), 3)
    0.942
    """
    return complement_below(log_failure_prob_bound(n, R, eps=eps, alpha=alpha, model=model, combine=combine))


@dataclass(frozen=True)
class RequiredN:
    """A sufficient number of variables and the block design that proves it.

    Attributes
    ----------
    n : int
        Variables, m times blocks.
    m : int
        Variables in a block.
    blocks : int
        Disjoint blocks.
    block_success : float
        Proved lower bound on the success of one block (of one vector, in the vector model).
    """

    n: int
    m: int
    blocks: int
    block_success: float


def required_n(eps: float, delta: float, *, R: int, alpha: Target, model: Model = "choice") -> RequiredN:
    """Variables that suffice for failure probability delta: n = m ceil(log(1/delta) / -log(1-c(m))) at the best m.

    Proved sufficient; logarithms are rounded to the safe side. n = 0 if |alpha| <= eps. Parameters are those of
    `SubsetSum`; a failure probability delta in (0, 1). Raises ValueError if the target is uniform and MAX_BLOCK
    variables are not proved to do. Proved in theory/PROOFS.md, 2.3.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1, alpha=0.5).n, required_n(0.01, 0.05, R=5, alpha=0.5).n
    (22, 6)
    """
    delta = check.open_probability("delta", delta)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    if case.certain:
        return RequiredN(0, 0, 0, 1.0)
    if case.uniform:
        for n in range(MAX_BLOCK + 1):
            if failure_prob_bound(n, R, eps=eps, alpha=alpha, model=model) <= delta:
                return RequiredN(n, n, 1, success_prob_lower(n, R, eps=eps, alpha=alpha, model=model))
        raise ValueError(f'delta must be reached by n <= {MAX_BLOCK} when alpha="uniform", got delta={delta}')
    wanted = Fraction(raised(-math.log(delta)))
    single, best = case.one_vector(), None
    for m in range(1, MAX_BLOCK + 1):
        if best is not None and m >= best.n:
            break
        success = _second_moment(m, single, True)
        rate = Fraction(-math.log1p(-success) * (1.0 - 4 * UNIT)) * case.vectors
        blocks = math.ceil(wanted / rate)
        if best is None or m * blocks < best.n:
            best = RequiredN(m * blocks, m, blocks, success)
    assert best is not None
    return best
