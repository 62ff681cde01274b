"""How much is recycling worth, in fresh draws?

``python -m sims.recycling --eps 0.01`` simulates, for every n, whether some choice of a value or nothing for each of n
slots, all from the same n values, sums to within eps of alpha; and beside it R fresh draws for each slot.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.commands.output import MAX_CURVES
from sims.counting import Counter, Found, Pass, first_hits, measured, sums_cost
from sims.draws import draws, windows
from sims.experiment import GridExperiment, Layout, Table, first_n
from sims.options import MAX_DRAWS, Options, Request, Row, between, check_grid, several
from sims.solver.arguments import Integers
from sims.statistics.result import Result
from sims.subset_sum import EXPERIMENT as CHOICE
from sims.tailed import Run, Stated, Tailed, at_sizes, from_success
from sims.threads import one_per_thread
from theory.recycling import Recycling
from theory.subset_sum import SubsetSum

_PIECE_HALF_SUMS = 2**23
_PIECE_VALUES = 2**15
_MAX_MOMENTS = 64
"""Largest n whose expected number of good sums is computed."""
_SHOWN_R = 3


@dataclass(frozen=True)
class Config(flags.Tailed, flags.Grid):
    """Each of n slots may take any of n uniform values, or none: how likely is some sum within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic), the simulated probability with R fresh draws for each slot (choice model), the R that
    recycling is worth, and a verdict; and says how much of the gain in sums is left.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.recycling --eps 0.01 --n 1:10",
        "python -m sims.recycling --eps 1e-3 --R 1 2 3 4 --plot recycling.png",
        "python -m sims.recycling --tail --eps 0.01",
    )

    R: flags.Integers = (1, 2, 3)
    """Draws of each slot in the choice model, for comparison. Ranges: 1:5, 1:9:2."""
    delta: flags.Real = 0.05
    """Failure probability in (0, 1) that the summary asks for."""


@dataclass(frozen=True)
class TailConfig(flags.Tail, Config):
    """Each of n slots may take any of n uniform values, or none: how rare is it that no sum lies within eps of alpha?

    Prints for every n an unbiased estimate of the failure with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic) and a verdict on the upper bound, and says how large n must be.
    """

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.recycling --tail --eps 0.01",)

    R: flags.Integers = ()
    """Not with --tail: what fresh draws do, sims.subset_sum --tail says."""


@dataclass(frozen=True, kw_only=True)
class RecyclingOptions(Options):
    """`Options`, and R: draws of each slot in the choice model, with which recycling is compared."""

    delta: float = 0.05
    R: tuple[int, ...] = (1, 2, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "R", tuple(between("R", R, 1, MAX_DRAWS) for R in several(self.R)))


class RecyclingExperiment(Tailed[Recycling], GridExperiment[Recycling]):
    """Section 6; a pass counts recycling, or R fresh draws of each slot, at all sizes."""

    name = "recycling"
    question = Recycling
    config = Config
    options = RecyclingOptions
    group = ("eps", "alpha")
    whole = "eps"
    tail_config = TailConfig

    def request(self, given: Config) -> Request[Recycling]:
        asked = super().request(given)
        if given.plot is not None and len(given.R) >= MAX_CURVES:
            raise flags.UsageError(f"--plot holds up to {MAX_CURVES - 1} values of R, got {len(given.R)}")
        return asked

    def passes(self, request: Request[Recycling]) -> list[Pass[Any]]:
        options, result = request.options, []
        assert isinstance(options, RecyclingOptions)
        for question in request.questions:
            check_grid(question.eps)
            sizes = options.n or tuple(range(1, question.predicted_n(options.delta) + 3))
            fresh = [SubsetSum(R=R, eps=question.eps, alpha=question.alpha) for R in options.R]
            result += [Pass(one, sizes) for one in (question, *fresh)]
        for work in result:
            self.counter_of(work, options.seed, options.jobs)
        return result

    def params(self, request: Request[Recycling]) -> Row:
        assert isinstance(request.options, RecyclingOptions)
        return {"R": request.options.R, **super().params(request)}

    def encode(self, work: Pass[Any]) -> Row:
        one = work.question
        R, kind = (1, "recycling") if isinstance(one, Recycling) else (one.R, "choice")
        return {"R": R, "eps": one.eps, "alpha": one.alpha, "kind": kind, "n": list(work.sizes)}

    def decode(self, cell: Mapping[str, Any]) -> Pass[Any]:
        target = {"eps": cell["eps"], "alpha": cell["alpha"]}
        one = Recycling(**target) if cell["kind"] == "recycling" else SubsetSum(R=cell["R"], **target)
        return Pass(one, tuple(cell["n"]))

    def counter(self, question: Recycling | SubsetSum, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Trial t uses the draws (seed, t, 0), (seed, t, 1), ..., whatever n is: the values of R = 1 fresh draws."""
        from sims.solver.multiset import MultisetCurve, half_sums

        if isinstance(question, SubsetSum):
            return CHOICE.counter(question, sizes, seed, jobs)
        check_grid(question.eps)
        alpha, eps, largest = question.alpha, question.eps, max(sizes)
        own = one_per_thread(partial(MultisetCurve, largest, threads=jobs))
        own()

        def needed(first: int, trials: int) -> Integers:
            centres, widths = windows(alpha, eps, seed, first, trials)
            return own().first_n(draws(seed, first, trials, largest), centres, widths)

        piece = min(_PIECE_HALF_SUMS // half_sums(largest, largest), _PIECE_VALUES // largest)
        return first_hits(needed, sizes, piece)

    def tail(self, question: Recycling, sizes: Sequence[int], samples: int) -> Run:
        from sims.solver.tails.recycling import RecyclingTail

        check_grid(question.eps)
        return at_sizes(RecyclingTail(max(sizes), question.eps, question.alpha, samples).run, sizes)

    def stated(self, question: Recycling, n: int) -> Stated:
        from theory.recycling.prediction import failure_prediction
        from theory.recycling.tail import certain_failure

        known = from_success(question, n)
        target: Row = {"eps": question.eps, "alpha": question.alpha}
        least = max(known.least or 0.0, certain_failure(n, **target))
        return replace(known, least=least, prediction=failure_prediction(n, **target))

    def check_tail(self, given: TailConfig) -> None:
        if given.R:
            raise flags.UsageError("--R is for counted trials: what fresh draws do, sims.subset_sum --tail says")

    def cost(self, work: Pass[Any]) -> float:
        from sims.solver.multiset import half_sums

        if isinstance(work.question, SubsetSum):
            return CHOICE.cost(work)
        n = max(work.sizes)
        return sums_cost(n, float(half_sums(n, n)))

    def memory(self, work: Pass[Any]) -> int:
        from sims.solver.multiset import half_sums

        if isinstance(work.question, SubsetSum):
            return CHOICE.memory(work)
        n = max(work.sizes)
        return 24 * max(2**15, n) + 8 * int(half_sums(n, n))

    def groups(self, request: Request[Recycling], passes: Sequence[Pass[Any]]) -> Iterator[slice]:
        assert isinstance(request.options, RecyclingOptions)
        each = 1 + len(request.options.R)
        return (slice(at, at + each) for at in range(0, len(passes), each))

    def table(self, options: Options, passes: Sequence[Pass[Any]], found: Sequence[Found]) -> Table:
        assert isinstance(options, RecyclingOptions)
        made = Table()
        for index, n in enumerate(passes[0].sizes):
            row = _row(passes[0].question, n, [one.counts[index] for one in found], options)
            made.add(row, (row["lower_bound"], row["upper_bound"]))
        made.summary.append(_summary(made.rows, passes[0].question, options.delta))
        return made

    def layout(self, result: Result, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Layout:
        every = result.params["R"]
        fresh = tuple(f"R{R}" for R in every[:_SHOWN_R])
        further = ", ".join(map(str, every[_SHOWN_R:]))
        return Layout(
            f"Recycling, eps = {entry['eps']:g}, alpha = {entry['alpha']}; R = fresh draws, choice model, simulated",
            ("n", "success", "ci_low", "lower_bound", "upper_bound", "prediction", *fresh, "worth_R", "verdict"),
            {**{f"R{R}": f"R = {R}" for R in every}, "worth_R": "worth R"},
            tight=True,
            note=f"Further R are in --json and --csv: {further}." if further else "",
        )

    def sentence(self, entry: Mapping[str, Any]) -> str:
        text = super().sentence(entry) + "\n"
        if entry["gain_n"] is None:
            return text + "The gain is not measured: no simulated n > 1 lies between two of the given R."
        return text + (
            f"At n = {entry['gain_n']} recycling has {entry['sums']} sums, as many as R = {entry['count_R']:.2f} fresh "
            f"draws a slot; it expects as many good ones as R = {entry['expected_R']:.2f}, and succeeds as often as "
            f"R = {entry['worth_R']:.2f} (interpolated). Of the gain over R = 1, in the logarithm of the number of "
            f"sums, {entry['gain_after_spread']:.0%} is left by the wider spread of the sums, and "
            f"{entry['gain_left']:.0%} by their correlation as well."
        )


def _row(question: Recycling, n: int, counts: Sequence[tuple[int, int]], options: RecyclingOptions) -> Row:
    """One size: recycling, and each R beside it."""
    from theory.recycling import expected_R, interpolated_R

    row: Row = {"n": n, "eps": question.eps, "alpha": question.alpha, **measured(counts[0], options)}
    row |= EXPERIMENT.bounds(question, n)[1]
    choice = {}
    for R, count in zip(options.R, counts[1:], strict=True):
        fresh = measured(count, options)
        choice[R] = fresh["success"]
        row |= {f"R{R}": fresh["success"], f"R{R}_ci_low": fresh["ci_low"], f"R{R}_ci_high": fresh["ci_high"]}
    expected = expected_R(n, eps=question.eps, alpha=question.alpha) if n <= _MAX_MOMENTS else None
    return {**row, "worth_R": interpolated_R(row["success"], choice), "expected_R": expected}


def _summary(rows: Sequence[Row], question: Recycling, delta: float) -> Row:
    """What is proved and what was seen about one table; the gain at the n where success is nearest to 1/2."""
    from theory.recycling import count_R, gain_left, multiset_count

    entry: Row = {"eps": question.eps, "alpha": question.alpha, "delta": delta}
    known = [row for row in rows if None not in (row["worth_R"], row["expected_R"]) and row["n"] > 1]
    half = min(known, key=lambda row: abs(row["success"] - 0.5), default=None)
    gain: Row = dict.fromkeys(("gain_n", "sums", "count_R", "expected_R", "worth_R"))
    gain |= dict.fromkeys(("gain_after_spread", "gain_left"))
    if half is not None:
        n = half["n"]
        gain = {"gain_n": n, "sums": multiset_count(n), "count_R": count_R(n)}
        gain |= {key: half[key] for key in ("expected_R", "worth_R")}
        gain |= {"gain_after_spread": gain_left(half["expected_R"], n), "gain_left": gain_left(half["worth_R"], n)}
    return {**entry, **EXPERIMENT.needs(question, delta), "first_n": first_n(rows, delta), **gain}


EXPERIMENT = RecyclingExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
