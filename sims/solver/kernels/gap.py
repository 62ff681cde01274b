"""Kernels for coverage: all sums of a value set in an interval, and the largest gap between neighbours.

Each variable's options (nothing, or one of its R values) are shifted so that the smallest is 0. The sorted list of sums
grows variable by variable, widest first, as the merge of shifted copies of itself, and at every level only the sums are
kept that can still end in the window [a, b]: with r the largest sum of the variables to come, those in [a - r, b], and
one more on either side, the *guards* (the next sum below and the next above, or -FAR and FAR). A guard shifted by an
option never enters the next level's range, and every sum of the next level's range or guards comes from the range or
guards of this one, so the guards stay right. The last copy is never merged in: the largest gap lies inside a gap of the
other copies that is wider than the best found so far, and few are. A level that does not fit into the scratch is freed
of duplicates; if that does not help, the window is cut in two and each part is done alone, down to 1/64 of the
interval; narrower windows would be many and their early levels hardly shorter, so that more scratch is asked for.

The result of a value set is the largest gap s' - s between neighbours whose midpoint lies in the interval, and the sums
next to either end, on its left (<=) and on its right (>). Coverage follows from these for every eps at once.

All arithmetic is exact in int64; the wrapper makes sure that all sums and the interval stay below LIMIT in size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

LIMIT = 2**58
"""Largest allowed sum over the variables of the largest size, and size of the interval's ends."""

FAR = 2**61
"""Stands for a neighbour that does not exist; so does anything beyond FAR / 2 in size."""

_FAR = np.int64(FAR)
_BLOCK = 64
_CUTS = 6
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def buffer_size(capacity: int, draws: int) -> int:
    """Words of int64 scratch for lists of ``capacity`` sums."""
    return (2 if draws == 1 else 3) * (capacity + draws + 4)


@njit(**_JIT)
def _at_least(source, start, stop, value):  # type: ignore[no-untyped-def]
    """First index in start..stop whose entry is >= value; stop if there is none."""
    while start < stop:
        middle = (start + stop) >> 1
        if source[middle] < value:
            start = middle + 1
        else:
            stop = middle
    return start


@njit(**_JIT)
def _taken(source, i, size, p, j, other, q, count):  # type: ignore[no-untyped-def]
    """How many of the first ``count`` outputs of the merge come from the first run."""
    low = max(0, count - other)
    high = min(count, size)
    while low < high:
        middle = (low + high) >> 1
        if source[i + middle] + p <= source[j + count - middle - 1] + q:
            low = middle + 1
        else:
            high = middle
    return low


@njit(**_JIT)
def _merge(source, i, i_end, p, j, j_end, q, out, o):  # type: ignore[no-untyped-def]
    """Merge source[i:i_end] + p and source[j:j_end] + q into out[o:], as four stretches side by side.

    The entries at i_end and j_end exceed every output, so that no end needs to be watched.
    """
    size = i_end - i
    other = j_end - j
    quarter = (size + other) >> 2
    one = np.uint64(1)
    stretch = np.uint64(quarter)
    c1 = _taken(source, i, size, p, j, other, q, quarter)
    c2 = _taken(source, i, size, p, j, other, q, 2 * quarter)
    c3 = _taken(source, i, size, p, j, other, q, 3 * quarter)
    i0 = np.uint64(i)
    i1 = np.uint64(i + c1)
    i2 = np.uint64(i + c2)
    i3 = np.uint64(i + c3)
    j0 = np.uint64(j)
    j1 = np.uint64(j + quarter - c1)
    j2 = np.uint64(j + 2 * quarter - c2)
    j3 = np.uint64(j + 3 * quarter - c3)
    k = np.uint64(o)
    end = k + stretch
    while k < end:
        u0 = source[i0] + p
        v0 = source[j0] + q
        u1 = source[i1] + p
        v1 = source[j1] + q
        u2 = source[i2] + p
        v2 = source[j2] + q
        u3 = source[i3] + p
        v3 = source[j3] + q
        out[k] = min(u0, v0)
        out[k + stretch] = min(u1, v1)
        out[k + stretch + stretch] = min(u2, v2)
        out[k + stretch + stretch + stretch] = min(u3, v3)
        i0 += np.uint64(u0 <= v0)
        i1 += np.uint64(u1 <= v1)
        i2 += np.uint64(u2 <= v2)
        i3 += np.uint64(u3 <= v3)
        j0 += np.uint64(u0 > v0)
        j1 += np.uint64(u1 > v1)
        j2 += np.uint64(u2 > v2)
        j3 += np.uint64(u3 > v3)
        k += one
    k = np.uint64(o + 4 * quarter)
    end = np.uint64(o + size + other)
    while k < end:
        u = source[i3] + p
        v = source[j3] + q
        out[k] = min(u, v)
        i3 += np.uint64(u <= v)
        j3 += np.uint64(u > v)
        k += one


@njit(**_JIT)
def _grow(source, m, shifts, low, high, capacity, first, second, cuts):  # type: ignore[no-untyped-def]
    """The copies of source (m sums, two guards) shifted by ``shifts`` (two or more), within [low, high], merged.

    Returns (sums, 1 or 2 for the buffer they are in), or (-1, 0) if they do not fit.
    """
    count = len(shifts)
    total = np.int64(0)
    below = -_FAR
    above = _FAR
    for r in range(count):
        start = _at_least(source, 1, m + 1, low - shifts[r])
        stop = _at_least(source, start, m + 1, high - shifts[r] + 1)
        cuts[2 * r] = start
        cuts[2 * r + 1] = stop
        total += stop - start
        below = max(below, source[start - 1] + shifts[r])
        above = min(above, source[stop] + shifts[r])
    if total > capacity:
        return np.int64(-1), 0
    runs, place = (
        0,
        np.int64(1),
    )  # pairs of copies become runs, each closed by FAR; cuts then holds their starts and stops
    for r in range(0, count, 2):
        start, stop = cuts[2 * r], cuts[2 * r + 1]
        size = stop - start
        if r + 1 < count:
            after, end = cuts[2 * r + 2], cuts[2 * r + 3]
            _merge(source, start, stop, shifts[r], after, end, shifts[r + 1], first, place)
            size += end - after
        else:
            for i in range(size):
                first[place + i] = source[start + i] + shifts[r]
        first[place + size] = _FAR
        cuts[2 * runs] = place
        cuts[2 * runs + 1] = place + size
        place += size + 1
        runs += 1
    where = 1
    while runs > 1:
        if where == 1:
            old, new = first, second
        else:
            old, new = second, first
        place = np.int64(1)
        fewer = 0
        for r in range(0, runs, 2):
            start, stop = cuts[2 * r], cuts[2 * r + 1]
            size = stop - start
            if r + 1 < runs:
                after, end = cuts[2 * r + 2], cuts[2 * r + 3]
                _merge(old, start, stop, np.int64(0), after, end, np.int64(0), new, place)
                size += end - after
            else:
                for i in range(size):
                    new[place + i] = old[start + i]
            new[place + size] = _FAR
            cuts[2 * fewer] = place
            cuts[2 * fewer + 1] = place + size
            place += size + 1
            fewer += 1
        runs = fewer
        where = 3 - where
    if where == 1:
        first[0] = below
        first[total + 1] = above
    else:
        second[0] = below
        second[total + 1] = above
    return total, where


@njit(**_JIT)
def _without_duplicates(source, m):  # type: ignore[no-untyped-def]
    """Compact the m sums between the guards; returns how many remain."""
    kept = 0
    for i in range(1, m + 1):
        if kept == 0 or source[i] != source[kept]:
            kept += 1
            source[kept] = source[i]
    source[kept + 1] = source[m + 1]
    return kept


@njit(**_JIT)
def _after(source, start, stop, value):  # type: ignore[no-untyped-def]
    """First index in start..stop whose entry is > value, by doubling steps; stop if there is none."""
    low = start
    high = start
    step = np.int64(1)
    while high < stop and source[high] <= value:
        low = high + 1
        high += step
        step *= 2
    return _at_least(source, low, min(high, stop), value + 1)


@njit(**_JIT)
def _span(source, start, stop):  # type: ignore[no-untyped-def]
    """Largest source[i + 1] - source[i] for i in start..stop-1; vector instructions do it."""
    left = source[start:stop]
    right = source[start + 1 : stop + 1]
    span = np.int64(0)
    for i in range(len(left)):
        span = max(span, right[i] - left[i])
    return span


@njit(**_JIT)
def _widest(coarse, m, fine, size, shift, a, b, low2, high2, best):  # type: ignore[no-untyped-def]
    """The larger of ``best`` and the largest gap of the union of coarse (m sums) and fine + shift (``size`` sums).

    Only neighbours s <= b, s' >= a with low2 <= s + s' <= high2 count. Both lists have guards, and no sum of
    fine + shift is below the smallest of coarse.
    """
    j = np.int64(0)
    for block in range(_at_least(coarse, 1, m + 1, a) - 1, m + 1, _BLOCK):
        stop = min(block + _BLOCK, m + 1)
        if _span(coarse, block, stop) <= best:
            continue
        for i in range(block, stop):
            left = coarse[i]
            right = coarse[i + 1]
            if right - left <= best:
                continue
            j = _after(fine, j, size + 2, left - shift)
            while True:
                inside = j < size + 2 and fine[j] + shift < right
                middle = fine[j] + shift if inside else right
                if middle - left > best and left <= b and middle >= a and low2 <= left + middle <= high2:
                    best = middle - left
                if not inside:
                    break
                left = middle
                j += 1
    return best


@njit(**_JIT)
def _neighbours(coarse, m, fine, size, shift, point):  # type: ignore[no-untyped-def]
    """The largest sum <= point and the smallest sum > point."""
    i = _at_least(coarse, 1, m + 1, point + 1)
    j = _at_least(fine, 1, size + 1, point + 1 - shift)
    return max(coarse[i - 1], fine[j - 1] + shift), min(coarse[i], fine[j] + shift)


@njit(**_JIT)
def _window(shifts, rest, a, b, capacity, one, two, three, cuts):  # type: ignore[no-untyped-def]
    """The list of all variables but the last, for the window [a, b]: (buffer 0..2, sums), or (-1, .) on overflow."""
    n = len(shifts)
    one[0] = -_FAR
    one[1] = 0
    one[2] = _FAR
    m = 1
    if b < 0:
        m = 0
    elif a - rest[0] > 0:
        one[0] = 0
        one[1] = _FAR
        m = 0
    current = 0
    for k in range(n - 1):
        if current == 0:
            source, first, second, names = one, two, three, (1, 2)
        elif current == 1:
            source, first, second, names = two, one, three, (0, 2)
        else:
            source, first, second, names = three, one, two, (0, 1)
        low = a - rest[k + 1]
        grown, where = _grow(source, m, shifts[k], low, b, capacity, first, second, cuts)
        if grown < 0:
            fewer = _without_duplicates(source, m)
            if fewer < m:
                m = fewer
                grown, where = _grow(source, m, shifts[k], low, b, capacity, first, second, cuts)
            if grown < 0:
                return -1, m
        m = grown
        current = names[where - 1]
    return current, m


@njit(**_JIT)
def _solve(shifts, origin, low, high, low2, high2, capacity, scratch, rest, cuts, near):  # type: ignore[no-untyped-def]
    """Largest gap of the sums with its midpoint in the interval, -1 if the scratch is too small; near as below."""
    n, draws = shifts.shape[0], shifts.shape[1] - 1
    words = capacity + draws + 4
    one = scratch[:words]
    two = scratch[words : 2 * words]
    three = scratch[2 * words :]
    rest[n] = 0
    for i in range(n - 1, -1, -1):
        rest[i] = rest[i + 1] + shifts[i, draws]
    low -= origin
    high -= origin
    low2 -= 2 * origin
    high2 -= 2 * origin
    shift = shifts[n - 1, draws]
    best = np.int64(0)
    narrowest = (high - low) >> _CUTS
    stack = np.empty((_CUTS + 2, 2), np.int64)
    stack[0, 0] = low
    stack[0, 1] = high
    depth = 1
    while depth > 0:
        depth -= 1
        a, b = stack[depth, 0], stack[depth, 1]
        current, m = _window(shifts, rest, a, b, capacity, one, two, three, cuts)
        size = m
        if current == 0:
            fine, first, second = one, two, three
        elif current == 1:
            fine, first, second = two, one, three
        else:
            fine, first, second = three, one, two
        coarse = fine
        if current >= 0 and draws > 1:
            m, where = _grow(fine, size, shifts[n - 1, :draws], a, b, capacity, first, second, cuts)
            coarse = first if where == 1 else second
        if current < 0 or m < 0:
            if b - a <= narrowest:
                return np.int64(-1)
            middle = a + ((b - a) >> 1)
            stack[depth, 0] = middle + 1
            stack[depth, 1] = b
            stack[depth + 1, 0] = a
            stack[depth + 1, 1] = middle
            depth += 2
            continue
        best = _widest(coarse, m, fine, size, shift, a, b, low2, high2, best)
        if a == low:
            left, right = _neighbours(coarse, m, fine, size, shift, low)
            near[0], near[1] = left + origin, right + origin
        if b == high:
            left, right = _neighbours(coarse, m, fine, size, shift, high)
            near[2], near[3] = left + origin, right + origin
    return best


@njit(**_JIT)
def gap_rows(options, origins, low, high, low2, high2, capacity, scratch, gaps, near):  # type: ignore[no-untyped-def]
    """gaps[t] and near[t] of every row; returns how many rows were done before an overflow.

    options[t], shape (n, R + 1): what a variable may add, from 0 up, the widest variable first; a sum of them plus
    origins[t] is a sum of values.
    low, high are the interval's ends rounded down; low2, high2 are twice the ends, rounded up and down. near[t] holds
    the sums next to low (<=, >) and next to high; FAR stands for none.
    """
    n, draws = options.shape[1], options.shape[2] - 1
    rest = np.empty(n + 1, np.int64)
    cuts = np.empty(2 * draws + 4, np.int64)
    for t in range(len(options)):
        gaps[t] = _solve(options[t], origins[t], low, high, low2, high2, capacity, scratch, rest, cuts, near[t])
        if gaps[t] < 0:
            return t
    return len(options)
