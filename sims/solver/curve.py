"""Whole success curves on values that are already integers: what the simulators of subset sums call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch
from sims.solver.arguments import Integers
from sims.solver.grid import OnGrid
from sims.solver.kernels import curve as _curve
from sims.solver.memory import check_scratch, longest_search

_LISTED_WORDS = 2**24
"""Words of int64 that a thread's lists may take (128 MiB); trials that need more variables than fit are streamed."""


class GridCurve(OnGrid):
    """Tells how many of n variables are needed until some choice hits a window; see ``OnGrid``."""

    def __init__(self, n: int, draws: int, *, model: str = "choice", threads: int = 1) -> None:
        super().__init__(n, draws, model=model)
        self._kernels = dispatch.curve() if self.binary else _curve
        self._listed = n
        streams = n <= longest_search(self._options)
        while streams and self._listed > 1 and self._list_words() > _LISTED_WORDS:
            self._listed -= 1
        beyond = [self._search(k).words for k in range(self._listed + 1, n + 1)]
        self._words = self._list_words() + max(beyond, default=0)
        # a trial's values and their doubles stand beside the scratch
        check_scratch(n, draws, self._words + 3 * n * draws, threads)
        self._scratch: Integers | None = None

    def _list_words(self) -> int:
        if self.binary:
            return int(self._kernels.curve_scratch_size(self._listed))
        return _curve.scratch_size(self._listed, self.draws)

    def _search(self, n: int) -> dispatch.Search:
        return dispatch.fastest(n, self._options, single=self.binary)

    @property
    def nbytes(self) -> int:
        """Bytes of the scratch."""
        return 8 * self._words

    def half_sums(self, n: int) -> int:
        """Half sums that deciding n variables takes, about."""
        return dispatch.half_sums(n, self._options) * (self.draws if self.binary else 1)

    def first_n(self, values: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.int64]:
        """How many variables every row needs: the smallest k such that a choice from its first k variables hits.

        ``values``, shape (rows, n * R): variable by variable: column i * R + r is value r of variable i. ``centres2``,
        ``widths``, shape (rows,): twice the centre of the window and its full width: a sum m hits if \\|2 m -
        centre2\\| <= width. A negative width is never hit. Returns ndarray of int64, shape (rows,): 0 where the empty
        choice hits, n + 1 where no choice does.
        """
        if self._scratch is None:
            self._scratch = np.empty(self._list_words(), np.int64)
        rows, listed = len(values), self._listed
        doubled = (2 * values).reshape(rows, self.n, self.draws)
        head = np.ascontiguousarray(doubled[:, :listed])
        first = np.full(rows, listed + 1, np.int64)
        if not self.binary:
            _curve.first_choice(head, centres2, widths, self._scratch, first)
        else:
            for r in range(self.draws):
                column = np.ascontiguousarray(head[:, :, r])
                self._kernels.first_binary(column, centres2, widths, self._scratch, first)
        for n in range(listed + 1, self.n + 1):
            left = np.flatnonzero(first == n)
            if len(left):
                hits = self._hits(doubled[left, :n], centres2[left], widths[left])
                first[left[~hits]] = n + 1
        return first

    def _hits(self, doubled: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.bool_]:
        """Which blocks of (rows, n, R) hit their windows."""
        search = self._search(doubled.shape[1])
        memory, hits = search.memory(), np.zeros(len(doubled), np.bool_)
        for r in range(0, self.draws, self._options):
            part = np.ascontiguousarray(doubled[:, :, r : r + self._options])
            found = np.empty(len(doubled), np.bool_)
            search.mark(part, centres2, np.where(hits, -1, widths), memory, found)
            hits |= found
        return hits
