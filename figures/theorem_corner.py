"""Figure 5: the main theorem in its narrowest network, widths 1 1 and n = 1: failure against R, and against delta.

Left: the exact failure, the failure with the two neurons' roles fixed beforehand, the bound 4.4, and networks built and
certified. Right: the failure at the R that each statement asks for, which should stay below the diagonal.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.settings import Sampling
from figures.style import MARKERS, PALETTE, blank_figure, grow, house_style, legend_over
from figures.work import Work
from sims.commands import flags
from sims.run import asked
from theory.network import MainTheorem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG10 = math.log(10.0)


_CURVES = (("exact", "exact, roles free"), ("designated", "roles fixed"), ("bound", "bound 4.4"))
_PROMISES = (
    ("recalled", "as recalled", "--"),
    ("designated", "as recalled, roles fixed", "--"),
    ("ours", "ours 4.4", "-"),
    ("repaired", "repaired 4.5 (d)", "-"),
)


@dataclass(frozen=True)
class Settings(Sampling):
    """The main theorem in its narrowest network."""

    eps: flags.Real = 0.1
    """Accuracy in (0, 1]."""
    R: flags.AutoIntegers = None
    """Draws of the networks that are built. Default: auto, 1, 2, 4, 8 and 12 over eps."""
    decades: flags.Integer = 40
    """Right: down to a delta of 10 to the minus this, 2 to 300."""
    trials: flags.Integer = 20_000
    """Networks built for each R."""


def _compute(chosen: Settings, work: Work) -> Data:
    from theory.network.width import (
        corner_log_failure_designated,
        corner_log_failure_exact,
        corner_R,
        log_failure_bound,
        required_R_for_minimal_width,
    )

    eps, steps = chosen.eps, range(1, flags.between("decades", chosen.decades, 2, 300) + 1)
    draws = chosen.R or tuple(max(1, round(k / eps)) for k in (1, 2, 4, 8, 12))
    questions = [MainTheorem(widths=(1, 1), eps=eps, R=R) for R in draws]
    request = asked(questions, n=1, construction="best", trials=chosen.trials, seed=chosen.seed)
    curves = []
    for R in sorted({max(1, round(0.1 / eps * 10 ** (step / 12))) for step in range(6, 39)}):
        curves.append(
            {
                "R": R,
                "exact": corner_log_failure_exact(eps, R) / LOG10,
                "designated": corner_log_failure_designated(eps, R) / LOG10,
                "bound": log_failure_bound([1, 1], eps, R=R, n=1) / LOG10,
            }
        )
    promises = []
    for step in steps:
        delta = 10.0**-step
        recalled, ours = corner_R(eps, delta), required_R_for_minimal_width([1, 1], eps, delta=delta)
        repaired = math.ceil(8.0 / eps * math.log(4.0 / delta))
        promises.append(
            {
                "log10_delta": -step,
                "R": {"recalled": recalled, "ours": ours, "repaired": repaired},
                "recalled": corner_log_failure_exact(eps, recalled) / LOG10,
                "designated": corner_log_failure_designated(eps, recalled) / LOG10,
                "ours": corner_log_failure_exact(eps, ours) / LOG10,
                "repaired": corner_log_failure_exact(eps, repaired) / LOG10,
            }
        )
    (found,) = work.run([request])
    return {
        "params": {"eps": eps},
        "curves": curves,
        "promises": promises,
        "built": replace(found, details=None).to_dict(),
    }


def _left(axes: Any, data: Data) -> float:
    rows = data["curves"]
    draws = [row["R"] for row in rows]
    for index, (name, label) in enumerate(_CURVES):
        style: dict[str, Any] = {
            "color": PALETTE[index],
            "marker": MARKERS[index],
            "markevery": (index, 4),
            "label": label,
        }
        kept = [row for row in rows if row[name] > -320]
        axes.plot([row["R"] for row in kept], [10 ** row[name] for row in kept], **style)
    built = [row for row in data["built"]["rows"] if row["success"] < 1.0]
    failed = [1.0 - row["success"] for row in built]
    bars = [[row["ci_high"] - row["success"] for row in built], [row["success"] - row["ci_low"] for row in built]]
    style = {
        "fmt": "D",
        "color": PALETTE[1],
        "markerfacecolor": "white",
        "capsize": 2,
        "label": "built with fixed roles",
    }
    axes.errorbar([row["R"] for row in built], failed, yerr=bars, zorder=3, **style)
    axes.set(xscale="log", yscale="log", ylim=(1e-8, 2), xlabel="draws R", ylabel="probability of failure")
    axes.set_xlim(draws[0], max(R for R, row in zip(draws, rows, strict=True) if row["bound"] > -9) * 1.1)
    return legend_over(axes, axes.get_legend_handles_labels()[0])


def _right(axes: Any, data: Data) -> float:
    rows = data["promises"]
    x = [row["log10_delta"] for row in rows]
    axes.plot(x, x, color="0.2", linestyle=":", label="promise")
    for index, (name, label, line) in enumerate(_PROMISES):
        every = (1 + index, max(1, len(x) // 6))
        style = {"color": PALETTE[index], "linestyle": line, "marker": MARKERS[index]}
        axes.plot(x, [row[name] for row in rows], label=label, markevery=every, **style)
    axes.set(xlabel="log10 of the delta asked for", ylabel="log10 of the exact failure")
    axes.set_xlim(x[0] + 0.5, x[-1] - 0.5)
    axes.set_ylim(x[-1] - 2, 1)
    return legend_over(axes, axes.get_legend_handles_labels()[0])


def _plot(data: Data) -> Figure:
    with house_style():
        figure = blank_figure(5.5, 3.2)
        wide = figure.get_size_inches()[0] >= 4.6
        if not wide:
            grow(figure, figure.get_size_inches()[1])
        left, right = figure.subplots(*((1, 2) if wide else (2, 1)))
        above = (_left(left, data), _right(right, data))
        grow(figure, max(above) if wide else sum(above))
    return figure


def _caption(data: Data) -> str:
    params, rows = data["built"]["params"], data["promises"]

    def until(name: str) -> str:
        early = [row["log10_delta"] for row in rows if row[name] > row["log10_delta"]]
        return f"from delta = 1e{max(early)} on" if early else "at no delta drawn"

    return (
        "The main theorem in its narrowest network: widths 1 1, target weight 1, n = 1, eps = "
        f"{data['params']['eps']:g}. Panel 1: failure against R; hollow: {params['trials']:,} networks built (roles "
        f"fixed) and certified per R, bars 95 %, seed {params['seed']}. Panel 2: exact failure at the R that each "
        "statement asks for; it holds where its line is below the dotted one. The published statement as we recall it "
        f"(dashed: not checked against its text) fails {until('recalled')} if the two neurons' roles are free, and "
        f"{until('designated')} if they are fixed beforehand."
    )


RECIPE = Recipe(
    "theorem_corner",
    5,
    "The main theorem in its corner",
    Settings(),
    {"R": (10,), "decades": 3, "trials": 50},
    _compute,
    _plot,
    _caption,
    "--eps 0.03",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
