"""Figure 3: what is required against 1/eps: n for one weight, and the size of the whole random network.

Above: variables for one subset sum, measured, predicted and between proved bounds. Below: weights of the random network
by every result of section 5; a result whose constant is unknown is a shape, drawn dashed with C = 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, blank_figure, house_style
from sims.run import run
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALPHA, DELTA = 0.5, 0.01
WIDTHS = (64, 64)
DENSITY = 0.25
DRAWN = (1, 5)
"""R whose measured n is drawn; the data hold R = 1, 2, 5 and 10."""
KNOWN = (
    ("iterand_ours", 1, "one neuron, 4.4"),
    ("iterand_ours", 1000, "one neuron, 4.4"),
    ("subset_sum", 1, "subset sums, 4.7"),
    ("subset_sum", 10, "subset sums, 4.7"),
    ("counting", 1, "necessary, 5.3"),
    ("counting", 10, "necessary, 5.3"),
)
SHAPES = (
    ("malach", "Malach et al."),
    ("multi_prize", "Multi-Prize"),
    ("sreenivasan", "Sreenivasan et al."),
    ("burkholz", "Burkholz"),
    ("orseau", "Orseau et al."),
    ("pensia", "Pensia et al."),
    ("natale", "Natale et al."),
    ("kumar", "Kumar and Natale"),
)


def _one_weight(smoke: bool, seed: int) -> list[dict[str, Any]]:
    trials = 200 if smoke else 20_000
    rows = []
    for R in (1, 2, 5, 10):
        for step in range(2, 4 if smoke else 13):  # eps = 10^(-step/2)
            eps = 10.0 ** (-step / 2)
            question = SubsetSum(R=R, eps=eps, alpha=ALPHA)
            predicted = question.predicted_n(DELTA)
            found = run(question, n=range(1, predicted + 4), delta=DELTA, trials=trials, seed=seed)
            reached = [row["n"] for row in found.rows if row["successes"] >= (1.0 - DELTA) * trials]
            (needs,) = found.summary
            rows.append(
                {
                    "R": R,
                    "eps": eps,
                    "measured": reached[0] if reached else None,
                    "predicted": predicted,
                    "necessary": needs["necessary_n"],
                    "sufficient": needs["required_n"],
                    "trials": trials,
                }
            )
    return rows


def _networks(smoke: bool) -> list[dict[str, Any]]:
    from theory.necessary.widths import width

    rows = []
    for step in range(2, 4 if smoke else 13):
        eps = 10.0 ** (-step / 2)
        for key, R, _ in KNOWN:
            rows.append({"result": key, "R": R, "eps": eps, "params": width(key, WIDTHS, eps, DELTA, R=R).params})
        for key, _ in SHAPES:
            found = width(key, WIDTHS, eps, DELTA, R=1, C=1.0, density=DENSITY)
            rows.append({"result": key, "R": 1, "eps": eps, "params": found.params})
    return rows


def _compute(smoke: bool, seed: int) -> Data:
    return {
        "params": {"alpha": ALPHA, "delta": DELTA, "widths": list(WIDTHS), "density": DENSITY, "seed": seed},
        "one_weight": _one_weight(smoke, seed),
        "networks": [row for row in _networks(smoke) if row["params"] is not None],
    }


def _draw_one_weight(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for index, R in enumerate(DRAWN):
        mine = [row for row in rows if row["R"] == R]
        x = [1.0 / row["eps"] for row in mine]
        colour = PALETTE[index]
        ends = ([row[end] for row in mine] for end in ("necessary", "sufficient"))
        axes.fill_between(x, *ends, color=colour, alpha=0.15, linewidth=0, label=f"R = {R}, between proved n")
        axes.plot(x, [row["predicted"] for row in mine], color=colour, linestyle="--", label=f"R = {R}, predicted")
        kept = [row for row in mine if row["measured"] is not None]
        style = {"linestyle": "", "marker": MARKERS[index], "color": colour, "label": f"R = {R}, measured"}
        axes.plot([1.0 / row["eps"] for row in kept], [row["measured"] for row in kept], **style)
    axes.set(xscale="log", yscale="log", ylabel="n for one weight")
    axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"], minor=False)
    axes.minorticks_off()
    axes.legend(loc="upper left", ncols=2)


def _draw_networks(axes: Any, rows: Sequence[Mapping[str, Any]], known: bool) -> None:
    names = [(key, R, f"{name}, R = {R:,}") for key, R, name in KNOWN] if known else [(k, 1, n) for k, n in SHAPES]
    for index, (key, R, name) in enumerate(names):
        mine = [row for row in rows if row["result"] == key and row["R"] == R]
        colour = PALETTE[index // 2] if known else (*PALETTE, "0.55")[index]
        line = ("-", ":")[index % 2] if known else "--"
        size = 1.4 if known else 1.0
        x, y = [1.0 / row["eps"] for row in mine], [row["params"] for row in mine]
        marker = None if known else (*MARKERS, "*")[index]
        axes.plot(x, y, color=colour, linestyle=line, linewidth=size, marker=marker, markevery=3, label=name)
    axes.set(xscale="log", yscale="log", xlabel="1/eps", ylim=(1e3, 1e33))
    axes.legend(loc="upper left", fontsize=7)
    axes.set_title("constants known" if known else "shapes only, C = 1, R = 1")


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(5.5, 6.0)
        panels = figure.subplot_mosaic([["top", "top"], ["left", "right"]], height_ratios=(3, 4))
        _draw_one_weight(panels["top"], data["one_weight"])
        _draw_networks(panels["left"], data["networks"], True)
        _draw_networks(panels["right"], data["networks"], False)
        panels["left"].set_ylabel("weights of the random network")
        panels["right"].sharey(panels["left"])
    return figure


def _caption(data: Data) -> str:
    params = data["params"]
    trials = data["one_weight"][0]["trials"]
    widths = "-".join(map(str, params["widths"]))
    return (
        f"What success with probability {1 - params['delta']:g} requires. Above: variables for one subset sum, alpha = "
        f"{params['alpha']:g}; points: smallest n whose simulated success reaches it ({trials:,} trials, seed "
        f"{params['seed']}); shaded: from necessary to sufficient, both proved; dashed: predicted, a heuristic. Below: "
        f"weights of the random network for a {widths} target; left: proved here, every constant known; right: results "
        "of other papers whose constants are unknown, drawn with C = 1: shapes, not numbers."
    )


RECIPE = Recipe("required_n", 3, "What is required", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
