"""How many binary weights a failure probability takes: exactly, by the laws 7.1 and 7.2.

Public through ``theory.binary_weights``.
"""

from __future__ import annotations

import math
from fractions import Fraction

from theory.binary_weights.case import MAX_SIGNS, Target, covered_line, gain_of, signs_needed, target_of
from theory.binary_weights.law import misses_at_most
from theory.binary_weights.parameters import Gain
from theory.binary_weights.uniform import mean_covered
from theory.numerics import check
from theory.numerics.invert import smallest_n


def required_n(eps: float, delta: float, *, R: int, alpha: Target = "worst", gain: Gain = "best") -> int:
    """The number of variables that failure probability delta takes: sufficient, and no smaller number is.

    At least 1. Certain by ball arithmetic for a fixed or worst target, ties included: the tie at R = 1, delta = 1/2 for
    every n, any other while n R <= 2^16 (beyond that it counts as a miss too many). Exact up to rounding for a uniform
    target. Parameters are those of `success_prob_exact`; delta in (0, 1). At the best gain "worst" and "uniform" take
    the fewest variables of any gain. Raises ValueError if no number of variables reaches delta with this gain, or more
    than 10^15 are needed. Proved in theory/PROOFS.md, 7.1 and 7.2.

    Examples
    --------
    >>> required_n(0.05, 0.05, R=1), required_n(0.05, 0.05, R=2), required_n(0.01, 0.05, R=1)
    (28, 17, 117)
    """
    eps, delta, R = check.accuracy("eps", eps), check.open_probability("delta", delta), check.draw_count("R", R)
    if target_of(alpha) == "uniform":
        step = gain_of(gain, eps)
        k, rise, last = covered_line(eps, step)
        never = 1 - Fraction(eps) - k * rise - last  # of the targets, however many signs there are
        if never > Fraction(delta) or (never == Fraction(delta) and (k > 0 or last > 0)):
            raise ValueError(f"gain must reach a share 1-delta of the targets, got gain={gain} with delta={delta}")

        def enough(n: int) -> bool:
            return mean_covered(n, R, eps, step)[1] <= delta

        least, near = 1, _guessed_uniform(R, delta, k, float(rise), float(never), float(last))
    else:
        found = signs_needed(eps, alpha=alpha, gain=gain)
        if found is None:
            raise ValueError(f"gain must have a multiple within eps={eps} of alpha={alpha}, got gain={gain}")
        count = found

        def enough(n: int) -> bool:
            return misses_at_most(n, count, R, delta)

        least = max(1, count)
        near = guessed_n(count, delta, R)
    if least > MAX_SIGNS or not enough(MAX_SIGNS):
        raise ValueError(
            f"eps and gain must take at most {MAX_SIGNS:.0e} variables, got eps={eps}, gain={gain} with delta={delta}"
        )
    return smallest_n(lambda n: 0.0 if enough(n) else 1.0, 0.5, lo=least, limit=MAX_SIGNS, guess=near)


def _guessed_uniform(R: int, delta: float, k: int, rise: float, never: float, last: float) -> int:
    """About the n at which a uniform target is missed with probability delta; where to look first."""
    q = -math.expm1(-R * math.log(2.0))
    low, high = 0, MAX_SIGNS
    while high - low > 1:
        n = (low + high) // 2
        spread = max(math.sqrt(n * q * (1.0 - q)), 1e-9)
        x = (n * q - k) / spread
        above = 0.5 * math.erfc(x / math.sqrt(2.0))
        short = spread * (math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) - x * above)  # E max(0, k - N)
        low, high = (low, n) if never + rise * short + last * above <= delta else (n, high)
    return high


def guessed_n(count: int, delta: float, R: int) -> int:
    """About the n at which fewer than ``count`` signs have probability delta, normally: where to look first."""
    q = -math.expm1(-R * math.log(2.0))
    reach = deviation(delta) * math.sqrt(1.0 - q)
    root = (reach + math.sqrt(reach * reach + 4.0 * count)) / 2.0
    return math.floor(root * root / q)


def deviation(delta: float) -> float:
    """Standard deviations above which a normal number lies with probability delta in (0, 1); a guess is made of it."""
    from statistics import NormalDist

    return -NormalDist().inv_cdf(delta)
