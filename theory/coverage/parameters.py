"""The parameters of coverage."""

from __future__ import annotations

from dataclasses import dataclass

from theory.question import Parameters


@dataclass(frozen=True, kw_only=True)
class CoverageParameters(Parameters):
    """Has every target of an interval a sum within eps, all at once?

    n variables offer R values each, all i.i.d. U[-1, 1]; a sum takes at most one value of every variable.

    Attributes
    ----------
    R : int
        Draws of each variable, 1 to 10^18.
    eps : float
        Accuracy in (0, 1].
    low, high : float
        The interval, -1 <= low <= high <= 1.
    """

    R: int = 1
    eps: float = 0.01
    low: float = -0.5
    high: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise ValueError(f"low must be at most high, got low={self.low}, high={self.high}")

    @property
    def reach(self) -> float:
        """The largest distance of a target from 0."""
        return max(abs(self.low), abs(self.high))

    @property
    def certain(self) -> bool:
        """Whether the empty sum alone covers the interval."""
        return self.reach <= self.eps
