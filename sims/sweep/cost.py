"""What a sweep will cost: a formula for every cell, set right by a short probe of this machine.

The formula is rough (about a factor of 3) and never depends on the machine: it decides how many trials make a chunk.
The probe counts a few trials of each cell, on as many threads as will be used, and measures the ratio to the formula.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sims.commands.prediction import duration
from sims.experiment import describe
from sims.plain_text import counted
from sims.progress import silent
from sims.solver.memory import readable
from sims.sweep.plan import Plan
from sims.threads import Threads

CHUNK_SECONDS = 1.0
"""What a chunk should take on one core, about: the most that a killed worker loses."""

_MOST_PROBES = 48
MOST_NOMINAL = 1.0
"""A cell whose single trial takes longer is not probed."""
_PROCESS_BYTES = 250 * 2**20


@dataclass(frozen=True)
class Cost:
    """The predicted cost of a cell: seconds on one worker, and bytes for one."""

    seconds: float
    bytes: int


def chunk_trials(seconds: float) -> int:
    """Trials of a chunk, given the seconds of one by formula: a power of two that takes about ``CHUNK_SECONDS``.

    Examples
    --------
    >>> chunk_trials(6e-7), chunk_trials(10.0), chunk_trials(0.0)
    (1048576, 1, 67108864)
    """
    return 1 << max(0, min(26, math.floor(math.log2(CHUNK_SECONDS / max(seconds, 1e-12)))))


def predict(plan: Plan, *, jobs: int, chunks: Sequence[int]) -> list[Cost]:
    """The cost of every cell, with ``jobs`` workers busy at the same time.

    ``chunks``: trials per chunk, cell by cell. Returns for all trials of each cell. With ``--until`` a cell may stop
    earlier: then this is the most it can take.
    """
    formula = [plan.experiment.cost(work) for work in plan.passes]
    ratios: dict[int, float] = {}
    cheap = [i for i, seconds in enumerate(formula) if seconds <= MOST_NOMINAL]
    chosen = cheap[:: max(1, math.ceil(len(cheap) / _MOST_PROBES))]
    if cheap and cheap[-1] not in chosen:
        chosen.append(cheap[-1])
    for i in chosen:
        ratios[i] = probe(plan, plan.passes[i], jobs, chunks[i]) / formula[i]
    trials = plan.options.trials
    found = []
    for i, (work, seconds) in enumerate(zip(plan.passes, formula, strict=True)):
        near = min(ratios, key=lambda j: abs(math.log(formula[j] / formula[i])), default=None)
        ratio = ratios.get(i, ratios[near] if near is not None else 1.0)
        found.append(Cost(seconds * ratio * trials, plan.experiment.memory(work)))
    return found


def probe(plan: Plan, work: Any, jobs: int, most: int) -> float:
    """Measured seconds per trial of a pass, with ``jobs`` threads busy and at most ``most`` trials on each."""
    first, seed = plan.options.first_trial, plan.options.seed
    counters = [plan.experiment.counter_of(work, seed, jobs) for _ in range(jobs)]

    def timed(trials: int) -> float:
        started = time.monotonic()
        list(threads.map(lambda counter: counter.chunk(first, trials, silent), counters))
        return time.monotonic() - started

    enough = plan.experiment.probe_seconds
    with Threads(jobs) as threads:
        timed(1)  # loads the kernels
        trials, spent = 1, timed(1)
        while spent < enough and trials < most:
            wanted = math.ceil(trials * enough / max(spent, 1e-6))
            trials = min(most, max(2 * trials, min(wanted, 64 * trials)))
            spent = timed(trials)
    return spent / trials


def dry_run(plan: Plan, counts: Sequence[int], costs: Sequence[Cost], *, jobs: int, where: str) -> dict[str, Any]:
    """The dry run as data: cells with chunks and predicted seconds, and the totals."""
    rows = [
        {**json.loads(text), "trials": plan.options.trials, "chunks": count, "worker_seconds": cost.seconds,
         "worker_bytes": cost.bytes}
        for text, count, cost in zip(plan.cells, counts, costs, strict=True)
    ]  # fmt: skip
    seconds = sum(cost.seconds for cost in costs)
    return {
        "schema": "strong-tickets/sims.sweep.dry_run/1",
        "experiment": plan.experiment.name,
        "seed": plan.options.seed,
        "workers": jobs,
        "where": where,
        "cells": rows,
        "chunks": sum(counts),
        "worker_seconds": seconds,
        "seconds": seconds / jobs,
        "bytes": _PROCESS_BYTES + jobs * max(cost.bytes for cost in costs),
        "until": plan.options.until,
    }


def print_dry_run(found: Mapping[str, Any]) -> None:
    """The dry run for people."""
    from rich.table import Table

    from sims.commands.output import console

    table = Table()
    for heading in ("cell", "trials", "chunks", "seconds", "memory"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for row in found["cells"]:
        table.add_row(
            describe(row),
            f"{row['trials']}",
            f"{row['chunks']}",
            f"{row['worker_seconds']:.3g}",
            readable(row["worker_bytes"]),
        )
    out = console()
    out.print(table)
    most = "at most " if found["until"] is not None else ""
    out.print(
        f"{counted(len(found['cells']), 'cell')}, {counted(found['chunks'], 'chunk')}, "
        f"{most}{found['worker_seconds']:.3g} worker seconds: "
        f"{most}{duration(found['seconds'])} with {found['where']}, about {readable(found['bytes'])} of memory.",
        soft_wrap=True,
    )
    out.print("Seconds were measured on a few trials of each cell just now; nothing was written.", soft_wrap=True)
