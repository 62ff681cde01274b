"""How likely is it that one of n R uniform draws falls within eps of alpha?

``python -m sims.single_weight --R 5 --eps 0.1`` simulates it for every n beside the exact formula and the bound of the
re-sampling lemma, and says how large n must be.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits
from sims.draws import windows
from sims.experiment import GridExperiment, seen_from
from sims.options import Row, check_grid
from sims.solver.arguments import Integers
from sims.solver.limits import GRID_BITS, TARGETS
from sims.tailed import Run, Stated, Tailed
from theory.single_weight import SingleWeight, miss_prob_exact, nearest_distance_ppf

_PIECE_DRAWS = 2**24
_MAX_DRAWS = 2**33
_NEAREST = 2
"""Stream of the nearest-draw sampler."""


@dataclass(frozen=True)
class Config(flags.Tailed, flags.Grid):
    """How likely is it that one of n R uniform draws on [-1, 1] falls within eps of alpha?

    Prints for every n the simulated probability with its interval, the exact formula, the lower bound of the
    re-sampling lemma, an upper bound and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.single_weight --R 5 --eps 0.1",
        "python -m sims.single_weight --R 1e6 --eps 1e-5 --sampler nearest --check",
        "python -m sims.single_weight --tail --alpha uniform",
    )

    sampler: Literal["draws", "nearest"] = "draws"
    """draws: all n R draws are made. nearest: one random number for the nearest of R draws, exact in law, any R."""


@dataclass(frozen=True)
class TailConfig(flags.Tail, Config):
    """How rare is it that none of n R uniform draws on [-1, 1] falls within eps of alpha?

    Given alpha the failure is known exactly, so only a uniform alpha leaves something to estimate. Prints for every n
    the estimate with its interval beside the exact formula, and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.single_weight --tail --alpha uniform --R 5 --eps 0.1",)


class SingleWeightExperiment(Tailed[SingleWeight], GridExperiment[SingleWeight]):
    """Statements 1.1 (exact), 1.2 (bound) and, with ``--sampler nearest``, 1.3."""

    name = "single_weight"
    question = SingleWeight
    config = Config
    kind = "sampler"
    tail_config = TailConfig
    tail_n = 10**6

    def counter(self, question: SingleWeight, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """What counts a question; raises ValueError if its trials would take too many draws."""
        n = max(sizes)
        if question.sampler == "nearest":
            return nearest_counter(question, sizes, seed)
        check_grid(question.eps)
        if n * question.R > _MAX_DRAWS:
            raise ValueError(
                f"n={n} with R={question.R} takes {n * question.R:.3g} draws a trial, the limit is {_MAX_DRAWS:.3g}; "
                "use --sampler nearest"
            )
        return draws_counter(question, sizes, seed)

    def tail(self, question: SingleWeight, sizes: Sequence[int], samples: int) -> Run:
        from sims.solver.tails.single import SingleTail

        return SingleTail(sizes, question.R, question.eps, question.alpha, samples).run

    def stated(self, question: SingleWeight, n: int) -> Stated:
        exact = miss_prob_exact(n, question.R, eps=question.eps, alpha=question.alpha)
        return Stated(exact, exact * (1.0 + 1e-12), exact)

    def bounds(self, question: SingleWeight, n: int) -> tuple[tuple[float, float], Row]:
        exact, bound = question.success_exact(n), question.success_lower(n)
        # a draw stands on a grid of 2^-52, so each hits its window with a probability off by at most 2^-52
        grid = n * question.R * 2.0**-GRID_BITS if question.sampler == "draws" else 0.0
        columns = {
            "exact": exact,
            "bound": bound,
            "lower_bound": bound,
            "upper_bound": question.success_upper(n),
            "prediction": exact,
        }
        return (max(0.0, exact - grid - 1e-12 * exact), min(1.0, exact + grid + 1e-12 * exact)), columns

    def sentence(self, entry: Mapping[str, Any]) -> str:
        return (
            f"For success >= {1.0 - entry['delta']:g}: n = {entry['necessary_n']} is exactly what it takes (proved), "
            f"the lemma asks for n = {entry['required_n']} (proved); {seen_from(entry)}."
        )

    def cost(self, work: Pass[SingleWeight]) -> float:
        n, one = max(work.sizes), work.question
        return 4e-8 * n if one.sampler == "nearest" else 3e-8 + 6e-9 * min(n * one.R, 1.0 / one.eps)

    def memory(self, work: Pass[SingleWeight]) -> int:
        return 48 * max(2**18, max(work.sizes))  # draws are looked at one by one


def draws_counter(question: SingleWeight, sizes: Sequence[int], seed: int) -> Counter:
    """Honest sampling: a trial makes its draws until one hits; n variables own the first n R of them."""
    from sims.solver.philox import first_within

    limit = max(sizes) * question.R

    def needed(first: int, trials: int) -> Integers:
        centres, widths = windows(question.alpha, question.eps, seed, first, trials)
        return first_within(seed, first, (centres - widths) // 2, (centres + widths) // 2, limit) // question.R + 1

    return first_hits(needed, sizes, min(_PIECE_DRAWS // min(limit, math.ceil(2.0 / question.eps)), 2**16))


def nearest_counter(question: SingleWeight, sizes: Sequence[int], seed: int) -> Counter:
    """One uniform number per variable decides how near the nearest of its R draws comes (statement 1.3)."""
    from sims.solver.philox import uniforms

    largest = max(sizes)

    def needed(first: int, trials: int) -> Integers:
        u = 0.5 * (1.0 + uniforms(seed, first, trials, largest, stream=_NEAREST)) + 2.0 ** -(GRID_BITS + 2)
        if question.alpha == "uniform":
            alphas = uniforms(seed, first, trials, 1, stream=TARGETS)[:, 0]
            rows = [nearest_distance_ppf(u[t], question.R, alpha=float(alphas[t])) for t in range(trials)]
            distances = np.stack(rows)
        else:
            distances = nearest_distance_ppf(u, question.R, alpha=float(question.alpha))
        within = distances <= question.eps
        return np.where(within.any(axis=1), within.argmax(axis=1) + 1, largest + 1)

    return first_hits(needed, sizes, min(2**18 // largest, 2**14))


EXPERIMENT = SingleWeightExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
