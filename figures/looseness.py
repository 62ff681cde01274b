"""Figure 8: how loose each bound is where it was tested: bound / measured, for every claim that is a bound."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from figures.recipe import Data, Recipe
from figures.settings import SEED
from figures.style import MARKERS, PALETTE, grow, house_style, legend_above, new_figure, sample
from figures.work import Work
from sims.commands import flags
from sims.verify import Seconds, check_claims, chosen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKS = {
    status: {"color": PALETTE[place], "marker": MARKERS[place]}
    for place, status in enumerate(("proved", "recalled", "read", "heuristic"))
}
"""Of what stands where; hollow: the event was never seen."""


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


@dataclass(frozen=True)
class Settings:
    """Looseness of bounds where they were tested."""

    only: Annotated[tuple[str, ...], *flags.written("CLAIM [CLAIM ...]", tuple, many=True)] = ()
    """Claims or sections: 2.4, "4.5 (c)", 4. Default: all."""
    budget: Seconds = 60.0
    """Seconds of one core for all simulations."""
    seed: flags.Integer = SEED
    """Seed in [0, 2^64)."""


def _compute(settings: Settings, work: Work) -> Data:
    chosen(settings.only)
    seed = flags.between("seed", settings.seed, 0, 2**64 - 1)
    work.announce(settings.budget / work.threads)
    found = check_claims(settings.only, budget=settings.budget, seed=seed, jobs=work.threads, quiet=work.quiet)
    rows = []
    for row in found.rows:
        value = ratio(row)
        if value is not None:
            named = {key: row[key] for key in ("claim", "status", "where")}
            rows.append({**named, "ratio": float(f"{value[0]:.5g}"), "at_least": value[1]})
    if not rows:
        raise ValueError(f"only must name a claim that is a bound, got {', '.join(settings.only)}")
    return {"rows": rows}


def _plot(data: Data) -> Figure:
    rows = data["rows"]
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    with house_style():
        figure, axes = new_figure(5.5, 5.5)
        scale = figure.get_size_inches()[1] / 5.5
        grow(figure, (0.17 * len(claims) + 0.8) - 5.5 * scale)
        for row in rows:
            look = LOOKS[row["status"]]
            face = {"markerfacecolor": "none"} if row["at_least"] else {}
            axes.plot([row["ratio"]], [claims.index(row["claim"])], linestyle="", alpha=0.8, **look, **face)
        axes.axvline(1.0, color="0.2", linestyle=":")
        axes.set_yticks(range(len(claims)), claims)
        axes.set(xscale="log", xlabel="bound / measured", ylabel="claim", ylim=(len(claims) - 0.4, -0.6))
        shown = [status for status in LOOKS if any(row["status"] == status for row in rows)]
        handles = [sample(one, linestyle="", **LOOKS[one]) for one in shown]
        handles.append(sample("hollow: at least this (never seen)", linestyle="", marker="o", markerfacecolor="none"))
        legend_above(figure, handles)
    return figure


def _caption(data: Data) -> str:
    params = data["settings"]
    return (
        "How loose the bounds are where they were tested: bound divided by the measured probability (for a bound on "
        "success from below: of failure). Left of the dotted line a bound would be violated; a point just left of it "
        "is sampling noise unless the verdict says otherwise. Hollow: the event was never seen, so the ratio is at "
        f"least this. From sims.verify, budget {params['budget']:g} s, seed {params['seed']}."
    )


RECIPE = Recipe(
    "looseness",
    8,
    "Looseness of every bound",
    Settings(),
    {"only": ("1", "2"), "budget": 2.0},
    _compute,
    _plot,
    _caption,
    "--only 2 --budget 10m",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
