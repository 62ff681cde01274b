"""Statement 2.8: movable values, against enumeration, exact fractions and the sums that do not move."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive_theory as naive
from theory import movable_sum as ms
from theory import subset_sum as ss
from theory.movable_sum import MovableSum

EPS = st.floats(-9.0, 0.0).map(lambda x: 10.0**x)
MOVE = st.one_of(st.just(0.0), st.floats(-9.0, 0.0).map(lambda x: 10.0**x))
TARGET = st.one_of(st.floats(-1.0, 1.0), st.just("uniform"))


@settings(max_examples=60)
@given(st.integers(0, 14), st.integers(1, 10**4), EPS, TARGET, MOVE)
def test_upper_bound_is_the_expectation_rounded_up(n: int, R: int, eps: float, alpha: float, move: float) -> None:
    shift, centre = (1, Fraction(0)) if alpha == "uniform" else (0, Fraction(alpha))
    reach = [Fraction(eps) + k * Fraction(move) for k in range(n + 1)]
    exact = sum(
        (math.comb(n, k) * R**k * naive.window(k + shift, Fraction(0), centre, reach[k]) for k in range(n + 1)),
        Fraction(0),
    )
    upper = Fraction(ms.success_prob_upper(n, R, eps=eps, alpha=alpha, move=move))
    assert min(exact, 1) <= upper
    assert upper == 1 or upper <= exact * (1 + Fraction(1, 10**12))


def _moments(n: int, alpha: float, eps: float, move: float) -> tuple[mpmath.matrix, mpmath.matrix]:
    """R = 1: every pair of subsets, an integral over the shared sum between all knots."""
    al, reach = Fraction(alpha), [Fraction(eps) + k * Fraction(move) for k in range(n + 1)]
    e, M = mpmath.zeros(n, 1), mpmath.zeros(n, n)
    for k in range(1, n + 1):
        e[k - 1] = math.comb(n, k) * mpmath.mpmathify(naive.window(k, Fraction(0), al, reach[k]))
    for (k, other, j), count in naive.overlap_counts(n, 1).items():
        if not (k and other):
            continue
        if j == 0:
            pair = mpmath.mpmathify(naive.window(k, Fraction(0), al, reach[k]))
            pair *= mpmath.mpmathify(naive.window(other, Fraction(0), al, reach[other]))
        else:
            knots = {Fraction(i) for i in range(-j, j + 1)}
            for w in (reach[k], reach[other]):
                knots |= {al + side * w + i for side in (-1, 1) for i in range(-j - 3, j + 4)}
            points = [mpmath.mpmathify(x) for x in sorted(knots) if -j <= x <= j]

            def both(t: mpmath.mpf, j: int = j, k: int = k, other: int = other) -> mpmath.mpf:
                windows = (naive.window(size - j, t, alpha, float(reach[size])) for size in (k, other))
                return naive.density(j, t) * math.prod(windows)

            pair = mpmath.quad(both, points, method="gauss-legendre", maxdegree=3)
        M[k - 1, other - 1] += count * pair
    return e, M


@pytest.mark.parametrize(
    ("n", "eps", "alpha", "move"), [(1, 0.03, 0.4, 0.1), (2, 0.02, 0.7, 0.05), (3, 0.05, 0.3, 0.02)]
)
def test_second_moment_is_that_of_all_pairs(n: int, eps: float, alpha: float, move: float) -> None:
    e, M = _moments(n, alpha, eps, move)
    exact = naive.best_bound(e, M)
    found = ms.success_prob_second_moment(n, 1, eps=eps, alpha=alpha, move=move)
    assert found <= exact * (1 + 1e-12)
    assert found == pytest.approx(float(exact), rel=1e-8)


def sum_of_hits(n: int, R: int, eps: float, alpha: float | str) -> float:
    """The expected number of good sums of 2.1; the empty sum is good for the share eps of uniform targets."""
    terms = (math.comb(n, k) * R**k * ss.sum_hit_prob(k, eps=eps, alpha=alpha)[1] for k in range(1, n + 1))
    return sum(terms) + (eps if alpha == "uniform" else 0.0)


@pytest.mark.parametrize(("n", "R", "alpha"), [(1, 1, 0.5), (6, 1, -0.9), (9, 3, 0.2), (5, 2, "uniform")])
def test_values_that_do_not_move(n: int, R: int, alpha: float | str) -> None:
    found = ms.success_prob_second_moment(n, R, eps=0.01, alpha=alpha, move=0.0)
    assert found == pytest.approx(ss.success_prob_second_moment(n, R, eps=0.01, alpha=alpha), rel=1e-11)
    upper = ms.success_prob_upper(n, R, eps=0.01, alpha=alpha, move=0.0)
    assert upper >= ss.success_prob_upper(n, R, eps=0.01, alpha=alpha) * (1.0 - 1e-13)  # 2.1 (b) may be less
    assert upper == pytest.approx(min(1.0, sum_of_hits(n, R, 0.01, alpha)), rel=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 12), st.integers(1, 9), EPS, TARGET, MOVE)
def test_in_order_and_monotone(n: int, R: int, eps: float, alpha: float, move: float) -> None:
    one = MovableSum(R=R, eps=eps, alpha=alpha, move=move)
    low, high = one.success_lower(n), one.success_upper(n)
    assert 0.0 <= low <= high <= 1.0
    assert low <= one.success_prediction(n) <= high
    assert low <= one.success_lower(n + 1)
    assert high <= one.success_upper(n + 1) * (1 + 1e-12)
    at = {"eps": eps, "alpha": alpha, "move": move}
    if alpha != "uniform" and eps + move > 1.0 and abs(alpha) > eps:  # no size with a window of at most 1
        with pytest.raises(ValueError, match=r"delta must be proved for some n <= 2\^60, got delta=0\.1"):
            one.required_n(0.1)
    elif alpha != "uniform":
        necessary, required = one.necessary_n(0.1), one.required_n(0.1)
        assert necessary <= required
        assert ms.failure_prob_bound(required, R, **at) <= 0.1
        assert necessary == 0 or one.success_upper(necessary - 1) < 0.9


def test_extremes_and_refusals() -> None:
    assert MovableSum(eps=1.0, alpha="uniform").success_lower(0) == 1.0
    assert MovableSum(eps=0.9, alpha=1.0, move=1.0).success_lower(3) == 0.0  # no size with a window of at most 1
    assert MovableSum(eps=0.9, alpha=1.0, move=1.0).success_upper(1) == 1.0
    assert MovableSum(eps=1e-60, alpha=1.0, move=1e-60, R=10**18).required_n(5e-324) > 1
    for move in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"move must be in \[0, 1\], got move="):
            MovableSum(move=move)
    with pytest.raises(ValueError, match="n must be at most 20, got n=21"):
        ms.success_prob_second_moment(21, 1, eps=0.1, alpha=0.5, move=0.1)
    with pytest.raises(ValueError, match="eps must be at least 1e-60"):
        ms.success_prob_upper(3, 1, eps=1e-61, alpha=0.5, move=0.1)


def test_windows_of_sizes_are_rounded_down(monkeypatch: pytest.MonkeyPatch) -> None:
    from theory.movable_sum import bounds

    seen = []

    def watched(alpha: float, reaches: tuple[float, ...]) -> object:
        seen.append(reaches)
        return honest(alpha, reaches)

    honest = bounds.pair_table
    monkeypatch.setattr(bounds, "pair_table", watched)
    ms.success_prob_second_moment(7, 1, eps=0.1, alpha=0.31, move=0.013)
    (reaches,) = seen
    exact = [Fraction(0.1) + k * Fraction(0.013) for k in range(len(reaches))]
    assert all(Fraction(w) <= whole for w, whole in zip(reaches, exact, strict=True))
    assert any(Fraction(w) < whole for w, whole in zip(reaches, exact, strict=True))
    assert list(reaches) == pytest.approx([float(whole) for whole in exact], rel=1e-15)
