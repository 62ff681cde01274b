"""The torch batch solver names the very same errors and masks as the CPU kernel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.construction.torch_solver import best_subsets_torch
from sims.solver import best_subsets

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")],
    ),
]


def _compare(x: np.ndarray, targets: np.ndarray, device: str, **options: int) -> None:
    expected = best_subsets(x.astype(float), targets.astype(float), jobs=1)
    errors, masks = best_subsets_torch(torch.tensor(x, device=device), torch.tensor(targets, device=device), **options)
    assert (errors.cpu().numpy() == expected.error).all()
    assert (masks.cpu().numpy() == expected.choice).all()


@st.composite
def small_batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rows, n = draw(st.integers(1, 4)), draw(st.integers(1, 10))
    size = draw(st.sampled_from([1, 3, 10, 1000]))
    low = draw(st.sampled_from([-size, 0]))
    high = draw(st.sampled_from([0, size])) if low < 0 else size
    x = draw(st.lists(st.lists(st.integers(low, high), min_size=n, max_size=n), min_size=rows, max_size=rows))
    targets = draw(st.lists(st.integers(-4 * size, 4 * size), min_size=rows, max_size=rows))
    return np.array(x, np.int64), np.array(targets, np.int64)


@pytest.mark.parametrize("device", DEVICES)
@given(batch=small_batches())
def test_ties_zeros_and_duplicates(device: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
    _compare(*batch, device)


@pytest.mark.parametrize("device", DEVICES)
def test_many_small_batches_full_of_ties(device: str) -> None:
    rng = np.random.default_rng(5)
    for n, size, sign in itertools.product((1, 2, 3, 6, 7, 11), (1, 4, 30), (-1, 0, 1)):
        x = rng.integers(-size, size + 1, (64, n))
        x = x if sign == 0 else sign * np.abs(x)
        x[:16, n // 2 :] = x[:16, :1]
        _compare(x, rng.integers(-3 * size, 3 * size + 1, 64), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n", [1, 2, 5, 14, 17])
def test_wide_values_in_parts(device: str, n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.integers(-(2**52), 2**52, (40, n))
    _compare(x, rng.integers(-(2**53), 2**53, 40), device, max_bytes=96 * 2 ** ((n + 1) // 2 + 3))


def test_no_subset_is_better() -> None:
    rng = np.random.default_rng(8)
    x, targets = rng.integers(-40, 41, (30, 7)), rng.integers(-90, 91, 30)
    errors, masks = best_subsets_torch(torch.tensor(x), torch.tensor(targets))
    for row, target, error, mask in zip(x, targets, errors, masks, strict=True):
        assert int(error) == abs(int(row[mask.numpy()].sum()) - target)
        sums = [sum(part) for k in range(8) for part in itertools.combinations(row.tolist(), k)]
        assert int(error) == min(abs(total - target) for total in sums)


def test_bad_arguments_are_named() -> None:
    x, t = torch.ones(2, 3, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="x must be int64"):
        best_subsets_torch(x.double(), t)
    with pytest.raises(ValueError, match="x must be int64"):
        best_subsets_torch(x[:, :0], t)
    with pytest.raises(ValueError, match="targets must be int64"):
        best_subsets_torch(x, t[:1])
    with pytest.raises(ValueError, match="add up to at most"):
        best_subsets_torch(x * 2**60, t)
    with pytest.raises(ValueError, match="max_bytes"):
        best_subsets_torch(x, t, max_bytes=10)
    errors, masks = best_subsets_torch(x[:0], t[:0])
    assert errors.shape == (0,)
    assert masks.shape == (0, 3)
