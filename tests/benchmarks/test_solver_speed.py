"""Speed of the solver beside its peers, in one run: ``make bench``.

Every entry of a group does the same job on the same instances, so the ratios in the table are comparable; absolute
times are this machine's. Nothing here asserts a time.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sims.solver import best_subsets, best_subsets_shared
from sims.solver.fixed_point import window
from sims.solver.grid import GridSolver
from sims.solver.philox import GRID_BITS, grid_draws, uniforms
from sims.statistics.trials import count_trials
from sims.subset_sum import EXPERIMENT
from theory.subset_sum import SubsetSum

N, SOLVES, ALPHA = 21, 2000, 0.5


def numpy_meet_in_the_middle(x: np.ndarray, alpha: float) -> np.ndarray:
    """Smallest errors by NumPy: all sums of each half, one sorted, the other looked up in it."""
    errors = np.empty(len(x))
    for row, values in enumerate(x):
        halves = []
        for half in (values[: len(values) // 2], values[len(values) // 2 :]):
            sums = np.zeros(1)
            for value in half:
                sums = np.concatenate([sums, sums + value])
            halves.append(sums)
        first, second = halves[0], np.sort(halves[1])
        place = np.searchsorted(second, alpha - first)
        below = np.abs(first + second[np.maximum(place - 1, 0)] - alpha)
        above = np.abs(first + second[np.minimum(place, len(second) - 1)] - alpha)
        errors[row] = min(below.min(), above.min())
    return errors


@pytest.fixture(scope="module")
def instances() -> np.ndarray:
    return uniforms(1, 0, SOLVES, N)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.benchmark(group=f"best subset, n = {N}, {SOLVES} instances, values drawn within")
def test_ours_with_masks(benchmark: object, jobs: int) -> None:
    def work() -> float:
        return best_subsets(uniforms(1, 0, SOLVES, N), ALPHA, jobs=jobs).error.max()

    benchmark(work)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.benchmark(group=f"best subset, n = {N}, {SOLVES} instances, values drawn within")
def test_ours_decision(benchmark: object, jobs: int) -> None:
    centre, width = window(ALPHA, 1e-9, GRID_BITS)
    centres, widths = np.full(SOLVES // 8, centre), np.full(SOLVES // 8, width)
    own = threading.local()

    def count(first: int, trials: int) -> np.ndarray:
        if not hasattr(own, "solver"):
            own.solver = GridSolver(N, 1)
        return own.solver.mark(grid_draws(1, first, trials, N), centres, widths).sum(keepdims=True)

    benchmark(lambda: count_trials(count, 0, SOLVES, piece=SOLVES // 8, jobs=jobs))


@pytest.mark.benchmark(group=f"best subset, n = {N}, {SOLVES} instances, values drawn within")
def test_numpy_meet_in_the_middle(benchmark: object, instances: np.ndarray) -> None:
    errors = benchmark.pedantic(numpy_meet_in_the_middle, (instances, ALPHA), rounds=3)
    assert np.allclose(errors, best_subsets(instances, ALPHA).error, atol=1e-12)


@pytest.mark.parametrize("n", [10, 16, 30])
@pytest.mark.benchmark(group="best subset, other n, 100 instances, one thread")
def test_ours_by_n(benchmark: object, n: int) -> None:
    x = uniforms(1, 0, 100, n)
    benchmark(lambda: best_subsets(x, ALPHA, jobs=1))


@pytest.mark.parametrize(("R", "n"), [(2, 13), (5, 8), (10, 6)])
@pytest.mark.benchmark(group="best choice, R values per variable, 500 instances, one thread")
def test_ours_by_draws(benchmark: object, R: int, n: int) -> None:
    x = uniforms(1, 0, 500, n * R).reshape(500, n, R)
    benchmark(lambda: best_subsets(x, ALPHA, jobs=1))


@pytest.mark.benchmark(group="784 targets, n = 21")
def test_shared_values(benchmark: object, instances: np.ndarray) -> None:
    alphas = np.linspace(-1, 1, 784)
    benchmark(lambda: best_subsets_shared(instances[0], alphas))


@pytest.mark.benchmark(group="784 targets, n = 21")
def test_private_values(benchmark: object, instances: np.ndarray) -> None:
    alphas = np.linspace(-1, 1, 784)
    benchmark(lambda: best_subsets(instances[:784], alphas, jobs=1))


@pytest.mark.benchmark(group="random numbers, 2^20 draws, one thread")
def test_philox(benchmark: object) -> None:
    out = np.empty((2**15, 32), np.int64)
    benchmark(lambda: grid_draws(1, 0, 2**15, 32, out=out))


@pytest.mark.benchmark(group="random numbers, 2^20 draws, one thread")
def test_numpy_philox(benchmark: object) -> None:
    rng = np.random.Generator(np.random.Philox(1))
    benchmark(lambda: rng.uniform(-1, 1, (2**15, 32)))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-6])
@pytest.mark.benchmark(group="whole success curve, R = 1, 10,000 trials")
def test_success_curve(benchmark: object, eps: float, jobs: int) -> None:
    n = {1e-2: 15, 1e-4: 22, 1e-6: 28}[eps]
    count = EXPERIMENT.counter(SubsetSum(eps=eps, alpha=ALPHA), range(1, n + 1), 1, jobs)
    benchmark(lambda: count_trials(count, 0, 10_000, piece=count.piece, jobs=jobs))
