"""Statements 2.1 (b), 2.3 (b) and (c): bounds that know the total, the largest sum, groups of draws."""

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
from theory.subset_sum.totals import Kernels, bin_width


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


def test_uniform_target_by_coverage() -> None:
    for n in (100, 2000):
        expected = math.log(99) + n * math.log(0.75)
        found = ss.log_failure_prob_bound(n, 1, eps=0.01, alpha="uniform")
        assert found == pytest.approx(expected, rel=1e-12)
        assert found >= expected
