"""The parameters of a random subset sum of vectors."""

from __future__ import annotations

from dataclasses import dataclass

from theory.numerics import check
from theory.question import OneTarget, Target

MAX_D = 4
"""Largest dimension: products of more probabilities could underflow."""


@dataclass(frozen=True, kw_only=True)
class VectorSumParameters(OneTarget):
    """Does some choice of re-sampled vectors sum to within eps of a target vector, in every coordinate?

    n variables offer R vectors each, all coordinates i.i.d. U[-1, 1]; at most one vector of every variable is taken
    whole, (R+1)^n sums. The empty sum counts. With d = 1 this is `theory.subset_sum.SubsetSum`.

    Attributes
    ----------
    d : int
        Coordinates of a vector, 1 to 4.
    R : int
        Draws of each variable, 1 to 10^18.
    eps : float
        Accuracy in (0, 1], the largest error that a coordinate may have; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        The target vector is (alpha, ..., alpha), alpha in [-1, 1]; or uniform on [-1, 1]^d and averaged over.
    """

    d: int = 2
    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        d = check.positive_int("d", self.d)
        if d > MAX_D:
            raise ValueError(f"d must be at most {MAX_D}, got d={d}")
        self._set("d", d)
