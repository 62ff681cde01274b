"""Figure 18: quantised values: how failure falls with n, and how many values an exact hit takes, beside picking one.

``python -m figures.grid_sum`` draws both; ``sims.grid_sum --plot`` draws its own result.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, blank_figure, house_style, new_figure, sample, save_figure
from sims.commands.output import MAX_CURVES
from sims.run import run
from sims.statistics.result import Result
from theory.grid_sum import GridSum, miss_prob_one_exact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
DELTA = 0.01
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
        figure.legend(handles=handles + _kinds(), loc="outside upper center", ncols=3)
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


def _compute(smoke: bool, seed: int) -> Data:
    trials, last = (200, 4) if smoke else (100_000, 20)
    result = run([GridSum(grid=M) for M in (10, 100, 1000)], n=range(1, last + 1), trials=trials, seed=seed)
    rows = []
    for R in (1, 5):
        for M in (3, 10) if smoke else (3, 10, 30, 100, 300, 1000, 3000):
            question = GridSum(R=R, grid=M)
            near = question.predicted_n(DELTA)
            found = run(question, n=range(1, near + 4), trials=min(trials, 20_000), seed=seed, delta=DELTA)
            (entry,) = found.summary
            reached = [row["n"] for row in found.rows if row["success"] >= 1 - DELTA]
            rows.append({**entry, "measured": reached[0] if reached else None, "predicted": near})
    return {"result": result.to_dict(), "needs": rows, "trials": trials}


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(7.0, 3.7)
        left, right = figure.subplots(1, 2)
        handles = _draw_failures(left, Result.from_dict(data["result"]).rows)
        left.set(xlabel="number of variables n")
        for index, R in enumerate(sorted({row["R"] for row in data["needs"]})):
            rows = [row for row in data["needs"] if row["R"] == R]
            colour, M = PALETTE[3 + index], [row["grid"] for row in rows]
            right.plot(M, [row["required_n"] for row in rows], color=colour, linewidth=0.8)
            right.plot(M, [row["necessary_n"] for row in rows], color=colour, linewidth=0.8)
            right.plot(M, [row["predicted"] for row in rows], color=colour, linestyle="--")
            right.plot(M, [row["required_n_one"] for row in rows], color=colour, linestyle=":")
            style = {"color": colour, "label": f"R = {R}"}
            handles += right.plot(M, [row["measured"] or float("nan") for row in rows], MARKERS[3 + index], **style)
        right.set(xscale="log", yscale="log", xlabel="grid M", ylabel=f"n for failure {DELTA:g}")
        figure.legend(handles=handles + _kinds("proved bounds"), loc="outside upper center", ncols=4)
    return figure


def _caption(data: Data) -> str:
    params = data["result"]["params"]
    last = miss_prob_one_exact(20, 1, grid=100, alpha=0.5)
    return (
        "Values uniform on the grid -1, ..., -1/M, 0, 1/M, ..., 1; a choice of them must sum to 0.5 exactly. Left: "
        "probability that no choice of n does, R = 1; points: exact simulation; thin: the proved upper bound 2.7; "
        f"dotted: one value alone, exact (at M = 100 and n = 20 still {last:.3f}). Right: n for failure {DELTA:g}; "
        "thin: necessary and sufficient, proved; dashed: a prediction, a heuristic; dotted: one value alone. "
        f"{data['trials']:,} trials a point (right: up to 20,000), bars 95 %, seed {params['seed']}."
    )


RECIPE = Recipe("grid_sum", 18, "Quantised values: exact sums against one value", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
