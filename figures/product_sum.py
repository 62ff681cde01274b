"""Figure 14: subset sums of products: simulated success against n, beside what 4.7 proves.

``python -m figures.product_sum`` draws R = 1, 2, 5; ``sims.product_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from figures import success
from figures.recipe import recipe_of_result
from figures.settings import Grid
from figures.style import save_figure
from figures.work import Work, few
from sims.options import grid
from sims.run import asked
from sims.statistics.result import Result
from theory.product_sum import ProductSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.product_sum``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of neurons n"
    return success.plot(result, kind="", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.product_sum`` into a file."""
    save_figure(plot(result), path)


def _simulate(chosen: Grid, work: Work) -> Result:
    few("R, eps and alpha", chosen.curves)
    questions = grid(ProductSum, {"R": chosen.R, "eps": chosen.eps, "alpha": chosen.alpha})
    return work.run([asked(questions, n=chosen.n, delta=chosen.delta, trials=chosen.trials, seed=chosen.seed)])[0]


def _caption(result: Result) -> str:
    keys = list(success.cells(result.rows, ""))
    cells = [(entry["R"], entry["eps"], entry["alpha"], None) for entry in result.summary]
    needed = ", ".join(
        f"{entry['required_n']} at {success.label(cell, keys)}"
        for cell, entry in zip(cells, result.summary, strict=True)
        if entry["required_n"] is not None
    )
    proved = f", which proves success >= {1 - result.params['delta']:g} from n = {needed}" if needed else ""
    return (
        "Probability that some of n products of two weights add up to within eps of alpha. Points: exact simulation; "
        f"shaded: between the proved bounds of 4.7{proved}; dashed: a prediction, a heuristic. "
        + success.caption(result, "")
        + "."
    )


RECIPE = recipe_of_result(
    "product_sum",
    14,
    "Subset sums of products",
    Grid(R=(1, 2, 5), eps=(0.05,), trials=50_000),
    {"n": (1, 2, 3), "trials": 200},
    _simulate,
    plot,
    _caption,
    "--R 1 3 --eps 0.02 --alpha 0.9",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
