"""Where does a success probability pass a level? A bracket of n from counts at neighbouring n, and products of draws.

The counts must be nested: what trial t reaches with n variables it reaches with n + 1 too. Then a false confirmation at
any n below the true one is also one at the last such n, and a false refutation at any n beyond it is also one at the
true n itself: the bracket errs with probability at most 5 %, however many n were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sims.draws import windows
from sims.experiment import Counter, check_grid
from sims.solver.arguments import Integers
from sims.solver.curve import GridCurve
from sims.solver.gap import GapSolver
from sims.solver.philox import GRID_BITS, uniforms
from sims.statistics.intervals import clopper_pearson
from sims.statistics.trials import Counts
from sims.threads import one_per_thread
from theory.coverage import Coverage
from theory.subset_sum import SubsetSum

_PIECE_HALF_SUMS = 2**22
_PIECE_VALUES = 2**14


@dataclass(frozen=True)
class Bracket:
    """The n at which success reaches 1 - delta.

    ``n``: smallest n whose observed share of successes is at least 1 - delta. ``refuted``: largest n at which success
    >= 1 - delta is refuted at 95 %, 0 if none was looked at. ``confirmed``: smallest n at which it is confirmed at 95
    %.
    """

    n: int
    refuted: int
    confirmed: int


def product_draws(seed: int, first: int, trials: int, count: int) -> Integers:
    """Products of two uniform draws, (trials, count), rounded to the grid of ``sims.solver.philox`` (off by at most
    2^-52).

    Value i of trial t is made of the draws (seed, t, 2i) and (seed, t, 2i+1), whatever ``count`` is.

    Examples
    --------
    >>> values = product_draws(1, 0, 2, 3)
    >>> values.shape, bool((abs(values) <= 2**52).all())
    ((2, 3), True)
    """
    pairs = uniforms(seed, first, trials, 2 * count).reshape(trials, count, 2)
    values: Integers = np.rint(np.ldexp(pairs[:, :, 0] * pairs[:, :, 1], GRID_BITS)).astype(np.int64)
    return values


def product_counter(question: SubsetSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
    """What counts a question whose values are products of two uniform draws."""
    check_grid(question.eps)
    largest = max(sizes)
    curve = one_per_thread(lambda: GridCurve(largest, question.R, model=question.model, threads=jobs))
    half_sums = curve().half_sums(min(largest, 24))
    piece = min(_PIECE_HALF_SUMS // half_sums, _PIECE_VALUES // (largest * question.R), 2**14)

    def count(first: int, trials: int) -> Counts:
        centres, widths = windows(question.alpha, question.eps, seed, first, trials)
        hit = curve().first_n(product_draws(seed, first, trials, largest * question.R), centres, widths)
        return np.array([(hit <= n).sum() for n in sizes], np.int64)

    return Counter(count, piece)


def product_coverage_counter(question: Coverage, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
    """What counts a question of coverage at one size, R = 1, whose values are products of two uniform draws."""
    (n,) = sizes
    solver = one_per_thread(lambda: GapSolver(n, 1, question.low, question.high, bits=GRID_BITS, threads=jobs))
    solver()  # refuses here what would not fit

    def count(first: int, trials: int) -> Counts:
        return np.array([solver().solve(product_draws(seed, first, trials, n)).covered(question.eps).sum()], np.int64)

    return Counter(count, min(_PIECE_HALF_SUMS // 2**n, _PIECE_VALUES // n, 2**13))


def verdict(successes: int, trials: int, delta: float) -> int:
    """1: success >= 1 - delta is confirmed, -1: refuted, 0: open; each side at 97.5 %.

    Examples
    --------
    >>> verdict(1000, 1000, 0.1), verdict(900, 1000, 0.1), verdict(700, 1000, 0.1)
    (1, 0, -1)
    """
    low, high = clopper_pearson(successes, trials)
    return 1 if low >= 1.0 - delta else -1 if high < 1.0 - delta else 0


def from_counts(sizes: Sequence[int], successes: Sequence[int], trials: int, delta: float) -> Bracket | None:
    """The bracket from counts at all of ``sizes`` (increasing); None if none of them is confirmed.

    Examples
    --------
    >>> from_counts([3, 4, 5], [50, 90, 100], 100, 0.1)
    Bracket(n=4, refuted=3, confirmed=5)
    """
    judged = [verdict(count, trials, delta) for count in successes]
    if 1 not in judged:
        return None
    reached = [n for n, count in zip(sizes, successes, strict=True) if count >= (1.0 - delta) * trials]
    refuted = [n for n, found in zip(sizes, judged, strict=True) if found < 0]
    return Bracket(min(reached), max(refuted, default=sizes[0] - 1), sizes[judged.index(1)])


def walk(successes_at: Callable[[int], int], start: int, trials: int, delta: float, *, last: int) -> Bracket:
    """The bracket by walking from ``start``: up to the first confirmed n, down to the first refuted one.

    ``successes_at``: successes among the same ``trials`` trials with n variables, n >= 1. ``start``: where to begin.
    ``last``: largest n that is tried. Raises ValueError: no n up to ``last`` is confirmed.

    Examples
    --------
    >>> walk(lambda n: min(100, 30 * n), 6, 100, 0.1, last=20)
    Bracket(n=3, refuted=2, confirmed=4)
    """
    found: dict[int, int] = {}

    def judge(n: int) -> int:
        if n not in found:
            found[n] = successes_at(n)
        return verdict(found[n], trials, delta)

    top = max(1, min(start, last))
    while judge(top) < 1:
        top += 1
        if top > last:
            raise ValueError(f"no n up to {last} is confirmed with {trials} trials; raise --trials or --delta")
    low = top - 1
    while low >= 1 and judge(low) > -1:
        low -= 1
    sizes = sorted(found)
    bracket = from_counts(sizes, [found[n] for n in sizes], trials, delta)
    assert bracket is not None
    return bracket if low >= 1 else Bracket(bracket.n, 0, bracket.confirmed)
