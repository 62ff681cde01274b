"""5.1 to 5.3: lower bounds on parameters, against enumeration of whole families of tiny networks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import coverage, necessary, single_weight, subset_sum

# ---- 5.2 how many networks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "R"), [(1, 1), (2, 1), (4, 1), (3, 2), (2, 5), (6, 2)])
def test_every_network_of_masks_and_draws_is_counted(m, R):
    states = list(itertools.product(range(R + 1), repeat=m))  # 0: masked, r: shows draw r
    assert 2 ** necessary.log2_networks(m, R) == pytest.approx(len(states), rel=1e-9)
    for kept in range(m + 1):
        count = sum(sum(s > 0 for s in state) <= kept for state in states)
        if kept:
            assert count <= 2 ** necessary.log2_networks(m, R, density=kept / m) * (1 + 1e-9)


@pytest.mark.parametrize("R", [1, 3])
@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 0.9])
def test_bits_per_element_are_sharp_for_many_elements(R, density):
    m = 3000
    count = sum(math.comb(m, j) * R**j for j in range(round(density * m) + 1))
    bits = math.log2(count) / m
    assert bits <= necessary.bits_per_param(R, density=density)
    assert bits == pytest.approx(necessary.bits_per_param(R, density=density), rel=0.03)


def test_bits_per_element_by_hand():
    assert necessary.bits_per_param(1, density=0.4) == pytest.approx(0.4 * math.log2(2.5) - 0.6 * math.log2(0.6))
    assert necessary.bits_per_param(4, density=0.75) == pytest.approx(0.75 * math.log2(4 / 3) + 0.5 + 1.5)
    assert necessary.bits_per_param(3, density=0.8) == pytest.approx(2)


def test_distinct_functions_of_a_tiny_network():
    """x -> a s(b x) + a' s(b' x), R draws each: the distinct functions on a grid of inputs number at most (R+1)^4."""
    rng = np.random.default_rng(52)
    x = np.linspace(-1, 1, 7)
    for R in (1, 2, 3):
        draws = rng.uniform(-1, 1, (4, R))
        options = [np.concatenate([[0.0], row]) for row in draws]
        functions = {
            tuple(np.round(a * np.maximum(b * x, 0) + c * np.maximum(d * x, 0), 12))
            for a, b, c, d in itertools.product(*options)
        }
        assert 1 < len(functions) <= (R + 1) ** 4


# ---- 5.1 packing ---------------------------------------------------------------------------------------------------


def test_packing_by_hand():
    assert necessary.log2_packing([10, 20], 1 / 16) == pytest.approx(200 * 3, rel=1e-9)
    # first layer: 4 min(2, 8) log2 8; last layer: min(4, 2) 8 log2(32/sqrt 8)
    assert necessary.log2_packing([4, 2, 8], 1 / 32) == pytest.approx(max(8 * 3, 16 * 3.5), rel=1e-9)
    assert necessary.log2_packing([8, 2, 1], 1 / 32) == pytest.approx(max(8 * 3, 2 * 3.5), rel=1e-9)
    assert necessary.log2_packing([3, 3], 0.5) == 0
    assert necessary.log2_packing([3, 3, 3], 0.4) == 0


@pytest.mark.parametrize("eps", [0.3, 0.11, 0.01])
def test_packing_of_the_line(eps):
    """d = 1: points of [-1, 1] a little more than 2 eps apart."""
    points = 1 + math.floor(2 / (2 * eps * (1 + 1e-9)))
    assert points >= 2 ** necessary.log2_packing([1, 1], eps)
    assert points <= 4 * 2 ** necessary.log2_packing([1, 1], eps)


def test_separation_of_deep_targets():
    """The two inequalities of 5.1: s(Wx) at x or -x, and W s(x) on the nonnegative part of the ball."""
    rng = np.random.default_rng(53)
    halves, orthants = [], []
    for _ in range(200):
        first, second = (rng.normal(size=(3, 4)) for _ in range(2))
        norm = np.linalg.norm(first - second, 2)
        x = np.linalg.svd(first - second)[2][0]
        ends = [np.linalg.norm(np.maximum(first @ y, 0) - np.maximum(second @ y, 0)) for y in (x, -x)]
        halves.append(max(ends) / norm)
        split = [y for y in (np.maximum(x, 0), np.maximum(-x, 0)) if y.any()]
        orthants.append(max(np.linalg.norm((first - second) @ y) / np.linalg.norm(y) for y in split) / norm)
    assert min(halves) >= 0.5
    assert min(orthants) >= 1 / math.sqrt(2)
    assert min(halves) < 0.75  # controls: 1 in their place is refuted
    assert min(orthants) < 0.98


# ---- 5.3 necessary parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("widths", "eps", "delta", "R", "expected"),
    [
        ([10, 10], 2**-11, 0.5, 1, 999),  # 100 * 10 - 1
        ([10, 10], 2**-11, 0.5, 3, 500),  # 999/2
        ([10, 10], 2**-11, 0.5, 7, 333),
        ([10, 10], 2**-11, 0.75, 1, 998),
        ([5, 7], 2**-3, 1 - 2**-7, 1, 63),  # 35 * 2 - 7
        ([2, 3], 0.5, 0.1, 1, 0),
        ([64, 64], 0.1, 0.01, 3, 4756),  # (4096 * 2.3219281 - 0.0145)/2 = 4755.3
    ],
)
def test_necessary_params_by_hand(widths, eps, delta, R, expected):
    assert necessary.necessary_params(widths, eps, delta=delta, R=R) == expected


def test_the_restated_theorem_is_ours_at_one_layer():
    for d, k in ((3, 4), (20, 9)):
        eps = 2.0**-k
        assert necessary.necessary_params_pensia(d, eps) == d * d * (k - 1) - 1
        assert necessary.necessary_params([d, d], eps, delta=0.5, R=1) == d * d * (k - 1) - 1
    assert necessary.necessary_params_pensia(2, 0.6) == 0


@pytest.mark.parametrize("R", [1, 2, 4])
def test_fewer_parameters_miss_too_many_targets(R):
    """All networks x -> (sum of the shown draws) x: the targets w x of a packing that they can reach at all."""
    rng = np.random.default_rng(54)
    eps, delta = 1e-3, 0.25
    targets = np.arange(-1, 1 + 1e-12, 2 * eps * (1 + 1e-6))
    m = necessary.necessary_params([1, 1], eps, delta=delta, R=R) - 1
    for _ in range(20):
        sums = np.zeros(1)
        for row in rng.uniform(-1, 1, (m, R)):
            sums = np.concatenate([sums, *(sums + value for value in row)])
        reached = (np.abs(targets[:, None] - sums[None, :]).min(axis=1) <= eps).mean()
        assert reached < 1 - delta


def test_resampling_buys_a_logarithm():
    base = necessary.necessary_params([30, 30], 1e-3, delta=0.1, R=1)
    for R in (2, 10, 10**6):
        found = necessary.necessary_params([30, 30], 1e-3, delta=0.1, R=R)
        assert found == pytest.approx(base / math.log2(R + 1), abs=1.5)


def test_sparse_masks_need_more_parameters():
    counts = [necessary.necessary_params([30, 30], 1e-3, delta=0.1, R=1, density=q) for q in (1, 0.5, 0.11, 0.01)]
    assert counts[0] == counts[1]
    assert counts[2] == pytest.approx(2 * counts[0], rel=2e-3)  # H2(0.11) = 0.49992
    assert counts[3] > 12 * counts[0]  # H2(0.01) = 0.0808


def test_width_of_two_layers():
    assert necessary.necessary_width(10, 10, 2**-11, delta=0.5, R=1) == 50
    assert necessary.necessary_width(10, 30, 2**-11, delta=0.5, R=1) == 75  # 2999/40
    assert necessary.necessary_width(10, 30, 2**-11, delta=0.5, R=7) == 25  # 999.67 -> 1000, /40


def test_natale_by_hand():
    assert necessary.necessary_params_natale(2, 1 / 32, k=2, n=4) == 2 * math.log2(64)
    expected = 50 * math.log2(3 / 0.01) / (0.3 * math.log2(1 / 0.3) + 0.7 * math.log2(1 / 0.7))
    assert necessary.necessary_params_natale(10, 0.01, k=3, n=10) == pytest.approx(expected, rel=1e-12)


def test_candidates_are_those_of_the_other_modules():
    assert necessary.necessary_n_single_weight is single_weight.required_n_exact
    assert necessary.necessary_n_subset_sum is subset_sum.necessary_n
    assert necessary.necessary_n_coverage is coverage.necessary_n
    assert necessary.necessary_n_subset_sum_closed_form(0.01, 0.05, R=5, alpha=0.5) == 3


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.floats(1e-6, 1),
    st.floats(0.001, 0.999),
    st.integers(1, 10**9),
    st.floats(0.01, 1),
)
def test_necessary_params_properties(widths, eps, delta, R, density):
    found = necessary.necessary_params(widths, eps, delta=delta, R=R, density=density)
    assert found >= necessary.necessary_params(widths, eps, delta=delta, R=R + 1, density=density)
    assert found >= necessary.necessary_params(widths, eps, delta=delta, R=R)
    assert found <= necessary.necessary_params(widths, eps / 2, delta=delta, R=R, density=density)
    bits = necessary.log2_packing(widths, eps) + math.log2(1 - delta)
    assert (found - 1) * necessary.bits_per_param(R, density=density) <= max(bits, 0) + 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: necessary.necessary_params([3], 0.1, delta=0.1, R=1), "widths must hold at least 2 integers"),
        (lambda: necessary.necessary_params([3, 3], 0, delta=0.1, R=1), r"eps must be in \(0, 1\], got eps=0"),
        (lambda: necessary.necessary_params([3, 3], 0.1, delta=0, R=1), r"delta must be in \(0, 1\), got delta=0"),
        (lambda: necessary.bits_per_param(0), "R must be an integer >= 1, got R=0"),
        (lambda: necessary.bits_per_param(1, density=0), r"density must be in \(0, 1\], got density=0"),
        (lambda: necessary.necessary_params_natale(2, 0.0625, k=1, n=2), "eps must be below 1/16.*got eps=0.0625"),
        (lambda: necessary.necessary_params_natale(2, 0.01, k=2, n=2), "k must be below n, got k=2, n=2"),
    ],
)
def test_errors_quote_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
