"""IteRand: which weights are replaced, when, by what, and that a run can be taken up again bit for bit."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import find_tickets
from nets.search.draws import COINS, WEIGHTS, rebuild_weight
from nets.search.methods import make_method
from nets.search.methods.iterand import IteRand
from sims.solver.philox import uniforms
from tests.nets.test_biprop import convnet, run
from tests.stats import assert_probability, power_against


def wide(**options):
    model = nn.Sequential(nn.Linear(200, 150, bias=False))
    search = find_tickets(model, method="iterand", **{"density": 0.4, "seed": 3, **options})
    return search, next(iter(search.layers.values()))


def test_events_come_before_step_k_minus_one_of_every_k():
    search, _ = wide(rerand_every=5)
    events = [search.before_step(step) for step in range(23)]
    assert [step for step, event in enumerate(events) if event is not None] == [4, 9, 14, 19]
    assert [event.counter for event in search.events] == [1, 2, 3, 4]
    assert [(event.kind, event.step, event.epoch) for event in search.events[:1]] == [("rerand", 4, None)]
    assert search.after_epoch(0, 3) is None
    every = find_tickets(nn.Linear(3, 3), method="iterand", rerand_every=1)
    assert all(every.before_step(step) for step in range(3))


def test_conv6_on_cifar_has_117_events():
    """45,000 images in batches of 128 for 100 epochs: 35,200 steps (algorithms of the paper's code)."""
    steps = math.ceil(45000 / 128) * 100
    method = IteRand()
    assert sum((step + 1) % method.rerand_every == 0 for step in range(steps)) == 117


@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
def test_an_event_replaces_a_binomial_part_of_the_pruned_weights(init):
    search, layer = wide(init=init, rerand_every=1, rerand_frac=0.2)
    before, mask, scores = layer.frozen.clone(), layer.mask().clone(), layer.scores.detach().clone()
    event = search.before_step(0)
    changed = layer.frozen != before
    pruned = int((~mask).sum())
    assert torch.equal(layer.frozen[mask], before[mask])
    assert torch.equal(layer.scores, scores)
    assert torch.equal(layer.mask(), mask)
    assert event.changed == int((layer.draws == 1).sum())
    assert not (layer.draws[mask]).any()
    assert_probability(event.changed, pruned, 0.2)
    part = 0.1 if init == "signed-constant" else 0.2
    assert_probability(int(changed.sum()), pruned, part)
    assert power_against(part, 1.25 * part, pruned) > 0.99
    if init == "signed-constant":
        assert set(layer.frozen.abs().reshape(-1).tolist()) == {float(np.float32(math.sqrt(2 / 200)))}


def test_the_event_equals_its_definition_in_numpy():
    search, layer = wide(init="kaiming-uniform", rerand_every=2, rerand_frac=0.3)
    weights, draws = layer.frozen.numpy().copy(), np.zeros((150, 200), int)
    for step in range(6):
        mask = layer.mask().numpy().copy()
        search.before_step(step)
        if step % 2:
            c = (step + 1) // 2
            coin, fresh = (
                uniforms(3, 0, 30000, c + 1, stream=stream)[:, c].reshape(150, 200) for stream in (COINS, WEIGHTS)
            )
            chosen = ~mask & ((coin + 1) / 2 < 0.3)
            weights[chosen] = (math.sqrt(6 / 200) * fresh).astype(np.float32)[chosen]
            draws[chosen] = c
        np.testing.assert_allclose(layer.frozen.numpy(), weights, rtol=2e-7, atol=0)
        assert np.array_equal(layer.draws.numpy(), draws)
        with torch.no_grad():
            layer.scores.add_(torch.from_numpy(np.random.default_rng(step).normal(0, 0.1, (150, 200))))
    assert set(np.unique(draws)) == {0, 1, 2, 3}
    assert set(np.unique(draws[layer.mask().numpy()])) == {0, 1, 2, 3}


def test_layers_of_equal_shape_have_coins_of_their_own():
    search = find_tickets(nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 40)), method="iterand")
    one, other = (search.coin(name, 1, 0.5) for name in search.layers)
    assert_probability(int((one == other).sum()), 1600, 0.5)
    assert torch.equal(one, search.coin("0", 1, 0.5))


def test_the_extreme_fractions():
    search, layer = wide(rerand_every=1, rerand_frac=1, init="kaiming-uniform")
    mask = layer.mask().clone()
    event = search.before_step(0)
    assert event.changed == int((~mask).sum())
    assert torch.equal(layer.draws == 1, ~mask)


def test_without_replacement_it_is_the_base_run():
    base = find_tickets(
        convnet(), method="edge-popup", seed=5, density=0.4, score_key="raw", score_init="kaiming-uniform-relu"
    )
    none = find_tickets(convnet(), method="iterand", seed=5, density=0.4, rerand_every=2, rerand_frac=0)
    some = find_tickets(convnet(), method="iterand", seed=5, density=0.4, rerand_every=2, rerand_frac=0.5)
    losses = [list(run(search, 12)) for search in (base, none, some)]
    assert losses[0] == losses[1]
    assert losses[0][:2] == losses[2][:2]
    assert losses[0] != losses[2]
    assert [len(search.events) for search in (base, none, some)] == [0, 6, 6]
    for one, other in zip(base.layers.values(), none.layers.values(), strict=True):
        assert torch.equal(one.scores, other.scores)
        assert torch.equal(one.frozen, other.frozen)


@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
@pytest.mark.parametrize("rerand_init", [None, "kaiming-uniform"])
def test_weights_can_be_made_again_from_seed_and_draws(init, rerand_init):
    search = find_tickets(
        convnet(), method="iterand", init=init, rerand_every=3, rerand_frac=0.5, rerand_init=rerand_init
    )
    list(run(search, 10))
    parts = search.export_parts()
    for name, layer in search.layers.items():
        part = parts["layers"][name]
        names = ("index", "shape", "law", "std", "draws", "origins", "later_law")
        again = rebuild_weight(seed=parts["seed"], **{key: part[key] for key in names})
        assert torch.equal(again.float(), layer.frozen)
        assert set(part["draws"].unique().tolist()) == {0, 1, 2, 3}
    assert len(parts["events"]) == 3


def test_a_run_taken_up_again_is_the_run_itself():
    def start():
        return find_tickets(convnet(), method="iterand", seed=9, density=0.4, rerand_every=3, rerand_frac=0.4)

    def steps(search, optimiser, first, last):
        from tests.nets.test_biprop import batch

        for step in range(first, last):
            search.before_step(step)
            x, y = batch(step)
            optimiser.zero_grad()
            nn.functional.cross_entropy(search.model(x), y).backward()
            optimiser.step()

    def sgd(search):
        return torch.optim.SGD(search.parameters(), lr=0.1, momentum=0.9)

    whole = start()
    steps(whole, sgd(whole), 0, 14)
    half = start()
    optimiser = sgd(half)
    steps(half, optimiser, 0, 7)
    saved = copy.deepcopy((half.model.state_dict(), half.state_dict(), optimiser.state_dict()))
    torch.manual_seed(12345)
    again = start()
    again.model.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    other = sgd(again)
    other.load_state_dict(saved[2])
    steps(again, other, 7, 14)
    assert again.events == whole.events
    for (name, one), other_one in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
        assert torch.equal(one, other_one), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rerand_every": 0}, "rerand_every must be an integer >= 1, got rerand_every=0"),
        ({"rerand_frac": -0.1}, r"rerand_frac must be in \[0, 1\]"),
        ({"rerand_frac": 1.1}, r"rerand_frac must be in \[0, 1\]"),
        ({"rerand_init": "keep"}, "rerand_init must be one of signed-constant"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make_method("iterand", **options)


def test_given_weights_need_a_law_to_draw_from():
    with pytest.raises(ValueError, match='rerand_init must be given with init="keep"'):
        find_tickets(convnet(), method="iterand", init="keep")
    search = find_tickets(convnet(), method="iterand", init="keep", rerand_init="signed-constant", rerand_every=1)
    given = {name: layer.frozen.clone() for name, layer in search.layers.items()}
    search.before_step(0)
    for name, layer in search.layers.items():
        assert torch.equal(layer.frozen[layer.draws == 0], given[name][layer.draws == 0])
        assert (layer.frozen[layer.draws == 1].abs() == np.float32(math.sqrt(2 / layer.fan_in))).all()


def test_the_defaults_are_the_papers():
    assert IteRand().options() == {
        "score_key": "raw",
        "score_init": "kaiming-uniform-relu",
        "scope": "layer",
        "schedule_epochs": 0,
        "schedule_start": 0.5,
        "rerand_every": 300,
        "rerand_frac": 0.1,
        "rerand_init": None,
    }


@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
def test_events_are_the_same_elsewhere(init, elsewhere):
    options = {"density": 0.4, "seed": 3, "init": init, "rerand_every": 1, "rerand_frac": 0.3}
    here, layer = wide(init=init, rerand_every=1, rerand_frac=0.3)
    with elsewhere as device:
        there = find_tickets(nn.Sequential(nn.Linear(200, 150, bias=False)).to(device), method="iterand", **options)
    other = next(iter(there.layers.values()))
    for step in range(3):
        with elsewhere:
            mask = other.mask().cpu()
        assert torch.equal(other.frozen.cpu(), layer.frozen)
        assert torch.equal(mask, layer.mask())
        event = here.before_step(step)
        with elsewhere:
            assert event == there.before_step(step)
