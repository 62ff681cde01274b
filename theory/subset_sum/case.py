"""Validated arguments and outward rounding, shared by the bounds of theory.subset_sum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from theory.numerics import check
from theory.numerics.irwin_hall import MIN_EPS

Target = float | Literal["uniform"]


@dataclass(frozen=True)
class Case:
    """Validated arguments that every bound shares; a symmetric law allows alpha >= 0."""

    R: int
    eps: float
    alpha: float
    uniform: bool
    vectors: int

    @property
    def certain(self) -> bool:
        """Whether the empty sum succeeds for every value of the target."""
        return self.eps == 1.0 if self.uniform else self.alpha <= self.eps


def case_of(R: Any, eps: Any, alpha: Any, model: Any) -> Case:
    R = check.draw_count("R", R)
    eps = certified_eps(eps)
    target = check.target_or_uniform("alpha", alpha)
    vectors = R if check.sampling_model("model", model) == "vector" else 1
    return Case(R // vectors, eps, 0.0 if target == "uniform" else abs(target), target == "uniform", vectors)


def certified_eps(eps: Any) -> float:
    number = check.accuracy("eps", eps)
    if number < MIN_EPS:
        raise ValueError(f"eps must be at least {MIN_EPS} for a certified value, got eps={eps}")
    return number


def raised(x: float) -> float:
    """x plus two units in the last place, for functions accurate to one."""
    return math.nextafter(math.nextafter(x, math.inf), math.inf)


def lowered(x: float) -> float:
    """x minus two units in the last place."""
    return math.nextafter(math.nextafter(x, -math.inf), -math.inf)
