"""Work in threads: results come back in order, few of them wait, and Ctrl-C stops between two pieces."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Made = TypeVar("Made")


def ordered(task: Callable[..., Made], parts: Iterable[tuple[Any, ...]], *, jobs: int) -> Iterator[Made]:
    """Yield ``task(*part)`` for every part, in the order of the parts, made on up to ``jobs`` threads.

    An exception, Ctrl-C included, stops the work once the parts that are running have ended.

    Examples
    --------
    >>> list(ordered(lambda a, b: a * b, [(1, 2), (3, 4)], jobs=2))
    [2, 12]
    """
    if jobs == 1:
        for part in parts:
            yield task(*part)
        return
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(jobs)
    try:
        for part in parts:
            waiting.append(pool.submit(task, *part))
            if len(waiting) >= 4 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def each(task: Callable[..., object], parts: Iterable[tuple[Any, ...]], *, jobs: int) -> None:
    """Call ``task(*part)`` for every part; as ``ordered`` where nothing comes back."""
    for _ in ordered(task, parts, jobs=jobs):
        pass


def one_per_thread(make: Callable[[], Made]) -> Callable[[], Made]:
    """A function that returns what ``make`` made for the calling thread: scratch, or a solver that owns some.

    Examples
    --------
    >>> own = one_per_thread(list)
    >>> own() is own()
    True
    """
    local = threading.local()

    def own() -> Made:
        if not hasattr(local, "made"):
            local.made = make()
        made: Made = local.made
        return made

    return own
