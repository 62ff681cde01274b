"""Figure 9: recycling against R fresh draws: success against n, and the R that recycling is worth.

``python -m figures.recycling`` draws eps = 0.01 and 0.001; ``sims.recycling --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.recipe import recipe_of_result
from figures.style import MARKERS, PALETTE, blank_figure, house_style, save_figure
from sims.commands.output import MAX_CURVES
from sims.run import run
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
        figure = blank_figure(max(5.5, 3.4 * len(tables)), 5.0)
        panels = figure.subplots(2, len(tables), sharex="col", squeeze=False, height_ratios=(3, 2))
        for column, ((eps, alpha), group) in enumerate(tables.items()):
            rows = sorted(group, key=lambda row: row["n"])
            _draw_success(panels[0, column], rows, every)
            _draw_worth(panels[1, column], rows, every)
            panels[0, column].set_title(f"eps = {eps:g}, alpha = {alpha}")
            trials = max(row["trials"] for row in rows)
            said = f"\n{trials:,} trials a point, bars 95 %, seed {result.params['seed']}" if note else ""
            panels[1, column].set_xlabel(f"values and slots n{said}")
        entries = [panel.get_legend_handles_labels() for panel in panels[:, 0]]
        handles, labels = ([*above, *below] for above, below in zip(*entries, strict=True))
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
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


def _draw_worth(axes: Any, rows: Sequence[Row], every: Sequence[int]) -> None:
    n = [row["n"] for row in rows]
    axes.plot(n, [count_R(size) for size in n], color="0.35", label="as many sums")
    expected = [row for row in rows if row["expected_R"] is not None]
    axes.plot(
        [row["n"] for row in expected], [row["expected_R"] for row in expected], color=PALETTE[3],
        label="as many good sums expected",
    )  # fmt: skip
    for row in rows:
        choice = {R: row[f"R{R}"] for R in every}
        ends = [interpolated_R(row[key], choice) for key in ("success", "ci_low", "ci_high")]
        if ends[0] is None:
            continue
        below = 0.0 if ends[1] is None else ends[0] - ends[1]
        above = 0.0 if ends[2] is None else ends[2] - ends[0]
        axes.errorbar([row["n"]], [ends[0]], yerr=[[below], [above]], fmt=MARKERS[0], color=PALETTE[0], capsize=2)
    axes.plot([], [], MARKERS[0], color=PALETTE[0], label="as often successful (simulated)")
    axes.set_ylabel("worth R fresh draws")
    axes.xaxis.get_major_locator().set_params(integer=True)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.recycling`` into a file."""
    save_figure(plot(result), path)


def _simulate(smoke: bool, seed: int) -> Result:
    last, trials = (4, 200) if smoke else (11, 200_000)
    return run([Recycling(eps=eps) for eps in (0.01, 0.001)], n=range(1, last + 1), trials=trials, seed=seed)


def _caption(result: Result) -> str:
    params = result.params
    return (
        "Recycling: n slots take any of n uniform values, with repetition. Above: probability of a sum within eps of "
        f"alpha, exact simulation, {params['trials']:,} trials a point, bars 95 %, seed {params['seed']}, beside R "
        "fresh draws a slot; band: proved bounds of this project (6.1, 6.2); dashed: the prediction 6.3, a heuristic. "
        "Below: the R that gives as many sums, as many good sums on average, and success as often; the last is "
        "interpolated between simulated R, its bars are those of recycling alone."
    )


RECIPE = recipe_of_result("recycling", 9, "Recycling against fresh draws", _simulate, plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
