"""The streamed search against the portable kernels, exhaustive search and planted solutions."""

import threading
import time
import tracemalloc
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from sims.solver import any_within, best_subset, best_subsets, dispatch, stream
from sims.solver.grid import GridSolver
from sims.solver.kernels import binary as _binary
from sims.solver.kernels import choice as _choice
from sims.solver.kernels import stream as _stream
from sims.solver.memory import check_size
from sims.solver.philox import uniforms
from tests import naive

TOP = 2**57


def portable(x: np.ndarray, targets: np.ndarray, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Errors and choices of the kernel that lists and sorts all half sums."""
    rows, n, draws = x.shape
    errors, choices = np.empty(rows, np.int64), np.empty((rows, n), np.int32)
    if mirror:
        flat = np.ascontiguousarray(x[:, :, 0])
        _binary.best_rows(flat, targets, np.empty(_binary.scratch_size(n), np.int64), errors, choices)
        return errors, choices
    _choice.best_rows(x, targets, np.empty(_choice.scratch_size(n, draws), np.int64), errors, choices)
    return errors, choices


def streamed(x: np.ndarray, targets: np.ndarray, mirror: bool, layout: tuple | None = None) -> tuple:
    """The same from the streamed kernel, row by row; ``layout`` forces many small windows or few bits."""
    rows, n, draws = x.shape
    plan = stream.plan(n, draws)
    if layout is not None:
        plan = np.array([min(layout[0], n // 2), min(layout[1], n - n // 2), *layout[2:]], np.int64)
    errors, choices = np.empty(rows, np.int64), np.empty((rows, n), np.int32)
    memory = stream.new_lists(n, draws, plan), stream.new_work(n, draws, plan)
    _stream.best_rows(x, targets, mirror, plan, *memory, errors, choices)
    return errors, choices


def families(n: int, draws: int) -> dict[str, np.ndarray]:
    """Values that are hard in different ways, integers with a sum of sizes below 2^57."""
    u = uniforms(5, 0, 1, n * draws)[0].reshape(n, draws)
    unit = TOP // (2 * n)
    k = np.arange(n * draws).reshape(n, draws)
    return {
        "uniform": (u * unit).astype(np.int64),
        "equal": np.full((n, draws), unit, np.int64),
        "equal, both signs": np.where(k % 2, unit, -unit),
        "zeros": np.zeros((n, draws), np.int64),
        "one value and zeros": np.where(k == 0, unit, 0),
        "coarse": np.rint(u * 5).astype(np.int64) * (unit // 8),
        "sorted": np.sort((u * unit).astype(np.int64).ravel()).reshape(n, draws),
        "reversed": np.sort((u * unit).astype(np.int64).ravel())[::-1].reshape(n, draws).copy(),
        "clusters": unit // 2 + (u * 2**10).astype(np.int64),
        "clusters, both signs": np.where(k % 2, 1, -1) * (unit // 2 + (u * 2**10).astype(np.int64)),
        "powers of two": np.sign(u).astype(np.int64) * 2 ** (k % 40),
        "tiny": (u * 3).astype(np.int64),
        "tiny beside huge": np.where(k % 3, (u * 3).astype(np.int64), (u * unit).astype(np.int64)),
        "first half zero": np.where(k < n * draws // 2, 0, (u * unit).astype(np.int64)),
    }


TARGETS = [0, 1, -1, TOP // 64, -TOP // 100 - 7, TOP // 3, TOP - 1, -TOP]
SHAPES = [(1, 1), (2, 1), (3, 1), (12, 1), (17, 1), (22, 1), (5, 2), (11, 2), (3, 5), (6, 6), (2, 40)]
LAYOUTS = [None, (3, 4, 8, 1, 16), (0, 1, 64, 2, 0), (4, 3, 1, 4, 0), (9, 9, 4, 64, 1), (3, 3, 64, 4, 0)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("n", "draws"), SHAPES)
def test_same_errors_and_choices_as_the_portable_kernels(n: int, draws: int, layout: tuple | None) -> None:
    if layout is not None:  # small windows: not too many of them
        n = min(n, 14)
        layout = (layout[0] // draws, layout[1] // draws, *layout[2:])
    for name, values in families(n, draws).items():
        x = np.ascontiguousarray(np.broadcast_to(values, (len(TARGETS), n, draws)))
        targets = np.array(TARGETS)
        for mirror in [True, False] if draws == 1 else [False]:
            errors, choices = portable(x, targets, mirror)
            found, taken = streamed(x, targets, mirror, layout)
            assert found.tolist() == errors.tolist(), name
            assert taken.tolist() == choices.tolist(), name


@settings(max_examples=150)
@given(
    st.integers(1, 3).flatmap(
        lambda r: st.lists(
            st.lists(st.integers(-9, 9) | st.integers(-(2**40), 2**40), min_size=r, max_size=r),
            min_size=1,
            max_size={1: 12, 2: 8, 3: 6}[r],
        )
    ),
    st.integers(-20, 20) | st.integers(-(2**41), 2**41),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([1, 2, 16, 256]),
    st.sampled_from([1, 4, 64]),
    st.sampled_from([0, 9, 4096]),
)
def test_equals_exhaustive_search(
    x: list, target: int, first: int, second: int, full: int, words: int, few: int
) -> None:
    block = np.array([x], np.int64)
    best = naive.best_error(x, target)
    for mirror in [True, False] if block.shape[2] == 1 else [False]:
        errors, choices = streamed(block, np.array([target]), mirror, (first, second, full, words, few))
        assert errors[0] == best
        assert abs(naive.choice_sum(x, choices[0].tolist()) - target) == best


@pytest.mark.parametrize(("n", "draws"), [(24, 1), (31, 1), (14, 2), (9, 5)])
def test_random_batches_name_the_same_subsets(n: int, draws: int) -> None:
    x = (uniforms(8, 0, 12, n * draws).reshape(12, n, draws) * 2**52).astype(np.int64)
    targets = np.linspace(-2, 2, 12).astype(np.int64) * 2**51 + 12345
    for part in (x, x >> 40 << 40, x >> 50):
        errors, choices = portable(part, targets, draws == 1)
        found, taken = streamed(part, targets, draws == 1)
        assert found.tolist() == errors.tolist()
        assert taken.tolist() == choices.tolist()


@pytest.mark.parametrize(("n", "draws"), [(1, 1), (13, 1), (20, 1), (7, 3)])
def test_threads_and_pieces_change_nothing(n: int, draws: int) -> None:
    for name, values in families(n, draws).items():
        for target in TARGETS:
            errors, choices = portable(values[None].copy(), np.array([target]), draws == 1)
            for jobs, pieces in ((1, 1), (1, 7), (3, 50)):
                error, choice = stream.solve(values, target, draws == 1, jobs=jobs, pieces=pieces)
                assert (error, choice.tolist()) == (errors[0], choices[0].tolist()), (name, target)


def test_ties_near_the_edges_of_pieces() -> None:
    """Small values: most of the ties lie in one piece or just beyond an edge."""
    for seed in range(60):
        x = (uniforms(seed, 0, 1, 6)[0] * 12).astype(np.int64)[:, None]
        for target in range(-9, 10, 3):
            for scale in (1, 2):
                errors, choices = portable(scale * x[None], np.array([target]), True)
                for pieces in (2, 3, 5):
                    error, choice = stream.solve(scale * x, target, True, pieces=pieces)
                    assert (error, choice.tolist()) == (errors[0], choices[0].tolist())


@pytest.mark.parametrize(("n", "draws"), [(22, 1), (9, 2), (6, 4)])
def test_decisions_are_the_definition(n: int, draws: int) -> None:
    x = (uniforms(3, 0, 1, n * draws).reshape(1, n, draws) * 2**40).astype(np.int64)
    target = 2**38 + 5
    error = int(portable(x, np.array([target]), False)[0][0])
    plan = stream.plan(n, draws)
    for stop in (0, error - 1, error, error + 1, 100 * error, 2**42, -1):
        hits = np.empty(1, np.bool_)
        memory = stream.memory(n, draws)
        _stream.mark_within(x, np.array([target]), np.array([stop]), draws == 1, plan, *memory, hits)
        assert hits[0] == (stop >= error)
        if stop >= 0:
            found, choice = stream.solve(x[0], target, False, stop=stop, jobs=2, pieces=9)
            assert (found <= stop) == (stop >= error)
            assert abs(naive.choice_sum(x[0].tolist(), choice.tolist()) - target) == found


@pytest.mark.parametrize(("shift", "e"), [(3, 4), (3, 2), (4, 7), (2, 1), (2, 0)])
def test_a_window_keeps_all_that_lies_near_a_mark(shift: int, e: int) -> None:
    """Marks and sums at every pair of places: none is dropped that lies within e, half a mark's width or less."""
    far, width = 2**62 + 2**60, 96
    part = np.zeros(1, np.int64)
    for a in range(8, 80):
        bits = np.zeros((width >> (shift + 6)) + 3, np.uint64)
        marks = np.array([-far, a, far])
        _stream._mark_window.py_func(
            part, marks, np.ones(1, np.int64), np.zeros(1, np.int64), 0, width, shift, 10, bits
        )
        sums = np.array([-far, *range(96), far])
        kept = np.zeros(100, np.int64)
        count, *_ = _stream._probe_window.py_func(
            part, sums, np.ones(1, np.int64), np.zeros(1, np.int64), 0, 0, width, shift, e, 1000, bits, kept
        )
        assert set(range(a - e, a + e + 1)) <= set(kept[:count].tolist())
        assert all(abs(c - a) < e + 2**shift for c in kept[:count].tolist())


@pytest.mark.parametrize("draws", [1, 2])
def test_ties_do_not_depend_on_the_pieces_of_the_work(draws: int) -> None:
    """Multiples of 3 and a target that is none: errors of 1 wherever one looks, and one winner."""
    x = 3 * np.random.default_rng(3).integers(-(10**6), 10**6, (16, draws))
    found = [
        stream.solve(x, 1000, False, jobs=jobs, pieces=pieces) for jobs, pieces in ((1, 1), (1, 2), (1, 7), (3, 16))
    ]
    assert {error for error, _ in found} == {found[0][0]}
    assert found[0][0] > 0
    assert len({tuple(choice) for _, choice in found}) == 1


def test_of_two_threads_with_equal_errors_the_smaller_sum_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both begin before either ends; the one with the larger first sum ends last."""
    both, early, winners = threading.Barrier(2), threading.Event(), []

    def visit(layout, lists, facts, low, end, stop, bound, work, best):  # type: ignore[no-untyped-def]
        first = low == facts[3]
        both.wait(30)
        if not first:
            assert early.wait(30)
            time.sleep(0.05)  # until the other has told its winner
        best[:] = (1, 10 if first else 20, 0)
        early.set()

    monkeypatch.setattr(_stream, "visit", visit)
    monkeypatch.setattr(_stream, "trace", lambda *args: winners.append(args[5].tolist()))
    stream.solve(np.arange(1, 13).reshape(12, 1), 30, False, jobs=2, pieces=2)
    assert winners == [[1, 10, 0]]


def test_a_target_off_the_grid_of_the_values_ends_the_search_early() -> None:
    """All values are multiples of 2^37: nothing beats the target's distance from the grid, and ties go on abounding."""
    x = np.rint(uniforms(6, 0, 1, 44)[0] * 2**16).astype(np.int64)[:, None] << 37
    for target in (5, -5, 2**36, 2**36 + 1):
        error, choice = stream.solve(x, target, True, jobs=2)
        assert error == min(target % 2**37, -target % 2**37)
        assert abs(int(x[choice == 0].sum()) - target) == error
    small = x[:20]
    for target in (5, -5, 2**36, 2**36 + 1):
        errors, choices = portable(small[None].copy(), np.array([target]), True)
        error, choice = stream.solve(small, target, True, jobs=3, pieces=40)
        assert (error, choice.tolist()) == (errors[0], choices[0].tolist())


def plant(n: int, seed: int) -> tuple[np.ndarray, float]:
    """n values from U[-1, 1] on a grid so coarse that every sum is a float, and the sum of about half of them."""
    x = np.rint(uniforms(seed, 0, 1, n)[0] * 2**48) / 2**48
    taken = uniforms(seed, 1, 1, n)[0] > 0
    return x, float(sum((Fraction(float(v)) for v, use in zip(x, taken, strict=True) if use), Fraction(0)))


@pytest.mark.parametrize("n", [43, 46])
def test_planted_subset_is_found(n: int) -> None:
    x, alpha = plant(n, n)
    found = best_subset(x, alpha)
    picked = sum((Fraction(float(v)) for v, use in zip(x, found.mask, strict=True) if use), Fraction(0))
    assert picked == Fraction(alpha)
    assert found.error == found.rounding == 0.0
    assert any_within(x, alpha, 0.0)


def test_wrapper_uses_the_stream_and_agrees_with_the_portable_kernel() -> None:
    """Just above and below each change of kernel."""
    for n in (21, 22, 40, 42):
        x = uniforms(n, 0, 2, n)[: 2 if n < 40 else 1]
        integers = (x * 2**52).astype(np.int64)[:, :, None]
        errors, choices = portable(integers, np.full(len(x), 2**50), True)
        found = best_subsets(x, 0.25)
        assert (found.error == errors / 2.0**52).all()
        assert (found.choice == (choices == 0)).all()


@pytest.mark.parametrize(("model", "width"), [("choice", 2**34), ("vector", 2**41)])
def test_grid_solver_streams_and_agrees(model: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n, draws, rows = 12, 2, 40
    x = (uniforms(2, 0, rows, n * draws) * 2**52).astype(np.int64)
    centres, widths = np.full(rows, 2**52), np.full(rows, width)

    def marks(faster: Callable[[int, int], bool]) -> list[bool]:
        monkeypatch.setattr("sims.solver.dispatch.stream_pays", faster)
        return GridSolver(n, draws, model=model).mark(x, centres, widths).tolist()

    assert marks(lambda n, draws: True) == marks(lambda n, draws: False)
    assert len(set(marks(lambda n, draws: True))) == 2


def test_memory_stays_small() -> None:
    lists, work = stream.words(60, 1)
    assert 8 * (lists + 2 * work) < 100e6
    for n, draws in ((60, 1), (36, 2), (22, 5), (42, 1), (22, 1)):
        lists, work = stream.words(n, draws)
        tracemalloc.start()
        memory = stream.memory(n, draws)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert 8 * (lists + work) <= size <= 8 * (lists + work) + 10_000
        assert sum(part.nbytes for both in memory for part in both) == 8 * (lists + work)


@pytest.mark.parametrize(("n", "draws", "limit"), [(61, 1, 60), (64, 1, 60), (37, 2, 36), (100, 9, 18), (5, 2**20, 2)])
def test_out_of_reach(n: int, draws: int, limit: int) -> None:
    with pytest.raises(ValueError, match=f"^n={n} with R={draws} is out of reach, the limit is n={limit}$"):
        check_size(n, draws)
    check_size(limit, draws)


def test_out_of_reach_is_said_by_every_entry() -> None:
    message = "n=61 with R=1 is out of reach, the limit is n=60"
    for call in (
        lambda: best_subset(np.ones(61), 0.5),
        lambda: best_subsets(np.ones((2, 61)), 0.5),
        lambda: any_within(np.ones(61), 0.5, 0.1),
        lambda: GridSolver(61, 1),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("bucket", [0, 1, 2])
def test_a_window_keeps_what_has_a_partner_within_e(bucket: int) -> None:
    """Buckets of 16, e = 8: a sum is kept if the bucket of sum - e or of sum + e is marked, at its very edges too."""
    # parts of the kernel have no way in from Python
    probe = njit(lambda *given: _stream._probe_window(*given))
    bits = np.zeros(4, np.uint64)
    bits[1] = 1 << bucket  # the first word lies before the window
    for value in range(48):
        one, ends, kept = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(8, np.int64)
        q = np.array([value, 2**61])
        m, *_ = probe(one, q, one, ends, 0, 0, 48, 4, 8, 100, bits, kept)
        assert bool(m) == (bucket in ((value - 8) // 16, (value + 8) // 16))


UNEVEN = ("clusters", "clusters, both signs", "coarse", "tiny beside huge", "powers of two")


@pytest.mark.parametrize(("n", "draws"), [(23, 1), (12, 2), (9, 5)])
def test_a_probe_chooses_lists_for_uneven_values_and_changes_no_result(
    n: int, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: drawn values are streamed, clusters listed but for a few rows; the winners are the same."""
    rows = 100
    monkeypatch.setattr(dispatch, "_width", lambda n: 0)
    streamed = []
    for name in ("best_rows", "mark_within"):
        kernel = getattr(_stream, name)
        monkeypatch.setattr(_stream, name, lambda *a, kernel=kernel: (streamed.append(len(a[0])), kernel(*a))[1])
    search = dispatch.fastest(n, draws, single=draws == 1)
    memory = search.memory()
    for name in ("uniform", *UNEVEN):
        x = np.ascontiguousarray(np.broadcast_to(families(n, draws)[name], (rows, n, draws)))
        # a third of all values: where clusters lie on either side of the target, far away
        targets = int(x[0].sum()) // 3 + 12345 + np.arange(rows)
        errors, choices, hits = np.empty(rows, np.int64), np.empty((rows, n), np.int32), np.empty(rows, np.bool_)
        wanted = portable(x, targets, draws == 1)
        streamed.clear()
        search.best(x, targets, memory, errors, choices)
        assert (errors.tolist(), choices.tolist()) == (wanted[0].tolist(), wanted[1].tolist()), name
        if name == "uniform":
            assert sum(streamed) == rows
        if name == "clusters, both signs":
            assert sum(streamed) <= 8
        tolerances = errors - np.arange(rows) % 2
        search.mark(x, targets, tolerances, memory, hits)
        assert hits.tolist() == [k % 2 == 0 for k in range(rows)], name


def test_where_lists_would_not_fit_all_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_LISTED_WORDS", 0)
    search = dispatch.fastest(8, 5, single=False)
    assert search.words == sum(stream.words(8, 5))
    x = np.ascontiguousarray(np.broadcast_to(families(8, 5)["clusters, both signs"], (30, 8, 5)))
    errors, choices = np.empty(30, np.int64), np.empty((30, 8), np.int32)
    search.best(x, np.arange(30) * 2**50, search.memory(), errors, choices)
    assert errors.tolist() == portable(x, np.arange(30) * 2**50, False)[0].tolist()


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 68, 69, 200])
@pytest.mark.parametrize("even", [True, False])
def test_the_parts_of_a_batch_are_the_batch(rows: int, even: bool) -> None:
    seen = []
    for part, verdict in dispatch._parts(rows):
        seen += list(range(rows))[part]
        if verdict is not None:
            verdict.append(even)
    assert seen == list(range(rows))


@pytest.mark.parametrize(("name", "n"), [("clusters", 16), ("clusters, both signs", 16), ("tiny beside huge", 16)])
def test_windows_that_are_mostly_empty_are_cut_instead_of_sorted(
    name: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 half sums in a few clusters, far from each other: all of them are never sorted at once."""
    count = []
    parts = [key for key, value in vars(_stream).items() if hasattr(value, "py_func")]
    for key in parts:
        monkeypatch.setattr(_stream, key, getattr(_stream, key).py_func)
    sort = _stream._sort
    monkeypatch.setattr(_stream, "_sort", lambda values, size: (count.append(size), sort(values, size)))
    values = families(n, 1)[name]
    for target in (int(values.sum()) // 3 + 12345, int(np.maximum(values, 0).sum()) // 2 + 7):
        layout = np.array([4, 4, 256, 512, 64], np.int64)
        found = _stream_rows(values, target, layout)
        assert found == portable(values[None].copy(), np.array([target]), True)[0].tolist()
    assert max(count, default=0) < 100


def _stream_rows(values: np.ndarray, target: int, layout: np.ndarray) -> list[int]:
    n, draws = values.shape
    errors, choices = np.empty(1, np.int64), np.empty((1, n), np.int32)
    memory = stream.new_lists(n, draws, layout), stream.new_work(n, draws, layout)
    with np.errstate(over="ignore"):
        _stream.best_rows(values[None], np.array([target]), draws == 1, layout, *memory, errors, choices)
    return errors.tolist()
