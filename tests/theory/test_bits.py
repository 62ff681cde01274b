"""Statements 8: how many bits a ticket needs, against quadrature, enumeration and hand calculations."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive_bits as naive
from tests.stats import assert_at_least, assert_at_most
from theory import bits
from theory.bits import UNIFORM, DrawCode, Histogram, Laws, choice
from theory.numerics.balls import precision

E = math.log2(math.e)
FLAT = [(-1.0, 1.0, 1.0)]


# -- 8.1 ---------------------------------------------------------------------------------------------------------------


def test_the_limit_by_hand() -> None:
    assert bits.necessary_bits(DrawCode(eps=2.0**-10, d=3)) == 30.0
    assert bits.necessary_bits(DrawCode(eps=1.0)) == 0.0
    assert bits.necessary_bits(DrawCode(eps=0.01, alpha=0.3)) == 0.0  # a known weight
    quarter = Histogram((-0.5, 0.0, 0.5), (3.0, 1.0))
    assert bits.entropy_bits(quarter) == pytest.approx(2 - 0.75 * math.log2(3) - 1, rel=1e-14)
    laws = Laws(target=quarter, source=UNIFORM, eps=0.125, d=2)
    assert bits.necessary_bits(laws) == pytest.approx(2 * (bits.entropy_bits(quarter) + 2), rel=1e-14)
    assert bits.necessary_log2_codewords(0.25, 0.5, d=2) == 3.0
    assert bits.necessary_log2_codewords(0.5, 0.9, d=1) == 0.0


def test_no_code_of_first_hits_beats_the_limit_and_a_quantiser_attains_it() -> None:
    rng = np.random.default_rng(1)
    for eps in (0.3, 0.1, 0.03):
        limit = bits.necessary_bits(DrawCode(eps=eps))
        for _ in range(20):
            shares = naive.first_hit_shares(rng.uniform(-1, 1, int(40 / eps)), eps)
            assert sum(shares) == pytest.approx(1.0, abs=1e-12)
            assert naive.entropy(shares) >= limit
    shares = naive.first_hit_shares([-0.75, 0.25, -0.25, 0.75], 0.25)
    assert naive.entropy(shares) == bits.necessary_bits(DrawCode(eps=0.25)) == 2.0
    with pytest.raises(AssertionError):  # the control: half the window
        assert naive.entropy(shares) >= bits.necessary_bits(DrawCode(eps=0.125))


def test_codewords_of_a_grid_reach_just_so_much() -> None:
    for count in (1, 3, 7):  # windows of width 1/4 of [-1, 1], side by side
        needed = bits.necessary_log2_codewords(0.125, 1 - count / 8, d=1)
        assert needed <= math.log2(count) <= needed + 1e-12


# -- 8.2 ---------------------------------------------------------------------------------------------------------------

CASES = [
    (DrawCode(eps=0.3), FLAT, FLAT, 400),
    (DrawCode(eps=0.05), FLAT, FLAT, 2500),
    (DrawCode(eps=0.4, d=2), FLAT, FLAT, 800),
    (
        Laws(target=Histogram((-0.8, -0.1, 0.6), (1.0, 4.0)), source=UNIFORM, eps=0.1),
        [(-0.8, -0.1, 0.2), (-0.1, 0.6, 0.8)], FLAT, 1000,
    ),
    (
        Laws(target=UNIFORM, source=Histogram((-1.0, 0.0, 1.0), (1.0, 9.0)), eps=0.2, d=1),
        FLAT, [(-1.0, 0.0, 0.1), (0.0, 1.0, 0.9)], 9000,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("case", "target", "source", "last"), CASES)
def test_index_against_its_law(case: bits.DrawCode | Laws, target: naive.Cells, source: naive.Cells, last: int) -> None:
    weights, p = naive.nodes(target, source, case.eps, case.d)
    law = naive.index_law(weights, p, last)
    assert law.sum() == pytest.approx(1.0, abs=1e-9)
    low, high = bits.mean_log2_inverse_hit(case)
    assert low <= high <= low + 1e-12
    assert low == pytest.approx(-(weights @ np.log2(p)), rel=1e-4)  # q may be 0 at an end: slow quadrature
    low, high = bits.mean_log2_index(case)
    logs = naive.mean(law, math.log2)
    assert low - 1e-7 <= logs <= high + 1e-7
    assert high - low < 0.3
    exact = naive.entropy(law.tolist())
    assert bits.index_bits_lower(case) <= exact + 1e-6
    assert exact <= bits.index_bits_bound(case) + 1e-7
    with pytest.raises(AssertionError):  # the control: the constant of Euler forgotten
        assert logs >= bits.mean_log2_inverse_hit(case)[0]
    # the law that codes within the bound
    hit = 1.0 / float(weights @ (1.0 / p))
    if isinstance(case, DrawCode):
        spent = naive.mean(law, lambda k: bits.geometric_bits(k, hit))
        assert spent == pytest.approx(bits.index_bits_bound(case), rel=1e-6)
        assert exact > bits.index_bits_bound(case) - 0.1  # it is tight here


def test_coin_tosses_exactly() -> None:
    for alpha, eps in ((0.0, 0.5), (-0.99, 0.1)):
        one = DrawCode(eps=eps, alpha=alpha)
        p = (Fraction(eps) + min(Fraction(eps), 1 - Fraction(abs(alpha)))) / 2
        with mpmath.workdps(40):
            h = mpmath.mpf(p.numerator) / p.denominator
            exact = -mpmath.log(h, 2) - (1 - h) / h * mpmath.log(1 - h, 2)
            assert bits.index_bits_lower(one) <= exact <= bits.index_bits_bound(one)
            assert bits.index_bits_bound(one) - bits.index_bits_lower(one) < 1e-14
            logs = mpmath.nsum(lambda k, h=h: h * (1 - h) ** (k - 1) * mpmath.log(k, 2), [1, mpmath.inf])
        low, high = bits.mean_log2_index(one)
        assert low - 1e-9 <= logs <= high + 1e-9
        assert high - low < 3e-3
    assert bits.index_bits_bound(DrawCode(eps=1.0, alpha=0.0)) == 0.0


@pytest.mark.parametrize("p", [Fraction(1), Fraction(1, 2), Fraction(1, 100), Fraction(1, 10**4), Fraction(1, 10**9)])
def test_gamma_encloses_the_sum(p: Fraction) -> None:
    from theory.bits.index import _euler

    with precision():
        low, high = (float(end) for end in _euler(p))
    if p == 1:
        exact = 0.0
    else:
        with mpmath.workdps(30):  # log(1/p) - E log K by an integral: log k = int (e^-t - e^-kt)/t dt
            h = mpmath.mpf(p.numerator) / p.denominator
            mean = mpmath.quad(
                lambda t: (mpmath.exp(-t) - h * mpmath.exp(-t) / (1 - (1 - h) * mpmath.exp(-t))) / t,
                [0, h / 10, h, 10 * h, 0.01, 1, 10, 80] if h < 0.001 else [0, h, 1, 10, 80],
            )
            exact = float(-mpmath.log(h) - mean)
    assert low - 1e-9 <= exact <= high + 1e-9
    assert high - low < 2e-3
    assert exact <= 0.5772156649015329


def test_the_ends_of_the_logarithm_of_a_rare_hit() -> None:
    """Hits of probability 1/1000: the ends are a thousandth apart, and the mean lies between them."""
    low, high = bits.mean_log2_index(DrawCode(eps=1e-3, alpha=0.5))
    with mpmath.workdps(30):
        miss = 1 - mpmath.mpf(1e-3)
        exact = mpmath.fsum(miss**k * mpmath.log(1 + mpmath.mpf(1) / k, 2) for k in range(1, 20_000))
    assert low <= exact <= high


def test_the_scale_is_coded_where_the_mean_is_infinite() -> None:
    """The draws end where the window of the last weights just reaches: p runs down to 0."""
    case = Laws(target=UNIFORM, source=Histogram((-0.75, 0.75), (1.0,)), eps=0.25)
    weights, p = naive.nodes(FLAT, [(-0.75, 0.75, 1.0)], 0.25, 1, count=200)
    law = naive.index_law(weights, p, 3000)
    assert naive.entropy(law.tolist()) <= bits.index_bits_bound(case) < 8.0
    # p is 1/3 with probability 1/2, else uniform on [0, 1/3]
    low, high = bits.mean_log2_inverse_hit(case)
    assert low <= math.log2(3) + E / 2 <= high <= low + 1e-12
    assert bits.mean_log2_index(case)[0] < naive.mean(law, math.log2)
    m = E / 2  # log2 of the largest p over p, on average
    scale = (1 + m) * math.log2(1 + m) - m * math.log2(m)  # the entropy of the geometric law of mean m
    assert bits.index_bits_bound(case) == pytest.approx(math.log2(3) + E / 2 + E + 0.0862 + scale, abs=1e-12)
    y = np.linspace(1.0, 2.0, 100_001)  # the mean of X that is 1 or 2
    assert 0.0860 < (np.log2(y) - (y - 1)).max() < 0.0862


def test_a_weight_that_no_draw_reaches() -> None:
    far = Laws(target=Histogram((-1.0, 0.0), (1.0,)), source=Histogram((0.25, 1.0), (1.0,)), eps=0.125)
    for function in (bits.index_bits_bound, bits.mismatch_bits, bits.mean_log2_index):
        with pytest.raises(ValueError, match="the source must reach every weight within eps"):
            function(far)


# -- 8.3 ---------------------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1.0), st.integers(1, 4))
def test_uniform_laws_in_closed_form(eps: float, d: int) -> None:
    one = DrawCode(eps=eps, d=d)
    low, high = bits.mismatch_bits(one)
    assert low - 1e-12 <= d * eps * (E - 1) <= high + 1e-12
    low, high = bits.mean_log2_inverse_hit(one)
    assert low - 1e-11 <= d * (math.log2(1 / eps) + eps * (E - 1)) <= high + 1e-11
    M = ((1 + eps * (2 * math.log(2) - 1)) / eps) ** d
    geometric = math.log2(M) + (M - 1) * math.log1p(1 / (M - 1)) * E
    assert bits.index_bits_bound(one) == pytest.approx(geometric, rel=1e-8)


def test_narrow_weights_cost_what_their_entropy_lacks() -> None:
    narrow = Laws(target=Histogram((-0.25, 0.25), (1.0,)), source=UNIFORM, eps=0.125, d=3)
    low, high = bits.mismatch_bits(narrow)
    assert low <= 6.0 <= high
    assert bits.necessary_bits(narrow) == 3.0


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), st.lists(st.floats(0.01, 1.0), min_size=2, max_size=2))
def test_mismatch_is_a_divergence(target: list[float], source: list[float]) -> None:
    laws = Laws(
        target=Histogram((-1, -0.5, 0.25, 1), tuple(target)), source=Histogram((-1, 0.5, 1), tuple(source)), eps=0.2
    )
    f = [
        (a, b, share / sum(target)) for (a, b), share in zip([(-1, -0.5), (-0.5, 0.25), (0.25, 1)], target, strict=True)
    ]
    q = [(a, b, share / sum(source)) for (a, b), share in zip([(-1, 0.5), (0.5, 1)], source, strict=True)]
    weights, p = naive.nodes(f, q, 0.2, 1, count=64)
    h = sum(share * math.log2((b - a) / share) for a, b, share in f)
    exact = -(weights @ np.log2(p)) - h + math.log2(0.4)
    low, high = bits.mismatch_bits(laws)
    assert 0.0 <= low <= high <= low + 1e-12
    assert low - 1e-6 <= exact <= high + 1e-6


def test_laws_are_checked() -> None:
    for edges, shares, message in (
        ((0.0,), (), "edges must be two or more"),
        ((0.0, 0.0), (1.0,), "edges must be two or more"),
        ((0.0, math.inf), (1.0,), "edges must be two or more"),
        ((0.0, 1.0), (1.0, 1.0), "shares must be one number"),
        ((0.0, 1.0), (0.0,), "shares must be one number"),
        ((0.0, 1.0, 2.0), (-1.0, 2.0), "shares must be one number"),
    ):
        with pytest.raises(ValueError, match=message):
            Histogram(edges, shares)
    with pytest.raises(ValueError, match="d must be at most 4, got d=5"):
        DrawCode(d=5)
    with pytest.raises(ValueError, match="eps must be at least 1e-60"):
        Laws(target=UNIFORM, source=UNIFORM, eps=1e-61)
    with pytest.raises(ValueError, match='alpha must be "uniform" where a density is asked for'):
        bits.mismatch_bits(DrawCode(alpha=0.5))


# -- 8.4 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("eps", "d", "R"), [(0.3, 1, 4), (0.05, 1, 40), (0.4, 2, 9), (0.6, 3, 5), (0.7, 4, 3)])
def test_capped_draws_by_quadrature(eps: float, d: int, R: int) -> None:
    one = DrawCode(eps=eps, d=d)
    weights, p = naive.nodes(FLAT, FLAT, eps, d, count=24 if d < 3 else 5)
    miss, draws = float(weights @ (1 - p) ** R), float(weights @ ((1 - (1 - p) ** R) / p))
    for (low, high), exact in ((bits.miss_prob(R, one), miss), (bits.mean_draws(R, one), draws)):
        assert low - 1e-9 <= exact <= high + 1e-9
        assert high - low < 2e-3 * exact
    hit = bits.hit_share(R, one)
    assert hit == pytest.approx((1 - miss) / draws, rel=2e-3)
    law = naive.index_law(weights, p, R)
    spent = naive.mean(law, lambda k: bits.geometric_bits(k, hit)) + miss * (-R * math.log2(1 - hit) + 20.0)
    bound = bits.capped_bits_bound(R, one, exception_bits=20.0)
    assert spent - 1e-9 <= bound <= spent * 1.003
    logs = naive.mean(law, math.log2) + miss * math.log2(R)
    low, high = bits.mean_log2_index_capped(R, one)
    assert low - 1e-9 <= logs <= high + 1e-9


@pytest.mark.parametrize(("eps", "R"), [(1e-3, 65), (1e-3, 1000), (0.2, 100)])
def test_the_capped_logarithm_beyond_short_sums(eps: float, R: int) -> None:
    one = DrawCode(eps=eps, alpha=0.5)  # hit with probability eps
    with mpmath.workdps(30):
        exact = mpmath.fsum((1 - mpmath.mpf(eps)) ** k * mpmath.log(1 + mpmath.mpf(1) / k, 2) for k in range(1, R))
    low, high = bits.mean_log2_index_capped(R, one)
    assert low <= exact <= high


@given(st.floats(1e-9, 1.0), st.floats(-1.0, 1.0), st.integers(1, 10**9))
def test_a_fixed_block_exactly(eps: float, alpha: float, R: int) -> None:
    one = DrawCode(eps=eps, alpha=alpha, d=2)
    p = ((Fraction(eps) + min(Fraction(eps), 1 - Fraction(abs(alpha)))) / 2) ** 2
    low, high = bits.miss_prob(R, one)
    with mpmath.workdps(60):
        h = mpmath.mpf(p.numerator) / p.denominator
        miss = mpmath.mpf(0) if p == 1 else mpmath.exp(R * mpmath.log1p(-h))
        assert low <= miss <= high <= low * (1 + 1e-14) + 1e-300
        low, high = bits.mean_draws(R, one)
        assert low <= (1 - miss) / h <= high <= low * (1 + 1e-14)


@settings(max_examples=12)
@given(st.floats(0.01, 1.0), st.sampled_from([1, 2, 4]), st.sampled_from(["uniform", 0.0, 0.97]), st.floats(1e-6, 0.9))
def test_questions_are_in_order(eps: float, d: int, alpha: float | str, delta: float) -> None:
    one = DrawCode(eps=eps, d=d, alpha=alpha)
    necessary, required = one.necessary_n(delta), one.required_n(delta)
    assert necessary <= required <= necessary + 1
    assert one.miss(required)[1] <= delta
    assert necessary == 0 or one.miss(necessary - 1)[0] > delta
    assert one.predicted_n(delta) == required
    for n in (0, 1, required):
        assert 0.0 <= one.success_lower(n) <= one.success_prediction(n) <= one.success_upper(n) <= 1.0
    with pytest.raises(ValueError, match="eps must take at most 60 bits"):
        DrawCode(eps=1e-30).required_n(0.1)
    with pytest.raises(ValueError, match=r"R must be at most 2\^60"):
        bits.miss_prob(2**60 + 1, one)


# -- 8.5 and 8.6 -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 59 * 8).map(lambda k: k / 8), st.integers(1, 20))
def test_most_draws_is_exact(budget: float, n: int) -> None:
    R = choice.most_draws(budget, n)
    b = Fraction(budget)
    assert R >= 0
    assert (R + 1) ** (n * b.denominator) <= 2**b.numerator
    assert (R + 2) ** (n * b.denominator) > 2**b.numerator


def test_most_draws_where_a_power_in_floats_falls_short() -> None:
    budget, n, k = 14.573942985382716, 3, 29
    assert int(2.0 ** (budget / n)) == k - 1  # a power that is rounded down
    with mpmath.workdps(60):
        assert mpmath.mpf(budget) >= n * mpmath.log(k, 2)
    assert choice.most_draws(budget, n) == k - 1


@pytest.mark.parametrize("basis", ["proved", "necessary", "predicted"])
def test_the_best_under_a_budget_is_that_of_all_pairs(basis: choice.Basis) -> None:
    budget = 4.5
    best = bits.best_under_budget(budget, eps=0.05, alpha=0.9, basis=basis)
    assert best.bits <= budget
    pairs = [(n, R) for n in range(1, 5) for R in range(1, 23) if (R + 1) ** (2 * n) <= 2 ** (2 * budget)]
    assert best.success == max(choice.success(n, R, eps=0.05, alpha=0.9, basis=basis) for n, R in pairs)


def test_one_candidate_is_within_a_factor_of_every_use_of_a_budget() -> None:
    for budget in (1.0, 3.0, 5.5, 8.0):
        for eps in (0.1, 0.01):
            most = math.floor(2**budget) - 1
            alone = choice.success(1, most, eps=eps, alpha=0.5)
            assert alone >= (1 - math.exp(-1)) * min(1.0, most * eps)
            best = bits.best_under_budget(budget, eps=eps, alpha=0.5)
            assert best.success <= min(1.0, most * eps) * (1 + 1e-12)


def test_the_cheapest_choice_is_that_of_all_pairs() -> None:
    delta, pairs = 0.2, [(n, R) for n in range(1, 21) for R in range(1, 21) if n * R <= 20]
    enough = [(n, R) for n, R in pairs if choice.success(n, R, eps=0.1, alpha=0.5) >= 1 - delta]
    for price in (0.0, 0.05, 1.0):
        best = bits.cheapest_choice(0.1, delta, alpha=0.5, price_draw=price)
        assert best.success >= 1 - delta
        least = min(n * math.log2(R + 1) + price * n * R for n, R in enough)
        assert best.bits + price * best.n * best.R == pytest.approx(least)
        assert best.bits >= math.log2(1 + (1 - delta) / 0.1) - 1e-12
    free = bits.cheapest_choice(0.01, 0.05, alpha=0.5)
    assert free.n == 1
    assert free.bits <= math.log2(2 + math.log(20) / 0.01)
    assert bits.cheapest_choice(0.03, 0.2, alpha=0.5, price_draw=0.3).n > 1  # draws that cost: candidates save them
    with pytest.raises(ValueError, match="eps must take at most 59 bits of choice"):
        bits.cheapest_choice(1e-30, 0.05, alpha=0.5, price_draw=30.0)


def _ranks(n: int, eps: float, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Place of the first good sum in the order of sizes; 2^n + 1 if there is none."""
    masks = np.array(sorted(range(2**n), key=lambda mask: (mask.bit_count(), mask)))
    chosen = (masks[:, None] >> np.arange(n)) & 1
    sums = rng.uniform(-1, 1, (trials, n)) @ chosen.T
    good = np.abs(sums - rng.uniform(-1, 1, (trials, 1))) <= eps
    return np.where(good.any(axis=1), good.argmax(axis=1) + 1, 2**n + 1)


def test_ranks_against_the_bound_and_the_prediction() -> None:
    n, eps, trials = 10, 0.05, 20_000
    places = _ranks(n, eps, trials, np.random.default_rng(5))
    for t in (1, 5, 20):
        assert_at_most(int((places <= t).sum()), trials, t * eps)
    tenth = math.log2(places.max())
    coin = np.random.default_rng(6).uniform(0, tenth, trials) < np.log2(places)  # of mean E log2 T
    assert_at_least(int(coin.sum()), trials, bits.rank_log2_lower(eps) / tenth)
    with pytest.raises(AssertionError):  # the control: log2(e) forgotten
        assert_at_least(int(coin.sum()), trials, -math.log2(eps) / tenth)
    edges = [*range(1, 33), *(2**k for k in range(5, 11)), 2**n + 2]
    counts, _ = np.histogram(places, bins=sorted(set(edges)))
    widths = np.diff(sorted(set(edges)))
    binned = -sum(c / trials * math.log2(c / trials / w) for c, w in zip(counts, widths, strict=True) if c)
    assert bits.rank_bits_prediction(n, 1, eps=eps, alpha="uniform") == pytest.approx(binned, rel=0.08)


def test_budgets_are_checked() -> None:
    with pytest.raises(ValueError, match=r"bits must be in \[0, 59\], got bits=60"):
        choice.most_draws(60.0, 1)
    with pytest.raises(ValueError, match=r"bits must be in \[1, 59\], got bits=0.5"):
        bits.best_under_budget(0.5, eps=0.1, alpha=0.5)
    with pytest.raises(ValueError, match="basis must be 'proved', 'necessary' or 'predicted'"):
        choice.success(1, 1, eps=0.1, alpha=0.5, basis="hoped")
    with pytest.raises(ValueError, match="basis must be"):
        bits.cheapest_choice(0.1, 0.1, alpha=0.5, basis="hoped")
    with pytest.raises(ValueError, match=r"eps must be in \(0, 1\], got eps=2"):
        bits.cheapest_choice(2.0, 0.1, alpha=0.5)
