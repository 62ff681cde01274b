"""9: sums of vectors, against hand calculations, exact fractions, enumeration and honest draws."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.stats import assert_at_most, assert_probability
from theory import subset_sum
from theory import vector_sum as theory
from theory.vector_sum import VectorSum, blocks, prediction

D, R = st.integers(1, 4), st.integers(1, 6)
EPS, ALPHA = st.floats(1e-6, 0.9), st.floats(0.05, 1) | st.just("uniform")


def volume(k: int, x: Fraction) -> Fraction:
    """P(S_k <= x) by the truncated powers."""
    if k == 0:
        return Fraction(x >= 0)
    terms = ((-1) ** i * math.comb(k, i) * max(x + k - 2 * i, Fraction(0)) ** k for i in range(k + 1))
    return sum(terms, Fraction(0)) / (2**k * math.factorial(k))


def window(k: int, alpha: float, eps: float) -> Fraction:
    return volume(k, Fraction(alpha) + Fraction(eps)) - volume(k, Fraction(alpha) - Fraction(eps))


# ---- 9.1 ---------------------------------------------------------------------------------------------------------


@given(n=st.integers(1, 7), R=R, d=D, eps=st.floats(1e-12, 0.3), alpha=st.floats(0.31, 1))
def test_first_moment_is_above_exact_fractions_and_near(n, R, d, eps, alpha):
    exact = sum(math.comb(n, k) * R**k * window(k, alpha, eps) ** d for k in range(1, n + 1))
    reach, count = Fraction(alpha) - Fraction(eps), n * R
    short = sum(math.comb(count, k) * reach**k / math.factorial(k) for k in range(count + 1)) / Fraction(2**count)
    one = subset_sum.success_prob_upper(n, R, eps=eps, alpha=alpha)  # of one coordinate; its own tests hold it
    exact = min(exact, (1 - short) ** d, Fraction(one))
    found = theory.success_prob_upper(n, R, d=d, eps=eps, alpha=-alpha)
    assert Fraction(found) >= exact
    assert found <= float(exact) * (1 + 1e-11)


def test_by_hand():
    assert theory.success_prob_upper(1, 3, d=3, eps=0.25, alpha=0.5) == pytest.approx(3 / 64, rel=1e-12)
    assert theory.success_prob_upper(1, 2, d=2, eps=0.25, alpha="uniform") == pytest.approx(
        (0.25 - 0.0) ** 2 + 2 * float(window(2, 0.0, 0.25)) ** 2, rel=1e-12
    )
    assert theory.success_prob_upper(0, 1, d=4, eps=0.5, alpha="uniform") == pytest.approx(0.5**4, rel=1e-12)
    assert theory.success_prob_second_moment(0, 1, d=4, eps=0.5, alpha="uniform") <= 0.5**4
    assert theory.success_prob_second_moment(0, 1, d=4, eps=0.5, alpha="uniform") == pytest.approx(0.5**4, rel=1e-12)
    # one vector: N_1 of R vectors, p = eps^d: the second moment is (R p)^2 / (R p + R (R - 1) p^2)
    p = 0.25**3
    found = theory.success_prob_second_moment(1, 3, d=3, eps=0.25, alpha=0.5)
    assert found == pytest.approx(3 * p / (1 + 2 * p), rel=1e-12)
    assert found < 1 - (1 - p) ** 3 < theory.success_prob_upper(1, 3, d=3, eps=0.25, alpha=0.5)


@pytest.mark.parametrize("d", [2, 4])
def test_falling_short_by_honest_draws(d):
    n, trials, rng = 10, 40_000, np.random.default_rng(91)
    positive = np.maximum(rng.uniform(-1, 1, (trials, n, d)), 0).sum(axis=1)
    reached = int((positive >= 0.9 - 0.5).all(axis=1).sum())
    bound = theory.success_prob_upper(n, 1, d=d, eps=0.5, alpha=0.9)
    assert_probability(reached, trials, bound)
    with pytest.raises(AssertionError):
        assert_probability(reached, trials, theory.success_prob_upper(n, 1, d=d - 1, eps=0.5, alpha=0.9))


@given(R=R, d=D, eps=st.floats(1e-4, 0.2), alpha=ALPHA, delta=st.floats(1e-6, 0.9))
def test_necessary_n_is_where_the_bound_turns(R, d, eps, alpha, delta):
    n = theory.necessary_n(eps, delta, d=d, R=R, alpha=alpha)
    assert theory.necessary_n_closed_form(eps, delta, d=d, R=R, alpha=alpha) <= n
    assert theory.success_prob_upper(n, R, d=d, eps=eps, alpha=alpha) >= math.nextafter(1 - delta, 0)
    if n > 0:
        assert theory.success_prob_upper(n - 1, R, d=d, eps=eps, alpha=alpha) < 1 - delta


# ---- 9.2 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "R", "d"), [(2, 1, 2), (2, 2, 3), (3, 1, 4)])
def test_pair_moments_by_honest_draws(n, R, d):
    """E[N_k N_k'] of the certified table against counts: windows so wide that pairs are seen."""
    eps, alpha, trials = 0.6, 0.7, 200_000
    rng = np.random.default_rng([n, R, d])
    x = rng.uniform(-1, 1, (trials, n, R, d))
    counts = np.zeros((trials, n + 1))
    for choice in itertools.product(range(-1, R), repeat=n):
        total = sum((x[:, i, r] for i, r in enumerate(choice) if r >= 0), np.zeros((trials, d)))
        counts[:, sum(r >= 0 for r in choice)] += (np.abs(total - alpha) <= eps).all(axis=1)
    case = VectorSum(d=d, R=R, eps=eps, alpha=alpha)
    moments, error = blocks._normalised_moments(n, case)
    assert error < 1e-11
    e = [math.comb(n, k) * R**k * float(window(k, alpha, eps)) ** d for k in range(1, n + 1)]
    for k, other in itertools.product(range(1, n + 1), repeat=2):
        product = counts[:, k] * counts[:, other]
        expected = moments[k - 1, other - 1] * e[k - 1] * e[other - 1]
        assert abs(product.mean() - expected) < 5 * product.std() / math.sqrt(trials)


@hypothesis_settings(max_examples=15)
@given(n=st.integers(0, 14), R=R, eps=EPS, alpha=ALPHA)
def test_one_coordinate_is_the_subset_sum(n, R, eps, alpha):
    one = {"eps": eps, "alpha": alpha}
    ours = theory.success_prob_second_moment(n, R, d=1, **one)
    assert ours == pytest.approx(subset_sum.success_prob_second_moment(n, R, **one), rel=1e-9, abs=0)
    scalar = subset_sum.success_prob_lower(n, R, weights=False, **one)
    assert theory.success_prob_lower(n, R, d=1, **one) >= scalar * (1 - 1e-12)
    assert theory.success_prob_upper(n, R, d=1, **one) <= subset_sum.success_prob_upper(n, R, **one) * (1 + 1e-12)
    assert theory.success_prediction(n, R, d=1, **one) == subset_sum.success_prediction(n, R, **one)
    assert theory.failure_prediction(n, R, d=1, **one) == subset_sum.failure_prediction(n, R, **one)


@hypothesis_settings(max_examples=15)
@given(n=st.integers(0, 12), R=R, d=D, eps=EPS, alpha=ALPHA)
def test_bounds_are_ordered_and_monotone(n, R, d, eps, alpha):
    one = {"eps": eps, "alpha": alpha}
    lower = theory.success_prob_lower(n, R, d=d, **one)
    assert 0 <= lower <= theory.success_prob_upper(n, R, d=d, **one) <= 1
    assert theory.success_prob_second_moment(n, R, d=d, **one) <= lower * (1 + 1e-12)
    assert lower <= theory.success_prob_lower(n + 1, R, d=d, **one)
    failure = theory.failure_prob_bound(n, R, d=d, **one)
    assert lower == pytest.approx(1 - failure, abs=1e-12)
    if d < 4:  # one coordinate more: success becomes rarer, and so does what is possible
        assert theory.success_prob_upper(n, R, d=d + 1, **one) <= theory.success_prob_upper(n, R, d=d, **one)


@pytest.mark.parametrize(("d", "R", "eps", "delta"), [(1, 1, 0.1, 0.1), (2, 5, 0.05, 1e-3), (4, 10, 0.1, 1e-30)])
def test_required_n_is_the_first_that_the_bound_allows(d, R, eps, delta):
    one = {"d": d, "eps": eps, "alpha": 0.5}
    n = theory.required_n(delta=delta, R=R, **one)
    assert (
        theory.log_failure_prob_bound(n, R, **one) <= math.log(delta) < theory.log_failure_prob_bound(n - 1, R, **one)
    )
    assert theory.necessary_n(eps, delta, d=d, R=R, alpha=0.5) <= n


def test_blocks_and_draws_multiply():
    one = {"d": 2, "eps": 0.1, "alpha": 0.5}
    assert theory.log_failure_prob_bound(120, 1, **one) <= 2 * theory.log_failure_prob_bound(60, 1, **one) * (1 - 1e-12)
    assert theory.log_failure_prob_bound(8, 4, **one) <= 2 * theory.log_failure_prob_bound(8, 2, **one) * (1 - 1e-12)
    shared = {**one, "alpha": "uniform"}  # a shared target: nothing multiplies
    assert theory.failure_prob_bound(65, 1, **shared) == theory.failure_prob_bound(64, 1, **shared)
    with pytest.raises(ValueError, match=r'delta must be reached by n <= 64 when alpha="uniform", got delta=1e-09'):
        theory.required_n(0.1, 1e-9, d=2, R=1, alpha="uniform")


@pytest.mark.parametrize("alpha", [1.0, -0.3, "uniform"])
@pytest.mark.parametrize("n", [1, 5, 64])
def test_extreme_accuracy(n, alpha):
    for eps in (1e-60, 1e-15, 1 - 2**-53, 1.0):
        lower = theory.success_prob_lower if n < 64 else theory.success_prob_second_moment
        low = lower(n, 10**18 if n == 1 else 1, d=4, eps=eps, alpha=alpha)
        high = theory.success_prob_upper(n, 10**18 if n == 1 else 1, d=4, eps=eps, alpha=alpha)
        assert 0 <= low <= high <= 1
        assert high > 0
    assert theory.necessary_n(1e-60, 5e-324, d=4, R=1, alpha=alpha) >= math.log2(1e60) * 4 - 1
    with pytest.raises(ValueError, match="eps must be at least 1e-60"):
        theory.success_prob_upper(n, 1, d=4, eps=1e-61, alpha=alpha)


def test_certain_targets():
    one = {"d": 3, "eps": 0.5, "alpha": -0.5}
    for n in (0, 5):
        assert theory.success_prob_lower(n, 1, **one) == theory.success_prob_upper(n, 1, **one) == 1.0
        assert theory.success_prediction(n, 1, **one) == 1.0
        assert theory.failure_prediction(n, 1, **one) == 0.0
    for needed in (theory.required_n, theory.necessary_n, theory.necessary_n_closed_form, theory.predicted_n):
        assert needed(0.5, 0.01, d=3, R=1, alpha=0.5) == 0


# ---- 9.3, 9.4 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.5, -1.0, "uniform"])
@pytest.mark.parametrize(("n", "R", "d"), [(14, 1, 2), (8, 3, 3), (9, 5, 4)])
def test_prediction_is_its_expectation(n, R, d, alpha):
    """Against a plain Monte Carlo average of exp(-lambda)."""
    eps, rng, trials = 0.05, np.random.default_rng([n, R, d]), 400_000
    V = n * R**2 / (3 * (R + 1) ** 2)
    target = rng.uniform(-1, 1, (trials, d)) if alpha == "uniform" else alpha
    distance = target - rng.normal(0, math.sqrt(V / R), (trials, d))
    density = np.exp(-(distance**2) / (2 * V)) / math.sqrt(2 * math.pi * V)
    miss = np.exp(-((R + 1) ** n) * (2 * eps * density).prod(axis=1))
    found = theory.failure_prediction(n, R, d=d, eps=eps, alpha=alpha)
    assert found == pytest.approx(miss.mean(), abs=5 * miss.std() / math.sqrt(trials) + 2e-5)
    assert theory.success_prediction(n, R, d=d, eps=eps, alpha=alpha) == pytest.approx(1 - found, abs=1e-12)


def test_prediction_does_not_feel_its_nodes(monkeypatch):
    cases = [(20, VectorSum(d=2)), (26, VectorSum(d=3, alpha="uniform")), (9, VectorSum(d=4, R=5, eps=0.05))]
    before = [prediction._predict.__wrapped__(n, case) for n, case in cases]
    monkeypatch.setattr(prediction, "_NODES", {2: 100, 3: 60, 4: 40})
    after = [prediction._predict.__wrapped__(n, case) for n, case in cases]
    assert np.array(after) == pytest.approx(np.array(before), rel=1e-5)


def test_predicted_and_threshold_n():
    for d, R in ((2, 1), (3, 5)):
        n = theory.predicted_n(0.05, 0.01, d=d, R=R, alpha=0.5)
        failures = [theory.failure_prediction(m, R, d=d, eps=0.05, alpha=0.5) for m in range(n + 1)]
        assert failures[-1] <= 0.01 < min(failures[:-1])
    assert theory.threshold_n(2.0**-5, 1, d=3) == 15.0


def test_published_form():
    assert theory.becchetti_n(math.exp(-1), d=1, C=7.5) == 8
    assert theory.becchetti_n(math.exp(-2), d=2, C=1.0) == math.ceil(8 * 2 * (2 + math.log(2)))
    for C in (0.0, -1.0):
        with pytest.raises(ValueError, match=r"C must be"):
            theory.becchetti_n(0.1, d=2, C=C)


def test_the_question_is_its_functions():
    question, one = VectorSum(d=3.0, R=2, eps=0.2, alpha=0.7), {"d": 3, "alpha": 0.7}
    assert question == VectorSum(d=3, R=2, eps=0.2, alpha=0.7)
    assert question.required_n(0.1) == theory.required_n(0.2, 0.1, R=2, **one)
    assert question.necessary_n(0.1) == theory.necessary_n(0.2, 0.1, R=2, **one)
    assert question.predicted_n(0.1) == theory.predicted_n(0.2, 0.1, R=2, **one)
    assert question.success_lower(5) == theory.success_prob_lower(5, 2, eps=0.2, **one)
    assert question.success_upper(5) == theory.success_prob_upper(5, 2, eps=0.2, **one)
    assert question.success_prediction(5) == theory.success_prediction(5, 2, eps=0.2, **one)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VectorSum(d=5), "d must be at most 4, got d=5"),
        (lambda: VectorSum(d=1.5), r"d must be an integer >= 1, got d=1.5"),
        (lambda: VectorSum(alpha=2), r"alpha must be in \[-1, 1\], got alpha=2"),
        (lambda: VectorSum().success_upper(-1), "n must be an integer >= 0, got n=-1"),
        (lambda: VectorSum().required_n(1.0), r"delta must be in \(0, 1\), got delta=1.0"),
        (lambda: theory.success_prob_second_moment(65, 1, d=2, eps=0.1, alpha=0.5), "n must be at most 64, got n=65"),
        (lambda: theory.predicted_n(0.1, 0.0, d=2, R=1, alpha=0.5), r"delta must be in \(0, 1\), got delta=0.0"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_bound_is_honest_at_its_block():
    """P(failure) of a block by honest draws in float64; the bound of a larger one is refuted."""
    d, R, eps, trials = 2, 2, 0.3, 20_000
    n = 4
    rng = np.random.default_rng(92)
    x, sums = rng.uniform(-1, 1, (trials, n, R, d)), np.zeros((trials, 1, d))
    for i in range(n):
        sums = np.concatenate([sums, *(sums + x[:, i, None, r] for r in range(R))], axis=1)
    failed = int((np.abs(sums - 0.5).max(axis=2).min(axis=1) > eps).sum())
    assert_at_most(failed, trials, theory.failure_prob_bound(n, R, d=d, eps=eps, alpha=0.5))
    with pytest.raises(AssertionError):
        assert_at_most(failed, trials, theory.failure_prob_bound(n + 4, R, d=d, eps=eps, alpha=0.5))
