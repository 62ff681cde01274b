"""One target value, n candidates of R draws each: the exact law of a miss (1.1).

The candidates' draws are i.i.d. U[-1, 1]; a draw hits the target alpha when it lies within eps of it. The law is
evaluated in ball arithmetic with as many bits as its cancellations can cost.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.numerics import check
from theory.numerics.balls import PRECISION, exact, log_one_minus, precision
from theory.numerics.invert import smallest_n
from theory.question import Target
from theory.single_weight.parameters import SingleWeightParameters

_MOST = 2**60

_MOST_DRAWS = 2**1000

_TIES = 1200
"""Beyond this many binary digits no miss probability is a float (1.1, Ties)."""


def draws_of(n: int, asked: SingleWeightParameters) -> int:
    """The n R draws of n >= 1 candidates, at most 2^1000."""
    draws = check.positive_int("n", n) * asked.R
    if draws > _MOST_DRAWS:
        raise ValueError(f"n R must be at most 2^1000, got n >= 2^{int(n).bit_length() - 1} with R={asked.R}")
    return draws


def hit_prob(alpha: Target, eps: float) -> float:
    """Probability that one U[-1, 1] draw lies within eps of alpha.

    Returns |[alpha-eps, alpha+eps] ∩ [-1, 1]| / 2, in [eps/2, eps], the nearest float; eps - eps^2/4 for a uniform
    target. Parameters are those of `SingleWeight`. Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> hit_prob(0.0, 0.1), hit_prob(1.0, 0.1), hit_prob("uniform", 1.0)
    (0.1, 0.05, 0.75)
    """
    asked = SingleWeightParameters(eps=eps, alpha=alpha)
    width = Fraction(asked.eps)
    return float(width * (1 - width / 4) if asked.uniform else _hit(asked))


def _hit(asked: SingleWeightParameters) -> Fraction:
    width = Fraction(asked.eps)
    return (width + min(width, 1 - Fraction(asked.size))) / 2


def _bits(draws: int, eps: float) -> int:
    """A sum near 1 whose distance from 1 is at least eps/2 keeps PRECISION bits of its logarithm."""
    return PRECISION + max(0, -math.frexp(eps)[1]) + draws.bit_length()


def _log_miss(draws: int, asked: SingleWeightParameters) -> Any:
    """log P(miss) as a ball; None where a miss is impossible."""
    from flint import arb

    if asked.uniform:
        width = exact(asked.eps)
        log_edge = (draws + 1) * (-width / 2).log1p() + exact(Fraction(2, draws + 1)).log()
        if asked.eps == 1.0:
            return log_edge
        ratio = (draws + 1) * ((-width).log1p() - (-width / 2).log1p())  # of (1-eps)^(N+1) and (1-eps/2)^(N+1)
        return log_edge + (ratio.exp() * (draws - 1) / arb(2)).log1p()
    hit = _hit(asked)
    return None if hit == 1 else draws * log_one_minus(hit)


def log_miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Logarithm of `miss_prob_exact`, which never underflows.

    In [-inf, 0], the nearest float. Parameters are those of `SingleWeight`; n >= 1 candidates, n R at most 2^1000.
    Proved in theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> log_miss_prob_exact(10**9, 10**6, eps=0.5, alpha=0.0), log_miss_prob_exact(1, 1, eps=1e-12, alpha="uniform")
    (-693147180559945.2, -1.00000000000025e-12)
    """
    asked = SingleWeightParameters(R=R, eps=eps, alpha=alpha)
    draws = draws_of(n, asked)
    with precision(_bits(draws, asked.eps)):
        ball = _log_miss(draws, asked)
        return -math.inf if ball is None else min(0.0, float(ball))


def miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Probability that none of the n R draws lies within eps of alpha.

    Returns (1-p)^(nR) with p = hit_prob(alpha, eps), in [0, 1], the nearest float; its average over alpha in closed
    form if "uniform". Parameters are those of `SingleWeight`; n >= 1 candidates, n R at most 2^1000. Proved in
    theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> miss_prob_exact(2, 1, eps=0.5, alpha=0.0), miss_prob_exact(1, 1, eps=1.0, alpha="uniform")
    (0.25, 0.25)
    """
    asked = SingleWeightParameters(R=R, eps=eps, alpha=alpha)
    draws = draws_of(n, asked)
    with precision(_bits(draws, asked.eps)):
        ball = _log_miss(draws, asked)
        return 0.0 if ball is None else float(ball.exp())


def _misses_at_most(draws: int, asked: SingleWeightParameters, delta: float) -> bool:
    """Whether P(miss) <= delta, ties included."""
    small = 1 - Fraction(asked.eps) if asked.uniform else 1 - _hit(asked)
    digits = small.denominator.bit_length() - 1  # after the binary point
    if asked.uniform and (digits + 1) * (draws + 1) <= _TIES:
        large = (1 + small) / 2
        return (draws - 1) * small ** (draws + 1) + 2 * large ** (draws + 1) <= (draws + 1) * Fraction(delta)
    if not asked.uniform and digits * draws <= _TIES:
        return small**draws <= Fraction(delta)
    bits = _bits(draws, asked.eps)
    while True:  # it ends: the two are not equal
        with precision(bits):
            gap = _log_miss(draws, asked) - exact(delta).log()
            if gap < 0 or gap > 0:
                return bool(gap < 0)
        bits *= 2


def required_n_exact(eps: float, delta: float, *, R: int, alpha: Target) -> int:
    """Fewest candidates with miss probability (1.1, exact) at most delta.

    Necessary and sufficient, >= 1, ties included: certain by ball arithmetic. Parameters are those of `SingleWeight`; a
    failure probability delta in (0, 1). Raises ValueError if more than 2^60 candidates are needed. Proved in
    theory/PROOFS.md, 1.1.

    Examples
    --------
    >>> required_n_exact(0.01, 0.05, R=1, alpha=0.0), required_n_exact(0.5, 0.25, R=1, alpha=0.0)
    (299, 2)
    """
    delta = check.open_probability("delta", delta)
    asked = SingleWeightParameters(R=R, eps=eps, alpha=alpha)

    def missed(n: int) -> float:
        return 0.0 if _misses_at_most(n * asked.R, asked, delta) else 1.0

    if missed(_MOST):
        raise ValueError(f"eps must take at most 2^60 candidates, got eps={eps} with delta={delta} and R={R}")
    guess = math.log(delta) / min(-5e-324, log_miss_prob_exact(1, R, eps=eps, alpha=alpha))
    return smallest_n(missed, 0.5, lo=1, limit=_MOST, guess=math.ceil(min(guess, float(_MOST))))
