"""The parameters of a random subset sum of movable values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theory.numerics import check
from theory.question import OneTarget, Target


@dataclass(frozen=True, kw_only=True)
class MovableSumParameters(OneTarget):
    """Does some choice of re-sampled values, each moved by at most ``move``, sum to within eps of alpha?

    n variables offer R values each, all i.i.d. U[-1, 1]; at most one value of every variable is taken. The empty sum
    counts. A sum of k values succeeds exactly if it is within eps + k move of alpha before anything moves.

    Attributes
    ----------
    R : int
        Draws of each variable, 1 to 10^18.
    eps : float
        Accuracy in (0, 1]; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    move : float
        How far a kept value may move, in [0, 1].
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
    move: float = 0.001

    def __post_init__(self) -> None:
        super().__post_init__()
        move = check.real("move", self.move, "[0, 1]")
        if not 0.0 <= move <= 1.0:
            raise ValueError(f"move must be in [0, 1], got move={self.move}")
        self._set("move", abs(move))

    def reach(self, k: int) -> Fraction:
        """Half the window of a sum of k values: eps + k move, exactly."""
        return Fraction(self.eps) + k * Fraction(self.move)
