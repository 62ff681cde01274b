"""How many sums of contributions are good, on average: an upper bound on success, and a prediction (4.7 (e), Lemma E).

A contribution a beta of one draw has, for R >= 2, the density f(z) = R/(2(R-1)) (1 - abs(z)^(R-1)) on [-1, 1], and for
R = 1 the density log(1/abs(z))/2.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import count

from theory.numerics import check
from theory.product_sum.parameters import ProductSumParameters
from theory.question import Target

_ROUNDING = 1e-9
"""Relative; far above the rounding of a few dozen operations on positive numbers."""


def _positive_mass(z: float, R: int) -> float:
    """P(0 < a beta <= z) for z >= 0."""
    z = min(1.0, z)
    if z == 0.0:
        return 0.0
    if R == 1:
        return 0.5 * (z - z * math.log(z))
    return R / (2.0 * (R - 1)) * (z - math.exp(R * math.log(z)) / R)


def contribution_hit_prob(alpha: float, eps: float, R: int) -> float:
    """P(abs(a beta - alpha) <= eps) for one draw of one usable neuron; nothing cancels where abs(alpha) <= eps."""
    low = abs(alpha) - eps
    return _positive_mass(abs(alpha) + eps, R) - math.copysign(_positive_mass(abs(low), R), low)


def pair_density(R: int) -> float:
    """The largest density of the sum of two or more contributions of different neurons, at most.

    Examples
    --------
    >>> pair_density(1), round(pair_density(2), 4), round(pair_density(10**9), 6)
    (1.0, 0.6667, 0.5)
    """
    if R == 1:
        return 1.0
    return R * R / (2.0 * (R - 1) ** 2) * (1.0 - 2.0 / R + 1.0 / (2 * R - 1))


def log_expected_good_bound(n: int, parameters: ProductSumParameters) -> float:
    """Logarithm of an upper bound on the expected number of good choices, the empty one included.

    Proved in theory/PROOFS.md, 4.7 (e), Lemma E; rounded up.
    """
    R, eps, w = parameters.R, parameters.eps, parameters.size
    if parameters.uniform:  # the target's own density is 1/2: any sum is within eps of it with probability <= eps
        return n * math.log1p(0.5 * R) + math.log(eps) + _ROUNDING * (n + 1)
    if parameters.certain:
        return math.inf
    single = contribution_hit_prob(w, eps, R) + _ROUNDING
    several = min(2.0 * eps * pair_density(R), contribution_hit_prob(0.0, eps, R))
    log_choices = n * math.log1p(0.5 * R)
    first = 0.5 * n * R * single
    if log_choices > 700.0:
        return log_choices + math.log(several) + _ROUNDING * (n + 1)
    rest = math.expm1(log_choices) - 0.5 * n * R
    total = first + several * max(0.0, rest + _ROUNDING * math.exp(log_choices))
    return math.log(total) + _ROUNDING if total > 0.0 else -math.inf


def success_prob_upper(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Proved upper bound on the success probability of n >= 0 neurons: the expected number of good choices.

    In [0, 1], rounded up, nondecreasing in n. 1 if abs(alpha) <= eps. Parameters are those of `ProductSum`. Proved in
    theory/PROOFS.md, 4.7 (e), Lemma E.

    Examples
    --------
    >>> round(success_prob_upper(5, 1, eps=0.01, alpha=0.5), 4)
    0.0992
    """
    n = check.natural("n", n)
    bound = log_expected_good_bound(n, ProductSumParameters(R=R, eps=eps, alpha=alpha))
    return 1.0 if bound >= 0.0 else math.exp(bound)


def necessary_n(eps: float, delta: float, *, R: int, alpha: Target) -> int:
    """Neurons without which success >= 1 - delta is impossible: the first n whose expected number allows it.

    Parameters are those of `ProductSum`; delta in (0, 1). Proved in theory/PROOFS.md, 4.7 (e), Lemma E.

    Examples
    --------
    >>> necessary_n(0.01, 0.01, R=1, alpha=0.5)
    10
    """
    delta = check.open_probability("delta", delta)
    return next(n for n in count() if success_prob_upper(n, R, eps=eps, alpha=alpha) >= 1.0 - delta)


@lru_cache(maxsize=65536)
def _success_given_usable(usable: int, parameters: ProductSumParameters) -> float:
    """Success with that many usable neurons: Poisson many good choices given the mean and variance of a random one.

    A random choice takes each of the R contributions of a neuron, or none, with probability 1/(R+1). Its variance is
    taken for a gamma variable with the right first two moments, and its mean for a centred normal one; heuristic.
    """
    import numpy as np
    from scipy.special import gammaincinv, ndtr, ndtri

    R, eps, alpha = parameters.R, parameters.eps, parameters.size
    if usable == 1:
        return min(1.0, R * contribution_hit_prob(alpha, eps, R))
    each = R**3 / (3.0 * (R + 2.0) * (R + 1.0) ** 2)
    pairs = R * (R - 1) / 9.0
    square = R / (R + 4.0) * (R * R * (R / 5.0 + pairs) + 2.0 * pairs) / (R + 1.0) ** 4
    spread = square - each * each
    middles = (np.arange(_NODES) + 0.5) / _NODES
    variance = gammaincinv(usable * each * each / spread, middles)[:, None] * (spread / each)
    mean = np.sqrt(variance / R) * ndtri(middles)
    deviation = np.sqrt(variance)
    hit = ndtr((alpha + eps - mean) / deviation) - ndtr((alpha - eps - mean) / deviation)
    good = math.exp(min(700.0, usable * math.log(R + 1.0))) * hit
    return float(np.mean(-np.expm1(-good)))


_NODES = 33
"""Of each average over equally likely parts."""


def success_prediction(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Predicted success probability of n >= 0 neurons. Heuristic; within 0.09 of every simulation tried.

    Parameters are those of `ProductSum`.

    Examples
    --------
    >>> round(success_prediction(12, 1, eps=0.01, alpha=0.5), 2)
    0.4
    """
    n = check.natural("n", n)
    asked = ProductSumParameters(R=R, eps=eps, alpha=alpha)
    targets = [(2 * j + 1) / (2 * _NODES) for j in range(_NODES)] if asked.uniform else [asked.size]
    success = 0.0
    for target in targets:
        one = ProductSumParameters(R=asked.R, eps=asked.eps, alpha=target)
        if one.certain:
            success += 1.0 / len(targets)
            continue
        log_half = n * math.log(0.5)
        for usable in range(1, n + 1):
            log_weight = math.lgamma(n + 1) - math.lgamma(usable + 1) - math.lgamma(n - usable + 1) + log_half
            success += math.exp(log_weight) * _success_given_usable(usable, one) / len(targets)
    return min(1.0, success)


def predicted_n(eps: float, delta: float, *, R: int, alpha: Target) -> int:
    """The first n whose predicted success is at least 1 - delta, delta in (0, 1). Heuristic.

    Parameters are those of `ProductSum`.

    Examples
    --------
    >>> predicted_n(0.01, 0.01, R=1, alpha=0.5)
    32
    """
    delta = check.open_probability("delta", delta)
    return next(n for n in count() if success_prediction(n, R, eps=eps, alpha=alpha) >= 1.0 - delta)
