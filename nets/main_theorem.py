"""The main theorem, end to end: random target, random source of depth 2l, pruning, certificate, again and again.

``python -m nets.main_theorem --widths 4 8 3 --eps 0.1 --delta 0.1 --R 4000`` draws random targets of depth l, builds
for each trial the random source network of depth 2l that the chosen statement asks for (re-sampling included), prunes
it, certifies the error of the pruned network and reports how often it is at most eps, against the promised 1 - delta.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar, Literal

import numpy as np

from nets.construction.trials import Networks, Trials, batch_size
from nets.device import machine, resolve_device
from sims.commands import flags
from sims.commands.experiment import experiment_command
from sims.experiment import (
    MAX_DRAWS,
    Counter,
    Experiment,
    Found,
    Layout,
    Options,
    Request,
    Row,
    as_tuple,
    between,
    plain,
    read_options,
)
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result
from sims.statistics.trials import Counts
from sims.statistics.verdict import verdicts
from theory.network import MainTheorem


@dataclass(frozen=True)
class Config(flags.Output):
    """How often does the random network of depth 2l that the theorem asks for contain the target?

    Prints for every eps and R the width that the statement asks for, the share of trials in which the certified error
    of the pruned network is at most eps, and a verdict against 1 - delta.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.main_theorem --widths 4 8 3 --eps 0.1 --delta 0.1 --R 4000",
        "python -m nets.main_theorem --widths 2 2 --n 8 --R 1 --construction subset-sum --trials 20",
        "python -m nets.main_theorem --widths 16 32 32 8 --R 1e6 --trials 1e4 --seed 1 --check",
    )

    widths: flags.Counts = (4, 8, 3)
    """Widths d_0, ..., d_l of the target."""
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
    statement: Literal["ours", "recalled", "repaired"] = "ours"
    """ours: proved here. recalled: the published theorem as we recall it. repaired: the recalled form, with a proof."""
    n: flags.OptionalCounts = None
    """Candidates per input coordinate and sign, one number or one per target layer. Default: what the statement
    asks for."""
    construction: Literal["window", "best", "subset-sum"] = "window"
    """window: the proof's choice. best: the neuron and draws nearest to the weight. subset-sum: a sum of several."""
    sampler: Literal["draws", "nearest"] = "nearest"
    """draws: every draw is made. nearest: the nearest of R draws by its exact law, R up to 1e12."""
    norm: Literal["frobenius", "spectral"] = "frobenius"
    """Which norm of every target layer is 1."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificates run."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""


@dataclass(frozen=True, kw_only=True)
class MainTheoremOptions(Options):
    """`Options`, and how the networks are made.

    Attributes
    ----------
    n : tuple of int or None
        Candidates per input coordinate and sign, one number or one per target layer. None: what the statement asks
        for.
    targets, construction, sampler, device
        See `nets.construction.trials.Networks`.
    """

    delta: float = 0.1
    trials: int = 200
    targets: int = 8
    construction: str = "window"
    sampler: str = "nearest"
    device: str = "cpu"

    max_n: ClassVar[int] = 10**12
    distinct_n: ClassVar[bool] = False
    max_trials: ClassVar[int] = 10**9

    def __post_init__(self) -> None:
        super().__post_init__()
        between("targets", self.targets, 1, 10**6)
        for name, known in (
            ("construction", ("window", "best", "subset-sum")),
            ("sampler", ("draws", "nearest")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.until is not None:
            raise ValueError("until is not offered here: every trial builds a network")
        if self.construction == "subset-sum":
            if self.n is None:
                raise ValueError("construction subset-sum needs n: no statement with known constants gives it")
            object.__setattr__(self, "sampler", "draws")

    @property
    def networks(self) -> Networks:
        """How the networks are made."""
        return Networks(self.targets, self.construction, self.sampler, resolve_device(self.device))


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
        self._eps, self._widths = work.question.eps, work.question.widths
        self._trials = Trials(work.question, work.n, work.networks, seed, jobs)

    def piece_of(self, trials: int) -> int:
        return batch_size(self._widths, trials)

    def _certified(self, first: int, trials: int) -> Counts:
        errors = self._trials.errors(first, trials).numpy()
        self.records[first] = errors.astype("<f8").tobytes()
        return np.array([(errors[1] <= self._eps).sum(), (errors[0] > self._eps).sum()], np.int64)

    def recorded(self) -> list[bytes]:
        """All errors as one record: the lower ends, then the upper ones."""
        return [_errors(super().recorded()).astype("<f8").tobytes()]


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

    @property
    def command(self) -> str:
        return "nets.main_theorem"

    def request(self, given: Config) -> Request[MainTheorem]:
        options = read_options(MainTheoremOptions, given)
        return Request(_grid(given.widths, given.eps, given.R, given.statement, given.norm, given.domain), options)

    def passes(self, request: Request[MainTheorem]) -> list[Built]:
        options = _options(request)
        layers = len(request.questions[0].widths) - 1
        if options.n is not None and len(options.n) not in (1, layers):
            raise ValueError(f"n takes one number or {layers}, one per target layer, got {len(options.n)}")
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
            "device": options.networks.device,
            "jobs": options.jobs,
        }

    def stored(self, request: Request[MainTheorem]) -> Row:
        return plain(self.params(request))

    def restored(self, stored: Mapping[str, Any]) -> Request[MainTheorem]:
        names = {one.name for one in dataclasses.fields(MainTheoremOptions)}
        options = MainTheoremOptions(**{key: as_tuple(stored[key]) for key in names & stored.keys()})
        axes = (stored[key] for key in ("widths", "eps", "R", "statement", "norm", "domain"))
        return Request(_grid(*axes), options)

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
            **made,
        }

    def decode(self, cell: Mapping[str, Any]) -> Built:
        asked = {name: as_tuple(cell[name]) for name in ("widths", "eps", "R", "statement", "norm", "domain")}
        made = Networks(**{one.name: cell[one.name] for one in dataclasses.fields(Networks)})
        return Built(MainTheorem(**asked), tuple(cell["n"]), made, cell["delta"], cell["first_trial"])

    def counter_of(self, work: Built, seed: int, jobs: int = 1) -> Counter:
        return MainTheoremCounter(work, seed, jobs)

    def cost(self, work: Built) -> float:
        drawn = max(work.n) * (work.question.R if work.networks.sampler == "draws" else 1)
        return 2e-3 + _weights(work.question) * (2e-5 + 2e-8 * drawn)

    def memory(self, work: Built) -> int:
        return 2**28 + 64 * _weights(work.question) * 2**10

    def tabulate(
        self, request: Request[MainTheorem], passes: Sequence[Built], found: Sequence[Found]
    ) -> tuple[list[Row], list[Row]]:
        options = _options(request)
        rows = [_row(options, work, counted) for work, counted in zip(passes, found, strict=True)]
        # refuted only if success >= 1 - delta is excluded with the undecided counted in favour
        counts = [(row["successes"] + row["undecided"], row["trials"]) for row in rows]
        judged = verdicts(counts, [(1.0 - options.delta, 1.0)] * len(rows))
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
        head = (
            f"widths {' '.join(map(str, params['widths']))}, {rows[0]['statement']}, construction "
            f"{params['construction']}, sampler {params['sampler']}, {params['norm']} norm 1, {params['domain']} ball, "
            f"seed {params['seed']}"
        )
        columns = ("eps", "R", "n", "width_factor", "trials", "success", "ci_low", "error_upper_max", "verdict")
        headings = {"width_factor": "width x", "success": "success", "error_upper_max": "max error"}
        undecided = sum(row["undecided"] for row in rows)
        promise = f"promised: error <= eps with probability >= {1.0 - params['delta']:g}"
        sentence = f"{promise}; {undecided} of {sum(row['trials'] for row in rows)} trials undecided"
        yield Layout("", columns, headings, head=head), rows, sentence

    def text(self, row: Mapping[str, Any], key: str) -> str | None:
        if key == "n":
            low, high = min(row["n"]), max(row["n"])
            return compact(high) if low == high else f"{compact(low)}-{compact(high)}"
        if key in ("R", "width_factor", "trials"):
            return compact(row[key])
        if key == "eps":
            return f"{row['eps']:g}"
        return f"{row[key]:.3g}" if key == "error_upper_max" else None


def _grid(
    widths: Sequence[int], eps: Sequence[float], R: Sequence[int], statement: Any, norm: Any, domain: Any
) -> tuple[MainTheorem, ...]:
    for value in R:
        between("R", value, 1, MAX_DRAWS)
    for width in widths:
        between("widths", width, 1, 10**6)
    shared = {"widths": tuple(widths), "statement": statement, "norm": norm, "domain": domain}
    return tuple(MainTheorem(eps=e, R=r, **shared) for e in eps for r in R)


def _options(request: Request[MainTheorem]) -> MainTheoremOptions:
    assert isinstance(request.options, MainTheoremOptions)
    return request.options


def _weights(question: MainTheorem) -> int:
    return sum(a * b for a, b in itertools.pairwise(question.widths))


def _row(options: MainTheoremOptions, work: Built, found: Found) -> Row:
    widths, eps = work.question.widths, work.question.eps
    lower, upper = _errors(found.records).tolist()
    (successes, trials), (refuted, _) = found.counts
    undecided = trials - successes - refuted
    source = [2 * a * count for a, count in zip(widths, work.n, strict=False)]
    parameters = sum(d * (a + b) for d, (a, b) in zip(source, itertools.pairwise(widths), strict=True))
    return {
        "widths": list(widths),
        "eps": eps,
        "delta": options.delta,
        "R": work.question.R,
        "statement": work.question.statement if options.n is None else "given n",
        "construction": options.construction,
        "n": list(work.n),
        "width_factor": max(d / a for d, a in zip(source, widths, strict=False)),
        "param_factor": parameters / _weights(work.question),
        "trials": trials,
        "successes": successes,
        "refuted": refuted,
        "undecided": undecided,
        "success": successes / trials,
        "ci_low": clopper_pearson(successes, trials)[0],
        "ci_high": clopper_pearson(successes + undecided, trials)[1],
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
