"""Figure 19: how many variables movable values save: n against how far a kept value may move.

``python -m figures.movable_sum`` draws that; ``sims.movable_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from sims.run import run
from sims.statistics.result import Result
from theory.movable_sum import MovableSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DELTA, EPS = 0.01, 0.001


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.movable_sum``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of variables n"
    return success.plot(result, kind="move", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.movable_sum`` into a file."""
    save_figure(plot(result), path)


def _compute(smoke: bool, seed: int) -> Data:
    trials = 200 if smoke else 10_000
    rows = []
    for R in (1, 5):
        for step in range(2) if smoke else range(11):
            question = MovableSum(R=R, eps=EPS, move=0.1 * 10.0 ** (-step / 2.5))
            near = question.predicted_n(DELTA)
            found = run(question, n=range(1, near + 4), trials=trials, seed=seed, delta=DELTA)
            (entry,) = found.summary
            reached = [row["n"] for row in found.rows if row["success"] >= 1 - DELTA]
            rows.append({**entry, "measured": reached[0] if reached else None, "predicted": near})
    return {"rows": rows, "trials": trials, "seed": seed}


def _plot(data: Data) -> Figure:
    with house_style():
        figure, axes = new_figure(5.5, 3.7)
        handles: list[Any] = []
        for index, R in enumerate(sorted({row["R"] for row in data["rows"]})):
            rows = [row for row in data["rows"] if row["R"] == R]
            colour, move = PALETTE[index], [row["move"] for row in rows]
            axes.plot(move, [row["required_n"] for row in rows], color=colour, linewidth=0.8)
            axes.plot(move, [row["necessary_n"] for row in rows], color=colour, linewidth=0.8)
            axes.plot(move, [row["predicted"] for row in rows], color=colour, linestyle="--")
            seen = [row["measured"] or float("nan") for row in rows]
            handles += axes.plot(move, seen, MARKERS[index], color=colour, label=f"R = {R}")
        axes.axvline(EPS, color="0.6", linewidth=0.8)
        axes.set(xscale="log", xlabel="how far a kept value may move", ylabel=f"n for failure {DELTA:g}")
        axes.set_ylim(bottom=0)
        handles += [
            sample("necessary, sufficient (proved)", linewidth=0.8),
            sample("prediction (heuristic)", linestyle="--"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _caption(data: Data) -> str:
    return (
        f"One target, alpha = 0.5, eps = {EPS:g} (grey line): the least n at which some choice of n values, each moved "
        f"by at most the abscissa, sums to within eps of alpha with probability {1 - DELTA:g}. Points: exact "
        "simulation; thin lines: necessary (below) and sufficient n (above), proved, 2.8; dashed: a prediction, a "
        f"heuristic. {data['trials']:,} trials a point, seed {data['seed']}."
    )


RECIPE = Recipe("movable_sum", 19, "Movable values: n against how far they may move", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
