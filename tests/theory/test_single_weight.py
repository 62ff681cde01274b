"""Statements 1.1 to 1.3."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import single_weight as sw

EPS = st.floats(1e-12, 1.0)
ALPHA = st.floats(-1.0, 1.0)
TARGET = st.one_of(ALPHA, st.just("uniform"))
COUNT = st.integers(1, 10**9)
DELTA = st.floats(1e-12, 0.999)


@given(ALPHA, EPS)
def test_hit_prob_is_the_overlap(alpha: float, eps: float) -> None:
    a, e = Fraction(alpha), Fraction(eps)
    overlap = (min(Fraction(1), a + e) - max(Fraction(-1), a - e)) / 2
    assert sw.hit_prob(alpha, eps) == pytest.approx(float(overlap), rel=4e-16, abs=0.0)
    assert eps / 2 <= sw.hit_prob(alpha, eps) <= eps


@pytest.mark.parametrize(
    ("n", "R", "eps", "alpha", "expected"),
    [
        (1, 1, 0.5, 0.0, 0.5),
        (1, 1, 0.5, 1.0, 0.75),
        (3, 2, 0.5, -1.0, 0.75**6),
        (2, 1, 0.5, 0.75, 0.625**2),  # overlap [.25, 1]: p = .375
        (1, 1, 1.0, 0.0, 0.0),
        (1, 1, 0.5, "uniform", 1 - 0.4375),  # 1 - (eps - eps^2/4)
        (2, 1, 1.0, "uniform", 1 / 12),  # 2/3 (1/2)^3
    ],
)
def test_miss_prob_by_hand(n: int, R: int, eps: float, alpha: float, expected: float) -> None:
    assert sw.miss_prob_exact(n, R, eps=eps, alpha=alpha) == pytest.approx(expected, rel=1e-14)


@given(st.integers(1, 150), st.floats(1e-3, 1.0))
def test_uniform_miss_prob_is_the_average(draws: int, eps: float) -> None:
    with mpmath.workdps(60):
        e = mpmath.mpf(eps)  # 96 nodes integrate degree 150 exactly
        edge = mpmath.quad(lambda a: (1 - (1 - a + e) / 2) ** draws, [1 - e, 1], method="gauss-legendre", maxdegree=6)
        expected = (1 - e) * (1 - e) ** draws + edge
        log_expected = float(mpmath.log(expected))
    assert sw.log_miss_prob_exact(draws, 1, eps=eps, alpha="uniform") == pytest.approx(log_expected, rel=1e-12)


@given(COUNT, st.integers(1, 10**6), EPS, TARGET)
def test_exact_below_bound_and_monotone(n: int, R: int, eps: float, alpha: float) -> None:
    exact = sw.log_miss_prob_exact(n, R, eps=eps, alpha=alpha)
    assert exact <= sw.log_miss_prob_bound(n, R, eps=eps) * (1 - 1e-12) + 1e-15
    assert 0.0 <= sw.miss_prob_exact(n, R, eps=eps, alpha=alpha) <= 1.0
    assert sw.log_miss_prob_exact(n + 1, R, eps=eps, alpha=alpha) <= exact
    assert sw.log_miss_prob_exact(n, R + 1, eps=eps, alpha=alpha) <= exact
    assert sw.log_miss_prob_exact(n, R, eps=min(1.0, 1.5 * eps), alpha=alpha) <= exact + 1e-15
    assert sw.miss_prob_bound(n, R, eps=eps) == pytest.approx(math.exp(-n * R * eps / 2), rel=1e-12)


@given(EPS)
def test_uniform_hit_prob_agrees_with_the_miss(eps: float) -> None:
    assert sw.hit_prob("uniform", eps) == pytest.approx(
        1 - sw.miss_prob_exact(1, 1, eps=eps, alpha="uniform"), abs=1e-14
    )
    assert sw.hit_prob("uniform", 0.5) == 0.4375  # .5 - .25/4


def test_bound_is_tight_at_the_ends() -> None:
    ratio = sw.log_miss_prob_exact(10**6, 1, eps=1e-6, alpha=1.0) / sw.log_miss_prob_bound(10**6, 1, eps=1e-6)
    assert ratio == pytest.approx(1.0, abs=1e-6)


@given(EPS, DELTA, st.integers(1, 10**6), TARGET)
def test_required_n_round_trip(eps: float, delta: float, R: int, alpha: float) -> None:
    n = sw.required_n(eps, delta, R=R)
    with mpmath.workdps(50):
        assert mpmath.exp(-mpmath.mpf(n) * R * mpmath.mpf(eps) / 2) <= mpmath.mpf(delta)
        if n > 1:  # minimal up to the rounding of the logarithm
            assert mpmath.exp(-mpmath.mpf(n - 1) * R * mpmath.mpf(eps) / 2) > mpmath.mpf(delta) * (1 - 1e-13)
    exact = sw.required_n_exact(eps, delta, R=R, alpha=alpha)
    assert 1 <= exact <= n
    assert sw.log_miss_prob_exact(exact, R, eps=eps, alpha=alpha) <= math.log(delta)
    assert exact == 1 or sw.log_miss_prob_exact(exact - 1, R, eps=eps, alpha=alpha) > math.log(delta)


def test_required_n_by_hand() -> None:
    assert sw.required_n(0.1, math.exp(-1), R=1) in (20, 21)  # 2/.1 * 1, on the safe side of a rounding
    assert sw.required_n(0.01, 0.05, R=1) == 600  # 200 * 2.99573 = 599.1
    assert sw.required_n_exact(0.5, 0.25, R=1, alpha=0.0) == 2  # (1/2)^2
    assert sw.required_n_exact(0.5, 0.25, R=1, alpha=1.0) == 5  # (3/4)^5 = .2373, (3/4)^4 = .3164


@given(st.floats(0.0, 1.0), st.integers(1, 10**12), ALPHA)
def test_nearest_distance_against_mpmath(u: float, R: int, alpha: float) -> None:
    d = sw.nearest_distance_ppf(u, R, alpha=alpha)
    assert isinstance(d, float)
    assert 0.0 <= d <= 1.0 + abs(alpha)
    with mpmath.workdps(60):
        room = 1 - abs(mpmath.mpf(alpha))
        q = 1 - (1 - mpmath.mpf(u)) ** (mpmath.mpf(1) / R)
        expected = q if q <= room else 2 * q - room
    assert d == pytest.approx(float(expected), rel=1e-13, abs=1e-16)
    assert sw.nearest_distance_cdf(d, R, alpha=alpha) == pytest.approx(u, rel=1e-9, abs=1e-12) or u > 0.999999


@given(st.floats(0.0, 2.0), st.integers(1, 50), ALPHA)
def test_nearest_distance_cdf_is_a_hit_in_R_draws(d: float, R: int, alpha: float) -> None:
    overlap = max(0.0, min(1.0, alpha + d) - max(-1.0, alpha - d)) / 2
    assert sw.nearest_distance_cdf(d, R, alpha=alpha) == pytest.approx(1 - (1 - overlap) ** R, abs=1e-12)
    if 0.0 < d <= 1.0:
        expected = 1.0 - sw.miss_prob_exact(1, R, eps=d, alpha=alpha)
        assert sw.nearest_distance_cdf(d, R, alpha=alpha) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("alpha", "R"), [(0.5, 1), (0.5, 4), (-1.0, 3), (0.0, 10)])
def test_nearest_draw_has_the_law_of_honest_draws(alpha: float, R: int) -> None:
    rng = np.random.default_rng(20210614)
    size = 100_000
    honest = rng.uniform(-1, 1, (size, R))
    nearest = np.take_along_axis(honest, np.abs(honest - alpha).argmin(axis=1)[:, None], axis=1)[:, 0]
    drawn = sw.nearest_draw(rng.uniform(size=size), rng.choice([-1, 1], size=size), R=R, alpha=alpha)
    grid = np.concatenate([nearest, drawn])
    gap = np.abs(
        np.searchsorted(np.sort(nearest), grid, "right") - np.searchsorted(np.sort(drawn), grid, "right")
    ).max()
    assert gap / size <= math.sqrt(math.log(2 / 1e-6) / size)  # two-sample DKW at level 1e-6


def test_nearest_draw_uses_the_inner_side_only_when_it_must() -> None:
    assert sw.nearest_draw(1.0, -1, R=1, alpha=-0.5) == 1.0
    assert sw.nearest_draw(1.0, 1, R=1, alpha=-0.5) == 1.0
    assert sw.nearest_draw(0.25, 1, R=1, alpha=-0.5) == -0.25
    assert sw.nearest_draw(0.25, -1, R=1, alpha=-0.5) == -0.75


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sw.hit_prob(2.0, 0.1), r"alpha must be in \[-1, 1\], got alpha=2.0"),
        (lambda: sw.hit_prob("normal", 0.1), "alpha must be a number in .* or \"uniform\", got alpha='normal'"),
        (lambda: sw.hit_prob(0.5, 0), r"eps must be in \(0, 1\], got eps=0"),
        (lambda: sw.miss_prob_exact(0, 1, eps=0.1, alpha=0.0), "n must be an integer >= 1, got n=0"),
        (lambda: sw.miss_prob_bound(1, 1.5, eps=0.1), "R must be an integer >= 1, got R=1.5"),
        (lambda: sw.required_n(0.1, 1.0, R=1), r"delta must be in \(0, 1\), got delta=1.0"),
        (lambda: sw.required_n_exact(0.1, 0.0, R=1, alpha=0.0), r"delta must be in \(0, 1\), got delta=0.0"),
        (lambda: sw.nearest_distance_cdf(-0.1, 1, alpha=0.0), r"d must be in \[0, inf\), got d=-0.1"),
        (lambda: sw.nearest_distance_ppf(1.5, 1, alpha=0.0), r"u must be in \[0, 1\], got u=1.5"),
        (lambda: sw.nearest_draw(0.5, 0, R=1, alpha=0.0), r"side must be -1 or \+1, got side=0"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
