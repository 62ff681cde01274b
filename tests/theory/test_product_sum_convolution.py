"""Statement 4.11: widths of convolutions by subset sums, and the exact error of a kernel."""

import itertools
import math

import numpy as np
import pytest

from theory.network import convolution_etas, convolution_log_failure_bound, convolution_required_n
from theory.product_sum import convolution_designs, convolution_least_n, required_neurons

WIDTHS, EPS, KERNEL, DELTA = [2, 3, 1], 0.4, 3, 0.05


@pytest.mark.parametrize("R", [3, 40])
def test_the_union_bound_is_kept(R: int) -> None:
    designs = convolution_designs(WIDTHS, EPS, delta=DELTA, kernel=KERNEL, R=R)
    sizes = [2 * 9 * a * b for a, b in itertools.pairwise(WIDTHS)]
    assert sum(size * one.failure_bound for size, one in zip(sizes, designs, strict=True)) <= DELTA
    for eta, one in zip(convolution_etas(WIDTHS, EPS, kernel=KERNEL), designs, strict=True):
        assert one.neurons >= required_neurons(eta, DELTA / sum(sizes), R=R).neurons
        assert one.neurons <= required_neurons(0.999 * eta, 0.999 * DELTA / sum(sizes), R=R).neurons + 1


@pytest.mark.parametrize("R", [1, 100, 1500, 10**6])
def test_the_least_is_named_and_proved(R: int) -> None:
    n, ways = convolution_least_n(WIDTHS, EPS, delta=DELTA, kernel=KERNEL, R=R)
    picked = convolution_required_n(WIDTHS, EPS, delta=DELTA, kernel=KERNEL, R=R)
    assert sum(a * b for a, b in zip(WIDTHS, n, strict=False)) <= sum(
        a * b for a, b in zip(WIDTHS, picked, strict=False)
    )
    if set(ways) == {"window"}:
        assert convolution_log_failure_bound(WIDTHS, EPS, kernel=KERNEL, R=R, n=n) <= math.log(DELTA)
    else:
        part = DELTA / len(set(ways))
        designs = convolution_designs(WIDTHS, EPS, delta=part, kernel=KERNEL, R=R)
        for count, way, one in zip(n, ways, designs, strict=True):
            assert way == "window" or 2 * count >= one.neurons
    assert (R == 1) <= (ways == ("subset-sum", "subset-sum"))
    assert (R == 10**6) <= (ways == ("window", "window"))


def test_a_constant_error_attains_the_norm() -> None:
    """Nonnegative vectors and a kernel of ones, every place written out: 2.80^2 at side 6 and kernel 3, below 9."""
    side, begin = 6, 1
    ones = np.array([[float(abs(p - q) <= begin) for q in range(side)] for p in range(side)])
    nu = 1 + 2 * math.cos(math.pi / (side + 1))
    assert np.linalg.norm(ones, 2) == pytest.approx(nu, rel=1e-12)
    values, vectors = np.linalg.eigh(ones)
    h = np.abs(np.outer(vectors[:, -1], vectors[:, -1]))
    made = np.zeros((side, side))
    for p, q, i, j in itertools.product(range(side), range(side), (-1, 0, 1), (-1, 0, 1)):
        if 0 <= p + i < side and 0 <= q + j < side:
            made[p, q] += h[p + i, q + j]
    assert np.linalg.norm(made) == pytest.approx(nu**2 * np.linalg.norm(h), rel=1e-12)
    assert values[-1] ** 2 < 9
