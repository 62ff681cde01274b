"""Targets: construction, biases as a constant coordinate, and the one that digits give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets.targets.digits import digits_split, from_digits
from nets.targets.target import Target, TargetError, from_sequential, random_target, with_biases

WIDTHS = st.lists(st.integers(1, 5), min_size=2, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices this small gain nothing from threads, and on a busy machine they lose a lot."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gaussian(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def model_of(widths, bias, seed=0):
    """Sequential of Linear and ReLU with `bias` per layer and weights of our own, so that no global seed is used."""
    modules = []
    for i, (d_in, d_out) in enumerate(itertools.pairwise(widths)):
        layer = nn.Linear(d_in, d_out, bias=bias[i])
        layer.weight.data = gaussian(d_out, d_in, seed=seed + 2 * i)
        if bias[i]:
            layer.bias.data = gaussian(d_out, seed=seed + 2 * i + 1)
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def assert_same_function(target, model, *, rows=20):
    x = gaussian(rows, target.input_dim, seed=99, dtype=torch.float64)
    with torch.no_grad():
        want = model.double()(x)
    assert torch.allclose(target(target.lift(x)), want, rtol=1e-12, atol=1e-12)


# --- Target ---------------------------------------------------------------------------------------------------------


@given(widths=WIDTHS, norm=st.sampled_from(["frobenius", "spectral"]), seed=st.integers(0, 2**31))
def test_random_targets_have_norm_one_and_never_more(widths, norm, seed):
    state = torch.get_rng_state()
    target = random_target(widths, norm, seed=seed)
    assert torch.equal(state, torch.get_rng_state())
    assert target.widths == tuple(widths)
    assert target.depth == len(widths) - 1
    assert not target.has_bias
    for weight, spectral, frobenius in zip(
        target.weights, target.spectral_norms(), target.frobenius_norms(), strict=True
    ):
        value = {"spectral": spectral, "frobenius": frobenius}[norm]
        assert 1 - 1e-14 <= value <= 1
        assert np.linalg.norm(weight.numpy(), 2) == pytest.approx(spectral, rel=1e-12)
        assert np.linalg.norm(weight.numpy()) == pytest.approx(frobenius, rel=1e-12)
    again = random_target(widths, norm, seed=seed)
    assert all(torch.equal(a, b) for a, b in zip(target.weights, again.weights, strict=True))


def test_seeds_and_layers_differ():
    a, b = random_target((3, 3, 3), seed=1), random_target((3, 3, 3), seed=2)
    assert not torch.equal(a.weights[0], b.weights[0])
    assert not torch.equal(a.weights[0], a.weights[1])


@given(widths=WIDTHS, data=st.data())
def test_sequential_with_any_biases_is_the_same_function(widths, data):
    bias = [data.draw(st.booleans()) for _ in widths[1:]]
    model = model_of(widths, bias)
    target = from_sequential(model)
    assert target.has_bias == any(bias)
    assert target.input_dim == widths[0]
    assert target.widths == (*(w + any(bias) for w in widths[:-1]), widths[-1])
    assert_same_function(target, model)


def test_forward_batches_and_dtypes():
    target = random_target((3, 4, 2), seed=1)
    x = gaussian(2, 5, 3)
    assert target(x).shape == (2, 5, 2)
    assert target(x).dtype == torch.float64
    assert target(x, dtype=torch.float32).dtype == torch.float32
    assert torch.allclose(target(x)[1, 2], target(x[1, 2]))
    assert torch.allclose(target(3 * x.double()), 3 * target(x))
    hand = Target((torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), torch.tensor([[1.0, 10.0]])))
    assert hand(torch.tensor([[-3.0, 1.0], [1.0, 1.0]])).tolist() == [[30.0], [3.0]]
    with pytest.raises(ValueError, match=r"d_0=3, got shape \(4,\)"):
        target(torch.zeros(4))
    lifted = with_biases([torch.ones(1, 3)], [torch.ones(1)])
    with pytest.raises(ValueError, match=r"d_0=4 \(append the constant 1 with lift\), got shape \(3,\)"):
        lifted(torch.zeros(3))
    with pytest.raises(ValueError, match=r"input_dim=3, got shape \(4,\)"):
        lifted.lift(torch.zeros(4))


def test_target_copies_its_weights():
    weight = torch.ones(1, 2, dtype=torch.float64)
    target = Target((weight,))
    weight[0, 0] = 5
    assert target.weights[0].tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("norm", ["spectral", "frobenius"])
def test_normalised_scales_the_function_only(norm):
    target = from_sequential(model_of((3, 4, 4, 2), [True, False, True]))
    small, scale = target.normalised(norm)
    x = target.lift(gaussian(9, 3, dtype=torch.float64))
    assert torch.allclose(small(x) * scale, target(x), rtol=1e-12, atol=1e-12)
    assert all(value <= 1 for value in (small.spectral_norms() if norm == "spectral" else small.frobenius_norms()))
    assert small.has_bias
    with pytest.raises(TargetError, match="layer 2: a zero matrix"):
        Target((torch.ones(2, 2), torch.zeros(1, 2))).normalised(norm)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((), "at least one layer"),
        ((torch.ones(2, 3), torch.ones(2, 3)), "layer 2: takes 3 inputs, but layer 1 gives 2"),
        ((torch.ones(3),), r"layer 1: the weight must be a matrix, got shape \(3,\)"),
        ((torch.ones(1, 1), torch.ones(2, 1, 3, 3)), "layer 2: a 4-D weight is a convolution"),
        ((torch.ones(2, 2, dtype=torch.int64),), "layer 1: the weight must be floating point, got dtype torch.int64"),
        ((torch.ones(2, 2, dtype=torch.complex64),), "layer 1: the weight must be floating point"),
        ((torch.ones(0, 2),), "layer 1: the weight is empty"),
        ((torch.tensor([[float("nan")]]),), "layer 1: the weight holds NaN or infinity"),
        ((torch.tensor([[float("inf")]]),), "layer 1: the weight holds NaN or infinity"),
        (([[1.0]],), "layer 1: the weight must be a tensor, got list"),
        ((torch.eye(2).to_sparse(),), "layer 1: the weight must be a dense tensor"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(TargetError, match=message):
        Target(weights)


def test_other_bad_arguments_are_refused():
    with pytest.raises(TargetError, match="needs an input besides the constant"):
        Target((torch.ones(1, 1),), has_bias=True)
    with pytest.raises(TargetError, match=r"layer 1: the bias must have shape \(2,\), got \(3,\)"):
        with_biases([torch.ones(2, 2)], [torch.ones(3)])
    with pytest.raises(TargetError, match=r"layer 1 \(bias\): the weight holds NaN"):
        with_biases([torch.ones(1, 2)], [torch.tensor([float("nan")])])
    for widths in ((3,), (3, 0), ()):
        with pytest.raises(ValueError, match="widths must be"):
            random_target(widths, seed=0)
    with pytest.raises(ValueError, match=r"norm must be one of .* got norm='max'"):
        random_target((2, 2), "max", seed=0)


def test_sequential_structure_is_checked():
    linear = model_of((2, 2), [False])[0]
    relu = nn.ReLU()
    ok = nn.Sequential(nn.Flatten(), nn.Identity(), linear, nn.Identity(), relu, linear, relu, linear)
    assert from_sequential(ok).depth == 3, "one module may be used twice"
    assert_same_function(from_sequential(ok), ok)
    for model, message in [
        (nn.Sequential(linear, linear), "1: follows layer 0 without a ReLU"),
        (nn.Sequential(linear, nn.Sigmoid(), linear), "1: Sigmoid is not supported"),
        (nn.Sequential(nn.Conv2d(1, 1, 3)), "0: Conv2d is not supported"),
        (nn.Sequential(linear, nn.ReLU()), "1: the network ends with a ReLU"),
        (nn.Sequential(nn.ReLU(), linear), "0: a ReLU before the first"),
        (nn.Sequential(linear, nn.ReLU(), nn.Flatten(), linear), "2: Flatten is not supported"),
        (nn.Sequential(), "at least one layer"),
        (linear, "must be a torch.nn.Sequential, got Linear"),
    ]:
        with pytest.raises(TargetError, match=message):
            from_sequential(model)


@pytest.mark.parametrize("bias", [False, True])
def test_digits_train_and_repeat(bias):
    target = from_digits((16,), seed=3, bias=bias, steps=30)
    data = digits_split(seed=3)
    assert len(data.y_train) + len(data.y_test) == 1797
    assert 0 <= float(data.x_train.min()) <= float(data.x_train.max()) == 1
    assert target.has_bias == bias
    assert target.input_dim == 64
    assert data.accuracy(target) > 0.8
    assert data.accuracy(from_digits((16,), seed=3, steps=0)) < 0.5
    again = from_digits((16,), seed=3, bias=bias, steps=30)
    assert all(torch.equal(a, b) for a, b in zip(target.weights, again.weights, strict=True))
    seen = {tuple(row) for row in data.x_train.tolist()}
    assert sum(tuple(row) in seen for row in data.x_test.tolist()) < 20
    with pytest.raises(ValueError, match=r"hidden must be an integer >= 1, got hidden=0"):
        from_digits((0,))
    with pytest.raises(ValueError, match="steps must be an integer"):
        from_digits(steps=-1)
