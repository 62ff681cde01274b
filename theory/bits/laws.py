"""Laws of one weight and of one draw, constant between edges, and what a window around a weight catches (8.3)."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from theory.bits.parameters import block_of
from theory.numerics import check


@dataclass(frozen=True)
class Histogram:
    """A law whose density is constant between edges.

    Attributes
    ----------
    edges : tuple of float
        Finite, ascending, at least two.
    shares : tuple of float
        Probability of every cell up to a common factor, >= 0, not all 0; one fewer than edges.

    Raises
    ------
    ValueError
        Edges or shares are not such.

    Examples
    --------
    >>> Histogram((-1.0, 0.0, 1.0), (1.0, 3.0)).cells[1]
    (Fraction(0, 1), Fraction(1, 1), Fraction(3, 4))
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        edges, shares = tuple(map(float, self.edges)), tuple(map(float, self.shares))
        if len(edges) < 2 or not all(a < b for a, b in itertools.pairwise(edges)) or not math.isfinite(sum(edges)):
            raise ValueError(f"edges must be two or more ascending numbers, got edges={self.edges}")
        if len(shares) != len(edges) - 1 or not all(0.0 <= one < math.inf for one in shares) or not any(shares):
            raise ValueError(f"shares must be one number >= 0 a cell, not all 0, got shares={self.shares}")
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "shares", shares)

    @cached_property
    def cells(self) -> tuple[tuple[Fraction, Fraction, Fraction], ...]:
        """(left end, right end, probability) of every cell, exactly."""
        total = sum(map(Fraction, self.shares))
        ends = [Fraction(edge) for edge in self.edges]
        return tuple(
            (a, b, Fraction(share) / total) for (a, b), share in zip(itertools.pairwise(ends), self.shares, strict=True)
        )

    @cached_property
    def _below(self) -> list[Fraction]:
        """Probability below every edge."""
        return [Fraction(0), *itertools.accumulate(share for _, _, share in self.cells)]

    def below(self, x: Fraction) -> Fraction:
        """P(X <= x), exactly."""
        place = bisect_right(self.edges, x) - 1
        if place < 0:
            return Fraction(0)
        if place >= len(self.cells):
            return Fraction(1)
        left, right, share = self.cells[place]
        return self._below[place] + share * (x - left) / (right - left)


UNIFORM = Histogram((-1.0, 1.0), (1.0,))
"""U[-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class Laws:
    """Blocks of d independent weights of one law, and draws whose coordinates are independent and of another.

    Attributes
    ----------
    target, source : Histogram
        Law of a weight, and of a coordinate of a draw.
    eps : float
        Accuracy in (0, 1], the largest error of a weight.
    d : int
        Weights of a block, 1 to 4.
    """

    target: Histogram
    source: Histogram
    eps: float
    d: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", check.certified_accuracy("eps", self.eps))
        object.__setattr__(self, "d", block_of(self.d))


@dataclass(frozen=True)
class Piece:
    """A part of a weight's law on which the probability of a hit runs linearly.

    ``share``: probability that the weight is there. ``low``, ``high``: the lesser and the larger end of p.
    """

    share: Fraction
    low: Fraction
    high: Fraction


def pieces(target: Histogram, source: Histogram, eps: float) -> tuple[Piece, ...]:
    """The law of p(W) = P(|X - W| <= eps), X of the source's law, W of the target's: exact pieces.

    Proved in theory/PROOFS.md, 8.3.
    """
    half = Fraction(eps)
    bends = sorted({Fraction(edge) + side for edge in source.edges for side in (-half, half)})
    return tuple(_pieces(target, source, half, bends))


def _pieces(target: Histogram, source: Histogram, half: Fraction, bends: list[Fraction]) -> Iterator[Piece]:
    for left, right, share in target.cells:
        if share == 0:
            continue
        inside = bends[bisect_right(bends, left) : bisect_right(bends, right)]
        ends = [left, *(bend for bend in inside if bend < right), right]
        caught = [source.below(x + half) - source.below(x - half) for x in ends]
        for (a, b), (u, v) in zip(itertools.pairwise(ends), itertools.pairwise(caught), strict=True):
            yield Piece(share * (b - a) / (right - left), min(u, v), max(u, v))
