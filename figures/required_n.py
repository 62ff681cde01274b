"""Figure 3: what is required against 1/eps: n for one weight, and the size of the whole random network.

Above: variables for one subset sum, measured, predicted and between proved bounds. Below: weights of the random network
by every result of section 5; a result whose constant is unknown is a shape, drawn dashed with C = 1.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_over, sample
from figures.work import Work, few, reached
from sims.commands import flags
from sims.run import asked
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = (
    ("iterand_ours", "one neuron, 4.4"),
    ("subset_sum", "subset sums, 4.7"),
    ("counting", "necessary, 5.3"),
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


@dataclass(frozen=True)
class Settings(Sampling):
    """What is required against 1/eps."""

    R: flags.Integers = (1, 5)
    """Above: draws of each variable."""
    eps: flags.Reals = tuple(10.0 ** (-step / 2) for step in range(2, 13))
    """Accuracies."""
    alpha: flags.Real = 0.5
    """Above: target in [-1, 1]."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1) that is asked for."""
    widths: flags.Counts = (64, 64)
    """Below: widths of the target network."""
    network_R: flags.Integers = (1, 1000)
    """Below left: draws of each element, one or two values."""
    density: flags.Real = 0.25
    """Below right: part of the weights kept, where a result asks for it."""
    trials: flags.Integer = 20_000
    """Trials of a point."""


def _one_weight(chosen: Settings, work: Work) -> list[dict[str, Any]]:
    questions = [SubsetSum(R=R, eps=eps, alpha=chosen.alpha) for R in chosen.R for eps in chosen.eps]
    predicted = [question.predicted_n(chosen.delta) for question in questions]
    options = {"delta": chosen.delta, "trials": chosen.trials, "seed": chosen.seed}
    requests = [asked(one, n=range(1, near + 4), **options) for one, near in zip(questions, predicted, strict=True)]
    rows = []
    for question, near, found in zip(questions, predicted, work.run(requests), strict=True):
        (needs,) = found.summary
        rows.append(
            {
                "R": question.R,
                "eps": question.eps,
                "measured": reached(found, chosen.delta),
                "predicted": near,
                "necessary": needs["necessary_n"],
                "sufficient": needs["required_n"],
                "trials": chosen.trials,
            }
        )
    return rows


def _networks(chosen: Settings) -> list[dict[str, Any]]:
    from theory.necessary.widths import width

    rows = []
    for eps in chosen.eps:
        known: list[Any] = [(key, R, {}) for key, _ in RESULTS for R in chosen.network_R]
        shapes = [(key, 1, {"C": 1.0, "density": chosen.density}) for key, _ in SHAPES]
        for key, R, further in [*known, *shapes]:
            params = width(key, chosen.widths, eps, chosen.delta, R=R, **further).params
            rows.append({"result": key, "R": R, "eps": eps, "params": params})
    return [row for row in rows if row["params"] is not None]


def _compute(chosen: Settings, work: Work) -> Data:
    few("R", len(chosen.R))
    few("network_R", len(chosen.network_R), 2)
    networks = _networks(chosen)
    return {"one_weight": _one_weight(chosen, work), "networks": networks}


def _draw_one_weight(axes: Any, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    handles = []
    for index, R in enumerate(sorted({row["R"] for row in rows})):
        mine = sorted((row for row in rows if row["R"] == R), key=lambda row: -row["eps"])
        x = [1.0 / row["eps"] for row in mine]
        colour = PALETTE[index]
        ends = ([row[end] for row in mine] for end in ("necessary", "sufficient"))
        axes.fill_between(x, *ends, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, [row["predicted"] for row in mine], color=colour, linestyle="--")
        kept = [row for row in mine if row["measured"] is not None]
        style = {"linestyle": "", "marker": MARKERS[index], "color": colour, "label": f"R = {R:,}, measured"}
        handles += axes.plot([1.0 / row["eps"] for row in kept], [row["measured"] for row in kept], **style)
    axes.set(xscale="log", yscale="log", xlabel="1/eps", ylabel="n for one weight")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    proved = Patch(color="0.35", alpha=0.25, label="between proved n")
    return [*handles, proved, sample("predicted (heuristic)", linestyle="--")]


def _draw_networks(axes: Any, rows: Sequence[Mapping[str, Any]], known: bool) -> list[Any]:
    shapes = {key for key, _ in SHAPES}
    curves: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: -row["eps"]):
        if (row["result"] in shapes) != known:
            curves.setdefault((row["result"], row["R"]), []).append(row)
    names = dict(RESULTS if known else SHAPES)
    draws = sorted({R for _, R in curves})
    handles = []
    for index, key in enumerate(names):
        for R in draws:
            mine = curves.get((key, R), [])
            if not mine:
                continue
            style: dict[str, Any] = {"color": (*PALETTE, "0.55")[index], "marker": (*MARKERS, "*")[index]}
            style |= {"linestyle": ("-", ":")[draws.index(R) % 2] if known else "--", "markevery": 3}
            label = f"{names[key]}, R = {R:,}" if known else names[key]
            handles += axes.plot(
                [1.0 / row["eps"] for row in mine], [row["params"] for row in mine], label=label, **style
            )
    axes.set(xscale="log", yscale="log", xlabel="1/eps")
    return handles


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(5.5, 6.2)
        wide = figure.get_size_inches()[0] >= 4.6
        places = [["top", "top"], ["left", "right"]] if wide else [["top"], ["left"], ["right"]]
        if not wide:
            grow(figure, 0.5 * figure.get_size_inches()[1])
        panels = figure.subplot_mosaic(places, height_ratios=(3, 4) if wide else (3, 4, 4))  # type: ignore[arg-type]
        one = _draw_one_weight(panels["top"], data["one_weight"])
        left, right = (_draw_networks(panels[name], data["networks"], name == "left") for name in ("left", "right"))
        panels["left"].set_ylabel("weights of the random network")
        if not wide:
            panels["right"].set_ylabel("weights of the random network")
        panels["right"].sharey(panels["left"])
        above = legend_over(panels["top"], one, columns=2)
        below = [
            legend_over(panels["left"], left, columns=2, title="constants known"),
            legend_over(panels["right"], right, columns=2, title="shapes only, C = 1, R = 1"),
        ]
        grow(figure, above + (max(below) if wide else sum(below)))
    return figure


def _caption(data: Data) -> str:
    params = data["settings"]
    trials = params["trials"]
    widths = "-".join(map(str, params["widths"]))
    return (
        f"What success with probability {1 - params['delta']:g} requires. Panel 1: variables for one subset sum, "
        f"alpha = {params['alpha']:g}; points: smallest n whose simulated success reaches it ({trials:,} trials, seed "
        f"{params['seed']}); shaded: from necessary to sufficient, both proved; dashed: predicted, a heuristic. "
        f"Panels 2 and 3: weights of the random network for a {widths} target; 2: proved here, every constant known; "
        "3: results of other papers whose constants are unknown, drawn with C = 1: shapes, not numbers."
    )


RECIPE = Recipe(
    "required_n",
    3,
    "What is required",
    Settings(),
    {"eps": (0.1, 10**-1.5), "trials": 200},
    _compute,
    _plot,
    _caption,
    "--R 1 3 --alpha 0.9 --delta 0.001 --widths 784 300 10",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
