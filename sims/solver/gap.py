"""Every target at once: the largest gap between the sums of a value set, inside an interval, exactly.

An interval [low, high] is *covered* with accuracy eps when each of its points is within eps of a sum (at most one of
the R values of each variable; the empty sum counts). With *largest gap* for twice the largest distance of a point of
the interval from the nearest sum, covered means: largest gap <= 2 eps. Equality counts as covered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Floats, Integers, one_number, tables
from sims.solver.fixed_point import rounded, to_fixed_point
from sims.solver.kernels import bitmap as _bitmap
from sims.solver.kernels import gap as _gap
from sims.solver.kernels import gap_bits as _gap_bits
from sims.solver.memory import check_scratch

FIRST_CAPACITY = 2**24
"""Sums that a thread's lists hold at first; doubled for a value set that needs more."""

MAX_LOG2_SUMS = 36.0
"""The exact method refuses more sums than 2^36 for one value set: it would take minutes."""

MAPPED_FROM = 2**10
"""From so many sums on the exact method looks at a coarse map of them first."""

_NONE = _gap.FAR // 2


@dataclass(frozen=True)
class Gaps:
    """What the sums of many value sets leave open in one interval; units of 2^-bits.

    Attributes
    ----------
    inner : ndarray of int64, shape (rows,)
        Largest gap between neighbouring sums whose midpoint lies in the interval, 0 if there is none.
    near : ndarray of int64, shape (rows, 4)
        Largest sum <= low, smallest sum > low, the same for high; beyond +-2^60 where there is none.
    low, high : float
        The interval.
    bits : int
        One unit is 2^-bits.
    """

    inner: Integers
    near: Integers
    low: float
    high: float
    bits: int

    def covered(self, eps: float) -> npt.NDArray[np.bool_]:
        """Which value sets have a sum within eps of every point of the interval; decided in integers."""
        scale = Fraction(2) ** self.bits
        result = self.inner <= _clipped(math.floor(2 * Fraction(eps) * scale))
        for end, left, right in ((self.low, 0, 1), (self.high, 2, 3)):
            least = _clipped(math.ceil((Fraction(end) - Fraction(eps)) * scale))
            most = _clipped(math.floor((Fraction(end) + Fraction(eps)) * scale))
            result &= (self.near[:, left] >= least) | (self.near[:, right] <= most)
        return result

    def exact(self, row: int) -> Fraction:
        """The largest gap of one value set."""
        unit = Fraction(1, 2) ** self.bits
        ends = []
        for end, at in ((Fraction(self.low), 0), (Fraction(self.high), 2)):
            sums = [int(s) for s in self.near[row, at : at + 2] if abs(s) < _NONE]
            ends.append(2 * min(abs(s * unit - end) for s in sums))
        return max(int(self.inner[row]) * unit, *ends)

    def largest(self) -> Floats:
        """The largest gaps, each rounded by at most a few 2^-53 of itself or of one unit."""
        scale = Fraction(2) ** self.bits
        result = self.inner.astype(np.float64)
        for end, left, right in ((self.low, 0, 1), (self.high, 2, 3)):
            whole = math.floor(Fraction(end) * scale)
            part = float(Fraction(end) * scale - whole)
            below = (whole - self.near[:, left]).astype(np.float64) + part
            above = (self.near[:, right] - whole).astype(np.float64) - part
            result = np.maximum(result, 2 * np.minimum(below, above))
        return np.ldexp(result, -self.bits)


def _clipped(bound: int) -> int:
    """The bound where int64 can hold it, else one beyond every sum."""
    return max(-_NONE, min(_NONE, bound))


class GapSolver:
    """Finds the largest gaps of many value sets that are already integers.

    Parameters
    ----------
    n, draws : int
        Variables, and values of each (R).
    low, high : float
        The interval, low <= high.
    bits : int
        The values m stand for m 2^-bits.
    method : str
        ``exact``: a coarse map of the sums and exact looks at its widest holes; where that decides nothing, sorted
        lists of them, about (R+1)^n steps times the share of the sums that falls into the interval.
        ``bitmap``: shift and or, about n (R+1) n 2^bits / 64 steps; the same answers, on coarse grids.
    threads : int
        How many solvers will exist at once, for the memory check.

    Raises
    ------
    ValueError
        The interval is empty, or the search would not fit into memory or time.

    Notes
    -----
    One solver belongs to one thread: it owns its scratch.
    """

    def __init__(
        self, n: int, draws: int, low: float, high: float, *, bits: int, method: str = "exact", threads: int = 1
    ) -> None:
        if not -math.inf < low <= high < math.inf:
            raise ValueError(f"low must be at most high, both finite, got low={low}, high={high}")
        if method not in ("exact", "bitmap"):
            raise ValueError(f'method must be "exact" or "bitmap", got {method!r}')
        self.n, self.draws, self.low, self.high, self.bits = n, draws, float(low), float(high), bits
        self.method, self.threads = method, threads
        scale = Fraction(2) ** bits
        ends = (Fraction(self.low) * scale, Fraction(self.high) * scale)
        if max(abs(end) for end in ends) > _gap.LIMIT:
            raise ValueError(f"the interval [{low}, {high}] is too large for values on the grid 2^-{bits}")
        self._low, self._high = (math.floor(end) for end in ends)
        self._low2, self._high2 = math.ceil(2 * ends[0]), math.floor(2 * ends[1])
        if method == "exact":
            size = n * math.log2(draws + 1)
            if size > MAX_LOG2_SUMS:
                raise ValueError(
                    f"n={n} with R={draws} has 2^{size:.0f} sums: the exact largest gap is limited to "
                    f"2^{MAX_LOG2_SUMS:.0f}; a bitmap on a coarse grid reaches further"
                )
            # lists in the middle are never longer than all sums but those of the last variable, or its last option
            self._capacity = min((draws + 1) ** n, FIRST_CAPACITY)
            self._words = _gap.buffer_size(self._capacity, draws)
            # the lists rarely fill more than a half of the scratch, and untouched pages cost nothing
            check_scratch(n, draws, self._words // 2, threads)
        else:
            self._capacity = (n * (2 if draws > 1 else 1) * 2 ** (bits + 1)) // 64 + 4
            self._words = 2 * self._capacity
            check_scratch(n, draws, self._words, threads)
        self._scratch: Integers | None = None
        self._halves: Integers | None = None

    def solve(self, values: Integers) -> Gaps:
        """The gaps of every value set.

        Parameters
        ----------
        values : ndarray of int64, shape (rows, n * R)
            Variable by variable: column i * R + r is value r of variable i.
        """
        rows = len(values)
        x = np.ascontiguousarray(values).reshape(rows, self.n, self.draws)
        reach = np.abs(x).max(axis=2).sum(axis=1).max(initial=0)
        if reach > _gap.LIMIT:
            raise ValueError(f"the values are too large: sums up to {reach}, at most {_gap.LIMIT} are allowed")
        options, origins = _options(x)
        inner, near = np.empty(rows, np.int64), np.empty((rows, 4), np.int64)
        ends = (self._low, self._high, self._low2, self._high2)
        if self.method == "bitmap":
            self._check_bitmap(int(reach))
            if self._scratch is None:
                self._scratch = np.zeros(self._words, np.int64)
            bits = self._scratch.view(np.uint64)
            options = np.ascontiguousarray(options[:, ::-1])  # narrow ones first keep the bitmap short for long
            _bitmap.bitmap_rows(options, origins, *ends, bits[: self._capacity], bits[self._capacity :], inner, near)
        else:
            inner[:] = -1
            if (self.draws + 1) ** self.n >= MAPPED_FROM:
                if self._halves is None:
                    self._halves = np.empty(_gap_bits.halves_size(self.n, self.draws), np.int64)
                maps = self._lists().view(np.uint64)
                middle = len(maps) // 2
                _gap_bits.gap_rows(options, origins, *ends, maps[:middle], maps[middle:], self._halves, inner, near)
            left = np.flatnonzero(inner < 0)
            if len(left):
                inner[left], near[left] = self._listed(options[left], origins[left], ends)
            near[near > _NONE] = _gap.FAR
            near[near < -_NONE] = -_gap.FAR
        return Gaps(inner, near, self.low, self.high, self.bits)

    def _lists(self) -> Integers:
        if self._scratch is None:
            self._scratch = np.empty(self._words, np.int64)
        return self._scratch

    def _listed(
        self, options: Integers, origins: Integers, ends: tuple[int, int, int, int]
    ) -> tuple[Integers, Integers]:
        """The gaps and the sums next to the ends, from lists of all sums."""
        rows, done = len(options), 0
        inner, near = np.empty(rows, np.int64), np.empty((rows, 4), np.int64)
        while done < rows:
            left = (options[done:], origins[done:])
            done += _gap.gap_rows(*left, *ends, self._capacity, self._lists(), inner[done:], near[done:])
            if done < rows:
                self._enlarge()
        return inner, near

    def _check_bitmap(self, reach: int) -> None:
        """All sums lie within 2 reach of each other at R > 1, within reach at R = 1."""
        if (2 * reach) // 64 + 4 > self._capacity:
            raise ValueError(f"values must be in [-1, 1] on the grid 2^-{self.bits} for the bitmap")

    def _enlarge(self) -> None:
        """Twice the scratch, for a value set whose lists do not fit even into the narrowest window."""
        self._capacity *= 2
        self._words = _gap.buffer_size(self._capacity, self.draws)
        self._scratch = None
        check_scratch(self.n, self.draws, self._words, self.threads)


def _options(x: Integers) -> tuple[Integers, Integers]:
    """What every variable adds, ascending from 0, shape (rows, n, R + 1), widest variable first; and the rest of a sum.

    A sum of values is a sum of options plus the row's origin, shape (rows,).
    """
    options = np.sort(np.pad(x, ((0, 0), (0, 0), (1, 0))), axis=2)
    lowest = options[:, :, :1]
    options = options - lowest
    widest_first = np.argsort(-options[:, :, -1:], axis=1)
    return np.take_along_axis(options, widest_first, axis=1), lowest.sum(axis=(1, 2))


def gap_bytes(n: int, R: int, bits: int | None) -> int:
    """Bytes of one thread's search, about; ``bits`` is None for the exact method."""
    if bits is None:
        return 8 * _gap.buffer_size(min((R + 1) ** n, FIRST_CAPACITY), R) // 2
    return int(16 * ((n * (2 if R > 1 else 1) * 2 ** (bits + 1)) // 64 + 4))


def largest_gap(x: npt.ArrayLike, low: float, high: float) -> tuple[float, float]:
    """The largest gap of one value set: twice the largest distance of a point of [low, high] from the nearest sum.

    Parameters
    ----------
    x : array_like of float, shape (n,) or (n, R)
        One value per variable, or R of which at most one may be taken.
    low, high : float
        The interval, low <= high.

    Returns
    -------
    gap, rounding : float
        Exact if ``rounding`` is 0: the values then fit on a common 2^-k grid of 58 bits. Else they were rounded to such
        a grid, and the true gap is within ``rounding`` of the given one.

    Examples
    --------
    >>> largest_gap([0.25, 0.5], 0.0, 1.0)
    (0.5, 0.0)
    >>> largest_gap([[0.25, 0.5], [1.0, -1.0]], -1.0, 1.0)
    (0.5, 0.0)
    """
    values, _ = tables(x, rows=False)
    low, high = one_number("low", low), one_number("high", high)
    reach = np.array([2 * max(abs(low), abs(high))])
    integers, _, exponents, rounding = to_fixed_point(values, reach)
    n, draws = values.shape[1:]
    solver = GapSolver(n, draws, low, high, bits=int(exponents[0]))
    # the reach entered the fixed point as a target only to bound the interval: its own rounding does not matter
    exact = bool(rounded(values, exponents[:, None, None])[1].all())
    gap = solver.solve(integers.reshape(1, -1)).exact(0)
    return float(gap), 0.0 if exact else 2 * float(rounding[0] or math.ldexp(n, -int(exponents[0])))


__all__ = ["FIRST_CAPACITY", "MAX_LOG2_SUMS", "GapSolver", "Gaps", "largest_gap"]
