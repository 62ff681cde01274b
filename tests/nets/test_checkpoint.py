"""Checkpoints: what goes in comes out, a kill leaves the last whole one, and damage is refused in one line."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.training.checkpoint import SCHEMA, CheckpointError, digest, load_checkpoint, save_checkpoint
from nets.training.run_folder import RunError, RunFolder, append_metrics, check_same, write_metrics
from sims.files import WriteError

CONTENT = {
    "weights": {"a": torch.arange(6.0).reshape(2, 3), "empty": torch.zeros(0), "flag": torch.tensor(True)},
    "half": torch.tensor([1.5, -0.0], dtype=torch.bfloat16),
    "list": [1, 2.5, None, "text", b"bytes", True, (3, float("inf"))],
    "number": {0: {"step": torch.tensor(4)}},
}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and same_bits(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equality that tells -0.0 from 0.0 and accepts equal NaNs."""
    one, two = (x.detach().contiguous().reshape(-1).view(torch.uint8) if x.numel() else x for x in (a, b))
    return torch.equal(one, two)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, CONTENT)
    assert same(load_checkpoint(path), CONTENT)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_the_digest_sees_every_change() -> None:
    changes = [
        {"a": torch.zeros(2)}, {"a": torch.tensor([0.0, -0.0])}, {"a": torch.zeros(2, 1)}, {"b": torch.zeros(2)},
        {"a": torch.zeros(2, dtype=torch.float64)}, {"a": [0.0, 0.0]}, {"a": 0}, {"a": 0.0}, {"a": False}, {"a": None},
        {"a": "0"}, {"a": b"0"}, {"a": []}, {"a": [[]]}, {"a": {}}, {}, {"a": 1, "b": 2}, {"b": 2, "a": 1},
        {"a": "None"},
    ]  # fmt: skip
    assert len({digest(change) for change in changes}) == len(changes)
    grid = torch.arange(16.0).reshape(1, 4, 2, 2)
    assert digest(grid) == digest(grid.to(memory_format=torch.channels_last))


@pytest.mark.parametrize("odd", [np.float64(1.0), {1, 2}, torch.__version__, object()])
def test_only_plain_values_are_kept(odd: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="plain values and tensors"):
        save_checkpoint(tmp_path / "c.pt", {"odd": odd})
    assert list(tmp_path.iterdir()) == []


def test_damage_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, CONTENT)
    good = path.read_bytes()
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "other.pt")
    for content in (b"", b"nothing", good[:-1], good[: len(good) // 2], good[100:]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"c.pt: cut short, damaged or no checkpoint \(\w+\)$"):
            load_checkpoint(path)
    raw = torch.arange(6.0).numpy().tobytes()
    assert good.count(raw) == 1
    path.write_bytes(good.replace(raw, torch.arange(1, 7.0).numpy().tobytes()))
    with pytest.raises(CheckpointError, match=r"digest does not fit|damaged"):
        load_checkpoint(path)
    for whole, says in [
        ({"schema": SCHEMA, "digest": digest({"x": 1}), "content": {"x": 2}}, "the digest does not fit"),
        ({"schema": "strong-tickets/checkpoint/9", "digest": "", "content": {}}, "schema"),
        ({"x": 1}, "no checkpoint"), ([1], "no checkpoint"),
    ]:  # fmt: skip
        torch.save(whole, path)
        with pytest.raises(CheckpointError, match=says):
            load_checkpoint(path)


def test_a_failed_write_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"x": 1})
    before = path.read_bytes()

    def fail(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(path, {"x": 2})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


WRITER = """
import sys, torch
from nets.training.checkpoint import save_checkpoint
x = torch.zeros(400_000)
for i in range(10**6):
    save_checkpoint(sys.argv[1], {"i": i, "x": x + i})
    print(i, flush=True)
"""


def test_a_kill_leaves_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    for pause in (0.0, 0.013):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = load_checkpoint(path)
        assert found["i"] >= 2
        assert same_bits(found["x"], torch.zeros(400_000) + found["i"])
    folder = RunFolder(tmp_path)
    (tmp_path / ".checkpoint-left.pt").write_bytes(b"half")
    folder.sweep()
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_metrics_have_neither_holes_nor_doubles(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": None}]
    append_metrics(path, rows[0])
    append_metrics(path, rows[1])
    whole = '{"epoch": 1, "loss": 0.1}\n{"epoch": 2, "loss": null}\n'
    assert path.read_text() == whole
    for found in ("", whole.splitlines(keepends=True)[0], whole + whole, whole[:-5], whole + '{"epoch": 3}\n'):
        path.write_text(found)
        write_metrics(path, rows)
        assert path.read_text() == whole
    stamp = path.stat().st_ino
    write_metrics(path, rows)
    assert path.stat().st_ino == stamp


def test_run_folders_are_not_overwritten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "new" / "run")
    folder.create({"lr": 0.1}, {})
    assert folder.params() == {"lr": 0.1}
    assert folder.finished() is None
    with pytest.raises(RunError, match="holds a run already; add --resume"):
        folder.create({"lr": 0.1}, {})
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"):
        RunFolder(tmp_path / "file").create({}, {})
    with pytest.raises(RunError, match="other files"):
        RunFolder(tmp_path).create({}, {})
    with pytest.raises(RunError, match="holds no run"):
        RunFolder(tmp_path).params()
    for text, says in (("{", "damaged"), ('{"schema": "x", "params": {}}', "schema 'x'"), ("[]", "damaged")):
        folder.config.write_text(text)
        with pytest.raises(RunError, match=says):
            folder.params()
    folder.result.write_text("{")
    with pytest.raises(RunError, match="damaged"):
        folder.finished()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / ".config-x.json").write_text("{")  # killed while it wrote its settings
    RunFolder(tmp_path / "cut").create({}, {})
    assert [p.name for p in (tmp_path / "cut").iterdir()] == ["config.json"]


def test_other_settings_are_named() -> None:
    check_same({"lr": 0.1, "batch": 64}, {"lr": 0.1}, Path("a"))
    with pytest.raises(RunError) as caught:
        check_same({"lr": 0.1, "weight_decay": 0.0}, {"lr": 0.2, "weight_decay": 1.0, "new": 3}, Path("a"))
    assert str(caught.value) == (
        "a cannot be resumed with other settings: --lr is 0.1 there, 0.2 here; "
        "--weight-decay is 0.0 there, 1.0 here; --new is None there, 3 here"
    )


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"epoch": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room, size in ((1 << 12, 1 << 8), (1 << 16, 1 << 20)):  # full at the end, in a tensor
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(WriteError, match=r"c\.pt: could not be written \(File too large\)$"):
                save_checkpoint(path, {"weights": torch.zeros(size), **{str(i): torch.zeros(9) for i in range(20)}})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(path) == {"epoch": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["c.pt"]


def test_a_metric_that_a_full_disk_cuts_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, {"epoch": 1})
    before, whole = resource.getrlimit(resource.RLIMIT_FSIZE), path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 4, before[1]))
    try:
        with pytest.raises(WriteError, match=r"metrics\.jsonl: could not be written"):
            append_metrics(path, {"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == whole
