"""Kernel for many targets on one value set: every target probes one long sorted list, mostly by a bit map of it.

The variables are cut unevenly. All sums of the short part stand in digit order: the sum that takes option d_k of
variable k (0: nothing, r + 1: value r) is number sum d_k (R + 1)^k, its *code*. The long part's sums are sorted, and
their codes move with them, so that no choice needs to be traced. A target looks up what each short sum leaves missing.
A bit map tells which missing parts have a sum of the long list within w: each sum marks the two buckets of width 2 w
that the sums within w of it lie in. w is so small that few probes find a bit, and so large that few targets find
nothing within it; those look at the buckets beside, and at last everything up. A lookup is a binary search inside a
bucket of an index by value.

All arithmetic is exact in int64, under the same limit as the other kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_PART: dict[str, Any] = {**_JIT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by the kernel only


@njit(**_PART)
def _merge(keys, codes, a, b, end, out_keys, out_codes):  # type: ignore[no-untyped-def]
    """Merge the sorted runs keys[a:b] and keys[b:end] with their codes; of equal keys the first run's comes first."""
    i, j = np.uint64(a), np.uint64(b)
    one = np.uint64(1)
    if b - a == end - b:  # from both ends at once: neither side can run out
        u, v = np.uint64(b - 1), np.uint64(end - 1)
        high = np.uint64(end - 1)
        low = np.uint64(a)
        for _ in range(b - a):
            left = keys[i] <= keys[j]
            right = keys[v] >= keys[u]
            at, to = i if left else j, v if right else u
            out_keys[low], out_codes[low] = keys[at], codes[at]
            low += one
            out_keys[high], out_codes[high] = keys[to], codes[to]
            i += np.uint64(left)
            j += np.uint64(not left)
            v -= np.uint64(right)
            u -= np.uint64(not right)
            high -= one
        return
    low, i_end, j_end = i, j, np.uint64(end)
    while i < i_end and j < j_end:
        left = keys[i] <= keys[j]
        at = i if left else j
        out_keys[low], out_codes[low] = keys[at], codes[at]
        i += np.uint64(left)
        j += np.uint64(not left)
        low += one
    while i < i_end:
        out_keys[low], out_codes[low] = keys[i], codes[i]
        i += one
        low += one
    while j < j_end:
        out_keys[low], out_codes[low] = keys[j], codes[j]
        j += one
        low += one


@njit(**_PART)
def _sorted_sums(x, keys, codes, spare_keys, spare_codes):  # type: ignore[no-untyped-def]
    """All sums of x (count, R), sorted, and their codes."""
    count, draws = x.shape
    keys[0], codes[0] = 0, 0
    size = 1
    for k in range(count):
        for r in range(draws):
            first = (r + 1) * size
            for i in range(size):
                keys[first + i] = keys[i] + x[k, r]
                codes[first + i] = codes[i] + first
        run = size
        size *= draws + 1
        while run < size:
            for start in range(0, size, 2 * run):
                middle, end = min(start + run, size), min(start + 2 * run, size)
                _merge(keys, codes, start, middle, end, spare_keys, spare_codes)
            keys, codes, spare_keys, spare_codes = spare_keys, spare_codes, keys, codes
            run *= 2
    return keys, codes


@njit(**_PART)
def _lookup(keys, shift, starts, missing):  # type: ignore[no-untyped-def]
    """How many keys are <= missing."""
    b = min(max((missing - keys[0]) >> shift, 0), len(starts) - 2)
    low = starts[b]
    high = starts[b + 1]
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] <= missing:
            low = middle + 1
        else:
            high = middle
    return low


@njit(**_PART)
def _mark(keys, shift, starts, w_shift, bits):  # type: ignore[no-untyped-def]
    """The index: starts[b] = how many keys lie below bucket b; and the bits of all buckets within w of a key."""
    bits[:] = 0
    starts[:] = 0
    for i in range(len(keys)):
        u = keys[i] - keys[0]
        starts[np.uint64(u >> shift) + np.uint64(1)] = i + 1
        bucket = np.uint64(
            (u >> w_shift) + 1
        )  # they count from 3 w before the first key: this one and the next are +-w
        word, bit = bucket >> np.uint64(6), bucket & np.uint64(63)
        bits[word] |= np.uint64(3) << bit
        if bit == np.uint64(63):
            bits[word + np.uint64(1)] |= np.uint64(1)
    below = np.int32(0)
    for b in range(len(starts)):
        below = max(below, starts[b])
        starts[b] = below


@njit(**_PART)
def _candidates(sums, size, aim, w_shift, bits, attempt, kept):  # type: ignore[no-untyped-def]
    """List the short sums whose missing part may have a key within w (attempt 0) or 3 w (1), or all; how many."""
    one, last = np.uint64(1), np.uint64(63)
    outside = np.uint64(64 * (len(bits) - 1))
    m = np.uint64(0)
    for i in range(np.uint64(size)):
        bucket = min(np.uint64(((aim - sums[i]) >> w_shift) + 1), outside)
        found = bits[bucket >> np.uint64(6)] >> (bucket & last)
        if attempt > 0:
            above, below = bucket + one, min(bucket - one, outside)
            found |= bits[above >> np.uint64(6)] >> (above & last) | bits[below >> np.uint64(6)] >> (below & last)
            found |= np.uint64(attempt > 1)
        kept[m] = i
        m += found & one
    return np.int64(m)


@njit(**_PART)
def _decode(code, draws, choice):  # type: ignore[no-untyped-def]
    """The choice behind a code: the index of the value taken, -1 for none."""
    for k in range(len(choice)):
        if draws == 1:  # no division
            choice[k] = (code & 1) - 1
            code >>= 1
        else:
            choice[k] = code % (draws + 1) - 1
            code //= draws + 1


@njit(**_JIT)
def solve(x, short, targets, lists, errors, choices):  # type: ignore[no-untyped-def]
    """errors[t] and choices[t, i] = index of the value taken, -1 for none, of the best choice for every target.

    ``short``: how many variables of x (n, R) are in the short part. ``lists``: the short sums, keys and codes twice,
    words for the index and the bits, and room for as many numbers as there are short sums.
    """
    draws = x.shape[1]
    sums, keys, codes, spare_keys, spare_codes, starts, bits, kept = lists
    sums[0] = 0
    size = 1
    for k in range(short):
        for r in range(draws):
            for i in range(size):
                sums[(r + 1) * size + i] = sums[i] + x[k, r]
        size *= draws + 1
    keys, codes = _sorted_sums(x[short:], keys, codes, spare_keys, spare_codes)
    bottom = keys[0]
    spread = keys[len(keys) - 1] - bottom
    shift = w_shift = np.int64(0)
    while spread >> shift >= len(starts) - 1:
        shift += 1
    while (spread >> w_shift) + 5 >= 64 * (len(bits) - 1):  # the last word stays empty, for what lies outside
        w_shift += 1
    _mark(keys, shift, starts, w_shift, bits)
    w = (np.int64(1) << w_shift) >> 1
    for t in range(len(targets)):
        best = _FAR
        winner = place = np.int64(0)
        for attempt in range(3):
            count = _candidates(sums, size, targets[t] - bottom + w, w_shift, bits, attempt, kept)
            for c in range(count):
                first = np.int64(kept[c])
                missing = targets[t] - sums[first]
                at = _lookup(keys, shift, starts, missing)
                if at > 0 and missing - keys[at - 1] < best:
                    best, winner, place = missing - keys[at - 1], first, at - 1
                if at < len(keys) and keys[at] - missing < best:
                    best, winner, place = keys[at] - missing, first, at
            if best <= w * (1 + 2 * attempt):
                break
        errors[t] = best
        _decode(winner, draws, choices[t, :short])
        _decode(np.int64(codes[place]), draws, choices[t, short:])
