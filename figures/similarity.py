"""Figure 11: how alike found tickets are: every pair as a heat map, every layer beside its chance level, and norms.

``plot`` draws a result of ``nets.similarity``; ``python -m figures.similarity`` draws five tickets that Biprop found in
the same weights of a small network on the digits, from five score seeds.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from figures.recipe import Data, Recipe
from figures.settings import SEED
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_over, save_figure
from figures.work import Work
from nets.search.methods import METHODS
from sims.commands import flags
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NUMBERS = 12
"""Runs up to which the heat map also prints its numbers."""


def plot(result: Any) -> Figure:
    """Kappa of every pair as a heat map; agreement and Jaccard index of every layer beside chance; norms of one run.

    Parameters
    ----------
    result : sims.statistics.result.Result
        Of ``nets.similarity``.
    """
    with house_style():
        figure = blank_figure(7.0, 4.4)
        wide = figure.get_size_inches()[0] >= 5.5
        if wide:
            panels = figure.subplot_mosaic([["pairs", "layers"], ["pairs", "norms"]], width_ratios=(1.25, 1))
        else:
            grow(figure, 1.2 * figure.get_size_inches()[1])
            panels = figure.subplot_mosaic([["pairs"], ["layers"], ["norms"]], height_ratios=(2, 1, 1))
        _heat_map(figure, panels["pairs"], result)
        grow(figure, _layers(panels["layers"], result) + _norms(panels["norms"], result))
    return figure


def save(result: Any, path: str) -> None:
    """Draw a result of ``nets.similarity`` into a file."""
    save_figure(plot(result), path)


def _heat_map(figure: Figure, axes: Any, result: Any) -> None:
    import numpy as np

    names = list(result.params["runs"])
    kappa = np.full((len(names), len(names)), np.nan)
    for row in result.rows:
        if row["layer"] == "total":
            i, j = names.index(row["a"]), names.index(row["b"])
            kappa[i, j] = kappa[j, i] = np.nan if row["kappa"] is None else row["kappa"]
    seen = np.abs(kappa[np.isfinite(kappa)])
    top = max(0.01, 0.01 * np.ceil(100 * seen.max(initial=0.0)))
    image = axes.imshow(kappa, cmap="RdBu_r", vmin=-top, vmax=top)
    axes.grid(visible=False)
    labels = [Path(name).name for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), labels)
    if len(names) <= MAX_NUMBERS:
        for i, j in np.argwhere(np.isfinite(kappa)):
            dark = abs(kappa[i, j]) > 0.6 * top
            axes.text(j, i, f"{kappa[i, j]:.3f}", ha="center", va="center", fontsize=7, color="w" if dark else "k")
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.8)
    axes.set_title("Cohen's kappa, all layers (0: chance)")


def _layers(axes: Any, result: Any) -> float:
    lines = [line for line in result.summary if line["layer"] != "total"]
    places = range(len(lines))
    for index, (key, label) in enumerate((("jaccard", "Jaccard index"), ("agreement", "agreement"))):
        style = {"color": PALETTE[index]}
        low, high = ([line[f"{key}_{end}"] for line in lines] for end in ("min", "max"))
        axes.fill_between(places, low, high, alpha=0.2, linewidth=0, **style)
        mean = [line[key] for line in lines]
        axes.plot(places, mean, marker=MARKERS[index], linestyle="none", label=f"{label}, mean and range", **style)
        chance = [line[f"{key}_chance"] for line in lines]
        line = ("-", "-.")[index]
        axes.plot(places, chance, label=f"{label}, independent masks", linestyle=line, **style)
    axes.set_xticks(places, [line["layer"] for line in lines])
    axes.set(ylim=(0, 1.03), ylabel="share")
    axes.set_xlabel(f"layer; {len(result.params['runs'])} runs, {lines[0]['pairs']} pairs")
    return legend_over(axes, axes.get_legend_handles_labels()[0], columns=2)


def _norms(axes: Any, result: Any) -> float:
    first = result.params["runs"][0]
    rows = [row for row in result.rows if row["a"] == first and row["layer"] != "total"]
    rows = list({row["layer"]: row for row in rows}.values())
    for index, kind in enumerate(("kept", "removed")):
        share = [row["kept_a"] / row["weights"] for row in rows]
        part = share if kind == "kept" else [1.0 - one for one in share]
        whole = [(row["norm_kept_a"] ** 2 + row["norm_removed_a"] ** 2) ** 0.5 for row in rows]
        usual = [w * p**0.5 for w, p in zip(whole, part, strict=True)]
        ratio = [row[f"norm_{kind}_a"] / u if u > 0 else float("nan") for row, u in zip(rows, usual, strict=True)]
        style = {"marker": MARKERS[index + 2], "linestyle": "", "color": PALETTE[index + 2]}
        axes.plot(range(len(rows)), ratio, label=f"weights {kind}", **style)
    axes.axhline(1.0, color="0.2", linestyle=":", label="random part")
    axes.set_xticks(range(len(rows)), [row["layer"] for row in rows])
    axes.set(xlabel=f"layer of {Path(first).name}", ylabel="norm ratio")
    return legend_over(axes, axes.get_legend_handles_labels()[0], columns=2)


@dataclass(frozen=True)
class Settings:
    """How alike found tickets are."""

    method: Literal["edge-popup", "biprop", "iterand"] = "biprop"
    """How the tickets are found."""
    runs: flags.Integer = 5
    """Tickets in the same weights, from different score seeds; 2 to 20."""
    density: flags.Real = 0.5
    """Part of the weights kept."""
    epochs: flags.Integer = 20
    """Epochs of each run."""
    seed: flags.Integer = SEED
    """Seed of the weights."""


def _compute(chosen: Settings, work: Work) -> Data:
    from nets.similarity import compare_runs
    from nets.training.multi_prize import multi_prize
    from nets.training.settings import Choices

    runs = flags.between("runs", chosen.runs, 2, 20)
    asked = Choices(method=chosen.method, density=chosen.density, seed=chosen.seed, epochs=chosen.epochs)
    work.announce(0.25 * runs * chosen.epochs)
    with tempfile.TemporaryDirectory() as folder:
        multi_prize(asked, folder, runs)
        found = compare_runs(sorted(str(path) for path in Path(folder).iterdir() if path.is_dir())).to_dict()
    found["params"]["runs"] = [Path(name).name for name in found["params"]["runs"]]  # where they lay is no matter
    for row in found["rows"]:
        row["a"], row["b"] = Path(row["a"]).name, Path(row["b"]).name
    return {"result": found}


def _caption(data: Data) -> str:
    chosen, result = data["settings"], data["result"]
    (total,) = (line for line in result["summary"] if line["layer"] == "total")
    return (
        f"{len(result['params']['runs'])} tickets found by {METHODS[chosen['method']].label} in the same random "
        f"weights from different score seeds: digits, 64-300-100-10, a share of {chosen['density']:g} of the weights "
        f"kept, {chosen['epochs']} epochs, weight seed {chosen['seed']}. Panel 1: kappa of every pair, 0 for "
        f"independent masks; its mean is {total['kappa']:.3f}. Panel 2: mean and range over pairs, lines: independent "
        "masks; panel 3: norms of the kept and of the truly removed weights of the first ticket over those of a "
        "random part of the layer."
    )


RECIPE = Recipe(
    "similarity",
    11,
    "How alike tickets are",
    Settings(),
    {"runs": 2, "epochs": 1},
    _compute,
    lambda data: plot(Result.from_dict(data["result"])),
    _caption,
    "--method edge-popup --runs 3 --density 0.2",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
