"""The probability p(W) that one draw hits a block of weights, as far as the bounds of 8.2 to 8.4 need its law."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from theory.bits.laws import UNIFORM, Laws, Piece, pieces
from theory.bits.parameters import DrawCodeParameters
from theory.numerics import check
from theory.numerics.balls import exact, precision

Case = DrawCodeParameters | Laws
"""What is coded: the question (uniform draws; a uniform or a fixed block), or two laws."""


@dataclass(frozen=True)
class Hits:
    """Of p(W): balls of E log(1/p) and E 1/p (infinite where p comes too near 0), its ends, and P(p = most)."""

    log_inverse: Any
    inverse: Any
    least: Fraction
    most: Fraction
    often: Fraction


def _one_coordinate(case: Case) -> tuple[Piece, ...]:
    if isinstance(case, Laws):
        return pieces(case.target, case.source, case.eps)
    eps = check.certified_accuracy("eps", case.eps)
    if case.uniform:
        return pieces(UNIFORM, UNIFORM, eps)
    p = (Fraction(eps) + min(Fraction(eps), 1 - Fraction(case.size))) / 2  # 1.1
    return (Piece(Fraction(1), p, p),)


@lru_cache(maxsize=1024)
def hits_of(case: Case) -> Hits:
    """The law of p(W) of a case; ValueError where p is 0 with positive probability: such a weight is never hit."""
    from flint import arb

    parts = _one_coordinate(case)
    if any(part.high == 0 for part in parts):
        raise ValueError("the source must reach every weight within eps: some target cell lies beyond")
    with precision():
        log_inverse = -sum((exact(part.share) * _mean_log(part) for part in parts), arb(0))
        inverse = sum((exact(part.share) * _mean_inverse(part) for part in parts), arb(0)) ** case.d
        least, most = min(part.low for part in parts), max(part.high for part in parts)
        often = sum((part.share for part in parts if part.low == most), Fraction(0))
        return Hits(case.d * log_inverse, inverse, least**case.d, most**case.d, often**case.d)


def _mean_log(part: Piece) -> Any:
    """E log p of p uniform on [low, high]."""
    if part.low == part.high:
        return exact(part.low).log()
    if part.low == 0:
        return exact(part.high).log() - 1
    x = exact((part.high - part.low) / part.low)
    return exact(part.low).log() + (1 + x) * x.log1p() / x - 1


def _mean_inverse(part: Piece) -> Any:
    """E 1/p of p uniform on [low, high]; infinite if low is 0."""
    from flint import arb

    if part.low == part.high:
        return exact(1 / part.low)
    if part.low == 0:
        return arb.pos_inf()
    return exact((part.high - part.low) / part.low).log1p() / exact(part.high - part.low)


_CUTS = {1: 32, 2: 8, 3: 4, 4: 3}
"""Parts into which the edge's range of p is cut, by the number of weights near the edge."""


def mean_convex(case: DrawCodeParameters, g: Callable[[Fraction], Any]) -> tuple[Any, Any]:
    """Enclosure (low, high), two balls, of E g(p(W)) for a convex function g of p.

    A uniform block: with j of its d weights near the edge, p = eps^d t_1...t_j, t_i uniform on [1/2, 1]; on every box
    of a partition the mean of g is between its value at the centre and the mean over the corners. Proved in
    theory/PROOFS.md, 8.4.
    """
    from flint import arb

    (here, *edge), d, g = _merged(_one_coordinate(case)), case.d, cache(g)
    if not edge:
        value = g(here.low**d)
        return value, value
    low = high = arb(0)
    for j in range(d + 1):
        weight = math.comb(d, j) * edge[0].share ** j * here.share ** (d - j)
        if weight:
            at_least, at_most = _boxes(g, edge[0].high ** (d - j), edge[0], j)
            low, high = low + exact(weight) * at_least, high + exact(weight) * at_most
    return low, high


def _merged(parts: tuple[Piece, ...]) -> list[Piece]:
    """The interior, and the two edges of a uniform weight as one; the interior alone if p does not vary."""
    flat, bent = [part for part in parts if part.low == part.high], [part for part in parts if part.low < part.high]
    inner = Piece(sum((part.share for part in flat), Fraction(0)), *_ends(flat or bent))
    return [inner, Piece(sum((part.share for part in bent), Fraction(0)), *_ends(bent))] if bent else [inner]


def _ends(parts: list[Piece]) -> tuple[Fraction, Fraction]:
    return min(part.low for part in parts), max(part.high for part in parts)


def _boxes(g: Callable[[Fraction], Any], scale: Fraction, edge: Piece, j: int) -> tuple[Any, Any]:
    """Bounds on the mean of g(scale t_1...t_j), t_i uniform on the edge's range."""
    from flint import arb

    if j == 0:
        value = g(scale)
        return value, value
    cuts = _CUTS[j]
    step = (edge.high - edge.low) / cuts
    low = high = arb(0)
    for box in itertools.combinations_with_replacement(range(cuts), j):
        orders = math.factorial(j) // math.prod(math.factorial(count) for count in Counter(box).values())
        centre = math.prod((edge.low + (i + Fraction(1, 2)) * step for i in box), start=scale)
        corners = itertools.product(*((edge.low + i * step, edge.low + (i + 1) * step) for i in box))
        mean = sum((g(math.prod(corner, start=scale)) for corner in corners), arb(0)) / 2**j
        low, high = low + orders * g(centre), high + orders * mean
    return low / cuts**j, high / cuts**j
