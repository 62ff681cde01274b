"""Figure 12: storage against sampling, curves of equal success and the cheapest points on them.

``python -m figures.trade_off`` draws the committed numbers; ``--compute`` makes them anew. Nothing is simulated: the
curves are necessary, proved and predicted numbers of candidates.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_figure, sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS, DELTA, ALPHA = 0.01, 0.01, 0.5
PRICES = (10.0, 100.0, 1000.0)
"""Price of a stored value, in draws."""

Kind = Literal["pick_one", "subset_sum"]
Basis = Literal["proved", "necessary", "predicted"]

_CURVES: tuple[tuple[Kind, Basis, str, str, str], ...] = (
    ("pick_one", "proved", "one draw (exact)", PALETTE[4], "-"),
    ("subset_sum", "proved", "subset sum: suffices (proved)", PALETTE[0], "-"),
    ("subset_sum", "predicted", "subset sum: prediction (heuristic)", PALETTE[2], "--"),
    ("subset_sum", "necessary", "subset sum: necessary (proved)", PALETTE[1], "-"),
)


def compute(smoke: bool, seed: int) -> Data:
    """The curves and the optima; ``seed`` is not used."""
    from theory.necessary.trade_off import iso_success, optimum

    bases: tuple[Basis, ...] = ("proved", "predicted")
    best = []
    for price in PRICES[:1] if smoke else PRICES:
        for basis in bases:
            found = optimum("subset_sum", EPS, DELTA, price_value=price, price_draw=1.0, alpha=ALPHA, basis=basis)
            best.append({"price": price, "basis": basis, "R": found.point.R, "n": found.point.n})
    R = {*range(1, 7 if smoke else 13), *(round(10 ** (i / 12)) for i in range(12, 33) if not smoke)}
    R |= {one["R"] for one in best if not smoke}
    curves = []
    for kind, basis, *_ in _CURVES:
        points = iso_success(kind, EPS, DELTA, R=sorted(R), alpha=ALPHA, basis=basis)
        curves.append({"kind": kind, "basis": basis, "R": [p.R for p in points], "n": [p.n for p in points]})
    return {"eps": EPS, "delta": DELTA, "alpha": ALPHA, "curves": curves, "optima": best}


def plot(data: Data) -> Figure:
    """n against R, logarithmic in both; markers where the total price is least."""
    with house_style():
        figure, axes = new_figure(6.0, 4.0)
        for curve, (_, _, label, colour, line) in zip(data["curves"], _CURVES, strict=True):
            axes.plot(curve["R"], curve["n"], color=colour, linestyle=line, drawstyle="steps-post", label=label)
        colours = {"proved": PALETTE[0], "predicted": PALETTE[2]}
        prices = sorted({one["price"] for one in data["optima"]})
        for one in data["optima"]:
            marker = MARKERS[prices.index(one["price"])]
            axes.plot([one["R"]], [one["n"]], marker=marker, color=colours[one["basis"]], markersize=6, zorder=3)
        handles, _ = axes.get_legend_handles_labels()
        for marker, price in zip(MARKERS, prices, strict=False):
            label = f"cheapest, a stored value costs {price:g} draws"
            handles.append(sample(label, linestyle="", marker=marker, markersize=6))
        axes.set(xscale="log", yscale="log", xlabel="R, draws of each candidate", ylabel="n, candidates stored")
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def caption(data: Data) -> str:
    """What is seen."""
    return (
        f"Storage against sampling at eps = {data['eps']:g}, failure probability {data['delta']:g}, target "
        f"{data['alpha']:g}: the smallest number n of candidates for R draws each. Picking one draw needs a fixed "
        "number n R of draws, whatever is stored; sums need few of both. Markers: the cheapest point, for three prices "
        "of a stored value. Computed, not simulated."
    )


RECIPE = Recipe("trade_off", 12, "Storage against sampling", compute, plot, caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
