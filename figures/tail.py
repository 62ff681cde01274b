"""Failures on a logarithmic axis, however rare: ``--tail --plot`` draws its own result.

``python -m figures.tail`` draws figure 23: four questions, R = 1, 2, 5.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, new_panels, sample, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.commands.output import MAX_CURVES
from sims.progress import progress
from sims.statistics.result import Result
from sims.tail import foreseen, rare_failures
from theory.coverage import Coverage
from theory.product_sum import ProductSum
from theory.recycling import Recycling
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

PANELS = ("one target", "all targets", "one target, recycling", "one target, products")


def plot(result: Result) -> Figure:
    """Draw a result of ``--tail``; ValueError if it has more than seven cells."""
    groups = _cells(result)
    with house_style():
        figure, axes = new_figure()
        legend_above(figure, draw(axes, groups))
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


def draw(axes: Any, groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[Any]:
    """Draw cells on axes, to be called inside ``house_style()``; returns what its legend should hold."""
    places = _differing(groups) or {0}
    handles = [
        _draw(axes, rows, PALETTE[index], MARKERS[index], _said([key[place] for place in sorted(places)]))
        for index, (key, rows) in enumerate(groups.items())
    ]
    axes.set(yscale="log", ylabel="probability of failure")
    axes.xaxis.get_major_locator().set_params(integer=True)
    seen = [row["failure"] for rows in groups.values() for row in rows if row["failure"] > 0.0]
    axes.set_ylim(min(seen, default=0.1) / 10, 3.0)
    return [*handles, *_kinds()]


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
        [row["n"] for row in rows], [row["failure"] for row in rows], yerr=bars, fmt=marker, color=colour,
        markersize=3, capsize=2, label=name, zorder=3,
    )  # fmt: skip


def _note(result: Result, groups: Mapping[tuple[Any, ...], Any]) -> str:
    differing, first = _differing(groups), next(iter(groups))
    common = _said([pair for place, pair in enumerate(first) if place not in differing])
    samples = f"{result.rows[0]['samples']:,} samples"
    return ", ".join(part for part in (common, samples, "bars 95 %", f"seed {result.params['seed']}") if part)


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


@dataclass(frozen=True)
class Settings(Sampling):
    """Failures of four questions, however rare."""

    R: flags.Integers = (1, 2, 5)
    """Draws of each variable."""
    eps: flags.Real = 0.01
    """Accuracy in (0, 1]."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1]."""
    interval: flags.Interval = (-0.5, 0.5)
    """All targets: those from LOW to HIGH."""
    delta: flags.Real = 1e-12
    """Failure probability in (0, 1) down to which points are drawn."""
    n: flags.AutoIntegers = None
    """Numbers of variables. Default: auto, to one past the n that is proved necessary for delta."""
    trials: flags.Integer = 100_000
    """Samples of a point; twice as many from R = 5 on, a quarter for recycling, at least 128."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("R", len(chosen.R))
    asked = []
    for place, panel in enumerate(PANELS):
        for R in (1,) if panel == "one target, recycling" else chosen.R:
            options: dict[str, Any] = {
                "trials": max(128, chosen.trials // 4) if place == 2 else chosen.trials * (2 if R >= 5 else 1),
                "seed": chosen.seed,
                "jobs": work.threads,
            }
            options |= {"n": chosen.n or _sizes(place, R, chosen), "delta": chosen.delta}
            asked.append((panel, R, _question(place, R, chosen), options))
    work.announce(sum(foreseen([question], **options).seconds for *_, question, options in asked))
    rows, needs = [], []
    with progress(sum(options["trials"] for *_, options in asked), quiet=work.quiet) as advance:
        for panel, R, question, options in asked:
            result = rare_failures([question], advance=advance, **options)
            rows += [{"panel": panel, "R": R, **{key: row[key] for key in _KEPT}} for row in result.rows]
            needs.append(
                {"panel": panel, "R": R, "samples": options["trials"], "first_n": result.summary[0]["first_n"]}
            )
    return {"rows": rows, "needs": needs}


def _question(place: int, R: int, chosen: Settings) -> Any:
    low, high = chosen.interval
    return (
        SubsetSum(R=R, eps=chosen.eps, alpha=chosen.alpha),
        Coverage(R=R, eps=chosen.eps, low=low, high=high),
        Recycling(eps=chosen.eps, alpha=chosen.alpha),
        ProductSum(R=R, eps=chosen.eps, alpha=chosen.alpha),
    )[place]


def _sizes(place: int, R: int, chosen: Settings) -> range:
    if place < 3:
        return range(1, int(_question(place, R, chosen).necessary_n(chosen.delta)) + 2)
    known = {1: range(1, 166, 4), 2: range(1, 83, 3), 5: range(1, 58, 2)}  # for 1e-12; nothing is proved near them
    if R in known and chosen.delta == 1e-12:
        return known[R]
    last = math.ceil(165 * math.log(2) / math.log(R + 1) * math.log(chosen.delta) / math.log(1e-12))
    return range(1, last + 1, -(-last // 40))


def _plot(data: Data) -> Figure:
    rows = data["rows"]
    lowest = data["settings"]["delta"] / 10
    draws = sorted({row["R"] for row in rows})
    low, high = data["settings"]["interval"]
    with house_style():
        figure, panels = new_panels(len(PANELS), 7.0, 2.5, least=3.0, share=False)
        for axes, panel in zip(panels, PANELS, strict=True):
            for R in sorted({row["R"] for row in rows if row["panel"] == panel}):
                mine = [row for row in rows if row["panel"] == panel and row["R"] == R]
                _draw(axes, mine, PALETTE[draws.index(R)], MARKERS[draws.index(R)], f"R = {R:,}")
            title = f"{panel} in [{low:g}, {high:g}]" if panel == "all targets" else panel
            axes.set(yscale="log", ylim=(lowest, 3.0), title=title, xlabel="n", ylabel="probability of failure")
            axes.xaxis.get_major_locator().set_params(integer=True)
        looks = [{"color": PALETTE[place], "marker": MARKERS[place]} for place in range(len(draws))]
        handles = [sample(f"R = {R:,}", linestyle="", **look) for R, look in zip(draws, looks, strict=True)]
        legend_above(figure, handles + _kinds(), columns=5)
    return figure


def _caption(data: Data) -> str:
    chosen = data["settings"]

    def needed(panel: str) -> str:
        known = [one for one in data["needs"] if one["panel"] == panel and one["first_n"]]
        return f"{panel}: n = " + (", ".join(f"{one['first_n']} (R = {one['R']:,})" for one in known) or "none")

    samples = {one["samples"] for one in data["needs"]}
    count = " to ".join(f"{one:,}" for one in sorted({min(samples), max(samples)}))
    return (
        f"Failures down to {chosen['delta']:g}, eps = {chosen['eps']:g}, alpha = {chosen['alpha']:g}. Points: unbiased "
        f"estimates of {count} samples, bars 95 %, seed {chosen['seed']}; shaded: between proved bounds; dashed: "
        f"predictions, heuristics, where they are not below what is proved. At most {chosen['delta']:g}, among the n "
        f"drawn: {'; '.join(map(needed, PANELS))}."
    )


RECIPE = Recipe(
    "tail",
    23,
    "Failures of 1e-12",
    Settings(),
    {"n": (1, 2, 3), "trials": 128},
    _compute,
    _plot,
    _caption,
    "--R 1 3 --eps 0.05 --delta 1e-9 --trials 1e4",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
