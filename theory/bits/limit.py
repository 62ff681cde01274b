"""What no code can do without (8.1), and what an unmatched law of the draws costs (8.3).

A case is a `DrawCode` or a `Laws`; bits are those of a block of d weights.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.bits.hits import Case, hits_of
from theory.bits.laws import UNIFORM, Histogram, Laws
from theory.bits.parameters import block_of
from theory.numerics import check
from theory.numerics.balls import down, exact, precision, up


def log2_ball(value: Fraction) -> Any:
    """log2 of a positive rational number, exact for powers of 2."""
    whole = value.numerator.bit_length() - value.denominator.bit_length()
    return whole + exact(value / Fraction(2) ** whole).log() / exact(2.0).log()


def _entropy(law: Histogram) -> Any:
    """Differential entropy in bits."""
    from flint import arb

    return sum((exact(s) * log2_ball((b - a) / s) for a, b, s in law.cells if s), arb(0))


def entropy_bits(law: Histogram) -> float:
    """Differential entropy h of a law in bits, rounded down; it may be negative.

    Examples
    --------
    >>> entropy_bits(Histogram((-1.0, 1.0), (1.0,))), entropy_bits(Histogram((0.0, 0.25), (1.0,)))
    (1.0, -2.0)
    """
    with precision():
        return down(_entropy(law))


def _limit(case: Case) -> Any:
    target = case.target if isinstance(case, Laws) else UNIFORM
    return case.d * (_entropy(target) - log2_ball(2 * Fraction(case.eps)))


def necessary_bits(case: Case) -> float:
    """Bits that every code takes on average that brings a block within eps: d (h(W) - log2(2 eps)).

    Rounded down, >= 0; 0 for a fixed block, which is known. It holds for every prefix code, however encoder and decoder
    use common random numbers, and for many blocks coded as one. Proved in theory/PROOFS.md, 8.1.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> round(necessary_bits(DrawCode(eps=0.01)), 4), necessary_bits(DrawCode(eps=0.25, d=2))
    (6.6439, 4.0)
    """
    if not isinstance(case, Laws) and not case.uniform:
        return 0.0
    with precision():
        return max(0.0, down(_limit(case)))


def necessary_log2_codewords(eps: float, delta: float, *, d: int) -> float:
    """log2 of the codewords without which not every block of [-1, 1]^d is reached with probability 1 - delta.

    Returns d log2(1/eps) + log2(1-delta), rounded down, >= 0: the bits of a code of fixed length. eps in (0, 1], delta
    in (0, 1), a block of d weights. Proved in theory/PROOFS.md, 8.1.

    Examples
    --------
    >>> necessary_log2_codewords(0.25, 0.5, d=2)
    3.0
    """
    eps, delta, d = check.accuracy("eps", eps), check.open_probability("delta", delta), block_of(d)
    with precision():
        return max(0.0, down(log2_ball(1 - Fraction(delta)) - d * log2_ball(Fraction(eps))))


def mean_log2_inverse_hit(case: Case) -> tuple[float, float]:
    """Enclosure of E log2(1/p(W)), p the probability that one draw is within eps of the block.

    Rounded outward. Proved in theory/PROOFS.md, 8.3.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> low, high = mean_log2_inverse_hit(DrawCode(eps=0.01))  # log2(100) + 0.01 (log2(e) - 1)
    >>> round(low, 6), high - low < 1e-14
    (6.648283, True)
    """
    with precision():
        value = hits_of(case).log_inverse / exact(2.0).log()
        return down(value), up(value)


def mismatch_bits(case: Case) -> tuple[float, float]:
    """Enclosure of what an unmatched law costs: the divergence D(f || q * window) of a block, in bits.

    (low, high), low >= 0, rounded outward: E log2(1/p(W)) is `necessary_bits` plus this. Raises ValueError for a fixed
    block. Proved in theory/PROOFS.md, 8.3.

    Examples
    --------
    >>> narrow = Histogram((-0.25, 0.25), (1.0,))
    >>> low, high = mismatch_bits(Laws(target=narrow, source=UNIFORM, eps=0.125))  # a quarter of the draws are of use
    >>> round(low, 12), round(high, 12)
    (2.0, 2.0)
    """
    if not isinstance(case, Laws) and not case.uniform:
        raise ValueError(f'alpha must be "uniform" where a density is asked for, got alpha={case.alpha}')
    with precision():
        value = hits_of(case).log_inverse / exact(2.0).log() - _limit(case)
        low, high = down(value), up(value)
    return max(0.0, low), max(0.0, math.nextafter(high, math.inf) if high < 0.0 else high)
