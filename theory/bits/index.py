"""The index of the first draw within eps: its mean logarithm, and its entropy from both sides (8.2).

A case is a `DrawCode` or a `Laws`; bits are those of one index, which stands for a block of d weights.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

from theory.bits.hits import Case, hits_of
from theory.numerics.balls import down, exact, precision, up

_TERMS = 512

_LEAST_SPREAD = 2.0**-40
"""In place of an m below it, for which the entropy of the scale is less."""

_SPECHT = 0.0862
"""Above log2(log2 e) - log2 e + 1, the most by which log2 E X exceeds E log2 X for X in [a, 2a]."""


def _log2(natural: Any) -> Any:
    return natural / exact(2.0).log()


def coin_entropy(p: Any) -> Any:
    """H2(p)/p in nats of a ball p in (0, 1): the entropy of the number of tosses until the first hit."""
    return -p.log() - (1 - p) * (-p).log1p() / p


@lru_cache(maxsize=256)
def _euler(p: Fraction) -> tuple[Any, Any]:
    """Enclosure of log(1/p) - E log K, K the number of tosses of probability p until the first hit (8.2)."""
    from flint import arb

    if p == 1:
        return arb(0), arb(0)
    miss, power, total = exact(1 - p), arb(1), arb(0)
    for k in range(1, _TERMS + 1):
        power *= miss
        total += power * (exact(Fraction(1, k)) - exact(Fraction(1, k)).log1p())
    tail = power * miss / (2 * _TERMS)
    gamma = arb.const_euler()
    lost = exact(p) / 2 * (2 + exact(p) - exact(p).log())
    return total.max(gamma - lost), (total + tail).min(gamma)


def mean_log2_index(case: Case) -> tuple[float, float]:
    """Enclosure of E log2 K, K the index of the first draw within eps of the block.

    (low, high), rounded outward; near E log2(1/p) - 0.8327 for small p. Proved in theory/PROOFS.md, 8.2.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> low, high = mean_log2_index(DrawCode(eps=0.5, alpha=0.0))  # sum of log2(k)/2^k
    >>> round(low, 6), high - low < 1e-12
    (0.732649, True)
    """
    from flint import arb

    hits = hits_of(case)
    with precision():  # the amount by which E log K is below log(1/p) falls as p grows
        above, below = _euler(hits.least)[1] if hits.least else arb.const_euler(), _euler(hits.most)
        low = hits.log_inverse - exact(hits.often) * below[1] - exact(1 - hits.often) * above
        high = hits.log_inverse - below[0]
        return max(0.0, down(_log2(low))), up(_log2(high))


def index_bits_lower(case: Case) -> float:
    """Proved lower bound on the entropy H(K) of the index: the mean of H2(p)/p, less at most E (p + p^2) log2(e)/2.

    Rounded down, >= 0: a code of the index that does not look at the draws takes at least as much. Proved in
    theory/PROOFS.md, 8.2.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> round(index_bits_lower(DrawCode(eps=0.01)), 3)
    8.084
    """
    hits = hits_of(case)
    with precision():
        most = exact(hits.most)
        if hits.most == 1 and hits.least == 1:
            return 0.0
        exactly = coin_entropy(most) if hits.least == hits.most else hits.log_inverse + 1 - (most + most**2) / 2
        return max(0.0, down(_log2(exactly)))


def index_bits_bound(case: Case) -> float:
    """Proved upper bound on the entropy H(K) of the index: what a coder that knows the law of K takes.

    Rounded up. The better of M H2(1/M), M = E 1/p the mean of K, which the law of coin tosses with probability 1/M
    takes; and E log2(1/p) + log2(e) + 0.0862 + (1 + m) H2(1/(1+m)), m = E log2(1/p) - log2(1/max p), where K's scale is
    coded first. A prefix code of N indices takes less than N H(K) + 1. Proved in theory/PROOFS.md, 8.2.

    Examples
    --------
    >>> from theory.bits.question import DrawCode
    >>> [round(index_bits_bound(DrawCode(eps=0.01, d=d)) / d, 3) for d in (1, 2, 4)]  # bits a weight; 6.644 necessary
    [8.085, 7.371, 7.01]
    """
    hits = hits_of(case)
    with precision():
        if hits.least == 1:
            return 0.0
        spread = _log2(hits.log_inverse + exact(hits.most).log()).max(exact(_LEAST_SPREAD))
        scale = (1 + spread) * spread.log1p() - spread * spread.log()  # (1 + m) H2(1/(1+m)), increasing in m
        best = up(_log2(hits.log_inverse + 1 + scale) + exact(_SPECHT))
        if hits.inverse.is_finite():
            best = min(best, up(_log2(coin_entropy(1 / hits.inverse))))
        return best


def geometric_bits(index: int, hit: float) -> float:
    """Bits of index k >= 1 under the law of coin tosses: log2(1/hit) + (k-1) log2(1/(1-hit)), hit in (0, 1).

    To the accuracy of floats. Source: theory/PROOFS.md, 8.2.

    Examples
    --------
    >>> geometric_bits(3, 0.5)
    3.0
    """
    return (-math.log(hit) - (index - 1) * math.log1p(-hit)) / math.log(2.0)
