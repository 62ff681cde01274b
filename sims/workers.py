"""Work in processes of their own: what dies takes only its own piece along, and none outlives the one that asked."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from sims.commands.cli import exhausted
from sims.commands.interrupt import deaf_children

Part = TypeVar("Part")
Made = TypeVar("Made")

_PATIENCE = 2.0
"""Seconds that a process may take to end."""


@dataclass(frozen=True)
class Lost:
    """A piece that failed, and why, in one line.

    ``refused``: it should not have been asked for, and nor should others like it.
    """

    why: str
    refused: bool = False


def attempt(task: Callable[[Part], Made], part: Part, refused: tuple[type[Exception], ...]) -> Made | Lost:
    """What a task makes of a part, or why it fails; ``refused``: exceptions that stand for a wrong question."""
    try:
        return task(part)
    except Exception as problem:
        text = " ".join(str(problem).split())
        if exhausted(problem):
            return Lost("out of memory")
        return Lost(text if isinstance(problem, ValueError | OSError) else f"{type(problem).__name__}: {text}",
                    isinstance(problem, refused))  # fmt: skip


@dataclass
class _Worker(Generic[Part]):
    process: SpawnProcess
    line: Connection
    number: int


def outcomes(
    task: Callable[[Part], Made],
    parts: Sequence[Part],
    *,
    jobs: int,
    prepare: Callable[[], None],
    refused: tuple[type[Exception], ...] = (),
) -> Generator[tuple[int, Made | Lost], None, None]:
    """Yield the number of each part and what came of it, as they come.

    Parameters
    ----------
    task : callable
        A function of a module, as must be all that it is given and returns.
    jobs : int
        Processes at the same time. They hear no Ctrl-C, and end when the iterator is closed, or this process dies.
    prepare : callable
        Called in each process before its first part.
    refused : tuple of exceptions
        As for `attempt`.
    """
    left = deque(range(len(parts)))
    workers: dict[Connection, _Worker[Part]] = {}
    try:
        while left or workers:
            while left and len(workers) < jobs:
                own = _start(task, prepare, refused)
                workers[own.line] = own
                _ask(own, parts, left)
            for line in wait(list(workers)):
                assert isinstance(line, Connection)
                worker = workers[line]
                dead = False
                try:
                    answer = line.recv()
                except (EOFError, OSError):
                    dead = True
                if dead or not left:
                    del workers[line]
                    line.close()
                    worker.process.join(_PATIENCE)
                yield worker.number, Lost(_death(worker.process)) if dead else answer
                if line in workers:
                    _ask(worker, parts, left)
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.join(_PATIENCE)
            worker.process.kill()


def _ask(worker: _Worker[Part], parts: Sequence[Part], left: deque[int]) -> None:
    worker.number = left.popleft()
    with contextlib.suppress(OSError):  # it died: its line says so
        worker.line.send(parts[worker.number])


def _start(task: Any, prepare: Any, refused: Any) -> _Worker[Any]:
    context = multiprocessing.get_context("spawn")
    mine, own = context.Pipe()
    process = context.Process(target=_serve, args=(own, task, prepare, refused))
    with own, deaf_children():
        process.start()
    return _Worker(process, mine, -1)


def _serve(line: Connection, task: Any, prepare: Callable[[], None], refused: Any) -> None:
    """In a process of its own: do what is asked for, until nobody asks any more."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare()
    while True:
        try:
            part = line.recv()
        except EOFError:
            return
        answer: Any = attempt(task, part, refused)
        try:
            line.send(answer)
        except Exception as problem:
            line.send(Lost(f"{type(problem).__name__}: {problem}"))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _death(process: SpawnProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}" + (", as where memory runs out" if name == "SIGKILL" else "")
    return f"its process ended with exit code {code}"
