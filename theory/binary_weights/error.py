"""The smallest error that n binary weights leave: its quantiles, its mean, and the guarantee at the best gain.

Statements 7.1 and 7.2; public through ``theory.binary_weights``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

from theory.binary_weights.case import positive_gain, sign_count
from theory.binary_weights.law import at_least, misses_at_most, pmf
from theory.binary_weights.required import deviation
from theory.numerics import check
from theory.numerics.invert import smallest_n

MAX_MULTIPLES = 100_000
"""Most multiples of the gain, n or 1/gain of them, of which `error_mean_exact` takes the mean."""


def error_quantile_exact(n: int, R: int, level: float, *, alpha: float, gain: float) -> float:
    """The level-quantile of the smallest error |g k - alpha|: the least x with P(error <= x) >= level.

    At least 0, exact up to rounding. The error is a nonincreasing function of one binomial number, whose quantile is
    certain; level 1/2 at R = 1 is a tie for every odd n, known as such, and any other tie while n R <= 2^16 (beyond
    that it counts against the smaller error). Parameters are those of `success_prob_exact`, alpha and gain numbers;
    level in (0, 1), 0.5 for the median. Proved in theory/PROOFS.md, 7.1.

    Examples
    --------
    >>> [error_quantile_exact(3, 1, level, alpha=1.0, gain=0.5) for level in (0.5, 0.75, 0.9)]
    [0.0, 0.5, 1.0]
    """
    n, R = sign_count(n), check.draw_count("R", R)
    level = check.open_probability("level", level)
    size = abs(Fraction(check.target_value("alpha", alpha)))
    step = positive_gain(gain)
    count = _sure_count(n, R, 1 - Fraction(level))
    nearest = min(count, math.floor(size / step))
    return float(min(abs(k * step - size) for k in (nearest, min(count, nearest + 1))))


def _sure_count(n: int, R: int, most: Fraction) -> int:
    """Largest k with P(N < k) <= most."""
    p = 2.0 ** -min(R, 1000)
    level = min(max(float(most), 5e-324), 1.0 - 2.0**-53)
    guess = math.floor(n * (1.0 - p) - deviation(level) * math.sqrt(n * p * (1.0 - p))) + 1

    def too_many(k: int) -> float:
        return 0.0 if misses_at_most(n, k, R, most) else -1.0

    return smallest_n(too_many, -0.5, lo=1, limit=n + 1, guess=guess) - 1


def error_mean_exact(n: int, R: int, *, alpha: float | Literal["uniform"], gain: float) -> float:
    """Mean of the smallest error |g k - alpha|.

    At least 0, exact up to rounding. Parameters are those of `success_prob_exact`, gain a number, alpha not "worst".
    Raises ValueError if both n and 1/gain exceed 100000. Proved in theory/PROOFS.md, 7.1.

    Examples
    --------
    >>> error_mean_exact(1, 1, alpha=1.0, gain=0.5), error_mean_exact(1, 1, alpha="uniform", gain=1.0)
    (0.75, 0.375)
    """
    n, R = sign_count(n), check.draw_count("R", R)
    target = check.target_or_uniform("alpha", alpha)
    step = positive_gain(gain)
    if n > MAX_MULTIPLES and step * MAX_MULTIPLES < 1:
        raise ValueError(f"gain must be at least 1/{MAX_MULTIPLES} for n={n}, got gain={gain}")
    errors = []
    for k in range(n + 1):
        if target == "uniform":
            errors.append(_mean_distance(k, step))
        else:
            size = abs(Fraction(target))
            nearest = min(k, math.floor(size / step))
            errors.append(min(abs(j * step - size) for j in (nearest, min(k, nearest + 1))))
        if k * step >= 1 + step:
            break
    last = len(errors) - 1
    law = [*pmf(n, R, last), at_least(n, last, R)]
    return math.fsum(p * float(error) for p, error in zip(law, errors, strict=True))


def _mean_distance(k: int, step: Fraction) -> Fraction:
    """Integral over [0, 1] of the distance to {0, g, ..., kg}."""
    whole = min(k, math.floor(1 / step))
    rest = 1 - whole * step  # beyond the last multiple reached below 1
    found = whole * step**2 / 4 + rest**2 / 2
    return found - (rest - step / 2) ** 2 if k > whole and rest > step / 2 else found


def guaranteed_error_exact(n: int, R: int, delta: float) -> float:
    """The smallest eps that every fixed target in [-1, 1] is reached to with probability 1-delta, at the best gain.

    Returns 1/(2k+1), rounded up, k the largest count with P(Bin(n, 1-2^-R) >= k) >= 1-delta; 1 where even one sign is
    not certain enough. The gain that attains it is `best_gain_for`. Certain by ball arithmetic; delta = 1/2 at R = 1 is
    a tie for every odd n, known as such, and any other tie while n R <= 2^16 (beyond that k may be one too small).
    Parameters are those of `success_prob_exact`; delta in (0, 1). Proved in theory/PROOFS.md, 7.2.

    Examples
    --------
    >>> round(85 * guaranteed_error_exact(100, 1, 0.05), 12)
    1.0
    """
    n, R = sign_count(n), check.draw_count("R", R)
    delta = check.open_probability("delta", delta)
    parts = 2 * _sure_count(n, R, Fraction(delta)) + 1
    eps = 1.0 / parts
    return eps if Fraction(eps) * parts >= 1 else math.nextafter(eps, 1.0)


def best_gain_for(n: int, R: int, delta: float) -> float:
    """The gain 2/(2k+1), rounded up, that attains `guaranteed_error_exact`: twice it; its arguments, errors and source.

    Examples
    --------
    >>> best_gain_for(100, 1, 0.05) == 2 * guaranteed_error_exact(100, 1, 0.05)
    True
    """
    return 2.0 * guaranteed_error_exact(n, R, delta)
