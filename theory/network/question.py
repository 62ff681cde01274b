"""The main theorem as a question; n is a number of candidates for every layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from theory.network import width
from theory.network.parameters import MainTheoremParameters


@dataclass(frozen=True, kw_only=True)
class MainTheorem(MainTheoremParameters):
    __doc__ = MainTheoremParameters.__doc__

    def source_width(self, delta: float) -> width.SourceWidth:
        """The source network that the statement asks for."""
        return width.source_width(
            self.widths, eps=self.eps, delta=delta, R=self.R, statement=self.statement, domain=self.domain
        )

    def required_counts(self, delta: float) -> tuple[int, ...]:
        """n_1, ..., n_l that the statement asks for, candidates per input coordinate and sign of every layer."""
        return self.source_width(delta).n

    def required_n(self, delta: float) -> int:
        """The largest of `required_counts`: that many in every layer suffice, if the statement holds."""
        return max(self.required_counts(delta))

    def success_lower(self, n: int | Sequence[int]) -> float:
        """Proved lower bound with n candidates, in all layers or in each: 4.9 for its own, else 4.4; rounded down."""
        asked = width.statement_log_failure_bound(
            self.widths, self.eps, R=self.R, n=n, statement=self.statement, domain=self.domain
        )
        bound = asked + width.ROUNDING
        return math.nextafter(-math.expm1(bound), 0.0) if bound < 0.0 else 0.0

    def necessary_n(self, delta: float) -> int:
        """Raises ValueError: nothing is proved for one target."""
        raise ValueError("no n is proved necessary for one target network; theory.necessary bounds all targets at once")

    def success_upper(self, n: int | Sequence[int]) -> float:
        """Raises ValueError: nothing is proved for one target."""
        raise ValueError("no upper bound on the success of one target network is proved")

    def predicted_n(self, delta: float) -> int:
        """Raises ValueError: there is no heuristic for networks."""
        raise ValueError("the width of a network is bounded, not predicted: use required_n")

    def success_prediction(self, n: int | Sequence[int]) -> float:
        """Raises ValueError: there is no heuristic for networks."""
        raise ValueError("the success of a network is bounded, not predicted: use success_lower")
