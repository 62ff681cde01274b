"""Slow twins of the searches by size, on a grid and with movable values: every choice, in integers and fractions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction

from tests.naive import draw


def rows_of(seed: int, trial: int, n: int, R: int) -> list[list[int]]:
    """The values of a trial, R of each variable, in units of 2^-52."""
    return [[draw(seed, 0, trial, i * R + r) for r in range(R)] for i in range(n)]


def sums_by_size(rows: Sequence[Sequence[int]]) -> dict[int, set[int]]:
    """All sums of k values of different variables, for every k."""
    found: dict[int, set[int]] = {k: set() for k in range(len(rows) + 1)}
    for choice in itertools.product(*([None, *row] for row in rows)):
        kept = [value for value in choice if value is not None]
        found[len(kept)].add(sum(kept))
    return found


def hits(rows: Sequence[Sequence[int]], target: Fraction, width: Callable[[int], Fraction | None]) -> bool:
    """Whether some sum of k values is within width(k) of the target; None: sums of k values do not count."""
    for k, sums in sums_by_size(rows).items():
        allowed = width(k)
        if allowed is not None and any(abs(Fraction(s, 2**52) - target) <= allowed for s in sums):
            return True
    return False
