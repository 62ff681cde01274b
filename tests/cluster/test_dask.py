"""A scheduler and workers that are processes of their own: they come late, die, or are not what they should be."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from sims.commands.flags import UsageError
from sims.sweep import cluster, remote
from sims.sweep import command as sweep
from tests.cluster.processes import ROOT, Dask, dask, wait_for

pytestmark = pytest.mark.skipif(not cluster.has_dask(), reason="needs Dask (extra: cluster)")

SWEEP = ["subset_sum", "--eps", "1e-2", "--n", "1:6", "--trials", "1000", "--seed", "1", "--quiet"]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("dask")) as found:
        yield found


def swept(folder: Path, address: str, *more: str) -> int:
    return sweep.main([*SWEEP, "--store", str(folder / "s"), "--cluster", address, *more])


@pytest.mark.filterwarnings("ignore")
def test_workers_that_come_late_and_die(
    scheduler: Dask, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is waited for, killed once a chunk of its is there, and another ends what it began."""
    said: list[str] = []
    monkeypatch.setattr(remote, "_PATIENCE", 0.0)
    argv = [*SWEEP[:-1], "--chunk", "50", "--json", "--store"]

    def serve() -> None:
        wait_for(lambda: said)
        first = scheduler.worker()
        wait_for(lambda: counted)
        first.kill()
        scheduler.worker()

    counted: list[object] = []
    take = sweep.Sweep._take
    monkeypatch.setattr(sweep.Sweep, "_take", lambda self, chunk, advance: (counted.append(chunk),
                                                                           take(self, chunk, advance)))  # fmt: skip
    check = remote.Remote.check

    def told(self: remote.Remote) -> None:
        self._say = said.append
        check(self)

    monkeypatch.setattr(remote.Remote, "check", told)
    helper = threading.Thread(target=serve)
    helper.start()
    assert sweep.main([*argv, str(tmp_path / "s"), "--cluster", scheduler.address]) == 0
    helper.join()
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert said[0] == f"waiting for workers: the scheduler at {scheduler.address} has none"
    assert sweep.main([*argv, str(tmp_path / "alone")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == rows


@pytest.mark.filterwarnings("ignore")
def test_workers_without_the_package_or_with_another(
    scheduler: Dask, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for one in scheduler.alive():
        one.kill()
    (tmp_path / "sims.py").write_text("raise ModuleNotFoundError(\"No module named 'sims'\", name='sims')")
    without = scheduler.worker(PYTHONPATH=str(tmp_path))
    assert swept(tmp_path, scheduler.address) == 2
    error = capsys.readouterr().err
    assert "error: a worker lacks strong-tickets" in error
    assert "No module named 'sims'); --resume goes on" in error
    assert without.poll() is None
    without.kill()
    about = tmp_path / "old/strong_tickets-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strong-tickets\nVersion: 0.1.0\n")
    old = scheduler.worker(PYTHONPATH=f"{about.parent}:{ROOT}")
    assert swept(tmp_path, scheduler.address, "--resume") == 2
    assert "error: a worker runs version 0.1.0, the sweep" in capsys.readouterr().err
    old.kill()


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_dies(
    scheduler: Dask, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "CONNECT", 1.0)
    monkeypatch.setattr(remote.Remote, "workers", lambda self: scheduler.scheduler.kill() or 1)
    assert swept(tmp_path, scheduler.address) == 2
    error = capsys.readouterr().err
    assert error == (
        f"error: --cluster {scheduler.address}: the scheduler is gone; --resume goes on with {tmp_path / 's'}\n"
    )
    assert sweep.main([*SWEEP, "--store", str(tmp_path / "s"), "--resume"]) == 0


def test_a_scheduler_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        status = "running"

        class loop:
            add_callback = staticmethod(lambda call: None)

    found = remote.Remote(Client(), "tcp://a:1", print)
    found.check()
    monkeypatch.setattr(found, "_answered", time.monotonic() - remote.SILENT - 1)
    with pytest.raises(RuntimeError, match="tcp://a:1: the scheduler is gone"):
        found.check()


@pytest.mark.parametrize(
    ("problem", "kind", "lost"),
    [
        ("killed", "KilledWorker", True),
        ("cancelled", "FutureCancelledError", True),
        ("import", "RuntimeError", False),
        ("value", "ValueError", False),
    ],
)
def test_whatever_a_future_of_dask_ends_in_is_heard(problem: str, kind: str, lost: bool) -> None:
    """Also what comes out of waiting for it: that of Dask's own executor is lost."""
    import distributed
    from distributed.client import FutureCancelledError

    raised = {
        "killed": distributed.KilledWorker("a", None, 3),
        "cancelled": FutureCancelledError("a", None),
        "import": ModuleNotFoundError("No module named 'sims'"),
        "value": ValueError("no"),
    }[problem]

    async def fails() -> None:
        raise raised

    ours: Future = Future()
    asyncio.run(remote._deliver(fails(), ours, "0"))
    assert type(ours.exception(timeout=0)).__name__ == kind
    assert remote.Remote.lost(None, ours.exception(timeout=0)) is lost


@contextlib.contextmanager
def port(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port of this machine where every caller gets that answer."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller = server.accept()[0]
                    kept.append(caller)
                    with contextlib.suppress(OSError):
                        answer(caller)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda caller: None, "no scheduler answers within 1 s"),
        (lambda caller: caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "speaks another protocol"),
        (lambda caller: caller.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "speaks another protocol"),
        (lambda caller: caller.sendall(bytes(1000)), "speaks another protocol"),
        (lambda caller: caller.close(), "no scheduler answers"),
    ],
    ids=["silence", "HTTP", "SSH", "zeros", "closed"],
)
def test_what_answers_is_no_scheduler(
    answer: Callable[[socket.socket], object],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "CONNECT", 1.0)
    with port(answer) as number:
        assert swept(tmp_path, f"tcp://127.0.0.1:{number}") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --cluster tcp://127.0.0.1:{number}: ")
    assert why in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_worker_is_no_scheduler() -> None:
    from distributed.core import Server

    async def serve() -> None:
        async with Server({"identity": lambda: {"type": "Worker"}}) as server:
            await server.listen("tcp://127.0.0.1:0")
            with pytest.raises(UsageError, match=r"what answers is no scheduler \(Worker\)"):
                await asyncio.to_thread(remote.check_scheduler, server.address)

    asyncio.run(serve())
