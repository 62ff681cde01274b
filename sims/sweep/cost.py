"""What a sweep will cost: a formula for every cell, set right by a short probe of this machine.

The formula is rough (about a factor of 3) and never depends on the machine: it decides how many trials make a chunk.
The probe counts a few trials of each cell, on as many threads as will be used, and measures the ratio to the formula.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sims.solver.memory import readable
from sims.sweep.kinds import SWEEPABLE
from sims.sweep.plan import Plan, Sweepable

CHUNK_SECONDS = 1.0
"""What a chunk should take on one core, about: the most that a killed worker loses."""

_PROBE_SECONDS = {"main_theorem": 0.5}
"""Where it is not the default: few trials are certified in small batches, which take longer."""
_DEFAULT_PROBE_SECONDS = 0.06
_MOST_PROBES = 48
_MOST_NOMINAL = 1.0
"""A cell whose single trial takes longer is not probed."""
_PROCESS_BYTES = 250 * 2**20
_DRAW = 3e-9
_STEP = 1.2e-9


@dataclass(frozen=True)
class Cost:
    """The predicted cost of a cell: seconds on one worker, and bytes for one."""

    seconds: float
    bytes: int


def nominal(experiment: str, cell: Mapping[str, Any]) -> float:
    """Seconds per trial by formula, on a core like those of 2025.

    Examples
    --------
    >>> nominal("single_weight", {"n": [1000], "R": 1, "eps": 0.01, "kind": "draws"}) < 1e-6
    True
    """
    if experiment == "main_theorem":
        weights = _weights(cell)
        drawn = _largest(cell["n"]) * int(cell["R"] if cell["sampler"] == "draws" else 1)
        return 2e-3 + weights * (2e-5 + 2e-8 * drawn)
    n, R = _largest(cell["n"]), int(cell["R"])
    if experiment == "coverage":
        if cell["bits"] is None:
            return 5e-6 + _STEP * math.pow(2.0, min(n * math.log2(R + 1), 500.0))
        return 5e-6 + 5e-10 * n * n * (R + 1) * math.pow(2.0, cell["bits"]) / 64
    eps, kind = float(cell["eps"]), cell["kind"]
    if experiment == "single_weight":
        if kind == "nearest":
            return 4e-8 * n
        return 3e-8 + 2 * _DRAW * min(n * R, 1.0 / eps)
    if kind == "recycling":
        from sims.solver.multiset import half_sums

        return 4e-8 + _DRAW * n + _STEP * min(float(half_sums(n, n)), 1e300)
    base = R + 1 if kind == "choice" else 2
    reach = min(n, math.log(1.0 / eps) / math.log(base) + 3)
    sums = 2.0 * math.pow(base, reach / 2) * (1 if kind == "choice" else R)
    return 4e-8 + _DRAW * n * R + _STEP * min(sums, 1e300)


def _weights(cell: Mapping[str, Any]) -> int:
    return int(sum(a * b for a, b in itertools.pairwise(cell["widths"])))


def _largest(n: int | Sequence[int]) -> int:
    return n if isinstance(n, int) else max(n)


def chunk_trials(experiment: str, cell: Mapping[str, Any]) -> int:
    """Trials of a chunk: a power of two that takes about ``CHUNK_SECONDS`` by formula, at most 2^26.

    Examples
    --------
    >>> chunk_trials("single_weight", {"n": [1000], "R": 1, "eps": 0.01, "kind": "draws"})
    1048576
    """
    return 1 << max(0, min(26, math.floor(math.log2(CHUNK_SECONDS / nominal(experiment, cell)))))


def worker_bytes(experiment: str, cell: Mapping[str, Any]) -> int:
    """Memory of one worker's search and its values, about."""
    if experiment == "main_theorem":
        weights = _weights(cell)
        return 2**28 + 64 * weights * 2**10
    n, R = _largest(cell["n"]), int(cell["R"])
    values = 24 * max(2**15, n * R)
    if experiment == "coverage":
        if cell["bits"] is not None:
            return int(values + 16 * ((n * (2 if R > 1 else 1) * 2 ** (cell["bits"] + 1)) // 64 + 4))
        from sims.solver.gap import FIRST_CAPACITY
        from sims.solver.kernels import gap as _gap

        return int(values + 8 * _gap.buffer_size(min((R + 1) ** n, FIRST_CAPACITY), R) // 2)
    if cell["kind"] == "recycling":
        from sims.solver.multiset import half_sums

        return values + 32 * int(half_sums(n, n))
    if experiment == "single_weight":
        return values
    from sims.solver.curve import GridCurve

    return values + 8 * GridCurve(n, R, model=cell["kind"])._words + 24 * n * R


def predict(plan: Plan, *, jobs: int, chunks: Sequence[int]) -> list[Cost]:
    """The cost of every cell, with ``jobs`` workers busy at the same time.

    Parameters
    ----------
    plan : Plan
    jobs : int
    chunks : sequence of int
        Trials per chunk, cell by cell.

    Returns
    -------
    list of Cost
        For all trials of each cell. With ``--until`` a cell may stop earlier: then this is the most it can take.
    """
    sweepable = SWEEPABLE[plan.experiment]
    cells = [json.loads(text) for text in plan.cells]
    formula = [nominal(plan.experiment, cell) for cell in cells]
    ratios: dict[int, float] = {}
    cheap = [i for i, seconds in enumerate(formula) if seconds <= _MOST_NOMINAL]
    chosen = cheap[:: max(1, math.ceil(len(cheap) / _MOST_PROBES))]
    if cheap and cheap[-1] not in chosen:
        chosen.append(cheap[-1])
    with ThreadPoolExecutor(jobs) as threads:
        for i in chosen:
            ratios[i] = _probe(sweepable, cells[i], plan, jobs, chunks[i], threads) / formula[i]
    trials = plan.options["trials"]
    found = []
    for i, (cell, seconds) in enumerate(zip(cells, formula, strict=True)):
        near = min(ratios, key=lambda j: abs(math.log(formula[j] / formula[i])), default=None)
        ratio = ratios.get(i, ratios[near] if near is not None else 1.0)
        found.append(Cost(seconds * ratio * trials, worker_bytes(plan.experiment, cell)))
    return found


def _probe(
    sweepable: Sweepable, cell: Mapping[str, Any], plan: Plan, jobs: int, most: int, threads: ThreadPoolExecutor
) -> float:
    """Measured seconds per trial of a cell, with all threads busy."""
    first, seed = plan.options["first_trial"], plan.options["seed"]
    counters = [sweepable.counter(cell, seed, jobs) for _ in range(jobs)]

    def timed(trials: int) -> float:
        started = time.monotonic()
        list(threads.map(lambda counter: counter(first, trials, lambda amount: None), counters))
        return time.monotonic() - started

    enough = _PROBE_SECONDS.get(plan.experiment, _DEFAULT_PROBE_SECONDS)
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
        {**json.loads(text), "trials": plan.options["trials"], "chunks": count, "worker_seconds": cost.seconds,
         "worker_bytes": cost.bytes}
        for text, count, cost in zip(plan.cells, counts, costs, strict=True)
    ]  # fmt: skip
    seconds = sum(cost.seconds for cost in costs)
    return {
        "schema": "strong-tickets/sims.sweep.dry_run/1",
        "experiment": plan.experiment,
        "seed": plan.options["seed"],
        "workers": jobs,
        "where": where,
        "cells": rows,
        "chunks": sum(counts),
        "worker_seconds": seconds,
        "seconds": seconds / jobs,
        "bytes": _PROCESS_BYTES + jobs * max(cost.bytes for cost in costs),
        "until": plan.options.get("until"),
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
            label(row),
            f"{row['trials']}",
            f"{row['chunks']}",
            f"{row['worker_seconds']:.3g}",
            readable(row["worker_bytes"]),
        )
    out = console()
    out.print(table)
    most = "at most " if found["until"] is not None else ""
    out.print(
        f"{len(found['cells'])} cells, {found['chunks']} chunks, {most}{found['worker_seconds']:.3g} worker seconds: "
        f"{most}{duration(found['seconds'])} with {found['where']}, about {readable(found['bytes'])} of memory.",
        soft_wrap=True,
    )
    out.print("Seconds were measured on a few trials of each cell just now; nothing was written.", soft_wrap=True)


def label(cell: Mapping[str, Any]) -> str:
    """A cell for people.

    Examples
    --------
    >>> label({"R": 1, "eps": 0.01, "alpha": 0.5, "n": [1, 2, 3], "kind": "choice"})
    'R=1 eps=0.01 alpha=0.5 choice n=1..3'
    """
    words = [f"R={cell['R']}"]
    eps = cell["eps"]
    words.append(f"eps={eps:g}" if not isinstance(eps, list) else f"eps={','.join(f'{value:g}' for value in eps)}")
    words += [f"alpha={cell['alpha']}", str(cell["kind"])] if "alpha" in cell else []
    n = [cell["n"]] if isinstance(cell["n"], int) else sorted(set(cell["n"]))
    words.append(f"n={n[0]}" if len(n) == 1 else f"n={n[0]}..{n[-1]}")
    return " ".join(words)


def duration(seconds: float) -> str:
    """A time span for people.

    Examples
    --------
    >>> duration(42.3), duration(185), duration(7300), duration(3e6)
    ('42 s', '3 min 05 s', '2 h 01 min', '34.7 days')
    """
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    if seconds < 2 * 86400:
        return f"{int(seconds) // 3600} h {int(seconds) // 60 % 60:02d} min"
    return f"{seconds / 86400:.1f} days"
