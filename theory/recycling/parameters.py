"""The parameters of recycling."""

from __future__ import annotations

from dataclasses import dataclass

from theory.question import OneTarget, Target


@dataclass(frozen=True, kw_only=True)
class RecyclingParameters(OneTarget):
    """Recycling: each of n slots takes one of the same n values, or none; does some choice sum to within eps of alpha?

    The n values are i.i.d. U[-1, 1]; a slot may take a value that another slot has taken. The empty sum counts.

    Attributes
    ----------
    eps : float
        Accuracy in (0, 1]; the certified bounds take eps >= 1e-60.
    alpha : float or "uniform"
        Target in [-1, 1], or a uniform target to average over.
    """

    eps: float = 0.01
    alpha: Target = 0.5
