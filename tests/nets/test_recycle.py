"""Weight recycling: which weights are copied where, and when, against a plain Python twin."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets.search import find_tickets
from nets.search.draws import rebuild_weight
from nets.search.masked_weight import MaskedWeight
from nets.search.methods import make_method
from nets.search.methods.biprop_recycle import BipropRecycle
from nets.search.methods.recycle import Recycle
from nets.search.methods.recycling import recycle
from tests.nets.test_biprop import convnet, run


def naive_recycle(weights, scores, k, sources):
    """Rank by abs(score), later places lower among equals; the j-th lowest takes the weight of its partner."""
    rank = sorted(range(len(scores)), key=lambda i: (abs(scores[i]), -i))
    out = list(weights)
    for j in range(k):
        partner = rank[len(rank) - k + j] if sources == "highest" else rank[k + j]
        out[rank[j]] = weights[partner]
    return out


@given(
    data=st.data(), scores=st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=24), percent=st.integers(0, 50)
)
def test_the_copies_equal_the_twin(data, scores, percent):
    sources = data.draw(st.sampled_from(["highest", "next-lowest"]))
    layer = MaskedWeight(torch.zeros(1, len(scores)), method=Recycle())
    weights = [float(i) for i in range(len(scores))]
    with torch.no_grad():
        layer.frozen.copy_(torch.tensor([weights]))
        layer.scores.copy_(torch.tensor([scores]))
    k = percent * len(scores) // 100
    assert recycle(layer, percent / 100, sources) == k
    assert layer.frozen[0].tolist() == naive_recycle(weights, scores, k, sources)
    assert layer.origins[0].tolist() == layer.frozen[0].tolist()
    assert layer.scores[0].tolist() == scores
    assert layer.draws is None


def test_top_and_middle_stay_and_the_mask_is_not_consulted():
    layer = MaskedWeight(nn.Conv2d(3, 5, 2).weight, n_keep=58, method=Recycle()).to(memory_format=torch.channels_last)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        layer.scores.copy_(torch.from_numpy(rng.standard_normal((5, 3, 2, 2))))
    weights, scores = layer.frozen.reshape(-1).tolist(), layer.scores.detach().reshape(-1).tolist()
    mask = layer.mask().clone()
    assert recycle(layer, 0.3) == 18
    assert layer.frozen.reshape(-1).tolist() == naive_recycle(weights, scores, 18, "highest")
    assert layer.frozen.is_contiguous(memory_format=torch.channels_last)
    changed = torch.tensor(weights).reshape(5, 3, 2, 2) != layer.frozen
    assert int(changed.sum()) == 18
    assert bool((changed & mask).any())  # kept weights are overwritten where density > 1 - recycle_frac
    assert torch.equal(layer.mask(), mask)


def test_the_fraction_is_exact_and_rounded_down():
    for frac, numel, k in [(0.29, 100, 29), (0.2, 14, 2), (0.1, 9, 0), ("1/3", 9, 3), (0.5, 5, 2)]:
        assert recycle(MaskedWeight(torch.zeros(1, numel)), frac) == k


def test_repeated_events_never_add_values():
    search = find_tickets(convnet(), method="recycle", init="kaiming-normal", recycle_every=1, recycle_frac=0.3)
    layer = search.layers["4"]
    distinct = [len(layer.frozen.unique())]
    for epoch in range(1, 6):
        with torch.no_grad():
            layer.scores.copy_(torch.from_numpy(np.random.default_rng(epoch).standard_normal((10, 24))))
        search.after_epoch(epoch, 9)
        distinct.append(len(layer.frozen.unique()))
    assert distinct[0] == 240
    assert sorted(distinct, reverse=True) == distinct
    assert distinct[1] == 240 - 72
    assert distinct[-1] < distinct[1]


@pytest.mark.parametrize(
    ("every", "epochs", "after", "expected"),
    [
        (10, 250, 0, 24),
        (3, 250, 0, 82),
        (10, 41, 0, 3),  # 40 is the last epoch
        (10, 42, 0, 4),
        (1, 5, 0, 3),
        (10, 200, 50, 14),  # 60, ..., 190
    ],
)
def test_events_are_positive_multiples_but_the_last(every, epochs, after, expected):
    search = find_tickets(nn.Linear(10, 2), method="recycle", recycle_every=every, recycle_after=after)
    events = [search.after_epoch(epoch, epochs) for epoch in range(epochs)]
    found = [epoch for epoch, event in enumerate(events) if event is not None]
    assert found == [e for e in range(1, epochs - 1) if e % every == 0 and e > after]
    assert len(found) == expected
    assert [event.epoch for event in search.events] == found
    assert {(event.kind, event.changed, event.step) for event in search.events} == {("recycle", 4, None)}
    assert all(search.before_step(step) is None for step in range(400))


@pytest.mark.parametrize(("method", "base"), [("recycle", "edge-popup"), ("biprop-recycle", "biprop")])
def test_without_recycling_it_is_the_base_run(method, base):
    results = []
    for name, options in (
        (base, {}),
        (method, {"recycle_every": 1, "recycle_frac": 0}),
        (method, {"recycle_every": 1}),
    ):
        search = find_tickets(convnet(), method=name, seed=5, density=0.4, init="kaiming-normal", **options)
        losses = []
        for epoch in range(5):
            losses += run(search, 3)
            search.after_epoch(epoch, 5)
        results.append((losses, [layer.scores for layer in search.layers.values()]))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))
    assert results[0][0][:6] == results[2][0][:6]
    assert not any(torch.equal(a, b) for a, b in zip(results[0][1], results[2][1], strict=True))


@pytest.mark.parametrize("method", ["recycle", "biprop-recycle"])
@pytest.mark.parametrize("with_rerand", [False, True])
@pytest.mark.parametrize("init", ["signed-constant", "kaiming-normal"])
def test_weights_can_be_made_again_from_the_history(method, with_rerand, init):
    search = find_tickets(
        convnet(), method=method, init=init, seed=6, recycle_every=1, recycle_frac=0.4, with_rerand=with_rerand
    )
    for epoch in range(6):
        list(run(search, 3, lr=1.0))
        search.after_epoch(epoch, 6)
    parts = search.export_parts()
    again = find_tickets(
        convnet(), method=method, init=init, seed=6, recycle_every=1, recycle_frac=0.4, with_rerand=with_rerand
    )
    for name, layer in search.layers.items():
        part = parts["layers"][name]
        assert (part["draws"] is not None) == with_rerand
        if with_rerand:
            assert len(part["draws"].unique()) > 2
        names = ("index", "shape", "law", "std", "draws", "origins")
        weight = rebuild_weight(seed=6, **{key: part[key] for key in names})
        assert torch.equal(weight.float(), layer.frozen)
        assert not torch.equal(again.layers[name].frozen, layer.frozen)


def test_the_hybrid_spends_half_on_each():
    search = find_tickets(
        nn.Linear(100, 100),
        method="recycle",
        init="kaiming-uniform",
        recycle_every=1,
        recycle_frac=0.2,
        with_rerand=True,
    )
    layer = search.layers[""]
    mask, scores = layer.mask().clone(), layer.scores.detach().abs()
    lowest = torch.zeros(10000, dtype=torch.bool)
    lowest[scores.reshape(-1).argsort()[:1000]] = True
    event = search.after_epoch(1, 3)
    drawn = (layer.draws == 1).reshape(-1) & ~lowest
    assert 0.06 < float(drawn.sum()) / float((~mask.reshape(-1) & ~lowest).sum()) < 0.14
    assert 1000 + 350 < event.changed < 1000 + 650
    own = torch.arange(10000)
    assert torch.equal(layer.origins.reshape(-1) != own, lowest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recycle_every": 0}, "recycle_every must be an integer >= 1"),
        ({"recycle_frac": 0.51}, r"recycle_frac must be in \[0, 1/2\]"),
        ({"recycle_frac": -0.1}, r"recycle_frac must be in \[0, 1/2\]"),
        ({"recycle_after": -1}, "recycle_after must be an integer >= 0"),
        ({"sources": "random"}, "sources must be one of highest, next-lowest"),
        ({"score_key": "x"}, "score_key must be one of"),
    ],
)
@pytest.mark.parametrize("method", ["recycle", "biprop-recycle"])
def test_bad_options(method, options, message):
    with pytest.raises(ValueError, match=message):
        make_method(method, **options)


def test_bases_and_defaults():
    assert make_method("recycle") == Recycle()
    assert make_method("biprop-recycle", gradient="sign") == BipropRecycle(gradient="sign")
    options = Recycle().options()
    assert (options["recycle_every"], options["recycle_frac"], options["sources"]) == (10, 0.2, "highest")
    with pytest.raises(ValueError, match='init="keep" names none'):
        find_tickets(convnet(), method="recycle", init="keep", with_rerand=True)
    assert math.floor(Fraction(1, 5) * 14) == 2


def test_both_events_of_one_epoch_are_noted():
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    search = find_tickets(
        model, method="biprop-recycle", density=0.25, scope="global", schedule_epochs=3, recycle_every=1
    )
    search.after_epoch(0, 9)
    search.after_epoch(1, 9)
    assert [(event.kind, event.epoch) for event in search.events] == [("density", 0), ("density", 1), ("recycle", 1)]


@pytest.mark.parametrize(
    ("method", "option"),
    [
        ("recycle", "recycle_every"),
        ("recycle", "recycle_after"),
        ("iterand", "rerand_every"),
        ("biprop", "schedule_epochs"),
    ],
)
@pytest.mark.parametrize("value", [2.5, "10", True, -1, None])
def test_steps_and_epochs_are_integers(method, option, value):
    with pytest.raises(ValueError, match=f"{option} must be an integer >= [01], got {option}="):
        make_method(method, **{option: value})
