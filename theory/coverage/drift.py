"""The drift constant of coverage (3.1): exact gains of unions of intervals, and the certificate of the spectral gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from theory.numerics import check

DRIFT_MIDPOINT = 0.2
"""c = 1/5, proved by halving far pairs."""

DRIFT_PROVED = 0.307
"""c = 307/1000, proved by the spectral gap mu_2 >= 0.614 (``check_certificate``)."""

DRIFT_CONJECTURED = 0.5
"""c = 1/2: not proved; an interval at one end attains it."""

CERTIFICATE = (721560, -415544, 1122210, -2100615, 4818986, -8405927, 9955658, -6650585, 1954257)
"""Coefficients of p, lowest first; phi(z) = z p(z) is the test function of the proof."""

_PIECES = 16

Polynomial = list[Fraction]


def drift_constant(c: float) -> float:
    """A number in (0, 1/2]: what is proved or conjectured."""
    if not 0.0 < c <= DRIFT_CONJECTURED:
        raise ValueError(f"c must be in (0, 1/2], got c={c}")
    return float(c)


def expected_share(v: float, R: int, *, c: float = DRIFT_PROVED) -> float:
    """Lower bound on the expected covered share after one more variable: v + c (1-v)(1-(1-v)^R).

    In [v, 1]; not rounded to a side. Proved in theory/PROOFS.md, 3.1 and 3.2, for c <= 0.307.

    Parameters
    ----------
    v : float
        Share of [-1, 1] within eps of a sum, in [0, 1].
    R : int
        Draws of the variable.
    c : float
        Drift constant: 1/5 and 0.307 are proved, 1/2 is conjectured.

    Examples
    --------
    >>> expected_share(0.5, 1, c=0.2)
    0.55
    """
    if not 0.0 <= v <= 1.0:
        raise ValueError(f"v must be in [0, 1], got v={v}")
    R = check.positive_int("R", R)
    reached = 1.0 if v == 1.0 else -math.expm1(R * math.log1p(-v))
    return v + drift_constant(c) * (1.0 - v) * reached


def gain(intervals: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """D(A) = |{(y, z): y in A, z in [-1, 1] but not in A, |y-z| <= 1}| / 4, exactly.

    Expected growth of |A|/2 by one uniform translate, cut to [-1, 1].

    Parameters
    ----------
    intervals : sequence of (Fraction, Fraction)
        Disjoint, ascending, inside [-1, 1].

    Examples
    --------
    >>> gain([(Fraction(-1), Fraction(0))])
    Fraction(1, 8)
    """
    holes, last = [], Fraction(-1)
    for start, stop in intervals:
        holes.append((last, start))
        last = stop
    holes.append((last, Fraction(1)))
    return sum((_near(a, b, c, d) for a, b in intervals for c, d in holes), Fraction(0)) / 4


def _near(a: Fraction, b: Fraction, c: Fraction, d: Fraction) -> Fraction:
    """|{(y, z) in [a, b] x [c, d]: |y-z| <= 1}|: a second difference of the area below a diagonal."""

    def below(y: Fraction, z: Fraction) -> Fraction:
        """|{(y', z'): y' <= y, z' >= z, z' <= y'}| up to a term linear in y or z."""
        return max(y - z, Fraction(0)) ** 2 / 2

    def up_to(shift: int) -> Fraction:
        """|{z - y <= shift}| in the box."""
        y0, y1 = a + shift, b + shift
        return below(y1, c) - below(y1, d) - below(y0, c) + below(y0, d)

    return up_to(1) - up_to(-1)


def _product(p: Sequence[Fraction], q: Sequence[Fraction]) -> Polynomial:
    result = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def _composed(p: Sequence[Fraction], start: Fraction, slope: Fraction) -> Polynomial:
    """p(start + slope t) as a polynomial in t."""
    result = [Fraction(0)]
    for coefficient in reversed(p):
        result = _product(result, [start, slope])
        result[0] += coefficient
    return result


def _integral(p: Sequence[Fraction]) -> Polynomial:
    return [Fraction(0), *(a / (i + 1) for i, a in enumerate(p))]


def _value(p: Sequence[Fraction], x: int) -> Fraction:
    return sum((a * x**i for i, a in enumerate(p)), Fraction(0))


def least_bernstein(p: Sequence[Fraction], pieces: int = _PIECES) -> Fraction:
    """A lower bound of p on [0, 1]: its smallest Bernstein coefficient over equal pieces.

    Examples
    --------
    >>> least_bernstein([Fraction(1), Fraction(-2), Fraction(2)], 4)
    Fraction(1, 2)
    """
    degree = len(p) - 1
    least = None
    for piece in range(pieces):
        local = _composed(p, Fraction(piece, pieces), Fraction(1, pieces))
        for i in range(degree + 1):
            terms = (Fraction(math.comb(i, j), math.comb(degree, j)) * local[j] for j in range(i + 1))
            value = sum(terms, Fraction(0))
            least = value if least is None else min(least, value)
    assert least is not None
    return least


def check_certificate(gap: Fraction, coefficients: Sequence[int] = CERTIFICATE) -> bool:
    """Whether phi(z) = z p(z) proves that the odd spectral gap is at least ``gap``.

    It does when p > 0 and ((2 - gap - z) phi(z) - (integral of phi over [1-z, 1]))/z >= 0 on [0, 1]; both are decided
    for the rational polynomials by Bernstein coefficients, without rounding.

    Examples
    --------
    >>> check_certificate(Fraction(614, 1000)), check_certificate(Fraction(615, 1000))
    (True, False)
    """
    p = [Fraction(a) for a in coefficients]
    phi = [Fraction(0), *p]
    primitive = _integral(phi)
    missing = _composed(primitive, Fraction(1), Fraction(-1))  # the integral over [0, 1-z]
    missing[0] -= _value(primitive, 1)
    weighted = _product([2 - gap, Fraction(-1)], phi)
    size = max(len(weighted), len(missing))
    difference = [
        (weighted[i] if i < len(weighted) else 0) + (missing[i] if i < len(missing) else Fraction(0))
        for i in range(size)
    ]
    assert difference[0] == 0
    return least_bernstein(p) > 0 and least_bernstein(difference[1:]) >= 0


def spectral_gap_enclosure() -> tuple[Fraction, Fraction]:
    """Rational bounds on mu_2, the second eigenvalue of (Lh)(z) = (2-|z|) h(z) - (integral of h over |y-z| <= 1).

    Returns lower, upper: the lower end by the certificate (odd functions; even ones have a gap >= 1 - sqrt(1/12) >
    0.711, see the proof), the upper end by the Rayleigh quotient of phi, continued as an odd function.

    Examples
    --------
    >>> lower, upper = spectral_gap_enclosure()
    >>> float(lower), round(float(upper), 6)
    (0.614, 0.614067)
    """
    lower = Fraction(614, 1000)
    assert check_certificate(lower)
    phi = [Fraction(0), *(Fraction(a) for a in CERTIFICATE)]
    primitive = _integral(phi)
    missing = _composed(primitive, Fraction(1), Fraction(-1))
    tail = [-a for a in missing]  # the integral of phi over [1-z, 1]
    tail[0] += _value(primitive, 1)
    square = _product(phi, phi)
    form = _value(_integral(_product([Fraction(2), Fraction(-1)], square)), 1)
    form -= _value(_integral(_product(phi, tail)), 1)
    return lower, form / _value(_integral(square), 1)
