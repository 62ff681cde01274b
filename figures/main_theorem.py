"""Figure 6: certified errors of the built networks against eps.

``plot`` draws a result of ``nets.main_theorem`` with the errors of its trials; ``python -m figures.main_theorem``
draws R = 1, 10, 1000 and 10^5 with the widths that our statement asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, house_style, legend_above, marker_size, new_figure, sample, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.run import asked
from sims.statistics.result import Result
from theory.network import MainTheorem

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        handles: list[Any] = []
        size, thick = marker_size(), 0.3 * marker_size()
        for index, (row, one) in enumerate(zip(result.rows, errors, strict=True)):
            share = [(i + 1) / len(one["upper"]) for i in range(len(one["upper"]))]
            label = f"R = {row['R']:,}, n = {_range(row['n'])}" + (f", eps = {row['eps']:g}" if several else "")
            # what is drawn first is wider: curves that coincide are both seen
            style: dict[str, Any] = {
                "color": PALETTE[index],
                "drawstyle": "steps-post",
                "linewidth": thick * (1 + 0.7 * (len(errors) - 1 - index)),
            }
            every = max(1, len(share) // 6)
            first = index * every // len(errors)
            marked = {"marker": MARKERS[index], "markevery": (first, every), "label": label}
            axes.plot(sorted(one["upper"]), share, **marked, **style)
            handles.append(sample(label, color=PALETTE[index], marker=MARKERS[index]))
            style |= {"linewidth": 0.5 * style["linewidth"], "markersize": 0.7 * size, "markerfacecolor": "white"}
            axes.plot(sorted(one["lower"]), share, marker=MARKERS[index], markevery=(first, every), **style)
        for eps in sorted({row["eps"] for row in result.rows}):
            axes.axvline(eps, color="0.2", linestyle=":")
            axes.annotate("eps", (eps, 0.02), xytext=(3, 0), textcoords="offset points", color="0.2")
        axes.set(xscale="log", ylim=(0, 1.03), ylabel="share of trials")
        xlabel = "error over the unit ball"
        axes.set_xlabel(f"{xlabel}\n{_settings(result)}" if note else xlabel)
        handles.append(sample("filled: certified upper end", linestyle="", marker="o"))
        handles.append(
            sample("hollow: attained", linestyle="", marker="o", markerfacecolor="white", markersize=0.7 * size)
        )
        legend_above(figure, handles, columns=2)
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


@dataclass(frozen=True)
class Settings(Sampling):
    """Certified errors of built networks."""

    widths: flags.Counts = (4, 8, 3)
    """Widths of the target."""
    eps: flags.Reals = (0.1,)
    """Accuracy of the whole network in (0, 1]; several make a grid."""
    delta: flags.Real = 0.1
    """Failure probability that the statement is asked for."""
    R: flags.Integers = (1, 10, 1000, 100_000)
    """Draws of each element; several make a grid."""
    trials: flags.Integer = 200
    """Networks of a curve."""


def _compute(chosen: Settings, work: Work) -> Data:
    few("eps and R", len(chosen.eps) * len(chosen.R))
    questions = [MainTheorem(widths=chosen.widths, eps=eps, R=R) for eps in chosen.eps for R in chosen.R]
    (result,) = work.run([asked(questions, delta=chosen.delta, trials=chosen.trials, seed=chosen.seed)])
    errors = [
        {"eps": row["eps"], "R": row["R"]}
        | {side: [float(f"{x:.6g}") for x in sorted(ends)] for side, ends in one.items()}
        for row, one in zip(result.rows, result.details, strict=True)
    ]
    return {"result": replace(result, details=None).to_dict(), "errors": errors}


def _caption(data: Data) -> str:
    result = Result.from_dict(data["result"])
    largest = max(max(one["upper"]) / row["eps"] for row, one in zip(result.rows, data["errors"], strict=True))
    return (
        "Certified error of built networks: share of the trials whose error over the unit ball is at most x. Filled: "
        "the certified upper end; hollow: an error attained at an input found by ascent. Dotted: the eps that the "
        f"proved theorem promises; the largest certified error is {largest:.2g} times that. {_settings(result)}."
    )


RECIPE = Recipe(
    "main_theorem",
    6,
    "The main theorem, end to end",
    Settings(),
    {"R": (100_000,), "trials": 20},
    _compute,
    lambda data: plot(Result.from_dict(data["result"]), data["errors"], note=False),
    _caption,
    "--widths 8 16 4 --R 1000 1e6 --eps 0.05",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
