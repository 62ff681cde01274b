"""One target value from n binary weights: each offers R random signs, and all share one gain.

A variable offers R independent fair signs times the gain g; at most one is taken, so that with N plus and M minus
signs on offer the sums are exactly g {-M, ..., N}: steps of g, where n continuous values give (R+1)^n different sums.
Hence the error falls like 1/n, not exponentially. ``alpha`` is a number in [-1, 1], or "uniform" (averaged over a
target drawn from U[-1, 1]), or "worst" (the least favourable target in [-1, 1]). Numbers are taken as the exact
rationals that the floats are. Statements 7.1 to 7.7; proofs in theory/PROOFS.md. They are ours; of the paper on binary
weights (``diffenderfer2021multiprize``) only the order of growth of its width has been read, in a later paper.
"""

from __future__ import annotations

import math

from theory.binary_weights.case import Target, gain_of, sign_count, signs_needed, target_of
from theory.binary_weights.law import at_least, fewer, joint_tail
from theory.binary_weights.parameters import BinaryWeightsParameters, Gain, Kind
from theory.binary_weights.uniform import mean_covered
from theory.numerics import check


def equivalent_subset(n: int, R: int, *, kind: Kind = "subset", inner: int = 1) -> tuple[int, int]:
    """The subset of single signs that has the same sums: (values, draws of each).

    Returns n and R for the other functions of this module. Parameters are those of `BinaryWeights`; n >= 1 units. A
    product of two signs, both re-sampled, is one sign of 2R-1 draws; two stages are n ``inner`` signs. Proved in
    theory/PROOFS.md, 7.5.

    Examples
    --------
    >>> equivalent_subset(8, 3, kind="product"), equivalent_subset(8, 1, kind="two-stage", inner=5)
    ((8, 5), (40, 1))
    """
    n = check.positive_int("n", n)
    asked = BinaryWeightsParameters(R=R, kind=kind, inner=inner)
    if asked.kind == "subset":
        return n, asked.R
    return (n, 2 * asked.R - 1) if asked.kind == "product" else (n * asked.inner, asked.R)


def best_gain(eps: float) -> float:
    """The gain 2 eps: best for the worst target, for a uniform target and for all targets at once, whatever n and R.

    Returns 2 eps. Parameters are those of `BinaryWeights`. Proved in theory/PROOFS.md, 7.2.

    Examples
    --------
    >>> best_gain(0.05)
    0.1
    """
    return 2.0 * check.accuracy("eps", eps)


def success_prob_exact(n: int, R: int, *, eps: float, alpha: Target, gain: Gain = "best") -> float:
    """Probability that some choice of the n signs times the gain lies within eps of alpha.

    In [0, 1], exact up to rounding; 0 where the gain steps over the target. Parameters are those of `BinaryWeights`
    with kind "subset" (`equivalent_subset` gives the others'), but any gain > 0, and alpha may be "worst", the least
    favourable target; n variables, 1 to 10^15. Proved in theory/PROOFS.md, 7.1 (7.2 for "worst"): P(Bin(n, 1-2^-R) >=
    a), a = `signs_needed`.

    Examples
    --------
    >>> success_prob_exact(5, 1, eps=0.05, alpha=0.5), success_prob_exact(5, 1, eps=0.05, alpha=0.5, gain=0.3)
    (0.03125, 0.0)
    >>> success_prob_exact(1, 1, eps=0.25, alpha="uniform")
    0.5
    """
    return _hit_and_miss(n, R, eps, alpha, gain)[0]


def miss_prob_exact(n: int, R: int, *, eps: float, alpha: Target, gain: Gain = "best") -> float:
    """Probability that no choice of the n signs times the gain lies within eps of alpha.

    In [0, 1], exact up to rounding, with full relative accuracy where it is tiny. Parameters are those of
    `success_prob_exact`. Proved in theory/PROOFS.md, 7.1 (7.2 for "worst").

    Examples
    --------
    >>> miss_prob_exact(1000, 2, eps=0.05, alpha=1.0) < 1e-300
    True
    """
    return _hit_and_miss(n, R, eps, alpha, gain)[1]


def _hit_and_miss(n: int, R: int, eps: float, alpha: Target, gain: Gain) -> tuple[float, float]:
    n, R = sign_count(n), check.draw_count("R", R)
    if target_of(alpha) != "uniform":
        count = signs_needed(eps, alpha=alpha, gain=gain)
        return (0.0, 1.0) if count is None else (at_least(n, count, R), fewer(n, count, R))
    return mean_covered(n, R, check.accuracy("eps", eps), gain_of(gain, eps))


def success_prob_all_exact(n: int, R: int, *, eps: float, gain: Gain = "best") -> float:
    """Probability that every target in [-1, 1] at once is within eps of some sum of the same n signs.

    In [0, 1], exact up to rounding, with full relative accuracy where it is tiny; 0 for a gain above 2 eps (unless eps
    = 1). Parameters are those of `success_prob_exact`; n is at most 200000 for R > 1. Proved in theory/PROOFS.md, 7.3.

    Examples
    --------
    >>> success_prob_all_exact(2, 1, eps=0.4), success_prob_all_exact(1, 9, eps=0.4) == 1 - 2**-8
    (0.5, True)
    """
    return _all_hit_and_miss(n, R, eps, gain)[0]


def _all_hit_and_miss(n: int, R: int, eps: float, gain: Gain) -> tuple[float, float]:
    n, R = sign_count(n), check.draw_count("R", R)
    count = signs_needed(eps, alpha="worst", gain=gain)
    return (0.0, 1.0) if count is None else joint_tail(n, count, R)


def miss_prob_all_exact(n: int, R: int, *, eps: float, gain: Gain = "best") -> float:
    """Probability that some target in [-1, 1] is farther than eps from every sum of the same n signs.

    Parameters, errors and source are those of `success_prob_all_exact`; full relative accuracy where it is tiny.

    Examples
    --------
    >>> miss_prob_all_exact(1, 9, eps=0.4) == 2**-8
    True
    """
    return _all_hit_and_miss(n, R, eps, gain)[1]


def required_n_closed_form(eps: float, delta: float, *, R: int) -> int:
    """A sufficient number of variables for the worst target at the best gain, by Hoeffding's inequality.

    Returns ceil of ((sqrt(L/2) + sqrt(L/2 + 4 q (K-1)))/(2q))^2, L = log(1/delta), q = 1-2^-R, K = ceil((1-eps)/(2
    eps)); 1 if eps = 1; rounded up, never below `required_n`. Parameters are those of `BinaryWeights`, eps at least
    2^-1001; delta in (0, 1). Proved in theory/PROOFS.md, 7.2.

    Examples
    --------
    >>> required_n_closed_form(0.05, 0.05, R=1), required_n_closed_form(0.01, 0.05, R=1)
    (32, 126)
    """
    eps, delta, R = check.accuracy("eps", eps), check.open_probability("delta", delta), check.draw_count("R", R)
    count = signs_needed(eps, alpha="worst")
    assert count is not None
    if count == 0:
        return 1
    if count > 2**1000:
        raise ValueError(f"eps must be at least 2^-1001, got eps={eps}")
    half, q = -math.log(delta) / 2.0, -math.expm1(-R * math.log(2.0))
    root = (math.sqrt(half) + math.sqrt(half + 4.0 * q * (count - 1))) / (2.0 * q)
    return max(count, math.ceil(root**2 * (1.0 + 1e-14)))
