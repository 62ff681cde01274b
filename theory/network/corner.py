"""The corner n = 1 of the main theorem: l = d_0 = d_1 = 1, F = [1], two hidden neurons, R draws of each of 4 elements.

Public through ``theory.network.width``. Exact values, proved in theory/PROOFS.md, 4.5 (c).

The target is f(x) = x on [-1, 1]. The half x >= 0 needs a neuron with b > 0, the half x <= 0 one with b < 0, and for
both the product a*b must be >= 1-eps. Which neuron serves which half is free: masks and re-samplings are chosen after
all draws are seen. Fixing the roles beforehand gives the *designated* event, which fails far more often.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.network.gadget import neuron_log_miss_prob
from theory.network.product_law import log_integral
from theory.numerics.balls import exact, precision
from theory.numerics.check import accuracy, open_probability, positive_int
from theory.numerics.logspace import log1mexp, logsumexp

_BITS = 1280
"""Enough for every digit of R at eps = 5e-324."""


def corner_log_failure_exact(eps: float, R: int) -> float:
    """Natural log of P(no masks and re-samplings give sup error <= eps) for F = [1] and two hidden neurons.

    At most 0. Exact up to quadrature (relative error of the probability about 1e-10); -inf for eps = 1. eps in (0, 1]
    is the error on [-1, 1] (at 1 the empty network will do), R >= 1 the draws of each element. Proved in
    theory/PROOFS.md, 4.5 (c): s(2-s) + 2 t^2, where s = P(a neuron can serve neither half), t = P(it can serve the
    first half only).

    Examples
    --------
    >>> round(math.exp(corner_log_failure_exact(0.1, 305)) * 1e11, 3)
    1.87
    """
    eps, R = accuracy("eps", eps), positive_int("R", R)
    if eps == 1.0:
        return -math.inf
    log_s = min(0.0, _log_neither(eps, R))
    log_u = min(0.0, neuron_log_miss_prob(1.0, eps, R=R))
    log_t = log_u + log1mexp(min(0.0, log_s - log_u))
    return min(0.0, logsumexp([log_s + math.log1p(-math.expm1(log_s)), math.log(2.0) + 2.0 * log_t]))


def corner_failure_exact(eps: float, R: int) -> float:
    """exp(`corner_log_failure_exact`): the exact failure probability of the corner, roles of the neurons free.

    Parameters, errors and source are those of `corner_log_failure_exact`.

    Examples
    --------
    >>> round(corner_failure_exact(0.5, 1), 6)  # 1 - 2 p^2, p = (1 - c + c log c)/4, c = 1/2
    0.997058
    """
    return math.exp(corner_log_failure_exact(eps, R))


def corner_log_failure_designated(eps: float, R: int) -> float:
    """Natural log of the failure probability when the first neuron must serve x >= 0 and the second x <= 0.

    At most 0. Exact for this event, log of u(2-u) with u = P(a neuron cannot serve its half); an upper bound of
    `corner_log_failure_exact`. This is the event of the usual proofs, not the one of the theorem. Parameters are those
    of `corner_log_failure_exact`. Proved in theory/PROOFS.md, 4.5 (c).

    Examples
    --------
    >>> round(math.exp(corner_log_failure_designated(0.1, 305)) * 1e6, 3)
    4.694
    """
    eps, R = accuracy("eps", eps), positive_int("R", R)
    if eps == 1.0:
        return -math.inf
    log_u = min(0.0, neuron_log_miss_prob(1.0, eps, R=R))
    return min(0.0, log_u + math.log1p(-math.expm1(log_u)))


def corner_R(eps: float, delta: float) -> int:
    """Smallest R at which the recalled statement gives n = 1 for widths [1, 1]: ceil(8 sqrt(log(2/delta)) / eps).

    There the recalled statement promises `corner_failure_exact` <= delta, which can be checked exactly. eps in (0, 1]
    is the error of the network, delta in (0, 1) the failure probability. Source: theory/PROOFS.md, 4.5 (c).

    Examples
    --------
    >>> corner_R(0.1, 1e-6), corner_R(0.01, 1e-6)
    (305, 3048)
    """
    eps, delta = accuracy("eps", eps), open_probability("delta", delta)
    with precision(_BITS):
        least = (8 * exact(2 / Fraction(delta)).log().sqrt() / exact(eps)).upper().ceil().unique_fmpz()
    assert least is not None
    return int(least)


def _log_neither(eps: float, R: int) -> float:
    """log of s = c^R [1 + R I_1 + R(R-1)/2 I_2], c = 1-eps, L = -log c, integrals over d in [0, L] of

    exp(d/2) cosh(d/2)^(2R-1) and (L-d) cosh(d/2)^(2R-2); written with v = L-d, since both are largest near d = L.
    """
    import numpy as np

    log_c = math.log1p(-eps)
    span = -log_c

    def log_cosh_half(v: Any) -> Any:
        return np.log1p(2.0 * np.sinh((span - v) / 4.0) ** 2)

    terms = [0.0, math.log(R) + log_integral(lambda v: (span - v) / 2.0 + (2 * R - 1) * log_cosh_half(v), span)]
    if R > 1:
        inner = log_integral(lambda v: np.log(v) + (2 * R - 2) * log_cosh_half(v), span)
        terms.append(math.log(R) + math.log(R - 1) - math.log(2.0) + inner)
    return R * log_c + logsumexp(terms)
