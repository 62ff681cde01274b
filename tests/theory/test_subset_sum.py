"""Statements 2.1 to 2.3: proved bounds of the random subset sum."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv

from tests import naive_theory as naive
from theory import subset_sum as ss
from theory.single_weight import hit_prob
from theory.subset_sum import blocks as bounds
from theory.subset_sum import required
from theory.subset_sum.first_moment import _expected_good_sums
from theory.subset_sum.parameters import SubsetSumParameters, certified
from theory.subset_sum.second_moment import normalised_moments, overlap_table, pair_table, success_lower

EPS = st.floats(-12.0, 0.0).map(lambda x: 10.0**x)
TARGET = st.one_of(st.floats(-1.0, 1.0), st.just("uniform"))
MODEL = st.sampled_from(["choice", "vector"])
FEW = settings(max_examples=40)


# -- 2.1 --------------------------------------------------------------------------------------------------------------


def test_upper_bound_by_hand() -> None:
    assert ss.success_prob_upper(2, 1, eps=0.01, alpha=0.5) == pytest.approx(2 * 0.01 + 0.0075, rel=1e-14)
    assert ss.success_prob_upper(2, 3, eps=0.01, alpha=0.5) == pytest.approx(6 * 0.01 + 9 * 0.0075, rel=1e-14)
    assert ss.success_prob_upper(1, 4, eps=0.01, alpha=1.0, model="vector") == pytest.approx(1 - 0.995**4, rel=1e-13)
    assert ss.success_prob_upper(1, 2, eps=0.01, alpha="uniform") == pytest.approx(0.01 + 2 * 0.009975, rel=1e-13)
    assert ss.success_prob_upper(0, 3, eps=0.01, alpha=0.5) == 0.0
    assert ss.success_prob_upper(0, 3, eps=0.5, alpha=-0.5) == 1.0


@given(st.integers(0, 30), st.integers(1, 10**6), EPS, TARGET)
def test_upper_bound_is_the_exact_expectation_rounded_up(n: int, R: int, eps: float, alpha: float) -> None:
    shift, centre = (1, Fraction(0)) if alpha == "uniform" else (0, Fraction(alpha))
    exact = sum(
        (math.comb(n, k) * R**k * naive.window(k + shift, Fraction(0), centre, Fraction(eps)) for k in range(n + 1)),
        Fraction(0),
    )
    first = _expected_good_sums(n, certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha)))
    assert min(exact, 1) <= first <= min(1, exact * (1 + Fraction(1, 10**12)))
    upper = Fraction(ss.success_prob_upper(n, R, eps=eps, alpha=alpha))
    assert upper <= min(1, first * (1 + Fraction(1, 10**15)))
    log_upper = ss.log_success_prob_upper(n, R, eps=eps, alpha=alpha)
    assert log_upper == -math.inf if upper == 0 else log_upper >= math.log(upper)


@given(EPS, st.floats(1e-9, 0.999), st.integers(1, 1000), TARGET, MODEL)
def test_necessary_n(eps: float, delta: float, R: int, alpha: float, model: str) -> None:
    n = ss.necessary_n(eps, delta, R=R, alpha=alpha, model=model)
    assert ss.success_prob_upper(n, R, eps=eps, alpha=alpha, model=model) >= 1 - delta - 1e-15
    assert n == 0 or ss.success_prob_upper(n - 1, R, eps=eps, alpha=alpha, model=model) < 1 - delta
    closed = ss.necessary_n_closed_form(eps, delta, R=R, alpha=alpha, model=model)
    assert closed <= n
    if alpha != "uniform" and abs(alpha) <= eps:
        assert n == closed == 0
    elif model == "choice":
        assert closed == pytest.approx(max(0, math.log((1 - delta) / eps) / math.log(R + 1)), abs=1 + 1e-9)
        assert eps * (R + 1.0) ** closed >= (1 - delta) * (1 - 1e-12)


def test_necessary_n_by_hand() -> None:
    assert ss.necessary_n_closed_form(0.01, 0.05, R=1, alpha=0.5) == 7  # log2(95) = 6.57
    assert ss.necessary_n_closed_form(0.01, 0.05, R=9, alpha=0.5) == 2  # log10(95) = 1.98
    assert ss.necessary_n_closed_form(0.01, 0.05, R=19, alpha=0.5, model="vector") == 3  # log2(5) = 2.3
    assert ss.necessary_n_closed_form(0.5, 0.5, R=1, alpha=1.0) == 0
    assert ss.necessary_n(0.5, 0.5, R=1, alpha=1.0) == 3  # two values add up to 1/2 with probability 15/32


# -- 2.2: ingredients -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "R"), [(1, 1), (1, 4), (2, 3), (3, 2), (4, 1), (4, 2), (6, 1), (3, 3)])
def test_overlap_law_by_enumeration_of_all_pairs(n: int, R: int) -> None:
    table = overlap_table(n, R)
    counts = naive.overlap_counts(n, R)
    assert table.shape == (n + 1,) * 3
    for j, k, other in np.ndindex(table.shape):
        pairs = math.comb(n, k) * R**k * math.comb(n, other) * R**other
        assert table[j, k, other] == pytest.approx(counts[k, other, j] / pairs, rel=1e-14, abs=0.0)


@given(st.integers(1, 24), st.integers(1, 10**9))
@FEW
def test_overlap_law_sums_to_one_and_is_symmetric(n: int, R: int) -> None:
    table = overlap_table(n, R)
    assert table.min() >= 0.0
    assert table.sum(axis=0) == pytest.approx(np.ones((n + 1, n + 1)), rel=1e-13)
    assert table == pytest.approx(table.transpose(0, 2, 1), rel=1e-12)
    mean = np.einsum("jkl,j->kl", table, np.arange(n + 1.0))  # E j = k k'/(n R)
    assert mean == pytest.approx(np.outer(np.arange(n + 1), np.arange(n + 1)) / (n * R), rel=1e-12)


@pytest.mark.parametrize(("alpha", "eps"), [(0.5, 0.01), (0.25, 0.25), (1.0, 0.3), (0.1, 0.05), (0.9, 1e-6)])
def test_pair_table_against_mpmath(alpha: float, eps: float) -> None:
    table, error = pair_table(8, alpha=alpha, eps=eps)
    rng = np.random.default_rng(7)
    with mpmath.workdps(40):
        for _ in range(12):
            j = int(rng.integers(1, 6))
            k, other = j + int(rng.integers(0, 6 - j)), j + int(rng.integers(0, 6 - j))
            p, q = (naive.window(size, Fraction(0), Fraction(alpha), Fraction(eps)) for size in (k, other))
            expected = naive.pair_prob(j, k - j, other - j, alpha, eps) / naive._mp(p * q)
            assert abs(mpmath.mpf(table[j, k, other]) / expected - 1) <= error
    assert error < 1e-12


@pytest.mark.parametrize(
    ("n", "R", "alpha", "eps"),
    [(1, 3, 0.5, 0.01), (3, 1, -0.5, 0.01), (3, 2, 1.0, 0.3), (5, 1, 0.3, 0.1), (2, 3, 0.7, 1e-3)],
)
def test_moments_and_bound_against_enumeration(n: int, R: int, alpha: float, eps: float) -> None:
    e, M = naive.moments(n, R, alpha, eps)
    ours, error = normalised_moments(n, R, eps=eps, alpha=abs(alpha), uniform=False)
    for k in range(n):
        for other in range(n):
            expected = M[k, other] / (e[k] * e[other])
            assert abs(mpmath.mpf(float(ours[k, other])) / expected - 1) <= error
    best = naive.best_bound(e, M)
    bound = ss.success_prob_second_moment(n, R, eps=eps, alpha=alpha)
    assert best * (1 - mpmath.mpf(10) ** -9) <= bound <= best
    single = max(e[k] ** 2 / M[k, k] for k in range(n))
    bound = ss.success_prob_second_moment(n, R, eps=eps, alpha=alpha, combine=False)
    assert single * (1 - mpmath.mpf(10) ** -9) <= bound <= single


def test_uniform_moments_are_averages_over_the_target() -> None:
    n, R, eps = 3, 2, 0.2
    ours, _ = normalised_moments(n, R, eps=eps, alpha=0.0, uniform=True)
    ends = sorted({-1.0, 1.0, 0.0, *(s * x for s in (-1, 1) for x in (eps, 1 - eps))})
    x, w = np.polynomial.legendre.leggauss(12)
    first, second = np.zeros(n + 1), np.zeros((n + 1, n + 1))
    for left, right in pairwise(ends):
        for node, weight in zip(x, w, strict=True):
            alpha = (left + right) / 2 + (right - left) / 2 * node
            pairs, _ = pair_table(n, alpha=float(alpha), eps=eps)
            p = np.array([ss.sum_hit_prob(k, eps=eps, alpha=float(alpha))[0] for k in range(n + 1)])
            overlap = overlap_table(n, R)
            joint = np.einsum("jkl,jkl->kl", overlap, pairs[: n + 1, : n + 1, : n + 1]) * np.outer(p, p)
            first += weight * (right - left) / 4 * p
            second += weight * (right - left) / 4 * joint
    assert ours == pytest.approx(second / np.outer(first, first), rel=1e-10)


def test_shared_target_moments_of_several_vectors() -> None:
    one, _ = normalised_moments(3, 1, eps=0.1, alpha=0.0, uniform=True)
    four, _ = normalised_moments(3, 1, eps=0.1, alpha=0.0, uniform=True, vectors=4)
    independent = pair_table(4, alpha=0.0, eps=0.1)[0][1, 1:5, 1:5]
    assert four == pytest.approx(one / 4 + 3 * independent / 4, rel=1e-12)


def test_bound_pays_for_the_declared_error() -> None:
    moments = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert success_lower(moments, 0.0, combine=True) == pytest.approx(2 / 3, rel=1e-12)
    assert success_lower(moments, 0.1, combine=True) == pytest.approx(2 / 3 / 1.1, rel=1e-12)
    assert success_lower(moments, 0.0, combine=False) == pytest.approx(0.5, rel=1e-12)


# -- 2.2 and 2.3: bounds ----------------------------------------------------------------------------------------------

SPOT = [(1, 8, 0.279, 0.539), (1, 12, 0.717, 0.821), (1, 16, 0.873, 0.908), (1, 20, 0.921, 0.942)]
SPOT += [(5, 3, 0.446, 0.586), (5, 4, 0.751, 0.850), (5, 8, 0.970, 0.974)]


@pytest.mark.parametrize(("R", "n", "single", "combined"), SPOT)
def test_spot_values(R: int, n: int, single: float, combined: float) -> None:
    assert ss.success_prob_second_moment(n, R, eps=0.01, alpha=0.5, combine=False) == pytest.approx(single, abs=2e-3)
    assert ss.success_prob_second_moment(n, R, eps=0.01, alpha=0.5) == pytest.approx(combined, abs=2e-3)


@given(st.integers(0, 24), st.integers(1, 1000), EPS, TARGET, MODEL)
@FEW
def test_lower_at_most_upper_and_monotone_in_n(n: int, R: int, eps: float, alpha: float, model: str) -> None:
    law = {"eps": eps, "alpha": alpha, "model": model}
    raw = ss.success_prob_second_moment(n, R, **law)
    single = ss.success_prob_second_moment(n, R, combine=False, **law)
    lower = ss.success_prob_lower(n, R, **law)
    upper = ss.success_prob_upper(n, R, **law)
    assert 0.0 <= single <= raw <= lower * (1 + 1e-12) <= upper * (1 + 2e-12) <= 1 + 2e-12
    assert lower <= upper <= 1.0
    quick = ss.success_prob_lower(n, R, weights=False, **law)
    assert raw <= quick * (1 + 1e-12)
    assert quick <= lower
    assert quick <= ss.success_prob_lower(n + 1, R, weights=False, **law)
    assert ss.failure_prob_bound(n, R, **law) == pytest.approx(1 - lower, abs=1e-13)


@given(st.integers(1, 10**6), EPS, st.floats(-1.0, 1.0))
def test_one_variable_in_closed_form(R: int, eps: float, alpha: float) -> None:
    truth = 1.0 if abs(alpha) <= eps else -math.expm1(R * math.log1p(-hit_prob(alpha, eps)))
    for model in ("choice", "vector"):
        assert ss.success_prob_lower(1, R, eps=eps, alpha=alpha, model=model) <= truth * (1 + 1e-12)
        assert truth <= ss.success_prob_upper(1, R, eps=eps, alpha=alpha, model=model) * (1 + 1e-12)


@pytest.mark.parametrize(("n", "R"), [(3, 1), (6, 1), (9, 1), (2, 5), (3, 5)])
@pytest.mark.parametrize("alpha", [0.5, "uniform"])
@pytest.mark.parametrize("model", ["choice", "vector"])
def test_bounds_hold_in_simulation(n: int, R: int, alpha: float, model: str) -> None:
    eps, trials = 0.02, 1500
    rng = np.random.default_rng(99)
    hits = 0
    for _ in range(trials):
        target = rng.uniform(-1, 1) if alpha == "uniform" else alpha
        values = rng.uniform(-1, 1, (n, R))
        parts = [values.tolist()] if model == "choice" else [values[:, [r]].tolist() for r in range(R)]
        hits += any(np.abs(np.array(naive.reachable_sums(part)) - target).min() <= eps for part in parts)
    low = betaincinv(hits, trials - hits + 1, 1e-6) if hits else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - 1e-6) if hits < trials else 1.0
    assert ss.success_prob_lower(n, R, eps=eps, alpha=alpha, model=model) <= high
    assert ss.success_prob_upper(n, R, eps=eps, alpha=alpha, model=model) >= low


def test_vector_model_is_a_power_for_a_fixed_target() -> None:
    one = ss.failure_prob_bound(10, 1, eps=0.01, alpha=0.5)
    assert ss.failure_prob_bound(10, 7, eps=0.01, alpha=0.5, model="vector") == pytest.approx(one**7, rel=1e-12)
    assert ss.success_prob_second_moment(10, 7, eps=0.01, alpha=0.5, model="vector") == pytest.approx(
        1 - (1 - ss.success_prob_second_moment(10, 1, eps=0.01, alpha=0.5)) ** 7, rel=1e-12
    )


def test_blocks_multiply_for_a_fixed_target_only() -> None:
    law = {"eps": 0.01, "alpha": 0.5}
    for n, parts in [(80, (40, 40)), (24, (12, 12)), (130, (64, 64, 2))]:
        product = math.prod(ss.failure_prob_bound(m, 1, weights=False, **law) for m in parts)
        assert ss.failure_prob_bound(n, 1, weights=False, **law) <= product * (1 + 1e-9)
    assert ss.log_failure_prob_bound(10**6, 1, **law) < -1e5


def test_block_arithmetic_on_a_made_up_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # the raw bound is 1/2 at 3 variables and .1 at every other n: blocks of 3 are best
    made_up = {0: 0.0, 3: 0.5}
    for module in (bounds, required):
        monkeypatch.setattr(module, "second_moment", lambda n, case, combine: made_up.get(n, 0.1))
        monkeypatch.setattr(module, "log_failure_weighted", lambda n, case: (0.0, "weighted second moment"))
    bounds._log_failure_of_one.cache_clear()
    bounds._log_failure.cache_clear()
    try:
        for n, blocks in [(3, 1), (6, 2), (60, 20), (63, 21), (66, 22), (300, 100)]:
            expected = blocks * math.log(0.5)
            assert ss.log_failure_prob_bound(n, 1, eps=0.01, alpha=0.5) == pytest.approx(expected, rel=1e-12)
        fixed = [ss.failure_prob_bound(n, 1, eps=0.01, alpha=0.5) for n in range(130)]
        assert all(later <= earlier for earlier, later in pairwise(fixed))
        assert fixed[65] == pytest.approx(0.5**21 * 0.9**2, rel=1e-12)
        for n in (3, 4):  # a shared target: the running maximum and nothing else
            assert ss.failure_prob_bound(n, 1, eps=0.01, alpha="uniform") == pytest.approx(0.5, rel=1e-12)
        assert ss.log_failure_prob_bound(3, 2, eps=0.01, alpha=0.5) == pytest.approx(2 * math.log(0.5), rel=1e-12)
        for delta, n in ((0.3, 6), (0.2, 9)):
            found = ss.required_n(0.01, delta, R=1, alpha=0.5)
            assert (found.n, found.m, found.blocks, found.groups) == (n, 3, n // 3, 1)
            assert found.block_success == pytest.approx(0.5, rel=1e-12)
        found = ss.required_n(0.01, 0.3, R=2, alpha=0.5)  # two groups of one draw do in one block
        assert (found.n, found.m, found.blocks, found.groups) == (3, 3, 1, 2)
    finally:
        bounds._log_failure_of_one.cache_clear()
        bounds._log_failure.cache_clear()


def test_second_moment_bound_can_fall_when_eps_grows() -> None:
    # success itself is nondecreasing in eps; the bound 2.2 is not, so no test may ask for it
    small = ss.success_prob_second_moment(30, 5, eps=0.1, alpha=0.2)
    large = ss.success_prob_second_moment(30, 5, eps=0.11, alpha=0.2)
    assert 0.99 < large < small - 1e-6


@given(EPS, st.floats(-30.0, -0.01).map(math.exp), st.integers(1, 10**6), st.floats(-1.0, 1.0), MODEL)
@settings(max_examples=12)
def test_required_n_round_trip(eps: float, delta: float, R: int, alpha: float, model: str) -> None:
    law = {"eps": eps, "alpha": alpha, "model": model}
    found = ss.required_n(eps, delta, R=R, alpha=alpha, model=model)
    assert found.n == found.m * found.blocks
    assert ss.necessary_n(eps, delta, R=R, alpha=alpha, model=model) <= found.n
    assert ss.log_failure_prob_bound(found.n, R, **law) <= math.log(delta) * (1 - 1e-12) + 1e-15
    if found.n == 0:
        assert abs(alpha) <= eps
        return
    copies = R if model == "vector" else 1
    with mpmath.workdps(50):
        one = 1 - mpmath.mpf(found.block_success)
        assert one ** (found.blocks * copies) <= mpmath.mpf(delta)
        assert one ** ((found.blocks - 1) * copies) > mpmath.mpf(delta) * (1 - mpmath.mpf(10) ** -9)
    for m in (1, 2, 5, 10, 20, 40, 64):  # no other block size does with fewer variables
        success = ss.success_prob_second_moment(m, R if model == "choice" else 1, eps=eps, alpha=alpha)
        blocks = math.log(1 / delta) / -math.log1p(-success) / copies
        assert found.n <= m * math.ceil(blocks * (1 + 1e-12))


def test_required_n_uniform() -> None:
    found = ss.required_n(0.01, 0.05, R=1, alpha="uniform")
    assert found.blocks == 1
    assert ss.failure_prob_bound(found.n, 1, eps=0.01, alpha="uniform") <= 0.05
    assert ss.failure_prob_bound(found.n - 1, 1, eps=0.01, alpha="uniform") > 0.05
    many = ss.required_n(0.01, 1e-6, R=1, alpha="uniform")
    assert (many.n, many.way) == (math.ceil(math.log(99e6) / math.log(4 / 3)), "coverage")
    assert ss.required_n(0.01, 5e-324, R=1, alpha="uniform").n < 3000
    assert ss.required_n(1.0, 0.05, R=1, alpha="uniform").n == 0


def test_extreme_parameters_stay_in_order() -> None:
    for n, R, eps, alpha in [
        (64, 1000, 1e-12, 0.3),
        (8, 10**18, 1e-60, -1.0),
        (12, 3, 1e-60, 1e-300),
        (64, 1, 1e-12, 1),
    ]:
        lower = ss.success_prob_lower(n, R, eps=eps, alpha=alpha)
        upper = ss.success_prob_upper(n, R, eps=eps, alpha=alpha)
        assert 0.0 < lower <= upper <= 1.0
    assert ss.success_prob_lower(10**9, 10**9, eps=1e-60, alpha=-1.0) > 1 - 1e-12
    assert ss.success_prob_lower(5, 2, eps=1.0, alpha="uniform") == 1.0
    assert ss.success_prob_lower(0, 2, eps=0.3, alpha="uniform") == pytest.approx(0.3, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss.success_prob_upper(-1, 1, eps=0.1, alpha=0.0), "n must be an integer >= 0, got n=-1"),
        (lambda: ss.success_prob_lower(1, 0, eps=0.1, alpha=0.0), "R must be an integer >= 1, got R=0"),
        (lambda: ss.success_prob_lower(1, 1, eps=1e-61, alpha=0.0), "eps must be at least 1e-60"),
        (lambda: ss.success_prob_lower(1, 1, eps=0.1, alpha=0.0, model="both"), "model must be .* got model='both'"),
        (lambda: ss.success_prob_lower(1, 1, eps=0.1, alpha="normal"), "alpha must be .* got alpha='normal'"),
        (lambda: ss.success_prob_second_moment(65, 1, eps=0.1, alpha=0.5), "n must be at most 64, got n=65"),
        (lambda: ss.necessary_n(0.1, 0.0, R=1, alpha=0.5), r"delta must be in \(0, 1\), got delta=0.0"),
        (lambda: ss.necessary_n_closed_form(0.1, 1.0, R=1, alpha=0.5), r"delta must be in \(0, 1\), got delta=1.0"),
        (lambda: ss.required_n(0.1, 2, R=1, alpha=0.5), r"delta must be in \(0, 1\), got delta=2"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
