"""What searches of many rows share: pieces on threads, and the exact evaluation of what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Floats, Integers
from sims.threads import each, one_per_thread

_CALL_HALF_SUMS = 2**24
"""Half sums per kernel call: about 0.1 s, so that Ctrl-C is heard."""

Memory = TypeVar("Memory")


@dataclass(frozen=True)
class Nearest:
    """The sum that is nearest to one target.

    ``sum``, ``error``: the sum and its distance from the target, exact and rounded once. ``rounding``: 0 when the
    search itself was exact; else no sum has an error below ``error - 2 * rounding``.
    """

    sum: float
    error: float
    rounding: float


@dataclass(frozen=True)
class NearestBatch:
    """The sums for many targets: the fields of ``Nearest`` with one row per target."""

    sum: Floats
    error: Floats
    rounding: Floats

    def __len__(self) -> int:
        return len(self.error)

    def _at(self, row: int) -> tuple[float, float, float]:
        return float(self.sum[row]), float(self.error[row]), float(self.rounding[row])


def over_rows(
    solve: Callable[[slice, Memory], None], rows: int, half_sums: int, new: Callable[[], Memory], jobs: int
) -> None:
    """Call ``solve(rows, memory)`` over all rows, in pieces, on up to ``jobs`` threads with one ``new()`` each."""
    piece = max(1, min(_CALL_HALF_SUMS // half_sums, -(-rows // jobs)))
    starts = range(0, rows, piece)
    memory = one_per_thread(new)
    each(lambda start: solve(slice(start, start + piece), memory()), zip(starts), jobs=max(1, min(jobs, len(starts))))


def evaluated(
    totals: Integers,
    targets: Integers,
    exponents: npt.NDArray[np.int32],
    rounding: Floats,
    again: Callable[[int], tuple[Fraction, Fraction]],
) -> tuple[Floats, Floats]:
    """Sums and errors from sums of integers; ``again(row)`` gives both where the integers had been rounded."""
    sums = np.ldexp(totals.astype(np.float64), -exponents)
    errors = np.ldexp(np.abs(totals - targets).astype(np.float64), -exponents)
    for row in np.flatnonzero(rounding > 0):
        sums[row], errors[row] = map(float, again(int(row)))
    return sums, errors
