"""The parameters of a random subset sum of quantised values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theory.numerics import check
from theory.question import Parameters, Target

MAX_GRID = 10**4
"""Largest number of steps between 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class GridSumParameters(Parameters):
    """Does some choice of quantised values hit a target of the grid, exactly?

    n variables offer R values each, all independent and uniform on the 2M + 1 points -1, -1 + 1/M, ..., 1, M =
    ``grid``; at most one value of every variable is taken. The empty sum counts. Success: the sum is the target, or at
    most ``tolerance`` steps of 1/M from it.

    Attributes
    ----------
    R : int
        Draws of each variable, 1 to 10^18.
    grid : int
        Steps M between 0 and 1, 1 to 10^4.
    alpha : float or "uniform"
        Target in [-1, 1], moved to the nearest grid point (of two, the even one), or a uniform grid point to average
        over.
    tolerance : int
        Steps by which a sum may miss, 0 to ``grid``; 0: exact.
    """

    R: int = 1
    grid: int = 100
    alpha: Target = 0.5
    tolerance: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        grid = check.positive_int("grid", self.grid)
        if grid > MAX_GRID:
            raise ValueError(f"grid must be at most {MAX_GRID}, got grid={grid}")
        tolerance = check.natural("tolerance", self.tolerance)
        if tolerance > grid:
            raise ValueError(f"tolerance must be at most grid={grid}, got tolerance={tolerance}")
        self._set("grid", grid)
        self._set("tolerance", tolerance)

    @property
    def uniform(self) -> bool:
        """Whether the target is drawn and averaged over."""
        return self.alpha == "uniform"

    @property
    def target(self) -> int:
        """The target in steps; 0 for a uniform one."""
        return 0 if self.alpha == "uniform" else round(Fraction(self.alpha) * self.grid)

    @property
    def certain(self) -> bool:
        """Whether the empty sum succeeds for every value of the target."""
        return self.tolerance == self.grid if self.uniform else abs(self.target) <= self.tolerance
