"""Figure 13: binary against continuous weights: success against n, and the error that is left.

``python -m figures.binary_weights`` draws R = 1, 2; ``sims.binary_weights --plot`` draws its own result.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures import success
from figures.recipe import Data, Recipe
from figures.style import MARKERS, PALETTE, blank_figure, house_style, new_figure, sample, save_figure
from sims.run import run
from sims.statistics.result import Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

EPS, DELTA = 0.05, 0.05
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
        figure.legend(handles=handles + _kinds(), loc="outside upper center", ncols=4)
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


def _compute(smoke: bool, seed: int) -> Data:
    from theory.binary_weights import (
        BinaryWeights,
        best_gain_for,
        continuous_error_prediction,
        error_prediction,
        guaranteed_error_exact,
    )

    trials, last = (200, 12) if smoke else (100_000, 60)
    questions = [BinaryWeights(R=R, eps=EPS, alpha=1.0) for R in (1, 2)]
    result = run(questions, n=range(1, 31), trials=trials, seed=seed)
    rows = []
    for R in (1, 2):
        for n in range(2, last + 1, 2):
            gain = best_gain_for(n, R, DELTA)
            continuous = continuous_error_prediction(n, R, DELTA, alpha=1.0)
            row: dict[str, Any] = {
                "R": R,
                "n": n,
                "gain": gain,
                "exact": guaranteed_error_exact(n, R, DELTA),
                "prediction": error_prediction(n, R),
                "continuous": continuous,
                "binary": _quantile(binary_errors(n, R, gain, 1.0, seed, trials)),
                "searched": None,
            }
            if n <= SOLVED // R:
                row["searched"] = _quantile(continuous_errors(n, R, 1.0, seed, min(trials, 4000)))
            rows.append(row)
    return {"result": result.to_dict(), "errors": rows, "delta": DELTA, "trials": trials}


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


def _quantile(errors: npt.NDArray[np.float64]) -> list[float]:
    """The (1-DELTA)-quantile and its 95 % interval from order statistics."""
    from scipy.stats import binom

    ordered = sorted(errors.tolist())
    count = len(ordered)
    low, high = (int(binom.ppf(level, count, 1.0 - DELTA)) for level in (0.025, 0.975))
    middle = math.ceil(count * (1.0 - DELTA)) - 1
    return [ordered[middle], ordered[max(0, low - 1)], ordered[min(count - 1, high)]]


def _plot(data: Data) -> Figure:
    result = Result.from_dict(data["result"])
    groups = success.cells(result.rows, "kind")
    with house_style():
        figure = blank_figure(6.6, 3.2)
        left, right = figure.subplots(1, 2)
        handles = _draw_success(left, groups)
        left.set(xlabel="number of weights n")
        for index, R in enumerate((1, 2)):
            rows = [row for row in data["errors"] if row["R"] == R]
            n, colour = [row["n"] for row in rows], PALETTE[index]
            right.plot(n, [row["exact"] for row in rows], color=colour, drawstyle="steps-post")
            right.plot(n, [row["continuous"] for row in rows], color=colour, linestyle="--", linewidth=0.9)
            _points(right, rows, "binary", colour, MARKERS[index])
            _points(right, rows, "searched", colour, MARKERS[index], hollow=True)
        right.set(yscale="log", xlabel="number of weights n", ylabel="error left with probability 0.05", ylim=(1e-7, 2))
        figure.legend(handles=handles + _kinds(), loc="outside upper center", ncols=4)
    return figure


def _points(axes: Any, rows: Sequence[Row], column: str, colour: str, marker: str, *, hollow: bool = False) -> None:
    kept = [row for row in rows if row[column] is not None]
    if not hollow:
        kept = kept[::3]
    middle = [row[column][0] for row in kept]
    bars = [[row[column][0] - row[column][1] for row in kept], [row[column][2] - row[column][0] for row in kept]]
    face = {"markerfacecolor": "white"} if hollow else {}
    axes.errorbar([row["n"] for row in kept], middle, yerr=bars, fmt=marker, color=colour, capsize=2, zorder=3, **face)


def _caption(data: Data) -> str:
    params = data["result"]["params"]
    return (
        f"Target alpha = 1. Left: probability that some mask of n weights +-{2 * EPS:g}, R signs each, sums to within "
        f"eps = {EPS:g}; line: the exact law 7.1. Right: the error exceeded with probability {data['delta']:g}, gain "
        "chosen best for every n; line: the exact 1/(2k+1) of 7.2; filled: binary, hollow: continuous U[-1, 1] values, "
        "both searched exactly. Dashed: prediction 2.4 for continuous values, a heuristic. "
        f"{params['trials']:,} trials a point (hollow: up to 4,000), bars 95 %, seed {params['seed']}."
    )


RECIPE = Recipe("binary_weights", 13, "Binary against continuous weights", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
