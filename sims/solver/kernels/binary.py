"""Kernel for one value per variable: the best subset of n integers, by meet in the middle.

How it works, for values x_1..x_n >= 0 (a negative value is replaced by its size and the target moved by it, so that
"taken" and "left" change places) and a target t:

1.  The values are cut into two halves. For each half the sorted list of all subset sums grows value by value: the next
    level is the merge of the present list with itself shifted by x. Both lists are symmetric about half their total,
    so only the lower half of each merge is made and the upper half is its mirror image; the merges of the two halves
    run side by side, because one merge alone waits for its own last comparison.
2.  The last value of each half is left out of its list; instead four sweeps, one for each way to take or leave these
    two values, run side by side over the two shorter lists.
3.  A sweep walks up one list and down the other, which meets every pair whose sum is nearest to the target.
4.  The winner is known by its two half sums. Every level is kept, so the choice is found by walking back through the
    levels: a sum that is present without the last value does not use it.

Among equally good choices the winner is the one with the smallest first half sum, then the smaller total, then with
values left out from the last one backwards: the result depends on nothing but the input.

All arithmetic is exact in int64; the wrapper makes sure that sum |x| + |t| <= 2^60.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def scratch_size(n: int) -> int:
    """Words of int64 scratch for one thread at n values."""
    values = max(n, 2)
    return _half_size(values // 2) + _half_size(values - values // 2) + 3 * values


def _half_size(count: int) -> int:
    return (1 << count) + 2 * count + 2


@njit(**_JIT)
def _level(k):  # type: ignore[no-untyped-def]
    """Where level k (2^k sums) starts in a half's scratch; one free word lies on either side of each level."""
    return (1 << k) + 2 * k


@njit(**_JIT)
def _grow(levels, k, x, total):  # type: ignore[no-untyped-def]
    """Level k + 1 from level k and the value x >= 0; total is the sum of all values of level k + 1."""
    one = np.uint64(1)
    i = j = np.uint64(_level(k))
    low = np.uint64(_level(k + 1))
    high = low + np.uint64((2 << k) - 1)
    for _ in range(1 << k):
        a = levels[i]
        b = levels[j] + x
        left = a <= b
        smaller = a if left else b
        levels[low] = smaller
        levels[high] = total - smaller
        i += np.uint64(left)
        j += np.uint64(not left)
        low += one
        high -= one


@njit(**_JIT)
def _grow_both(p, q, k, x, y, total_p, total_q):  # type: ignore[no-untyped-def]
    """``_grow`` for level k of the two halves p and q at once."""
    one = np.uint64(1)
    i = j = u = v = np.uint64(_level(k))
    low = np.uint64(_level(k + 1))
    high = low + np.uint64((2 << k) - 1)
    for _ in range(1 << k):
        a = p[i]
        b = p[j] + x
        c = q[u]
        d = q[v] + y
        left = a <= b
        right = c <= d
        first = a if left else b
        second = c if right else d
        p[low] = first
        q[low] = second
        p[high] = total_p - first
        q[high] = total_q - second
        i += np.uint64(left)
        j += np.uint64(not left)
        u += np.uint64(right)
        v += np.uint64(not right)
        low += one
        high -= one


@njit(**_JIT)
def _sweep(p, q, k, m, x, y, target, stop):  # type: ignore[no-untyped-def]
    """Best of the four sweeps over level k of p and level m of q: (error, sum in p, sum in q), last values included.

    Each sweep holds one index j into q; its index into p is ahead + j, because every step moves one of the two by one.
    """
    p[_level(k) + (1 << k)] = _FAR
    q[_level(m) - 1] = -_FAR
    one = np.uint64(1)
    j0 = j1 = j2 = j3 = np.uint64(_level(m) + (1 << m) - 1)
    ahead = np.uint64(_level(k)) - j0
    t1 = target - x
    t2 = target - y
    t3 = target - x - y
    best = _FAR
    best_p = np.int64(0)
    best_q = np.int64(0)
    for _ in range((1 << k) + (1 << m)):
        s0 = p[ahead + j0] + q[j0] - target
        s1 = p[ahead + j1] + q[j1] - t1
        s2 = p[ahead + j2] + q[j2] - t2
        s3 = p[ahead + j3] + q[j3] - t3
        nearest = min(min(abs(s0), abs(s1)), min(abs(s2), abs(s3)))
        if nearest <= best:
            for chain in range(4):
                s, first, second = s0, p[ahead + j0], q[j0]
                if chain == 1:
                    s, first, second = s1, p[ahead + j1] + x, q[j1]
                elif chain == 2:
                    s, first, second = s2, p[ahead + j2], q[j2] + y
                elif chain == 3:
                    s, first, second = s3, p[ahead + j3] + x, q[j3] + y
                if abs(s) == nearest and (nearest < best or first < best_p or (first == best_p and second < best_q)):
                    best, best_p, best_q = nearest, first, second
            if best <= stop:
                break
        j0 -= np.uint64(s0 > 0)
        j1 -= np.uint64(s1 > 0)
        j2 -= np.uint64(s2 > 0)
        j3 -= np.uint64(s3 > 0)
        ahead += one
    return best, best_p, best_q


@njit(**_JIT)
def _find(levels, k, value):  # type: ignore[no-untyped-def]
    """Whether the sorted level k holds value."""
    low = _level(k)
    high = low + (1 << k)
    while low < high:
        middle = (low + high) >> 1
        if levels[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < _level(k) + (1 << k) and levels[low] == value


@njit(**_JIT)
def _trace(levels, sizes, value, taken):  # type: ignore[no-untyped-def]
    """taken[i] = whether value uses sizes[i]; the level of the last size need not exist."""
    for k in range(len(sizes) - 1, -1, -1):
        if _find(levels, k, value):
            taken[k] = 0
        else:
            taken[k] = 1
            value -= sizes[k]


@njit(**_JIT)
def _solve(x, target, stop, scratch):  # type: ignore[no-untyped-def]
    """(error, sum in the first half, sum in the second half) of |x|; the sizes and levels stay in scratch."""
    n = max(len(x), 2)
    na = n // 2
    nb = n - na
    sizes = scratch[:n]
    p = scratch[n : n + (1 << na) + 2 * na + 2]
    q = scratch[n + (1 << na) + 2 * na + 2 :]
    for i in range(n):
        sizes[i] = 0
    for i in range(len(x)):
        sizes[i] = abs(x[i])
        if x[i] < 0:
            target -= x[i]
    p[_level(0)] = 0
    q[_level(0)] = 0
    total_p = np.int64(0)
    total_q = np.int64(0)
    for k in range(na - 1):
        total_p += sizes[k]
        total_q += sizes[na + k]
        _grow_both(p, q, k, sizes[k], sizes[na + k], total_p, total_q)
    if nb > na:
        total_q += sizes[n - 2]
        _grow(q, na - 1, sizes[n - 2], total_q)
    return _sweep(p, q, na - 1, nb - 1, sizes[na - 1], sizes[n - 1], target, stop)


@njit(**_JIT)
def mark_within(x, targets, tolerances, scratch, hits):  # type: ignore[no-untyped-def]
    """hits[t] = whether row t of x (trials, n) has a subset sum within its tolerance of its target; negative: never."""
    for t in range(x.shape[0]):
        hits[t] = False
        if tolerances[t] >= 0:
            error, _, _ = _solve(x[t], targets[t], tolerances[t], scratch)
            hits[t] = error <= tolerances[t]


@njit(**_JIT)
def best_rows(x, targets, scratch, errors, choices):  # type: ignore[no-untyped-def]
    """The best subset of every row: errors[t] >= 0 and choices[t, i] = 0 (taken) or -1 (left)."""
    n = x.shape[1]
    na = max(n, 2) // 2
    half = max(n, 2) + (1 << na) + 2 * na + 2
    taken = np.empty(max(n, 2), np.int8)
    for t in range(x.shape[0]):
        error, first, second = _solve(x[t], targets[t], np.int64(-1), scratch)
        errors[t] = error
        sizes = scratch[: max(n, 2)]
        _trace(scratch[max(n, 2) : half], sizes[:na], first, taken[:na])
        _trace(scratch[half:], sizes[na:], second, taken[na:])
        for i in range(n):
            choices[t, i] = 0 if (taken[i] == 1) != (x[t, i] < 0) else -1
