"""Random words of a ticket's draws, by Philox 4x32-10, and the search for the first that falls into a window.

The key is the ticket's seed. The counter's words, least significant first, for part p (from 0) and draw k (from 0):

=========  ==============================  =======================================================================
stream     counter                         words
=========  ==============================  =======================================================================
private    k // 4, p, weight, 1            word k mod 4 is draw k of a weight
common     k, 0, 0, 2                      words 0 to d - 1 are draw k of every block of d weights, before rotation
rotation   block, p, d, 3                  words that are added to them, mod 2^32, for this block
pool       k // 4, p, 0, 4                 word k mod 4 is draw k of the whole part
subset     i // 4, p, weight, 5            word i mod 4 is value i of a weight
=========  ==============================  =======================================================================

Rotated draws of one block are independent and uniform, as private ones are; two blocks are independent of each other,
three are not. That is what lets one index of the common stream serve all blocks.

Even draws have floor(k g_j / 2^32) mod 2^32 in place of word j of the common stream, g_j = floor(2^64 x^-(j+1)) with x
the root > 1 of x^(d+1) = x + 1 (`STEPS`). Each draw is uniform and blocks are independent of each other, but the draws
of one block are spread evenly over all values, so that one comes near sooner: for d = 1 the first N leave no gap wider
than 1.9/N (computed for N up to 6,000, and for 80 N up to 2^24; as the three-gap theorem has it for the golden ratio).
The sequences are Kronecker's, the steps recalled from M. Roberts, 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sims.jit import njit
from sims.threads import ordered, pieces

Words = npt.NDArray[np.uint32]
Integers = npt.NDArray[np.int64]
PRIVATE, ROTATED, ROTATION, POOL, SUBSET = 1, 2, 3, 4, 5
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
STEPS = {
    1: (0x9E3779B97F4A7C15,),
    2: (0xC13FA9A902A6328F, 0x91E10DA5C79E7B1C),
    3: (0xD1B54A32D192ED03, 0xABC98388FB8FAC02, 0x8CB92BA72F3D8DD7),
    4: (0xDB4F0B9175AE2165, 0xBBE0563303A4615F, 0xA0F2EC75A1FE1575, 0x89E182857D9ED688),
}
"""Steps g_0 to g_(d-1) of even draws."""
_TIERS = (2**10, 2**14, 2**18, 2**22, 2**24)
"""Ends of the stretches of a rotated stream that are searched one after the other."""
_PIECE = 2**14


@njit(inline="always")
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Ten rounds of Philox 4x32 on 32-bit words held in uint64."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0 = c0 * np.uint64(0xD2511F53)
        p1 = c2 * np.uint64(0xCD9E8D57)
        c0 = (p1 >> shift) ^ c1 ^ k0
        c2 = (p0 >> shift) ^ c3 ^ k1
        c1 = p1 & low
        c3 = p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


@njit(**_JIT)
def _words(seed, c0, c1, c2, c3, out):  # type: ignore[no-untyped-def]
    """out[i] = the four words of counter (c0[i], c1, c2[i], c3)."""
    k0, k1 = seed & np.uint64(0xFFFFFFFF), seed >> np.uint64(32)
    for i in range(c0.size):
        w0, w1, w2, w3 = _philox(np.uint64(c0[i]), c1, np.uint64(c2[i]), c3, k0, k1)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = w0, w1, w2, w3


def words(seed: int, c0: npt.ArrayLike, c1: int, c2: npt.ArrayLike, c3: int) -> Words:
    """The four words of every counter (c0, c1, c2, c3), shape (counters, 4)."""
    first, third = np.broadcast_arrays(np.asarray(c0, np.int64), np.asarray(c2, np.int64))
    out = np.empty((first.size, 4), np.uint32)
    one, three = np.uint64(c1), np.uint64(c3)
    _words(np.uint64(seed), np.ascontiguousarray(first), one, np.ascontiguousarray(third), three, out)
    return out


@njit(**_JIT)
def _first_private(seed, part, weights, low, width, limit, out):  # type: ignore[no-untyped-def]
    """out[i] = the first draw k < limit of weights[i] whose word is in its window, or -1."""
    mask = np.uint64(0xFFFFFFFF)
    k0, k1 = seed & mask, seed >> np.uint64(32)
    private = np.uint64(1)
    for i in range(low.size):
        lo, wide, weight = np.uint64(low[i]), np.uint64(width[i]), np.uint64(weights[i])
        out[i] = -1
        block = 0
        while 4 * block < limit:
            hits = np.uint64(0)
            for j in range(16):
                w0, w1, w2, w3 = _philox(np.uint64(block + j), part, weight, private, k0, k1)
                some = np.uint64(((w0 - lo) & mask) <= wide) | np.uint64(((w1 - lo) & mask) <= wide)
                some |= np.uint64(((w2 - lo) & mask) <= wide) | np.uint64(((w3 - lo) & mask) <= wide)
                hits |= some << np.uint64(j)
            if hits:
                j = 0
                while not (hits >> np.uint64(j)) & np.uint64(1):
                    j += 1
                w0, w1, w2, w3 = _philox(np.uint64(block + j), part, weight, private, k0, k1)
                k = 4 * (block + j)
                if not ((w0 - lo) & mask) <= wide:
                    k += 1
                    if not ((w1 - lo) & mask) <= wide:
                        k += 1
                        if not ((w2 - lo) & mask) <= wide:
                            k += 1
                if k < limit:
                    out[i] = k
                break
            block += 16


def first_private(
    seed: int, part: int, weights: Integers, low: Words, width: Words, limit: int, *, jobs: int = 1, tick: Any = None
) -> Integers:
    """For every weight, by its number, the first of its private draws in its window; -1 where none of `limit` is."""
    out = np.empty(low.size, np.int64)

    def piece(start: int, end: int) -> int:
        here = slice(start, end)
        _first_private(np.uint64(seed), np.uint64(part), weights[here], low[here], width[here], limit, out[here])
        return end - start

    for done in ordered(piece, pieces(low.size, _PIECE), jobs=jobs):
        if tick is not None:
            tick(done)
    return out


def private_words(seed: int, part: int, weights: Integers, draws: Integers) -> Words:
    """The word of one private draw of each of some weights."""
    return np.take_along_axis(words(seed, draws >> 2, part, weights, PRIVATE), (draws & 3)[:, None], 1)[:, 0]


def common_words(seed: int, d: int, draws: Integers, *, even: bool) -> Words:
    """Some draws of the common stream, before rotation, shape (draws, d)."""
    if not even:
        return words(seed, draws, 0, np.int64(0), ROTATED)[:, :d]
    product = draws.astype(np.uint64)[:, None] * np.array(STEPS[d], np.uint64)
    return (product >> np.uint64(32)).astype(np.uint32)


def rotated_words(seed: int, part: int, d: int, blocks: Integers, draws: Integers, *, even: bool) -> Words:
    """The words of one draw of each of some blocks, shape (blocks, d)."""
    return common_words(seed, d, draws, even=even) + rotations(seed, part, d, blocks)


def rotations(seed: int, part: int, d: int, blocks: Integers) -> Words:
    """What is added to the words of a rotated stream for each of some blocks, shape (blocks, d)."""
    return words(seed, blocks, part, np.int64(d), ROTATION)[:, :d]


@njit(**_JIT)
def _cells(stream, d, bits, out):  # type: ignore[no-untyped-def]
    """out[i] = the cell of point i on a grid of 2^bits cells per axis."""
    for i in range(stream.shape[0]):
        cell = 0
        for j in range(d):
            cell = (cell << bits) | (np.int64(stream[i, j]) >> (32 - bits))
        out[i] = cell


@njit(**_JIT)
def _first_rotated(stream, order, ends, d, bits, start, low, width, out):  # type: ignore[no-untyped-def]
    """For blocks with out = -1: the first draw from `start` on in all d windows, found through the cells."""
    mask = np.int64(0xFFFFFFFF)
    first, count, at = np.empty(4, np.int64), np.empty(4, np.int64), np.empty(4, np.int64)
    side = np.int64(1) << bits
    for b in range(low.shape[0]):
        if out[b] >= 0:
            continue
        for j in range(d):
            lo, hi = np.int64(low[b, j]), np.int64(low[b, j]) + np.int64(width[b, j])
            first[j] = lo >> (32 - bits)
            count[j] = min((hi >> (32 - bits)) - first[j] + 1, side)
            at[j] = 0
        best = np.int64(order.size)
        while True:
            cell = np.int64(0)
            for j in range(d):
                cell = (cell << bits) | ((first[j] + at[j]) & (side - 1))
            begin = ends[cell - 1] if cell else 0
            for place in range(begin, ends[cell]):
                i = order[place]
                if i >= best:
                    break
                inside = True
                for j in range(d):
                    if ((np.int64(stream[i, j]) - np.int64(low[b, j])) & mask) > np.int64(width[b, j]):
                        inside = False
                        break
                if inside:
                    best = np.int64(i)
                    break
            j = d - 1
            while j >= 0:
                at[j] += 1
                if at[j] < count[j]:
                    break
                at[j] = 0
                j -= 1
            if j < 0:
                break
        if best < order.size:
            out[b] = start + best


class RotatedStream:
    """The draws of blocks, searched through an index of the common stream that is made stretch by stretch.

    Parameters
    ----------
    seed : int
    d : int
        Weights in a block, 1 to 4.
    limit : int
        Draws, at most 2^24.
    even : bool
        Even draws, not independent ones.
    """

    def __init__(self, seed: int, d: int, limit: int, *, even: bool) -> None:
        self._seed, self._d, self._even = seed, d, even
        ends = [end for end in _TIERS if end < limit] + [limit]
        self._stretches = list(zip([0, *ends], ends, strict=False))
        self._made: dict[int, tuple[Words, Any, Any, int]] = {}

    def _index(self, number: int) -> tuple[Words, Any, Any, int]:
        if number not in self._made:
            start, end = self._stretches[number]
            stream = common_words(self._seed, self._d, np.arange(start, end), even=self._even)
            bits = max(1, min(16, round(np.log2(max((end - start) / 8, 2)) / self._d)))
            cells = np.empty(len(stream), np.int64)
            _cells(stream, self._d, bits, cells)
            order = np.argsort(cells, kind="stable").astype(np.int32)
            ends = np.cumsum(np.bincount(cells, minlength=1 << (bits * self._d)))
            self._made[number] = stream, order, ends, bits
        return self._made[number]

    def first(
        self, part: int, blocks: Integers, low: Words, width: Words, *, jobs: int = 1, tick: Any = None
    ) -> Integers:
        """For every block the first draw in all its windows (shape (blocks, d)); -1 where there is none."""
        moved = low - rotations(self._seed, part, self._d, blocks)
        out = np.full(len(low), -1, np.int64)
        for number, (start, _) in enumerate(self._stretches):
            if (out >= 0).all():
                break
            index = self._index(number)

            def piece(begin: int, end: int, index: Any = index, start: int = start) -> int:
                stream, order, ends, bits = index
                found = out[begin:end]
                before = int((found >= 0).sum())
                _first_rotated(stream, order, ends, self._d, bits, start, moved[begin:end], width[begin:end], found)
                return int((found >= 0).sum()) - before

            for done in ordered(piece, pieces(len(low), _PIECE), jobs=jobs):
                if tick is not None:
                    tick(done * self._d)
        return out


class RotatedStreams:
    """The rotated streams of a ticket for blocks of 1 to 4 weights, `limit` draws each, made when they are used."""

    def __init__(self, seed: int, limit: int, *, even: bool) -> None:
        self._seed, self._limit, self._even = seed, limit, even
        self._made: dict[int, RotatedStream] = {}

    def of(self, d: int) -> RotatedStream:
        """The stream for blocks of d weights."""
        if d not in self._made:
            self._made[d] = RotatedStream(self._seed, d, self._limit, even=self._even)
        return self._made[d]
