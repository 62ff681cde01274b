"""Lower bounds on the success of the vector sum: the second moment of a block (9.2), and many blocks of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from theory import subset_sum
from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT, Array
from theory.numerics.rounding import complement_below, lowered, probability_above
from theory.question import Target
from theory.subset_sum.blocks import MAX_BLOCK
from theory.subset_sum.parameters import certified
from theory.subset_sum.second_moment import overlap_table, pair_table, success_lower
from theory.vector_sum.parameters import VectorSumParameters

_MAX_HALVINGS = 3
"""How often the draws are cut into halves that are searched alone."""


def _normalised_moments(n: int, case: VectorSumParameters) -> tuple[Array, float]:
    """E[N_k N_k'] / (E[N_k] E[N_k']) with a proved relative error: 2.2 with the pair's ratio to the power d."""
    shift = int(case.uniform)
    pairs, error = pair_table(n + shift, alpha=case.size, eps=case.eps)
    inner = pairs[shift : n + 1 + shift, shift : n + 1 + shift, shift : n + 1 + shift]
    power = inner
    for _ in range(case.d - 1):
        power = power * inner
    moments = np.einsum("jkl,jkl->kl", overlap_table(n, case.R), power)
    if not case.uniform:
        moments = moments[1:, 1:]
    if not moments.min() > 1e-100:  # far above anything underflow can have lost
        raise RuntimeError(f"a normalised second moment is too small to certify, got {moments.min()}")
    return moments, 1.01 * (case.d * error + (case.d - 1 + 4 * n + 20) * UNIT)


@lru_cache(maxsize=65536)
def _second_moment(n: int, case: VectorSumParameters) -> float:
    """Bound 9.2 for n <= MAX_BLOCK."""
    if case.certain:
        return 1.0
    if n == 0:
        return math.nextafter(case.eps**case.d, 0.0) * (1.0 - 4 * UNIT) if case.uniform else 0.0
    return success_lower(*_normalised_moments(n, case), combine=True)


def success_prob_second_moment(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Proved lower bound on the success probability: the second-moment bound 9.2 itself.

    In [0, 1], rounded down. 1 if |alpha| <= eps. Not monotone in general; see `success_prob_lower`. Parameters are
    those of `VectorSum`; 0 <= n <= MAX_BLOCK variables. Proved in theory/PROOFS.md, 9.2.

    Examples
    --------
    >>> [round(success_prob_second_moment(16, 1, d=d, eps=0.05, alpha=0.5), 3) for d in (1, 2, 3)]
    [0.927, 0.773, 0.359]
    """
    n = check.natural("n", n)
    if n > MAX_BLOCK:
        raise ValueError(f"n must be at most {MAX_BLOCK}, got n={n}")
    return _second_moment(n, certified(VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)))


@lru_cache(maxsize=65536)
def _log_failure(n: int, case: VectorSumParameters, halvings: int = _MAX_HALVINGS) -> float:
    """Upper bound on log P(failure), n <= MAX_BLOCK; nonincreasing in n."""
    best = math.log1p(-_second_moment(n, case)) if not case.certain else -math.inf
    if n > 0:
        best = min(best, _log_failure(n - 1, case, halvings))
    if case.uniform:
        return best  # blocks share the target: their failures need not multiply
    for m in range(1, n // 2 + 1):
        best = min(best, _log_failure(m, case, halvings) + _log_failure(n - m, case, halvings))
    if case.R > 1 and halvings > 0:
        best = min(best, 2 * _log_failure(n, replace(case, R=case.R // 2), halvings - 1))
    return best


def log_failure_prob_bound(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Logarithm of `failure_prob_bound`, which never underflows.

    In [-inf, 0], rounded up, nonincreasing in n. Parameters are those of `VectorSum`; n >= 0 variables. Proved in
    theory/PROOFS.md, 9.2.

    Examples
    --------
    >>> log_failure_prob_bound(4000, 1, d=2, eps=0.01, alpha=0.5) < -100
    True
    """
    n = check.natural("n", n)
    case = certified(VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha))
    if n <= MAX_BLOCK or case.uniform:
        best = _log_failure(min(n, MAX_BLOCK), case)
    else:
        best = min((n // m) * _log_failure(m, case) + _log_failure(n % m, case) for m in range(1, MAX_BLOCK + 1))
    if case.d == 1:
        best = min(best, subset_sum.log_failure_prob_bound(n, R, eps=eps, alpha=alpha, weights=False))
    return best * (1.0 - 128 * UNIT)


def failure_prob_bound(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Proved upper bound on the probability that no sum lies within eps of the target in every coordinate.

    The second-moment bound of blocks of at most MAX_BLOCK variables, multiplied over disjoint blocks and over halves of
    the draws, at the best sizes. For a uniform target, which all blocks share, the best bound with at most MAX_BLOCK
    variables. For d = 1 the bounds of theory.subset_sum too, but for the weighted one (2.2 (b)).

    In [0, 1], rounded up, nonincreasing in n. Parameters are those of `VectorSum`; n >= 0 variables. Proved in
    theory/PROOFS.md, 9.2.

    Examples
    --------
    >>> failure_prob_bound(200, 5, d=2, eps=0.01, alpha=0.5) < 1e-20
    True
    """
    return probability_above(log_failure_prob_bound(n, R, d=d, eps=eps, alpha=alpha))


def success_prob_lower(n: int, R: int, *, d: int, eps: float, alpha: Target) -> float:
    """Proved lower bound on the success probability: 1 minus `failure_prob_bound`.

    In [0, 1], rounded down, nondecreasing in n. Parameters are those of `VectorSum`; n >= 0 variables. Proved in
    theory/PROOFS.md, 9.2.

    Examples
    --------
    >>> round(success_prob_lower(30, 1, d=2, eps=0.05, alpha=0.5), 3)
    0.932
    """
    return complement_below(log_failure_prob_bound(n, R, d=d, eps=eps, alpha=alpha))


def required_n(eps: float, delta: float, *, d: int, R: int, alpha: Target) -> int:
    """Variables that suffice for failure probability delta: the first n whose `failure_prob_bound` is at most delta.

    Proved sufficient; logarithms are rounded to the safe side. 0 if |alpha| <= eps. Parameters are those of
    `VectorSum`; a failure probability delta in (0, 1). Raises ValueError if d > 1, the target is uniform and MAX_BLOCK
    variables are not proved to do. Proved in theory/PROOFS.md, 9.2.

    Examples
    --------
    >>> [required_n(0.05, 0.05, d=d, R=1, alpha=0.5) for d in (1, 2, 3)]
    [18, 33, 48]
    """
    delta = check.open_probability("delta", delta)
    case = VectorSumParameters(d=d, R=R, eps=eps, alpha=alpha)

    def bound(n: int) -> float:
        return log_failure_prob_bound(n, R, d=d, eps=eps, alpha=alpha)

    wanted = lowered(math.log(delta))
    if case.uniform and d > 1 and bound(MAX_BLOCK) > wanted:
        raise ValueError(f'delta must be reached by n <= {MAX_BLOCK} when alpha="uniform", got delta={delta}')
    return smallest_n(bound, wanted)
