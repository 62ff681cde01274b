"""Figure 10: accuracy of found tickets against the part of the weights kept, and against the network's width.

Digits, a small network, so that anyone can make the numbers in minutes; all methods get the same images. Accuracies are
those of the last epoch on the test images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe, run
from figures.style import MARKERS, PALETTE, house_style, new_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("edge-popup", "biprop", "iterand", "recycle", "biprop-recycle")
DENSITIES = ("0.05", "0.1", "0.2", "0.35", "0.5", "0.65", "0.8", "0.9")
WIDTHS = ("0.05", "0.1", "0.25", "0.5", "1", "2")
KEPT = (
    "method", "arch", "density", "width", "epochs", "seeds", "test_accuracy", "test_accuracy_min", "test_accuracy_max",
)  # fmt: skip
"""Of the summary of ``nets.experiments``."""


def _compute(smoke: bool, seed: int) -> Data:
    """The seeds are 0, 1, 2 of ``nets.experiments``; ``seed`` is not used."""
    lines: dict[str, list[dict[str, Any]]] = {}
    methods, few = (("edge-popup", "dense"), ("--seeds", "1", "--budget-epochs", "1")) if smoke else (METHODS, ())
    sweeps = {"density": ("--density", *DENSITIES[: 2 if smoke else None])}
    sweeps["width"] = ("--width", *WIDTHS[: 2 if smoke else None], "--density", "0.5")
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in sweeps.items():
            names = methods if name == "density" else (*methods, "dense")
            argv = ("digits", "--methods", *dict.fromkeys(names), *flags, *few, "--jobs", "1")
            found = run("nets.experiments", *argv, "--out", str(Path(folder) / name))
            lines[name] = [{key: line[key] for key in KEPT} for line in found["summary"]]
    return {"params": {"data": "digits"}, **lines}


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, index: int, name: str) -> None:
    x = [line[key] for line in lines]
    y = [100.0 * (1.0 - line["test_accuracy"]) for line in lines]
    ends = [[100.0 * (1.0 - line[f"test_accuracy_{end}"]) for line in lines] for end in ("max", "min")]
    bars = [[a - b for a, b in zip(y, ends[0], strict=True)], [b - a for a, b in zip(y, ends[1], strict=True)]]
    line = "--" if name == "dense" else "-"
    style = {"color": PALETTE[index], "marker": MARKERS[index], "linestyle": line, "linewidth": 1.0, "capsize": 2}
    axes.errorbar(x, y, yerr=bars, label=name, **style)


def _plot(data: Data) -> Figure:
    with house_style():
        figure, panels = new_panels(2, height=3.4)
        for axes, key in zip(panels, ("density", "width"), strict=True):
            names = list(dict.fromkeys(line["method"] for line in data[key]))
            for name in names:
                lines = sorted((one for one in data[key] if one["method"] == name), key=lambda one: one[key])
                index = (*METHODS, "dense").index(name)
                _curve(axes, lines, key, index, name)
            axes.set(yscale="log")
        panels[0].set(xlabel="part of the weights kept", ylabel="test error, %")
        panels[1].set(xscale="log", xlabel="width factor, half of the weights kept")
        panels[0].set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
        panels[0].minorticks_off()
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _caption(data: Data) -> str:
    first = data["density"][0]
    return (
        "Test error of found tickets on the digits (8 x 8 images, 360 test images), network 64-300-100-10 times the "
        f"width factor, {first['epochs']} epochs; mean and range over {first['seeds']} seeds (0, 1, ...), last epoch. "
        "Weights as each method has them by default: Kaiming normal for Biprop and Biprop with recycling, signed "
        "constants for the others. Dashed: the same network trained densely. These runs are short (460 steps); those "
        "of the papers take 35,000 and more."
    )


RECIPE = Recipe("accuracy", 10, "Accuracy of found tickets", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
