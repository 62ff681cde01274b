"""Failure against n on a logarithmic axis: simulated points over curves. Shared by several figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def points(axes: Any, rows: Sequence[Row], *, colour: str, marker: str, label: str) -> Any:
    """Draw 1 - success with its 95 % bars; where no trial failed, an arrow at the first bar's upper end.

    Parameters
    ----------
    axes : matplotlib Axes
    rows : sequence of mappings
        With n, success, ci_low and ci_high.
    colour, marker, label : str

    Returns
    -------
    The handle for a legend.
    """
    seen = [row for row in rows if row["success"] < 1.0]
    none = [row for row in rows if row["success"] == 1.0][:1]
    failure = [1.0 - row["success"] for row in seen]
    bars = [[row["ci_high"] - row["success"] for row in seen], [row["success"] - row["ci_low"] for row in seen]]
    handle = axes.errorbar(
        [row["n"] for row in seen], failure, yerr=bars, fmt=marker, color=colour, capsize=2, label=label, zorder=3
    )
    ends = [1.0 - row["ci_low"] for row in none]
    axes.plot([row["n"] for row in none], ends, linestyle="", marker=r"$\downarrow$", color=colour, markersize=6)
    return handle


def curve(axes: Any, rows: Sequence[Row], column: str, *, of: str = "failure", **style: Any) -> Any:
    """Draw a column of the rows, which holds a failure or a success probability; zeros are left out."""
    pairs = [(row["n"], row[column] if of == "failure" else 1.0 - row[column]) for row in rows]
    kept = [(n, y) for n, y in pairs if y is not None and y > 0.0]
    return axes.plot([n for n, _ in kept], [y for _, y in kept], **style)[0]
