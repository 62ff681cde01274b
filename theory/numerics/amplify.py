"""Many disjoint blocks instead of one: failures of independent blocks multiply (theory/PROOFS.md, 2.3)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache

from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT
from theory.numerics.rounding import lowered


class Blocks:
    """What a proved success probability of one block says of any number n of variables.

    ``success``: a lower bound on the success of m variables, in [0, 1], of a probability that does not fall in m.
    ``sizes``: the m that are tried, ascending. ``together``: whether blocks depend on something that they share (a
    uniform target): then nothing is multiplied.

    Examples
    --------
    >>> coin = Blocks(lambda m: 0.5, (2, 4))
    >>> [round(math.exp(coin.log_failure(n)), 9) for n in (1, 3, 4, 9)]
    [1.0, 0.5, 0.25, 0.0625]
    >>> coin.required_n(0.1)
    8
    """

    def __init__(self, success: Callable[[int], float], sizes: Sequence[int], *, together: bool = False) -> None:
        self._sizes, self._together = sizes, together

        @cache
        def single(place: int) -> float:
            """Log of the failure of one block of sizes[place]; the best so far."""
            bound = success(sizes[place])
            own = -math.inf if bound >= 1.0 else math.log1p(-bound)
            return own if place == 0 else min(own, single(place - 1))

        self._single = single

    def _rest(self, n: int) -> float:
        """Log of the failure of one block among n variables, 0 if none fits."""
        place = bisect_right(self._sizes, n) - 1
        return self._single(place) if place >= 0 else 0.0

    def log_failure(self, n: int) -> float:
        """Logarithm of a bound on the failure probability of n variables: in [-inf, 0], rounded up, nonincreasing."""
        best = self._rest(n)
        if not self._together:
            for place, m in enumerate(self._sizes):
                if m > n:
                    break
                best = min(best, (n // m) * self._single(place) + self._rest(n % m))
        return best * (1.0 - 16 * UNIT)

    def required_n(self, delta: float) -> int:
        """The least n with a failure bound of at most delta; ValueError if none is proved."""
        if not self._together:
            try:
                return smallest_n(self.log_failure, lowered(math.log(delta)))
            except ValueError:
                raise ValueError(f"delta must be proved for some n <= 2^60, got delta={delta}") from None
        for m in self._sizes:
            if self.log_failure(m) <= lowered(math.log(delta)):
                return m
        raise ValueError(f'delta must be reached by n <= {self._sizes[-1]} when alpha="uniform", got delta={delta}')
