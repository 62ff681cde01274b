"""Runs commands of ours as Windows would, as far as that can be seen on Linux: ``python pretend_windows.py JSON``.

JSON is a list of commands, each a list of a module with a ``main`` and its arguments.
Functions and modules that Windows lacks are gone, files that are open cannot be replaced or removed, nothing is flushed
that is open for reading only, text files without an encoding are an error, and output is in code page 1252.
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import importlib
import json
import multiprocessing.resource_tracker
import os
import signal
import sqlite3  # noqa: F401  what is not ours is imported before it could miss anything
import subprocess  # noqa: F401
import sys
import types
import warnings
from typing import Any

GONE = {
    os: (
        "sysconf",
        "sched_getaffinity",
        "set_blocking",
        "fork",
        "statvfs",
        "mkfifo",
        "O_NONBLOCK",
    ),
    signal: ("pthread_sigmask", "SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGPIPE", "setitimer", "alarm"),
}
NO_MODULES = ("fcntl", "resource", "termios", "pwd", "grp", "pty")


def _open_paths() -> set[str]:
    found = set()
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{handle}"))
    return found


def _strict(function: Any, count: int) -> Any:
    """As ``function``, but for files that are open: these stay."""

    def checked(*paths: Any, **more: Any) -> Any:
        for path in paths[:count]:
            if isinstance(path, (str, bytes, os.PathLike)) and os.path.realpath(os.fsdecode(path)) in _open_paths():
                raise PermissionError(13, "The process cannot access the file: it is being used", os.fspath(path))
        return function(*paths, **more)

    return checked


def pretend() -> None:
    """Take from this process what Windows does not have."""
    flush, kind, listen, blocking = os.fsync, fcntl.fcntl, signal.set_wakeup_fd, os.set_blocking

    def set_wakeup_fd(handle: int, **more: Any) -> int:
        if handle != -1:
            blocking(handle, False)  # elsewhere Python asks for it
        return listen(handle, **more)

    signal.set_wakeup_fd = set_wakeup_fd

    def fsync(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if kind(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        flush(number)

    os.fsync = fsync
    for name, count in (("replace", 2), ("rename", 2), ("unlink", 1), ("remove", 1)):
        setattr(os, name, _strict(getattr(os, name), count))
    for module, names in GONE.items():
        for name in names:
            delattr(module, name)
    lock = fcntl.flock
    locking = lambda handle, kind, size: lock(handle, kind)  # noqa: E731
    sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore
    find = builtins.__import__

    def without(name: str, globals: Any = None, *more: Any, **named: Any) -> Any:
        asks = str((globals or {}).get("__spec__", "")) + str((globals or {}).get("__name__", ""))
        if name.split(".")[0] in NO_MODULES and any(room in asks for room in ("sims", "nets", "figures", "theory")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return find(name, globals, *more, **named)

    builtins.__import__ = without


def prepare() -> None:
    """Import what is not ours before it could miss anything, and pretend."""
    for library in (
        "numpy",
        "numba",
        "scipy.special",
        "rich.console",
        "tyro",
        "asyncio",
        "psutil",
        "torch",
        "matplotlib",
    ):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(library)
    multiprocessing.resource_tracker.ensure_running()
    warnings.filterwarnings("error", category=EncodingWarning, module=r"(sims|nets|figures|theory)\.")
    pretend()


if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    prepare()
    for module, *args in json.loads(sys.argv[1]):
        code = importlib.import_module(module).main(args)
        if code != 0:
            sys.exit(f"{module} {' '.join(args)}: exit code {code}")
