"""Figure 15: which construction needs the fewest neurons, against the number of draws.

``python -m figures.crossover`` draws the committed numbers; ``--compute`` makes them anew. Nothing is simulated: the
curves are proved numbers of neurons.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, in_first_column, legend_above, new_panels
from figures.work import Work, few
from sims.commands import flags

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONSTRUCTIONS = (
    ("window", "one neuron (4.4)", PALETTE[4]),
    ("halves", "two, one after the other (4.9 b)", PALETTE[0]),
    ("thirds", "three (4.9 b)", PALETTE[5]),
    ("pairs", "any two (4.9 d)", PALETTE[2]),
    ("sums", "any subset (4.7)", PALETTE[1]),
)
"""A construction, what a legend calls it, and its colour in every figure."""


_EACH = flags.written("FLOAT [...]", lambda tokens: tuple(map(flags.real, tokens)), many=True)


@dataclass(frozen=True)
class Settings:
    """Neurons by construction against the number of draws."""

    eta: flags.Reals = (0.01, 1e-4)
    """Accuracies of one weight, a panel for each."""
    delta: Annotated[tuple[float, ...], *_EACH] = (0.01, 1e-8)
    """Failure probabilities of one weight and sign, as many as eta."""
    largest_R: flags.Integer = 10**6
    """Draws up to which curves are drawn."""


def compute(chosen: Settings, work: Work) -> Data:
    """Neurons by every construction."""
    from theory.required_width import ways_to_make

    few("eta", len(chosen.eta), 4)
    if len(chosen.delta) != len(chosen.eta):
        raise ValueError(f"delta needs as many values as eta, {len(chosen.eta)}, got {len(chosen.delta)}")
    last = flags.between("largest_R", chosen.largest_R, 2, 10**12)
    R = sorted(
        {*range(1, min(8, last + 1)), *(round(10 ** (i / 6)) for i in range(5, 73) if 10 ** (i / 6) <= last * 1.001)}
    )
    panels: list[dict[str, Any]] = [
        {"eta": eta, "delta": delta, "R": R, "curves": {name: [] for name, *_ in CONSTRUCTIONS}, "least": []}
        for eta, delta in zip(chosen.eta, chosen.delta, strict=True)
    ]
    for panel, draws in work.each([(panel, draws) for panel in panels for draws in R]):
        ways = {way.construction: way.neurons for way in ways_to_make(panel["eta"], panel["delta"], R=draws)}
        for name, values in panel["curves"].items():
            values.append(ways.get(name))
        panel["least"].append(min(ways.values()))
    return {"panels": panels}


def plot(data: Data) -> Figure:
    """Neurons per input coordinate against R, logarithmic in both, a panel for every accuracy; grey: the least."""
    with house_style():
        figure, panels = new_panels(len(data["panels"]), 7.0, 2.8)
        for axes, panel in zip(panels, data["panels"], strict=True):
            axes.plot(panel["R"], panel["least"], color="0.8", linewidth=5, solid_capstyle="round", label="the least")
            for index, (name, label, colour) in enumerate(CONSTRUCTIONS):
                style = {"color": colour, "marker": MARKERS[index], "markevery": (index, 6), "label": label}
                axes.plot(panel["R"], panel["curves"][name], **style)
            title = f"eta = {panel['eta']:g}, delta = {panel['delta']:g}"
            axes.set(xscale="log", yscale="log", xlabel="R, draws of each element", title=title)
            if in_first_column(axes):
                axes.set_ylabel("neurons per input coordinate")
        legend_above(figure, panels[0].get_legend_handles_labels()[0])
    return figure


def _takeover(panel: Data) -> str:
    better = [R for R, n, m in zip(panel["R"], panel["curves"]["pairs"], panel["least"], strict=True) if n == m]
    return f"R = {better[0]:,} at eta = {panel['eta']:g}" if better else f"no R at eta = {panel['eta']:g}"


def caption(data: Data) -> str:
    """What is seen."""
    first = ", ".join(_takeover(panel) for panel in data["panels"])
    return (
        "Hidden neurons per input coordinate, both signs, that are proved to make one weight within eta for one sign "
        "with failure probability delta. Subset sums (4.7) need few neurons for few draws; any two neurons of two "
        f"groups (4.9 d) are the cheapest from {first}; one neuron a sign, once R is of order 1/eta. Grey: the least. "
        "Computed, not simulated."
    )


RECIPE = Recipe(
    "crossover",
    15,
    "Which construction is the cheapest",
    Settings(),
    {"eta": (0.01,), "delta": (0.01,), "largest_R": 5},
    compute,
    plot,
    caption,
    "--eta 0.1 0.001 --delta 0.01 1e-6",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
