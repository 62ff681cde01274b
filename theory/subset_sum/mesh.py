"""Points at which piecewise polynomials with known knots are integrated exactly (theory/PROOFS.md, 2.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np

from theory.numerics.irwin_hall import UNIT, Array, Points


@lru_cache(maxsize=64)
def gauss_nodes(count: int) -> tuple[Array, Array, Array]:
    """Gauss-Legendre nodes x on [0, 1], 1 - x, and weights of sum 1: doubles next to proved enclosures.

    Relative error of every entry at most 1.01 UNIT, checked against the enclosure.

    ``count``: number of nodes, exact for polynomials of degree 2 count - 1.

    Examples
    --------
    >>> x, rest, weight = gauss_nodes(2)
    >>> print((x + rest).round(15), weight)
    [1. 1.] [0.5 0.5]
    """
    from flint import arb, ctx

    def nearest(ball: arb) -> float:
        value = float(ball)
        if not abs(arb(value) / ball - 1) <= arb(1.01 * UNIT):
            raise RuntimeError(f"a Gauss-Legendre value is not close to its enclosure, got {value}")
        return value

    precision = ctx.prec
    try:
        ctx.prec = 256
        pairs = [arb.legendre_p_root(count, k, weight=True) for k in range(count)]
        nodes = [nearest((1 + root) / 2) for root, _ in pairs]
        rests = [nearest((1 - root) / 2) for root, _ in pairs]
        weights = [nearest(weight / 2) for _, weight in pairs]
    finally:
        ctx.prec = precision
    return np.array(nodes), np.array(rests), np.array(weights)


class Mesh:
    """The unit cell [0, 1] cut at the fractional parts of ``knots``, with ``count`` nodes in every piece.

    A function whose knots are ``knots`` plus integers is a polynomial on every integer translate of a piece; its
    integral is exact if its degree is at most 2 count - 1.

    Attributes
    ----------
    pieces : list of (Fraction, Fraction)
        Ends of the pieces, from 0 to 1.
    count : int
        Nodes in a piece.
    part, rest, weights : array, shape (pieces * count,)
        Node u in [0, 1], 1 - u, and the weight of the node.
    """

    def __init__(self, knots: Iterable[Fraction], count: int) -> None:
        cuts = sorted({Fraction(0), Fraction(1), *(knot - math.floor(knot) for knot in knots)})
        self.pieces, self.count = list(pairwise(cuts)), count
        self._x, self._one_minus_x, weight = gauss_nodes(count)
        self.part = self._joined([float(left) + float(right - left) * self._x for left, right in self.pieces])
        self.rest = self._joined(
            [float(1 - right) + float(right - left) * self._one_minus_x for left, right in self.pieces]
        )
        self.weights = self._joined([float(right - left) * weight for left, right in self.pieces])

    @staticmethod
    def _joined(columns: list[Array]) -> Array:
        return np.concatenate(columns)

    def rising(self, rows: int) -> Points:
        """The points t = i + u, i = -rows..rows-1."""
        return Points(_index(rows) + np.zeros_like(self.part), self.part, self.rest, 1)

    def falling(self, end: Fraction, rows: int) -> Points:
        """The points end - t for t of ``rising``; the fractional part of ``end`` must be a knot."""
        whole, part, rest = [], [], []
        for left, right in self.pieces:  # end - u falls from end - left to end - right
            floor = math.ceil(end - left) - 1
            whole.append(np.full(self.count, float(floor)))
            part.append(float(end - right - floor) + float(right - left) * self._one_minus_x)
            rest.append(float(1 + floor - end + left) + float(right - left) * self._x)
        return Points(self._joined(whole) - _index(rows), self._joined(part), self._joined(rest), -1)


def _index(rows: int) -> Array:
    return np.arange(-rows, rows, dtype=np.float64)[:, None]
