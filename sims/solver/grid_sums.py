"""Sums of integers, searched exactly by a set of bits: which sums can the first variables make? Knows no theory."""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit
from sims.solver.arguments import Integers
from sims.solver.limits import GRID_BITS

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


def steps_of(values: Integers, M: int) -> Integers:
    """Draws on the grid of ``sims.solver.philox`` as integers in {-M, ..., M}, each value's share equal to 2^-53.

    A draw m becomes floor((m + 2^52) (2M+1) / 2^53) - M, exactly. 2M + 1 at most 2^15.

    Examples
    --------
    >>> steps_of(np.array([-(2**52), 0, 2**52 - 1]), 3).tolist()
    [-3, 0, 3]
    """
    draws, low = values + 2**GRID_BITS, GRID_BITS - 31
    high, rest = draws >> low, draws & (2**low - 1)  # 32 and 21 bits
    found: Integers = ((high * (2 * M + 1) + ((rest * (2 * M + 1)) >> low)) >> 32) - M
    return found


@njit(**_JIT)
def _add(old, new, words, shift):  # type: ignore[no-untyped-def]
    """new |= old moved up by ``shift`` bits (down if it is negative)."""
    size = abs(shift)
    jump = size >> 6
    bits = np.uint64(size & 63)
    back = np.uint64(64) - bits
    if shift >= 0:
        for i in range(words - 1, jump - 1, -1):
            word = old[i - jump] << bits
            if bits and i > jump:
                word |= old[i - jump - 1] >> back
            new[i] |= word
    else:
        for i in range(words - jump):
            word = old[i + jump] >> bits
            if bits and i + jump + 1 < words:
                word |= old[i + jump + 1] << back
            new[i] |= word


@njit(**_JIT)
def _seen(reach, low, high):  # type: ignore[no-untyped-def]
    one = np.uint64(1)
    for place in range(low, high + 1):  # noqa: SIM110
        if (reach[place >> 6] >> np.uint64(place & 63)) & one:
            return True
    return False


@njit(**_JIT)
def _first_hit(x, targets, tolerance, largest, reach, old, first):  # type: ignore[no-untyped-def]
    trials, n, draws = x.shape
    words = len(reach)
    middle = n * largest
    for t in range(trials):
        first[t] = n + 1
        reach[:] = 0
        reach[middle >> 6] = np.uint64(1) << np.uint64(middle & 63)
        low = max(0, middle + targets[t] - tolerance)
        high = min(2 * middle, middle + targets[t] + tolerance)
        if _seen(reach, low, high):
            first[t] = 0
            continue
        for i in range(n):
            for word in range(words):
                old[word] = reach[word]
            for r in range(draws):
                _add(old, reach, words, x[t, i, r])
            if _seen(reach, low, high):
                first[t] = i + 1
                break


def first_hit(values: Integers, targets: Integers, tolerance: int, largest: int) -> Integers:
    """How many variables each trial takes, in order, until some choice's sum is within tolerance of its target.

    ``values``, shape (trials, n, R): integers of size at most ``largest``. ``targets``, shape (trials,). Returns
    ndarray of int64, shape (trials,): 0 if the empty sum hits, n + 1 if nothing does.

    Examples
    --------
    >>> first_hit(np.array([[[3], [-1], [2]]] * 2), np.array([2, 5]), 0, 3).tolist()
    [2, 3]
    """
    trials, n, _ = values.shape
    if n and trials and int(np.abs(values).max()) > largest:
        raise ValueError(f"values must be at most {largest} in size")
    words = (2 * n * largest >> 6) + 1
    first = np.empty(trials, np.int64)
    scratch = np.empty((2, words), np.uint64)
    _first_hit(np.ascontiguousarray(values), targets, tolerance, largest, scratch[0], scratch[1], first)
    return first
