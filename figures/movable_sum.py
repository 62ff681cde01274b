"""Figure 19: how many variables movable values save: n against how far a kept value may move.

``python -m figures.movable_sum`` draws that; ``sims.movable_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, sample, save_figure
from figures.work import Work, few, reached
from sims.commands import flags
from sims.run import asked
from sims.statistics.result import Result
from theory.movable_sum import MovableSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.movable_sum``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of variables n"
    return success.plot(result, kind="move", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.movable_sum`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Values that may move."""

    R: flags.Integers = (1, 5)
    """Draws of each variable."""
    eps: flags.Real = 0.001
    """Accuracy in (0, 1]."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1]."""
    move: flags.Reals = tuple(0.1 * 10.0 ** (-step / 2.5) for step in range(11))
    """How far a kept value may move, in (0, 1]."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1) that is asked for."""
    trials: flags.Integer = 10_000
    """Trials of a point."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("R", len(chosen.R))
    if not min(chosen.move) > 0:
        raise ValueError(f"move must be > 0 on a logarithmic axis, got {min(chosen.move):g}")
    shared = {"eps": chosen.eps, "alpha": chosen.alpha}
    questions = [MovableSum(R=R, move=move, **shared) for R in chosen.R for move in chosen.move]
    predicted = [question.predicted_n(chosen.delta) for question in questions]
    options = {"trials": chosen.trials, "seed": chosen.seed, "delta": chosen.delta}
    requests = [asked(one, n=range(1, near + 4), **options) for one, near in zip(questions, predicted, strict=True)]
    rows = [
        {**_entry(found), "measured": reached(found, chosen.delta), "predicted": near}
        for near, found in zip(predicted, work.run(requests), strict=True)
    ]
    return {"rows": rows}


def _entry(found: Result) -> dict[str, Any]:
    return {name: value for name, value in found.summary[0].items() if name != "published"}


def _plot(data: Data) -> Figure:
    eps, delta = (data["settings"][name] for name in ("eps", "delta"))
    with house_style():
        figure, axes = new_figure(5.5, 3.3)
        handles: list[Any] = []
        for index, R in enumerate(sorted({row["R"] for row in data["rows"]})):
            rows = [row for row in data["rows"] if row["R"] == R]
            colour, move = PALETTE[index], [row["move"] for row in rows]
            for end in ("required_n", "necessary_n"):
                axes.plot(
                    move, [row[end] for row in rows], color=colour, linewidth=0.8, marker=MARKERS[index], markersize=2
                )
            axes.plot(move, [row["predicted"] for row in rows], color=colour, linestyle="--")
            seen = [row["measured"] or float("nan") for row in rows]
            handles += axes.plot(move, seen, MARKERS[index], color=colour, label=f"R = {R:,}, simulated")
        axes.axvline(eps, color="0.6", linewidth=0.8)
        axes.set(xscale="log", xlabel="how far a kept value may move", ylabel=f"n for failure {delta:g}")
        axes.set_ylim(bottom=0)
        handles += [
            sample("necessary, sufficient (proved)", linewidth=0.8),
            sample("prediction (heuristic)", linestyle="--"),
        ]
        legend_above(figure, handles, columns=2)
    return figure


def _caption(data: Data) -> str:
    chosen = data["settings"]
    return (
        f"One target, alpha = {chosen['alpha']:g}, eps = {chosen['eps']:g} (grey line): the least n at which some "
        "choice of n values, each moved by at most the abscissa, sums to within eps of alpha with probability "
        f"{1 - chosen['delta']:g}. Points: exact simulation; thin lines: necessary (below) and sufficient n (above), "
        f"proved, 2.8; dashed: a prediction, a heuristic. {chosen['trials']:,} trials a point, seed {chosen['seed']}."
    )


RECIPE = Recipe(
    "movable_sum",
    19,
    "Movable values: n against how far they may move",
    Settings(),
    {"move": (0.1, 0.03), "trials": 200},
    _compute,
    _plot,
    _caption,
    "--R 1 2 --eps 1e-4 --move 1e-5 1e-4 1e-3 1e-2",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
