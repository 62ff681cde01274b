"""Figure 16: sums of vectors: simulated success against n, and the n that is needed against the dimension.

``python -m figures.vector_sum`` draws d = 1 to 4; ``sims.vector_sum --plot`` draws its own result.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, blank_figure, house_style, save_figure
from sims.run import run
from sims.statistics.result import Result
from theory.vector_sum import VectorSum, becchetti_n

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS, ALPHA = 0.05, 0.5
DELTA = 0.01
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


def _needs(smoke: bool, seed: int) -> list[dict[str, Any]]:
    trials, rows = 200 if smoke else 10_000, []
    for R in (1, 5):
        for d in (1, 2) if smoke else (1, 2, 3, 4):
            question = VectorSum(d=d, R=R, eps=EPS, alpha=ALPHA)
            predicted = question.predicted_n(DELTA)
            found = run(question, n=range(1, predicted + 4), delta=DELTA, trials=trials, seed=seed)
            row: dict[str, Any] = {"d": d, "R": R, "trials": trials, "necessary": question.necessary_n(DELTA)}
            row |= {"sufficient": question.required_n(DELTA), "predicted": predicted}
            reached = [one["n"] for one in found.rows if one["successes"] >= (1.0 - DELTA) * trials]
            row["measured"] = reached[0] if reached else None
            rows.append(row)
    return rows


def _compute(smoke: bool, seed: int) -> Data:
    sizes, trials = (range(1, 6), 200) if smoke else (None, 20_000)
    questions = [VectorSum(d=d, R=5, eps=EPS, alpha=ALPHA) for d in (1, 2, 3, 4)]
    found = run(questions, n=sizes, trials=trials, seed=seed)
    return {
        "params": {"eps": EPS, "alpha": ALPHA, "seed": seed},
        "curves": found.to_dict(),
        "needs": _needs(smoke, seed),
    }


def _draw_needs(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for index, R in enumerate(sorted({row["R"] for row in rows})):
        mine = [row for row in rows if row["R"] == R]
        d, colour = [row["d"] for row in mine], PALETTE[index]
        ends = ([row[end] for row in mine] for end in ("necessary", "sufficient"))
        axes.fill_between(d, *ends, color=colour, alpha=0.15, linewidth=0, label=f"R = {R}, between proved n")
        axes.plot(d, [row["predicted"] for row in mine], color=colour, linestyle="--", label=f"R = {R}, predicted")
        kept = [row for row in mine if row["measured"] is not None]
        style = {"linestyle": "", "marker": MARKERS[index], "color": colour, "label": f"R = {R}, measured"}
        axes.plot([row["d"] for row in kept], [row["measured"] for row in kept], **style)
    ones = [row for row in rows if row["R"] == 1]
    constant = ones[0]["predicted"] / _published(1, 1.0)
    shape = [_published(row["d"], constant) for row in ones]
    axes.plot([row["d"] for row in ones], shape, color="0.5", linestyle=":", label="published shape, C fitted at d = 1")
    axes.set(xlabel="dimension d", ylabel="number of vectors n", yscale="log")
    axes.set_yticks([2, 5, 10, 20, 50, 100, 500], ["2", "5", "10", "20", "50", "100", "500"], minor=False)
    axes.minorticks_off()
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(2, 8000)
    axes.legend(loc="upper left", fontsize=7, ncols=2)


def _published(d: int, C: float) -> float:
    """The published form, hardly rounded up."""
    return becchetti_n(EPS, d=d, C=1e6 * C) / 1e6


def _plot(data: Data) -> Figure:
    named = _named(Result.from_dict(data["curves"]))
    with house_style():
        figure = blank_figure(5.5, 6.0)
        above, below = figure.subplots(2, 1)
        success.draw(above, success.cells(named.rows, "dimension"), prediction=PREDICTION)
        above.set_xlabel("number of vectors n, R = 5")
        _draw_needs(below, data["needs"])
    return figure


def _caption(data: Data) -> str:
    params, trials = data["params"], data["needs"][0]["trials"]
    return (
        "Sums of vectors within eps of (alpha, ..., alpha) in every coordinate. Above: points: simulated; shaded: "
        f"between the proved bounds 9.1 and 9.2; dashed: the prediction 9.3, a heuristic. Below: n for success "
        f"{1 - DELTA:g}; points: smallest n whose simulated success reaches it ({trials:,} trials); shaded: from "
        "necessary to sufficient, both proved; dotted: the shape of Becchetti et al., whose constant is unknown and "
        "fitted at d = 1, for all targets at once. "
        + success.caption(Result.from_dict(data["curves"]), "")
        + f"; below seed {params['seed']}, too."
    )


RECIPE = Recipe("vector_sum", 16, "Subset sums of vectors", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
