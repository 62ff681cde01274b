"""Figure 10: accuracy of found tickets against the part of the weights kept, and against the network's width.

Digits, a small network, so that anyone can make the numbers in minutes; all methods get the same images. Accuracies are
those of the last epoch on the test images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, in_first_column, legend_above, new_panels
from figures.work import Work, few
from nets.search.methods import METHODS
from sims.commands import flags

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("edge-popup", "biprop", "iterand", "recycle", "biprop-recycle")
IMAGES = {
    "digits": "digits (8 x 8 images, 360 test images), network 64-300-100-10",
    "mnist": "MNIST, network 784-300-100-10",
    "cifar10": "CIFAR-10, network conv4",
}
KEPT = (
    "method", "arch", "density", "width", "epochs", "seeds", "test_accuracy", "test_accuracy_min", "test_accuracy_max",
)  # fmt: skip
"""Of the summary of ``nets.experiments``."""


@dataclass(frozen=True)
class Settings:
    """Accuracy of found tickets against density and width."""

    images: Literal["digits", "mnist", "cifar10"] = "digits"
    """Data set."""
    methods: Annotated[tuple[str, ...], *flags.written("NAME [NAME ...]", tuple, many=True)] = NAMES
    """Of those of nets.train; the dense network is always drawn on the right."""
    density: flags.Reals = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
    """Left: parts of the weights kept."""
    width_factor: flags.Reals = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
    """Right: factors on hidden widths; half of the weights are kept."""
    seeds: flags.Integer = 3
    """Runs of each point, with seeds 0, 1, ..."""
    epochs: flags.OptionalInteger = None
    """Epochs at most. Default: those of each method's recipe."""
    data_dir: flags.OptionalFolder = None
    """Where the files of MNIST or CIFAR-10 lie."""


def _compute(chosen: Settings, work: Work) -> Data:
    from nets.experiments import Experiments, collect, foresee, plan

    few("methods", len(chosen.methods), len(NAMES))
    for name in chosen.methods:
        if name not in METHODS or name == "dense":
            raise ValueError(f"methods must be of {', '.join(one for one in METHODS if one != 'dense')}, got {name}")
    jobs = work.jobs or 1  # the runs share the threads
    shared = Experiments(
        chosen.images,
        jobs=jobs,
        seeds=chosen.seeds,
        budget_epochs=chosen.epochs,
        data_dir=chosen.data_dir,
    )
    sweeps = {
        "density": replace(shared, methods=chosen.methods, density=chosen.density),
        "width": replace(shared, methods=(*chosen.methods, "dense"), width=chosen.width_factor),
    }
    lines = {}
    with tempfile.TemporaryDirectory() as folder:
        placed = {name: replace(sweep, out=f"{folder}/{name}") for name, sweep in sweeps.items()}
        work.announce(sum(foresee(plan(sweep), jobs).seconds for sweep in placed.values()))
        for name, sweep in placed.items():
            found = collect(sweep, quiet=work.quiet)
            lines[name] = [{key: line[key] for key in KEPT} for line in found.summary]
    return {"params": {"data": chosen.images}, **lines}


def _curve(axes: Any, lines: Sequence[Mapping[str, Any]], key: str, index: int, name: str) -> None:
    x = [line[key] for line in lines]
    y = [100.0 * (1.0 - line["test_accuracy"]) for line in lines]
    ends = [[100.0 * (1.0 - line[f"test_accuracy_{end}"]) for line in lines] for end in ("max", "min")]
    bars = [[a - b for a, b in zip(y, ends[0], strict=True)], [b - a for a, b in zip(y, ends[1], strict=True)]]
    line = "--" if name == "dense" else "-"
    style = {"color": PALETTE[index], "marker": MARKERS[index], "linestyle": line, "linewidth": 1.0, "capsize": 2}
    axes.errorbar(x, y, yerr=bars, label="dense" if name == "dense" else METHODS[name].label, **style)


def _plot(data: Data) -> Figure:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    with house_style():
        figure, panels = new_panels(2, height=2.7)
        order = [*dict.fromkeys(line["method"] for line in data["density"]), "dense"]
        titles = {"density": data["params"]["data"], "width": f"{data['params']['data']}, half of the weights kept"}
        for axes, key in zip(panels, titles, strict=True):
            for name in dict.fromkeys(line["method"] for line in data[key]):
                lines = sorted((one for one in data[key] if one["method"] == name), key=lambda one: one[key])
                _curve(axes, lines, key, order.index(name), name)
            axes.set(yscale="log", title=titles[key])
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
            if in_first_column(axes):
                axes.set_ylabel("test error, %")
        panels[0].set(xlabel="part of the weights kept")
        panels[1].set(xscale="log", xlabel="factor on the hidden widths")
        legend_above(figure, panels[1].get_legend_handles_labels()[0])
    return figure


def _caption(data: Data) -> str:
    first, images = data["density"][0], data["params"]["data"]
    runs = f"{first['seeds']} seeds (0, 1, ...)" if first["seeds"] > 1 else "one seed (0)"
    return (
        f"Test error of found tickets on {IMAGES[images]} times the width factor, "
        f"{first['epochs']} epochs; mean and range over {runs}, last epoch. "
        "Weights as each method has them by default: Kaiming normal for Biprop and Biprop with recycling, signed "
        "constants for the others; Biprop's are scaled as in its authors' runs, all others unscaled. Dashed: the "
        "same network trained densely."
        + (" These runs are short (460 steps); those of the papers take 35,000 and more." if images == "digits" else "")
    )


RECIPE = Recipe(
    "accuracy",
    10,
    "Accuracy of found tickets",
    Settings(),
    {"methods": ("edge-popup",), "density": (0.05, 0.1), "width_factor": (0.05, 0.1), "seeds": 1, "epochs": 1},
    _compute,
    _plot,
    _caption,
    "--methods edge-popup biprop --density 0.1 0.5 0.9 --seeds 5",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
