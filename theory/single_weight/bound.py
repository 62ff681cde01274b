"""The bound of iterative randomisation on the miss of every single target, and what it makes sufficient (1.2)."""

from __future__ import annotations

import math
from fractions import Fraction

from theory.numerics import check
from theory.numerics.rounding import above, probability_above, raised
from theory.single_weight.law import draws_of
from theory.single_weight.parameters import SingleWeightParameters


def log_miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Logarithm -n R eps/2 of `miss_prob_bound`.

    At most 0, rounded up. Parameters are those of `SingleWeight`; n >= 1 candidates, n R at most 2^1000. Proved in
    theory/PROOFS.md, 1.2.

    Examples
    --------
    >>> log_miss_prob_bound(10, 4, eps=0.5)
    -10.0
    """
    asked = SingleWeightParameters(R=R, eps=eps)
    return above(-draws_of(n, asked) * Fraction(asked.eps) / 2)


def miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Upper bound exp(-n R eps/2) on the miss probability of every target in [-1, 1].

    In [0, 1], rounded up; close to the truth only when |alpha| = 1. Parameters are those of `SingleWeight`; n >= 1
    candidates, n R at most 2^1000. Proved in theory/PROOFS.md, 1.2; for R = 1 it is a lemma of key chijiwa2021iterand.

    Examples
    --------
    >>> round(miss_prob_bound(20, 1, eps=0.1), 6)
    0.367879
    """
    return probability_above(log_miss_prob_bound(n, R, eps=eps))


def required_n(eps: float, delta: float, *, R: int) -> int:
    """Candidates that suffice for any target by the bound 1.2: the least n >= 2/(eps R) log(1/delta).

    Sufficient, >= 1. The logarithm is rounded up, so the inequality holds for exact real numbers. Parameters are those
    of `SingleWeight`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 1.2.

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1), required_n(0.01, 0.05, R=10)
    (600, 60)
    """
    delta = check.open_probability("delta", delta)
    asked = SingleWeightParameters(R=R, eps=eps)
    return max(1, math.ceil(2 * Fraction(raised(-math.log(delta))) / (Fraction(asked.eps) * asked.R)))
