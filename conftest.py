"""Set-up of every test and doctest: what is left out without PyTorch, and what parallel workers owe each other.

A worker leaves the other cores to its siblings, and workers never compile the same kernel at once: whoever comes
second waits for the first one's file and reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WORKER = "PYTEST_XDIST_WORKER" in os.environ
if WORKER:  # before NumPy and PyTorch are imported
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import tyro  # noqa: F401  (its import fails while a doctest's last value, which stands in builtins, is not hashable)
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

_HAS_TORCH = find_spec("torch") is not None
collect_ignore_glob = [] if _HAS_TORCH else ["nets/*", "tests/nets/*"]


def pytest_report_header() -> str | None:
    """One line about what is left out."""
    return None if _HAS_TORCH else "PyTorch is not installed (extra: nets): the tests of nets/ are left out"


_compile = Dispatcher.compile
_held: set[Path] = set()


def _one_at_a_time(dispatcher: Any, signature: Any) -> Any:
    kernel = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}".replace("<", "").replace(">", "")
    with global_compiler_lock, _locked(Path(tempfile.gettempdir()) / f"strong-tickets-{os.getuid()}-{kernel}.lock"):
        return _compile(dispatcher, signature)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes; a kernel that calls itself holds it already."""
    if path in _held:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(path)
        try:
            yield
        finally:
            _held.discard(path)


if WORKER:
    Dispatcher.compile = _one_at_a_time
