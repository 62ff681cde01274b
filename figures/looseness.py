"""Figure 8: how loose each bound is where it was tested: bound / measured, for every claim that is a bound."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from figures.recipe import Data, Recipe
from figures.style import PALETTE, house_style, new_figure, sample
from sims.solver.memory import default_jobs
from sims.verify import check_claims

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"proved": PALETTE[0], "read": PALETTE[2], "recalled": PALETTE[1], "heuristic": PALETTE[3]}


def ratio(row: Mapping[str, Any]) -> tuple[float, bool] | None:
    """Bound over measured value of a row of ``sims.verify``, and whether it is only known to be at least that.

    A bound on a success from below is compared by its complement, the bound on the failure.

    Examples
    --------
    >>> ratio({"kind": "upper", "high": 0.75, "measured": 0.25, "ci_high": 0.5, "control": ""})
    (3.0, False)
    >>> ratio({"kind": "lower", "low": 0.5, "measured": 1.0, "ci_low": 0.75, "control": ""})
    (2.0, True)
    """
    if row["control"] or row["kind"] not in ("upper", "lower") or row["measured"] is None:
        return None
    upper = row["kind"] == "upper"
    bound = row["high"] if upper else 1.0 - row["low"]
    seen = row["measured"] if upper else 1.0 - row["measured"]
    if seen > 0.0:
        return bound / seen, False
    return bound / (row["ci_high"] if upper else 1.0 - row["ci_low"]), True


def _compute(smoke: bool, seed: int) -> Data:
    # a few are those of two sections
    only, budget = (("1", "2"), 2.0) if smoke else ((), 60.0)
    found = check_claims(only, budget=budget, seed=seed, jobs=default_jobs())
    rows = []
    for row in found.rows:
        value = ratio(row)
        if value is not None:
            named = {key: row[key] for key in ("claim", "status", "where")}
            rows.append({**named, "ratio": float(f"{value[0]:.5g}"), "at_least": value[1]})
    return {"params": {"budget": found.params["budget"], "seed": seed}, "rows": rows}


def _plot(data: Data) -> Figure:
    rows = data["rows"]
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    with house_style():
        figure, axes = new_figure(5.5, 0.22 * len(claims) + 1.3)
        for row in rows:
            colour = COLOURS[row["status"]]
            marker = ">" if row["at_least"] else "o"
            fill = "none" if row["at_least"] else colour
            y = claims.index(row["claim"])
            axes.plot([row["ratio"]], [y], marker=marker, color=colour, markerfacecolor=fill, alpha=0.8)
        axes.axvline(1.0, color="0.2", linestyle=":")
        axes.set_yticks(range(len(claims)), claims)
        axes.set(xscale="log", xlabel="bound / measured", ylabel="claim", ylim=(len(claims) - 0.4, -0.6))
        shown = [status for status in COLOURS if any(row["status"] == status for row in rows)]
        handles = [sample(one, linestyle="", marker="o", color=COLOURS[one]) for one in shown]
        handles.append(sample("at least this (never seen)", linestyle="", marker=">", markerfacecolor="none"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _caption(data: Data) -> str:
    params = data["params"]
    return (
        "How loose the bounds are where they were tested: bound divided by the measured probability (for a bound on "
        "success from below: of failure). Left of the dotted line a bound would be violated; a point just left of it "
        "is sampling noise unless the verdict says otherwise. Triangles: the event was never seen, so the ratio is at "
        f"least this. From sims.verify, budget {params['budget']:g} s, seed {params['seed']}."
    )


RECIPE = Recipe("looseness", 8, "Looseness of every bound", _compute, _plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
