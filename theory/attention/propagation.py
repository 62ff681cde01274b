"""Errors of the scores' and of the values' maps, through a softmax, to the error of the outputs (4.10 (a), (b))."""

from __future__ import annotations

import math
from collections.abc import Sequence

from theory.numerics.check import accuracy, positive_int, real

_UP = 1.0 + 2.0**-48
"""More than the rounding of a hyperbolic tangent and of some operations; `_DOWN` likewise."""
_DOWN = 1.0 - 2.0**-48
_TINY = 2.0**-1000
"""Added where a product may have lost digits to underflow."""


def positive(name: str, value: float) -> float:
    """A finite number > 0."""
    number = real(name, value, "(0, inf)")
    if not 0.0 < number < math.inf:
        raise ValueError(f"{name} must be in (0, inf), got {name}={value}")
    return number


def softmax_distance_bound(sigma: float) -> float:
    """Upper bound 2 tanh(sigma/2) on the l1 distance of two softmaxes whose scores differ by at most sigma each.

    In [0, 2], rounded up; attained for every number >= 2 of scores. sigma >= 0, inf allowed. Proved in
    theory/PROOFS.md, 4.10 (a).

    Examples
    --------
    >>> softmax_distance_bound(0.0), softmax_distance_bound(1e-3) <= 1e-3 * (1 + 1e-12), softmax_distance_bound(99.0)
    (0.0, True, 2.0)
    """
    sigma = real("sigma", sigma, "[0, inf]") if sigma != math.inf else sigma
    if not sigma >= 0.0:
        raise ValueError(f"sigma must be at least 0, got sigma={sigma}")
    return 0.0 if sigma == 0.0 else min(2.0, sigma * _UP, 2.0 * math.tanh(0.5 * sigma) * _UP + 5e-324)


def attention_error_bound(
    radius: float, *, score_errors: Sequence[float], value_errors: Sequence[float], value_norms: Sequence[float]
) -> float:
    """Upper bound on the l2 error of every output token, for any number of tokens in the ball of that radius.

    Returns sum_h radius (v_h 2 tanh(radius^2 e_h/2) + e'_h), rounded up. Causal and other masks are allowed. Proved in
    theory/PROOFS.md, 4.10 (b).

    Parameters
    ----------
    radius : float
        The alpha of 4.10: largest l2 norm of an input token, > 0.
    score_errors, value_errors : sequence of float >= 0, one a head
        Upper bounds e_h, e'_h on the spectral norms of the errors of the scores' map W_Q W_K^T and of the values' map
        W_V W_O.
    value_norms : sequence of float >= 0, one a head
        Upper bounds v_h on the spectral norm of the target's values' map.

    Examples
    --------
    >>> bound = attention_error_bound(2.0, score_errors=[0.0, 0.1], value_errors=[0.01, 0.0], value_norms=[1.0, 0.5])
    >>> math.isclose(bound, 0.02 + 2 * math.tanh(0.2))
    True
    """
    radius, total = positive("radius", radius), 0.0
    for score, value, norm in zip(score_errors, value_errors, value_norms, strict=True):
        for name, number in (("score_errors", score), ("value_errors", value), ("value_norms", norm)):
            if not number >= 0.0:
                raise ValueError(f"{name} must be at least 0, got {number}")
        sigma = radius * radius * score * _UP + (_TINY if score > 0.0 else 0.0)
        moved = norm * softmax_distance_bound(sigma) if norm > 0.0 and sigma > 0.0 else 0.0
        total += radius * (moved + value) * _UP + (_TINY if moved + value > 0.0 or norm * score > 0.0 else 0.0)
    return total * (1.0 + 2.0**-50 * (len(value_norms) + 1))


def attention_etas(d: int, eps: float, *, radius: float, heads: int = 1, out: int | None = None) -> tuple[float, float]:
    """Errors allowed for each entry of the scores' and of the values' maps, each of which may use half of eps.

    Returns 2 artanh(eps/(4 H radius))/(d radius^2) and eps/(2 H radius sqrt(d out)), each at most 1; safe side. d >= 1
    is the size of a token, eps in (0, 1] the error of every output token, radius > 0 the largest norm of an input
    token, H = heads >= 1, out (default d) the size of an output token. ValueError if one is below 1e-300. Proved in
    theory/PROOFS.md, 4.10 (b).

    Examples
    --------
    >>> scores, values = attention_etas(4, 0.1, radius=1.0)
    >>> math.isclose(scores, 0.5 * math.atanh(0.025)), math.isclose(values, 0.0125)
    (True, True)
    """
    d, heads, radius, eps = (
        positive_int("d", d),
        positive_int("heads", heads),
        positive("radius", radius),
        accuracy("eps", eps),
    )
    out = d if out is None else positive_int("out", out)
    share = eps / (4.0 * heads * radius)
    certain = share > 1.0 + 2.0**-50
    scores = 1.0 if certain else 2.0 * math.atanh(min(1.0, share) * (1.0 - 2.0**-50)) / d / radius / radius * _DOWN
    scores = min(1.0, scores)
    values = min(1.0, eps / (2.0 * heads * radius * math.sqrt(d) * math.sqrt(out)) * _DOWN)
    if min(scores, values) < 1e-300:
        raise ValueError(f"radius must leave entries an error of 1e-300, got radius={radius}")
    return scores, values
