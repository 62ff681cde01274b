"""How likely is it that some choice of n re-sampled uniform values sums to within eps of alpha?

``python -m sims.subset_sum --R 5 --eps 0.01`` simulates it exactly for every n, beside a proved lower bound, a proved
upper bound and a sharp prediction, and says how large n must be.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits, half_sum_reach, sums_cost
from sims.draws import draws, windows
from sims.experiment import GridExperiment, necessary, seen_from
from sims.options import Row, check_grid
from sims.solver.arguments import Floats, Integers
from sims.tailed import Run, Stated, Tailed, at_sizes, from_success
from sims.threads import one_per_thread
from theory.subset_sum import SubsetSum

if TYPE_CHECKING:
    from sims.solver.curve import GridCurve

_PIECE_HALF_SUMS = 2**23
_PIECE_VALUES = 2**15


@dataclass(frozen=True)
class Config(flags.Tailed, flags.Grid):
    """With n uniform variables on [-1, 1], R draws each, how likely is it that some choice sums to within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a sharp
    prediction (heuristic) and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.subset_sum --R 5 --eps 0.01",
        "python -m sims.subset_sum --R 1 2 5 --eps 1e-2 1e-3 --n 1:20 --plot success.png",
        "python -m sims.subset_sum --eps 1e-6 --trials 1e6 --seed 1 --json",
        "python -m sims.subset_sum --tail --R 5 --n 1:12",
    )

    model: Literal["choice", "vector"] = "choice"
    """choice: at most one of the R draws of each variable. vector: a subset of one of R independent vectors."""


@dataclass(frozen=True)
class TailConfig(flags.Tail, Config):
    """With n uniform variables on [-1, 1], R draws each, how rare is it that no choice sums to within eps of alpha?

    Prints for every n an unbiased estimate of the failure with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic) and a verdict on the upper bound, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.subset_sum --tail --R 5 --eps 0.01",
        "python -m sims.subset_sum --tail --R 1 2 5 --n 1:50 --plot failure.png",
    )


class SubsetSumExperiment(Tailed[SubsetSum], GridExperiment[SubsetSum]):
    """Statement 2: simulation against the bounds 2.1 (b) and 2.2 to 2.3 (c) and the prediction 2.4."""

    name = "subset_sum"
    question = SubsetSum
    config = Config
    kind = "model"
    tail_config = TailConfig

    def counter(self, question: SubsetSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Trial t uses the draws (seed, t, 0), (seed, t, 1), ...: value r of variable i is draw i R + r, whatever n is.

        Each thread keeps its own solver. Raises ValueError if the search does not fit into memory.
        """
        R, eps, largest = question.R, question.eps, max(sizes)
        check_grid(eps)
        half_sums = _solver(question, largest, jobs).half_sums(math.ceil(half_sum_reach(largest, eps, R + 1)))
        own = one_per_thread(partial(_solver, question, largest, jobs))

        def needed(first: int, trials: int) -> Integers:
            centres, widths = windows(question.alpha, eps, seed, first, trials)
            return own().first_n(draws(seed, first, trials, largest * R), centres, widths)

        return first_hits(needed, sizes, min(_PIECE_HALF_SUMS // half_sums, _PIECE_VALUES // (largest * R), 2**15))

    def tail(self, question: SubsetSum, sizes: Sequence[int], samples: int) -> Run:
        import numpy as np

        from sims.solver.tails.sums import SumTail

        check_grid(question.eps)
        if question.model == "choice":
            return at_sizes(SumTail(max(sizes), question.R, question.eps, question.alpha, samples).run, sizes)
        if question.alpha == "uniform":
            raise ValueError("model vector with a uniform alpha has no --tail: its R vectors share the target")
        one = SumTail(max(sizes), 1, question.eps, question.alpha, samples)

        def every_vector(seed: int, number: int) -> Floats:
            """All R vectors fail independently, so one estimate for each of them, multiplied, is unbiased."""
            product: Floats = np.prod([one.run(seed, number * question.R + r) for r in range(question.R)], axis=0)
            return product

        return at_sizes(every_vector, sizes)

    def stated(self, question: SubsetSum, n: int) -> Stated:
        from theory.subset_sum import failure_prediction

        known = from_success(question, n)
        predicted = failure_prediction(n, question.R, eps=question.eps, alpha=question.alpha, model=question.model)
        return replace(known, prediction=predicted)

    def needs(self, question: SubsetSum, delta: float) -> Row:
        from theory.subset_sum import required_n

        enough = required_n(question.eps, delta, R=question.R, alpha=question.alpha, model=question.model)
        return {
            "necessary_n": question.necessary_n(delta),
            "required_n": enough.n,
            "required_n_block": enough.m,
            "required_n_groups": enough.groups,
            "required_n_way": enough.way,
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        if entry["required_n"] == 0:
            return f"For success >= {1.0 - entry['delta']:g}: n = 0 suffices (proved: the empty sum does)."
        design = f"{entry['required_n_way']}, blocks of {entry['required_n_block']}"
        if entry["required_n_groups"] > 1:
            design += f", draws in {entry['required_n_groups']} groups"
        enough = f"n = {entry['required_n']} suffices (proved: {design})"
        return f"For success >= {1.0 - entry['delta']:g}: {necessary(entry)}, {enough}; {seen_from(entry)}."

    def cost(self, work: Pass[SubsetSum]) -> float:
        one, n = work.question, max(work.sizes)
        base, vectors = (one.R + 1, 1) if one.model == "choice" else (2, one.R)
        return sums_cost(n * one.R, 2.0 * float(base) ** (half_sum_reach(n, one.eps, base) / 2) * vectors)

    def memory(self, work: Pass[SubsetSum]) -> int:
        R, n = work.question.R, max(work.sizes)
        return 24 * max(2**15, n * R) + _solver(work.question, n).nbytes + 24 * n * R


def _solver(question: SubsetSum, n: int, jobs: int = 1) -> GridCurve:
    from sims.solver.curve import GridCurve

    return GridCurve(n, question.R, model=question.model, threads=jobs)


EXPERIMENT = SubsetSumExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
