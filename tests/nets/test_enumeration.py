"""The enumeration's bracket against the exact sup of networks with one or two inputs, and against points of larger."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nets.certificate import certify, decide, enumeration, exact_bracket
from nets.targets.target import Target, random_target
from tests.naive_regions import difference, exact_sup

ENTRY = st.one_of(st.floats(-2.0, 2.0).map(lambda v: v if abs(v) > 1e-100 else 0.0), st.integers(-2, 2).map(float))
DOMAIN = st.sampled_from(["l2", "linf"])


@st.composite
def problems(draw):
    depth = draw(st.integers(1, 3))
    widths = [draw(st.integers(1, 2)), *(draw(st.integers(1, 4)) for _ in range(depth - 1)), draw(st.integers(1, 3))]

    def matrix(rows, columns):
        return np.array(draw(st.lists(ENTRY, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)

    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    target = [matrix(*shape) for shape in shapes]
    size = draw(st.sampled_from([1.0, 0.1, 1e-3, 1e-6]))
    plus = [w + size * matrix(*w.shape) for w in target]
    return target, target[0] + size * matrix(*shapes[0]), plus


def as_torch(target, minus, plus):
    pairs = [(torch.from_numpy(w), torch.from_numpy(minus) if i == 0 else None) for i, w in enumerate(plus)]
    return Target(tuple(torch.from_numpy(w) for w in target)), pairs


def example(widths, seed, size=0.1):
    rng = np.random.default_rng(seed)
    target = [rng.normal(size=shape) for shape in zip(widths[1:], widths[:-1], strict=True)]
    plus = [w + size * rng.normal(size=w.shape) for w in target]
    return target, target[0] + size * rng.normal(size=target[0].shape), plus


@settings(max_examples=150)
@given(problem=problems(), domain=DOMAIN)
def test_bracket_holds_the_exact_sup_and_is_narrow(problem, domain):
    target, minus, plus = problem
    exact = exact_sup(target, minus, plus, domain)
    lower, upper = exact_bracket(*as_torch(target, minus, plus), domain=domain, width=1e-2)
    pruned = [np.abs(plus[0]) + np.abs(minus), *plus[1:]]
    off = 1e-11 * max(
        1.0, math.prod(np.linalg.norm(w) + np.linalg.norm(v) for w, v in zip(target, pruned, strict=True))
    )
    assert lower <= exact * (1 + 1e-12) + off
    assert upper >= exact * (1 - 1e-12) - off
    assert upper <= 1.01 * lower + off


@pytest.mark.parametrize("domain", ["l2", "linf"])
@pytest.mark.parametrize("widths", [(4, 8, 3), (3, 5, 4, 2), (3, 4, 4, 4, 2)])
def test_larger_networks_against_points(widths, domain):
    """No point is above the upper end, the ascent's lower end is not either, and the bracket is narrow."""
    for seed in range(3):
        target, minus, plus = example(widths, seed)
        net, pairs = as_torch(target, minus, plus)
        lower, upper = exact_bracket(net, pairs, domain=domain, width=1e-2)
        assert lower <= upper <= 1.0101 * lower
        found = certify(net, pairs, domain=domain)
        assert found.lower <= upper
        assert lower <= found.upper
        points = np.random.default_rng(seed).normal(size=(2000, widths[0]))
        points /= np.linalg.norm(points, axis=1, keepdims=True) if domain == "l2" else np.abs(points).max(1)[:, None]
        values = [np.linalg.norm(difference(x, target, minus, plus)) for x in points]
        assert 0.6 * lower <= max(values) <= upper


def test_a_4_8_3_takes_less_than_a_second():
    net, pairs = as_torch(*example((4, 8, 3), 5))
    started = time.process_time()
    lower, upper = exact_bracket(net, pairs, width=1e-2)
    assert upper <= 1.0101 * lower
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_decisions_are_the_exact_sup_s(domain):
    for seed in range(5):
        target, minus, plus = example((2, 5, 2), seed)
        exact = exact_sup(target, minus, plus, domain)
        net, pairs = as_torch(target, minus, plus)
        assert decide(net, pairs, exact * 1.001, domain=domain) == "holds"
        assert decide(net, pairs, exact * 0.999, domain=domain) == "refuted"
        assert decide(net, pairs, exact * 1.001, domain=domain, budget=1) == "undecided"


def test_without_the_deviation_a_wrong_sup_is_noticed(monkeypatch):
    """Control: interpolation alone misses what lies between the vertices."""
    real = enumeration._deviation
    monkeypatch.setattr(enumeration, "_deviation", lambda *a: (0 * real(*a)[0], *real(*a)[1:]))
    wrong = 0
    for seed in range(20):
        target, minus, plus = example((2, 5, 2), seed, size=0.5)
        wrong += exact_bracket(*as_torch(target, minus, plus), domain="linf")[1] < exact_sup(
            target, minus, plus, "linf"
        )
    assert wrong > 0


def test_gap_is_the_largest_distance_to_the_interpolation():
    rng = np.random.default_rng(8)
    z = rng.normal(size=(50, 4, 3))
    gap = enumeration._gap(z)
    best = np.zeros_like(gap)
    for a in range(4):
        for b in range(4):
            for t in np.linspace(0, 1, 401):
                inside = t * z[:, a] + (1 - t) * z[:, b]
                between = t * np.maximum(z[:, a], 0) + (1 - t) * np.maximum(z[:, b], 0)
                best = np.maximum(best, between - np.maximum(inside, 0))
    assert (best <= gap + 1e-12).all()
    assert (best >= 0.98 * gap).all()


def test_equal_networks_and_zero_networks():
    target, _, _ = example((3, 4, 2), 1)
    lower, upper = exact_bracket(*as_torch(target, target[0], target))
    assert lower == 0
    assert upper < 1e-11
    zero = [np.zeros_like(w) for w in target]
    assert exact_bracket(*as_torch(zero, zero[0], zero)) == (0.0, 0.0)


def test_bad_arguments_are_refused():
    net, pairs = as_torch(*example((3, 4, 2), 1))
    with pytest.raises(ValueError, match=r"eps must be > 0, got eps=0"):
        decide(net, pairs, 0)
    with pytest.raises(ValueError, match=r"width must be > 0, got width=0"):
        exact_bracket(net, pairs, width=0)
    with pytest.raises(ValueError, match=r"domain must be one of .* got domain='l1'"):
        decide(net, pairs, 1.0, domain="l1")
    with pytest.raises(ValueError, match="one pair for each of 2 layers, got 1"):
        decide(net, pairs[:1], 1.0)
    with pytest.raises(ValueError, match=r"effective\[1\] W_plus must have shape \(2, 4\), got shape \(4, 3\)"):
        decide(net, [pairs[0], pairs[0]], 1.0)
    wide = random_target((7, 4, 2), seed=1)
    with pytest.raises(ValueError, match="at most 6 inputs and 128 hidden units"):
        decide(wide, [(w, w) for w in wide.weights], 1.0)
