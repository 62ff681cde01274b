"""The race: our solver, its peers, the machine's limits and the goals, in one run: the first half of ``make bench``.

Every solver gets the same instances, values from U[-1, 1] on the 2^-52 grid and alpha = 0.5, and two jobs: the best
subset, and any subset within eps (which is easier: a solver may stop at its first hit). Peers run one after another in
processes of their own, on one thread each; whether a peer found the optimum is decided in rational arithmetic against
ours. Then come our kernels in every width beside NumPy's meet in the middle, and the numbers to reach. The record says
what machine it was, and the last line which row of docs/speed.md it belongs to.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import numpy as np
import tyro

from sims.commands import cli, flags
from sims.files import OutputFile, beginning_with, check_outputs, write_text
from sims.solver import best_subsets
from sims.solver.fixed_point import window
from sims.solver.grid import GridSolver
from sims.solver.philox import GRID_BITS, grid_draws, uniforms
from sims.statistics.result import Result, provenance
from tests.benchmarks import goals
from tests.benchmarks.machines import row_of, this_machine
from tests.benchmarks.measure import readable, table, timed
from tests.benchmarks.peers import PEERS

ALPHA = 0.5
_SLOW = ("HiGHS (SciPy milp)",)
COMMAND = "tests.benchmarks.race"
RECORDS = Path(__file__).parent / "records"
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Race:
    """Race our solver against its peers on the same instances, and write the record."""

    n: flags.Integer = 21
    """Values of each instance in the race with the peers."""
    instances: flags.Integer = 20
    """Instances each peer solves."""
    eps: flags.Real = 0.01
    """Accuracy of the decision job."""
    seed: flags.Integer = 1
    """Of the instances."""
    slow: bool = False
    """Also time our solver at n = 50 and 60 (minutes)."""
    quick: bool = False
    """Fewer instances, sizes and rounds: under a minute."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the record (JSON) here."""
    keep: bool = False
    """Write the record to tests/benchmarks/records, by the number of cores and LLVM's name of the processor, unless
    --out names another place."""
    force: bool = False
    """Replace a file that is no such record."""


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
            if race.quick and name in _SLOW:
                rows.append({"job": job, "solver": name, "n": race.n, "R": 1, "skipped": "--quick leaves it out"})
                continue
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


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The tables, as Markdown."""
    shown = []
    for one in rows:
        head = [one["job"], one["solver"], str(one["n"]), str(one["R"])]
        if "skipped" in one:
            shown.append([*head, f"skipped: {one['skipped']}", "", "", ""])
            continue
        spread = f"{readable(one['q25_s'])} .. {readable(one['q75_s'])}"
        ratio = one.get("ratio")
        times = "" if ratio is None else f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
        shown.append([*head, readable(one["median_s"]), spread, times, one.get("optimum_found", "")])
    print(table(["job", "solver", "n", "R", "median", "quartiles", "ratio to ours", "found"], shown))


def show_widths(rows: Sequence[dict[str, Any]]) -> None:
    """Our kernels beside NumPy and the limit, as Markdown."""
    shown = []
    for one in rows:
        if one["skipped"]:
            shown.append([one["kernels"], f"skipped: {one['skipped']}", "", "", ""])
            continue
        times = [readable(one[name]) for name in ("ours_s", "numpy_s", "read_s")]
        shown.append([f"{one['kernels']}: {one['width'] or 'portable'}", *times, f"{one['ratio']:.3g}"])
    print(table(["kernels, n = 21", "ours", "NumPy", "reading both half lists", "NumPy / ours"], shown))


def show_goals(rows: Sequence[dict[str, Any]]) -> None:
    """The goals, as Markdown."""
    shown = []
    for one in rows:
        goal = goals.Goal(one["goal"], one["unit"], one["bound"], one["machine"])
        sign = "<=" if goal.unit == "s" else ">="
        value = "" if one["skipped"] else goal.shown(one["value"])
        verdict = one["verdict"] or f"skipped: {one['skipped']}"
        shown.append([goal.name, f"{sign} {goal.shown(goal.bound)}", value, verdict])
    print(table(["number to reach", "goal", "here", "verdict"], shown))


def _checked(race: Race) -> Race:
    flags.between("--n", race.n, 2, 30)
    flags.between("--instances", race.instances, 1, 2000)
    flags.between("--seed", race.seed, 0, 2**64 - 1)
    if not 0 < race.eps <= 1:
        raise flags.UsageError(f"--eps must be in (0, 1], got {race.eps}")
    if race.slow and race.quick:
        raise flags.UsageError("--slow and --quick exclude each other")
    return dataclasses.replace(race, instances=min(race.instances, 3)) if race.quick else race


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        race = _checked(flags.parse(Race, args, prog=f"python -m {COMMAND}"))
        machine = this_machine()
        here, sentence = row_of(machine)
        path = race.out
        if race.keep and path is None:
            name = f"{machine.cores}-cores-{machine.llvm}{'-quick' * race.quick}.json"
            path = str(RECORDS / name)
        record = beginning_with("record of a race", f'{{\n "schema": "strong-tickets/{COMMAND}/'.encode())
        check_outputs(OutputFile("--out" if race.out else "--keep", path, record), force=race.force)
        started, load = time.monotonic(), os.getloadavg()[0]
        rows = against_peers(race)
        sizes = [(10, 1), (16, 1), (21, 1), (30, 1), (40, 1), (13, 2), (24, 2), (8, 5), (16, 5)]
        few = [(10, 1), (21, 1), (8, 5)]
        rows += ours_by_size([*(few if race.quick else sizes), *([(50, 1), (60, 1)] if race.slow else [])])
        rows += limits(race.n)
        widths = goals.by_width(machine, quick=race.quick)
        reached = goals.measure(machine, here, widths, rows, quick=race.quick)
        show(rows)
        print()
        show_widths(widths)
        print()
        show_goals(reached)
        print(f"\n{sentence}")
        if load > machine.cores / 2:
            print(
                f"Others keep this machine busy (load {load:.3g}, cores {machine.cores}): do not quote these numbers."
            )
        if path is not None:
            result = Result(
                command=COMMAND, params={**vars(race), "out": None}, rows=rows, summary=reached,
                provenance=provenance(
                    seed=race.seed, threads=machine.cores, seconds=time.monotonic() - started,
                    machine=machine.to_dict(), row=here, load=load,
                ),
                details={"widths": widths}, version=2,
            )  # fmt: skip
            write_text(path, result.to_json())
            print(f"Record: {path}", file=sys.stderr)
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
