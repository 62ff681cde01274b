"""The peers of the race, each a solver of "best subset of n values for alpha"; run one in a process of its own.

``python -m tests.benchmarks.peers NAME JOB`` reads instances from standard input (JSON: values, alpha, eps) and prints
seconds and the chosen subsets. OR-tools, highspy and CBC clash within one process, hence the processes. Times are of
building and solving one instance each; imports and a first solve for warming up are not counted.

JOB is ``best`` (the smallest error) or ``within`` (any subset within eps).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

Mask = Sequence[float]
Solver = Callable[[np.ndarray, float, float, str], Mask]


def numpy_meet_in_the_middle(x: np.ndarray, alpha: float, eps: float, job: str) -> Mask:
    """All sums of each half by doubling; one half sorted, the other looked up in it."""
    cut = len(x) // 2
    halves = []
    for part in (x[:cut], x[cut:]):
        sums = np.zeros(1)
        for value in part:
            sums = np.concatenate([sums, sums + value])
        halves.append(sums)
    first, second = halves
    order = np.argsort(second)
    ranked = second[order]
    place = np.searchsorted(ranked, alpha - first)
    below = np.abs(first + ranked[np.maximum(place - 1, 0)] - alpha)
    above = np.abs(first + ranked[np.minimum(place, len(ranked) - 1)] - alpha)
    i = int(np.argmin(np.minimum(below, above)))
    j = order[max(place[i] - 1, 0) if below[i] <= above[i] else min(place[i], len(ranked) - 1)]
    return [i >> k & 1 for k in range(cut)] + [int(j) >> k & 1 for k in range(len(x) - cut)]


def numpy_exhaustive(x: np.ndarray, alpha: float, eps: float, job: str) -> Mask:
    """All 2^n sums by doubling."""
    sums = np.zeros(1)
    for value in x:
        sums = np.concatenate([sums, sums + value])
    best = int(np.argmin(np.abs(sums - alpha)))
    return [best >> k & 1 for k in range(len(x))]


def _gurobi(exact: bool) -> Solver:
    import gurobipy as gp

    env = gp.Env(empty=True)
    env.setParam("OutputFlag", 0)
    env.start()

    def solve(x: np.ndarray, alpha: float, eps: float, job: str) -> Mask:
        with gp.Model(env=env) as model:
            model.Params.Threads = 1
            take = model.addVars(len(x), vtype="B")
            error = gp.quicksum(float(value) * take[i] for i, value in enumerate(x)) - alpha
            if job == "within":
                model.addConstr(error <= eps)
                model.addConstr(error >= -eps)
                model.Params.SolutionLimit = 1
                model.Params.FeasibilityTol = 1e-9
            else:
                size = model.addVar()
                model.addConstr(error <= size)
                model.addConstr(error >= -size)
                model.setObjective(size)
                model.Params.MIPGap = 0.0 if exact else 0.01
            if exact:
                model.Params.MIPGapAbs = 0.0
                model.Params.FeasibilityTol = 1e-9
                model.Params.IntFeasTol = 1e-9
                model.Params.OptimalityTol = 1e-9
                model.Params.Cuts = model.Params.Presolve = model.Params.Heuristics = 0
            model.optimize()
            return [take[i].X for i in range(len(x))] if model.SolCount else []

    return solve


def gurobi_as_published() -> Solver:
    """Gurobi as the published experiment sets it: MIPGap .01, else its defaults; one thread."""
    return _gurobi(exact=False)


def gurobi_exact() -> Solver:
    """Gurobi with no gap, tightest tolerances; cuts, presolve and heuristics off, which is fastest here; one thread."""
    return _gurobi(exact=True)


def ortools_cp_sat() -> Solver:
    """OR-tools CP-SAT on integers scaled by 2^40, one worker (more workers are slower here)."""
    from ortools.sat.python import cp_model

    def solve(x: np.ndarray, alpha: float, eps: float, job: str) -> Mask:
        scale = 2**40
        values = [round(float(value) * scale) for value in x]
        target, tolerance = round(alpha * scale), round(eps * scale)
        model = cp_model.CpModel()
        take = [model.new_bool_var("") for _ in values]
        error = sum(value * t for value, t in zip(values, take, strict=True)) - target
        if job == "within":
            model.add(error <= tolerance)
            model.add(error >= -tolerance)
        else:
            size = model.new_int_var(0, sum(map(abs, values)) + abs(target), "")
            model.add(error <= size)
            model.add(error >= -size)
            model.minimize(size)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        status = solver.solve(model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return []
        return [solver.value(t) for t in take]

    return solve


def scipy_highs() -> Solver:
    """HiGHS through scipy.optimize.milp, gap 0, values scaled by 1000."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    def solve(x: np.ndarray, alpha: float, eps: float, job: str) -> Mask:
        n, scale = len(x), 1000.0
        upper = np.concatenate([np.ones(n), [np.inf if job == "best" else eps * scale]])
        rows = np.vstack([np.append(x * scale, -1.0), np.append(x * scale, 1.0)])
        found = milp(
            np.append(np.zeros(n), 1.0 if job == "best" else 0.0),
            integrality=np.append(np.ones(n), 0.0),
            bounds=Bounds(np.zeros(n + 1), upper),
            constraints=LinearConstraint(rows, [-np.inf, alpha * scale], [alpha * scale, np.inf]),
            options={"mip_rel_gap": 0.0},
        )
        return [] if found.x is None else found.x[:n].tolist()

    return solve


PEERS: dict[str, Callable[[], Solver]] = {
    "NumPy meet in the middle": lambda: numpy_meet_in_the_middle,
    "NumPy, all 2^n sums": lambda: numpy_exhaustive,
    "Gurobi as published": gurobi_as_published,
    "Gurobi exact": gurobi_exact,
    "OR-tools CP-SAT": ortools_cp_sat,
    "HiGHS (SciPy milp)": scipy_highs,
}


def main() -> int:
    """Solve the instances on standard input with one peer."""
    name, job = sys.argv[1:3]
    work = json.load(sys.stdin)
    try:
        solve = PEERS[name]()
    except ImportError as missing:
        print(json.dumps({"skipped": f"{missing.name} is not installed (extra: bench)"}))
        return 0
    instances = np.array(work["values"])
    solve(instances[0], work["alpha"], work["eps"], job)
    seconds, masks = [], []
    for x in instances:
        started = time.perf_counter()
        mask = solve(x, work["alpha"], work["eps"], job)
        seconds.append(time.perf_counter() - started)
        masks.append([round(float(bit)) for bit in mask])
    print(json.dumps({"seconds": seconds, "masks": masks}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
