"""SIGINT and SIGTERM while a command works: within a second one line and exit code 130 or 143, whatever is running.

The main thread hears a signal between two steps of Python, and leaves its ``with`` blocks in order. Where it is deep in
native code, such as one step of PyTorch, a watcher ends the process for it after ``GRACE`` seconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from sims.threads import end_at_once

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""What is heard, and what is said of it."""

GRACE = 0.7
"""Seconds that the main thread has to hear a signal."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, or SIGTERM. Once a plain KeyboardInterrupt has passed through ``exec`` of a text (as dataclasses and
    Numba use it), Python ends by a signal and not with the exit code, even where the exception was caught.

    ``number``: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


_keeping: list[Callable[[], str]] = []


@contextlib.contextmanager
def keeping(what: Callable[[], str]) -> Iterator[None]:
    """While the block runs, an interruption says what is kept, and what goes on with it.

    ``what``: gives the words, from any thread.
    """
    _keeping.append(what)
    try:
        yield
    except KeyboardInterrupt as stop:
        _note(stop, what)
        raise
    finally:
        _keeping.remove(what)


def _note(stop: BaseException, what: Callable[[], str]) -> None:
    with contextlib.suppress(Exception):  # such as a folder that is gone
        stop.add_note(what())


def code_of(stop: KeyboardInterrupt) -> int:
    """The exit code of an interruption: 128 and the signal's number."""
    return 128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)


def line_of(stop: KeyboardInterrupt) -> str:
    """What people are told of an interruption."""
    word = WORDS[signal.Signals(code_of(stop) - 128)]
    return "; ".join([word, *getattr(stop, "__notes__", ())])


_listening: list[Listening] = []


def interrupted() -> bool:
    """Whether a signal was heard, whatever error it ended in."""
    return any(one.heard.is_set() for one in _listening)


class Listening:
    """Hears the signals of ``WORDS`` in a ``with`` block, if it is entered on the main thread.

    ``heard``: set by a signal: what it cuts off may end in an error of its own, as an import does.
    """

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._number = int(signal.SIGINT)
        self._main = threading.current_thread() is threading.main_thread()
        self._before: dict[signal.Signals, Any] = {}
        self._deaf = False

    def __enter__(self) -> Listening:
        _listening.append(self)
        if self._main:
            bell, self._wire = os.pipe()
            if hasattr(os, "set_blocking"):  # not on Windows, where a full pipe loses nothing but a ring
                os.set_blocking(self._wire, False)
            threading.Thread(target=self._watch, args=(bell,), daemon=True).start()
            self._wire_before = signal.set_wakeup_fd(self._wire, warn_on_full_buffer=False)
            self._before = {number: signal.signal(number, self._hear) for number in WORDS}
        return self

    def deaf(self) -> None:
        """Hear nothing more: the command is ending."""
        self._deaf = True
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        _listening.remove(self)
        for number, handler in self._before.items():
            if self._deaf or signal.getsignal(number) == self._hear:
                signal.signal(number, handler)
        if self._main:
            signal.set_wakeup_fd(self._wire_before)
            os.close(self._wire)

    def interrupted(self) -> Interrupted:
        """What the signal that was heard raises."""
        return Interrupted(self._number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self.heard.set()
        raise Interrupted(number)

    def _watch(self, bell: int) -> None:
        """On a thread of its own: each signal rings, even while the main thread hears nothing."""
        while rung := os.read(bell, 1):
            number = rung[0]
            if number in WORDS and not self.heard.wait(GRACE):
                _end(number)
        os.close(bell)


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Processes and threads started in the block never hear Ctrl-C: who starts them ends them, without tracebacks."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker")  # it clears up after a process that ended at once: nobody's news
    try:
        resource_tracker.ensure_running()  # it would unblock the signal
    finally:
        sys.warnoptions.pop()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(number: int) -> None:
    """End the process in the main thread's place."""
    stop = Interrupted(number)
    for what in reversed(_keeping):
        _note(stop, what)
    with contextlib.suppress(OSError):
        os.write(2, f"{line_of(stop)}\n".encode())
    end_at_once(code_of(stop))
