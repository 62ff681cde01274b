"""Probabilities handled by their natural logarithms, so that neither 1e-300 nor (R+1)^1000 causes trouble."""

from __future__ import annotations

import math
from collections.abc import Iterable

SMALLEST_NORMAL = 2.3e-308
"""Below it floats have fewer digits."""


def log1mexp(x: float) -> float:
    """Logarithm of 1 - exp(x) for x <= 0, without cancellation at either end.

    In [-inf, 0]; -inf at x = 0. Raises ValueError if x > 0 or x is not a number.

    ``x``: logarithm of a probability, in [-inf, 0].

    Examples
    --------
    >>> log1mexp(-1e-20)
    -46.051701859880914
    >>> log1mexp(-math.inf)
    0.0
    """
    if not x <= 0.0:
        raise ValueError(f"x must be in [-inf, 0], got x={x}")
    if x == 0.0:
        return -math.inf
    if x > -math.log(2.0):
        return math.log(-math.expm1(x))
    return math.log1p(-math.exp(x)) + 0.0


def logsumexp(terms: Iterable[float]) -> float:
    """Logarithm of the sum of exp(term); -inf for no terms.

    ``terms``: logarithms of nonnegative numbers; -inf is allowed.

    Examples
    --------
    >>> math.isclose(logsumexp([1000.0, 1000.0]), 1000.0 + math.log(2.0))
    True
    >>> logsumexp([])
    -inf
    """
    values = list(terms)
    top = max(values, default=-math.inf)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(value - top) for value in values))


def exp_up(x: float) -> float:
    """exp(x) of the logarithm of an upper bound on a probability: where floats lose accuracy it is rounded up.

    In [0, 1]; 0 at -inf only, never by underflow.

    ``x``: in [-inf, 0].

    Examples
    --------
    >>> exp_up(0.0), exp_up(-math.inf), 0.0 < exp_up(-1e9) < 1e-300
    (1.0, 0.0, True)
    """
    value = math.exp(x)
    return value if value >= SMALLEST_NORMAL or x == -math.inf else value + 2 * math.ulp(0.0)


def any_of(p: float, R: float) -> float:
    """Probability 1 - (1-p)^R that at least one of R independent events of probability p happens.

    In [0, 1], accurate to rounding even for p = 1e-300 or R = 1e300.

    ``p``: in [0, 1]; ``R``: number of events, >= 0.

    Examples
    --------
    >>> math.isclose(any_of(1e-18, 10**9), 1e-9)
    True
    >>> any_of(1.0, 3)
    1.0
    """
    if R == 0:
        return 0.0
    if p >= 1.0:
        return 1.0
    return -math.expm1(R * math.log1p(-p))
