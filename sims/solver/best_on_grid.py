"""Best choices for values that are integers already: what callers with a grid of their own use, without conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch
from sims.solver.arguments import Integers
from sims.solver.kernels import shared as _shared
from sims.solver.memory import check_scratch, check_size

_LONGEST = 2**25
"""Sums of the longest list that many targets share: 1 GiB with all that stands beside it."""

_BITS = 64
"""Most buckets of the bit map for each sum of the long list."""

_COPIED = 2**20
"""Values of a call, where every target brings a copy of its value set."""


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
        check_size(n, draws)
        # streaming n variables may take less memory than listing fewer
        words = max(dispatch.fastest(k, draws, single=draws == 1).words for k in range(1, n + 1))
        check_scratch(n, draws, words, threads)
        self._ready: tuple[int, dispatch.Search, Any] | None = None

    def solve(self, values: Integers, targets: Integers) -> tuple[Integers, npt.NDArray[np.int32]]:
        """Smallest errors and the choices that reach them.

        ``values``, shape (rows, n, R), contiguous. ``targets``, shape (rows,). Returns errors : ndarray of int64, shape
        (rows,). Returns choices : ndarray of int32, shape (rows, n): the index of the value taken, -1 for none;
        ``best_subsets`` names the same ones for the same integers.
        """
        rows, n, draws = values.shape
        if self._ready is None or self._ready[0] != n:
            found = dispatch.fastest(n, draws, single=draws == 1)
            self._ready = n, found, found.memory()
        _, search, memory = self._ready
        errors, choices = np.empty(rows, np.int64), np.empty((rows, n), np.int32)
        search.best(values, targets, memory, errors, choices)
        return errors, choices


class GridShared:
    """The best choices for many targets on one value set of integers; no conversion, no threads, no evaluation.

    ``n``, ``draws``: variables, and values of each (R). ``targets``: about how many there are on each value set; it
    decides how the variables are cut. ``threads``: as for ``GridBest``. Raises ValueError: the search does not fit into
    memory, or no machine ends it.

    Notes
    -----
    One object belongs to one thread: it owns its scratch. The limit on the values is ``GridBest``'s.

    Examples
    --------
    >>> errors, choices = GridShared(2, 1, 2).solve(np.array([[4], [-6]]), np.array([5, -2]))
    >>> errors.tolist(), choices.tolist()
    ([1, 0], [[0, -1], [0, 0]])
    """

    def __init__(self, n: int, draws: int, targets: int, *, threads: int = 1) -> None:
        self.n, self.draws = n, draws
        self.short = shared_split(n, draws, targets)
        self._one_by_one = None if self.short is not None else GridBest(n, draws, threads=threads)
        if self.short is None:
            return
        short, long = (draws + 1) ** self.short, (draws + 1) ** (n - self.short)
        words = 1 + 2 ** max(0, (long * min(short, _BITS) - 1).bit_length() - 6)
        check_scratch(n, draws, 2 * short + 4 * long + words, threads)
        pair = (np.empty(long, np.int64), np.empty(long, np.int32))
        self._lists = (
            np.empty(short, np.int64), *pair, *map(np.empty_like, pair), np.empty(long + 1, np.int32),
            np.empty(words, np.uint64), np.empty(short + 1, np.int32),
        )  # fmt: skip

    def solve(self, values: Integers, targets: Integers) -> tuple[Integers, npt.NDArray[np.int32]]:
        """Smallest errors and the choices that reach them.

        ``values``, shape (n, R), contiguous. ``targets``, shape (targets,). Returns errors : ndarray of int64, shape
        (targets,). Returns choices : ndarray of int32, shape (targets, n): the index of the value taken, -1 for none;
        among equally good ones another one than ``GridBest``'s may be named.
        """
        errors, choices = np.empty(len(targets), np.int64), np.empty((len(targets), self.n), np.int32)
        if self._one_by_one is None:
            _shared.solve(values, self.short, targets, self._lists, errors, choices)
            return errors, choices
        step = max(1, _COPIED // values.size)
        for start in range(0, len(targets), step):
            part = slice(start, start + step)
            many = np.ascontiguousarray(np.broadcast_to(values, (len(targets[part]), *values.shape)))
            errors[part], choices[part] = self._one_by_one.solve(many, targets[part])
        return errors, choices


def shared_split(n: int, draws: int, targets: int) -> int | None:
    """Variables in the short part of a search of many targets; None where they are better searched one by one.

    By the time of building the long list, of the probes, and of a search of its own, in ns; a list that is too long
    for one search of a long list is never built.
    """
    options = draws + 1

    def cost(short: int) -> float:
        return 8.0 * float(options) ** (n - short) + 2.0 * targets * float(options) ** short

    fitting = [short for short in range(n // 2 + 1) if options ** (n - short) <= _LONGEST]
    best = min(fitting, key=cost, default=None)
    alone = 1.4 * targets * dispatch.half_sums(n, draws)
    return best if best is not None and cost(best) <= alone else None
