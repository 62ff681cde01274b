"""Statement 2.6: sums of exactly k values, against enumeration, exact fractions and hand calculations."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive_theory as naive
from theory import fixed_size as fs
from theory.fixed_size import FixedSize
from theory.numerics.amplify import Blocks

EPS = st.floats(-12.0, 0.0).map(lambda x: 10.0**x)
TARGET = st.one_of(st.floats(-1.0, 1.0), st.just("uniform"))


def test_by_hand() -> None:
    assert fs.success_prob_upper(3, 1, eps=0.01, alpha=0.5, size=1) == pytest.approx(0.03, rel=1e-13)
    assert fs.success_prob_upper(3, 2, eps=0.01, alpha=-0.5, size=2) == pytest.approx(12 * 0.0075, rel=1e-13)
    assert fs.success_prob_upper(2, 1, eps=0.01, alpha="uniform", size=1) == pytest.approx(2 * 0.009975, rel=1e-13)
    for n in range(3):
        assert fs.success_prob_upper(n, 5, eps=0.5, alpha=0.0, size=3) == 0.0
        assert fs.success_prob_lower(n, 5, eps=0.5, alpha=0.0, size=3) == 0.0
    # one value in two: N is 0, 1, 2, and (E N)^2 / E N^2 = (2p)^2 / (2p + 2p^2)
    p = 0.01
    found = fs.success_prob_second_moment(2, 1, eps=p, alpha=0.5, size=1)
    assert found == pytest.approx(2 * p / (1 + p), rel=1e-12)
    assert found <= 2 * p / (1 + p)


@pytest.mark.parametrize(("n", "R", "eps"), [(2, 1, 0.9), (5, 3, 0.4), (40, 2, 0.05)])
def test_uniform_targets_by_hand(n: int, R: int, eps: float) -> None:
    """Sets of one value: given the target all n R draws are independent, each good with (eps + min(eps, 1 - |A|))/2."""
    mean, square = eps * (1 - eps / 4), (1 - eps) * eps**2 + 7 * eps**3 / 12
    expected = n * R * mean / (1 + (n * R - 1) * square / mean)
    found = fs.success_prob_second_moment(n, R, eps=eps, alpha="uniform", size=1)
    assert found <= expected
    assert found == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 40), st.integers(1, 10**6), EPS, TARGET, st.integers(1, 12))
def test_upper_bound_is_the_expectation_rounded_up(n: int, R: int, eps: float, alpha: float, size: int) -> None:
    shift, centre = (1, Fraction(0)) if alpha == "uniform" else (0, Fraction(alpha))
    exact = math.comb(n, size) * R**size * naive.window(size + shift, Fraction(0), centre, Fraction(eps))
    upper = Fraction(fs.success_prob_upper(n, R, eps=eps, alpha=alpha, size=size))
    assert min(exact, 1) <= upper <= min(1, exact * (1 + Fraction(1, 10**12)))


@pytest.mark.parametrize(("n", "R"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)])
@pytest.mark.parametrize(("eps", "alpha"), [(0.03, 0.4), (0.25, 0.1), (0.01, -0.95)])
def test_second_moment_is_that_of_all_pairs(n: int, R: int, eps: float, alpha: float) -> None:
    e, M = naive.moments(n, R, alpha, eps)
    for k in range(1, n + 1):
        exact = e[k - 1] ** 2 / M[k - 1, k - 1]
        found = fs.success_prob_second_moment(n, R, eps=eps, alpha=alpha, size=k)
        assert found <= exact
        assert found == pytest.approx(float(exact), rel=1e-9)


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 20), EPS, TARGET, st.integers(1, 20), st.floats(1e-12, 0.99))
def test_bounds_are_in_order_and_monotone(n: int, R: int, eps: float, alpha: float, size: int, delta: float) -> None:
    one = FixedSize(R=R, eps=eps, alpha=alpha, size=size)
    low, high = one.success_lower(n), one.success_upper(n)
    assert 0.0 <= low <= high <= 1.0
    assert low <= one.success_prediction(n) <= high
    assert low <= one.success_lower(n + 1)
    assert high <= one.success_upper(n + 1) * (1 + 1e-12)
    necessary = one.necessary_n(delta)
    assert necessary >= size
    assert one.success_upper(necessary) >= 1 - delta - 1e-15
    assert necessary == size or one.success_upper(necessary - 1) < 1 - delta
    try:
        required = one.required_n(delta)
    except ValueError:
        assert alpha == "uniform" or eps < 1e-9
        return
    assert required >= necessary
    at = {"eps": eps, "alpha": alpha, "size": size}
    assert fs.failure_prob_bound(required, R, **at) <= delta
    if alpha != "uniform":
        assert fs.failure_prob_bound(required - 1, R, **at) > delta * (1 - 1e-12)


def test_extremes() -> None:
    assert fs.required_n(1e-60, 5e-324, R=10**18, alpha=1.0, size=64) >= 64
    assert 0.0 < fs.success_prob_lower(1, 1, eps=1e-60, alpha=1.0, size=1) <= 1e-60
    with pytest.raises(ValueError, match=r"delta must be proved for some n <= 2\^60, got delta=0\.1"):
        fs.required_n(1e-60, 0.1, R=1, alpha=0.5, size=1)
    with pytest.raises(ValueError, match=r"n must be at most 1000000, got n=1000001"):
        fs.success_prob_second_moment(1000001, 1, eps=0.1, alpha=0.5, size=1)
    with pytest.raises(ValueError, match=r"size must be at most 64, got size=65"):
        FixedSize(size=65)
    with pytest.raises(ValueError, match=r"size must be an integer >= 1, got size=0"):
        FixedSize(size=0)
    with pytest.raises(ValueError, match="eps must be at least 1e-60"):
        fs.success_prob_upper(3, 1, eps=1e-61, alpha=0.5, size=1)
    with pytest.raises(ValueError, match="n must be at least size=4, got n=3"):
        fs.entropy_shape(3, eps=0.1, size=4)


def test_blocks_multiply_and_leave_no_gap() -> None:
    values = {1: 0.1, 2: 0.5, 3: 0.4}
    blocks = Blocks(values.__getitem__, (1, 2, 3))
    expected = [1.0, 0.9, 0.5, 0.45, 0.25, 0.225, 0.125]
    assert [math.exp(blocks.log_failure(n)) for n in range(7)] == pytest.approx(expected)
    assert all(math.exp(blocks.log_failure(n)) >= value * (1 - 1e-15) for n, value in enumerate(expected))
    shared = Blocks(values.__getitem__, (1, 2, 3), together=True)
    assert [math.exp(shared.log_failure(n)) for n in (3, 300)] == pytest.approx([0.5, 0.5])
    with pytest.raises(ValueError, match='delta must be reached by n <= 3 when alpha="uniform"'):
        shared.required_n(0.1)


def test_prediction_of_one_value_and_of_all_is_exact() -> None:
    assert fs.success_prediction(6, 1, eps=0.02, alpha=0.3, size=6) == pytest.approx(
        float(naive.window(6, Fraction(0), Fraction(0.3), Fraction(0.02))), rel=1e-9
    )
    assert fs.success_prediction(40, 3, eps=0.001, alpha=0.3, size=1) == pytest.approx(1 - 0.999**120, rel=0.01)
