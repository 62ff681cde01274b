"""Statement 2.7: quantised values, against enumeration of all outcomes and exact convolutions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive_grid as naive
from theory import grid_sum as gs
from theory.grid_sum import GridSum
from theory.grid_sum.law import hit_prob, laws

TARGET = st.one_of(st.floats(-1.0, 1.0), st.just("uniform"))


@given(st.integers(0, 5), st.integers(1, 7), st.integers(-9, 9), st.integers(0, 3))
def test_the_law_is_that_of_convolution(k: int, M: int, target: int, tolerance: int) -> None:
    assert hit_prob(k, M, target, tolerance) == naive.hit(k, M, target, tolerance)


@pytest.mark.parametrize(("M", "tolerance"), [(1, 0), (2, 1), (6, 0), (7, 3)])
def test_tables_are_within_their_error(M: int, tolerance: int) -> None:
    points, windows, error = laws(6, M, tolerance)
    for k in range(7):
        assert len(points[k]) == 2 * k * M + 1
        for s, p in zip(range(-k * M, k * M + 1), points[k].tolist(), strict=True):
            exact = naive.hit(k, M, s, 0)
            assert abs(Fraction(p) - exact) <= exact * Fraction((k + 1) * error)
        reach = k * M + tolerance
        for s, p in zip(range(-reach, reach + 1), windows[k].tolist(), strict=True):
            exact = naive.hit(k, M, s, tolerance)
            assert abs(Fraction(p) - exact) <= exact * Fraction((k + 1) * error)


@pytest.mark.parametrize(
    ("n", "R", "M", "alpha", "tolerance"),
    [
        (1, 1, 3, 1.0, 0),
        (2, 1, 4, 0.5, 0),
        (3, 1, 4, -0.75, 1),
        (2, 2, 3, 1.0, 0),
        (4, 1, 3, 0.3, 0),
        (1, 3, 5, 0.6, 1),
    ],
)
def test_bounds_enclose_the_success_of_all_outcomes(n: int, R: int, M: int, alpha: float, tolerance: int) -> None:
    one = GridSum(R=R, grid=M, alpha=alpha, tolerance=tolerance)
    exact = naive.success(n, R, M, one.target, tolerance)
    assert Fraction(one.success_lower(n)) <= exact <= Fraction(one.success_upper(n))
    assert one.success_lower(n) >= 0.8 * float(exact)  # second moments are sharp here
    assert one.success_prediction(n) == pytest.approx(float(exact), rel=0.35)


@pytest.mark.parametrize(("n", "M", "alpha"), [(2, 3, 1.0), (3, 3, 2 / 3), (4, 2, 0.5)])
def test_the_second_moment_beats_every_single_size(n: int, M: int, alpha: float) -> None:
    one = GridSum(grid=M, alpha=alpha)
    found = gs.success_prob_second_moment(n, 1, grid=M, alpha=alpha)
    single = [naive.best_bound_of_one(n, M, one.target, k) for k in range(1, n + 1)]
    assert found >= max(single) * (1 - Fraction(1, 10**9))
    only = gs.success_prob_second_moment(1, 1, grid=M, alpha=alpha)
    assert only == pytest.approx(1 / (2 * M + 1), rel=1e-12)
    assert Fraction(only) <= Fraction(1, 2 * M + 1)


@pytest.mark.parametrize(("n", "R", "M", "tolerance"), [(1, 1, 4, 0), (2, 1, 4, 1), (3, 1, 3, 0), (2, 2, 2, 0)])
def test_uniform_targets_are_averages(n: int, R: int, M: int, tolerance: int) -> None:
    one = GridSum(R=R, grid=M, alpha="uniform", tolerance=tolerance)
    exact = sum(naive.success(n, R, M, a, tolerance) for a in range(-M, M + 1)) / (2 * M + 1)
    assert Fraction(one.success_lower(n)) <= exact <= Fraction(one.success_upper(n))


@settings(max_examples=50)
@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 60), TARGET, st.integers(0, 1), st.floats(1e-6, 0.9))
def test_in_order_and_monotone(n: int, R: int, M: int, alpha: float, tolerance: int, delta: float) -> None:
    one = GridSum(R=R, grid=M, alpha=alpha, tolerance=tolerance)
    low, high = one.success_lower(n), one.success_upper(n)
    assert 0.0 <= low <= high <= 1.0
    assert low <= one.success_prediction(n) <= high
    assert low <= one.success_lower(n + 1)
    assert high <= one.success_upper(n + 1)
    necessary = one.necessary_n(delta)
    assert necessary == 0 or one.success_upper(necessary - 1) < 1 - delta
    try:
        required = one.required_n(delta)
    except ValueError:
        assert alpha == "uniform"
        return
    assert required >= necessary
    at = {"grid": M, "alpha": alpha, "tolerance": tolerance}
    assert gs.failure_prob_bound(required, R, **at) <= delta


def test_picking_one() -> None:
    assert gs.miss_prob_one_exact(3, 2, grid=2, alpha=1.0) == pytest.approx(0.8**6, rel=1e-14)
    n = gs.required_n_one(100, 0.01, R=1, alpha=0.5)
    assert (1 - Fraction(1, 201)) ** n <= Fraction(0.01) < (1 - Fraction(1, 201)) ** (n - 1)
    assert gs.required_n_one(3, 0.5, R=1, alpha=0.0, tolerance=3) == 1
    with pytest.raises(ValueError, match="alpha must be a number here"):
        gs.miss_prob_one_exact(1, 1, grid=3, alpha="uniform")  # type: ignore[arg-type]


def test_extremes_and_refusals() -> None:
    assert GridSum(grid=10**4, R=10**18).required_n(5e-324) > 1
    assert GridSum(grid=3, alpha=0.5).target == 2
    assert GridSum(grid=5, alpha=0.5).target == 2  # of two equally near points the even one
    assert GridSum(grid=4, alpha="uniform", tolerance=4).success_lower(0) == 1.0
    assert gs.success_prob_second_moment(0, 1, grid=3, alpha="uniform") == pytest.approx(1 / 7)
    for problem, message in (
        ({"grid": 10**4 + 1}, "grid must be at most 10000, got grid=10001"),
        ({"grid": 0}, "grid must be an integer >= 1, got grid=0"),
        ({"tolerance": 101}, "tolerance must be at most grid=100, got tolerance=101"),
    ):
        with pytest.raises(ValueError, match=message):
            GridSum(**problem)
    with pytest.raises(ValueError, match="n must be at most 24, got n=25"):
        gs.success_prob_second_moment(25, 1, grid=3, alpha=1.0)
    with pytest.raises(ValueError, match='delta must be reached by n <= 24 when alpha="uniform"'):
        gs.required_n(100, 1e-9, R=1, alpha="uniform")
    assert np.isfinite(gs.success_prediction(200, 1, grid=10, alpha=1.0))
