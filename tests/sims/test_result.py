"""Results: round trips, atomic files, and refusals before any work is done."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from sims.statistics.result import Result, atomic_path, check_output, provenance, write_text

RESULT = Result(
    command="sims.test",
    params={"eps": (0.1, 0.2), "seed": 7},
    rows=({"n": 1, "p": 0.1 + 0.2, "odd": float("nan")}, {"n": np.int64(2), "p": np.float64(0.25), "odd": None}),
    provenance=provenance(seed=7, threads=2, seconds=0.25, device="cpu"),
)


def test_json_round_trip() -> None:
    content = json.loads(RESULT.to_json())
    assert content["schema"] == "strong-tickets/sims.test/1"
    assert content["rows"] == [{"n": 1, "p": 0.1 + 0.2, "odd": None}, {"n": 2, "p": 0.25, "odd": None}]
    assert content["params"] == {"eps": [0.1, 0.2], "seed": 7}
    needed = {"version", "commit", "python", "numpy", "numba", "cpu", "threads", "seed", "seconds", "device"}
    assert needed <= set(content["provenance"])


def test_csv_round_trip() -> None:
    rows = list(csv.DictReader(io.StringIO(RESULT.to_csv())))
    assert [float(row["p"]) for row in rows] == [0.1 + 0.2, 0.25]
    assert [row["odd"] for row in rows] == ["", ""]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write_text(target, "first")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("second, cut")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["out.json"]


def test_written_files_have_ordinary_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_outputs_are_refused_early(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--csv .*: the folder .* does not exist"):
        check_output("--csv", tmp_path / "missing" / "a.csv")
    with pytest.raises(ValueError, match="--csv must name a file"):
        check_output("--csv", tmp_path)
    check_output("--csv", None)
    check_output("--csv", tmp_path / "fine.csv")
