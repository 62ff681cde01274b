"""Recycling as a question."""

from __future__ import annotations

from dataclasses import dataclass

from theory.recycling import lower_bound, prediction, upper_bound
from theory.recycling.parameters import RecyclingParameters


@dataclass(frozen=True, kw_only=True)
class Recycling(RecyclingParameters):
    __doc__ = RecyclingParameters.__doc__

    def required_n(self, delta: float) -> int:
        """Values and slots that suffice (6.2); raises ValueError where none are proved to (a uniform target)."""
        return lower_bound.required_n(self.eps, delta, alpha=self.alpha)

    def necessary_n(self, delta: float) -> int:
        """Values and slots without which success is impossible (6.1)."""
        return upper_bound.necessary_n(self.eps, delta, alpha=self.alpha)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (6.3, heuristic)."""
        return prediction.predicted_n(self.eps, delta, alpha=self.alpha)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (6.2), rounded down."""
        return lower_bound.success_prob_lower(n, eps=self.eps, alpha=self.alpha)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (6.1), rounded up."""
        return upper_bound.success_prob_upper(n, eps=self.eps, alpha=self.alpha)

    def success_prediction(self, n: int) -> float:
        """Prediction (6.3, heuristic)."""
        return prediction.success_prediction(n, eps=self.eps, alpha=self.alpha)
