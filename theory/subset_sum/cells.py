"""Sums of draws whose law is a step function: mixtures of sums of uniforms on a lattice (theory/PROOFS.md, 2.2 (c)).

[-1, 1] is cut into CELLS cells of equal width. A draw weighted by omega(x), constant on each cell, is the middle of a
cell plus a uniform value, so that the density of k weighted draws is a sum of translates of f_k at scale 1/CELLS. All
terms are nonnegative. Masses are not normalised: omega times the law U[-1, 1] is a measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from theory.numerics.irwin_hall import UNIT, Array, densities, single_point, windows
from theory.subset_sum.mesh import Mesh

CELLS = 16
"""Cells of [-1, 1]; a power of two, so that scaling by it is exact."""

_MARGIN = 4


def cell_error(k: int) -> float:
    """Relative error bound of a mixture of k-sums: the windows, the coefficients, the sum over the lattice.

    Examples
    --------
    >>> cell_error(20) < 1e-13
    True
    """
    return 1.01 * (11 * k + 2 + k * (CELLS + 2) + 2 * CELLS * (k + 1) + 4) * UNIT


@dataclass(frozen=True)
class StepLaw:
    """The measure omega(x) dx/2 on [-1, 1], omega even and constant on each of CELLS cells.

    Attributes
    ----------
    weights : tuple of float
        omega on the cells from -1 to 1; even, positive, products exact.
    """

    weights: tuple[float, ...]

    def times(self, other: StepLaw) -> StepLaw:
        """The measure with the product of the weights; they have few bits, so that the products are exact."""
        return StepLaw(tuple(a * b for a, b in zip(self.weights, other.weights, strict=True)))

    @property
    def top(self) -> float:
        """The largest density of one draw."""
        return max(self.weights) / 2

    @property
    def rise(self) -> float:
        """Half the total variation of the density of one draw, an upper bound."""
        ends = np.abs(np.diff([0.0, *self.weights, 0.0]))
        return float(ends.sum()) / 4 * (1.0 + 32 * UNIT)

    def mass(self, theta: float) -> float:
        """The integral of omega(x) exp(theta x) dx/2, with a relative error below 64 UNIT for \\|theta\\| <= CELLS."""
        x = theta / CELLS
        inside = math.sinh(x) / x if x else 1.0
        middles = (2 * np.arange(CELLS) + 1 - CELLS) / CELLS
        return float(np.array(self.weights) @ np.exp(theta * middles)) * inside / CELLS

    def coefficients(self, order: int) -> list[Array]:
        """For k = 0..order the mass on every sum of k cell indices, 0..k (CELLS - 1)."""
        one = np.array(self.weights) / CELLS
        out = [np.ones(1)]
        for _ in range(order):
            out.append(np.convolve(out[-1], one))
        return out

    def _mixed(self, k: int, masses: Array, values: Array, first: int, rows: int, sign: int) -> Array:
        """Sum over the lattice points C of mass(C) values(z + sign C), z = i + part, i = -rows..rows-1.

        ``first``: i of the first row of ``values``; beyond its rows the values are 0.
        """
        z = np.arange(-rows, rows)[:, None]
        source = first + np.arange(len(values))[None, :]
        twice = sign * (source - z) + k * (CELLS - 1)  # twice the sum of the indices
        index = twice // 2
        hit = (twice % 2 == 0) & (index >= 0) & (index < len(masses))
        out: Array = np.where(hit, masses[np.clip(index, 0, len(masses) - 1)], 0.0) @ values
        return out

    def on(self, mesh: Mesh, order: int, rows: int, *, alpha: Fraction, eps: Fraction) -> tuple[Array, Array]:
        """The densities f_1..f_order and the windows G_0..G_order at the points (i + u)/CELLS, i = -rows..rows-1.

        Returns f (shape (order, 2 rows, nodes)) and G (shape (order + 1, 2 rows, nodes)), f in units of CELLS. The
        fractional parts of CELLS (alpha +- eps) must be knots of ``mesh``.
        """
        wide = order + CELLS + _MARGIN
        high, low = (mesh.falling(CELLS * (alpha + side), wide) for side in (eps, -eps))
        masses = self.coefficients(order)
        f = densities(order, mesh.rising(wide))
        G = windows(order, high, low, float(CELLS * eps))
        return (
            np.stack([self._mixed(k, masses[k], each, -wide, rows, -1) for k, each in enumerate(f, start=1)]),
            np.stack([self._mixed(k, masses[k], each, -wide, rows, 1) for k, each in enumerate(G)]),
        )

    def hits(self, order: int, *, alpha: Fraction, eps: Fraction) -> Array:
        """The mass of \\|S_k - alpha\\| <= eps for k = 0..order, each within cell_error(k)."""
        wide = order * CELLS + CELLS + _MARGIN
        high, low = (single_point(CELLS * (alpha + side), wide) for side in (eps, -eps))
        out = []
        for k, (masses, values) in enumerate(
            zip(self.coefficients(order), windows(order, high, low, float(CELLS * eps)), strict=True)
        ):
            at = wide + 2 * np.arange(len(masses)) - k * (CELLS - 1)
            out.append(float(masses @ values[at, 0]))
        return np.array(out)
