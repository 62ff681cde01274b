"""Masks: checked on construction, counted in whole numbers, packed without loss."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.construction.mask import Mask

SHAPES = st.lists(st.integers(1, 7), min_size=0, max_size=3).map(tuple)
DTYPES = [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64]


@st.composite
def bit_arrays(draw):
    shape = draw(SHAPES)
    count = int(np.prod(shape, dtype=int))
    return np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool).reshape(shape)


@given(bits=bit_arrays(), dtype=st.sampled_from(DTYPES))
def test_counts_and_round_trip(bits, dtype):
    mask = Mask(torch.from_numpy(bits).to(dtype))
    kept = sum(int(b) for b in bits.reshape(-1))
    assert (mask.n_keep, mask.numel, mask.shape) == (kept, bits.size, bits.shape)
    assert isinstance(mask.n_keep, int)
    assert mask.density == float(Fraction(kept, bits.size))
    assert mask.sparsity == float(Fraction(bits.size - kept, bits.size))
    data = mask.pack()
    assert len(data) == -(-bits.size // 8)
    for k, bit in enumerate(bits.reshape(-1)):
        assert (data[k // 8] >> (k % 8)) & 1 == bit
    again = Mask.unpack(data, bits.shape)
    assert again == mask
    assert hash(again) == hash(mask)
    assert torch.equal(mask.to_tensor(), torch.from_numpy(bits))
    assert pickle.loads(pickle.dumps(mask)) == mask
    assert copy.deepcopy(mask) == mask


@given(bits=bit_arrays(), data=st.data())
def test_stray_padding_bits_and_wrong_lengths_are_refused(bits, data):
    packed = Mask(bits).pack()
    with pytest.raises(ValueError, match=r"data must be \d+ bytes"):
        Mask.unpack(packed + b"\x00", bits.shape)
    with pytest.raises(ValueError, match=r"data must be \d+ bytes"):
        Mask.unpack(packed[:-1], bits.shape)
    spare = 8 * len(packed) - bits.size
    if spare:
        stray = data.draw(st.integers(8 - spare, 7))
        with pytest.raises(ValueError, match=f"its {spare} unused bits at 0"):
            Mask.unpack(packed[:-1] + bytes([packed[-1] | 1 << stray]), bits.shape)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 2], r"must be 0 or 1, got 2.0 at index \(1,\)"),
        ([[1, 0], [-1, 0]], r"must be 0 or 1, got -1.0 at index \(1, 0\)"),
        ([0.5], r"got 0\.5"),
        ([float("nan")], "must be finite"),
        ([float("inf")], "must be finite"),
        ([1 + 2**-20], "must be 0 or 1"),
        ([], "at least one element"),
        ([1j], "real ones"),
        ("101", "must be numbers"),
        (None, "must be numbers"),
        ([[1], [1, 0]], "must be numbers"),
    ],
)
def test_bad_masks_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Mask(values)


def test_the_last_float_below_one_is_refused():
    with pytest.raises(ValueError, match="must be 0 or 1"):
        Mask(torch.tensor([np.nextafter(1.0, 0.0)], dtype=torch.float64))


def test_a_mask_cannot_be_changed():
    values = torch.tensor([1, 0])
    mask = Mask(values)
    values[1] = 1
    mask.to_tensor()[1] = True
    mask.to_tensor(torch.float32)[1] = 1
    assert mask.n_keep == 1
    assert mask == Mask([1, 0])
    for name in ("n_keep", "_bits", "_n_keep", "new"):
        with pytest.raises(AttributeError):
            setattr(mask, name, 0)
    with pytest.raises(AttributeError):
        del mask._bits


def test_apply_keeps_bits_exactly_and_removes_anything():
    weight = torch.tensor([[0.1, float("nan")], [float("inf"), -0.0]], dtype=torch.float32)
    out = Mask([[1, 0], [0, 1]]).apply(weight)
    assert out.dtype == torch.float32
    assert out.tolist() == [[weight[0, 0].item(), 0.0], [0.0, 0.0]]
    assert torch.signbit(out).tolist() == [[False, False], [False, True]]
    with pytest.raises(ValueError, match=r"shape \(2, 2\), got shape \(4,\)"):
        Mask([[1, 0], [0, 1]]).apply(weight.reshape(-1))
    with pytest.raises(ValueError, match=r"shape \(2, 2\), got shape \(1, 2\)"):
        Mask([[1, 0], [0, 1]]).apply(weight[:1])


def test_equality_sees_shape_and_type():
    assert Mask([[1, 0]]) != Mask([1, 0])
    assert Mask([1, 0]) != Mask([0, 1])
    assert Mask([1, 0]) != [1, 0]
    with pytest.raises(ValueError, match="shape must be an integer"):
        Mask.unpack(b"", (0, 3))
