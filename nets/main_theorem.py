"""The main theorem, end to end: random target, random source of depth 2l, pruning, certificate, again and again.

``python -m nets.main_theorem --widths 4 8 3 --eps 0.1 --delta 0.1 --R 4000`` draws random targets of depth l, builds
for each trial the random source network of depth 2l that the chosen statement asks for (re-sampling included), prunes
it, certifies the error of the pruned network and reports how often it is at most eps, against the promised 1 - delta.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from nets.construction.architectures import factors, grid, shape_named, shape_of, theorem_of
from nets.construction.networks import (
    Networks,
    attention_seconds,
    batch_size,
    batch_weights,
    convolution_seconds,
    trial_seconds,
    weight_count,
)
from nets.construction.options import CONSTRUCTIONS, check_construction, check_promise
from nets.device import machine, resolve_device
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.experiment import (
    Counter,
    Experiment,
    Found,
    Layout,
    Options,
    Request,
    Row,
    Tabulate,
    as_tuple,
    between,
    one_by_one,
    plain,
    read_options,
)
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result
from sims.statistics.trials import Counts
from sims.statistics.verdict import UNDECIDED, verdicts_with_undecided
from theory.attention import AttentionTheorem
from theory.network import ConvolutionTheorem, MainTheorem

if TYPE_CHECKING:
    from nets.construction.attention_trials import AttentionTrials
    from nets.construction.convolution_trials import ConvolutionTrials
    from nets.construction.trials import Trials


@dataclass(frozen=True)
class Config(flags.Output):
    """How often does the random network of depth 2l that the theorem asks for contain the target?

    Prints for every eps and R the width that the statement asks for, the trials in which the error of the pruned
    network is certified to be at most eps, refuted to be, or neither (undecided), and a verdict on the promise that it
    is with probability at least 1 - delta: refuted if it is excluded even with the undecided trials as successes,
    consistent if it is not excluded even with them as failures, else undecided. With n given by hand there is no
    promise and no verdict.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.main_theorem --widths 4 8 3 --eps 0.1 --delta 0.1 --R 4000",
        "python -m nets.main_theorem --widths 2 2 --n 8 --R 1 --construction subset-sum --trials 20",
        "python -m nets.main_theorem --widths 16 32 32 8 --R 1e6 --trials 1e4 --seed 1 --check",
        "python -m nets.main_theorem --construction halves --statement halves --R 10 --check",
        "python -m nets.main_theorem --arch conv --widths 3 8 4 --R 1e5 --trials 50",
        "python -m nets.main_theorem --arch attention --widths 4 4 4 --heads 2 --R 500 --eps 0.5 --trials 50",
    )

    arch: Literal["dense", "conv", "attention"] = "dense"
    """dense: layers of widths d_i. conv: zero-padded convolutions with so many channels, ReLU between. attention: one
    attention, widths d d out: sizes of tokens."""
    widths: flags.Counts = (4, 8, 3)
    """Widths d_0, ..., d_l of the target: units, channels, or sizes of tokens."""
    kernel: flags.OptionalInteger = None
    """conv: side of the square kernels. Default: 3."""
    side: flags.OptionalInteger = None
    """conv: side of the square images. Default: 6."""
    heads: flags.OptionalInteger = None
    """attention: number of heads. Default: 1."""
    head_size: flags.OptionalInteger = None
    """attention: size of the target's heads. Default: 2."""
    radius: float | None = None
    """attention: largest norm of an input token. Default: 1."""
    eps: flags.Reals = (0.1,)
    """Accuracy of the whole network in (0, 1]; several make a grid."""
    delta: flags.Real = 0.1
    """Failure probability that the statement is asked for."""
    R: flags.Integers = (4000,)
    """Draws that each element of the source may take; several make a grid."""
    trials: flags.Integer = 200
    """Source networks per row."""
    first_trial: flags.Integer = 0
    """Number of the first trial: runs that cover the trials in parts add up to the same counts."""
    targets: flags.Integer = 8
    """Random targets; trial t uses target t mod this number."""
    statement: Literal["ours", "recalled", "repaired", "halves", "pairs"] = "ours"
    """ours: proved here. recalled: the published theorem as we recall it. repaired: the recalled form, with a proof.
    halves, pairs: proved here, of construction halves; pairs with sampler draws."""
    n: flags.OptionalCounts = None
    """Candidates per input coordinate and sign, one number or one per target layer. Default: what the statement
    asks for."""
    construction: Literal["window", "best", "halves", "thirds", "quarters", "subset-sum"] = "window"
    """window: the proof's choice. best: the neuron and draws nearest to the weight. halves, thirds, quarters: the sum
    of 2, 3, 4 products, of a neuron each. subset-sum: a sum of several."""
    sampler: Literal["draws", "nearest"] = "nearest"
    """draws: every draw is made. nearest: the nearest of R draws by its exact law, R up to 1e12."""
    norm: Literal["frobenius", "spectral"] = "frobenius"
    """Which norm of every target layer is 1."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    cones: flags.Integer = 20_000
    """Undecided trials of small networks are decided by enumeration of linear regions, at most so many cones each."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificates run."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day; for a sweep, any time."""


@dataclass(frozen=True, kw_only=True)
class MainTheoremOptions(Options):
    """`Options`, and how the networks are made.

    Attributes
    ----------
    n : tuple of int or None
        Candidates per input coordinate and sign, one number or one per target layer. None: what the statement asks
        for.
    targets, construction, sampler, device, cones
        See `nets.construction.trials.Networks`.
    """

    delta: float = 0.1
    trials: int = 200
    targets: int = 8
    cones: int = 20_000
    construction: str = "window"
    sampler: str = "nearest"
    device: str = "cpu"

    max_n: ClassVar[int] = 10**12
    distinct_n: ClassVar[bool] = False
    max_trials: ClassVar[int] = 10**9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("targets", self.targets, 1, 10**6)
        between("cones", self.cones, 0, 10**9)
        for name, known in (
            ("construction", CONSTRUCTIONS),
            ("sampler", ("draws", "nearest")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.until is not None:
            raise ValueError("until is not offered here: every trial builds a network")
        if self.n is not None:
            check_construction(self.construction, R=1, n=min(self.n))
        if self.construction == "subset-sum":
            object.__setattr__(self, "sampler", "draws")

    @property
    def networks(self) -> Networks:
        """How the networks are made."""
        return Networks(self.targets, self.construction, self.sampler, resolve_device(self.device), self.cones)


@dataclass(frozen=True)
class Built:
    """A pass: the networks of one question, of one size."""

    question: MainTheorem
    n: tuple[int, ...]
    networks: Networks
    delta: float
    first_trial: int


class MainTheoremCounter(Counter):
    """Counts the trials that are certified to succeed and to fail; records both ends of every error."""

    def __init__(self, work: Built, seed: int, jobs: int) -> None:
        super().__init__(self._certified, 1)
        self.own_threads = True
        self._question, self._trials = work.question, _trials(work, seed, jobs)

    def piece_of(self, trials: int) -> int:
        if isinstance(self._question, ConvolutionTheorem | AttentionTheorem):
            return 1  # takes a tenth of a second
        return batch_size(self._question.widths, trials)

    def _certified(self, first: int, trials: int) -> Counts:
        errors, shown = self._trials.judged(first, trials)
        self.records[first] = errors.numpy().astype("<f8").tobytes()
        return np.array([(shown > 0).sum(), (shown < 0).sum()], np.int64)

    def recorded(self) -> list[bytes]:
        """All errors as one record: the lower ends, then the upper ones."""
        return [_errors(super().recorded()).astype("<f8").tobytes()]


def _trials(work: Built, seed: int, jobs: int) -> AttentionTrials | ConvolutionTrials | Trials:
    from nets.certificate.enumeration import MAX_INPUTS, MAX_UNITS, decide
    from nets.construction.convolution_trials import ConvolutionTrials
    from nets.construction.trials import Trials

    if isinstance(work.question, AttentionTheorem):
        from nets.construction.attention_trials import AttentionTrials

        return AttentionTrials(work.question, work.n, work.networks, seed, jobs)
    if isinstance(work.question, ConvolutionTheorem):
        return ConvolutionTrials(work.question, work.n, work.networks, seed, jobs)
    widths = work.question.widths
    small = widths[0] <= MAX_INPUTS and sum(widths[1:-1]) <= MAX_UNITS
    cones = work.networks.cones if small else 0
    return Trials(
        work.question, work.n, work.networks, seed, jobs, decide=partial(decide, budget=cones) if cones else None
    )


def _errors(records: Sequence[bytes]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.concatenate([np.frombuffer(record, "<f8").reshape(2, -1) for record in records], axis=1)


class MainTheoremExperiment(Experiment[MainTheorem, Built]):
    """Statements 4.4 and 4.5, on networks that are really built and certified."""

    name = "main_theorem"
    question = MainTheorem
    config = Config
    options = MainTheoremOptions
    group = ("eps", "R")
    whole = "eps"
    probe_seconds = 0.5
    own_threads = True
    version = 2

    @property
    def command(self) -> str:
        return "nets.main_theorem"

    def request(self, given: Config) -> Request[MainTheorem]:
        options = read_options(MainTheoremOptions, given)
        if given.arch == "attention":  # it has no single aim
            object.__setattr__(options, "sampler", "draws")
        shape = shape_named(given.arch, vars(given), given.construction)
        axes = given.eps, given.R, given.statement, given.norm, given.domain
        return Request(grid(given.widths, *axes, shape), options)

    def passes(self, request: Request[MainTheorem]) -> list[Built]:
        options = _options(request)
        if options.construction == "subset-sum" and options.n is None and not _gives_sums(request.questions[0]):
            raise ValueError("construction subset-sum needs n: no statement with known constants gives it")
        layers = len(request.questions[0].widths) - 1
        if options.n is not None and len(options.n) not in (1, layers):
            raise ValueError(f"n takes one number or {layers}, one per target layer, got {len(options.n)}")
        if options.n is None:
            for statement in {question.statement for question in request.questions}:
                check_promise(options.construction, statement=statement, sampler=options.sampler)
        given = options.n if options.n is None or len(options.n) == layers else options.n * layers
        return [
            Built(
                question,
                given or question.required_counts(options.delta),
                options.networks,
                options.delta,
                options.first_trial,
            )
            for question in request.questions
        ]

    def params(self, request: Request[MainTheorem]) -> Row:
        options, one = _options(request), request.questions[0]
        return {
            **shape_of(one),
            "widths": one.widths,
            "eps": request.axis("eps"),
            "delta": options.delta,
            "R": request.axis("R"),
            "trials": options.trials,
            "first_trial": options.first_trial,
            "targets": options.targets,
            "statement": one.statement,
            "n": options.n,
            "construction": options.construction,
            "sampler": options.sampler,
            "norm": one.norm,
            "domain": one.domain,
            "seed": options.seed,
            "cones": options.cones,
            "device": options.networks.device,
            "jobs": options.jobs,
        }

    def stored(self, request: Request[MainTheorem]) -> Row:
        return plain(self.params(request))

    def restored(self, stored: Mapping[str, Any]) -> Request[MainTheorem]:
        names = {one.name for one in dataclasses.fields(MainTheoremOptions)}
        kept = {key: as_tuple(stored[key]) for key in names & stored.keys()}
        options = MainTheoremOptions(**{"cones": 0, **kept})  # a store that does not name them knows no enumeration
        axes = {key: stored[key] for key in ("widths", "eps", "R", "statement", "norm", "domain")}
        shape = shape_named(stored.get("arch", "dense"), stored, stored["construction"])
        return Request(grid(**axes, shape=shape), options)

    def encode(self, work: Built) -> Row:
        one = work.question
        made = dataclasses.asdict(work.networks)
        return {
            "R": one.R,
            "eps": one.eps,
            "n": list(work.n),
            "widths": list(one.widths),
            "delta": work.delta,
            "first_trial": work.first_trial,
            "targets": made.pop("targets"),
            "statement": one.statement,
            "construction": made.pop("construction"),
            "sampler": made.pop("sampler"),
            "norm": one.norm,
            "domain": one.domain,
            **{name: value for name, value in made.items() if value or name != "cones"},
            **shape_of(one),
        }

    def decode(self, cell: Mapping[str, Any]) -> Built:
        asked = {name: as_tuple(cell[name]) for name in ("widths", "eps", "R", "statement", "norm", "domain")}
        made = Networks(**{one.name: cell[one.name] for one in dataclasses.fields(Networks) if one.name in cell})
        shape = shape_named(cell.get("arch", "dense"), cell, cell["construction"])
        return Built(theorem_of(shape, **asked), tuple(cell["n"]), made, cell["delta"], cell["first_trial"])

    def counter_of(self, work: Built, seed: int, jobs: int = 1) -> Counter:
        return MainTheoremCounter(work, seed, jobs)

    def cost(self, work: Built) -> float:
        if isinstance(work.question, AttentionTheorem):
            return attention_seconds(work.question, work.n, work.networks)
        if isinstance(work.question, ConvolutionTheorem):
            return convolution_seconds(work.question, work.n, work.networks, work.delta)
        return trial_seconds(work.question, work.n, work.networks, work.delta)

    def memory(self, work: Built) -> int:
        if isinstance(work.question, AttentionTheorem):
            rows = 1 + max(work.question.widths)
            return 2**28 + 24 * rows * max(work.n) * work.question.R
        if isinstance(work.question, ConvolutionTheorem):
            entries = max(work.question.widths) * work.question.side**2
            return 2**29 + 256 * (work.question.taps * weight_count(work.question.widths) + 16 * entries)
        return 2**28 + 256 * batch_weights(work.question.widths)

    def tabulate(
        self,
        request: Request[MainTheorem],
        passes: Sequence[Built],
        found: Sequence[Found],
        tabulated: Tabulate = one_by_one,
    ) -> tuple[list[Row], list[Row]]:
        options = _options(request)
        rows = [_row(options, work, counted) for work, counted in zip(passes, found, strict=True)]
        judged: Sequence[str | None] = [None] * len(rows)
        if options.n is None:  # else nothing is promised
            counts = [(row["certified"], row["undecided"], row["trials"]) for row in rows]
            judged = verdicts_with_undecided(counts, [1.0 - options.delta] * len(rows))
        return [
            {**row, "verdict": verdict, "seconds": round(counted.seconds, 3)}
            for row, verdict, counted in zip(rows, judged, found, strict=True)
        ], []

    def details(self, found: Sequence[Found]) -> list[dict[str, list[float]]]:
        """Certified ends of every trial's error, for each row."""
        both = [_errors(counted.records).tolist() for counted in found]
        return [{"lower": lower, "upper": upper} for lower, upper in both]

    def origin(self, request: Request[MainTheorem]) -> Row:
        return machine(_options(request).networks.device)

    def tables(self, result: Result) -> Iterator[tuple[Layout, Sequence[Mapping[str, Any]], str]]:
        params, rows = result.params, result.rows
        kernel, side = params.get("kernel"), params.get("side")
        of = f"{kernel} x {kernel} convolutions on {side} x {side}, " if kernel else ""
        if params.get("heads"):
            of = f"attention of {params['heads']} heads, tokens of norm {params['radius']:g}, "
        head = (
            f"{of}widths {' '.join(map(str, params['widths']))}, {rows[0]['statement']}, construction "
            f"{params['construction']}, sampler {params['sampler']}, {params['norm']} norm 1, {params['domain']} ball, "
            f"seed {params['seed']}"
        )
        counts = ("certified", "refuted", "undecided", "ci_low", "error_upper_max")
        columns = ("eps", "R", "n", "width_factor", *counts, *(("verdict",) if params["n"] is None else ()))
        headings = {"width_factor": "width x", "ci_low": "success, 95 %", "error_upper_max": "max error"}
        yield Layout("", columns, headings, head=head, tight=True), rows, _sentence(result)

    def text(self, row: Mapping[str, Any], key: str) -> str | None:
        if key == "n":
            low, high = min(row["n"]), max(row["n"])
            return compact(high) if low == high else f"{compact(low)}-{compact(high)}"
        if key in ("R", "width_factor", "certified", "refuted", "undecided"):
            return compact(row[key])
        if key == "eps":
            return f"{row['eps']:g}"
        return f"{row[key]:.3g}" if key == "error_upper_max" else None


def _options(request: Request[MainTheorem]) -> MainTheoremOptions:
    assert isinstance(request.options, MainTheoremOptions)
    return request.options


def _gives_sums(question: MainTheorem) -> bool:
    """Whether the statement's n is meant for sums of several products."""
    return isinstance(question, AttentionTheorem)


def _sentence(result: Result) -> str:
    """What was promised and how it stands, for people."""
    if result.params["n"] is not None:
        return "n given by hand: no promise, no verdict"
    promise = f"promised: error <= eps with probability >= {1.0 - result.params['delta']:g}"
    if any(row["verdict"] == UNDECIDED for row in result.rows):
        promise += "; undecided: it depends on the undecided trials (--check fails only what is refuted)"
    return promise


def _row(options: MainTheoremOptions, work: Built, found: Found) -> Row:
    widths, eps = work.question.widths, work.question.eps
    lower, upper = _errors(found.records).tolist()
    (certified, trials), (refuted, _) = found.counts
    undecided = trials - certified - refuted
    width_factor, param_factor = factors(work.question, work.n)
    return {
        **shape_of(work.question),
        "widths": list(widths),
        "eps": eps,
        "delta": options.delta,
        "R": work.question.R,
        "statement": work.question.statement if options.n is None else "given n",
        "construction": options.construction,
        "n": list(work.n),
        "width_factor": width_factor,
        "param_factor": param_factor,
        "trials": trials,
        "certified": certified,
        "refuted": refuted,
        "undecided": undecided,
        "success": certified / trials,
        "ci_low": clopper_pearson(certified, trials)[0],
        "ci_high": clopper_pearson(certified + undecided, trials)[1],
        "error_upper_median": median(upper),
        "error_upper_max": max(upper),
        "error_lower_median": median(lower),
        "error_lower_max": max(lower),
    }


def compact(value: float) -> str:
    """A number in at most seven characters.

    Examples
    --------
    >>> compact(4000), compact(1582904), compact(3.1658e6), compact(2.5)
    ('4000', '1.58e6', '3.17e6', '2.5')
    """
    if value < 10**5:
        return f"{value:.5g}"
    mantissa, exponent = f"{value:.3g}".split("e") if value >= 10**6 else f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


EXPERIMENT = MainTheoremExperiment()


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return experiment_command(EXPERIMENT, argv)


if __name__ == "__main__":
    sys.exit(main())
