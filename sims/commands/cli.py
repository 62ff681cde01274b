"""What every command shares: failures are one line and an exit code.

A command is ``main(argv=None) -> int`` and ends in ``return run(work, argv)``: 0 done, 1 a claim was refuted under
``--check``, 2 bad usage, 130 on Ctrl-C, 143 on SIGTERM.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sims._early import started_as_command
from sims.commands.interrupt import Listening, code_of, line_of
from sims.plain_text import PlainStream
from sims.threads import end_at_once, leave_behind

EXTRAS = {
    **dict.fromkeys(("torch", "safetensors", "sklearn", "onnx", "constriction"), "nets"),
    "jinja2": "report",
    "cryptography": "cluster",
}
"""Packages that not every command needs, and the extra that installs each."""

_EXHAUSTED = re.compile(
    r"not enough memory|can't allocate memory|cannot allocate memory|out of memory|bad_alloc|can't start new thread"
    r"|(size|numel|stride)\S* calculation overflowed|invalid buffer size|integer multiplication overflow|_ALLOC_FAILED",
    re.IGNORECASE,
)
"""How PyTorch, which has no exception of its own for it, and threads say that something does not fit."""

NO_READER = 141
"""Exit code where whoever read standard output has gone."""


def exhausted(problem: Exception) -> bool:
    """Whether a machine's memory was not enough, in whosever words.

    Examples
    --------
    >>> exhausted(MemoryError()), exhausted(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    (True, False)
    """
    known = isinstance(problem, RuntimeError) and _EXHAUSTED.search(str(problem)) is not None
    return known or isinstance(problem, MemoryError)


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


def run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run a command's work and turn failures of use into one line and an exit code."""
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: there is nowhere to write
        return 2
    with _plain_streams(), Listening() as listening:
        try:
            try:
                code = work(argv)
                sys.stdout.flush()
                return code
            except Exception as problem:
                if listening.heard.is_set():
                    raise listening.interrupted() from problem
                raise
        except KeyboardInterrupt as stop:
            listening.deaf()
            print(line_of(stop), file=sys.stderr, flush=True)
            if started_as_command(sys.orig_argv):
                end_at_once(code_of(stop))  # Python's own end is slow where PyTorch is loaded
            leave_behind(code_of(stop))
            return code_of(stop)
        except ModuleNotFoundError as missing:
            extra = EXTRAS.get((missing.name or "").split(".")[0])
            if extra is None:
                raise
            return _refused(f"this needs {missing.name}: pip install 'strong-tickets[{extra}]'")
        except BrokenPipeError:
            forsake_output()
            return NO_READER
        except Exception as problem:
            if exhausted(problem):
                if "CUDA" in str(problem) or "_ALLOC_FAILED" in str(problem):
                    return _refused("out of memory on the GPU; use --device cpu or a smaller problem")
                return _refused("out of memory; use fewer threads (--jobs) or a smaller problem")
            if isinstance(problem, (ValueError, OSError)):
                forsake_output()
                return _refused(" ".join(str(problem).split()))
            raise


def _refused(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2
