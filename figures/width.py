"""Figure 24: how large the random network must be for a target of one's own, by construction, against the draws R.

``python -m figures.width --widths 784 300 10 --eps 0.1`` computes it for other widths. Nothing is simulated.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from figures.crossover import CONSTRUCTIONS
from figures.recipe import Data, Recipe
from figures.style import MARKERS, house_style, legend_above, new_figure
from figures.work import Work
from sims.commands import flags

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Settings:
    """Size of the random network by construction."""

    widths: flags.Counts = (64, 64, 10)
    """Widths of the target network."""
    eps: flags.Real = 0.1
    """Accuracy of the whole network in (0, 1]."""
    delta: flags.Real = 0.01
    """Failure probability of the whole network in (0, 1)."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs."""
    R: flags.Integers = tuple(sorted({*range(1, 8), *(round(10 ** (i / 4)) for i in range(4, 25))}))
    """Draws of each element, along the axis."""


def _compute(chosen: Settings, work: Work) -> Data:
    from theory.necessary.widths import width
    from theory.network.layers import layer_etas, layers
    from theory.required_width import STATEMENTS, ways_to_make

    weights = [into * out for into, out in layers(chosen.widths)]
    each = chosen.delta / sum(2 * count for count in weights)
    rows = []
    for R in work.each(sorted(chosen.R)):
        made = [
            {way.construction: way.neurons for way in ways_to_make(eta, each, R=R)}
            for eta in layer_etas(chosen.widths, chosen.eps, domain=chosen.domain)
        ]
        best = [min(ways, key=ways.__getitem__) for ways in made]
        neurons = [ways[name] for ways, name in zip(made, best, strict=True)]
        row: dict[str, Any] = {"R": R, "best": _source_weights(chosen.widths, neurons)}
        row["statements"] = ", ".join(dict.fromkeys(STATEMENTS[name] for name in best))
        for name, *_ in CONSTRUCTIONS:
            row[name] = _source_weights(chosen.widths, [ways.get(name) for ways in made])  # type: ignore[call-overload]
        row["necessary"] = width("counting", chosen.widths, chosen.eps, chosen.delta, R=R).params
        rows.append(row)
    return {"target_weights": sum(weights), "rows": rows}


def _weights(widths: Sequence[int]) -> int:
    return sum(a * b for a, b in itertools.pairwise(widths))


def _source_weights(widths: Sequence[int], neurons: Sequence[int | None]) -> int | None:
    """Weights of the source network; None where a layer cannot be made that way."""
    source = [widths[0]]
    for into, out, count in zip(widths, widths[1:], neurons, strict=False):
        if count is None:
            return None
        source += [into * count, out]
    return _weights(source)


def _plot(data: Data) -> Figure:
    rows = data["rows"]
    draws = [row["R"] for row in rows]
    with house_style():
        figure, axes = new_figure(5.5, 3.4)
        axes.plot(draws, [row["best"] for row in rows], color="0.8", linewidth=5, label="the best of each layer")
        every = max(1, math.ceil(len(rows) / 8))
        for index, (name, label, colour) in enumerate(CONSTRUCTIONS):
            style = {"color": colour, "marker": MARKERS[index], "markevery": (index % every, every), "label": label}
            values = [float("nan") if row[name] is None else row[name] for row in rows]
            axes.plot(draws, values, **style)
        necessary = [float("nan") if row["necessary"] is None else row["necessary"] for row in rows]
        axes.plot(draws, necessary, color="black", linestyle="-.", label="necessary (5.3)")
        axes.axhline(data["target_weights"], color="0.4", linestyle=":", label="weights of the target")
        axes.set(xscale="log", yscale="log", xlabel="R, draws of each element", ylabel="weights of the random network")
        legend_above(figure, axes.get_legend_handles_labels()[0])
    return figure


def _caption(data: Data) -> str:
    chosen, rows = data["settings"], data["rows"]
    least = min(rows, key=lambda row: row["best"])
    return (
        f"Weights of a random network that is proved to contain every {'-'.join(map(str, chosen['widths']))} target of "
        f"spectral norms at most 1 to within eps = {chosen['eps']:g} on the {chosen['domain']} unit ball, with failure "
        f"probability {chosen['delta']:g}, by construction; grey: the best of each layer, at least {least['best']:,} "
        f"(R = {least['R']:,}). Dash-dotted: fewer are proved impossible; dotted: the target has "
        f"{data['target_weights']:,}. Computed, not simulated."
    )


RECIPE = Recipe(
    "width",
    24,
    "Size of the random network by construction",
    Settings(),
    {"widths": (2, 2), "R": (1, 100, 10_000)},
    _compute,
    _plot,
    _caption,
    "--widths 784 300 100 10 --eps 0.5 --R 1 10 100 1000 1e4",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
