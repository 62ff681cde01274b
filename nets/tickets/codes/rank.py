"""The first good subset: of n private values, those whose sum is the first within eta in a fixed order of subsets.

Subsets go by their size, those of one size by the number whose binary digits say which values they hold (value 0 is the
lowest digit). A sum is taken from the highest value of the subset to the lowest, in float64.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.tickets.codes import draws
from nets.tickets.codes.law import Floats
from nets.tickets.codes.pool import signed
from sims.jit import njit
from sims.threads import ordered, pieces

Integers = npt.NDArray[np.int64]
MAX_VALUES = 20
_PIECE = 2**10
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@functools.lru_cache(maxsize=2)
def subsets(n: int) -> tuple[Integers, Integers, Integers]:
    """All subsets in their order as binary numbers, the place of each without its lowest value, and that value."""
    numbers = np.arange(1 << n, dtype=np.int64)
    ranked = numbers[np.argsort(np.bitwise_count(numbers), kind="stable")]
    place = np.empty_like(ranked)
    place[ranked] = numbers
    lowest = ranked & -ranked
    return ranked, place[ranked ^ lowest], np.maximum(np.frexp(lowest.astype(np.float64))[1] - 1, 0).astype(np.int64)


def private_values(seed: int, part: int, size: float, weights: Integers, n: int) -> Floats:
    """The n values of each of some weights, shape (weights, n)."""
    blocks = -(-n // 4)
    counters = np.broadcast_to(np.arange(blocks), (weights.size, blocks)).reshape(-1)
    made = draws.words(seed, counters, part, np.repeat(weights, blocks), draws.SUBSET)
    return signed(made.reshape(weights.size, 4 * blocks)[:, :n], size)


def first_subset(
    seed: int, part: int, weights: Floats, *, n: int, size: float, error: float, jobs: int = 1, tick: Any = None
) -> Integers:
    """For every weight the place of the first subset whose sum is within `error` of it; -1 where there is none."""
    _, parent, lowest = subsets(n)
    out = np.empty(weights.size, np.int64)

    def piece(start: int, end: int) -> int:
        values = private_values(seed, part, size, np.arange(start, end), n)
        _first(values, weights[start:end], error, parent, lowest, np.empty(1 << n), out[start:end])
        return end - start

    for done in ordered(piece, pieces(weights.size, _PIECE), jobs=jobs):
        if tick is not None:
            tick(done)
    return out


@njit(**_JIT)
def _first(values, weights, error, parent, lowest, sums, out):  # type: ignore[no-untyped-def]
    sums[0] = 0.0
    for i in range(weights.size):
        out[i] = 0 if abs(weights[i]) <= error else -1
        if out[i] == 0:
            continue
        for k in range(1, parent.size):
            sums[k] = sums[parent[k]] + values[i, lowest[k]]
            if abs(sums[k] - weights[i]) <= error:
                out[i] = k
                break


def subset_sums(seed: int, part: int, size: float, weights: Integers, n: int, places: Integers) -> Floats:
    """The sum of one subset of each of some weights."""
    values = private_values(seed, part, size, weights, n)
    numbers = subsets(n)[0][places]
    total = np.zeros(weights.size)
    for i in reversed(range(n)):
        total = np.where(numbers >> i & 1, total + values[:, i], total)
    return total
