"""The random subset sum of vectors as a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from theory.vector_sum import blocks, first_moment, prediction
from theory.vector_sum.parameters import VectorSumParameters


@dataclass(frozen=True, kw_only=True)
class VectorSum(VectorSumParameters):
    __doc__ = VectorSumParameters.__doc__

    @property
    def _rest(self) -> dict[str, Any]:
        return {"d": self.d, "alpha": self.alpha}

    def required_n(self, delta: float) -> int:
        """Variables that suffice (9.2); raises ValueError where none are proved to (a uniform target, delta small)."""
        return blocks.required_n(self.eps, delta, R=self.R, **self._rest)

    def necessary_n(self, delta: float) -> int:
        """Variables without which success is impossible (9.1)."""
        return first_moment.necessary_n(self.eps, delta, R=self.R, **self._rest)

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta (9.3, heuristic)."""
        return prediction.predicted_n(self.eps, delta, R=self.R, **self._rest)

    def success_lower(self, n: int) -> float:
        """Proved lower bound (9.2), rounded down."""
        return blocks.success_prob_lower(n, self.R, eps=self.eps, **self._rest)

    def success_upper(self, n: int) -> float:
        """Proved upper bound (9.1), rounded up."""
        return first_moment.success_prob_upper(n, self.R, eps=self.eps, **self._rest)

    def success_prediction(self, n: int) -> float:
        """Sharp prediction (9.3, heuristic)."""
        return prediction.success_prediction(n, self.R, eps=self.eps, **self._rest)
