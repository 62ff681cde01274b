"""The figure of sums of vectors: what it draws is what was computed."""

from pathlib import Path

import pytest

from figures import vector_sum
from figures.recipe import load
from sims.run import run
from sims.statistics.result import Result
from theory.vector_sum import VectorSum


def test_plot_draws_the_simulated_points() -> None:
    found = run([VectorSum(d=d, eps=0.2) for d in (1, 2)], n=range(1, 5), trials=200, seed=1, jobs=1)
    (axes,) = vector_sum.plot(found).axes
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels[:2] == ["d = 1", "d = 2"]
    drawn = {round(float(y), 12) for line in axes.lines for y in line.get_ydata() if line.get_marker() in ("o", "s")}
    assert {round(row["success"], 12) for row in found.rows} <= drawn


def test_committed_numbers_are_ordered_and_proved() -> None:
    data = load(vector_sum.RECIPE)
    for row in data["needs"]:
        question = VectorSum(d=row["d"], R=row["R"], eps=data["settings"]["eps"])
        assert row["necessary"] == question.necessary_n(0.01)
        assert row["necessary"] <= row["measured"] <= row["sufficient"]
    assert {row["verdict"] for row in Result.from_dict(data["curves"]).rows} == {"consistent"}
    assert "seed 1" in vector_sum.RECIPE.caption(data)


def test_smoke(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert vector_sum.main(["--smoke", "--out", str(tmp_path), "--format", "png"]) == 0
    assert (tmp_path / "vector_sum.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines()[-1] == f"picture: {tmp_path / 'vector_sum.png'}"


def test_a_single_dimension_shows_its_theory_too() -> None:
    data = load(vector_sum.RECIPE)
    data["needs"] = [row for row in data["needs"] if row["d"] == data["needs"][0]["d"]]
    _, below = vector_sum.RECIPE.plot(data).axes
    lines = [line for line in below.lines if line.get_linestyle() in ("--", ":")]
    assert len(lines) == len(data["needs"]) + 1
    assert all(len(set(line.get_xdata())) == 2 for line in lines)
    bands = [band.get_paths()[0].get_extents() for band in below.collections]
    assert [(band.y0, band.y1) for band in bands] == [(row["necessary"], row["sufficient"]) for row in data["needs"]]
    assert all(band.width > 0 for band in bands)
