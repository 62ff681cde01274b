"""Figure 17: sums of fixed size: which densities k/n are reached with how many variables.

``python -m figures.fixed_size`` draws the densities; ``sims.fixed_size --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from sims.run import run
from sims.statistics.result import Result
from theory.fixed_size import FixedSize, entropy_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.5


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.fixed_size``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of variables n"
    return success.plot(result, kind="size", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.fixed_size`` into a file."""
    save_figure(plot(result), path)


def _compute(smoke: bool, seed: int) -> Data:
    trials, last = (100, 3) if smoke else (4000, 20)
    rows = []
    for eps in (0.01, 0.001):
        for size in range(2, last + 1):
            question = FixedSize(eps=eps, size=size)
            near = question.predicted_n(LEVEL)
            found = run(question, n=range(size, near + 4), trials=trials, seed=seed, delta=LEVEL)
            reached = [row["n"] for row in found.rows if row["success"] >= LEVEL]
            rows.append(
                {
                    "eps": eps,
                    "size": size,
                    "measured": reached[0] if reached else None,
                    "predicted": near,
                    "necessary": question.necessary_n(LEVEL),
                    "sufficient": question.required_n(LEVEL),
                    "published": next(n for n in range(size + 1, 10**4) if entropy_shape(n, eps=eps, size=size) >= 1),
                }
            )
    return {"rows": rows, "trials": trials, "seed": seed}


def _plot(data: Data) -> Figure:
    with house_style():
        figure, axes = new_figure(5.5, 3.7)
        handles: list[Any] = []
        for index, eps in enumerate(sorted({row["eps"] for row in data["rows"]}, reverse=True)):
            rows = [row for row in data["rows"] if row["eps"] == eps]
            colour = PALETTE[index]

            def line(name: str, rows: list[Any] = rows) -> tuple[list[int], list[float]]:
                kept = [row for row in rows if row[name] is not None]
                return [row[name] for row in kept], [row["size"] / row[name] for row in kept]

            axes.plot(*line("necessary"), color=colour, linewidth=0.8)
            axes.plot(*line("sufficient"), color=colour, linewidth=0.8)
            axes.plot(*line("predicted"), color=colour, linestyle="--")
            axes.plot(*line("published"), color=colour, linestyle=":")
            handles += axes.plot(*line("measured"), MARKERS[index], color=colour, label=f"eps = {eps:g}")
        axes.set(xlabel="number of variables n", ylabel="density k/n", ylim=(0.0, 1.02))
        handles += [
            sample("necessary, sufficient (proved)", linewidth=0.8),
            sample("prediction (heuristic)", linestyle="--"),
            sample("published condition, constant 1", linestyle=":"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _caption(data: Data) -> str:
    return (
        "One target, alpha = 0.5, R = 1: for every number k of kept values the least n at which exactly k of n values "
        "sum to within eps of alpha with probability at least 1/2, drawn as density k/n against n. Points: exact "
        "simulation; thin lines: n below which it is impossible (left) and from which it is proved (right), 2.6; "
        "dashed: a prediction, a heuristic; dotted: n H2(k/n) = log2(k/eps), a published condition whose constant is "
        "not given. "
        f"{data['trials']:,} trials a size, seed {data['seed']}."
    )


RECIPE = Recipe("fixed_size", 17, "Sums of fixed size: density against overparameterisation", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
