"""Kernels for sums of vectors: half sums in cells of the first coordinate, sorted by the second one inside a cell.

With P and Q the sums of two groups of variables, some p + q is good if, in every coordinate, it lies in the target's
window. P is indexed: cell b holds the sums with (first coordinate - smallest) >> shift == b, and a cell is sorted by
the second coordinate. For each q the one or two cells that its window meets are searched for where the second
coordinate's window begins; from there on the sums are looked at until it ends. Cells are at least as wide as a window.

Curves take the variables one by one, as ``curve`` does: only the sums that use the newest one are looked at, and the
variable then joins the shorter list. All arithmetic is exact in int64, under the limit of the other kernels. A list is
an array (capacity, d + 1): the coordinates, and the number of the choice in base R + 1, last variable last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def _join(p, size, values):  # type: ignore[no-untyped-def]
    """Add a variable's values (R, d) to the list p: behind the present sums come R shifted copies of them."""
    draws, d = values.shape
    for r in range(draws):
        for i in range(size):
            row = (r + 1) * size + i
            for c in range(d):
                p[row, c] = p[i, c] + values[r, c]
            p[row, d] = p[i, d] * (draws + 1) + r + 1
    for i in range(size):
        p[i, d] *= draws + 1


@njit(**_JIT)
def _shift_of(span, size, least):  # type: ignore[no-untyped-def]
    """Cells of 2^shift >= least, so wide that there are at most ``size`` of them."""
    shift = np.int64(0)
    while (np.int64(1) << shift) < least or (span >> shift) >= size:
        shift += 1
    return shift


@njit(**_JIT)
def _copy_row(source, i, out, j):  # type: ignore[no-untyped-def]
    """out[j] = source[i], in a loop: assigning slices takes Numba a second to compile."""
    for c in range(source.shape[1]):
        out[j, c] = source[i, c]


@njit(**_JIT)
def _sort_cell(p, low, high, row):  # type: ignore[no-untyped-def]
    """Sort the rows low, ..., high - 1 by their second coordinate (Shell's sort); row[0] is scratch."""
    gap = np.int64(1)
    while 3 * gap < high - low:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(low + gap, high):
            _copy_row(p, i, row, 0)
            j = i
            while j - gap >= low and p[j - gap, 1] > row[0, 1]:
                _copy_row(p, j - gap, p, j)
                j -= gap
            _copy_row(row, 0, p, j)
        gap //= 3


@njit(**_JIT)
def _index(p, size, least, starts, spare):  # type: ignore[no-untyped-def]
    """Order the list p by cells; (smallest first coordinate, shift). starts[b] = where cell b begins."""
    low = p[0, 0]
    high = p[0, 0]
    for i in range(size):
        low = min(low, p[i, 0])
        high = max(high, p[i, 0])
    shift = _shift_of(high - low, size, least)
    starts[: size + 1] = 0
    for i in range(size):
        starts[((p[i, 0] - low) >> shift) + 1] += 1
    for b in range(1, size + 1):
        starts[b] += starts[b - 1]
    for i in range(size):
        _copy_row(p, i, spare, i)
    for i in range(size):
        b = (spare[i, 0] - low) >> shift
        _copy_row(spare, i, p, starts[b])
        starts[b] += 1
    for b in range(size, 0, -1):
        starts[b] = starts[b - 1]
    starts[0] = 0
    if p.shape[1] > 2:
        for b in range(size):
            if starts[b + 1] - starts[b] > 1:
                _sort_cell(p, starts[b], starts[b + 1], spare)
    return low, shift


@njit(**_JIT)
def _probe(p, size, starts, low, shift, q, q_size, target, tolerance, stop, best):  # type: ignore[no-untyped-def]
    """The least max-norm error of any p + q up to ``tolerance``, _FAR if none; ``best`` names its two rows.

    The search ends at an error of at most ``stop``.
    """
    d = len(target)
    least = _FAR
    centre = np.empty(d, np.int64)
    for j in range(q_size):
        for c in range(d):
            centre[c] = target[c] - q[j, c]
        top = (centre[0] + tolerance - low) >> shift
        if top < 0:
            continue
        bottom = max((centre[0] - tolerance - low) >> shift, 0)
        for b in range(bottom, min(top, size - 1) + 1):
            i = starts[b]
            end = starts[b + 1]
            if d > 1 and end - i > 4:
                wanted = centre[1] - tolerance
                high = end
                while i < high:
                    middle = (i + high) >> 1
                    if p[middle, 1] < wanted:
                        i = middle + 1
                    else:
                        high = middle
            while i < end:
                if d > 1 and p[i, 1] - centre[1] > tolerance:
                    break
                error = abs(p[i, 0] - centre[0])
                for c in range(1, d):
                    error = max(error, abs(p[i, c] - centre[c]))
                if error <= tolerance and error < least:
                    least = error
                    best[0] = i
                    best[1] = j
                    if least <= stop:
                        return least
                    tolerance = least
                i += 1
    return least


@njit(**_JIT)
def _first(x, target, tolerance, p, q, starts, spare, best):  # type: ignore[no-untyped-def]
    """Smallest k such that some choice from the first k rows of x (n, R, d) hits, n + 1 if there is none."""
    n, draws, d = x.shape
    far = np.int64(0)
    for c in range(d):
        far = max(far, abs(target[c]))
    if far <= tolerance:
        return 0
    p[0] = 0
    q[0] = 0
    p_size = np.int64(1)
    q_size = np.int64(1)
    least = 2 * tolerance + 1
    low, shift = _index(p, p_size, least, starts, spare)
    moved = np.empty(d, np.int64)
    for k in range(n):
        for r in range(draws):
            for c in range(d):
                moved[c] = target[c] - x[k, r, c]
            if _probe(p, p_size, starts, low, shift, q, q_size, moved, tolerance, tolerance, best) <= tolerance:
                return k + 1
        if k == n - 1:
            break
        if q_size <= p_size:
            _join(q, q_size, x[k])
            q_size *= draws + 1
        else:
            _join(p, p_size, x[k])
            p_size *= draws + 1
            low, shift = _index(p, p_size, least, starts, spare)
    return n + 1


@njit(**_JIT)
def first_rows(x, targets, tolerances, p, q, starts, spare, first):  # type: ignore[no-untyped-def]
    """first[t] = variables that block t of x (trials, n, R, d) needs, n + 1 if none of its choices hits."""
    best = np.empty(2, np.int64)
    for t in range(x.shape[0]):
        first[t] = x.shape[1] + 1
        if tolerances[t] >= 0:
            first[t] = _first(x[t], targets[t], tolerances[t], p, q, starts, spare, best)


@njit(**_JIT)
def nearest(x, target, p, q, starts, spare, codes):  # type: ignore[no-untyped-def]
    """The least max-norm error of any choice from x (n, R, d); ``codes``: the choices of the two groups.

    The first n // 2 variables are the group of q. A window that is too small is doubled until it holds a sum; the best
    sum of a window that holds one is the best of all.
    """
    n, draws, d = x.shape
    p[0] = 0
    q[0] = 0
    p_size = np.int64(1)
    q_size = np.int64(1)
    for k in range(n // 2):
        _join(q, q_size, x[k])
        q_size *= draws + 1
    for k in range(n // 2, n):
        _join(p, p_size, x[k])
        p_size *= draws + 1
    span = np.int64(1)
    for c in range(d):
        span = max(span, abs(target[c]))  # the error of the empty choice
    tolerance = max(np.int64(1), np.int64(span * (float(p_size) * float(q_size)) ** (-1.0 / d)))
    best = np.empty(2, np.int64)
    while True:
        tolerance = min(tolerance, span)
        low, shift = _index(p, p_size, 2 * tolerance + 1, starts, spare)
        error = _probe(p, p_size, starts, low, shift, q, q_size, target, tolerance, np.int64(0), best)
        if error <= tolerance:
            codes[0] = q[best[1], d]
            codes[1] = p[best[0], d]
            return error
        tolerance *= 2
