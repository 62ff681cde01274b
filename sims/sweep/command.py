"""Sweeps that survive anything: a command's grid cut into chunks of trials, each written down as soon as it is counted.

    python -m sims.sweep subset_sum --R 1 2 5 --eps 1e-2 1e-3 --n 1:24 --trials 1e9 --store results.sqlite

takes every flag of ``sims.subset_sum`` (any other question as well, and main_theorem), prints what that command
would print, and may be killed at any moment: the same line with ``--resume`` goes on with what is left. The counts are
those of the command with the same seed, whoever counts them and however often it was interrupted. ``--dry-run`` says
what it will cost. A store holds one sweep; with another seed or other settings it is refused, except that ``--trials``
may grow. Stores must lie on a local disk (see ``python -m sims.store --help``).

On SLURM, as a job array: every job counts its share into a file of its own on the node's disk, and the files merge.
Shares may be numbered 0..K-1 or 1..K: share K of K is share 0. All jobs need the same ``--seed``. ``--jobs`` is the
job's number of cores unless it is given.

    #!/bin/bash
    #SBATCH --array=1-16 --cpus-per-task=8 --mem=4G --time=02:00:00
    kept=shards/$SLURM_ARRAY_TASK_ID.db; work=$(mktemp -d); trap 'rm -r "$work"' EXIT
    [ -f "$kept" ] && cp "$kept" "$work/shard.db"
    timeout -s INT 115m python -m sims.sweep subset_sum --eps 1e-6 --trials 1e10 --seed 1 --quiet \\
        --shard "$SLURM_ARRAY_TASK_ID/16" --store "$work/shard.db" --resume
    code=$?; cp "$work/shard.db" "$kept.new" && mv "$kept.new" "$kept"
    exit $code      # if the time was not enough: submit the same array again

    python -m sims.store merge results.sqlite shards/*.db    # once they are done
    python -m sims.store export results.sqlite --csv results.csv

With Dask (``--cluster``), see ``sims.sweep.cluster``.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sims.commands import cli, flags
from sims.commands.experiment import check_outputs, deliver_result
from sims.commands.interrupt import keeping
from sims.commands.prediction import WORTH_SAYING, Prediction, announce, duration, finishing_seconds
from sims.commands.prediction import plan as foresee_plan
from sims.experiment import Experiment
from sims.files import OWN, OutputFile
from sims.finishing import Finishing
from sims.plain_text import counted
from sims.progress import progress
from sims.registry import NAMES, experiment
from sims.solver.memory import available_bytes, readable
from sims.statistics.result import Result
from sims.sweep.cluster import check_where, pool
from sims.sweep.cost import CHUNK_HANDLING, chunk_trials, dry_run, predict, print_dry_run
from sims.sweep.count import Sweep
from sims.sweep.merge import ANY_VERSION, difference, other_version
from sims.sweep.plan import Plan, check_settings, counted_by, piece_count, sensible
from sims.sweep.store import MAX_CELLS, MAX_CHUNKS, PROGRAM, Store, StoreError, files_of, holds_something


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
        if given.chunk is None:  # of the store, whatever would be chosen today
            cells = [(text, size) for (text, _), (_, size) in zip(cells, store.cells, strict=False)]
        unlike = difference(store, header, cells)
        if unlike is not None:
            check_settings(store)  # what makes no sense is not of any sweep
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


def finish(plan: Plan, store: Store, made: Finishing | None = None) -> Result:
    """What the command would have found; ``made``: how tables are made.

    Raises Missing, or StoreError: what the store holds makes no sense.
    """
    with sensible(store):
        result = plan.result(plan.counted(store.every()), store.done()[2], made)
    return counted_by(result, store.writers)


def _work(experiment: Experiment[Any, Any], argv: Sequence[str]) -> int:
    given: Any = flags.parse(combined(experiment.config), argv, prog=f"python -m sims.sweep {experiment.name}")
    if getattr(given, "tail", False):
        raise flags.UsageError(f"--tail is for python -m sims.{experiment.name}: its samples are not counted in chunks")
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
    longest = given.max_time or math.inf
    passes, finishing = foresee_plan(experiment, request, max_time=longest, quiet=given.quiet or given.json)
    plan = Plan(experiment, request, tuple(passes))
    jobs, first, trials = plan.options.jobs, plan.options.first_trial, plan.options.trials
    sizes = list(map(chunk_trials, plan.costs))
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
        costs = predict(plan, jobs=jobs, chunks=sizes)
        if finishing is None:
            finishing = finishing_seconds(experiment, request)
        found = dry_run(plan, counts, costs, finishing=finishing, jobs=jobs, where=where)
        _print(found, given.json, print_dry_run)
        return 0
    store_files = (OutputFile("--store", path, OWN) for path in files_of(given.store))
    check_outputs(experiment, request, given, *store_files)
    silent = given.quiet or given.json

    def say(words: str) -> None:
        if not given.quiet:
            print(words, file=sys.stderr, flush=True)

    with contextlib.ExitStack() as stack, contextlib.ExitStack() as busy:
        if holds_something(given.store):
            store = stack.enter_context(open_store(given, plan, sizes))
            workers = busy.enter_context(pool(given.cluster, jobs, say))
        else:  # nothing is made before a scheduler answers
            workers = busy.enter_context(pool(given.cluster, jobs, say))
            store = stack.enter_context(open_store(given, plan, sizes))
        sweep = Sweep(plan, store, mine)
        total = _chunks(plan, [size for _, size in store.cells])
        left = _left(plan, sweep, sizes, jobs, finishing)
        announce(left, max_time=longest, quiet=given.quiet)
        if not silent:
            size = ", ".join([counted(len(plan.cells), "cell"), counted(total, "chunk")])
            print(f"seed {plan.options.seed}, {counted(trials, 'trial')} a row, {size}, {store.done()[0]} of them done",
                  flush=True)  # fmt: skip

        def kept() -> str:
            done = store.done()[0]
            return f"{done} of {total} chunks are in {given.store}: the same command with --resume goes on"

        try:
            with keeping(kept), busy, progress(sweep.left, quiet=silent) as advance:
                sweep.run(workers, advance)
        except RuntimeError as problem:
            raise StoreError(f"{problem}; --resume goes on with {given.store}") from None
        if mine[1] > 1:
            return _share_done(store, sweep, given, mine, total)
        with keeping(kept):
            result = finish(plan, store, Finishing(jobs, quiet=silent))
    return deliver_result(experiment, result, given)


def _left(plan: Plan, sweep: Sweep, sizes: Sequence[int], jobs: int, finishing: float | None) -> Prediction:
    """What is left of a sweep: by formula, by a probe where that says seconds; and the rows, unless it is a share."""
    seconds = sweep.left
    if seconds / jobs > WORTH_SAYING / 10:
        seconds *= math.fsum(predict(plan, jobs=jobs, chunks=sizes)) / (plan.options.trials * math.fsum(plan.costs))
    seconds = max(seconds / jobs, sweep.chunks_left * CHUNK_HANDLING)
    if sweep.parts == 1:
        seconds += finishing_seconds(plan.experiment, plan.request) if finishing is None else finishing
    return Prediction(seconds, 0, plan.options.until is not None)


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
    each = plan.most_bytes
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
