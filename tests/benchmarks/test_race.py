"""The race and the numbers to reach, in their smallest sizes: no time is asserted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import goals, ours, race
from tests.benchmarks.machines import ROWS, Machine, kernel_width, row_of, this_machine, with_width, without_features
from tests.benchmarks.peers import PEERS, numpy_exhaustive, numpy_meet_in_the_middle

ROOT = Path(__file__).parents[2]
AVX512 = ("avx2", "avx512bw", "avx512dq", "avx512f", "avx512vl")
ZEN5 = Machine("AMD EPYC", "znver5", AVX512, 2, 512)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only NumPy as a peer, no commands to start and no long work."""
    monkeypatch.setattr(race, "PEERS", {name: PEERS[name] for name in ("NumPy meet in the middle", "Gurobi exact")})
    monkeypatch.setattr(race, "_run_peer", _peer)
    monkeypatch.setattr(goals, "over_numpy", lambda environment, seconds: ours.measure(0.001))
    for name, value in (("ours_397000", 0.3), ("coverage_speed", 3000.0), ("curve_speed", 1e5), ("first_row", 0.25)):
        monkeypatch.setattr(goals, name, lambda *_, value=value: value)
    monkeypatch.setattr(goals, "import_seconds", lambda rounds: 0.25)
    monkeypatch.setattr(os, "getloadavg", lambda: (7.0, 0.0, 0.0))
    monkeypatch.setattr(race, "this_machine", lambda: replace(this_machine(), cores=2))


def _peer(name: str, job: str, instances: str) -> dict[str, Any]:
    if name == "Gurobi exact":
        return {"skipped": "gurobipy is not installed (extra: bench)"}
    given = json.loads(instances)
    masks = [numpy_meet_in_the_middle(np.array(x), given["alpha"], given["eps"], job) for x in given["values"]]
    return {"seconds": [1e-3] * len(masks), "masks": masks}


def test_a_record_has_the_machine_the_rows_and_the_goals(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "record.json"
    assert race.main(["--quick", "--n", "12", "--instances", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    record = json.loads(out.read_text())
    assert record["schema"] == "strong-tickets/tests.benchmarks.race/2"
    machine = record["provenance"]["machine"]
    assert list(machine) == ["cpu", "llvm", "features", "cores", "width"]
    assert machine["width"] == kernel_width()
    assert machine["features"] == sorted(machine["features"])
    assert record["provenance"]["row"] in (*ROWS, None)
    for row in record["rows"]:
        assert {"job", "solver", "n", "R"} < set(row)
        assert ("skipped" in row) != ("median_s" in row)
    first = {(row["job"], row["solver"]): row for row in reversed(record["rows"])}
    for solver in ("ours, 1 thread", "NumPy meet in the middle"):
        assert first["best", solver]["optimum_found"] == "2/2"
    widths = record["details"]["widths"]
    assert widths[0]["kernels"] == "as chosen"
    assert widths[0]["ratio"] == pytest.approx(widths[0]["numpy_s"] / widths[0]["ours_s"])
    verdicts = {row["goal"]: (row["verdict"], row["skipped"]) for row in record["summary"]}
    assert len(verdicts) == 11
    assert verdicts["397,000 weights, shared values"] == ("missed", None)
    assert verdicts["397,000 weights, private values"] == ("met", None)
    assert verdicts["import of a command"] == ("met", None)
    assert verdicts["n = 21 over Gurobi without gap"] == (None, "gurobipy is not installed (extra: bench)")
    for row in record["summary"]:
        assert f"| {row['goal']} | " in printed
    assert row_of(this_machine())[1] in printed.splitlines()
    assert "Others keep this machine busy (load 7, cores 2)" in printed
    assert record["provenance"]["load"] == 7.0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--out", "no/such/record.json"], "--out no/such/record.json: the folder 'no/such'"),
        (["--n", "50"], "--n must be an integer in [2, 30], got 50"),
        (["--instances", "0"], "--instances must be an integer in [1, 2000], got 0"),
        (["--eps", "2"], "--eps must be in (0, 1], got 2"),
        (["--n", "21.5"], "--n"),
        (["--seed", "-1"], "--seed must be an integer in [0, 18446744073709551615], got -1"),
        (["--slow", "--quick"], "--slow and --quick exclude each other"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str, refused: Callable[..., None]) -> None:
    refused(race.main, argv, message)


def test_a_file_of_another_kind_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    assert race.main(["--out", str(other)]) == 2
    assert capsys.readouterr().err.endswith("the file is there and is no record of a race; --force replaces it\n")
    assert other.read_text() == "mine"


def test_records_are_kept_by_cores_and_processor(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(race, "RECORDS", tmp_path)
    assert race.main(["--quick", "--keep", "--n", "8", "--instances", "1"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"2-cores-{this_machine().llvm}-quick.json"]


def test_one_process_of_the_benchmark_says_its_width() -> None:
    found = goals.over_numpy(with_width(0), 0.001)
    assert found["width"] == 0
    assert found["ratio"] == pytest.approx(found["numpy_s"] / found["ours_s"])
    assert 0 < found["read_s"] < found["numpy_s"]


def test_environments_of_other_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGTICKETS_SCALAR", "1")
    assert with_width(256)["STRONGTICKETS_WIDTH"] == "256"
    assert "STRONGTICKETS_SCALAR" not in with_width(256)
    assert with_width(0)["STRONGTICKETS_SCALAR"] == "1"
    lesser = without_features("x86-64-v2")
    assert lesser["NUMBA_CPU_NAME"] == "x86-64-v2"
    assert "STRONGTICKETS_SCALAR" not in lesser
    assert lesser["PATH"] == os.environ["PATH"]


def test_a_process_that_fails_and_a_width_that_is_not_there_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(goals.Missing, match=r"^failed: "):
        goals.over_numpy({**os.environ, "PYTHONHOME": "/nowhere"}, 0.001)
    fixed = {"width": 0, "ours_s": 1.0, "numpy_s": 4.0, "read_s": 1.0, "ratio": 4.0}
    monkeypatch.setattr(goals, "over_numpy", lambda environment, seconds: dict(fixed))
    rows = {row["kernels"]: row["skipped"] for row in goals.by_width(ZEN5, quick=False)}
    assert rows["512 bits"] == "no kernels of 512 bits"
    assert rows["0 bits"] is rows["as chosen"] is rows["portable (x86-64-v2)"] is None


@pytest.mark.parametrize(
    ("machine", "row", "says"),
    [
        (ZEN5, "Zen 5", "row 'Zen 5'"),
        (replace(ZEN5, llvm="znver4", width=256), "Zen 4", "row 'Zen 4'"),
        (replace(ZEN5, llvm="sapphirerapids"), "Zen 4", "deserves a row of its own"),
        (replace(ZEN5, llvm="haswell", features=("avx2",), width=256), "AVX2 only", "row 'AVX2 only'"),
        (replace(ZEN5, width=0), "portable", "portable kernels: row 'portable'"),
        (Machine("Apple M4", "apple-m4", ("neon",), 10, 128), "portable", "row 'portable'"),
        (Machine("RISC-V", "generic", (), 4, 0), None, "no row of docs/speed.md fits"),
    ],
)
def test_the_row_that_a_machine_belongs_to(machine: Machine, row: str | None, says: str) -> None:
    found, sentence = row_of(machine)
    assert found == row
    assert sentence.startswith(f"{machine.cpu} ({machine.llvm}), ")
    assert says in sentence


def test_every_row_and_goal_stands_in_the_docs() -> None:
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for name in ROWS:
        assert f"\n| {name} |" in text


def test_goals_are_judged_where_they_belong() -> None:
    speed = goals.Goal("coverage", "/s", 2000, "Zen 4")
    assert speed.judge(2000, "Zen 4") == "met"
    assert speed.judge(1999, "Zen 4") == "missed"
    assert speed.judge(5000, "Zen 5") == speed.judge(1, None) == "goal of Zen 4"
    both = goals.Goal("ratio", "x", 60, "Zen 5, Zen 4")
    assert [both.judge(60, here) for here in ("Zen 5", "Zen 4", "portable")] == ["met", "met", "goal of Zen 5, Zen 4"]
    wide = goals.Goal("ratio", "x", 10, "AVX-512")
    assert wide.judge(11, "portable", AVX512) == "met"
    assert wide.judge(11, "AVX2 only", ("avx2",)) == "goal of AVX-512"
    assert [speed.shown(2000), both.shown(59.7), goals.Goal("t", "s", 1).shown(0.25)] == ["2 k/s", "60x", "250 ms"]


def test_the_peers_find_the_best_subset_by_hand() -> None:
    x = np.array([0.5, -0.25, 0.75, 0.125])
    for solve in (numpy_meet_in_the_middle, numpy_exhaustive):
        assert list(solve(x, 0.625, 0.0, "best")) in ([1, 0, 0, 1], [0, 1, 1, 1])


def test_what_the_goals_speak_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert goals.import_seconds(1) > 0
    assert goals.coverage_speed(1, trials=2) > 0
    assert goals.curve_speed(1, trials=10) > 0
    monkeypatch.setattr(goals, "FIRST_ROW", (*goals.FIRST_ROW, "--trials", "100"))
    assert goals.first_row(1) > 0
    monkeypatch.setattr(goals, "FIRST_ROW", ("-c", "print('no table')"))
    with pytest.raises(goals.Missing, match="printed no table"):
        goals.first_row(1)


@pytest.mark.parametrize("kind", ["shared", "private"])
def test_networks_of_any_widths_are_timed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    assert goals.ours_397000(kind, 1, (8, 8, 2)) > 0
    monkeypatch.setattr(goals, "find_spec", lambda name: None)
    with pytest.raises(goals.Missing, match=r"PyTorch is not installed \(extra: nets\)"):
        goals.ours_397000(kind, 1)


@pytest.mark.parametrize("path", sorted(race.RECORDS.glob("*.json")), ids=lambda path: path.name)
def test_records_that_are_kept_can_be_read(path: Path) -> None:
    record = json.loads(path.read_text())
    command, version = record["schema"].removeprefix("strong-tickets/").rsplit("/", 1)
    assert command in ("tests.benchmarks.race", "tests.benchmarks.gpu")
    assert {"cpu", "commit", "python", "numpy", "numba", "threads", "seconds"} <= set(record["provenance"])
    assert record["rows"]
    if command == "tests.benchmarks.race" and int(version) > 1:
        assert {"cpu", "llvm", "features", "cores", "width"} == set(record["provenance"]["machine"])
        assert all(row["verdict"] or row["skipped"] for row in record["summary"])
