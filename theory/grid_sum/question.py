"""The random subset sum of quantised values as a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theory.grid_sum import bounds, prediction
from theory.grid_sum.parameters import GridSumParameters


@dataclass(frozen=True, kw_only=True)
class GridSum(GridSumParameters):
    __doc__ = GridSumParameters.__doc__

    @property
    def _rest(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "tolerance": self.tolerance}

    def required_n(self, delta: float) -> int:
        """Variables that suffice (2.7); raises ValueError where none are proved to (a uniform target, delta small)."""
        return bounds.required_n(self.grid, delta, R=self.R, **self._rest)

    def necessary_n(self, delta: float) -> int:
        """Variables without which success is impossible (2.7)."""
        return bounds.necessary_n(self.grid, delta, R=self.R, **self._rest)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (heuristic)."""
        return prediction.predicted_n(self.grid, delta, R=self.R, **self._rest)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (2.7), rounded down."""
        return bounds.success_prob_lower(n, self.R, grid=self.grid, **self._rest)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (2.7), rounded up."""
        return bounds.success_prob_upper(n, self.R, grid=self.grid, **self._rest)

    def success_prediction(self, n: int) -> float:
        """Sharp prediction (2.7, heuristic)."""
        return prediction.success_prediction(n, self.R, grid=self.grid, **self._rest)
