"""Kernel for success curves of sums whose window depends on how many values they have.

Variables arrive one by one. The earlier ones form two groups, and for every s each group keeps the sorted list of its
sums of exactly s values. A sum that uses the newest variable has s values from one group, u from the other and one of
the newest variable's: a sweep up the first list and down the second meets every such sum near its target. The newest
variable then joins the group whose turn it is. Sizes with a negative width are never hit and are not looked at.

All arithmetic is exact in int64. A group's list s occupies words start[s], ..., start[s] + count[s] - 1.
"""

from __future__ import annotations

from typing import Any

from sims.jit import njit

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def _sweep(p, p_from, p_count, q, q_from, q_count, target, tolerance):  # type: ignore[no-untyped-def]
    """Whether some sum of one value of each list is within tolerance of the target."""
    i = p_from
    j = q_from + q_count - 1
    while i < p_from + p_count and j >= q_from:
        gap = p[i] + q[j] - target
        if abs(gap) <= tolerance:
            return True
        if gap > 0:
            j -= 1
        else:
            i += 1
    return False


@njit(**_JIT)
def _merge(a, a_from, a_count, b, b_from, b_count, shift, out):  # type: ignore[no-untyped-def]
    """out = the sorted union of a list and of another one shifted."""
    i = a_from
    j = b_from
    for k in range(a_count + b_count):
        if j == b_from + b_count or (i < a_from + a_count and a[i] <= b[j] + shift):
            out[k] = a[i]
            i += 1
        else:
            out[k] = b[j] + shift
            j += 1


@njit(**_JIT)
def _join(p, start, count, top, row, spare, other):  # type: ignore[no-untyped-def]
    """Add a variable with the values ``row`` to a group's lists of at most ``top`` values."""
    for s in range(top, 0, -1):
        if count[s - 1] == 0:
            continue
        size = count[s]
        for k in range(size):
            spare[k] = p[start[s] + k]
        for r in range(len(row)):
            _merge(spare, 0, size, p, start[s - 1], count[s - 1], row[r], other)
            size += count[s - 1]
            spare, other = other, spare
        for k in range(size):
            p[start[s] + k] = spare[k]
        count[s] = size


@njit(**_JIT)
def _hits(x, top, centres, widths, p, q, p_start, q_start, p_count, q_count):  # type: ignore[no-untyped-def]
    """Whether a sum with the newest variable, whose values are x, hits."""
    for s in range(top):
        if p_count[s] == 0:
            break
        for u in range(top - s):
            if q_count[u] == 0:
                break
            if widths[s + u + 1] < 0:
                continue
            for r in range(len(x)):
                target = centres[s + u + 1] - x[r]
                if _sweep(p, p_start[s], p_count[s], q, q_start[u], q_count[u], target, widths[s + u + 1]):
                    return True
    return False


@njit(**_JIT)
def first_sized(x, centres, widths, p, q, p_start, q_start, spare, other, counts, first):  # type: ignore[no-untyped-def]
    """first[t] = variables that block t of x (trials, n, R) needs until a sum hits, n + 1 if none does.

    centres (trials, top + 1), widths (top + 1): of the windows of the sums of 0, ..., top values.
    """
    trials, n, _ = x.shape
    top = len(widths) - 1
    p_count = counts[0]
    q_count = counts[1]
    for t in range(trials):
        first[t] = n + 1
        if abs(centres[t, 0]) <= widths[0]:
            first[t] = 0
            continue
        counts[:, :] = 0
        p_count[0] = 1
        q_count[0] = 1
        p[p_start[0]] = 0
        q[q_start[0]] = 0
        for k in range(n):
            if _hits(x[t, k], top, centres[t], widths, p, q, p_start, q_start, p_count, q_count):
                first[t] = k + 1
                break
            if k == n - 1:
                break
            if k % 2 == 0:
                _join(p, p_start, p_count, top - 1, x[t, k], spare, other)
            else:
                _join(q, q_start, q_count, top - 1, x[t, k], spare, other)
