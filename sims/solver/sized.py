"""Success curves of sums whose window depends on the number of their values; what the simulators call. No theory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Integers
from sims.solver.kernels import sized as _sized
from sims.solver.memory import check_scratch

_MOST_SUMS = 2**27


class SizedCurve:
    """Tells how many of n variables are needed until a choice of them hits the window of its size.

    ``n``, ``draws``: variables (at most), and values per variable (R). ``top``: largest size, at most n. ``threads``:
    how many of these will exist at once. Raises ValueError if the search is too large. One object belongs to one
    thread: it owns its scratch. The caller makes sure that the sum of the largest values, doubled, is below 2^60.

    Examples
    --------
    >>> windows = np.array([[0, 0, 8]]), np.array([-1, -1, 0])  # two values must sum to 4 exactly
    >>> SizedCurve(3, 1, 2).first_n(np.array([[4, 3, 1]]), *windows).tolist()
    [3]
    """

    def __init__(self, n: int, draws: int, top: int, *, threads: int = 1) -> None:
        self.n, self.draws, self.top = n, draws, min(top, n)
        halves = n // 2, (n - 1) // 2  # the last variable joins no group
        self._starts = [np.array([0, *_room(half, draws, self.top)], np.int64) for half in halves]
        self.sums = sum(int(starts[-1]) for starts in self._starts)
        if self.sums > _MOST_SUMS:
            raise ValueError(
                f"n={n} with R={draws} takes {self.sums:.3g} sums of up to {top} values, the limit is 2^27"
            )
        self._words = 3 * self.sums
        check_scratch(n, draws, self._words + 3 * n * draws, threads)
        self._scratch: list[Integers] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the scratch."""
        return 8 * self._words

    def first_n(self, values: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.int64]:
        """How many variables every row needs; 0 where the empty choice hits, n + 1 where none does.

        ``values``, shape (rows, n * R), variable by variable. ``centres2``, shape (rows, top + 1), ``widths``, shape
        (top + 1,): twice the centre and the full width of the window of every size: a sum m of k values hits if \\|2 m
        - centre2[k]\\| <= width[k]; a negative width is never hit. Returns ndarray of int64, shape (rows,).
        """
        if self._scratch is None:
            most = max(int(starts[-1]) for starts in self._starts)
            self._scratch = [np.empty(int(self._starts[i][-1]), np.int64) for i in (0, 1)]
            self._scratch += [np.empty(most, np.int64) for _ in range(2)]
        rows = len(values)
        first = np.empty(rows, np.int64)
        p, q, spare, other = self._scratch
        doubled = (2 * values).reshape(rows, self.n, self.draws)
        counts = np.empty((2, self.top + 1), np.int64)
        _sized.first_sized(doubled, centres2, widths, p, q, *self._starts, spare, other, counts, first)
        return first


def _room(half: int, draws: int, top: int) -> list[int]:
    """Where the lists of 1, 2, ... values of a group end: sums of s = 0, 1, ..., top - 1 of ``half`` variables."""
    ends, end, last = [], 0, 2**62
    for s in range(max(1, top)):
        if end < last:
            end += math.comb(half, s) * draws**s
        ends.append(min(end, last))
    return ends
