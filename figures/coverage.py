"""Figure 7: failure to cover all targets at once against n: simulation, the proved bounds, a form of the literature.

``python -m figures.coverage`` draws R = 1, 2, 5 at eps = 0.1; ``sims.coverage --plot`` draws its own result.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from figures import failure, success
from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from sims.run import run
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS = 0.1
LOW, HIGH = -0.5, 0.5


def plot(result: Result) -> Figure:
    """Draw a result of ``sims.coverage``; the interval of targets takes the place of alpha."""
    targets = "[{:g}, {:g}]".format(*result.params["interval"])
    drawn = dataclasses.replace(result, rows=[{**row, "alpha": targets} for row in result.rows])
    return success.plot(drawn, kind="method", prediction="prediction (heuristic)", xlabel="number of variables n")


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.coverage`` into a file."""
    save_figure(plot(result), path)


def _compute(smoke: bool, seed: int) -> Data:
    from theory.coverage import Coverage, coverage_failure_bound, dacunha_failure, union_failure_bound

    trials, delta, last = (200, 0.1, 12) if smoke else (10**5, 1e-3, 72)
    questions = [Coverage(R=R, eps=EPS, low=LOW, high=HIGH) for R in (1, 2, 5)]
    bounds = []
    for question in questions:
        R = question.R
        for n in range(1, last + 1):
            bounds.append(
                {
                    "R": R,
                    "n": n,
                    "drift": coverage_failure_bound(n, R, eps=EPS, low=LOW, high=HIGH),
                    "union": union_failure_bound(n, R, eps=EPS, low=LOW, high=HIGH),
                    "lower": 1.0 - question.success_upper(n),
                }
            )
    forms = [{"n": n, "dacunha": dacunha_failure(n, EPS / 2)} for n in range(1, last + 1)]
    results = [run(question, delta=delta, trials=trials, seed=seed).to_dict() for question in questions]
    return {"results": results, "bounds": bounds, "forms": forms}


def _plot(data: Data) -> Figure:
    with house_style():
        figure, axes = new_figure()
        handles: list[Any] = []
        for index, result in enumerate(data["results"]):
            colour, rows = PALETTE[index], result["rows"]
            R = rows[0]["R"]
            bounds = [row for row in data["bounds"] if row["R"] == R]
            failure.curve(axes, bounds, "drift", color=colour)
            failure.curve(axes, bounds, "union", color=colour, linestyle="-.", linewidth=1.1)
            failure.curve(axes, bounds, "lower", color=colour, linewidth=0.6)
            failure.curve(axes, rows, "prediction", of="success", color=colour, linestyle="--", linewidth=0.9)
            handles.append(failure.points(axes, rows, colour=colour, marker=MARKERS[index], label=f"R = {R}"))
        failure.curve(axes, data["forms"], "dacunha", color="0.2", linestyle=(0, (1, 1)), linewidth=1.2)
        axes.set(yscale="log", ylim=(1e-6, 1.6), xlim=(0, max(row["n"] for row in data["bounds"]) + 1))
        axes.set(xlabel="number of variables n", ylabel="probability that some target is missed")
        kinds = [
            sample("proved, by drift (3.3)"),
            sample("proved, by union (3.5)", linestyle="-.", linewidth=1.1),
            sample("proved, from below (3.5)", linewidth=0.6),
            sample("prediction (heuristic)", linestyle="--", linewidth=0.9),
            sample("da Cunha et al.'s form, C = 7.23 (3.4)", color="0.2", linestyle=(0, (1, 1))),
        ]
        figure.legend(handles=handles + kinds, loc="outside upper center", ncols=3)
    return figure


def _caption(data: Data) -> str:
    params = data["results"][0]["params"]
    return (
        f"Probability that some target in [{LOW:g}, {HIGH:g}] has no sum within eps = {EPS:g}. Points: simulation, "
        f"{params['trials']:,} trials a point, bars 95 % (an arrow: from here on no trial failed), seed "
        f"{params['seed']}. Lines: proved bounds of this project; dashed: the prediction 3.6, a heuristic; dotted: the "
        "form of da Cunha et al. on [-1, 1] with the constant proved here (3.4 (b))."
    )


RECIPE = Recipe("coverage", 7, "All targets at once", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
