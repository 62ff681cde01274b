"""Work in threads: results come back in order, few of them wait, and Ctrl-C is heard at once, whatever is running.

The main thread, which hears Ctrl-C, runs no work: it waits. A piece that is deep in a kernel cannot be stopped, so its
thread is left behind; it begins no other piece, and a command that ends leaves it unfinished (``leave_behind``).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, NoReturn, ParamSpec, TypeVar

Made = TypeVar("Made")
P = ParamSpec("P")


class Abandoned(Exception):
    """The work that this thread does is no longer wanted."""


_own = threading.local()
"""``left``: of each worker, whether its pool was left behind (an Event)."""
_pools: weakref.WeakSet[Threads] = weakref.WeakSet()
_left_behind: list[threading.Thread] = []


class Threads(Executor):
    """A pool of daemon threads: unlike those of ``ThreadPoolExecutor``, Python does not wait for them when it ends.

    ``jobs``: how many. In a ``with`` block, Ctrl-C leaves the pieces that are running behind; all other exceptions wait
    for them.

    Examples
    --------
    >>> with Threads(2) as pool:
    ...     pool.submit(pow, 2, 5).result()
    32
    """

    def __init__(self, jobs: int) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._left = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()
        _pools.add(self)

    def _serve(self) -> None:
        _own.left = self._left
        while (item := self._queue.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as problem:
                future.set_exception(problem)
            del item, future, call

    def submit(self, fn: Callable[P, Made], /, *args: P.args, **kwargs: P.kwargs) -> Future[Made]:
        """Have a call made by the next thread that is free."""
        future: Future[Made] = Future()
        self._queue.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads; without ``wait``, leave those behind that are running, and begin nothing that waits."""
        wait = wait and not self._left.is_set()
        if not wait:
            self._left.set()
        if cancel_futures or not wait:
            with contextlib.suppress(Empty):
                while (item := self._queue.get_nowait()) is not None:
                    item[0].cancel()
        for _ in self._threads:
            self._queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
        else:
            _left_behind.extend(self._threads)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, (KeyboardInterrupt, Abandoned))
        self.shutdown(wait=not interrupted, cancel_futures=kind is not None)


def check_wanted() -> None:
    """Raise Abandoned on a thread whose pool was left behind; to be called between two steps of long work."""
    left = getattr(_own, "left", None)
    if left is not None and left.is_set():
        raise Abandoned


def leave_behind(code: int) -> None:
    """Wait for no pool any more; if its threads still run when Python ends, this process ends with ``code`` at once.

    Python would end them in the middle of native code, which that code may not survive.
    """
    for pool in list(_pools):
        pool.shutdown(wait=False)

    def leave() -> None:
        if any(thread.is_alive() for thread in _left_behind):
            end_at_once(code)

    atexit.register(leave)


def end_at_once(code: int) -> NoReturn:
    """End this process without Python's own end, once what was printed is out."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def ordered(task: Callable[..., Made], parts: Iterable[tuple[Any, ...]], *, jobs: int) -> Iterator[Made]:
    """Yield ``task(*part)`` for every part, in the order of the parts, made on up to ``jobs`` threads.

    An exception stops the work once the parts that are running have ended; Ctrl-C does not wait for them.

    Examples
    --------
    >>> list(ordered(lambda a, b: a * b, [(1, 2), (3, 4)], jobs=2))
    [2, 12]
    """
    if jobs == 1 and threading.current_thread() is not threading.main_thread():
        for part in parts:
            check_wanted()
            yield task(*part)
        return
    waiting: deque[Future[Made]] = deque()
    most = 4 * jobs if jobs > 1 else 1  # one thread: no part begins before the one before it was taken
    with Threads(jobs) as pool:
        for part in parts:
            check_wanted()
            waiting.append(pool.submit(task, *part))
            if len(waiting) >= most:
                yield _result(waiting.popleft())
        while waiting:
            check_wanted()
            yield _result(waiting.popleft())


def _result(future: Future[Made]) -> Made:
    """What a future holds; the wait is short and repeated, as Ctrl-C just before a wait begins does not end it."""
    while not future.done():
        with contextlib.suppress(TimeoutError):
            return future.result(timeout=0.2)
    return future.result()


def each(task: Callable[..., object], parts: Iterable[tuple[Any, ...]], *, jobs: int) -> None:
    """Call ``task(*part)`` for every part; as ``ordered`` where nothing comes back."""
    for _ in ordered(task, parts, jobs=jobs):
        pass


def pieces(count: int, size: int) -> Iterator[tuple[int, int]]:
    """The bounds (start, stop) of pieces of ``size`` that make up ``range(count)``.

    Examples
    --------
    >>> list(pieces(7, 3))
    [(0, 3), (3, 6), (6, 7)]
    """
    for start in range(0, count, size):
        yield start, min(start + size, count)


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
