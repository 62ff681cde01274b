"""A uniform target and n binary weights: the mean share of the targets that is covered, and its complement.

With N plus signs on offer the share of [0, 1] within eps of a sum is a line in min(N, k), plus a constant from k+1 on
(`covered_line`). So its mean needs two binomial tails, whatever n and the gain are.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theory.binary_weights.case import covered_line
from theory.binary_weights.law import tail
from theory.numerics.balls import exact, precision

_BITS = 256
"""The differences below lose as many bits as k has, of which there are at most 50."""


def mean_covered(n: int, R: int, eps: float, step: Fraction) -> tuple[float, float]:
    """Mean share of the targets that is covered and its complement, floats up to rounding, for n <= MAX_SIGNS.

    Examples
    --------
    >>> mean_covered(1, 1, 0.25, Fraction(1, 2))
    (0.5, 0.5)
    """
    from flint import arb

    k, rise, last = covered_line(eps, step)
    hit, miss = tail(n, k + 1, R, _BITS)
    with precision(_BITS):
        mean = n * (1 - arb(2) ** -R) * tail(n - 1, k, R, _BITS)[1] + k * hit  # of min(N, k)
        covered = exact(eps) + exact(rise) * mean + exact(last) * hit
        never = 1 - Fraction(eps) - k * rise - last
        missed = exact(never) + exact(rise) * _shortfall(n, k, R) + exact(last) * miss
        return min(1.0, float(covered)), min(1.0, float(missed))


def _shortfall(n: int, k: int, R: int) -> Any:
    """E[max(0, k - N)], N ~ Bin(n, 1 - 2^-R).

    With X = n - N and d = n - k it is E[max(0, X - d)] = 2^-R n P(Bin(n-1, 2^-R) >= d) - d P(X > d), of which at most
    the share d/(d+1) cancels; for d below the mean of X the other side is used.
    """
    from flint import arb

    p, d = arb(2) ** -R, n - k
    if d <= 0:
        return n * p - d
    if n * p < d:
        return n * p * tail(n - 1, k, R, _BITS)[1] - d * tail(n, k, R, _BITS)[1]
    above = n * (1 - p) * tail(n - 1, k, R, _BITS)[0] - k * tail(n, k + 1, R, _BITS)[0]  # E max(0, N - k)
    return n * p - d + above
