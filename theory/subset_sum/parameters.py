"""The parameters of a random subset sum with re-sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from theory.numerics import check
from theory.question import OneTarget, Target

Model = Literal["choice", "vector"]

Way = Literal["empty sum", "second moment", "weighted second moment", "last variable", "coverage"]
"""What bounds the failure of one block."""


@dataclass(frozen=True, kw_only=True)
class SubsetSumParameters(OneTarget):
    """Does some choice of re-sampled values sum to within eps of alpha?

    n variables offer R values each, all i.i.d. U[-1, 1]. The empty sum counts.

    Attributes
    ----------
    R : int
        Draws of each variable, 1 to 10^18.
    eps : float
        Accuracy in (0, 1]; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    model : {"choice", "vector"}
        choice: at most one value of every variable, (R+1)^n sums. vector: a subset of one of R independent vectors,
        R 2^n sums.
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
    model: Model = "choice"

    @property
    def vectors(self) -> int:
        """Independent vectors, of one of which a subset is taken."""
        return self.R if self.model == "vector" else 1

    @property
    def options(self) -> int:
        """Values of a variable in one vector."""
        return self.R // self.vectors

    def one_vector(self) -> SubsetSumParameters:
        """The same with one vector alone, and a target >= 0."""
        return replace(self, R=self.options, model="choice", alpha="uniform" if self.uniform else self.size)


Certified = TypeVar("Certified", bound=OneTarget)


def certified(parameters: Certified) -> Certified:
    """The parameters with a target >= 0, for bounds that take certified arithmetic.

    Raises ValueError if eps is below check.MIN_EPS.
    """
    check.certified_accuracy("eps", parameters.eps)
    if parameters.uniform or parameters.alpha == parameters.size:
        return parameters
    return replace(parameters, alpha=parameters.size)  # type: ignore[type-var]
