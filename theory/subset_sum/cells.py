"""Sums of draws whose law is a step function: mixtures of sums of uniforms on a lattice (theory/PROOFS.md, 2.2 (b)).

[-1, 1] is cut into CELLS cells of equal width. A draw weighted by omega(x), constant on each cell, is the middle of a
cell plus a uniform value, so that the density of k weighted draws is a sum of translates of f_k at scale 1/CELLS. All
terms are nonnegative. Masses are not normalised: omega times the law U[-1, 1] is a measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from theory.numerics.irwin_hall import Array, densities, single_point, windows
from theory.subset_sum.mesh import Mesh

CELLS = 16
"""Cells of [-1, 1]; a power of two, so that scaling by it is exact."""

_MARGIN = 4
"""Rows beyond CELLS (alpha + eps) <= 2 CELLS and the support of the sums."""


@dataclass(frozen=True)
class StepLaw:
    """The measure omega(x) dx/2 on [-1, 1], omega constant on each of CELLS cells.

    Attributes
    ----------
    weights : tuple of float
        omega on the cells from -1 to 1; positive.
    """

    weights: tuple[float, ...]

    @classmethod
    def near(cls, curve: float, tilt: float) -> StepLaw:
        """A step function near exp(curve (x^2 - 1/3) + tilt x), rounded to 20 bits.

        Examples
        --------
        >>> round(StepLaw.near(0.05, 0.0).mass(0.0), 3), StepLaw.near(0.0, 0.0).mass(0.0)
        (1.0, 1.0)
        """
        ends = np.linspace(-1.0, 1.0, CELLS + 1)
        square = (ends[1:] ** 3 - ends[:-1] ** 3) / (3 * (ends[1:] - ends[:-1]))
        values = np.exp(curve * (square - 1 / 3) + tilt * (ends[1:] + ends[:-1]) / 2)
        return cls(tuple(round(value * 2**20) / 2**20 for value in values.tolist()))

    def times(self, other: StepLaw) -> StepLaw:
        """The measure with the product of the weights; of at most 26 bits each, so that the products are exact."""
        return StepLaw(tuple(a * b for a, b in zip(self.weights, other.weights, strict=True)))

    @property
    def top(self) -> float:
        """The largest density of one draw."""
        return max(self.weights) / 2

    @property
    def rise(self) -> float:
        """Half the total variation of the density of one draw, an upper bound."""
        steps = np.abs(np.diff([0.0, *self.weights, 0.0]))
        return float(steps.sum()) / 4 * (1.0 + 1e-14)

    def mass(self, theta: float) -> float:
        """The integral of omega(x) exp(theta x) dx/2, abs(theta) <= CELLS, with a relative error below 1e-14."""
        x = theta / CELLS
        inside = math.sinh(x) / x if x else 1.0
        middles = (2 * np.arange(CELLS) + 1 - CELLS) / CELLS
        return float(np.array(self.weights) @ np.exp(theta * middles)) * inside / CELLS

    def coefficients(self, order: int, last: StepLaw | None = None) -> list[Array]:
        """For k = 0..order the mass on every sum of k cell indices, and of one more of the law ``last``."""
        one = np.array(self.weights) / CELLS
        out = [np.ones(1) if last is None else np.array(last.weights) / CELLS]
        for _ in range(order):
            out.append(np.convolve(out[-1], one))
        return out

    def hits(self, order: int, *, alpha: Fraction, eps: Fraction, last: StepLaw | None = None) -> Array:
        """The mass of \\|S_k - alpha\\| <= eps for k = 0..order; ``last`` adds one draw of its own law to S_k."""
        more = int(last is not None)
        wide = (order + more + 2) * CELLS + _MARGIN
        high, low = (single_point(CELLS * (alpha + side), wide) for side in (eps, -eps))
        columns = list(windows(order + more, high, low, float(CELLS * eps)))
        out = []
        for k, masses in enumerate(self.coefficients(order, last), start=more):
            at = wide + 2 * np.arange(len(masses)) - k * (CELLS - 1)
            out.append(float(masses @ columns[k][at, 0]))
        return np.array(out)


class Sheet:
    """Densities and windows of sums at the points t = (i + u)/CELLS, i = -rows..rows-1, u the nodes of a mesh.

    ``order``: most draws in a sum; ``count``: nodes in every piece of a cell; ``alpha``, ``eps``: the window.
    """

    def __init__(self, order: int, rows: int, count: int, *, alpha: Fraction, eps: Fraction) -> None:
        ends = CELLS * (alpha + eps), CELLS * (alpha - eps)
        self.mesh, self.rows, self._wide = Mesh(ends, count), rows, order + 2 * CELLS + _MARGIN
        high, low = (self.mesh.falling(end, self._wide) for end in ends)
        self._densities = list(densities(order, self.mesh.rising(self._wide)))
        self._windows = list(windows(order, high, low, float(CELLS * eps)))
        self._places: dict[tuple[int, int], NDArray[np.int64]] = {}

    @property
    def points(self) -> Array:
        """t, shape (2 rows, nodes)."""
        points: Array = (np.arange(-self.rows, self.rows)[:, None] + self.mesh.part) / CELLS
        return points

    def density(self, k: int, masses: Array) -> Array:
        """The density of a sum of k >= 1 draws, over CELLS; ``masses`` from `StepLaw.coefficients`."""
        return self._mixed(k, masses, self._densities[k - 1], -1)

    def window(self, k: int, masses: Array) -> Array:
        """The mass of \\|t + S_k - alpha\\| <= eps."""
        return self._mixed(k, masses, self._windows[k], 1)

    def _mixed(self, k: int, masses: Array, values: Array, sign: int) -> Array:
        """Sum over the lattice points C of mass(C) values(CELLS t + sign C)."""
        place = self._places.get((k, sign))
        if place is None:
            moved = np.arange(-self._wide, self._wide)[None, :] - np.arange(-self.rows, self.rows)[:, None]
            twice = sign * moved + k * (CELLS - 1)  # twice the sum of the indices
            outside = (twice % 2 == 1) | (twice < 0) | (twice >= 2 * len(masses))
            place = self._places[k, sign] = np.where(outside, len(masses), twice // 2)
        out: Array = np.append(masses, 0.0)[place] @ values
        return out
