"""Folders of runs: a disk that is full leaves what can be resumed, and files that were edited are refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nets import compare, train
from nets.training.run_folder import RunError, RunFolder, read_metrics
from nets.training.run_table import run_row
from tests.nets.changes import fields_changed

FLAGS = ["--seed", "5", "--width", "0.05", "--epochs", "2", "--batch", "500", "--device", "cpu", "--quiet"]


def begin(out: Path) -> int:
    return train.main(["--out", str(out), *FLAGS])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert begin(out) == 0
    return out


def copied(finished: Path, tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir(exist_ok=True)
    for path in finished.iterdir():
        (tmp_path / "run" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["config.json", "checkpoint.pt", "metrics.jsonl", "ticket.safetensors", "result.json"])
@pytest.mark.parametrize("time", [1, 2])
def test_a_full_disk_leaves_what_can_be_resumed(
    name: str, time: int, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, seen = tmp_path / "run", []
    real, real_write = os.replace, os.write

    def full(path: Any) -> None:
        if Path(path).name == name:
            seen.append(path)
            if len(seen) == time:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def replace(source: Any, target: Any) -> None:
        full(target)
        real(source, target)

    def write(handle: int, content: bytes) -> int:
        if content.startswith(b'{"epoch"'):
            seen.append(handle)
            if name == "metrics.jsonl" and len(seen) == time:
                return real_write(handle, content[:7])
        return real_write(handle, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        if name == "metrics.jsonl":
            patch.setattr(os, "write", write)
        status = begin(out)
    if time > 1 and name not in ("checkpoint.pt", "metrics.jsonl"):
        assert status == 0  # it is written once
        return
    assert status == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.startswith(f"error: {out / name}: could not be written (")
    assert not any(path.name.startswith(".") and path.name != ".lock" for path in out.iterdir())
    if name == "config.json":
        assert begin(out) == 0
    else:
        assert train.main(["--out", str(out), "--resume", "--quiet"]) == 0
    assert (out / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    assert (out / "ticket.safetensors").read_bytes() == (finished / "ticket.safetensors").read_bytes()
    rows = [json.loads((one / "result.json").read_text())["rows"][0] for one in (out, finished)]
    assert {key: rows[0][key] for key in rows[0] if "ms" not in key and key != "seconds"} == {
        key: rows[1][key] for key in rows[1] if "ms" not in key and key != "seconds"
    }


def test_every_field_of_the_settings_is_checked(finished: Path, tmp_path: Path) -> None:
    folder = RunFolder(copied(finished, tmp_path))
    content = json.loads(folder.config.read_text())
    run_row(str(folder.path))
    for _, _, changed in fields_changed(content):
        folder.config.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"config\.json|settings of a run"):
            run_row(str(folder.path))


def test_settings_that_make_no_sense_are_refused_by_name(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their digest was made to fit."""
    folder = RunFolder(copied(finished, tmp_path))
    folder.result.unlink()
    content = json.loads(folder.config.read_text())
    del content["sha256"]
    for name, value, says in [
        ("batch", 2.5, "--batch must be of type int"), ("optimiser", "sgdx", "--optimiser must be one of sgd, adam"),
        ("epochs", "2", "--epochs must be of type int"), ("validation", "0", "--validation must be of type"),
        ("lr", 0.5, "checkpoint.pt cannot be resumed: it was made with another lr"), ("odd", 1, "there are too many"),
        ("seed", None, "--seed must be of type int"), ("width", float("nan"), "--width must be a number in (0, 1e+06)"),
    ]:  # fmt: skip
        made = {**content, "params": {**content["params"], name: value}}
        made["sha256"] = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
        folder.config.write_text(json.dumps(made))
        assert train.main(["--out", str(folder.path), "--resume", "--quiet"]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        assert says in text


def test_every_number_of_a_result_and_its_metrics_is_looked_at(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(copied(finished, tmp_path))
    result, kept = json.loads(folder.result.read_text()), set()
    for way, _, changed in fields_changed(result):
        folder.result.write_text(json.dumps(changed))
        try:
            run_row(str(folder.path))
        except RunError:
            continue
        kept.add(way[-1] if way[:2] == ("rows", 0) else way[0])
    kept -= {"score_seed", "init", "scale"}  # older results do not have them
    spent = {"step_ms", "mask_ms", "seconds", "bytes", "bits_per_weight", "storage", "kept", "weights", "events"}
    assert kept <= spent | {"provenance", "schema", "summary", "params", "details", "odd"}
    folder.result.write_text(json.dumps({**result, "rows": [5]}))
    assert compare.main([str(folder.path)]) == 2
    assert "result.json is damaged" in capsys.readouterr().err
    (folder.path / "result.json").write_bytes((finished / "result.json").read_bytes())
    lines = folder.metrics.read_text().splitlines()
    for text, says in [
        (lines[0].replace('"train_loss": ', '"train_loss": "x", "odd": '), "train_loss is no number"),
        (lines[0].replace('"lr": ', '"rate": '), "lr is no number"),
        (lines[0].replace('"epoch": 1', '"epoch": 2'), "epoch 2"),
        ("[1]", "damaged in line 1"),
        ("", "damaged in line 1"),
    ]:
        folder.metrics.write_text(text + "\n" + lines[1] + "\n")
        with pytest.raises(RunError, match=says):
            read_metrics(folder)
    row = json.loads(lines[1])
    folder.metrics.write_text(lines[0] + "\n" + json.dumps({**row, "test_accuracy": 0.99}) + "\n")
    assert compare.main([str(folder.path)]) == 2
    assert "do not agree on test_accuracy" in capsys.readouterr().err
