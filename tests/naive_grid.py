"""Slow twins for values on a grid: laws by convolution of dictionaries, moments by enumeration, sums by sets."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction


def law(k: int, M: int) -> dict[int, Fraction]:
    """P(the sum of k values = s)."""
    found = {0: Fraction(1)}
    for _ in range(k):
        after: Counter[int] = Counter()
        for s, p in found.items():
            for step in range(-M, M + 1):
                after[s + step] += p / (2 * M + 1)
        found = dict(after)
    return found


def hit(k: int, M: int, target: int, tolerance: int) -> Fraction:
    """P(the sum of k values is within tolerance of the target)."""
    return sum((p for s, p in law(k, M).items() if abs(s - target) <= tolerance), Fraction(0))


def success(n: int, R: int, M: int, target: int, tolerance: int) -> Fraction:
    """P(some choice hits), by all outcomes."""
    good = 0
    for values in itertools.product(range(-M, M + 1), repeat=n * R):
        sums = {0}
        for i in range(n):
            sums |= {s + x for s in sums for x in values[i * R : (i + 1) * R]}
        good += any(abs(s - target) <= tolerance for s in sums)
    return Fraction(good, (2 * M + 1) ** (n * R))


def best_bound_of_one(n: int, M: int, target: int, k: int) -> Fraction:
    """(E N_k)^2 / E N_k^2, R = 1, by all outcomes."""
    first = second = 0
    for values in itertools.product(range(-M, M + 1), repeat=n):
        count = sum(sum(chosen) == target for chosen in itertools.combinations(values, k))
        first, second = first + count, second + count**2
    return Fraction(first**2, second * (2 * M + 1) ** n) if second else Fraction(0)


def step(draw: int, M: int) -> int:
    """A draw in [-2^52, 2^52) as one of 2M + 1 equal parts."""
    return (draw + 2**52) * (2 * M + 1) // 2**53 - M
