"""Tables from counts: bounds, intervals and summaries, group by group, in processes where that pays."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sims.experiment import Experiment, Table, one_by_one
from sims.options import Options, Request
from sims.progress import Advance, progress
from sims.registry import NAMES, experiment
from sims.workers import Lost, outcomes

WORTH_PROCESSES = 6.0
"""Seconds of work left from which processes are started: each takes about one to load what it needs."""

_FIRST = 1.0
_TOGETHER = 1.0
"""Seconds before the rest is judged, and of a piece that a process takes at a time."""


@dataclass(frozen=True)
class Finishing:
    """How tables are made, as `sims.experiment.Experiment.tabulate` wants it.

    ``jobs``: processes, where the first second says that the rest takes long. ``quiet``: without a progress bar.
    """

    jobs: int = 1
    quiet: bool = True

    def __call__(
        self, asked: Experiment[Any, Any], request: Request[Any], passes: Sequence[Any], found: Sequence[Any]
    ) -> Iterator[Table]:
        with progress(len(passes), quiet=self.quiet) as advance:
            yield from self._made(asked, request, passes, found, advance)

    def _made(
        self,
        asked: Experiment[Any, Any],
        request: Request[Any],
        passes: Sequence[Any],
        found: Sequence[Any],
        advance: Advance,
    ) -> Iterator[Table]:
        groups = list(asked.groups(request, passes))
        started, done, spent = time.monotonic(), 0, 0.0
        for group in groups:
            yield asked.table(request.options, passes[group], found[group])
            advance(group.stop - group.start, label="tables")
            done, spent = done + 1, time.monotonic() - started
            if spent > _FIRST:
                break
        rest, each = groups[done:], spent / max(1, done)
        if self.jobs == 1 or each * len(rest) < WORTH_PROCESSES or asked.name not in NAMES:
            yield from one_by_one(asked, request, passes, found, groups=rest, advance=advance)
            return
        size = max(1, min(round(_TOGETHER / each), len(rest) // (2 * self.jobs)))
        cut = [rest[at : at + size] for at in range(0, len(rest), size)]
        parts = _Parts(asked.name, request.options, passes, found, cut)
        yield from self._in_processes(parts, advance)

    def _in_processes(self, parts: _Parts, advance: Advance) -> Iterator[Table]:
        made: dict[int, list[Table]] = {}
        with contextlib.closing(outcomes(_tables, parts, jobs=self.jobs, prepare=_nothing)) as pieces:
            due = 0
            for number, answer in pieces:
                # what no process could do is done here, and says what is wrong with it
                made[number] = _tables(parts[number]) if isinstance(answer, Lost) else answer
                advance(sum(group.stop - group.start for group in parts.groups[number]), label="tables")
                while due in made:
                    yield from made.pop(due)
                    due += 1


@dataclass(frozen=True)
class _Parts(Sequence[Any]):
    """What each piece needs, put together when it is asked for."""

    name: str
    options: Options
    passes: Sequence[Any]
    found: Sequence[Any]
    groups: Sequence[Sequence[slice]]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: Any) -> Any:
        return self.name, self.options, [(self.passes[group], self.found[group]) for group in self.groups[number]]


def _tables(part: tuple[str, Options, list[tuple[Any, Any]]]) -> list[Table]:
    name, options, groups = part
    return [experiment(name).table(options, passes, found) for passes, found in groups]


def _nothing() -> None:
    pass
