"""One target value, n candidates of R draws each: the exact law of a miss (1.1).

The candidates' draws are i.i.d. U[-1, 1]; a draw hits the target alpha when it lies within eps of it.
"""

from __future__ import annotations

import math

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import log1mexp, logsumexp
from theory.question import Target
from theory.single_weight.parameters import SingleWeightParameters

_MOST = 2**60


def hit_prob(alpha: Target, eps: float) -> float:
    """Probability that one U[-1, 1] draw lies within eps of alpha.

    Returns |[alpha-eps, alpha+eps] ∩ [-1, 1]| / 2, in [eps/2, eps]; eps - eps^2/4 for a uniform target. Parameters are
    those of `SingleWeight`. Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> hit_prob(0.0, 0.1), hit_prob(1.0, 0.1), hit_prob("uniform", 1.0)
    (0.1, 0.05, 0.75)
    """
    asked = SingleWeightParameters(eps=eps, alpha=alpha)
    if asked.uniform:
        return asked.eps * (1.0 - 0.25 * asked.eps)
    return 0.5 * (asked.eps + min(asked.eps, 1.0 - asked.size))


def log_miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Logarithm of `miss_prob_exact`, which never underflows.

    In [-inf, 0]. Parameters are those of `SingleWeight`; n >= 1 candidates. Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> log_miss_prob_exact(10**9, 10**6, eps=0.5, alpha=0.0)
    -693147180559945.2
    """
    n, asked = check.positive_int("n", n), SingleWeightParameters(R=R, eps=eps, alpha=alpha)
    draws, p = n * asked.R, hit_prob(asked.alpha, asked.eps)
    if asked.uniform:
        return _log_miss_uniform(draws, asked.eps)
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

    Returns (1-p)^(nR) with p = hit_prob(alpha, eps), in [0, 1]; its average over alpha in closed form if "uniform".
    Parameters are those of `SingleWeight`; n >= 1 candidates. Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> miss_prob_exact(2, 1, eps=0.5, alpha=0.0)
    0.25
    >>> round(miss_prob_exact(1, 1, eps=1.0, alpha="uniform"), 12)
    0.25
    """
    return math.exp(log_miss_prob_exact(n, R, eps=eps, alpha=alpha))


def required_n_exact(eps: float, delta: float, *, R: int, alpha: Target) -> int:
    """Fewest candidates with miss probability (1.1, exact) at most delta.

    Necessary and sufficient, >= 1, up to the rounding of one logarithm (1e-15 relative). Parameters are those of
    `SingleWeight`; a failure probability delta in (0, 1). Raises ValueError if more than 2^60 candidates are needed.
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
