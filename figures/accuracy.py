"""Figure 10: accuracy of found tickets against the part of the weights kept, and against the network's width.

Digits, a small network, so that anyone can make the numbers in minutes; all methods get the same images. Accuracies are
those of the last epoch on the test images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_panels
from nets.search.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("edge-popup", "biprop", "iterand", "recycle", "biprop-recycle")
DENSITIES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
WIDTHS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
KEPT = (
    "method", "arch", "density", "width", "epochs", "seeds", "test_accuracy", "test_accuracy_min", "test_accuracy_max",
)  # fmt: skip
"""Of the summary of ``nets.experiments``."""


def _compute(smoke: bool, seed: int) -> Data:
    """The seeds are 0, 1, 2 of ``nets.experiments``; ``seed`` is not used."""
    from nets.experiments import Experiments, collect

    names, few = (("edge-popup",), 2) if smoke else (NAMES, None)
    shared = Experiments("digits", jobs=1, seeds=1, budget_epochs=1) if smoke else Experiments("digits", jobs=1)
    both = (*names, "dense")
    sweeps = {
        "density": replace(shared, methods=both if smoke else names, density=DENSITIES[:few]),
        "width": replace(shared, methods=both, width=WIDTHS[:few]),
    }
    lines = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, sweep in sweeps.items():
            found = collect(replace(sweep, out=f"{folder}/{name}"))
            lines[name] = [{key: line[key] for key in KEPT} for line in found.summary]
    return {"params": {"data": "digits"}, **lines}


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, index: int, name: str) -> None:
    x = [line[key] for line in lines]
    y = [100.0 * (1.0 - line["test_accuracy"]) for line in lines]
    ends = [[100.0 * (1.0 - line[f"test_accuracy_{end}"]) for line in lines] for end in ("max", "min")]
    bars = [[a - b for a, b in zip(y, ends[0], strict=True)], [b - a for a, b in zip(y, ends[1], strict=True)]]
    line = "--" if name == "dense" else "-"
    style = {"color": PALETTE[index], "marker": MARKERS[index], "linestyle": line, "linewidth": 1.0, "capsize": 2}
    axes.errorbar(x, y, yerr=bars, label="dense" if name == "dense" else METHODS[name].label, **style)


def _plot(data: Data) -> Figure:
    with house_style():
        figure, panels = new_panels(2, height=3.4)
        for axes, key in zip(panels, ("density", "width"), strict=True):
            names = list(dict.fromkeys(line["method"] for line in data[key]))
            for name in names:
                lines = sorted((one for one in data[key] if one["method"] == name), key=lambda one: one[key])
                _curve(axes, lines, key, (*NAMES, "dense").index(name), name)
            axes.set(yscale="log")
        panels[0].set(xlabel="part of the weights kept", ylabel="test error, %")
        panels[1].set(xscale="log", xlabel="width factor, half of the weights kept")
        panels[0].set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
        panels[0].minorticks_off()
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _caption(data: Data) -> str:
    first = data["density"][0]
    return (
        "Test error of found tickets on the digits (8 x 8 images, 360 test images), network 64-300-100-10 times the "
        f"width factor, {first['epochs']} epochs; mean and range over {first['seeds']} seeds (0, 1, ...), last epoch. "
        "Weights as each method has them by default: Kaiming normal for Biprop and Biprop with recycling, signed "
        "constants for the others; Biprop's are scaled as in its authors' runs, all others unscaled. Dashed: the "
        "same network trained densely. These runs are short (460 steps); those "
        "of the papers take 35,000 and more."
    )


RECIPE = Recipe("accuracy", 10, "Accuracy of found tickets", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
