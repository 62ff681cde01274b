"""Figures: drawn from results alone, the same bytes for the same numbers, and never silently incomplete."""

import json
from pathlib import Path

import pytest

from figures import coverage, single_weight, subset_sum
from sims import coverage as coverage_command
from sims import single_weight as single_weight_command
from sims import subset_sum as subset_sum_command
from sims.statistics.result import Result

CASES = [
    (subset_sum, subset_sum_command, ["--R", "1", "5", "--eps", "0.1"]),
    (single_weight, single_weight_command, ["--R", "1", "5", "--eps", "0.2"]),
    (coverage, coverage_command, ["--R", "1", "2", "--eps", "0.1", "--n", "1:6"]),
]


def result(command: object, argv: list[str], capsys: pytest.CaptureFixture) -> Result:
    assert command.main([*argv, "--trials", "200", "--seed", "1", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    names = ("command", "params", "rows", "provenance", "summary")
    return Result(**{name: content[name] for name in names})


@pytest.mark.parametrize(("figure", "command", "argv"), CASES, ids=["subset_sum", "single_weight", "coverage"])
@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_same_numbers_same_bytes(
    figure: object, command: object, argv: list[str], suffix: str, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    found = result(command, argv, capsys)
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    figure.save(found, str(first))
    figure.save(found, str(second))
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 5000


def test_every_cell_is_named_and_its_points_are_the_numbers(capsys: pytest.CaptureFixture) -> None:
    found = result(subset_sum_command, ["--R", "1", "5", "--eps", "0.1"], capsys)
    (axes,) = subset_sum.plot(found).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:2] == ["R = 1", "R = 5"]
    assert "prediction (heuristic)" in labels
    drawn = {round(float(y), 12) for container in axes.containers for y in container[0].get_ydata()}
    assert drawn == {round(row["success"], 12) for row in found.rows}
    assert "seed 1" in axes.get_xlabel()


def test_too_many_cells_are_refused(capsys: pytest.CaptureFixture) -> None:
    found = result(subset_sum_command, ["--R", "1:8", "--n", "1"], capsys)
    with pytest.raises(ValueError, match="up to 7 settings of R, eps and alpha, got 8"):
        subset_sum.plot(found)
    found = result(single_weight_command, ["--R", "1:8", "--n", "1"], capsys)
    with pytest.raises(ValueError, match="up to 7 settings of R, eps and alpha, got 8"):
        single_weight.plot(found)
