"""The vector kernels of every width against the portable ones, number for number, and against exhaustive search.

Every width runs on every CPU: where the registers are narrower, LLVM makes several instructions of one.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver import best_subsets, dispatch, registers
from sims.solver.best_on_grid import GridBest
from sims.solver.curve import GridCurve
from sims.solver.fixed_point import LIMIT
from sims.solver.grid import GridSolver
from sims.solver.kernels import binary as _binary
from sims.solver.kernels import curve as _curve
from sims.solver.kernels import vector
from sims.solver.kernels.vector import Kernels
from sims.solver.kernels.vector_curve import Curves
from tests import naive

KERNELS = [Kernels(width, rounded) for width in registers.WIDTHS for rounded in (False, True)]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: f"{k.bits}{'-rounded' * k.rounded}")


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
    # sums that differ by less than the roundings: only the exact ones tell them apart
    coarse = (x >> 40 << 40) // 2
    yield "almost tied", coarse + rng.integers(-2, 3, (rows, n)), t // 2
    pairs = x.copy()
    pairs[:, 1::2] = pairs[:, : n // 2 * 2 : 2] + rng.integers(-3, 4, (rows, n // 2))
    yield "pairs almost equal", pairs // 2, t // 2
    skewed = x >> np.minimum(4 * np.arange(n), 62)
    yield "ever smaller", rng.permuted(skewed, axis=1), t // 8


def solve(kernel: object, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    errors, choices = np.empty(len(x), np.int64), np.empty(x.shape, np.int32)
    scratch = np.full(kernel.scratch_size(x.shape[1]), abs(x[0, 0]))  # a number that could be taken for a sum
    kernel.best_rows(x, t, scratch, errors, choices)
    return errors, choices


def marks(kernel: object, x: np.ndarray, t: np.ndarray, tolerances: np.ndarray) -> list[bool]:
    hits = np.empty(len(x), np.bool_)
    kernel.mark_within(x, t, tolerances, np.full(kernel.scratch_size(x.shape[1]), 12345), hits)
    return hits.tolist()


@pytest.mark.parametrize("n", [7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 21, 25])
def test_every_choice_is_the_portable_kernels(n: int) -> None:
    kernels = [kernel for kernel in KERNELS if n >= 9 or not kernel.rounded]
    for name, x, t in batches(n, 100 if n < 15 else 20 if n < 22 else 2):
        errors, choices = solve(_binary, x, t)
        tolerances = [errors, errors - 1, errors + 1, np.zeros_like(errors), np.full_like(errors, 2**62)]
        for kernel in kernels:
            found, chosen = solve(kernel, x, t)
            assert found.tolist() == errors.tolist(), (kernel, name)
            assert chosen.tolist() == choices.tolist(), (kernel, name)
            for tolerance in tolerances:
                expected = ((tolerance >= 0) & (errors <= tolerance)).tolist()
                assert marks(kernel, x, t, tolerance) == expected, (kernel, name)


@every_kernel
@settings(max_examples=150)
@given(st.lists(st.integers(-6, 6) | st.integers(-(2**50), 2**50), min_size=9, max_size=14), st.integers(-20, 2**52))
def test_ties_of_every_kind(kernel: Kernels, x: list[int], target: int) -> None:
    values, targets = np.array([x]), np.array([target])
    (error,), (choice,) = solve(kernel, values, targets)
    (expected,), (named,) = solve(_binary, values, targets)
    assert (error, choice.tolist()) == (expected, named.tolist())


@every_kernel
@settings(max_examples=40)
@given(
    st.lists(
        st.integers(-9, 9) | st.integers(-(2**20), 2**20) | st.integers(2**40, 2**40 + 9), min_size=9, max_size=11
    ),
    st.integers(-50, 2**20) | st.integers(2**42, 2**42 + 50),
)
def test_equals_exhaustive_search(kernel: Kernels, x: list[int], target: int) -> None:
    (error,), (choice,) = solve(kernel, np.array([x]), np.array([target]))
    assert Fraction(int(error)) == naive.best_error([[v] for v in x], target)
    assert abs(sum(v for v, taken in zip(x, choice, strict=True) if taken == 0) - target) == error


@pytest.mark.parametrize("width", registers.WIDTHS)
@pytest.mark.parametrize(("n", "doubts"), [(13, 0.01), (21, 0.01), (25, 0.05)])
def test_rounded_sums_leave_few_doubts(width: int, n: int, doubts: float) -> None:
    """Else the exact kernel would answer, and nothing above would see the rounded one."""
    rows = 3000 if n < 25 else 300
    x, t = spread_evenly(np.random.default_rng(n), rows, n, 2**55)
    kernel, errors, choices = Kernels(width, rounded=True), np.empty(rows, np.int64), np.empty((rows, n), np.int32)
    vector._best_rounded(kernel.short, x, t, np.empty(kernel.scratch_size(n), np.int64), errors, choices)
    assert (errors < 0).mean() <= doubts


@pytest.mark.parametrize("width", registers.WIDTHS)
def test_roundings_decide_nothing(width: int) -> None:
    """Of so many values the nearest rounded sum is often not the nearest sum."""
    x, t = spread_evenly(np.random.default_rng(5), 400, 24, 2**55)
    errors, choices = solve(_binary, x, t)
    found, chosen = solve(Kernels(width, rounded=True), x, t)
    assert found.tolist() == errors.tolist()
    assert chosen.tolist() == choices.tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 22])
def test_curves_are_the_portable_kernels(n: int) -> None:
    for name, x, t in batches(n, 150 if n < 15 else 40 if n < 22 else 10):
        for bits in (0, 1, n // 2, n, n + 3):
            width = max(int(abs(x).sum() // len(x)) >> bits, bits % 2)
            tolerances = np.full(len(x), width)
            tolerances[::17] = -1
            expected = np.full(len(x), n + 1)
            expected[::5] = max(n - 2, 0)  # as after an earlier vector of values
            before = expected.copy()
            _curve.first_binary(x, t, tolerances, np.full(_curve.scratch_size(n, 1), 1), expected)
            for wide in registers.WIDTHS:
                first = before.copy()
                Curves(wide).first_binary(x, t, tolerances, np.full(Curves.curve_scratch_size(n), 1), first)
                assert first.tolist() == expected.tolist(), (wide, name, bits)


@every_kernel
def test_the_start_of_the_scratch_does_not_matter(kernel: Kernels) -> None:
    for n in (9, 16, 21):
        x, t = spread_evenly(np.random.default_rng(0), 50, n, 2**50)
        expected = solve(_binary, x, t)
        words, words_curve = kernel.scratch_size(n), Curves.curve_scratch_size(n)
        guarded = np.full(max(words, words_curve) + 16, 77)
        for start in range(8):
            errors, choices = np.empty(len(x), np.int64), np.empty(x.shape, np.int32)
            kernel.best_rows(x, t, guarded[start : start + words], errors, choices)
            assert (errors == expected[0]).all()
            assert (choices == expected[1]).all()
            assert (guarded[start + words :] == 77).all()
            first = np.full(len(x), n + 1)
            Curves(kernel.bits).first_binary(x, t, errors, guarded[start : start + words_curve], first)
            assert (first <= n).all()
            assert (guarded[start + words_curve :] == 77).all() or words > words_curve
            guarded[:] = 77


def run(code: str, **environment: str) -> str:
    settled = {key: value for key, value in os.environ.items() if not key.startswith("STRONGTICKETS_")}
    env = {**settled, **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


ANSWERS = """
import json, numpy as np
from sims.solver import best_subsets, registers
from sims.solver.curve import GridCurve
x = np.random.default_rng(1).uniform(-1, 1, (60, 21))
found = best_subsets(x, 0.3)
first = GridCurve(21, 1).first_n((x * 2**40).astype(np.int64), np.full(60, 2**39), np.full(60, 2**23))
widths = sorted({registers.chosen(rounded=True), registers.chosen(rounded=False)})
print(json.dumps([widths, found.choice.tolist(), first.tolist()]))
"""


@pytest.mark.parametrize(
    ("environment", "possible"),
    [
        ({"STRONGTICKETS_SCALAR": "1", "STRONGTICKETS_WIDTH": "512"}, {0}),
        ({"STRONGTICKETS_WIDTH": "512"}, {512}),
        ({"STRONGTICKETS_WIDTH": "0"}, {0}),
        ({"NUMBA_CPU_FEATURES": "-avx512f,-avx512bw,-avx512dq,-avx512vl"}, {256, 128}),
        ({"NUMBA_CPU_FEATURES": "-avx"}, {128, 0}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_the_cpu_has_decides_the_width_and_not_the_answers(
    environment: dict[str, str], possible: set[int]
) -> None:
    widths, *answers = json.loads(run(ANSWERS, **environment))
    if "86" in platform.machine() or "STRONGTICKETS_WIDTH" in environment:
        assert set(widths) <= possible
    assert answers == here()


def here() -> list[object]:
    x = np.random.default_rng(1).uniform(-1, 1, (60, 21))
    found = best_subsets(x, 0.3)
    first = GridCurve(21, 1).first_n((x * 2**40).astype(np.int64), np.full(60, 2**39), np.full(60, 2**23))
    return [found.choice.tolist(), first.tolist()]


def test_the_portable_kernels_count_the_same() -> None:
    counts = [
        run(
            "from sims.subset_sum import main; main('--n 8:14:3 --eps 0.001 --seed 7 --json'.split())",
            STRONGTICKETS_SCALAR=scalar,
        )
        for scalar in ("0", "1")
    ]
    assert json.loads(counts[0])["rows"] == json.loads(counts[1])["rows"]


@pytest.mark.parametrize(("n", "rows"), [(6, 40), (7, 40), (13, 40), (26, 4)])
def test_the_solver_answers_the_same_at_every_width(n: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(n).uniform(-1, 1, (rows, n))
    grid = (x * 2**40).astype(np.int64)
    answers = []
    for width in (0, *registers.WIDTHS):
        monkeypatch.setattr(registers, "chosen", lambda *, rounded, width=width: width)
        found = best_subsets(x, 0.3)
        marks = GridSolver(n, 1).mark(grid, np.full(rows, 2**39), np.full(rows, 2 ** (44 - n)))
        errors, choices = GridBest(n, 1).solve(grid[:, :, None], np.full(rows, 2**38))
        first = GridCurve(n, 1).first_n(grid, np.full(rows, 2**39), np.full(rows, 2 ** (44 - n)))
        answers.append([part.tolist() for part in (found.choice, found.error, marks, errors, choices, first)])
    assert answers == [answers[0]] * 4


def test_the_vector_kernels_are_used_only_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "chosen", lambda *, rounded: 256)
    assert dispatch.binary(dispatch.FROM_N - 1) is _binary
    assert dispatch.binary(dispatch.FROM_N) == Kernels(256, rounded=False)
    assert dispatch.binary(21) == Kernels(256, rounded=True)
    assert dispatch.curve() == Curves(256)
    monkeypatch.setattr(registers, "chosen", lambda *, rounded: 0)
    assert dispatch.binary(21) is _binary
    assert dispatch.curve() is _curve
