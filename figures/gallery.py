"""Figure 25: published networks inside random ones: their jobs before and after, and how far the outputs differ.

``plot`` draws a result of ``nets.gallery``; ``python -m figures.gallery`` draws that of `docs/data/gallery.json`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from figures.recipe import Data, Recipe
from figures.settings import SEED
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_above, sample, save_figure
from figures.work import Work
from sims.commands import flags
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PROVED = {"color": PALETTE[1], "marker": "<", "markerfacecolor": "white", "linestyle": ""}
_MEASURED = {"color": PALETTE[0], "marker": MARKERS[0], "linestyle": ""}
_BEFORE = {"color": "black", "marker": "|", "markersize": 9, "linestyle": ""}
_AFTER = {"color": PALETTE[2], "marker": MARKERS[3], "linestyle": ""}
_BITS = {"color": PALETTE[3], "marker": MARKERS[1], "linestyle": ""}


def plot(result: Result) -> Figure:
    """Scores, differences of outputs and bits of every network of a result of ``nets.gallery``.

    Raises
    ------
    ValueError
        The result is one of ``--original``: nothing was found.
    """
    rows = [row for row in result.rows if "after" in row]
    if not rows:
        raise ValueError("this result of nets.gallery has no network that was found")
    places = range(len(rows))

    def name(row: Any) -> str:
        return f"{row['network']}\n{row['weights']:,}" if wide else str(row["network"])

    with house_style():
        figure = blank_figure(7.0, 2.6)
        wide = figure.get_size_inches()[0] >= 5.0
        grow(figure, (0.6 + 0.28 * len(rows) if wide else 1.8 + 0.5 * len(rows)) - figure.get_size_inches()[1])
        panels = figure.subplots(*((1, 3) if wide else (3, 1)), sharey=True)
        scores, outputs, bits = panels
        scores.plot([row["before"] for row in rows], places, **_BEFORE)
        scores.plot([row["after"] for row in rows], places, **_AFTER)
        scores.set(xlabel="score of its own job")
        outputs.plot([row["difference"] / row["output"] for row in rows], places, **_MEASURED)
        proved = [(row["certified"] / row["output"], place) for place, row in enumerate(rows) if row["certified"]]
        outputs.plot(*(zip(*proved, strict=True) if proved else ([], [])), **_PROVED)
        outputs.set(xscale="log", xlabel="difference / largest output")
        bits.plot([row["bits_per_weight"] for row in rows], places, **_BITS)
        bits.set(xscale="log", xlabel="bits of the ticket a weight")
        bits.xaxis.set_major_formatter(_plain_numbers())
        bits.xaxis.set_minor_formatter(_plain_numbers())
        bits.margins(x=0.2)
        scores.margins(x=0.15)
        scores.ticklabel_format(axis="x", useOffset=False)
        scores.locator_params(axis="x", nbins=4)
        scores.set_yticks(places, [name(row) for row in rows], fontsize=7 if wide else 6)
        scores.set_ylim(len(rows) - 0.5, -0.5)
        handles: list[tuple[str, dict[str, Any]]] = [
            ("published", _BEFORE),
            ("pruned random network", _AFTER),
            ("measured", _MEASURED),
        ]
        handles += [("proved upper end", _PROVED)]
        legend_above(figure, [sample(label, **style) for label, style in handles], columns=4)
    return figure


def _plain_numbers() -> Any:
    from matplotlib.ticker import LogFormatter

    return LogFormatter(minor_thresholds=(2, 0.5))


def save(result: Result, path: str) -> None:
    """Draw a result of ``nets.gallery`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings:
    """Published networks inside random ones."""

    names: Annotated[tuple[str, ...], *flags.written("NAME [NAME ...]", tuple, many=True)] = ()
    """Networks as nets.gallery names them. Default: all that are there."""
    n: flags.Integer = 21
    """Random values per weight or row; layered: neurons per input coordinate and sign."""
    eta: flags.Real = 0.01
    """Largest error of one weight."""
    source: Literal["layered", "private", "shared"] = "shared"
    """layered: products of two random layers. private, shared: values of each weight's, each output row's own."""
    seed: flags.Integer = SEED
    """Seed in [0, 2^64)."""


def _compute(chosen: Settings, work: Work) -> Data:
    from nets.gallery.__main__ import Gallery, collect

    given = Gallery(
        names=chosen.names,
        n=chosen.n,
        eta=chosen.eta,
        source=chosen.source,
        seed=chosen.seed,
        jobs=work.jobs,
        max_time=work.max_time,
        quiet=work.quiet,
    )
    return {"result": collect(given).to_dict()}


def _caption(data: Data) -> str:
    params, rows = data["result"]["params"], data["result"]["rows"]
    missed = [row["network"] for row in rows if row["share_within_eta"] < 1]
    left = f"; of {', '.join(missed)} a few weights are not" if missed else ""
    unproved = [row["network"] for row in rows if not row["certified"]]
    no_bound = f" ({', '.join(unproved)}: no bound)" if unproved else ""
    return (
        f"Published networks found inside random ones, weights within eta = {params['eta']:g} of each{left}; n = "
        f"{params['n']} values, source {params['source']}, seed {params['seed']}. Panel 1: the score of each network "
        "at its own job, before and after. Panel 2: largest difference of two output entries on a batch of inputs, "
        f"and the proved upper end on the least ball that holds them{no_bound}, over the largest entry. Panel 3: size "
        "of the ticket."
    )


RECIPE = Recipe(
    "gallery",
    25,
    "Published networks inside random ones",
    Settings(),
    {"names": ("digits",), "n": 12, "eta": 0.05},
    _compute,
    lambda data: plot(Result.from_dict(data["result"])),
    _caption,
    "--names digits pesto --n 15 --eta 0.03",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
