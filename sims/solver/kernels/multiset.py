"""Kernels for multisets: n slots may each take any of the values already present, or stay empty.

The values are cut into two groups. For k values of a group and j slots the sorted sums obey one recurrence,

    sums(k, j) = merge(sums(k-1, j), value k + sums(k, j-1)),

because a multiset either leaves value k out or uses it once more than another one does. The first group keeps the sums
of exactly j slots, the second those of at most j slots; only the start differs. A sweep of (exactly j, at most
slots - j) for every j then meets every multiset once. Where n and the slots grow together (``first_multiset``), every
list is merged once in the whole life of a trial.

A list occupies words 1, ..., size of its stretch; word 0 and the word after the last hold end marks. All arithmetic is
exact in int64, under the limit of the other kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def _merge(p, q, x, out):  # type: ignore[no-untyped-def]
    """Merge the lists p and q + x into out; the lower half upwards and the upper half downwards, side by side."""
    size = len(out) - 2
    one = np.uint64(1)
    i = one
    j = one
    i_down = np.uint64(len(p) - 2)
    j_down = np.uint64(len(q) - 2)
    low = one
    high = np.uint64(size)
    for _ in range(size // 2):
        u, v = p[i], q[j] + x
        left = u <= v
        out[low] = u if left else v
        i += np.uint64(left)
        j += np.uint64(not left)
        low += one
        u, v = p[i_down], q[j_down] + x
        right = u > v
        out[high] = u if right else v
        i_down -= np.uint64(right)
        j_down -= np.uint64(not right)
        high -= one
    if size % 2:
        out[low] = min(p[i], q[j] + x)
    out[0] = -_FAR
    out[size + 1] = _FAR


@njit(**_JIT)
def _list(levels, starts, k, j, x):  # type: ignore[no-untyped-def]
    """Make the list of k >= 1 values, the last being x, and j slots."""
    out = levels[starts[k, j] : starts[k, j + 1]]
    shorter = levels[starts[k - 1, j] : starts[k - 1, j + 1]]
    if j == 0:
        for i in range(len(out)):
            out[i] = shorter[i]
    else:
        _merge(shorter, levels[starts[k, j - 1] : starts[k, j]], x, out)


@njit(**_JIT)
def _path(p, q, target, step):  # type: ignore[no-untyped-def]
    """How far a sweep has gone in p after ``step`` moves: a binary search along the step's antidiagonal."""
    q_size = len(q) - 2
    low = max(0, step - q_size)
    high = min(step, len(p) - 2)
    while low < high:
        i = (low + high) >> 1
        if p[1 + i] + q[1 + q_size - (step - i)] <= target:
            low = i + 1
        else:
            high = i
    return low


@njit(**_JIT, forceinline=True)
def _stretches(p, q, target):  # type: ignore[no-untyped-def]
    """A sweep cut into four: steps of each, where it starts in q, and how far ahead of that in p."""
    q_size = len(q) - 2
    steps = len(p) - 2 + q_size
    quarter = (steps + 3) // 4
    cut1 = min(quarter, steps - quarter)
    cut2 = min(2 * quarter, steps - quarter)
    cut3 = steps - quarter
    i1 = _path(p, q, target, cut1)
    i2 = _path(p, q, target, cut2)
    i3 = _path(p, q, target, cut3)
    j0 = np.uint64(q_size)
    j1 = np.uint64(q_size - (cut1 - i1))
    j2 = np.uint64(q_size - (cut2 - i2))
    j3 = np.uint64(q_size - (cut3 - i3))
    ahead0 = np.uint64(1) - j0
    ahead1 = np.uint64(1 + i1) - j1
    ahead2 = np.uint64(1 + i2) - j2
    ahead3 = np.uint64(1 + i3) - j3
    return quarter, j0, j1, j2, j3, ahead0, ahead1, ahead2, ahead3


@njit(**_JIT)
def _sweep(p, q, target, stop):  # type: ignore[no-untyped-def]
    """(error, sum in p, sum in q) of the best pair, or of the first within ``stop``; four stretches side by side."""
    one = np.uint64(1)
    quarter, j0, j1, j2, j3, ahead0, ahead1, ahead2, ahead3 = _stretches(p, q, target)
    best = _FAR
    best_p = np.int64(0)
    best_q = np.int64(0)
    for _ in range(quarter):
        s0 = p[ahead0 + j0] + q[j0] - target
        s1 = p[ahead1 + j1] + q[j1] - target
        s2 = p[ahead2 + j2] + q[j2] - target
        s3 = p[ahead3 + j3] + q[j3] - target
        nearest = min(min(abs(s0), abs(s1)), min(abs(s2), abs(s3)))
        if nearest < best:
            best = nearest
            if abs(s0) == nearest:
                best_p, best_q = p[ahead0 + j0], q[j0]
            elif abs(s1) == nearest:
                best_p, best_q = p[ahead1 + j1], q[j1]
            elif abs(s2) == nearest:
                best_p, best_q = p[ahead2 + j2], q[j2]
            else:
                best_p, best_q = p[ahead3 + j3], q[j3]
            if best <= stop:
                break
        j0 -= np.uint64(s0 > 0)
        j1 -= np.uint64(s1 > 0)
        j2 -= np.uint64(s2 > 0)
        j3 -= np.uint64(s3 > 0)
        ahead0 += one
        ahead1 += one
        ahead2 += one
        ahead3 += one
    return best, best_p, best_q


@njit(**_JIT)
def _within(p, q, target, tolerance):  # type: ignore[no-untyped-def]
    """Whether some pair is within tolerance of the target: the sweep alone."""
    one = np.uint64(1)
    quarter, j0, j1, j2, j3, ahead0, ahead1, ahead2, ahead3 = _stretches(p, q, target)
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
def _holds(levels, starts, k, j, value):  # type: ignore[no-untyped-def]
    """Whether the list of k values and j slots holds the value."""
    low = starts[k, j] + 1
    end = starts[k, j + 1] - 1
    high = end
    while low < high:
        middle = (low + high) >> 1
        if levels[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < end and levels[low] == value


@njit(**_JIT)
def _trace(levels, starts, x, j, value, counts):  # type: ignore[no-untyped-def]
    """counts[k] = how often the multiset behind ``value`` uses x[k]: as seldom as it can, from the last value on."""
    for k in range(len(x), 0, -1):
        counts[k - 1] = 0
        while not _holds(levels, starts, k - 1, j, value):
            counts[k - 1] += 1
            value -= x[k - 1]
            j -= 1


@njit(**_JIT)
def _first(x, target, tolerance, exact, exact_starts, most, most_starts):  # type: ignore[no-untyped-def]
    """Smallest n such that n slots with the first n values hit the window, len(x) + 1 if there is none."""
    if abs(target) <= tolerance:
        return 0
    a = 0
    b = 0
    for n in range(1, len(x) + 1):
        for k in range(1, a + 1):  # one slot more for the values at hand
            _list(exact, exact_starts, k, n, x[2 * k - 2])
        for k in range(1, b + 1):
            _list(most, most_starts, k, n, x[2 * k - 1])
        if n % 2:
            a += 1
            for j in range(n + 1):
                _list(exact, exact_starts, a, j, x[n - 1])
        else:
            b += 1
            for j in range(n + 1):
                _list(most, most_starts, b, j, x[n - 1])
        for j in range(n, -1, -1):
            p = exact[exact_starts[a, j] : exact_starts[a, j + 1]]
            q = most[most_starts[b, n - j] : most_starts[b, n - j + 1]]
            if _within(p, q, target, tolerance):
                return n
    return len(x) + 1


@njit(**_JIT)
def start(exact, exact_starts, most, most_starts):  # type: ignore[no-untyped-def]
    """The lists of no values: exactly j slots are empty for j = 0 only, at most j slots are empty for every j."""
    for j in range(exact_starts.shape[1] - 1):
        out = exact[exact_starts[0, j] : exact_starts[0, j + 1]]
        out[0] = -_FAR
        out[-1] = _FAR
        if j == 0:
            out[1] = 0
        out = most[most_starts[0, j] : most_starts[0, j + 1]]
        out[0] = -_FAR
        out[1] = 0
        out[2] = _FAR


@njit(**_JIT)
def first_multiset(x, targets, tolerances, exact, exact_starts, most, most_starts, first):  # type: ignore[no-untyped-def]
    """first[t] = values and slots that row t of x (trials, n) needs, n + 1 if it never hits."""
    for t in range(x.shape[0]):
        first[t] = x.shape[1] + 1
        if tolerances[t] >= 0:
            first[t] = _first(x[t], targets[t], tolerances[t], exact, exact_starts, most, most_starts)


@njit(**_JIT)
def best_rows(x, targets, exact, exact_starts, most, most_starts, errors, counts):  # type: ignore[no-untyped-def]
    """The best multiset of every row of x (trials, n): errors[t] >= 0 and counts[t, i], how often it uses x[t, i]."""
    a = exact_starts.shape[0] - 1
    b = most_starts.shape[0] - 1
    slots = exact_starts.shape[1] - 2
    for t in range(x.shape[0]):
        for k in range(1, a + 1):
            for j in range(slots + 1):
                _list(exact, exact_starts, k, j, x[t, k - 1])
        for k in range(1, b + 1):
            for j in range(slots + 1):
                _list(most, most_starts, k, j, x[t, a + k - 1])
        best = _FAR
        best_p = np.int64(0)
        best_q = np.int64(0)
        best_j = 0
        for j in range(slots + 1):
            p = exact[exact_starts[a, j] : exact_starts[a, j + 1]]
            q = most[most_starts[b, slots - j] : most_starts[b, slots - j + 1]]
            error, first, second = _sweep(p, q, targets[t], np.int64(-1))
            if error < best:
                best, best_p, best_q, best_j = error, first, second, j
        errors[t] = best
        _trace(exact, exact_starts, x[t, :a], best_j, best_p, counts[t, :a])
        _trace(most, most_starts, x[t, a:], slots - best_j, best_q, counts[t, a:])
