"""The law of a part's random values: 32 random bits to a number, by a table of integers.

A table has 2^b steps s_i >= 0, in coarse counts (`nets.tickets.codes.entropy.counts_of`), and two ends, low and high.
With t_i = s_0 + ... + s_(i-1), i = floor(u / 2^(32-b)) and r = u mod 2^(32-b), the integer of u is
T(u) = t_i 2^(32-b) + s_i r < 2^53, and its value low + T(u) h, h = (high - low) / (t_(2^b) 2^(32-b)), h = 0 where the
sum of the steps is 0: three operations of float64, each rounded to nearest, the same on every machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.tickets.codes.entropy import coarse, counts_of

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]
_FINE = 2**20
"""To this the knots of a fitted table are scaled."""
_SHRINK = 1 - 2.0**-30
"""Of eta, so that no rounding takes a value out."""
_SAMPLE = 50_000
_ENDS = "<ddB"
ENDS_SIZE = struct.calcsize(_ENDS)


@dataclass(frozen=True, eq=False)
class Law:
    """A law; `steps`: its table, uint8, a power of two of them."""

    low: float
    high: float
    steps: npt.NDArray[np.uint8]

    @property
    def bits(self) -> int:
        """b: log2 of the number of steps."""
        return int(self.steps.size).bit_length() - 1

    def _knots(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], float]:
        steps = counts_of(self.steps)
        knots = np.concatenate([[0], np.cumsum(steps)])
        total = int(knots[-1]) << (32 - self.bits)
        return steps, knots, (self.high - self.low) / total if total else 0.0

    def values(self, words: Words) -> Floats:
        """The values of random words."""
        steps, knots, unit = self._knots()
        below = 32 - self.bits
        u = np.asarray(words).astype(np.int64)
        i = u >> below
        made: Floats = self.low + ((knots[i] << below) + steps[i] * (u - (i << below))).astype(np.float64) * unit
        return made

    def windows(self, weights: Floats, error: float) -> tuple[Words, Words, npt.NDArray[np.bool_]]:
        """The words whose values are within `error` of each weight: the first, how many follow it, and if any is."""
        steps, knots, unit = self._knots()
        if unit == 0:
            good = np.abs(weights - self.low) <= error
            return np.zeros(weights.shape, np.uint32), np.full(weights.shape, 2**32 - 1, np.uint32), good
        below, top = 32 - self.bits, float(int(knots[-1]) << (32 - self.bits))
        reach = error * _SHRINK
        with np.errstate(over="ignore"):  # weights far beyond a narrow law
            first = np.clip(np.ceil((weights - reach - self.low) / unit), -1.0, top).astype(np.int64)
            last = np.clip(np.floor((weights + reach - self.low) / unit), -1.0, top).astype(np.int64)
        low, high = _least(first, steps, knots, below), _least(last + 1, steps, knots, below) - 1
        good = low <= high
        return low.astype(np.uint32), np.where(good, high - low, 0).astype(np.uint32), good

    def same(self, other: Law) -> bool:
        """Whether two laws are one."""
        return (self.low, self.high) == (other.low, other.high) and np.array_equal(self.steps, other.steps)

    def to_bytes(self) -> bytes:
        """low and high as little-endian float64, and a byte b; the steps are a table of its own."""
        return struct.pack(_ENDS, self.low, self.high, self.bits)


def read_law(content: bytes, table: Callable[[int], npt.NDArray[np.uint8]]) -> Law:
    """The law of the bytes of `Law.to_bytes`, its steps read by `table(count)`.

    Raises
    ------
    ValueError
        For bytes and steps that no law has.
    """
    low, high, bits = struct.unpack(_ENDS, content)
    if not (bits <= 10 and -1e300 < low <= high < 1e300):
        raise ValueError("the law of a part is not usable")
    steps = table(1 << bits)
    if int(counts_of(steps).sum()) >= 2**21:
        raise ValueError("the law of a part is not usable")
    return Law(low, high, steps)


def _least(wanted: Any, steps: Any, knots: Any, below: int) -> npt.NDArray[np.int64]:
    """The least u in [0, 2^32] with T(u) >= wanted; 2^32 where there is none."""
    i = np.searchsorted(knots[1:] << below, wanted, side="left")
    inside = np.minimum(i, steps.size - 1)
    rest = np.maximum(wanted - (knots[inside] << below), 0)
    step = np.maximum(steps[inside], 1)
    u = (inside.astype(np.int64) << below) + np.minimum((rest + step - 1) // step, 1 << below)
    return np.where(i >= steps.size, np.int64(1) << 32, u)


def uniform_law(size: float) -> Law:
    """U[-size, size]."""
    return Law(-size, size, coarse([_FINE]) if size else np.zeros(1, np.uint8))


def fitted_law(weights: Floats, error: float) -> Law:
    """A law under which draws come within `error` of these weights soon, with the table that pays for itself.

    For each size of table the quantiles of a law that maximises the mean of log P(|X - w| <= error); of them the one
    with the least bits in all, its own included.
    """
    low, high = float(weights.min()), float(weights.max())
    if low == high:
        return Law(low, high, np.zeros(1, np.uint8))
    sample = weights if weights.size <= _SAMPLE else weights[:: weights.size // _SAMPLE + 1]
    edges, mass = _likeliest(sample, low, high, error)
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])
    cumulative /= cumulative[-1]
    best: tuple[float, Law] | None = None
    for bits in range(11):
        if bits and 8 << bits > weights.size:
            break
        knots = np.interp(np.linspace(0, 1, (1 << bits) + 1), cumulative, edges)
        law = Law(low, high, _steps((knots - low) / (high - low) * _FINE))
        _, width, good = law.windows(sample, error)
        cost = np.where(good, 32 - np.log2(width + 1.0), 34.0).mean() * weights.size + (5 << bits)
        if best is None or cost < best[0]:
            best = cost, law
    assert best is not None
    return best[1]


def _steps(knots: Floats) -> npt.NDArray[np.uint8]:
    """Coarse steps whose sums follow the knots."""
    made, reached = np.zeros(knots.size - 1, np.uint8), 0
    for i, knot in enumerate(knots[1:].tolist()):
        made[i] = coarse([round(knot) - reached])[0] if knot - reached >= 4 else 0
        reached += int(counts_of(made[i]))
    if not reached:
        made[-1] = coarse([_FINE])[0]
    return made


def _likeliest(sample: Floats, low: float, high: float, error: float) -> tuple[Floats, Floats]:
    """Edges and masses of a histogram that maximises the mean log-probability of the windows (by EM, 20 steps)."""
    cells = int(np.clip(8 * (high - low) / error, 64, 8192))
    counts, edges = np.histogram(sample, bins=cells, range=(low, high))
    seen = counts / counts.sum()
    radius = int(min(error / (edges[1] - edges[0]), cells))
    if radius == 0:
        return edges, seen + 1e-4 / cells

    def box(values: Floats) -> Floats:
        sums = np.concatenate([np.zeros(radius + 1), np.cumsum(values), np.full(radius, values.sum())])
        made: Floats = sums[2 * radius + 1 :] - sums[: -2 * radius - 1]
        return made

    mass = box(seen + 1e-4 / cells)
    mass /= mass.sum()
    for _ in range(20):
        mass = mass * box(seen / np.maximum(box(mass), 1e-300))
        mass /= mass.sum()
    return edges, np.maximum(mass, 0.0) + 1e-6 / cells
