"""Sweeps' stores: look into them, merge them, export them.

    python -m sims.store info FILE                     what it holds, and how to go on
    python -m sims.store merge OUT IN [IN ...]         shards into one; may be repeated, may overlap
    python -m sims.store export FILE [--json] [--csv F] [--plot F] [--partial]

``export`` gives what the sweep's own command would have printed: the same rows, columns and verdicts.

Several processes of one machine may write into one store (SQLite in WAL mode). **Never put a store on a network file
system (NFS, Lustre, GPFS, SMB) that several machines write to**: WAL needs shared memory. There, give every job a
store of its own on local disk (``--shard``), copy it back, and merge.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tyro

from sims.commands import flags
from sims.commands.dispatch import Verb, dispatch
from sims.commands.experiment import check_outputs, deliver_result
from sims.commands.prediction import duration
from sims.finishing import Finishing
from sims.solver.memory import default_jobs
from sims.sweep.merge import merge
from sims.sweep.plan import Replay, check_settings, counted_by, piece_count, plan_of, sensible
from sims.sweep.store import Store, StoreError, files_of, holds_something


@dataclass(frozen=True)
class Info:
    """What a store holds."""

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.store info results.sqlite",)

    file: Annotated[flags.File, tyro.conf.Positional]
    """The store."""
    json: bool = False
    """Print JSON and nothing else."""


@dataclass(frozen=True)
class Merge:
    """Merge stores of one sweep. The inputs are not changed; merging again, or overlapping stores, adds nothing."""

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.store merge results.sqlite shards/part-*.sqlite",)

    out: Annotated[flags.File, tyro.conf.Positional]
    """The store that is to hold everything; made if there is none."""
    parts: Annotated[flags.Files, tyro.conf.Positional]
    """The stores to be read."""
    any_version: bool = False
    """Merge although several versions counted."""
    json: bool = False
    """Print JSON and nothing else."""


@dataclass(frozen=True)
class Export(flags.Output):
    """What the sweep's command would have printed: the same rows, columns and verdicts."""

    examples: ClassVar[tuple[str, ...]] = ("python -m sims.store export results.sqlite --csv results.csv",)

    file: Annotated[flags.File, tyro.conf.Positional] = ""
    """The store."""
    partial: bool = False
    """Export the finished cells of an unfinished sweep."""


def describe(store: Store) -> dict[str, Any]:
    """What a store holds, as data."""
    options, trials = store.header["options"], store.header["trials"]
    first, until = options["first_trial"], options.get("until")
    check_settings(store)
    with sensible(store):
        finished = [Replay(held).demand(first, trials, until) is None for held in store.every()]
    chunks, counted, seconds = store.done()
    return {
        "schema": "strong-tickets/sims.store.info/1",
        "file": store.path,
        "settings": store.header["settings"],
        "made": store.header["made"],
        "counted_by": list(store.writers),
        "trials": trials,
        "cells": len(store.cells),
        "finished_cells": sum(finished),
        "chunks": chunks,
        "chunks_in_all": sum(piece_count(first, trials, size) for _, size in store.cells) if until is None else None,
        "counted_trials": counted,
        "worker_seconds": seconds,
        "finished": all(finished),
    }


def _info(given: Info) -> int:
    with Store(given.file) as store:
        found = describe(store)
    if given.json:
        print(json.dumps(found, indent=1))
        return 0
    settings = found["settings"]
    print(f"{given.file}: a sweep of {settings['experiment']}, seed {settings['seed']}, {found['trials']} trials a row")
    for key, value in sorted(settings.items()):
        if key not in ("experiment", "seed") and value is not None:
            print(f"  {key} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    for one in found["counted_by"]:
        commit = "" if one["commit"] is None else f", commit {one['commit'][:12]}"
        where = "" if one["platform"] is None else f", on {one['platform']}, {one['cpu']}"
        print(f"  counted by version {one['version']}{commit}{where}")
    of = "" if found["chunks_in_all"] is None else f" of {found['chunks_in_all']}"
    print(f"{found['finished_cells']} of {found['cells']} cells are finished: {found['chunks']}{of} chunks, "
          f"{found['counted_trials']:.6g} trials, {duration(found['worker_seconds'])} of work")  # fmt: skip
    print("finished: python -m sims.store export reads it" if found["finished"] else "unfinished: --resume goes on")
    return 0


def _merge(given: Merge) -> int:
    if not given.parts:
        raise flags.UsageError("merge takes OUT IN [IN ...]")
    for part in given.parts:
        with Store(part) as store:
            check_settings(store)
    if holds_something(given.out):
        with Store(given.out) as store:
            describe(store)
    new, total = merge(given.out, given.parts, any_version=given.any_version)
    if given.json:
        print(
            json.dumps({"schema": "strong-tickets/sims.store.merge/1", "out": given.out, "new": new, "chunks": total})
        )
        return 0
    print(f"{given.out}: {new} new chunks, {total} in all")
    return 0


def _export(given: Export) -> int:
    with Store(given.file) as store:
        plan = plan_of(store)
        check_outputs(plan.experiment, plan.request, given, inputs=files_of(given.file))
        with sensible(store):
            found = plan.counted(store.every())
        seconds, writers = store.done()[2], store.writers
    missing = found.count(None)
    if missing and not given.partial:
        raise StoreError(
            f"{given.file}: {missing} of {len(found)} cells are unfinished; --resume the sweep, merge what is missing, "
            "or export with --partial"
        )
    if given.partial:
        plan, keep = plan.restrict([one is not None for one in found])
        found = [found[number] for number in keep]
    if not found:
        raise StoreError(f"{given.file}: no cell is finished yet")
    made = Finishing(default_jobs(), quiet=given.quiet or given.json)
    with sensible(store):
        result = counted_by(plan.result(found, seconds, made), writers)
    return deliver_result(plan.experiment, result, given)


VERBS = {"info": Verb(Info, _info), "merge": Verb(Merge, _merge), "export": Verb(Export, _export)}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return dispatch("python -m sims.store", VERBS, argv, about=flags.docstring(sys.modules[__name__]))


if __name__ == "__main__":
    sys.exit(main())
