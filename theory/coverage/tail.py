"""The explicit tail of coverage (3.3): how likely is it that the covered share has not reached a level after t steps?

Between ``start`` and ``stop`` the share v is cut into cells [g_i, g_{i+1}); W_i bounds the failure probability from any
v in cell i. One step back: for every slope s >= 0

    W_i <= max over cells j that can be reached of (W_j + s (e_j - m_i)),   e_j = largest such share in cell j,

because the mean of the next share is at least m_i. Any slope is safe, the best one gives the concave envelope; it is
found by a few exchanges of a point on the left and a point on the right of the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCK = 64
_EXCHANGES = 24
_SLACK = 2.0**-47


def _grid(start: float, stop: float, cells: int) -> Array:
    """Ends of the cells: equal steps of log(v/(1-v)), that is of log v where v is small and of log(1-v) at the top."""
    low, high = math.log(start / (1.0 - start)), math.log(stop / (1.0 - stop))
    grid = 1.0 / (1.0 + np.exp(-np.linspace(low, high, cells + 1)))
    grid[0], grid[-1] = start, stop
    if not (np.diff(grid) > 0).all():
        raise ValueError(f"the cells between {start} and {stop} are too fine for float64")
    return np.asarray(grid, np.float64)


@dataclass
class _Rows:
    """Cells i of one block: what they can reach."""

    first: int
    last: int
    distance: Array
    """e_j - m_i, shape (rows, reachable cells); -inf where cell j cannot be reached from cell i."""
    farthest: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]


class Tail:
    """Upper bounds on P(v_t < stop) for t = 0, 1, 2, ..., from v_0 >= start; computed as far as asked.

    ``R``: draws a step; ``start``, ``stop``: 0 < start < stop < 1; ``c``: drift constant: E v_{t+1} >= v_t + c
    (1-v_t)(1-(1-v_t)^R); ``cells``: fineness: the bound improves with it, and is valid for any.
    """

    def __init__(self, R: int, start: float, stop: float, c: float, cells: int) -> None:
        grid = _grid(start, stop, cells)
        ends = np.append(grid[1:], 1.0)
        share = grid[:-1]
        mean = share + c * (1.0 - share) * -np.expm1(R * np.log1p(-share))
        mean = np.maximum(share, mean * (1.0 - _SLACK))
        reach = np.minimum(1.0, (R + 1.0) * grid[1:] * (1.0 + _SLACK))
        self._blocks = []
        for first in range(0, len(share), _BLOCK):
            last = min(first + _BLOCK, len(share))
            # the last cell that can be entered is the first whose end is not below the reach
            cover = int(np.searchsorted(ends, reach[last - 1])) + 1
            distance = np.minimum(ends[first:cover], reach[first:last, None]) - mean[first:last, None]
            j = np.arange(first, cover)
            i = np.arange(first, last)[:, None]
            begins = np.append(grid, 2.0)[j]
            distance[(j < i) | (begins > reach[first:last, None])] = -math.inf
            farthest = np.argmax(distance, axis=1)
            self._blocks.append(_Rows(first, last, distance, farthest, np.arange(last - first), farthest))
        self._level = np.append(np.ones(len(share)), 0.0)
        self.bounds = [1.0]

    def up_to(self, steps: int) -> float:
        """The bound after that many steps."""
        while len(self.bounds) <= steps:
            self._step()
            self.bounds.append(min(self.bounds[-1], float(self._level[0])))
        return self.bounds[steps]

    def _step(self) -> None:
        level = self._level
        new = np.zeros_like(level)
        for rows in self._blocks:
            new[rows.first : rows.last] = _envelope(rows, level[rows.first : rows.first + rows.distance.shape[1]])
        new[:-1] = np.minimum(1.0, np.maximum.accumulate(new[-2::-1])[::-1])
        self._level = np.minimum(new, level)


def _envelope(rows: _Rows, level: Array) -> Array:
    """For every row an upper bound on the concave envelope of the reachable levels at the mean."""
    line = np.arange(len(rows.left))
    best = level[: len(line)].copy()  # slope 0
    distance = rows.distance
    stale = level[rows.left] <= level[rows.right]  # else the last step's pair is a good start
    left = np.where(stale, line, rows.left)
    right = np.where(stale, rows.farthest, rows.right)
    for _ in range(_EXCHANGES):
        a, b = distance[line, left], distance[line, right]
        drop = level[left] - level[right]
        open_rows = (a < 0) & (b > 0) & (drop > 0)
        slope = np.where(open_rows, drop / np.where(open_rows, b - a, 1.0), 1.0)
        lines = level + slope[:, None] * distance
        top = np.argmax(lines, axis=1)
        # each line is W + slope * distance with |distance| <= 1: rounding is below 4 u (W + slope), W <= line + slope
        value = lines[line, top] * (1.0 + _SLACK) + slope * (2 * _SLACK)
        best = np.where(open_rows, np.minimum(best, value), best)
        better = open_rows & (lines[line, top] > (level[left] + slope * a) * (1.0 + 1e-12) + slope * 1e-15)
        if not better.any():
            break
        side = distance[line, top] < 0
        left = np.where(better & side, top, left)
        right = np.where(better & ~side, top, right)
    rows.left, rows.right = left, right
    return np.asarray(best, np.float64)
