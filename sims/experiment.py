"""What simulates a question: one class per question, which says how it is counted, judged, shown, and what it costs.

The work of an experiment is cut into *passes*: a pass is what one run over the trials counts (one question at all its
sizes n, say). ``sims.run`` counts passes on threads, ``sims.sweep`` in chunks that a file keeps; the rows are made from
the counts by the same method. Experiments are found through ``sims.registry``.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from sims.band import Published, clamped, published_line
from sims.counting import Counter, Found, Pass, count_pass, half_sum_reach, judge, measured, sums_cost
from sims.options import (
    MAX_DRAWS,
    Options,
    Question,
    Request,
    Row,
    as_tuple,
    between,
    check_grid,
    default_sizes,
    fresh_seed,
    grid,
    plain,
    read_options,
    restored_options,
)
from sims.progress import Advance, silent
from sims.statistics.result import Result, provenance

__all__ = [
    "MAX_DRAWS",
    "Counter",
    "Experiment",
    "Found",
    "GridExperiment",
    "Layout",
    "Options",
    "Pass",
    "Request",
    "Row",
    "Table",
    "Tabulate",
    "as_tuple",
    "between",
    "check_grid",
    "count_pass",
    "default_sizes",
    "describe",
    "first_n",
    "fresh_seed",
    "grid",
    "half_sum_reach",
    "judge",
    "measured",
    "necessary",
    "one_by_one",
    "plain",
    "read_options",
    "restored_options",
    "rows_by",
    "seen_from",
    "suffices",
    "sums_cost",
]

Work = TypeVar("Work")


def seen_from(entry: Mapping[str, Any]) -> str:
    """What simulation says of the n that suffices, in words."""
    first = entry["first_n"]
    return "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"


def necessary(entry: Mapping[str, Any]) -> str:
    """The n below which the aim is proved to be missed, in words."""
    least = entry["necessary_n"]
    return f"n >= {least} is necessary (proved)" if least else "no n is proved necessary"


def suffices(entry: Mapping[str, Any]) -> str:
    """The n that is proved to suffice, in words."""
    enough = entry["required_n"]
    return "no n is proved to suffice" if enough is None else f"n = {enough} suffices (proved)"


@dataclass
class Table:
    """What the counts of some passes give, before it is judged.

    ``rows``, and the proved ``bands`` of their success probabilities; ``summary``: entries about them.
    """

    rows: list[Row] = field(default_factory=list)
    bands: list[tuple[float, float]] = field(default_factory=list)
    summary: list[Row] = field(default_factory=list)

    def add(self, row: Row, band: tuple[float, float]) -> None:
        """One more row."""
        self.rows.append(row)
        self.bands.append(band)

    def extend(self, other: Table) -> None:
        """All that another one has."""
        self.rows += other.rows
        self.bands += other.bands
        self.summary += other.summary


Tabulate = Callable[["Experiment[Any, Any]", Request[Any], Sequence[Any], Sequence[Found]], Iterable[Table]]
"""Makes the tables of all groups, in order."""


def one_by_one(
    asked: Experiment[Any, Any],
    request: Request[Any],
    passes: Sequence[Any],
    found: Sequence[Found],
    *,
    groups: Iterable[slice] | None = None,
    advance: Advance = silent,
) -> Iterator[Table]:
    """The tables of all ``groups``, one after another; ``advance`` is told of every pass."""
    for group in asked.groups(request, passes) if groups is None else groups:
        yield asked.table(request.options, passes[group], found[group])
        advance(group.stop - group.start, label="tables")


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

    ``name``: of its question, its command (``sims.NAME``) and its figure. ``question``: of `theory`. ``config``: the
    command's flags. ``options``: `Options` or a subclass with what else may be set. ``group``: columns that rows share
    with their summary entry. ``whole``: parameter whose values stand or fall as a whole where a sweep is unfinished;
    None: every pass stands alone. ``probe_seconds``: what a measurement of its cost should take at least.
    ``own_threads``: whether its counters use all threads in one call, as `Counter.own_threads` says.
    ``version``: of the layout of its results.
    """

    name: ClassVar[str]
    question: ClassVar[type[Any]]
    config: ClassVar[type[Any]]
    options: ClassVar[type[Options]] = Options
    group: ClassVar[tuple[str, ...]]
    whole: ClassVar[str | None] = None
    probe_seconds: ClassVar[float] = 0.06
    own_threads: ClassVar[bool] = False
    version: ClassVar[int] = 1

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

    def counter(self, question: Any, sizes: Sequence[int], seed: int, jobs: int = 1) -> Counter:
        """What counts one question at all its sizes, one count for each; raises as `counter_of` does."""
        raise NotImplementedError

    @abstractmethod
    def cost(self, work: Work) -> float:
        """Seconds per trial by formula, on a core like those of 2025; rough, and the same on every machine."""

    @abstractmethod
    def memory(self, work: Work) -> int:
        """Bytes of one worker's search and its values, about."""

    # -- results --

    def bounds(self, question: Any, n: int) -> tuple[tuple[float, float], Row]:
        """The proved band of a row, and the further columns in order; the prediction is never outside the band."""
        raise NotImplementedError

    def asked(self, request: Request[Question], passes: Sequence[Work]) -> list[tuple[Any, Sequence[int]]]:
        """The questions of the passes, and the sizes of their rows; empty where rows have no ``bounds``."""
        return []

    def needs(self, question: Any, delta: float) -> Row:
        """What is proved of the n that a question takes, and what else its summary says."""
        raise NotImplementedError

    def groups(self, request: Request[Question], passes: Sequence[Work]) -> Iterator[slice]:
        """The passes that are tabulated together, in order; all that a table says comes from its own passes."""
        return (slice(at, at + 1) for at in range(len(passes)))

    def table(self, options: Options, passes: Sequence[Work], found: Sequence[Found]) -> Table:
        """The rows and summary entries of one of the ``groups``."""
        raise NotImplementedError

    def tabulate(
        self,
        request: Request[Question],
        passes: Sequence[Work],
        found: Sequence[Found],
        tabulated: Tabulate = one_by_one,
    ) -> tuple[list[Row], list[Row]]:
        """The rows, judged together, and the summary entries; ``tabulated`` makes the tables of the groups."""
        whole = Table()
        for made in tabulated(self, request, passes, found):
            whole.extend(made)
        return judge(whole.rows, whole.bands, request.options), whole.summary

    def details(self, found: Sequence[Found]) -> Any:
        """What the figure needs beside the rows."""
        return None

    def curves(self, request: Request[Question]) -> int:
        """Curves that a picture of the result holds."""
        return len(request.questions)

    def layout(self, result: Result, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Layout:
        """How one summary entry's rows are shown."""
        raise NotImplementedError

    def sentence(self, entry: Mapping[str, Any]) -> str:
        """A summary entry for people."""
        raise NotImplementedError

    def tables(self, result: Result) -> Iterator[tuple[Layout, Sequence[Mapping[str, Any]], str]]:
        """What people are shown: tables with their rows, and below each its sentence and what is published."""
        rows_of = rows_by(result.rows, self.group)
        for entry in result.summary:
            rows = rows_of[tuple(entry[key] for key in self.group)]
            below = [self.sentence(entry), *map(published_line, entry.get("published", ()))]
            yield self.layout(result, entry, rows), rows, "\n".join(below)

    def text(self, row: Mapping[str, Any], key: str) -> str | None:
        """One cell for people, where it is not shown as such cells are everywhere."""
        return None

    def origin(self, request: Request[Question]) -> Row:
        """What a result's provenance says beyond the usual."""
        return {}

    # -- what all share --

    def simulate(
        self, request: Request[Question], *, passes: Sequence[Work] | None = None, advance: Advance = silent
    ) -> Result:
        """Count every pass and judge the rows; ``passes``: those of the request, if they are known already."""
        started = time.monotonic()
        passes = self.passes(request) if passes is None else passes
        found = self.count(request, passes, advance)
        return self.result(request, passes, found, seconds=time.monotonic() - started)

    def count(self, request: Request[Question], passes: Sequence[Work], advance: Advance = silent) -> list[Found]:
        """Count every pass."""
        options, found = request.options, []
        for one in passes:
            report = partial(advance, label=self.label(one))
            found.append(count_pass(self.counter_of(one, options.seed, options.jobs), options, report))
        return found

    def label(self, work: Work) -> str:
        """A pass for a progress bar."""
        return describe(self.encode(work))

    def result(
        self,
        request: Request[Question],
        passes: Sequence[Work],
        found: Sequence[Found],
        *,
        seconds: float,
        tabulated: Tabulate = one_by_one,
    ) -> Result:
        """The result of counted passes; ``tabulated``: as for ``tabulate``."""
        rows, summary = self.tabulate(request, passes, found, tabulated)
        options = request.options
        return Result(
            command=self.command,
            params=self.params(request),
            rows=rows,
            summary=summary,
            provenance=provenance(seed=options.seed, threads=options.jobs, seconds=seconds, **self.origin(request)),
            details=self.details(found),
            version=self.version,
        )


class GridExperiment(Experiment[Question, Pass[Any]]):
    """A question with parameters R, eps and alpha, of which one pass counts all sizes n.

    ``kind``: the question's parameter that names the model or the sampler; empty if it has none. ``further``:
    parameters of the question beyond R, eps, alpha and kind.
    """

    group: ClassVar[tuple[str, ...]] = ("R", "eps", "alpha")
    kind: ClassVar[str] = ""
    further: ClassVar[tuple[str, ...]] = ()

    def request(self, flags: Any) -> Request[Question]:
        shared = {name: getattr(flags, name) for name in (*self._kinds.values(), *self.further)}
        return Request(self._grid(vars(flags), shared), read_options(self.options, flags))

    @property
    def _kinds(self) -> dict[str, str]:
        """The column of the kind, by its name in stores; empty if the question has none."""
        return {"kind": self.kind} if self.kind else {}

    def _point(self, question: Any) -> Row:
        """A question's columns."""
        return {name: getattr(question, name) for name in (*self.group, *self._kinds.values())}

    def _grid(self, axes: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[Question, ...]:
        return grid(self.question, {name: axes[name] for name in self.group}, **shared)

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
        return Request(self._grid(stored, self._shared(stored)), restored_options(self.options, stored))

    def _shared(self, stored: Mapping[str, Any]) -> Row:
        """Kind and further parameters, as stores and passes name them."""
        kinds = {name: stored[key] for key, name in self._kinds.items()}
        return kinds | {name: stored[name] for name in self.further}

    def encode(self, work: Pass[Any]) -> Row:
        one = work.question
        keys = {name: name for name in self.group} | self._kinds | {name: name for name in self.further}
        return {**{key: getattr(one, name) for key, name in keys.items()}, "n": list(work.sizes)}

    def decode(self, cell: Mapping[str, Any]) -> Pass[Any]:
        point = {name: cell[name] for name in self.group}
        return Pass(self.question(**point, **self._shared(cell)), tuple(cell["n"]))

    def counter_of(self, work: Pass[Any], seed: int, jobs: int = 1) -> Counter:
        return self.counter(work.question, work.sizes, seed, jobs)

    def bounds(self, question: Any, n: int) -> tuple[tuple[float, float], Row]:
        low, high = question.success_lower(n), question.success_upper(n)
        return (low, high), {
            "lower_bound": low,
            "upper_bound": high,
            **clamped(question.success_prediction(n), low, high),
        }

    def asked(self, request: Request[Question], passes: Sequence[Pass[Any]]) -> list[tuple[Any, Sequence[int]]]:
        return [(work.question, work.sizes) for work in passes if isinstance(work.question, self.question)]

    def needs(self, question: Any, delta: float) -> Row:
        necessary = question.necessary_n(delta)
        try:
            return {"necessary_n": necessary, "required_n": question.required_n(delta)}
        except ValueError:  # a uniform alpha: blocks share it, so nothing is proved beyond the largest block
            return {"necessary_n": necessary, "required_n": None}

    def sentence(self, entry: Mapping[str, Any]) -> str:
        return f"For success >= {1.0 - entry['delta']:g}: {necessary(entry)}, {suffices(entry)}; {seen_from(entry)}."

    def published(self, question: Any, first: int | None) -> Sequence[Published]:
        """What papers state about the question; ``first``: the first simulated n that succeeds as asked."""
        return ()

    def table(self, options: Options, passes: Sequence[Pass[Any]], found: Sequence[Found]) -> Table:
        made = Table()
        for work, counted in zip(passes, found, strict=True):
            rows = []
            for n, count in zip(work.sizes, counted.counts, strict=True):
                band, columns = self.bounds(work.question, n)
                rows.append({"n": n, **self._point(work.question), **measured(count, options), **columns})
                made.add(rows[-1], band)
            first = first_n(rows, options.delta)
            entry = {**self._point(work.question), "delta": options.delta}
            entry |= {**self.needs(work.question, options.delta), "first_n": first}
            stated = [one.row() for one in self.published(work.question, first)]
            made.summary.append({**entry, "published": stated} if stated else entry)
        return made

    def layout(self, result: Result, entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Layout:
        row = rows[0]
        same = ("bound", "prediction") if "exact" in row else ()  # repeated in lower and exact
        hidden = {*self.group, *self._kinds.values(), "gain", "trials", "successes", "ci_high", *same}
        hidden |= {key for key in row if key.endswith("_clamped")}
        named = "".join(f", {name} = {entry[name]}" for name in self.group if name not in ("R", "eps"))
        kinds = "".join(f", {name} {entry[name]}" for name in self._kinds.values())
        eps = f", eps = {entry['eps']:g}" if "eps" in entry else ""
        return Layout(
            f"R = {entry['R']}{eps}{named}{kinds}",
            tuple(key for key in row if key not in hidden),
        )


def rows_by(rows: Iterable[Mapping[str, Any]], group: Sequence[str]) -> dict[tuple[Any, ...], list[Any]]:
    """The rows by their values of the columns that they share with a summary entry."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in group), []).append(row)
    return found


def first_n(rows: Iterable[Mapping[str, Any]], delta: float) -> int | None:
    """The first n whose interval lies at or above 1 - delta."""
    return min((row["n"] for row in rows if row["ci_low"] >= 1.0 - delta), default=None)


def describe(cell: Mapping[str, Any]) -> str:
    """An encoded pass for people.

    Examples
    --------
    >>> describe({"R": 1, "eps": 0.01, "alpha": 0.5, "n": [1, 2, 3], "kind": "choice"})
    'R=1 eps=0.01 alpha=0.5 choice n=1..3'
    """
    words = [f"R={cell['R']}"] if "R" in cell else []
    eps = cell.get("eps")
    if eps is not None:
        words.append(f"eps={','.join(f'{value:g}' for value in (eps if isinstance(eps, list) else [eps]))}")
    words += [f"{name}={cell[name]}" for name in ("alpha", "size", "grid", "tolerance", "move") if name in cell]
    words += [str(cell["kind"])] if "kind" in cell else []
    n = [cell["n"]] if isinstance(cell["n"], int) else sorted(set(cell["n"]))
    words.append(f"n={n[0]}" if len(n) == 1 else f"n={n[0]}..{n[-1]}")
    return " ".join(words)
