"""Decisions on values that are already integers: what the simulators call, without conversion and without threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch
from sims.solver.arguments import Integers
from sims.solver.memory import check_scratch, check_size


class OnGrid:
    """A search among values that are integers already.

    ``n``, ``draws``: variables (at most), and values per variable (R). ``model``: ``choice``: at most one of the R
    values of each variable. ``vector``: a subset of one of R vectors of n values. ``threads``: how many of these will
    exist at once, for the memory check. Raises ValueError: the search does not fit into memory, or no machine ends it.

    Notes
    -----
    One object belongs to one thread: it owns its scratch. Values m and windows stand on a common integer grid; the
    caller makes sure that the sum over the variables of the largest \\|m\\|, plus \\|centre2\\|, is below 2^59.
    """

    def __init__(self, n: int, draws: int, *, model: str = "choice") -> None:
        self.n, self.draws = n, draws
        self.binary = draws == 1 or model == "vector"
        self._options = 1 if self.binary else draws


class GridSolver(OnGrid):
    """Decides, for many rows, whether some choice hits a window; see ``OnGrid``."""

    def __init__(self, n: int, draws: int, *, model: str = "choice", threads: int = 1) -> None:
        super().__init__(n, draws, model=model)
        check_size(n, self._options)
        self._search = dispatch.fastest(n, self._options, single=self.binary)
        check_scratch(n, self._options, self._search.words, threads)
        self._memory: Any = None
        self.half_sums = dispatch.half_sums(n, self._options)
        self.work_per_row = self.half_sums * (draws if self.binary else 1)

    def mark(self, values: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.bool_]:
        """Which rows have a choice whose sum m satisfies \\|2 m - centre2\\| <= width.

        ``values``, shape (rows, n * R): variable by variable: column i * R + r is value r of variable i. ``centres2``,
        ``widths``, shape (rows,): twice the centre of the window and its full width, on the values' grid; a negative
        width is never hit. Returns ndarray of bool, shape (rows,).
        """
        if self._memory is None:
            self._memory = self._search.memory()
        rows = len(values)
        doubled = (2 * values).reshape(rows, self.n, self.draws)
        hits = np.empty(rows, np.bool_)
        found = np.zeros(rows, np.bool_)
        for r in range(0, self.draws, self._options):
            part = np.ascontiguousarray(doubled[:, :, r : r + self._options])
            self._search.mark(part, centres2, np.where(found, -1, widths), self._memory, hits)
            found |= hits
        return found
