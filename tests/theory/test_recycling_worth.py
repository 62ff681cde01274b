"""What recycling is predicted to do, and what it is worth in fresh draws: definitions, limits and round trips."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import recycling as rec
from theory import subset_sum
from theory.recycling.moments import expected_good
from theory.recycling.prediction import _log_factor, _log_rates

TARGET = st.sampled_from([0.0, 0.05, -0.3, 0.5, 1.0, "uniform"])
FEW = settings(max_examples=25)


def multisets(n: int, slots: int) -> list[tuple[int, ...]]:
    return [c for c in itertools.product(range(slots + 1), repeat=n) if sum(c) <= slots]


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_mean_and_variance_of_a_random_multiset_by_listing_them(n: int) -> None:
    """The Bose-Einstein moments that the prediction uses, with the expected variance of a sum over the values."""
    c = np.array(multisets(n, n), float)
    assert c.mean(axis=0) == pytest.approx(np.full(n, n / (n + 1)), rel=1e-12)
    factor = n * (2 * n + 1) / ((n + 1) * (n + 2))
    covariance = factor * (np.eye(n) - 1 / (n + 1))
    assert np.cov(c.T, bias=True).reshape(n, n) == pytest.approx(covariance, rel=1e-10)
    # given K positive values: the rates use E(x' covariance x); values are +-U[0, 1]
    log_rate, weights = _log_rates(n, 0.01, 0.5)
    assert weights.sum() == pytest.approx(1 - 0.5**n, rel=1e-9)
    middle = log_rate.shape[1] // 2  # the rest is 0
    for K in range(1, n + 1):
        drift = K - n / 2
        spread = factor * (n / 3 - (drift**2 + n / 12) / (n + 1))
        density = math.exp(-((0.5 - n / (n + 1) * drift) ** 2) / (2 * spread)) / math.sqrt(2 * math.pi * spread)
        expected = math.log(math.comb(2 * n, n) * 0.02 * density)
        assert log_rate[K - 1, middle] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "eps", "alpha"), [(3, 1e-6, 0.5), (7, 1e-9, 1.0), (5, 1e-7, "uniform")])
def test_small_predictions_are_the_exact_expected_number(n: int, eps: float, alpha: float | str) -> None:
    uniform = alpha == "uniform"
    expected = float(expected_good(n, alpha=0.0 if uniform else alpha, eps=eps, uniform=uniform))
    found = rec.success_prediction(n, eps=eps, alpha=alpha) - (eps if uniform else 0.0)
    assert found == pytest.approx(expected, rel=0.01, abs=0.0)
    assert abs(_log_factor(n, eps, 0.0 if uniform else alpha, uniform)) < 0.15


@given(st.integers(0, 12), st.sampled_from([0.3, 0.05, 0.01, 1e-4]), TARGET)
@FEW
def test_prediction_is_a_probability_within_the_certain_failures(n: int, eps: float, alpha: float | str) -> None:
    failure = rec.failure_prediction(n, eps=eps, alpha=alpha)
    assert rec.certain_failure(n, eps=eps, alpha=alpha) * (1 - 1e-12) <= failure <= 1.0
    assert rec.success_prediction(n, eps=eps, alpha=alpha) == 1.0 - failure
    if n == 0:
        certain = eps if alpha == "uniform" else float(abs(alpha) <= eps)
        assert failure == pytest.approx(1.0 - certain, abs=1e-15)


def test_predicted_n() -> None:
    n = rec.predicted_n(1e-4, 0.1, alpha=1.0)
    assert rec.failure_prediction(n, eps=1e-4, alpha=1.0) <= 0.1 < rec.failure_prediction(n - 1, eps=1e-4, alpha=1.0)
    assert rec.predicted_n(0.5, 0.1, alpha=0.1) == 0
    assert rec.predicted_n(0.01, 1e-12, alpha=0.5) == 41  # the certain failures: 2^-41 e^.49 < 1e-12 < 2^-40 e^.49
    with pytest.raises(ValueError, match="no n up to 1000"):
        rec.predicted_n(0.01, 5e-324, alpha=0.5)


@pytest.mark.parametrize("R", [1.0, 2.0, 2.5, 9.0])
@pytest.mark.parametrize("alpha", [0.5, "uniform"])
def test_effective_R_inverts_the_prediction(R: float, alpha: float | str) -> None:
    n, eps = 4, 0.01
    if int(R) == R:
        success = subset_sum.success_prediction(n, int(R), eps=eps, alpha=alpha)
        found = rec.effective_R(success, n, eps=eps, alpha=alpha)
        assert found == pytest.approx(R, rel=1e-3 if alpha == "uniform" else 1e-6)
    else:
        between = [subset_sum.success_prediction(n, k, eps=eps, alpha=alpha) for k in (2, 3)]
        assert 2.0 < rec.effective_R(sum(between) / 2, n, eps=eps, alpha=alpha) < 3.0
    assert rec.effective_R(1e-12, n, eps=eps, alpha=alpha) is None
    assert rec.effective_R(1.0, n, eps=eps, alpha=alpha) is None
    assert rec.effective_R(0.5, n, eps=0.6, alpha=0.5) is None


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_count_R_has_as_many_sums(n: int) -> None:
    assert (rec.count_R(n) + 1) ** n == pytest.approx(math.comb(2 * n, n), rel=1e-11)
    assert 1 - 1e-12 <= rec.count_R(n) < 3
    assert 3 - 1e-12 < rec.count_R(10**15) < 3


@pytest.mark.parametrize("alpha", [0.5, 1.0, "uniform"])
@pytest.mark.parametrize("n", [2, 5, 9])
def test_expected_R_expects_as_many_good_sums(n: int, alpha: float | str) -> None:
    R = rec.expected_R(n, eps=0.01, alpha=alpha)
    hits = [subset_sum.sum_hit_prob(k, eps=0.01, alpha=alpha)[0] for k in range(n + 1)]
    choice = sum(math.comb(n, k) * R**k * hits[k] for k in range(1, n + 1))
    uniform = alpha == "uniform"
    wanted = expected_good(n, alpha=0.0 if uniform else alpha, eps=0.01, uniform=uniform)
    assert choice == pytest.approx(float(wanted), rel=1e-10)
    assert 1 < R <= rec.count_R(n) * (1 + 1e-12)


def test_interpolated_R() -> None:
    def success(rate: float) -> float:
        return -math.expm1(-rate)

    choice = {R: success(0.1 * (R + 1) ** 2) for R in (1, 2, 3)}  # linear in log(R+1)
    for R in (1.0, 1.3, 2.0, 2.9, 3.0):
        assert rec.interpolated_R(success(0.1 * (R + 1) ** 2), choice) == pytest.approx(R, rel=1e-12)
    assert rec.interpolated_R(success(0.1 * 4.1**2), choice) is None
    assert rec.interpolated_R(success(0.1 * 1.9**2), choice) is None
    for odd in (0.0, 1.0):
        assert rec.interpolated_R(odd, choice) is None
        assert rec.interpolated_R(0.5, {1: 0.5, 2: odd}) is None
    assert rec.interpolated_R(0.5, {}) is None
    assert rec.interpolated_R(0.5, {3: 0.8, 1: 0.2, 2: 0.5}) == pytest.approx(2.0)


def test_gain_left_is_a_share_of_the_logarithm() -> None:
    n = 5
    per_slot = math.comb(10, 5) ** 0.2
    assert rec.gain_left(math.sqrt(2 * per_slot) - 1, n) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rec.predicted_n(0.1, 2, alpha=0.5), r"delta must be in \(0, 1\), got delta=2"),
        (lambda: rec.failure_prediction(1001, eps=0.1, alpha=0.5), "n must be at most 1000, got n=1001"),
        (lambda: rec.expected_R(65, eps=0.1, alpha=0.5), "n must be at most 64, got n=65"),
        (lambda: rec.effective_R(1.5, 3, eps=0.1, alpha=0.5), r"success must be in \[0, 1\], got success=1.5"),
        (lambda: rec.count_R(0), "n must be an integer >= 1, got n=0"),
        (lambda: rec.gain_left(2.0, 0), "n must be an integer >= 1, got n=0"),
        (lambda: rec.gain_left(-2.0, 5), r"R must be in \(0, inf\), got R=-2.0"),
        (lambda: rec.gain_left("two", 5), r"R must be a number in \(0, inf\), got R='two'"),
        (lambda: rec.effective_R("x", 3, eps=0.1, alpha=0.5), r"success must be a number in \[0, 1\], got success='x'"),
        (lambda: rec.count_R(10**306), r"n must be at most 1e\+15, got n >= 2\^1016"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
