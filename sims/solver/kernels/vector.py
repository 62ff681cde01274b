"""The kernels for one value per variable in vectors: the results of ``_binary``, sooner, on registers of any width.

The tests compare them with the portable kernels.

How it works. The plan is ``_binary``'s: two halves, each grown value by value into the sorted list of its subset sums
(``lists`` says how), the last value of each half left out of its list and tried by four sweeps.

**Sweeping.** A sweep walks p upwards by blocks of ``rows`` words and q downwards by blocks of one vector. With r =
target - q, which ascends along the walk, a step compares every p of its block with every r, and then leaves behind the
block that ends first: the p if their last is at most the last r, else the q. Nothing is lost: if the p block is left,
every later r is at least the last r of this block, which is at least every p of the block; so a later pair is no
nearer than one that has just been seen, and if it is as near it is equal to that one, value by value. The other case
is the same. A step costs three vector instructions a row (subtract a broadcast word, absolute value, minimum), and a
sweep over P and Q sums takes P / rows + Q / count steps. Only the smallest distance is kept in vectors; a step that
comes as near is written down with where the four sweeps stand, and which pairs it was is worked out later.

**Exact kernels** hold the sums as 64-bit words. All pairs that reach the smallest error are met, as shown above, so
the tie rule of ``_binary`` (smallest first half sum, then smallest second) can be applied.

**Rounded kernels** hold half as long words, twice as many in a vector: the values are divided by a power of two and
rounded. How far that moves the distance of a subset is known from the remainders, in either direction at most
``doubt``; so the best subset's rounded distance is at most 2 doubt above the smallest one. For all pairs up to there
the exact sums are compared; there is one, rarely two. A sweep may pass over such a pair, but then it has met one of its
two sums with a nearer partner, whose neighbour in the list is as near as that too. So where a neighbour is, the answer
is "in doubt", and an exact kernel is asked; equal sums are neighbours, so a pair that is not in doubt is one subset. An
answer that is given is that of the exact kernel, tie rule included.

**Widths.** The steps are those of AVX-512, where one instruction compares into a mask whose bits are counted. AVX2 has
them for words of 32 bits (the mask comes out of the signs of a vector), but makes the minimum or absolute value of
64-bit words of two or three instructions: rounded sums gain most there. SSE 4.1 and NEON are as AVX2, half as wide.

All arithmetic is exact in int64, under the limit of the other kernels; words of 32 bits stay below 2^29, their marks
of the ends at 2^30, so that no difference leaves the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.jit import njit
from sims.solver.arguments import Integers
from sims.solver.kernels import lanes as _lanes
from sims.solver.kernels import lists as _lists
from sims.solver.kernels.lanes import (
    Lanes,
    any_le,
    count,
    distances,
    far,
    get,
    leaves,
    length,
    load,
    lowest,
    matches_le,
    minimum,
    minus,
    put,
    rows,
    size,
    smallest,
    spread,
    store,
)
from sims.solver.kernels.lists import WORDS, aligned, build, level, trace

_STATE = 8
"""Words of where four sweeps stand, before the events."""
_EVENTS = 32
"""Events that a sweep writes down before it hands them over."""
STATE_WORDS = _STATE + 6 * _EVENTS
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "uses": (_lanes, _lists)}
_INLINE: dict[str, Any] = {**_JIT, "forceinline": True}


@njit(**_JIT)
def _begin(w, p, p_size, q, q_size, state):  # type: ignore[no-untyped-def]
    """The state of four sweeps that have not begun, and the marks around their lists."""
    store(w, p, p_size, spread(w, far(w)))
    store(w, q, -count(w), spread(w, -far(w)))
    put(w, p, -1, -far(w))
    put(w, q, q_size, far(w))
    g = (q_size - count(w)) * size(w) // (count(w) // rows(w))
    put(WORDS, state, 0, far(w))
    put(WORDS, state, 1, p_size // rows(w) + q_size // count(w) - 1)
    put(WORDS, state, 2, p - g)
    for k in range(4):
        put(WORDS, state, 3 + k, g)


@njit(**_JIT)
def sweep(w, q, x, y, target, slack, stop, state):  # type: ignore[no-untyped-def]
    """Go on with four sweeps until they end or the list of events is full; how many events there are.

    An event is a step with a pair at most ``slack`` further off than the nearest so far: (p, g0, g1, g2, g3, distance).
    The state: the smallest distance, the steps to go, p, g0, g1, g2, g3. Each sweep holds one number g: its q block is
    at q + ratio g and its p block at p + g, where p moves on by one block at every step; so a step that leaves the q
    block lowers g by a p block, and one that leaves the p block does not.
    """
    ratio = count(w) // rows(w)
    block = rows(w) * size(w)
    best = get(WORDS, state, 0)
    steps = get(WORDS, state, 1)
    p = get(WORDS, state, 2)
    g0 = get(WORDS, state, 3)
    g1 = get(WORDS, state, 4)
    g2 = get(WORDS, state, 5)
    g3 = get(WORDS, state, 6)
    t0 = target
    t1 = target - x
    t2 = target - y
    t3 = target - x - y
    near = spread(w, min(best + slack, far(w)))
    events = np.int64(0)
    while steps > 0:
        steps -= 1
        d0 = distances(w, p + g0, minus(spread(w, t0), load(w, q + ratio * g0, 0)))
        d1 = distances(w, p + g1, minus(spread(w, t1), load(w, q + ratio * g1, 0)))
        d2 = distances(w, p + g2, minus(spread(w, t2), load(w, q + ratio * g2, 0)))
        d3 = distances(w, p + g3, minus(spread(w, t3), load(w, q + ratio * g3, 0)))
        nearest = minimum(minimum(d0, d1), minimum(d2, d3))
        if any_le(nearest, near):
            distance = smallest(nearest)
            if distance < best:
                if distance + slack < best:
                    events = np.int64(0)
                best = distance
                near = spread(w, best + slack)
                if best <= stop:
                    break
            event = state + 8 * (_STATE + 6 * events)
            put(WORDS, event, 0, p)
            put(WORDS, event, 1, g0)
            put(WORDS, event, 2, g1)
            put(WORDS, event, 3, g2)
            put(WORDS, event, 4, g3)
            put(WORDS, event, 5, distance)
            events += 1
        g0 -= leaves(w, p + g0, q + ratio * g0, t0, block)
        g1 -= leaves(w, p + g1, q + ratio * g1, t1, block)
        g2 -= leaves(w, p + g2, q + ratio * g2, t2, block)
        g3 -= leaves(w, p + g3, q + ratio * g3, t3, block)
        p += block
        if events == _EVENTS:
            break
    put(WORDS, state, 0, best)
    put(WORDS, state, 1, steps)
    put(WORDS, state, 2, p)
    put(WORDS, state, 3, g0)
    put(WORDS, state, 4, g1)
    put(WORDS, state, 5, g2)
    put(WORDS, state, 6, g3)
    return events


@njit(**_JIT)
def _pick(w, p, q, target, x, y, best, best_p, best_q):  # type: ignore[no-untyped-def]
    """(best_p, best_q), or the pair of these blocks with error best that the tie rule prefers; x and y are added.

    Both blocks ascend, so in the block's matches the lowest bit is the pair with the smallest p, then the smallest q.
    """
    bits = matches_le(w, p, minus(spread(w, target), load(w, q, 0)), spread(w, best))
    if bits == 0:
        return best_p, best_q
    bit = lowest(WORDS, bits)
    first = get(w, p, bit // count(w)) + x
    second = get(w, q, bit & (count(w) - 1)) + y
    better = (first < best_p) | ((first == best_p) & (second < best_q))
    return first if better else best_p, second if better else best_q


@njit(**_JIT)
def _solve(w, sizes, n, target, stop, p, q, state):  # type: ignore[no-untyped-def]
    """(error, sum in the first half, sum in the second half) of n sizes; the sums only if the error is above stop."""
    na = n // 2
    nb = n - na
    build(w, sizes, n, p, q)
    x = get(WORDS, sizes, na - 1)
    y = get(WORDS, sizes, n - 1)
    p += size(w) * level(w, na - 1)
    q += size(w) * level(w, nb - 1)
    _begin(w, p, 1 << (na - 1), q, 1 << (nb - 1), state)
    best = best_p = best_q = far(w)
    while best > stop and get(WORDS, state, 1) > 0:
        events = sweep(w, q, x, y, target, 0, stop, state)
        nearest = get(WORDS, state, 0)
        if nearest < best:
            best_p = best_q = far(w)
            best = nearest
        if best <= stop:
            break
        for e in range(events):
            event = state + 8 * (_STATE + 6 * e)
            if get(WORDS, event, 5) == best:
                for chain in range(4):
                    a = x if chain & 1 else 0
                    b = y if chain & 2 else 0
                    g = get(WORDS, event, 1 + chain)
                    at_p = get(WORDS, event, 0) + g
                    at_q = q + count(w) // rows(w) * g
                    best_p, best_q = _pick(w, at_p, at_q, target - a - b, a, b, best, best_p, best_q)
    return best, best_p, best_q


@njit(**_INLINE)
def _total(sizes, begin, end, taken):  # type: ignore[no-untyped-def]
    """The sum of the sizes from begin to end whose bit is set."""
    total = np.int64(0)
    for i in range(begin, end):
        total += get(WORDS, sizes, i) & -((taken >> i) & 1)
    return total


@njit(**_INLINE)
def _round(w, sizes, n, target, total, small):  # type: ignore[no-untyped-def]
    """Set ``small`` to the rounded sizes; the rounded target, the bits dropped, and the doubt of any distance."""
    shift = max(0, length(WORDS, total) - (8 * size(w) - 3))
    half = (np.int64(1) << shift) >> 1
    goal = (target + half) >> shift
    above = max(target - (goal << shift), 0)
    below = max((goal << shift) - target, 0)
    for i in range(n):
        exact = get(WORDS, sizes, i)
        word = (exact + half) >> shift
        put(WORDS, small, i, word)
        rest = exact - (word << shift)
        below += max(rest, 0)
        above += max(-rest, 0)
    return goal, shift, max(above, below)


@njit(**_INLINE)
def _around(w, p, q, missing):  # type: ignore[no-untyped-def]
    """The smallest distance of the pairs of the word at p with those beside the word at q, and the reverse."""
    first = missing - get(w, p, 0)
    second = missing - get(w, q, 0)
    return min(
        min(abs(first - get(w, q, -1)), abs(first - get(w, q, 1))),
        min(abs(second - get(w, p, -1)), abs(second - get(w, p, 1))),
    )


@njit(**_JIT)
def _certain(w, sizes, n, target, stop, small, p, q, state):  # type: ignore[no-untyped-def]
    """(error, taken) of n sizes, from rounded sums; only error <= stop if it is; error -1: in doubt."""
    na = n // 2
    nb = n - na
    total = _total(sizes, 0, n, np.int64(-1))
    inside = min(max(target, 0), total)  # beyond the sums every one is further off by the same
    beyond = abs(target - inside)
    goal, shift, doubt = _round(w, sizes, n, inside, total, small)
    slack = (2 * doubt) >> shift
    enough = (stop - beyond - doubt) >> shift
    build(w, small, n, p, q)
    x = get(WORDS, small, na - 1)
    y = get(WORDS, small, n - 1)
    p_list = p + size(w) * level(w, na - 1)
    q_list = q + size(w) * level(w, nb - 1)
    _begin(w, p_list, 1 << (na - 1), q_list, 1 << (nb - 1), state)
    events = sweep(w, q_list, x, y, goal, slack, enough, state)
    near = get(WORDS, state, 0)
    if near <= enough:
        return stop, np.int64(0)
    if events == _EVENTS:
        return np.int64(-1), np.int64(0)
    near += slack
    best = best_p = best_q = np.int64(2**62)
    best_taken = np.int64(0)
    for e in range(events):
        event = state + 8 * (_STATE + 6 * e)
        if get(WORDS, event, 5) > near:
            continue
        for chain in range(4):
            g = get(WORDS, event, 1 + chain)
            at_p = get(WORDS, event, 0) + g
            at_q = q_list + count(w) // rows(w) * g
            missing = goal - x * (chain & 1) - y * (chain >> 1)
            bits = matches_le(w, at_p, minus(spread(w, missing), load(w, at_q, 0)), spread(w, near))
            while bits != 0:
                bit = lowest(WORDS, bits)
                bits &= bits - 1
                one_p = at_p + size(w) * (bit // count(w))
                one_q = at_q + size(w) * (bit & (count(w) - 1))
                if _around(w, one_p, one_q, missing) <= near:
                    return np.int64(-1), np.int64(0)
                taken = trace(w, p, q, small, na, na - 1, nb - 1, get(w, one_p, 0), get(w, one_q, 0))
                taken |= np.int64(chain & 1) << (na - 1) | np.int64(chain >> 1) << (n - 1)
                first = _total(sizes, 0, na, taken)
                second = _total(sizes, na, n, taken)
                error = abs(first + second - inside)
                tie = (first < best_p) | (first == best_p) & (
                    (second < best_q) | (second == best_q) & (taken < best_taken)
                )
                if (error < best) | ((error == best) & tie):
                    best, best_p, best_q, best_taken = error, first, second, taken
    return best + beyond, best_taken


@njit(**_INLINE)
def _sizes(x, t, target, sizes):  # type: ignore[no-untyped-def]
    """Set the sizes of row t; the target of their subsets, for a negative value is left out where its size is taken."""
    for i in range(x.shape[1]):
        put(WORDS, sizes, i, abs(x[t, i]))
        target -= min(x[t, i], 0)
    return target


@njit(**_INLINE)
def _choose(x, t, taken, choices):  # type: ignore[no-untyped-def]
    for i in range(x.shape[1]):
        choices[t, i] = ((taken >> i) & 1 ^ np.int64(x[t, i] < 0)) - 1


@njit(**_INLINE)
def _places(w, scratch, n):  # type: ignore[no-untyped-def]
    """The addresses of the sizes, the rounded sizes, the state and the lists."""
    sizes = aligned(scratch)
    small = sizes + 8 * ((n + 7) & -8)
    state = small + 8 * ((n + 7) & -8)
    p = state + 8 * ((STATE_WORDS + 7) & -8)
    q = p + ((size(w) * level(w, n // 2) + 63) & -64)
    return sizes, small, state, p, q


@njit(**_JIT)
def _mark_exact(w, x, targets, tolerances, scratch, hits):  # type: ignore[no-untyped-def]
    n = x.shape[1]
    sizes, _, state, p, q = _places(w, scratch, n)
    for t in range(x.shape[0]):
        hits[t] = False
        if tolerances[t] >= 0:
            target = _sizes(x, t, targets[t], sizes)
            error, _, _ = _solve(w, sizes, n, target, tolerances[t], p, q, state)
            hits[t] = error <= tolerances[t]


@njit(**_JIT)
def _best_exact(w, x, targets, scratch, errors, choices):  # type: ignore[no-untyped-def]
    n = x.shape[1]
    na = n // 2
    sizes, _, state, p, q = _places(w, scratch, n)
    for t in range(x.shape[0]):
        target = _sizes(x, t, targets[t], sizes)
        errors[t], first, second = _solve(w, sizes, n, target, np.int64(-1), p, q, state)
        _choose(x, t, trace(w, p, q, sizes, na, na, n - na, first, second), choices)


@njit(**_JIT)
def _mark_rounded(w, x, targets, tolerances, scratch, errors):  # type: ignore[no-untyped-def]
    """errors[t] is within row t's tolerance if a subset is, -1 if that is in doubt."""
    n = x.shape[1]
    sizes, small, state, p, q = _places(w, scratch, n)
    for t in range(x.shape[0]):
        errors[t] = 2**62
        if tolerances[t] >= 0:
            target = _sizes(x, t, targets[t], sizes)
            errors[t], _ = _certain(w, sizes, n, target, tolerances[t], small, p, q, state)


@njit(**_JIT)
def _best_rounded(w, x, targets, scratch, errors, choices):  # type: ignore[no-untyped-def]
    """errors[t] = -1 where the best subset of row t is in doubt."""
    n = x.shape[1]
    sizes, small, state, p, q = _places(w, scratch, n)
    for t in range(x.shape[0]):
        target = _sizes(x, t, targets[t], sizes)
        errors[t], taken = _certain(w, sizes, n, target, np.int64(-1), small, p, q, state)
        _choose(x, t, taken, choices)


@dataclass(frozen=True)
class Kernels:
    """``kernels.binary`` for n >= 7 in vectors of ``bits`` bits: the same functions, the same results.

    ``rounded``: whether to search rounded sums first, which needs n >= 9.
    """

    bits: int
    rounded: bool

    @property
    def exact(self) -> Lanes:
        """Vectors of whole sums."""
        return Lanes(64, self.bits // 64, max(2, self.bits // 128))

    @property
    def short(self) -> Lanes:
        """Vectors of rounded sums."""
        return Lanes(32, self.bits // 32)

    @staticmethod
    def scratch_size(n: int) -> int:
        """Words of int64 scratch for one thread."""
        lists = sum(_lists.words(count) for count in (n // 2, n - n // 2))
        return 8 + 2 * (n + 7) + STATE_WORDS + 24 + lists

    def best_rows(self, x: Integers, targets: Integers, scratch: Integers, errors: Integers, choices: Any) -> None:
        """``kernels.binary.best_rows``."""
        if not self.rounded:
            _best_exact(self.exact, x, targets, scratch, errors, choices)
            return
        _best_rounded(self.short, x, targets, scratch, errors, choices)
        doubtful = np.flatnonzero(errors < 0)
        if len(doubtful):
            found, chosen = np.empty(len(doubtful), np.int64), np.empty((len(doubtful), x.shape[1]), choices.dtype)
            _best_exact(self.exact, x[doubtful], targets[doubtful], scratch, found, chosen)
            errors[doubtful], choices[doubtful] = found, chosen

    def mark_within(self, x: Integers, targets: Integers, tolerances: Integers, scratch: Integers, hits: Any) -> None:
        """``kernels.binary.mark_within``."""
        if not self.rounded:
            _mark_exact(self.exact, x, targets, tolerances, scratch, hits)
            return
        errors = np.empty(len(x), np.int64)
        _mark_rounded(self.short, x, targets, tolerances, scratch, errors)
        np.less_equal(errors, tolerances, out=hits)
        doubtful = np.flatnonzero(errors < 0)
        if len(doubtful):
            found = np.empty(len(doubtful), np.bool_)
            _mark_exact(self.exact, x[doubtful], targets[doubtful], tolerances[doubtful], scratch, found)
            hits[doubtful] = found
