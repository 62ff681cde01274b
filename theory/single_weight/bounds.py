"""One target value, n candidates of R draws each: the exact law, the IteRand bound and the nearest of R draws.

The candidates' draws are i.i.d. U[-1, 1]; a draw hits the target alpha when it lies within eps of it. Statements 1.1
to 1.3; proofs in theory/PROOFS.md. ``alpha`` is a number in [-1, 1] or "uniform": a target drawn once from U[-1, 1],
independent of the candidates, over which the probability is averaged.
"""

from __future__ import annotations

import math
from fractions import Fraction

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import exp_up, log1mexp, logsumexp
from theory.question import Target
from theory.single_weight.nearest import nearest_distance_cdf, nearest_distance_ppf, nearest_draw

__all__ = [
    "hit_prob",
    "log_miss_prob_bound",
    "log_miss_prob_exact",
    "miss_prob_bound",
    "miss_prob_exact",
    "nearest_distance_cdf",
    "nearest_distance_ppf",
    "nearest_draw",
    "required_n",
    "required_n_exact",
]

_MOST = 2**60


def hit_prob(alpha: Target, eps: float) -> float:
    """Probability that one U[-1, 1] draw lies within eps of alpha.

    Parameters
    ----------
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    eps : float
        Accuracy in (0, 1].

    Returns
    -------
    float
        |[alpha-eps, alpha+eps] ∩ [-1, 1]| / 2, in [eps/2, eps]; eps - eps^2/4 for a uniform target.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> hit_prob(0.0, 0.1), hit_prob(1.0, 0.1), hit_prob("uniform", 1.0)
    (0.1, 0.05, 0.75)
    """
    alpha = check.target_or_uniform("alpha", alpha)
    eps = check.accuracy("eps", eps)
    if alpha == "uniform":
        return eps * (1.0 - 0.25 * eps)
    return 0.5 * (eps + min(eps, 1.0 - abs(alpha)))


def log_miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Logarithm of `miss_prob_exact`, which never underflows.

    Parameters
    ----------
    n, R : int
        Candidates and draws per candidate, both >= 1.
    eps : float
        Accuracy in (0, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        In [-inf, 0].

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> log_miss_prob_exact(10**9, 10**6, eps=0.5, alpha=0.0)
    -693147180559945.2
    """
    draws = check.positive_int("n", n) * check.positive_int("R", R)
    alpha = check.target_or_uniform("alpha", alpha)
    p = hit_prob(alpha, eps)
    if alpha == "uniform":
        return _log_miss_uniform(draws, float(eps))
    return draws * math.log1p(-p) if p < 1.0 else -math.inf


def _log_miss_uniform(draws: int, eps: float) -> float:
    """log of (1-eps)^(N+1) + 2/(N+1) ((1-eps/2)^(N+1) - (1-eps)^(N+1)) with N = draws."""
    power = draws + 1
    edge = power * math.log1p(-0.5 * eps) + math.log(2.0 / power)
    if eps == 1.0:
        return edge
    ratio = power * math.log1p(-0.5 * eps / (1.0 - 0.5 * eps))  # log of ((1-eps)/(1-eps/2))^(N+1)
    return min(0.0, logsumexp([power * math.log1p(-eps), edge + log1mexp(ratio)]))


def miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Probability that none of the n R draws lies within eps of alpha.

    Parameters
    ----------
    n, R : int
        Candidates and draws per candidate, both >= 1.
    eps : float
        Accuracy in (0, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    float
        (1-p)^(nR) with p = hit_prob(alpha, eps), in [0, 1]; its average over alpha in closed form if "uniform".

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> miss_prob_exact(2, 1, eps=0.5, alpha=0.0)
    0.25
    >>> round(miss_prob_exact(1, 1, eps=1.0, alpha="uniform"), 12)
    0.25
    """
    return math.exp(log_miss_prob_exact(n, R, eps=eps, alpha=alpha))


def log_miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Logarithm -n R eps/2 of `miss_prob_bound`.

    Parameters
    ----------
    n, R : int
        Candidates and draws per candidate, both >= 1.
    eps : float
        Accuracy in (0, 1].

    Returns
    -------
    float
        At most 0.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.2.

    Examples
    --------
    >>> log_miss_prob_bound(10, 4, eps=0.5)
    -10.0
    """
    draws = check.positive_int("n", n) * check.positive_int("R", R)
    return -0.5 * draws * check.accuracy("eps", eps)


def miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Upper bound exp(-n R eps/2) on the miss probability of every target in [-1, 1].

    Parameters
    ----------
    n, R : int
        Candidates and draws per candidate, both >= 1.
    eps : float
        Accuracy in (0, 1].

    Returns
    -------
    float
        In [0, 1]; an upper bound, close to the truth only when |alpha| = 1.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.2; for R = 1 it is a lemma of key chijiwa2021iterand.

    Examples
    --------
    >>> round(miss_prob_bound(20, 1, eps=0.1), 6)
    0.367879
    """
    return exp_up(log_miss_prob_bound(n, R, eps=eps))


def required_n(eps: float, delta: float, *, R: int) -> int:
    """Candidates that suffice for any target by the bound 1.2: the least n >= 2/(eps R) log(1/delta).

    Parameters
    ----------
    eps : float
        Accuracy in (0, 1].
    delta : float
        Failure probability in (0, 1).
    R : int
        Draws per candidate, >= 1.

    Returns
    -------
    int
        Sufficient, >= 1. The logarithm is rounded up, so the inequality holds for exact real numbers.

    Raises
    ------
    ValueError
        If an argument is outside its domain.

    Source
    ------
    Proved in theory/PROOFS.md, 1.2.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1), required_n(0.01, 0.05, R=10)
    (600, 60)
    """
    eps = check.accuracy("eps", eps)
    delta = check.open_probability("delta", delta)
    R = check.positive_int("R", R)
    log_inverse = -math.log(delta)
    for _ in range(2):
        log_inverse = math.nextafter(log_inverse, math.inf)
    return max(1, math.ceil(2 * Fraction(log_inverse) / (Fraction(eps) * R)))


def required_n_exact(eps: float, delta: float, *, R: int, alpha: Target) -> int:
    """Fewest candidates with miss probability (1.1, exact) at most delta.

    Parameters
    ----------
    eps : float
        Accuracy in (0, 1].
    delta : float
        Failure probability in (0, 1).
    R : int
        Draws per candidate, >= 1.
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.

    Returns
    -------
    int
        Necessary and sufficient, >= 1, up to the rounding of one logarithm (1e-15 relative).

    Raises
    ------
    ValueError
        If an argument is outside its domain, or more than 2^60 candidates are needed.

    Source
    ------
    Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> required_n_exact(0.01, 0.05, R=1, alpha=0.0)
    299
    """
    delta = check.open_probability("delta", delta)
    if log_miss_prob_exact(_MOST, R, eps=eps, alpha=alpha) > math.log(delta):
        raise ValueError(f"eps must take at most 2^60 candidates, got eps={eps} with delta={delta} and R={R}")
    return smallest_n(lambda n: log_miss_prob_exact(n, R, eps=eps, alpha=alpha), math.log(delta), lo=1, limit=_MOST)
