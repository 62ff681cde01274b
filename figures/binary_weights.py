"""Figure 13: binary against continuous weights: success against n, and the error that is left.

``python -m figures.binary_weights`` draws R = 1, 2; ``sims.binary_weights --plot`` draws its own result.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, new_panels, sample, save_figure
from figures.work import Work, few
from sims.commands import flags
from sims.run import asked
from sims.statistics.result import Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

LAST = 60
"""Largest n of the errors."""
SOLVED = 20
"""Largest n at which continuous values are searched; beyond it only the prediction is drawn."""


def plot(result: Result) -> Figure:
    """Draw a result of ``sims.binary_weights``: success against n, one colour per cell.

    Raises
    ------
    ValueError
        More cells than can be told apart.
    """
    groups = success.cells(result.rows, "kind")
    with house_style():
        figure, axes = new_figure()
        handles = _draw_success(axes, groups)
        axes.set_xlabel(f"number of units n\n{success.caption(result, 'kind')}")
        legend_above(figure, handles + _kinds())
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.binary_weights`` into a file."""
    save_figure(plot(result), path)


def _draw_success(axes: Any, groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[Any]:
    handles = []
    for index, (key, rows) in enumerate(groups.items()):
        colour, n = PALETTE[index], [row["n"] for row in rows]
        axes.plot(n, [row["exact"] for row in rows], color=colour)
        axes.plot(n, [row["continuous"] for row in rows], color=colour, linestyle="--", linewidth=0.9)
        seen = [row["success"] for row in rows]
        bars = [[row["success"] - row["ci_low"] for row in rows], [row["ci_high"] - row["success"] for row in rows]]
        label = success.label(key, list(groups))
        handles.append(
            axes.errorbar(n, seen, yerr=bars, fmt=MARKERS[index], color=colour, capsize=2, label=label, clip_on=False)
        )
    axes.set(ylabel="probability of success", ylim=(-0.02, 1.03))
    axes.xaxis.get_major_locator().set_params(integer=True)
    return handles


def _kinds() -> list[Any]:
    return [sample("binary, exact"), sample("continuous (heuristic)", linestyle="--", linewidth=0.9)]


@dataclass(frozen=True)
class Settings(Sampling):
    """Binary against continuous weights."""

    R: flags.Integers = (1, 2)
    """Signs of each weight, up to three values."""
    eps: flags.Real = 0.05
    """Left: accuracy in (0, 1]; weights are +-2 eps."""
    alpha: flags.Real = 1.0
    """Target in [-1, 1]."""
    n: flags.AutoIntegers = None
    """Left: numbers of weights. Default: auto, from 1 as far as success 1 - delta takes."""
    delta: flags.Real = 0.05
    """Right: probability with which the error is exceeded."""


def _compute(chosen: Settings, work: Work) -> Data:
    from theory.binary_weights import (
        BinaryWeights,
        best_gain_for,
        continuous_error_prediction,
        error_prediction,
        guaranteed_error_exact,
    )

    few("R", len(chosen.R), 3)
    questions = [BinaryWeights(R=R, eps=chosen.eps, alpha=chosen.alpha) for R in chosen.R]
    n = chosen.n or range(1, max(question.required_n(chosen.delta) for question in questions) + 4)
    trials, seed, delta = chosen.trials, chosen.seed, chosen.delta
    searches = sum(trials * LAST**2 / 4 * R * 2e-8 + min(trials, 4000) * 2.0 ** (SOLVED / 2) * 1e-7 for R in chosen.R)
    (result,) = work.run([asked(questions, n=n, delta=delta, trials=trials, seed=seed)], more=searches)
    rows = []
    for R in chosen.R:
        for size in range(2, LAST + 1, 2):
            gain = best_gain_for(size, R, delta)
            row: dict[str, Any] = {
                "R": R,
                "n": size,
                "gain": gain,
                "exact": guaranteed_error_exact(size, R, delta),
                "prediction": error_prediction(size, R),
                "continuous": continuous_error_prediction(size, R, delta, alpha=chosen.alpha),
                **_quantile("binary", binary_errors(size, R, gain, chosen.alpha, seed, trials), delta),
                **dict.fromkeys(("searched", "searched_low", "searched_high")),
            }
            if size <= SOLVED // R:
                few_trials = min(trials, 4000)
                row |= _quantile("searched", continuous_errors(size, R, chosen.alpha, seed, few_trials), delta)
            rows.append(row)
    return {"result": result.to_dict(), "errors": rows}


def binary_errors(n: int, R: int, gain: float, alpha: float, seed: int, trials: int) -> npt.NDArray[np.float64]:
    """The smallest error of every trial, by search over the sums of its signs."""
    from sims.solver.binary_sums import best_errors, sign_options

    return best_errors(sign_options(seed, 0, trials, n, R), gain, alpha)


def continuous_errors(n: int, R: int, alpha: float, seed: int, trials: int) -> npt.NDArray[np.float64]:
    """The smallest error of every trial for the uniform values whose signs `binary_errors` takes."""
    from sims.solver import best_subsets
    from sims.solver.philox import uniforms

    values = uniforms(seed, 0, trials, n * R).reshape(trials, n, R)
    found: npt.NDArray[np.float64] = best_subsets(values[:, :, 0] if R == 1 else values, alpha).error
    return found


def _quantile(name: str, errors: npt.NDArray[np.float64], delta: float) -> dict[str, float]:
    """The (1-delta)-quantile and its 95 % interval from order statistics."""
    from scipy.stats import binom

    ordered = sorted(errors.tolist())
    count = len(ordered)
    low, high = (int(binom.ppf(level, count, 1.0 - delta)) for level in (0.025, 0.975))
    middle = math.ceil(count * (1.0 - delta)) - 1
    ends = {f"{name}_low": ordered[max(0, low - 1)], f"{name}_high": ordered[min(count - 1, high)]}
    return {name: ordered[middle], **ends}


def _plot(data: Data) -> Figure:
    result = Result.from_dict(data["result"])
    groups = success.cells(result.rows, "kind")
    with house_style():
        figure, (left, right) = new_panels(2, 6.6, 2.9, share=False)
        handles = _draw_success(left, groups)
        left.set(xlabel="number of weights n")
        for index, R in enumerate(dict.fromkeys(row["R"] for row in data["errors"])):
            rows = [row for row in data["errors"] if row["R"] == R]
            n, colour = [row["n"] for row in rows], PALETTE[index]
            right.plot(n, [row["exact"] for row in rows], color=colour, drawstyle="steps-post")
            right.plot(n, [row["continuous"] for row in rows], color=colour, linestyle="--", linewidth=0.9)
            _points(right, rows, "binary", colour, MARKERS[index])
            _points(right, rows, "searched", colour, MARKERS[index], hollow=True)
        right.set(yscale="log", xlabel="number of weights n", ylim=(1e-7, 2))
        right.set_ylabel(f"error left with probability {data['settings']['delta']:g}")
        points = [
            sample("binary, searched", linestyle="", marker="o"),
            sample("continuous, searched (hollow)", linestyle="", marker="o", markerfacecolor="white"),
        ]
        legend_above(figure, handles + points + _kinds())
    return figure


def _points(axes: Any, rows: Sequence[Row], column: str, colour: str, marker: str, *, hollow: bool = False) -> None:
    kept = [row for row in rows if row[column] is not None]
    if not hollow:
        kept = kept[::3]
    middle = [row[column] for row in kept]
    bars = [[row[column] - row[f"{column}_low"] for row in kept], [row[f"{column}_high"] - row[column] for row in kept]]
    face = {"markerfacecolor": "white"} if hollow else {}
    axes.errorbar([row["n"] for row in kept], middle, yerr=bars, fmt=marker, color=colour, capsize=2, zorder=3, **face)


def _caption(data: Data) -> str:
    chosen = data["settings"]
    return (
        f"Target alpha = {chosen['alpha']:g}. Panel 1: probability that some mask of n weights "
        f"+-{2 * chosen['eps']:g}, R signs each, sums to within eps = {chosen['eps']:g}; line: the exact law 7.1. "
        f"Panel 2: the error exceeded with probability {chosen['delta']:g}, gain chosen best for every n; line: "
        "1/(2k+1) of 7.2, exact for the worst target; filled: binary, hollow: continuous U[-1, 1] values, both "
        f"searched exactly. Dashed: prediction 2.4 for continuous values, a heuristic. {chosen['trials']:,} trials a "
        f"point (hollow: up to 4,000), bars 95 %, seed {chosen['seed']}."
    )


RECIPE = Recipe(
    "binary_weights",
    13,
    "Binary against continuous weights",
    Settings(),
    {"trials": 200},
    _compute,
    _plot,
    _caption,
    "--R 1 3 --eps 0.02 --trials 1e4",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
