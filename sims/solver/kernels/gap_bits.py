"""Kernel for coverage: the largest gap of all sums from a coarse picture of them, and a few exact looks.

The picture is a bit map of the interval in bins of r = 2^shift units. The sums of the first variables, widest first,
set their bits one by one, rounded down; each variable to come ors copies of the map into it, moved by its options
rounded to whole bins. What that rounding can add up to on either side is known, below + above < r * slack: a sum s has
set a bit p with p r - below <= s < p r + above. So where the map is empty between its bits u and v, all sums of bits up
to u lie below u r + above, all others at v r - below or beyond, and the gap between them is v - u bins, give or take
the slack. The longest empty stretches are looked at in turn: one sweep over the sorted sums of both halves of the
variables finds the sums next to a point of the stretch exactly. It ends as soon as what is left, and what is too short
to be listed, cannot beat the largest gap found. The bins are about a fiftieth of that gap; where a guess from the
normal law misses it, the bins are chosen anew, and where that fails, or the map would be too large, -1 says that the
row is not decided.

The results are those of ``_gap``, number for number; there all sums of the interval are listed. All arithmetic is exact
in int64, under its limit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**61)  # as sims.solver.kernels.gap.FAR
_RUN = 24
"""Empty stretches of so many bins are listed."""
_MOST = 1024
_BINS = 40.0
_ATTEMPTS = 5
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_PART: dict[str, Any] = {**_JIT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by the kernel only

_DE_BRUIJN = 0x03F79D71B4CB0A89
_POSITION = np.zeros(64, np.int64)
for _i in range(64):
    _POSITION[((_DE_BRUIJN << _i) & (2**64 - 1)) >> 58] = _i


def halves_size(n: int, draws: int) -> int:
    """Words of int64 for the lists of half sums."""
    size: int = 8 * ((draws + 1) ** (n - n // 2) + 2)
    return size


@njit(**_PART)
def _lowest(word):  # type: ignore[no-untyped-def]
    """Index of the lowest set bit of word != 0."""
    lowest = word & (~word + np.uint64(1))
    return _POSITION[(lowest * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]


@njit(**_PART)
def _merge(a, size, b, other, shift, out):  # type: ignore[no-untyped-def]
    """Merge the sorted a[1 : size + 1] and b[1 : other + 1] + shift into out[1:]."""
    one = np.uint64(1)
    i = j = k = one
    i_end = np.uint64(size + 1)
    j_end = np.uint64(other + 1)
    if size == other:  # from both ends at once: neither list can run out
        x = y = np.uint64(size)
        high = np.uint64(2 * size)
        for _ in range(size):
            u = a[i]
            v = b[j] + shift
            left = u <= v
            out[k] = u if left else v
            i += np.uint64(left)
            j += np.uint64(not left)
            k += one
            u = a[x]
            v = b[y] + shift
            right = v >= u
            out[high] = v if right else u
            y -= np.uint64(right)
            x -= np.uint64(not right)
            high -= one
        return
    while i < i_end and j < j_end:
        u = a[i]
        v = b[j] + shift
        left = u <= v
        out[k] = u if left else v
        i += np.uint64(left)
        j += np.uint64(not left)
        k += one
    while i < i_end:
        out[k] = a[i]
        i += one
        k += one
    while j < j_end:
        out[k] = b[j] + shift
        j += one
        k += one


@njit(**_PART)
def _half_sums(shifts, first, room):  # type: ignore[no-untyped-def]
    """The sorted sums of every other variable, between two guards, in a part of room."""
    words = len(room) // 3
    old, free, spare = room[:words], room[words : 2 * words], room[2 * words :]
    old[1] = 0
    size = 1
    for k in range(first, len(shifts), 2):
        grown, total = old, size
        for r in range(1, shifts.shape[1]):
            _merge(grown, total, old, size, shifts[k, r], free)
            total += size
            grown, free = free, spare if r == 1 else grown
        old, spare = grown, old
        size = total
    old[0] = -_FAR
    old[size + 1] = _FAR
    return old[: size + 2]


@njit(**_PART)
def _neighbours(p, q, points, left, right):  # type: ignore[no-untyped-def]
    """left[k] = the largest sum <= points[k], right[k] = the smallest above it, k < 4; -FAR and FAR where none is."""
    one = np.uint64(1)
    i0 = i1 = i2 = i3 = one
    j0 = j1 = j2 = j3 = np.uint64(len(q) - 2)
    c0, c1, c2, c3 = points[0], points[1], points[2], points[3]
    a0 = a1 = a2 = a3 = -_FAR
    b0 = b1 = b2 = b3 = _FAR
    for _ in range(len(p) + len(q) - 4):
        s0, s1, s2, s3 = p[i0] + q[j0], p[i1] + q[j1], p[i2] + q[j2], p[i3] + q[j3]
        a0, b0 = max(a0, s0 if s0 <= c0 else -_FAR), min(b0, _FAR if s0 <= c0 else s0)
        a1, b1 = max(a1, s1 if s1 <= c1 else -_FAR), min(b1, _FAR if s1 <= c1 else s1)
        a2, b2 = max(a2, s2 if s2 <= c2 else -_FAR), min(b2, _FAR if s2 <= c2 else s2)
        a3, b3 = max(a3, s3 if s3 <= c3 else -_FAR), min(b3, _FAR if s3 <= c3 else s3)
        i0 += np.uint64(s0 <= c0)
        i1 += np.uint64(s1 <= c1)
        i2 += np.uint64(s2 <= c2)
        i3 += np.uint64(s3 <= c3)
        j0 -= np.uint64(s0 > c0)
        j1 -= np.uint64(s1 > c1)
        j2 -= np.uint64(s2 > c2)
        j3 -= np.uint64(s3 > c3)
    left[0], left[1], left[2], left[3] = a0, a1, a2, a3
    right[0], right[1], right[2], right[3] = b0, b1, b2, b3
    for k in range(4):  # a guard took part
        if left[k] < -_FAR // 2:
            left[k] = -_FAR
        if right[k] > _FAR // 2:
            right[k] = _FAR


@njit(**_PART)
def _guess(shifts, low, high):  # type: ignore[no-untyped-def]
    """About the largest gap in the interval, by the normal law."""
    n, options = shifts.shape
    mean = variance = 0.0
    for i in range(n):
        one = two = 0.0
        for r in range(options):
            value = np.float64(shifts[i, r])
            one += value / options
            two += value * value / options
        mean += one
        variance += two - one * one
    count = np.float64(options) ** n
    sigma = max(math.sqrt(max(variance, 0.0)), 1.0)
    thin = thick = 0.0
    for at in (low, high, low + (high - low) // 2):
        z = (np.float64(at) - mean) / sigma
        density = count * 0.4 * math.exp(-0.5 * min(z * z, 100.0)) / sigma
        thin = density if thin == 0.0 else min(thin, density)
        thick = max(thick, density)
    return max(math.log(max(thick * (high - low), 2.0)), 1.0) / thin


@njit(**_PART)
def _bins(value, shift):  # type: ignore[no-untyped-def]
    """An option in whole bins."""
    return (value + ((np.int64(1) << shift) >> 1)) >> shift


@njit(**_PART)
def _cut(shifts, shift, span, words):  # type: ignore[no-untyped-def]
    """How many variables set their bits one by one: where that and oring the others take least time, in ns.

    -1 if the map is too large. ``span``: bins of the interval.
    """
    n, options = shifts.shape
    best = np.int64(-1)
    least = 1e300
    rest = np.int64(0)
    later = 0.0
    for k in range(n, -1, -1):
        if k < n:
            later += 0.0025 * (options - 1) * np.float64(span + rest)
            rest += _bins(shifts[k, options - 1], shift)
        if (span + rest >> 6) + 8 > words:
            break
        cost = later + 2.0 * np.float64(options) ** k
        if cost < least:
            best, least = np.int64(k), cost
    return best


@njit(**_PART)
def _rounding(shifts, shift, count):  # type: ignore[no-untyped-def]
    """How far a sum may lie below its bit, and how far above; ``count`` variables set their bits one by one."""
    below, above = np.int64(0), np.int64(1) << shift
    for k in range(count, len(shifts)):
        least = most = np.int64(0)
        for r in range(1, shifts.shape[1]):
            error = shifts[k, r] - (_bins(shifts[k, r], shift) << shift)
            least, most = min(least, error), max(most, error)
        below -= least
        above += most
    return below, above


@njit(**_PART)
def _or_shifted(base, old, new, start, stop, shift):  # type: ignore[no-untyped-def]
    """new = base | old << shift, for the words from start to stop."""
    whole = shift >> 6
    left = np.uint64(shift & 63)
    right = np.uint64(63) - left
    one = np.uint64(1)
    high = old[start - whole : stop - whole]
    low = old[start - whole - 1 : stop - whole - 1]
    same = base[start:stop]
    target = new[start:stop]
    for w in range(len(target)):
        target[w] = same[w] | (high[w] << left) | ((low[w] >> one) >> right)


@njit(**_PART)
def _draw(shifts, shift, first, last, count, old, new, room):  # type: ignore[no-untyped-def]
    """Draw the map of bins first to last: (map, spare, the bin of bit 0, words)."""
    n, options = shifts.shape
    rest = np.int64(0)
    for k in range(count, n):
        rest += _bins(shifts[k, options - 1], shift)
    origin = ((first - rest) >> 6 << 6) - 128
    stop = (last - origin >> 6) + 1
    old[: stop + 1] = 0
    a, b = count // 2, count - count // 2
    one = np.uint64(1)
    sizes = (options**a, options**b)
    lists = (room[: sizes[0]], room[sizes[0] : sizes[0] + sizes[1]])
    for part in range(2):
        sums = lists[part]
        sums[0] = 0
        size = 1
        for k in range(part * a, count if part else a):
            for r in range(1, options):
                for i in range(size):
                    sums[r * size + i] = sums[i] + shifts[k, r]
            size *= options
    beyond = np.uint64(stop << 6)
    for u in lists[0]:
        u -= origin << shift
        for v in lists[1]:
            place = min(np.uint64((u + v) >> shift), beyond)
            old[place >> np.uint64(6)] |= one << (place & np.uint64(63))
    for k in range(count, n):
        rest -= _bins(shifts[k, options - 1], shift)
        start = first - rest - origin >> 6
        _or_shifted(old, old, new, start, stop, _bins(shifts[k, 1], shift))
        for r in range(2, options):
            _or_shifted(new, old, new, start, stop, _bins(shifts[k, r], shift))
        old, new = new, old
    return old, new, origin, stop


@njit(**_PART)
def _dilate(bits, start, stop, out):  # type: ignore[no-untyped-def]
    """A bit of out[start:stop] is set where one of bits is, there or up to _RUN - 1 places before."""
    now, before, target = bits[start:stop], bits[start - 1 : stop - 1], out[start:stop]
    for w in range(len(target)):
        p, c = before[w], now[w]
        c |= (c << np.uint64(1)) | (p >> np.uint64(63))
        p |= p << np.uint64(1)
        c |= (c << np.uint64(2)) | (p >> np.uint64(62))
        p |= p << np.uint64(2)
        c |= (c << np.uint64(4)) | (p >> np.uint64(60))
        p |= p << np.uint64(4)
        c |= (c << np.uint64(8)) | (p >> np.uint64(56))
        p |= p << np.uint64(8)
        target[w] = c | (c << np.uint64(8)) | (p >> np.uint64(56))


@njit(**_PART)
def _empty(bits, wide, start, stop, inside, beyond, slack, places, lengths):  # type: ignore[no-untyped-def]
    """List the empty stretches that may be the widest gap: (how many, the longest one from inside to beyond).

    -1 if they are too many.
    """
    one = np.uint64(1)
    full = ~np.uint64(0)
    count = 0
    longest = np.int64(0)
    for w in range(start, stop):
        empty = ~wide[w]
        if empty == 0:
            continue
        begins = empty & ~((empty << one) | (~wide[w - 1] >> np.uint64(63)))
        while begins:
            bit = _lowest(begins)
            begins &= begins - one
            place = 64 * w + bit - _RUN
            word = bits[w] & (full << np.uint64(bit))
            at = w
            while word == 0 and at + 1 < stop:
                at += 1
                word = bits[at]
            if word == 0:
                break  # it goes on beyond the interval
            end = 64 * at + _lowest(word)
            length = end - place
            if length + 2 * slack <= longest:
                continue
            if place >= inside and end <= beyond:
                longest = max(longest, length)
            if count == len(places):
                return -1, longest
            places[count], lengths[count] = place, length
            count += 1
    return count, longest


@njit(**_PART)
def _widest(shifts, p, q, low, high, low2, high2, best, maps, room, lists):  # type: ignore[no-untyped-def]
    """The largest gap between neighbours in [low, high], or ``best`` if that is larger; -1 where it is not found."""
    places, lengths = lists
    points, left, right = np.empty(4, np.int64), np.empty(4, np.int64), np.empty(4, np.int64)
    gap = min(_guess(shifts, low, high), np.float64(high - low))
    for _ in range(_ATTEMPTS):
        shift = np.int64(0)
        while np.float64(np.int64(2) << shift) <= gap / _BINS:
            shift += 1
        first, last = (low >> shift) - _RUN, (high >> shift) + _RUN
        count = _cut(shifts, shift, last - first + 1, len(maps[0]))
        if count < 0:
            return np.int64(-1)
        below, above = _rounding(shifts, shift, count)
        slack = (below + above >> shift) + 1
        if slack >= _RUN:
            return np.int64(-1)
        bits, wide, origin, stop = _draw(shifts, shift, first, last, count, maps[0], maps[1], room)
        start = first - origin >> 6
        bits[start - 1] = ~np.uint64(0)  # what begins before the interval was looked at
        bits[start] |= (np.uint64(1) << np.uint64((first - origin) & 63)) - np.uint64(1)
        _dilate(bits, start, stop, wide)
        wide[start - 1] = ~np.uint64(0)
        # a stretch at either end of the interval may reach beyond it
        inside, beyond = (low >> shift) + slack + 1 - origin, (high >> shift) - slack - origin
        found, longest = _empty(bits, wide, start, stop, inside, beyond, slack, places, lengths)
        if found < 0:  # bins too fine: a gap of about this length is there
            gap = max(np.float64(longest << shift), 4.0 * gap)
            continue
        for _ in range(0, found, 4):
            for k in range(4):  # the longest that are left
                at = 0
                for i in range(found):
                    at = i if lengths[i] > lengths[at] else at
                points[k] = (places[at] + origin << shift) + above
                longest = lengths[at] if k == 0 else longest
                lengths[at] = -1
            if (longest + slack) << shift <= best:
                break
            _neighbours(p, q, points, left, right)
            for k in range(4):
                if right[k] - left[k] > best and low2 <= left[k] + right[k] <= high2:
                    best = right[k] - left[k]
        if best >= min((_RUN + slack) << shift, high - low):
            return best
        if shift == 0:
            break
        gap = max(0.25 * gap, min(0.7 * gap, np.float64(best)))  # bins too coarse
    return np.int64(-1)


@njit(**_JIT)
def gap_rows(options, origins, low, high, low2, high2, first, second, halves, gaps, near):  # type: ignore[no-untyped-def]
    """gaps[t] and near[t] of every value set, as ``_gap.gap_rows``; gaps[t] = -1 where it is not found.

    ``first``, ``second``: words of the map and a spare one. ``halves``: words for half sums.
    """
    points, left, right = np.empty(4, np.int64), np.empty(4, np.int64), np.empty(4, np.int64)
    lists = np.empty(_MOST, np.int64), np.empty(_MOST, np.int64)
    part = len(halves) // 8
    for t in range(options.shape[0]):
        shifts, origin = options[t], origins[t]
        p = _half_sums(shifts, 0, halves[: 3 * part])
        q = _half_sums(shifts, 1, halves[3 * part : 6 * part])
        a, b = low - origin, high - origin
        low_here, high_here = low2 - 2 * origin, high2 - 2 * origin
        points[0] = points[1] = a
        points[2] = points[3] = b
        _neighbours(p, q, points, left, right)
        best = np.int64(0)
        for k in range(0, 4, 2):
            if right[k] - left[k] > best and low_here <= left[k] + right[k] <= high_here:
                best = right[k] - left[k]
            near[t, k] = left[k] + origin
            near[t, k + 1] = right[k] + origin
        # the rest of the gaps lies between two sums in (a, b]
        a = max(a, -1)
        b = min(b, p[len(p) - 2] + q[len(q) - 2])
        if b - a > best:
            best = _widest(shifts, p, q, a, b, low_here, high_here, best, (first, second), halves[6 * part :], lists)
        gaps[t] = best
