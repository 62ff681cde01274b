"""Figure 21: how many bits a weight costs as the index of the first draw near it, against the largest error.

``python -m figures.draw_code`` draws d = 1, 2, 4; ``sims.draw_code --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, blank_figure, house_style, legend_above, new_figure, sample, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.experiment import rows_by
from sims.run import asked
from sims.statistics.result import Result
from theory.bits import DrawCode, index_bits_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWS = 3e8
"""Draws of a point at most: points that would have too few trials are left out."""


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.draw_code``: success against the bits of the index; ``note``: with trials and seed."""
    with house_style():
        figure, axes = new_figure()
        of = rows_by(result.rows, ("d", "eps", "alpha"))
        for index, entry in enumerate(result.summary):
            rows = sorted(of[entry["d"], entry["eps"], entry["alpha"]], key=lambda row: row["n"])
            n, share, colour = [row["n"] for row in rows], [row["success"] for row in rows], PALETTE[index]
            axes.plot(n, [row["exact"] for row in rows], color=colour, linewidth=0.8)
            bars = [[row["success"] - row["ci_low"] for row in rows], [row["ci_high"] - row["success"] for row in rows]]
            name = f"d = {entry['d']}, eps = {entry['eps']:g}, alpha = {entry['alpha']}"
            axes.errorbar(n, share, yerr=bars, fmt=MARKERS[index], color=colour, label=name)
        axes.plot([], [], color="0.35", linewidth=0.8, label="exact (proved)")
        trials, seed = max(row["trials"] for row in result.rows), result.params["seed"]
        under = f"\n{trials:,} trials a point, bars 95 %, seed {seed}" if note else ""
        axes.set(xlabel=f"bits n of the index: 2^n draws{under}", ylabel="probability of a hit", ylim=(-0.02, 1.03))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.draw_code`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Bits of the first good draw."""

    d: flags.Integers = (1, 2, 4)
    """Weights of a block, 1 to 4."""
    eps: flags.Reals = (0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001)
    """Largest errors of a weight."""
    trials: flags.Integer = 20_000
    """Trials of a point at most; fewer where they would take more than 3e8 draws, none where below 300 are left."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("d", len(chosen.d), 4)
    points = []
    for d in chosen.d:
        for eps in chosen.eps:
            afford = int(_DRAWS * eps**d)
            if afford >= 300:
                points.append((DrawCode(d=d, eps=eps), min(chosen.trials, afford)))
    if not points:
        raise ValueError(f"eps must be larger for draws to hit, got {', '.join(f'{eps:g}' for eps in chosen.eps)}")
    requests = [
        asked(question, n=question.required_n(1e-6), trials=trials, seed=chosen.seed) for question, trials in points
    ]
    rows = []
    for (question, trials), found in zip(points, work.run(requests), strict=True):
        (entry,), d = found.summary, question.d
        row = {"d": d, "eps": question.eps, "trials": trials, "necessary": entry["necessary_bits"] / d}
        row |= {"bound": index_bits_bound(question) / d, "bits": entry["bits"] / d}
        rows.append({**row, "error": entry["bits_error"] / d})
    return {"rows": rows}


def _draw(axes: Any, rows: Sequence[Any], colour: str, marker: str, less: str | None) -> None:
    """Bounds and points of one d; ``less``: the column that is subtracted."""
    eps = [row["eps"] for row in rows]

    def of(name: str) -> list[float]:
        return [row[name] - (row[less] if less else 0.0) for row in rows]

    axes.plot(eps, of("bound"), color=colour)
    axes.errorbar(eps, of("bits"), yerr=[1.96 * row["error"] for row in rows], fmt=marker, color=colour)


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(5.5, 4.6)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        handles = []
        for index, d in enumerate(sorted({row["d"] for row in data["rows"]})):
            rows = [row for row in data["rows"] if row["d"] == d]
            for axes, less in ((above, None), (below, "necessary")):
                _draw(axes, rows, PALETTE[index], MARKERS[index], less)
            style = {"color": PALETTE[index], "marker": MARKERS[index]}
            handles.append(sample(f"d = {d}: proved (8.2), measured", **style))
        first = [row for row in data["rows"] if row["d"] == min(row["d"] for row in data["rows"])]
        above.plot([row["eps"] for row in first], [row["necessary"] for row in first], color="0.35", linewidth=0.8)
        handles.append(sample("needed by every code (8.1)", linewidth=0.8))
        above.set(ylabel="bits a weight", xscale="log")
        below.set(xlabel="largest error eps of a weight", ylabel="bits above the least", ylim=(0.0, None))
        legend_above(figure, handles, columns=2)
    return figure


def _caption(data: Data) -> str:
    trials = [row["trials"] for row in data["rows"]]
    return (
        "Uniform weights on [-1, 1], coded in blocks of d by the index of the first of shared uniform draws within eps "
        "in every coordinate. Above: bits a weight, entropy-coded with the law of coin tosses; thin grey: what every "
        "code needs, log2(1/eps). Below: what is spent beyond it, about log2(e)/d. Lines: proved (8.2); points: every "
        f"draw made, bars 95 %; {min(trials):,} to {max(trials):,} trials a point, seed {data['settings']['seed']}."
    )


RECIPE = Recipe(
    "draw_code",
    21,
    "Bits of the first good draw",
    Settings(),
    {"eps": (0.3, 0.1), "trials": 100},
    _compute,
    _plot,
    _caption,
    "--d 1 3 --eps 0.2 0.1 0.05",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
