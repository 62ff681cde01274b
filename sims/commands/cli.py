"""What every command shares: flags from a frozen dataclass, one-line errors, ranges, and a progress bar.

A command is ``main(argv=None) -> int`` and ends in ``return run(work, argv)``: 0 done, 1 a claim was refuted under
``--check``, 2 bad usage, 130 on Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from sims.plain_text import PlainStream
from sims.threads import leave_behind

EXTRAS = {
    **dict.fromkeys(("torch", "safetensors", "sklearn", "onnx", "constriction"), "nets"),
    "jinja2": "report",
}
"""Packages that not every command needs, and the extra that installs each."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

NO_READER = 141
"""Exit code where whoever read standard output has gone."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. Once a plain KeyboardInterrupt has passed through ``exec`` of a text (as dataclasses and Numba use it),
    Python ends by a signal and not with the exit code, even where the exception was caught."""


_HEARD = threading.Event()
"""Set by Ctrl-C: what it cuts off may end in an error of its own, as an import does."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    _HEARD.set()
    raise Interrupted


def interrupted() -> bool:
    """Whether Ctrl-C was heard, whatever error it ended in."""
    return _HEARD.is_set()


@contextmanager
def _plain_streams() -> Iterator[None]:
    """Whatever is printed cannot steer the terminal."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (one if isinstance(one, PlainStream) else PlainStream(one) for one in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def forsake_output() -> None:
    """Where standard output takes nothing any more, let it go nowhere, so that Python ends without a complaint."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _worked(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    try:
        return work(argv)
    except Exception as problem:
        if _HEARD.is_set():
            raise Interrupted from problem
        raise


def run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run a command's work and turn failures of use into one line and an exit code."""
    _HEARD.clear()
    if _in_main_thread():
        signal.signal(signal.SIGINT, _interrupt)
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: there is nowhere to write
        return 2
    with _plain_streams():
        return _run(work, argv)


def _run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    try:
        code = _worked(work, argv)
        sys.stdout.flush()
        if code == INTERRUPTED:  # by work that has said so itself
            leave_behind(code)
        return code
    except MemoryError:
        print("error: out of memory; use fewer threads (--jobs) or a smaller problem", file=sys.stderr)
        return 2
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get((missing.name or "").split(".")[0])
        if extra is None:
            raise
        print(f"error: this needs {missing.name}: pip install 'strong-tickets[{extra}]'", file=sys.stderr)
        return 2
    except (ValueError, OSError) as problem:
        forsake_output()
        if isinstance(problem, BrokenPipeError):
            return NO_READER
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if _in_main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("interrupted", file=sys.stderr)
        leave_behind(INTERRUPTED)
        return INTERRUPTED


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
