"""Best choices for values that are integers already: what callers with a grid of their own use, without conversion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch
from sims.solver.arguments import Integers
from sims.solver.kernels import choice as _choice
from sims.solver.kernels import shared as _shared
from sims.solver.memory import check_scratch


class GridBest:
    """The best choices for values that are integers already: no conversion, no threads, no evaluation.

    ``n``, ``draws``: most variables of a row, and values per variable (R). ``threads``: as for
    `sims.solver.grid.OnGrid`.

    Notes
    -----
    One object belongs to one thread: it owns its scratch. The caller makes sure that the sum over the variables of the
    largest size, plus the target's, is at most 2^60.

    Examples
    --------
    >>> errors, choices = GridBest(3, 1).solve(np.array([[[4], [-6], [1]]]), np.array([6]))
    >>> errors.tolist(), choices.tolist()
    ([1], [[0, -1, 0]])
    """

    def __init__(self, n: int, draws: int, *, threads: int = 1) -> None:
        search = dispatch.listing(n, draws, single=draws == 1)
        check_scratch(n, draws, search.words, threads)
        self._scratch = search.memory()

    def solve(self, values: Integers, targets: Integers) -> tuple[Integers, npt.NDArray[np.int32]]:
        """Smallest errors and the choices that reach them.

        ``values``, shape (rows, n, R), contiguous. ``targets``, shape (rows,). Returns errors : ndarray of int64, shape
        (rows,). Returns choices : ndarray of int32, shape (rows, n): the index of the value taken, -1 for none;
        ``best_subsets`` names the same ones for the same integers.
        """
        rows, n, draws = values.shape
        errors, choices = np.empty(rows, np.int64), np.empty((rows, n), np.int32)
        search = dispatch.listing(n, draws, single=draws == 1)
        search.best(values, targets, self._scratch, errors, choices)
        return errors, choices


def shared_on_grid(values: Integers, targets: Integers, *, threads: int = 1) -> tuple[Integers, npt.NDArray[np.int32]]:
    """``best_subsets_shared`` for values that are integers already.

    ``values``, shape (n, R), contiguous: the sum over the variables of the largest size, plus any target's, is at most
    2^60. ``targets``, shape (targets,). ``threads``: how many such searches will run at once, for the memory check.
    Returns errors : ndarray of int64, shape (targets,). Returns choices : ndarray of int32, shape (targets, n): the
    index of the value taken, -1 for none. Raises ValueError: the search does not fit into memory.

    Examples
    --------
    >>> errors, choices = shared_on_grid(np.array([[4], [-6]]), np.array([5, -2]))
    >>> errors.tolist(), choices.tolist()
    ([1, 0], [[0, -1], [0, 0]])
    """
    n, draws = values.shape
    short = _shared.split(n, draws, len(targets))
    long_words = _choice.half_size(n - short, draws)
    check_scratch(n, draws, 3 * long_words, threads)
    half_x = values[:short], values[short:]
    levels = [np.empty(_choice.half_size(len(part), draws), np.int64) for part in half_x]
    spare = np.empty((draws + 1) ** (n - short), np.int64)
    for part, level in zip(half_x, levels, strict=True):
        _choice.build(part, level, spare)
    first, second = (level[-1 - (draws + 1) ** len(part) : -1] for part, level in zip(half_x, levels, strict=True))
    spread = int(second[-1]) - int(second[0])
    shift = max(0, spread.bit_length() - max(1, len(second).bit_length() - 1))
    starts = np.empty((spread >> shift) + 2, np.int64)
    _shared.index(second, shift, starts)
    errors, firsts, seconds = (np.empty(len(targets), np.int64) for _ in range(3))
    _shared.probe_rows(first, second, shift, starts, targets, errors, firsts, seconds)
    choices = np.empty((len(targets), n), np.int32)
    _choice.trace_rows(levels[0], half_x[0], firsts, choices[:, :short])
    _choice.trace_rows(levels[1], half_x[1], seconds, choices[:, short:])
    return errors, choices
