"""Binary weights: what counting sums forbids, Biprop's gain, and heuristic predictions beside continuous values.

Statements 7.4 (proved) and 7.7 (heuristic); public through ``theory.binary_weights``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.binary_weights.case import sign_count
from theory.numerics import check
from theory.numerics.balls import exact, precision
from theory.numerics.invert import bisected

_BITS = 1280
"""Enough for every digit of the largest number of variables, 1/(2 eps) with eps = 5e-324."""


def _least(wanted: Any, R: int) -> int:
    """Smallest n that 1 + 2 q n >= wanted does not rule out (q = 1-2^-R), never too large."""
    from flint import arb

    with precision(_BITS):
        least = ((wanted() - 1) / (2 * (1 - arb(2) ** -R))).lower().ceil().unique_fmpz()
    assert least is not None
    return max(0, int(least))


def necessary_n(eps: float, delta: float, *, R: int) -> int:
    """Variables without which no gain whatever reaches a uniform target with failure probability delta.

    Smallest n with eps (1 + 2 q n) >= 1-delta, q = 1-2^-R: proved necessary, rounded down. For "worst" instead of
    uniform targets `required_n` itself is necessary. Parameters are those of `BinaryWeights`; delta in (0, 1). Proved
    in theory/PROOFS.md, 7.4.

    Examples
    --------
    >>> necessary_n(0.05, 0.05, R=1), necessary_n(0.05, 0.05, R=100)
    (18, 9)
    """
    eps, delta, R = check.accuracy("eps", eps), check.open_probability("delta", delta), check.draw_count("R", R)
    return _least(lambda: (1 - exact(delta)) / exact(eps), R)


def necessary_n_shared_gain(eps: float, delta: float, *, R: int, d: int) -> int:
    """Variables per weight without which d uniform weights are not all reached by one common gain, chosen afterwards.

    Smallest n with (1 + 2 q n)^d eps^(d-1) (eps + (1+eps) d/2) >= 1-delta, q = 1-2^-R: proved necessary even if the
    gain may depend on all weights and draws; rounded down. About eps^(1/d - 1)/(2q); 1 for d = 1, where the gain alone
    makes one weight. Parameters are those of `BinaryWeights`; delta in (0, 1) is the failure probability of all d >= 1
    weights together, each with its own n variables. Proved in theory/PROOFS.md, 7.4.

    Examples
    --------
    >>> [necessary_n_shared_gain(0.001, 0.05, R=1, d=d) for d in (1, 2, 10, 1000)]
    [1, 30, 424, 986]
    """
    eps, delta, R = check.accuracy("eps", eps), check.open_probability("delta", delta), check.draw_count("R", R)
    d = check.positive_int("d", d)

    def wanted() -> Any:
        small = exact(eps)
        rest = (1 - exact(delta)) / (small + (1 + small) * d / 2)
        return (rest.log() / d - (1 - exact(Fraction(1, d))) * small.log()).exp()

    return _least(wanted, R)


def error_prediction(n: int, R: int) -> float:
    """Error that n binary weights leave for the worst target, to leading order: 1/(2 q n + 1), q = 1-2^-R (heuristic).

    In (0, 1); `guaranteed_error_exact` at delta = 1/2 or so, the binomial number replaced by its mean. Parameters are
    those of `BinaryWeights`; n variables, 1 to 10^15. Heuristic 7.7.

    Examples
    --------
    >>> round(error_prediction(100, 1) * 101, 12), round(error_prediction(100, 50) * 201, 12)
    (1.0, 1.0)
    """
    n, R = sign_count(n), check.draw_count("R", R)
    return 1.0 / (1.0 - 2.0 * n * math.expm1(-R * math.log(2.0)))


def continuous_error_prediction(n: int, R: int, delta: float, *, alpha: float) -> float:
    """The error to which n continuous values U[-1, 1] reach alpha with probability 1-delta (heuristic 2.4, inverted).

    In [1e-60, 1], to a relative accuracy of 1e-9; falls like (R+1)^-n, to be held against `guaranteed_error_exact`.
    Parameters are those of `BinaryWeights`, alpha a number; n >= 1 variables, delta in (0, 1). Heuristic 2.4.

    Examples
    --------
    >>> 0.5 < continuous_error_prediction(20, 1, 0.05, alpha=1.0) / continuous_error_prediction(21, 1, 0.05, alpha=1.0)
    True
    """
    from theory.subset_sum import failure_prediction

    n, R = check.positive_int("n", n), check.draw_count("R", R)
    delta, alpha = check.open_probability("delta", delta), check.target_value("alpha", alpha)
    if failure_prediction(n, R, eps=1.0, alpha=alpha) > delta:
        return 1.0

    def enough(log_eps: float) -> bool:
        return failure_prediction(n, R, eps=math.exp(log_eps), alpha=alpha) <= delta

    return math.exp(bisected(enough, math.log(1e-60), 0.0, steps=38)[1])


def biprop_gain(law: str, scale: float) -> float:
    """Biprop's gain, the mean |W| of the kept weights, in expectation for a mask that does not look at |W|.

    Returns scale/2, scale sqrt(2/pi) or scale. It follows from the initial weights alone, so it is 2 eps (`best_gain`)
    only by luck. Source: The rule read in the authors' code (``diffenderfer2021multiprize``); the expectation is
    elementary, and it is a heuristic for masks learned by score, which may prefer large weights.

    Parameters
    ----------
    law : {"uniform", "normal", "constant"}
        Of the weights: U[-scale, scale], normal of standard deviation scale, or +-scale.
    scale : float
        Positive.

    Examples
    --------
    >>> biprop_gain("uniform", 1.0), biprop_gain("constant", 0.25)
    (0.5, 0.25)
    """
    scale = check.nonnegative("scale", scale)
    if scale == 0.0:
        raise ValueError(f"scale must be positive, got scale={scale}")
    factors = {"uniform": 0.5, "normal": math.sqrt(2.0 / math.pi), "constant": 1.0}
    if law not in factors:
        raise ValueError(f'law must be "uniform", "normal" or "constant", got law={law!r}')
    return factors[law] * scale
