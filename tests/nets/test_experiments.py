"""Tables of runs: every cell once, resumed and never repeated, collected as Markdown and JSON."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nets import experiments as command
from nets import train
from nets.training import run
from nets.training.settings import TrainSettings
from sims.statistics.result import Result

ROOT = Path(__file__).parents[2]
ARGV = ["digits", "--methods", "biprop", "dense", "--seeds", "2", "--width", "0.1", "--budget-epochs", "1"]


def test_a_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = [*ARGV, "--density", "0.3", "0.6", "--out", str(tmp_path / "runs"), "--jobs", "1", "--device", "cpu"]
    assert command.main([*argv, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/nets.experiments/1"
    found = [(row["method"], row["density"], row["seed"], row["epochs"]) for row in content["rows"]]
    assert found == [
        *(("biprop", density, seed, 1) for density in (0.3, 0.6) for seed in (0, 1)),
        ("dense", 1.0, 0, 1), ("dense", 1.0, 1, 1),
    ]  # fmt: skip
    line = content["summary"][0]
    accuracies = [row["test_accuracy"] for row in content["rows"][:2]]
    assert line["test_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert (line["test_accuracy_min"], line["test_accuracy_max"]) == (min(accuracies), max(accuracies))
    runs = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/result.json")}
    assert len(runs) == 6
    first = next(iter(runs))
    first.unlink()
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    table = [text for text in out.splitlines() if text.startswith("|")]
    assert len(table) == 2 + 3
    assert table[2].startswith("| biprop | mlp | 0.3 | reference-code | 0.1 | 1 | 2 |")
    assert f"{100 * line['test_accuracy']:.2f}" in table[2]
    assert (tmp_path / "runs" / "table.md").read_text() == out[: out.rindex("6 runs")]
    again = json.loads((tmp_path / "runs" / "table.json").read_text())
    for row, other in zip(content["rows"], again["rows"], strict=True):
        assert row["test_accuracy"] == other["test_accuracy"]
    assert {path: path.stat().st_mtime_ns for path in runs if path != first} == {
        path: stamp for path, stamp in runs.items() if path != first
    }
    assert command.main([*argv, "--init", "kaiming-uniform"]) == 2
    assert "--init is kaiming-normal there, kaiming-uniform here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["svhn"], "svhn"), (["digits", "--methods", "edge"], "--methods takes edge-popup, biprop"),
        (["digits", "--methods", "dense", "dense"], "more than once"), (["digits", "--arch", "conv3"], "--arch takes"),
        (["digits", "--seeds", "0"], "--seeds must be"), (["digits", "--density", "2"], "--density must be"),
        (["digits", "--budget-epochs", "x"], "--budget-epochs takes"),
        (["mnist", "--data-dir", "/no"], "no files found"),
    ],
)  # fmt: skip
def test_bad_flags_get_one_line(argv: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main([*argv, "--out", str(tmp_path), "--jobs", "1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_scales_are_lines_and_dense_networks_have_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = [*ARGV, "--density", "0.2", "0.6", "--scale", "paper", "unscaled", "--out", str(tmp_path), "--jobs", "1"]
    assert command.main([*argv, "--seeds", "1", "--json"]) == 2, "a repeated flag"
    capsys.readouterr()
    argv[argv.index("--seeds") + 1] = "1"
    assert command.main([*argv, "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    lines = [(line["method"], line["density"], line["scale"]) for line in found["summary"]]
    assert lines == [
        ("biprop", 0.2, "paper"), ("biprop", 0.2, "unscaled"), ("biprop", 0.6, "paper"), ("biprop", 0.6, "unscaled"),
        ("dense", 1.0, "unscaled"),
    ]  # fmt: skip
    assert [row["scale"] for row in found["rows"]] == [line[2] for line in lines]
    settings = [json.loads((Path(run) / "config.json").read_text())["params"] for run in found["params"]["runs"]]
    assert [one["scale"] for one in settings] == [line[2] for line in lines]


def test_a_run_with_other_defaults_is_not_taken_for_this_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Such as one of a program whose recipe was another; the command names no learning rate."""
    old = tmp_path / "dense-mlp-d1-unscaled-w0.1-s0"
    argv = ["--method", "dense", "--width", "0.1", "--epochs", "1", "--seed", "0", "--device", "cpu", "--lr", "0.01"]
    assert train.main([*argv, "--out", str(old), "--quiet"]) == 0
    table = ["digits", "--methods", "dense", "--seeds", "1", "--width", "0.1", "--budget-epochs", "1", "--jobs", "1"]
    assert command.main([*table, "--device", "cpu", "--out", str(tmp_path)]) == 2
    assert f"{old} cannot be resumed with other settings: --lr is 0.01 there, 0.1 here" in capsys.readouterr().err


def start(out: Path, *argv: str) -> subprocess.Popen:
    """A table of two runs at a time, in a group of its own; begun once the first epoch of each is done."""
    command = [sys.executable, "-m", "nets.experiments", "digits", "--width", "0.1", "--jobs", "2", *argv]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--device", "cpu"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    while len([path for path in out.glob("*/metrics.jsonl") if path.stat().st_size]) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    return process


def test_ctrl_c_ends_all_processes_with_one_line(tmp_path: Path) -> None:
    """Pressed in a terminal, where all processes of the group hear it."""
    process = start(tmp_path, "--methods", "edge-popup", "--seeds", "30")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)  # ends when no process holds the pipes any more
    assert process.returncode == 130
    assert out == ""
    said = rf"(this takes [^\n]*\n)?interrupted; \d+ of 30 runs are finished in {tmp_path}: the same command goes on\n"
    assert re.fullmatch(said, err)


@pytest.mark.slow
def test_a_killed_process_takes_its_run_along_and_no_other(tmp_path: Path) -> None:
    """The rest of that run is made by the same command again."""
    argv = ["--methods", "edge-popup", "--density", "0.2", "0.3", "0.4", "--seeds", "1", "--budget-epochs", "9"]
    process = start(tmp_path, *argv)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    doomed = [pid for pid in workers if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(int(doomed[0]), signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert re.fullmatch(
        r"(this takes [^\n]*\n)?"
        rf"error: 1 run failed: {tmp_path}/\S+: its process was ended by SIGKILL, as where memory runs out; 2 are "
        r"finished, and the same command goes on\n",
        err,
    )
    assert len(list(tmp_path.glob("*/result.json"))) == 2
    assert command.main(["digits", "--width", "0.1", *argv, "--out", str(tmp_path), "--device", "cpu", "--jobs", "1",
                         "--quiet"]) == 0  # fmt: skip
    assert len(list(tmp_path.glob("*/result.json"))) == 3


def test_one_failed_run_is_one_line_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(settings: TrainSettings, *given: object, **named: object) -> Result:
        if settings.width == 0.2:
            raise ValueError("the loss is\nnot finite")
        return train_one(settings, *given, **named)

    train_one = run.train
    monkeypatch.setattr(run, "train", fails)
    argv = ["digits", "--methods", "dense", "--width", "0.1", "0.2", "0.3", "--seeds", "1", "--budget-epochs", "1"]
    assert command.main([*argv, "--out", str(tmp_path), "--jobs", "1", "--device", "cpu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lost = f"{tmp_path}/dense-mlp-d1-unscaled-w0.2-s0"
    ending = "the loss is not finite; 2 are finished, and the same command goes on"
    assert captured.err == f"error: 1 run failed: {lost}: {ending}\n"
    assert len(list(tmp_path.glob("*/result.json"))) == 2


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["--seeds", "10000"], "more than --max-time, 1 min"), (["--seeds", "10000", "--jobs", "256"], "of memory"),
     (["--width", "1e5"], "of memory"), (["--jobs", "1e6"], "--jobs must be an integer in [1, 256]")],
    ids=["runs", "processes", "width", "jobs"],
)  # fmt: skip
def test_what_takes_too_much_is_refused(argv: list[str], says: str, tmp_path: Path, refused: Callable) -> None:
    table = ["digits", "--methods", "dense", "--out", str(tmp_path / "runs"), "--device", "cpu", "--max-time", "100"]
    refused(command.main, [*table, *argv], says)
