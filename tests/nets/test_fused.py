"""The one-pass kernels of a training step give the bits of PyTorch's operators, and the threshold never guesses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.search import fused
from nets.search.fused import SMALL, Threshold, flat_arrays, gradient, mask_from, product, signs
from nets.search.order import move, rising_order

N = SMALL + 77


def numbers(seed, shape=(N,), dtype=np.float32, ties=False):
    rng = np.random.default_rng(seed)
    found = rng.standard_normal(shape)
    return torch.from_numpy((np.round(found, 2) if ties else found).astype(dtype))


def naive_cut(scores, n_keep, absolute):
    """The threshold and its surplus by sorting all."""
    keys = sorted((abs(x) if absolute else x for x in scores.tolist()), reverse=True)
    return keys[n_keep - 1], sum(key >= keys[n_keep - 1] for key in keys) - n_keep


@given(
    steps=st.lists(st.sampled_from(["still", "drift", "jump", "scale", "ties", "constant", "nan"]), max_size=6),
    n_keep=st.integers(1, 300),
    absolute=st.booleans(),
    seed=st.integers(0, 50),
)
def test_the_threshold_is_exact_whatever_came_before(steps, n_keep, absolute, seed):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(300).astype(np.float32)
    threshold = Threshold()
    for step in ("still", *steps):
        moves = {
            "still": lambda s: s,
            "drift": lambda s: s + np.float32(1e-3) * rng.standard_normal(300).astype(np.float32),
            "jump": lambda s: rng.standard_normal(300).astype(np.float32),
            "scale": lambda s: np.float32(37) * s,
            "ties": lambda s: np.round(s, 1),
            "constant": lambda s: np.full(300, 0.5, np.float32),
            "nan": lambda s: np.where(np.arange(300) % 50 == 0, np.float32(np.nan), s),
        }
        scores = moves[step](scores)
        cut, surplus = threshold.of(scores, n_keep, absolute=absolute)
        clean = np.where(np.isnan(scores), -np.inf, np.abs(scores) if absolute else scores)
        assert (float(cut), surplus) == naive_cut(clean, n_keep, absolute=False)


def test_a_remembered_threshold_is_used(monkeypatch):
    """The test above would also pass if every mask were made from nothing."""
    scores = numbers(1).numpy()
    threshold = Threshold()
    threshold.of(scores, 5000, absolute=True)
    monkeypatch.setattr(np, "nan_to_num", None)  # what a fresh partition needs
    scores = scores * np.float32(1.0001)
    assert threshold.of(scores, 5000, absolute=True)[0] == naive_cut(scores, 5000, True)[0]
    with pytest.raises(TypeError):
        threshold.of(-np.sort(scores), 4000, absolute=False)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_of_scores_that_move(absolute, dtype):
    scores, threshold = numbers(2, dtype=dtype), Threshold()
    rng = np.random.default_rng(3)
    for _ in range(5):
        scores += torch.from_numpy((0.01 * rng.standard_normal(N)).astype(dtype))
        mask = mask_from(scores, 2500, threshold, absolute=absolute)
        key = np.abs(scores.numpy()) if absolute else scores.numpy()
        assert int(mask.sum()) == 2500
        assert key[mask.numpy()].min() > key[~mask.numpy()].max()
    assert mask_from(numbers(4, ties=True), 2500, threshold, absolute=absolute) is None
    assert mask_from(scores, N, threshold, absolute=absolute) is None
    assert mask_from(scores[:100], 50, threshold, absolute=absolute) is None


def layouts():
    flat = {"flat": lambda t: t, "matrix": lambda t: t[:SMALL].reshape(64, -1)}
    last = {"channels last": lambda t: t[:SMALL].reshape(8, 16, 8, 8).contiguous(memory_format=torch.channels_last)}
    return {**flat, **last, "transposed": lambda t: t[:SMALL].reshape(64, -1).t()}


@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_are_those_of_the_operators(layout, dtype):
    shape = layouts()[layout]
    a, b, c = (shape(numbers(seed, dtype=dtype, ties=True)) for seed in (1, 2, 3))
    mask = c > 0
    assert flat_arrays(a, b, c) is not None
    for found, expected in (
        (product(a, mask), a * mask),
        (signs(a, torch.tensor(0.3, dtype=a.dtype)), torch.sign(a) * torch.tensor(0.3, dtype=a.dtype)),
        (no_grad_gradient(a, b, c, signed=True), a * b * torch.sign(c)),
        (no_grad_gradient(a, b, c, signed=False), a * b),
    ):
        assert found.stride() == expected.stride()
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)
        assert torch.equal(torch.signbit(found), torch.signbit(expected))


def no_grad_gradient(*args, **options):
    with torch.no_grad():
        return gradient(*args, **options)


def test_what_has_no_flat_numbers():
    a, b = numbers(1, (128, 128)), numbers(2, (128, 128))
    assert flat_arrays(a, b.t()) is None
    assert flat_arrays(a[:, ::2]) is None
    assert flat_arrays(a[:1].expand(128, 128)) is None
    assert flat_arrays(a, b.double()) is None
    assert flat_arrays(a.half()) is None
    assert torch.func.vmap(lambda t: torch.tensor(flat_arrays(t, t) is None))(a).all()
    for other in (b.t(), b[:, ::2].repeat_interleave(2, 1)):
        assert torch.equal(product(a, other > 0), a * (other > 0))
        assert torch.equal(no_grad_gradient(a, other, b, signed=True), a * other * torch.sign(b))


def test_a_gradient_can_be_differentiated_again():
    grad, slope, scores = (numbers(seed).requires_grad_() for seed in (1, 2, 3))
    out = gradient(grad, slope.detach(), scores.detach(), signed=True)
    assert torch.autograd.grad(out.sum(), grad)[0].equal(slope.detach() * torch.sign(scores.detach()))


@pytest.mark.parametrize("ties", [False, True])
def test_the_order_is_that_of_a_stable_sort(ties):
    key = numbers(5, (96, 128), ties=ties).abs()
    key[0, :9] = 0
    key[3, 3] = float("inf")
    flat = key.reshape(-1).tolist()
    expected = sorted(range(len(flat)), key=lambda i: (flat[i], -i))
    assert rising_order(key).tolist() == expected
    assert rising_order(key.t()).tolist() == sorted(range(len(flat)), key=lambda i: (float(key.t().reshape(-1)[i]), -i))


def test_moves_in_every_layout():
    rng = np.random.default_rng(6)
    places = torch.from_numpy(rng.permutation(256 * 128))
    source, to = places[:SMALL], places[SMALL : 2 * SMALL]
    for tensor in (numbers(7, (256, 128)), numbers(7, (128, 256)).t(), torch.arange(256 * 128).int().reshape(256, 128)):
        expected = tensor.reshape(-1).tolist()
        for one, other in zip(source.tolist(), to.tolist(), strict=True):
            expected[other] = tensor.reshape(-1)[one].item()
        move(tensor, source, to)
        assert tensor.reshape(-1).tolist() == expected


def test_the_kernels_are_in_use(monkeypatch):
    """Every path must really be taken above, or the comparisons compare PyTorch with itself."""
    called = []
    for name in ("_product", "_gradient", "_signs", "_from", "_near"):
        plain = getattr(fused, name)
        monkeypatch.setattr(fused, name, lambda *args, plain=plain, name=name: called.append(name) or plain(*args))
    a = numbers(1)
    threshold = Threshold()
    for _ in range(2):
        mask_from(a, 2000, threshold, absolute=True)
    product(a, a > 0)
    signs(a, torch.tensor(1.0))
    no_grad_gradient(a, a, a, signed=True)
    assert called == ["_from", "_near", "_from", "_product", "_signs", "_gradient"]
