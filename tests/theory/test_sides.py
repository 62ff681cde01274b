"""Every number that promises a side keeps it: sections 1, 4 and 5 and the arithmetic below, against mpmath.

Random and extreme arguments: eps and delta down to the smallest float, delta up to the last float below 1, R to 1e300
where it is accepted. A value at its side's wrong end by one unit in the last place fails.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import naive_sides as naive
from theory import necessary
from theory import single_weight as sw
from theory.network import convolution, corner, gadget, width
from theory.network.convolution import ConvolutionTheorem
from theory.network.question import MainTheorem
from theory.numerics import balls, logspace, rounding
from theory.single_weight import SingleWeight

TINY = 5e-324
LAST = 1.0 - 2.0**-53
EPS = st.one_of(st.floats(1e-12, 1.0), st.sampled_from([TINY, 1e-310, 1e-300, 1e-60, 1e-15, 0.5, LAST, 1.0]))
DELTA = st.one_of(
    st.floats(1e-12, 0.999), st.floats(1e-300, 1e-12), st.sampled_from([TINY, 3e-320, 0.25, 0.5, 0.75, LAST])
)
ALPHA = st.one_of(st.floats(-1.0, 1.0), st.sampled_from([0.0, TINY, -1e-20, LAST, 1.0, -1.0, "uniform"]))
COUNT = st.one_of(st.integers(1, 9), st.integers(1, 10**15))
DRAWS = st.one_of(st.integers(1, 9), st.integers(1, 10**18))
RATIONAL = st.fractions(min_value=-(10**20), max_value=10**20)
PROBABILITY_LOG = st.one_of(
    st.floats(-800.0, 0.0), st.floats(-1e-3, 0.0), st.sampled_from([-TINY, -708.5, -745.0, -1e9])
)


def near(x: float, true: Any, *, rel: float, tiny: float = 20 * TINY) -> bool:
    """Whether a float is no farther from the truth than that: a bound on the right side can still be useless."""
    digits = mpmath.mpf(10) ** -60  # of the twin, whose 100 digits are rounded too
    return bool(abs(mpmath.mpf(x) - true) <= (rel + digits) * abs(true) + mpmath.mpf(tiny))


# ---- arithmetic -----------------------------------------------------------------------------------------------------


@given(RATIONAL)
def test_rationals_are_rounded_to_the_next_float_on_their_side(x: Fraction) -> None:
    above, below = rounding.above(x), rounding.below(x)
    assert Fraction(below) <= x <= Fraction(above)
    assert above in (below, math.nextafter(below, math.inf))


@given(RATIONAL, st.integers(-1200, 40))
def test_balls_are_rounded_to_their_side(x: Fraction, power: int) -> None:
    scaled = x * Fraction(2) ** power
    with balls.precision(4000):
        up, down = balls.up(balls.exact(scaled)), balls.down(balls.exact(scaled))
    assert Fraction(down) <= scaled <= Fraction(up)
    assert up in (down, math.nextafter(down, math.inf))


def test_balls_beyond_all_floats() -> None:
    with balls.precision():
        huge = balls.exact(Fraction(10) ** 400)
        assert (balls.up(huge), balls.down(huge)) == (math.inf, math.nextafter(math.inf, 0.0))
        assert (balls.up(-huge), balls.down(-huge)) == (-math.nextafter(math.inf, 0.0), -math.inf)
        third = balls.exact(1.0) / 3  # a ball of positive width
        assert Fraction(balls.down(third)) < Fraction(1, 3) < Fraction(balls.up(third))


@given(st.floats(-1e300, 1e300))
def test_raised_and_lowered_move_by_two_units(x: float) -> None:
    assert rounding.raised(x) == math.nextafter(math.nextafter(x, math.inf), math.inf)
    assert rounding.lowered(x) == math.nextafter(math.nextafter(x, -math.inf), -math.inf)


@given(st.floats(TINY, 1.0))
def test_raised_and_lowered_enclose_a_logarithm(x: float) -> None:
    with mpmath.workdps(100):
        true = mpmath.log(x)
        assert rounding.lowered(math.log(x)) < true < rounding.raised(math.log(x)) or x == 1.0


@given(PROBABILITY_LOG)
def test_probabilities_from_logarithms(x: float) -> None:
    with mpmath.workdps(100):
        true = mpmath.exp(x)
        above, below = rounding.probability_above(x), rounding.complement_below(x)
        assert true <= above <= 1
        assert near(above, true, rel=1e-14)
        assert 0 <= below <= -mpmath.expm1(x)
        assert near(below, -mpmath.expm1(x), rel=1e-14)
        assert logspace.exp_up(x) >= true or logspace.exp_up(x) >= logspace.SMALLEST_NORMAL
    assert rounding.probability_above(-math.inf) == 0.0
    assert rounding.complement_below(3.0) == 0.0


@given(st.one_of(st.floats(0.0, 1.0), st.sampled_from([TINY, 1e-300, LAST])), st.integers(1, 10**18))
def test_any_of_is_accurate_to_eight_units(p: float, R: int) -> None:
    with mpmath.workdps(100):
        assert near(logspace.any_of(p, R), naive.some_of(R, p), rel=8 * 2.0**-53)


# ---- 1 single weight ------------------------------------------------------------------------------------------------


@given(COUNT, DRAWS, EPS, ALPHA)
def test_exact_miss(n: int, R: int, eps: float, alpha: Any) -> None:
    if alpha == "uniform" and (eps < 1e-60 or n * R > 10**9):
        n, R, eps = min(n, 10**4), min(R, 10**4), max(eps, 1e-60)  # powers at 1500 digits
    true = naive.log_miss(n * R, eps, alpha)
    found = sw.log_miss_prob_exact(n, R, eps=eps, alpha=alpha)
    assert found == true == -math.inf or near(found, true, rel=2.0**-53)
    with mpmath.workdps(100):
        assert near(sw.miss_prob_exact(n, R, eps=eps, alpha=alpha), mpmath.exp(true), rel=2.0**-53, tiny=TINY)
    asked = SingleWeight(R=R, eps=eps, alpha=alpha)
    upper = asked.success_upper(n)
    with mpmath.workdps(100):
        assert asked.success_lower(n) <= -mpmath.expm1(true)
        assert naive.some_of(n * R, eps) <= upper <= 1
        assert near(upper, naive.some_of(n * R, eps), rel=2.0**-52)
        exponent = n * R * naive.mp(eps) / 2
        assert near(asked.success_lower(n), -mpmath.expm1(-exponent), rel=1e-14)


@pytest.mark.parametrize(("n", "eps"), [(1000, 0.37), (3000, 0.21), (650, 0.9)])
def test_exact_miss_of_uniform_targets_where_logarithms_are_large(n: int, eps: float) -> None:
    true = naive.log_miss(n, eps, "uniform")
    with mpmath.workdps(100):
        assert near(sw.miss_prob_exact(n, 1, eps=eps, alpha="uniform"), mpmath.exp(true), rel=2.0**-53)


@given(COUNT, DRAWS, EPS)
def test_lemma(n: int, R: int, eps: float) -> None:
    with mpmath.workdps(1200):
        exponent = -n * R * naive.mp(eps) / 2
        log_bound, bound = sw.log_miss_prob_bound(n, R, eps=eps), sw.miss_prob_bound(n, R, eps=eps)
        assert exponent <= log_bound <= 0
        assert near(log_bound, exponent, rel=2.0**-52, tiny=TINY)
        assert mpmath.exp(exponent) <= bound <= 1
        for alpha in (1.0, 0.3):
            true = naive.log_miss(n * R, eps, alpha)
            assert true <= log_bound
            assert mpmath.exp(true) <= bound


def test_lemma_is_not_below_the_exact_miss_where_they_nearly_agree() -> None:
    for eps in (1e-15, 1e-16, 1e-14, 3e-17):
        for n, R in itertools.product((1, 3, 10), (1, 7)):
            exact = sw.miss_prob_exact(n, R, eps=eps, alpha=1.0)
            assert exact <= sw.miss_prob_bound(n, R, eps=eps)


@given(EPS, DELTA, DRAWS)
def test_lemma_required_n(eps: float, delta: float, R: int) -> None:
    n = sw.required_n(eps, delta, R=R)
    with mpmath.workdps(800):
        exact = -2 * mpmath.log(naive.mp(delta)) / (naive.mp(eps) * R)
        assert n >= exact
        assert n <= exact * (1 + 1e-15) + 1


@given(st.floats(1e-12, 1.0), DELTA, st.integers(1, 10**6), ALPHA)
def test_exact_required_n_is_the_least(eps: float, delta: float, R: int, alpha: Any) -> None:
    if alpha == "uniform":
        eps = max(eps, 1e-3)
    n = sw.required_n_exact(eps, delta, R=R, alpha=alpha)
    with mpmath.workdps(1500):
        assert naive.log_miss(n * R, eps, alpha) <= mpmath.log(naive.mp(delta)) * (1 - mpmath.mpf(10) ** -1000)
        assert n == 1 or naive.log_miss((n - 1) * R, eps, alpha) > mpmath.log(naive.mp(delta))


@pytest.mark.parametrize("k", [1, 2, 50, 1074])
def test_ties_of_the_exact_miss(k: int) -> None:
    assert sw.required_n_exact(0.5, 2.0**-k, R=1, alpha=0.0) == k
    if k < 1074:
        assert sw.required_n_exact(0.5, math.nextafter(2.0**-k, 0.0), R=1, alpha=0.0) == k + 1
    assert sw.required_n_exact(1.0, 0.25, R=1, alpha="uniform") == 1  # 2/2 (1/2)^2


def test_a_thousand_digits_of_draws() -> None:
    assert sw.log_miss_prob_exact(2**1000, 1, eps=TINY, alpha=0.5) == -(2.0**-74)
    with pytest.raises(ValueError, match="n R must be at most 2"):
        sw.miss_prob_bound(10**400, 1, eps=0.5)


# ---- 4 networks -----------------------------------------------------------------------------------------------------

WIDTHS = st.lists(st.one_of(st.integers(1, 9), st.integers(1, 10**4)), min_size=2, max_size=6)
NETWORK_EPS = st.one_of(st.floats(1e-12, 1.0), st.sampled_from([1e-100, 1e-15, LAST, 1.0]))
NETWORK_DRAWS = st.one_of(st.integers(1, 9), st.integers(1, 10**6), st.just(10**18), st.just(10**300))


@given(WIDTHS, EPS, st.booleans())
def test_layer_etas(widths: list[int], eps: float, linf: bool) -> None:
    try:
        etas = width.layer_etas(widths, eps, domain="linf" if linf else "l2")
    except ValueError:
        assert eps < 1e-300
        return
    with mpmath.workdps(100):
        for i, eta in enumerate(etas, start=1):
            true = naive.eta(widths, i, eps, linf=linf)
            assert 0 < eta <= true
            assert near(eta, true, rel=4e-16, tiny=1e6 * TINY)


@given(NETWORK_EPS, NETWORK_DRAWS, st.one_of(st.none(), st.floats(-1.0, 1.0)), COUNT)
def test_windows(eta: float, R: int, w: float | None, n: int) -> None:
    e = Fraction(eta)
    measure = None if w is None else (e / 2 + min(e / 2, 1 - abs(Fraction(w)))) / 2
    with mpmath.workdps(1000):
        true = naive.log_window_miss(naive.mp(e), R, None if measure is None else naive.mp(measure))
        bound = gadget.log_weight_miss_bound(eta, R, n=n, w=w)
        assert n * true <= bound <= 0
        assert near(bound, max(n * true, -mpmath.mpf(1.7976931348623157e308)), rel=4e-16)
        assert true <= gadget.window_miss_upper(eta, R, w=w) <= 0
        assert near(gadget.log_window_miss_prob(eta, R, w=w), true, rel=2e-16)
        assert near(gadget.b_window_prob(eta, R), naive.some_of(R, e / 4), rel=2e-16)


@given(WIDTHS, st.floats(1e-9, 1.0), NETWORK_DRAWS, st.data(), st.booleans())
def test_log_failure_bound(widths: list[int], eps: float, R: int, data: Any, linf: bool) -> None:
    n = [data.draw(COUNT) for _ in widths[1:]]
    domain = "linf" if linf else "l2"
    bound = width.log_failure_bound(widths, eps, R=R, n=n, domain=domain)
    with mpmath.workdps(150):
        true = naive.log_failure(widths, eps, R, n, linf=linf)
        assert true <= bound
        assert near(bound, true, rel=1e-14, tiny=1e-12)
        assert min(1, mpmath.exp(true)) <= width.failure_bound(widths, eps, R=R, n=n, domain=domain)
        if R <= 10**18:
            lower = MainTheorem(widths=tuple(widths), eps=eps, R=R, domain=domain).success_lower(n)
            assert 0 <= lower <= max(0, 1 - mpmath.exp(true))


EXTREME = [
    ((7, 784, 50, 2, 1, 7, 3), 1e-6, 1e-300, 10),
    ((7, 784, 50, 2, 1, 7, 3), 1e-6, TINY, 1),
    ((1, 1), 1.0, LAST, 1),
    ((784, 300, 10), 1e-9, 1e-40, 10**6),
    ((4, 8, 3), 1e-12, 1e-10, 3),
    ((2, 2), 1e-100, 0.5, 10**18),
]


@pytest.mark.parametrize(("widths", "eps", "delta", "R"), EXTREME)
def test_required_n_of_extreme_networks(widths: tuple[int, ...], eps: float, delta: float, R: int) -> None:
    with mpmath.workdps(150):
        log_delta = mpmath.log(naive.mp(delta))
        for uniform in (False, True):
            n = width.required_n_ours(widths, eps, delta=delta, R=R, uniform=uniform)
            assert naive.log_failure(widths, eps, R, n) <= log_delta
            fewer = [max(1, count - max(1, int(1e-13 * count))) for count in n]
            assert tuple(fewer) == n or naive.log_failure(widths, eps, R, fewer) > log_delta
        for statement in (width.required_n_repaired, *((width.required_n_recalled,) if R == 1 else ())):
            assert naive.log_failure(widths, eps, R, statement(widths, eps, delta=delta, R=R)) <= log_delta


@given(WIDTHS, st.floats(1e-6, 1.0), DELTA, st.integers(1, 10**6))
def test_required_n_of_random_networks(widths: list[int], eps: float, delta: float, R: int) -> None:
    n = width.required_n_ours(widths, eps, delta=delta, R=R)
    with mpmath.workdps(150):
        assert naive.log_failure(widths, eps, R, n) <= mpmath.log(naive.mp(delta))


def test_random_slacks_are_needed() -> None:
    """At 300 more points, where n is so large that the bound and delta agree to the last digits."""
    import random

    rng = random.Random(71)
    with mpmath.workdps(60):
        for _ in range(300):
            widths = [rng.choice((1, 2, 3, 7, 50, 784)) for _ in range(rng.randint(2, 6))]
            eps, delta, R = 10.0 ** -rng.randint(3, 9), 10.0 ** -rng.randint(1, 300), rng.choice((1, 2, 10))
            n = width.required_n_ours(widths, eps, delta=delta, R=R)
            assert naive.log_failure(widths, eps, R, n) <= mpmath.log(naive.mp(delta))


@pytest.mark.parametrize(
    ("widths", "eps", "delta"), [((1, 1), 1.0, 0.01), ((3, 5, 2), 1e-7, 1e-250), ((2, 2), 0.1, TINY)]
)
def test_required_R(widths: tuple[int, ...], eps: float, delta: float) -> None:
    R, ones = width.required_R_for_minimal_width(widths, eps, delta=delta), [1] * (len(widths) - 1)
    with mpmath.workdps(150):
        assert naive.log_failure(widths, eps, R, ones) <= mpmath.log(naive.mp(delta))
        assert naive.log_failure(widths, eps, R - max(1, R >> 42), ones) > mpmath.log(naive.mp(delta))


@given(WIDTHS, EPS, DELTA, NETWORK_DRAWS)
def test_published_forms(widths: list[int], eps: float, delta: float, R: int) -> None:
    recalled = width.required_n_recalled(widths, eps, delta=delta, R=R)
    repaired = width.required_n_repaired(widths, eps, delta=delta, R=R)
    with mpmath.workdps(800):
        for i in range(1, len(widths)):
            ratio, whole = naive.published_n(widths, i, eps, delta, R)
            assert recalled[i - 1] == max(1, mpmath.ceil(whole))
            wanted = max(1, mpmath.ceil(whole * naive.mp(Fraction(1602, 640)) * min(1, 1 / ratio) ** -2 / ratio**2))
            assert repaired[i - 1] == wanted or (repaired[i - 1] == 1 and ratio < R)


def test_corner_R_at_the_ends() -> None:
    with mpmath.workdps(800):
        for eps, delta in itertools.product((TINY, 1e-16, 0.01, 1.0), (TINY, 1e-20, 0.3, LAST)):
            assert corner.corner_R(eps, delta) == mpmath.ceil(
                8 * mpmath.sqrt(mpmath.log(2 / naive.mp(delta))) / naive.mp(eps)
            )


@given(EPS, st.integers(1, 10**6))
def test_tap_eps(eps: float, kernel: int) -> None:
    try:
        found = convolution.tap_eps(eps, kernel)
    except ValueError:
        assert eps / kernel**2 < 1e-300
        return
    with mpmath.workdps(100):
        true = mpmath.expm1(mpmath.log1p(naive.mp(eps)) / kernel**2)  # eps itself for kernel 1, but for the 100 digits
        assert 0 < found <= true * (1 + mpmath.mpf(10) ** -90)
        assert near(found, true, rel=2.0**-52, tiny=TINY)


@given(WIDTHS, st.floats(1e-6, 1.0), st.integers(1, 9), st.integers(1, 10**6), st.data())
def test_convolutions(channels: list[int], eps: float, kernel: int, R: int, data: Any) -> None:
    n = [data.draw(COUNT) for _ in channels[1:]]
    bound = convolution.convolution_log_failure_bound(channels, eps, kernel=kernel, R=R, n=n)
    delta = data.draw(DELTA)
    enough = convolution.convolution_required_n(channels, eps, delta=delta, kernel=kernel, R=R)
    asked = ConvolutionTheorem(widths=tuple(channels), eps=eps, R=R, kernel=kernel, side=9)
    with mpmath.workdps(150):
        true = naive.log_failure(channels, eps, R, n, taps=kernel**2)
        assert true <= bound
        assert near(bound, true, rel=1e-14, tiny=1e-12)
        assert asked.success_lower(n) <= max(0, 1 - mpmath.exp(true))
        assert naive.log_failure(channels, eps, R, enough, taps=kernel**2) <= mpmath.log(naive.mp(delta))
    source = asked.source_width(delta)
    assert source.n == enough
    assert source.log_failure_bound <= math.log(delta)


# ---- 5 counting -----------------------------------------------------------------------------------------------------


@given(WIDTHS, EPS, DELTA, DRAWS, EPS)
def test_counting(widths: list[int], eps: float, delta: float, R: int, density: float) -> None:
    with mpmath.workdps(700):
        packing, each = naive.log2_packing(widths, eps), naive.bits(R, density)
        found = necessary.log2_packing(widths, eps)
        assert found <= max(0, packing)
        assert near(found, max(0, packing), rel=3e-16)
        bits = necessary.bits_per_param(R, density=density)
        assert bits >= each
        assert near(bits, each, rel=3e-16, tiny=TINY)
        assert necessary.log2_networks(3, R, density=density) >= 3 * each
        whole = naive.necessary_params(widths, eps, delta, R, density)
        params = necessary.necessary_params(widths, eps, delta=delta, R=R, density=density)
        assert params == max(0, mpmath.ceil(whole * (1 - mpmath.mpf(10) ** -600)))


def test_counting_ties() -> None:
    """log2 of a power of two: the necessary number is a whole one, and is not rounded past."""
    for R, params in ((1, 999), (7, 333)):
        assert necessary.necessary_params([10, 10], 2.0**-11, delta=0.5, R=R) == params
    assert necessary.necessary_params([10, 10], math.nextafter(2.0**-11, 0.0), delta=0.5, R=1) == 1000
    assert necessary.necessary_params([10, 10], math.nextafter(2.0**-11, 1.0), delta=0.5, R=1) == 999
