"""Helpers in log space and the inversion of bounds."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from theory.numerics.invert import smallest_n
from theory.numerics.logspace import any_of, exp_up, log1mexp, logsumexp


@given(st.floats(-700.0, -1e-300))
def test_log1mexp_against_mpmath(x: float) -> None:
    with mpmath.workdps(400):
        expected = mpmath.log(1 - mpmath.exp(x))
    assert log1mexp(x) == pytest.approx(float(expected), rel=1e-14, abs=0.0)


def test_log1mexp_ends() -> None:
    assert log1mexp(0.0) == -math.inf
    assert log1mexp(-math.inf) == 0.0
    with pytest.raises(ValueError, match=r"x must be in \[-inf, 0\], got x=1"):
        log1mexp(1)


@given(st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=6))
def test_logsumexp(terms: list[float]) -> None:
    assert logsumexp(terms) == pytest.approx(math.log(math.fsum(map(math.exp, terms))), rel=1e-12, abs=1e-12)


def test_logsumexp_of_nothing() -> None:
    assert logsumexp([-math.inf, -math.inf]) == logsumexp([]) == -math.inf


@given(st.floats(1e-300, 1.0), st.integers(0, 10**12))
def test_any_of_against_mpmath(p: float, R: int) -> None:
    with mpmath.workdps(700):
        expected = 1 - (1 - mpmath.mpf(p)) ** R
    assert any_of(p, R) == pytest.approx(float(expected), rel=1e-14, abs=0.0)


@given(st.integers(0, 10**6), st.integers(0, 10))
def test_smallest_n_finds_the_step(step: int, lo: int) -> None:
    calls: list[int] = []

    def bound(n: int) -> float:
        calls.append(n)
        return float(n < step)

    assert smallest_n(bound, 0.5, lo=lo) == max(step, lo)
    assert len(calls) <= 2 * max(1, step).bit_length() + 4


@given(st.integers(0, 10**6), st.integers(0, 10), st.integers(-5, 2 * 10**6))
@example(3, 5, 0)
@example(3, 5, 7)
def test_smallest_n_from_a_guess(step: int, lo: int, guess: int) -> None:
    calls: list[int] = []

    def bound(n: int) -> float:
        calls.append(n)
        return float(n < step)

    assert smallest_n(bound, 0.5, lo=lo, limit=10**7, guess=guess) == max(step, lo)
    assert min(calls) >= lo
    assert len(calls) <= 2 * abs(max(guess, lo) - max(step, lo)).bit_length() + 4


@given(st.floats(-760.0, 0.0))
def test_exp_up_is_above_the_exponential(x: float) -> None:
    with mpmath.workdps(40):
        truth = mpmath.exp(x)
    assert exp_up(x) * (1 + 1e-15) >= truth
    assert exp_up(x) <= float(truth) * (1 + 1e-15) + 2e-323
    assert exp_up(-1e9) > 0.0 == exp_up(-math.inf)


def test_smallest_n_refuses() -> None:
    with pytest.raises(ValueError, match=r"no n in \[3, 9\] has a bound <= delta=0.5"):
        smallest_n(lambda n: 1.0, 0.5, lo=3, limit=9)
    assert smallest_n(lambda n: float(n < 9), 0.5, lo=3, limit=9) == 9
    with pytest.raises(ValueError, match="lo must be at most limit=2, got lo=3"):
        smallest_n(lambda n: 0.0, 0.5, lo=3, limit=2)
