"""Sweeps that survive anything: a command's grid cut into chunks of trials, each written down as soon as it is counted.

    python -m sims.sweep subset_sum --R 1 2 5 --eps 1e-2 1e-3 --n 1:24 --trials 1e9 --store results.sqlite

takes every flag of ``sims.subset_sum`` (or single_weight, coverage, recycling, main_theorem), prints what that command
would print, and may be killed at any moment: the same line with ``--resume`` goes on with what is left. The counts are
those of the command with the same seed, whoever counts them and however often it was interrupted. ``--dry-run`` says
what it will cost. A store holds one sweep; with another seed or other settings it is refused, except that ``--trials``
may grow. Stores must lie on a local disk (see ``python -m sims.store --help``).

On SLURM, as a job array: every job counts its share into a file of its own on the node's disk, and the files merge.
Shares may be numbered 0..K-1 or 1..K: share K of K is share 0. All jobs need the same ``--seed``.

    #!/bin/bash
    #SBATCH --array=0-15 --cpus-per-task=8 --time=02:00:00 --requeue
    part=shards/part-$SLURM_ARRAY_TASK_ID.sqlite; mine=$SLURM_TMPDIR/part.sqlite
    [ -f $part ] && cp $part $mine
    timeout -s INT 115m python -m sims.sweep subset_sum --eps 1e-6 --trials 1e10 --seed 1 --quiet \\
        --shard $SLURM_ARRAY_TASK_ID/16 --store $mine --resume --jobs $SLURM_CPUS_PER_TASK
    cp $mine $part      # also when the time was not enough: submit the same array again

    python -m sims.store merge results.sqlite shards/part-*.sqlite    # once they are done
    python -m sims.store export results.sqlite --csv results.csv

With Dask (``--cluster``), see ``sims.sweep.cluster``.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import dataclasses
import itertools
import json
import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sims.commands import cli, flags
from sims.commands.experiment import check_outputs, deliver_result
from sims.commands.interrupt import keeping
from sims.commands.prediction import Prediction, announce, duration
from sims.commands.prediction import plan as foresee_plan
from sims.experiment import Experiment
from sims.files import OWN, OutputFile
from sims.plain_text import counted
from sims.progress import Advance, progress
from sims.registry import NAMES, experiment
from sims.solver.memory import available_bytes, readable
from sims.statistics.result import Result
from sims.sweep.cluster import TRIES, Pool, Stopped, Task, check_where, pool
from sims.sweep.cost import chunk_trials, dry_run, predict, print_dry_run
from sims.sweep.merge import ANY_VERSION, difference, other_version
from sims.sweep.plan import Plan, Replay, check_settings, counted_by, piece_count, pieces, sensible
from sims.sweep.store import MAX_CELLS, MAX_CHUNKS, PROGRAM, Chunk, Store, StoreError, files_of, holds_something


@dataclass(frozen=True)
class SweepFlags:
    """What a sweep adds to the flags of its command."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.sweep subset_sum --R 1 2 5 --eps 1e-2 1e-3 --trials 1e9 --seed 1 --store results.sqlite",
        "python -m sims.sweep subset_sum --eps 1e-6 --trials 1e8 --dry-run",
        "python -m sims.store export results.sqlite --csv results.csv",
    )

    store: flags.OptionalFile = None
    """SQLite file that keeps every finished chunk, on a local disk."""
    resume: bool = False
    """Go on with the store, if it exists. Its seed is used if none is given."""
    shard: flags.Shard = None
    """Count only the I-th of K shares, I from 0 to K-1 or from 1 to K (share K is share 0). With --until, shares are
    whole cells."""
    cluster: flags.Cluster = None
    """Count in Dask workers: --jobs processes of this machine, or those of a scheduler. Default: --jobs threads."""
    chunk: flags.OptionalInteger = None
    """Trials per chunk. Default: about a second's worth."""
    any_version: bool = False
    """Go on with a store into which another version counted."""
    dry_run: bool = False
    """Only say what would be done, and what it would take in time and memory on this machine."""


def combined(config: type[Any]) -> type[Any]:
    """A command's flags together with those of a sweep."""
    named: dict[str, Any] = {"__doc__": flags.docstring(config), "__annotations__": {}, "examples": SweepFlags.examples}
    made = type(config.__name__ + "Sweep", (config, SweepFlags), named)
    return dataclass(frozen=True)(made)


@dataclass
class _Cell:
    """What is known of a cell while the sweep runs."""

    number: int
    chunk: int
    weight: float
    stored: dict[int, Chunk]
    tasks: Iterator[tuple[int, int]] = field(default_factory=lambda: iter(()))
    out: int = 0
    exhausted: bool = True
    left: float = 0.0


class Sweep:
    """Hands out chunks, and writes down what comes back.

    ``store``: open for writing. ``mine``: share i of k.
    """

    def __init__(self, plan: Plan, store: Store, mine: tuple[int, int]) -> None:
        from importlib.metadata import version

        self.plan, self.store = plan, store
        self.part, self.parts = mine
        self.first, self.trials = plan.options.first_trial, plan.options.trials
        self.until, self.seed = plan.options.until, plan.options.seed
        self._version = version("strong-tickets")
        self._cells = []
        numbers = itertools.count()
        for i, (_, chunk) in enumerate(store.cells):
            kept = {at: dataclasses.replace(one, extra=b"") for at, one in store.chunks(i).items()}
            cell = _Cell(i, chunk, plan.experiment.cost(plan.passes[i]), kept)
            self._cells.append(cell)
            if self.until is None:
                start = next(numbers)
                whole = pieces(self.first, self.trials, chunk)
                numbers = itertools.count(start + len(whole))
                cell.tasks = iter([one for k, one in enumerate(whole, start) if k % self.parts == self.part])
                todo = [size for at, size in pieces(self.first, self.trials, chunk) if not self._has(cell, at, size)]
                cell.left = cell.weight * sum(todo) / self.parts
            elif i % self.parts == self.part:
                cell.left = cell.weight * max(0, self.trials - sum(one.trials for one in kept.values()))
        self._active: deque[_Cell] = deque()
        self._fresh = deque(cell for cell in self._cells if self.until is None or cell.number % self.parts == self.part)
        self.counted = 0

    @property
    def left(self) -> float:
        """Work that is left, in seconds by formula; at most, if rows may stop early."""
        return sum(cell.left for cell in self._cells)

    def _has(self, cell: _Cell, at: int, size: int) -> bool:
        found = cell.stored.get(at)
        return found is not None and found.trials >= size

    def _open(self, cell: _Cell, advance: Advance) -> None:
        """Find out what a cell needs next, if anything."""
        if self.until is not None:
            with sensible(self.store):
                demand = Replay(cell.stored).demand(self.first, self.trials, self.until)
            if demand is None:
                advance(cell.left)
                cell.left = 0.0
                return
            cell.tasks = iter(pieces(*demand, cell.chunk))
        cell.exhausted = False
        self._active.append(cell)

    def _next(self, advance: Advance) -> Task | None:
        """The next chunk that nobody has counted; None if there is none just now."""
        while self._active or self._fresh:
            if not self._active:
                self._open(self._fresh.popleft(), advance)
                continue
            cell = self._active[0]
            for at, size in cell.tasks:
                if not self._has(cell, at, size):
                    cell.out += 1
                    text = self.plan.cells[cell.number]
                    return Task(self.plan.experiment.name, cell.number, text, self.seed, at, size, self._version)
            self._active.popleft()
            cell.exhausted = True
            self._ask_again(cell, advance)
        return None

    def run(self, workers: Pool, advance: Advance) -> None:
        """Count all that is missing.

        Raises StoreError: the store cannot be written. Raises RuntimeError: a chunk failed again and again.
        """
        pending: dict[Future[Chunk], tuple[Task, int]] = {}
        while True:
            while len(pending) < 2 * workers.workers():
                task = self._next(advance)
                if task is None:
                    break
                pending[workers.submit(task)] = task, 1
            if not pending:
                return
            found: list[Chunk] = []
            for done in wait(pending, return_when=FIRST_COMPLETED).done:
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
            self.store.add(found)
            for chunk in found:
                self._take(chunk, advance)

    def _take(self, chunk: Chunk, advance: Advance) -> None:
        cell = self._cells[chunk.cell]
        cell.stored[chunk.first] = dataclasses.replace(chunk, extra=b"")
        cell.out -= 1
        self.counted += 1
        work = min(cell.left, cell.weight * chunk.trials)
        cell.left -= work
        advance(work, label=f"cell {chunk.cell + 1} of {len(self._cells)}")
        self._ask_again(cell, advance)

    def _ask_again(self, cell: _Cell, advance: Advance) -> None:
        """With ``--until``: once all that a cell asked for is there, whichever comes last, it may ask for more."""
        if cell.exhausted and not cell.out and self.until is not None:
            self._open(cell, advance)


def open_store(given: Any, plan: Plan, sizes: Sequence[int]) -> Store:
    """The store of a sweep: made, or found to be of this very sweep."""
    from sims.statistics.result import provenance

    if not given.resume and holds_something(given.store):
        raise StoreError(f"--store {given.store} exists; --resume goes on with it")
    made = provenance(seed=plan.options.seed, threads=plan.options.jobs, seconds=0.0)
    header = {**plan.header, "made": made}
    cells = list(zip(plan.cells, sizes, strict=True))
    store = Store(given.store, create=(header, cells))
    try:
        check_settings(store)
        if given.chunk is None:  # of the store, whatever would be chosen today
            cells = [(text, size) for (text, _), (_, size) in zip(cells, store.cells, strict=False)]
        unlike = difference(store, header, cells)
        if unlike is not None:
            raise StoreError(f"--store {given.store} is of another sweep: {unlike}")
        if plan.options.trials < store.header["trials"]:
            raise StoreError(
                f"--store {given.store} is after {store.header['trials']} trials a row: --trials may only grow, "
                f"got {plan.options.trials}"
            )
        me = {name: made[name] for name in PROGRAM}
        mixed = other_version(store, me)
        if mixed is not None and not given.any_version:
            raise StoreError(f"--store {given.store}: {mixed}; {ANY_VERSION}")
        store.note(plan.options.trials, me)
    except BaseException:
        store.close()
        raise
    return store


def finish(plan: Plan, store: Store) -> Result:
    """What the command would have found.

    Raises Missing, or StoreError: what the store holds makes no sense.
    """
    with sensible(store):
        result = plan.result([Replay(store.chunks(number)) for number in range(len(plan.cells))], store.done()[2])
    return counted_by(result, store.writers)


def _work(experiment: Experiment[Any, Any], argv: Sequence[str]) -> int:
    given: Any = flags.parse(combined(experiment.config), argv, prog=f"python -m sims.sweep {experiment.name}")
    mine = given.shard or (0, 1)
    check_where(given.cluster)
    if getattr(given, "cache", None) is not None:
        raise flags.UsageError("--cache is for single questions: a sweep's --store keeps all that was counted")
    if given.store is None and not given.dry_run:
        raise flags.UsageError("--store FILE is needed: it keeps what is finished")
    if given.seed is None and given.resume and holds_something(given.store or ""):
        with Store(given.store) as old:
            given = dataclasses.replace(given, seed=old.header["options"]["seed"])
    if given.seed is None and given.shard is not None and not given.dry_run:
        raise flags.UsageError("--shard needs --seed: all shares must have the same")
    request = experiment.request(given)
    passes = foresee_plan(experiment, request, max_time=given.max_time, quiet=given.quiet)
    plan = Plan(experiment, request, tuple(passes))
    jobs, first, trials = plan.options.jobs, plan.options.first_trial, plan.options.trials
    sizes = [chunk_trials(experiment.cost(work)) for work in plan.passes]
    if given.chunk is not None:
        sizes = [flags.between("--chunk", given.chunk, 1, 10**12)] * len(sizes)
    total = _chunks(plan, sizes)
    if len(sizes) > MAX_CELLS:
        raise flags.UsageError(f"{len(sizes)} cells are too many, the limit is {MAX_CELLS}: make several sweeps")
    if total > MAX_CHUNKS:
        raise flags.UsageError(f"{total} chunks are too many, the limit is {MAX_CHUNKS}: raise --chunk")
    _check_memory(plan, jobs, given.cluster)
    where = {None: f"{jobs} thread{'s' if jobs > 1 else ''}", "local": f"{jobs} processes"}.get(
        given.cluster, f"{jobs} workers like this machine's"
    )
    if given.dry_run:
        counts = [piece_count(first, trials, size) for size in sizes]
        found = dry_run(plan, counts, predict(plan, jobs=jobs, chunks=sizes), jobs=jobs, where=where)
        _print(found, given.json, print_dry_run)
        return 0
    store_files = (OutputFile("--store", path, OWN) for path in files_of(given.store))
    check_outputs(experiment, request, given, *store_files)
    silent = given.quiet or given.json
    with open_store(given, plan, sizes) as store:
        sweep = Sweep(plan, store, mine)
        total = _chunks(plan, [size for _, size in store.cells])
        left = Prediction(sweep.left / jobs, 0, plan.options.until is not None)
        announce(left, max_time=given.max_time or math.inf, quiet=given.quiet)
        if not silent:
            size = ", ".join([counted(len(plan.cells), "cell"), counted(total, "chunk")])
            print(f"seed {plan.options.seed}, {counted(trials, 'trial')} a row, {size}, {store.done()[0]} of them done",
                  flush=True)  # fmt: skip

        def kept() -> str:
            done = store.done()[0]
            return f"{done} of {total} chunks are in {given.store}: the same command with --resume goes on"

        try:
            with keeping(kept), pool(given.cluster, jobs) as workers, progress(sweep.left, quiet=silent) as advance:
                sweep.run(workers, advance)
        except RuntimeError as problem:
            raise StoreError(f"{problem}; --resume goes on with {given.store}") from None
        if mine[1] > 1:
            return _share_done(store, sweep, given, mine, total)
        result = finish(plan, store)
    return deliver_result(experiment, result, given)


def _chunks(plan: Plan, sizes: Sequence[int]) -> int:
    """Chunks in all; with --until, where rows may stop and looks cut further, about."""
    first, trials = plan.options.first_trial, plan.options.trials
    return sum(-(-(first % size + trials) // size) for size in sizes)


def _share_done(store: Store, sweep: Sweep, given: Any, mine: tuple[int, int], total: int) -> int:
    done, _, seconds = store.done()
    found = {
        "schema": "strong-tickets/sims.sweep.shard/1", "store": given.store, "seed": sweep.seed,
        "shard": mine[0], "shards": mine[1], "chunks": done, "counted_now": sweep.counted, "worker_seconds": seconds,
    }  # fmt: skip

    def show(_: Any) -> None:
        print(f"share {mine[0]} of {mine[1]} is done: {done} of {total} chunks, {duration(seconds)} of work; "
              "merge the shares with python -m sims.store merge")  # fmt: skip

    if not given.quiet or given.json:
        _print(found, given.json, show)
    return 0


def _print(found: Any, as_json: bool, show: Any) -> None:
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


def _check_memory(plan: Plan, jobs: int, where: str | None) -> None:
    """Refuse processes that do not fit, before they start; the solvers have refused what threads cannot hold."""
    each = max(plan.experiment.memory(work) for work in plan.passes)
    needed = jobs * (each + 250 * 2**20) if where == "local" else jobs * each
    if where in (None, "local") and needed > available_bytes():
        raise flags.UsageError(
            f"--jobs {jobs} needs {readable(needed)} of memory, {readable(available_bytes())} are available"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    args = list(sys.argv[1:] if argv is None else argv)

    def work(_: Sequence[str] | None) -> int:
        names = "|".join(NAMES)
        if args and args[0] in ("-h", "--help"):
            about = flags.docstring(sys.modules[__name__])
            print(f"usage: python -m sims.sweep {{{names}}} --store FILE [flags of that command]\n\n{about}")
            flags.print_examples(SweepFlags.examples)
            return 0
        if args and args[0] == "--version":
            flags.parse(SweepFlags, args, prog="python -m sims.sweep")
        if not args or args[0].replace("-", "_") not in NAMES:
            got = args[0] if args else "nothing"
            raise flags.UsageError(f"the first word says what to sweep: {names}; got {got} (see --help)")
        return _work(experiment(args[0].replace("-", "_")), args[1:])

    return cli.run(work, argv)
