"""Failures on a logarithmic axis, however rare: ``--tail --plot`` draws its own result.

``python -m figures.tail`` draws figure 23: four questions, R = 1, 2, 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from sims.commands.output import MAX_CURVES
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]


def plot(result: Result) -> Figure:
    """Draw a result of ``--tail``; ValueError if it has more than seven cells."""
    groups = _cells(result)
    with house_style():
        figure, axes = new_figure()
        draw(axes, groups)
        axes.set_xlabel(f"number of variables n\n{_note(result, groups)}")
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``--tail`` into a file."""
    save_figure(plot(result), path)


def _cells(result: Result) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by what was asked."""
    names = _settings(result)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        groups.setdefault(tuple((name, row[name]) for name in names), []).append(row)
    if len(groups) > MAX_CURVES:
        raise ValueError(f"a picture holds up to {MAX_CURVES} settings, got {len(groups)}")
    return {key: sorted(group, key=lambda row: row["n"]) for key, group in groups.items()}


def _settings(result: Result) -> list[str]:
    names = list(result.rows[0])
    return names[1 : names.index("samples")]


def _said(settings: Sequence[tuple[str, Any]]) -> str:
    return ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}" for name, value in settings
    )


def _differing(groups: Mapping[tuple[Any, ...], Any]) -> set[int]:
    """Places of the settings that tell the cells apart."""
    keys = list(groups)
    return {place for place in range(len(keys[0])) if len({key[place] for key in keys}) > 1}


def draw(axes: Any, groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> None:
    """Draw cells on axes, with a legend; to be called inside ``house_style()``."""
    from matplotlib.patches import Patch

    places = _differing(groups) or {0}
    handles = [
        _draw(axes, rows, PALETTE[index], MARKERS[index], _said([key[place] for place in sorted(places)]))
        for index, (key, rows) in enumerate(groups.items())
    ]
    axes.set(yscale="log", ylabel="probability of failure")
    axes.xaxis.get_major_locator().set_params(integer=True)
    kinds = [Patch(color="0.35", alpha=0.25, label="between proved bounds")]
    handles += [*kinds, sample("prediction (heuristic)", linestyle="--")]
    axes.legend(handles=handles, loc="lower left", frameon=True, framealpha=0.9)


def _draw(axes: Any, rows: Sequence[Row], colour: str, marker: str, name: str) -> Any:
    rows = [row for row in rows if row["failure"] > 0.0]
    floor = min(row["failure_low"] or row["failure"] for row in rows)
    told = [row for row in rows if row["failure_most"] is not None]
    least = [floor if row["failure_least"] is None else max(floor, row["failure_least"]) for row in told]
    axes.fill_between(
        [row["n"] for row in told], least, [row["failure_most"] for row in told], color=colour, alpha=0.15, linewidth=0
    )
    seen = [row for row in rows if row["prediction"]]
    axes.plot([row["n"] for row in seen], [row["prediction"] for row in seen], color=colour, linestyle="--")
    bars = [
        [row["failure"] - row["failure_low"] for row in rows],
        [row["failure_high"] - row["failure"] for row in rows],
    ]
    return axes.errorbar(
        [row["n"] for row in rows], [row["failure"] for row in rows], yerr=bars, fmt=marker, color=colour, markersize=3,
        capsize=2, label=name, zorder=3,
    )  # fmt: skip


def _note(result: Result, groups: Mapping[tuple[Any, ...], Any]) -> str:
    differing, first = _differing(groups), next(iter(groups))
    common = _said([pair for place, pair in enumerate(first) if place not in differing])
    samples = f"{result.rows[0]['samples']:,} samples"
    return ", ".join(part for part in (common, samples, "bars 95 %", f"seed {result.params['seed']}") if part)
