"""How likely is it that some choice of n quantised values sums to a target exactly?

``python -m sims.grid_sum --grid 100`` simulates it for values on a grid of 1/100, beside proved bounds from both sides,
a prediction, and what picking a single value would do.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sims.band import Published
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits
from sims.draws import draws
from sims.experiment import GridExperiment
from sims.options import Row
from sims.solver.arguments import Integers
from sims.solver.limits import TARGETS
from theory.grid_sum import GridSum

_MAX_VALUES = 2**22
_MAX_BITS = 2**28
_PIECE_VALUES = 2**17


@dataclass(frozen=True)
class Config(flags.Run):
    """With n values uniform on a grid of 2M + 1 points, R draws each, how likely does some choice hit a target exactly?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic), the probability for a single value and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.grid_sum --grid 100",
        "python -m sims.grid_sum --grid 10 100 1000 --R 5 --alpha uniform --plot grids.png",
    )

    R: flags.Integers = (1,)
    """Draws that each variable may take; several make a grid. Ranges: 1:5, 1:9:2."""
    grid: flags.Integers = (100,)
    """Steps M between 0 and 1, up to 10^4: values are multiples of 1/M. Several make a grid."""
    tolerance: flags.Integers = (0,)
    """Steps by which a sum may miss; 0: exact."""
    alpha: flags.Alphas = (0.5,)
    """Target in [-1, 1], moved to the nearest grid point, or `uniform`: a new grid point for every trial."""


class GridSumExperiment(GridExperiment[GridSum]):
    """Statement 2.7: exact sums on a grid against their bounds and the prediction."""

    name = "grid_sum"
    question = GridSum
    config = Config
    group = ("R", "grid", "tolerance", "alpha")

    def counter(self, question: GridSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Value r of variable i is draw i R + r, cut into 2M + 1 equal parts; a uniform target likewise.

        Raises ValueError for more values or sums than the search takes.
        """
        from sims.solver.grid_sums import first_hit, steps_of
        from sims.solver.philox import grid_draws

        R, M, largest = question.R, question.grid, max(sizes)
        if largest * R > _MAX_VALUES or 2 * largest * M > _MAX_BITS:
            raise ValueError(
                f"n={largest} with R={R} and grid={M} takes {largest * R:.3g} values and {2 * largest * M:.3g} sums; "
                f"the limits are {_MAX_VALUES} and {_MAX_BITS}"
            )

        def needed(first: int, trials: int) -> Integers:
            values = steps_of(draws(seed, first, trials, largest * R), M).reshape(trials, largest, R)
            targets = np.full(trials, question.target, np.int64)
            if question.uniform:
                targets = steps_of(grid_draws(seed, first, trials, 1, stream=TARGETS)[:, 0], M)
            return first_hit(values, targets, question.tolerance, M)

        return first_hits(needed, sizes, min(_PIECE_VALUES // (largest * R), 2**14))

    def bounds(self, question: GridSum, n: int) -> tuple[tuple[float, float], Row]:
        (low, high), columns = super().bounds(question, n)
        if not question.uniform:
            from theory.grid_sum import miss_prob_one_exact

            rest = {"grid": question.grid, "tolerance": question.tolerance}
            columns["pick_one"] = 1.0 - miss_prob_one_exact(n, question.R, alpha=float(question.alpha), **rest)
        # a part of 2M + 1 equal ones holds one draw in 2^53 more or less than its share
        slack = (n * question.R + 1) * (2 * question.grid + 1) * 2.0**-52
        return (low * max(0.0, 1.0 - slack), min(1.0, high * (1.0 + slack))), columns

    def needs(self, question: GridSum, delta: float) -> Row:
        from theory.grid_sum import required_n_one

        rest = {"grid": question.grid, "tolerance": question.tolerance}
        alone = None
        if not question.uniform:
            alone = required_n_one(delta=delta, R=question.R, alpha=float(question.alpha), **rest)
        return {**super().needs(question, delta), "required_n_one": alone}

    def published(self, question: GridSum, first: int | None) -> tuple[Published, ...]:
        tail = "P(first n that hits <= t) >= 1 - 2 exp(-(t - C log((M + 1) / (tolerance + 1)))^2 / (kappa t))"
        return (
            Published("kumar2025", "read in part", "exact quantised networks of width O(d log(1/delta))"),
            Published("kumar2026", "restated", tail, constant="constants C and kappa unknown"),
        )

    def sentence(self, entry: Mapping[str, Any]) -> str:
        alone = entry["required_n_one"]
        single = "" if alone is None else f" A single value takes n = {alone} (exact)."
        return super().sentence(entry) + single

    def cost(self, work: Pass[GridSum]) -> float:
        one, n = work.question, max(work.sizes)
        return 1e-7 + n * one.R * (1e-8 + 1e-9 * (2 * n * one.grid / 64))

    def memory(self, work: Pass[GridSum]) -> int:
        one, n = work.question, max(work.sizes)
        return 32 * max(_PIECE_VALUES, n * one.R) + n * one.grid // 2


EXPERIMENT = GridSumExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
