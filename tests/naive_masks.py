"""A decoder of the bits of found tickets, on Python integers, from the description of the file alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, repeat
from math import isqrt

from tests.naive import draw

Weight = tuple[int, int, int, int, int, int]
"""Row, column, zone, size, negative, guess."""


def root256(d: int) -> int:
    """floor(2^(40 + d/256)): near a float, then exactly."""
    root, power = int(2.0 ** (40 + d / 256)), 2 ** (40 * 256 + d)
    while root**256 > power:
        root -= 1
    while (root + 1) ** 256 <= power:
        root += 1
    return root


def odds(d: int) -> int:
    """The chance of log-odds d/256."""
    if d > 0:
        return 2**24 - odds(-d)
    return 2**64 // (2**40 + root256(-d)) if d else 2**23


@cache
def table() -> tuple[int, ...]:
    """The chances of all log-odds from -3072 to 3072."""
    return tuple(odds(d) for d in range(-3072, 3073))


def known(
    shape: Sequence[int], n_keep: int, seeds: tuple[int, int], index: int, signed: bool, scores: int = 2**25
) -> list[Weight]:
    """What the seeds of weights and scores tell of each weight of a layer."""
    n = 1
    for side in shape:
        n *= side
    columns, threshold, out = n // shape[0], 2**24 - 2**24 * n_keep // n, []
    for i in range(n):
        weight, score = draw(seeds[0], 2**24 + index, i, 0), draw(seeds[1], scores + index, i, 0)
        key = (score + 2**52) // 2**29 if signed else abs(score) // 2**28
        guess = int(key >= threshold)
        zone = min(11, isqrt(144 * abs(key - threshold) // max(threshold, 2**24 - threshold))) + 12 * guess
        out.append((i // columns, i % columns, zone, min(7, abs(weight) // 2**49), int(weight < 0), guess))
    return out


@cache
def logit_table() -> list[int]:
    """For every chance in 4096ths its log-odds."""
    return [bisect_right(table(), 4096 * q + 2048) - 1 - 3072 for q in range(4096)]


def decode(words: Sequence[int], weights: Iterable[Weight]) -> list[int]:
    """The bits of some weights."""
    chances, logit = table(), logit_table()
    stream = chain(words, repeat(0))
    low, size, point = 0, 2**64 - 1, next(stream) << 32 | next(stream)
    mix, cells, counts, bits = [16384] * 7, {}, {}, []
    for row, column, zone, big, negative, guess in weights:
        lines = [counts.setdefault(("row", row), [0, 0, 0]), counts.setdefault(("column", column), [0, 0, 0])]
        unrest = [isqrt(256 * (2 * s + 1) // (2 * v + 8)) for v, s, _ in lines]
        share = [(16 * o + 8) // (v + 1) for v, _, o in lines]
        places = [(0, zone), *((j, zone, x) for j, x in enumerate([*unrest, *share, big, negative], 1))]
        mine = [cells.setdefault(place, [32768, 0]) for place in places]
        logits = [logit[chance >> 4] for chance, _ in mine]
        total = sum(w * x for w, x in zip(mix, logits, strict=True)) >> 16
        p = chances[min(max(total, -3071), 3071) + 3072]
        a, part = 1 + (2**24 - p) * (2**24 - 2) // 2**24, size >> 24
        bit = int((point - low) % 2**64 // part >= a)
        low, size = ((low + part * a) % 2**64, part * (2**24 - a)) if bit else (low, part * a)
        if size < 2**32:
            low, size, point = low * 2**32 % 2**64, size << 32, point * 2**32 % 2**64 | next(stream)
        mix = [w + ((x * ((2**24 * bit - p) >> 12) + 1024) >> 11) for w, x in zip(mix, logits, strict=True)]
        for cell in mine:
            cell[0] = min(max(cell[0] + ((65536 * bit - cell[0]) * (131072 // (2 * cell[1] + 3)) >> 16), 16), 65520)
            cell[1] = min(cell[1] + 1, 255)
        for line in lines:
            line[:] = line[0] + 1, line[1] + (bit != guess), line[2] + bit
        bits.append(bit)
    return bits
