"""Failure of random subset sums on a logarithmic axis, however rare: ``sims.tail --plot`` draws its own result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from figures.success import cells, label
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result) -> Figure:
    """Draw a result of ``sims.tail``; ValueError if it has more than seven cells."""
    from matplotlib.patches import Patch

    groups = cells(result.rows, "model")
    with house_style():
        figure, axes = new_figure()
        handles = [
            _draw(axes, rows, PALETTE[index], MARKERS[index], label(key, list(groups)))
            for index, (key, rows) in enumerate(groups.items())
        ]
        axes.set(yscale="log", ylabel="probability of failure")
        axes.set_xlabel(f"number of variables n\n{_note(result)}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        kinds = [Patch(color="0.35", alpha=0.25, label="between proved bounds")]
        handles += [*kinds, sample("prediction (heuristic)", linestyle="--")]
        axes.legend(handles=handles, loc="lower left", frameon=True, framealpha=0.9)
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.tail`` into a file."""
    save_figure(plot(result), path)


def _draw(axes: Any, rows: Sequence[Mapping[str, Any]], colour: str, marker: str, name: str) -> Any:
    rows = [row for row in rows if row["failure"] > 0.0]
    n, failure = [row["n"] for row in rows], [row["failure"] for row in rows]
    told = [row for row in rows if row["failure_least"] is not None and row["failure_most"] is not None]
    least, most = ([row[key] for row in told] for key in ("failure_least", "failure_most"))
    axes.fill_between([row["n"] for row in told], least, most, color=colour, alpha=0.15, linewidth=0)
    seen = [row for row in told if row["prediction"] > 0.0]
    axes.plot([row["n"] for row in seen], [row["prediction"] for row in seen], color=colour, linestyle="--")
    bars = [
        [row["failure"] - row["failure_low"] for row in rows],
        [row["failure_high"] - row["failure"] for row in rows],
    ]
    return axes.errorbar(n, failure, yerr=bars, fmt=marker, color=colour, markersize=3, capsize=2, label=name, zorder=3)


def _note(result: Result) -> str:
    keys = list(cells(result.rows, "model"))
    names = ("R = {}", "eps = {:g}", "alpha = {}", "{}")
    common = [name.format(keys[0][i]) for i, name in enumerate(names) if len({key[i] for key in keys}) == 1]
    samples = f"{result.rows[0]['samples']:,} samples"
    return ", ".join([*common, samples, "bars 95 %", f"seed {result.params['seed']}"])
