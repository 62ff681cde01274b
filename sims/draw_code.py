"""How many draws until one is within eps of a block of weights, and how many bits does its index take?

``python -m sims.draw_code --eps 0.01 --d 1 --alpha uniform`` makes the draws of every trial until one hits, prints how
often an index of n bits does, beside the exact law, and the bits of the index beside what is necessary and proved.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Found, Pass
from sims.draws import boxes
from sims.experiment import GridExperiment, Layout, Table, describe, seen_from
from sims.options import Options, Row, check_grid
from sims.solver.limits import GRID_BITS
from sims.statistics.result import Result
from sims.statistics.trials import Counts
from theory.bits import (
    DrawCode,
    capped_bits_bound,
    hit_share,
    index_bits_lower,
    mean_log2_index_capped,
    necessary_bits,
)

EXCEPTION_BITS = 32.0
"""Bits a weight that an exception is stored with, in what the summary says."""

_MAX_INDEX = 2**33
"""Draws of one trial: the generator's limit."""

_PIECE_DRAWS = 2**22
_FIXED = 2.0**32
"""Logarithms are added up as multiples of 2^-32, so that no order of the trials shows."""


@dataclass(frozen=True)
class Config(flags.Run):
    """How many draws of a block of d weights, uniform on [-1, 1]^d, until one is within eps in every coordinate?

    Prints for every n the simulated probability that one of 2^n draws hits, with its interval, the exact law and a
    verdict; and how many bits the index of the first hit takes, measured and proved, beside what every code needs.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.draw_code --eps 0.01 --d 1 --alpha uniform",
        "python -m sims.draw_code --eps 0.1 --d 1 2 4 --trials 1e4 --plot bits.png",
    )

    n: flags.AutoIntegers = None
    """Bits of an index that is stored as it is: 2^n draws. Default: auto, from 1 to two past the first that misses with
    probability at most delta."""
    eps: flags.Reals = (0.01,)
    """Accuracy in (0, 1]; several make a grid."""
    d: flags.Integers = (1,)
    """Weights of a block, 1 to 4; several make a grid."""
    alpha: flags.Alphas = ("uniform",)
    """Every weight of the block, in [-1, 1], or `uniform`: a new block for every trial."""


@dataclass(frozen=True, kw_only=True)
class DrawCodeOptions(Options):
    """`Options`; n counts bits, 1 to 33."""

    max_n: ClassVar[int] = 33


class DrawCounter(Counter):
    """Counts the trials whose index has at most n bits; records what the means of the index need, exactly.

    Coordinate c of draw i is draw (seed, trial, i d + c); a trial ends with its first hit, or after 2^max(n) draws.
    """

    def __init__(self, question: DrawCode, sizes: Sequence[int], seed: int) -> None:
        self._question, self._caps, self._seed = question, [2**n for n in sizes], seed
        self._limit = max(self._caps)
        expected = min(self._limit, math.ceil(2.0 / question.eps**question.d))
        super().__init__(self._within, min(_PIECE_DRAWS // expected, 2**14))

    def _within(self, first: int, trials: int) -> Counts:
        from sims.solver.philox import first_in_box

        one = self._question
        centres, widths = boxes(one.alpha, one.eps, one.d, self._seed, first, trials)
        lows, highs = (centres - widths[:, None]) // 2, (centres + widths[:, None]) // 2
        index = first_in_box(self._seed, first, lows, highs, self._limit) + 1
        looked = np.minimum(index, self._limit)
        logs = np.rint(np.log2(looked) * _FIXED).astype(np.int64)
        share = np.rint(np.ldexp(looked.astype(np.float64), 24 - self._limit.bit_length() + 1)).astype(np.int64)
        squares = np.rint((logs / _FIXED) ** 2 * _FIXED).astype(np.int64)
        sums = [trials, (index <= self._limit).sum(), looked.sum(), (share * share).sum(), logs.sum(), squares.sum()]
        self.records[first] = np.array(sums, "<i8").tobytes()
        return np.array([(index <= cap).sum() for cap in self._caps], np.int64)


@dataclass(frozen=True)
class Means:
    """What the trials say of the index, cut after R = 2^n draws.

    ``trials``, ``hits``: in all, and with a hit. ``looked``: mean of min(K, R). ``log2``: mean of log2 min(K, R).
    ``looked_error``, ``log2_error``: their standard errors.
    """

    trials: int
    hits: int
    looked: float
    looked_error: float
    log2: float
    log2_error: float

    @classmethod
    def of(cls, records: Sequence[bytes], n: int) -> Means:
        """From the records of a pass whose largest size is n."""
        table = np.frombuffer(b"".join(records), "<i8").reshape(-1, 6)
        trials, hits, looked, shares, logs, squares = (sum(column.tolist()) for column in table.T)
        mean, log2 = looked / trials, logs / trials / _FIXED
        spread = max(0.0, math.ldexp(shares / trials, 2 * (n - 24)) - mean**2)
        log_spread = max(0.0, squares / trials / _FIXED - log2**2)
        return cls(trials, hits, mean, math.sqrt(spread / trials), log2, math.sqrt(log_spread / trials))

    def bits(self, hit: float, exception: float) -> tuple[float, float]:
        """Mean bits of the index under the law of coin tosses with that probability, and the error of the tosses."""
        if hit == 1.0:
            return 0.0, 0.0
        share, toss = self.hits / self.trials, -math.log1p(-hit) / math.log(2.0)
        bits = -share * math.log2(hit) + (self.looked - share) * toss + (1.0 - share) * exception
        return bits, self.looked_error * toss


class DrawCodeExperiment(GridExperiment[DrawCode]):
    """Statements 8.1, 8.2 and 8.4: the index of the first draw within eps against its law and its bits."""

    name = "draw_code"
    question = DrawCode
    config = Config
    options = DrawCodeOptions
    group = ("d", "eps", "alpha")

    def counter(self, question: DrawCode, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """What counts a question; raises ValueError if a trial may take more draws than the generator has."""
        check_grid(question.eps)
        if question.d * 2 ** max(sizes) > _MAX_INDEX:
            raise ValueError(f"n must be at most {int(math.log2(_MAX_INDEX / question.d))} at d={question.d}")
        return DrawCounter(question, sizes, seed)

    def predicted_n(self, question: DrawCode, delta: float) -> int:
        return min(question.predicted_n(delta), DrawCodeOptions.max_n - 4)

    def bounds(self, question: DrawCode, n: int) -> tuple[tuple[float, float], Row]:
        low, high = question.success_lower(n), question.success_upper(n)
        # draws and targets stand on a grid of 2^-52: a draw hits with a probability off by at most d 2^-51
        grid = min(1.0, question.d * 2.0 ** (n + 1 - GRID_BITS))
        return (max(0.0, low - grid), min(1.0, high + grid)), {"exact": 0.5 * (low + high)}

    def needs(self, question: DrawCode, delta: float) -> Row:
        try:
            return {"necessary_n": question.necessary_n(delta), "required_n": question.required_n(delta)}
        except ValueError:  # more bits than an index has
            return {"necessary_n": None, "required_n": None}

    def table(self, options: Options, passes: Sequence[Pass[Any]], found: Sequence[Found]) -> Table:
        made = super().table(options, passes, found)
        for entry, work, counted in zip(made.summary, passes, found, strict=True):
            entry |= _bits(work.question, max(work.sizes), counted.records)
        return made

    def sentence(self, entry: Mapping[str, Any]) -> str:
        d, parts = entry["d"], []
        if entry["necessary_n"] is not None:
            parts.append(f"an index of n = {entry['required_n']} bits is exactly what it takes (proved)")
        parts.append(seen_from(entry))
        lines = [f"For a hit with probability >= {1.0 - entry['delta']:g}: {'; '.join(parts)}."]
        least, bound = entry["necessary_bits"] / d, entry["bits_bound"] / d
        lines.append(
            f"Bits a weight, {EXCEPTION_BITS:g} for an exception: {entry['bits'] / d:.4g} +- "
            f"{2 * entry['bits_error'] / d:.1g} measured, at most {bound:.4g} (proved), {least:.4g} necessary (proved)."
        )
        lines.append(
            f"log2 of the index: {entry['log2_index']:.4g} +- {2 * entry['log2_error']:.1g} measured, from "
            f"{entry['log2_low']:.4g} to {entry['log2_high']:.4g} (proved)."
        )
        return "\n".join(lines)

    def layout(self, result: Result, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Layout:
        return Layout(
            f"d = {entry['d']}, eps = {entry['eps']:g}, alpha = {entry['alpha']}",
            ("n", "success", "ci_low", "exact", "verdict"),
        )

    def label(self, work: Pass[DrawCode]) -> str:
        return f"d={work.question.d} {describe(self.encode(work))}"

    def cost(self, work: Pass[DrawCode]) -> float:
        one = work.question
        return 2e-7 + (2.5e-9 + 5e-9 * one.d) * min(2.0 ** max(work.sizes), 1.0 / one.eps**one.d)

    def memory(self, work: Pass[DrawCode]) -> int:
        return 2**14 * 8 * (8 + 4 * work.question.d)


def _bits(question: DrawCode, n: int, records: Sequence[bytes]) -> Row:
    """What is necessary, proved and measured of the bits of an index that ends after 2^n draws."""
    R, means, exception = 2**n, Means.of(records, n), EXCEPTION_BITS * question.d
    bits, error = means.bits(hit_share(R, question), exception)
    low, high = mean_log2_index_capped(R, question)
    return {
        "necessary_bits": necessary_bits(question),
        "entropy_lower": index_bits_lower(question),
        "bits_bound": capped_bits_bound(R, question, exception_bits=exception),
        "bits": bits,
        "bits_error": error,
        "log2_low": low,
        "log2_high": high,
        "log2_index": means.log2,
        "log2_error": means.log2_error,
        "misses": means.trials - means.hits,
    }


EXPERIMENT = DrawCodeExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
