"""Kernels for rare failures: what a further draw must avoid, as intervals of grid points, of many samples at once.

Sets are sorted, disjoint intervals [low, high] of integers that are not adjacent, one row a sample.

- A single target: the set C of all v such that some choice among the variables so far brings a sum within the window if
  v is added. A further variable with the draws x_1, ..., x_R makes it C, C - x_1, ..., C - x_R together. The choice
  fails as long as 0 is not in C.
- An interval of targets: the set A of the points that some sum reaches; A, A + x_1, ..., A + x_R afterwards.
- Recycling: the sets C_m of all v such that at most m values so far, taken as often as one likes, bring a sum within
  the window if v is added. A further value x makes them the unions of C_m, C_(m-1) - x, C_(m-2) - 2 x, ...
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit
from sims.solver.limits import GRID_BITS

_END = np.int64(2**GRID_BITS)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def covered(low, high, sizes, ends, out):  # type: ignore[no-untyped-def]
    """out[s]: how many of the values -ends[s], ..., ends[s] - 1 lie in the set of sample s."""
    for s in range(len(sizes)):
        total = np.int64(0)
        for i in range(sizes[s]):
            first, last = max(low[s, i], -ends[s]), min(high[s, i], ends[s] - 1)
            if first <= last:
                total += last - first + 1
        out[s] = total


@njit(**_JIT)
def _outside(low, high, size, end, rank):  # type: ignore[no-untyped-def]
    """The value >= -end outside the set that has ``rank`` others outside before it."""
    value = rank - end
    for i in range(size):
        if low[i] > value:
            break
        if high[i] >= -end:
            value += high[i] - max(low[i], -end) + 1
    return value


@njit(**_JIT)
def _joined(low, high, size, low2, high2, size2, shift, least, most, low_out, high_out):  # type: ignore[no-untyped-def]
    """A set and another one moved down by ``shift``, cut to [least, most]; returns the number of intervals.

    Where they are more than there is room for, the rest is counted and not written.
    """
    room = len(low_out)
    i = j = count = 0
    end = np.int64(0)
    while i < size or j < size2:
        if j == size2 or (i < size and low[i] <= low2[j] - shift):
            first, last = low[i], high[i]
            i += 1
        else:
            first, last = low2[j] - shift, high2[j] - shift
            j += 1
        first, last = max(first, least), min(last, most)
        if first > last:
            continue
        if count and first <= end + 1:
            end = max(end, last)
        else:
            if count < room:
                low_out[count] = first
            count += 1
            end = last
        if count <= room:
            high_out[count - 1] = end
    return count


# -- a single target ---------------------------------------------------------------------------------------------------


@njit(**_JIT)
def add_variable(low, high, sizes, parents, ends, ranks, reach, low_out, high_out, sizes_out, spare):  # type: ignore[no-untyped-def]
    """Sample s becomes parents[s] with a variable more, whose draws lie outside its set; returns the room needed.

    ``ends``: see `covered`; 0: the variable is of no use. ``ranks``, shape (samples, R): see `_outside`. ``reach``:
    what the variables still to come can add up to. ``spare``, shape (4, room): scratch. Where the room
    needed is more than there is, the output is of no use.
    """
    samples, R = ranks.shape
    room = low_out.shape[1]
    needed = np.int64(0)
    for s in range(samples):
        p = parents[s]
        size = sizes[p]
        a_low, a_high, count = low[p], high[p], size
        for r in range(R if ends[s] else 0):
            x = _outside(low[p], high[p], size, ends[s], ranks[s, r])
            out = 2 * (r % 2)
            b_low, b_high = spare[out], spare[out + 1]
            count = _joined(a_low, a_high, count, low[p], high[p], size, x, -reach, reach, b_low, b_high)
            needed = max(needed, count)
            count = min(count, room)
            a_low, a_high = b_low, b_high
        needed, count = max(needed, count), min(count, room)
        for i in range(count):
            low_out[s, i] = a_low[i]
            high_out[s, i] = a_high[i]
        sizes_out[s] = count
    return needed


# -- an interval of targets --------------------------------------------------------------------------------------------


@njit(**_JIT)
def _moves(low, high, size, u, v, first, last, low_out, high_out, count):  # type: ignore[no-untyped-def]
    """Append, in order, all x in [first, last] with u - x, ..., v - x in one interval of the set; the new count.

    Where they are more than there is room for, the rest is counted and not written.
    """
    a, b = 0, size  # the intervals that begin at u - first or before
    while a < b:
        middle = (a + b) // 2
        if low[middle] <= u - first:
            a = middle + 1
        else:
            b = middle
    for i in range(a - 1, -1, -1):
        if high[i] < v - last:
            break
        x, y = max(v - high[i], first), min(u - low[i], last)
        if x <= y:
            if count < len(low_out):
                low_out[count], high_out[count] = x, y
            count += 1
    return count


@njit(**_JIT)
def finishing(low, high, sizes, roots, low2, high2, sizes2, begin, end, low_out, high_out, sizes_out, widths, spare):  # type: ignore[no-untyped-def]
    """The draws x of one variable after which a sample covers begin, ..., end; returns the room needed.

    ``low2``, ``high2``, ``sizes2``: what sample s has reached. ``low`` ..., row roots[s]: what its variables before
    this one reach: x adds that set, moved up by x. ``spare``, shape (2, room): scratch.
    ``widths``: of the widest hole.
    """
    room = low_out.shape[1]
    needed = np.int64(0)
    for s in range(len(roots)):
        root = roots[s]
        a_low, a_high, b_low, b_high = low_out[s], high_out[s], spare[0], spare[1]
        count = 1
        a_low[0], a_high[0] = -_END, _END - 1
        size = sizes2[s]
        # the widest hole first, which leaves the fewest draws
        widest, width, at = -1, np.int64(0), np.int64(begin)
        for i in range(size + 1):
            stop = low2[s, i] - 1 if i < size else np.int64(end)
            if min(stop, end) - at + 1 > width:
                widest, width = i, min(stop, end) - at + 1
            if i < size:
                at = max(at, high2[s, i] + 1)
        widths[s] = width
        swapped = False
        for turn in range(-1, size + 1):
            i = widest if turn < 0 else turn
            if count == 0 or i < 0 or turn == widest:
                continue
            u = max(np.int64(begin), high2[s, i - 1] + 1) if i > 0 else np.int64(begin)
            v = min(np.int64(end), low2[s, i] - 1) if i < size else np.int64(end)
            if u > v:
                continue
            more = 0
            for h in range(count):
                more = _moves(low[root], high[root], sizes[root], u, v, a_low[h], a_high[h], b_low, b_high, more)
            needed = max(needed, np.int64(more))
            count = min(more, room)
            a_low, b_low = b_low, a_low
            a_high, b_high = b_high, a_high
            swapped = not swapped
        if swapped:
            for i in range(count):
                low_out[s, i] = a_low[i]
                high_out[s, i] = a_high[i]
        sizes_out[s] = count
    return needed


@njit(**_JIT)
def add_draw(low, high, sizes, roots, low2, high2, sizes2, parents, x, least, most, low_out, high_out, sizes_out):  # type: ignore[no-untyped-def]
    """Sample s becomes parents[s] with the draw x[s] more, cut to [least, most]; returns the room needed.

    The sets are those of `finishing`.
    """
    needed = np.int64(0)
    for s in range(len(parents)):
        p, root = parents[s], roots[parents[s]]
        count = _joined(
            low2[p], high2[p], sizes2[p], low[root], high[root], sizes[root], -x[s], least, most,
            low_out[s], high_out[s],
        )  # fmt: skip
        needed = max(needed, count)
        sizes_out[s] = min(count, low_out.shape[1])
    return needed


@njit(**_JIT)
def values_outside(low, high, sizes, parents, ranks, out):  # type: ignore[no-untyped-def]
    """out[s]: the draw outside the set of parents[s] at a rank: see `_outside`."""
    for s in range(len(parents)):
        p = parents[s]
        out[s] = _outside(low[p], high[p], sizes[p], _END, ranks[s])


# -- recycling ---------------------------------------------------------------------------------------------------------


@njit(**_JIT)
def add_value(low, high, starts, parents, x, low_out, high_out, starts_out):  # type: ignore[no-untyped-def]
    """Sample s becomes parents[s] with the value x[s] more; returns whether there was room.

    A row holds C_0, ..., C_n one after the other: C_m from starts[s, m] to starts[s, m + 1]. C_m is cut to what the
    n - m slots that it leaves can add up to.
    """
    slots = starts.shape[1] - 2
    room = low_out.shape[1]
    for s in range(len(parents)):
        p = parents[s]
        at, before = 0, 0
        for m in range(slots + 1):
            first, last = starts[p, m], starts[p, m + 1]
            reach = (slots - m) * _END
            count = _joined(
                low[p, first:last], high[p, first:last], last - first, low_out[s, before:at], high_out[s, before:at],
                at - before, x[s], -reach, reach, low_out[s, at:], high_out[s, at:],
            )  # fmt: skip
            if at + count > room:
                return False
            starts_out[s, m] = at
            before, at = at, at + count
        starts_out[s, slots + 1] = at
    return True


@njit(**_JIT)
def fatal(low, high, starts, used, low_out, high_out, sizes_out, done, spare):  # type: ignore[no-untyped-def]
    """The values x that some x, 2 x, ... brings into the window with ``used`` slots in all; returns the room needed.

    ``done[s]``: whether those slots do without x. ``spare``, shape (2, room): scratch.
    """
    room = low_out.shape[1]
    needed = np.int64(0)
    for s in range(len(sizes_out)):
        done[s] = False
        for i in range(starts[s, used], starts[s, used + 1]):
            done[s] |= low[s, i] <= 0 <= high[s, i]
        count = 0
        for j in range(1, used + 1):
            # x is fatal where j x lies in C_(used - j)
            size = 0
            for i in range(starts[s, used - j], starts[s, used - j + 1]):
                first, last = max(-_END, -(-low[s, i] // j)), min(_END - 1, high[s, i] // j)
                if first <= last:
                    if size and first <= spare[1, size - 1] + 1:
                        spare[1, size - 1] = last
                    else:
                        needed = max(needed, np.int64(size + 1))
                        if size == room:
                            return needed
                        spare[0, size], spare[1, size] = first, last
                        size += 1
            count = _merged(low_out[s], high_out[s], count, spare, size)
            needed = max(needed, count)
            if count > room:
                return needed
        sizes_out[s] = count
    return needed


@njit(**_JIT)
def _merged(low, high, size, other, size2):  # type: ignore[no-untyped-def]
    """A set joined with ``other``, in its own place; the number of intervals, which may be more than there is room."""
    room = len(low)
    if size2 == 0:
        return size
    if size + size2 > room:  # from the back to the front there must be room for both
        return size + size2
    i, j, at = size - 1, size2 - 1, size + size2
    while i >= 0 or j >= 0:  # both, sorted, at the end of the row
        at -= 1
        if j < 0 or (i >= 0 and low[i] > other[0, j]):
            low[at], high[at] = low[i], high[i]
            i -= 1
        else:
            low[at], high[at] = other[0, j], other[1, j]
            j -= 1
    count = 0
    for k in range(size + size2):
        if count and low[k] <= high[count - 1] + 1:
            high[count - 1] = max(high[count - 1], high[k])
        else:
            low[count], high[count] = low[k], high[k]
            count += 1
    return count
