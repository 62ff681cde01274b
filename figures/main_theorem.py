"""Figure 6: certified errors of the built networks against eps.

``plot`` draws a result of ``nets.main_theorem`` with the errors of its trials; ``python -m figures.main_theorem``
makes one for R = 1, 10, 1000 and 10^5 with the widths that our statement asks for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figures.style import MARKERS, PALETTE, house_style, new_figure, out, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Any, errors: Sequence[Mapping[str, Sequence[float]]]) -> Figure:
    """Share of the trials whose certified error is at most x, one colour per row.

    Parameters
    ----------
    result : sims.result.Result
        Of ``nets.main_theorem``.
    errors : sequence of {"lower": [...], "upper": [...]}, one for each row
        Certified ends of every trial's error.

    Raises
    ------
    ValueError
        More rows than can be told apart.
    """
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
        axes.set_xlabel(f"error over the unit ball: certified upper end (marked), attained (thin)\n{_caption(result)}")
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def save(result: Any, errors: Sequence[Mapping[str, Sequence[float]]], path: str) -> None:
    """Draw a result of ``nets.main_theorem`` into a file."""
    save_figure(plot(result, errors), path)


def _range(n: Sequence[int]) -> str:
    low, high = min(n), max(n)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _caption(result: Any) -> str:
    params = result.params
    widths = "-".join(map(str, params["widths"]))
    return (
        f"widths {widths}, delta = {params['delta']:g}, {result.rows[0]['statement']}, {params['construction']}, "
        f"{params['trials']:,} trials a curve, seed {params['seed']}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Build, certify and draw; further flags go to ``nets.main_theorem``."""
    from nets import main_theorem

    rest = list(sys.argv[1:] if argv is None else argv)
    path = out("main_theorem.png")
    return main_theorem.main(["--R", "1", "10", "1000", "100000", "--trials", "200", "--plot", path, *rest])


if __name__ == "__main__":
    sys.exit(main())
