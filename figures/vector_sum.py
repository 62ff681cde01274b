"""Figure 16: sums of vectors: simulated success against n, and the n that is needed against the dimension.

``python -m figures.vector_sum`` draws d = 1 to 4; ``sims.vector_sum --plot`` draws its own result.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_over, sample, save_figure
from figures.work import Work, few, reached
from sims.commands import flags
from sims.run import asked
from sims.statistics.result import Result
from theory.vector_sum import VectorSum, becchetti_n

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREDICTION = "prediction (heuristic)"


def _named(result: Result) -> Result:
    """The result with a column that the legend can show."""
    return dataclasses.replace(result, rows=[{**row, "dimension": f"d = {row['d']}"} for row in result.rows])


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.vector_sum``; ``note``: with the parameters, trials and seed under the axis."""
    named, kind = _named(result), "dimension"
    return success.plot(named, kind=kind, prediction=PREDICTION, xlabel="number of vectors n", note=note)


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.vector_sum`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Sampling):
    """Subset sums of vectors."""

    d: flags.Integers = (1, 2, 3, 4)
    """Dimensions, 1 to 4."""
    R: flags.Integers = (1, 5)
    """Draws of each variable; above, the largest."""
    eps: flags.Real = 0.05
    """Accuracy in (0, 1]."""
    alpha: flags.Real = 0.5
    """Every coordinate of the target, in [-1, 1]."""
    n: flags.AutoIntegers = None
    """Above: numbers of vectors. Default: auto, as far as success 1 - delta is predicted."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1) that is asked for."""
    trials: flags.Integer = 20_000
    """Trials of a point; below, up to 10,000."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("d", len(chosen.d), 4)
    few("R", len(chosen.R), 5)
    shared = {"eps": chosen.eps, "alpha": chosen.alpha}
    options = {"delta": chosen.delta, "seed": chosen.seed}
    above = [VectorSum(d=d, R=max(chosen.R), **shared) for d in chosen.d]
    below = [VectorSum(d=d, R=R, **shared) for R in chosen.R for d in chosen.d]
    predicted = [question.predicted_n(chosen.delta) for question in below]
    trials = min(chosen.trials, 10_000)
    requests = [asked(above, n=chosen.n, trials=chosen.trials, **options)]
    requests += [
        asked(one, n=range(1, near + 4), trials=trials, **options) for one, near in zip(below, predicted, strict=True)
    ]
    curves, *results = work.run(requests)
    rows: list[dict[str, Any]] = [
        {
            "d": one.d,
            "R": one.R,
            "trials": trials,
            "necessary": one.necessary_n(chosen.delta),
            "sufficient": one.required_n(chosen.delta),
            "predicted": near,
            "measured": reached(found, chosen.delta),
        }
        for one, near, found in zip(below, predicted, results, strict=True)
    ]
    first = rows[0]
    constant = first["predicted"] / _published(chosen.eps, first["d"], 1.0)
    for row in rows:
        row["published"] = _published(chosen.eps, row["d"], constant) if row["R"] == first["R"] else None
    return {"curves": curves.to_dict(), "needs": rows}


def _published(eps: float, d: int, C: float) -> float:
    """The published form, hardly rounded up."""
    return becchetti_n(eps, d=d, C=1e6 * C) / 1e6


def _seen(d: Sequence[int], *along: Sequence[Any]) -> tuple[Sequence[Any], ...]:
    """What a line or a band is drawn of: a short one for a single dimension, where a point would not be seen."""
    return (d, *along) if len(d) > 1 else ((d[0] - 0.1, d[0] + 0.1), *(2 * tuple(one) for one in along))


def _draw_needs(axes: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    handles = []
    for index, R in enumerate(sorted({row["R"] for row in rows})):
        mine = sorted((row for row in rows if row["R"] == R), key=lambda row: row["d"])
        d, colour = [row["d"] for row in mine], PALETTE[index]
        ends = ([row[end] for row in mine] for end in ("necessary", "sufficient"))
        axes.fill_between(*_seen(d, *ends), color=colour, alpha=0.15, linewidth=0)
        axes.plot(*_seen(d, [row["predicted"] for row in mine]), color=colour, linestyle="--")
        kept = [row for row in mine if row["measured"] is not None]
        style = {"linestyle": "", "marker": MARKERS[index], "color": colour, "label": f"R = {R:,}, measured"}
        handles += axes.plot([row["d"] for row in kept], [row["measured"] for row in kept], **style)
    shape = sorted((row["d"], row["published"]) for row in rows if row["published"] is not None)
    label = f"published shape, C fitted at d = {rows[0]['d']}"
    line = axes.plot(*_seen(*zip(*shape, strict=True)), color="0.5", linestyle=":", label=label)
    axes.set(xlabel="dimension d", ylabel="number of vectors n", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sorted({row["d"] for row in rows}))
    proved = Patch(color="0.35", alpha=0.25, label="between proved n")
    return legend_over(axes, [*handles, proved, sample("predicted (heuristic)", linestyle="--"), *line], columns=2)


def _plot(data: Data) -> Figure:
    named = _named(Result.from_dict(data["curves"]))
    with house_style():
        figure = blank_figure(5.5, 5.2)
        above, below = figure.subplots(2, 1)
        handles = success.cells_on(above, success.cells(named.rows, "dimension"), prediction=PREDICTION)
        above.set_xlabel(f"number of vectors n, R = {named.rows[0]['R']:,}")
        grow(figure, legend_over(above, handles, columns=3) + _draw_needs(below, data["needs"]))
    return figure


def _caption(data: Data) -> str:
    chosen, trials = data["settings"], data["needs"][0]["trials"]
    return (
        "Sums of vectors within eps of (alpha, ..., alpha) in every coordinate. Above: points: simulated; shaded: "
        f"between the proved bounds 9.1 and 9.2; dashed: the prediction 9.3, a heuristic. Below: n for success "
        f"{1 - chosen['delta']:g}; points: smallest n whose simulated success reaches it ({trials:,} trials); shaded: "
        "from necessary to sufficient, both proved; dotted: the shape of Becchetti et al., whose constant is unknown "
        f"and fitted at d = {data['needs'][0]['d']}, for all targets at once. "
        + success.caption(Result.from_dict(data["curves"]), "")
        + f"; below seed {chosen['seed']}, too."
    )


RECIPE = Recipe(
    "vector_sum",
    16,
    "Subset sums of vectors",
    Settings(),
    {"d": (1, 2), "n": (1, 2, 3, 4, 5), "trials": 200},
    _compute,
    _plot,
    _caption,
    "--d 1 2 3 --R 1 3 --eps 0.1 --alpha 0.25",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
