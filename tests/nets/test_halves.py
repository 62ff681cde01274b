"""Weights as sums of products of a neuron each from two, three or four groups: against plain loops over all draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nets.construction.bits import unpack_positions
from nets.construction.gadget import Gadget, effective, solve
from nets.construction.options import PARTS
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.source import Source
from nets.targets.target import random_target
from sims.solver import philox
from tests.stats import assert_at_least

FALSE_ALARM = 1e-6
WORDS = sorted(PARTS)


def groups_of(n: int, parts: int, side: int, signs: str) -> list[list[int]]:
    """Numbers inside a coordinate's block of the neurons that may make each part of a half."""
    starts = (0, n) if signs == "open" else (side * n,)
    return [[start + k for start in starts for k in range(p * n // parts, (p + 1) * n // parts)] for p in range(parts)]


def plain_parts(w: float, s: float, b: np.ndarray, a: np.ndarray, groups: list[list[int]]) -> list[list[float]]:
    """For every group 0 and all products that it offers; b and a have the shape (neurons, R)."""
    near = b[np.arange(len(b)), np.argmin(np.abs(b - s), axis=1)]
    return [[0.0, *(float(v) for k in group if s * near[k] > 0 for v in a[k] * near[k])] for group in groups]


def nearest(aim: float, products: list[float]) -> float:
    return min(products, key=lambda product: abs(product - aim))


def by_hand(w: float, offered: list[list[float]]) -> tuple[float, float]:
    """The error of the construction for drawn values, and that of the sum of the products nearest to w / parts."""
    parts = len(offered)
    alone = [nearest(w / parts, products) for products in offered]
    rest = w - sum(alone[: parts - 2])
    return min(abs(rest - p - q) for p, q in itertools.product(*offered[-2:])), abs(w - sum(alone))


@given(
    seed=st.integers(0, 2**64 - 1),
    R=st.sampled_from([1, 2, 5]),
    n=st.integers(4, 9),
    word=st.sampled_from(WORDS),
    signs=st.sampled_from(["assigned", "open"]),
)
def test_the_last_two_parts_are_the_best_pair_and_never_worse_than_equal_shares(
    seed: int, R: int, n: int, word: str, signs: str
) -> None:
    signs = signs if R == 1 else "assigned"
    weight = random_target((3, 2), seed=seed % 1000).weights[0]
    pruned = prune([weight], Source((3, 2), n, seed=seed, R=R), construction=word, signs=signs)
    b = philox.uniforms(seed, 0, 6 * n * 3, R, stream=3).reshape(6 * n, 3, R)
    a = philox.uniforms(seed, 0, 2 * 6 * n, R, stream=4).reshape(2, 3, 2 * n, R)
    kept = pruned.kept(2)
    owner = pruned.kept(1)
    sign = dict(zip(owner.rows.tolist(), (owner.values < 0).tolist(), strict=True))
    for side, (s, half) in enumerate(zip((1.0, -1.0), pruned.effective()[0], strict=True)):
        groups = groups_of(n, PARTS[word], side, signs)
        for o, j in itertools.product(range(2), range(3)):
            w = float(weight[o, j])
            error, equal = by_hand(w, plain_parts(w, s, b[2 * n * j : 2 * n * (j + 1), j], a[o, j], groups))
            # sums of up to 4 products below 1 in another order
            assert abs(float(half[o, j]) - w) == pytest.approx(error, abs=1e-15)
            assert error <= equal + 1e-15
            mine = [h - 2 * n * j for h in kept.cols[kept.rows == o].tolist() if h // (2 * n) == j and sign[h] == side]
            assert all(sum(k in group for k in mine) <= 1 for group in groups)
            assert all(any(k in group for group in groups) for k in mine)


GADGETS = [
    Gadget(i, *shape, n=n, R=R, seed=2**64 - 3, halves=halves)
    for i, (shape, (n, R, halves)) in enumerate(
        itertools.product([(1, 5, 3), (3, 2, 2), (7, 3, 1)], [(7, 1, 2), (5, 3, 1), (4, 4, 2)])
    )
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("gadget", GADGETS, ids=str)
def test_a_part_of_any_shape_is_what_plain_loops_find(
    gadget: Gadget, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = np.random.default_rng(7).uniform(-1, 1, gadget.shape)
    weight.reshape(-1)[0] = 0.0
    record = solve(gadget, weight, construction=word)
    halves = effective(gadget, record)
    hidden, width = gadget.bits_b, gadget.block * gadget.cols
    b = philox.uniforms(gadget.seed, 0, hidden * gadget.coordinates, gadget.R, stream=gadget.stream_b)
    b = b.reshape(hidden, gadget.coordinates, gadget.R)
    a = philox.uniforms(gadget.seed, 0, gadget.groups * gadget.rows * width, gadget.R, stream=gadget.stream_a)
    a = a.reshape(*gadget.shape, gadget.block, gadget.R)
    for g, row, col in np.ndindex(*gadget.shape):
        c = g * gadget.cols + col
        own = b[gadget.block * c : gadget.block * (c + 1), c]
        for side, s in enumerate((1.0, -1.0)[: gadget.halves]):
            groups = groups_of(gadget.n, PARTS[word], side, "open" if gadget.R == 1 else "assigned")
            w = weight[g, row, col]
            error, _ = by_hand(w, plain_parts(w, s, own, a[g, row, col], groups))
            assert abs(halves[side][g, row, col] - w) == pytest.approx(error, abs=1e-15)
    kept = np.bincount(unpack_positions(record.mask_a) // gadget.block)
    assert kept.max() <= gadget.halves * PARTS[word]
    monkeypatch.setattr("nets.construction.gadget_search._SCAN_WEIGHTS", 1)
    monkeypatch.setattr("nets.construction.scan._TASK_DRAWS", 10)
    again = solve(gadget, weight, construction=word, jobs=2)
    for name in ("mask_b", "mask_a", "draws_b", "draws_a"):
        assert np.array_equal(getattr(record, name), getattr(again, name))


def _errors_by_hand(w: float, *, n: int, R: int, parts: int, trials: int, correct: bool) -> np.ndarray:
    """Errors of one half: each part the nearest product to its share, the last one to what is left where `correct`."""
    rng = np.random.default_rng(5)
    b = rng.uniform(-1, 1, (trials, n, R)).max(axis=2)
    products = rng.uniform(-1, 1, (trials, n, R)) * b[..., None]
    products[b <= 0] = 0.0
    rest = np.full(trials, w)
    for p in range(parts):
        offered = products[:, p * n // parts : (p + 1) * n // parts].reshape(trials, -1)
        aim = rest if correct and p == parts - 1 else np.full(trials, w / parts)
        best = np.abs(offered - aim[:, None]).argmin(axis=1)
        rest = rest - offered[np.arange(trials), best]
    return np.abs(rest)


@pytest.mark.parametrize(("word", "n", "R", "w", "eta"), [("halves", 4, 20, 1.0, 0.02), ("thirds", 7, 9, -0.6, 0.03)])
def test_the_exact_law_of_the_nearest_draws_gives_the_same_errors(
    word: str, n: int, R: int, w: float, eta: float
) -> None:
    """Against plain draws, two samples; a last part that aims at its share, like the others, must be told apart."""
    trials, parts = 40_000, PARTS[word]
    found = simulate_trials([torch.tensor([[w]])], n, R=R, seed=29, trials=trials, eta=eta, construction=word)
    plain = {
        correct: _errors_by_hand(w, n=n, R=R, parts=parts, trials=trials, correct=correct) for correct in (True, False)
    }
    for side in (0, 1):
        hits = int(found.hits[0][:, side, 0, 0].sum())
        assert torch.equal((found.effective[0][side][:, 0, 0] - w).abs() <= eta, found.hits[0][:, side, 0, 0])
        assert 0.05 < hits / trials < 0.95
        for correct, errors in plain.items():
            good = int((errors <= eta).sum())
            p = stats.fisher_exact([[hits, trials - hits], [good, trials - good]]).pvalue
            assert (p > FALSE_ALARM) == correct


def test_drawn_pairs_are_better_than_one_after_the_other() -> None:
    """The same draws: the pair that is best beats the nearest product and its correction, often and by far."""
    common = {"R": 20, "seed": 3, "trials": 3000, "eta": 0.005, "construction": "halves"}
    hits = [
        int(simulate_trials([torch.tensor([[0.7]])], 4, sampler=sampler, **common).hits[0].sum())
        for sampler in ("draws", "nearest")
    ]
    assert hits[0] > 2 * hits[1]


def test_a_neuron_for_every_part_is_needed() -> None:
    for word, parts in PARTS.items():
        with pytest.raises(
            ValueError, match=f"'{word}' needs n >= {parts}, a neuron for every part, got n={parts - 1}"
        ):
            prune([torch.ones(1, 1)], Source((1, 1), parts - 1, seed=1), construction=word)
        prune([torch.ones(1, 1)], Source((1, 1), parts, seed=1), construction=word)
    with pytest.raises(ValueError, match="without a ReLU"):
        solve(Gadget(0, 1, 1, 1, n=4, halves=1, relu=False), np.ones((1, 1, 1)), construction="halves")


def test_twelve_neurons_and_ten_draws_bring_every_weight_within_a_hundredth() -> None:
    """Where single products of as many neurons and draws miss half of the weights."""
    weight = np.random.default_rng(0).uniform(-1, 1, (1, 60, 50))
    gadget = Gadget(0, 1, 60, 50, n=12, R=10, seed=1)
    within = {}
    for word in ("halves", "best"):
        plus, minus = effective(gadget, solve(gadget, weight, construction=word))
        within[word] = int((np.maximum(np.abs(plus - weight), np.abs(minus - weight)) <= 0.01).sum())
    assert within["halves"] == weight.size
    assert within["best"] < 0.6 * weight.size
    assert_at_least(within["halves"], weight.size, 0.99)
