"""Slow twins for binary weights: every sign pattern, every choice, in fractions; nothing shared with theory or sims."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from tests.naive import draw


def patterns(n: int, R: int) -> Iterator[list[tuple[int, ...]]]:
    """All 2^(nR) equally likely outcomes: R signs for each of n variables."""
    for signs in itertools.product((-1, 1), repeat=n * R):
        yield [signs[i * R : (i + 1) * R] for i in range(n)]


def sums(pattern: Sequence[Sequence[int]]) -> set[int]:
    """Every sum of at most one sign of each variable, by trying all choices."""
    return {sum(choice) for choice in itertools.product(*((0, *row) for row in pattern))}


def sum_sets(n: int, R: int) -> list[tuple[frozenset[int], Fraction]]:
    """The reachable sets with their probabilities."""
    found: dict[frozenset[int], int] = {}
    for pattern in patterns(n, R):
        key = frozenset(sums(pattern))
        found[key] = found.get(key, 0) + 1
    return [(key, Fraction(count, 2 ** (n * R))) for key, count in found.items()]


def success(
    sets: Sequence[tuple[frozenset[int], Fraction]], gain: Fraction, eps: Fraction, alpha: Fraction
) -> Fraction:
    """Probability that some sum times the gain is within eps of alpha."""
    return sum((p for ks, p in sets if any(abs(gain * k - alpha) <= eps for k in ks)), Fraction(0))


def covered(ks: frozenset[int], gain: Fraction, eps: Fraction) -> Fraction:
    """Share of [-1, 1] within eps of a sum, by merging intervals from left to right."""
    end, total = Fraction(-1), Fraction(0)
    for k in sorted(ks):
        low, high = max(gain * k - eps, end), min(gain * k + eps, Fraction(1))
        if high > low:
            total += high - low
            end = high
    return total / 2


def errors(
    sets: Sequence[tuple[frozenset[int], Fraction]], gain: Fraction, alpha: Fraction
) -> list[tuple[Fraction, Fraction]]:
    """The smallest error of each reachable set with its probability, sorted."""
    return sorted((min(abs(gain * k - alpha) for k in ks), p) for ks, p in sets)


def path_signs(seed: int, trial: int, n: int, R: int, kind: str, inner: int) -> list[set[int]]:
    """What every path of a simulated trial offers, from the slow generator."""

    def sign(stream: int, index: int) -> int:
        return 1 if draw(seed, stream, trial, index) >= 0 else -1

    if kind == "subset":
        return [{sign(0, i * R + r) for r in range(R)} for i in range(n)]
    if kind == "product":
        return [{sign(0, i * R + r) * sign(2, i * R + s) for r in range(R) for s in range(R)} for i in range(n)]
    return [
        {sign(3, j) * sign(0, (j * inner + i) * R + r) * sign(2, i) for r in range(R)}
        for j in range(n)
        for i in range(inner)
    ]


def fewer(n: int, k: int, R: int) -> Fraction:
    """P(fewer than k of n variables offer a plus), counted in integers from k = 0 up."""
    total, ways = 0, 1  # ways to choose the j that do, times (2^R - 1)^j
    for j in range(min(k, n + 1)):
        total += ways
        ways = ways * (n - j) // (j + 1) * (2**R - 1)
    return Fraction(total, 2 ** (n * R))


def both_signs(n: int, k: int, R: int) -> Fraction:
    """P(at least k of n variables offer a plus and at least k a minus), R > 1: x with no plus, y with no minus."""
    total = 0
    for x in range(n - k + 1):
        first = math.comb(n, x)
        for y in range(min(n - k, n - x) + 1):
            total += first * math.comb(n - x, y) * (2**R - 2) ** (n - x - y)
    return Fraction(total, 2 ** (n * R))


def uniform_miss(n: int, R: int, gain: Fraction, eps: Fraction) -> Fraction:
    """Probability that a uniform target is missed, interval by interval and count by count."""
    missed, share, end = Fraction(0), Fraction(0), Fraction(0)
    for k in range(n + 1):
        low, high = max(gain * k - eps, end), min(gain * k + eps, Fraction(1))
        if high > low:
            share, end = share + high - low, high
        missed += (1 - share) * math.comb(n, k) * (2**R - 1) ** k / 2 ** (n * R)
    return missed
