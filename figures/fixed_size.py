"""Figure 17: sums of fixed size: which densities k/n are reached with how many variables.

``python -m figures.fixed_size`` draws the densities; ``sims.fixed_size --plot`` draws its own result.
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
from theory.fixed_size import FixedSize, entropy_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.fixed_size``; ``note``: with the parameters, trials and seed under the axis."""
    prediction, xlabel = "prediction (heuristic)", "number of variables n"
    return success.plot(result, kind="size", prediction=prediction, xlabel=xlabel, note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.fixed_size`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Density against overparameterisation."""

    eps: flags.Reals = (0.01, 0.001)
    """Accuracies in (0, 1]."""
    R: flags.Integer = 1
    """Draws of each variable."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1]."""
    size: flags.Integers = tuple(range(2, 21))
    """Numbers k of kept values."""
    delta: flags.Real = 0.5
    """Failure probability in (0, 1) that is asked for."""
    trials: flags.Integer = 4000
    """Trials of a point."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("eps", len(chosen.eps))
    shared: dict[str, Any] = {"R": chosen.R, "alpha": chosen.alpha}
    questions = [FixedSize(eps=eps, size=size, **shared) for eps in chosen.eps for size in chosen.size]
    predicted = [question.predicted_n(chosen.delta) for question in questions]
    options = {"trials": chosen.trials, "seed": chosen.seed, "delta": chosen.delta}
    requests = [
        asked(one, n=range(one.size, near + 4), **options) for one, near in zip(questions, predicted, strict=True)
    ]
    rows = [
        {
            "eps": one.eps,
            "size": one.size,
            "measured": reached(found, chosen.delta),
            "predicted": near,
            "necessary": one.necessary_n(chosen.delta),
            "sufficient": one.required_n(chosen.delta),
            "published": _published(one) if chosen.R == 1 else None,
        }
        for one, near, found in zip(questions, predicted, work.run(requests), strict=True)
    ]
    return {"rows": rows}


def _published(one: FixedSize) -> int | None:
    sizes = range(one.size + 1, 10**4)
    return next((n for n in sizes if entropy_shape(n, eps=one.eps, size=one.size) >= 1), None)


def _plot(data: Data) -> Figure:
    with house_style():
        figure, axes = new_figure(5.5, 3.2)
        handles: list[Any] = []
        for index, eps in enumerate(sorted({row["eps"] for row in data["rows"]}, reverse=True)):
            rows = [row for row in data["rows"] if row["eps"] == eps]
            colour = PALETTE[index]

            def line(name: str, rows: list[Any] = rows) -> tuple[list[int], list[float]]:
                kept = [row for row in rows if row[name] is not None]
                return [row[name] for row in kept], [row["size"] / row[name] for row in kept]

            for end in ("necessary", "sufficient"):
                axes.plot(*line(end), color=colour, linewidth=0.8, marker=MARKERS[index], markersize=2, markevery=4)
            axes.plot(*line("predicted"), color=colour, linestyle="--")
            axes.plot(*line("published"), color=colour, linestyle=":")
            handles += axes.plot(*line("measured"), MARKERS[index], color=colour, label=f"eps = {eps:g}, simulated")
        axes.set(xlabel="number of variables n", ylabel="density k/n", ylim=(0.0, 1.02))
        handles += [
            sample("necessary, sufficient (proved)", linewidth=0.8),
            sample("prediction (heuristic)", linestyle="--"),
            sample("published condition, constant 1", linestyle=":"),
        ]
        legend_above(figure, handles, columns=2)
    return figure


def _caption(data: Data) -> str:
    chosen = data["settings"]
    published = "dotted: n H2(k/n) = log2(k/eps), a published condition whose constant is not given. "
    return (
        f"One target, alpha = {chosen['alpha']:g}, R = {chosen['R']:,}: for every number k of kept values the least n "
        "at which exactly k of n values sum to within eps of alpha with probability at least "
        f"{1 - chosen['delta']:g}, drawn as density k/n against n. Points: exact simulation; thin lines: n below which "
        "it is impossible (left) and from which it is proved (right), 2.6; dashed: a prediction, a heuristic; "
        f"{published if chosen['R'] == 1 else ''}"
        f"{chosen['trials']:,} trials a size, seed {chosen['seed']}."
    )


RECIPE = Recipe(
    "fixed_size",
    17,
    "Sums of fixed size: density against overparameterisation",
    Settings(),
    {"size": (2, 3), "trials": 100},
    _compute,
    _plot,
    _caption,
    "--eps 0.003 --alpha 0.9 --size 2:12 --delta 0.1",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
