"""Kernels for rare failures: the sums that are missing, as intervals of grid points, of many samples at once.

A sample is the set C of all v such that some choice among the variables so far brings a sum within the window if v is
added: sorted, disjoint intervals [low, high] of integers that are not adjacent. A further variable with the draws
x_1, ..., x_R makes it C, C - x_1, ..., C - x_R together. The choice fails as long as 0 is not in C.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit
from sims.solver.limits import GRID_BITS

_END = np.int64(2**GRID_BITS)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def covered(low, high, sizes, out):  # type: ignore[no-untyped-def]
    """out[s]: how many of the 2^53 values of a draw lie in the set of sample s."""
    for s in range(len(sizes)):
        total = np.int64(0)
        for i in range(sizes[s]):
            first, last = max(low[s, i], -_END), min(high[s, i], _END - 1)
            if first <= last:
                total += last - first + 1
        out[s] = total


@njit(**_JIT)
def _outside(low, high, size, rank):  # type: ignore[no-untyped-def]
    """The value of a draw outside the set that has ``rank`` others outside before it."""
    value = rank - _END
    for i in range(size):
        if low[i] > value:
            break
        if high[i] >= -_END:
            value += high[i] - max(low[i], -_END) + 1
    return value


@njit(**_JIT)
def _joined(low, high, size, low2, high2, size2, shift, reach, low_out, high_out):  # type: ignore[no-untyped-def]
    """A set and another one moved down by ``shift``, cut to [-reach, reach]; returns the number of intervals.

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
        first, last = max(first, -reach), min(last, reach)
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


@njit(**_JIT)
def add_variable(low, high, sizes, parents, ranks, reach, low_out, high_out, sizes_out, spare):  # type: ignore[no-untyped-def]
    """Sample s becomes parents[s] with a variable more, whose draws lie outside its set; returns the room needed.

    ``ranks``, shape (samples, R): see `_outside`. ``reach``: what the variables still to come can add up to. ``spare``,
    shape (4, room): scratch. Where the room needed is more than there is, the output is of no use.
    """
    samples, R = ranks.shape
    room = low_out.shape[1]
    needed = np.int64(0)
    for s in range(samples):
        p = parents[s]
        size = sizes[p]
        a_low, a_high, count = low[p], high[p], size
        for r in range(R):
            x = _outside(low[p], high[p], size, ranks[s, r])
            out = 2 * (r % 2)
            b_low, b_high = spare[out], spare[out + 1]
            count = _joined(a_low, a_high, count, low[p], high[p], size, x, reach, b_low, b_high)
            needed = max(needed, count)
            count = min(count, room)
            a_low, a_high = b_low, b_high
        for i in range(count):
            low_out[s, i] = a_low[i]
            high_out[s, i] = a_high[i]
        sizes_out[s] = count
    return needed
