"""Figure 7: failure to cover all targets at once against n: simulation, the proved bounds, a form of the literature.

``python -m figures.coverage`` draws R = 1, 2, 5 at eps = 0.1; ``sims.coverage --plot`` draws its own result.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures import failure, success
from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import PALETTE, house_style, in_first_column, legend_above, new_panels, sample, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.run import asked
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 1e-6
"""Down to which failure the bounds are drawn."""


def plot(result: Result) -> Figure:
    """Draw a result of ``sims.coverage``; the interval of targets takes the place of alpha."""
    targets = "[{:g}, {:g}]".format(*result.params["interval"])
    drawn = dataclasses.replace(result, rows=[{**row, "alpha": targets} for row in result.rows])
    return success.plot(drawn, kind="method", prediction="prediction (heuristic)", xlabel="number of variables n")


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.coverage`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Failure to cover all targets of an interval against n."""

    R: flags.Integers = (1, 2, 5)
    """Draws of each variable: a panel for each."""
    eps: flags.Real = 0.1
    """Accuracy in (0, 1]."""
    interval: flags.Interval = (-0.5, 0.5)
    """The targets: all points from LOW to HIGH."""
    n: flags.AutoIntegers = None
    """Numbers of variables that are simulated. Default: auto, as far as success 1 - delta is predicted."""
    delta: flags.Real = 1e-3
    """Failure probability in (0, 1) that is asked for."""


def _compute(chosen: Settings, work: Work) -> Data:
    from theory.coverage import Coverage, coverage_failure_bound, dacunha_failure, union_failure_bound

    few("R", len(chosen.R), 6)
    low, high = chosen.interval
    questions = [Coverage(R=R, eps=chosen.eps, low=low, high=high) for R in chosen.R]
    options = {"n": chosen.n, "delta": chosen.delta, "trials": chosen.trials, "seed": chosen.seed}
    requests = [asked(question, **options) for question in questions]
    bounds = []
    for question in questions:
        R = question.R
        for n in range(1, question.required_n(SHOWN) + 1):
            bounds.append(
                {
                    "R": R,
                    "n": n,
                    "drift": coverage_failure_bound(n, R, eps=chosen.eps, low=low, high=high),
                    "union": union_failure_bound(n, R, eps=chosen.eps, low=low, high=high),
                    "lower": 1.0 - question.success_upper(n),
                    "dacunha": dacunha_failure(n, chosen.eps / 2),
                }
            )
    return {"results": [found.to_dict() for found in work.run(requests)], "bounds": bounds}


_CURVES: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("drift", "proved, by drift (3.3)", {"color": PALETTE[0]}),
    ("union", "proved, by union (3.5)", {"color": PALETTE[1], "linestyle": "-.", "linewidth": 1.1}),
    ("lower", "proved, from below (3.5)", {"color": PALETTE[2], "linewidth": 0.6}),
    ("dacunha", "da Cunha et al.'s form, C = 7.23 (3.4)", {"color": "0.2", "linestyle": (0, (1, 1)), "linewidth": 1.2}),
)
_PREDICTION = {"color": PALETTE[3], "linestyle": "--", "linewidth": 0.9}


def _plot(data: Data) -> Figure:
    with house_style():
        figure, panels = new_panels(len(data["results"]), 7.0, 2.8, least=2.2)
        for axes, result in zip(panels, data["results"], strict=True):
            rows = result["rows"]
            bounds = [row for row in data["bounds"] if row["R"] == rows[0]["R"]]
            for column, _, style in _CURVES:
                failure.curve(axes, bounds, column, **style)
            failure.curve(axes, rows, "prediction", of="success", **_PREDICTION)
            handle = failure.points(axes, rows, colour="black", marker="o", label="simulation")
            last = max(row["n"] for row in [*bounds, *rows])
            axes.set(yscale="log", ylim=(SHOWN, 1.6), xlim=(0, last + 0.5), xlabel="number of variables n")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_title(f"R = {rows[0]['R']:,}")
            if in_first_column(axes):
                axes.set_ylabel("probability of a miss")
        kinds = [sample(label, **style) for _, label, style in _CURVES]
        legend_above(figure, [handle, *kinds, sample("prediction (heuristic)", **_PREDICTION)])
    return figure


def _caption(data: Data) -> str:
    chosen = data["settings"]
    low, high = chosen["interval"]
    return (
        f"Probability that some target in [{low:g}, {high:g}] has no sum within eps = {chosen['eps']:g}. Points: "
        f"simulation, {chosen['trials']:,} trials a point, bars 95 % (an arrow: from here on no trial failed), seed "
        f"{chosen['seed']}. Lines: proved bounds of this project; dashed: the prediction 3.6, a heuristic; dotted: the "
        "form of da Cunha et al. on [-1, 1] with the constant proved here (3.4 (b))."
    )


RECIPE = Recipe(
    "coverage",
    7,
    "All targets at once",
    Settings(),
    {"delta": 0.1, "trials": 200},
    _compute,
    _plot,
    _caption,
    "--R 1 3 --eps 0.05 --interval -1 1",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
