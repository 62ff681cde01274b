"""The half-split bound against every pattern of neurons, and its rounding at the ends of the range."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.certificate import half_split, spectral_norm_upper

ENTRY = st.one_of(st.just(0.0), st.floats(-2.0, 2.0), st.integers(-2, 2).map(float))


@st.composite
def matrices(draw, rows, columns):
    flat = draw(st.lists(ENTRY, min_size=rows * columns, max_size=rows * columns))
    return np.array(flat).reshape(rows, columns)


def largest_over_patterns(w, d):
    """sup over S of ||W (I+S)/2 D||: convex in S, so attained where every entry of (I+S)/2 is 0 or 1."""
    patterns = itertools.product((0.0, 1.0), repeat=w.shape[1])
    return max(np.linalg.norm(w @ np.diag(p) @ d, 2) for p in patterns)


def bound_of(w, *pieces, domain="l2"):
    return float(half_split(torch.from_numpy(w)[None], *(torch.from_numpy(p)[None] for p in pieces), domain=domain)[0])


@given(data=st.data(), sides=st.tuples(*[st.integers(1, 5)] * 3), power=st.integers(-200, 200))
def test_bound_is_above_every_pattern_and_below_the_product(data, sides, power):
    m, h, n = sides
    w, d = data.draw(matrices(m, h)), data.draw(matrices(h, n)) * 2.0**power
    bound, scale = bound_of(w, d), np.linalg.norm(w) * np.linalg.norm(d)
    assert bound >= largest_over_patterns(w, d) - 1e-14 * scale
    product = np.linalg.norm(w, 2) * np.linalg.norm(d, 2)
    assert bound <= product * 1.01 + 1e-150  # the descent is not followed to its end
    assert (bound == 0) == (not (np.abs(w).max(0) * np.abs(d).max(1)).any())


@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_signed_first_layer_is_covered(domain):
    """D(x) = P s(x) - N s(-x): many patterns of neurons, signs of inputs, and points of the ball."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        w, p, n = rng.normal(size=(2, 4)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
        bound = bound_of(w, p, n, domain=domain)
        x = rng.normal(size=(3, 4000))
        x = x / np.linalg.norm(x, axis=0) if domain == "l2" else np.sign(x) * (rng.random(x.shape) < 0.7)
        inner = p @ np.maximum(x, 0) - n @ np.maximum(-x, 0)
        top = max(
            np.linalg.norm(w @ (np.array(s)[:, None] * inner), axis=0).max()
            for s in itertools.product((0.0, 1.0), repeat=4)
        )
        assert top <= bound <= 3 * top


def test_noise_is_averaged():
    """W smooth, D noise: the bound is far below the product of the norms, and near what a pattern attains."""
    rng = np.random.default_rng(5)
    w, d = np.outer(rng.normal(size=3), np.ones(200)), rng.normal(size=(200, 150))
    d[:5] *= 30
    w[:, :5] /= 30
    product = np.linalg.norm(w, 2) * np.linalg.norm(d, 2)
    attained = max(np.linalg.norm(w @ np.diag(rng.random(200) < 0.5) @ d, 2) for _ in range(20))
    bound = bound_of(w, d)
    assert attained < bound < product / 8
    by_hand = np.sqrt(np.linalg.norm(d, axis=1) / np.linalg.norm(w, axis=0))
    halves = np.linalg.norm(w @ d, 2) + np.linalg.norm(w * by_hand, 2) * np.linalg.norm(d / by_hand[:, None], 2)
    assert bound <= halves / 2 * (1 + 1e-9)


def test_a_neuron_that_one_side_does_not_touch_adds_nothing():
    w, d = np.array([[1.0, 1e200, 0.0]]), np.array([[3.0], [0.0], [1e200]])
    assert bound_of(w, d) == pytest.approx(3.0, rel=1e-12)


def test_bound_below_a_pattern_is_noticed():
    """Control: one neuron, so the bound is the norm itself and 1 % less is below it."""
    w, d = np.array([[1.0], [2.0]]), np.array([[0.5, -1.0]])
    assert largest_over_patterns(w, d) == pytest.approx(bound_of(w, d), rel=1e-12)
    assert 0.99 * bound_of(w, d) < largest_over_patterns(w, d)


def test_batches_share_a_matrix_and_infinities_stay():
    generator = torch.Generator().manual_seed(6)
    w, d = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((1, 3, 5), (4, 5, 6)))
    got = half_split(w, d)
    assert torch.allclose(got, torch.stack([half_split(w, one[None])[0] for one in d]), rtol=1e-14)
    d[1, 0, 0] = math.inf
    broken = half_split(w, d)
    assert broken[1] == math.inf
    assert torch.allclose(broken[[0, 2, 3]], got[[0, 2, 3]], rtol=1e-14)
    assert half_split(1e200 * w, 1e200 * d[:1])[0] == math.inf
    assert spectral_norm_upper(d)[1] == math.inf
