"""Figure 12: storage against sampling, curves of equal success and the cheapest points on them.

``python -m figures.trade_off`` draws the committed numbers; ``--compute`` makes them anew. Nothing is simulated: the
curves are necessary, proved and predicted numbers of candidates.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, legend_above, marker_size, new_figure, sample
from figures.work import Work, few
from sims.commands import flags

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["pick_one", "subset_sum"]
Basis = Literal["proved", "necessary", "predicted"]

_CURVES: tuple[tuple[Kind, Basis, str, str, str], ...] = (
    ("pick_one", "proved", "one draw (exact)", PALETTE[4], "-"),
    ("subset_sum", "proved", "subset sum: suffices (proved)", PALETTE[0], "-"),
    ("subset_sum", "predicted", "subset sum: prediction (heuristic)", PALETTE[2], "--"),
    ("subset_sum", "necessary", "subset sum: necessary (proved)", PALETTE[1], "-."),
)


@dataclass(frozen=True)
class Settings:
    """Storage against sampling."""

    eps: flags.Real = 0.01
    """Accuracy in (0, 1]."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1)."""
    alpha: flags.Real = 0.5
    """Target in [-1, 1]."""
    price: flags.Reals = (10.0, 100.0, 1000.0)
    """Prices of a stored value, in draws, up to seven."""
    largest_R: flags.Integer = 500
    """Draws up to which curves are drawn."""


def compute(chosen: Settings, work: Work) -> Data:
    """The curves and the optima."""
    from theory.necessary.trade_off import iso_success, optimum

    bases: tuple[Basis, ...] = ("proved", "predicted")
    best = []
    few("price", len(chosen.price))
    last = flags.between("largest_R", chosen.largest_R, 2, 10**9)
    for price in chosen.price:
        for basis in bases:
            prices = {"price_value": price, "price_draw": 1.0}
            found = optimum("subset_sum", chosen.eps, chosen.delta, **prices, alpha=chosen.alpha, basis=basis)
            best.append({"price": price, "basis": basis, "R": found.point.R, "n": found.point.n})
    R = {*range(1, min(12, last) + 1), *(round(10 ** (i / 12)) for i in range(12, 109) if 10 ** (i / 12) <= last)}
    R |= {one["R"] for one in best}
    curves = []
    for kind, basis, *_ in work.each(_CURVES):
        points = iso_success(kind, chosen.eps, chosen.delta, R=sorted(R), alpha=chosen.alpha, basis=basis)
        curves.append({"kind": kind, "basis": basis, "R": [p.R for p in points], "n": [p.n for p in points]})
    return {"curves": curves, "optima": best}


def plot(data: Data) -> Figure:
    """n against R, logarithmic in both; markers where the total price is least."""
    with house_style():
        figure, axes = new_figure(6.0, 3.4)
        for curve, (_, _, label, colour, line) in zip(data["curves"], _CURVES, strict=True):
            style = {"color": colour, "linestyle": line, "linewidth": (2.4 if curve["kind"] == "pick_one" else 1.2)}
            axes.plot(curve["R"], curve["n"], drawstyle="steps-post", label=label, **style)
        size = 1.5 * marker_size()
        colours = {"proved": PALETTE[0], "predicted": PALETTE[2]}
        prices = sorted({one["price"] for one in data["optima"]})
        for one in data["optima"]:
            marker = MARKERS[prices.index(one["price"])]
            axes.plot([one["R"]], [one["n"]], marker=marker, color=colours[one["basis"]], markersize=size, zorder=3)
        handles, _ = axes.get_legend_handles_labels()
        for marker, price in zip(MARKERS, prices, strict=False):
            label = f"cheapest, a stored value costs {price:g} draws"
            handles.append(sample(label, linestyle="", marker=marker, markersize=size))
        axes.set(xscale="log", yscale="log", xlabel="R, draws of each candidate", ylabel="n, candidates stored")
        legend_above(figure, handles, columns=2)
    return figure


def caption(data: Data) -> str:
    """What is seen."""
    chosen = data["settings"]
    prices = len({one["price"] for one in data["optima"]})
    return (
        f"Storage against sampling at eps = {chosen['eps']:g}, failure probability {chosen['delta']:g}, target "
        f"{chosen['alpha']:g}: the smallest number n of candidates for R draws each. Picking one draw needs a fixed "
        "number n R of draws, whatever is stored; sums need few of both. Markers: the cheapest point, for "
        f"{prices} price{'s' if prices > 1 else ''} of a stored value. Computed, not simulated."
    )


RECIPE = Recipe(
    "trade_off",
    12,
    "Storage against sampling",
    Settings(),
    {"price": (10.0,), "largest_R": 6},
    compute,
    plot,
    caption,
    "--eps 1e-4 --delta 1e-6 --price 32 --largest-R 10000",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
