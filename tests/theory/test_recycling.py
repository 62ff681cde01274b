"""Recycling: exact moments against enumeration, proved bounds against exact probabilities and simulation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv

from theory import recycling as rec
from theory import subset_sum
from theory.claims import CLAIMS
from theory.recycling.moments import composition_sums, expected_good, pair_weight, pairs_good
from theory.single_weight import hit_prob

EPS = st.sampled_from([1.0, 0.3, 0.1, 0.01, 1e-4, 1e-12, 1e-60])
TARGET = st.sampled_from([0.0, 0.05, -0.3, 0.5, 1.0, "uniform"])


# -- slow twins: exact probabilities by enumeration -------------------------------------------------------------------


def multisets(n: int, slots: int) -> list[tuple[int, ...]]:
    return [c for c in itertools.product(range(slots + 1), repeat=n) if sum(c) <= slots]


def window_prob(parts: list[int], alpha: Fraction, eps: Fraction) -> Fraction:
    """P(|sum of parts times U[-1, 1] - alpha| <= eps): the volume of a cut cube, corner by corner."""
    m, total = len(parts), Fraction(0)
    for end, sign in ((alpha + eps, 1), (alpha - eps, -1)):
        for corner in itertools.product((-1, 1), repeat=m):
            reach = end + sum(s * p for s, p in zip(corner, parts, strict=True))
            if reach > 0:
                total += sign * math.prod(corner) * reach**m
    return total / (math.factorial(m) * math.prod(2 * p for p in parts))


def exact_expected(n: int, alpha: float | str, eps: float) -> Fraction:
    total = Fraction(0)
    for c in multisets(n, n):
        parts = [part for part in c if part]
        if parts and alpha == "uniform":
            total += window_prob([*parts, 1], Fraction(0), Fraction(eps))
        elif parts:
            total += window_prob(parts, Fraction(alpha), Fraction(eps))
    return total


def exact_success_two(alpha: Fraction, eps: Fraction) -> Fraction:
    """P(success) for n = 2, alpha > eps: the length of good x2, piecewise linear in x1, integrated exactly."""
    ends = [alpha - eps, alpha + eps]

    def length(x: Fraction) -> Fraction:
        if any(ends[0] <= c * x <= ends[1] for c in (1, 2)):
            return Fraction(2)
        strips = [ends, [end / 2 for end in ends], [end - x for end in ends]]
        cut = sorted((max(Fraction(-1), a), min(Fraction(1), b)) for a, b in strips)
        covered, reached = Fraction(0), Fraction(-1)
        for a, b in cut:
            covered += max(Fraction(0), b - max(a, reached))
            reached = max(reached, b)
        return covered

    fixed = [Fraction(-1), Fraction(1), *ends, *(end / 2 for end in ends)]
    knots = {*fixed, *(end - y for end in ends for y in fixed)}
    inside = sorted(k for k in knots if -1 <= k <= 1)
    pieces = itertools.pairwise(inside)
    return sum((length((a + b) / 2) * (b - a) for a, b in pieces), Fraction(0)) / 4  # linear: the middle is exact


def minor(c: tuple[int, ...], d: tuple[int, ...]) -> int:
    return max((abs(c[i] * d[j] - c[j] * d[i]) for i in range(len(c)) for j in range(i)), default=0)


def simulate(n: int, trials: int, alpha: float | str, seed: int) -> np.ndarray:
    """For every trial the distances of all multiset sums from the target."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (trials, n))
    target = rng.uniform(-1, 1, (trials, 1)) if alpha == "uniform" else alpha
    return np.abs(x @ np.array(multisets(n, n)).T - target)


# -- 6.1 --------------------------------------------------------------------------------------------------------------


def test_number_of_multisets_by_listing_them() -> None:
    for n in range(6):
        assert rec.multiset_count(n) == len(multisets(n, n))


@pytest.mark.parametrize(("alpha", "eps"), [(0.5, 0.01), (1.0, 0.3), (0.25, 0.125), (0.05, 2e-3), (0.75, 1e-60)])
def test_expected_number_is_exact(alpha: float, eps: float) -> None:
    for n in range(6):
        assert expected_good(n, alpha=alpha, eps=eps, uniform=False) == exact_expected(n, alpha, eps)
    for n in range(5):
        assert expected_good(n, alpha=0.0, eps=eps, uniform=True) == exact_expected(n, "uniform", eps)


def test_composition_sums_by_hand() -> None:
    table = composition_sums(3, alpha=0.5, eps=0.25, uniform=False)
    assert table[1][1] == Fraction(1, 4)  # X in [1/4, 3/4]
    assert table[1][2] == Fraction(1, 8)  # 2X
    assert table[2][2] == Fraction(1, 4) * Fraction(3, 4)  # X + Y has density (2-z)/4 at z > 0
    assert table[2][3] == 2 * window_prob([1, 2], Fraction(1, 2), Fraction(1, 4))
    assert table[3][2] == 0


def test_larger_tables_agree_with_smaller_ones_and_with_simulation() -> None:
    small = composition_sums(8, alpha=0.5, eps=0.1, uniform=False)
    large = composition_sums(9, alpha=0.5, eps=0.1, uniform=False)
    assert all(large[m][: len(row)] == row for m, row in enumerate(small))
    good = (simulate(6, 4000, 0.5, 8) <= 0.1).sum(axis=1)
    error = good.std() / math.sqrt(len(good))
    exact = float(expected_good(6, alpha=0.5, eps=0.1, uniform=False))
    assert abs(good.mean() - exact) < 5.5 * error
    assert abs(good.mean() - 1.5 * exact) > 5.5 * error


@pytest.mark.parametrize("alpha", [0.5, -0.3, 1.0])
@pytest.mark.parametrize("eps", [0.25, 0.01])
def test_one_value_is_exact(alpha: float, eps: float) -> None:
    truth = hit_prob(alpha, eps)
    assert rec.success_prob_upper(1, eps=eps, alpha=alpha) == pytest.approx(truth, rel=1e-14)
    assert rec.success_prob_lower(1, eps=eps, alpha=alpha) == pytest.approx(truth, rel=1e-13)
    assert rec.certain_failure(1, eps=eps, alpha=alpha) == pytest.approx(1 - truth, rel=1e-13)
    assert rec.success_prob_lower(1, eps=eps, alpha=alpha) <= rec.success_prob_upper(1, eps=eps, alpha=alpha)


@pytest.mark.parametrize(("alpha", "eps"), [(0.5, 0.125), (0.5, 0.01), (1.0, 0.25), (0.75, 0.5), (0.125, 0.01)])
def test_two_values_against_the_exact_area(alpha: float, eps: float) -> None:
    truth = exact_success_two(Fraction(alpha), Fraction(eps))
    lower, upper = (f(2, eps=eps, alpha=alpha) for f in (rec.success_prob_lower, rec.success_prob_upper))
    assert Fraction(lower) <= truth <= Fraction(upper)
    assert Fraction(rec.success_prob_pairs(2, eps=eps, alpha=alpha)) <= truth
    assert Fraction(rec.certain_failure(2, eps=eps, alpha=alpha)) <= 1 - truth
    assert float(truth) <= upper <= 1.7 * float(truth)
    if eps == 0.01:
        assert lower >= 0.97 * float(truth)
        assert 1.02 * lower > float(truth) > subset_sum.success_prob_lower(2, 1, eps=eps, alpha=alpha) * 1.2


@pytest.mark.parametrize("eps", [0.01, 0.3, 0.7])
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_certain_failure_of_a_uniform_target_is_the_average(n: int, eps: float) -> None:
    with mpmath.workdps(40):
        e = mpmath.mpf(eps)

        def fixed(a: mpmath.mpf) -> mpmath.mpf:
            return ((1 + (a - e) / n) / 2) ** n + (max(mpmath.mpf(0), 1 - a - e) / 2) ** n

        cuts = [e, 1 - e, 1] if eps < 0.5 else [e, 1]
        truth = float(mpmath.quad(fixed, cuts))
    found = rec.certain_failure(n, eps=eps, alpha="uniform")
    assert found <= truth
    assert found == pytest.approx(truth, rel=1e-9, abs=0.0)
    for alpha in (0.75, 1.0):
        with mpmath.workdps(40):
            e = mpmath.mpf(eps)
            truth = fixed(mpmath.mpf(alpha))
            found = rec.certain_failure(n, eps=eps, alpha=-alpha)
            assert found <= truth
            assert found == pytest.approx(float(truth), rel=1e-12, abs=0.0)


def test_certain_failure_in_simulation() -> None:
    """All values below (alpha-eps)/n, or all above alpha+eps: every one of these trials fails."""
    n, eps, alpha = 3, 0.05, 0.5
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (4000, n))
    sums = x @ np.array(multisets(n, n)).T
    wrong = (x < (alpha - eps) / n).all(axis=1) | (x > alpha + eps).all(axis=1)
    assert (np.abs(sums[wrong] - alpha).min(axis=1) > eps).all()
    assert wrong.mean() == pytest.approx(rec.certain_failure(n, eps=eps, alpha=alpha), abs=0.04)
    assert (np.abs(sums[~wrong] - alpha).min(axis=1) <= eps).sum() > 0


def test_tail_takes_over_from_the_expected_number() -> None:
    for n in (9, 20, 64, 65, 200, 10**4):
        upper = rec.success_prob_upper(n, eps=0.01, alpha=0.5)
        assert upper == pytest.approx(1 - ((1 + 0.49 / n) / 2) ** n, abs=2e-16 + 0.245**n)
    assert rec.success_prob_upper(4, eps=0.01, alpha=0.5) < 0.35
    assert rec.certain_failure(10**7, eps=0.01, alpha=0.5) == 0.0
    at_64 = rec.success_prob_upper(64, eps=1e-60, alpha=0.5)
    at_65 = rec.success_prob_upper(65, eps=1e-60, alpha=0.5)
    assert 0.0 < at_64 < 1e-60 * math.comb(128, 64) < at_65 == pytest.approx(1e-60 * math.comb(130, 65), rel=1e-12)
    assert rec.success_prob_upper(120, eps=1e-60, alpha=0.5) == 1.0


# -- 6.2 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_pairs_by_listing_them(n: int) -> None:
    nonempty = [c for c in multisets(n, n) if any(c)]
    pairs = [minor(c, d) for c, d in itertools.combinations(nonempty, 2)]
    assert pair_weight(n, False) == sum(Fraction(1, d) for d in pairs if d)
    every = [(*c, 1) for c in multisets(n, n)]
    pairs = [minor(c, d) for c, d in itertools.combinations(every, 2)]
    assert min(pairs) >= 1
    assert pair_weight(n, True) == sum(Fraction(1, d) for d in pairs)


@pytest.mark.parametrize(("n", "alpha", "eps"), [(2, 0.1, 0.05), (3, 0.3, 0.2), (4, 0.5, 0.125), (4, 0.06, 0.05)])
def test_parallel_pairs_by_listing_them(n: int, alpha: float, eps: float) -> None:
    high, low = Fraction(alpha) + Fraction(eps), Fraction(alpha) - Fraction(eps)
    total = Fraction(0)
    for c, d in itertools.combinations([c for c in multisets(n, n) if any(c)], 2):
        if minor(c, d) == 0:
            a, b = sorted((math.gcd(*c), math.gcd(*d)))
            total += max(Fraction(0), high / b - low / a) / 2
    found = pairs_good(n, alpha=alpha, eps=eps, uniform=False)
    assert found == Fraction(eps) ** 2 * pair_weight(n, False) + total
    assert total > 0


@pytest.mark.parametrize("alpha", [0.5, 0.06, "uniform"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_number_of_good_pairs_in_simulation(n: int, alpha: float | str) -> None:
    """The mean number of good pairs is below the bound, and above a sixth of it: the bound says something."""
    eps = 0.05
    good = (simulate(n, 40000 if n < 4 else 10000, alpha, 70 + n) <= eps).sum(axis=1)
    pairs = good * (good - 1) / 2  # the empty multiset counts; it is good for some uniform targets only
    bound = float(pairs_good(n, alpha=0.0 if alpha == "uniform" else alpha, eps=eps, uniform=alpha == "uniform"))
    error = pairs.std() / math.sqrt(len(pairs))
    assert pairs.mean() - 5.5 * error < bound
    assert pairs.mean() - 5.5 * error > bound / 6


def test_inequality_between_counts_and_pairs() -> None:
    for r in range(1, 9):
        values = [Fraction(2 * N, r + 1) - Fraction(N * (N - 1), r * (r + 1)) for N in range(40)]
        assert values[0] == 0
        assert max(values) == 1


@pytest.mark.parametrize("alpha", [0.5, -1.0, 0.1, "uniform"])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_bounds_hold_in_simulation(n: int, alpha: float | str) -> None:
    trials = 4000
    error = simulate(n, trials, alpha, n).min(axis=1)
    for eps in (0.1, 0.01):
        hits = int((error <= eps).sum())
        low = betaincinv(hits, trials - hits + 1, 1e-6) if hits else 0.0
        high = betaincinv(hits + 1, trials - hits, 1 - 1e-6) if hits < trials else 1.0
        lower, upper = (f(n, eps=eps, alpha=alpha) for f in (rec.success_prob_lower, rec.success_prob_upper))
        assert lower <= high
        assert upper >= low
        assert rec.success_prob_pairs(n, eps=eps, alpha=alpha) <= lower * (1 + 1e-12)


@given(st.integers(0, 12), EPS, TARGET)
@settings(max_examples=20)
def test_order_and_monotony(n: int, eps: float, alpha: float | str) -> None:
    law = {"eps": eps, "alpha": alpha}
    lower, upper = rec.success_prob_lower(n, **law), rec.success_prob_upper(n, **law)
    assert 0.0 <= lower <= upper <= 1.0
    assert lower >= subset_sum.success_prob_lower(n, 1, **law) * (1 - 1e-12)
    assert lower <= rec.success_prob_lower(n + 1, **law)
    assert upper <= rec.success_prob_upper(n + 1, **law)
    assert rec.failure_prob_bound(n, **law) == pytest.approx(1 - lower, abs=1e-12)
    assert rec.certain_failure(n, **law) <= rec.failure_prob_bound(n, **law)
    assert rec.certain_failure(n + 1, **law) <= rec.certain_failure(n, **law)
    if n <= 8:
        assert rec.success_prob_pairs(n, **law) <= lower * (1 + 1e-12)
    if alpha != "uniform" and abs(alpha) <= eps:
        assert lower == upper == 1.0


def test_blocks_multiply_for_a_fixed_target_only() -> None:
    for n, parts in [(10, (5, 5)), (12, (6, 6)), (140, (70, 70)), (130, (64, 66))]:
        product = math.prod(rec.failure_prob_bound(m, eps=0.01, alpha=0.5) for m in parts)
        assert rec.failure_prob_bound(n, eps=0.01, alpha=0.5) <= product * (1 + 1e-9)
    assert (
        rec.failure_prob_bound(6, eps=0.1, alpha="uniform") > rec.failure_prob_bound(3, eps=0.1, alpha="uniform") ** 2
    )
    shared = [rec.failure_prob_bound(n, eps=0.01, alpha="uniform") for n in (64, 65, 10**6)]
    assert shared[0] > shared[1] > shared[2]  # by 2.3 (c), which needs no blocks


@pytest.mark.parametrize(("eps", "delta", "alpha"), [(0.01, 0.05, 0.5), (1e-3, 1e-6, 1.0), (0.1, 0.3, "uniform")])
def test_necessary_and_required_n(eps: float, delta: float, alpha: float | str) -> None:
    n = rec.necessary_n(eps, delta, alpha=alpha)
    assert rec.success_prob_upper(n, eps=eps, alpha=alpha) >= 1 - delta - 1e-15
    assert rec.success_prob_upper(n - 1, eps=eps, alpha=alpha) < 1 - delta
    m = rec.required_n(eps, delta, alpha=alpha)
    assert n <= m
    assert rec.failure_prob_bound(m, eps=eps, alpha=alpha) <= delta
    assert rec.failure_prob_bound(m - 1, eps=eps, alpha=alpha) > delta


@pytest.mark.parametrize("alpha", [0.5, 1.0, "uniform"])
@pytest.mark.parametrize("delta", [1e-14, 1e-17, 1e-30, 1e-300])
def test_necessary_n_knows_failures_that_1_minus_delta_does_not(delta: float, alpha: float | str) -> None:
    """With fewer values than `necessary_n` all of them are on the wrong side with a probability above delta."""
    eps = 0.01
    n = rec.necessary_n(eps, delta, alpha=alpha)

    def never(n: int) -> Fraction:
        high, low = (
            (Fraction(1) - Fraction(eps), Fraction(1, 2)) if alpha == "uniform" else (Fraction(alpha), Fraction(0))
        )
        if alpha == "uniform":
            rest = Fraction(2, n + 1) * max(Fraction(0), low - Fraction(eps)) ** (n + 1)
            return Fraction(2 * n, n + 1) * (((1 + high / n) / 2) ** (n + 1) - low ** (n + 1)) + rest
        high -= Fraction(eps)
        return ((1 + high / n) / 2) ** n + max(Fraction(0), 1 - Fraction(alpha) - Fraction(eps)) ** n / 2**n

    assert never(n) <= Fraction(delta) * (1 + Fraction(1, 10**9))
    assert never(n - 1) > Fraction(delta)


def test_tiny_probabilities_stay_on_their_side() -> None:
    """Subnormal floats are too coarse for the rounding allowed for, and an upper bound must not become 0."""
    for n in range(1000, 1080):
        base = (1 + (Fraction(0.5) - Fraction(0.01)) / n) / 2
        assert Fraction(rec.certain_failure(n, eps=0.01, alpha=0.5)) <= base**n + Fraction(49, 200) ** n
    assert rec.certain_failure(1020, eps=0.01, alpha=0.5) > 0
    for n in (10**4, 10**5):
        log_bound = rec.log_failure_prob_bound(n, eps=0.01, alpha=0.5)
        assert -math.inf < log_bound
        assert rec.failure_prob_bound(n, eps=0.01, alpha=0.5) > 0.0
        assert 0.0 < subset_sum.failure_prob_bound(100 * n, 1, eps=0.01, alpha=0.5) < 1e-300
    assert rec.failure_prob_bound(10**4, eps=0.6, alpha=0.5) == 0.0  # certain


def test_where_the_prediction_was_measured_is_said() -> None:
    """Outside that domain it is off by more than 0.03, and both texts name the domain."""
    success = float(exact_success_two(Fraction(0.8), Fraction(0.3)))
    assert success - rec.success_prediction(2, eps=0.3, alpha=0.8) > 0.1
    (claim,) = (claim for claim in CLAIMS if claim.id == "6.3")
    for text in (" ".join(claim.assumptions), rec.failure_prediction.__doc__ or ""):
        assert ".01" in text
        assert ".001" in text
        assert "uniform" in text
        assert "eps = .3" in text or "eps = 0.3" in text


def test_necessary_n_knows_the_certain_failures() -> None:
    assert rec.necessary_n(0.01, 2.0**-30, alpha=0.5) == 31  # 2^-30 e^.49 > 2^-30 > 2^-31 e^.49
    assert rec.necessary_n(0.6, 0.1, alpha=0.5) == 0
    assert rec.required_n(0.6, 0.1, alpha=0.5) == 0
    with pytest.raises(ValueError, match=r'delta must be reached by n <= 64 when alpha="uniform", got delta=1e-09'):
        rec.required_n(0.01, 1e-9, alpha="uniform")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rec.success_prob_upper(-1, eps=0.1, alpha=0.0), "n must be an integer >= 0, got n=-1"),
        (lambda: rec.success_prob_lower(1, eps=0.0, alpha=0.0), r"eps must be in \(0, 1\], got eps=0"),
        (lambda: rec.success_prob_lower(1, eps=1e-61, alpha=0.0), "eps must be at least 1e-60"),
        (lambda: rec.success_prob_pairs(9, eps=0.1, alpha=0.5), "n must be at most 8, got n=9"),
        (lambda: rec.certain_failure(2, eps=0.1, alpha=2.0), r"alpha must be in \[-1, 1\]"),
        (lambda: rec.necessary_n(0.1, 0.0, alpha=0.5), r"delta must be in \(0, 1\), got delta=0.0"),
        (lambda: rec.required_n(0.1, 2, alpha=0.5), r"delta must be in \(0, 1\), got delta=2"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
