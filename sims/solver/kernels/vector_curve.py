"""The kernel of success curves for one value each in vectors: the results of ``_curve``, sooner, on any registers.

A variable's sums are looked at as in ``_curve``, with the lists of ``lists`` and the block sweep of ``vector``.
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
    any_le,
    count,
    distances,
    far,
    get,
    leaves,
    load,
    minimum,
    minus,
    put,
    rows,
    size,
    spread,
    store,
)
from sims.solver.kernels.lists import aligned, double
from sims.solver.kernels.vector import Kernels

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "uses": (_lanes, _lists)}
_INLINE: dict[str, Any] = {**_JIT, "forceinline": True}


@njit(**_INLINE)
def _blocks_left(w, p, p_blocks, q, q_blocks, target, step):  # type: ignore[no-untyped-def]
    """How many blocks of p a sweep has left behind after ``step`` steps; q's last block is word count q_blocks."""
    low = max(0, step - q_blocks)
    high = min(step, p_blocks)
    while low < high:
        i = (low + high) >> 1
        left = get(w, p, rows(w) * (i + 1) - 1) + get(w, q, count(w) * (q_blocks - (step - 1 - i))) <= target
        low = i + 1 if left else low
        high = high if left else i
    return low


@njit(**_JIT)
def _meets(w, p, p_size, q, q_size, target, tolerance):  # type: ignore[no-untyped-def]
    """Whether some sum of p and q is within tolerance of the target: one sweep, its four quarters side by side.

    The lists start at the second vector. A list shorter than a block is filled up with numbers too large to hit.
    """
    ratio = count(w) // rows(w)
    block = rows(w) * size(w)
    p_blocks = (p_size + rows(w) - 1) // rows(w)
    q_blocks = (q_size + count(w) - 1) // count(w)
    steps = p_blocks + q_blocks - 1
    near = spread(w, tolerance)
    around = spread(w, target)
    p += count(w) * size(w)
    if steps < 12:
        g0 = block * q_blocks
        p -= g0
        for _ in range(steps):
            if any_le(distances(w, p + g0, minus(around, load(w, q + ratio * g0, 0))), near):
                return True
            g0 -= leaves(w, p + g0, q + ratio * g0, target, block)
            p += block
        return False
    quarter = (steps + 3) >> 2
    cut1 = quarter
    cut2 = min(2 * quarter, steps - quarter)
    cut3 = steps - quarter
    g0 = np.int64(0)
    g1 = block * _blocks_left(w, p, p_blocks, q, q_blocks, target, cut1)
    g2 = block * _blocks_left(w, p, p_blocks, q, q_blocks, target, cut2)
    g3 = block * _blocks_left(w, p, p_blocks, q, q_blocks, target, cut3)
    # as in ``vector._sweep``, but each quarter has a q of its own instead of a p of its own
    q0 = q + ratio * block * q_blocks
    q1 = q0 - ratio * block * cut1
    q2 = q0 - ratio * block * cut2
    q3 = q0 - ratio * block * cut3
    for _ in range(quarter):
        d0 = distances(w, p + g0, minus(around, load(w, q0 + ratio * g0, 0)))
        d1 = distances(w, p + g1, minus(around, load(w, q1 + ratio * g1, 0)))
        d2 = distances(w, p + g2, minus(around, load(w, q2 + ratio * g2, 0)))
        d3 = distances(w, p + g3, minus(around, load(w, q3 + ratio * g3, 0)))
        if any_le(minimum(minimum(d0, d1), minimum(d2, d3)), near):
            return True
        g0 -= leaves(w, p + g0, q0 + ratio * g0, target, block)
        g1 -= leaves(w, p + g1, q1 + ratio * g1, target, block)
        g2 -= leaves(w, p + g2, q2 + ratio * g2, target, block)
        g3 -= leaves(w, p + g3, q3 + ratio * g3, target, block)
        p += block
    return False


@njit(**_JIT)
def _first_binary(w, x, t, n, target, tolerance, p, p_next, q, q_next):  # type: ignore[no-untyped-def]
    """Smallest k <= n such that a subset of x[t, :k] hits, n + 1 if there is none; |sum - target| <= tolerance hits."""
    if abs(target) <= tolerance:
        return 0
    pad = spread(w, far(w) >> 1)
    start = count(w)
    p_size = q_size = np.int64(1)
    for k in range(n):
        if k == 0:
            store(w, p, start, pad)
            store(w, q, start, pad)
            put(w, p, start, 0)
            put(w, q, start, 0)
        # lists hold sums of sizes: a negative value is left out where its size is taken, which moves the target
        if _meets(w, p, p_size, q, q_size, target - x[t, k], tolerance):
            return k + 1
        if k == n - 1:
            break
        target -= min(x[t, k], 0)
        if q_size <= p_size:
            double(w, q, start, q_size, abs(x[t, k]), q_next, start)
            q, q_next = q_next, q
            q_size *= 2
            store(w, q, start + q_size, pad)
        else:
            double(w, p, start, p_size, abs(x[t, k]), p_next, start)
            p, p_next = p_next, p
            p_size *= 2
            store(w, p, start + p_size, pad)
    return n + 1


@njit(**_JIT)
def _first_exact(w, x, targets, tolerances, scratch, first):  # type: ignore[no-untyped-def]
    words = ((len(scratch) - 8) >> 2) & -8
    p = aligned(scratch)
    p_next = p + 8 * words
    q = p + 16 * words
    q_next = p + 24 * words
    store(w, q, 0, spread(w, -(far(w) >> 1)))
    store(w, q_next, 0, spread(w, -(far(w) >> 1)))
    for t in range(x.shape[0]):
        if tolerances[t] >= 0 and first[t] > 0:
            limit = min(x.shape[1], first[t] - 1)
            found = _first_binary(w, x, t, limit, targets[t], tolerances[t], p, p_next, q, q_next)
            if found <= limit:
                first[t] = found


@dataclass(frozen=True)
class Curves:
    """``kernels.curve`` for one value each in vectors of ``bits`` bits: the same functions, the same results."""

    bits: int

    @staticmethod
    def curve_scratch_size(n: int) -> int:
        """Words of int64 scratch for one thread at up to n variables."""
        longest: int = 1 << (max(n - 1, 0) + 1) // 2
        return 8 + 4 * (16 + max(longest, 8))

    def first_binary(self, x: Integers, targets: Integers, tolerances: Integers, scratch: Integers, first: Any) -> None:
        """``kernels.curve.first_binary``."""
        _first_exact(Kernels(self.bits, False).exact, x, targets, tolerances, scratch, first)
