"""Methods that sample masks, against NumPy twins: the noise, the gradient, the budget, the ticket, and resumed runs."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets.search import find_tickets, fold
from nets.search.draws import MASKS
from nets.search.layer import from_linear
from nets.search.methods import make_method
from nets.search.methods.bernoulli import Bernoulli
from nets.search.methods.probmask import ProbMask, within_budget
from nets.search.methods.sampled import noise_of
from sims.solver.philox import uniforms
from tests.nets.test_edge_popup import data, mlp, train
from tests.stats import assert_probability

SAMPLED = ["bernoulli", "probmask"]


def noise_by_hand(search, draw):
    """Numbers in [0, 1) of every layer from the generator's own definition."""
    for layer in search.layers.values():
        n = layer.frozen.numel()
        drawn = uniforms(search.score_seed, 0, n, draw + 1, stream=MASKS + layer.index)[:, draw]
        yield (1 - drawn.reshape(layer.frozen.shape)) / 2 - 2.0**-53


def slopes(weights, masks, x, y):
    """Gradients of the mean squared error for the effective weights of two layers with a ReLU between."""
    effective = [w * m for w, m in zip(weights, masks, strict=True)]
    hidden = x @ effective[0].T
    out = np.maximum(hidden, 0) @ effective[1].T
    slope = 2 * (out - y) / out.size
    back = (slope @ effective[1]) * (hidden > 0)
    return back.T @ x, slope.T @ np.maximum(hidden, 0)


@pytest.mark.parametrize("first", ["constant", "normal"])
def test_thirty_steps_of_bernoulli_equal_the_numpy_twin(first):
    search = find_tickets(
        mlp(), method="bernoulli", density=0.4, seed=1, score_seed=7, init="kaiming-normal", first_probabilities=first
    )
    layers = list(search.layers.values())
    weights = [layer.frozen.numpy().copy() for layer in layers]
    scores = [layer.scores.detach().numpy().copy() for layer in layers]
    for layer, score in zip(layers, scores, strict=True):
        middle = math.log(layer.aim / (score.size - layer.aim))
        if first == "constant":
            assert np.allclose(score, middle, rtol=1e-14, atol=0)
        else:
            assert 0.5 < score.std() < 1.5
            assert abs((score - middle).mean()) < 5 / score.size**0.5
    speed = [np.zeros_like(s) for s in scores]
    x, y = data()
    changed = 0
    runs = train(search, 30, lr=30.0, momentum=0.5, decay=1e-4, x=torch.from_numpy(x), y=torch.from_numpy(y))
    for step, _ in enumerate(runs):
        p = [1 / (1 + np.exp(-s)) for s in scores]
        masks = [u < q for u, q in zip(noise_by_hand(search, step + 1), p, strict=True)]
        for i, grad in enumerate(slopes(weights, masks, x, y)):
            speed[i] = 0.5 * speed[i] + weights[i] * grad * p[i] * (1 - p[i]) + 1e-4 * scores[i]
            scores[i] = scores[i] - 30 * speed[i]
            assert np.allclose(layers[i].scores.detach().numpy(), scores[i], rtol=1e-9, atol=1e-11)
        changed += len({mask.tobytes() for mask in masks})
    assert changed == 60
    for layer, noise, score in zip(layers, noise_by_hand(search, 0), scores, strict=True):
        assert np.array_equal(layer.mask().numpy(), noise < 1 / (1 + np.exp(-score)))


def budget_by_hand(scores, n_keep):
    """The shift by halving an interval a hundred times."""
    flat = np.concatenate([s.reshape(-1) for s in scores])
    low, high = 0.0, max(flat.max(), 0)
    if np.clip(flat, 0, 1).sum() > n_keep:
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if np.clip(flat - middle, 0, 1).sum() > n_keep else (low, middle)
    return [np.clip(s - low, 0, 1) for s in scores]


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_thirty_steps_of_probmask_equal_the_numpy_twin(scope):
    """Noise as the difference of Gumbel numbers is the logit of a uniform number; the authors' formula from there."""
    schedule = {"schedule_epochs": 2, "schedule_start": 0.1} if scope == "global" else {}
    search = find_tickets(
        mlp(), method="probmask", density=0.4, seed=1, score_seed=7, init="kaiming-normal", scope=scope, **schedule
    )
    layers = list(search.layers.values())
    weights = [layer.frozen.numpy().copy() for layer in layers]
    sizes = [w.size for w in weights]
    scores = [layer.scores.detach().numpy().copy() for layer in layers]
    x, y = (torch.from_numpy(part) for part in data())
    for epoch in range(3):
        temperature = 1 - 0.97 * epoch / 3
        left = (1 - epoch / 2) ** 3 if epoch < 2 else 0
        total = round((1 - (0.6 + (0.1 - 0.6) * left)) * sum(sizes)) if scope == "global" else None
        for step, _ in enumerate(train(search, 10, lr=0.3, momentum=0, decay=0, x=x, y=y, first=10 * epoch)):
            draw = 10 * epoch + step + 1
            if total is None:
                scores = [budget_by_hand([s], round(0.4 * s.size))[0] for s in scores]
            else:
                scores = budget_by_hand(scores, total)
            masks, slope = [], []
            for p, u in zip(scores, noise_by_hand(search, draw), strict=True):
                logit = np.log(p + 1e-20) - np.log(1 - p + 1e-20)
                m = 1 / (1 + np.exp(-(logit + np.log(u / (1 - u))) / temperature))
                masks.append(m)
                slope.append(m * (1 - m) / temperature * (1 / (p + 1e-20) + 1 / (1 - p + 1e-20)))
            for i, grad in enumerate(slopes(weights, masks, x.numpy(), y.numpy())):
                scores[i] = scores[i] - 0.3 * weights[i] * grad * slope[i]
                assert np.allclose(layers[i].scores.detach().numpy(), scores[i], rtol=1e-6, atol=1e-8)
        search.after_epoch(epoch, 3)
    assert (search.budget or search.n_keep) == round(0.4 * sum(sizes))
    ticket = budget_by_hand(scores, search.n_keep) if scope == "global" else None
    ticket = ticket or [budget_by_hand([s], round(0.4 * s.size))[0] for s in scores]
    for mask, p, u in zip(search.masks().values(), ticket, noise_by_hand(search, 0), strict=True):
        assert np.array_equal(mask.numpy(), u < p)
    assert any(0 < float((p == 0).mean()) < 1 for p in ticket)


@given(st.lists(st.integers(-40, 60), min_size=1, max_size=12), st.integers(0, 12), st.integers(0, 11))
def test_the_budget_is_the_nearest_point(tenths, n_keep, cut):
    scores = [np.array(part) / 16 for part in (tenths[:cut], tenths[cut:])]
    found = within_budget([torch.from_numpy(part) for part in scores], n_keep)
    for one, other in zip(found, budget_by_hand(scores, n_keep), strict=True):
        assert np.allclose(one.numpy(), other, rtol=0, atol=1e-7)
    inside = sum(float(one.sum()) for one in found)
    assert inside <= n_keep + 1e-7
    if np.clip(np.array(tenths) / 16, 0, 1).sum() >= n_keep:
        assert inside == pytest.approx(n_keep, abs=1e-7)


def test_a_large_budget_is_exact():
    scores = torch.from_numpy(np.random.default_rng(1).normal(0.5, 0.4, 200_000))
    (found,) = within_budget([scores], 60_000)
    assert float(found.sum()) == pytest.approx(60_000, abs=1e-3)
    (other,) = budget_by_hand([scores.numpy()], 60_000)
    assert np.abs(found.numpy() - other).max() < 1e-8


@pytest.mark.parametrize("method", SAMPLED)
def test_the_number_kept_is_binomial(method):
    search = find_tickets(nn.Sequential(nn.Linear(200, 150)), method=method, density=0.3, seed=5)
    layer = search.layers["0"]
    assert_probability(int(layer.mask().sum()), 30000, 0.3)
    assert layer.n_keep == int(layer.mask().sum()) == search.density * 30000
    assert f": {layer.n_keep} of 30000 weights kept" in repr(search)
    masks = []
    for step in range(2):
        search.before_step(step)
        if method == "bernoulli":
            masks.append(layer.effective_weight() != 0)
            assert_probability(int(masks[-1].sum()), 30000, 0.3)
    for one, other in itertools.pairwise(masks):
        assert_probability(int((one & other).sum()), 30000, 0.09)
    values = [noise_of(layer).clone()]
    search.model.eval()
    values.append(noise_of(layer))
    assert not torch.equal(*values)


@pytest.mark.parametrize("method", SAMPLED)
def test_the_ticket_is_one_network(method):
    """Training samples; masks, summary, state, folding and evaluation show the same ticket, whatever the mode."""
    search = find_tickets(mlp(torch.float32), method=method, density=0.4, seed=3)
    x = torch.ones(4, 5)
    search.before_step(0)
    model = search.model
    first, state = model(x), model.state_dict()
    search.before_step(1)
    assert not torch.equal(first, model(x))
    plain = fold(model)
    for name, layer in search.layers.items():
        expected = layer.frozen * search.masks()[name]
        assert torch.equal(plain.get_submodule(name).weight, expected)
        assert torch.equal(state[f"{name}.weight"], expected)
        assert torch.equal(layer.ticket_weight(), expected)
        assert layer.training
    with search.hold_masks(), torch.no_grad():
        held = model(x)
    model.eval()
    assert torch.equal(held, plain(x))
    assert torch.equal(model(x), plain(x))
    search.before_step(2)
    assert torch.equal(model(x), plain(x))
    assert fold(search.model.half()).state_dict()["0.weight"].dtype == torch.float16


@pytest.mark.parametrize("method", SAMPLED)
def test_a_run_taken_up_again_is_the_run_itself(method):
    def start():
        return find_tickets(mlp(), method=method, seed=9, score_seed=10, density=0.4)

    x, y = (torch.from_numpy(part) for part in data())
    pace = {"lr": 5.0 if method == "bernoulli" else 0.05, "momentum": 0.0, "x": x, "y": y}
    whole = start()
    list(train(whole, 6, **pace))
    whole.after_epoch(0, 4)
    list(train(whole, 8, first=6, **pace))
    half = start()
    list(train(half, 6, **pace))
    half.after_epoch(0, 4)
    list(train(half, 3, first=6, **pace))
    saved = copy.deepcopy((half.model.state_dict(), half.state_dict()))
    torch.manual_seed(12345)
    again = start()
    again.model.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert again.progress == 0.25
    list(train(again, 5, first=9, **pace))
    for (name, one), other in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    other = find_tickets(mlp(), method=method, seed=9, score_seed=11, density=0.4)
    with pytest.raises(RuntimeError, match="was pruned otherwise: score_seed 10, here 11"):
        other.model.load_state_dict(saved[0])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("method", [*SAMPLED, "signed-supermask"])
def test_a_compiled_model_does_the_same(method):
    """Compiled in the first step, although noise and temperature change from step to step."""
    torch._dynamo.reset()
    x, y = (torch.from_numpy(part) for part in data())
    found, frames, first = [], [], 0

    def count(graph, inputs):
        frames.append(graph)
        return graph.forward

    for compiled in (False, True):
        search = find_tickets(mlp(), method=method, density=0.4, seed=3)
        forward = torch.compile(search.model, backend=count) if compiled else search.model
        optimiser = torch.optim.SGD(search.parameters(), lr=0.1)
        for step in range(7):
            search.before_step(step)
            optimiser.zero_grad()
            (forward(x) - y).square().mean().backward()
            optimiser.step()
            search.after_epoch(step, 7)
            first = len(frames) if step == 0 else first
        assert len(frames) == first
        search.model.eval()
        found.append((forward(x).detach(), [one.detach() for one in search.score_parameters()]))
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))
    assert first > 0


def test_the_three_evaluations_of_bernoulli():
    scores = torch.linspace(-3, 3, 35, dtype=torch.float64).reshape(7, 5)
    found = {}
    for evaluation in ("sample", "threshold", "expectation"):
        search = find_tickets(mlp(), method="bernoulli", seed=2, evaluation=evaluation)
        with torch.no_grad():
            search.layers["0"].scores.copy_(scores)
        search.model.eval()
        layer = search.layers["0"]
        found[evaluation] = layer.effective_weight() / layer.frozen
        search.model.train()
        assert set((layer.effective_weight() / layer.frozen).unique().tolist()) == {0.0, 1.0}
        values = search.export_parts()["layers"]["0"]["values"]
        assert (values is None) == (evaluation != "expectation")
    assert torch.equal(found["threshold"], (scores > 0).double())
    assert torch.allclose(found["expectation"], 1 / (1 + torch.exp(-scores)), rtol=1e-12)
    (noise, _) = noise_by_hand(search, 0)
    assert np.array_equal(found["sample"].detach().numpy(), noise < found["expectation"].detach().numpy())


def test_the_highest_probabilities_of_probmask():
    search = find_tickets(mlp(), method="probmask", seed=2, evaluation="highest", density=0.4)
    with torch.no_grad():
        for layer in search.layers.values():
            layer.scores.copy_(torch.from_numpy(np.random.default_rng(layer.index).random(tuple(layer.scores.shape))))
    every = torch.cat([layer.scores.detach().reshape(-1) for layer in search.layers.values()])
    kept = torch.cat([mask.reshape(-1) for mask in search.masks().values()])
    assert int(kept.sum()) == round(0.4 * 56)
    assert float(every[kept].min()) > float(every[~kept].max())


def test_forgotten_steps_warn():
    search = find_tickets(mlp(torch.float32), method="bernoulli")
    with pytest.warns(UserWarning, match=r"no search.before_step\(step\) in 1 backward pass: bernoulli needs it"):
        search.model(torch.ones(2, 5)).sum().backward()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            "bernoulli",
            {"scope": "global"},
            "scope must be layer for method bernoulli: each weight",
        ),
        ("bernoulli", {"score_key": "abs"}, "score_key must be raw for method bernoulli, got score_key='abs'"),
        ("bernoulli", {"evaluation": "mean"}, "evaluation must be one of sample, threshold, expectation"),
        ("bernoulli", {"first_probabilities": "half"}, "first_probabilities must be one of constant, normal"),
        ("probmask", {"evaluation": "threshold"}, "evaluation must be one of sample, highest"),
        ("probmask", {"final_temperature": 0}, r"final_temperature must be in \(0, 1\], got final_temperature=0"),
        (
            "probmask",
            {"scope": "layer", "schedule_epochs": 2},
            "schedule_epochs must be 0, or more with scope",
        ),
        ("signed-supermask", {"score_key": "raw"}, "score_key must be abs for method signed-supermask"),
    ],
)
def test_bad_options(kind, options, message):
    with pytest.raises(ValueError, match=message):
        make_method(kind, **options)


def test_bad_densities_and_lone_layers_leave_the_model_untouched():
    model = mlp()
    before = copy.deepcopy(model.state_dict())
    for options in ({"density": 1}, {"density": 0.9, "allocation": "erk"}):
        with pytest.raises(ValueError, match=r"density must be below 1 for method bernoulli.*layer '[02]' has 1"):
            find_tickets(model, method="bernoulli", **options)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="bernoulli draws its masks from the seed of a search: use find_tickets"):
        from_linear(nn.Linear(3, 2), method=Bernoulli())


def test_defaults():
    base = {"score_key": "raw", "score_init": "kaiming-uniform-a5", "schedule_epochs": 0, "schedule_start": 0.5}
    assert Bernoulli().options() == {
        **base, "scope": "layer", "evaluation": "sample", "first_probabilities": "constant"
    }  # fmt: skip
    assert ProbMask().options() == {**base, "scope": "global", "evaluation": "sample", "final_temperature": 0.03}


def test_noise_is_the_same_elsewhere(elsewhere):
    here = find_tickets(mlp(), method="bernoulli", seed=3)
    with elsewhere as device:
        there = find_tickets(mlp().to(device), method="bernoulli", seed=3)
    for step in range(2):
        here.before_step(step)
        with elsewhere:
            there.before_step(step)
        for one, other in zip(here.layers.values(), there.layers.values(), strict=True):
            assert torch.equal(one.step_noise, other.step_noise.cpu())


def test_a_probability_of_one_half_is_not_above_the_threshold():
    search = find_tickets(mlp(), method="bernoulli", evaluation="threshold", density=0.5, seed=1)
    layer = next(iter(search.layers.values()))
    with torch.no_grad():
        layer.scores.zero_()
        layer.scores[0, 0] = 1e-30
    layer.eval()
    assert layer.mask().nonzero().tolist() == [[0, 0]]
