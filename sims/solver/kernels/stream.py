"""Kernel for long searches, one or R values per variable: half sums met in a bit map, never sorted and never stored.

How it works, for two halves of the variables, the sums a of the first and the missing parts c = target - b of the
second; the best choice is the pair with the smallest \\|a - c\\|:

1.  Each half is cut once more. The sums of its first variables are a sorted list q, those of the others a short list p
    in digit order, and its half sums are all p_i + q_j. There are far fewer of these numbers than of half sums.
2.  The half sums are visited in windows of value, lowest first. A pointer per p_i says where its run of q enters the
    window, so a window is read run by run in any order, and memory holds q, p and the pointers only.
3.  Of a window's pairs only those within a tolerance e count: the best error so far, or, while that is still large, a
    guess that leaves a few pairs. The window is cut into buckets of at least 2 e. Every a sets the bit of its bucket;
    every c looks at the buckets of c - e and c + e, and the few that find a bit are kept. The a's are read once more,
    against the bits of the kept c's in another, finer set of buckets. While many are left on both sides, they are
    filtered against each other in the same way; then all pairs are tried, or both lists sorted and swept.
4.  A guess that finds nothing says nothing: it is made again, larger, and at last all sums of the window are sorted
    and swept if they are few. No answer ever rests on luck, only the time does.
5.  The best pair across the edge of two windows is the largest a before it with the smallest c behind it, or the other
    way round.
6.  A window that turns out too full, or so uneven that the buckets tell nothing, is tried again at an eighth of its
    width; an empty stretch is skipped. The search ends where neither a smaller error nor a better tie can follow.

Among equally good choices the winner is the one of ``_binary`` (``mirror``) or ``_choice``: the smallest first half
sum, then the smaller total, then digits from the last variable backwards. It does not depend on how the values are cut
into windows, pieces or threads.

All arithmetic is exact in int64; the wrapper makes sure that the sum of the largest sizes and \\|t\\| is <= 2^60.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_FAR = np.int64(2**62 + 2**60)
_NONE = np.int64(2**61)
UNKNOWN = 2**62
"""An error above every other."""

_UNEVEN = 64
"""So many kept sums, if they are half of a window's, say that it is mostly empty."""

FACTS = 8
"""How many numbers ``prepare`` leaves for the search."""

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}
_PART: dict[str, Any] = {**_JIT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by kernels only


@njit(**_PART)
def _merge(source, a, b, end, out):  # type: ignore[no-untyped-def]
    """Merge the sorted runs source[a:b] and source[b:end] into out[a:end]."""
    one = np.uint64(1)
    i = k = np.uint64(a)
    j = i_end = np.uint64(b)
    j_end = np.uint64(end)
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


@njit(**_PART)
def _list(x, listed, levels, q, p, spare):  # type: ignore[no-untyped-def]
    """Fill one half's lists from its values x (count, R); the length of q, which holds no sum twice.

    levels gets the sorted sums of the first k variables for all k < listed, one after the other; q those of k = listed
    between two guards.
    """
    copies = x.shape[1] + 1
    (levels if listed > 0 else q[1:])[0] = 0
    low = 0
    size = 1
    for k in range(listed):
        new = levels[low + size :] if k < listed - 1 else q[1:]
        passes = 0
        while (1 << passes) < copies:
            passes += 1
        source, out = (new, spare) if passes % 2 == 0 else (spare, new)
        for i in range(size):
            source[i] = levels[low + i]
        for r in range(copies - 1):
            for i in range(size):
                source[(r + 1) * size + i] = levels[low + i] + x[k, r]
        run = size
        end = size * copies
        for _ in range(passes):
            for start in range(0, end, 2 * run):
                _merge(source, start, min(start + run, end), min(start + 2 * run, end), out)
            source, out = out, source
            run *= 2
        low += size
        size *= copies
    length = 0
    q[0] = -_FAR
    for i in range(1, size + 1):
        length += int(length == 0 or q[i] != q[length])
        q[length] = q[i]
    q[length + 1] = _FAR
    p[0] = 0
    size = 1
    for k in range(listed, len(x)):
        for r in range(copies - 1):
            for i in range(size):
                p[(r + 1) * size + i] = p[i] + x[k, r]
        size *= copies
    return length


@njit(**_PART)
def _first_not_below(q, low, high, value):  # type: ignore[no-untyped-def]
    """The smallest index in low..high whose entry of q[low:high] is not below value, else high."""
    while low < high:
        middle = (low + high) >> 1
        if q[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(**_PART)
def _start(p, q, length, offset, value, starts):  # type: ignore[no-untyped-def]
    """Set the pointers to the first sums not below value; the largest sum below it and the smallest that is not."""
    below = -_FAR
    above = _FAR
    for i in range(len(p)):
        j = 1
        if q[1] + p[i] + offset < value:
            j = _first_not_below(q, 1, length + 1, value - offset - p[i])
        starts[i] = j
        below = max(below, q[j - 1] + p[i] + offset)
        above = min(above, q[j] + p[i] + offset)
    return below, above


@njit(**_PART)
def _mark_window(p, q, starts, ends, low, width, shift, most, bits):  # type: ignore[no-untyped-def]
    """Set the bits of all sums in [low, low + width); (how many, largest sum below the end, smallest beyond it).

    ends gets the pointers for the end of the window. The count is more than ``most`` where this was given up.
    """
    one = np.uint64(1)
    bias = np.int64(64) << shift  # the first and the last word stay free for c - e < low and c + e >= low + width
    end = width + bias
    count = 0
    below = -_FAR
    above = _FAR
    for i in range(len(p)):
        base = p[i] - low + bias
        j = np.uint64(starts[i])
        u = q[j] + base
        while u < end:
            bits[np.uint64(u >> (shift + 6))] |= one << np.uint64((u >> shift) & 63)
            j += one
            u = q[j] + base
        ends[i] = j
        below = max(below, q[j - one] + base)
        above = min(above, u)
        count += np.int64(j) - starts[i]
        if count > most:
            break
    return count, below + (low - bias), above + (low - bias)


@njit(**_PART)
def _probe_window(p, q, starts, ends, offset, low, width, shift, e, most, bits, kept):  # type: ignore[no-untyped-def]
    """Keep the sums of the window that have a bit within e: (how many are kept, then as ``_mark_window``)."""
    one = np.uint64(1)
    bias = np.int64(64) << shift
    end = width + bias
    count = 0
    below = -_FAR
    above = _FAR
    m = np.uint64(0)
    for i in range(len(p)):
        base = p[i] + offset - low + bias
        j = np.uint64(starts[i])
        u = q[j] + base
        while u < end:
            left = bits[np.uint64((u - e) >> (shift + 6))] >> np.uint64(((u - e) >> shift) & 63)
            right = bits[np.uint64((u + e) >> (shift + 6))] >> np.uint64(((u + e) >> shift) & 63)
            kept[m] = u - bias
            m += (left | right) & one
            j += one
            u = q[j] + base
        ends[i] = j
        below = max(below, q[j - one] + base)
        above = min(above, u)
        count += np.int64(j) - starts[i]
        if count > most:
            break
    return np.int64(m), count, below + (low - bias), above + (low - bias)


@njit(**_PART)
def _bit(bits, u, shift):  # type: ignore[no-untyped-def]
    """The bit of bucket u >> shift, counted modulo the number of bits."""
    return (bits[np.uint64((u >> (shift + 6)) & (len(bits) - 3))] >> np.uint64((u >> shift) & 63)) & np.uint64(1)


@njit(**_PART)
def _mark(values, count, e, shift, bits):  # type: ignore[no-untyped-def]
    """Set, in cleared bits, the buckets that values[:count] reach within e."""
    bits[:] = 0
    for i in range(count):
        for u in (values[i] - e, values[i] + e):
            bits[np.uint64((u >> (shift + 6)) & (len(bits) - 3))] |= np.uint64(1) << np.uint64((u >> shift) & 63)


@njit(**_PART)
def _recheck_window(p, q, starts, ends, low, shift, bits, kept):  # type: ignore[no-untyped-def]
    """Keep the sums of the window whose bit is set; how many."""
    m = np.uint64(0)
    for i in range(len(p)):
        base = p[i] - low
        for j in range(np.uint64(starts[i]), np.uint64(ends[i])):
            u = q[j] + base
            kept[m] = u
            m += _bit(bits, u, shift)
    return np.int64(m)


@njit(**_PART)
def _filter(values, count, e, shift, bits):  # type: ignore[no-untyped-def]
    """Keep those of values[:count] that have a bit within e; how many."""
    m = np.uint64(0)
    for i in range(count):
        u = values[i]
        hit = _bit(bits, u - e, shift) | _bit(bits, u + e, shift)
        values[m] = u
        m += hit
    return np.int64(m)


@njit(**_PART)
def _sort(values, count):  # type: ignore[no-untyped-def]
    """Shell sort."""
    gap = count // 2
    while gap > 0:
        for i in range(gap, count):
            u = values[i]
            j = i
            while j >= gap and values[j - gap] > u:
                values[j] = values[j - gap]
                j -= gap
            values[j] = u
        gap = 1 if gap == 2 else gap * 5 // 11


@njit(**_PART)
def _offer(best, a, d):  # type: ignore[no-untyped-def]
    """Let the pair (a, c = a - d) compete: best = (error, a, d), ties by a, then by d (the total less the target)."""
    error = abs(d)
    if error < best[0] or (error == best[0] and (a < best[1] or (a == best[1] and d < best[2]))):
        best[0] = error
        best[1] = a
        best[2] = d


@njit(**_PART)
def _sweep(first, count_a, second, count_c, low, few, best):  # type: ignore[no-untyped-def]
    """Offer the nearest pairs of two lists: of short ones by trying all pairs, long ones are sorted first."""
    if count_a * count_c <= few:
        for i in range(count_a):
            a = first[i]
            nearest = UNKNOWN
            for j in range(count_c):
                nearest = min(nearest, abs(a - second[j]))
            if nearest <= best[0]:
                for j in range(count_c):
                    if abs(a - second[j]) == nearest:
                        _offer(best, a + low, a - second[j])
        return
    _sort(first, count_a)
    _sort(second, count_c)
    i = j = 0
    while i < count_a and j < count_c:
        d = first[i] - second[j]
        if abs(d) <= best[0]:
            _offer(best, first[i] + low, d)
        if d <= 0:
            i += 1
        else:
            j += 1


@njit(**_PART)
def _across(best, below_a, above_a, below_c, above_c):  # type: ignore[no-untyped-def]
    """Offer the nearest pairs across an edge."""
    if below_a > -_NONE and above_c < _NONE:
        _offer(best, below_a, below_a - above_c)
    if below_c > -_NONE and above_a < _NONE:
        _offer(best, above_a, above_a - below_c)


@njit(**_PART)
def _bit_length(value):  # type: ignore[no-untyped-def]
    length = 0
    while value > 0:
        value >>= 1
        length += 1
    return length


@njit(**_PART)
def _refine(p, q, starts, ends, low, shift, e, bits, first, second, m, few, best):  # type: ignore[no-untyped-def]
    """Offer all pairs within e of the window's first sums and the kept second[:m]."""
    fine = max(_bit_length(2 * e - 1), shift - _bit_length(len(bits) - 3) - 6, 0)
    _mark(second, m, e, fine, bits)
    k = _recheck_window(p, q, starts, ends, low, fine, bits, first)
    for scale in (shift, fine):
        if k * m > few:
            _mark(first, k, 0, scale, bits)
            m = _filter(second, m, e, scale, bits)
            _mark(second, m, e, scale, bits)
            k = _filter(first, k, 0, scale, bits)
    _sweep(first, k, second, m, low, few, best)


@njit(**_PART)
def _gather(p, q, starts, ends, offset, low, out):  # type: ignore[no-untyped-def]
    """List all sums of the window; how many."""
    m = 0
    for i in range(len(p)):
        for j in range(starts[i], ends[i]):
            out[m] = q[j] + (p[i] + offset - low)
            m += 1
    return m


@njit(**_JIT)
def prepare(x, target, mirror, layout, lists, facts):  # type: ignore[no-untyped-def]
    """Fill the lists; facts = lengths of both q, offset of c, smallest and largest value worth a visit, total of c,
    an error that no choice can beat (the values share a power of two, which the target need not), and 0.

    With ``mirror`` (one value each) the sizes of the values are used, the target moved, and the sums of the second
    half read backwards: target - b is offset + (total of c - b), where total - b is a sum as well. Without it the
    second half's values change their sign.
    """
    values_a, values_c, levels_a, levels_c, qa, qc, pa, pc, spare = lists
    total = np.int64(0)
    digits = np.int64(0)
    for i in range(x.shape[0]):
        for r in range(x.shape[1]):
            value = x[i, r]
            digits |= value
            if mirror:
                target -= min(value, 0)
                value = abs(value)
            if i < len(values_a):
                values_a[i, r] = value
            else:
                values_c[i - len(values_a), r] = value if mirror else -value
                total += value if mirror else 0
    facts[0] = _list(values_a, layout[0], levels_a, qa, pa, spare)
    facts[1] = _list(values_c, layout[1], levels_c, qc, pc, spare)
    facts[2] = target - total
    low_a, high_a, low_c, high_c = pa[0], pa[0], pc[0], pc[0]
    for i in range(len(pa)):
        low_a = min(low_a, pa[i])
        high_a = max(high_a, pa[i])
    for i in range(len(pc)):
        low_c = min(low_c, pc[i])
        high_c = max(high_c, pc[i])
    facts[3] = max(low_a + qa[1], low_c + qc[1] + facts[2])
    facts[4] = min(high_a + qa[facts[0]], high_c + qc[facts[1]] + facts[2]) + 1
    facts[5] = total
    unit = digits & -digits  # the largest power of two that divides all values; 0 if they are all 0
    facts[7] = 0
    facts[6] = min(target & (unit - 1), -target & (unit - 1)) if unit > 0 else 0


@njit(**_JIT)
def visit(layout, lists, facts, low, end, stop, bound, work, best):  # type: ignore[no-untyped-def]
    """Offer every pair from windows in [low, end) that can win; best = (error, a, a - c), changed in place.

    bound[0] is an error that some choice is known to have; it is lowered, also by other threads. With stop >= 0 only
    errors up to it are looked for, and the first one ends the search. facts[7] counts the steps.
    """
    _, _, _, _, qa, qc, pa, pc, _ = lists
    start_a, end_a, start_c, end_c, first, second, bits = work
    offset = facts[2]
    full = layout[2]
    most = 2 * full
    log_bits = _bit_length(layout[3]) + 5
    np_a = len(pa)
    np_c = len(pc)
    sums = max(np_a * facts[0], np_c * facts[1])
    ratio = (np_a * facts[0]) / (np_c * facts[1])
    coarse = -1
    parts = np.int64(1) if sums <= most else 2 * (sums // full)
    width = max((end - low) // parts, 1)
    below_a, above_a = _start(pa, qa, facts[0], 0, low, start_a)
    below_c, above_c = _start(pc, qc, facts[1], offset, low, start_c)
    _across(best, below_a, above_a, below_c, above_c)
    while best[0] > stop:
        low = max(low, min(above_a, above_c))
        if low >= end or above_a > _NONE or above_c > _NONE:
            break
        width = min(width, end - low)
        shift = max(0, _bit_length(width - 1) - log_bits) + max(coarse, 0)
        limit = most if width > 1 else np_a + np_c  # one value: no q holds a sum twice, so a run has at most one
        bits[:] = 0
        facts[7] += np_a + np_c
        count_a, last_a, next_a = _mark_window(pa, qa, start_a, end_a, low, width, shift, limit, bits)
        facts[7] += count_a
        if count_a > limit:
            width = max(width >> 3, 1)
            continue
        # behind the winner's first sum a tie cannot win, and nothing at all if no error can be smaller
        goal = min(best[0] if low <= best[1] else best[0] - 1, bound[0])
        if goal < facts[6]:
            break
        if stop >= 0:
            goal = min(goal, stop)
        reach = min(goal, (np.int64(1) << shift) >> 1)
        e = reach
        if e < goal and coarse < 0:
            e = min(e, np.int64(4.0 * ratio * width / max(count_a, 1) / max(count_a, 1)))
        m, count_c, last_c, next_c = _probe_window(
            pc, qc, start_c, end_c, offset, low, width, shift, e, limit, bits, second
        )
        facts[7] += count_c
        if count_c > limit or (m > max(count_c >> 1, _UNEVEN) and width > 1):
            width = max(width >> 3, 1)
            coarse = -1
            continue
        if m > 0:
            _refine(pa, qa, start_a, end_a, low, shift, e, bits, first, second, m, layout[4], best)
        if e < goal and best[0] > e and count_a > 0 and count_c > 0:
            if e < reach or shift + 8 < _bit_length(width - 1):
                coarse = 0 if e < reach else max(coarse, 0) + 4
                continue
            if count_a * count_c > layout[4] and width > 1:
                width = max(width >> 3, 1)
                coarse = -1
                continue
            k = _gather(pa, qa, start_a, end_a, 0, low, first)
            m = _gather(pc, qc, start_c, end_c, offset, low, second)
            _sweep(first, k, second, m, low, layout[4], best)
        coarse = -1
        for i in range(np_a):
            start_a[i] = end_a[i]
        for i in range(np_c):
            start_c[i] = end_c[i]
        below_a, above_a, below_c, above_c = last_a, next_a, last_c, next_c
        _across(best, below_a, above_a, below_c, above_c)
        bound[0] = min(bound[0], best[0])
        low += width
        width = np.int64(width * min(full / max(count_a, count_c, 1), 4.0)) + 1


@njit(**_PART)
def _solve(x, target, mirror, stop, layout, lists, work, facts, bound, best):  # type: ignore[no-untyped-def]
    """best = (error, a, a - c) of the best pair; the lists stay behind."""
    prepare(x, target, mirror, layout, lists, facts)
    best[0] = bound[0] = UNKNOWN
    low, end = facts[3], facts[4]
    middle = low
    if facts[0] * len(lists[6]) > 4 * layout[2]:
        middle = max(low, (low + end) // 2)  # many windows: start where the sums are densest and errors small
    visit(layout, lists, facts, middle, end, stop, bound, work, best)
    if middle > low:
        visit(layout, lists, facts, low, middle, stop, bound, work, best)


@njit(**_PART)
def _digits(x, listed, levels, q, length, p, value, choice):  # type: ignore[no-untyped-def]
    """choice[i] = which value of variable i the half sum ``value`` uses, -1 for none."""
    count, draws = x.shape
    options = draws + 1
    for i in range(len(p)):
        j = _first_not_below(q, 1, length + 1, value - p[i])
        if q[j] == value - p[i]:
            value = q[j]
            for k in range(listed, count):
                choice[k] = i % options - 1
                i //= options
            break
    size = len(levels) * draws + 1
    low = len(levels)
    for k in range(listed - 1, -1, -1):
        high = low
        size //= options
        low -= size
        choice[k] = -1
        j = _first_not_below(levels, low, high, value)
        if j < high and levels[j] == value:
            continue
        for r in range(draws):
            j = _first_not_below(levels, low, high, value - x[k, r])
            if j < high and levels[j] == value - x[k, r]:
                choice[k] = r
                value = levels[j]
                break


@njit(**_JIT)
def trace(x, mirror, layout, lists, facts, best, choice):  # type: ignore[no-untyped-def]
    """choice[i] = which value of variable i the winner takes, -1 for none."""
    values_a, values_c, levels_a, levels_c, qa, qc, pa, pc, _ = lists
    half = len(values_a)
    c = best[1] - best[2] - facts[2]
    _digits(values_a, layout[0], levels_a, qa, facts[0], pa, best[1], choice[:half])
    _digits(values_c, layout[1], levels_c, qc, facts[1], pc, facts[5] - c if mirror else c, choice[half:])
    if mirror:
        for i in range(len(choice)):
            if x[i, 0] < 0:
                choice[i] = -1 - choice[i]


@njit(**_JIT)
def best_rows(x, targets, mirror, layout, lists, work, errors, choices):  # type: ignore[no-untyped-def]
    """The best choice of every block of x (rows, n, R): its error and choices[t, i] = value taken, -1 for none.

    Returns the steps that took.
    """
    steps = 0
    facts = np.empty(FACTS, np.int64)
    bound = np.empty(1, np.int64)
    best = np.empty(3, np.int64)
    for t in range(x.shape[0]):
        _solve(x[t], targets[t], mirror, np.int64(-1), layout, lists, work, facts, bound, best)
        errors[t] = best[0]
        trace(x[t], mirror, layout, lists, facts, best, choices[t])
        steps += facts[7]
    return steps


@njit(**_JIT)
def mark_within(x, targets, tolerances, mirror, layout, lists, work, hits):  # type: ignore[no-untyped-def]
    """hits[t] = whether block t of x (rows, n, R) has a choice within tolerance; a negative one is never met.

    Returns the steps that took.
    """
    steps = 0
    facts = np.empty(FACTS, np.int64)
    bound = np.empty(1, np.int64)
    best = np.empty(3, np.int64)
    for t in range(x.shape[0]):
        hits[t] = False
        if tolerances[t] >= 0:
            _solve(x[t], targets[t], mirror, tolerances[t], layout, lists, work, facts, bound, best)
            hits[t] = best[0] <= tolerances[t]
            steps += facts[7]
    return steps
