"""Statements 2.4 (heuristic) and 2.5 (recalled): the formulas are evaluated correctly; their truth is not asserted."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import subset_sum as ss


@pytest.mark.parametrize(
    ("n", "R", "eps", "alpha"),
    [
        (1, 1, 0.1, 0.5),
        (8, 1, 0.01, 0.5),
        (12, 1, 0.01, -0.5),
        (4, 5, 0.01, 0.5),
        (60, 1, 1e-12, 1.0),
        (3, 10**6, 1e-12, 0.3),
        (2, 1, 1e-12, 0.9),
    ],
)
def test_annealed_prediction_against_mpmath(n: int, R: int, eps: float, alpha: float) -> None:
    with mpmath.workdps(30):
        spread = mpmath.sqrt(mpmath.mpf(n) * R / 3) / (R + 1)
        variance = mpmath.mpf(n) * R**2 / (3 * mpmath.mpf(R + 1) ** 2)

        def rate(z: mpmath.mpf) -> mpmath.mpf:
            distance = mpmath.mpf(alpha) - spread * z
            density = mpmath.exp(-(distance**2) / (2 * variance)) / mpmath.sqrt(2 * mpmath.pi * variance)
            return mpmath.mpf(R + 1) ** n * 2 * mpmath.mpf(eps) * density

        cuts = [mpmath.mpf(i) / 2 for i in range(-26, 27)]
        law = {"method": "gauss-legendre", "maxdegree": 5}
        success = mpmath.quad(lambda z: -mpmath.expm1(-rate(z)) * mpmath.npdf(z), cuts, **law)
        failure = mpmath.quad(lambda z: mpmath.exp(-rate(z)) * mpmath.npdf(z), cuts, **law)
    assert ss.success_prediction(n, R, eps=eps, alpha=alpha) == pytest.approx(float(success), rel=1e-9, abs=0.0)
    assert ss.failure_prediction(n, R, eps=eps, alpha=alpha) == pytest.approx(float(failure), rel=1e-9, abs=1e-30)


def test_prediction_near_simulated_values() -> None:
    # simulated success at alpha = .5, eps = .01; the prediction is good to about 10 % there and no better
    for n, R, simulated in [(8, 1, 0.7108), (12, 1, 0.9812), (3, 5, 0.7717), (4, 5, 0.9965)]:
        assert ss.success_prediction(n, R, eps=0.01, alpha=0.5) == pytest.approx(simulated, rel=0.1)


def test_prediction_given_the_values() -> None:
    values = np.random.default_rng(3).uniform(-1, 1, (5, 3, 2))
    mu, v = ss.mean_and_variance(values)
    for trial, (mean, variance) in enumerate(zip(mu, v, strict=True)):
        options = [[0.0, *row] for row in values[trial]]
        sums = [sum(choice) for choice in itertools.product(*options)]
        assert (np.mean(sums), np.var(sums)) == pytest.approx((mean, variance), rel=1e-12)
    out = ss.success_prediction_given(mu, v, 3, 2, eps=0.05, alpha=0.5)
    rate = 3**3 * 0.1 * np.exp(-((0.5 - mu) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    assert out == pytest.approx(1 - np.exp(-rate), rel=1e-12)
    assert ss.success_prediction_given(mu, v, 3, 2, eps=0.6, alpha=0.5) == pytest.approx(np.ones(5))


@given(st.integers(0, 60), st.integers(1, 10**6), st.floats(-12.0, 0.0), st.floats(-1.0, 1.0))
def test_prediction_is_a_probability(n: int, R: int, exponent: float, alpha: float) -> None:
    eps = 10.0**exponent
    for model in ("choice", "vector"):
        success = ss.success_prediction(n, R, eps=eps, alpha=alpha, model=model)
        failure = ss.failure_prediction(n, R, eps=eps, alpha=alpha, model=model)
        assert 0.0 <= success <= 1.0
        assert success + failure == pytest.approx(1.0, abs=1e-9)
    if abs(alpha) <= eps:
        assert success == 1.0
    elif n == 0:
        assert success == 0.0


def test_uniform_prediction_is_the_average() -> None:
    for model, R in [("choice", 3), ("vector", 3)]:
        grid = (np.arange(4000) + 0.5) / 4000
        average = np.mean([ss.success_prediction(3, R, eps=0.05, alpha=float(a), model=model) for a in grid])
        uniform = ss.success_prediction(3, R, eps=0.05, alpha="uniform", model=model)
        assert uniform == pytest.approx(average, abs=1e-4)
    assert ss.success_prediction(0, 3, eps=0.05, alpha="uniform") == 0.05


def test_vector_prediction_is_a_power() -> None:
    one = ss.failure_prediction(8, 1, eps=0.01, alpha=0.5)
    assert ss.failure_prediction(8, 4, eps=0.01, alpha=0.5, model="vector") == pytest.approx(one**4, rel=1e-12)


@given(st.floats(-9.0, -0.5), st.floats(-7.0, -0.1), st.integers(1, 1000))
@settings(max_examples=25)
def test_predicted_n_is_the_first(exponent: float, log_delta: float, R: int) -> None:
    eps, delta = 10.0**exponent, math.exp(log_delta)
    n = ss.predicted_n(eps, delta, R=R, alpha=0.5)
    assert ss.failure_prediction(n, R, eps=eps, alpha=0.5) <= delta
    assert all(ss.failure_prediction(m, R, eps=eps, alpha=0.5) > delta for m in range(n))


def test_threshold_and_partition_by_hand() -> None:
    assert ss.threshold_n(1e-6, 9) == pytest.approx(6.0)
    assert ss.threshold_n(1.0, 3) == 0.0
    # 2^10 * 1e-3 * sqrt(3/(20 pi)) = 1.024 * .218510
    assert ss.partition_miss_prediction(10, 1e-3) == pytest.approx(math.exp(-0.223754), rel=1e-5)
    assert ss.partition_miss_prediction(10, 0.0) == 1.0
    assert ss.partition_miss_prediction(10**6, 1.0) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.success_prediction(-1, 1, eps=0.1, alpha=0.0), "n must be an integer >= 0, got n=-1"),
        (lambda: ss.success_prediction(1, 1, eps=0.1, alpha=0.0, model="x"), "model must be .* got model='x'"),
        (lambda: ss.predicted_n(0.1, 0.0, R=1, alpha=0.5), r"delta must be in \(0, 1\), got delta=0.0"),
        (lambda: ss.success_prediction_given(0.0, 0.0, 1, 1, eps=0.1, alpha=0.5), "v must be positive, got v=0.0"),
        (lambda: ss.mean_and_variance([1.0]), r"values must have shape \(trials, n, R\), got values.shape=\(1,\)"),
        (lambda: ss.partition_miss_prediction(3, -1.0), r"x must be in \[0, inf\), got x=-1.0"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
