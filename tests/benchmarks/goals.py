"""The numbers to reach, each measured and compared with its goal on whatever machine this is."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.machines import Machine, with_width, without_features
from tests.benchmarks.measure import many, readable

ROOT = Path(__file__).parents[2]
FIRST_ROW = ("-m", "sims.subset_sum", "--R", "5", "--eps", "0.01", "--seed", "1")
X86 = {"AVX2 only": "x86-64-v3", "portable": "x86-64-v2"}
"""Lesser processors that kernels can be compiled for here, by LLVM's names: with AVX2, and with SSE 4.2 at most."""


class Missing(Exception):
    """What cannot be measured here, and why."""


@dataclass(frozen=True)
class Goal:
    """A number to reach.

    Attributes
    ----------
    unit : {"x", "s", "/s"}
        A ratio, seconds (at most), or a speed (at least).
    machine : str
        Row of docs/speed.md that the goal speaks of; "any" for all, "AVX-512" for those that have it. What is measured
        on another machine is shown and not judged.
    """

    name: str
    unit: str
    bound: float
    machine: str = "any"

    def judge(self, value: float, here: str | None, features: Sequence[str] = ()) -> str:
        """met, missed, or whose goal it is.

        Examples
        --------
        >>> quick = Goal("import of a command", "s", 0.25)
        >>> quick.judge(0.2, None), quick.judge(0.3, None)
        ('met', 'missed')
        """
        ours = here in self.machine.split(", ")
        if self.machine == "AVX-512":
            ours = "avx512f" in features
        if not ours and self.machine != "any":
            return f"goal of {self.machine}"
        good = value <= self.bound if self.unit == "s" else value >= self.bound
        return "met" if good else "missed"

    def shown(self, value: float) -> str:
        """A value in the goal's unit."""
        if self.unit == "s":
            return readable(value)
        return f"{many(value)}/s" if self.unit == "/s" else f"{value:,.0f}x"


def over_numpy(environment: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """What `tests.benchmarks.ours` measures in an environment."""
    command = [sys.executable, "-m", "tests.benchmarks.ours", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=dict(environment), check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Missing(f"failed: {lines[-1] if lines else done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def by_width(machine: Machine, *, quick: bool) -> list[dict[str, Any]]:
    """n = 21 with the kernels as chosen, with each width by order (not if quick), and as on lesser processors."""
    orders, seconds = {"as chosen": dict(os.environ)}, 0.3 if quick else 5.0
    if not quick:
        orders |= {f"{width} bits": with_width(width) for width in (512, 256, 128)} | {"0 bits": with_width(0)}
    if "avx2" in machine.features:
        orders |= {f"{name} ({llvm})": without_features(llvm) for name, llvm in X86.items()}
    rows = []
    for name, environment in orders.items():
        print(f"n = 21, kernels: {name} ...", file=sys.stderr, flush=True)
        try:
            found = over_numpy(environment, seconds)
            asked = environment.get("STRONGTICKETS_WIDTH")
            if name != "as chosen" and asked is not None and int(asked) != found["width"]:
                raise Missing(f"no kernels of {asked} bits")
            rows.append({"kernels": name, **found, "skipped": None})
        except Missing as why:
            empty = dict.fromkeys(("width", "ours_s", "numpy_s", "read_s", "ratio"))
            rows.append({"kernels": name, **empty, "skipped": str(why)})
    return rows


def ours_397000(kind: str, rounds: int, widths: Sequence[int] = (784, 500, 10)) -> float:
    """Seconds for all weights of a network on value sets, n = 21, all threads."""
    if find_spec("torch") is None:
        raise Missing("PyTorch is not installed (extra: nets)")
    from nets.construction.value_sets import ValueSets

    rng = np.random.default_rng(1)
    weights = [rng.uniform(-0.4, 0.4, (after, before)) for before, after in itertools.pairwise(widths)]
    sets = ValueSets(kind, seed=1, n=21, size=0.4)
    sets.solve(1, weights[0][:8, :8])

    def work() -> None:
        for i, weight in enumerate(weights, 1):
            sets.solve(i, weight)

    return _fastest(work, rounds)


def coverage_speed(rounds: int, trials: int = 1000) -> float:
    """Largest gaps of n = 21 values a second, as `sims.coverage` counts them, all threads."""
    from sims.coverage import EXPERIMENT
    from sims.solver.memory import default_jobs
    from sims.statistics.trials import count_trials
    from theory.coverage import Coverage

    jobs = default_jobs()
    count = EXPERIMENT.counter(Coverage(eps=0.01), [21], 1, jobs)
    return trials / _fastest(lambda: count_trials(count, 0, trials, piece=count.piece, jobs=jobs), rounds)


def curve_speed(rounds: int, trials: int = 100_000) -> float:
    """Trials a second of the whole success curve at eps = 1e-6, all threads."""
    from sims.solver.memory import default_jobs
    from sims.statistics.trials import count_trials
    from sims.subset_sum import EXPERIMENT
    from theory.subset_sum import SubsetSum

    jobs = default_jobs()
    count = EXPERIMENT.counter(SubsetSum(eps=1e-6, alpha=0.5), range(1, 29), 1, jobs)
    return trials / _fastest(lambda: count_trials(count, 0, trials, piece=count.piece, jobs=jobs), rounds)


def first_row(rounds: int, cache: str | None = None) -> float:
    """Seconds until the first row of a table stands on standard output; `cache`: folder of the kernels."""
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": cache})}

    def work() -> float:
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, *FIRST_ROW], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment
        ) as command:
            assert command.stdout is not None
            seconds = None
            for line in command.stdout:
                if seconds is None and line.startswith("│".encode()):
                    seconds = time.perf_counter() - started
        if seconds is None:
            raise Missing(f"python {' '.join(FIRST_ROW)} printed no table")
        return seconds

    if cache is None:
        work()
    return min(work() for _ in range(rounds))


def first_row_of_all() -> float:
    """`first_row` from an empty cache of kernels."""
    with tempfile.TemporaryDirectory() as folder:
        return first_row(1, folder)


def import_seconds(rounds: int) -> float:
    """Seconds that the import of a command takes, Python's own start not counted."""
    code = "import time; t = time.perf_counter(); import sims.subset_sum; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    runs = (subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True) for _ in range(rounds + 1))
    return min(float(run.stdout) for run in runs)


def measure(
    machine: Machine, here: str | None, widths: Sequence[Mapping[str, Any]], race: Sequence[Mapping[str, Any]],
    *, quick: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """A row for every goal: its value here, and whether it is met.

    Parameters
    ----------
    widths : list of dict
        From `by_width`.
    race : list of dict
        Rows of the race with the peers, for the ratio to Gurobi.
    """
    rounds = 2 if quick else 7
    goals: list[tuple[Goal, Callable[[], float]]] = [
        (Goal("n = 21 over NumPy, meet in the middle", "x", 60, "Zen 5, Zen 4"), partial(_ratio, widths, "as chosen")),
        (Goal("n = 21 over NumPy, AVX2 only", "x", 25), partial(_ratio, widths, "AVX2 only")),
        (Goal("n = 21 over NumPy, portable", "x", 18), partial(_ratio, widths, "portable")),
        (Goal("n = 21 over Gurobi without gap", "x", 2e5, "AVX-512"), partial(_over_gurobi, race)),
        (Goal("397,000 weights, shared values", "s", 0.2), partial(ours_397000, "shared", rounds)),
        (Goal("397,000 weights, private values", "s", 0.4), partial(ours_397000, "private", rounds)),
        (Goal("coverage, n = 21", "/s", 2000, "Zen 4"), partial(coverage_speed, rounds)),
        (Goal("success curve, eps = 1e-6", "/s", 350_000, "Zen 4"), partial(curve_speed, rounds)),
        (Goal("first row of sims.subset_sum, warm", "s", 0.5), partial(first_row, rounds)),
        (Goal("first row, empty kernel cache", "s", 2.5), first_row_of_all),
        (Goal("import of a command", "s", 0.25), partial(import_seconds, rounds)),
    ]
    rows = []
    for goal, work in goals:
        print(f"goal: {goal.name} ...", file=sys.stderr, flush=True)
        row = {"goal": goal.name, "bound": goal.bound, "unit": goal.unit, "machine": goal.machine}
        try:
            value = work()
            rows.append({**row, "value": value, "verdict": goal.judge(value, here, machine.features), "skipped": None})
        except Missing as why:
            rows.append({**row, "value": None, "verdict": None, "skipped": str(why)})
    return rows


def _ratio(widths: Sequence[Mapping[str, Any]], kind: str) -> float:
    """Ours over NumPy from the row of that kind; a machine with no more than it has its kernels as chosen."""
    rows = [row for row in widths if row["kernels"].startswith(kind)] or list(widths[:1])
    if rows[0]["skipped"]:
        raise Missing(rows[0]["skipped"])
    return float(rows[0]["ratio"])


def _over_gurobi(race: Sequence[Mapping[str, Any]]) -> float:
    (row,) = (row for row in race if (row["job"], row["solver"]) == ("best", "Gurobi exact"))
    if row.get("skipped"):
        raise Missing(row["skipped"])
    return float(row["ratio"])


def _fastest(work: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest round after one that is not counted."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
