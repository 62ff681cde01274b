"""Outward rounding: of results accurate to a unit in the last place, of rational numbers, and of logarithms."""

from __future__ import annotations

import math
from fractions import Fraction

from theory.numerics.irwin_hall import UNIT
from theory.numerics.logspace import exp_up


def raised(x: float) -> float:
    """x plus two units in the last place, for functions accurate to one."""
    return math.nextafter(math.nextafter(x, math.inf), math.inf)


def lowered(x: float) -> float:
    """x minus two units in the last place."""
    return math.nextafter(math.nextafter(x, -math.inf), -math.inf)


def above(exact: Fraction) -> float:
    """The smallest float not below a rational number that floats can hold."""
    value = float(exact)
    return value if Fraction(value) >= exact else math.nextafter(value, math.inf)


def below(exact: Fraction) -> float:
    """The largest float not above a rational number that floats can hold."""
    value = float(exact)
    return value if Fraction(value) <= exact else math.nextafter(value, -math.inf)


def probability_above(log_bound: float) -> float:
    """exp of the logarithm of an upper bound on a probability, rounded up, at most 1."""
    return min(1.0, exp_up(log_bound) * (1.0 + 4 * UNIT))


def complement_below(log_bound: float) -> float:
    """1 minus the probability with this logarithm of an upper bound, rounded down: 1 at -inf only, 0 from 0 on.

    Examples
    --------
    >>> complement_below(-math.inf), complement_below(0.0)
    (1.0, 0.0)
    """
    if log_bound == -math.inf:
        return 1.0
    return max(0.0, -math.expm1(min(0.0, log_bound)) * (1.0 - 4 * UNIT))
