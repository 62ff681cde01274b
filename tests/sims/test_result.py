"""Results: round trips, atomic files, and refusals before any work is done."""

import csv
import io
import json

import numpy as np

from sims.statistics.result import Result, provenance

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
