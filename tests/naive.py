"""Slow twins of the fast code, written from the definitions and sharing nothing with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np


def choices(x: Sequence[Sequence[float]]) -> Iterator[tuple[int, ...]]:
    """Every choice: for each variable -1 (none) or the index of one of its values."""
    return itertools.product(*(range(-1, len(row)) for row in x))


def choice_sum(x: Sequence[Sequence[float]], choice: Sequence[int]) -> Fraction:
    """Exact sum of the chosen values."""
    return sum((Fraction(x[i][r]) for i, r in enumerate(choice) if r >= 0), Fraction(0))


def best_error(x: Sequence[Sequence[float]], alpha: float) -> Fraction:
    """Smallest distance of any choice's sum from alpha, by trying all of them in integers of unlimited size."""
    unit = max(Fraction(value).denominator for row in [*x, [alpha]] for value in row)  # floats: a power of two
    sums = {0}
    for row in x:
        steps = [int(Fraction(value) * unit) for value in row]
        sums |= {s + step for step in steps for s in sums}
    target = int(Fraction(alpha) * unit)
    return Fraction(min(abs(s - target) for s in sums), unit)


def best_error_vectorised(x: np.ndarray, alpha: float) -> np.ndarray:
    """All sums of a batch (rows, n, R) at once, in float64: exact when every value is a multiple of 2^-40 or so."""
    sums = np.zeros((len(x), 1))
    for i in range(x.shape[1]):
        sums = np.concatenate([sums, *(sums + x[:, i, r, None] for r in range(x.shape[2]))], axis=1)
    return np.abs(sums - alpha).min(axis=1)


def philox4x32_10(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox 4x32-10 on Python integers, from the published definition."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (second >> 32) ^ c[1] ^ k[0],
            second % 2**32,
            (first >> 32) ^ c[3] ^ k[1],
            first % 2**32,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def draw(seed: int, stream: int, trial: int, index: int) -> int:
    """One grid draw: 64 bits of block index // 2, the top 53 of them minus 2^52."""
    words = philox4x32_10([index // 2, stream, trial % 2**32, trial >> 32], [seed % 2**32, seed >> 32])
    low, high = words[:2] if index % 2 == 0 else words[2:]
    return ((high << 32) | low) // 2**11 - 2**52
