"""Plans of sweeps: cells, chunks, and the replay of stored chunks.

A cell is what one pass over the trials counts (one R, eps and alpha with all n; for coverage one n with all eps); its
description is JSON text, so that any process can count a chunk of it from (description, seed, first trial, trials)
alone. Counting goes through the command's own counters, and a finished sweep is put together by the command's own code
from a counter that reads chunks instead of simulating: rows, verdicts and summaries cannot differ from the command's.
"""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.statistics.result import Result
from sims.statistics.trials import Counts, count_until
from sims.sweep.store import Chunk, StoreError

WHOLE = 2**63
"""A piece that no run exceeds: a replay is asked once for all its trials."""

Tick = Callable[[float], None]
ChunkCounter = Callable[[int, int, Tick], tuple[Counts, bytes]]
"""count(first, trials, tick): the counts of a chunk and what else its rows need; belongs to one thread."""


class Missing(Exception):
    """The trials first, ..., first + trials - 1 are not all stored."""

    def __init__(self, first: int, trials: int) -> None:
        super().__init__(first, trials)
        self.first, self.trials = first, trials


@dataclass(frozen=True)
class Plan:
    """A sweep: its validated options, and its cells as JSON text."""

    experiment: str
    options: Mapping[str, Any]
    cells: Sequence[str]

    @property
    def settings(self) -> dict[str, Any]:
        """All that the counts and the rows depend on."""
        free = ("jobs", "trials", "device")
        return {"experiment": self.experiment, **{k: v for k, v in self.options.items() if k not in free}}


@dataclass(frozen=True)
class Finished:
    """A sweep put together: the result, and how its command draws and shows it."""

    result: Result
    draw: Callable[[str], None]
    show: Callable[[], None]


class Replay:
    """A counting function that reads stored chunks; raises ``Missing`` where some are not there."""

    def __init__(self, chunks: Mapping[int, Chunk]) -> None:
        self.chunks = chunks

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

    def __call__(self, first: int, trials: int) -> Counts:
        """Successes, one count per row of the cell."""
        total: Counts = np.sum([chunk.counts for chunk in self.used(first, trials)], axis=0, dtype=np.int64)
        return total

    def demand(self, first: int, trials: int, until: float | None) -> tuple[int, int] | None:
        """The (first, trials) that the command would count next, or None if it would stop."""
        try:
            if until is None:
                self.used(first, trials)
            else:
                count_until(self, first, trials, until, piece=WHOLE, jobs=1)
        except Missing as missing:
            return missing.first, missing.trials
        return None


class Sweepable(ABC):
    """A command that can be swept."""

    name: str
    partial_by: str | None = None
    """The option whose values stand or fall as a whole in a partial export; None: every cell stands alone."""

    def restrict(self, plan: Plan, whole: Sequence[bool]) -> tuple[Plan, list[int]]:
        """The plan of what is finished, given which cells are, and the numbers of its cells."""
        options = dict(plan.options)
        keep = [number for number, is_whole in enumerate(whole) if is_whole]
        if self.partial_by is not None:
            of = [json.loads(text)[self.partial_by] for text in plan.cells]
            bad = {value for value, is_whole in zip(of, whole, strict=True) if not is_whole}
            options[self.partial_by] = [value for value in options[self.partial_by] if value not in bad]
            keep = [number for number in keep if of[number] not in bad]
        return Plan(plan.experiment, options, [plan.cells[number] for number in keep]), keep

    @abstractmethod
    def config(self) -> type[Any]:
        """The command's flags."""

    @abstractmethod
    def plan(self, flags: Any) -> Plan:
        """Validate the flags; raises UsageError or ValueError with one line, also where the memory would not do."""

    @abstractmethod
    def counter(self, cell: Mapping[str, Any], seed: int, jobs: int = 1) -> ChunkCounter:
        """How a thread counts chunks of a cell; ``jobs`` threads will do so."""

    @abstractmethod
    def finish(self, plan: Plan, replays: Sequence[Replay], seconds: float) -> Finished:
        """The command's result from stored chunks; raises Missing."""


def pieces(first: int, trials: int, chunk: int) -> list[tuple[int, int]]:
    """The trials cut at the multiples of ``chunk``, as (first, trials).

    Examples
    --------
    >>> pieces(5, 12, 8)
    [(5, 3), (8, 8), (16, 1)]
    """
    cuts = [first, *range((first // chunk + 1) * chunk, first + trials, chunk), first + trials]
    return [(a, b - a) for a, b in itertools.pairwise(cuts)]
