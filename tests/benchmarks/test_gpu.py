"""The benchmark of a GPU, run on the CPU in small sizes: no time is asserted."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from nets.device import has_kernels  # noqa: E402
from tests.benchmarks import gpu, gpu_paths  # noqa: E402

ROOT = Path(__file__).parents[2]


def _names(device: str, *, quick: bool) -> list[str]:
    return [name for name, _ in gpu_paths.paths(device, quick=quick, jobs=1)]


def test_every_path_gives_what_the_cpu_gives(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "record.json"
    assert gpu.main(["--device", "cpu", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    record = json.loads(out.read_text())
    assert record["schema"] == "strong-tickets/tests.benchmarks.gpu/1"
    assert record["params"] == {"device": "cpu", "quick": True, "max_time": 300.0}
    assert {"cpu", "device", "torch", "driver", "cuda", "seconds", "version", "commit"} <= set(record["provenance"])
    assert [row["path"] for row in record["rows"]] == _names("cpu", quick=True)
    for row in record["rows"]:
        assert list(row) == ["path", *gpu.COLUMNS]
        assert row["skipped"] is None, row
        assert row["same"] is True, row
        assert row["per_s"] == pytest.approx(row["size"] / row["device_s"])
        assert row["ratio"] == pytest.approx(row["per_s"] / (row["cpu_size"] / row["cpu_s"]))
        assert f"| {row['path']} | " in printed
    assert "fills no row" in printed


def test_every_path_has_its_row_in_the_docs() -> None:
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    names = _names("cuda", quick=False)
    assert set(_names("cpu", quick=True)) < set(names)
    for name in names:
        assert f"\n| {name} |" in text


def _path(there: Callable[[], Any], *, same: bool = True) -> gpu_paths.Path:
    return gpu_paths.Path("things", there, lambda: None, 10, 10, lambda one, other: same)


def test_what_fails_or_differs_is_said_and_the_rest_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    seen: list[bool] = []
    cases = {
        "full": _path(full), "broken": _path(lambda: 1 // 0), "wrong": _path(lambda: None, same=False),
        "right": _path(lambda: seen.append(has_kernels("cpu"))),
    }  # fmt: skip
    monkeypatch.setattr(
        gpu_paths, "paths", lambda device, **_: [(name, lambda case=case: case) for name, case in cases.items()]
    )
    out = tmp_path / "record.json"
    assert gpu.main(["--device", "cpu", "--out", str(out)]) == 1
    rows = {row["path"]: row for row in json.loads(out.read_text())["rows"]}
    assert rows["full"]["skipped"] == "out of memory"
    assert rows["broken"]["skipped"].startswith("failed: ZeroDivisionError")
    assert [rows[name]["same"] for name in cases] == [None, None, False, True]
    assert "DIFFERS" in capsys.readouterr().out
    assert seen
    assert not any(seen)
    written: list[str] = []
    monkeypatch.setattr(gpu, "write_text", lambda path, text: written.append(path))
    monkeypatch.setattr(gpu_paths, "paths", lambda device, **_: [("right", lambda: cases["right"])] * 2)
    assert gpu.main(["--device", "cpu", "--out", "/dev/null"]) == 0
    assert written == ["/dev/null"]  # a stream gets the record once
    assert gpu.main(["--device", "cpu", "--out", str(out)]) == 0
    assert written[1:] == [str(out)] * 3  # a file also after every path
    capsys.readouterr()
    assert gpu.main(["--device", "cpu", "--max-time", "0.000000001"]) == 0
    assert "skipped: no time left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--device", "cpu", "--out", "no/such/record.json"], "--out no/such/record.json: the folder 'no/such'"),
        (["--device", "tpu"], "--device"),
        (["--max-time", "soon"], "--max-time"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str, refused: Callable[..., None]) -> None:
    refused(gpu.main, argv, message)


def test_a_file_of_another_kind_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    assert gpu.main(["--device", "cpu", "--out", str(other)]) == 2
    assert capsys.readouterr().err.endswith("the file is there and is no record of a GPU; --force replaces it\n")
    assert other.read_text() == "mine"


def test_no_card_is_one_line(refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(gpu.main, ["--out", "record.json"], "--device cuda: this PyTorch finds no CUDA device")


def test_no_pytorch_is_one_line() -> None:
    code = "import sys; sys.modules['torch'] = None; from tests.benchmarks import gpu; sys.exit(gpu.main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: this needs torch: pip install 'strong-tickets[nets]'\n"


def test_numbers_are_finite_and_positive() -> None:
    path = _path(lambda: None)
    row = gpu.measured("one", lambda: path, "cpu", 0.01, late=False)
    assert all(0 < row[name] < math.inf for name in ("device_s", "per_s", "cpu_s", "cpu_per_s", "ratio"))
