"""Tables and learning curves of any training runs: nothing is passed over, what is no run is named."""

from __future__ import annotations

import csv as csv_files
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from figures import learning_curves as figure
from nets import compare as command
from nets import train
from nets.training.curves import learning_curves
from nets.training.loop import Training
from nets.training.run_folder import RunError, RunFolder, read_metrics

TINY = ["--width", "0.1", "--batch", "400", "--device", "cpu", "--quiet"]


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of one setting, another learning rate, a dense run, and one that was stopped after an epoch of two."""
    root = tmp_path_factory.mktemp("runs")
    for name, *more in (
        ("a", "--seed", "1"), ("b", "--seed", "2", "--score-seed", "7"), ("c", "--seed", "1", "--lr", "0.3"),
        ("d", "--method", "dense", "--seed", "1"),
    ):  # fmt: skip
        argv = [*TINY, "--epochs", "2", "--out", str(root / name), *more]
        assert train.main(argv) == 0
    save = Training.save

    def save_and_stop(self: Training) -> None:
        save(self)
        if self.state.epoch == 2:  # the metrics of this epoch are not written yet
            raise Stop

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Training, "save", save_and_stop)
        with pytest.raises(Stop):
            train.main([*TINY, "--epochs", "2", "--seed", "3", "--out", str(root / "e")])
    return root


def accuracy(run: Path) -> float:
    return float(json.loads((run / "result.json").read_text())["rows"][0]["test_accuracy"])


def test_seeds_share_a_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folders = [str(runs / name) for name in "abcde"]
    table = tmp_path / "runs.csv"
    assert command.main([*folders, "--json", "--csv", str(table)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "strong-tickets/nets.compare/1"
    assert [row["run"] for row in found["rows"]] == folders
    with table.open() as file:
        stored = list(csv_files.DictReader(file))
    assert [(row["run"], row["lr"], row["finished"]) for row in stored] == [
        (folder, lr, str(folder != folders[4]))
        for folder, lr in zip(folders, ["0.1", "0.1", "0.3", "0.1", "0.1"], strict=True)
    ]
    same, faster, dense = found["summary"]
    accuracies = [accuracy(runs / name) for name in "ab"]
    assert (same["runs"], same["finished"], same["others"]) == (3, 2, {"lr": 0.1})
    assert same["test_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert (same["test_accuracy_min"], same["test_accuracy_max"]) == (min(accuracies), max(accuracies))
    assert (faster["runs"], faster["others"]) == (1, {"lr": 0.3})
    assert faster["test_accuracy"] == accuracy(runs / "c")
    assert (dense["method"], dense["others"], dense["bits_per_weight"]) == ("dense", {}, 32.0)
    tickets = [8 * (runs / name / "ticket.safetensors").stat().st_size / 2320 for name in "ab"]
    assert same["bits_per_weight"] == pytest.approx(sum(tickets) / 2)


def test_the_table_for_people(runs: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main([str(runs / name) for name in "abce"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    low, high = sorted(100 * accuracy(runs / name) for name in "ab")
    assert lines[0].startswith("test accuracy after the last epoch: data digits, arch mlp, density 0.5, scale unscaled")
    assert any(f"edge-popup 2 of 3 {(low + high) / 2:.2f} ({low:.2f} to {high:.2f})" in line for line in lines)
    assert {"lr 0.1", "lr 0.3"} <= set(lines)
    assert f"unfinished: {runs / 'e'}, epoch 1 of 2" in lines
    assert command.main([str(runs / "e")]) == 0
    out = capsys.readouterr().out
    assert "0 of 1" in out
    assert "0.00" not in out, "what was not measured has no number"


def test_other_data_are_another_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(runs / "a", copy)
    content = json.loads((copy / "config.json").read_text())
    content["provenance"]["data_sha256"] = "0" * 64
    del content["sha256"]
    content["sha256"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (copy / "config.json").write_text(json.dumps(content))
    assert command.main([str(runs / "b"), str(copy), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["summary"]
    assert [list(line["others"]) for line in lines] == [["data_sha256"], ["data_sha256"]]


def test_what_is_no_run_is_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    good, note, empty = str(runs / "a"), tmp_path / "table.md", tmp_path / "empty"
    note.write_text("x")
    empty.mkdir()
    damaged = tmp_path / "damaged"
    shutil.copytree(runs / "a", damaged)
    lines = (damaged / "metrics.jsonl").read_text().splitlines()
    (damaged / "metrics.jsonl").write_text(lines[0] + "\n" + lines[1].replace('"epoch": 2', '"epoch": 3') + "\n")
    for argv, says in [
        ([good, str(note), str(empty), "nowhere"],
         f"no training run: {note} (a file), {empty} (it has no config.json), nowhere (no such folder)"),
        ([str(runs)], f"it has no config.json, but 5 folders in it have: {runs}/*/"),
        ([good, f"{good}/"], "named more than once"), ([], "takes at least one run"),
        ([str(damaged)], "metrics.jsonl is damaged in line 2 (ValueError: epoch 3)"),
        ([good, "--plot", "x.gif"], "--plot takes a .png"), ([good] * 8 + ["--plot", "x.svg"], "up to 7 settings"),
    ]:  # fmt: skip
        assert command.main(argv) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert says in captured.err


def test_curves_are_the_metrics(runs: Path) -> None:
    result = learning_curves([runs / "a", runs / "e"])
    assert [(row["run"], row["epoch"]) for row in result.rows] == [
        (str(runs / "a"), 1), (str(runs / "a"), 2), (str(runs / "e"), 1)
    ]  # fmt: skip
    stored = read_metrics(RunFolder(runs / "a"))
    for row, other in zip(result.rows, stored, strict=False):
        assert {key: row[key] for key in other if key in row} == {key: other[key] for key in other if key in row}
    left, right = figure.plot(result).axes
    for axes, key, factor in ((left, "loss", 1), (right, "accuracy", 100)):
        drawn = [line.get_xydata().tolist() for line in axes.get_lines()]
        assert drawn == [
            [[row["epoch"], pytest.approx(factor * row[f"train_{key}"])] for row in result.rows[:2]],
            [[2, pytest.approx(factor * stored[1][f"test_{key}"])]],
            [[1, pytest.approx(factor * result.rows[2][f"train_{key}"])]],
        ]


def test_labels_tell_runs_apart(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "x" / "a")
    shutil.copytree(runs / "a", tmp_path / "y" / "a")
    for folders, labels in (
        ([runs / "a", runs / "c"], ["a", "c"]),
        ([tmp_path / "x" / "a", tmp_path / "y" / "a"], ["x/a", "y/a"]),
    ):
        (legend,) = figure.plot(learning_curves(folders)).legends
        assert [text.get_text() for text in legend.get_texts()][:2] == labels
    (legend,) = figure.plot(learning_curves([runs / "a"])).legends
    assert legend.get_title().get_text() == "edge-popup, mlp, digits, density 0.5, seed 1"


def test_pictures(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        assert command.main([str(runs / "a"), str(runs / "c"), "--plot", str(path), "--quiet"]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert capsys.readouterr().out == ""
    no_epoch = tmp_path / "none"
    no_epoch.mkdir()
    shutil.copy(runs / "a" / "config.json", no_epoch)
    assert command.main([str(no_epoch), "--plot", str(tmp_path / "c.svg"), "--csv", str(tmp_path / "c.csv")]) == 2
    assert "its first epoch is not done" in capsys.readouterr().err
    assert not (tmp_path / "c.csv").exists()
    (no_epoch / "metrics.jsonl").write_text("")
    with pytest.raises(RunError, match="its first epoch is not done"):
        learning_curves([no_epoch])


def test_training_draws_its_own_curves(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, inside = tmp_path / "run", tmp_path / "run" / "curves.png"
    argv = [*TINY[:-1], "--epochs", "1", "--seed", "1", "--out", str(out)]
    for bad, says in (("x.gif", "--plot takes"), (str(tmp_path / "no" / "x.svg"), "does not exist")):
        assert train.main([*argv, "--plot", bad]) == 2
        assert says in capsys.readouterr().err
        assert not out.exists()
    assert train.main([*argv, "--plot", str(out / "x.gif")]) == 2
    assert "--plot takes" in capsys.readouterr().err
    assert train.main([*argv, "--plot", str(inside)]) == 0
    assert f"picture: {inside}" in capsys.readouterr().out
    assert inside.read_bytes().startswith(b"\x89PNG")
    (out / "folder.png").mkdir()
    assert train.main(["--out", str(out), "--resume", "--plot", str(out / "folder.png")]) == 2
    assert "must name a file" in capsys.readouterr().err
    again = tmp_path / "again.png"
    assert train.main(["--out", str(out), "--resume", "--plot", str(again), "--quiet"]) == 0
    assert again.read_bytes() == inside.read_bytes()


def test_many_tickets_are_drawn_together(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    argv = [*TINY, "--epochs", "1", "--seed", "1", "--multi-prize", "2", "--score-seed", "4"]
    argv += ["--out", str(tmp_path / "many")]
    assert train.main([*argv[:-4], "--multi-prize", "8", *argv[-2:], "--plot", str(tmp_path / "p.svg")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert train.main([*argv, "--plot", str(tmp_path / "p.svg")]) == 0
    text = (tmp_path / "p.svg").read_text()
    assert "score-4" in text
    assert "score-5" in text
