"""The parameters of a single weight among re-sampled candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theory.question import OneTarget, Target


@dataclass(frozen=True, kw_only=True)
class SingleWeightParameters(OneTarget):
    """Does one of n candidates, R draws each, lie within eps of alpha? The draws are i.i.d. U[-1, 1].

    Attributes
    ----------
    R : int
        Draws of each candidate, 1 to 10^18.
    eps : float
        Accuracy in (0, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    sampler : {"draws", "nearest"}
        How it is simulated: every draw made, or the nearest of R draws by its exact law (1.3).
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
    sampler: Literal["draws", "nearest"] = "draws"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sampler not in ("draws", "nearest"):
            raise ValueError(f'sampler must be "draws" or "nearest", got sampler={self.sampler!r}')
