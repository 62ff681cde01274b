"""Dask: the same totals as one process, though a worker is killed; skipped where distributed is missing."""

import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sims import subset_sum
from sims.sweep import cluster, remote
from sims.sweep import command as sweep
from sims.sweep.store import Store, StoreError
from tests.cluster.processes import wait_for
from tests.cluster.stress import chunks
from tests.sims.test_interrupt import interrupted, start

ARGV = ["--eps", "1e-4", "--n", "1:16", "--trials", "60000", "--seed", "4", "--json"]

LONG = ["subset_sum", "--eps", "1e-4", "--n", "1:16", "--trials", "1e9", "--chunk", "1000", "--seed", "4",
        "--max-time", "inf"]  # fmt: skip

needs_dask = pytest.mark.skipif(not cluster.has_dask(), reason="needs Dask (extra: cluster)")


def kill_a_worker(store: str, found: list[int]) -> None:
    """Once some chunks are there, SIGKILL the first worker process."""
    import distributed

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.02)
        try:
            with Store(store) as opened:
                if opened.done()[0] < 3:
                    continue
        except StoreError:  # it is not there yet, or is just being made
            continue
        for one in distributed.LocalCluster._instances:
            for worker in one.workers.values():
                if worker.pid:
                    os.kill(worker.pid, signal.SIGKILL)
                    found.append(worker.pid)
                    return


@needs_dask
@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store, killed = str(tmp_path / "s"), []
    killer = threading.Thread(target=kill_a_worker, args=(store, killed))
    killer.start()
    argv = ["subset_sum", *ARGV, "--chunk", "600", "--store", store, "--cluster", "local", "--jobs", "2"]
    assert sweep.main(argv) == 0
    killer.join()
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(killed) == 1
    assert subset_sum.main(ARGV) == 0
    assert json.loads(captured.out)["rows"] == json.loads(capsys.readouterr().out)["rows"]
    with Store(store) as opened:
        assert opened.done()[:2] == (100, 60000)


@needs_dask
@pytest.mark.filterwarnings("ignore")
def test_nobody_else_connects_to_a_local_cluster() -> None:
    """Neither in plain nor with keys of one's own: only with those of the run."""
    import distributed

    with remote.client_of("local", 1) as client:
        address = client.scheduler.address
        client.wait_for_workers(1, timeout=60)
        pages = distributed.LocalCluster._instances.copy().pop().scheduler.http_server.port
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{pages}/info/main/workers.html", timeout=5)
        assert address.startswith("tls://127.0.0.1:")
        workers = list(client.scheduler_info()["workers"])
        assert all(worker.startswith("tls://127.0.0.1:") for worker in workers)
        for place in (address, *workers):
            for there, keys in ((place.replace("tls", "tcp"), None), (place, distributed.Security.temporary())):
                with pytest.raises((OSError, TimeoutError)):
                    distributed.Client(there, security=keys, timeout=1.5, set_as_default=False)
        with distributed.Client(address, security=client.security, timeout=10, set_as_default=False) as known:
            assert known.submit(sum, [1, 2]).result(timeout=20) == 3


@needs_dask
def test_no_scheduler_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "CONNECT", 0.5)
    argv = ["subset_sum", *ARGV, "--store", str(tmp_path / "s"), "--cluster", "tcp://127.0.0.1:9"]
    assert sweep.main(argv) == 2
    assert capsys.readouterr().err.startswith("error: --cluster tcp://127.0.0.1:9: no scheduler answers")
    assert not (tmp_path / "s").exists()


def tree(root: int) -> set[int]:
    """That process and all below it."""
    found = {root}
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{root}/task").glob("*/children"):
            found |= {one for child in path.read_text().split() for one in tree(int(child))}
    return found


@needs_dask
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds child processes under /proc")
@pytest.mark.parametrize("counting", [False, True], ids=["while workers start", "while they count"])
def test_ctrl_c_waits_for_no_worker(counting: bool, tmp_path: Path) -> None:
    argv = ["sims.sweep", *LONG, "--store", "s", "--cluster", "local", "--jobs", "2"]
    process = start(*argv, cwd=tmp_path)
    if counting:
        wait_for(lambda: (tmp_path / "s").exists() and chunks(tmp_path / "s"))
    else:
        wait_for(lambda: len(tree(process.pid)) > 2)
    below = tree(process.pid)
    err, _ = interrupted(process)
    assert err.splitlines()[-1].startswith("interrupted")
    assert "leaked" not in err
    wait_for(lambda: not any(Path(f"/proc/{one}").is_dir() for one in below))


@needs_dask
@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("tls://127.0.0.1:9", "needs certificates"),
        ("wss://127.0.0.1:9", "needs certificates"),
        ("ucx://a:9", "cannot speak"),
    ],
)
def test_a_protocol_that_cannot_be_spoken_is_one_line(
    where: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert sweep.main(["subset_sum", *ARGV, "--store", str(tmp_path / "s"), "--cluster", where]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --cluster {where}")
    assert why in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s").exists()


@needs_dask
def test_certificates_that_are_not_there_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    import dask

    missing = str(tmp_path / "missing.pem")
    keys = {f"distributed.comm.tls.{name}": missing for name in ("ca-file", "client.cert", "client.key")}
    argv = ["subset_sum", *ARGV, "--store", str(tmp_path / "s"), "--cluster", "tls://127.0.0.1:9"]
    with dask.config.set(keys):
        assert sweep.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --cluster tls://127.0.0.1:9: ")
    assert error.count("\n") == 1


@needs_dask
def test_without_keys_no_local_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None if name == "cryptography" else name)
    assert sweep.main(["subset_sum", *ARGV, "--store", str(tmp_path / "s"), "--cluster", "local"]) == 2
    assert "needs cryptography" in capsys.readouterr().err


def test_without_dask_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "has_dask", lambda: False)
    assert sweep.main(["subset_sum", *ARGV, "--store", str(tmp_path / "s"), "--cluster", "local"]) == 2
    assert capsys.readouterr().err == "error: --cluster needs Dask: pip install 'strong-tickets[cluster]'\n"
    assert not (tmp_path / "s").exists()


class Flaky:
    """Workers whose every task fails a few times before it is counted."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.seen: dict[int, int] = {}

    def submit(self, task: cluster.Task) -> object:
        from concurrent.futures import Future

        future: Future = Future()
        self.seen[task.first] = self.seen.get(task.first, 0) + 1
        if self.seen[task.first] <= self.failures:
            future.set_exception(ConnectionError("the worker is gone"))
        else:
            future.set_result(cluster.run_task(task))
        return future


@pytest.mark.parametrize(("failures", "code"), [(0, 0), (cluster.TRIES - 1, 0), (cluster.TRIES, 2)])
def test_lost_chunks_are_counted_again(
    failures: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    flaky = Flaky(failures)

    @contextmanager
    def pool(where: object, jobs: int, say: object) -> object:
        yield cluster.Pool(flaky.submit, lambda: 2, lambda problem: isinstance(problem, ConnectionError))

    monkeypatch.setattr(sweep, "pool", pool)
    assert sweep.main(["subset_sum", *ARGV, "--chunk", "10000", "--store", str(tmp_path / "s")]) == code
    captured = capsys.readouterr()
    if code:
        assert "was lost 8 times" in captured.err
        assert "--resume goes on" in captured.err
        return
    assert set(flaky.seen.values()) == {failures + 1}
    assert subset_sum.main(ARGV) == 0
    assert json.loads(captured.out)["rows"] == json.loads(capsys.readouterr().out)["rows"]
