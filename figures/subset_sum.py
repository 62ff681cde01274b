"""Figure 2: success of random subset sums against n, with the proved band and the prediction.

``python -m figures.subset_sum`` draws R = 1, 2, 5, 10 at eps = 0.01; ``sims.subset_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from figures import success
from figures.recipe import recipe_of_result
from figures.style import save_figure
from sims.run import run
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


def _simulate(smoke: bool, seed: int) -> Result:
    return run([SubsetSum(R=R, eps=0.01) for R in (1, 2, 5, 10)], trials=200 if smoke else 10**6, seed=seed)


def _caption(result: Result) -> str:
    return (
        "Probability that some choice of n re-sampled uniform values sums to within eps of alpha. Points: exact "
        "simulation; shaded: between the proved bounds 2.1 and 2.2; dashed: the prediction 2.4, a heuristic. "
        + success.caption(result, "model")
        + "."
    )


RECIPE = recipe_of_result("subset_sum", 2, "Random subset sums with re-sampling", _simulate, plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
