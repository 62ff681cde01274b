"""The bound of iterative randomisation on the miss of every single target, and what it makes sufficient (1.2)."""

from __future__ import annotations

import math
from fractions import Fraction

from theory.numerics import check
from theory.numerics.logspace import exp_up
from theory.numerics.rounding import raised
from theory.single_weight.parameters import SingleWeightParameters


def log_miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Logarithm -n R eps/2 of `miss_prob_bound`.

    At most 0. Parameters are those of `SingleWeight`; n >= 1 candidates. Proved in theory/PROOFS.md, 1.2.

    Examples
    --------
    >>> log_miss_prob_bound(10, 4, eps=0.5)
    -10.0
    """
    n, asked = check.positive_int("n", n), SingleWeightParameters(R=R, eps=eps)
    return -0.5 * (n * asked.R) * asked.eps


def miss_prob_bound(n: int, R: int, *, eps: float) -> float:
    """Upper bound exp(-n R eps/2) on the miss probability of every target in [-1, 1].

    In [0, 1]; an upper bound, close to the truth only when |alpha| = 1. Parameters are those of `SingleWeight`; n >= 1
    candidates. Proved in theory/PROOFS.md, 1.2; for R = 1 it is a lemma of key chijiwa2021iterand.

    Examples
    --------
    >>> round(miss_prob_bound(20, 1, eps=0.1), 6)
    0.367879
    """
    return exp_up(log_miss_prob_bound(n, R, eps=eps))


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
