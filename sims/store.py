"""The command ``python -m sims.store``: look into stores, merge them, export them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from sims.commands import cli
from sims.commands.output import check_files, deliver
from sims.sweep.store import Store, StoreError, merge


@dataclass(frozen=True)
class Info:
    """What a store holds."""

    file: Annotated[str, tyro.conf.Positional, cli.values("FILE")]
    """The store."""
    json: bool = False
    """Print JSON and nothing else."""


@dataclass(frozen=True)
class Merge:
    """Merge stores of one sweep. The inputs are not changed; merging again, or overlapping stores, adds nothing."""

    out: Annotated[str, tyro.conf.Positional, cli.values("OUT")]
    """The store that is to hold everything; made if there is none."""
    parts: Annotated[tuple[str, ...], tyro.conf.Positional, cli.values("IN [IN ...]")]
    """The stores to be read."""
    json: bool = False
    """Print JSON and nothing else."""


@dataclass(frozen=True)
class Export:
    """What the sweep's command would have printed: the same rows, columns and verdicts."""

    file: Annotated[str, tyro.conf.Positional, cli.values("FILE")]
    """The store."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows as CSV."""
    plot: Annotated[str | None, cli.values("FILE")] = None
    """Also draw the result (.png, .pdf or .svg)."""
    partial: bool = False
    """Export the finished cells of an unfinished sweep."""
    check: bool = False
    """Exit with 1 if a proved bound is refuted."""
    quiet: bool = False
    """No table."""


def _plan(store: Store) -> Any:
    from sims.sweep.kinds import SWEEPABLE
    from sims.sweep.plan import Plan

    experiment = store.header["settings"]["experiment"]
    if experiment not in SWEEPABLE:
        raise StoreError(f"{store.path} is a sweep of {experiment}, which this version does not know")
    options = {**store.header["options"], "trials": store.header["trials"]}
    return SWEEPABLE[experiment], Plan(experiment, options, [text for text, _ in store.cells])


def describe(store: Store) -> dict[str, Any]:
    """What a store holds, as data."""
    from sims.sweep.plan import Replay, pieces

    options, trials = store.header["options"], store.header["trials"]
    first, until = options["first_trial"], options.get("until")
    finished = [Replay(store.chunks(number)).demand(first, trials, until) is None for number in range(len(store.cells))]
    chunks, counted, seconds = store.done()
    return {
        "schema": "strong-tickets/sims.store.info/1",
        "file": store.path,
        "settings": store.header["settings"],
        "made": store.header["made"],
        "trials": trials,
        "cells": len(store.cells),
        "finished_cells": sum(finished),
        "chunks": chunks,
        "chunks_in_all": sum(len(pieces(first, trials, size)) for _, size in store.cells) if until is None else None,
        "counted_trials": counted,
        "worker_seconds": seconds,
        "finished": all(finished),
    }


def _info(flags: Info) -> int:
    from sims.sweep.cost import duration

    with Store(flags.file) as store:
        found = describe(store)
    if flags.json:
        print(json.dumps(found, indent=1))
        return 0
    settings = found["settings"]
    print(f"{flags.file}: a sweep of {settings['experiment']}, seed {settings['seed']}, {found['trials']} trials a row")
    for key, value in sorted(settings.items()):
        if key not in ("experiment", "seed") and value is not None:
            print(f"  {key} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    of = "" if found["chunks_in_all"] is None else f" of {found['chunks_in_all']}"
    print(f"{found['finished_cells']} of {found['cells']} cells are finished: {found['chunks']}{of} chunks, "
          f"{found['counted_trials']:.6g} trials, {duration(found['worker_seconds'])} of work")  # fmt: skip
    print("finished: python -m sims.store export reads it" if found["finished"] else "unfinished: --resume goes on")
    return 0


def _merge(flags: Merge) -> int:
    if not flags.parts:
        raise cli.UsageError("merge takes OUT IN [IN ...]")
    new, total = merge(flags.out, flags.parts)
    if flags.json:
        print(
            json.dumps({"schema": "strong-tickets/sims.store.merge/1", "out": flags.out, "new": new, "chunks": total})
        )
        return 0
    print(f"{flags.out}: {new} new chunks, {total} in all")
    return 0


def _export(flags: Export) -> int:
    from sims.sweep.plan import Missing, Replay

    with Store(flags.file) as store:
        sweepable, plan = _plan(store)
        check_files(flags, curves=len(plan.cells), settings_of="cells")
        replays = [Replay(store.chunks(number)) for number in range(len(plan.cells))]
        seconds = store.done()[2]
    first, trials, until = plan.options["first_trial"], plan.options["trials"], plan.options.get("until")
    whole = [replay.demand(first, trials, until) is None for replay in replays]
    if flags.partial:
        plan, keep = sweepable.restrict(plan, whole)
        replays = [replays[number] for number in keep]
    if not plan.cells:
        raise StoreError(f"{flags.file}: no cell is finished yet")
    try:
        finished = sweepable.finish(plan, replays, seconds)
    except Missing:
        missing = sum(not ok for ok in whole)
        raise StoreError(
            f"{flags.file}: {missing} of {len(whole)} cells are unfinished; --resume the sweep, merge what is missing, "
            "or export with --partial"
        ) from None
    return deliver(finished.result, flags, draw=finished.draw, show=finished.show)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    args = list(sys.argv[1:] if argv is None else argv)

    def work(_: Sequence[str] | None) -> int:
        verb = args[0] if args else None
        if verb in ("-h", "--help"):
            import sims.store

            print(f"usage: python -m sims.store {{info,merge,export}} ...\n\n{sims.store.__doc__}")
            return 0
        prog = f"python -m sims.store {verb}"
        if verb == "info":
            return _info(cli.parse(Info, args[1:], prog=prog))
        if verb == "merge":
            return _merge(cli.parse(Merge, args[1:], prog=prog))
        if verb == "export":
            return _export(cli.parse(Export, args[1:], prog=prog))
        raise cli.UsageError(f"the first word says what to do: info, merge or export; got {verb or 'nothing'}")

    return cli.run(work, argv)


__all__ = ["describe", "main"]
