"""The draw code as a question."""

from __future__ import annotations

import math
from dataclasses import dataclass

from theory.bits import capped
from theory.bits.parameters import DrawCodeParameters
from theory.numerics import check
from theory.numerics.invert import smallest_n

MAX_BITS = 60
"""Most bits of an index that is stored as it is."""


@dataclass(frozen=True, kw_only=True)
class DrawCode(DrawCodeParameters):
    __doc__ = DrawCodeParameters.__doc__

    def _least(self, delta: float, end: int) -> int:
        delta = check.open_probability("delta", delta)
        if self.miss(MAX_BITS)[end] > delta:
            raise ValueError(
                f"eps must take at most {MAX_BITS} bits, got eps={self.eps} with d={self.d}, delta={delta}"
            )
        return smallest_n(lambda n: self.miss(n)[end], delta, limit=MAX_BITS)

    def required_n(self, delta: float) -> int:
        """Bits of an index that suffice (8.4); ValueError beyond 60."""
        return self._least(delta, 1)

    def necessary_n(self, delta: float) -> int:
        """Bits of an index without which it fails more often (8.4); as `required_n` but for a hair's breadth."""
        return self._least(delta, 0)

    def predicted_n(self, delta: float) -> int:
        """As `required_n`: the law is known."""
        return self.required_n(delta)

    def miss(self, n: int) -> tuple[float, float]:
        """Enclosure of the probability that none of 2^n draws hits (8.4)."""
        return capped.miss_prob(2 ** check.natural("n", n), self)

    def success_lower(self, n: int) -> float:
        """Lower end of the success probability of n bits (8.4), rounded down."""
        return max(0.0, _complement(self.miss(n)[1], -1.0))

    def success_upper(self, n: int) -> float:
        """Upper end of the success probability of n bits (8.4), rounded up."""
        return min(1.0, _complement(self.miss(n)[0], 2.0))

    def success_prediction(self, n: int) -> float:
        """The middle of the two: the law is known."""
        low, high = self.miss(n)
        return 1.0 - 0.5 * (low + high)


def _complement(p: float, towards: float) -> float:
    """1 - p, rounded towards a number; exact at 0 and 1."""
    return 1.0 - p if p in (0.0, 1.0) else math.nextafter(1.0 - p, towards)
