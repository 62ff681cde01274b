"""Work in threads whose results come back in order, with few of them waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Made = TypeVar("Made")

PARALLEL_WORK = 2**26
"""Multiplications in one matrix product from which PyTorch's threads pay."""


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


@contextmanager
def few_threads(work: int) -> Iterator[None]:
    """One PyTorch thread inside, if the largest matrix product there takes few multiplications.

    PyTorch's threads wait for each other actively, which on a busy machine costs many times the work of small tensors.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < PARALLEL_WORK else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
