"""Kernel for many targets on one value set: every target probes one long sorted list.

The variables are cut unevenly. The long list is built once and indexed by value: bucket b holds where the sums with
(sum - smallest) >> shift == b begin, so that a probe needs a short binary search inside one bucket. A target then tries
each sum of the short list and looks up the two neighbours of what is missing.

All arithmetic is exact in int64, under the same limit as the other kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def split(n: int, draws: int, targets: int) -> int:
    """Number of variables in the short list, by the cost of building the long one and of the probes."""

    def cost(short: int) -> float:
        return float((draws + 1) ** (n - short) * 8 + targets * (draws + 1) ** short * 6)

    return min(range(n // 2 + 1), key=cost)


@njit(**_JIT)
def index(long, shift, starts):  # type: ignore[no-untyped-def]
    """starts[b] = number of sums below bucket b; the last entry is the length of the list."""
    low = long[0]
    position = 0
    for b in range(len(starts) - 1):
        while position < len(long) and ((long[position] - low) >> shift) < b:
            position += 1
        starts[b] = position
    starts[len(starts) - 1] = len(long)


@njit(**_JIT)
def probe_rows(short, long, shift, starts, targets, errors, firsts, seconds):  # type: ignore[no-untyped-def]
    """For every target the best pair: its error, its sum in the short list and its sum in the long one."""
    bottom = long[0]
    buckets = len(starts) - 1
    for t in range(len(targets)):
        best = _FAR
        for i in range(len(short)):
            missing = targets[t] - short[i]
            b = (missing - bottom) >> shift
            b = min(max(b, 0), buckets - 1)
            low = starts[b]
            high = starts[b + 1]
            while low < high:
                middle = (low + high) >> 1
                if long[middle] <= missing:
                    low = middle + 1
                else:
                    high = middle
            if low > 0 and missing - long[low - 1] < best:
                best = missing - long[low - 1]
                firsts[t], seconds[t] = short[i], long[low - 1]
            if low < len(long) and long[low] - missing < best:
                best = long[low] - missing
                firsts[t], seconds[t] = short[i], long[low]
        errors[t] = best
