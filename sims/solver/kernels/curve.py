"""Kernels for whole success curves: how many variables does a trial need until some choice hits its window?

Variables arrive one by one, and only the sums that use the newest one are looked at: with P and Q the sorted sums of
two groups of the earlier variables, some p + q + x hits exactly if a sweep up P and down Q meets the window moved by x.
The first hit ends the trial, so one pass tells success for every number of variables at once; the newest variable then
joins the shorter list. Four sweeps run side by side, because one alone waits for its own comparisons:

- one value each: one sweep, cut into four stretches of equal length;
- R values each: one sweep for each of the newest variable's values, four at a time, while the lists are equally long;
  where one list is shorter, the newest variable joins it first and a single sweep tells whether anything new hits.

All arithmetic is exact in int64, under the limit of the other kernels. A list occupies words 1, ..., size of its
buffer; word 0 and the word after the last are free for the sweeps' end marks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def scratch_size(n: int, draws: int) -> int:
    """Words of int64 scratch for one thread at up to n variables of ``draws`` values each."""
    merged = n - 1  # the last variable joins no list
    long: int = (draws + 1) ** (merged - merged // 2)
    return 4 * (long + 2) if draws == 1 else 3 * long + 4


def curve_scratch_size(n: int) -> int:
    """``scratch_size`` for one value each."""
    return scratch_size(n, 1)


@njit(**_JIT)
def _sweep(p, p_size, q, q_size, t0, t1, t2, t3, tolerance):  # type: ignore[no-untyped-def]
    """Whether some p + q is within tolerance of one of four targets.

    Each sweep holds one index j into q; its index into p is ahead + j, because every step moves one of the two by one.
    """
    p[p_size + 1] = _FAR
    q[0] = -_FAR
    one = np.uint64(1)
    j0 = j1 = j2 = j3 = np.uint64(q_size)
    ahead = one - j0
    for _ in range(p_size + q_size):
        s0 = p[ahead + j0] + q[j0] - t0
        s1 = p[ahead + j1] + q[j1] - t1
        s2 = p[ahead + j2] + q[j2] - t2
        s3 = p[ahead + j3] + q[j3] - t3
        if min(min(abs(s0), abs(s1)), min(abs(s2), abs(s3))) <= tolerance:
            return True
        j0 -= np.uint64(s0 > 0)
        j1 -= np.uint64(s1 > 0)
        j2 -= np.uint64(s2 > 0)
        j3 -= np.uint64(s3 > 0)
        ahead += one
    return False


@njit(**_JIT)
def _path(p, p_size, q, q_size, target, step):  # type: ignore[no-untyped-def]
    """How far a sweep has gone in p after ``step`` moves: a binary search along the step's antidiagonal."""
    low = max(0, step - q_size)
    high = min(step, p_size)
    while low < high:
        i = (low + high) >> 1
        if p[1 + i] + q[1 + q_size - (step - i)] <= target:
            low = i + 1
        else:
            high = i
    return low


@njit(**_JIT)
def _sweep_stretches(p, p_size, q, q_size, target, tolerance):  # type: ignore[no-untyped-def]
    """Whether some p + q is within tolerance of the target: one sweep, its four quarters side by side."""
    p[p_size + 1] = _FAR
    q[0] = -_FAR
    one = np.uint64(1)
    steps = p_size + q_size
    quarter = (steps + 3) // 4
    cut1 = min(quarter, steps - quarter)
    cut2 = min(2 * quarter, steps - quarter)
    cut3 = steps - quarter
    i1 = _path(p, p_size, q, q_size, target, cut1)
    i2 = _path(p, p_size, q, q_size, target, cut2)
    i3 = _path(p, p_size, q, q_size, target, cut3)
    j0 = np.uint64(q_size)
    j1 = np.uint64(q_size - (cut1 - i1))
    j2 = np.uint64(q_size - (cut2 - i2))
    j3 = np.uint64(q_size - (cut3 - i3))
    ahead0 = one - j0
    ahead1 = np.uint64(1 + i1) - j1
    ahead2 = np.uint64(1 + i2) - j2
    ahead3 = np.uint64(1 + i3) - j3
    for _ in range(quarter):
        s0 = p[ahead0 + j0] + q[j0] - target
        s1 = p[ahead1 + j1] + q[j1] - target
        s2 = p[ahead2 + j2] + q[j2] - target
        s3 = p[ahead3 + j3] + q[j3] - target
        if min(min(abs(s0), abs(s1)), min(abs(s2), abs(s3))) <= tolerance:
            return True
        j0 -= np.uint64(s0 > 0)
        j1 -= np.uint64(s1 > 0)
        j2 -= np.uint64(s2 > 0)
        j3 -= np.uint64(s3 > 0)
        ahead0 += one
        ahead1 += one
        ahead2 += one
        ahead3 += one
    return False


@njit(**_JIT)
def _merge_path(p, size, x, step):  # type: ignore[no-untyped-def]
    """How many of the first ``step`` sums of the merge of p and p + x come from p."""
    low = np.int64(0)
    high = step
    while low < high:
        i = (low + high) >> 1
        if p[1 + i] <= p[step - i] + x:
            low = i + 1
        else:
            high = i
    return low


@njit(**_JIT)
def _double(p, size, x, out):  # type: ignore[no-untyped-def]
    """The sorted sums out[1 : 2 size + 1] of p[1 : size + 1] with and without the value x >= 0.

    Only the lower half is merged, in four stretches side by side; the upper half is its mirror image, since the sums
    are symmetric about half their total.
    """
    total = p[1] + p[size] + x
    quarter = size // 4
    one = np.uint64(1)
    i0 = j0 = one
    cut1 = _merge_path(p, size, x, quarter)
    cut2 = _merge_path(p, size, x, 2 * quarter)
    cut3 = _merge_path(p, size, x, 3 * quarter)
    i1 = np.uint64(1 + cut1)
    i2 = np.uint64(1 + cut2)
    i3 = np.uint64(1 + cut3)
    j1 = np.uint64(1 + quarter - cut1)
    j2 = np.uint64(1 + 2 * quarter - cut2)
    j3 = np.uint64(1 + 3 * quarter - cut3)
    gap = np.uint64(quarter)
    low = one
    for _ in range(quarter):
        a0, a1, a2, a3 = p[i0], p[i1], p[i2], p[i3]
        b0, b1, b2, b3 = p[j0] + x, p[j1] + x, p[j2] + x, p[j3] + x
        u0, u1, u2, u3 = a0 <= b0, a1 <= b1, a2 <= b2, a3 <= b3
        s0 = a0 if u0 else b0
        s1 = a1 if u1 else b1
        s2 = a2 if u2 else b2
        s3 = a3 if u3 else b3
        out[low] = s0
        out[low + gap] = s1
        out[low + gap + gap] = s2
        out[low + gap + gap + gap] = s3
        i0 += np.uint64(u0)
        i1 += np.uint64(u1)
        i2 += np.uint64(u2)
        i3 += np.uint64(u3)
        j0 += np.uint64(not u0)
        j1 += np.uint64(not u1)
        j2 += np.uint64(not u2)
        j3 += np.uint64(not u3)
        low += one
    for step in range(4 * quarter, size):  # fewer than four sums
        i = _merge_path(p, size, x, step)
        out[1 + step] = min(p[1 + i], p[1 + step - i] + x)
    for k in range(1, size + 1):
        out[2 * size + 1 - k] = total - out[k]


@njit(**_JIT)
def _first_binary(x, n, target, tolerance, p, p_next, q, q_next):  # type: ignore[no-untyped-def]
    """Smallest k <= n such that some subset of x[:k] hits, n + 1 if there is none; |sum - target| <= tolerance hits."""
    if abs(target) <= tolerance:
        return 0
    p[1] = 0
    q[1] = 0
    p_size = q_size = np.int64(1)
    for k in range(n):
        # lists hold sums of sizes: a negative value is left out where its size is taken, which moves the target
        if _sweep_stretches(p, p_size, q, q_size, target - x[k], tolerance):
            return k + 1
        if k == n - 1:
            break
        if x[k] < 0:
            target -= x[k]
        if p_size <= q_size:
            _double(p, p_size, abs(x[k]), p_next)
            p, p_next = p_next, p
            p_size *= 2
        else:
            _double(q, q_size, abs(x[k]), q_next)
            q, q_next = q_next, q
            q_size *= 2
    return n + 1


@njit(**_JIT)
def first_binary(x, targets, tolerances, scratch, first):  # type: ignore[no-untyped-def]
    """first[t] = variables that row t of x (trials, n) needs; first holds the largest useful answer plus one before."""
    words = len(scratch) // 4
    p = scratch[:words]
    p_next = scratch[words : 2 * words]
    q = scratch[2 * words : 3 * words]
    q_next = scratch[3 * words :]
    for t in range(x.shape[0]):
        if tolerances[t] >= 0 and first[t] > 0:
            limit = min(x.shape[1], first[t] - 1)
            found = _first_binary(x[t], limit, targets[t], tolerances[t], p, p_next, q, q_next)
            if found <= limit:
                first[t] = found


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
def _multiply(p, size, values, spare):  # type: ignore[no-untyped-def]
    """Add a variable with these values to the sorted sums p[1 : size + 1], in place, by pairwise merges."""
    copies = len(values) + 1
    end = size * copies
    sums = p[1 : end + 1]
    for r in range(len(values)):
        for i in range(size):
            sums[(r + 1) * size + i] = sums[i] + values[r]
    run = size
    in_place = True
    while run < end:
        for start in range(0, end, 2 * run):
            middle, stop = min(start + run, end), min(start + 2 * run, end)
            if in_place:
                _merge(sums, start, middle, stop, spare, start)
            else:
                _merge(spare, start, middle, stop, sums, start)
        in_place = not in_place
        run *= 2
    if not in_place:
        for i in range(end):
            sums[i] = spare[i]


@njit(**_JIT)
def _first_choice(x, target, tolerance, p, q, spare):  # type: ignore[no-untyped-def]
    """Smallest k such that some choice from the first k rows of x (n, R) hits, n + 1 if there is none."""
    n, draws = x.shape
    if abs(target) <= tolerance:
        return 0
    p[1] = 0
    q[1] = 0
    p_size = q_size = np.int64(1)
    for k in range(n):
        if q_size < p_size:
            _multiply(q, q_size, x[k], spare)
            q_size *= draws + 1
            if _sweep_stretches(p, p_size, q, q_size, target, tolerance):
                return k + 1
            continue
        for r in range(0, draws, 4):
            t0 = target - x[k, r]
            t1 = target - x[k, min(r + 1, draws - 1)]
            t2 = target - x[k, min(r + 2, draws - 1)]
            t3 = target - x[k, min(r + 3, draws - 1)]
            if _sweep(p, p_size, q, q_size, t0, t1, t2, t3, tolerance):
                return k + 1
        if k < n - 1:
            _multiply(p, p_size, x[k], spare)
            p_size *= draws + 1
    return n + 1


@njit(**_JIT)
def first_choice(x, targets, tolerances, scratch, first):  # type: ignore[no-untyped-def]
    """first[t] = variables that block t of x (trials, n, R) needs, n + 1 if none of its choices hits."""
    n, draws = x.shape[1], x.shape[2]
    merged = n - 1
    long = (draws + 1) ** (merged - merged // 2)
    spare = scratch[:long]
    p = scratch[long : 2 * long + 2]
    q = scratch[2 * long + 2 :]
    for t in range(x.shape[0]):
        first[t] = n + 1
        if tolerances[t] >= 0:
            first[t] = _first_choice(x[t], targets[t], tolerances[t], p, q, spare)
