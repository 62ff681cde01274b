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


def test_a_table_stands_alone() -> None:
    """Every row has the seed, and the numbers of the sentence below it."""
    rows = ({"n": 1, "R": 1, "gain": 5}, {"n": 1, "R": 2, "gain": 6}, {"n": 1, "R": 3, "gain": 7})
    answers: dict[str, object] = {
        "delta": 0.1,
        "gain": 9,
        "necessary_n": 2,
        "required_n": None,
        "first_n": 3,
        "published": [],
    }
    summary = ({"R": 2, **answers}, {"R": 1, **answers, "first_n": 4}, {"no": "delta"})
    result = Result("sims.test", {}, rows, {"seed": 7}, summary)
    assert result.to_csv().splitlines() == [
        "n,R,gain,seed,delta,necessary_n,required_n,first_n",
        "1,1,5,7,0.1,2,,4",
        "1,2,6,7,0.1,2,,3",
        "1,3,7,7,,,,",
    ]
    assert json.loads(result.to_json())["rows"] == list(rows)
    assert Result("sims.test", {}, ({"n": 1, "seed": 3},), {"seed": 7}).to_csv() == "n,seed\n1,3\n"


def test_a_long_table_compares_each_row_with_few_entries() -> None:
    class Counted(float):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return float(self) == other

        __hash__ = float.__hash__

    rows = [{"n": 1, "eps": Counted(k / 500)} for k in range(500)]
    summary = [{"eps": Counted(k / 500), "delta": 0.1, "first_n": k} for k in range(500)]
    found = Result("sims.test", {}, rows, {}, summary).table()
    assert [row["first_n"] for row in found] == list(range(500))
    assert Counted.compared < 5000


def test_csv_round_trip() -> None:
    rows = list(csv.DictReader(io.StringIO(RESULT.to_csv())))
    assert [float(row["p"]) for row in rows] == [0.1 + 0.2, 0.25]
    assert [row["odd"] for row in rows] == ["", ""]
