"""The parameters of the draw code: one index names the first draw that is near a block of weights."""

from __future__ import annotations

from dataclasses import dataclass

from theory.numerics import check
from theory.question import OneTarget, Target

MAX_D = 4
"""Largest block."""


def block_of(value: int) -> int:
    """A block's number of weights: an integer in [1, MAX_D]."""
    d = check.positive_int("d", value)
    if d > MAX_D:
        raise ValueError(f"d must be at most {MAX_D}, got d={d}")
    return d


@dataclass(frozen=True, kw_only=True)
class DrawCodeParameters(OneTarget):
    """Is one of the first 2^n draws within eps of a block of d weights, in every coordinate?

    Decoder and encoder share the draws X_1, X_2, ..., all coordinates i.i.d. U[-1, 1]; the code of the block W is the
    index K of the first draw with |X_K - W| <= eps in every coordinate. n is the number of bits of an index that is
    stored as it is: it names one of R = 2^n draws.

    Attributes
    ----------
    d : int
        Weights of a block, 1 to 4.
    eps : float
        Accuracy in (0, 1], the largest error of a weight; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        The block is (alpha, ..., alpha), alpha in [-1, 1]; or uniform on [-1, 1]^d and averaged over.
    """

    d: int = 1
    eps: float = 0.01
    alpha: Target = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("d", block_of(self.d))
