"""Failures on a logarithmic axis, however rare: ``--tail --plot`` draws its own result.

``python -m figures.tail`` draws figure 23: four questions, R = 1, 2, 5.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, blank_figure, house_style, new_figure, sample, save_figure
from sims.commands.output import MAX_CURVES
from sims.statistics.result import Result
from sims.tail import rare_failures
from theory.coverage import Coverage
from theory.product_sum import ProductSum
from theory.recycling import Recycling
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

EPS = 0.01
TRIALS = {1: 100_000, 2: 100_000, 5: 400_000}
"""Samples, by R."""


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
    places = _differing(groups) or {0}
    handles = [
        _draw(axes, rows, PALETTE[index], MARKERS[index], _said([key[place] for place in sorted(places)]))
        for index, (key, rows) in enumerate(groups.items())
    ]
    axes.set(yscale="log", ylabel="probability of failure")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(min(row["failure"] for rows in groups.values() for row in rows if row["failure"] > 0.0) / 10, 3.0)
    axes.legend(handles=[*handles, *_kinds()], loc="lower left", frameon=True, framealpha=0.9)


def _kinds() -> list[Any]:
    from matplotlib.patches import Patch

    band = Patch(color="0.35", alpha=0.25, label="between proved bounds")
    return [band, sample("prediction (heuristic)", linestyle="--")]


def _draw(axes: Any, rows: Sequence[Row], colour: str, marker: str, name: str) -> Any:
    rows = [row for row in rows if row["failure"] > 0.0]
    floor = 1e-300  # below every picture
    told = [row for row in rows if row["failure_most"] is not None]
    least = [floor if row["failure_least"] is None else max(floor, row["failure_least"]) for row in told]
    axes.fill_between(
        [row["n"] for row in told], least, [row["failure_most"] for row in told], color=colour, alpha=0.15, linewidth=0
    )
    seen = [row for row in rows if row["prediction"]]
    axes.plot([row["n"] for row in seen], [row["prediction"] for row in seen], color=colour, linestyle="--")
    told = [row["spread"] <= 1.0 for row in rows]  # else the interval is not to be trusted, and not drawn
    bars = [
        [(row["failure"] - row["failure_low"]) * fine for row, fine in zip(rows, told, strict=True)],
        [(row["failure_high"] - row["failure"]) * fine for row, fine in zip(rows, told, strict=True)],
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


QUESTIONS: tuple[tuple[str, Callable[[int], Any], Mapping[int, range]], ...] = (
    ("one target", lambda R: SubsetSum(R=R, eps=EPS), {1: range(1, 54), 2: range(1, 28), 5: range(1, 13)}),
    (
        "all targets in [-1/2, 1/2]",
        lambda R: Coverage(R=R, eps=EPS),
        {1: range(1, 54), 2: range(1, 28), 5: range(1, 13)},
    ),
    ("one target, recycling", lambda R: Recycling(eps=EPS), {1: range(1, 43)}),
    (
        "one target, products",
        lambda R: ProductSum(R=R, eps=EPS),
        {1: range(1, 166, 4), 2: range(1, 83, 3), 5: range(1, 58, 2)},
    ),
)
"""Each panel's title, its question by R, and the sizes."""

_KEPT = (
    "n",
    "failure",
    "failure_low",
    "failure_high",
    "failure_least",
    "failure_most",
    "prediction",
    "spread",
    "error",
)


def _compute(smoke: bool, seed: int) -> Data:
    panels = []
    for title, question, sizes in QUESTIONS:
        curves = []
        for R, n in sizes.items():
            trials = 128 if smoke else TRIALS[R]
            result = rare_failures([question(R)], n=n[:3] if smoke else n, trials=trials, seed=seed)
            rows = [{key: row[key] for key in _KEPT} for row in result.rows]
            curves.append({"R": R, "summary": result.summary[0], "rows": rows})
        panels.append({"title": title, "curves": curves})
    return {"panels": panels}


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(7.0, 5.4)
        for axes, panel in zip(figure.subplots(2, 2).flat, data["panels"], strict=True):
            for index, curve in enumerate(panel["curves"]):
                _draw(axes, curve["rows"], PALETTE[index], MARKERS[index], f"R = {curve['R']}")
            axes.set(yscale="log", ylim=(1e-13, 3.0), title=panel["title"], xlabel="n", ylabel="probability of failure")
            axes.xaxis.get_major_locator().set_params(integer=True)
        handles = [
            sample(f"R = {R}", color=PALETTE[index], marker=MARKERS[index], linestyle="")
            for index, R in enumerate(TRIALS)
        ]
        figure.legend(handles=handles + _kinds(), loc="outside upper center", ncols=5)
    return figure


def _caption(data: Data) -> str:
    needed = [
        f"{panel['title']}: n = "
        + ", ".join(
            f"{one['summary']['first_n']} (R = {one['R']})" for one in panel["curves"] if one["summary"]["first_n"]
        )
        for panel in data["panels"]
    ]
    return (
        f"Failures down to 1e-12, eps = {EPS:g}, alpha = 0.5. Points: unbiased estimates of "
        + ", ".join(f"{count:,} samples at R = {R}" for R, count in TRIALS.items())
        + f", bars 95 %, seed {data['provenance']['seed']}; shaded: between proved bounds; dashed: predictions, "
        "heuristics, where they are not below what is proved. At most 1e-12, among the n drawn: "
        + "; ".join(needed)
        + "."
    )


RECIPE = Recipe("tail", 23, "Failures of 1e-12", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
