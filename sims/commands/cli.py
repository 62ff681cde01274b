"""What every command shares: flags from a frozen dataclass, one-line errors, ranges, and a progress bar.

A command is ``main(argv=None) -> int`` and ends in ``return run(work, argv)``: 0 done, 1 a claim was refuted under
``--check``, 2 bad usage, 130 on Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sims.commands import flags
from sims.commands.flags import UsageError, between, parse
from sims.options import fresh_seed
from sims.progress import Advance, progress

__all__ = ["Advance", "UsageError", "between", "fresh_seed", "parse", "progress"]

Given = TypeVar("Given")
Made = TypeVar("Made")


def values(metavar: str) -> Any:
    """Annotation of a field whose values are read as text, with what the help shows for them."""
    import tyro

    return tyro.conf.arg(metavar=metavar)


def _named(read: Callable[[Given], Made]) -> Callable[[str, Given], Made]:
    """A reader of what is written behind a flag, as (flag, text), whose complaint begins with the flag."""

    def named(flag: str, given: Given) -> Made:
        try:
            return read(given)
        except ValueError as problem:
            raise UsageError(f"{flag} {problem}") from None

    return named


integer, real, reals = _named(flags.integer), _named(flags.real), _named(flags.reals)


def run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run a command's work and turn failures of use into one line and an exit code."""
    if _in_main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: there is nowhere to write
        return 2
    try:
        return work(argv)
    except MemoryError:
        print("error: out of memory; use fewer threads (--jobs) or a smaller problem", file=sys.stderr)
        return 2
    except (ValueError, OSError) as problem:
        if isinstance(problem, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if _in_main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("interrupted", file=sys.stderr)
        return 130


def end_quietly_on_interrupt(module: str) -> None:
    """Let Ctrl-C during a command's imports end the process with one word and code 130.

    A command calls this with its ``__name__`` before its heavy imports; it does nothing unless the command is being
    run. ``run`` then takes over.
    """
    if module == "__main__":
        signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
