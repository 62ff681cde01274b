"""Searches of integers, one by one and many targets at once, against exhaustive search and against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver import best_on_grid, best_subsets_shared, dispatch
from sims.solver.best_on_grid import GridBest, GridShared, shared_split
from sims.solver.kernels import shared as _shared
from sims.solver.philox import uniforms
from tests import naive

TOP = 2**56


def families(n: int, draws: int) -> dict[str, np.ndarray]:
    """Values of very different kinds, their sizes summing to less than 2^57."""
    u = uniforms(7, n, 1, n * draws)[0].reshape(n, draws)
    k = np.arange(n * draws).reshape(n, draws)
    unit = TOP // n
    return {
        "uniform": (u * unit).astype(np.int64),
        "powers of two": np.sign(u).astype(np.int64) * 2 ** (k % 45),
        "clusters": np.where(k % 2, 1, -1) * (unit // 2 + (u * 2**10).astype(np.int64)),
        "equal": np.full((n, draws), unit, np.int64),
        "zeros": np.zeros((n, draws), np.int64),
        "one huge": np.where(k == n // 2, unit, (u * 1000).astype(np.int64)),
        "coarse": np.rint(u * 5).astype(np.int64) * (unit // 8),
    }


def check(values: np.ndarray, targets: np.ndarray, errors: np.ndarray, choices: np.ndarray) -> None:
    for target, error, choice in zip(targets.tolist(), errors.tolist(), choices.tolist(), strict=True):
        assert abs(sum(int(values[i, c]) for i, c in enumerate(choice) if c >= 0) - target) == error


@pytest.mark.parametrize(("n", "draws"), [(1, 1), (2, 1), (7, 1), (13, 1), (1, 6), (6, 2), (4, 4), (3, 9)])
def test_every_cut_names_a_best_choice(n: int, draws: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in families(n, draws).items():
        low, high = int(np.minimum(values, 0).sum()), int(np.maximum(values, 0).sum())
        spread = np.linspace(1.2 * low - 5, 1.2 * high + 5, 40).astype(np.int64)
        targets = np.concatenate([spread, [0, 1, -1, values[0, 0], values.sum(axis=0)[0], TOP, -TOP]])
        wanted = GridBest(n, draws).solve(
            np.ascontiguousarray(np.broadcast_to(values, (len(targets), n, draws))), targets
        )
        check(values, targets, *wanted)
        for short in range(n + 1):
            for bits in (1, 64):
                monkeypatch.setattr(best_on_grid, "shared_split", lambda *_, short=short: short)
                monkeypatch.setattr(best_on_grid, "_BITS", bits)
                errors, choices = GridShared(n, draws, len(targets)).solve(values, targets)
                assert errors.tolist() == wanted[0].tolist(), (name, short)
                check(values, targets, errors, choices)


@settings(max_examples=100)
@given(
    st.integers(1, 3).flatmap(
        lambda r: st.lists(
            st.lists(st.integers(-9, 9) | st.integers(-(2**40), 2**40), min_size=r, max_size=r), min_size=1, max_size=6
        )
    ),
    st.lists(st.integers(-20, 20) | st.integers(-(2**42), 2**42), min_size=1, max_size=4),
    st.integers(1, 10**4),
)
def test_many_targets_equal_exhaustive_search(x: list, targets: list, about: int) -> None:
    values = np.array(x, np.int64)
    errors, choices = GridShared(*values.shape, about).solve(values, np.array(targets))
    assert errors.tolist() == [naive.best_error(x, target) for target in targets]
    check(values, np.array(targets), errors, choices)


def test_a_scratch_serves_one_value_set_after_the_other() -> None:
    search = GridShared(9, 2, 100)
    for values in families(9, 2).values():
        targets = np.linspace(-(2**54), 2**54, 30).astype(np.int64)
        found = search.solve(values, targets)
        check(values, targets, *found)
        assert found[0].tolist() == GridShared(9, 2, 100).solve(values, targets)[0].tolist()


def test_few_targets_and_lists_that_are_too_long_are_searched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared_split(21, 5, 784) is None
    assert shared_split(60, 1, 10**5) is None
    assert shared_split(21, 1, 784) in (6, 7, 8)
    x = uniforms(1, 0, 1, 12)[0]
    alphas = np.linspace(-2, 2, 50)
    together = best_subsets_shared(x, alphas)
    monkeypatch.setattr(best_on_grid, "_LONGEST", 2)
    assert shared_split(12, 1, 50) is None
    alone = best_subsets_shared(x, alphas)
    assert alone.error.tolist() == together.error.tolist()
    values = (x * 2**50).astype(np.int64)[:, None]
    targets = (alphas * 2**50).astype(np.int64)
    monkeypatch.setattr(best_on_grid, "_COPIED", 30)
    errors, choices = GridShared(12, 1, 50).solve(values, targets)
    check(values, targets, errors, choices)
    monkeypatch.setattr(best_on_grid, "_LONGEST", 2**25)
    assert errors.tolist() == GridShared(12, 1, 50).solve(values, targets)[0].tolist()


def test_most_targets_find_their_best_choice_by_the_bit_map() -> None:
    """The work, not the clock: how many sums of the long list are looked up for a target of 128 probes."""
    n, short, count = 21, 7, 200
    values = (uniforms(1, 0, 1, n)[0] * 2**52).astype(np.int64)[:, None]
    targets = (uniforms(2, 0, 1, count)[0] * 0.4 * 2**52).astype(np.int64)
    search = GridShared(n, 1, 784)
    assert search.short == short
    search.solve(values, targets)
    keys = np.sort(
        sum(
            np.array([0, v]).reshape([-1 if i == k else 1 for i in range(n - short)])
            for k, v in enumerate(values[short:, 0])
        ).ravel()
    )
    bits = search._lists[6]
    shift = 0
    while (int(keys[-1] - keys[0]) >> shift) + 5 >= 64 * (len(bits) - 1):
        shift += 1
    kept = 0
    for target in targets[:50].tolist():
        for s in range(2**short):
            missing = target - int(sum(values[k, 0] for k in range(short) if s >> k & 1))
            bucket = ((missing - int(keys[0]) + (1 << shift >> 1)) >> shift) + 1
            if 0 <= bucket < 64 * (len(bits) - 1):
                kept += int(bits[bucket >> 6]) >> (bucket & 63) & 1
    assert 50 * 2 < kept < 50 * 2**short / 8


@pytest.mark.parametrize(("n", "draws"), [(9, 5), (12, 2), (23, 1)])
def test_one_by_one_streams_where_that_is_faster_and_names_the_same_choices(
    n: int, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.ascontiguousarray((uniforms(3, 0, 6, n * draws) * 2**50).astype(np.int64).reshape(6, n, draws))
    targets = np.linspace(-(2**50), 2**50, 6).astype(np.int64)
    monkeypatch.setattr(dispatch, "_width", lambda n: 0)
    streamed, solver = [], GridBest(n, draws)
    monkeypatch.setattr(
        dispatch._stream, "best_rows", lambda *a, kernel=dispatch._stream.best_rows: (streamed.append(1), kernel(*a))[1]
    )
    found = solver.solve(values, targets)
    parts = len(streamed)
    assert parts
    monkeypatch.setattr(dispatch, "stream_pays", lambda n, draws: False)
    listed = GridBest(n, draws).solve(values, targets)
    assert len(streamed) == parts
    for a, b in zip(found, listed, strict=True):
        assert a.tolist() == b.tolist()
    for row in range(6):
        check(values[row], targets[row : row + 1], found[0][row : row + 1], found[1][row : row + 1])


def test_long_searches_of_many_draws_take_little_memory() -> None:
    """Six values or none for each of 21 variables: the half lists alone would take 6 GB."""
    n, draws = 21, 5
    values = (uniforms(2, 0, 1, n * draws) * 2**40).astype(np.int64).reshape(1, n, draws)
    errors, choices = GridBest(n, draws).solve(values, values[:, :, 1].sum(axis=1) + 2**30)
    assert errors.tolist() == [0]
    check(values[0], values[:, :, 1].sum(axis=1) + 2**30, errors, choices)
    assert 8 * dispatch.fastest(n, draws, single=False).words < 100e6


def test_equal_keys_keep_their_order() -> None:
    keys, codes = np.array([1, 2, 2, 2, 3, 5]), np.arange(6, dtype=np.int32)
    for a, b, end in ((0, 3, 6), (0, 2, 6), (0, 6, 6), (1, 3, 6)):
        out, moved = np.zeros(6, np.int64), np.zeros(6, np.int32)
        _shared._merge.py_func(keys, codes, a, b, end, out, moved)
        assert moved[a:end].tolist() == list(range(a, end))
