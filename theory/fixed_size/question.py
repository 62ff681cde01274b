"""The random subset sum of fixed size as a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theory.fixed_size import bounds, prediction
from theory.fixed_size.parameters import FixedSizeParameters


@dataclass(frozen=True, kw_only=True)
class FixedSize(FixedSizeParameters):
    __doc__ = FixedSizeParameters.__doc__

    @property
    def _rest(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "size": self.size}

    def required_n(self, delta: float) -> int:
        """Variables that suffice (2.6); raises ValueError where none are proved to (a uniform target, delta small)."""
        return bounds.required_n(self.eps, delta, R=self.R, **self._rest)

    def necessary_n(self, delta: float) -> int:
        """Variables without which success is impossible (2.6)."""
        return bounds.necessary_n(self.eps, delta, R=self.R, **self._rest)

    def predicted_n(self, delta: float) -> int:
        """An n whose predicted success is at least 1 - delta, and that of n - 1 is not (heuristic)."""
        return prediction.predicted_n(self.eps, delta, R=self.R, **self._rest)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (2.6), rounded down."""
        return bounds.success_prob_lower(n, self.R, eps=self.eps, **self._rest)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (2.6), rounded up."""
        return bounds.success_prob_upper(n, self.R, eps=self.eps, **self._rest)

    def success_prediction(self, n: int) -> float:
        """Sharp prediction (2.6, heuristic)."""
        return prediction.success_prediction(n, self.R, eps=self.eps, **self._rest)
