"""Whole success curves on values that are already integers: what the simulators of subset sums call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch
from sims.solver.arguments import Integers
from sims.solver.grid import OnGrid
from sims.solver.kernels import curve as _curve
from sims.solver.memory import check_scratch


class GridCurve(OnGrid):
    """Tells how many of n variables are needed until some choice hits a window; see ``OnGrid``."""

    def __init__(self, n: int, draws: int, *, model: str = "choice", threads: int = 1) -> None:
        super().__init__(n, draws, model=model)
        self._kernels = dispatch.curve() if self.binary else _curve
        words = self._kernels.curve_scratch_size(n) if self.binary else _curve.scratch_size(n, draws)
        # a trial's values and their doubles stand beside the scratch
        check_scratch(n, draws, words + 3 * n * draws, threads)
        self._words = words
        self._scratch: Integers | None = None

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
            self._scratch = np.empty(self._words, np.int64)
        rows = len(values)
        doubled = (2 * values).reshape(rows, self.n, self.draws)
        first = np.full(rows, self.n + 1, np.int64)
        if not self.binary:
            _curve.first_choice(doubled, centres2, widths, self._scratch, first)
            return first
        for r in range(self.draws):
            column = np.ascontiguousarray(doubled[:, :, r])
            self._kernels.first_binary(column, centres2, widths, self._scratch, first)
        return first
