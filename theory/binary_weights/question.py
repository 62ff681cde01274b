"""Binary weights as a question."""

from __future__ import annotations

import math
from dataclasses import dataclass

from theory.binary_weights import bounds, required
from theory.binary_weights.parameters import BinaryWeightsParameters

_ROUNDING = 2.0**-50
"""Relative; the law is exact to a few units of 2^-53."""


@dataclass(frozen=True, kw_only=True)
class BinaryWeights(BinaryWeightsParameters):
    __doc__ = BinaryWeightsParameters.__doc__

    def equivalent_subset(self, n: int) -> tuple[int, int]:
        """The subset of single signs that has the same sums: (values, draws of each) (7.5)."""
        return bounds.equivalent_subset(n, self.R, kind=self.kind, inner=self.inner)

    def required_n(self, delta: float) -> int:
        """Exactly the units that it takes (7.1); raises ValueError where no number does with this gain."""
        per_unit, R = self.equivalent_subset(1)
        return -(-required.required_n(self.eps, delta, R=R, alpha=self.alpha, gain=self.gain) // per_unit)

    def necessary_n(self, delta: float) -> int:
        """As `required_n`: the law is known exactly."""
        return self.required_n(delta)

    def predicted_n(self, delta: float) -> int:
        """As `required_n`."""
        return self.required_n(delta)

    def success_exact(self, n: int) -> float:
        """The success probability of n units, to rounding (7.1, 7.5)."""
        values, R = self.equivalent_subset(n)
        return bounds.success_prob_exact(values, R, eps=self.eps, alpha=self.alpha, gain=self.gain)

    def success_lower(self, n: int) -> float:
        """`success_exact`, rounded down."""
        return math.nextafter(self.success_exact(n) * (1.0 - _ROUNDING), 0.0)

    def success_upper(self, n: int) -> float:
        """`success_exact`, rounded up."""
        return min(1.0, math.nextafter(self.success_exact(n) * (1.0 + _ROUNDING), 1.0))

    def success_prediction(self, n: int) -> float:
        """As `success_exact`."""
        return self.success_exact(n)
