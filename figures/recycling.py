"""Figure 9: recycling against R fresh draws: success against n, and the R that recycling is worth.

``python -m figures.recycling`` draws eps = 0.01 and 0.001; ``sims.recycling --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures.recipe import recipe_of_result
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_above, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.commands.output import MAX_CURVES
from sims.options import grid
from sims.run import asked
from sims.statistics.result import Result
from theory.recycling import Recycling, count_R, interpolated_R

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.recycling``: one column of two panels for every eps and alpha.

    Parameters
    ----------
    result : sims.statistics.result.Result
    note : bool
        Say the trials and the seed under the axes.

    Raises
    ------
    ValueError
        More values of R than the colours can tell apart.
    """
    every = list(result.params["R"])
    if len(every) >= MAX_CURVES:
        raise ValueError(f"a picture holds up to {MAX_CURVES - 1} values of R, got {len(every)}")
    tables: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        tables.setdefault((row["eps"], row["alpha"]), []).append(row)
    with house_style():
        figure = blank_figure(max(5.5, min(7.0, 3.4 * len(tables))), 4.4)
        wide, height = figure.get_size_inches()
        columns = min(len(tables), max(1, int(wide / 2.3)))
        rows_of_panels = -(-len(tables) // columns)
        grow(figure, 1.2 * (rows_of_panels - 1) * height)
        parts: Any = figure.subfigures(2, 1, height_ratios=(3, 2.4 if rows_of_panels == 1 else 3))
        above, below = parts
        stacked = rows_of_panels > 1
        shape = {"nrows": rows_of_panels, "ncols": columns, "squeeze": False}
        upper, lower = (list(part.subplots(**shape).flat) for part in (above, below))
        for panel in (*upper[len(tables) :], *lower[len(tables) :]):
            panel.set_visible(False)
        for place, ((eps, alpha), group) in enumerate(tables.items()):
            rows = sorted(group, key=lambda row: row["n"])
            _draw_success(upper[place], rows, every)
            _draw_worth(lower[place], rows, every)
            upper[place].set_title(f"eps = {eps:g}, alpha = {alpha}")
            if stacked:
                lower[place].set_title(f"eps = {eps:g}, alpha = {alpha}")
            trials = max(row["trials"] for row in rows)
            said = f"\n{trials:,} trials a point, bars 95 %, seed {result.params['seed']}" if note else ""
            lower[place].set_xlabel(f"values and slots n{said}")
            upper[place].set_xlabel("values and slots n")
        legend_above(above, upper[0].get_legend_handles_labels()[0], columns=2)
        legend_above(below, lower[0].get_legend_handles_labels()[0])
    return figure


def _draw_success(axes: Any, rows: Sequence[Row], every: Sequence[int]) -> None:
    n = [row["n"] for row in rows]
    axes.fill_between(
        n, [row["lower_bound"] for row in rows], [row["upper_bound"] for row in rows], color=PALETTE[0], alpha=0.15,
        linewidth=0, label="recycling, between proved bounds",
    )  # fmt: skip
    axes.plot(
        n,
        [row["prediction"] for row in rows],
        color=PALETTE[0],
        linestyle="--",
        label="recycling, prediction (heuristic)",
    )
    _points(axes, rows, ("success", "ci_low", "ci_high"), 0, "recycling")
    for index, R in enumerate(every, start=1):
        _points(axes, rows, (f"R{R}", f"R{R}_ci_low", f"R{R}_ci_high"), index, f"R = {R} fresh draws")
    axes.set(ylabel="probability of success", ylim=(-0.02, 1.03))


def _points(axes: Any, rows: Sequence[Row], keys: tuple[str, str, str], index: int, label: str) -> None:
    value, low, high = keys
    bars = [[row[value] - row[low] for row in rows], [row[high] - row[value] for row in rows]]
    axes.errorbar(
        [row["n"] for row in rows], [row[value] for row in rows], yerr=bars, fmt=MARKERS[index], color=PALETTE[index],
        capsize=2, label=label, clip_on=False,
    )  # fmt: skip


_WORTH: dict[str, Any] = {"fmt": "p", "color": PALETTE[4], "capsize": 2, "zorder": 3}


def _draw_worth(axes: Any, rows: Sequence[Row], every: Sequence[int]) -> None:
    n = [row["n"] for row in rows]
    axes.plot(n, [count_R(size) for size in n], color="0.35", marker="|", label="as many sums")
    expected = [row for row in rows if row["expected_R"] is not None]
    axes.plot(
        [row["n"] for row in expected], [row["expected_R"] for row in expected], color="black", marker="x",
        label="as many good sums expected",
    )  # fmt: skip
    for row in rows:
        choice = {R: row[f"R{R}"] for R in every}
        ends = [interpolated_R(row[key], choice) for key in ("success", "ci_low", "ci_high")]
        if ends[0] is None:
            continue
        below = 0.0 if ends[1] is None else ends[0] - ends[1]
        above = 0.0 if ends[2] is None else ends[2] - ends[0]
        axes.errorbar([row["n"]], [ends[0]], yerr=[[below], [above]], label="_", **_WORTH)
    axes.plot([], [], _WORTH["fmt"], color=_WORTH["color"], label="as often successful (simulated)")
    axes.set_ylabel("worth R fresh draws")
    axes.xaxis.get_major_locator().set_params(integer=True)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.recycling`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Recycling against R fresh draws."""

    eps: flags.Reals = (0.01, 0.001)
    """Accuracies in (0, 1]; a column of panels for each."""
    alpha: flags.Alphas = (0.5,)
    """Targets in [-1, 1], or `uniform`; likewise."""
    R: flags.Integers = (1, 2, 3)
    """Fresh draws of each slot, for comparison."""
    n: flags.AutoIntegers = tuple(range(1, 12))
    """Numbers of values and slots: 8, 1:30, or auto."""
    trials: flags.Integer = 200_000
    """Trials of a point."""


def _simulate(chosen: Settings, work: Work) -> Result:
    few("R", len(chosen.R), MAX_CURVES - 1)
    few("eps and alpha", len(chosen.eps) * len(chosen.alpha), 4)
    questions = grid(Recycling, {"eps": chosen.eps, "alpha": chosen.alpha})
    return work.run([asked(questions, n=chosen.n, R=chosen.R, trials=chosen.trials, seed=chosen.seed)])[0]


def _caption(result: Result) -> str:
    params = result.params
    return (
        "Recycling: n slots take any of n uniform values, with repetition. Above: probability of a sum within eps of "
        f"alpha, exact simulation, {params['trials']:,} trials a point, bars 95 %, seed {params['seed']}, beside R "
        "fresh draws a slot; band: proved bounds of this project (6.1, 6.2); dashed: the prediction 6.3, a heuristic. "
        "Below: the R that gives as many sums, as many good sums on average, and success as often; the last is "
        "interpolated between simulated R, its bars are those of recycling alone."
    )


RECIPE = recipe_of_result(
    "recycling",
    9,
    "Recycling against fresh draws",
    Settings(),
    {"n": (1, 2, 3, 4), "trials": 200},
    _simulate,
    plot,
    _caption,
    "--eps 0.005 --R 1 2 4 --alpha 0.9",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
