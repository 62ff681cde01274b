"""Counts what a sweep still lacks: hands out its chunks, and writes down what comes back."""

from __future__ import annotations

import dataclasses
import math
import time
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from sims.progress import Advance
from sims.sweep.cluster import TRIES, Pool, Stopped, Task
from sims.sweep.plan import Plan, Replay, piece_count, pieces, sensible
from sims.sweep.store import Chunk, Store

WRITE_EVERY = 0.2
"""Seconds of small chunks that are written together: each writing waits for the disk."""


@dataclass(slots=True)
class _Cell:
    """What is known of a cell while it is counted."""

    number: int
    chunk: int
    weight: float
    left: float
    stored: dict[int, Chunk]
    tasks: Iterator[tuple[int, int]]
    out: int = 0
    exhausted: bool = True


class Sweep:
    """Hands out chunks, and writes down what comes back.

    ``store``: open for writing. ``mine``: share i of k. ``left``: work that is left, in seconds by formula; at most, if
    rows may stop early. ``chunks_left``: in how many chunks, about.
    """

    def __init__(self, plan: Plan, store: Store, mine: tuple[int, int]) -> None:
        from importlib.metadata import version

        self.plan, self.store = plan, store
        self.part, self.parts = mine
        self.first, self.trials = plan.options.first_trial, plan.options.trials
        self.until, self.seed = plan.options.until, plan.options.seed
        self._version = version("strong-tickets")
        self._held: dict[int, dict[int, Chunk]] = {}
        """Chunks of cells that were begun."""
        self._fresh = array("q")
        """The cells that may lack something, the last one first, each behind the number of its first piece."""
        self._active: deque[_Cell] = deque()
        self._open_cells: dict[int, _Cell] = {}
        self.left = 0.0
        self.chunks_left = 0
        self.counted = 0
        start, fresh = 0, []
        for i, held in enumerate(store.every()):
            chunk = store.cells[i][1]
            pieces_before, start = start, start + piece_count(self.first, self.trials, chunk)
            left = self._left(i, held)
            if left:
                fresh.append((i, pieces_before))
                self.left += left
                whole = piece_count(self.first, self.trials, chunk) if self.until is None else 1
                self.chunks_left += -(-(whole - len(held)) // self.parts)
                if held:
                    self._held[i] = {at: dataclasses.replace(one, extra=b"") for at, one in held.items()}
        for i, before in reversed(fresh):
            self._fresh.extend((before, i))

    def _left(self, number: int, held: Mapping[int, Chunk]) -> float:
        """Seconds by formula that a cell may take; 0 if it is not ours, or is finished."""
        weight, chunk = self.plan.costs[number], self.store.cells[number][1]
        if self.until is not None:
            mine = number % self.parts == self.part
            return weight * max(1, self.trials - sum(one.trials for one in held.values())) if mine else 0.0
        todo = self.trials
        if held:
            todo = sum(size for at, size in pieces(self.first, self.trials, chunk) if not _has(held, at, size))
        return weight * todo / self.parts

    def _begin(self, advance: Advance) -> None:
        """Open the next cell."""
        number, before = self._fresh.pop(), self._fresh.pop()
        held = self._held.pop(number, {})
        chunk, weight = self.store.cells[number][1], self.plan.costs[number]
        cell = self._open_cells[number] = _Cell(number, chunk, weight, self._left(number, held), held, iter(()))
        if self.until is None:
            whole = pieces(self.first, self.trials, chunk)
            cell.tasks = iter([one for k, one in enumerate(whole, before) if k % self.parts == self.part])
        self._open(cell, advance)

    def _open(self, cell: _Cell, advance: Advance) -> None:
        """Find out what a cell needs next, if anything."""
        if self.until is not None:
            with sensible(self.store):
                demand = Replay(cell.stored).demand(self.first, self.trials, self.until)
            if demand is None:
                self._close(cell, advance)
                return
            cell.tasks = iter(pieces(*demand, cell.chunk))
        cell.exhausted = False
        self._active.append(cell)

    def _close(self, cell: _Cell, advance: Advance) -> None:
        """A cell has all that it needs of us."""
        advance(cell.left)
        self.left -= cell.left
        del self._open_cells[cell.number]

    def _next(self, advance: Advance) -> Task | None:
        """The next chunk that nobody has counted; None if there is none just now."""
        while self._active or self._fresh:
            if not self._active:
                self._begin(advance)
                continue
            cell = self._active[0]
            for at, size in cell.tasks:
                if not _has(cell.stored, at, size):
                    cell.out += 1
                    text = self.plan.cells[cell.number]
                    return Task(self.plan.experiment.name, cell.number, text, self.seed, at, size, self._version)
            self._active.popleft()
            cell.exhausted = True
            self._ask_again(cell, advance)
        return None

    def run(self, workers: Pool, advance: Advance) -> None:
        """Count all that is missing.

        Raises StoreError: the store cannot be written. Raises RuntimeError: a chunk failed again and again, or no more
        will come.
        """
        found: list[Chunk] = []
        try:
            self._count(workers, advance, found)
        finally:
            if found:
                self.store.add(found)

    def _count(self, workers: Pool, advance: Advance, found: list[Chunk]) -> None:
        """As `run`; ``found``: what is counted and not yet written, for `WRITE_EVERY` seconds at most."""
        pending: dict[Future[Chunk], tuple[Task, int]] = {}
        written = -math.inf
        while True:
            while len(pending) < workers.ahead * workers.workers():
                task = self._next(advance)
                if task is None:
                    break
                pending[workers.submit(task)] = task, 1
            if not pending:
                return
            for done in workers.wait(pending):
                task, tries = pending.pop(done)
                try:
                    found.append(done.result())
                except Stopped:
                    raise KeyboardInterrupt from None
                except BaseException as problem:
                    if not workers.lost(problem):
                        raise
                    if tries == TRIES:
                        raise RuntimeError(
                            f"the chunk from trial {task.first} of cell {task.number} was lost {TRIES} times: {problem}"
                        ) from None
                    pending[workers.submit(task)] = task, tries + 1
                else:
                    self._take(found[-1], advance)
            if found and time.monotonic() - written > WRITE_EVERY:
                ready = found.copy()
                found.clear()
                self.store.add(ready)
                written = time.monotonic()

    def _take(self, chunk: Chunk, advance: Advance) -> None:
        cell = self._open_cells[chunk.cell]
        cell.stored[chunk.first] = dataclasses.replace(chunk, extra=b"")
        cell.out -= 1
        self.counted += 1
        work = min(cell.left, cell.weight * chunk.trials)
        cell.left -= work
        self.left -= work
        advance(work, label=f"cell {chunk.cell + 1} of {len(self.plan.passes)}")
        self._ask_again(cell, advance)

    def _ask_again(self, cell: _Cell, advance: Advance) -> None:
        """Once all that a cell asked for is there, whichever comes last: with ``--until`` it may ask for more."""
        if not cell.exhausted or cell.out:
            return
        if self.until is None:
            self._close(cell, advance)
        else:
            self._open(cell, advance)


def _has(stored: Mapping[int, Chunk], at: int, size: int) -> bool:
    found = stored.get(at)
    return found is not None and found.trials >= size
