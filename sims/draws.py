"""The random values of a range of trials, and the windows that their sums should hit."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sims.solver.arguments import Integers
from sims.solver.fixed_point import window
from sims.solver.limits import GRID_BITS, TARGETS, VALUES


def windows(
    alpha: float | Literal["uniform"], eps: float, seed: int, first: int, trials: int
) -> tuple[Integers, Integers]:
    """The success windows of a range of trials as (twice the centre, width) on the grid of ``sims.solver.philox``."""
    if alpha == "uniform":
        from sims.solver.philox import grid_draws

        centres = 2 * grid_draws(seed, first, trials, 1, stream=TARGETS)[:, 0]
        return centres, np.full(trials, window(0.0, eps, GRID_BITS)[1], np.int64)
    centre, width = window(float(alpha), eps, GRID_BITS)
    return np.full(trials, centre, np.int64), np.full(trials, width, np.int64)


def boxes(
    alpha: float | Literal["uniform"], eps: float, d: int, seed: int, first: int, trials: int
) -> tuple[Integers, Integers]:
    """The windows of target vectors (alpha, ..., alpha) or uniform ones: (twice the centres, shape (trials, d), width).

    With d = 1 they are those of ``windows``.
    """
    centres, widths = windows(alpha, eps, seed, first, trials)
    if alpha == "uniform":
        from sims.solver.philox import grid_draws

        return 2 * grid_draws(seed, first, trials, d, stream=TARGETS), widths
    return np.repeat(centres[:, None], d, axis=1), widths


def draws(seed: int, first: int, trials: int, count: int) -> Integers:
    """The values of a range of trials, shape (trials, count), on the grid of ``sims.solver.philox``."""
    from sims.solver.philox import grid_draws

    return grid_draws(seed, first, trials, count, stream=VALUES)
