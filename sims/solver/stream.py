"""The Python side of ``kernels.stream``: the layout of a search, its memory, and one long search shared by threads."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver.kernels import stream as _stream
from sims.threads import each, one_per_thread

_FEW_PAIRS = 2**12
_PIECE_HALF_SUMS = 2**18
"""About so many half sums to a piece of a long search, until there are 256 pieces."""


def plan(n: int, draws: int) -> npt.NDArray[np.int64]:
    """How a search is laid out, as the kernels read it.

    Returns ndarray of int64, shape (5,): variables in the sorted list of the first half and of the second, half sums a
    window aims at, words of bits, pairs that may all be tried.
    """
    options = draws + 1
    half_sums = options ** (n - n // 2)
    long = int(half_sums > 2**24) + int(half_sums > 2**27)
    listed = []
    for count in (n // 2, n - n // 2):
        k = 0  # q is about (half sums)^(2/3), or half of that in short searches, which should not spend long on lists
        while k < count and (1 if long else 8) * options ** (3 * k) < options ** (2 * count):
            k += 1
        listed.append(k)
    full = min(2 ** (14 + long), half_sums)
    bits = min(19 if long == 2 else 18, half_sums.bit_length() + 4)
    return np.array([*listed, full, max(1, 2**bits // 64), _FEW_PAIRS], np.int64)


def words(n: int, draws: int) -> tuple[int, int]:
    """Words of int64 that a search takes: its lists, and what each thread has beside them."""
    layout = plan(n, draws)
    lists, work = _sizes(n, draws, layout)
    return sum(lists) + n * draws, sum(work)


def _sizes(n: int, draws: int, layout: npt.NDArray[np.int64]) -> tuple[list[int], list[int]]:
    options = draws + 1
    first, second, full, bits, _ = layout.tolist()
    q = [options**first + 2, options**second + 2]
    p = [options ** (n // 2 - first), options ** (n - n // 2 - second)]
    levels = [(options**k - 1) // draws for k in (first, second)]
    room = 2 * full + max(q) + max(p)
    return [*levels, *q, *p, max(q)], [p[0], p[0], p[1], p[1], room, room, bits + 2]


def memory(n: int, draws: int) -> tuple[Any, Any]:
    """Memory for the searches of one thread: lists and work."""
    layout = plan(n, draws)
    return new_lists(n, draws, layout), new_work(n, draws, layout)


def new_lists(n: int, draws: int, layout: npt.NDArray[np.int64]) -> Any:
    """Memory for the lists of a search: the values of either half, then levels, q and p of both, then what is spare."""
    values = [np.empty((count, draws), np.int64) for count in (n // 2, n - n // 2)]
    return (*values, *(np.empty(size, np.int64) for size in _sizes(n, draws, layout)[0]))


def new_work(n: int, draws: int, layout: npt.NDArray[np.int64]) -> Any:
    """Memory for one thread: pointers to the start and the end of a window in either half, candidates, bits."""
    *work, bits = _sizes(n, draws, layout)[1]
    return (*(np.empty(size, np.int64) for size in work), np.empty(bits, np.uint64))


def solve(
    x: npt.NDArray[np.int64], target: int, mirror: bool, *, stop: int = -1, jobs: int = 1, pieces: int | None = None
) -> tuple[int, npt.NDArray[np.int32]]:
    """The best choice of one block, its range of values cut into pieces that ``jobs`` threads share.

    ``x``, shape (n, R). ``mirror``: break ties as ``_binary`` does (R = 1) instead of as ``_choice``. ``stop``: an
    error that is good enough; -1 for the best one. ``jobs``, ``pieces``: neither changes the result, unless ``stop``
    ends the search. Pieces are chosen by size if absent. Returns choice : ndarray of int32, shape (n,): the index of
    the value taken, -1 for none.
    """
    n, draws = x.shape
    layout = plan(n, draws)
    lists = new_lists(n, draws, layout)
    facts = np.empty(_stream.FACTS, np.int64)
    _stream.prepare(x, np.int64(target), mirror, layout, lists, facts)
    low, end = int(facts[3]), max(int(facts[3]), int(facts[4]))
    if pieces is None:
        pieces = max(8 * jobs, min((draws + 1) ** (n - n // 2) // _PIECE_HALF_SUMS, 256))
    pieces = max(1, min(pieces, end - low))
    edges = [low + (end - low) * k // pieces for k in range(pieces + 1)]
    winner = np.array([_stream.UNKNOWN, 0, 0], np.int64)
    bound = winner[:1].copy()
    # the densest piece first, for a small error soon; the others upwards, so that an exact hit leaves little to do
    queue = itertools.chain([pieces // 2], range(pieces // 2), range(pieces // 2 + 1, pieces))
    lock = threading.Lock()
    memory = one_per_thread(lambda: new_work(n, draws, layout))

    def visit(k: int) -> None:
        with lock:
            best = winner.copy()
        if best[0] <= stop or (best[0] <= facts[6] and edges[k] > best[1]):
            return
        _stream.visit(layout, lists, facts, edges[k], edges[k + 1], np.int64(stop), bound, memory(), best)
        with lock:
            if tuple(best) < tuple(winner):
                winner[:] = best

    each(visit, zip(queue), jobs=min(jobs, pieces))
    choice = np.empty(n, np.int32)
    _stream.trace(x, mirror, layout, lists, facts, winner, choice)
    return int(winner[0]), choice
