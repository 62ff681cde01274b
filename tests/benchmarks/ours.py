"""One process of the benchmark: our solver beside NumPy's meet in the middle and the limit, with the kernels that the
environment asks for (`tests.benchmarks.machines`).

``python -m tests.benchmarks.ours SECONDS`` prints JSON. The three take turns, and of each the round of least processor
time counts: what else runs on the machine slows all of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from sims.solver import best_subsets
from sims.solver.philox import grid_draws, uniforms
from tests.benchmarks.machines import kernel_width
from tests.benchmarks.peers import numpy_meet_in_the_middle

N, ALPHA = 21, 0.5
_OURS, _NUMPY, _READS = 2000, 10, 2000


def in_turn(works: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Processor seconds of the fastest round of each work; one round of each is not counted."""
    for work in works.values():
        work()
    best = dict.fromkeys(works, float("inf"))
    end = time.perf_counter() + seconds
    while True:
        for name, work in works.items():
            started = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - started)
        if time.perf_counter() > end:
            return best


def measure(seconds: float) -> dict[str, Any]:
    """Seconds a solve of n = 21 values, one thread, and what NumPy and reading both half lists once take."""
    x = uniforms(1, 0, _OURS, N)
    data = grid_draws(1, 0, 1, 2 ** (N // 2) + 2 ** (N - N // 2))[0]

    def numpy_solves() -> None:
        for row in x[:_NUMPY]:
            numpy_meet_in_the_middle(row, ALPHA, 0.0, "best")

    def reads() -> None:
        for _ in range(_READS):
            data.max()

    best = in_turn({"ours": lambda: best_subsets(x, ALPHA, jobs=1), "numpy": numpy_solves, "read": reads}, seconds)
    ours, numpy, read = best["ours"] / _OURS, best["numpy"] / _NUMPY, best["read"] / _READS
    return {"width": kernel_width(), "ours_s": ours, "numpy_s": numpy, "read_s": read, "ratio": numpy / ours}


if __name__ == "__main__":
    print(json.dumps(measure(float(sys.argv[1]))))
