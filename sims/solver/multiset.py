"""The exact best multiset: every slot may take any of the values already present, or stay empty.

With as many slots as values (the default) this is recycling: C(2n, n) sums of n values. The solver knows no theory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Floats, Integers, jobs_of, one_number, tables, targets_of
from sims.solver.batch import Nearest, NearestBatch, evaluated, over_rows
from sims.solver.fixed_point import exact_error, to_fixed_point
from sims.solver.kernels import multiset as _multiset
from sims.solver.limits import between
from sims.solver.memory import check_memory

_MOST_HALF_SUMS = 2**30


@dataclass(frozen=True)
class BestMultiset(Nearest):
    """The best multiset for one target: the fields of ``Nearest``, and

    Attributes
    ----------
    counts : ndarray of int32, shape (n,)
        How often each value is used; they sum to at most the number of slots.
    """

    counts: npt.NDArray[np.int32]


@dataclass(frozen=True)
class BestMultisets(NearestBatch):
    """The best multisets for many targets: the fields of ``BestMultiset`` with one row per target."""

    counts: npt.NDArray[np.int32]

    def __getitem__(self, row: int) -> BestMultiset:
        return BestMultiset(*self._at(row), self.counts[row])


@dataclass(frozen=True)
class _Lists:
    """The lists of one group of values: how many sums each holds and where it stands."""

    starts: Integers

    @staticmethod
    def of(values: int, slots: int, most: bool) -> _Lists:
        """Lists of k = 0, ..., values and j = 0, ..., slots, of exactly j or of at most j slots."""
        sizes = [
            [math.comb(k + j, j) if most else math.comb(k + j - 1, j) if k else int(j == 0) for j in range(slots + 1)]
            for k in range(values + 1)
        ]
        starts = np.zeros((values + 1, slots + 2), np.int64)
        starts[:, 1:] = np.cumsum(np.array(sizes, np.int64) + 2).reshape(values + 1, slots + 1)
        starts[1:, 0] = starts[:-1, -1]
        return _Lists(starts)

    def memory(self) -> Integers:
        return np.empty(int(self.starts[-1, -1]), np.int64)


_MOST_TAKEN = 64
"""A half of the values, and slots, beyond both of which there are more than 2^100 sums."""


def _words(n: int, slots: int) -> int:
    """Words of int64 that the lists of one thread take."""
    a, b = n - n // 2, n // 2
    return math.comb(a + slots + 1, a) + math.comb(b + slots + 2, slots + 1) + 2 * (n + 2) * (slots + 1)


def half_sums(n: int, slots: int) -> int:
    """Half sums that one search merges or sweeps over, about."""
    a, b = n - n // 2, n // 2
    return _words(n, slots) + math.comb(a + slots, a) + math.comb(b + slots + 1, slots)


class _Memory:
    """The lists of one thread, ready for any values."""

    def __init__(self, n: int, slots: int) -> None:
        exact, most = _Lists.of(n - n // 2, slots, most=False), _Lists.of(n // 2, slots, most=True)
        self.arrays = (exact.memory(), exact.starts, most.memory(), most.starts)
        _multiset.start(*self.arrays)


def _check(n: int, slots: int, threads: int, *, limit: int | None = None) -> None:
    """Refuse a search that would take more than half of the available memory, or that no machine ends."""
    at = f"n={n}" if slots == n else f"n={n} with {slots} slots"
    if min(n // 2, slots) > _MOST_TAKEN:  # its number of sums is itself long to write down
        raise ValueError(f"{at} is out of reach: more than 2^30 sums in a half of the values")
    check_memory(at, 8 * _words(n, slots), threads, limit=limit)
    if half_sums(n, slots) > _MOST_HALF_SUMS:
        raise ValueError(f"{at} is out of reach: more than 2^30 sums in a half of the values")


def best_multiset(x: npt.ArrayLike, alpha: float, *, slots: int | None = None) -> BestMultiset:
    """The multiset of values whose sum is nearest to alpha.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        The values, finite, n >= 1.
    alpha : float
        The target, finite.
    slots : int, optional
        Values taken at most, repetitions included; n if absent.

    Returns
    -------
    BestMultiset
        Exact. The empty multiset (sum 0) is allowed. Among equally good ones one is named, always the same.

    Raises
    ------
    ValueError
        Wrong shape, values that are not finite, or a search that does not fit into memory.

    Examples
    --------
    >>> found = best_multiset([0.5, -0.125], 0.9)
    >>> found.counts.tolist(), found.sum
    ([2, 0], 1.0)
    >>> best_multiset([0.5, -0.125], 0.9, slots=3).counts.tolist()
    [2, 1]
    """
    values, _ = tables(x, rows=False, draws=False)
    return _best(values[:, :, 0], np.array([one_number("alpha", alpha)]), slots, 1)[0]


def best_multisets(
    x: npt.ArrayLike, alpha: npt.ArrayLike, *, slots: int | None = None, jobs: int | None = None
) -> BestMultisets:
    """``best_multiset`` for a batch, each row with its own values.

    Parameters
    ----------
    x : array_like of float, shape (rows, n)
    alpha : array_like of float, shape (rows,) or a scalar
    slots : int, optional
        Values taken at most, repetitions included; n if absent.
    jobs : int, optional
        Threads; all available cores if absent. The result does not depend on it.

    Raises
    ------
    ValueError
        As for ``best_multiset``.

    Examples
    --------
    >>> best_multisets([[0.5, 0.25], [0.5, -0.25]], 1.0).counts.tolist()
    [[2, 0], [2, 0]]
    """
    values, _ = tables(x, rows=True, draws=False)
    return _best(values[:, :, 0], targets_of(alpha, len(values)), slots, jobs_of(jobs))


def _best(values: Floats, targets: Floats, slots: int | None, jobs: int) -> BestMultisets:
    rows, n = values.shape
    slots = n if slots is None else between("slots", slots, 1, 2**31 - 1)
    _check(n, slots, min(jobs, max(rows, 1)))
    # every slot may take any of the n values: that is the table of options whose reach sets the scale
    options = np.broadcast_to(values[:, None, :], (rows, slots, n))
    cube, whole_targets, exponents, rounding = to_fixed_point(options, targets)
    integers = np.ascontiguousarray(cube[:, 0, :])
    distances = np.empty(rows, np.int64)
    counts = np.empty((rows, n), np.int32)

    def solve(part: slice, memory: _Memory) -> None:
        _multiset.best_rows(integers[part], whole_targets[part], *memory.arrays, distances[part], counts[part])

    over_rows(solve, rows, half_sums(n, slots), lambda: _Memory(n, slots), jobs)
    totals = (counts * integers).sum(axis=1)

    def again(row: int) -> tuple[float, float]:
        taken = np.full(slots, -1, np.int32)
        taken[: counts[row].sum()] = np.repeat(np.arange(n), counts[row])
        return exact_error(options[row], taken, float(targets[row]))

    sums, errors = evaluated(totals, whole_targets, exponents, rounding, again)
    return BestMultisets(sums, errors, rounding, counts)


class MultisetCurve:
    """Tells how large n must be until n slots, filled from the first n values with repetition, hit a window.

    As `sims.solver.curve.GridCurve`, with one value each and n times the largest \\|m\\| plus \\|centre2\\| below 2^59.
    """

    def __init__(self, n: int, *, threads: int = 1) -> None:
        _check(n, n, threads)
        self.n = n
        self._memory: _Memory | None = None

    def first_n(self, values: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.int64]:
        """The smallest n such that a multiset of at most n of the first n values of the row hits.

        As ``GridCurve.first_n``, with values of shape (rows, n).
        """
        if self._memory is None:
            self._memory = _Memory(self.n, self.n)
        first = np.empty(len(values), np.int64)
        _multiset.first_multiset(2 * values, centres2, widths, *self._memory.arrays, first)
        return first


__all__ = ["BestMultiset", "BestMultisets", "MultisetCurve", "best_multiset", "best_multisets", "half_sums"]
