"""The drift of coverage (3.1, 3.2): how much one more variable adds to the covered share, at least and on average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from theory.numerics import check


def gain(intervals: Sequence[tuple[Fraction, Fraction]], near: Fraction = Fraction(1)) -> Fraction:
    """D_w(A) = |{(y, z): y in A, z in [-1, 1] but not in A, |y-z| <= w}| / 4, exactly; w = ``near``.

    At w = 1 it is the expected growth of |A|/2 by one uniform translate, cut to [-1, 1]. For w in [1, 2] it is at least
    (w/2) v(1-v), v = |A|/2: proved in theory/PROOFS.md, 3.1.

    Parameters
    ----------
    intervals : sequence of (Fraction, Fraction)
        Disjoint, ascending, inside [-1, 1].
    near : Fraction
        The distance w > 0.

    Examples
    --------
    >>> gain([(Fraction(-1), Fraction(0))])
    Fraction(1, 8)
    >>> gain([(Fraction(-1), Fraction(0))], Fraction(2))
    Fraction(1, 4)
    """
    holes, last = [], Fraction(-1)
    for start, stop in intervals:
        holes.append((last, start))
        last = stop
    holes.append((last, Fraction(1)))
    return sum((_near(a, b, c, d, near) for a, b in intervals for c, d in holes), Fraction(0)) / 4


def _near(a: Fraction, b: Fraction, c: Fraction, d: Fraction, near: Fraction) -> Fraction:
    """|{(y, z) in [a, b] x [c, d]: |y-z| <= near}|: a second difference of the area below a diagonal."""

    def below(y: Fraction, z: Fraction) -> Fraction:
        """|{(y', z'): y' <= y, z' >= z, z' <= y'}| up to a term linear in y or z."""
        return max(y - z, Fraction(0)) ** 2 / 2

    def up_to(shift: Fraction) -> Fraction:
        """|{z - y <= shift}| in the box."""
        y0, y1 = a + shift, b + shift
        return below(y1, c) - below(y1, d) - below(y0, c) + below(y0, d)

    return up_to(near) - up_to(-near)


def expected_share(v: float, R: int, *, x: float = 0.5) -> float:
    """Lower bound on the expected covered share after one more variable, from a share v.

    In units in which the interval measured is [-1, 1] the draws have the density x/2 on [-1/x, 1/x]: x is half the
    length of the interval for draws U[-1, 1]. 1 - (1-v)(1-xv)^R for x <= 1/2, attained by every set; beyond, the chord
    of 3.2.

    In [v, 1]; not rounded to a side. Proved in theory/PROOFS.md, 3.2.

    Parameters
    ----------
    v : float
        Share within eps of a sum, in [0, 1].
    R : int
        Draws of the variable.
    x : float
        In (0, 1].

    Examples
    --------
    >>> expected_share(0.5, 1), expected_share(0.5, 1, x=1.0)
    (0.625, 0.625)
    >>> round(expected_share(0.5, 4), 4), round(expected_share(0.5, 4, x=1.0), 4)
    (0.8418, 0.7344)
    """
    if not 0.0 <= v <= 1.0:
        raise ValueError(f"v must be in [0, 1], got v={v}")
    R = check.positive_int("R", R)
    if not 0.0 < x <= 1.0:
        raise ValueError(f"x must be in (0, 1], got x={x}")
    if v == 1.0:
        return 1.0
    far = -math.expm1(R * math.log1p(-x * v))
    if x <= 0.5:
        return v + (1.0 - v) * far
    weight = min(0.5 / x, 1.0 - v)
    near = -math.expm1(R * math.log1p(-max(0.0, 0.5 - x * (1.0 - v))))
    return v + (1.0 - v) * ((1.0 - weight) * near + weight * far)
