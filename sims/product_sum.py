"""How many products of two weights does a subset sum of products need?

``python -m sims.product_sum --eps 0.01`` simulates statement 4.7 for one weight: some of n neurons, each of them a
product of two weights, must add up to within eps of alpha. Beside it stand the proved bounds, a prediction, and the n
that 4.7 asks for.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from sims.band import clamped
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Pass, first_hits, half_sum_reach, sums_cost
from sims.draws import draws, windows
from sims.experiment import GridExperiment, necessary, seen_from
from sims.options import Row, check_grid
from sims.solver.arguments import Integers
from sims.solver.limits import GRID_BITS
from sims.tailed import Run, Stated, Tailed, at_sizes, from_success
from sims.threads import one_per_thread
from theory.product_sum import ProductSum

if TYPE_CHECKING:
    from sims.solver.curve import GridCurve

Flags = npt.NDArray[np.bool_]

SECOND = 2
"""Stream of the weights b; those of a are the values of ``sims.draws``."""

_PIECE_HALF_SUMS = 2**21
_PIECE_VALUES = 2**15
_MAX_VALUES = 2**22
_FIRST_HALF_SUMS = 2**20


@dataclass(frozen=True)
class Config(flags.Tailed, flags.Grid):
    """With n products of two uniform weights, R draws each, how likely do some of them add up to within eps of alpha?

    A neuron keeps its largest b and contributes a b, for one draw of a, if b >= 0. Prints for every n the simulated
    probability with its interval, a proved lower and a proved upper bound, a prediction (heuristic) and a verdict, and
    says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.product_sum --eps 0.01",
        "python -m sims.product_sum --R 1 2 5 --eps 0.05 --alpha uniform --plot products.png",
        "python -m sims.product_sum --tail --R 1 2 5 --eps 0.01",
    )


@dataclass(frozen=True)
class TailConfig(flags.Tail, Config):
    """With n products of two uniform weights, R draws each, how rare is it that none add up to within eps of alpha?

    A neuron keeps its largest b and contributes a b, for one draw of a, if b >= 0. Prints for every n an unbiased
    estimate of the failure with its interval, a proved upper bound, a prediction (heuristic) and a verdict on the
    bound, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.product_sum --tail --R 1 2 5 --eps 0.01",)


class ProductSumExperiment(Tailed[ProductSum], GridExperiment[ProductSum]):
    """Statement 4.7 for one weight and one sign."""

    name = "product_sum"
    question = ProductSum
    config = Config
    tail_config = TailConfig
    tail_n = 240

    def predicted_n(self, question: ProductSum, delta: float) -> int:
        check_grid(question.eps)  # first: the prediction of a tiny eps takes for ever
        return super().predicted_n(question, delta)

    def counter(self, question: ProductSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Values as `theory.product_sum.ProductSum` lays them out: a_ir is draw (seed, trial, i R + r) of the values,
        b_ir the same draw of stream `SECOND`; products are rounded to the grid of 2^-52.

        Each thread keeps its own solver. Raises ValueError if the search does not fit into memory.
        """
        R, eps, largest = question.R, question.eps, max(sizes)
        check_grid(eps)
        if largest * R > _MAX_VALUES:
            raise ValueError(f"n={largest} with R={R} takes {largest * R:.3g} draws, the limit is {_MAX_VALUES}")
        size = _search_size(largest, eps, R)
        own = one_per_thread(partial(_Search, size, R, jobs))
        half_sums = own().solver(size).half_sums(min(size, math.ceil(half_sum_reach(largest, eps, R + 1))))

        def needed(first: int, trials: int) -> Integers:
            centres, widths = windows(question.alpha, eps, seed, first, trials)
            return own().first_neuron(*contributions(seed, first, trials, largest, R), centres, widths)

        return first_hits(needed, sizes, min(_PIECE_HALF_SUMS // half_sums, _PIECE_VALUES // (largest * R), 2**13))

    def tail(self, question: ProductSum, sizes: Sequence[int], samples: int) -> Run:
        from sims.solver.tails.sums import ProductTail

        check_grid(question.eps)
        return at_sizes(ProductTail(max(sizes), question.R, question.eps, question.alpha, samples).run, sizes)

    def stated(self, question: ProductSum, n: int) -> Stated:
        known = from_success(question, n)
        return replace(known, least=known.least or 0.0)

    def bounds(self, question: ProductSum, n: int) -> tuple[tuple[float, float], Row]:
        # a product moves by at most 2^-53 on to the grid, a sum by at most n 2^-53; few shifts keep bounds cached
        shift = 2.0 ** (max(6, math.ceil(math.log2(n))) - GRID_BITS)
        low = replace(question, eps=question.eps - shift).success_lower(n)
        high = replace(question, eps=min(1.0, question.eps + shift)).success_upper(n)
        return (low, high), {
            "lower_bound": low,
            "upper_bound": high,
            **clamped(question.success_prediction(n), low, high),
        }

    def sentence(self, entry: Mapping[str, Any]) -> str:
        enough, first = entry["required_n"], entry["first_n"]
        loose = "" if first is None else f" Proved / first simulated: {enough} / {first} = {enough / first:.2g}."
        return (
            f"For success >= {1.0 - entry['delta']:g}: {necessary(entry)}, n = {enough} "
            f"suffices (proved, for every alpha); {seen_from(entry)}.{loose}"
        )

    def cost(self, work: Pass[ProductSum]) -> float:
        one, n = work.question, max(work.sizes)
        sums = 2.0 * float(one.R + 1) ** (half_sum_reach(n, one.eps, one.R + 1) / 2)
        return 3e-7 + sums_cost(4.0 * n * one.R, 2.0 * sums)

    def memory(self, work: Pass[ProductSum]) -> int:
        R, n = work.question.R, max(work.sizes)
        size = _search_size(n, work.question.eps, R)
        return 96 * max(_PIECE_VALUES, n * R) + _Search(size, R, 1).solver(size).nbytes


def contributions(seed: int, first: int, trials: int, n: int, R: int) -> tuple[Integers, Flags]:
    """What every neuron may contribute, (trials, n, R) on the grid of 2^-52, and which neurons are usable, (trials, n).

    Examples
    --------
    >>> products, usable = contributions(1, 0, 4, 5, 2)
    >>> more, _ = contributions(1, 1, 2, 7, 2)
    >>> products.shape, bool((more[:, :5] == products[1:3]).all())
    ((4, 5, 2), True)
    """
    from sims.solver.philox import grid_draws

    a = draws(seed, first, trials, n * R).reshape(trials, n, R)
    b = grid_draws(seed, first, trials, n * R, stream=SECOND).reshape(trials, n, R)
    kept = np.take_along_axis(b, np.abs(b).argmax(axis=2)[:, :, None], axis=2)
    return _rounded_product(a, np.abs(kept)), kept[:, :, 0] >= 0


def _rounded_product(a: Integers, b: Integers) -> Integers:
    """a b / 2^52 to the nearest integer (halves away from zero), exactly, for abs(a) and 0 <= b at most 2^52."""
    half = GRID_BITS // 2
    size = np.abs(a)
    high, low = size >> half, size & (2**half - 1)
    b_high, b_low = b >> half, b & (2**half - 1)
    middle = high * b_low + low * b_high
    rest = ((middle & (2**half - 1)) << half) + low * b_low
    found: Integers = high * b_high + (middle >> half) + ((rest + 2 ** (GRID_BITS - 1)) >> GRID_BITS)
    return np.where(a < 0, -found, found)


def _search_size(n: int, eps: float, R: int) -> int:
    """Usable neurons that most trials do not exceed before they hit; those that do are searched again with more."""
    reach = max(1, math.ceil(half_sum_reach(n, eps, R + 1)))
    affordable = [size for size in range(reach, reach + 9) if (R + 1.0) ** -(-size // 2) <= _FIRST_HALF_SUMS]
    return min(n, max(affordable, default=reach))


class _Search:
    """Finds the first neuron with which a trial hits, one thread's solvers kept; ``size`` usable neurons at first."""

    def __init__(self, size: int, R: int, jobs: int) -> None:
        self._size, self._R, self._jobs = size, R, jobs
        self._solvers: dict[int, GridCurve] = {}

    def solver(self, size: int) -> GridCurve:
        """The solver of that many usable neurons."""
        from sims.solver.curve import GridCurve

        if size not in self._solvers:
            self._solvers[size] = GridCurve(size, self._R, threads=self._jobs)
        return self._solvers[size]

    def first_neuron(self, products: Integers, usable: Flags, centres: Integers, widths: Integers) -> Integers:
        """How many neurons each trial takes until some choice of usable ones hits: 0, or n + 1 where nothing does."""
        trials, n, _ = products.shape
        order = np.argsort(~usable, axis=1, kind="stable")  # the usable neurons first, in their order
        packed = np.take_along_axis(np.where(usable[:, :, None], products, 0), order[:, :, None], axis=1)
        result = np.full(trials, n + 1, np.int64)
        left, size = np.arange(trials), self._size
        while len(left):
            values = np.ascontiguousarray(packed[left, :size].reshape(len(left), size * self._R))
            found = self.solver(size).first_n(values, centres[left], widths[left])
            hit = found <= size
            result[left[hit]] = np.where(found[hit] == 0, 0, order[left[hit], found[hit] - 1] + 1)
            left = left[~hit & (usable[left].sum(axis=1) > size)]
            size = min(n, size + (4 if self._R == 1 else 1))
        return result


EXPERIMENT = ProductSumExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
