"""Figure 9: what is drawn are the numbers, the same bytes for the same numbers, and the whole way works."""

import json
from pathlib import Path

import pytest

from figures import recipe, recycling
from sims.run import run
from sims.statistics.result import Result
from theory.recycling import Recycling, interpolated_R


@pytest.fixture(scope="module")
def found() -> Result:
    return run([Recycling(eps=eps) for eps in (0.1, 0.02)], n=range(1, 6), trials=300, seed=1)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_same_numbers_same_bytes(found: Result, suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    recycling.save(found, str(first))
    recycling.save(found, str(second))
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 5000


def test_the_points_are_the_numbers(found: Result) -> None:
    figure = recycling.plot(found)
    assert len(figure.axes) == 4
    labels = [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()]
    assert {"recycling", "recycling, prediction (heuristic)", "R = 1 fresh draws", "R = 3 fresh draws"} <= set(labels)
    for column, eps in enumerate((0.1, 0.02)):
        rows = [row for row in found.rows if row["eps"] == eps]
        above, below = figure.axes[column], figure.axes[2 + column]
        series = [list(container[0].get_ydata()) for container in above.containers]
        assert series == [[row[key] for row in rows] for key in ("success", "R1", "R2", "R3")]
        for container, keys in zip(
            above.containers, (("ci_low", "ci_high"), ("R1_ci_low", "R1_ci_high")), strict=False
        ):
            (bars,) = container[2]
            ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
            assert ends == [pytest.approx([row[key] for key in keys]) for row in rows]
        for container, row in zip(below.containers, (row for row in rows if row["worth_R"] is not None), strict=True):
            ends = container[2][0].get_segments()[0][:, 1]
            choice = {R: row[f"R{R}"] for R in (1, 2, 3)}
            low, high = (interpolated_R(row[key], choice) for key in ("ci_low", "ci_high"))
            assert ends.tolist() == pytest.approx([low or row["worth_R"], high or row["worth_R"]])
        worth = [container[0].get_ydata()[0] for container in below.containers]
        assert worth == pytest.approx([row["worth_R"] for row in rows if row["worth_R"] is not None])
        assert list(below.lines[1].get_ydata()) == [row["expected_R"] for row in rows]
        assert above.get_title() == f"eps = {eps:g}, alpha = 0.5"
        assert "300 trials a point" in below.get_xlabel()
        assert "seed 1" in below.get_xlabel()


def test_too_many_R_are_refused(found: Result) -> None:
    many = Result(found.command, {**found.params, "R": list(range(1, 8))}, found.rows, found.provenance, found.summary)
    with pytest.raises(ValueError, match="up to 6 values of R, got 7"):
        recycling.plot(many)


def test_smoke_and_committed_numbers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert recycling.main(["--smoke", "--out", str(tmp_path), "--format", "png"]) == 0
    assert (tmp_path / "recycling.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    data = recipe.load(recycling.RECIPE)
    assert "seed 1" in recycling.RECIPE.caption(data)
    assert {row["verdict"] for row in data["result"]["rows"]} == {"consistent"}
    assert len(json.dumps(data)) < 30000
