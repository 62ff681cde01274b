"""Figure 4: success of random subset sums over (n, eps), one panel for each R, with the leading threshold."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from figures.recipe import Data, Recipe
from figures.style import house_style, new_panels
from sims.run import run
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = (1, 2, 5)
ALPHA = 0.5


def _compute(smoke: bool, seed: int) -> Data:
    trials = 200 if smoke else 20_000
    steps = range(2, 7) if smoke else range(2, 19)  # eps = 10^(-step/3)
    rows = []
    for R in DRAWS:
        sizes = range(1, 6 if smoke else math.ceil(6 * math.log(10) / math.log(R + 1)) + 4)
        questions = [SubsetSum(R=R, eps=10.0 ** (-step / 3.0), alpha=ALPHA) for step in steps]
        found = run(questions, n=sizes, trials=trials, seed=seed).rows
        rows += [{key: row[key] for key in ("R", "eps", "n", "trials", "successes")} for row in found]
    return {"params": {"alpha": ALPHA, "trials": trials, "seed": seed}, "rows": rows}


def _plot(data: Data) -> Figure:
    import numpy as np

    rows = data["rows"]
    draws = sorted({row["R"] for row in rows})
    accuracies = sorted({row["eps"] for row in rows})
    success = {(row["R"], row["eps"], row["n"]): row["successes"] / row["trials"] for row in rows}
    with house_style():
        figure, panels = new_panels(len(draws))
        for axes, R in zip(panels, draws, strict=True):
            sizes = sorted({row["n"] for row in rows if row["R"] == R})
            image = np.array([[success[R, eps, n] for eps in accuracies] for n in sizes]).T
            logs = np.log10(accuracies)
            shown = axes.pcolormesh(sizes, logs, image, cmap="cividis", vmin=0, vmax=1, shading="nearest")
            axes.contour(sizes, logs, image, levels=[0.5], colors="white", linewidths=1.4)
            threshold = [math.log(1.0 / eps) / math.log(R + 1.0) for eps in accuracies]
            axes.plot(threshold, logs, color="#D55E00", linestyle="--")
            axes.set(title=f"R = {R}", xlabel="n", xlim=(sizes[0] - 0.5, sizes[-1] + 0.5))
            axes.grid(visible=False)
        panels[0].set_ylabel("log10 eps")
        bar = figure.colorbar(shown, ax=panels, fraction=0.05, pad=0.02)
        bar.set_label("share of successes")
    return figure


def _caption(data: Data) -> str:
    params = data["params"]
    return (
        f"Share of successes of random subset sums, alpha = {params['alpha']:g}, by exact simulation, "
        f"{params['trials']:,} trials a cell, seed {params['seed']}. White: one half. Dashed: the leading threshold "
        "n = log(1/eps)/log(R+1) of 2.4, a heuristic, which leaves out a term of order log n."
    )


RECIPE = Recipe("phase_diagram", 4, "Where a subset sum exists", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
