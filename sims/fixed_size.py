"""How likely is it that exactly k of n re-sampled uniform values sum to within eps of alpha?

``python -m sims.fixed_size --size 5 --eps 0.01`` simulates it exactly for every n, beside proved bounds from both
sides and a prediction, and says how large n must be.
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
from sims.counting import Counter, Pass, first_hits, sums_cost
from sims.draws import draws, windows
from sims.experiment import GridExperiment
from sims.options import check_grid
from sims.solver.arguments import Integers
from sims.threads import one_per_thread
from theory.fixed_size import FixedSize

if TYPE_CHECKING:
    from sims.solver.sized import SizedCurve

_PIECE_SUMS = 2**23
_PIECE_VALUES = 2**15
_MAX_VALUES = 2**22


@dataclass(frozen=True)
class Config(flags.Grid):
    """With n uniform variables on [-1, 1], R draws each, how likely do exactly k of them sum to within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic) and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.fixed_size --size 5",
        "python -m sims.fixed_size --size 2 4 8 --eps 1e-3 --n 8:32:2 --plot sizes.png",
    )

    size: flags.Integers = (5,)
    """How many values are kept; several make a grid."""


class FixedSizeExperiment(GridExperiment[FixedSize]):
    """Statement 2.6: sums of exactly ``size`` values against their bounds and the prediction."""

    name = "fixed_size"
    question = FixedSize
    config = Config
    group = ("R", "eps", "alpha", "size")

    def counter(self, question: FixedSize, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Values are those of ``sims.subset_sum``: value r of variable i is draw i R + r, whatever n is."""
        R, largest = question.R, max(sizes)
        check_grid(question.eps)
        if largest * R > _MAX_VALUES:
            raise ValueError(f"n={largest} with R={R} takes {largest * R:.3g} draws, the limit is {_MAX_VALUES}")
        first = _solver(question, largest, jobs)
        own = one_per_thread(partial(_solver, question, largest, jobs))
        wanted = np.arange(first.top + 1) == question.size  # all False where n < size: nothing hits

        def needed(first: int, trials: int) -> Integers:
            centres, widths = windows(question.alpha, question.eps, seed, first, trials)
            each = np.repeat(centres[:, None], len(wanted), axis=1)
            return own().first_n(draws(seed, first, trials, largest * R), each, np.where(wanted, widths[0], -1))

        return first_hits(needed, sizes, min(_PIECE_SUMS // first.sums, _PIECE_VALUES // (largest * R), 2**13))

    def published(self, question: FixedSize, first: int | None) -> tuple[Published, ...]:
        from theory.fixed_size import entropy_shape

        form, values = "n H2(k/n) / log2(k/eps) >= c, k = size, suffices", {}
        if first is not None and first >= question.size:
            left = entropy_shape(first, eps=question.eps, size=question.size)
            values = {f"the left side at n = {first}": left}
        return (Published("natale2024", "read", form, constant="constant c unknown", values=values),)

    def cost(self, work: Pass[FixedSize]) -> float:
        one, n = work.question, max(work.sizes)
        return sums_cost(n * one.R, 3.0 * one.size * _solver(one, min(n, 200)).sums)

    def memory(self, work: Pass[FixedSize]) -> int:
        R, n = work.question.R, max(work.sizes)
        return 48 * max(_PIECE_VALUES, n * R) + _solver(work.question, n).nbytes


def _solver(question: FixedSize, n: int, jobs: int = 1) -> SizedCurve:
    from sims.solver.sized import SizedCurve

    return SizedCurve(n, question.R, question.size, threads=jobs)


EXPERIMENT = FixedSizeExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
