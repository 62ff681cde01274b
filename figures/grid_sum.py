"""Figure 18: quantised values: how failure falls with n, and how many values an exact hit takes, beside picking one.

``python -m figures.grid_sum`` draws both; ``sims.grid_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, new_panels, sample, save_figure
from figures.work import Work, few, reached
from sims.commands import flags
from sims.commands.output import MAX_CURVES
from sims.run import asked
from sims.statistics.result import Result
from theory.grid_sum import GridSum, miss_prob_one_exact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
FIELDS = ("R", "grid", "tolerance", "alpha")


def plot(result: Result) -> Figure:
    """Draw a result of ``sims.grid_sum``: failure against n, one colour per cell.

    Raises
    ------
    ValueError
        More cells than can be told apart.
    """
    with house_style():
        figure, axes = new_figure()
        handles = _draw_failures(axes, result.rows)
        axes.set_xlabel(f"number of variables n\nbars 95 %, seed {result.params['seed']}")
        legend_above(figure, handles + _kinds())
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.grid_sum`` into a file."""
    save_figure(plot(result), path)


def _draw_failures(axes: Any, rows: Sequence[Row]) -> list[Any]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in FIELDS), []).append(row)
    if len(groups) > MAX_CURVES:
        raise ValueError(f"a picture holds up to {MAX_CURVES} settings of R, grid, tolerance and alpha")
    varying = [i for i in range(4) if len({key[i] for key in groups}) > 1] or [1]
    handles = []
    for index, (key, cell) in enumerate(groups.items()):
        colour = PALETTE[index]
        cell.sort(key=lambda row: row["n"])
        n = [row["n"] for row in cell]
        axes.plot(n, [1 - row["lower_bound"] for row in cell], color=colour, linewidth=0.7)
        axes.plot(n, [1 - row["prediction"] for row in cell], color=colour, linestyle="--")
        if "pick_one" in cell[0]:
            axes.plot(n, [1 - row["pick_one"] for row in cell], color=colour, linestyle=":")
        seen = [row for row in cell if row["successes"] < row["trials"]]
        missed = [1 - row["success"] for row in seen]
        bars = [
            [row["ci_high"] - row["success"] for row in seen],
            [row["success"] - row["ci_low"] for row in seen],
        ]
        name = ", ".join(f"{FIELDS[i]} = {key[i]}" for i in varying)
        handles.append(
            axes.errorbar(
                [row["n"] for row in seen], missed, yerr=bars, fmt=MARKERS[index], color=colour, capsize=2, label=name
            )
        )
    axes.set_yscale("log")
    least = min((1 - row["success"] for row in rows if row["successes"] < row["trials"]), default=0.1)
    axes.set(ylabel="probability of failure", ylim=(least / 3, 1.5))
    axes.xaxis.get_major_locator().set_params(integer=True)
    return handles


def _kinds(proved: str = "proved upper bound") -> list[Any]:
    return [
        sample(proved, linewidth=0.7),
        sample("prediction (heuristic)", linestyle="--"),
        sample("one value alone, exact", linestyle=":"),
    ]


@dataclass(frozen=True)
class Settings(Sampling):
    """Quantised values."""

    grid: flags.Integers = (10, 100, 1000)
    """Left: steps M between 0 and 1."""
    grids: flags.Integers = (3, 10, 30, 100, 300, 1000, 3000)
    """Right: likewise."""
    R: flags.Integers = (1, 5)
    """Draws of each variable; left, the first."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1], moved to the nearest grid point."""
    n: flags.AutoIntegers = tuple(range(1, 21))
    """Left: numbers of variables."""
    delta: flags.Real = 0.01
    """Right: failure probability in (0, 1) that is asked for."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("grid and R", len(chosen.grid) + len(chosen.R))
    options = {"seed": chosen.seed, "delta": chosen.delta}
    left = [GridSum(R=chosen.R[0], grid=M, alpha=chosen.alpha) for M in chosen.grid]
    right = [GridSum(R=R, grid=M, alpha=chosen.alpha) for R in chosen.R for M in chosen.grids]
    predicted = [question.predicted_n(chosen.delta) for question in right]
    trials = min(chosen.trials, 20_000)
    requests = [asked(left, n=chosen.n, trials=chosen.trials, **options)]
    requests += [
        asked(one, n=range(1, near + 4), trials=trials, **options) for one, near in zip(right, predicted, strict=True)
    ]
    result, *needs = work.run(requests)
    rows = [
        {**_entry(found), "measured": reached(found, chosen.delta), "predicted": near}
        for near, found in zip(predicted, needs, strict=True)
    ]
    return {"result": result.to_dict(), "needs": rows}


def _entry(found: Result) -> dict[str, Any]:
    return {name: value for name, value in found.summary[0].items() if name != "published"}


def _plot(data: Data) -> Figure:
    delta = data["settings"]["delta"]
    with house_style():
        figure, (left, right) = new_panels(2, 7.0, 2.9, share=False)
        result = Result.from_dict(data["result"])
        handles = _draw_failures(left, result.rows)
        left.set(xlabel=f"number of variables n, R = {result.rows[0]['R']:,}")
        first = len(handles)
        for index, R in enumerate(sorted({row["R"] for row in data["needs"]}), start=first):
            rows = [row for row in data["needs"] if row["R"] == R]
            colour, M = PALETTE[index], [row["grid"] for row in rows]
            for end in ("required_n", "necessary_n"):
                right.plot(
                    M, [row[end] for row in rows], color=colour, linewidth=0.8, marker=MARKERS[index], markersize=2
                )
            right.plot(M, [row["predicted"] for row in rows], color=colour, linestyle="--")
            right.plot(M, [row["required_n_one"] for row in rows], color=colour, linestyle=":")
            style = {"color": colour, "label": f"R = {R:,}"}
            handles += right.plot(M, [row["measured"] or float("nan") for row in rows], MARKERS[index], **style)
        right.set(xscale="log", yscale="log", xlabel="grid M", ylabel=f"n for failure {delta:g}")
        legend_above(figure, handles + _kinds("proved bounds"), columns=4)
    return figure


def _caption(data: Data) -> str:
    chosen, result = data["settings"], data["result"]
    first, last = result["rows"][0], max(row["n"] for row in result["rows"])
    alone = miss_prob_one_exact(last, first["R"], grid=chosen["grid"][-1], alpha=chosen["alpha"])
    return (
        "Values uniform on the grid -1, ..., -1/M, 0, 1/M, ..., 1; a choice of them must sum to "
        f"{chosen['alpha']:g} (the nearest grid point) exactly. Panel 1: probability that no choice of n does, R = "
        f"{first['R']:,}; points: exact simulation; thin: the proved upper bound 2.7; dotted: one value alone, exact "
        f"(at M = {chosen['grid'][-1]} and n = {last} still {alone:.3f}). Panel 2: n for failure {chosen['delta']:g}; "
        "thin: necessary and sufficient, proved; dashed: a prediction, a heuristic; dotted: one value alone. "
        f"{chosen['trials']:,} trials a point (panel 2: up to 20,000), bars 95 %, seed {chosen['seed']}."
    )


RECIPE = Recipe(
    "grid_sum",
    18,
    "Quantised values: exact sums against one value",
    Settings(),
    {"grids": (3, 10), "n": (1, 2, 3, 4), "trials": 200},
    _compute,
    _plot,
    _caption,
    "--grid 7 127 --R 1 3 --alpha 0.25",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
