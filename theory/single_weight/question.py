"""The single weight as a question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from theory.numerics.balls import log_one_minus, precision, up
from theory.numerics.rounding import complement_below
from theory.single_weight import bound, law
from theory.single_weight.parameters import SingleWeightParameters


@dataclass(frozen=True, kw_only=True)
class SingleWeight(SingleWeightParameters):
    __doc__ = SingleWeightParameters.__doc__

    def required_n(self, delta: float) -> int:
        """Candidates that the re-sampling lemma asks for, whatever alpha is (1.2)."""
        return bound.required_n(self.eps, delta, R=self.R)

    def necessary_n(self, delta: float) -> int:
        """Exactly the candidates that it takes (1.1)."""
        return law.required_n_exact(self.eps, delta, R=self.R, alpha=self.alpha)

    def predicted_n(self, delta: float) -> int:
        """As `necessary_n`: the law is known exactly."""
        return self.necessary_n(delta)

    def success_exact(self, n: int) -> float:
        """The success probability, to rounding (1.1)."""
        return -math.expm1(law.log_miss_prob_exact(n, self.R, eps=self.eps, alpha=self.alpha))

    def success_lower(self, n: int) -> float:
        """The lemma's lower bound (1.2), rounded down."""
        return complement_below(bound.log_miss_prob_bound(n, self.R, eps=self.eps))

    def success_upper(self, n: int) -> float:
        """An upper bound for every alpha, rounded up: no draw hits with more than probability eps."""
        draws = law.draws_of(n, self)
        if self.eps == 1.0:
            return 1.0
        with precision():
            return min(1.0, up(-(draws * log_one_minus(Fraction(self.eps))).expm1()))

    def success_prediction(self, n: int) -> float:
        """As `success_exact`."""
        return self.success_exact(n)
