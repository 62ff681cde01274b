"""Lower bounds on the success of the random subset sum: the second moment (2.2), and blocks and groups of it (2.3)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from theory.numerics import check
from theory.numerics.irwin_hall import UNIT, hit_table, window_error
from theory.numerics.logspace import any_of
from theory.numerics.rounding import complement_below, probability_above
from theory.question import Target
from theory.subset_sum.last_variable import MAX_VARIABLES as MOST_BEFORE_LAST
from theory.subset_sum.last_variable import log_failure_last
from theory.subset_sum.parameters import Model, SubsetSumParameters, Way, certified
from theory.subset_sum.second_moment import normalised_moments, success_lower
from theory.subset_sum.weighted import MAX_DRAWS, MAX_EPS, MAX_VARIABLES, success_weighted

MAX_BLOCK = 64
"""Largest n of one second-moment bound; beyond it, blocks of variables are combined."""

GROUPS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of groups into which the draws of every variable are split."""

_GROUPED_BLOCK = 24
"""Largest block of variables where the draws are split too: for groups are for few variables."""

_SHRINK = 1.0 - 128 * UNIT
"""Moves the logarithm of a failure probability towards 0 by more than its rounding."""


# -- 2.2 second moment ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def second_moment(n: int, case: SubsetSumParameters, combine: bool) -> float:
    """Bound 2.2 for n <= MAX_BLOCK; case.vectors > 1 only for a uniform target."""
    if case.certain:
        return 1.0
    if n == 0:
        return case.eps if case.uniform else 0.0
    moments, error = normalised_moments(
        n, case.options, eps=case.eps, alpha=case.size, uniform=case.uniform, vectors=case.vectors
    )
    return success_lower(moments, error, combine=combine)


@lru_cache(maxsize=65536)
def weighted(n: int, case: SubsetSumParameters) -> float:
    """Bound 2.2 (b) of one vector; 0 where it is not taken: a uniform target, n, n R or eps too large."""
    if case.certain:
        return 1.0
    if case.uniform or not 0 < n <= MAX_VARIABLES or n * case.options > MAX_DRAWS or case.eps > MAX_EPS:
        return 0.0
    return success_weighted(n, case.options, eps=case.eps, alpha=case.size)


@lru_cache(maxsize=65536)
def log_last_variable(n: int, case: SubsetSumParameters) -> float:
    """Log of the failure bound 2.2 (c) of one vector; 0 where it is not taken: a uniform target, R = 1, n too large."""
    if case.certain:
        return -math.inf
    if case.uniform or case.options < 2 or not 2 <= n <= MOST_BEFORE_LAST or n * case.options > MAX_DRAWS:
        return 0.0
    return log_failure_last(n, case.options, eps=case.eps, alpha=case.size)


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
        return second_moment(n, case, combine)
    single = second_moment(n, case.one_vector(), combine)
    return max(single, any_of(single, case.vectors) * (1.0 - 8 * UNIT))


def success_prob_weighted(n: int, R: int, *, eps: float, alpha: float) -> float:
    """Proved lower bound on the success probability: the second moment of weighted good sums, 2.2 (b).

    In [0, 1], rounded down. 1 if |alpha| <= eps. It wins where there are many good sums and 2.2 saturates, since the
    expected number of good sums moves with the sum and the spread of the draws. Parameters are those of `SubsetSum`,
    choice model; 0 <= n <= MAX_VARIABLES variables, n R <= MAX_DRAWS, eps <= MAX_EPS. Raises ValueError beyond. Proved
    in theory/PROOFS.md, 2.2 (b).

    Examples
    --------
    >>> round(success_prob_weighted(8, 5, eps=1e-3, alpha=0.5), 3), round(success_prob_second_moment(
    ...     8, 5, eps=1e-3, alpha=0.5), 3)
    (0.997, 0.967)
    """
    n = check.natural("n", n)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=check.target_value("alpha", alpha)))
    if n > MAX_VARIABLES or n * case.R > MAX_DRAWS:
        raise ValueError(f"n must be at most {MAX_VARIABLES} and n R at most {MAX_DRAWS}, got n={n}, R={R}")
    if case.eps > MAX_EPS and not case.certain:
        raise ValueError(f"eps must be at most {MAX_EPS}, got eps={eps}")
    return weighted(n, case)


def success_prob_last_variable(n: int, R: int, *, eps: float, alpha: float) -> float:
    """Proved lower bound on the success probability by the independent draws of the last variable, 2.2 (c).

    In [0, 1], rounded down. 1 if |alpha| <= eps. It wins for R >= 5 and few variables. Parameters are those of
    `SubsetSum`, choice model; 2 <= n <= 10 variables, R >= 2, n R <= MAX_DRAWS. Raises ValueError beyond. Proved in
    theory/PROOFS.md, 2.2 (c).

    Examples
    --------
    >>> round(success_prob_last_variable(5, 10, eps=1e-3, alpha=0.5), 3)
    0.992
    """
    n = check.natural("n", n)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=check.target_value("alpha", alpha)))
    if not 2 <= n <= MOST_BEFORE_LAST or case.R < 2 or n * case.R > MAX_DRAWS:
        raise ValueError(
            f"n must be 2 to {MOST_BEFORE_LAST}, R at least 2 and n R at most {MAX_DRAWS}, got n={n}, R={R}"
        )
    return complement_below(log_last_variable(n, case))


# -- 2.3 amplification ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _log_failure(n: int, case: SubsetSumParameters, combine: bool) -> float:
    """Upper bound on log P(failure) by blocks of variables, n <= MAX_BLOCK; one vector or any uniform target.

    Nonincreasing in n.
    """
    best = math.log1p(-second_moment(n, case, combine)) if not case.certain else -math.inf
    if n == 1 and not case.uniform:  # one variable fails if each of its draws does
        p = hit_table(1, alpha=case.size, eps=case.eps)[1] * (1.0 - window_error(1))
        best = min(best, case.options * math.log1p(-p)) if p < 1.0 else best
    if n > 0:
        best = min(best, _log_failure(n - 1, case, combine))
    if case.uniform:
        if case.vectors > 1:
            best = min(best, _log_failure(n, case.one_vector(), combine))
        return best  # blocks share the target: their failures need not multiply
    for m in range(1, n // 2 + 1):
        best = min(best, _log_failure(m, case, combine) + _log_failure(n - m, case, combine))
    return best


def _log_failure_of_blocks(n: int, case: SubsetSumParameters, combine: bool, largest: int) -> float:
    """The same for every n and a fixed target, with blocks of at most ``largest`` variables."""
    if n <= largest:
        return _log_failure(n, case, combine)
    return min(
        (n // m) * _log_failure(m, case, combine) + _log_failure(n % m, case, combine) for m in range(1, largest + 1)
    )


def in_groups(case: SubsetSumParameters, groups: int) -> list[tuple[int, SubsetSumParameters]]:
    """How many groups of how many draws: groups of equal size, or of two sizes that differ by one."""
    size, longer = divmod(case.R, groups)
    parts = [(groups - longer, replace(case, R=size))]
    return [*parts, (longer, replace(case, R=size + 1))] if longer else parts


def _log_failure_in_groups(n: int, case: SubsetSumParameters, combine: bool) -> float:
    """The least over splits of the draws of every variable into groups, each with its own best blocks."""
    return min(
        sum(count * _log_failure_of_blocks(n, part, combine, largest) for count, part in in_groups(case, groups))
        for groups in GROUPS
        if groups <= case.R
        for largest in (MAX_BLOCK if groups == 1 else _GROUPED_BLOCK,)
    )


_WORTH = 0.2
"""The bounds 2.2 (b) and (c) are taken only where 2.2 leaves less than this: before, they gain little."""


def log_least_weighted(n: int, case: SubsetSumParameters) -> float:
    """Below it 2.2 (b) and (c) have never been seen, so that they need not be computed: no proof rests on it."""
    log_expected = math.log(case.eps) + n * math.log1p(case.R)
    return math.log(1e-4 + (1.0 if case.R < 3 else 0.3) / (1.0 + math.exp(min(log_expected, 99.0))))


def log_failure_weighted(n: int, case: SubsetSumParameters) -> tuple[float, Way]:
    """Upper bound on log P(failure), one block, one vector, fixed target, and its name; 0 where it is of no use."""
    if n > MAX_VARIABLES or second_moment(n, case, True) < 1.0 - _WORTH:
        return 0.0, "weighted second moment"
    spread = math.log1p(-weighted(n, case))
    last = log_last_variable(n, case) if case.R > 2 else 0.0
    return (last, "last variable") if last < spread else (spread, "weighted second moment")


def _log_failure_of_weights(n: int, case: SubsetSumParameters, best: float) -> float:
    """The least of ``best`` and of equal blocks and groups that are bounded by 2.2 (b) or (c)."""
    for groups in (3, 2, 1):
        for blocks in range(8, 0, -1):
            size, parts = n // blocks, in_groups(case, groups) if groups <= case.R else []
            if not size or best <= blocks * sum(count * log_least_weighted(size, part) for count, part in parts):
                continue
            found = sum(count * log_failure_weighted(size, part)[0] for count, part in parts)
            best = min(best, blocks * found)
    return best


@lru_cache(maxsize=65536)
def _log_failure_of_one(n: int, case: SubsetSumParameters, combine: bool, weights: bool) -> float:
    """The least of all bounds on log P(failure), one vector and a fixed target."""
    best = _log_failure_in_groups(n, case, combine)
    return _log_failure_of_weights(n, case, best) if weights and not case.certain else best


def _log_failure_of_coverage(n: int, eps: float) -> float:
    """log((1/eps - 1) (3/4)^n), rounded up: the expected share of targets that are not reached (2.3 (c))."""
    value = math.log1p(-eps) - math.log(eps) + n * math.log(0.75)
    return value + 8 * UNIT * (1.0 + abs(math.log(eps)) + abs(math.log1p(-eps)) + n)


def log_failure_prob_bound(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True, weights: bool = True
) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows.

    In [-inf, 0], rounded up. Parameters are those of `SubsetSum`; n >= 0 variables. ``combine`` and ``weights`` are
    those of `failure_prob_bound`. Proved in theory/PROOFS.md, 2.2 to 2.3 (c).

    Examples
    --------
    >>> round(log_failure_prob_bound(4000, 1, eps=0.01, alpha=0.5))
    -599
    """
    n = check.natural("n", n)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    if case.uniform:
        best = _log_failure(min(n, MAX_BLOCK), case, combine) * _SHRINK
        return best if case.certain else min(best, _log_failure_of_coverage(n, case.eps))
    return case.vectors * _log_failure_of_one(n, case.one_vector(), combine, weights) * _SHRINK


def failure_prob_bound(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True, weights: bool = True
) -> float:
    """Proved upper bound on the probability that no sum lies within eps of alpha.

    Blocks of variables and groups of draws are independent, and each is bounded by its second moment, with weights
    where they help; the best of the splits that are tried. For a uniform target, which all blocks share: the second
    moment of at most MAX_BLOCK variables, or the expected share of targets not covered.

    In [0, 1], rounded up; nonincreasing in n without ``weights``. Parameters are those of `SubsetSum`; n >= 0
    variables. Proved in theory/PROOFS.md, 2.2 to 2.3 (c).

    Parameters
    ----------
    combine : bool
        That of `success_prob_second_moment`.
    weights : bool
        Take the bounds 2.2 (b) and (c) too, which cost half a second; without them a target costs some milliseconds.

    Examples
    --------
    >>> failure_prob_bound(100, 5, eps=0.01, alpha=0.5) < 1e-20
    True
    """
    return probability_above(
        log_failure_prob_bound(n, R, eps=eps, alpha=alpha, model=model, combine=combine, weights=weights)
    )


def success_prob_lower(
    n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice", combine: bool = True, weights: bool = True
) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`.

    In [0, 1], rounded down, at least `success_prob_second_moment` (up to 1e-13 relative); nondecreasing in n without
    ``weights``. Parameters are those of `SubsetSum`; n >= 0 variables. ``combine`` and ``weights`` are those of
    `failure_prob_bound`. Proved in theory/PROOFS.md, 2.2 to 2.3 (c).

    Examples
    --------
    >>> round(success_prob_lower(20, 1, eps=1e-3, alpha=0.5), 3)
    0.992
    """
    return complement_below(
        log_failure_prob_bound(n, R, eps=eps, alpha=alpha, model=model, combine=combine, weights=weights)
    )
