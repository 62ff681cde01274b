"""Biprop: the gain, its absence from the gradient, equality with Edge-Popup on signed constants, global scope."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import find_tickets
from nets.search.methods import make_method
from nets.search.methods.biprop import Biprop, binary_gain
from nets.search.methods.mpt_1_1 import Mpt11, SignActivation


def convnet():
    features = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(24, 10), nn.ReLU(), nn.Linear(10, 3))


def batch(seed=0):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((12, 2, 4, 4)).astype(np.float32))
    return x, torch.from_numpy(rng.integers(0, 3, 12))


def run(search, steps, lr=0.1):
    optimiser = torch.optim.SGD(search.parameters(), lr=lr, momentum=0.9, weight_decay=1e-3)
    for step in range(steps):
        search.before_step(step)
        x, y = batch(step)
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(search.model(x), y)
        loss.backward()
        optimiser.step()
        yield loss.detach()


def exact_mean(weight, mask):
    kept = [abs(Fraction(float(w))) for w, bit in zip(weight.reshape(-1), mask.reshape(-1), strict=True) if bit]
    return sum(kept, Fraction(0)) / max(1, len(kept))


@pytest.mark.parametrize("density", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("scale", ["unscaled", "paper"])
def test_signed_constants_make_it_edge_popup_bit_for_bit(density, scale):
    runs = []
    for method in ("edge-popup", "biprop"):
        search = find_tickets(convnet(), method=method, density=density, seed=7, init="signed-constant", scale=scale)
        losses = list(run(search, 25))
        runs.append((losses, search))
    assert runs[0][0] == runs[1][0]
    for one, other in zip(*(search.layers.values() for _, search in runs), strict=True):
        assert torch.equal(one.scores, other.scores)
        assert torch.equal(one.effective_weight(), other.effective_weight())
    with_normal = [find_tickets(convnet(), method=m, seed=7, init="kaiming-normal") for m in ("edge-popup", "biprop")]
    assert list(run(with_normal[0], 2)) != list(run(with_normal[1], 2))


@pytest.mark.parametrize("density", [0.1, 0.3, 1])
def test_the_gain_is_the_mean_over_kept_weights(density):
    search = find_tickets(convnet(), method="biprop", density=density, seed=3, init="kaiming-normal")
    for layer in search.layers.values():
        mean = float(exact_mean(layer.frozen, layer.mask()))
        assert layer.gain().dtype == torch.float64
        assert float(layer.gain()) == pytest.approx(mean, rel=1e-14, abs=0)
        kept = layer.effective_weight().detach()[layer.mask()]
        assert torch.equal(kept, torch.sign(layer.frozen[layer.mask()]) * np.float32(mean))
        assert int((layer.effective_weight() != 0).sum()) == layer.n_keep
        if density == 1:
            assert mean == pytest.approx(float(layer.frozen.double().abs().mean()), rel=1e-14, abs=0)


def test_an_exact_zero_stays_zero_and_nothing_kept_has_gain_zero():
    assert float(binary_gain(torch.ones(3), torch.zeros(3, dtype=torch.bool), 0)) == 0
    value, _ = Biprop().value_and_slope(torch.tensor([0.0, -2.0, 3.0]), torch.ones(3, dtype=torch.bool), 3)
    assert value.tolist() == pytest.approx([0.0, -5 / 3, 5 / 3])


@pytest.mark.parametrize("gradient", ["magnitude", "gain", "sign"])
def test_the_three_gradient_rules(gradient):
    search = find_tickets(
        nn.Sequential(nn.Linear(4, 3)).double(), method="biprop", init="kaiming-normal", gradient=gradient
    )
    (layer,) = search.layers.values()
    grad = torch.from_numpy(np.random.default_rng(1).standard_normal((3, 4)))
    layer.effective_weight().backward(grad)
    gain = float(exact_mean(layer.frozen, layer.mask()))
    slope = {"magnitude": layer.frozen, "gain": gain * torch.sign(layer.frozen), "sign": torch.sign(layer.frozen)}
    expected = torch.sign(layer.scores.detach()) * slope[gradient] * grad
    assert torch.allclose(layer.scores.grad, expected, rtol=1e-14, atol=0)


def test_global_scope_compares_all_layers():
    search = find_tickets(convnet(), method="biprop", density=0.3, seed=2, scope="global", init="kaiming-normal")
    assert search.n_keep == round(Fraction(3, 10) * search.numel)
    for _ in range(2):
        scores = [
            (abs(float(s)), -i) for i, s in enumerate(torch.cat([p.detach().reshape(-1) for p in search.parameters()]))
        ]
        kept = {-i for _, i in sorted(scores, reverse=True)[: search.n_keep]}
        bits = torch.cat([mask.reshape(-1) for mask in search.masks().values()])
        assert set(torch.nonzero(bits)[:, 0].tolist()) == kept
        for layer in search.layers.values():
            assert layer.n_keep == int(layer.mask().sum())
            mean = float(exact_mean(layer.frozen, layer.mask()))
            assert float(layer.gain()) == pytest.approx(mean, rel=1e-14, abs=0)
        list(run(search, 3))
    densities = [float(mask.double().mean()) for mask in search.masks().values()]
    assert max(densities) > 1.5 * min(densities)
    copied = copy.deepcopy(search)
    with torch.no_grad():
        next(iter(search.layers.values())).scores.mul_(100)
    assert float(next(iter(search.masks().values())).double().mean()) > 0.9
    assert sum(int(mask.sum()) for mask in search.masks().values()) == search.n_keep
    assert not torch.equal(next(iter(copied.masks().values())), next(iter(search.masks().values())))


def test_a_layer_emptied_by_global_scope_is_zero_and_finite():
    search = find_tickets(convnet(), method="biprop", density=0.1, scope="global", init="kaiming-normal")
    last = list(search.layers.values())[-1]
    with torch.no_grad():
        last.scores.mul_(1e-6)
    loss = nn.functional.cross_entropy(search.model(batch()[0]), batch()[1])
    loss.backward()
    assert last.n_keep == 0
    assert float(loss.detach()) == pytest.approx(math.log(3))
    assert last.scores.grad.isfinite().all()
    assert last.scores.grad.any()


def test_the_cubic_schedule():
    """Pruned fraction 0.8 + (0.5 - 0.8) (1 - t/10)^3, by hand at t = 0, 1, 5, 9; then constant."""
    options = {"scope": "global", "schedule_epochs": 10}
    search = find_tickets(nn.Linear(100, 10, bias=False), method="biprop", density=0.2, **options)
    assert search.density == 0.5
    counts = [search.group.n_keep]
    for epoch in range(12):
        search.after_epoch(epoch, 15)
        counts.append(sum(int(mask.sum()) for mask in search.masks().values()))
    assert [counts[t] for t in (0, 1, 5, 9, 10, 12)] == [500, 419, 238, 200, 200, 200]
    assert sorted(counts, reverse=True) == counts
    assert {event.kind for event in search.events} == {"density"}
    fresh = find_tickets(nn.Linear(100, 10, bias=False), method="biprop", density=0.2, **options)
    for epoch in range(3):
        fresh.after_epoch(epoch, 15)
    again = find_tickets(nn.Linear(100, 10, bias=False), method="biprop", density=0.2, **options)
    again.load_state_dict(fresh.state_dict())
    assert again.density == fresh.density == counts[3] / 1000
    assert again.events == fresh.events
    above_half = find_tickets(nn.Linear(100, 10), method="biprop", density=0.6, **options)
    assert above_half.density == 0.6
    assert above_half.after_epoch(0, 15) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "alpha"}, "gradient must be one of magnitude, gain, sign"),
        ({"scope": "model"}, "scope must be one of layer, global"),
        ({"schedule_epochs": 3}, "schedule_epochs must be 0, or more with scope='global'"),
        ({"schedule_epochs": -1, "scope": "global"}, "got schedule_epochs=-1"),
        ({"schedule_start": 1}, r"schedule_start must be in \[0, 1\)"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make_method("biprop", **options)


def test_densities_of_layers_and_global_scope_exclude_each_other():
    with pytest.raises(ValueError, match="with scope='global', where layers have no densities of their own"):
        find_tickets(convnet(), method="biprop", scope="global", densities={"0": 0.5})


def test_sign_activation_and_its_surrogate():
    x = torch.tensor([-3.0, -1.0, -0.75, -0.0, 0.0, 0.25, 1.0, 1.5], dtype=torch.float64, requires_grad=True)
    y = SignActivation()(x)
    assert y.tolist() == [-1, -1, -1, 0, 0, 1, 1, 1]
    grad = torch.linspace(1, 8, 8, dtype=torch.float64)
    y.backward(grad)
    assert x.grad.tolist() == [0, 0, 3 * 0.5, 4 * 2, 5 * 2, 6 * 1.5, 0, 0]


def test_binary_activations_train():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(32, 64), nn.BatchNorm1d(64, affine=False), SignActivation(), nn.Linear(64, 3)
    )
    search = find_tickets(model, method="mpt-1-1", density=0.5, init="kaiming-normal", seed=1)
    assert isinstance(search.method, Mpt11)
    assert (search.method.activation, Biprop.activation) == ("sign", "relu")
    x, y = batch()
    optimiser = torch.optim.Adam(search.parameters(), lr=0.1)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-10:]) < losses[0] / 4
