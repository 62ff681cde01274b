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

import tyro  # noqa: F401  (its import fails while a doctest's last value, which stands in builtins, is not hashable)

_HAS_TORCH = find_spec("torch") is not None
collect_ignore_glob = [] if _HAS_TORCH else ["nets/*", "tests/nets/*"]
if find_spec("lightning") is None and find_spec("pytorch_lightning") is None:
    collect_ignore_glob.append("nets/search/callbacks/lightning.py")
if find_spec("transformers") is None:
    collect_ignore_glob.append("nets/search/callbacks/transformers.py")


def pytest_report_header() -> str | None:
    """One line about what is left out."""
    return None if _HAS_TORCH else "PyTorch is not installed (extra: nets): the tests of nets/ are left out"


def pytest_configure() -> None:
    """In a worker: one thread for each library, before these are imported, and kernels compiled one at a time."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        _compile_one_at_a_time()


def _compile_one_at_a_time() -> None:
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.dispatcher import Dispatcher

    compile_or_read = Dispatcher.compile  # which looks for a file first
    held: set[Path] = set()

    @contextlib.contextmanager
    def locked(path: Path) -> Iterator[None]:
        if path in held:  # a kernel that calls itself
            yield
            return
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            held.add(path)
            try:
                yield
            finally:
                held.discard(path)

    def compile_once(dispatcher: Any, signature: Any) -> Any:
        name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}".replace("<locals>", "")
        with global_compiler_lock, locked(Path(tempfile.gettempdir()) / f"strong-tickets-{os.getuid()}-{name}.lock"):
            return compile_or_read(dispatcher, signature)

    Dispatcher.compile = compile_once
