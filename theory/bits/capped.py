"""Draws that end after R: how often nothing is found, and what the index costs with exceptions (8.4).

A case is a `DrawCode`; its blocks are uniform or fixed, its draws uniform.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from theory.bits.hits import hits_of, mean_convex
from theory.bits.index import mean_log2_index
from theory.bits.parameters import DrawCodeParameters
from theory.numerics import check
from theory.numerics.balls import down, exact, log_one_minus, precision, up

_MOST = 2**60
"""Largest R."""


def _cap(R: int) -> int:
    R = check.positive_int("R", R)
    if R > _MOST:
        raise ValueError(f"R must be at most 2^60, got R >= 2^{R.bit_length() - 1}")
    return R


def _miss(p: Fraction, R: int) -> Any:
    """(1-p)^R."""
    return exact(0.0) if p == 1 else (R * log_one_minus(p)).exp()


def _draws(p: Fraction, R: int) -> Any:
    """(1-(1-p)^R)/p."""
    return exact(1.0) if p == 1 else -(R * log_one_minus(p)).expm1() / exact(p)


@lru_cache(maxsize=4096)
def _misses(R: int, case: DrawCodeParameters) -> tuple[Any, Any]:
    """Enclosure of P(no hit in R draws), two balls."""
    with precision():
        return mean_convex(case, lambda p: _miss(p, R))


@lru_cache(maxsize=4096)
def _looked(R: int, case: DrawCodeParameters) -> tuple[Any, Any]:
    """Enclosure of E min(K, R), two balls."""
    with precision():
        return mean_convex(case, lambda p: _draws(p, R))


def miss_prob(R: int, case: DrawCodeParameters) -> tuple[float, float]:
    """Enclosure of the probability that none of R draws is within eps of the block: E (1-p)^R.

    (low, high) in [0, 1], rounded outward; equal but for rounding where the block is fixed. R from 1 to 2^60. Proved in
    theory/PROOFS.md, 8.4.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> [round(end, 9) for end in miss_prob(100, DrawCode(eps=0.01))]  # single_weight: (1-p)^100, averaged
    [0.367131763, 0.367131909]
    """
    R = _cap(R)
    with precision():
        low, high = _misses(R, case)
        return max(0.0, down(low)), min(1.0, up(high))


def mean_draws(R: int, case: DrawCodeParameters) -> tuple[float, float]:
    """Enclosure of E min(K, R), the draws that a search looks at: E (1-(1-p)^R)/p.

    (low, high), rounded outward. R from 1 to 2^60. Proved in theory/PROOFS.md, 8.4.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> [round(end, 9) for end in mean_draws(2, DrawCode(eps=0.5, alpha=0.0))]
    [1.5, 1.5]
    """
    R = _cap(R)
    with precision():
        low, high = _looked(R, case)
        return down(low), up(high)


def hit_share(R: int, case: DrawCodeParameters) -> float:
    """The probability of a hit that the best law of coin tosses has: P(K <= R)/E min(K, R), as a float in (0, 1].

    Source: theory/PROOFS.md, 8.4.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> hit_share(2, DrawCode(eps=0.5, alpha=0.0))
    0.5
    """
    R = _cap(R)
    with precision():
        return min(1.0, float((1 - _misses(R, case)[1]) / _looked(R, case)[1]))


def capped_bits_bound(R: int, case: DrawCodeParameters, *, exception_bits: float) -> float:
    """Proved upper bound on the mean bits of a block: the index among R draws, or an exception that is stored.

    Rounded up. The code is that of coin tosses with probability `hit_share`, cut after R; a block without a hit costs
    ``exception_bits`` >= 0 more. R from 1 to 2^60. Proved in theory/PROOFS.md, 8.4.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> two = capped_bits_bound(2, DrawCode(eps=0.5, alpha=0.0), exception_bits=8.0)
    >>> round(two, 9)  # 1.5 tosses, and 8 bits for a quarter of the blocks
    3.5
    >>> round(capped_bits_bound(2**10, DrawCode(eps=0.01), exception_bits=32.0), 3)
    8.086
    """
    R, extra = _cap(R), check.nonnegative("exception_bits", exception_bits)
    if hits_of(case).least == 1:
        return 0.0
    p = Fraction(hit_share(R, case))
    with precision():
        hit, toss = -exact(p).log() / exact(2.0).log(), -log_one_minus(p) / exact(2.0).log()
        looked = _looked(R, case)[1]
        low, high = ((1 - m) * hit + (looked - 1 + m) * toss + m * exact(extra) for m in _misses(R, case))
        return up(low.max(high))


_SHORT = 64
"""R up to which the mean logarithm is added up."""


def _short_log(p: Fraction, R: int) -> Any:
    """The sum of (1-p)^k log(1+1/k) over k < R: E log min(K, R)."""
    total, power, miss = exact(0.0), exact(1.0), exact(1 - p)
    for k in range(1, R):
        power *= miss
        total += power * exact(Fraction(1, k)).log1p()
    return total


def mean_log2_index_capped(R: int, case: DrawCodeParameters) -> tuple[float, float]:
    """Enclosure of E log2 min(K, R): added up for R <= 64; else that of E log2 K, its low end lowered by what is cut.

    (low, high), rounded outward. R from 1 to 2^60. Proved in theory/PROOFS.md, 8.4.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> low, high = mean_log2_index_capped(2**12, DrawCode(eps=0.01))
    >>> round(low, 2), round(high, 2)
    (5.85, 5.85)
    """
    R = _cap(R)
    if R <= _SHORT:
        with precision():
            low, high = mean_convex(case, lambda p: _short_log(p, R))
            return max(0.0, down(low / exact(2.0).log())), up(high / exact(2.0).log())
    least, most = mean_log2_index(case)
    with precision():
        lost = mean_convex(case, lambda p: _miss(p, R) / exact(p))[1] / R / exact(2.0).log()
        return max(0.0, down(exact(least) - lost)), most
