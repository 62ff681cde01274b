"""Where a sweep's chunks are counted: threads of this machine, or processes of a Dask cluster.

Both are a ``concurrent.futures.Executor``, so the sweep does not know the difference. Local workers are threads: the
kernels release the GIL (1.94x on two cores), and threads start at once, share one import and stop between two pieces.
Processes are what ``--cluster`` is for. A worker only counts; the store is written by the process that runs
``sims.sweep`` alone, so a worker that dies loses nothing but the chunk it was at, which is counted again elsewhere.

    python -m sims.sweep subset_sum ... --cluster local --jobs 8        # 8 worker processes on this machine
    python -m sims.sweep subset_sum ... --cluster tcp://head:8786       # workers of a running scheduler

**A cluster trusts whoever connects to it**: tasks are pickled Python, so a client can run any code on the scheduler's
workers, and a scheduler any code in its clients. ``local`` therefore takes TLS with keys made for the run, which never
leave its processes, and its web pages are off. A scheduler of your own at ``tcp://`` has no such lock: keep its port
within a network that you trust, or run it with certificates and name it as ``tls://`` (Dask's configuration
``distributed.comm.tls`` holds them).

It needs the extra ``cluster`` (pip install 'strong-tickets[cluster]'), the same version on every machine, and one
thread per worker process: more workers, not more threads.

On SLURM, with dask-jobqueue: start the scheduler and its workers from Python on the login node ...

    from dask_jobqueue import SLURMCluster
    cluster = SLURMCluster(cores=8, processes=8, memory="16GB", walltime="04:00:00",
                           job_script_prologue=["export NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1"])
    cluster.adapt(maximum_jobs=20)
    print(cluster.scheduler_address)      # tcp://...; leave this running

... and in another terminal ``python -m sims.sweep ... --store results.sqlite --cluster tcp://...``. Jobs may come, go
and be killed meanwhile. Without Dask, a job array with ``--shard`` does the same: see ``sims.sweep``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sims.commands.flags import UsageError
from sims.registry import experiment
from sims.sweep.store import Chunk
from sims.threads import Threads

_ASK_AGAIN = 5.0
_CONNECT = 10.0
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


@dataclass
class Pool:
    """Workers.

    ``workers``: their number, now. ``lost``: whether a failure was the worker's, so that the chunk is to be counted
    again.
    """

    executor: Executor
    workers: Callable[[], int]
    lost: Callable[[BaseException], bool]
    name: str
    stop: threading.Event | None = None

    def submit(self, task: Task) -> Future[Chunk]:
        """Have a chunk counted."""
        if self.stop is None:
            return self.executor.submit(run_task, task)
        return self.executor.submit(run_task, task, self.stop)


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
def pool(where: str | None, jobs: int) -> Iterator[Pool]:
    """Workers until the block ends.

    ``where``: None: threads of this process. ``local``: processes of this machine. Else the address of a Dask
    scheduler. ``jobs``: how many, unless a scheduler is given: then all that it has. Raises UsageError: no scheduler
    answers.
    """
    if where is None:
        stop = threading.Event()
        with Threads(jobs) as threads:
            try:
                yield Pool(threads, lambda: jobs, lambda problem: False, _plural(jobs, "thread"), stop)
            finally:
                stop.set()
        return
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(where, jobs))
        executor = client.get_executor(pure=False)
        stack.callback(executor.shutdown, wait=False)
        yield Pool(executor, _counted(client), _worker_failed, f"Dask ({where})")


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _counted(client: Any) -> Callable[[], int]:
    """The cluster's number of threads, asked for every few seconds; 1 while it has none yet."""
    known, asked = 1, -_ASK_AGAIN

    def workers() -> int:
        nonlocal known, asked
        if time.monotonic() - asked > _ASK_AGAIN:
            known, asked = max(1, sum(client.nthreads().values())), time.monotonic()
        return known

    return workers


def _worker_failed(problem: BaseException) -> bool:
    """A dead worker, a broken connection or a task that the scheduler forgot."""
    import distributed
    from distributed.comm.core import CommClosedError

    return isinstance(problem, (distributed.KilledWorker, CommClosedError, CancelledError, ConnectionError))


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes and threads started in the block never see Ctrl-C: the client ends them, without their tracebacks."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _client(where: str, jobs: int) -> Iterator[Any]:
    """A Dask client, and behind ``local`` a cluster of one thread per process, none of them talkative."""
    import dask
    from distributed import Client, LocalCluster

    start_cluster: Any = LocalCluster
    connect: Any = Client
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    own = where == "local"
    one = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            dask.config.set(
                {
                    "distributed.nanny.pre-spawn-environ": one,
                    "distributed.scheduler.allowed-failures": TRIES,
                    "distributed.admin.tick.limit": "1h",
                    **({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []} if own else {}),
                }
            )
        )
        address: Any = where
        if own:
            with _deaf_children():
                local = start_cluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    security=True,  # keys of this run alone: nobody else can connect
                    silence_logs=logging.CRITICAL,
                )
            address = stack.enter_context(local)
        try:
            client = connect(address, timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError) as problem:
            raise UsageError(f"--cluster {where}: no scheduler answers ({type(problem).__name__})") from None
        yield stack.enter_context(client)
