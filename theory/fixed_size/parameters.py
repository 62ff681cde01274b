"""The parameters of a random subset sum of fixed size."""

from __future__ import annotations

from dataclasses import dataclass

from theory.numerics import check
from theory.question import Parameters, Target

MAX_SIZE = 64
"""Largest number of kept values: as far as the tables of 2.2 go."""


def size_of(value: int) -> int:
    """A number of kept values: an integer in [1, MAX_SIZE]."""
    size = check.positive_int("size", value)
    if size > MAX_SIZE:
        raise ValueError(f"size must be at most {MAX_SIZE}, got size={size}")
    return size


@dataclass(frozen=True, kw_only=True)
class FixedSizeParameters(Parameters):
    """Do exactly ``size`` of n re-sampled values sum to within eps of alpha?

    n variables offer R values each, all i.i.d. U[-1, 1]; from each of ``size`` variables one value is taken, so there
    are C(n, size) R^size sums. The empty sum does not count.

    Attributes
    ----------
    R : int
        Draws of each variable, 1 to 10^18.
    eps : float
        Accuracy in (0, 1]; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    size : int
        How many values are kept, 1 to 64.
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
    size: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("size", size_of(self.size))

    @property
    def uniform(self) -> bool:
        """Whether the target is drawn and averaged over."""
        return self.alpha == "uniform"

    @property
    def distance(self) -> float:
        """abs(alpha); 0 for a uniform target. All laws here are symmetric, so the sign does not matter."""
        return 0.0 if self.alpha == "uniform" else abs(self.alpha)
