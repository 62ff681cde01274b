"""How likely is it that some choice of n re-sampled uniform values sums to within eps of alpha?

``python -m sims.subset_sum --R 5 --eps 0.01`` simulates it exactly for every n, beside a proved lower bound, a proved
upper bound and a sharp prediction, and says how large n must be.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import math
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sims.commands.table import Bounds, Cell, Experiment, Flags, check_grid, draws, run_table, windows
from sims.solver.curve import GridCurve
from sims.statistics.result import Result
from sims.statistics.trials import Count, Counts

_PIECE_HALF_SUMS = 2**23
_PIECE_VALUES = 2**15


@dataclass(frozen=True)
class SubsetSum(Flags):
    """With n uniform variables on [-1, 1], R draws each, how likely is it that some choice sums to within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a sharp
    prediction (heuristic) and a verdict, and says how large n must be.
    """

    model: Literal["choice", "vector"] = "choice"
    """choice: at most one of the R draws of each variable. vector: a subset of one of R independent vectors."""


class SubsetSumExperiment(Experiment):
    """Statement 2: simulation against the bounds 2.1 and 2.2 and the prediction 2.4."""

    command: ClassVar[str] = "sims.subset_sum"
    kind_name: ClassVar[str] = "model"

    def predicted_n(self, cell: Cell, delta: float) -> int:
        from theory.subset_sum import predicted_n

        return predicted_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind)

    def counter(self, cell: Cell, sizes: Sequence[int], seed: int, jobs: int) -> tuple[Count, int]:
        return subset_sum_counter(sizes, cell, seed, jobs)

    def bounds(self, cell: Cell, n: int) -> Bounds:
        from theory.subset_sum import success_prediction, success_prob_lower, success_prob_upper

        low = success_prob_lower(n, cell.R, eps=cell.eps, alpha=cell.alpha, model=cell.kind)
        high = success_prob_upper(n, cell.R, eps=cell.eps, alpha=cell.alpha, model=cell.kind)
        prediction = success_prediction(n, cell.R, eps=cell.eps, alpha=cell.alpha, model=cell.kind)
        return Bounds(low, high, {"lower_bound": low, "upper_bound": high, "prediction": prediction})

    def summary(self, cell: Cell, delta: float) -> dict[str, Any]:
        from theory.subset_sum import necessary_n, required_n

        try:
            enough = required_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind)
        except ValueError:  # a uniform alpha: blocks share it, so nothing is proved beyond the largest block
            enough = None
        return {
            "necessary_n": necessary_n(cell.eps, delta, R=cell.R, alpha=cell.alpha, model=cell.kind),
            "required_n": None if enough is None else enough.n,
            "required_n_block": None if enough is None else enough.m,
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        first = entry["first_n"]
        seen = "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"
        enough = f"n = {entry['required_n']} suffices (proved, blocks of {entry['required_n_block']})"
        if entry["required_n"] is None:
            enough = "no n is proved to suffice"
        necessary = f"n >= {entry['necessary_n']} is necessary (proved)"
        return f"For success >= {1.0 - entry['delta']:g}: {necessary}, {enough}; {seen}."

    def draw(self, result: Result, path: str) -> None:
        from figures.subset_sum import save

        save(result, path)


def subset_sum_counter(sizes: Sequence[int], cell: Cell, seed: int, jobs: int = 1) -> tuple[Count, int]:
    """The counting function of one cell and the number of trials per call.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of variables n.
    cell : Cell
        R, eps, alpha and the model.
    seed : int
        Trial t uses the draws (seed, t, 0), (seed, t, 1), ...: value r of variable i is draw i R + r, whatever n is.
    jobs : int
        Threads that will call the function; each keeps its own solver.

    Returns
    -------
    count, piece
        ``count(first, trials)``, one count per size, and the number of trials that one call should take.

    Raises
    ------
    ValueError
        The search does not fit into memory.
    """
    check_grid(cell.eps)
    own = threading.local()
    largest = max(sizes)
    solver = GridCurve(largest, cell.R, model=cell.kind, threads=jobs)
    reach = min(largest, math.ceil(math.log(1.0 / cell.eps) / math.log(cell.R + 1)) + 3)
    piece = min(_PIECE_HALF_SUMS // solver.half_sums(reach), _PIECE_VALUES // (largest * cell.R), 2**15)

    def count(first: int, trials: int) -> Counts:
        if not hasattr(own, "solver"):
            own.solver = GridCurve(largest, cell.R, model=cell.kind, threads=jobs)
        centres, widths = windows(cell.alpha, cell.eps, seed, first, trials)
        hit = own.solver.first_n(draws(seed, first, trials, largest * cell.R), centres, widths)
        return np.array([(hit <= n).sum() for n in sizes], np.int64)

    return count, max(1, piece)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags = cli.parse(SubsetSum, args, prog="python -m sims.subset_sum")
        return run_table(SubsetSumExperiment(), flags, flags.model)

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
