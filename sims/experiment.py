"""What simulates a question: one class per question, which says how it is counted, judged, shown, and what it costs.

The work of an experiment is cut into *passes*: a pass is what one run over the trials counts (one question at all its
sizes n, say). ``sims.run`` counts passes on threads, ``sims.sweep`` in chunks that a file keeps; the rows are made from
the counts by the same method. Experiments are found through ``sims.registry``.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

from sims.progress import Advance, silent
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED, MAX_TRIAL
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from sims.statistics.result import Result, provenance
from sims.statistics.trials import Count, Counts, count_trials, count_until
from sims.statistics.verdict import verdicts
from theory.numerics import check

MAX_TRIALS = 10**12
MAX_DRAWS = 10**12
"""Largest R that is simulated."""

MIN_EPS = 2.0**-40
"""Draws stand on a grid of 2^-52; a window narrower than this would feel it."""

Alpha = float | Literal["uniform"]
Row = dict[str, Any]
Question = TypeVar("Question")
Work = TypeVar("Work")


def fresh_seed() -> int:
    """A seed from the operating system, in [0, 2^53) so that JSON readers keep it exact."""
    return int.from_bytes(os.urandom(7), "little") >> 3


def between(name: str, value: Any, low: int, high: int) -> int:
    """An integer in [low, high]; a float with an integral value (1e5) is one.

    Raises
    ------
    ValueError
        One line with the name and the value.
    """
    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer in [{low}, {high}], got {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must be an integer in [{low}, {high}], got {value}")
    return number


def check_grid(eps: float) -> None:
    """Refuse an eps so small that the grid of the draws would show in the result."""
    if eps < MIN_EPS:
        raise ValueError(f"eps must be at least 2^-40 = {MIN_EPS:.3g} for draws on a grid of 2^-52, got eps={eps:g}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a question is simulated; the counts depend on the seed and the trials alone.

    Attributes
    ----------
    n : tuple of int or None
        Numbers of variables, each in [1, 10^6]; an int, a range or any iterable is taken. None: from 1 to two past the
        first whose predicted success is at least 1 - delta; where those are more than 60, 31 of them.
    delta : float
        Failure probability in (0, 1) that the summary asks for.
    trials : int
        Trials per row, in [1, 10^12].
    until : float or None
        Stop a row as soon as its 95 % confidence sequence is narrower than this, in (0, 1).
    seed : int
        In [0, 2^64); a fresh one by default.
    first_trial : int
        Number of the first trial: runs that cover the trials in parts add up to the same counts.
    jobs : int
        Threads, in [1, 4096]; all available cores by default.
    """

    n: tuple[int, ...] | None = None
    delta: float = 0.01
    trials: int = 10**5
    until: float | None = None
    seed: int = field(default_factory=fresh_seed)
    first_trial: int = 0
    jobs: int = field(default_factory=default_jobs)

    max_n: ClassVar[int] = 10**6
    distinct_n: ClassVar[bool] = True
    max_trials: ClassVar[int] = MAX_TRIALS

    def __post_init__(self) -> None:
        changed: dict[str, Any] = {
            "delta": check.open_probability("delta", self.delta),
            "trials": between("trials", self.trials, 1, self.max_trials),
            "seed": between("seed", self.seed, 0, MAX_SEED),
            "first_trial": between("first_trial", self.first_trial, 0, MAX_TRIAL - MAX_TRIALS),
            "jobs": between("jobs", self.jobs, 1, 4096),
        }
        if self.n is not None:
            given: Iterable[Any] = self.n if isinstance(self.n, Iterable) else (self.n,)
            changed["n"] = tuple(between("n", n, 1, self.max_n) for n in given)
            if (self.distinct_n and len(set(changed["n"])) < len(changed["n"])) or not changed["n"]:
                raise ValueError(f"n needs at least one value and none twice, got {list(changed['n'])}")
        if self.until is not None and not 0.0 < self.until < 1.0:
            raise ValueError(f"until must be in (0, 1), got {self.until}")
        for name, value in changed.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Request(Generic[Question]):
    """What is asked for: questions of one kind, and how they are simulated."""

    questions: tuple[Question, ...]
    options: Options

    def axis(self, name: str) -> tuple[Any, ...]:
        """The values of one parameter, in the order of the questions."""
        return tuple(dict.fromkeys(getattr(question, name) for question in self.questions))


@dataclass(frozen=True)
class Pass(Generic[Question]):
    """One question at all its sizes: a run over the trials gives one count for each of them."""

    question: Question
    sizes: tuple[int, ...]


class Counter:
    """Counts the successes among the trials of a pass, from any thread.

    Parameters
    ----------
    count : callable
        count(first, trials): one count per row of the pass.
    piece : int
        Trials that one call should take.
    """

    def __init__(self, count: Count, piece: int) -> None:
        self._count, self.piece = count, max(1, piece)
        self.own_threads = False
        """Whether one call uses all threads, so that calls follow one another."""
        self.records: dict[int, bytes] = {}
        """What else the rows need, by first trial."""
        self.seconds: float | None = None
        """What counting took, where that is known from elsewhere."""

    def __call__(self, first: int, trials: int) -> Counts:
        return self._count(first, trials)

    def piece_of(self, trials: int) -> int:
        """Trials that one call should take, of that many in all."""
        return self.piece

    def chunk(self, first: int, trials: int, tick: Callable[[float], None]) -> tuple[Counts, bytes]:
        """Count on the calling thread alone; the counts and what else the rows need."""
        self.records = {}
        counts = count_trials(self, first, trials, piece=self.piece_of(trials), jobs=1, advance=tick)
        return counts, b"".join(self.recorded())

    def recorded(self) -> list[bytes]:
        """The records in the order of their trials."""
        return [self.records[first] for first in sorted(self.records)]


@dataclass(frozen=True)
class Found:
    """What a pass gave: (successes, trials) of each of its rows, the records, and the seconds that it took."""

    counts: list[tuple[int, int]]
    records: list[bytes]
    seconds: float


def count_pass(counter: Counter, options: Options, advance: Callable[[float], None] = silent) -> Found:
    """Count all trials of a pass, or as many as ``options.until`` asks for."""
    started = time.monotonic()
    first, trials, piece = options.first_trial, options.trials, counter.piece_of(options.trials)
    jobs = 1 if counter.own_threads else options.jobs
    if options.until is None:
        totals = count_trials(counter, first, trials, piece=piece, jobs=jobs, advance=advance)
        counts = [(successes, trials) for successes in totals.tolist()]
    else:
        counts = count_until(counter, first, trials, options.until, piece=piece, jobs=jobs, advance=advance)
    spent = time.monotonic() - started if counter.seconds is None else counter.seconds
    return Found(counts, counter.recorded(), spent)


def measured(count: tuple[int, int], options: Options) -> Row:
    """The columns of a count: trials, successes, their share and its 95 % interval."""
    successes, trials = count
    low, high = (clopper_pearson if options.until is None else confidence_sequence)(successes, trials)
    return {
        "trials": trials,
        "successes": successes,
        "success": successes / trials,
        "ci_low": low,
        "ci_high": high,
    }


def judge(rows: Sequence[Row], bands: Sequence[tuple[float, float]], options: Options) -> list[Row]:
    """The rows with their verdicts, judged together."""
    counts = [(row["successes"], row["trials"]) for row in rows]
    judged = verdicts(counts, bands, anytime=options.until is not None)
    return [{**row, "verdict": verdict} for row, verdict in zip(rows, judged, strict=True)]


def seen_from(entry: Mapping[str, Any]) -> str:
    """What simulation says of the n that suffices, in words."""
    first = entry["first_n"]
    return "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"


@dataclass(frozen=True)
class Layout:
    """How the rows of one summary entry are shown."""

    title: str
    columns: tuple[str, ...]
    headings: Mapping[str, str] = field(default_factory=dict)
    tight: bool = False
    note: str = ""
    head: str = ""


class Experiment(ABC, Generic[Question, Work]):
    """How one kind of question is simulated.

    Attributes
    ----------
    name : str
        Of its question, its command (``sims.NAME``) and its figure.
    question : type
        Of `theory`.
    config : type
        The command's flags.
    options : type
        `Options` or a subclass with what else may be set.
    group : tuple of str
        Columns that rows share with their summary entry.
    whole : str or None
        Parameter whose values stand or fall as a whole where a sweep is unfinished; None: every pass stands alone.
    probe_seconds : float
        What a measurement of its cost should take at least.
    """

    name: ClassVar[str]
    question: ClassVar[type[Any]]
    config: ClassVar[type[Any]]
    options: ClassVar[type[Options]] = Options
    group: ClassVar[tuple[str, ...]]
    whole: ClassVar[str | None] = None
    probe_seconds: ClassVar[float] = 0.06

    @property
    def command(self) -> str:
        """The module that is its command."""
        return f"sims.{self.name}"

    # -- from flags and files --

    @abstractmethod
    def request(self, flags: Any) -> Request[Question]:
        """What a command line asks for; raises ValueError with one line."""

    @abstractmethod
    def passes(self, request: Request[Question]) -> list[Work]:
        """The work, every pass checked: raises ValueError if one does not fit into memory."""

    @abstractmethod
    def params(self, request: Request[Question]) -> Row:
        """The parameters as a result names them."""

    def stored(self, request: Request[Question]) -> Row:
        """The parameters as a sweep's store keeps them, JSON values only."""
        return self.params(request)

    @abstractmethod
    def restored(self, stored: Mapping[str, Any]) -> Request[Question]:
        """The request that a store keeps."""

    @abstractmethod
    def encode(self, work: Work) -> Row:
        """A pass as JSON values, from which any process can count it."""

    @abstractmethod
    def decode(self, cell: Mapping[str, Any]) -> Work:
        """The pass of such a description."""

    # -- counting --

    @abstractmethod
    def counter_of(self, work: Work, seed: int, jobs: int = 1) -> Counter:
        """What counts a pass; ``jobs`` threads will call it. Raises ValueError if it does not fit into memory."""

    @abstractmethod
    def cost(self, work: Work) -> float:
        """Seconds per trial by formula, on a core like those of 2025; rough, and the same on every machine."""

    @abstractmethod
    def memory(self, work: Work) -> int:
        """Bytes of one worker's search and its values, about."""

    # -- results --

    @abstractmethod
    def tabulate(
        self, request: Request[Question], passes: Sequence[Work], found: Sequence[Found]
    ) -> tuple[list[Row], list[Row]]:
        """The rows, judged together, and the summary entries."""

    def details(self, found: Sequence[Found]) -> Any:
        """What the figure needs beside the rows."""
        return None

    def curves(self, request: Request[Question]) -> int:
        """Curves that a picture of the result holds."""
        return len(request.questions)

    def layout(self, result: Result, entry: Mapping[str, Any]) -> Layout:
        """How one summary entry's rows are shown."""
        raise NotImplementedError

    def sentence(self, entry: Mapping[str, Any]) -> str:
        """A summary entry for people."""
        raise NotImplementedError

    def tables(self, result: Result) -> Iterator[tuple[Layout, Sequence[Mapping[str, Any]], str]]:
        """What people are shown: tables with their rows, and the sentence below each."""
        for entry in result.summary:
            yield self.layout(result, entry), rows_of(result.rows, entry, self.group), self.sentence(entry)

    def text(self, row: Mapping[str, Any], key: str) -> str | None:
        """One cell for people, where it is not shown as such cells are everywhere."""
        return None

    def origin(self, request: Request[Question]) -> Row:
        """What a result's provenance says beyond the usual."""
        return {}

    # -- what all share --

    def simulate(self, request: Request[Question], *, advance: Advance = silent) -> Result:
        """Count every pass and judge the rows."""
        started = time.monotonic()
        work, options = self.passes(request), request.options
        found = []
        for one in work:
            report = partial(advance, label=self.label(one))
            found.append(count_pass(self.counter_of(one, options.seed, options.jobs), options, report))
        return self.result(request, work, found, seconds=time.monotonic() - started)

    def label(self, work: Work) -> str:
        """A pass for a progress bar."""
        return describe(self.encode(work))

    def result(
        self, request: Request[Question], passes: Sequence[Work], found: Sequence[Found], *, seconds: float
    ) -> Result:
        """The result of counted passes."""
        rows, summary = self.tabulate(request, passes, found)
        options = request.options
        return Result(
            command=self.command,
            params=self.params(request),
            rows=rows,
            summary=summary,
            provenance=provenance(seed=options.seed, threads=options.jobs, seconds=seconds, **self.origin(request)),
            details=self.details(found),
        )


class GridExperiment(Experiment[Question, Pass[Any]]):
    """A question with parameters R, eps and alpha, of which one pass counts all sizes n.

    Attributes
    ----------
    kind : str
        The question's parameter that names the model or the sampler; empty if it has none.
    further : tuple of str
        Parameters of the question beyond R, eps, alpha and kind.
    """

    group: ClassVar[tuple[str, ...]] = ("R", "eps", "alpha")
    kind: ClassVar[str] = ""
    further: ClassVar[tuple[str, ...]] = ()

    def request(self, flags: Any) -> Request[Question]:
        shared = {name: getattr(flags, name) for name in (*self._kinds.values(), *self.further)}
        return Request(self._grid(flags.R, flags.eps, flags.alpha, shared), read_options(self.options, flags))

    @property
    def _kinds(self) -> dict[str, str]:
        """The column of the kind, by its name in stores; empty if the question has none."""
        return {"kind": self.kind} if self.kind else {}

    def _point(self, question: Any) -> Row:
        """A question's columns."""
        return {name: getattr(question, name) for name in (*self.group, *self._kinds.values())}

    def _grid(
        self, R: Sequence[int], eps: Sequence[float], alpha: Sequence[Alpha], shared: Mapping[str, Any]
    ) -> tuple[Question, ...]:
        for value in R:
            between("R", value, 1, MAX_DRAWS)
        return tuple(self.question(R=r, eps=e, alpha=a, **shared) for r, e, a in itertools.product(R, eps, alpha))

    def passes(self, request: Request[Question]) -> list[Pass[Any]]:
        options, result = request.options, []
        for question in request.questions:
            sizes = options.n or default_sizes(self.predicted_n(question, options.delta) + 2)
            self.counter(question, sizes, options.seed, options.jobs)
            result.append(Pass(question, sizes))
        return result

    def predicted_n(self, question: Any, delta: float) -> int:
        """Smallest n whose predicted success is at least 1 - delta."""
        return int(question.predicted_n(delta))

    def params(self, request: Request[Question]) -> Row:
        axes = {name: request.axis(name) for name in self.group}
        kinds = {name: request.axis(name)[0] for name in self._kinds.values()}
        return {**axes, **dataclasses.asdict(request.options), **kinds}

    def stored(self, request: Request[Question]) -> Row:
        found = self.params(request)
        found |= {key: found.pop(name) for key, name in self._kinds.items()}
        return {**plain(found), **{name: request.axis(name)[0] for name in self.further}}

    def restored(self, stored: Mapping[str, Any]) -> Request[Question]:
        shared = {name: stored[key] for key, name in self._kinds.items()} | {
            name: stored[name] for name in self.further
        }
        questions = self._grid(stored["R"], stored["eps"], stored["alpha"], shared)
        return Request(questions, restored_options(self.options, stored))

    def encode(self, work: Pass[Any]) -> Row:
        one = work.question
        found = {name: getattr(one, name) for name in self.group} | {
            key: getattr(one, name) for key, name in self._kinds.items()
        }
        return {**found, **{name: getattr(one, name) for name in self.further}, "n": list(work.sizes)}

    def decode(self, cell: Mapping[str, Any]) -> Pass[Any]:
        point = {name: cell[name] for name in (*self.group, *self.further)} | {
            name: cell[key] for key, name in self._kinds.items()
        }
        return Pass(self.question(**point), tuple(cell["n"]))

    def counter_of(self, work: Pass[Any], seed: int, jobs: int = 1) -> Counter:
        return self.counter(work.question, work.sizes, seed, jobs)

    @abstractmethod
    def counter(self, question: Any, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """What counts one question at all its sizes."""

    @abstractmethod
    def bounds(self, question: Any, n: int) -> tuple[tuple[float, float], Row]:
        """The proved band of a row, and the further columns in order."""

    @abstractmethod
    def needs(self, question: Any, delta: float) -> Row:
        """Necessary and sufficient n of a question, and what else its summary says."""

    def tabulate(
        self, request: Request[Question], passes: Sequence[Pass[Any]], found: Sequence[Found]
    ) -> tuple[list[Row], list[Row]]:
        rows, bands = [], []
        for work, counted in zip(passes, found, strict=True):
            for n, count in zip(work.sizes, counted.counts, strict=True):
                band, columns = self.bounds(work.question, n)
                bands.append(band)
                rows.append({"n": n, **self._point(work.question), **measured(count, request.options), **columns})
        rows = judge(rows, bands, request.options)
        delta = request.options.delta
        summary = []
        for work in passes:
            entry = {**self._point(work.question), "delta": delta}
            first = first_n(rows_of(rows, entry, self.group), delta)
            summary.append({**entry, **self.needs(work.question, delta), "first_n": first})
        return rows, summary

    def layout(self, result: Result, entry: Mapping[str, Any]) -> Layout:
        row = rows_of(result.rows, entry, self.group)[0]
        same = ("bound", "prediction") if "exact" in row else ()  # repeated in lower and exact
        hidden = (*self.group, *self._kinds.values(), "gain", "trials", "successes", "ci_high", *same)
        kinds = "".join(f", {name} {entry[name]}" for name in self._kinds.values())
        return Layout(
            f"R = {entry['R']}, eps = {entry['eps']:g}, alpha = {entry['alpha']}{kinds}",
            tuple(key for key in row if key not in hidden),
        )


def rows_of(rows: Iterable[Mapping[str, Any]], entry: Mapping[str, Any], group: Sequence[str]) -> list[Any]:
    """The rows that a summary entry is about."""
    return [row for row in rows if all(row[key] == entry[key] for key in group)]


def first_n(rows: Iterable[Mapping[str, Any]], delta: float) -> int | None:
    """The first n whose interval lies at or above 1 - delta."""
    return min((row["n"] for row in rows if row["ci_low"] >= 1.0 - delta), default=None)


def default_sizes(last: int) -> tuple[int, ...]:
    """1, ..., last, or 31 of them if they are many.

    Examples
    --------
    >>> default_sizes(4), default_sizes(3001)[:3], default_sizes(3001)[-1]
    ((1, 2, 3, 4), (1, 101, 201), 3001)
    """
    if last <= 60:
        return tuple(range(1, last + 1))
    return tuple(1 + (last - 1) * i // 30 for i in range(31))


def read_options(options: type[Options], flags: Any) -> Options:
    """The options among a command's flags; what is None there takes its default."""
    names = [one.name for one in dataclasses.fields(options)]
    given = {name: getattr(flags, name, None) for name in names}
    return options(**{name: value for name, value in given.items() if value is not None})


def restored_options(options: type[Options], stored: Mapping[str, Any]) -> Options:
    """The options among stored parameters."""
    names = [one.name for one in dataclasses.fields(options)]
    return options(**{name: as_tuple(stored[name]) for name in names if name in stored})


def plain(values: Mapping[str, Any]) -> Row:
    """A mapping as JSON would give it back."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def as_tuple(value: Any) -> Any:
    """A list as a tuple, all else as it is."""
    return tuple(value) if isinstance(value, list) else value


def describe(cell: Mapping[str, Any]) -> str:
    """An encoded pass for people.

    Examples
    --------
    >>> describe({"R": 1, "eps": 0.01, "alpha": 0.5, "n": [1, 2, 3], "kind": "choice"})
    'R=1 eps=0.01 alpha=0.5 choice n=1..3'
    """
    words = [f"R={cell['R']}"] if "R" in cell else []
    eps = cell.get("eps", ())
    words.append(f"eps={eps:g}" if not isinstance(eps, list) else f"eps={','.join(f'{value:g}' for value in eps)}")
    words += [f"alpha={cell['alpha']}"] if "alpha" in cell else []
    words += [str(cell["kind"])] if "kind" in cell else []
    n = [cell["n"]] if isinstance(cell["n"], int) else sorted(set(cell["n"]))
    words.append(f"n={n[0]}" if len(n) == 1 else f"n={n[0]}..{n[-1]}")
    return " ".join(words)


def sums_cost(draws: float, sums: float) -> float:
    """Seconds of a trial that makes ``draws`` values and looks at ``sums`` half sums, by formula."""
    return 4e-8 + 3e-9 * draws + 1.2e-9 * min(sums, 1e300)


def half_sum_reach(n: int, eps: float, base: int) -> float:
    """Variables until a sum within eps is likely: no more are looked at."""
    return min(n, math.log(1.0 / eps) / math.log(base) + 3)
