"""Runs that begin badly, whose files were spoilt, or that share a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nets import train as command
from nets.training.run_folder import RunFolder

QUICK = ["--width", "0.05", "--epochs", "1", "--seed", "3", "--device", "cpu"]


def test_what_cannot_begin_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = str(tmp_path / "run")
    for wrong in (
        ["--data", "imagefolder", "--data-dir", str(tmp_path / "nowhere")],
        ["--validation", "1437"],
        ["--scale", "reference-code", "--density", "1"],
        ["--normalise", "cifar10"],
    ):
        assert command.main([*QUICK, "--out", out, *wrong]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert not (tmp_path / "run").exists()
    assert command.main([*QUICK, "--out", out, "--quiet"]) == 0
    assert command.main([*QUICK, "--out", out]) == 2
    assert "add --resume to go on with it, or name another folder" in capsys.readouterr().err


def test_spoilt_settings_and_results_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = RunFolder(tmp_path / "run")
    out = str(folder.path)
    assert command.main([*QUICK, "--out", out, "--quiet"]) == 0
    good = json.loads(folder.config.read_text())
    result = folder.result.read_text()
    for text in (
        "5",
        "null",
        "[]",
        "{}",
        json.dumps({**json.loads(result), "rows": []}),
        result[:-9],
        result.replace('"method"', '"metho"'),
    ):
        folder.result.write_text(text)
        assert command.main(["--out", out, "--resume"]) == 2
        captured = capsys.readouterr()
        assert "result.json is damaged" in captured.err
        assert "remove it" in captured.err
    folder.result.unlink()
    for change in ({"lr": 0.2}, {"lr": "abc"}, {"device": "tpu"}, {"epochs": 0}, {"more": 1}):
        folder.config.write_text(json.dumps({**good, "params": {**good["params"], **change}}))
        assert command.main(["--out", out, "--resume"]) == 2
        assert "config.json was edited" in capsys.readouterr().err
    folder.config.write_text(json.dumps({**good, "params": {}}))
    assert command.main(["--out", out, "--resume"]) == 2
    assert "config.json was edited" in capsys.readouterr().err
    folder.config.write_text(json.dumps(good))
    ticket = folder.ticket.read_bytes()
    assert command.main(["--out", out, "--resume", "--quiet"]) == 0
    assert folder.ticket.read_bytes() == ticket


def test_many_tickets_go_on_from_the_first_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "many"
    assert command.main([*QUICK, "--out", str(out), "--multi-prize", "2", "--score-seed", "5", "--quiet"]) == 0
    for more in ([], ["--seed", "4"]):
        assert command.main(["--out", str(out), "--multi-prize", "2", *more]) == 2
        assert "holds tickets already" in capsys.readouterr().err
    assert command.main(["--out", str(out), "--multi-prize", "3", "--resume", "--score-seed", "0"]) == 2
    assert "--score-seed is 5 there, 0 here" in capsys.readouterr().err
    assert command.main([*QUICK, "--out", str(out), "--multi-prize", "3", "--resume", "--json"]) == 0
    assert [row["score_seed"] for row in json.loads(capsys.readouterr().out)["rows"]] == [5, 6, 7]
    assert sorted(path.name for path in out.iterdir()) == ["score-5", "score-6", "score-7"]
    single = str(out / "score-5")
    assert command.main([*QUICK, "--out", single, "--multi-prize", "2", "--resume"]) == 2
    assert "holds a single run" in capsys.readouterr().err


def test_the_help_does_not_contradict_itself(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "default: None" not in text
    assert "Default: 0.5." in text
