"""Statement 2.0: densities and windows of sums of uniforms, against exact fractions and SciPy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import irwinhall

from tests import naive_theory as naive
from theory import subset_sum as ss
from theory.numerics.irwin_hall import UNIT, densities, hit_table, single_point, window_error
from theory.subset_sum.mesh import gauss_nodes

ALPHA = st.floats(-1.0, 1.0)
EPS = st.floats(-27.0, 0.0).map(math.exp)


@given(st.integers(1, 40), ALPHA, EPS)
def test_enclosure_holds_the_exact_probability(k: int, alpha: float, eps: float) -> None:
    exact = naive.window(k, Fraction(0), Fraction(alpha), Fraction(eps))
    lower, upper = ss.sum_hit_prob(k, eps=eps, alpha=alpha)
    assert Fraction(lower) <= exact <= Fraction(upper)
    assert upper <= min(1.0, lower * (1 + 3 * window_error(k)))
    log_lower, log_upper = ss.log_sum_hit_prob(k, eps=eps, alpha=alpha)
    assert log_lower <= math.log(lower) <= math.log(upper) <= log_upper + 1e-300
    value = Fraction(hit_table(k, alpha=alpha, eps=eps)[k])
    assert abs(value / exact - 1) <= (11 * k + 2) * UNIT  # the a priori bound itself


@given(st.integers(1, 30), st.integers(-9, 8), st.floats(0.0, 1.0, exclude_max=True))
def test_density_recurrence_is_exact_to_its_error(k: int, whole: int, part: float) -> None:
    point = Fraction(whole) + Fraction(part)
    rows = k + 12
    values = list(densities(k, single_point(point, rows)))
    assert len(values) == k
    exact = naive.density(k, point)
    if abs(point) < k:  # near the end of the support powers of ``part`` underflow: then the error is that of a zero
        underflow = Fraction(1, 2**1000)
        assert abs(Fraction(float(values[-1][rows, 0])) - exact) <= exact * 9 * k * Fraction(UNIT) + underflow


def test_enclosures_at_extreme_accuracy() -> None:
    for alpha in (0.3, 1.0, -1.0, 1e-300, 1 - 2.0**-53):
        for k in (1, 2, 5, 40):
            exact = naive.window(k, Fraction(0), Fraction(alpha), Fraction(1e-60))
            lower, upper = ss.sum_hit_prob(k, eps=1e-60, alpha=alpha)
            assert Fraction(lower) <= exact <= Fraction(upper) <= exact * (1 + Fraction(1, 10**12))


def test_the_window_is_closed() -> None:
    assert hit_table(0, alpha=0.5, eps=0.5)[0] == 1.0
    assert hit_table(0, alpha=0.5, eps=0.4999)[0] == 0.0


@pytest.mark.parametrize("k", [1, 2, 7, 40])
def test_against_scipy(k: int) -> None:
    law = irwinhall(k)
    for alpha, eps in [(0.5, 0.1), (0.0, 1.0), (-0.7, 0.3)]:
        expected = law.cdf((alpha + eps + k) / 2) - law.cdf((alpha - eps + k) / 2)
        assert ss.sum_hit_prob(k, eps=eps, alpha=alpha)[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("k", "eps", "alpha", "expected"),
    [
        (1, 0.01, 0.5, 0.01),
        (1, 0.01, 1.0, 0.005),
        (2, 0.01, 0.5, 0.0075),  # triangle: density (2 - .5)/4
        (2, 1.0, 0.0, 0.75),  # 1 - (1/2)^2
        (3, 1.0, 0.0, 2 / 3),  # centre third of the quadratic spline: 4/6
        (3, 0.01, 0.5, 0.006874916666666667),  # (3 - t^2)/8 integrated: 2 eps (2.75/8) - eps^3/12
        (0, 0.01, 0.5, 0.0),
        (0, 0.5, 0.5, 1.0),
        (0, 0.01, "uniform", 0.01),
        (1, 0.01, "uniform", 0.009975),  # triangle: eps - eps^2/4
    ],
)
def test_by_hand(k: int, eps: float, alpha: float, expected: float) -> None:
    assert ss.sum_hit_prob(k, eps=eps, alpha=alpha) == pytest.approx((expected, expected), rel=1e-14)


@pytest.mark.parametrize("count", [1, 2, 7, 40, 65])
def test_gauss_nodes_integrate_their_degree(count: int) -> None:
    x, rest, weight = gauss_nodes(count)
    numpy_x, numpy_weight = np.polynomial.legendre.leggauss(count)
    assert np.sort(x) == pytest.approx(0.5 + 0.5 * numpy_x, abs=1e-14)
    assert weight[np.argsort(x)] == pytest.approx(numpy_weight / 2, rel=1e-9)
    assert x + rest == pytest.approx(np.ones(count), abs=2e-16)
    degree = 2 * count - 1
    assert float(weight @ x**degree) == pytest.approx(1 / (degree + 1), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.sum_hit_prob(-1, eps=0.1, alpha=0.0), "k must be an integer >= 0, got k=-1"),
        (lambda: ss.sum_hit_prob(5000, eps=0.1, alpha=0.0), "k must be at most 4096, got k=5000"),
        (lambda: ss.sum_hit_prob(1, eps=1e-70, alpha=0.0), "eps must be at least 1e-60 .* got eps=1e-70"),
        (lambda: ss.sum_hit_prob(1, eps=0.1, alpha=1.5), r"alpha must be in \[-1, 1\], got alpha=1.5"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
