"""How likely is it that some choice of n re-sampled values, each moved a little, sums to within eps of alpha?

``python -m sims.movable_sum --move 0.01`` simulates it exactly for every n, beside proved bounds from both sides and a
prediction, and says how large n must be.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sims.band import Published
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits, half_sum_reach, sums_cost
from sims.draws import draws
from sims.experiment import GridExperiment
from sims.options import check_grid
from sims.solver.arguments import Integers
from sims.solver.fixed_point import window
from sims.solver.limits import GRID_BITS, TARGETS
from sims.threads import one_per_thread
from theory.movable_sum import MovableSum

if TYPE_CHECKING:
    from sims.solver.sized import SizedCurve

_PIECE_SUMS = 2**23
_PIECE_VALUES = 2**15
_MAX_N = 60


@dataclass(frozen=True)
class Config(flags.Grid):
    """With n uniform variables on [-1, 1], R draws each, and kept values that may each move by up to eps_p, how likely
    does some choice sum to within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic) and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.movable_sum --move 0.01",
        "python -m sims.movable_sum --move 0 1e-3 1e-2 0.1 --R 2 --plot moves.png",
    )

    move: flags.Reals = (0.001,)
    """How far a kept value may move, in [0, 1]; several make a grid."""


class MovableSumExperiment(GridExperiment[MovableSum]):
    """Statement 2.8: sums whose window grows with their size against their bounds and the prediction."""

    name = "movable_sum"
    question = MovableSum
    config = Config
    group = ("R", "eps", "alpha", "move")

    def counter(self, question: MovableSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Values are those of ``sims.subset_sum``: value r of variable i is draw i R + r, whatever n is."""
        R, largest = question.R, max(sizes)
        check_grid(question.eps)
        if largest > _MAX_N:
            raise ValueError(f"n must be at most {_MAX_N}, got n={largest}")
        solver = _solver(question, largest, jobs)
        own = one_per_thread(partial(_solver, question, largest, jobs))
        target = 0.0 if question.alpha == "uniform" else float(question.alpha)
        found = np.array([window(target, question.reach(k), GRID_BITS) for k in range(largest + 1)])

        def needed(first: int, trials: int) -> Integers:
            centres = np.repeat(found[None, :, 0], trials, axis=0)
            if question.uniform:
                from sims.solver.philox import grid_draws

                centres = centres + 2 * grid_draws(seed, first, trials, 1, stream=TARGETS)
            return own().first_n(draws(seed, first, trials, largest * R), centres, found[:, 1].copy())

        return first_hits(needed, sizes, min(_PIECE_SUMS // solver.sums, _PIECE_VALUES // (largest * R), 2**13))

    def published(self, question: MovableSum, first: int | None) -> tuple[Published, ...]:
        form = "values that may move by epsilon, its setting; text not read"
        return (Published("xiong2022", "recalled", form, constant="form and constants unknown here"),)

    def cost(self, work: Pass[MovableSum]) -> float:
        one, n = work.question, max(work.sizes)
        reach = half_sum_reach(n, one.eps, one.R + 1)
        return sums_cost(n * one.R, 3.0 * reach * float(one.R + 1) ** (reach / 2))

    def memory(self, work: Pass[MovableSum]) -> int:
        R, n = work.question.R, max(work.sizes)
        return 64 * max(_PIECE_VALUES, n * R) + _solver(work.question, n).nbytes


def _solver(question: MovableSum, n: int, jobs: int = 1) -> SizedCurve:
    from sims.solver.sized import SizedCurve

    return SizedCurve(n, question.R, n, threads=jobs)


EXPERIMENT = MovableSumExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
