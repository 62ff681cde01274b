"""Figure 4: success of random subset sums over (n, eps), one panel for each R, with the leading threshold."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import grow, house_style, in_first_column, legend_above, new_panels, sample
from figures.work import Work, few
from sims.commands import flags
from sims.run import asked
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THRESHOLD = "#D55E00"


@dataclass(frozen=True)
class Settings(Sampling):
    """Success over n and eps."""

    R: flags.Integers = (1, 2, 5)
    """Draws of each variable: a panel for each."""
    eps: flags.Reals = tuple(10.0 ** (-step / 3.0) for step in range(2, 19))
    """Accuracies, at least two."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1]."""
    trials: flags.Integer = 20_000
    """Trials of a cell."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("R", len(chosen.R), 6)
    if len(chosen.eps) < 2:
        raise ValueError(f"eps needs at least two values, got {list(chosen.eps)}")
    requests = []
    for R in chosen.R:
        questions = [SubsetSum(R=R, eps=eps, alpha=chosen.alpha) for eps in chosen.eps]
        last = math.ceil(-math.log(min(chosen.eps)) / math.log(R + 1) - 1e-9) + 3
        requests.append(asked(questions, n=range(1, last + 1), trials=chosen.trials, seed=chosen.seed))
    found = [row for result in work.run(requests) for row in result.rows]
    return {"rows": [{key: row[key] for key in ("R", "eps", "n", "trials", "successes")} for row in found]}


def _plot(data: Data) -> Figure:
    import numpy as np

    rows = data["rows"]
    draws = sorted({row["R"] for row in rows})
    accuracies = sorted({row["eps"] for row in rows})
    success = {(row["R"], row["eps"], row["n"]): row["successes"] / row["trials"] for row in rows}
    with house_style():
        figure, panels = new_panels(len(draws), least=0.95)
        if figure.get_size_inches()[1] < 2.0:
            grow(figure, 0.4)
        for axes, R in zip(panels, draws, strict=True):
            sizes = sorted({row["n"] for row in rows if row["R"] == R})
            image = np.array([[success[R, eps, n] for eps in accuracies] for n in sizes]).T
            logs = np.log10(accuracies)
            shown = axes.pcolormesh(sizes, logs, image, cmap="cividis", vmin=0, vmax=1, shading="nearest")
            if image.min() < 0.5 < image.max():
                axes.contour(sizes, logs, image, levels=[0.5], colors="white", linewidths=1.4)
            threshold = [math.log(1.0 / eps) / math.log(R + 1.0) for eps in accuracies]
            axes.plot(threshold, logs, color=_THRESHOLD, linestyle="--")
            axes.set(title=f"R = {R:,}", xlabel="n", xlim=(sizes[0] - 0.5, sizes[-1] + 0.5))
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(visible=False)
            if in_first_column(axes):
                axes.set_ylabel("log10 eps")
        bar = figure.colorbar(shown, ax=panels, fraction=0.05, pad=0.02)
        bar.set_label("share of successes")
        half = sample("half of the trials succeed", color="white", path_effects=_edge())
        legend_above(figure, [half, sample("log(1/eps) / log(R+1) (heuristic)", color=_THRESHOLD, linestyle="--")])
    return figure


def _edge() -> list[object]:
    """A dark edge, so that a white line is seen in a legend."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2.6, foreground="0.35"), Normal()]


def _caption(data: Data) -> str:
    chosen = data["settings"]
    return (
        f"Share of successes of random subset sums, alpha = {chosen['alpha']:g}, by exact simulation, "
        f"{chosen['trials']:,} trials a cell, seed {chosen['seed']}. White: one half. Dashed: the leading threshold "
        "n = log(1/eps)/log(R+1) of 2.4, a heuristic, which leaves out a term of order log n."
    )


RECIPE = Recipe(
    "phase_diagram",
    4,
    "Where a subset sum exists",
    Settings(),
    {"eps": tuple(10.0 ** (-step / 3.0) for step in range(2, 5)), "trials": 200},
    _compute,
    _plot,
    _caption,
    "--R 1 3 --eps 0.1 0.03 0.01 0.003 0.001 --alpha 0.9",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
