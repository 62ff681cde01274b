"""Figure 1: failure of the nearest of n R single draws against n: the exact formula, the lemma's bound, simulation.

``python -m figures.single_weight`` draws R = 1, 2, 5, 10 at eps = 0.1; ``sims.single_weight --plot`` draws its own
result.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from figures import failure, success
from figures.recipe import recipe_of_result
from figures.settings import Grid
from figures.style import MARKERS, PALETTE, house_style, legend_above, new_figure, sample, save_figure
from figures.work import Work, few
from sims.options import grid
from sims.run import asked
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
        legend_above(figure, handles + kinds)
    return figure


def save(result: Result, path: str) -> None:
    """Draw a result of ``sims.single_weight`` into a file."""
    save_figure(plot(result), path)


@dataclass(frozen=True)
class Settings(Grid):
    """Failure of the nearest single draw against n."""

    sampler: Literal["draws", "nearest"] = "draws"
    """draws: every draw is made. nearest: the nearest of n R draws by its exact law."""


def _simulate(chosen: Settings, work: Work) -> Result:
    few("R, eps and alpha", chosen.curves)
    axes = {"R": chosen.R, "eps": chosen.eps, "alpha": chosen.alpha}
    questions = grid(SingleWeight, axes, sampler=chosen.sampler)
    n = chosen.n
    if n is None:  # the same for all: as far as the slowest goes
        last = max(question.predicted_n(chosen.delta) for question in questions)
        n = tuple(range(1, last + 1, -(-last // 15)))
    return work.run([asked(questions, n=n, delta=chosen.delta, trials=chosen.trials, seed=chosen.seed)])[0]


def _caption(result: Result) -> str:
    return (
        "Probability that none of n elements, R draws each, comes within eps of alpha. Points: simulation (an arrow: "
        "from here on no trial failed; its tip is the upper end of the 95 % interval); line: the exact formula 1.1; "
        f"dotted: the lemma's bound 1.2. {success.caption(result, 'sampler')}."
    )


RECIPE = recipe_of_result(
    "single_weight",
    1,
    "One weight by the nearest draw",
    Settings(R=(1, 2, 5, 10), eps=(0.1,), trials=10**6),
    {"trials": 200},
    _simulate,
    plot,
    _caption,
    "--R 10 100 --eps 1e-3",
)
figure, main = RECIPE.figure, RECIPE.main

if __name__ == "__main__":
    sys.exit(main())
