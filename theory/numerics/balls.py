"""Ball arithmetic (python-flint): exact numbers in, floats on a stated side out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

PRECISION = 128
"""Bits of a ball, unless more are asked for."""


@contextlib.contextmanager
def precision(bits: int = PRECISION) -> Iterator[None]:
    """Ball arithmetic with this many bits."""
    from flint import ctx

    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


def exact(value: float | Fraction) -> Any:
    """A rational number as a ball."""
    from flint import arb, fmpq

    fraction = Fraction(value)
    return arb(fmpq(fraction.numerator, fraction.denominator))


def log_one_minus(p: Fraction) -> Any:
    """log(1-p) for a rational p in [0, 1), to the relative accuracy of the precision near both ends."""
    return exact(-p).log1p() if 2 * p < 1 else exact(1 - p).log()


def up(ball: Any) -> float:
    """A float that no number of the ball exceeds, the least but for the ball's width; inf beyond all floats.

    Examples
    --------
    >>> with precision():
    ...     up(exact(Fraction(1, 10))), up(exact(Fraction(3, 10))), up(-exact(0.0))
    (0.1, 0.30000000000000004, 0.0)
    """
    from flint import arb

    top = ball.upper()
    value = float(top)
    while arb(value) < top:
        value = math.nextafter(value, math.inf)
    return value


def down(ball: Any) -> float:
    """A float that no number of the ball is below, the largest but for the ball's width.

    Examples
    --------
    >>> with precision():
    ...     down(exact(Fraction(1, 10))), down(exact(Fraction(3, 10))), down(exact(Fraction(1, 2**1080)))
    (0.09999999999999999, 0.3, 0.0)
    """
    return -up(-ball)
