"""How likely is it that some choice of n re-sampled uniform vectors sums to within eps of a vector, in all coordinates?

``python -m sims.vector_sum --d 2 --eps 0.05`` simulates it exactly for every n, beside a proved lower bound, a proved
upper bound and a prediction, and says how large n must be.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from sims.band import Published
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits
from sims.draws import boxes, draws
from sims.experiment import GridExperiment, describe
from sims.options import check_grid
from sims.solver.arguments import Integers
from sims.threads import one_per_thread
from theory.vector_sum import VectorSum

if TYPE_CHECKING:
    from sims.solver.vector_sums import VectorCurve

_PIECE_HALF_SUMS = 2**21
_PIECE_VALUES = 2**17


@dataclass(frozen=True)
class Config(flags.Grid):
    """With n uniform vectors on [-1, 1]^d, R draws each, how likely does some choice sum to within eps of a vector?

    At most one draw of each variable is taken, whole, and every coordinate must be within eps of the target's. Prints
    for every n the simulated probability with its interval, a proved lower and a proved upper bound, a prediction
    (heuristic) and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.vector_sum --d 2 --eps 0.05",
        "python -m sims.vector_sum --d 1:4 --R 5 --eps 0.1 --trials 1e4 --plot vectors.png",
        "python -m sims.vector_sum --d 3 --eps 0.1 --alpha uniform --seed 1 --json",
    )

    d: flags.Integers = (2,)
    """Coordinates of a vector, 1 to 4; several make a grid."""
    alpha: flags.Alphas = (0.5,)
    """Every coordinate of the target, in [-1, 1], or `uniform`: a new target vector for every trial."""


class VectorSumExperiment(GridExperiment[VectorSum]):
    """Statements 9.1 to 9.3: simulation against the bounds and the prediction."""

    name = "vector_sum"
    question = VectorSum
    config = Config
    group = ("d", "R", "eps", "alpha")

    def counter(self, question: VectorSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Coordinate c of vector r of variable i is draw (seed, trial, (i R + r) d + c), whatever n is.

        With d = 1 the counts are those of ``sims.subset_sum``. Each thread keeps its own solver. Raises ValueError if
        the search does not fit into memory.
        """
        R, d, eps, largest = question.R, question.d, question.eps, max(sizes)
        check_grid(eps)
        _solver(question, largest, jobs)
        own = one_per_thread(partial(_solver, question, largest, jobs))

        def needed(first: int, trials: int) -> Integers:
            centres, widths = boxes(question.alpha, eps, d, seed, first, trials)
            return own().first_n(draws(seed, first, trials, largest * R * d), centres, widths)

        half_sums = math.ceil(_half_sums(question, largest))
        return first_hits(needed, sizes, min(_PIECE_HALF_SUMS // half_sums, _PIECE_VALUES // (largest * R * d), 2**14))

    def label(self, work: Pass[VectorSum]) -> str:
        return f"d={work.question.d} {describe(self.encode(work))}"

    def published(self, question: VectorSum, first: int | None) -> tuple[Published, ...]:
        from theory.vector_sum import becchetti_n

        form = "n = C d^3 log(1/eps) (log(1/eps) + log d) vectors suffice for all targets at once"
        values = {"n with C = 1": becchetti_n(question.eps, d=question.d, C=1.0)}
        return (Published("becchetti2022", "abstract read", form, constant="constant C unknown", values=values),)

    def cost(self, work: Pass[VectorSum]) -> float:
        one, n = work.question, max(work.sizes)
        return 2e-7 + 4e-9 * n * one.R * one.d + 9e-8 * min(_half_sums(one, n), 1e300)

    def memory(self, work: Pass[VectorSum]) -> int:
        one, n = work.question, max(work.sizes)
        return 24 * max(_PIECE_VALUES, n * one.R * one.d) + _solver(one, n).nbytes


def _half_sums(question: VectorSum, n: int) -> float:
    """Sums in a list when a good one is likely."""
    base = question.R + 1
    reach = question.d * (math.log(1.0 / question.eps) + 1.3) / math.log(base)
    return math.exp(min(n, reach) / 2 * math.log(base))


def _solver(question: VectorSum, n: int, jobs: int = 1) -> VectorCurve:
    from sims.solver.vector_sums import VectorCurve

    return VectorCurve(n, question.R, question.d, threads=jobs)


EXPERIMENT = VectorSumExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
