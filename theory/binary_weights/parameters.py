"""The parameters of binary weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theory.numerics import check
from theory.question import OneTarget, Target

Gain = float | Literal["best"]
Kind = Literal["subset", "product", "two-stage"]
KINDS: tuple[Kind, ...] = ("subset", "product", "two-stage")


@dataclass(frozen=True, kw_only=True)
class BinaryWeightsParameters(OneTarget):
    """Does some mask of n random weights +-gain sum to within eps of alpha? Every sign has R draws.

    Attributes
    ----------
    R : int
        Draws of each sign, 1 to 10^18 (half of that for products).
    eps : float
        Accuracy in (0, 1].
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    kind : {"subset", "product", "two-stage"}
        subset: n signs. product: n products of two signs, both re-sampled. two-stage: n outer signs times sums of
        ``inner`` shared inner signs through a matrix of n x inner re-sampled signs.
    gain : float or "best"
        Size of every weight (of a product of weights for the other kinds), in (0, 1e6]. best: 2 eps.
    inner : int
        Inner signs of two stages.
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
    kind: Kind = "subset"
    gain: Gain = "best"
    inner: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise ValueError(f'kind must be "subset", "product" or "two-stage", got kind={self.kind!r}')
        if self.kind == "product" and 2 * self.R - 1 > check.MAX_DRAWS:
            raise ValueError(f'R must be at most {check.MAX_DRAWS // 2} for kind="product", got R={self.R}')
        if self.gain != "best":
            gain = check.real("gain", self.gain, "(0, 1e6]")
            if not 0.0 < gain <= 1e6:
                raise ValueError(f"gain must be best or in (0, 1e6], got gain={self.gain}")
            self._set("gain", gain)
        self._set("inner", check.positive_int("inner", self.inner))

    @property
    def step(self) -> float:
        """The gain as a number."""
        return 2.0 * self.eps if self.gain == "best" else self.gain
