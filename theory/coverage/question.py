"""Coverage as a question."""

from __future__ import annotations

from dataclasses import dataclass

from theory.coverage import lower_bound, prediction, targets
from theory.coverage.parameters import CoverageParameters


@dataclass(frozen=True, kw_only=True)
class Coverage(CoverageParameters):
    __doc__ = CoverageParameters.__doc__

    def required_n(self, delta: float) -> int:
        """Variables that suffice, by the best of all proved ways (3.3, 3.5, 3.7, 3.8)."""
        return self.required_way(delta).n

    def required_way(self, delta: float) -> lower_bound.RequiredN:
        """Variables that suffice, and the way that proves it."""
        return lower_bound.required_n(self.eps, delta, R=self.R, low=self.low, high=self.high)

    def necessary_n(self, delta: float) -> int:
        """Variables without which success is impossible (3.5)."""
        return targets.necessary_n(self.eps, delta, R=self.R, low=self.low, high=self.high)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (3.6, heuristic)."""
        return prediction.predicted_n(self.eps, delta, R=self.R, low=self.low, high=self.high)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (3.3, 3.5, 3.7, 3.8), rounded down."""
        return lower_bound.success_prob_lower(n, self.R, eps=self.eps, low=self.low, high=self.high)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (3.5), rounded up."""
        return targets.success_prob_upper(n, self.R, eps=self.eps, low=self.low, high=self.high)

    def success_prediction(self, n: int) -> float:
        """Prediction (3.6, heuristic)."""
        return prediction.success_prediction(n, self.R, eps=self.eps, low=self.low, high=self.high)
