"""Sorted lists of subset sums in vectors, for registers of any width: how they grow, and which values a sum uses.

**Merging.** Of a list and the same list shifted by x only the lower half of the merge is made; the upper half is its
mirror image. With A the next vector of the list and B the next one of the shifted list in *descending* order, the
smallest words of the two vectors are min(A, B), lane by lane, and as many of them come from A as lanes have A <= B: so
one comparison and one bit count move both readers, without a branch. The minima rise and then fall (or a rotation of
that), so exchanges over half a vector, a quarter, ..., 1 sort them. B needs no reversal, for the list is symmetric:
element m is top - element (size - 1 - m), so reading forwards from the mirrored place gives it in descending order. A
reader waits about 17 cycles for its own count, so a longer merge is cut by binary search into four stretches that run
side by side.

All levels of a half are kept, so that a sum tells what it uses: what is in the list without the last value does without
it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit
from sims.solver.kernels import lanes as _lanes
from sims.solver.kernels.lanes import (
    Lanes,
    backwards,
    below,
    bits_of_lane,
    by_mask,
    count,
    count_le,
    get,
    joined,
    lanes_eq,
    load,
    lowest,
    minimum,
    minus,
    ordered,
    put,
    spread,
    store,
)

WORDS = Lanes(64, 8)
"""Of numbers that stand alone: values, places."""
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "uses": (_lanes,)}
_INLINE: dict[str, Any] = {**_JIT, "forceinline": True}


def words(k: int) -> int:
    """Words of int64 that k levels of a half take at most."""
    return 8 + 16 * k + (1 << k)


@njit(**_INLINE)
def level(w, k):  # type: ignore[no-untyped-def]
    """The word where level k (2^k sums) starts: at a multiple of a vector, with a free vector on either side."""
    return count(w) + 2 * count(w) * k + ((1 << k) & -count(w))


@njit(**_INLINE)
def aligned(scratch):  # type: ignore[no-untyped-def]
    """The address of the first word of scratch that starts a cache line."""
    return (np.int64(scratch.ctypes.data) + 63) & -64


@njit(**_INLINE)
def _cut(w, p, a, x, end):  # type: ignore[no-untyped-def]
    """How many of the first ``end`` sums of the merge of the list p[a :] and the same plus x are without x."""
    step = end
    low = np.int64(0)
    while step > 1:  # how many rounds depends on nothing else
        half = step >> 1
        low += half & ~below(w, get(w, p, a + end - low - half) + x, get(w, p, a + low + half - 1))
        step -= half
    return low + 1 + below(w, get(w, p, a + end - 1 - low) + x, get(w, p, a + low))


@njit(**_JIT)
def double(w, p, a, n, x, out, o):  # type: ignore[no-untyped-def]
    """out[o : o + 2 n] = the sorted sums p[a : a + n] (symmetric, p[a] = 0) with and without the value x >= 0."""
    total = get(w, p, a + n - 1) + x
    step = count(w)
    mirror = spread(w, total)
    if 2 * n == step:
        u = load(w, p, a)
        store(w, out, o, ordered(joined(u, minus(mirror, u))))
        return
    if n < step:
        i = j = a
        for k in range(n):
            u = get(w, p, i)
            v = get(w, p, j) + x
            left = u <= v
            smaller = u if left else v
            put(w, out, o + k, smaller)
            put(w, out, o + 2 * n - 1 - k, total - smaller)
            i += np.int64(left)
            j += np.int64(not left)
        return
    low = o
    high = o + 2 * n - step
    # the shifted list is read from its mirror image: after ``step`` sums, i - a of them without x, at i + behind
    behind = n - step
    if n < 16 * step:
        i = a
        for _ in range(n // step):
            u = load(w, p, i)
            v = minus(mirror, load(w, p, i + behind))
            s = ordered(minimum(u, v))
            store(w, out, low, s)
            store(w, out, high, backwards(minus(mirror, s)))
            i += count_le(u, v)
            behind -= step
            low += step
            high -= step
        return
    gap = n >> 2
    i0 = a
    i1 = a + _cut(w, p, a, x, gap)
    i2 = a + _cut(w, p, a, x, 2 * gap)
    i3 = a + _cut(w, p, a, x, 3 * gap)
    for _ in range(gap // step):
        u0 = load(w, p, i0)
        u1 = load(w, p, i1)
        u2 = load(w, p, i2)
        u3 = load(w, p, i3)
        v0 = minus(mirror, load(w, p, i0 + behind))
        v1 = minus(mirror, load(w, p, i1 + behind - gap))
        v2 = minus(mirror, load(w, p, i2 + behind - 2 * gap))
        v3 = minus(mirror, load(w, p, i3 + behind - 3 * gap))
        i0 += count_le(u0, v0)
        i1 += count_le(u1, v1)
        i2 += count_le(u2, v2)
        i3 += count_le(u3, v3)
        s0 = ordered(minimum(u0, v0))
        s1 = ordered(minimum(u1, v1))
        s2 = ordered(minimum(u2, v2))
        s3 = ordered(minimum(u3, v3))
        store(w, out, low, s0)
        store(w, out, low + gap, s1)
        store(w, out, low + 2 * gap, s2)
        store(w, out, low + 3 * gap, s3)
        store(w, out, high, backwards(minus(mirror, s0)))
        store(w, out, high - gap, backwards(minus(mirror, s1)))
        store(w, out, high - 2 * gap, backwards(minus(mirror, s2)))
        store(w, out, high - 3 * gap, backwards(minus(mirror, s3)))
        behind -= step
        low += step
        high -= step


@njit(**_JIT)
def _start(w, levels, sizes, number):  # type: ignore[no-untyped-def]
    """Levels 0 to 3 from the first three sizes."""
    a = get(WORDS, sizes, 0)
    b = get(WORDS, sizes, 1)
    c = get(WORDS, sizes, 2)
    low = min(a, b)
    high = max(a, b)
    put(w, levels, level(w, 0), 0)
    put(w, levels, level(w, 1), 0)
    put(w, levels, level(w, 1) + 1, a)
    at = level(w, 2)
    put(w, levels, at, 0)
    put(w, levels, at + 1, low)
    put(w, levels, at + 2, high)
    put(w, levels, at + 3, a + b)
    if number > 2:
        at = level(w, 3)
        middle = max(low, min(high, c))
        top = max(high, c)
        low = min(low, c)
        total = a + b + c
        put(w, levels, at, 0)
        put(w, levels, at + 1, low)
        put(w, levels, at + 2, middle)
        put(w, levels, at + 3, min(low + middle, top))
        put(w, levels, at + 4, max(low + middle, top))
        put(w, levels, at + 5, total - middle)
        put(w, levels, at + 6, total - low)
        put(w, levels, at + 7, total)


@njit(**_JIT)
def build(w, sizes, n, p, q):  # type: ignore[no-untyped-def]
    """The levels of both halves of n sizes, each without its last one."""
    na = n // 2
    nb = n - na
    _start(w, p, sizes, na - 1)
    _start(w, q, sizes + 8 * na, nb - 1)
    for k in range(3, na - 1):
        double(w, p, level(w, k), 1 << k, get(WORDS, sizes, k), p, level(w, k + 1))
        double(w, q, level(w, k), 1 << k, get(WORDS, sizes, na + k), q, level(w, k + 1))
    if nb > na and na > 3:
        double(w, q, level(w, na - 1), 1 << (na - 1), get(WORDS, sizes, n - 2), q, level(w, na))


@njit(**_INLINE)
def _holds(w, levels, k, value):  # type: ignore[no-untyped-def]
    """Whether the sorted level k holds value: a search without branches down to a vector, then one comparison."""
    low = level(w, k)
    half = np.int64(1) << k
    while half > count(w):
        half >>= 1
        low += half & below(w, get(w, levels, low + half - 1), value)
    found = lanes_eq(load(w, levels, low), spread(w, value)) & ((np.int64(1) << half) - 1)
    return np.int64(found != 0)


@njit(**_INLINE)
def _lowest_mask(w, sizes, number, value):  # type: ignore[no-untyped-def]
    """The smallest mask of the first ``number`` sizes with this sum; four vectors hold the sums of all masks."""
    sums = by_mask(w, sizes)
    x = get(WORDS, sizes, bits_of_lane(w))
    y = get(WORDS, sizes, bits_of_lane(w) + 1)
    found = lanes_eq(sums, spread(w, value))
    found |= lanes_eq(sums, spread(w, value - x)) << count(w)
    found |= lanes_eq(sums, spread(w, value - y)) << 2 * count(w)
    found |= lanes_eq(sums, spread(w, value - x - y)) << 3 * count(w)
    there = ((np.int64(1) << ((1 << number) - 1)) << 1) - 1
    return lowest(w, found & there)


@njit(**_JIT)
def trace(w, p, q, sizes, na, ka, kb, first, second):  # type: ignore[no-untyped-def]
    """Bit i is set where the half sums use size i, of the first ka of one half and the first kb <= ka + 1 of the other.

    Of several ways the one with the smallest bits, last sizes first. The levels ka and kb need not exist.
    """
    taken = np.int64(0)
    few = bits_of_lane(w) + 2
    k = kb - 1
    if kb > ka and k >= few:
        right = 1 - _holds(w, q, k, second)
        taken |= right << (na + k)
        second -= get(WORDS, sizes, na + k) & -right
        k -= 1
    while k >= few:
        left = 1 - _holds(w, p, k, first)
        right = 1 - _holds(w, q, k, second)
        taken |= left << k | right << (na + k)
        first -= get(WORDS, sizes, k) & -left
        second -= get(WORDS, sizes, na + k) & -right
        k -= 1
    taken |= _lowest_mask(w, sizes, min(ka, few), first)
    return taken | _lowest_mask(w, sizes + 8 * na, min(kb, few), second) << na
