"""Figure 2: success of random subset sums against n, with the proved band and the prediction.

``python -m figures.subset_sum`` draws R = 1, 2, 5, 10 at eps = 0.01; ``sims.subset_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from figures import success
from figures.recipe import recipe_of_result
from figures.settings import Grid
from figures.style import save_figure
from figures.work import Work, few
from sims.options import grid
from sims.run import asked
from sims.statistics.result import Result
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.subset_sum``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of variables n"
    return success.plot(result, kind="model", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.subset_sum`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Grid):
    """Success of random subset sums against n."""

    model: Literal["choice", "vector"] = "choice"
    """choice: at most one of the R draws of each variable. vector: a subset of one of R independent vectors."""


def _simulate(chosen: Settings, work: Work) -> Result:
    few("R, eps and alpha", chosen.curves)
    axes = {"R": chosen.R, "eps": chosen.eps, "alpha": chosen.alpha}
    questions = grid(SubsetSum, axes, model=chosen.model)
    return work.run([asked(questions, n=chosen.n, delta=chosen.delta, trials=chosen.trials, seed=chosen.seed)])[0]


def _caption(result: Result) -> str:
    return (
        "Probability that some choice of n re-sampled uniform values sums to within eps of alpha. Points: exact "
        "simulation; shaded: between the proved bounds 2.1 and 2.2; dashed: the prediction 2.4, a heuristic. "
        + success.caption(result, "model")
        + "."
    )


RECIPE = recipe_of_result(
    "subset_sum",
    2,
    "Random subset sums with re-sampling",
    Settings(R=(1, 2, 5, 10), trials=10**6),
    {"trials": 200},
    _simulate,
    plot,
    _caption,
    "--R 1 3 --eps 1e-4 --alpha 0.9 --trials 1e5",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
