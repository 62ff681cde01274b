"""Figure 6: certified errors of the built networks against eps.

``plot`` draws a result of ``nets.main_theorem`` with the errors of its trials; ``python -m figures.main_theorem``
draws R = 1, 10, 1000 and 10^5 with the widths that our statement asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, house_style, new_figure, save_figure
from sims.run import run
from sims.statistics.result import Result
from theory.network import MainTheorem

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DRAWS = (1, 10, 1000, 100_000)


def plot(result: Any, errors: Sequence[Mapping[str, Sequence[float]]] | None = None, *, note: bool = True) -> Figure:
    """Share of the trials whose certified error is at most x, one colour per row.

    Parameters
    ----------
    result : sims.statistics.result.Result
        Of ``nets.main_theorem``.
    errors : sequence of {"lower": [...], "upper": [...]}, one for each row
        Certified ends of every trial's error; by default those of the result.
    note : bool
        Say the parameters, trials and seed under the axis.

    Raises
    ------
    ValueError
        More rows than can be told apart, or a result without its trials' errors.
    """
    errors = result.details if errors is None else errors
    if errors is None:
        raise ValueError("this result of nets.main_theorem is without the errors of its trials (details)")
    if len(errors) > len(PALETTE):
        raise ValueError(f"a picture holds up to {len(PALETTE)} settings of eps and R, got {len(errors)}")
    several = len({row["eps"] for row in result.rows}) > 1
    with house_style():
        figure, axes = new_figure()
        for index, (row, one) in enumerate(zip(result.rows, errors, strict=True)):
            share = [(i + 1) / len(one["upper"]) for i in range(len(one["upper"]))]
            label = f"R = {row['R']:,}, n = {_range(row['n'])}" + (f", eps = {row['eps']:g}" if several else "")
            style = {"color": PALETTE[index], "drawstyle": "steps-post"}
            every = max(1, len(share) // 8)
            axes.plot(sorted(one["upper"]), share, marker=MARKERS[index], markevery=every, label=label, **style)
            axes.plot(sorted(one["lower"]), share, linewidth=0.7, **style)
        for eps in sorted({row["eps"] for row in result.rows}):
            axes.axvline(eps, color="0.2", linestyle=":")
            axes.annotate("eps", (eps, 0.02), xytext=(3, 0), textcoords="offset points", color="0.2")
        axes.set(xscale="log", ylim=(0, 1.03), ylabel="share of trials")
        xlabel = "error over the unit ball: certified upper end (marked), attained (thin)"
        axes.set_xlabel(f"{xlabel}\n{_settings(result)}" if note else xlabel)
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def save(result: Any, path: str) -> None:
    """Draw a result of ``nets.main_theorem`` into a file."""
    save_figure(plot(result), path)


def _range(n: Sequence[int]) -> str:
    low, high = min(n), max(n)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _settings(result: Any) -> str:
    params = result.params
    widths = "-".join(map(str, params["widths"]))
    return (
        f"widths {widths}, delta = {params['delta']:g}, {result.rows[0]['statement']}, {params['construction']}, "
        f"{params['trials']:,} trials a curve, seed {params['seed']}"
    )


def _compute(smoke: bool, seed: int) -> Data:
    draws = DRAWS[-1:] if smoke else DRAWS
    result = run([MainTheorem(R=R) for R in draws], trials=20 if smoke else 200, seed=seed)
    errors = [{side: [float(f"{x:.6g}") for x in sorted(ends)] for side, ends in one.items()} for one in result.details]
    return {"result": replace(result, details=None).to_dict(), "errors": errors}


def _caption(data: Data) -> str:
    return (
        "Certified error of built networks: share of the trials whose error over the unit ball is at most x. Marked: "
        "the certified upper end; thin: an error attained at an input found by ascent. All lie far to the left of the "
        f"eps that the proved theorem promises. {_settings(Result.from_dict(data['result']))}."
    )


RECIPE = Recipe(
    "main_theorem",
    6,
    "The main theorem, end to end",
    _compute,
    lambda data: plot(Result.from_dict(data["result"]), data["errors"], note=False),
    _caption,
)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
