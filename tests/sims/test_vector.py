"""The AVX-512 kernels against the portable ones, number for number, and against exhaustive search."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver import best_subsets, dispatch
from sims.solver.best_on_grid import GridBest
from sims.solver.curve import GridCurve
from sims.solver.fixed_point import LIMIT
from sims.solver.grid import GridSolver
from sims.solver.kernels import binary as _binary
from sims.solver.kernels import curve as _curve
from sims.solver.kernels import vector as _vector
from tests import naive

here = pytest.mark.skipif(not dispatch.USABLE, reason="needs a CPU with AVX-512, and its kernels switched on")


def spread_evenly(rng: np.random.Generator, rows: int, n: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and targets of both signs with sum |x| + |t| <= reach."""
    share = reach // (n + 1)
    drawn = rng.integers(-share, share, (rows, n + 1), endpoint=True)
    return np.ascontiguousarray(drawn[:, :n]), np.ascontiguousarray(drawn[:, n])


def batches(n: int, rows: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Named batches of values and targets: random ones of every magnitude, and ones made to go wrong."""
    rng = np.random.default_rng(n)
    for reach in (LIMIT, 2**55, 2**30, 2**12, 40 * (n + 1), 3 * (n + 1), n + 1):
        yield f"reach {reach}", *spread_evenly(rng, rows, n, reach)
    x, t = spread_evenly(rng, rows, n, LIMIT)
    yield "ascending", np.sort(x), t
    yield "descending", -np.sort(-x), t
    yield "descending sizes", np.take_along_axis(x, np.argsort(-abs(x)), axis=1), t
    yield "positive, target far above", abs(x), np.full(rows, LIMIT) - abs(x).sum(axis=1)
    yield "positive, target below", abs(x), abs(x).sum(axis=1) - LIMIT
    yield "all equal", np.repeat(x[:, :1], n, axis=1), t
    yield "equal sizes", x[:, :1] * rng.choice([-1, 1], (rows, n)), t
    yield "half zeros", x * rng.integers(0, 2, (rows, n)), t
    zeros = np.zeros((rows, n), np.int64)
    yield "zeros", zeros, rng.integers(-2, 3, rows)
    yield "zeros, target at the limit", zeros, np.where(rng.integers(0, 2, rows) == 1, LIMIT, -LIMIT)
    one = zeros.copy()
    one[np.arange(rows), rng.integers(0, n, rows)] = LIMIT - 7
    yield "one value", one, rng.integers(-7, 8, rows)
    powers = np.tile(4 ** np.arange(n, dtype=np.int64), (rows, 1))
    yield "powers of four", rng.permuted(powers, axis=1), rng.integers(-9, powers[0].sum(), rows)
    yield "an exact hit", x // 2, (x // 2 * rng.integers(0, 2, (rows, n))).sum(axis=1)


def solve(kernel: object, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    errors, choices = np.empty(len(x), np.int64), np.empty(x.shape, np.int32)
    scratch = np.full(kernel.scratch_size(x.shape[1]), abs(x[0, 0]))  # a number that could be taken for a sum
    kernel.best_rows(x, t, scratch, errors, choices)
    return errors, choices


def marks(kernel: object, x: np.ndarray, t: np.ndarray, tolerances: np.ndarray) -> list[bool]:
    hits = np.empty(len(x), np.bool_)
    kernel.mark_within(x, t, tolerances, np.full(kernel.scratch_size(x.shape[1]), 12345), hits)
    return hits.tolist()


@here
@pytest.mark.parametrize("n", range(7, 27))
def test_every_choice_is_the_portable_kernels(n: int) -> None:
    for name, x, t in batches(n, 300 if n < 15 else 40 if n < 22 else 6):
        errors, choices = solve(_binary, x, t)
        found, chosen = solve(_vector, x, t)
        assert found.tolist() == errors.tolist(), name
        assert chosen.tolist() == choices.tolist(), name
        for tolerances in (errors, errors - 1, errors + 1, np.zeros_like(errors), np.full_like(errors, 2**62)):
            expected = ((tolerances >= 0) & (errors <= tolerances)).tolist()
            assert marks(_vector, x, t, tolerances) == expected == marks(_binary, x, t, tolerances), name


@here
@settings(max_examples=300)
@given(st.lists(st.integers(-6, 6) | st.integers(-(2**50), 2**50), min_size=7, max_size=14), st.integers(-20, 2**52))
def test_ties_of_every_kind(x: list[int], target: int) -> None:
    values, targets = np.array([x]), np.array([target])
    (error,), (choice,) = solve(_vector, values, targets)
    (expected,), (named,) = solve(_binary, values, targets)
    assert (error, choice.tolist()) == (expected, named.tolist())


@here
@settings(max_examples=60)
@given(st.lists(st.integers(-9, 9) | st.integers(-(2**20), 2**20), min_size=7, max_size=11), st.integers(-50, 2**20))
def test_equals_exhaustive_search(x: list[int], target: int) -> None:
    (error,), (choice,) = solve(_vector, np.array([x]), np.array([target]))
    assert Fraction(int(error)) == naive.best_error([[v] for v in x], target)
    assert abs(sum(v for v, taken in zip(x, choice, strict=True) if taken == 0) - target) == error


@here
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 22, 25])
def test_curves_are_the_portable_kernels(n: int) -> None:
    for name, x, t in batches(n, 300 if n < 15 else 60 if n < 22 else 20):
        for bits in (0, 1, n // 2, n, n + 3):
            width = max(int(abs(x).sum() // len(x)) >> bits, bits % 2)
            tolerances = np.full(len(x), width)
            tolerances[::17] = -1
            first = [np.full(len(x), n + 1) for _ in range(2)]
            first[0][::5] = first[1][::5] = max(n - 2, 0)  # as after an earlier vector of values
            _curve.first_binary(x, t, tolerances, np.full(_curve.scratch_size(n, 1), 1), first[0])
            _vector.first_binary(x, t, tolerances, np.full(_vector.curve_scratch_size(n), 1), first[1])
            assert first[0].tolist() == first[1].tolist(), (name, bits)


@here
def test_the_start_of_the_scratch_does_not_matter() -> None:
    for n in (7, 16, 21):
        x, t = spread_evenly(np.random.default_rng(0), 50, n, 2**50)
        expected = solve(_binary, x, t)
        words, words_curve = _vector.scratch_size(n), _vector.curve_scratch_size(n)
        guarded = np.full(max(words, words_curve) + 16, 77)
        for start in range(8):
            errors, choices = np.empty(len(x), np.int64), np.empty(x.shape, np.int32)
            _vector.best_rows(x, t, guarded[start : start + words], errors, choices)
            assert (errors == expected[0]).all()
            assert (choices == expected[1]).all()
            assert (guarded[start + words :] == 77).all()
            first = np.full(len(x), n + 1)
            _vector.first_binary(x, t, errors, guarded[start : start + words_curve], first)
            assert (first <= n).all()
            guarded[:] = 77


def test_the_environment_variable_switches_the_vector_kernels_off() -> None:
    """Same counts with and without, in processes of their own; and really another kernel."""
    command = [sys.executable, "-m", "sims.subset_sum", "--n", "8:14:3", "--eps", "0.001", "--seed", "7", "--json"]
    kernels = (
        "import sys; from sims.solver import dispatch; found = dispatch.binary(20).best_rows; "
        "print(found.__module__.split('.')[-1], 'sims.solver.kernels.vector' in sys.modules)"
    )
    counts, used = [], []
    for scalar in ("0", "1"):
        for arguments, results in ((command, counts), ([sys.executable, "-c", kernels], used)):
            env = {**os.environ, "STRONGTICKETS_SCALAR": scalar}
            results.append(subprocess.run(arguments, env=env, capture_output=True, text=True, check=True).stdout)
    assert json.loads(counts[0])["rows"] == json.loads(counts[1])["rows"]
    assert used[1].strip() == "binary False"
    assert (used[0].strip() == "vector True") == dispatch.USABLE or os.environ.get("STRONGTICKETS_SCALAR") == "1"


@pytest.mark.parametrize(("n", "rows"), [(6, 40), (7, 40), (21, 20), (24, 6)])
def test_the_solver_answers_the_same_without_them(n: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(n).uniform(-1, 1, (rows, n))
    grid = (x * 2**40).astype(np.int64)
    answers = []
    for _ in range(2):
        found = best_subsets(x, 0.3)
        marks = GridSolver(n, 1).mark(grid, np.full(rows, 2**39), np.full(rows, 2 ** (44 - n)))
        errors, choices = GridBest(n, 1).solve(grid[:, :, None], np.full(rows, 2**38))
        first = GridCurve(n, 1).first_n(grid, np.full(rows, 2**39), np.full(rows, 2 ** (44 - n)))
        answers.append([part.tolist() for part in (found.choice, found.error, marks, errors, choices, first)])
        monkeypatch.setattr(dispatch, "USABLE", False)
    assert answers[0] == answers[1]


def test_the_vector_kernels_are_used_only_where_they_pay() -> None:
    assert dispatch.binary(dispatch.FROM_N - 1).best_rows is _binary.best_rows
    assert (dispatch.binary(dispatch.FROM_N).best_rows is _vector.best_rows) == dispatch.USABLE
    assert (dispatch.curve().first_binary is _vector.first_binary) == dispatch.USABLE
