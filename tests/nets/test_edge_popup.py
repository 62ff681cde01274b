"""Edge-Popup against a NumPy twin, its invariances, and a planted ticket that every method finds again."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import find_tickets, fold
from nets.search.methods import METHODS, make_method
from nets.search.methods.edge_popup import EdgePopup

DENSITY = 0.4


def mlp(dtype=torch.float64):
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).to(dtype)


def data(rows=16, inputs=5, outputs=3):
    rng = np.random.default_rng(3)
    return rng.standard_normal((rows, inputs)), rng.standard_normal((rows, outputs))


def digest(search):
    parts = [layer.frozen.numpy().tobytes() for layer in search.layers.values()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def train(search, steps, *, lr=0.1, momentum=0.9, decay=0.01, x=None, y=None, first=0):
    """SGD on the mean squared error over the whole batch; yields the masks of every step."""
    optimiser = torch.optim.SGD(search.parameters(), lr=lr, momentum=momentum, weight_decay=decay)
    for step in range(first, first + steps):
        search.before_step(step)
        optimiser.zero_grad()
        (search.model(x) - y).square().mean().backward()
        optimiser.step()
        yield {name: mask.clone() for name, mask in search.masks().items()}


def by_hand(weights, scores, x, y, steps, key, *, lr=0.1, momentum=0.9, decay=0.01):
    """The same search in NumPy: sort, straight-through, SGD with momentum and weight decay on the scores."""
    scores = [s.copy() for s in scores]
    speed = [np.zeros_like(s) for s in scores]
    for _ in range(steps):
        masks = []
        for s in scores:
            rank = np.abs(s) if key == "abs" else s
            order = np.argsort(-rank.reshape(-1), kind="stable")
            mask = np.zeros(s.size)
            mask[order[: round(DENSITY * s.size)]] = 1
            masks.append(mask.reshape(s.shape))
        hidden = x @ (weights[0] * masks[0]).T
        out = np.maximum(hidden, 0) @ (weights[1] * masks[1]).T
        slope = 2 * (out - y) / out.size
        grads = [None, slope.T @ np.maximum(hidden, 0)]
        back = (slope @ (weights[1] * masks[1])) * (hidden > 0)
        grads[0] = back.T @ x
        for i, grad in enumerate(grads):
            step = weights[i] * grad * (np.sign(scores[i]) if key == "abs" else 1) + decay * scores[i]
            speed[i] = momentum * speed[i] + step
            scores[i] = scores[i] - lr * speed[i]
        yield scores, masks


@pytest.mark.parametrize("key", ["abs", "raw"])
@pytest.mark.parametrize("init", ["signed-constant", "kaiming-normal"])
def test_forty_steps_equal_the_numpy_twin(key, init):
    search = find_tickets(mlp(), method="edge-popup", density=DENSITY, seed=1, init=init, score_key=key)
    layers = list(search.layers.values())
    weights = [layer.frozen.numpy().copy() for layer in layers]
    scores = [layer.scores.detach().numpy().copy() for layer in layers]
    x, y = data()
    runs = train(search, 40, x=torch.from_numpy(x), y=torch.from_numpy(y))
    moved = 0
    first = [mask.clone() for mask in search.masks().values()]
    for _, (expected, masks) in zip(runs, by_hand(weights, scores, x, y, 40, key), strict=True):
        for layer, score in zip(layers, expected, strict=True):
            assert np.allclose(layer.scores.detach().numpy(), score, rtol=1e-9, atol=1e-12)
        moved = sum(int((a.numpy() != b).sum()) for a, b in zip(first, masks, strict=True))
    assert moved > 4


@pytest.mark.parametrize("method", ["edge-popup", "biprop"])
def test_weights_never_change(method):
    x, y = (torch.from_numpy(part) for part in data())
    search = find_tickets(mlp(), method=method, density=DENSITY, init="kaiming-normal", seed=2)
    before = digest(search), [layer.scores.detach().clone() for layer in search.layers.values()]
    list(train(search, 20, x=x, y=y))
    assert [search.after_epoch(epoch, 9) for epoch in range(9)] == [None] * 9
    assert digest(search) == before[0]
    for layer, scores in zip(search.layers.values(), before[1], strict=True):
        assert not torch.equal(layer.scores, scores)


@pytest.mark.parametrize("c", [2.0**-7, 4.0])
@pytest.mark.parametrize("method", ["edge-popup", "biprop", "iterand"])
def test_scores_learning_rate_and_decay_rescale_together(method, c):
    """Scores times c, lr times c, decay over c: the same masks step for step, exactly, for c a power of two."""
    x, y = (torch.from_numpy(part) for part in data())
    runs = []
    for factor in (1.0, c):
        options = {"rerand_every": 7} if method == "iterand" else {}
        search = find_tickets(mlp(), method=method, density=DENSITY, seed=5, init="kaiming-uniform", **options)
        with torch.no_grad():
            for layer in search.layers.values():
                layer.scores.mul_(factor)
        runs.append(list(train(search, 30, lr=0.2 * factor, decay=0.02 / factor, x=x, y=y)))
    for one, other in zip(*runs, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(runs[0][0][name], runs[0][-1][name]) for name in runs[0][0])


PACE = {"bernoulli": (200.0, 0.0), "probmask": (1.0, 0.0)}
"""Learning rate and weight decay where a method's scores are no ranks but logits or probabilities."""
OPTIONS = {"iterand": {"rerand_every": 50}, "recycle": {"recycle_every": 3}, "biprop-recycle": {"recycle_every": 3}}
OPTIONS |= {"probmask": {"evaluation": "highest"}}


def planted_run(model, name, init, *, lr, epochs=10, steps=30):
    """Plant a random subset of the weights, then search from other scores; (agreement, loss) before, after."""
    rng = np.random.default_rng(8)
    search = find_tickets(model, method=make_method(name, **OPTIONS.get(name, {})), density=0.4, seed=4, init=init)
    planted = {}
    for layer_name, layer in search.layers.items():
        n = layer.frozen.numel()
        bits = np.zeros(n, bool)
        bits[rng.permutation(n)[: layer.aim]] = True
        planted[layer_name] = torch.from_numpy(bits.reshape(layer.frozen.shape))
    x = torch.from_numpy(rng.standard_normal((256, next(iter(search.layers.values())).frozen.shape[1])))
    target = fold(model)
    with torch.no_grad():
        for layer_name, layer in search.layers.items():
            bits = planted[layer_name]
            value, _ = search.method.value_and_slope(layer.frozen, bits, int(bits.sum()))
            target.get_submodule(layer_name).weight.copy_(value * bits)
        y = target(x)

    def measure():
        model.eval()
        with torch.no_grad():
            same = [search.masks()[key] == bits for key, bits in planted.items()]
            return float(torch.cat([part.reshape(-1) for part in same]).double().mean()), float(
                (model(x) - y).square().mean() / y.square().mean()
            )

    before = measure()
    lr, decay = PACE.get(name, (lr, 1e-3))
    for epoch in range(epochs):
        model.train()
        list(train(search, steps, lr=lr, momentum=0.9, decay=decay, x=x, y=y, first=steps * epoch))
        search.after_epoch(epoch, epochs)
    return before, measure()


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_ticket_is_found_exactly(name):
    """One layer, where the target determines the subset: the search comes back to it, bit for bit."""
    model = nn.Sequential(nn.Linear(30, 8, bias=False)).double()
    before, after = planted_run(model, name, "signed-constant", lr=1.0)
    assert abs(before[0] - (0.4**2 + 0.6**2)) < 0.15
    assert before[1] > 0.3
    assert after == (1.0, 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_a_ticket_planted_in_a_hidden_layer_network_is_approached(name):
    """Two layers: other subsets come close too, so the loss is the measure."""
    model = nn.Sequential(nn.Linear(8, 40), nn.ReLU(), nn.Linear(40, 3)).double()
    before, after = planted_run(model, name, "kaiming-normal", lr=0.1, steps=60)
    assert before[1] > 0.3
    assert after[1] < before[1] / 8


def test_the_method_says_what_it_is():
    assert EdgePopup() == make_method("edge-popup") == METHODS["edge-popup"].load()()
    first = {"score_key": "abs", "score_init": "kaiming-uniform-a5"}
    assert EdgePopup().options() == {**first, "scope": "layer", "schedule_epochs": 0, "schedule_start": 0.5}
    assert [METHODS[name].load().name for name in METHODS] == list(METHODS)
    assert len(METHODS) == 9
    for bad, message in [
        ({"score_key": "square"}, "score_key must be one of abs, raw, got score_key='square'"),
        ({"score_init": "zeros"}, "score_init must be one of kaiming-uniform-a5, kaiming-uniform-relu, got"),
    ]:
        with pytest.raises(ValueError, match=message):
            EdgePopup(**bad)
    with pytest.raises(ValueError, match="method edge-popup has no option gradient; it has score_key, score_init"):
        make_method("edge-popup", gradient="sign")
    with pytest.raises(ValueError, match="options belong to a method given by name, got score_key with EdgePopup"):
        make_method(EdgePopup(), score_key="raw")
    with pytest.raises(ValueError, match=r"method must be one of edge-popup, .*, got 'popup'"):
        make_method("popup")
