"""Figure 5: the main theorem in its narrowest network, widths 1 1 and n = 1: failure against R, and against delta.

Left: the exact failure, the failure with the two neurons' roles fixed beforehand, the bound 4.4, and networks built and
certified. Right: the failure at the R that each statement asks for, which should stay below the diagonal.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import PALETTE, blank_figure, house_style
from sims.run import run
from theory.network import MainTheorem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS = 0.1
SIMULATED = (10, 20, 40, 80, 120)
LOG10 = math.log(10.0)


def _compute(smoke: bool, seed: int) -> Data:
    from theory.network.width import (
        corner_log_failure_designated,
        corner_log_failure_exact,
        corner_R,
        log_failure_bound,
        required_R_for_minimal_width,
    )

    steps = range(1, 4) if smoke else range(1, 41)
    curves = []
    for R in sorted({round(10 ** (step / 12)) for step in range(6, 12 if smoke else 39)}):
        curves.append(
            {
                "R": R,
                "exact": corner_log_failure_exact(EPS, R) / LOG10,
                "designated": corner_log_failure_designated(EPS, R) / LOG10,
                "bound": log_failure_bound([1, 1], EPS, R=R, n=1) / LOG10,
            }
        )
    promises = []
    for step in steps:
        delta = 10.0**-step
        recalled, ours = corner_R(EPS, delta), required_R_for_minimal_width([1, 1], EPS, delta=delta)
        repaired = math.ceil(8.0 / EPS * math.log(4.0 / delta))
        promises.append(
            {
                "log10_delta": -step,
                "R": {"recalled": recalled, "ours": ours, "repaired": repaired},
                "recalled": corner_log_failure_exact(EPS, recalled) / LOG10,
                "designated": corner_log_failure_designated(EPS, recalled) / LOG10,
                "ours": corner_log_failure_exact(EPS, ours) / LOG10,
                "repaired": corner_log_failure_exact(EPS, repaired) / LOG10,
            }
        )
    trials, draws = (50, SIMULATED[:1]) if smoke else (20_000, SIMULATED)
    questions = [MainTheorem(widths=(1, 1), eps=EPS, R=R) for R in draws]
    found = run(questions, n=1, construction="best", trials=trials, seed=seed)
    return {
        "params": {"eps": EPS},
        "curves": curves,
        "promises": promises,
        "built": replace(found, details=None).to_dict(),
    }


def _left(axes: Any, data: Data) -> None:
    rows = data["curves"]
    draws = [row["R"] for row in rows]
    axes.plot(draws, [10 ** row["bound"] for row in rows], color=PALETTE[2], label="bound 4.4")
    axes.plot(draws, [10 ** row["designated"] for row in rows], color=PALETTE[1], label="roles fixed")
    axes.plot(draws, [10 ** row["exact"] for row in rows], color=PALETTE[0], label="exact, roles free")
    built = [row for row in data["built"]["rows"] if row["success"] < 1.0]
    failed = [1.0 - row["success"] for row in built]
    bars = [[row["ci_high"] - row["success"] for row in built], [row["success"] - row["ci_low"] for row in built]]
    style = {"fmt": "o", "color": PALETTE[1], "capsize": 2, "label": "built with fixed roles"}
    axes.errorbar([row["R"] for row in built], failed, yerr=bars, **style)
    axes.set(xscale="log", yscale="log", ylim=(1e-8, 2), xlabel="draws R", ylabel="probability of failure")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))


def _right(axes: Any, data: Data) -> None:
    rows = data["promises"]
    x = [row["log10_delta"] for row in rows]
    axes.plot(x, x, color="0.2", linestyle=":", label="promise")
    axes.plot(x, [row["recalled"] for row in rows], color=PALETTE[0], linestyle="--", label="as recalled")
    style = {"color": PALETTE[1], "linestyle": "--"}
    axes.plot(x, [row["designated"] for row in rows], label="as recalled, roles fixed", **style)
    axes.plot(x, [row["ours"] for row in rows], color=PALETTE[2], label="ours 4.4")
    axes.plot(x, [row["repaired"] for row in rows], color=PALETTE[3], label="repaired 4.5 (d)")
    axes.set(xlabel="log10 of the delta asked for", ylabel="log10 of the exact failure")
    axes.set_xlim(x[0] + 0.5, x[-1] - 0.5)
    axes.set_ylim(x[-1] - 2, 1)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(5.5, 3.7)
        left, right = figure.subplots(1, 2)
        _left(left, data)
        _right(right, data)
    return figure


def _caption(data: Data) -> str:
    params = data["built"]["params"]
    return (
        f"The main theorem in its narrowest network: widths 1 1, target weight 1, n = 1, eps = {EPS:g}. Left: failure "
        f"against R; points: {params['trials']:,} networks built (roles fixed) and certified per R, bars 95 %, seed "
        f"{params['seed']}. Right: exact failure at the R that each statement asks for; it holds where its line is "
        "below the dotted one. As we recall the published statement (dashed: not checked against its text) it holds "
        "down to a delta of about 1e-21 if the two neurons' roles are free, and fails early if they are fixed "
        "beforehand."
    )


RECIPE = Recipe("theorem_corner", 5, "The main theorem in its corner", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
