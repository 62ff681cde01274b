"""Bounds on convolutions against the largest singular value of the whole operator as a matrix."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nets.certificate import convolution, convolution_norm_upper
from nets.certificate.norms import spectral_norm_upper


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def operator(kernel, groups, strides, dilations, pads, sides):
    """The convolution's matrix, entry by entry from the definition; no library's convolution is used."""
    d, (c_out, c_in) = len(sides), kernel.shape[:2]
    outputs = [
        (n + pads[i] + pads[d + i] - (kernel.shape[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i, n in enumerate(sides)
    ]
    matrix = np.zeros((c_out, *outputs, c_in * groups, *sides))
    for out in itertools.product(*map(range, outputs)):
        for tap in itertools.product(*map(range, kernel.shape[2:])):
            at = [p * s + t * e - b for p, s, t, e, b in zip(out, strides, tap, dilations, pads, strict=False)]
            if all(0 <= a < n for a, n in zip(at, sides, strict=True)):
                for o in range(c_out):
                    first = o // (c_out // groups) * c_in
                    matrix[(o, *out, slice(first, first + c_in), *at)] += kernel[(o, slice(None), *tap)]
    return matrix.reshape(c_out * math.prod(outputs), -1)


@st.composite
def convolutions(draw):
    d = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 3))
    taps = draw(st.lists(st.integers(1, 4 if d == 2 else 7), min_size=d, max_size=d))
    strides, dilations = (draw(st.lists(st.integers(1, 3), min_size=d, max_size=d)) for _ in range(2))
    pads = draw(st.lists(st.integers(0, 3), min_size=2 * d, max_size=2 * d))
    sides = [
        max(draw(st.integers(1, 7 if d == 2 else 20)), (k - 1) * e + 1 - pads[i] - pads[d + i])
        for i, (k, e) in enumerate(zip(taps, dilations, strict=True))
    ]
    shape = (groups * draw(st.integers(1, 3)), draw(st.integers(1, 3)), *taps)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kernel = rng.normal(size=shape) + draw(st.sampled_from([0.0, 0.0, 2.0]))
    return kernel, {"groups": groups, "strides": strides, "dilations": dilations, "pads": pads, "input_sides": sides}


@settings(max_examples=150)
@given(given_=convolutions(), budget=st.sampled_from([0, 10**6, 10**9]))
def test_bound_is_above_the_operator_s_norm(given_, budget):
    kernel, numbers = given_
    exact = np.linalg.norm(operator(kernel, *numbers.values()), 2)
    bound = convolution_norm_upper(torch.from_numpy(kernel), **numbers, budget=budget)
    assert bound >= exact * (1 - 1e-13)
    sizeless = {name: value for name, value in numbers.items() if name not in ("pads", "input_sides")}
    assert convolution_norm_upper(torch.from_numpy(kernel), **sizeless, budget=budget) >= exact * (1 - 1e-13)


@settings(max_examples=60)
@given(given_=convolutions())
def test_every_one_of_the_three_bounds_is_above(given_):
    kernel, numbers = given_
    exact = np.linalg.norm(operator(kernel, *numbers.values()), 2)
    k = torch.from_numpy(kernel).unflatten(0, (numbers["groups"], -1))
    axes = convolution._axes(torch.from_numpy(kernel), *numbers.values())
    by_torus = [(axis.torus, 1) for axis in axes]
    bounds = [
        convolution._by_sums(k, axes),
        *convolution._by_views(k, axes),
        *convolution._by_frequencies(k, axes, 10**8),
        convolution._largest_transfer(k, axes, by_torus),
    ]
    assert len(bounds) == 3 + 2 ** len(axes)
    for bound in bounds:
        assert float(bound) >= exact * (1 - 1e-13)


def test_a_torus_one_too_small_is_noticed():
    """Control: on a smaller torus the same frequencies are too few for some kernel."""
    rng = np.random.default_rng(3)
    below = 0
    for _ in range(100):
        kernel = rng.normal(size=(1, 1, 5))
        exact = np.linalg.norm(operator(kernel, 1, [1], [1], [2, 2], [9]), 2)
        axes = convolution._axes(torch.from_numpy(kernel), 1, None, None, [2, 2], [9])
        k = torch.from_numpy(kernel)[None]
        assert axes[0].torus == 11
        assert float(convolution._largest_transfer(k, axes, [(11, 1)])) >= exact
        below += float(convolution._largest_transfer(k, axes, [(7, 1)])) < exact
    assert below > 0


def test_few_frequencies_need_their_factor():
    """Samples of a transfer matrix lie below its largest norm, by at most the cosine."""
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(60):
        kernel = torch.from_numpy(rng.normal(size=(2, 2, 4)))
        axes = convolution._axes(kernel, 1, None, None, None, None)
        fine = float(convolution._largest_transfer(kernel[None], axes, [(4096, 1)]))
        for density in (3, 4, 8):
            points, _, factor = axes[0].grid(density)
            coarse = float(convolution._largest_transfer(kernel[None], axes, [(points, 1)]))
            assert fine <= coarse * factor * (1 + 1e-12)
            assert factor == pytest.approx(1 / math.cos(3 * math.pi / (2 * points)))
            missed += fine > coarse * (1 + (factor - 1) / 10)
    assert missed > 0


@pytest.mark.parametrize(
    ("shape", "numbers", "within"),
    [
        ((16, 16, 3, 3), {"pads": [1] * 4, "input_sides": [8, 8]}, 1.15),
        ((24, 1, 3, 3), {"groups": 24, "pads": [1] * 4, "input_sides": [8, 8]}, 1.1),
        ((16, 8, 3, 3), {"strides": [2, 2], "pads": [1] * 4, "input_sides": [9, 9]}, 1.1),
        ((6, 4, 32), {"strides": [4], "pads": [16, 16], "input_sides": [64]}, 1.1),
        ((8, 8, 3), {"dilations": [4], "pads": [4, 4], "input_sides": [30]}, 1.1),
        ((12, 12, 1, 1), {"input_sides": [6, 6]}, 1 + 1e-10),
    ],
)
def test_bound_is_tight(shape, numbers, within):
    kernel = np.random.default_rng(5).normal(size=shape)
    d = len(shape) - 2
    full = {"groups": 1, "strides": [1] * d, "dilations": [1] * d, "pads": [0] * 2 * d, **numbers}
    exact = np.linalg.norm(operator(kernel, *full.values()), 2)
    assert exact <= convolution_norm_upper(torch.from_numpy(kernel), **numbers) <= within * exact


def test_hand_calculations():
    ones = torch.ones(1, 1, 4, dtype=torch.float64)
    assert convolution_norm_upper(ones, strides=[4]) == pytest.approx(2.0, rel=1e-12)  # disjoint patches
    assert convolution_norm_upper(ones) == pytest.approx(4.0, rel=1e-12)  # the constant signal
    assert convolution_norm_upper(ones, input_sides=[4]) == pytest.approx(2.0, rel=1e-12)  # one output
    assert convolution_norm_upper(ones, input_sides=[3]) == 0.0  # none
    assert convolution_norm_upper(0 * ones) == 0.0
    assert convolution_norm_upper(math.inf * ones) == math.inf
    assert convolution_norm_upper(2.0**600 * ones) == pytest.approx(2.0**602)


def test_a_dilated_kernel_has_the_norm_of_the_plain_one():
    """On an endless input the residues modulo the dilation do not meet."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        kernel = torch.from_numpy(rng.normal(size=(3, 2, 5)))
        assert convolution_norm_upper(kernel, dilations=[2]) == pytest.approx(convolution_norm_upper(kernel), rel=1e-12)


def test_a_pointwise_kernel_has_the_norm_of_its_matrix():
    matrix = torch.randn(5, 7, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    exact = float(spectral_norm_upper(matrix[None]))
    assert convolution_norm_upper(matrix[..., None, None]) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"groups": 3}, "groups must divide the 4 output channels, got groups=3"),
        ({"strides": [0, 1]}, r"strides must be 2 numbers >= 1, got strides=\[0, 1\]"),
        ({"dilations": [1]}, r"dilations must be 2 numbers >= 1, got dilations=\[1\]"),
        ({"pads": [0, 0, -1, 0]}, r"pads must be 4 numbers >= 0, got pads=\[0, 0, -1, 0\]"),
        ({"input_sides": [5]}, r"input_sides must be 2 numbers >= 1, got input_sides=\[5\]"),
    ],
)
def test_bad_arguments_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        convolution_norm_upper(torch.zeros(4, 1, 3, 3, dtype=torch.float64), **numbers)
    with pytest.raises(ValueError, match="kernel must be float64"):
        convolution_norm_upper(torch.zeros(4, 1, 3, 3))
