"""Where a sweep's chunks are counted: threads of this machine, or processes of a Dask cluster.

The sweep does not know the difference. Local workers are threads: the kernels release the GIL (1.94x on two cores),
and threads start at once, share one import and stop between two pieces. Processes are what ``--cluster`` is for. A
worker only counts; the store is written by the process that runs ``sims.sweep`` alone, so a worker that dies loses
nothing but the chunk it was at, which is counted again elsewhere.

    python -m sims.sweep subset_sum ... --cluster local --jobs 8        # 8 worker processes on this machine
    python -m sims.sweep subset_sum ... --cluster tcp://head:8786       # workers of a running scheduler

**A cluster trusts whoever connects to it**: tasks are pickled Python, so a client can run any code on the scheduler's
workers, and a scheduler any code in its clients. ``local`` therefore takes TLS with keys made for the run, which never
leave its processes, and its web pages are off. A scheduler of your own at ``tcp://`` has no such lock: keep its port
within a network that you trust, or run it with certificates and name it as ``tls://`` (Dask's configuration
``distributed.comm.tls`` holds them).

It needs the extra ``cluster`` (pip install 'strong-tickets[cluster]'), the same version on every machine, and one
thread per worker process: more workers, not more threads. What becomes of workers and schedulers that come, go and die
is in ``sims.sweep.remote``; on SLURM, see docs/howto/slurm.md.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sims.commands.flags import UsageError
from sims.registry import experiment
from sims.sweep.store import Chunk
from sims.threads import Threads

_LOOK = 0.2
TRIES = 8
"""How often a chunk is begun before its failure is believed."""


@dataclass(frozen=True)
class Task:
    """One chunk to count, complete in itself: it may be counted anywhere."""

    experiment: str
    number: int
    cell: str
    seed: int
    first: int
    trials: int
    version: str


class Stopped(Exception):
    """Counting was given up because the sweep is ending."""


_own = threading.local()
"""Each thread keeps the counter of the cell that it counted last."""


def run_task(task: Task, stop: threading.Event | None = None) -> Chunk:
    """Count one chunk, on the calling thread alone.

    Raises Stopped: ``stop`` was set meanwhile. Raises RuntimeError: this process runs another version of the package
    than the one that asks.
    """
    from importlib.metadata import version

    def tick(amount: float) -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    if version("strong-tickets") != task.version:
        raise RuntimeError(f"a worker runs version {version('strong-tickets')}, the sweep {task.version}")
    tick(0)
    key = (task.experiment, task.cell, task.seed)
    if getattr(_own, "key", None) != key:
        _own.key = _own.counter = None
        kind = experiment(task.experiment)
        _own.counter = kind.counter_of(kind.decode(json.loads(task.cell)), task.seed)
        _own.key = key
    started = time.monotonic()
    counts, extra = _own.counter.chunk(task.first, task.trials, tick)
    return Chunk(task.number, task.first, task.trials, tuple(counts.tolist()), extra, time.monotonic() - started)


def _nobody_fails(problem: BaseException) -> bool:
    return False


def _nothing() -> None:
    pass


@dataclass
class Pool:
    """Workers.

    ``submit``: has a chunk counted. ``workers``: their number, now. ``lost``: whether a failure was the worker's, so
    that the chunk is to be counted again. ``check``: called now and then; raises RuntimeError if no more chunks will
    come. ``ahead``: chunks to hand out per worker.
    """

    submit: Callable[[Task], Future[Chunk]]
    workers: Callable[[], int]
    lost: Callable[[BaseException], bool] = _nobody_fails
    check: Callable[[], None] = _nothing
    ahead: int = 2

    def wait(self, pending: Collection[Future[Chunk]]) -> set[Future[Chunk]]:
        """Those that are done, as soon as one is; none after a while. Raises RuntimeError: there will be none."""
        done = wait(pending, timeout=_LOOK, return_when=FIRST_COMPLETED).done
        self.check()
        return done


def check_where(where: str | None) -> None:
    """Refuse what is neither ``local`` nor the address of a scheduler, and a cluster without Dask.

    Raises UsageError.
    """
    if where is None:
        return
    if where != "local" and not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+:\d+", where):
        raise UsageError(f"--cluster takes local, tcp://HOST:PORT or tls://HOST:PORT, got {where}")
    if not has_dask():
        raise UsageError("--cluster needs Dask: pip install 'strong-tickets[cluster]'")
    if where != "local":
        _check_protocol(where)
    elif find_spec("cryptography") is None:
        raise UsageError("--cluster local needs cryptography for its keys: pip install 'strong-tickets[cluster]'")


def _check_protocol(where: str) -> None:
    """Refuse what Dask cannot speak here, and TLS without certificates: its client would say so in a traceback."""
    from distributed import Security
    from distributed.comm.registry import get_backend

    protocol = where.partition("://")[0]
    start_security: Any = Security
    backend: Any = get_backend
    try:
        backend(protocol).get_connector()
        keys = start_security().get_connection_args("client").get("ssl_context")
    except (OSError, ValueError, TypeError, LookupError, ImportError, RuntimeError) as problem:
        raise UsageError(
            f"--cluster {where}: Dask cannot speak it here ({' '.join(str(problem).split())[:160]})"
        ) from None
    if protocol in ("tls", "wss") and keys is None:
        raise UsageError(
            f"--cluster {where} needs certificates: name them in Dask's configuration distributed.comm.tls"
        )


def has_dask() -> bool:
    """Whether the extra ``cluster`` is installed."""
    return find_spec("distributed") is not None


@contextlib.contextmanager
def pool(where: str | None, jobs: int, say: Callable[[str], None]) -> Iterator[Pool]:
    """Workers until the block ends.

    ``where``: None: threads of this process. ``local``: processes of this machine. Else the address of a Dask
    scheduler. ``jobs``: how many, unless a scheduler is given: then all that it has. ``say``: tells people what is
    waited for. Raises UsageError: no scheduler answers.
    """
    if where is not None:
        from sims.sweep.remote import connected

        with connected(where, jobs, say) as remote:
            ahead = 2 if where == "local" else 10  # an adaptive cluster grows by what waits
            yield Pool(remote.submit, remote.workers, remote.lost, remote.check, ahead)
        return
    stop = threading.Event()
    with Threads(jobs) as threads:
        try:
            yield Pool(lambda task: threads.submit(run_task, task, stop), lambda: jobs)
        finally:
            stop.set()
