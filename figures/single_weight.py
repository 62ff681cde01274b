"""Figure 1: failure of the nearest of n R single draws against n: the exact formula, the lemma's bound, simulation.

``python -m figures.single_weight`` draws R = 1, 2, 5, 10 at eps = 0.1; ``sims.single_weight --plot`` draws its own
result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from figures import failure, success
from figures.recipe import recipe_of_result
from figures.style import MARKERS, PALETTE, house_style, new_figure, sample, save_figure
from sims.run import run
from sims.statistics.result import Result
from theory.single_weight import SingleWeight

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Result, *, note: bool = True) -> Figure:
    """Draw a result of ``sims.single_weight``.

    Parameters
    ----------
    result : sims.statistics.result.Result
    note : bool
        Say the parameters, trials and seed under the axis.

    Raises
    ------
    ValueError
        More cells than can be told apart.
    """
    groups = success.cells(result.rows, "sampler")
    with house_style():
        figure, axes = new_figure()
        handles: list[Any] = []
        for index, (key, rows) in enumerate(groups.items()):
            colour, marker = PALETTE[index], MARKERS[index]
            failure.curve(axes, rows, "exact", of="success", color=colour)
            failure.curve(axes, rows, "lower_bound", of="success", color=colour, linestyle=":", linewidth=1.1)
            name = success.label(key, list(groups))
            handles.append(failure.points(axes, rows, colour=colour, marker=marker, label=name))
        lowest = min(1.0 - row["ci_low"] for row in result.rows)
        axes.set(yscale="log", ylim=(0.3 * lowest, 1.5), ylabel="probability of failure")
        xlabel = "number of elements n"
        axes.set_xlabel(f"{xlabel}\n{success.caption(result, 'sampler')}" if note else xlabel)
        axes.xaxis.get_major_locator().set_params(integer=True)
        kinds = [sample("exact formula (1.1)"), sample("lemma's bound (1.2)", linestyle=":")]
        figure.legend(handles=handles + kinds, loc="outside upper center", ncols=3)
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.single_weight`` into a file."""
    save_figure(plot(result), path)


def _simulate(smoke: bool, seed: int) -> Result:
    questions = [SingleWeight(R=R, eps=0.1) for R in (1, 2, 5, 10)]
    return run(questions, n=range(1, 41, 3), trials=200 if smoke else 10**6, seed=seed)


def _caption(result: Result) -> str:
    return (
        "Probability that none of n elements, R draws each, comes within eps of alpha. Points: simulation (an arrow: "
        "from here on no trial failed; its tip is the upper end of the 95 % interval); line: the exact formula 1.1; "
        f"dotted: the lemma's bound 1.2. {success.caption(result, 'sampler')}."
    )


RECIPE = recipe_of_result("single_weight", 1, "One weight by the nearest draw", _simulate, plot, _caption)
main = RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
