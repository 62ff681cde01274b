"""A Dask scheduler and its workers: chunks go out and come back, and nothing waits in silence.

- Workers may come, go and be killed: Dask gives their chunks to others. A chunk that has died with too many workers
  for Dask comes back as a failure, and the sweep hands it out anew.
- A scheduler without workers is waited for, and people are told.
- A scheduler that is lost has ``CONNECT`` seconds to come back, one that answers nothing ``SILENT``. Then the sweep
  ends, and its store goes on elsewhere.
- What answers at the address must be a scheduler, and within ``CONNECT`` seconds: it is asked before Dask's client is,
  which may wait forever, or for gigabytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from multiprocessing import active_children
from pickle import dumps, loads
from typing import Any
from uuid import uuid4

from sims.commands.flags import UsageError
from sims.commands.interrupt import deaf_children
from sims.plain_text import counted
from sims.sweep.cluster import TRIES, Task, run_task
from sims.sweep.store import Chunk

CONNECT = 10.0
SILENT = 30.0
_ASK_AGAIN = 1.0
_PATIENCE = 2.0
"""Seconds without workers before people are told."""
_START = 120.0
"""Seconds that worker processes of this machine may take to start."""
_CLOSE = 0.5

_ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_NO_PAGES: dict[str, object] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}


class _Call:
    """A chunk to count whose pickle is counted when it is loaded.

    Dask's own pickles of our functions would break the connection of a worker that has not the package; this one is
    loaded where a task may fail.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def __reduce__(self) -> tuple[Callable[[Task], Chunk], tuple[Task]]:
        return run_task, (self.task,)


class Remote:
    """The workers of a scheduler, through a Dask client.

    ``where``: what people call it. ``say``: tells them something.
    """

    def __init__(self, client: Any, where: str, say: Callable[[str], None]) -> None:
        self._client, self._where, self._say = client, where, say
        self._threads = 0
        self._answered = self._served = time.monotonic()
        self._told = self._over = False
        client.loop.add_callback(self._watch)

    def close(self) -> None:
        """Ask for nothing more."""
        self._over = True

    def workers(self) -> int:
        """The cluster's number of threads; 1 while it has none."""
        return max(1, self._threads)

    def submit(self, task: Task) -> Future[Chunk]:
        """Have a chunk counted. Raises RuntimeError: the scheduler is gone."""
        ours: Future[Chunk] = Future()
        try:
            theirs = self._client.submit(loads, dumps(_Call(task)), key=f"{task.experiment}-{uuid4().hex}")
        except RuntimeError:  # the client was closed just now
            raise self._gone() from None
        self._client.loop.add_callback(_deliver, theirs, ours, task.version)
        return ours

    def lost(self, problem: BaseException) -> bool:
        """Whether it was a dead worker, a broken connection or a task that the scheduler forgot."""
        import distributed
        from distributed.comm.core import CommClosedError

        return isinstance(
            problem,
            (distributed.KilledWorker, CommClosedError, CancelledError, asyncio.CancelledError, ConnectionError),
        )

    def check(self) -> None:
        """Wait for a scheduler that may come back, and say if there are no workers.

        Raises RuntimeError: it does not.
        """
        while self._client.status == "connecting":
            time.sleep(0.05)
        now = time.monotonic()
        if self._client.status != "running" or now - self._answered > SILENT:
            raise self._gone()
        if self._threads:
            if self._told:
                self._say(f"{counted(self._threads, 'worker')} of {self._where}: counting goes on")
            self._served, self._told = now, False
        elif self._where == "local":
            if now - self._served > _START:
                raise RuntimeError(f"--cluster local: there was no worker process for {_START:.0f} s")
        elif not self._told and now - self._served > _PATIENCE:
            self._say(f"waiting for workers: the scheduler at {self._where} has none")
            self._told = True

    def _gone(self) -> RuntimeError:
        return RuntimeError(f"--cluster {self._where}: the scheduler is gone")

    async def _watch(self) -> None:
        """Ask again and again how many threads there are."""
        while not self._over and self._client.status != "closed":
            with contextlib.suppress(Exception):  # it is judged by the time of its last answer
                threads = await asyncio.wait_for(self._client.scheduler.ncores(), SILENT)
                self._threads, self._answered = sum(threads.values()), time.monotonic()
            await asyncio.sleep(_ASK_AGAIN)


async def _deliver(theirs: Any, ours: Future[Chunk], version: str) -> None:
    """Let a future of ours end as Dask's does, whatever it ends in."""
    try:
        ours.set_result(await theirs)
    except BaseException as problem:
        unknown = isinstance(problem, AttributeError) and str(problem).startswith("Can't get attribute")
        if isinstance(problem, ImportError) or unknown:
            problem = RuntimeError(f"a worker lacks strong-tickets {version}, which runs here ({_words(problem)})")
        ours.set_exception(problem)


def _words(problem: BaseException) -> str:
    """An error in one line."""
    said = " ".join(str(problem).split())[:160]
    return f"{type(problem).__name__}: {said}" if said else type(problem).__name__


def check_scheduler(where: str) -> None:
    """Raise UsageError unless a Dask scheduler answers there."""
    from distributed import Security
    from distributed.core import rpc

    security: Any = Security
    connection: Any = rpc

    async def ask() -> Any:
        async with connection(where, timeout=CONNECT, connection_args=security().get_connection_args("client")) as it:
            return await it.identity()

    async def within() -> Any:
        return await asyncio.wait_for(ask(), CONNECT)

    try:
        kind = asyncio.run(within())["type"]
    except TimeoutError:
        raise UsageError(f"--cluster {where}: no scheduler answers within {CONNECT:.0f} s") from None
    except OSError as problem:
        raise UsageError(f"--cluster {where}: no scheduler answers ({_words(problem)})") from None
    except Exception as problem:  # whatever a stranger's bytes lead to
        raise UsageError(
            f"--cluster {where}: what answers speaks another protocol than Dask's ({type(problem).__name__})"
        ) from None
    if kind != "Scheduler":
        raise UsageError(f"--cluster {where}: what answers is no scheduler ({str(kind)[:40]})")


def _hush() -> None:
    """Dask says on its own loggers what is said here in one line."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextlib.contextmanager
def _local_cluster(jobs: int) -> Iterator[Any]:
    """Worker processes of this machine, one thread each, with keys of this run alone: nobody else can connect.

    They start while the block runs: Ctrl-C need not wait for them.
    """
    import dask
    from distributed import LocalCluster

    start: Any = LocalCluster
    others = set(active_children())
    with (
        tempfile.TemporaryDirectory(prefix="strong-tickets-", ignore_cleanup_errors=True) as folder,
        dask.config.set({"temporary-directory": folder}),
    ):
        with deaf_children():
            cluster = start(
                n_workers=0,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any port, where nothing is shown
                security=True,
                silence_logs=logging.CRITICAL,
            )
        try:
            cluster.scale(jobs)
            yield cluster
            cluster.close()
        except BaseException:  # they would be asked to end, and waited for
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
            for child in set(active_children()) - others:
                child.kill()
            _close(cluster)
            raise


def _close(client_or_cluster: Any) -> None:
    """Close it, if that is soon done: where something went wrong, the other side may never answer."""
    with contextlib.suppress(Exception):
        client_or_cluster.close(timeout=_CLOSE)


@contextlib.contextmanager
def client_of(where: str, jobs: int) -> Iterator[Any]:
    """A Dask client, and behind ``local`` a cluster of its own, none of them talkative.

    Raises UsageError: no scheduler answers.
    """
    import dask
    from distributed import Client

    connect: Any = Client
    _hush()
    own = where == "local"
    settings = {
        "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
        "distributed.scheduler.allowed-failures": TRIES,
        "distributed.admin.tick.limit": "1h",
        **(_NO_PAGES if own else {}),
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if own:
            cluster = stack.enter_context(_local_cluster(jobs))
            address, security = cluster.scheduler_address, cluster.security
        else:
            check_scheduler(where)
            address, security = where, None
        try:
            client = connect(address, security=security, timeout=CONNECT, set_as_default=False)
        except (OSError, TimeoutError) as problem:
            raise UsageError(f"--cluster {where}: no scheduler answers ({_words(problem)})") from None
        try:
            yield client
            client.close()
        except BaseException:
            _close(client)
            raise


@contextlib.contextmanager
def connected(where: str, jobs: int, say: Callable[[str], None]) -> Iterator[Remote]:
    """The workers of that scheduler until the block ends.

    Raises UsageError: no scheduler answers.
    """
    with client_of(where, jobs) as client:
        remote = Remote(client, where, say)
        try:
            yield remote
        finally:
            remote.close()
