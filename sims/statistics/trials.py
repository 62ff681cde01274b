"""Counting successes over many trials: in pieces, on threads, with a fixed rule for stopping early.

One pass counts every size n of a table at once: a count is an array with one entry per size. It is a sum over trials,
each a function of its number alone, so it does not depend on the pieces or threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sims.progress import silent
from sims.statistics.intervals import confidence_sequence
from sims.threads import ordered

Counts = npt.NDArray[np.int64]
Count = Callable[[int, int], Counts]
"""count(first, trials): successes among trials first, ..., first + trials - 1 per size; called from any thread."""

_FIRST_LOOK = 1000
_NEXT_LOOK = 1.25


def count_trials(
    count: Count, first: int, trials: int, *, piece: int, jobs: int, advance: Callable[[float], None] = silent
) -> Counts:
    """Successes among ``trials`` >= 1 trials, counted in pieces of at most ``piece`` on ``jobs`` threads.

    ``jobs``: 0 counts on the calling thread, which then hears no Ctrl-C within a piece.
    """
    end = first + trials

    def counted(start: int) -> tuple[int, Counts]:
        size = min(piece, end - start)
        return size, count(start, size)

    starts = range(first, end, piece)
    total: Counts | None = None
    parts = ordered(counted, zip(starts), jobs=min(jobs, len(starts))) if jobs else map(counted, starts)
    for size, found in parts:
        total = found if total is None else total + found
        advance(size)
    assert total is not None
    return total


def looks(trials: int) -> list[int]:
    """When a sequential run looks at its data: 1000 trials, then a quarter more each time, up to ``trials``.

    Examples
    --------
    >>> looks(2000)
    [1000, 1250, 1563, 1954, 2000]
    """
    result: list[int] = []
    look = _FIRST_LOOK
    while look < trials:
        result.append(look)
        look = int(-(-look * _NEXT_LOOK // 1))
    return [*result, trials]


def count_until(
    count: Count,
    first: int,
    trials: int,
    width: float,
    *,
    piece: int,
    jobs: int,
    advance: Callable[[float], None] = silent,
) -> list[tuple[int, int]]:
    """Count until every size's 95 % confidence sequence is narrower than ``width``, at most ``trials`` trials.

    Returns list of (successes, trials), one per size: as they were at the first look at which that size's interval was
    narrow enough, or at the end. The looks are fixed in advance (``looks``), so they do not depend on threads or
    pieces.
    """
    found: dict[int, tuple[int, int]] = {}
    total: Counts | None = None
    done = 0
    for look in looks(trials):
        more = count_trials(count, first + done, look - done, piece=piece, jobs=jobs, advance=advance)
        total = more if total is None else total + more
        done = look
        for size, successes in enumerate(total.tolist()):
            low, high = confidence_sequence(successes, done)
            if size not in found and (high - low < width or done == trials):
                found[size] = successes, done
        if len(found) == len(total):
            advance(trials - done)
            break
    return [found[size] for size in range(len(found))]
