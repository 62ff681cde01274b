"""How much is recycling worth, in fresh draws?

``python -m sims.recycling --eps 0.01`` simulates, for every n, whether some choice of a value or nothing for each of n
slots, all from the same n values, sums to within eps of alpha; and beside it R fresh draws for each slot.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.commands.output import MAX_CURVES
from sims.draws import draws, windows
from sims.experiment import (
    MAX_DRAWS,
    Alpha,
    Counter,
    Experiment,
    Found,
    Layout,
    Options,
    Pass,
    Request,
    Row,
    between,
    check_grid,
    first_n,
    judge,
    measured,
    plain,
    read_options,
    restored_options,
    rows_of,
    seen_from,
    sums_cost,
)
from sims.solver.multiset import MultisetCurve, half_sums
from sims.statistics.result import Result
from sims.statistics.trials import Counts
from sims.subset_sum import EXPERIMENT as CHOICE
from theory.recycling import Recycling
from theory.subset_sum import SubsetSum

_PIECE_HALF_SUMS = 2**23
_PIECE_VALUES = 2**15
_MAX_MOMENTS = 64
"""Largest n whose expected number of good sums is computed."""
_SHOWN_R = 3


@dataclass(frozen=True)
class Config(flags.Grid):
    """Each of n slots may take any of n uniform values, or none: how likely is some sum within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic), the simulated probability with R fresh draws for each slot (choice model), the R that
    recycling is worth, and a verdict; and says how much of the gain in sums is left.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.recycling --eps 0.01 --n 1:10",
        "python -m sims.recycling --eps 1e-3 --R 1 2 3 4 --plot recycling.png",
    )

    R: flags.Integers = (1, 2, 3)
    """Draws of each slot in the choice model, for comparison. Ranges: 1:5, 1:9:2."""
    delta: flags.Real = 0.05
    """Failure probability in (0, 1) that the summary asks for."""


@dataclass(frozen=True, kw_only=True)
class RecyclingOptions(Options):
    """`Options`, and what recycling is compared with.

    Attributes
    ----------
    R : tuple of int
        Draws of each slot in the choice model.
    """

    delta: float = 0.05
    R: tuple[int, ...] = (1, 2, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "R", tuple(between("R", R, 1, MAX_DRAWS) for R in self.R))


class RecyclingExperiment(Experiment[Recycling, Pass[Any]]):
    """Section 6; a pass counts recycling, or R fresh draws of each slot, at all sizes."""

    name = "recycling"
    question = Recycling
    config = Config
    options = RecyclingOptions
    group = ("eps", "alpha")
    whole = "eps"

    def request(self, given: Config) -> Request[Recycling]:
        asked = Request(_grid(given.eps, given.alpha), read_options(RecyclingOptions, given))
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
        options = dataclasses.asdict(request.options)
        return {"R": options.pop("R"), "eps": request.axis("eps"), "alpha": request.axis("alpha"), **options}

    def stored(self, request: Request[Recycling]) -> Row:
        return plain(self.params(request))

    def restored(self, stored: Mapping[str, Any]) -> Request[Recycling]:
        return Request(_grid(stored["eps"], stored["alpha"]), restored_options(RecyclingOptions, stored))

    def encode(self, work: Pass[Any]) -> Row:
        one = work.question
        R, kind = (1, "recycling") if isinstance(one, Recycling) else (one.R, "choice")
        return {"R": R, "eps": one.eps, "alpha": one.alpha, "kind": kind, "n": list(work.sizes)}

    def decode(self, cell: Mapping[str, Any]) -> Pass[Any]:
        target = {"eps": cell["eps"], "alpha": cell["alpha"]}
        one = Recycling(**target) if cell["kind"] == "recycling" else SubsetSum(R=cell["R"], **target)
        return Pass(one, tuple(cell["n"]))

    def counter_of(self, work: Pass[Any], seed: int, jobs: int = 1) -> Counter:
        if isinstance(work.question, SubsetSum):
            return CHOICE.counter_of(work, seed, jobs)
        return self.counter(work.question, work.sizes, seed, jobs)

    def counter(self, question: Recycling, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """Trial t uses the draws (seed, t, 0), (seed, t, 1), ..., whatever n is: the values of R = 1 fresh draws.

        Each thread keeps its own lists. Raises ValueError if the search does not fit into memory.
        """
        check_grid(question.eps)
        own = threading.local()
        largest = max(sizes)
        MultisetCurve(largest, threads=jobs)

        def count(first: int, trials: int) -> Counts:
            if not hasattr(own, "curve"):
                own.curve = MultisetCurve(largest, threads=jobs)
            centres, widths = windows(question.alpha, question.eps, seed, first, trials)
            hit = own.curve.first_n(draws(seed, first, trials, largest), centres, widths)
            return np.array([(hit <= n).sum() for n in sizes], np.int64)

        return Counter(count, min(_PIECE_HALF_SUMS // half_sums(largest, largest), _PIECE_VALUES // largest))

    def cost(self, work: Pass[Any]) -> float:
        if isinstance(work.question, SubsetSum):
            return CHOICE.cost(work)
        n = max(work.sizes)
        return sums_cost(n, float(half_sums(n, n)))

    def memory(self, work: Pass[Any]) -> int:
        if isinstance(work.question, SubsetSum):
            return CHOICE.memory(work)
        n = max(work.sizes)
        return 24 * max(2**15, n) + 32 * int(half_sums(n, n))

    def curves(self, request: Request[Recycling]) -> int:
        return len(request.questions)

    def tabulate(
        self, request: Request[Recycling], passes: Sequence[Pass[Any]], found: Sequence[Found]
    ) -> tuple[list[Row], list[Row]]:
        options = request.options
        assert isinstance(options, RecyclingOptions)
        each = 1 + len(options.R)
        rows: list[Row] = []
        for at in range(0, len(passes), each):
            for index, n in enumerate(passes[at].sizes):
                counts = [one.counts[index] for one in found[at : at + each]]
                rows.append(_row(passes[at].question, n, counts, options))
        rows = judge(rows, [(row["lower_bound"], row["upper_bound"]) for row in rows], options)
        return rows, [_summary(rows, work.question, options.delta) for work in passes[::each]]

    def layout(self, result: Result, entry: Mapping[str, Any]) -> Layout:
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
        enough = f"n = {entry['required_n']} suffices (proved)"
        if entry["required_n"] is None:
            enough = "no n is proved to suffice"
        text = f"For success >= {1.0 - entry['delta']:g}: n >= {entry['necessary_n']} is necessary (proved), "
        text += f"{enough}; {seen_from(entry)}.\n"
        if entry["gain_n"] is None:
            return text + "The gain is not measured: no simulated n > 1 lies between two of the given R."
        return text + (
            f"At n = {entry['gain_n']} recycling has {entry['sums']} sums, as many as R = {entry['count_R']:.2f} fresh "
            f"draws a slot; it expects as many good ones as R = {entry['expected_R']:.2f}, and succeeds as often as "
            f"R = {entry['worth_R']:.2f} (interpolated). Of the gain over R = 1, in the logarithm of the number of "
            f"sums, {entry['gain_after_spread']:.0%} is left by the wider spread of the sums, and "
            f"{entry['gain_left']:.0%} by their correlation as well."
        )


def _grid(eps: Sequence[float], alpha: Sequence[Alpha]) -> tuple[Recycling, ...]:
    return tuple(Recycling(eps=e, alpha=a) for e in eps for a in alpha)


def _row(question: Recycling, n: int, counts: Sequence[tuple[int, int]], options: RecyclingOptions) -> Row:
    """One size: recycling, and each R beside it."""
    from theory.recycling import expected_R, interpolated_R

    row: Row = {"n": n, "eps": question.eps, "alpha": question.alpha, **measured(counts[0], options)}
    row |= {
        "lower_bound": question.success_lower(n),
        "upper_bound": question.success_upper(n),
        "prediction": question.success_prediction(n),
    }
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
    mine = rows_of(rows, entry, ("eps", "alpha"))
    try:
        enough = question.required_n(delta)
    except ValueError:  # a uniform alpha: nothing is proved beyond the largest block
        enough = None
    known = [row for row in mine if None not in (row["worth_R"], row["expected_R"]) and row["n"] > 1]
    half = min(known, key=lambda row: abs(row["success"] - 0.5), default=None)
    gain: Row = dict.fromkeys(("gain_n", "sums", "count_R", "expected_R", "worth_R"))
    gain |= dict.fromkeys(("gain_after_spread", "gain_left"))
    if half is not None:
        n = half["n"]
        gain = {"gain_n": n, "sums": multiset_count(n), "count_R": count_R(n)}
        gain |= {key: half[key] for key in ("expected_R", "worth_R")}
        gain |= {"gain_after_spread": gain_left(half["expected_R"], n), "gain_left": gain_left(half["worth_R"], n)}
    necessary = question.necessary_n(delta)
    return {**entry, "necessary_n": necessary, "required_n": enough, "first_n": first_n(mine, delta), **gain}


EXPERIMENT = RecyclingExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
