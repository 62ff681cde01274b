"""A Dask scheduler and its workers, each a process of its own that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """That of a child that finds this package, one thread a library."""
    one = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **one, "PYTHONPATH": str(ROOT), **more}


def python(*argv: str, cwd: Path, err: IO[str] | int = subprocess.PIPE, **more: str) -> subprocess.Popen[str]:
    """A Python process."""
    return subprocess.Popen(
        [sys.executable, *argv], cwd=cwd, env=environment(**more), stdout=subprocess.PIPE, stderr=err, text=True
    )


class Dask:
    """A scheduler, and the workers started since.

    ``folder``: takes their words.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.workers: list[subprocess.Popen[str]] = []
        self.address = ""
        self.start()

    def start(self) -> None:
        """The scheduler; again at the address that it had."""
        about = self.folder / "scheduler.json"
        about.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] or "0"
        argv = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard",
                "--no-show", "--scheduler-file", str(about), *self.options]  # fmt: skip
        with (self.folder / "scheduler.log").open("a") as words:
            self.scheduler = python(*argv, cwd=self.folder, err=words)
        self.address = json.loads(wait_for(lambda: about.is_file() and about.read_text()))["address"]

    def worker(self, *options: str, **more: str) -> subprocess.Popen[str]:
        """One more worker, of one thread."""
        argv = ["-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                "--memory-limit", "0", "--local-directory", str(self.folder), "--death-timeout", "60",
                *options]  # fmt: skip
        with (self.folder / "worker.log").open("a") as words:
            started = python(*argv, cwd=self.folder, err=words, **more)
        self.workers.append(started)
        return started

    def alive(self) -> list[subprocess.Popen[str]]:
        """The workers that run."""
        return [one for one in self.workers if one.poll() is None]

    def close(self) -> None:
        """End all of them."""
        for one in [*self.workers, self.scheduler]:
            with contextlib.suppress(ProcessLookupError):
                one.kill()
            one.communicate()


@contextlib.contextmanager
def dask(folder: Path, workers: int = 0, *options: str) -> Iterator[Dask]:
    """A scheduler with workers, until the block ends."""
    made = Dask(folder, *options)
    try:
        for _ in range(workers):
            made.worker()
        yield made
    finally:
        made.close()


def wait_for(found, seconds: float = 180.0):  # type: ignore[no-untyped-def]
    """What ``found()`` gives, once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise TimeoutError(f"not within {seconds} s")
