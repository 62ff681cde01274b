"""Plans of sweeps: cells, chunks, and the replay of stored chunks.

A cell is a pass of an experiment as JSON text, so that any process can count a chunk of it from (text, seed, first
trial, trials) alone. A finished sweep is put together by the experiment's own code from a counter that reads chunks
instead of simulating: rows, verdicts and summaries cannot differ from the command's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sims.experiment import Counter, Experiment, Found, GridExperiment, Options, Request, count_pass
from sims.finishing import Finishing
from sims.registry import NAMES, experiment
from sims.statistics.result import Result
from sims.statistics.trials import Counts, count_until
from sims.sweep.store import PROGRAM, Chunk, Store, StoreError, Writer

WHOLE = 2**63
"""A piece that no run exceeds: a replay is asked once for all its trials."""

MAX_QUESTIONS = 10**6

_FREE = ("jobs", "trials", "device")
"""Parameters on which neither counts nor rows depend."""


class Missing(Exception):
    """The trials first, ..., first + trials - 1 are not all stored."""

    def __init__(self, first: int, trials: int) -> None:
        super().__init__(first, trials)
        self.first, self.trials = first, trials


@dataclass(frozen=True)
class Plan:
    """A sweep: what is asked of which experiment, and its passes."""

    experiment: Experiment[Any, Any]
    request: Request[Any]
    passes: tuple[Any, ...]

    @property
    def options(self) -> Options:
        """How it is simulated."""
        return self.request.options

    @cached_property
    def cells(self) -> list[str]:
        """The passes as JSON text."""
        return [json.dumps(self.experiment.encode(work)) for work in self.passes]

    @cached_property
    def costs(self) -> list[float]:
        """Seconds of a trial of each pass, by formula."""
        return list(map(self.experiment.cost, self.passes))

    @property
    def asked(self) -> list[tuple[Any, Sequence[int]]]:
        """Its questions, and the sizes of their rows."""
        return self.experiment.asked(self.request, self.passes)

    @cached_property
    def most_bytes(self) -> int:
        """Bytes of one worker, at most."""
        return max(map(self.experiment.memory, self.passes))

    @property
    def header(self) -> dict[str, Any]:
        """What a store is headed with: all that counts and rows depend on, and all parameters."""
        stored = self.experiment.stored(self.request)
        settings = {key: value for key, value in stored.items() if key not in _FREE}
        return {
            "settings": {"experiment": self.experiment.name, **settings},
            "options": stored,
            "trials": self.options.trials,
        }

    def restrict(self, finished: Sequence[bool]) -> tuple[Plan, list[int]]:
        """The plan of what is finished, given which passes are, and the numbers of its passes."""
        stored = self.experiment.stored(self.request)
        keep = [number for number, is_finished in enumerate(finished) if is_finished]
        whole = self.experiment.whole
        if whole is not None:
            of = [json.loads(text)[whole] for text in self.cells]
            bad = {value for value, is_finished in zip(of, finished, strict=True) if not is_finished}
            stored[whole] = [value for value in stored[whole] if value not in bad]
            keep = [number for number in keep if of[number] not in bad]
        request = self.experiment.restored(stored) if keep else self.request
        return Plan(self.experiment, request, tuple(self.passes[number] for number in keep)), keep

    def counted(self, stored: Iterable[Mapping[int, Chunk]]) -> list[Found | None]:
        """What each pass gave, from its stored chunks; None where some are missing."""
        found: list[Found | None] = []
        for chunks in stored:
            try:
                found.append(count_pass(Replay(chunks), self.options))
            except Missing:
                found.append(None)
        return found

    def result(self, found: Sequence[Found | None], seconds: float, made: Finishing | None = None) -> Result:
        """The experiment's result from what each pass gave; ``made``: how tables are made.

        Raises Missing: a pass gave nothing.
        """
        whole = [one for one in found if one is not None]
        if len(whole) < len(found):
            raise Missing(self.options.first_trial, self.options.trials)
        made = made or Finishing()
        return self.experiment.result(self.request, self.passes, whole, seconds=seconds, tabulated=made)


def plan_of(store: Store) -> Plan:
    """The plan that a store was made for, with the trials that it now stands for."""
    name = store.header["settings"]["experiment"]
    if name not in NAMES:
        raise StoreError(f"{store.path} is a sweep of {name}, which this version does not know")
    found = experiment(name)
    plain = type(found).passes is GridExperiment.passes  # a pass for each question, at all its sizes
    with sensible(store):
        options = store.header["options"]
        asked = math.prod(len(options[name]) for name in found.group if isinstance(options.get(name), list))
        if asked != len(store.cells) if plain else asked > MAX_QUESTIONS:  # before anything is made of each
            raise ValueError(f"{asked} questions in {len(store.cells)} cells")
        request = found.restored({**options, "trials": store.header["trials"]})
        plan = Plan(found, request, tuple(found.decode(json.loads(text)) for text, _ in store.cells))
        again = plan.header["options"]
        for key, value in options.items():
            if key not in _FREE and (key not in again or again[key] != value):
                raise ValueError(f"{key} {value!r}")
        pairs = zip(plan.cells, store.cells, strict=True)
        if any(made != text and json.loads(made) != json.loads(text) for made, (text, _) in pairs):
            raise ValueError("a cell is not what this experiment writes")
        sizes = request.options.n
        if plain and (
            [work.question for work in plan.passes] != list(request.questions)
            or (sizes is not None and any(work.sizes != sizes for work in plan.passes))
        ):
            raise ValueError("its cells are not those of its settings")
    return plan


def check_settings(store: Store) -> None:
    """Refuse settings that make no sense; those of an experiment that is not here are nobody's to judge."""
    try:
        experiment(store.header["settings"]["experiment"])
    except ValueError:
        return
    plan_of(store)


def counted_by(result: Result, writers: Sequence[Writer]) -> Result:
    """A result whose provenance names who counted; ``shown_by``: who made the rows of the counts."""
    shown = {name: result.provenance.get(name) for name in PROGRAM}
    if list(writers) == [shown]:
        return result
    own: dict[str, Any] = {}
    for name in PROGRAM:
        values = list(dict.fromkeys(one[name] for one in writers)) or [None]  # nobody knows who
        own[name] = values[0] if len(values) == 1 else " and ".join(map(str, values))
    own |= {"counted_by": list(writers), "shown_by": shown}
    return dataclasses.replace(result, provenance={**result.provenance, **own})


@contextlib.contextmanager
def sensible(store: Store) -> Iterator[None]:
    """While the block reads a store, whatever it stumbles on is said of the file: it may be anybody's."""
    try:
        yield
    except Missing:
        raise
    except StoreError as problem:
        named = str(problem).startswith(store.path)
        raise problem if named else StoreError(f"{store.path}: {problem}") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as problem:
        reason = " ".join(str(problem).split())[:160]
        raise StoreError(f"{store.path}: what it holds makes no sense ({type(problem).__name__}: {reason})") from None


class Replay(Counter):
    """Counts a pass by reading stored chunks; raises ``Missing`` where some are not there."""

    def __init__(self, chunks: Mapping[int, Chunk]) -> None:
        super().__init__(self._read, WHOLE)
        self.at_once = True
        self.chunks = chunks
        self.seconds = 0.0

    def used(self, first: int, trials: int) -> list[Chunk]:
        """The chunks that tile the trials."""
        found, at, end = [], first, first + trials
        while at < end:
            chunk = self.chunks.get(at)
            if chunk is None:
                raise Missing(first, trials)
            if at + chunk.trials > end:
                raise StoreError(f"a stored chunk reaches beyond trial {end}: it is of a longer run")
            found.append(chunk)
            at += chunk.trials
        return found

    def _read(self, first: int, trials: int) -> Counts:
        used = self.used(first, trials)
        self.records |= {chunk.first: chunk.extra for chunk in used}
        self.seconds = (self.seconds or 0.0) + sum(chunk.seconds for chunk in used)
        total: Counts = np.sum([chunk.counts for chunk in used], axis=0, dtype=np.int64)
        return total

    def demand(self, first: int, trials: int, until: float | None) -> tuple[int, int] | None:
        """The (first, trials) that the command would count next, or None if it would stop."""
        try:
            if until is None:
                self.used(first, trials)
            else:
                count_until(self, first, trials, until, piece=WHOLE, jobs=0)
        except Missing as missing:
            return missing.first, missing.trials
        return None


def pieces(first: int, trials: int, chunk: int) -> list[tuple[int, int]]:
    """The trials cut at the multiples of ``chunk``, as (first, trials).

    Examples
    --------
    >>> pieces(5, 12, 8)
    [(5, 3), (8, 8), (16, 1)]
    """
    cuts = [first, *range((first // chunk + 1) * chunk, first + trials, chunk), first + trials]
    return [(a, b - a) for a, b in itertools.pairwise(cuts)]


def piece_count(first: int, trials: int, chunk: int) -> int:
    """How many pieces these are.

    Examples
    --------
    >>> piece_count(5, 12, 8)
    3
    """
    return (first + trials - 1) // chunk - first // chunk + 1
