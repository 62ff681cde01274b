"""The race: our solver, its peers and the limits of the machine, in one run: the first half of ``make bench``.

Every solver gets the same instances, values from U[-1, 1] on the 2^-52 grid and alpha = 0.5, and two jobs: the best
subset, and any subset within eps (which is easier: a solver may stop at its first hit). Peers run one after another in
processes of their own, on one thread each; whether a peer found the optimum is decided in rational arithmetic against
ours. The record says what machine it was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import numpy as np
import tyro

from sims.commands import cli, flags
from sims.files import OutputFile, beginning_with, check_outputs, write_text
from sims.solver import best_subsets, registers
from sims.solver.fixed_point import window
from sims.solver.grid import GridSolver
from sims.solver.philox import GRID_BITS, grid_draws, uniforms
from sims.statistics.result import Result, provenance
from tests.benchmarks.peers import PEERS

ALPHA = 0.5
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Race:
    """Race our solver against its peers on the same instances, and write the record."""

    n: Annotated[int, tyro.conf.arg(metavar="INT")] = 21
    """Values of each instance in the race with the peers."""
    instances: Annotated[int, tyro.conf.arg(metavar="INT")] = 20
    """Instances each peer solves."""
    eps: Annotated[float, tyro.conf.arg(metavar="FLOAT")] = 0.01
    """Accuracy of the decision job."""
    seed: Annotated[int, tyro.conf.arg(metavar="INT")] = 1
    """Of the instances."""
    slow: bool = False
    """Also time our solver at n = 50 and 60 (minutes)."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the record (JSON) here."""


def timed(work: Callable[[], Any], *, rounds: int = 7) -> list[float]:
    """Seconds of each round, after one that is not counted."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def row(job: str, solver: str, n: int, R: int, seconds: Sequence[float], solves: int, **more: Any) -> dict[str, Any]:
    """One line of the table; seconds are of ``solves`` solves each."""
    each = sorted(second / solves for second in seconds)
    low, _, high = quantiles(each, n=4) if len(each) > 1 else (each[0],) * 3
    return {"job": job, "solver": solver, "n": n, "R": R, "median_s": median(each), "q25_s": low, "q75_s": high, **more}


def ours_by_size(sizes: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Our solver for several n and R, masks included, on one and on two threads."""
    rows = []
    for n, R in sizes:
        half_sums = (R + 1) ** (n // 2) + (R + 1) ** (n - n // 2)
        count = max(2, min(4000, 2 * 10**7 // half_sums))
        x = uniforms(7, 0, count, n * R).reshape(count, n, R)
        values = x[:, :, 0] if R == 1 else x
        for jobs in (1, 2):

            def work(values: np.ndarray = values, jobs: int = jobs) -> object:
                return best_subsets(values, ALPHA, jobs=jobs)

            rows.append(row("best", f"ours, {jobs} thread{'s' * (jobs > 1)}", n, R, timed(work, rounds=3), count))
    return rows


def limits(n: int) -> list[dict[str, Any]]:
    """What the machine allows: reading as much memory as the two half lists, and a plain sort of them."""
    words = 2 ** (n // 2) + 2 ** (n - n // 2)
    data = grid_draws(1, 0, 1, words)[0]
    repeats = max(1, 10**7 // words)

    def read() -> None:
        for _ in range(repeats):
            data.max()

    return [
        row("limit", "read both half lists once", n, 1, timed(read), repeats),
        row("limit", "NumPy sort of both half lists", n, 1, timed(lambda: np.sort(data)), 1),
    ]


def against_peers(race: Race) -> list[dict[str, Any]]:
    """Both jobs, for ours and every peer, on the same instances."""
    x = uniforms(race.seed, 0, race.instances, race.n)
    integers = grid_draws(race.seed, 0, race.instances, race.n)
    best = best_subsets(x, ALPHA)
    exact = [_error(x[i], best.mask[i].tolist()) for i in range(race.instances)]
    many = np.tile(x, (2000 // race.instances + 1, 1))
    rows = [row("best", "ours, 1 thread", race.n, 1, timed(lambda: best_subsets(many, ALPHA, jobs=1)), len(many))]
    rows[0]["optimum_found"] = f"{race.instances}/{race.instances}"
    centre, width = window(ALPHA, race.eps, GRID_BITS)
    tiled = np.tile(integers, (2000 // race.instances + 1, 1))
    centres, widths = np.full(len(tiled), centre), np.full(len(tiled), width)
    solver = GridSolver(race.n, 1)
    rows.append(
        row("within", "ours, 1 thread", race.n, 1, timed(lambda: solver.mark(tiled, centres, widths)), len(tiled))
    )
    reachable = [error <= Fraction(race.eps) for error in exact]
    rows[1]["optimum_found"] = (
        f"{int(solver.mark(integers, centres[: len(x)], widths[: len(x)]).sum())}/{sum(reachable)}"
    )
    instances = json.dumps({"values": x.tolist(), "alpha": ALPHA, "eps": race.eps})
    for job, base in (("best", rows[0]["median_s"]), ("within", rows[1]["median_s"])):
        rows[0 if job == "best" else 1]["ratio"] = 1.0
        for name in PEERS:
            print(f"{job}: {name} ...", file=sys.stderr, flush=True)
            answer = _run_peer(name, job, instances)
            if "skipped" in answer:
                rows.append({"job": job, "solver": name, "n": race.n, "R": 1, "skipped": answer["skipped"]})
                continue
            errors = [_error(x[i], mask) for i, mask in enumerate(answer["masks"])]
            good = [
                error is not None and (error == exact[i] if job == "best" else error <= Fraction(race.eps))
                for i, error in enumerate(errors)
            ]
            found = f"{sum(good)}/{race.instances if job == 'best' else sum(reachable)}"
            one = row(job, name, race.n, 1, answer["seconds"], 1, optimum_found=found)
            rows.append({**one, "ratio": one["median_s"] / base})
    return rows


def _run_peer(name: str, job: str, instances: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.peers", name, job]
    done = subprocess.run(command, input=instances, capture_output=True, text=True, cwd=_ROOT, check=False)
    if done.returncode:
        return {"skipped": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _error(x: np.ndarray, mask: Sequence[int]) -> Fraction | None:
    if len(mask) != len(x):
        return None
    return abs(sum((Fraction(float(v)) for v, bit in zip(x, mask, strict=True) if bit), Fraction(0)) - Fraction(ALPHA))


def readable(seconds: float) -> str:
    """A duration with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The table, as Markdown."""
    print("| job | solver | n | R | median | quartiles | ratio to ours | found |\n|---|---|---|---|---|---|---|---|")
    for one in rows:
        head = f"| {one['job']} | {one['solver']} | {one['n']} | {one['R']} |"
        if "skipped" in one:
            print(f"{head} skipped: {one['skipped']} | | | |")
            continue
        spread = f"{readable(one['q25_s'])} .. {readable(one['q75_s'])}"
        ratio = one.get("ratio")
        shown = "" if ratio is None else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
        print(f"{head} {readable(one['median_s'])} | {spread} | {shown} | {one.get('optimum_found', '')} |")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        race = flags.parse(Race, args, prog="python -m tests.benchmarks.race")
        record = beginning_with("record of a race", b'{\n "schema": "strong-tickets/tests.benchmarks.race/')
        check_outputs(OutputFile("--out", race.out, record))
        started = time.monotonic()
        rows = against_peers(race)
        sizes = [(10, 1), (16, 1), (21, 1), (30, 1), (40, 1), (13, 2), (24, 2), (8, 5), (16, 5)]
        rows += ours_by_size([*sizes, *([(50, 1), (60, 1)] if race.slow else [])])
        rows += limits(race.n)
        show(rows)
        if race.out is not None:
            seconds = time.monotonic() - started
            result = Result(
                command="tests.benchmarks.race", params={**vars(race), "out": None}, rows=rows,
                provenance=provenance(
                    seed=race.seed, threads=2, seconds=seconds, vector_bits=registers.chosen(rounded=True)
                ),
            )  # fmt: skip
            write_text(race.out, result.to_json())
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
