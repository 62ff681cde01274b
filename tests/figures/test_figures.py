"""Figures: drawn from results alone, the same bytes for the same numbers, and never silently incomplete."""

from pathlib import Path
from types import ModuleType

import pytest

from figures import coverage, single_weight, subset_sum
from sims.run import run
from sims.statistics.result import Result
from theory.coverage import Coverage
from theory.single_weight import SingleWeight
from theory.subset_sum import SubsetSum

FIGURES = (subset_sum, single_weight, coverage)


@pytest.fixture(scope="module")
def found() -> dict[ModuleType, Result]:
    """A small result for every figure."""
    few = {"trials": 200, "seed": 1}
    return {
        subset_sum: run([SubsetSum(R=R, eps=0.1) for R in (1, 5)], **few),
        single_weight: run([SingleWeight(R=R, eps=0.2) for R in (1, 5)], **few),
        coverage: run([Coverage(R=R, eps=0.1) for R in (1, 2)], n=range(1, 7), **few),
    }


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__name__.rpartition(".")[2])
@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_same_numbers_same_bytes(
    figure: ModuleType, suffix: str, found: dict[ModuleType, Result], tmp_path: Path
) -> None:
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    figure.save(found[figure], str(first))
    figure.save(found[figure], str(second))
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 5000


def test_every_cell_is_named_and_its_points_are_the_numbers(found: dict[ModuleType, Result]) -> None:
    (axes,) = subset_sum.plot(found[subset_sum]).axes
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels[:2] == ["R = 1", "R = 5"]
    assert "prediction (heuristic)" in labels
    drawn = {round(float(y), 12) for container in axes.containers for y in container[0].get_ydata()}
    assert drawn == {round(row["success"], 12) for row in found[subset_sum].rows}
    assert "seed 1" in axes.get_xlabel()


@pytest.mark.parametrize(("figure", "question"), [(subset_sum, SubsetSum), (single_weight, SingleWeight)])
def test_too_many_cells_are_refused(figure: ModuleType, question: type) -> None:
    many = run([question(R=R) for R in range(1, 9)], n=1, trials=200, seed=1)
    with pytest.raises(ValueError, match="up to 7 settings of R, eps and alpha, got 8"):
        figure.plot(many)
