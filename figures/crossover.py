"""Figure 15: which construction needs the fewest neurons, against the number of draws.

``python -m figures.crossover`` draws the committed numbers; ``--compute`` makes them anew. Nothing is simulated: the
curves are proved numbers of neurons.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from figures.recipe import Data, Recipe
from figures.style import PALETTE, house_style, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CASES = ((0.01, 0.01), (1e-4, 1e-8))
"""(eta, delta) of one weight and sign."""

_CURVES = (
    ("window", "one neuron (4.4)", PALETTE[4]),
    ("halves", "two, one after the other (4.9 b)", PALETTE[0]),
    ("thirds", "three (4.9 b)", PALETTE[5]),
    ("pairs", "any two (4.9 d)", PALETTE[2]),
    ("sums", "any subset (4.7)", PALETTE[1]),
)


def compute(smoke: bool, seed: int) -> Data:
    """Neurons by every construction; ``seed`` is not used."""
    from theory.required_width import ways_to_make

    R = sorted({1, 2, 3, 5} if smoke else {*range(1, 8), *(round(10 ** (i / 6)) for i in range(5, 37))})
    panels = []
    for eta, delta in CASES[:1] if smoke else CASES:
        curves: dict[str, list[int | None]] = {name: [] for name, *_ in _CURVES}
        least = []
        for draws in R:
            ways = {way.construction: way.neurons for way in ways_to_make(eta, delta, R=draws)}
            for name, values in curves.items():
                values.append(ways.get(name))  # type: ignore[call-overload]
            least.append(min(neurons for neurons in ways.values()))
        panels.append({"eta": eta, "delta": delta, "curves": curves, "least": least})
    return {"R": R, "panels": panels}


def plot(data: Data) -> Figure:
    """Neurons per input coordinate against R, logarithmic in both, a panel for every accuracy; dots: the least."""
    with house_style():
        figure, panels = new_panels(len(data["panels"]), 7.0, 3.4)
        for axes, panel in zip(panels, data["panels"], strict=True):
            for name, label, colour in _CURVES:
                axes.plot(data["R"], panel["curves"][name], color=colour, label=label)
            axes.plot(data["R"], panel["least"], "o", color="black", markersize=2.5, label="the least", zorder=3)
            title = f"eta = {panel['eta']:g}, delta = {panel['delta']:g}"
            axes.set(xscale="log", yscale="log", xlabel="R, draws of each element", title=title)
        panels[0].set(ylabel="neurons per input coordinate")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _takeover(data: Data, panel: Data) -> str:
    better = [R for R, n, m in zip(data["R"], panel["curves"]["pairs"], panel["least"], strict=True) if n == m]
    return f"R = {better[0]} at eta = {panel['eta']:g}" if better else f"no R at eta = {panel['eta']:g}"


def caption(data: Data) -> str:
    """What is seen."""
    first = ", ".join(_takeover(data, panel) for panel in data["panels"])
    return (
        "Hidden neurons per input coordinate, both signs, that are proved to make one weight within eta for one sign "
        "with failure probability delta. Subset sums (4.7) need few neurons for few draws; any two neurons of two "
        f"groups (4.9 d) are the cheapest from {first}; one neuron a sign, once R is of order 1/eta. Dots: the least. "
        "Computed, not simulated."
    )


RECIPE = Recipe("crossover", 15, "Which construction is the cheapest", compute, plot, caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
