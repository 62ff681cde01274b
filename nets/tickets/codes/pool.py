"""A pool: R random values shared by all weights of a part, pruned to few that come within eta of every weight.

Greedy, until no value has weights within eta of it that have none yet: of the values with most such weights, or up to a
32nd less, the one whose errors have the least mean is kept. Each weight takes the first kept value within eta of it.
The choice of few values makes their names short, so this is a quantiser with a random codebook; that is what tickets
cost when their draws are shared. The mean matters: an error that many weights share adds up in an output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nets.tickets.codes import draws
from nets.tickets.codes.law import Floats
from sims.jit import njit

Integers = npt.NDArray[np.int64]
_SHRINK = 1 - 2.0**-30
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def pool_values(seed: int, part: int, size: float, names: Integers) -> Floats:
    """Values of some draws of a part's pool: (2 u + 1 - 2^32) size / 2^32, u the draw's word."""
    block = draws.words(seed, names >> 2, part, np.int64(0), draws.POOL)
    return signed(np.take_along_axis(block, (names & 3)[:, None], 1)[:, 0], size)


def signed(words: draws.Words, size: float) -> Floats:
    """Words as values in (-size, size): (2 u + 1 - 2^32) size / 2^32, rounded once."""
    made: Floats = (2 * words.astype(np.int64) + 1 - 2**32).astype(np.float64) * 2.0**-32 * size
    return made


def default_size(eta: float) -> int:
    """Draws of a pool where nothing is said: about 80 within eta of any value, a power of two up to 2^20."""
    return int(1 << min(20, max(6, int(np.ceil(np.log2(80 / min(eta, 1.0)))))))


def cover(values: Floats, weights: Floats, error: float) -> tuple[Integers, Integers]:
    """Keep few values and give every weight one of them.

    Parameters
    ----------
    values : ndarray, shape (R,)
    weights : ndarray, shape (N,)
    error : float
        Largest distance of a weight from its value.

    Returns
    -------
    kept : ndarray of int64
        The values that are kept, in the order in which they were chosen.
    taken : ndarray of int64, shape (N,)
        For every weight the place in `kept` of its value, -1 where no value is near.
    """
    order = np.argsort(values, kind="stable")
    ranked, (points, counts) = values[order], np.unique(weights, return_counts=True)
    reach = error * _SHRINK
    first = np.searchsorted(points, ranked - reach, side="left")
    last = np.searchsorted(points, ranked + reach, side="right")
    edges = np.unique(np.concatenate([first, last, [0, points.size]]))
    cells = np.add.reduceat(counts, edges[:-1])
    sums = np.add.reduceat(points * counts, edges[:-1])
    kept, owners = _greedy(np.searchsorted(edges, first), np.searchsorted(edges, last), cells, sums, ranked)
    cell_of = np.searchsorted(edges, np.searchsorted(points, weights), side="right") - 1
    return order[kept], owners[cell_of]


@njit(**_JIT)
def _tally(i, first, last, cells, sums, owners, count, total):  # type: ignore[no-untyped-def]
    """The weights of window i that have no value yet, and their sum."""
    count[i], total[i] = 0, 0.0
    for c in range(first[i], last[i]):
        if owners[c] < 0:
            count[i] += cells[c]
            total[i] += sums[c]


@njit(**_JIT)
def _greedy(first, last, cells, sums, values):  # type: ignore[no-untyped-def]
    """Windows [first, last) of cells, both ends ascending: the values that are kept, and the owner of each cell.

    `cells`, `sums`: number and sum of the weights of a cell.
    """
    count, total = np.empty(first.size, np.int64), np.empty(first.size)
    owners, kept = np.full(cells.size, -1, np.int64), np.empty(first.size, np.int64)
    for i in range(first.size):
        _tally(i, first, last, cells, sums, owners, count, total)
    many = 0
    while first.size > 0:
        most = count.max()
        if most == 0:
            break
        best, least = -1, np.inf
        for i in range(first.size):
            if count[i] >= most - most // 32:
                mean = abs(total[i] / count[i] - values[i])
                if mean < least:
                    best, least = i, mean
        kept[many] = best
        for c in range(first[best], last[best]):
            if owners[c] < 0:
                owners[c] = many
        low, high = best, best
        while low > 0 and last[low - 1] > first[best]:
            low -= 1
        while high + 1 < first.size and first[high + 1] < last[best]:
            high += 1
        for i in range(low, high + 1):
            _tally(i, first, last, cells, sums, owners, count, total)
        many += 1
    return kept[:many], owners
