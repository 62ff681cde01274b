"""What a sweep will cost: a formula for every cell, set right by a short probe of this machine.

The formula is rough (about a factor of 3) and never depends on the machine: it decides how many trials make a chunk.
The probe counts a few trials of each cell, on as many threads as will be used, and measures the ratio to the formula.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sims.commands.prediction import duration
from sims.counting import Counter
from sims.experiment import describe
from sims.options import plain
from sims.plain_text import counted
from sims.progress import silent
from sims.solver.memory import readable
from sims.sweep.plan import Plan
from sims.threads import Threads

CHUNK_SECONDS = 1.0
"""What a chunk should take on one core, about: the most that a killed worker loses."""

CHUNK_HANDLING = 2.5e-4
"""Seconds that a chunk takes beside its trials, whatever the number of workers."""

MOST_CELLS, MOST_SHOWN = 1000, 40
"""Cells that a dry run lists as data, and that people are shown; of more, the longest ones."""

_SHORT = 10
_SPREAD = [0.0, 1.0, *((2 * k + 1) / 2**depth for depth in range(1, 6) for k in range(2 ** (depth - 1)))]
_PROBE_SECONDS = 2.0
MOST_NOMINAL = 1.0
"""A cell whose single trial takes longer is not probed."""
_PROCESS_BYTES, _CELL_BYTES, _ROW_BYTES = 250 * 2**20, 1000, 1500
"""Of a process that does nothing yet, of what it knows of a cell, and of a row of the result."""


def chunk_trials(seconds: float) -> int:
    """Trials of a chunk, given the seconds of one by formula: a power of two that takes about ``CHUNK_SECONDS``.

    Examples
    --------
    >>> chunk_trials(6e-7), chunk_trials(10.0), chunk_trials(0.0)
    (1048576, 1, 67108864)
    """
    return 1 << max(0, min(26, math.floor(math.log2(CHUNK_SECONDS / max(seconds, 1e-12)))))


def predict(plan: Plan, *, jobs: int, chunks: Sequence[int]) -> list[float]:
    """Seconds of one worker for all trials of every cell, with ``jobs`` workers busy at the same time.

    ``chunks``: trials per chunk, cell by cell. Some cells of every cost are tried; the others are like the nearest of
    them. With ``--until`` a cell may stop earlier: then this is the most it can take.
    """
    formula = np.array(plan.costs)
    order = np.argsort(formula, kind="stable")
    order = order[formula[order] <= MOST_NOMINAL]
    ratios: dict[int, float] = {}
    begun = time.process_time()
    for share in _SPREAD[: len(order)]:
        i = int(order[round(share * (len(order) - 1))])
        if i not in ratios:
            ratios[i] = probe(plan, plan.passes[i], jobs, chunks[i]) / formula[i]
        if time.process_time() - begun > _PROBE_SECONDS * jobs:
            break
    if not ratios:
        return [plan.options.trials * one for one in plan.costs]
    known = sorted(ratios, key=lambda i: formula[i])
    logs = np.log(formula)
    middles = (logs[known][1:] + logs[known][:-1]) / 2
    near = np.array([ratios[i] for i in known])[np.searchsorted(middles, logs)]
    for i, ratio in ratios.items():
        near[i] = ratio
    seconds: list[float] = (formula * near * plan.options.trials).tolist()
    return seconds


def probe(plan: Plan, work: Any, jobs: int, most: int) -> float:
    """Measured seconds per trial of a pass, with ``jobs`` threads busy and at most ``most`` trials on each."""
    first, seed = plan.options.first_trial, plan.options.seed
    counters = [plan.experiment.counter_of(work, seed, jobs) for _ in range(jobs)]

    # what a thread computed, not how long it had to wait for a core; one call on all threads is seen from outside
    clock = time.monotonic if plan.experiment.own_threads else time.thread_time

    def one(counter: Counter, trials: int) -> float:
        started = clock()
        counter.chunk(first, trials, silent)
        return clock() - started

    def timed(trials: int) -> float:
        return max(threads.map(lambda counter: one(counter, trials), counters))

    enough = plan.experiment.probe_seconds
    with Threads(jobs) as threads:
        timed(1)  # loads the kernels
        trials, spent = 1, timed(1)
        while spent < enough and trials < most:
            wanted = math.ceil(trials * enough / max(spent, 1e-6))
            trials = min(most, max(2 * trials, min(wanted, 64 * trials)))
            spent = timed(trials)
    return spent / trials


def dry_run(
    plan: Plan, counts: Sequence[int], costs: Sequence[float], *, finishing: float, jobs: int, where: str
) -> dict[str, Any]:
    """The dry run as data: the longest cells with chunks and predicted seconds, and the totals.

    ``costs``: as `predict` has them. ``finishing``: seconds of the rows.
    """
    shown = sorted(heapq.nlargest(MOST_CELLS, range(len(costs)), key=lambda i: costs[i]))
    rows = [
        {**plain(plan.experiment.encode(plan.passes[i])), "trials": plan.options.trials, "chunks": counts[i],
         "worker_seconds": costs[i], "worker_bytes": plan.experiment.memory(plan.passes[i])}
        for i in shown
    ]  # fmt: skip
    seconds, chunks = math.fsum(costs), sum(counts)
    held = _CELL_BYTES * len(costs) + _ROW_BYTES * sum(len(sizes) for _, sizes in plan.asked)
    return {
        "schema": "strong-tickets/sims.sweep.dry_run/2",
        "experiment": plan.experiment.name,
        "seed": plan.options.seed,
        "workers": jobs,
        "where": where,
        "cell_count": len(costs),
        "cells": rows,
        "chunks": chunks,
        "worker_seconds": seconds,
        "handling_seconds": chunks * CHUNK_HANDLING,
        "finishing_seconds": finishing,
        "seconds": max(seconds / jobs, chunks * CHUNK_HANDLING) + finishing,
        "bytes": _PROCESS_BYTES + jobs * plan.most_bytes + held,
        "until": plan.options.until,
    }


def print_dry_run(found: Mapping[str, Any]) -> None:
    """The dry run for people: its cells if they are few, else the longest ones."""
    from rich.table import Table

    from sims.commands.output import console

    rows = found["cells"]
    if found["cell_count"] > MOST_SHOWN:
        rows = heapq.nlargest(_SHORT, rows, key=lambda row: row["worker_seconds"])
    table = Table()
    for heading in ("cell", "trials", "chunks", "seconds", "memory"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for row in rows:
        table.add_row(
            describe(row),
            f"{row['trials']}",
            f"{row['chunks']}",
            f"{row['worker_seconds']:.3g}",
            readable(row["worker_bytes"]),
        )
    out = console()
    if len(rows) < found["cell_count"]:
        out.print(f"The {len(rows)} longest of {counted(found['cell_count'], 'cell')}:")
    out.print(table)
    most = "at most " if found["until"] is not None else ""
    out.print(
        f"{counted(found['cell_count'], 'cell')}, {counted(found['chunks'], 'chunk')}, "
        f"{most}{found['worker_seconds']:.3g} worker seconds, {found['finishing_seconds']:.3g} s of bounds and "
        f"verdicts: {most}{duration(found['seconds'])} with {found['where']}, about {readable(found['bytes'])} of "
        "memory.",
        soft_wrap=True,
    )
    out.print("Seconds were measured on a few trials of some cells just now; nothing was written.", soft_wrap=True)
