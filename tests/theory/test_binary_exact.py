"""Section 7 where floats end: rare events, ties, millions of variables and what is refused, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import naive_binary as naive
from theory import binary_weights as bw
from theory.binary_weights import law
from theory.binary_weights.uniform import mean_covered

# ---- 7.3: all targets at once, however rare ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "k", "R"), [(160, 160, 2), (240, 232, 2), (80, 72, 2), (60, 58, 3), (30, 20, 1), (40, 3, 9), (90, 46, 2)]
)
def test_both_signs_keep_their_accuracy(n: int, k: int, R: int) -> None:
    if R == 1:
        hit = Fraction(sum(math.comb(n, j) for j in range(k, n - k + 1)), 2**n)
    else:
        hit = naive.both_signs(n, k, R)
    found, missed = law.joint_tail(n, k, R)
    assert found == pytest.approx(float(hit), rel=1e-14, abs=0)
    assert missed == pytest.approx(float(1 - hit), rel=1e-14, abs=0)


@pytest.mark.parametrize(("n", "R"), [(300, 2), (1000, 2), (250, 3), (700, 1)])
def test_every_variable_must_offer_both_signs(n: int, R: int) -> None:
    """K = n: all n variables need a plus and a minus, probability (1 - 2^(1-R))^n."""
    found = bw.success_prob_all_exact(n, R, eps=1 / (2 * n + 0.5))
    assert found == pytest.approx(float((1 - Fraction(2, 2**R)) ** n), rel=1e-13, abs=0)


@given(st.integers(1, 25), st.integers(1, 4), st.data())
def test_success_and_miss_add_up(n: int, R: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n + 1))
    hit, miss = law.joint_tail(n, k, R)
    assert hit + miss == pytest.approx(1.0, rel=1e-15)
    assert miss >= law.fewer(n, k, R) * (1 - 1e-15)
    if R > 1:
        assert hit == pytest.approx(float(naive.both_signs(n, k, R)), rel=1e-14, abs=0)


# ---- 7.1, 7.2: ties and large n ----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 700, 4001, 35001, 5 * 10**11, 5 * 10**14])
def test_half_of_an_odd_number_of_signs_is_a_tie(k: int) -> None:
    n, below = 2 * k - 1, math.nextafter(0.5, 0.0)
    assert law.misses_at_most(n, k, 1, 0.5)
    assert not law.misses_at_most(n, k, 1, below)
    assert not law.misses_at_most(n, k + 1, 1, 0.5)
    assert Fraction(bw.guaranteed_error_exact(n, 1, 0.5)) * (2 * k + 1) >= 1
    assert bw.guaranteed_error_exact(n, 1, 0.5) == pytest.approx(1 / (2 * k + 1), rel=1e-15, abs=0)
    assert bw.guaranteed_error_exact(n, 1, below) == pytest.approx(1 / (2 * k - 1), rel=1e-15, abs=0)
    assert bw.error_quantile_exact(n, 1, 0.5, alpha=1.0, gain=1 / k) <= 2.0**-53
    assert bw.required_n(bw.guaranteed_error_exact(n, 1, 0.5), 0.5, R=1) == n


@pytest.mark.parametrize(("n", "k", "R", "power"), [(23, 4, 1, 12), (90, 3, 1, 78), (64, 1, 1000, 64000)])
def test_other_ties_are_settled_by_integers(n: int, k: int, R: int, power: int) -> None:
    """1 + 23 + 253 + 1771 = 2^11 (the Golay code), 1 + 90 + 4005 = 2^12, and no plus at all."""
    assert naive.fewer(n, k, R) == Fraction(1, 2**power)
    assert law.misses_at_most(n, k, R, Fraction(1, 2**power))
    assert not law.misses_at_most(n, k, R, Fraction(1, 2**power) * (1 - Fraction(1, 2**60)))


def test_a_tie_beyond_the_limit_counts_as_a_miss_too_many() -> None:
    n = 40_000  # one wrong bit behind the 1024th: the comparison stays open, and is not guessed
    truth = naive.fewer(n, 25_000, 2)
    assert not law.misses_at_most(n, 25_000, 2, truth)
    assert law.misses_at_most(n, 25_000, 2, truth * (1 + Fraction(1, 2**900)))


@given(st.integers(1, 70), st.integers(1, 5), st.data())
def test_comparisons_are_those_of_fractions(n: int, R: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n + 1))
    truth = naive.fewer(n, k, R)
    nearest = float(truth)
    for delta in (nearest, math.nextafter(nearest, 0.0), math.nextafter(nearest, 2.0)):
        assert law.misses_at_most(n, k, R, delta) == (truth <= Fraction(delta))


@pytest.mark.parametrize(
    ("n", "R", "deviations"),
    [(10**6, 1, 0.3), (10**6, 1, -9.0), (3 * 10**6, 3, 2.0), (10**9, 1, 5.0), (10**12, 1, -1.0), (10**15, 20, 1.5)],
)
def test_tails_of_millions_of_signs(n: int, R: int, deviations: float) -> None:
    """An incomplete beta function above 10^5 variables, against the one of mpmath, and against neighbouring terms."""
    q = 1 - mpmath.mpf(2) ** -R
    k = int(n * q + deviations * float(mpmath.sqrt(n * q * (1 - q))))
    step = law.fewer(n, k + 1, R), law.fewer(n, k, R)
    with mpmath.workdps(40):
        q = 1 - mpmath.mpf(2) ** -R
        term = mpmath.exp(
            mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
            + k * mpmath.log(q) + (n - k) * mpmath.log(1 - q)
        )  # fmt: skip
        hit, miss = law.tail(n, k + 1, R)[0], law.tail(n, k, R)[1]
        whole = mpmath.mpf(hit.mid().str(40, radius=False)) + mpmath.mpf(miss.mid().str(40, radius=False)) + term
        assert abs(whole - 1) < mpmath.mpf(10) ** -20
    assert step[0] > step[1] > 0
    if n <= 10**9:
        with mpmath.workdps(30):
            truth = 0.5 * mpmath.erfc(-(k - 0.5 - n * q) / mpmath.sqrt(2 * n * q * (1 - q)))
        assert step[1] == pytest.approx(float(truth), rel=0.05 if deviations < -5 else 3e-3, abs=0)


@pytest.mark.parametrize("n", [99_999, 100_000, 100_001, 100_002])
def test_both_ways_of_summing_agree(n: int) -> None:
    """Pascal's rule across the n at which the way of summing changes."""
    for k in (n // 2 - 700, n // 2, n // 2 + 300):
        with law.precision(256):
            found = law.tail(n, k, 1, 256)[1]
            by_parts = (law.tail(n - 1, k, 1, 256)[1] + law.tail(n - 1, k - 1, 1, 256)[1]) / 2
            assert abs(by_parts - found) < found * 2.0**-180


# ---- 7.2: the guarantee is one ---------------------------------------------------------------------------------


@given(st.integers(1, 400), st.integers(1, 6), st.sampled_from([0.5, 0.05, 1e-3, 0.9]))
def test_the_guaranteed_error_is_guaranteed(n: int, R: int, delta: float) -> None:
    eps = bw.guaranteed_error_exact(n, R, delta)
    assert bw.required_n(eps, delta, R=R) <= n
    parts = round(1 / eps)
    assert Fraction(eps) * parts >= 1 > Fraction(math.nextafter(eps, 0.0)) * parts
    assert bw.best_gain_for(n, R, delta) == 2 * eps
    assert bw.success_prob_exact(n, R, eps=eps, alpha="worst", gain=2 * eps) >= 1 - delta - 1e-15


# ---- uniform targets ---------------------------------------------------------------------------------------------


@given(
    st.integers(1, 30),
    st.integers(1, 70),
    st.sampled_from([1 / 64, 0.05, 0.11, 0.5, 1.0]),
    st.sampled_from([0.01, 0.03, 0.1, 0.25, 0.4, 1.0, 1.3, 100.0]),
)
def test_uniform_target_count_by_count(n: int, R: int, eps: float, gain: float) -> None:
    truth = naive.uniform_miss(n, R, Fraction(gain), Fraction(eps))
    hit, miss = mean_covered(n, R, eps, Fraction(gain))
    assert miss == pytest.approx(float(truth), rel=1e-14, abs=0)
    assert hit == pytest.approx(float(1 - truth), rel=1e-14, abs=0)


def test_uniform_target_and_extremely_many_draws() -> None:
    """Gain 2 eps, k = n: the share missed is 2 eps times the mean number of variables without a plus, n 2^-R."""
    n, eps = 1000, 1 / 2001
    missed = bw.miss_prob_exact(n, 200, eps=eps, alpha="uniform")
    never = 1 - Fraction(eps) * 2001
    assert missed == pytest.approx(float(max(never, 0) + 2 * Fraction(eps) * n / 2**200), rel=1e-12, abs=0)


@pytest.mark.parametrize("gain", ["best", 1e-9, 0.01, 0.06])
@pytest.mark.parametrize("delta", [0.3, 0.05, 1e-6])
def test_required_n_of_a_uniform_target(gain: float | str, delta: float) -> None:
    eps = 0.05
    n = bw.required_n(eps, delta, R=1, alpha="uniform", gain=gain)
    law_of = {"eps": eps, "alpha": "uniform", "gain": gain}
    assert bw.miss_prob_exact(n, 1, **law_of) <= delta < bw.miss_prob_exact(n - 1, 1, **law_of)


def test_a_limit_that_is_attained_is_accepted() -> None:
    assert bw.miss_prob_exact(1, 1, eps=0.5, alpha="uniform", gain=100.0) == 0.5
    assert bw.required_n(0.5, 0.5, R=1, alpha="uniform", gain=100.0) == 1
    with pytest.raises(ValueError, match="gain must reach a share 1-delta"):  # 1/4 + 2/4 of the targets in the limit
        bw.required_n(0.25, 0.25, R=1, alpha="uniform", gain=0.75 - 2**-30)
    with pytest.raises(ValueError, match="gain must reach a share 1-delta"):
        bw.required_n(0.5, math.nextafter(0.5, 0.0), R=1, alpha="uniform", gain=100.0)


# ---- large arguments are fast, or refused by name ----------------------------------------------------------------


def test_required_n_far_out() -> None:
    for eps in (1e-9, 1e-14):
        n, count = bw.required_n(eps, 0.05, R=1), bw.signs_needed(eps, alpha="worst")
        assert law.misses_at_most(n, count, 1, 0.05)
        assert not law.misses_at_most(n - 1, count, 1, 0.05)
        assert n == pytest.approx(2 * count + 1.6448536 * math.sqrt(2 * count), rel=1e-8)
    far = bw.required_n(1e-9, 1e-8, R=1, alpha="uniform")
    assert bw.required_n(1e-9, 0.05, R=1, alpha="uniform") < far < bw.required_n(1e-9, 1e-8, R=1)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_deep_width_at_the_finest_accuracy(depth: int) -> None:
    design = bw.required_width_deep(1e-12, 0.05, R=1, depth=depth)
    assert (design.base - 1) ** (depth - 1) < 5 * 10**11 + 1 <= design.base ** (depth - 1)
    units, both = (1, 0) if depth == 2 else ((depth - 2) * design.carriers + 1, (depth - 3) * design.carriers + 1)

    def failure(carriers: int, ones: int) -> float:
        return both * law.fewer(carriers, design.base, 1) + units * law.fewer(ones, design.base - 1, 1)

    assert failure(design.carriers, design.ones) <= 0.05 < failure(design.carriers, design.ones - 1)
    assert design.width == design.carriers + design.ones < (2.1 if depth == 2 else 5) * design.base + 200
    assert bw.necessary_width_deep(1e-12, 0.05, depth=depth) <= design.width


def test_quantiles_of_extremely_many_signs() -> None:
    n = 10**15
    assert bw.error_quantile_exact(n, 1, 0.3, alpha=0.5, gain=1e-15) < 1e-7
    assert bw.guaranteed_error_exact(n, 1, 0.05) == pytest.approx(1 / n, rel=1e-7, abs=0)
    assert bw.success_prob_exact(n, 1, eps=0.1, alpha=0.5) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bw.success_prob_exact(10**20, 1, eps=0.1, alpha=0.5), r"^n must be at most 1e\+15, got n >= 2\^66$"),
        (lambda: bw.miss_prob_all_exact(10**20, 1, eps=0.1), r"^n must be at most 1e\+15"),
        (lambda: bw.success_prob_all_exact(200_001, 2, eps=0.1), "^n must be at most 200000 for all targets"),
        (lambda: bw.guaranteed_error_exact(10**15 + 1, 1, 0.05), r"^n must be at most 1e\+15"),
        (lambda: bw.error_quantile_exact(10**16, 1, 0.5, alpha=1.0, gain=1.0), r"^n must be at most 1e\+15"),
        (lambda: bw.error_mean_exact(10**9, 1, alpha=0.5, gain=1e-9), "^gain must be at least 1/100000 for n=10"),
        (lambda: bw.error_prediction(10**400, 1), r"^n must be at most 1e\+15"),
        (lambda: bw.required_n(1e-300, 0.05, R=1), r"^eps and gain must take at most 1e\+15 variables, got eps=1e-300"),
        (lambda: bw.required_n(1e-15, 0.05, R=1), r"^eps and gain must take at most 1e\+15 variables, got eps=1e-15"),
        (lambda: bw.required_n(1e-300, 0.05, R=1, alpha="uniform"), "^eps and gain must take at most"),
        (lambda: bw.required_n_closed_form(5e-324, 0.05, R=1), r"^eps must be at least 2\^-1001, got eps=5e-324"),
        (
            lambda: bw.equivalent_subset(3, 10**18, kind="product"),
            '^R must be at most 5.* for kind="product", got R=10',
        ),
    ],
)
def test_what_is_too_large_is_refused_by_name(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
    assert bw.equivalent_subset(3, 5 * 10**17, kind="product") == (3, 10**18 - 1)
