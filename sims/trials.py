"""Counting successes over many trials: in pieces, on threads, with a fixed rule for stopping early.

The count is a sum over trials, each a function of its number alone, so it does not depend on the pieces or threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from sims.intervals import confidence_sequence

Count = Callable[[int, int], int]
"""count(first, trials): the number of successes among trials first, ..., first + trials - 1; called from any thread."""

_FIRST_LOOK = 1000
_NEXT_LOOK = 1.25


def count_trials(
    count: Count,
    first: int,
    trials: int,
    *,
    piece: int,
    jobs: int,
    advance: Callable[[float], None] = lambda amount: None,
) -> int:
    """Successes among ``trials`` trials, counted in pieces of at most ``piece`` on ``jobs`` threads."""
    starts = iter(range(first, first + trials, piece))
    end = first + trials
    if jobs == 1 or trials <= piece:
        total = 0
        for start in starts:
            size = min(piece, end - start)
            total += count(start, size)
            advance(size)
        return total
    total = 0
    pending: dict[Future[int], int] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        while True:
            for start in itertools.islice(starts, 2 * jobs - len(pending)):
                size = min(piece, end - start)
                pending[pool.submit(count, start, size)] = size
            if not pending:
                return total
            for done in wait(pending, return_when=FIRST_COMPLETED).done:
                total += done.result()
                advance(pending.pop(done))
    finally:
        pool.shutdown(cancel_futures=True)


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
    advance: Callable[[float], None] = lambda amount: None,
) -> tuple[int, int]:
    """Count until the 95 % confidence sequence is narrower than ``width``, at most ``trials`` trials.

    Returns
    -------
    successes, trials : int
        The trials done; the looks are fixed in advance (``looks``), so they do not depend on threads or pieces.
    """
    successes = done = 0
    for look in looks(trials):
        successes += count_trials(count, first + done, look - done, piece=piece, jobs=jobs, advance=advance)
        done = look
        low, high = confidence_sequence(successes, done)
        if high - low < width:
            advance(trials - done)
            break
    return successes, done
