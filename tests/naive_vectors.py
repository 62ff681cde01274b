"""Slow twins for sums of vectors, from the definitions: all selections, rational arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from tests import naive

Vectors = Sequence[Sequence[Sequence[float]]]


def error(x: Vectors, choice: Sequence[int], target: Sequence[float]) -> Fraction:
    """Largest distance of a coordinate of the chosen sum from the target's; choice[i] = -1 takes nothing."""
    taken = [x[i][r] for i, r in enumerate(choice) if r >= 0]
    sums = [sum((Fraction(vector[c]) for vector in taken), Fraction(0)) for c in range(len(target))]
    return max(abs(total - Fraction(goal)) for total, goal in zip(sums, target, strict=True))


def best_error(x: Vectors, target: Sequence[float]) -> Fraction:
    """The least of these, by trying all selections."""
    choices = itertools.product(*(range(-1, len(row)) for row in x))
    return min(error(x, choice, target) for choice in choices)


def hits(n: int, R: int, d: int, eps: float, alpha: float | str, seed: int, trial: int) -> bool:
    """One trial: coordinate c of vector r of variable i is draw (i R + r) d + c."""
    x = [
        [[naive.draw(seed, 0, trial, (i * R + r) * d + c) / 2**52 for c in range(d)] for r in range(R)]
        for i in range(n)
    ]
    target = [naive.draw(seed, 1, trial, c) / 2**52 if alpha == "uniform" else float(alpha) for c in range(d)]
    return best_error(x, target) <= Fraction(eps)
