"""How likely is it that every target of an interval has a sum within eps, all at once?

``python -m sims.coverage --eps 0.01`` measures it for every n on exact largest gaps, beside a proved lower bound, a
proved upper bound and a heuristic prediction, and says how large n must be.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import dataclasses
import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sims.band import clamped
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.counting import Counter, Found, measured
from sims.draws import draws
from sims.experiment import Experiment, Layout, Table, first_n, necessary, seen_from, suffices
from sims.options import (
    Options,
    Request,
    Row,
    as_tuple,
    between,
    check_grid,
    grid,
    plain,
    read_options,
    restored_options,
)
from sims.solver.limits import GRID_BITS
from sims.statistics.result import Result
from sims.statistics.trials import Counts
from sims.tailed import Run, Tailed, at_sizes
from sims.threads import one_per_thread
from theory.coverage import Coverage

if TYPE_CHECKING:
    from sims.solver.gap import GapSolver

QUANTILE_TRIALS = 10**5
"""The gap quantiles are those of the first trials, this many at most."""

AUTO_LOG2_SUMS = 26.0
"""``--method auto`` takes the bitmap beyond 2^26 sums."""

_MAX_BITS = 26
_PIECE_SUMS = 2**22
_PIECE_VALUES = 2**15


@dataclass(frozen=True)
class Config(flags.Tailed, flags.Run):
    """With n uniform variables on [-1, 1], R draws each, how likely does every point of an interval have a sum near it?

    A sum takes at most one draw of each variable; near is within eps. Prints for every n the simulated probability with
    its interval, quantiles of the largest gap (twice the largest distance of a point of the interval from its nearest
    sum; covered means at most 2 eps), a proved lower and a proved upper bound, a prediction (heuristic) and a verdict,
    and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.coverage --eps 0.01 --n 1:16",
        "python -m sims.coverage --R 2 --eps 1e-3 --interval -1 1 --method bitmap --bits 14",
        "python -m sims.coverage --tail --R 1 2 5 --eps 0.01",
    )

    R: flags.Integers = (1,)
    """Draws that each variable may take; several make a grid. Ranges: 1:5, 1:9:2."""
    eps: flags.Reals = (0.01,)
    """Accuracy in (0, 1]; several make a grid."""
    interval: flags.Interval = (-0.5, 0.5)
    """The targets: all points from LOW to HIGH, -1 <= LOW <= HIGH <= 1."""
    method: Literal["auto", "exact", "bitmap"] = "auto"
    """exact: values as drawn, the largest gap exactly. bitmap: values rounded down to a grid of step 2^-b, all sums as
    bits: a slightly different law, whose bounds are therefore those of eps -+ n 2^-b. auto: exact up to 2^26 sums."""
    bits: flags.OptionalInteger = None
    """Grid of the bitmap: step 2^-bits, 1 to 26. Default: the coarsest step up to a sixteenth of the smallest eps."""
    delta: flags.Real = 0.05
    """Failure probability in (0, 1) that the summary asks for."""
    trials: flags.Integer = 2000
    """Trials per row, up to 1e12."""


@dataclass(frozen=True)
class TailConfig(flags.Tail, Config):
    """With n uniform variables on [-1, 1], R draws each, how rare is it that a point of an interval has no sum near it?

    A sum takes at most one draw of each variable; near is within eps. Prints for every n an unbiased estimate of the
    failure with its interval, a proved lower and a proved upper bound, a prediction (heuristic) and a verdict on the
    upper bound, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.coverage --tail --R 1 2 5 --eps 0.01",)


@dataclass(frozen=True, kw_only=True)
class CoverageOptions(Options):
    """`Options`, and how the gaps are measured.

    ``method``: see ``python -m sims.coverage --help``. ``bits``: grid of the bitmap: step 2^-bits, 1 to 26.
    """

    delta: float = 0.05
    trials: int = 2000
    method: str = "auto"
    bits: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in ("auto", "exact", "bitmap"):
            raise ValueError(f'method must be "auto", "exact" or "bitmap", got {self.method!r}')
        if self.bits is not None:
            between("bits", self.bits, 1, _MAX_BITS)
            if self.method == "exact":
                raise ValueError("bits belongs to the bitmap, not to method exact")

    def grid(self, eps: Sequence[float]) -> int:
        """The bitmap's grid."""
        if self.bits is not None:
            return self.bits
        bits = math.ceil(math.log2(16 / min(eps)))
        if bits > _MAX_BITS:
            raise ValueError(f"eps {min(eps):g} needs a bitmap finer than 2^-{_MAX_BITS}: give bits")
        return bits


@dataclass(frozen=True)
class ValueSets:
    """A pass: value sets of one size and the targets, counted for several eps at once; ``bits`` is None if exact.

    The largest gaps of the trials before ``gaps_before`` are kept.
    """

    n: int
    R: int
    low: float
    high: float
    bits: int | None
    eps: tuple[float, ...]
    gaps_before: int

    @property
    def method(self) -> str:
        """exact or bitmap."""
        return "exact" if self.bits is None else "bitmap"


class CoverageCounter(Counter):
    """Counts the trials whose sums cover the interval, one count per eps; records the first trials' largest gaps.

    Trial t uses the draws (seed, t, 0), (seed, t, 1), ...: value r of variable i is draw i R + r, whatever n is. The
    bitmap uses the same draws, rounded down. Raises ValueError if the search would not fit into memory or time.
    """

    def __init__(self, at: ValueSets, seed: int, jobs: int = 1) -> None:
        self._at, self._seed = at, seed
        self._solver = one_per_thread(partial(_solver, at, jobs))
        self._solver()
        work = (at.R + 1) ** at.n if at.bits is None else at.n * at.n * (at.R + 1) * 2**at.bits // 64
        super().__init__(self._covered, min(_PIECE_SUMS // max(1, work), _PIECE_VALUES // (at.n * at.R), 2**13))

    def _covered(self, first: int, trials: int) -> Counts:
        values = draws(self._seed, first, trials, self._at.n * self._at.R)
        if self._at.bits is not None:
            values >>= GRID_BITS - self._at.bits
        gaps = self._solver().solve(values)
        keep = min(trials, self._at.gaps_before - first)
        if keep > 0:
            self.records[first] = gaps.largest()[:keep].astype("<f8").tobytes()
        return np.array([gaps.covered(eps).sum() for eps in self._at.eps], np.int64)


def _solver(at: ValueSets, jobs: int) -> GapSolver:
    from sims.solver.gap import GapSolver

    bits = GRID_BITS if at.bits is None else at.bits
    return GapSolver(at.n, at.R, at.low, at.high, bits=bits, method=at.method, threads=jobs)


def _quantiles(records: Sequence[bytes]) -> Row:
    """Quantiles of the largest gaps that were kept: order statistics, no interpolation."""
    gaps = np.frombuffer(b"".join(records), "<f8")
    names = {"gap_q10": 0.1, "gap_q50": 0.5, "gap_q90": 0.9}
    return {name: float(np.quantile(gaps, q, method="inverted_cdf")) for name, q in names.items()}


class CoverageExperiment(Tailed[Coverage], Experiment[Coverage, ValueSets]):
    """Statements 3.3, 3.5, 3.7 and 3.8 against exact largest gaps."""

    name = "coverage"
    question = Coverage
    config = Config
    options = CoverageOptions
    group = ("R", "eps")
    whole = "R"
    tail_config = TailConfig

    def request(self, given: Config) -> Request[Coverage]:
        return Request(_grid(vars(given)), read_options(CoverageOptions, given))

    def passes(self, request: Request[Coverage]) -> list[ValueSets]:
        options = request.options
        assert isinstance(options, CoverageOptions)
        result, by_draws = [], dict[int, list[Coverage]]()
        for question in request.questions:
            by_draws.setdefault(question.R, []).append(question)
        for R, mine in by_draws.items():
            last = {one.eps: max(options.n or (one.predicted_n(options.delta) + 2,)) for one in mine}
            for n in options.n or range(1, max(last.values()) + 1):
                exact = options.method == "auto" and n * math.log2(R + 1) <= AUTO_LOG2_SUMS
                bits = None if exact or options.method == "exact" else options.grid(list(last))
                eps = tuple(value for value in last if n <= last[value])
                before = options.first_trial + QUANTILE_TRIALS
                at = ValueSets(n, R, mine[0].low, mine[0].high, bits, eps, before)
                CoverageCounter(at, options.seed, options.jobs)
                result.append(at)
        return result

    def params(self, request: Request[Coverage]) -> Row:
        options = dataclasses.asdict(request.options)
        del options["method"], options["bits"]
        interval = [request.questions[0].low, request.questions[0].high]
        return {"R": request.axis("R"), "eps": request.axis("eps"), **options, "interval": interval}

    def stored(self, request: Request[Coverage]) -> Row:
        options = request.options
        assert isinstance(options, CoverageOptions)
        shared = {"method": options.method, "bits": options.bits}
        # a sweep of 0.1.0 kept an alpha that nothing used
        return {**plain(self.params(request)), "alpha": [0.5], **shared}

    def restored(self, stored: Mapping[str, Any]) -> Request[Coverage]:
        return Request(_grid(stored), restored_options(CoverageOptions, stored))

    def encode(self, work: ValueSets) -> Row:
        return plain({key: getattr(work, key) for key in ("n", "R", "low", "high", "bits", "eps", "gaps_before")})

    def decode(self, cell: Mapping[str, Any]) -> ValueSets:
        return ValueSets(**{key: as_tuple(value) for key, value in cell.items()})

    def counter_of(self, work: ValueSets, seed: int, jobs: int = 1) -> Counter:
        return CoverageCounter(work, seed, jobs)

    def counter(self, question: Coverage, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """What counts one question at one size, exactly."""
        (n,) = sizes
        return CoverageCounter(
            ValueSets(n, question.R, question.low, question.high, None, (question.eps,), 0), seed, jobs
        )

    def tail(self, question: Coverage, sizes: Sequence[int], samples: int) -> Run:
        from sims.solver.tails.coverage import CoverageTail

        check_grid(question.eps)
        R, eps, low, high = question.R, question.eps, question.low, question.high
        return at_sizes(CoverageTail(max(sizes), R, eps, low, high, samples).run, sizes)

    def check_tail(self, given: TailConfig) -> None:
        if given.method != "auto" or given.bits is not None:
            raise flags.UsageError("--method and --bits are for counted trials: --tail takes the values as drawn")

    def cost(self, work: ValueSets) -> float:
        n, R = work.n, work.R
        if work.bits is None:
            return 5e-6 + 1e-10 * math.pow(2.0, min(n * math.log2(R + 1), 500.0))
        return 5e-6 + 5e-10 * n * n * (R + 1) * math.pow(2.0, work.bits) / 64

    def memory(self, work: ValueSets) -> int:
        from sims.solver.gap import gap_bytes

        return 24 * max(2**15, work.n * work.R) + gap_bytes(work.n, work.R, work.bits)

    def bounds(self, question: Coverage, n: int) -> tuple[tuple[float, float], Row]:
        """Of values as drawn."""
        found = _bounds(ValueSets(n, question.R, question.low, question.high, None, (question.eps,), 0), question.eps)
        return (found["lower_bound"], found["upper_bound"]), found

    def needs(self, question: Coverage, delta: float) -> Row:
        return {"necessary_n": question.necessary_n(delta), **_sufficient(question, delta)}

    def asked(self, request: Request[Coverage], passes: Sequence[ValueSets]) -> list[tuple[Any, Sequence[int]]]:
        sizes: dict[tuple[int, float], list[int]] = {}
        for work in passes:
            for eps in work.eps:
                sizes.setdefault((work.R, eps), []).append(work.n)
        return [(one, sizes[one.R, one.eps]) for one in request.questions]

    def groups(self, request: Request[Coverage], passes: Sequence[ValueSets]) -> Iterator[slice]:
        at = 0
        for _, mine in itertools.groupby(passes, key=lambda work: work.R):
            start, at = at, at + len(list(mine))
            yield slice(start, at)

    def table(self, options: Options, passes: Sequence[ValueSets], found: Sequence[Found]) -> Table:
        kept: dict[float, Table] = {}
        for at, counted in zip(passes, found, strict=True):
            gaps = _quantiles(counted.records)
            for eps, count in zip(at.eps, counted.counts, strict=True):
                bounds = _bounds(at, eps)
                row: Row = {"n": at.n, "R": at.R, "eps": eps, "low": at.low, "high": at.high, "method": at.method}
                row |= {"bits": at.bits, **measured(count, options), **bounds, **gaps}
                kept.setdefault(eps, Table()).add(row, (bounds["lower_bound"], bounds["upper_bound"]))
        made = Table()
        for eps, one in kept.items():
            question = Coverage(R=passes[0].R, eps=eps, low=passes[0].low, high=passes[0].high)
            one.summary.append(_summary(one.rows, question, options.delta))
            made.extend(one)
        return made

    def layout(self, result: Result, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Layout:
        bounds = ("lower_bound", "upper_bound", "prediction")
        return Layout(
            f"R = {entry['R']}, eps = {entry['eps']:g}, all targets from {entry['low']:g} to {entry['high']:g}",
            ("n", "method", "success", "ci_low", *bounds, "gap_q50", "gap_q90", "verdict"),
            tight=True,
        )

    def sentence(self, entry: Mapping[str, Any]) -> str:
        return (
            f"For all targets at once with probability >= {1.0 - entry['delta']:g}: {necessary(entry)}, "
            f"{suffices(entry)} by {entry['required_way']}; {seen_from(entry)}."
        )


def _grid(given: Mapping[str, Any]) -> tuple[Coverage, ...]:
    low, high = given["interval"]
    return grid(Coverage, {name: given[name] for name in ("R", "eps")}, low=low, high=high)


def _bounds(at: ValueSets, eps: float) -> Row:
    """The proved band and the prediction of a row.

    A value moves by less than 2^-bits on to its grid, a sum by less than n 2^-bits: what is covered with eps before is
    covered with eps + n 2^-bits after, and the other way round.
    """
    question = Coverage(R=at.R, eps=eps, low=at.low, high=at.high)
    shift = 0.0 if at.bits is None else at.n * 2.0**-at.bits
    fine, coarse = eps - shift, min(1.0, eps + shift)
    low = replace(question, eps=fine).success_lower(at.n) if fine > 0.0 else 0.0
    high = replace(question, eps=coarse).success_upper(at.n)
    return {"lower_bound": low, "upper_bound": high, **clamped(question.success_prediction(at.n), low, high)}


def _summary(rows: Sequence[Row], question: Coverage, delta: float) -> Row:
    """What is proved and what was seen about one question."""
    entry: Row = {"R": question.R, "eps": question.eps, "low": question.low, "high": question.high, "delta": delta}
    return {
        **entry,
        **EXPERIMENT.needs(question, delta),
        "first_n": first_n(rows, delta),
    }


def _sufficient(question: Coverage, delta: float) -> Row:
    """The n that is proved to do, and the way that proves it."""
    found = question.required_way(delta)
    return {"required_n": found.n, "required_way": found.way}


EXPERIMENT = CoverageExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
