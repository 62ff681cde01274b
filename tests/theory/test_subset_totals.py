"""Statements 2.1 (b), 2.2 (b), 2.3 (b) and (c): bounds that know the total, the largest sum, groups of draws."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests import naive_theory as naive
from tests import stats
from theory import subset_sum as ss
from theory.subset_sum.parameters import SubsetSumParameters
from theory.subset_sum.reach import miss_below, success_above
from theory.subset_sum.totals import Kernels, _first_moments, _second_moments, bin_width, success_given_total


@pytest.mark.parametrize(("width", "bins", "x"), [("1/2", 5, "1/3"), ("1", 3, "-7/5"), ("2", 2, "1/8")])
def test_kernels_are_exact_windows(width: str, bins: int, x: str) -> None:
    kernels = Kernels(6, Fraction(width), bins)
    table, slack = kernels.at(Fraction(x))[0], Fraction(1, 10)
    nearest = kernels.nearest(Fraction(x), slack)
    for k, c in itertools.product(range(-bins, bins + 1), range(1, 7)):
        at = Fraction(x) + k * Fraction(width)
        expected = naive.window(c, Fraction(0), at, Fraction(width) / 2)
        assert table[c, k + bins] == pytest.approx(float(expected), rel=1e-12, abs=1e-300)
        near = max(abs(at) - slack, Fraction(0))
        expected = naive.window(c, Fraction(0), near, Fraction(width) / 2)
        assert nearest[c, k + bins] == pytest.approx(float(expected), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("n", "R", "alpha", "eps"), [(4, 1, 0.5, 0.1), (3, 2, 0.3, 0.05), (2, 5, 0.75, 0.05)])
def test_moments_given_the_total_in_simulation(n: int, R: int, alpha: float, eps: float) -> None:
    trials, draws, width = 200_000, n * R, bin_width(R)
    bins = math.ceil(3.0 * math.sqrt(draws / 3) / width)
    kernels = Kernels(draws, width, bins)
    first = _first_moments(kernels, n, Fraction(alpha), Fraction(eps))
    second, least, _ = _second_moments(kernels, n, R, Fraction(alpha), Fraction(eps))
    found = naive.good_sums_by_total(n, R, alpha, eps, float(width), bins, trials)
    p = np.array([ss.sum_hit_prob(k, eps=eps, alpha=alpha)[0] for k in range(1, n + 1)])
    e = p * [math.comb(n, k) * R**k for k in range(1, n + 1)]
    for value, error, bound, side in (
        (found.first, found.first_error, first * e, 1.0),
        (found.second, found.second_error, second * np.outer(e, e), -1.0),
    ):
        assert (side * (value - bound) >= -5.5 * error - 30.0 / trials).all()
        # and the bound gives away no more than the moved ends of the bins
        moved = 8.0 * eps / float(width) * np.abs(bound).max()
        assert (side * (value - bound) <= 5.5 * error + 30.0 / trials + moved).all()
    lowest = least * np.outer(e, e)
    assert (lowest <= second * np.outer(e, e)).all()
    assert (found.second - lowest >= -5.5 * found.second_error - 30.0 / trials).all()
    halved = second * np.outer(e, e) / 2  # the control
    assert (found.second - halved > 5.5 * found.second_error + 30.0 / trials).any()


@pytest.mark.parametrize(
    ("n", "R", "eps", "alpha"), [(8, 1, 0.02, 0.5), (5, 2, 0.02, -0.9), (3, 5, 0.02, 0.3), (2, 10, 0.02, 0.5)]
)
def test_given_total_holds_in_simulation(n: int, R: int, eps: float, alpha: float) -> None:
    trials, rng = 4000, np.random.default_rng(5)
    hits = 0
    for _ in range(trials):
        sums = np.array(naive.reachable_sums(rng.uniform(-1, 1, (n, R)).tolist()))
        hits += bool(np.abs(sums - alpha).min() <= eps)
    bound = ss.success_prob_given_total(n, R, eps=eps, alpha=alpha)
    stats.assert_at_least(hits, trials, bound)
    stats.assert_at_most(hits, trials, ss.success_prob_upper(n, R, eps=eps, alpha=alpha))
    with pytest.raises(AssertionError):  # power: half the failure probability would be noticed
        stats.assert_at_least(hits, trials, 1 - (1 - hits / trials) / 2)


@pytest.mark.parametrize(("n", "R", "eps"), [(22, 1, 1e-4), (12, 2, 1e-4), (8, 5, 1e-4), (7, 10, 1e-5)])
def test_given_total_beats_the_plain_bound_where_that_saturates(n: int, R: int, eps: float) -> None:
    plain = 1 - ss.success_prob_second_moment(n, R, eps=eps, alpha=0.5)
    assert 1 - ss.success_prob_given_total(n, R, eps=eps, alpha=0.5) < 0.6 * plain


def test_given_total_at_the_ends_of_its_domain() -> None:
    for n, R, eps, alpha in [(1, 1, 1e-60, 1.0), (1, 100, 1e-60, 1e-59), (12, 1, 1e-9, 0.0078125), (2, 3, 0.9, 1.0)]:
        bound = success_given_total(n, R, eps=eps, alpha=alpha)
        assert 0.0 < bound <= ss.success_prob_upper(n, R, eps=eps, alpha=alpha)
    assert ss.success_prob_given_total(3, 1, eps=0.5, alpha=0.5) == 1.0
    for n, R in ((41, 1), (2, 51)):
        with pytest.raises(ValueError, match=f"n must be at most 40 and n R at most 100, got n={n}, R={R}"):
            ss.success_prob_given_total(n, R, eps=0.01, alpha=0.5)


def test_largest_sum_too_small() -> None:
    for n in (1, 3, 10):  # R = 1: 2^-n sum_k C(n, k) x^k/k!
        x = Fraction(1, 4)
        expected = sum(math.comb(n, k) * x**k / math.factorial(k) for k in range(n + 1)) / 2**n
        case = SubsetSumParameters(R=1, eps=0.25, alpha=0.5)
        assert Fraction(miss_below(n, case)) <= expected
        assert miss_below(n, case) == pytest.approx(float(expected), rel=1e-15)
    assert miss_below(1, SubsetSumParameters(R=7, eps=0.25, alpha=0.5)) == pytest.approx((1.25 / 2) ** 7, rel=1e-15)
    assert miss_below(4, SubsetSumParameters(R=10**18, eps=0.25, alpha=0.5)) == 0.0
    rng, trials = np.random.default_rng(3), 40_000
    for R, alpha in ((3, 0.9), (2, "uniform")):
        target = np.abs(rng.uniform(-1, 1, trials)) if alpha == "uniform" else np.full(trials, alpha)
        sums = np.maximum(rng.uniform(-1, 1, (trials, 3, R)).max(axis=2), 0.0).sum(axis=1)
        p = miss_below(3, SubsetSumParameters(R=R, eps=0.1, alpha=alpha))
        stats.assert_probability(int((sums < target - 0.1).sum()), trials, p)


def test_first_moment_by_bins_of_the_total() -> None:
    for n, R in ((8, 1), (4, 3)):
        case = SubsetSumParameters(R=R, eps=0.02, alpha=0.5)
        found = naive.good_sums_by_total(n, R, 0.5, 0.02, float(bin_width(R)), 40, 20_000)
        truth = float(np.minimum(found.bins, found.first.sum(axis=1)).sum())
        assert success_above(n, case) == pytest.approx(truth, rel=0.05)
        assert success_above(n, case) >= float(found.success) - 0.02


def test_groups_of_draws_multiply() -> None:
    law: dict[str, Any] = {"eps": 1e-3, "alpha": 0.5, "weights": False}
    for n, R, parts in ((4, 10, (5, 5)), (3, 30, (10, 10, 10)), (5, 7, (4, 3))):
        product = math.prod(ss.failure_prob_bound(n, part, **law) for part in parts)
        assert ss.failure_prob_bound(n, R, **law) <= product * (1 + 1e-9)
    found = ss.required_n(0.01, 1e-6, R=10, alpha=0.5)
    assert found.n <= 11  # 20 by the second moment of all ten draws at once
    assert found.groups > 1
    one = ss.log_failure_prob_bound(1, 1000, eps=1e-3, alpha=0.5)
    assert one == pytest.approx(1000 * math.log1p(-1e-3), rel=1e-12)


@pytest.mark.parametrize(("R", "eps", "simulated"), [(1, 1e-4, 20), (2, 1e-5, 14), (5, 1e-3, 6), (10, 1e-6, 7)])
def test_proved_n_is_near_the_simulated_one(R: int, eps: float, simulated: int) -> None:
    assert ss.required_n(eps, 0.01, R=R, alpha=0.5).n <= 1.35 * simulated
    assert ss.necessary_n(eps, 0.01, R=R, alpha=0.5) >= 0.8 * simulated


def test_uniform_target_by_coverage() -> None:
    for n in (100, 2000):
        expected = math.log(99) + n * math.log(0.75)
        found = ss.log_failure_prob_bound(n, 1, eps=0.01, alpha="uniform")
        assert found == pytest.approx(expected, rel=1e-12)
        assert found >= expected
