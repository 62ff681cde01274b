"""Figure 22: bits of a weight against its largest error: the limit, a plain quantiser, the codes of tickets.

``plot`` draws a result of ``nets.bits``; ``python -m figures.bits`` draws two networks, ``--compute`` stores them anew.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from figures.recipe import Data, Recipe
from figures.settings import SEED
from figures.style import MARKERS, PALETTE, house_style, in_first_column, legend_above, new_panels, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.statistics.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

_NAMES = flags.written("NAME [NAME ...]", tuple, many=True)

_WAYS = ("quantiser", "draw", "block", "pool", "rank", "mask")
_LABELS = {
    "quantiser": "quantiser, entropy coder",
    "draw": "draw: a number a weight",
    "block": "block: a number for d weights",
    "pool": "pool: a random codebook",
    "rank": "rank of a subset",
    "mask": "mask of a subset of 21",
}


def plot(result: Result) -> Figure:
    """Draw a result of ``nets.bits``: bits of the whole file for each weight against the largest error."""
    return _panels([result], height=3.2)


def save(result: Result, path: str) -> None:
    """Draw a result of ``nets.bits`` into a file."""
    save_figure(plot(result), path)


def _panels(results: Sequence[Result], height: float) -> Figure:
    with house_style():
        figure, panels = new_panels(len(results), width=7.0 if len(results) > 1 else 5.5, height=height)
        for axes, result in zip(panels, results, strict=True):
            _draw(axes, result.rows)
            _neighbours(axes, result.summary, named=axes is panels[-1])
            axes.set(xscale="log", xlabel="eta: largest error / largest weight of the layer", ylim=(0, None))
            if in_first_column(axes):
                axes.set_ylabel("bits a weight")
            axes.set_title(f"{result.params['target']}, {result.rows[0]['weights']:,} weights")
            etas = [row["eta"] for row in result.rows if row["eta"] is not None]
            axes.set_xlim(1.4 * max(etas), min(etas) / (2.5 if axes is panels[-1] else 1.4))  # room for names
        known = {
            label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        legend_above(figure, list(known.values()))
    return figure


def _draw(axes: Any, rows: Sequence[Row]) -> None:
    limit = [row for row in rows if row["way"] == "limit"]
    axes.plot([row["eta"] for row in limit], [row["bits"] for row in limit], color=PALETTE[6], label="limit, estimated")
    for index, way in enumerate(_WAYS):
        mine = [row for row in rows if row["way"] == way]
        if mine:
            style = {"color": PALETTE[index], "marker": MARKERS[index], "linestyle": ":", "linewidth": 0.8}
            axes.plot([row["eta"] for row in mine], [row["bits"] for row in mine], label=_LABELS[way], **style)


def _neighbours(axes: Any, published: Sequence[Row], *, named: bool) -> None:
    """Grey bands at the right edge, as published."""
    for one in published:
        if one["high"] is None:
            continue
        axes.axhspan(one["low"], one["high"] + (0.2 if one["low"] == one["high"] else 0), color="0.5", alpha=0.15, lw=0)
        if named:
            middle = (one["low"] + one["high"]) / 2
            axes.annotate(one["name"], (1.0, middle), xycoords=("axes fraction", "data"), fontsize=6, color="0.35",
                          ha="right", va="center", xytext=(-2, 0), textcoords="offset points")  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Bits of a weight against its largest error."""

    networks: Annotated[tuple[str, ...], *_NAMES] = ("digits", "crepe-tiny")
    """Networks as nets.bits takes them, up to four: a panel for each."""
    eta: flags.Reals = (0.1, 0.03, 0.01, 0.003, 0.001)
    """Largest errors, each relative to the largest weight of a layer."""
    codes: Annotated[tuple[str, ...], *_NAMES] = ("draw", "block", "pool", "rank", "mask")
    """Of draw, block, pool, rank and mask."""
    d: flags.Integer = 4
    """Weights of a block, 1 to 4."""
    seed: flags.Integer = SEED
    """Seed in [0, 2^64)."""


def _compute(chosen: Settings, work: Work) -> Data:
    from nets.bits import Bits, measure

    few("networks", len(chosen.networks), 4)
    shared: dict[str, Any] = {"eta": chosen.eta, "codes": chosen.codes, "d": chosen.d, "seed": chosen.seed}
    shared |= {"jobs": work.jobs, "max_time": work.max_time, "quiet": work.quiet}
    return {"results": [measure(Bits(name, **shared)).to_dict() for name in chosen.networks]}


def _plot(data: Data) -> Figure:
    return _panels([Result.from_dict(one) for one in data["results"]], height=3.4)


def _caption(data: Data) -> str:
    first = data["results"][0]
    scores = [_scores(one) for one in data["results"]]
    return (
        "Size of the whole file for each weight, every weight within eta times the largest weight of its layer. Line: "
        "h - log2(2 eta) of the estimated laws of the layers, which no code can beat on average. Blocks hold "
        f"{first['params']['d']} weights. Rank and mask are subset sums; the mask is that of the best of 2^21 subsets, "
        f"whatever eta (largest errors {_worst(data)}). Grey: SeedLM (3 to 4) and FedPM (below 1, a trained mask), as "
        f"published for other networks and errors, and int8. {' '.join(scores)} Seed {first['params']['seed']}."
    )


def _worst(data: Data) -> str:
    """The largest errors of the masks."""
    found = [row["max_error"] for one in data["results"] for row in one["rows"] if row["way"] == "mask"]
    return ", ".join(f"{error:.2g}" for error in dict.fromkeys(found)) or "not measured"


def _scores(result: Row) -> str:
    """The job's scores before and after, in a sentence."""
    before = result["rows"][0]["score"]
    decoded = [row for row in result["rows"] if row["score"] is not None and row["eta"] == 0.01]
    if before is None or not decoded:
        return ""
    span = " to ".join(f"{one:.4f}" for one in sorted({f(row["score"] for row in decoded) for f in (min, max)}))
    return f"Score of {result['params']['target']}: {before:.4f}; decoded at eta = 0.01: {span}."


RECIPE = Recipe(
    "bits",
    22,
    "How many bits a weight takes",
    Settings(),
    {"networks": ("digits",), "eta": (0.1, 0.01), "codes": ("pool",)},
    _compute,
    _plot,
    _caption,
    "--networks digits --eta 0.05 0.005 --codes pool block",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
