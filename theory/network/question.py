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

    def required_counts(self, delta: float) -> tuple[int, ...]:
        """n_1, ..., n_l that the statement asks for, candidates per input coordinate and sign of every layer."""
        return self.source_width(delta).n

    def source_width(self, delta: float) -> width.SourceWidth:
        """The source network that the statement asks for."""
        return width.source_width(
            self.widths, eps=self.eps, delta=delta, R=self.R, statement=self.statement, domain=self.domain
        )

    def required_n(self, delta: float) -> int:
        """The largest of `required_counts`: that many in every layer suffice, if the statement holds."""
        return max(self.required_counts(delta))

    def success_lower(self, n: int | Sequence[int]) -> float:
        """Proved lower bound (4.4), rounded to the nearest."""
        bound = width.log_failure_bound(self.widths, self.eps, R=self.R, n=n, domain=self.domain)
        return max(0.0, -math.expm1(bound))

    def success_upper(self, n: int | Sequence[int]) -> float:
        """1: no upper bound is proved here."""
        return 1.0

    def necessary_n(self, delta: float) -> int:
        """1: no more is proved to be necessary here; see `theory.necessary.necessary_width`."""
        return 1

    def predicted_n(self, delta: float) -> int:
        """As `required_n`: there is no sharper prediction."""
        return self.required_n(delta)

    def success_prediction(self, n: int | Sequence[int]) -> float:
        """As `success_lower`: there is no sharper prediction."""
        return self.success_lower(n)
