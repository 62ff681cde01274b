"""How likely is it that some mask of n random binary weights sums to within eps of alpha?

``python -m sims.binary_weights --eps 0.05`` simulates it for every n beside the exact law, with the prediction for
continuous values: the error of weights +-gain falls like 1/n, that of continuous ones exponentially.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from sims.commands.table import Bounds, Cell, Experiment, Flags, check_grid, run_table
from sims.solver.binary_sums import first_hit, good_multiples, sign_options
from sims.solver.philox import TARGETS, grid_draws
from sims.statistics.result import Result
from sims.statistics.trials import Count, Counts

MAX_PATHS = 4096
_MAX_DRAWS = 2**22
_PIECE_DRAWS = 2**20


@dataclass(frozen=True)
class BinaryWeights(Flags):
    """With n random weights +-gain, how likely is it that some mask of them sums to within eps of alpha?

    Prints for every n the simulated probability with its interval, the exact law (proved), the prediction for
    continuous weights (heuristic) and a verdict, and says how large n must be.
    """

    kind: Literal["subset", "product", "two-stage"] = "subset"
    """subset: n signs. product: n products of two signs. two-stage: n outer signs, each times a masked sum of the same
    inner signs."""
    gain: Annotated[str, cli.values("best|FLOAT")] = "best"
    """Size of every weight (of a product of weights for the other kinds). best: 2 eps."""
    inner: Annotated[str, cli.values("INT")] = "4"
    """Inner signs of two stages."""


class BinaryWeightsExperiment(Experiment):
    """Statements 7.1 (exact law), 7.2 (best gain) and 7.5 (products and two stages)."""

    command: ClassVar[str] = "sims.binary_weights"
    kind_name: ClassVar[str] = "kind"

    def __init__(self, gain: float | Literal["best"] = "best", inner: int = 1) -> None:
        self.gain = gain
        self.inner = inner

    def _step(self, cell: Cell) -> float:
        return 2.0 * cell.eps if self.gain == "best" else self.gain

    def _subset(self, cell: Cell, n: int) -> tuple[int, int]:
        from theory.binary_weights import equivalent_subset

        return equivalent_subset(n, cell.R, kind=cell.kind, inner=self.inner)

    def _required(self, cell: Cell, delta: float, gain: float | Literal["best"]) -> int:
        from theory.binary_weights import required_n

        per_unit, R = self._subset(cell, 1)
        return -(-required_n(cell.eps, delta, R=R, alpha=cell.alpha, gain=gain) // per_unit)

    def predicted_n(self, cell: Cell, delta: float) -> int:
        try:
            return self._required(cell, delta, self.gain)
        except ValueError:  # a gain that steps over the target: as far as the best gain would take
            return self._required(cell, delta, "best")

    def counter(self, cell: Cell, sizes: Sequence[int], seed: int, jobs: int) -> tuple[Count, int]:
        check_grid(cell.eps)
        return binary_counter(sizes, cell, seed, gain=self._step(cell), inner=self.inner)

    def bounds(self, cell: Cell, n: int) -> Bounds:
        from theory.binary_weights import success_prob_exact
        from theory.subset_sum import success_prediction

        values, R = self._subset(cell, n)
        exact = success_prob_exact(values, R, eps=cell.eps, alpha=cell.alpha, gain=self.gain)
        columns = {
            "gain": self._step(cell),
            "exact": exact,
            "continuous": success_prediction(values, cell.R, eps=cell.eps, alpha=cell.alpha),
        }
        # a uniform target stands on a grid of 2^-52: each of the 2 values + 1 windows is off by at most 2^-52
        grid = (2 * values + 1) * 2.0**-52 if cell.alpha == "uniform" else 0.0
        slack = grid + 1e-12 * exact
        return Bounds(max(0.0, exact - slack), min(1.0, exact + slack), columns)

    def summary(self, cell: Cell, delta: float) -> dict[str, Any]:
        from theory.subset_sum import predicted_n

        try:
            needed: int | None = self._required(cell, delta, self.gain)
        except ValueError:
            needed = None
        return {
            "gain": self._step(cell),
            "inner": self.inner if cell.kind == "two-stage" else None,
            "required_n": needed,
            "continuous_n": predicted_n(cell.eps, delta, R=cell.R, alpha=cell.alpha),
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        first = entry["first_n"]
        seen = "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"
        signs = "" if entry["inner"] is None else f", {entry['inner']} inner signs each,"
        what = f"n = {entry['required_n']}{signs} is exactly what it takes (proved)"
        if entry["required_n"] is None:
            what = f"with gain {entry['gain']:g} no n reaches it (proved)"
        return (
            f"For success >= {1.0 - entry['delta']:g}: {what}; {seen}. "
            f"Of continuous values about {entry['continuous_n']} do (heuristic)."
        )

    def draw(self, result: Result, path: str) -> None:
        from figures.binary_weights import save

        save(result, path)


def binary_counter(sizes: Sequence[int], cell: Cell, seed: int, *, gain: float, inner: int = 1) -> tuple[Count, int]:
    """The counting function of one cell and the number of trials per call.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units n.
    cell : Cell
        R, eps, alpha and the kind.
    seed : int
        Of ``sims.solver.binary_sums.sign_options``; a uniform target is draw 0 of stream ``TARGETS``.
    gain : float
        Positive, taken as the rational that it is.
    inner : int
        Inner signs of two stages.

    Raises
    ------
    ValueError
        More paths or draws than the search takes.
    """
    largest, per_unit = max(sizes), inner if cell.kind == "two-stage" else 1
    paths = largest * per_unit
    draws = paths * cell.R
    if paths > MAX_PATHS or draws > _MAX_DRAWS:
        raise ValueError(
            f"n={largest} with R={cell.R} takes {paths} signs of {cell.R:.3g} draws; "
            f"the limits are {MAX_PATHS} signs and {_MAX_DRAWS} draws"
        )
    fixed = None if cell.alpha == "uniform" else float(cell.alpha)
    lows, highs = good_multiples(paths, Fraction(gain), cell.eps, fixed)

    def count(first: int, trials: int) -> Counts:
        options = sign_options(seed, first, trials, largest, cell.R, kind=cell.kind, inner=inner)
        targets = np.zeros(trials, np.int64)
        if fixed is None:
            targets = np.ascontiguousarray(grid_draws(seed, first, trials, 1, stream=TARGETS)[:, 0])
        hit = first_hit(options, lows, highs, targets)
        return np.array([(hit <= n * per_unit).sum() for n in sizes], np.int64)

    return count, max(1, min(_PIECE_DRAWS // draws, 2**14))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags = cli.parse(BinaryWeights, args, prog="python -m sims.binary_weights")
        gain: float | Literal["best"] = "best"
        if flags.gain != "best":
            gain = cli.real("--gain", flags.gain)
            if not 0.0 < gain <= 1e6:
                raise cli.UsageError(f"--gain must be best or in (0, 1e6], got {flags.gain}")
        inner = cli.between("--inner", cli.integer("--inner", flags.inner), 1, MAX_PATHS)
        return run_table(BinaryWeightsExperiment(gain, inner), flags, flags.kind)

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
