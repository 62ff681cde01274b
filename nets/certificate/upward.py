"""Arithmetic on bounds, rounded outward: each result is not below (not above, for `lower`) the exact one."""

from __future__ import annotations

import math
from collections.abc import Iterable

INF = math.inf


def upper(x: float) -> float:
    """The next float64 above: not below the exact result of the one operation that x rounds; 0 stays 0."""
    return 0.0 if x == 0 else math.nextafter(x, INF)


def lower(x: float) -> float:
    """The next float64 below; 0 stays 0."""
    return -upper(-x)


def add(*terms: float) -> float:
    """Sum of numbers >= 0, from above.

    Examples
    --------
    >>> add(0.0, 0.25) == 0.25, add(0.1, 0.2) >= 0.3
    (True, True)
    """
    total = 0.0
    for term in terms:
        if term != 0:
            total = term if total == 0 else upper(total + term)
    return total


def mul(*factors: float) -> float:
    """Product of numbers >= 0, from above; exactly 0 where a factor is 0, even beside infinity, and 1 is neutral."""
    if 0.0 in factors:
        return 0.0
    product = 1.0
    for factor in factors:
        if factor != 1:
            product = factor if product == 1 else max(math.nextafter(product * factor, INF), 5e-324)
    return product


def div(a: float, b: float) -> float:
    """a / b for a >= 0, b >= 0, from above; infinity for b = 0 unless a is 0."""
    if a == 0:
        return 0.0
    return INF if b == 0 else math.nextafter(a / b, INF)


def root(x: float) -> float:
    """Square root from above; exact for squares of whole numbers."""
    if x == INF:
        return INF
    found = math.sqrt(x)
    return found if found == int(found) and found * found == x and found < 2**26 else upper(found)


def joined(sides: Iterable[float]) -> float:
    """Length of a vector made of pieces of these lengths, from above."""
    kept = [side for side in sides if side != 0]
    if len(kept) < 2:
        return kept[0] if kept else 0.0
    largest = max(kept)
    if largest == INF:
        return INF
    return mul(largest, root(add(*(mul(div(side, largest), div(side, largest)) for side in kept))))
