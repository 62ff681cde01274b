"""How near does a mask of n binary weights come to a target?

``python -m sims.binary_weights --eps 0.05`` simulates, for every n, whether some subset of n weights +-gain sums to
within eps of alpha, beside the exact law of section 7 and the prediction for continuous weights.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from sims.band import clamped
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits
from sims.experiment import GridExperiment, seen_from
from sims.options import Request, Row, check_grid
from sims.solver.arguments import Integers
from sims.solver.limits import TARGETS
from theory.binary_weights import BinaryWeights

MAX_PATHS = 4096
_MAX_DRAWS = 2**22
_PIECE_DRAWS = 2**20


@dataclass(frozen=True)
class Config(flags.Grid):
    """With n random weights +-gain, how likely is it that some mask of them sums to within eps of alpha?

    Prints for every n the simulated probability with its interval, the exact law (proved), the prediction for
    continuous weights (heuristic) and a verdict, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.binary_weights --eps 0.05 --R 1 2",
        "python -m sims.binary_weights --kind two-stage --inner 3 --eps 0.1 --check",
    )

    kind: Literal["subset", "product", "two-stage"] = "subset"
    """subset: n signs. product: n products of two signs. two-stage: n outer signs, each times a masked sum of the same
    inner signs."""
    gain: flags.Gain = "best"
    """Size of every weight (of a product of weights for the other kinds). best: 2 eps."""
    inner: flags.Integer = 4
    """Inner signs of two stages."""


class BinaryWeightsExperiment(GridExperiment[BinaryWeights]):
    """Statements 7.1 (exact law), 7.2 (best gain) and 7.5 (products and two stages)."""

    name = "binary_weights"
    question = BinaryWeights
    config = Config
    kind = "kind"
    further = ("gain", "inner")

    def predicted_n(self, question: BinaryWeights, delta: float) -> int:
        try:
            return question.required_n(delta)
        except ValueError:  # a gain that steps over the target: as far as the best gain would take
            return replace(question, gain="best").required_n(delta)

    def counter(self, question: BinaryWeights, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Signs of ``sims.solver.binary_sums.sign_options``; a uniform target is draw 0 of stream ``TARGETS``.

        Raises ValueError for more paths or draws than the search takes.
        """
        from sims.solver.binary_sums import first_hit, good_multiples, sign_options
        from sims.solver.philox import grid_draws

        check_grid(question.eps)
        R, kind, inner = question.R, question.kind, question.inner
        largest, per_unit = max(sizes), inner if kind == "two-stage" else 1
        paths = largest * per_unit
        draws = paths * R
        if paths > MAX_PATHS or draws > _MAX_DRAWS:
            raise ValueError(
                f"n={largest} with R={R} takes {paths} signs of {R:.3g} draws; "
                f"the limits are {MAX_PATHS} signs and {_MAX_DRAWS} draws"
            )
        fixed = None if question.alpha == "uniform" else float(question.alpha)
        lows, highs = good_multiples(paths, Fraction(question.step), question.eps, fixed)

        def needed(first: int, trials: int) -> Integers:
            options = sign_options(seed, first, trials, largest, R, kind=kind, inner=inner)
            targets = np.zeros(trials, np.int64)
            if fixed is None:
                targets = np.ascontiguousarray(grid_draws(seed, first, trials, 1, stream=TARGETS)[:, 0])
            return first_hit(options, lows, highs, targets)

        return first_hits(needed, [n * per_unit for n in sizes], min(_PIECE_DRAWS // draws, 2**14))

    def bounds(self, question: BinaryWeights, n: int) -> tuple[tuple[float, float], Row]:
        from theory.subset_sum import SubsetSum

        exact = question.success_exact(n)
        values, _ = question.equivalent_subset(n)
        continuous = SubsetSum(R=question.R, eps=question.eps, alpha=question.alpha)
        predicted, most = continuous.success_prediction(values), continuous.success_upper(values)
        columns = {"gain": question.step, "exact": exact, **clamped(predicted, 0.0, most, name="continuous")}
        # a uniform target stands on a grid of 2^-52: each of the 2 values + 1 windows is off by at most 2^-52
        grid = (2 * values + 1) * 2.0**-52 if question.alpha == "uniform" else 0.0
        slack = grid + 1e-12 * exact
        return (max(0.0, exact - slack), min(1.0, exact + slack)), columns

    def needs(self, question: BinaryWeights, delta: float) -> Row:
        from theory.subset_sum import SubsetSum

        continuous = SubsetSum(R=question.R, eps=question.eps, alpha=question.alpha)
        try:
            needed: int | None = question.required_n(delta)
        except ValueError:
            needed = None
        return {
            "gain": question.step,
            "inner": question.inner if question.kind == "two-stage" else None,
            "required_n": needed,
            "continuous_n": max(continuous.predicted_n(delta), continuous.necessary_n(delta)),
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        signs = "" if entry["inner"] is None else f", {entry['inner']} inner signs each,"
        what = f"n = {entry['required_n']}{signs} is exactly what it takes (proved)"
        if entry["required_n"] is None:
            what = f"with gain {entry['gain']:g} no n reaches it (proved)"
        return (
            f"For success >= {1.0 - entry['delta']:g}: {what}; {seen_from(entry)}. "
            f"Of continuous values about {entry['continuous_n']} do (heuristic)."
        )

    def cost(self, work: Pass[BinaryWeights]) -> float:
        paths = self._paths(work)
        return 1e-7 + 3e-9 * paths * work.question.R + 5e-10 * paths * paths

    def memory(self, work: Pass[BinaryWeights]) -> int:
        return 32 * max(_PIECE_DRAWS, self._paths(work) * work.question.R)

    @staticmethod
    def _paths(work: Pass[BinaryWeights]) -> int:
        return max(work.sizes) * (work.question.inner if work.question.kind == "two-stage" else 1)

    def request(self, given: Config) -> Request[BinaryWeights]:
        if not 1 <= given.inner <= MAX_PATHS:
            raise flags.UsageError(f"--inner must be an integer in [1, {MAX_PATHS}], got {given.inner}")
        return super().request(given)


EXPERIMENT = BinaryWeightsExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
