"""Success probability against n: simulated points, proved band, prediction. Shared by several figures.

``plot`` draws a ``sims.statistics.result.Result`` of ``sims.subset_sum`` or a command like it, and simulates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, sample
from sims.commands.output import MAX_CURVES
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]


def cells(rows: Iterable[Row], kind: str) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by (R, eps, alpha, kind), each sorted by n.

    Raises
    ------
    ValueError
        More cells than can be told apart in a picture.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["R"], row["eps"], row["alpha"], row.get(kind)), []).append(row)
    if len(groups) > MAX_CURVES:
        raise ValueError(f"a picture holds up to {MAX_CURVES} settings of R, eps and alpha, got {len(groups)}")
    return {key: sorted(group, key=lambda row: row["n"]) for key, group in groups.items()}


def label(key: tuple[Any, ...], keys: Sequence[tuple[Any, ...]], kind: str = "") -> str:
    """What tells this cell from the others; everything, if there is only one. ``kind``: the name of a kind that is a
    number."""
    last = f"{kind} = {{}}" if isinstance(key[3], int | float) else "{}"
    names = ("R = {}", "eps = {:g}", "alpha = {}", last)
    varying = [i for i in range(4) if len({other[i] for other in keys}) > 1] or [0, 1, 2]
    return ", ".join(names[i].format(key[i]) for i in varying)


def plot(result: Result, *, kind: str, prediction: str, xlabel: str, note: bool = True) -> Figure:
    """Success against n, one colour per cell.

    Parameters
    ----------
    result : sims.statistics.result.Result
    kind : str
        Column that names the model or the sampler; empty if there is none.
    prediction : str
        Legend text of the dashed prediction.
    xlabel : str
    note : bool
        Say the parameters, trials and seed under the axis; a published figure says them in its caption.

    Raises
    ------
    ValueError
        More than seven cells: they could not be told apart.
    """
    groups = cells(result.rows, kind)  # refuses too many before a figure is begun
    with house_style():
        figure, axes = new_figure()
        legend_above(figure, cells_on(axes, groups, kind=kind, prediction=prediction))
        axes.set_xlabel(f"{xlabel}\n{caption(result, kind)}" if note else xlabel)
    return figure


def cells_on(
    axes: Any, groups: Mapping[tuple[Any, ...], Sequence[Row]], *, prediction: str, kind: str = ""
) -> list[Any]:
    """Draw cells on axes, to be called inside ``house_style()``; returns what its legend should hold."""
    handles: list[Any] = []
    for index, (key, rows) in enumerate(groups.items()):
        name = label(key, list(groups), kind)
        handles.append(_draw_cell(axes, rows, PALETTE[index], MARKERS[index], name))
    axes.set(ylabel="probability of success", ylim=(-0.02, 1.03))
    axes.xaxis.get_major_locator().set_params(integer=True)
    return handles + _legend_of_kinds(prediction)


def _draw_cell(axes: Any, rows: Sequence[Row], colour: str, marker: str, label: str) -> Any:
    n = [row["n"] for row in rows]
    low, high = ([row[name] for row in rows] for name in ("lower_bound", "upper_bound"))
    told = [b - a < 0.95 for a, b in zip(low, high, strict=True)]  # else the bounds say nothing, and shades hide
    axes.fill_between(n, low, high, where=told, color=colour, alpha=0.15, linewidth=0)
    axes.plot(n, low, color=colour, linewidth=0.7)
    axes.plot(n, high, color=colour, linewidth=0.7)
    axes.plot(n, [row["prediction"] for row in rows], color=colour, linestyle="--")
    success = [row["success"] for row in rows]
    bars = [[row["success"] - row["ci_low"] for row in rows], [row["ci_high"] - row["success"] for row in rows]]
    return axes.errorbar(n, success, yerr=bars, fmt=marker, color=colour, capsize=2, label=label, clip_on=False)


def _legend_of_kinds(prediction: str) -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(color="0.35", alpha=0.25, label="between proved bounds"), sample(prediction, linestyle="--")]


def caption(result: Result, kind: str) -> str:
    """What all cells of a result have in common, with the trials and the seed."""
    keys = list(cells(result.rows, kind))
    names = ("R = {}", "eps = {:g}", "alpha = {}", f"{kind} {{}}")[: 4 if kind else 3]
    common = [name.format(keys[0][i]) for i, name in enumerate(names) if len({key[i] for key in keys}) == 1]
    trials = {row["trials"] for row in result.rows}
    count = f"{max(trials):,} trials a point" if len(trials) == 1 else f"up to {max(trials):,} trials a point"
    return ", ".join([*common, count, "bars 95 %", f"seed {result.params['seed']}"])
