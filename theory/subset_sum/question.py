"""The random subset sum as a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theory.subset_sum import blocks, first_moment, prediction, required
from theory.subset_sum.parameters import SubsetSumParameters


@dataclass(frozen=True, kw_only=True)
class SubsetSum(SubsetSumParameters):
    __doc__ = SubsetSumParameters.__doc__

    @property
    def _rest(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "model": self.model}

    def required_n(self, delta: float) -> int:
        """Variables that suffice (2.3)."""
        return required.required_n(self.eps, delta, R=self.R, **self._rest).n

    def necessary_n(self, delta: float) -> int:
        """Variables without which success is impossible (2.1, 2.1 (b))."""
        return first_moment.necessary_n(self.eps, delta, R=self.R, **self._rest)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (2.4, heuristic)."""
        return prediction.predicted_n(self.eps, delta, R=self.R, **self._rest)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (2.2 to 2.3 (c)), rounded down."""
        return blocks.success_prob_lower(n, self.R, eps=self.eps, **self._rest)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (2.1, 2.1 (b)), rounded up."""
        return first_moment.success_prob_upper(n, self.R, eps=self.eps, **self._rest)

    def success_prediction(self, n: int) -> float:
        """Sharp prediction (2.4, heuristic)."""
        return prediction.success_prediction(n, self.R, eps=self.eps, **self._rest)
