"""Masks of exactly n_keep entries, against a plain Python twin."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.search.score_mask import _select, count_to_keep, keep_mask, keep_masks_global

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
KEYS = st.lists(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0**-24, -(2.0**-20), math.inf, -math.inf, math.nan])
    | st.floats(-4, 4, width=16),
    min_size=1,
    max_size=60,
)


def naive_mask(keys, n_keep):
    """Sort (key, place), NaN as -inf, highest first, earliest first among equals."""
    ranked = sorted(range(len(keys)), key=lambda i: (math.inf if math.isnan(keys[i]) else -keys[i], i))
    kept = set(ranked[:n_keep])
    return [i in kept for i in range(len(keys))]


@given(keys=KEYS, data=st.data(), dtype=st.sampled_from(DTYPES))
def test_both_ways_equal_the_twin(keys, data, dtype):
    n_keep = data.draw(st.integers(0, len(keys)))
    tensor = torch.tensor(keys, dtype=torch.float64).to(dtype)
    expected = naive_mask(tensor.tolist(), n_keep)
    assert keep_mask(tensor, n_keep).tolist() == expected
    if 0 < n_keep < len(keys):
        clean = torch.where(tensor.isnan(), -math.inf, tensor)
        assert _select(clean, n_keep).tolist() == expected


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "transposed", "sliced"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("levels", [1, 3, 10**6])
def test_layouts_and_ties(layout, dtype, levels):
    rng = np.random.default_rng(5)
    plain = torch.from_numpy(rng.integers(0, levels, (8, 6, 3, 4)).astype(float)).to(dtype)
    key = {
        "contiguous": lambda: plain,
        "channels_last": lambda: plain.to(memory_format=torch.channels_last),
        "transposed": lambda: plain.permute(3, 1, 0, 2),
        "sliced": lambda: torch.stack([plain, plain], -1)[..., 0],
    }[layout]()
    before = key.clone()
    for n_keep in (0, 1, 57, 288, 575, 576):
        mask = keep_mask(key, n_keep)
        assert (mask.dtype, mask.shape, int(mask.sum())) == (torch.bool, key.shape, n_keep)
        assert mask.reshape(-1).tolist() == naive_mask(key.double().reshape(-1).tolist(), n_keep)
        if layout != "sliced":
            assert mask.stride() == key.stride()
    assert torch.equal(key, before)


def test_the_mask_is_no_view_of_the_keys():
    key = torch.tensor([3.0, 1.0, 2.0])
    mask = keep_mask(key, 1)
    key.fill_(0)
    assert mask.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("density", "numel", "expected"),
    [
        (0.2, 2560, 512),
        (0.8, 2560, 2048),
        (0.9, 2560, 2304),
        (0.1, 1728, 173),
        (0.3, 1728, 518),
        (0.9, 1000, 900),
        (0.1, 1000, 100),
        (0.8, 100, 80),
        (0.7, 10, 7),
        (0.5, 25, 12),  # halves to even
        (0.5, 27, 14),
        (0.29, 100, 29),  # 0.29 * 100 is 28.999999999999996
        (1, 7, 7),
        (1.0, 1, 1),
        (1e-9, 10, 1),
        ("1/3", 9, 3),
        (Fraction(2, 3), 9, 6),
        (Decimal("0.25"), 10, 2),
        (np.float64(0.1), 1728, 173),
    ],
)
def test_counts(density, numel, expected):
    count = count_to_keep(density, numel)
    assert (count, type(count)) == (expected, int)


@given(percent=st.integers(1, 100), numel=st.integers(1, 10**9))
def test_counts_are_the_nearest_integer(percent, numel):
    count = count_to_keep(percent / 100, numel)
    distance = abs(100 * count - percent * numel)
    assert distance <= 50 or (count == 1 and percent * numel < 50)


def test_kept_counts_over_a_grid():
    rng = np.random.default_rng(1)
    for numel in (1, 2, 19, 100, 1728, 2560):
        for percent in (1, 5, 10, 30, 50, 80, 90, 99, 100):
            n_keep = count_to_keep(percent / 100, numel)
            key = torch.from_numpy(rng.standard_normal(numel).astype(np.float16))
            assert int(keep_mask(key, n_keep).sum()) == n_keep


@pytest.mark.parametrize("density", [0, -0.1, 1.0001, float("nan"), float("inf"), "x", None, True, [0.5]])
def test_bad_densities(density):
    with pytest.raises(ValueError, match="density must be"):
        count_to_keep(density, 10)


def test_bad_counts_and_keys():
    with pytest.raises(ValueError, match="numel must be an integer >= 1, got numel=0"):
        count_to_keep(0.5, 0)
    for n_keep in (-1, 4):
        with pytest.raises(ValueError, match=rf"n_keep must be in \[0, 3\], got n_keep={n_keep}"):
            keep_mask(torch.zeros(3), n_keep)
    with pytest.raises(ValueError, match=r"real floating numbers, got dtype torch\.int64"):
        keep_mask(torch.tensor([1, 2]), 1)


@given(data=st.data(), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_global_masks_equal_one_long_tensor(data, sizes):
    values = st.integers(-2, 2).map(float)
    parts = [data.draw(st.lists(values, min_size=size, max_size=size)) for size in sizes]
    n_keep = data.draw(st.integers(0, sum(sizes)))
    masks = keep_masks_global([torch.tensor(part) for part in parts], n_keep)
    joined = [bit for mask in masks for bit in mask.tolist()]
    assert joined == naive_mask([x for part in parts for x in part], n_keep)


def test_global_masks_keep_shapes_and_layouts():
    a = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1)).to(memory_format=torch.channels_last)
    b = torch.linspace(-1, 1, 10).reshape(5, 2)
    masks = keep_masks_global([a, b], 29)
    assert [(m.shape, m.stride()) for m in masks] == [(a.shape, a.stride()), (b.shape, b.stride())]
    expected = naive_mask([*a.reshape(-1).tolist(), *b.reshape(-1).tolist()], 29)
    assert [*masks[0].reshape(-1).tolist(), *masks[1].reshape(-1).tolist()] == expected


def test_inside_a_compiled_graph():
    compiled = torch.compile(lambda key: keep_mask(key.abs(), 3) * key, fullgraph=True, backend="aot_eager")
    key = torch.tensor([1.0, -5.0, 2.0, 2.0, -2.0])
    assert compiled(key).tolist() == [0.0, -5.0, 2.0, 2.0, 0.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_masks_elsewhere_and_no_waiting(dtype, elsewhere):
    rng = np.random.default_rng(3)
    key = torch.from_numpy(rng.standard_normal((64, 64, 5, 5))).to(dtype).to(memory_format=torch.channels_last)
    with elsewhere as device:
        on_device = key.to(device)
        keep_mask(on_device, 7)
        with elsewhere.never_waiting():
            masks = [keep_mask(on_device, n_keep) for n_keep in (1, 1000, 51200, 102399)]
    for n_keep, mask in zip((1, 1000, 51200, 102399), masks, strict=True):
        assert torch.equal(mask.cpu(), keep_mask(key, n_keep))
        assert mask.stride() == key.stride()


def test_many_masks_at_once_along_any_dimension():
    keys = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(1))
    for dim in (0, 1, 2):
        found = torch.func.vmap(lambda key: keep_mask(key, 4), in_dims=dim)(keys)
        assert torch.equal(found, torch.stack([keep_mask(key, 4) for key in keys.unbind(dim)]))
