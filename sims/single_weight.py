"""How likely is it that one of n R uniform draws falls within eps of alpha?

``python -m sims.single_weight --R 5 --eps 0.1`` simulates it for every n beside the exact formula and the bound of the
re-sampling lemma. This is picking a single draw; ``sims.subset_sum`` is about sums of several.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sims.commands.table import Bounds, Cell, Experiment, Flags, check_grid, run_table, windows
from sims.solver.philox import GRID_BITS, TARGETS, first_within, uniforms
from sims.statistics.result import Result
from sims.statistics.trials import Count, Counts

_PIECE_DRAWS = 2**24
_MAX_DRAWS = 2**33
_NEAREST = 2
"""Stream of the nearest-draw sampler."""


@dataclass(frozen=True)
class SingleWeight(Flags):
    """How likely is it that one of n R uniform draws on [-1, 1] falls within eps of alpha?

    Prints for every n the simulated probability with its interval, the exact formula, the lower bound of the
    re-sampling lemma, an upper bound and a verdict, and says how large n must be.
    """

    sampler: Literal["draws", "nearest"] = "draws"
    """draws: all n R draws are made. nearest: one random number for the nearest of R draws, exact in law, any R."""


class SingleWeightExperiment(Experiment):
    """Statements 1.1 (exact), 1.2 (bound) and, with ``--sampler nearest``, 1.3."""

    command: ClassVar[str] = "sims.single_weight"
    kind_name: ClassVar[str] = "sampler"

    def predicted_n(self, cell: Cell, delta: float) -> int:
        from theory.single_weight import required_n_exact

        return required_n_exact(cell.eps, delta, R=cell.R, alpha=cell.alpha)

    def counter(self, cell: Cell, sizes: Sequence[int], seed: int, jobs: int) -> tuple[Count, int]:
        n = max(sizes)
        if cell.kind == "nearest":
            return nearest_counter(sizes, cell, seed)
        check_grid(cell.eps)
        if n * cell.R > _MAX_DRAWS:
            raise ValueError(
                f"n={n} with R={cell.R} takes {n * cell.R:.3g} draws a trial, the limit is {_MAX_DRAWS:.3g}; "
                "use --sampler nearest"
            )
        return draws_counter(sizes, cell, seed)

    def bounds(self, cell: Cell, n: int) -> Bounds:
        from theory.single_weight import log_miss_prob_bound, log_miss_prob_exact

        exact = -math.expm1(log_miss_prob_exact(n, cell.R, eps=cell.eps, alpha=cell.alpha))
        bound = math.nextafter(-math.expm1(log_miss_prob_bound(n, cell.R, eps=cell.eps)), 0.0)
        # a draw stands on a grid of 2^-52, so each hits its window with a probability off by at most 2^-52
        grid = n * cell.R * 2.0**-GRID_BITS if cell.kind == "draws" else 0.0
        columns = {
            "exact": exact,
            "bound": bound,
            "lower_bound": bound,
            "upper_bound": -math.expm1(n * cell.R * math.log1p(-cell.eps)) if cell.eps < 1.0 else 1.0,
            "prediction": exact,
        }
        return Bounds(max(0.0, exact - grid - 1e-12 * exact), min(1.0, exact + grid + 1e-12 * exact), columns)

    def summary(self, cell: Cell, delta: float) -> dict[str, Any]:
        from theory.single_weight import required_n, required_n_exact

        return {
            "necessary_n": required_n_exact(cell.eps, delta, R=cell.R, alpha=cell.alpha),
            "required_n": required_n(cell.eps, delta, R=cell.R),
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        first = entry["first_n"]
        seen = "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"
        return (
            f"For success >= {1.0 - entry['delta']:g}: n = {entry['necessary_n']} is exactly what it takes (proved), "
            f"the lemma asks for n = {entry['required_n']} (proved); {seen}."
        )

    def draw(self, result: Result, path: str) -> None:
        from figures.single_weight import save

        save(result, path)


def draws_counter(sizes: Sequence[int], cell: Cell, seed: int) -> tuple[Count, int]:
    """Honest sampling: a trial makes its draws until one hits; n variables own the first n R of them."""
    limit = max(sizes) * cell.R

    def count(first: int, trials: int) -> Counts:
        centres, widths = windows(cell.alpha, cell.eps, seed, first, trials)
        hit = first_within(seed, first, (centres - widths) // 2, (centres + widths) // 2, limit)
        return np.array([(hit < n * cell.R).sum() for n in sizes], np.int64)

    return count, max(1, min(_PIECE_DRAWS // min(limit, math.ceil(2.0 / cell.eps)), 2**16))


def nearest_counter(sizes: Sequence[int], cell: Cell, seed: int) -> tuple[Count, int]:
    """One uniform number per variable decides how near the nearest of its R draws comes (statement 1.3)."""
    from theory.single_weight import nearest_distance_ppf

    largest = max(sizes)

    def count(first: int, trials: int) -> Counts:
        u = 0.5 * (1.0 + uniforms(seed, first, trials, largest, stream=_NEAREST)) + 2.0 ** -(GRID_BITS + 2)
        if cell.alpha == "uniform":
            alphas = uniforms(seed, first, trials, 1, stream=TARGETS)[:, 0]
            rows = [nearest_distance_ppf(u[t], cell.R, alpha=float(alphas[t])) for t in range(trials)]
            distances = np.stack(rows)
        else:
            distances = nearest_distance_ppf(u, cell.R, alpha=float(cell.alpha))
        within = distances <= cell.eps
        return np.array([within[:, :n].any(axis=1).sum() for n in sizes], np.int64)

    return count, max(1, min(2**18 // largest, 2**14))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags = cli.parse(SingleWeight, args, prog="python -m sims.single_weight")
        return run_table(SingleWeightExperiment(), flags, flags.sampler)

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
