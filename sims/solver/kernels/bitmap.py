"""Kernel for coverage on a coarse grid: bit s of a bitmap says whether the sum s is reachable.

Each variable's options are shifted so that the smallest is 0; a variable then adds shifted copies of the bitmap to
itself (shift and or), narrowest variable first. Reading the set bits of the interval gives the same as the exact
kernel: the largest gap between neighbours whose midpoint lies in the interval, and the sums next to either end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**61)  # as sims.solver.kernels.gap.FAR
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}

_DE_BRUIJN = 0x03F79D71B4CB0A89
_POSITION = np.zeros(64, np.int64)
for _i in range(64):
    _POSITION[((_DE_BRUIJN << _i) & (2**64 - 1)) >> 58] = _i


@njit(**_JIT)
def _lowest(word):  # type: ignore[no-untyped-def]
    """Index of the lowest set bit of word != 0."""
    lowest = word & (~word + np.uint64(1))
    return _POSITION[(lowest * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]


@njit(**_JIT)
def _or_shifted(old, new, words, shift):  # type: ignore[no-untyped-def]
    """new |= old << shift over the first ``words`` words of ``new``; ``old`` is zero where it has no sums."""
    whole = shift >> 6
    left = np.uint64(shift & 63)
    right = np.uint64(63) - left
    one = np.uint64(1)
    new[whole] |= old[0] << left
    high = old[1 : words - whole]
    low = old[: words - whole - 1]
    target = new[whole + 1 : words]
    for w in range(len(target)):
        target[w] |= (high[w] << left) | ((low[w] >> one) >> right)


@njit(**_JIT)
def _read(bits, top, low, high, low2, high2, near):  # type: ignore[no-untyped-def]
    """The largest gap with its midpoint in the interval; near as in the exact kernel. Bits 0 and top are set."""
    one = np.uint64(1)
    best = np.int64(0)
    left = -_FAR
    position = min(low, top)
    while position >= 0 and not (bits[position >> 6] >> np.uint64(position & 63)) & one:
        position -= 1
    if position >= 0:
        left = position
    near[0] = left
    near[1] = _FAR
    near[3] = _FAR
    start = max(low + 1, 0)
    done = False
    for w in range(start >> 6, (top >> 6) + 1):
        word = bits[w]
        if w == start >> 6:
            word = (word >> np.uint64(start & 63)) << np.uint64(start & 63)
        while word:
            right = 64 * w + _lowest(word)
            word &= word - one
            if near[1] == _FAR:
                near[1] = right
            if right - left > best and low2 <= left + right <= high2:
                best = right - left
            if right > high:
                near[3] = right
                done = True
                break
            left = right
        if done:
            break
    near[2] = left
    return best


@njit(**_JIT)
def bitmap_rows(options, origins, low, high, low2, high2, first, second, gaps, near):  # type: ignore[no-untyped-def]
    """As ``_gap.gap_rows``, best with the narrowest variable first; first and second hold the bitmaps."""
    n, widest = options.shape[1], options.shape[2] - 1
    for t in range(len(options)):
        origin = origins[t]
        old, new = first, second
        old[:2] = 0
        old[0] = 1
        words = 1
        top = np.int64(0)
        for i in range(n):
            top += options[t, i, widest]
            wider = (top >> 6) + 1
            old[words:wider] = 0
            new[:wider] = 0
            for r in range(widest + 1):
                _or_shifted(old, new, wider, options[t, i, r])
            words = wider
            old, new = new, old
        gaps[t] = _read(old, top, low - origin, high - origin, low2 - 2 * origin, high2 - 2 * origin, near[t])
        for e in range(4):
            near[t, e] += origin
    return len(options)
