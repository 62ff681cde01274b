"""Sweeps: killed, cut, shared and merged, they give exactly what the single command gives."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims import binary_weights, coverage, draw_code, fixed_size, grid_sum, movable_sum, single_weight, subset_sum
from sims import store as store_cli
from sims.commands import cli
from sims.experiment import Options, Pass, Request
from sims.registry import NAMES
from sims.sweep import command as sweep
from sims.sweep.cluster import Pool, Stopped, Task, run_task
from sims.sweep.cost import chunk_trials, predict
from sims.sweep.plan import Missing, Plan, Replay, pieces
from sims.sweep.store import Chunk, Store, StoreError
from theory.subset_sum import SubsetSum

ROOT = Path(cli.__file__).parents[2]
GRID = ["--R", "1", "2", "--eps", "0.05", "0.2", "--n", "1:7", "--trials", "5000", "--seed", "11"]
SLOW = ["--eps", "1e-4", "--n", "1:16", "--trials", "120000", "--seed", "4", "--chunk", "1500"]


def rows(capsys: pytest.CaptureFixture, main: object, *argv: str) -> list[dict]:
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def swept(capsys: pytest.CaptureFixture, store: Path, *argv: str) -> list[dict]:
    return rows(capsys, sweep.main, *argv, "--store", str(store))


def start(store: Path, *argv: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "sims.sweep", "subset_sum", *argv, "--store", str(store), "--jobs", "2"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stored(store: Path) -> int:
    try:
        with Store(str(store)) as opened:
            return opened.done()[0]
    except StoreError:
        return 0


def test_kill_9_again_and_again_then_resume(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store, choose, seen = tmp_path / "s", random.Random(5), 0
    for _ in range(4):
        process = start(store, *SLOW, "--resume")
        before = stored(store)
        while process.poll() is None and stored(store) < before + 3:
            time.sleep(0.01)
        time.sleep(choose.uniform(0.0, 0.25))
        acknowledged = stored(store)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert stored(store) >= acknowledged >= seen
        seen = acknowledged
    assert seen > 0
    resumed = swept(capsys, store, "subset_sum", *SLOW, "--resume")
    assert resumed == swept(capsys, tmp_path / "undisturbed", "subset_sum", *SLOW)
    assert resumed == rows(capsys, subset_sum.main, *SLOW[:-2])
    assert stored(store) == 80


def test_ctrl_c_leaves_a_resumable_store(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    process = start(tmp_path / "s", *("1e9" if token == "120000" else token for token in SLOW))
    assert process.stdout.readline().startswith("seed 4, 1000000000 trials a row, 1 cell, 666667 chunks")
    while stored(tmp_path / "s") < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1].startswith("interrupted; ")
    kept = stored(tmp_path / "s")
    assert f"interrupted; {kept} of 666667 chunks are in" in err
    assert "the same command with --resume goes on" in err
    with Store(str(tmp_path / "s")) as store:
        count = subset_sum.EXPERIMENT.counter(SubsetSum(eps=1e-4), range(1, 17), 4)
        for chunk in list(store.chunks(0).values())[:3]:
            assert chunk.counts == tuple(count(chunk.first, chunk.trials))


CASES = [
    ("subset_sum", subset_sum, GRID),
    ("subset_sum", subset_sum, [*GRID, "--alpha", "0.3", "uniform", "--model", "vector", "--first-trial", "777"]),
    ("subset_sum", subset_sum, [*GRID, "--until", "0.05"]),
    ("single_weight", single_weight, [*GRID, "--sampler", "nearest"]),
    ("binary_weights", binary_weights, [*GRID, "--kind", "two-stage", "--inner", "2", "--gain", "0.15"]),
    ("fixed_size", fixed_size, [*GRID, "--size", "2", "3"]),
    ("grid_sum", grid_sum, ["--grid", "5", "9", "--n", "1:4", "--trials", "900", "--seed", "2", "--R", "1", "2"]),
    ("movable_sum", movable_sum, [*GRID, "--move", "0", "0.01"]),
    ("draw_code", draw_code, ["--eps", "0.2", "0.1", "--d", "1", "2", "--trials", "900", "--seed", "2"]),
    ("coverage", coverage, ["--eps", "0.2", "0.1", "--trials", "900", "--R", "1", "2", "--seed", "2"]),
    ("coverage", coverage, ["--eps", "0.2", "--n", "3:8", "--trials", "1500", "--seed", "2", "--until", "0.06"]),
    ("coverage", coverage, ["--eps", "0.1", "--n", "3:6", "--trials", "500", "--seed", "2", "--method", "bitmap"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "command", "argv"), CASES, ids=range(len(CASES)))
def test_rows_are_those_of_the_command(
    name: str, command: object, argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    expected = rows(capsys, command.main, *argv)
    assert swept(capsys, tmp_path / "s", name, *argv, "--chunk", "217", "--jobs", "3") == expected
    assert rows(capsys, store_cli.main, "export", str(tmp_path / "s")) == expected
    assert store_cli.main(["export", str(tmp_path / "s"), "--quiet", "--csv", str(tmp_path / "a.csv")]) == 0
    assert command.main([*argv, "--quiet", "--csv", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def at_once(task: Task) -> Future:
    found: Future = Future()
    found.set_result(run_task(task))
    return found


@pytest.mark.parametrize("width", range(1, 6))
def test_rows_that_stop_early_whatever_comes_back_together(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that finish all they were given before any more is asked of them."""
    lockstep = Pool(at_once, lambda: width)
    monkeypatch.setattr(sweep, "pool", lambda where, jobs, say: contextlib.nullcontext(lockstep))
    argv = ["--eps", "0.2", "--n", "3:8", "--trials", "1500", "--seed", "2", "--until", "0.06"]
    expected = rows(capsys, coverage.main, *argv)
    assert len({row["trials"] for row in expected}) > 1
    for chunk in ("125", "217", "250"):
        assert swept(capsys, tmp_path / chunk, "coverage", *argv, "--chunk", chunk) == expected


def test_recycling(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from sims import recycling

    argv = ["--eps", "0.2", "0.1", "--n", "1:4", "--trials", "2000", "--seed", "2"]
    expected = rows(capsys, recycling.main, *argv)
    assert swept(capsys, tmp_path / "s", "recycling", *argv, "--chunk", "300") == expected
    with Store(str(tmp_path / "s"), write=True) as store:
        store._db.execute("DELETE FROM chunks WHERE cell = 2 AND first = 600")
    found = rows(capsys, store_cli.main, "export", str(tmp_path / "s"), "--partial")
    assert [row["successes"] for row in found] == [row["successes"] for row in expected if row["eps"] == 0.1]


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch (extra: nets)")
def test_main_theorem(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from nets import main_theorem

    argv = ["--widths", "2", "3", "1", "--R", "300", "3000", "--trials", "25", "--targets", "3", "--seed", "2"]
    argv += ["--n", "2", "--jobs", "1"]
    expected = rows(capsys, main_theorem.main, *argv)
    found = swept(capsys, tmp_path / "s", "main_theorem", *argv, "--chunk", "7")
    for mine, theirs in zip(found, expected, strict=True):
        assert theirs["certified"] > 0
        for key in theirs.keys() - {"seconds"}:
            if key.startswith("error_"):  # sums in batches of another size
                assert mine[key] == pytest.approx(theirs[key], rel=1e-9, abs=0)
            else:
                assert mine[key] == theirs[key]


def test_without_torch_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert sweep.main(["main_theorem", "--store", str(tmp_path / "s")]) == 2
    assert capsys.readouterr().err == "error: main_theorem needs PyTorch: pip install 'strong-tickets[nets]'\n"


@pytest.mark.parametrize("numbers", [range(3), range(1, 4)], ids=["from 0", "from 1"])
@pytest.mark.parametrize("until", [[], ["--until", "0.1"]], ids=["all", "until"])
def test_shards_make_the_whole(numbers: range, until: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    parts = []
    for i in numbers:
        parts.append(str(tmp_path / f"part{i}"))
        argv = ["subset_sum", *GRID, *until, "--chunk", "600", "--shard", f"{i}/3", "--store", parts[-1], "--json"]
        assert sweep.main(argv) == 0
        assert json.loads(capsys.readouterr().out)["shard"] == i % 3
        with Store(parts[-1]) as store:
            assert store.done()[0] > 0
    whole = tmp_path / "whole"
    assert store_cli.main(["merge", str(whole), *parts[:2]]) == 0
    assert store_cli.main(["export", str(whole)]) == 2
    assert "--partial" in capsys.readouterr().err
    assert store_cli.main(["merge", str(whole), *parts]) == 0
    shares = [stored(Path(part)) for part in parts]
    capsys.readouterr()
    assert stored(whole) == sum(shares)  # no chunk was counted twice
    if not until:
        assert shares == [12, 12, 12]
    expected = rows(capsys, subset_sum.main, *GRID, *until)
    assert rows(capsys, store_cli.main, "export", str(whole)) == expected


def test_partial_export_has_the_finished_cells(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = ["coverage", "--eps", "0.2", "--R", "1", "2", "--n", "2:5", "--trials", "300", "--seed", "2"]
    expected = swept(capsys, tmp_path / "s", *argv, "--chunk", "100")
    with Store(str(tmp_path / "s"), write=True) as store:
        store._db.execute("DELETE FROM chunks WHERE cell = 6 AND first = 200")
    assert store_cli.main(["export", str(tmp_path / "s")]) == 2
    assert "1 of 8 cells are unfinished" in capsys.readouterr().err
    assert rows(capsys, store_cli.main, "export", str(tmp_path / "s"), "--partial") == expected[:4]
    assert store_cli.main(["info", str(tmp_path / "s")]) == 0
    assert "7 of 8 cells are finished: 23 of 24 chunks" in capsys.readouterr().out


def test_more_trials_go_on_where_fewer_ended(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = ["subset_sum", "--n", "1:5", "--seed", "3", "--chunk", "400"]
    swept(capsys, tmp_path / "s", *argv, "--trials", "1000")
    more = swept(capsys, tmp_path / "s", *argv, "--trials", "1900", "--resume")
    assert more == rows(capsys, subset_sum.main, "--n", "1:5", "--seed", "3", "--trials", "1900")
    assert sweep.main([*argv, "--trials", "1000", "--resume", "--store", str(tmp_path / "s")]) == 2
    assert "--trials may only grow" in capsys.readouterr().err


def test_resuming_takes_the_seed_and_the_chunks_of_the_store(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = ["subset_sum", "--n", "1:5", "--trials", "1000"]
    first = swept(capsys, tmp_path / "s", *argv, "--chunk", "300")
    assert swept(capsys, tmp_path / "s", *argv, "--resume") == first
    assert stored(tmp_path / "s") == 4


BAD = [
    ([], "--resume goes on with it"),
    (["--resume", "--seed", "12"], "is of another sweep: seed 11 there, 12 here"),
    (["--resume", "--model", "vector"], 'kind "choice" there, "vector" here'),
    (["--resume", "--eps", "0.3"], "eps [0.05, 0.2] there, [0.3] here"),
    (["--resume", "--chunk", "77"], "chunks of"),
    (["--resume", "--until", "0.1"], "until null there, 0.1 here"),
    (["--resume", "--shard", "4/3"], "--shard takes I/K"),
    (["--resume", "--shard", "0/0"], "--shard takes I/K"),
    (["--resume", "--shard", "1:3"], "--shard takes I/K"),
    (["--resume", "--chunk", "0"], "--chunk must be an integer in [1,"),
    (["--resume", "--cluster", "remote"], "--cluster takes local, tcp://HOST:PORT or tls://HOST:PORT, got remote"),
    (["--resume", "--n", "90"], "n=90 with R=1 needs"),
    (["--resume", "--trials", "1e12", "--chunk", "1"], "chunks are too many"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=range(len(BAD)))
def test_other_settings_are_refused(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    swept(capsys, tmp_path / "s", "subset_sum", *GRID)
    values = {"--R": ["1", "2"], "--eps": ["0.05", "0.2"], "--n": ["1:7"], "--trials": ["5000"], "--seed": ["11"]}
    argv = [token for flag in values if flag not in change for token in (flag, *values[flag])] + change
    assert sweep.main(["subset_sum", *argv, "--store", str(tmp_path / "s")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_usage(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    for argv, message in (
        ([], "the first word says what to sweep"),
        (["lottery"], "got lottery"),
        (["subset_sum"], "--store FILE is needed"),
        (["subset_sum", "--store", str(tmp_path / "s"), "--shard", "1/2"], "--shard needs --seed"),
        (["subset_sum", "--store", str(tmp_path / "no" / "s")], "does not exist"),
    ):
        assert sweep.main(argv) == 2
        assert message in capsys.readouterr().err
    assert sweep.main(["--help"]) == 0
    assert "#SBATCH --array" in capsys.readouterr().out
    assert os.listdir(tmp_path) == []


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = ["subset_sum", *GRID, "--store", str(tmp_path / "s"), "--dry-run", "--chunk", "1000"]
    assert sweep.main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [cell["chunks"] for cell in found["cells"]] == [5] * 4
    assert found["chunks"] == 20
    assert found["worker_seconds"] == pytest.approx(sum(cell["worker_seconds"] for cell in found["cells"]))
    assert all(cell["worker_seconds"] > 0 for cell in found["cells"])
    assert sweep.main(argv) == 0
    assert "4 cells, 20 chunks" in capsys.readouterr().out
    assert os.listdir(tmp_path) == []


def test_a_prediction_grows_with_the_trials() -> None:
    question = SubsetSum()

    def cost(trials: int) -> list[float]:
        request = Request((question,), Options(trials=trials, seed=1))
        return predict(Plan(subset_sum.EXPERIMENT, request, (Pass(question, (1, 8)),)), jobs=1, chunks=[10**5])

    few, many = cost(10**3), cost(10**9)
    assert 10**4 < many[0] / few[0] < 10**8


@given(st.integers(0, 500), st.integers(1, 500), st.integers(1, 80))
def test_pieces_tile_the_trials(first: int, trials: int, chunk: int) -> None:
    cut = pieces(first, trials, chunk)
    assert [at + i for at, size in cut for i in range(size)] == list(range(first, first + trials))
    assert all(0 < size <= chunk and at // chunk == (at + size - 1) // chunk for at, size in cut)


def test_replay_wants_every_trial() -> None:
    replay = Replay({0: Chunk(0, 0, 10, (1, 2)), 10: Chunk(0, 10, 5, (3, 4)), 20: Chunk(0, 20, 5, (0, 0))})
    assert replay(0, 15).tolist() == [4, 6]
    assert replay.demand(0, 15, None) is None
    assert replay.demand(0, 20, None) == (0, 20)
    with pytest.raises(Missing):
        replay(0, 25)
    with pytest.raises(StoreError, match="longer run"):
        replay(0, 12)


def test_chunks_take_about_a_second_by_formula() -> None:
    for eps in (0.1, 1e-3, 1e-8):
        seconds = subset_sum.EXPERIMENT.cost(Pass(SubsetSum(R=2, eps=eps), (30,)))
        size = chunk_trials(seconds)
        assert size & (size - 1) == 0
        assert 0.5 < size * seconds <= 1.0 or size in (1, 2**26)


def test_a_task_of_another_version_is_refused_and_a_stopped_one_ends() -> None:
    import threading
    from importlib.metadata import version

    cell = json.dumps({"R": 1, "eps": 0.1, "alpha": 0.5, "kind": "choice", "n": [3]})
    with pytest.raises(RuntimeError, match=r"the sweep 0\.0\.0"):
        run_task(Task("subset_sum", 0, cell, 1, 0, 10, "0.0.0"))
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        run_task(Task("subset_sum", 0, cell, 1, 0, 10, version("strong-tickets")), stop)
    assert {"subset_sum", "single_weight", "coverage", "recycling", "binary_weights", "main_theorem"} <= set(NAMES)


def test_a_worker_that_counted_for_another_seed_counts_anew() -> None:
    from importlib.metadata import version

    cell = json.dumps({"R": 1, "eps": 0.1, "alpha": 0.5, "kind": "choice", "n": [2, 3]})
    tasks = [Task("subset_sum", 0, cell, seed, 0, 400, version("strong-tickets")) for seed in (1, 2, 1)]
    found = [run_task(task).counts for task in tasks]
    expected = [tuple(subset_sum.EXPERIMENT.counter(SubsetSum(R=1, eps=0.1), (2, 3), seed)(0, 400)) for seed in (1, 2)]
    assert expected[0] != expected[1]
    assert found == [expected[0], expected[1], expected[0]]


def test_max_time_is_of_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A sweep has no limit of its own; with one, what is in the store already counts as done."""
    argv = ["subset_sum", "--n", "1:12", "--eps", "1e-3", "--seed", "1", "--jobs", "1", "--store", str(tmp_path / "s")]
    argv += ["--chunk", "200000", "--quiet", "--resume"]
    assert sweep.main([*argv, "--trials", "200000"]) == 0
    assert sweep.main([*argv, "--trials", "4000000", "--max-time", "0.05"]) == 2
    assert "this would take about" in capsys.readouterr().err
    assert sweep.main([*argv, "--trials", "4000000"]) == 0
    assert sweep.main([*argv, "--trials", "4000000", "--max-time", "0.05"]) == 0
