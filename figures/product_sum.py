"""Figure 14: subset sums of products: simulated success against n, beside what 4.7 proves.

``python -m figures.product_sum`` draws R = 1, 2, 5; ``sims.product_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from figures import success
from figures.recipe import recipe_of_result
from figures.style import save_figure
from sims.run import run
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


def _simulate(smoke: bool, seed: int) -> Result:
    questions = [ProductSum(R=R, eps=0.05) for R in (1, 2, 5)]
    n, trials = (range(1, 4), 200) if smoke else (None, 50_000)
    return run(questions, n=n, trials=trials, seed=seed)


def _caption(result: Result) -> str:
    needed = ", ".join(f"{entry['required_n']} at R = {entry['R']}" for entry in result.summary)
    return (
        "Probability that some of n products of two weights add up to within eps of alpha. Points: exact simulation; "
        f"shaded: between the proved bounds of 4.7, which proves success >= 0.99 from n = {needed}; dashed: a "
        "prediction, a heuristic. " + success.caption(result, "") + "."
    )


RECIPE = recipe_of_result("product_sum", 14, "Subset sums of products", _simulate, plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
