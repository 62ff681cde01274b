"""The explicit tail of coverage (3.3): how likely is it that the covered share has not reached a level after t steps?

Between ``start`` and ``stop`` the share v is cut into cells [g_i, g_{i+1}); W_i bounds the failure probability from any
v in cell i. One step back, in two ways of which the better one counts. For every slope s >= 0

    W_i <= max over cells j that can be reached of (W_j + s (e_j - m_i)),   e_j = largest such share in cell j,

because the mean of the next share is at least m_i. Any slope is safe, the best one gives the concave envelope; it is
found by a few exchanges of a point on the left and a point on the right of the mean. And, where every pair of points
is near (x <= 1/2), the number of draws that add anything compares with a binomial variable, which bounds the
probability that the next share is below e_j.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCK = 64
_EXCHANGES = 24
_SLACK = 2.0**-47
_COUNTS = (*range(1, 17), 18, 20, 24, 28, 32, 40, 48, 64)
_LEAST = 1e-305
_TINY = 1e-200
"""Above what underflows in a binomial tail."""


@dataclass(frozen=True)
class Step:
    """What one step may be: with probability ``weight`` at least, R draws of density x/2 on [-1/x, 1/x], x in (0, 1].

    The interval measured is [-1, 1]. With the probability that the steps leave over, nothing is added.
    """

    weight: float
    x: float


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

    ``R``: draws a step; ``start``, ``stop``: 0 < start < stop < 1; ``steps``: the kinds of step; ``cells``: fineness:
    the bound improves with it, and is valid for any.
    """

    def __init__(self, R: int, start: float, stop: float, steps: Sequence[Step], cells: int) -> None:
        grid = _grid(start, stop, cells)
        ends = np.append(grid[1:], 1.0)
        self._idle = max(0.0, 1.0 - sum(step.weight for step in steps)) + 2.0**-50 if steps[0].weight < 1.0 else 0.0
        reach = np.minimum(1.0, (R + 1.0) * grid[1:] * (1.0 + _SLACK))
        self._kinds = [
            (step.weight, _blocks(grid, ends, reach, mean_below(grid[:-1], R, step.x)), _below(grid, R, step.x))
            for step in steps
        ]
        self._level = np.append(np.ones(cells), 0.0)
        self.bounds = [1.0]

    def up_to(self, steps: int) -> float:
        """The bound after that many steps."""
        while len(self.bounds) <= steps:
            self._step()
            self.bounds.append(min(self.bounds[-1], float(self._level[0])))
        return self.bounds[steps]

    def _step(self) -> None:
        level = self._level
        drops = np.maximum(0.0, level[:-1] - level[1:])
        new = self._idle * level
        for weight, blocks, below in self._kinds:
            one = np.zeros_like(level)
            for rows in blocks:
                reachable = level[rows.first : rows.first + rows.distance.shape[1]]
                one[rows.first : rows.last] = _envelope(rows, reachable)
            if below is not None:
                one[:-1] = np.minimum(one[:-1], below @ drops)
            new += weight * np.minimum(one, level)
        new *= 1.0 + _SLACK
        new[:-1] = np.minimum(1.0, np.maximum.accumulate(new[-2::-1])[::-1])
        level = np.minimum(new, level)
        level[:-1] = np.maximum(level[:-1], _LEAST)  # a bound may be raised; subnormal numbers are slow
        self._level = level


def _grid(start: float, stop: float, cells: int) -> Array:
    """Ends of the cells: equal steps of log(v/(1-v)), that is of log v where v is small and of log(1-v) at the top."""
    low, high = math.log(start / (1.0 - start)), math.log(stop / (1.0 - stop))
    grid = 1.0 / (1.0 + np.exp(-np.linspace(low, high, cells + 1)))
    grid[0], grid[-1] = start, stop
    if not (np.diff(grid) > 0).all():
        raise ValueError(f"the cells between {start} and {stop} are too fine for float64")
    return np.asarray(grid, np.float64)


def mean_below(share: Array, R: int, x: float) -> Array:
    """The mean of the next share from each of these shares, at least (3.2); rounded down.

    Examples
    --------
    >>> mean_below(np.array([0.5]), 4, 1.0).round(4)
    array([0.7344])
    """
    missing = 1.0 - share
    gained = -np.expm1(R * np.log1p(-x * share))
    if x > 0.5:
        weight = np.minimum(0.5 / x, missing) * (1.0 - _SLACK)
        near = np.maximum(0.0, 0.5 - x * missing - 2.0**-50)
        gained = (1.0 - weight) * -np.expm1(R * np.log1p(-near)) + weight * gained
    return np.asarray(np.maximum(share, (share + missing * gained) * (1.0 - _SLACK)), np.float64)


def _blocks(grid: Array, ends: Array, reach: Array, mean: Array) -> list[_Rows]:
    blocks = []
    for first in range(0, len(mean), _BLOCK):
        last = min(first + _BLOCK, len(mean))
        # the last cell that can be entered is the first whose end is not below the reach
        cover = int(np.searchsorted(ends, reach[last - 1])) + 1
        distance = np.minimum(ends[first:cover], reach[first:last, None]) - mean[first:last, None]
        j = np.arange(first, cover)
        i = np.arange(first, last)[:, None]
        begins = np.append(grid, 2.0)[j]
        distance[(j < i) | (begins > reach[first:last, None])] = -math.inf
        farthest = np.argmax(distance, axis=1)
        blocks.append(_Rows(first, last, distance, farthest, np.arange(last - first), farthest))
    return blocks


def _below(grid: Array, R: int, x: float) -> Array | None:
    """An upper bound on P(next share < g_{j+1}) from cell i: E (c - B)^+/(c - k), B binomial, at the best c (3.2).

    Shape (cells, cells), 0 below the diagonal; None where some pairs are far (x > 1/2).
    """
    if x > 0.5:
        return None
    start, end = grid[:-1, None], grid[1:]
    moves = end / start * (1.0 + 2.0**-50) - 1.0
    result = np.ones_like(moves)
    hit = x * (1.0 - end) * (1.0 - 2.0**-48)
    for c, short in _shortfalls(R, hit).items():
        room = c - moves
        bound = short * (1.0 + 2.0**-40) / np.where(room > 2.0**-20, room, 1.0)
        np.minimum(result, np.where(room > 2.0**-20, bound, 1.0), out=result)
    return np.asarray(np.triu(result) * (1.0 + 2.0**-40), np.float64)


def _shortfalls(R: int, p: Array) -> dict[int, Array]:
    """E (c - B)^+ for B binomial (R, p), p < 1, for some c <= R."""
    counts = [c for c in _COUNTS if c <= R]
    mass = np.exp(R * np.log1p(-p))
    odds = p / (1.0 - p)
    tail = np.zeros_like(p)
    total, found = np.zeros_like(p), {}
    for b in range(counts[-1]):
        tail = tail + mass  # P(B <= b)
        total = total + tail  # E (b + 1 - B)^+
        if b + 1 in counts:
            found[b + 1] = total + _TINY
        mass = mass * odds * ((R - b) / (b + 1.0))
    return found


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
