"""Kernel for R values per variable, at most one of each taken: the best choice, by meet in the middle.

Each half's sorted list of sums grows variable by variable: the next level is R + 1 shifted copies of the present one
(nothing taken, or one of the R values), merged pairwise, bottom-up. One sweep over the two last levels then meets every
pair of half sums nearest to the target; it is cut into four stretches of equal length that run side by side. All levels
are kept, so the winner's choice is found by walking back through them.

Among equally good choices the winner is the one with the smallest first half sum, then the smaller total; a variable is
left out where its sum is present without it, else its first fitting value is taken, from the last variable backwards.

All arithmetic is exact in int64; the wrapper makes sure that the sum of the largest sizes and |t| is <= 2^60.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def scratch_size(n: int, draws: int) -> int:
    """Words of int64 scratch for one thread at n variables of ``draws`` values each."""
    first, second = n // 2, n - n // 2
    spare: int = (draws + 1) ** second
    return half_size(first, draws) + half_size(second, draws) + spare


def half_size(count: int, draws: int) -> int:
    """Words that all levels of one half of ``count`` variables take."""
    return sum((draws + 1) ** k + 2 for k in range(count + 1))


@njit(**_JIT)
def _level(k, draws):  # type: ignore[no-untyped-def]
    """Where level k, of (draws + 1)^k sums, starts; a free word lies on either side of each level."""
    start = np.int64(1)
    size = np.int64(1)
    for _ in range(k):
        start += size + 2
        size *= draws + 1
    return start


@njit(**_JIT)
def _merge(source, a, b, end, out, o):  # type: ignore[no-untyped-def]
    """Merge the sorted runs source[a:b] and source[b:end] into out[o:]."""
    one = np.uint64(1)
    i = np.uint64(a)
    j = np.uint64(b)
    i_end = np.uint64(b)
    j_end = np.uint64(end)
    k = np.uint64(o)
    while i < i_end and j < j_end:
        u = source[i]
        v = source[j]
        left = u <= v
        out[k] = u if left else v
        i += np.uint64(left)
        j += np.uint64(not left)
        k += one
    while i < i_end:
        out[k] = source[i]
        i += one
        k += one
    while j < j_end:
        out[k] = source[j]
        j += one
        k += one


@njit(**_JIT)
def _grow(levels, k, values, spare):  # type: ignore[no-untyped-def]
    """Level k + 1 from level k and the next variable's values."""
    copies = len(values) + 1
    low = _level(k, len(values))
    high = _level(k + 1, len(values))
    size = high - low - 2
    old = levels[low : low + size]
    new = levels[high : high + size * copies]
    passes = 0
    while (1 << passes) < copies:
        passes += 1
    source, out = (new, spare) if passes % 2 == 0 else (spare, new)
    for i in range(size):
        source[i] = old[i]
    for r in range(len(values)):
        for i in range(size):
            source[(r + 1) * size + i] = old[i] + values[r]
    run = size
    end = size * copies
    for _ in range(passes):
        for start in range(0, end, 2 * run):
            _merge(source, start, min(start + run, end), min(start + 2 * run, end), out, start)
        source, out = out, source
        run *= 2


@njit(**_JIT)
def _path(p, q, low_p, len_p, low_q, len_q, target, step):  # type: ignore[no-untyped-def]
    """How far the sweep has gone in p after ``step`` moves: a binary search along the step's antidiagonal."""
    low = max(0, step - len_q)
    high = min(step, len_p)
    while low < high:
        i = (low + high) >> 1
        if p[low_p + i] + q[low_q + len_q - (step - i)] <= target:
            low = i + 1
        else:
            high = i
    return low


@njit(**_JIT)
def _sweep(p, q, low_p, len_p, low_q, len_q, target, stop):  # type: ignore[no-untyped-def]
    """(error, sum in p, sum in q) of the best pair from two sorted lists, in four stretches side by side."""
    p[low_p + len_p] = _FAR
    q[low_q - 1] = -_FAR
    steps = len_p + len_q
    quarter = (steps + 3) // 4
    i = np.empty(4, np.uint64)
    j = np.empty(4, np.uint64)
    for chain in range(4):
        start = min(chain * quarter, steps - quarter)
        done = _path(p, q, low_p, len_p, low_q, len_q, target, start)
        i[chain] = low_p + done
        j[chain] = low_q + len_q - 1 - (start - done)
    i0, i1, i2, i3 = i[0], i[1], i[2], i[3]
    j0, j1, j2, j3 = j[0], j[1], j[2], j[3]
    best = _FAR
    best_p = np.int64(0)
    best_q = np.int64(0)
    for _ in range(quarter):
        s0 = p[i0] + q[j0] - target
        s1 = p[i1] + q[j1] - target
        s2 = p[i2] + q[j2] - target
        s3 = p[i3] + q[j3] - target
        nearest = min(min(abs(s0), abs(s1)), min(abs(s2), abs(s3)))
        if nearest <= best:
            for chain in range(4):
                s, first, second = s0, p[i0], q[j0]
                if chain == 1:
                    s, first, second = s1, p[i1], q[j1]
                elif chain == 2:
                    s, first, second = s2, p[i2], q[j2]
                elif chain == 3:
                    s, first, second = s3, p[i3], q[j3]
                if abs(s) == nearest and (nearest < best or first < best_p or (first == best_p and second < best_q)):
                    best, best_p, best_q = nearest, first, second
            if best <= stop:
                break
        i0 += np.uint64(s0 <= 0)
        i1 += np.uint64(s1 <= 0)
        i2 += np.uint64(s2 <= 0)
        i3 += np.uint64(s3 <= 0)
        j0 -= np.uint64(s0 > 0)
        j1 -= np.uint64(s1 > 0)
        j2 -= np.uint64(s2 > 0)
        j3 -= np.uint64(s3 > 0)
    return best, best_p, best_q


@njit(**_JIT)
def _find(levels, start, size, value):  # type: ignore[no-untyped-def]
    """Whether the sorted level levels[start : start + size] holds value."""
    low = start
    high = start + size
    while low < high:
        middle = (low + high) >> 1
        if levels[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < start + size and levels[low] == value


@njit(**_JIT)
def _trace(levels, x, value, choice):  # type: ignore[no-untyped-def]
    """choice[i] = the index of the value of variable i that the sum uses, -1 for none."""
    count, draws = x.shape
    start = _level(count, draws)
    size = np.int64((draws + 1) ** count)
    for k in range(count - 1, -1, -1):
        size //= draws + 1
        start -= size + 2
        choice[k] = -1
        if _find(levels, start, size, value):
            continue
        fits = 0
        # a value that no other one can stand in for needs no search
        while fits < draws - 1 and not _find(levels, start, size, value - x[k, fits]):
            fits += 1
        choice[k] = fits
        value -= x[k, fits]


@njit(**_JIT)
def _solve(x, target, stop, scratch):  # type: ignore[no-untyped-def]
    """(error, sum in the first half, sum in the second half); the levels stay in scratch."""
    n, draws = x.shape
    na = n // 2
    nb = n - na
    cut = _level(na + 1, draws) - 1
    p = scratch[:cut]
    q = scratch[cut : cut + _level(nb + 1, draws) - 1]
    spare = scratch[cut + _level(nb + 1, draws) - 1 :]
    p[1] = 0
    q[1] = 0
    for k in range(na):
        _grow(p, k, x[k], spare)
    for k in range(nb):
        _grow(q, k, x[na + k], spare)
    low_p = _level(na, draws)
    low_q = _level(nb, draws)
    return _sweep(p, q, low_p, cut - 1 - low_p, low_q, _level(nb + 1, draws) - 2 - low_q, target, stop)


@njit(**_JIT)
def mark_within(x, targets, tolerances, scratch, hits):  # type: ignore[no-untyped-def]
    """hits[t] = whether block t of x (trials, n, R) has a choice within tolerance; a negative one is never met."""
    for t in range(x.shape[0]):
        hits[t] = False
        if tolerances[t] >= 0:
            error, _, _ = _solve(x[t], targets[t], tolerances[t], scratch)
            hits[t] = error <= tolerances[t]


@njit(**_JIT)
def best_rows(x, targets, scratch, errors, choices):  # type: ignore[no-untyped-def]
    """The best choice of every block: errors[t] >= 0 and choices[t, i] = index of the value taken, -1 for none."""
    n, draws = x.shape[1], x.shape[2]
    na = n // 2
    cut = _level(na + 1, draws) - 1
    for t in range(x.shape[0]):
        error, first, second = _solve(x[t], targets[t], np.int64(-1), scratch)
        errors[t] = error
        _trace(scratch[:cut], x[t, :na], first, choices[t, :na])
        _trace(scratch[cut:], x[t, na:], second, choices[t, na:])
