"""Work in threads whose results come back in order, with few of them waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Made = TypeVar("Made")


def ordered(task: Callable[..., Made], parts: Iterable[tuple[Any, ...]], *, jobs: int) -> Iterator[Made]:
    """Yield ``task(*part)`` for every part, in the order of the parts, made on up to `jobs` threads.

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
