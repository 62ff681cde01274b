"""Kernel for many targets on one value set: every target probes one long sorted list, mostly by a bit map of it.

The variables are cut unevenly. All sums of the short part stand in digit order: the sum that takes option d_k of
variable k (0: nothing, r + 1: value r) is number sum d_k (R + 1)^k, its *code*. The long part's sums are sorted, and
their codes move with them, so that no choice needs to be traced. A target looks up what each short sum leaves missing.
A bit map tells which missing parts have a sum of the long list within w: each sum marks the two buckets of width 2 w
that the sums within w of it lie in. w is so small that few probes find a bit, and so large that hardly a target finds
nothing; that target then looks everything up. A lookup is a binary search inside a bucket of an index by value.

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
        bucket = np.uint64(u >> w_shift)  # they count from w before the first key: this one and the next are +-w
        word, bit = bucket >> np.uint64(6), bucket & np.uint64(63)
        bits[word] |= np.uint64(3) << bit
        if bit == np.uint64(63):
            bits[word + np.uint64(1)] |= np.uint64(1)
    below = np.int32(0)
    for b in range(len(starts)):
        below = max(below, starts[b])
        starts[b] = below


@njit(**_JIT)
def solve(x, short, targets, lists, errors, choices):  # type: ignore[no-untyped-def]
    """errors[t] and choices[t, i] = index of the value taken, -1 for none, of the best choice for every target.

    ``short``: how many variables of x (n, R) are in the short part. ``lists``: the short sums, keys and codes twice,
    words for the index and the bits, and room for as many numbers as there are short sums.
    """
    n, draws = x.shape
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
    while (spread >> w_shift) + 2 >= 64 * (len(bits) - 1):  # the last word stays empty, for what lies outside
        w_shift += 1
    _mark(keys, shift, starts, w_shift, bits)
    w = (np.int64(1) << w_shift) >> 1
    outside = np.uint64(64 * (len(bits) - 1))
    one = np.uint64(1)
    for t in range(len(targets)):
        best = _FAR
        winner = place = np.int64(0)
        m = np.uint64(0)
        aim = targets[t] - bottom + w
        for i in range(np.uint64(size)):
            bucket = min(np.uint64(aim - sums[i]) >> np.uint64(w_shift), outside)
            kept[m] = i
            m += (bits[bucket >> np.uint64(6)] >> (bucket & np.uint64(63))) & one
        count = np.int64(m)
        for attempt in range(2):
            for c in range(count if attempt == 0 else size):
                one_of = np.int64(kept[c] if attempt == 0 else c)
                missing = targets[t] - sums[one_of]
                at = _lookup(keys, shift, starts, missing)
                if at > 0 and missing - keys[at - 1] < best:
                    best, winner, place = missing - keys[at - 1], one_of, at - 1
                if at < len(keys) and keys[at] - missing < best:
                    best, winner, place = keys[at] - missing, one_of, at
            if best <= w:
                break
        errors[t] = best
        first, second = np.int64(winner), np.int64(codes[place])
        for k in range(n):
            if k < short:
                choices[t, k] = first % (draws + 1) - 1
                first //= draws + 1
            else:
                choices[t, k] = second % (draws + 1) - 1
                second //= draws + 1
