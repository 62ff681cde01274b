"""What every method must do: global density against a sorted twin, and frozen given weights with a tied head."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import find_tickets, fold
from nets.search.methods import METHODS, make_method

EXACT = [name for name in METHODS if not make_method(name).samples]
OPTIONS = {
    "iterand": {"rerand_every": 4, "rerand_frac": 0.5},
    "recycle": {"recycle_every": 1, "recycle_frac": 0.3},
    "biprop-recycle": {"recycle_every": 1, "recycle_frac": 0.3},
}


def convnet():
    features = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(24, 10), nn.ReLU(), nn.Linear(10, 3)).double()


def highest(keys, n_keep):
    """Masks of the largest keys of all, by sorting (key, place) one by one; of equal ones the first."""
    flat = [(-float(key), place) for place, key in enumerate(np.concatenate([k.reshape(-1) for k in keys]))]
    mask = np.zeros(len(flat), bool)
    mask[[place for _, place in sorted(flat)[:n_keep]]] = True
    parts = np.split(mask, np.cumsum([k.size for k in keys])[:-1])
    return [part.reshape(k.shape) for part, k in zip(parts, keys, strict=True)]


def values_by_hand(method, layer, mask):
    """Effective weights from the methods' definitions."""
    weight, scores = layer.frozen.numpy(), layer.scores.detach().numpy()
    if "biprop" in method or method == "mpt-1-1":
        gain = sum(Fraction(abs(float(w))) for w in weight[mask]) / max(1, int(mask.sum()))
        return np.sign(weight) * float(gain) * mask
    return weight * mask * (np.where(scores < 0, -1, 1) if method == "signed-supermask" else 1)


def steps(search, count, first=0, lr=0.3):
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.standard_normal((12, 2, 4, 4)))
    y = torch.from_numpy(rng.integers(0, 3, 12))
    optimiser = torch.optim.SGD(search.parameters(), lr=lr, momentum=0.9)
    for step in range(first, first + count):
        search.before_step(step)
        optimiser.zero_grad()
        nn.functional.cross_entropy(search.model(x), y).backward()
        optimiser.step()


@pytest.mark.parametrize("schedule", [0, 3])
@pytest.mark.parametrize("method", EXACT)
def test_global_density_keeps_the_highest_keys_of_all_layers(method, schedule):
    search = find_tickets(
        convnet(), method=method, density=0.3, scope="global", schedule_epochs=schedule, seed=2, init="kaiming-normal",
        **OPTIONS.get(method, {}),
    )  # fmt: skip
    key = np.abs if search.method.score_key == "abs" else np.asarray
    layers, counts = list(search.layers.values()), []
    for epoch in range(5):
        left = (1 - Fraction(epoch, 3)) ** 3 if schedule and epoch < 3 else 0
        expected = round((1 - (Fraction(7, 10) + (Fraction(1, 2) - Fraction(7, 10)) * left)) * search.numel)
        masks = highest([key(layer.scores.detach().numpy()) for layer in layers], expected)
        for layer, mask in zip(layers, masks, strict=True):
            assert np.array_equal(layer.mask().numpy(), mask)
            effective = layer.effective_weight().detach().numpy()
            assert np.allclose(effective, values_by_hand(method, layer, mask), rtol=1e-14, atol=0)
        counts.append([int(mask.sum()) for mask in masks])
        steps(search, 5, 5 * epoch)
        search.after_epoch(epoch, 9)
    assert [sum(count) for count in counts][-1] == round(0.3 * search.numel)
    assert (sum(counts[0]) > sum(counts[-1])) == bool(schedule)
    shares = [count / layer.frozen.numel() for count, layer in zip(counts[-1], layers, strict=True)]
    assert max(shares) > 1.1 * min(shares)


class Tied(nn.Module):
    """A language model whose head is its table of words."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 24)
        self.mix = nn.Linear(24, 24)
        self.norm = nn.LayerNorm(24)
        self.head = nn.Linear(24, 11, bias=False)
        nn.init.normal_(self.words.weight, std=0.3)
        self.head.weight = self.words.weight

    def forward(self, tokens):
        before = self.words(tokens)
        return self.head(self.norm(before + torch.relu(self.mix(before))))


PACE = {"bernoulli": 30.0, "probmask": 0.05}


@pytest.mark.parametrize("method", METHODS)
def test_given_weights_with_a_tied_head(method):
    torch.manual_seed(4)
    model = Tied()
    given = copy.deepcopy(model.state_dict())
    options = {"rerand_init": "kaiming-normal", "rerand_every": 7} if method == "iterand" else OPTIONS.get(method, {})
    search = find_tickets(model, method=method, init="keep", embeddings=True, density=0.6, seed=1, **options)
    assert list(search.layers) == ["words", "mix"]
    assert model.head.masked_weight("weight") is model.words.masked_weight("weight")
    assert [tuple(one.shape) for one in search.parameters()] == [(11, 24), (24, 24)]
    for name, layer in search.layers.items():
        assert torch.equal(layer.frozen, given[f"{name}.weight"])
    tokens = torch.arange(11).repeat(3)
    target = (tokens * 3 + 1) % 11
    optimiser = torch.optim.SGD(search.parameters(), lr=PACE.get(method, 0.02), momentum=0.9)
    losses = []
    for step in range(60):
        search.before_step(step)
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(tokens), target)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        if step % 20 == 19:
            search.after_epoch(step // 20, 9)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    for name, layer in search.layers.items():
        changed = layer.frozen != given[f"{name}.weight"]
        if method == "iterand":
            assert torch.equal(changed, layer.draws > 0)
        elif "recycle" in method:
            own = torch.arange(changed.numel()).reshape(changed.shape)
            assert torch.equal(changed, layer.origins != own)
            assert torch.equal(layer.frozen.reshape(-1), given[f"{name}.weight"].reshape(-1)[layer.origins.reshape(-1)])
        else:
            assert not changed.any()
    assert torch.equal(model.norm.weight, given["norm.weight"])
    assert torch.equal(model.mix.bias, given["mix.bias"])
    plain = fold(model)
    assert plain.head.weight is plain.words.weight
    model.eval()
    assert torch.equal(plain.eval()(tokens), model(tokens))
