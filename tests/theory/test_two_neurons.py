"""Statement 4.9: two neurons a weight, against mpmath, brute force and the corners of the arguments."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theory import network
from theory.network import halves, kept, pairs
from theory.numerics.invert import smallest_n

relaxed = settings(deadline=None, max_examples=40)
TINY = 5e-324


def twin_miss(u, h, R):
    """m(u, h) of 4.9 (b) by mpmath's quadrature."""
    c = u - h

    def inside(b):
        good = min(mpmath.mpf(1), (u + h) / b) - c / b
        return mpmath.mpf(R) / 2 * ((1 + b) / 2) ** (R - 1) * (1 - max(mpmath.mpf(0), good) / 2) ** R

    points = sorted({c, min(1, u + h), max(c, 1 - mpmath.mpf(20) / R), mpmath.mpf(1)})
    return ((1 + c) / 2) ** R + mpmath.quad(inside, points)


@pytest.mark.parametrize("R", [1, 2, 7, 100])
@pytest.mark.parametrize(("u", "h"), [(0.5, 0.2), (0.55, 0.01), (1.0, 0.05), (0.333, 0.3), (0.9, 0.4)])
def test_one_neuron_is_bounded_closely(u, h, R):
    exact = float(mpmath.log(twin_miss(mpmath.mpf(u), mpmath.mpf(h), R)))
    bound = kept.log_miss(u, h, R)
    assert exact <= bound <= 0.985 * exact


def twin_apart(N, M, t):
    """By all orders of the kinds."""
    t, total, orders = Fraction(t), Fraction(0), 0
    for first in itertools.combinations(range(N + M), N):
        kinds = [i in first for i in range(N + M)]
        changes = sum(a != b for a, b in itertools.pairwise(kinds))
        total += max(Fraction(0), 1 - changes * t) ** (N + M)
        orders += 1
    return total / orders


@given(st.integers(1, 6), st.integers(1, 6), st.floats(1e-4, 0.3))
@example(1, 1, 0.3)
@example(6, 6, 1e-300)
@relaxed
def test_points_apart_by_all_orders(N, M, t):
    exact, bound = float(twin_apart(N, M, t)), network.log_apart_prob(N, M, t=t)
    if exact > 1e-250:
        assert math.log(exact) <= bound <= math.log(exact) + 2e-8


def test_points_apart_by_drawing_is_refuted_with_other_gaps():
    x = np.random.default_rng(5).random((200_000, 9))  # fixed: 0.02 is 18 standard deviations
    seen = (abs(x[:, :4, None] - x[:, None, 4:]).min(axis=(1, 2)) > 0.02).mean()
    assert abs(math.exp(network.log_apart_prob(4, 5, t=0.02)) - seen) < 0.006
    assert abs(math.exp(network.log_apart_prob(4, 5, t=0.025)) - seen) > 0.02  # control


@pytest.mark.parametrize(("N", "M", "t"), [(2000, 1500, 1e-6), (50, 2048, 1e-4), (300, 300, 1e-5)])
def test_the_closed_form_of_many_points_is_above_the_exact_value(N, M, t):
    exact = network.log_apart_prob(N, M, t=t)
    closed = math.floor(1 / t) * math.log1p(-math.expm1(-N * t) * math.expm1(-M * t))
    assert exact <= closed + 1e-8
    assert network.log_apart_prob(N, 2049, t=t) <= exact * 0.4 or M < 1500


def twin_points(least, R, m, counts):
    """P(m neurons have fewer points) by mpmath: the exact law of beta, not cells of it."""
    length = 2 * mpmath.mpf(least) - 1
    one = []
    for k in range(max(counts)):

        def mass(b, k=k):
            p = length / (2 * b)
            return mpmath.mpf(R) / 2 * ((1 + b) / 2) ** (R - 1) * mpmath.binomial(R, k) * p**k * (1 - p) ** (R - k)

        one.append(
            (mpmath.quad(mass, [least, 1]) if k <= R else 0) + (((1 + mpmath.mpf(least)) / 2) ** R if k == 0 else 0)
        )
    law = [mpmath.mpf(1)] + [mpmath.mpf(0)] * (max(counts) - 1)
    for _ in range(m):
        law = [sum(law[i] * one[k - i] for i in range(k + 1)) for k in range(len(law))]
    return [sum(law[:count]) for count in counts]


@pytest.mark.parametrize(("least", "R", "m"), [(0.6, 1, 12), (0.75, 4, 5), (0.9, 30, 2)])
def test_numbers_of_points_are_bounded_closely(least, R, m):
    counts = [1, 2, 4, 7]
    exact = [float(mpmath.log(p)) for p in twin_points(least, R, m, counts)]
    bound = pairs._Points(least, R).log_fewer(m, np.array(counts))
    for low, high in zip(exact, bound, strict=True):
        assert low <= high <= 0.8 * low or low > -1e-6


def test_numbers_of_points_by_moments_are_above_those_by_convolution(monkeypatch):
    points = pairs._Points(0.75, 8)
    counts = np.array([1, 3, 10, 20])
    close = points.log_fewer(9, counts)
    monkeypatch.setattr(pairs, "_MOST_DRAWS", 0)
    far = points.log_fewer(9, counts)
    assert (far >= close).all()
    assert far[0] == pytest.approx(close[0], abs=1e-6)  # no point at all: the same


@pytest.mark.parametrize(
    ("bound", "numbers"),
    [
        (network.halves_log_miss_bound, {1: 5646, 2: 1634, 10: 162, 100: 18, 1000: 4}),
        (network.pairs_log_miss_bound, {1: 686, 2: 386, 10: 30, 100: 4, 1000: 4}),
    ],
)
def test_the_table_of_the_proof(bound, numbers):
    for R, neurons in numbers.items():
        assert 2 * smallest_n(lambda n: bound(0.01, R, n=n), math.log(0.01), lo=1) == neurons  # noqa: B023


@given(st.floats(1e-4, 1.0), st.sampled_from([1, 2, 5, 30, 10**4, 10**18]), st.integers(2, 300))
@relaxed
def test_more_neurons_draws_or_error_never_hurt(eta, R, n):
    for bound in (network.halves_log_miss_bound, network.pairs_log_miss_bound):
        here = bound(eta, R, n=n)
        assert here <= 0.0
        assert bound(eta, R, n=n + 2) <= max(here, -700.0) + 1e-6
        assert bound(min(1.0, 1.5 * eta), R, n=n) <= 0.97 * max(here, -700.0) + 1e-6  # no smaller delta is a float


@given(st.floats(1e-3, 1.0), st.floats(1e-30, 0.9), st.integers(1, 1000))
@relaxed
def test_one_after_the_other_needs_no_more_than_the_formula(eta, delta, R):
    assert network.halves_log_miss_bound(eta, R, n=network.halves_closed_form(eta, delta, R=R)) <= math.log(delta)


@pytest.mark.parametrize("statement", ["halves", "pairs"])
@pytest.mark.parametrize("delta", [TINY, 1e-30, 0.01, 1 - 2**-53])
@pytest.mark.parametrize(("eps", "R"), [(1.0, 1), (0.1, 10), (1e-6, 10**4), (0.1, 10**18), (1e-9, 10**18)])
def test_required_n_holds_where_floats_end(statement, delta, eps, R):
    for domain in ("l2", "linf"):
        n = network.required_n_parts((3, 5, 2), eps, delta=delta, R=R, statement=statement, domain=domain)
        bound = network.parts_log_failure_bound((3, 5, 2), eps, R=R, n=n, statement=statement, domain=domain)
        assert bound <= math.log(delta)
        for i in range(2 if delta == 0.01 else 0):  # none can be lowered alone
            fewer = [count - (j == i) * max(2, count // 100) for j, count in enumerate(n)]
            if min(fewer) >= 1:
                low = network.parts_log_failure_bound((3, 5, 2), eps, R=R, n=fewer, statement=statement, domain=domain)
                assert low > math.log(delta) - 1e-9


def test_no_group_is_empty():
    assert network.halves_log_miss_bound(1.0, 10**18, n=1) == 0.0
    assert network.halves_log_miss_bound(0.5, 10**6, n=3, parts=4) == 0.0
    assert network.pairs_log_miss_bound(1.0, 10**18, n=1) == 0.0
    assert [halves.group_sizes(7, k) for k in (2, 3, 4)] == [(3, 4), (2, 2, 3), (1, 2, 2, 2)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: network.halves_log_miss_bound(0.0, 1, n=2), r"eta must be in \(0, 1\], got eta=0.0"),
        (lambda: network.halves_log_miss_bound(0.1, 1, n=2, parts=5), r"parts must be 2, 3 or 4, got parts=5"),
        (lambda: network.pairs_log_miss_bound(0.1, 10**19, n=2), r"R must be at most 1e\+18"),
        (lambda: network.log_apart_prob(1, 1, t=0.0), r"t must be in \(0, 1\], got t=0.0"),
        (lambda: network.log_apart_prob(-1, 1, t=0.1), r"N must be an integer >= 0, got N=-1"),
        (
            lambda: network.parts_log_failure_bound((1, 1), 0.1, R=1, n=2, statement="ours"),
            r"statement must be 'halves' or 'pairs', got statement='ours'",
        ),
        (
            lambda: network.required_n_parts((1, 1), 1e-200, delta=0.1, R=1, statement="pairs"),
            r"eps must be large enough for n <= 2\*\*60, got eps=1e-200 with R=1",
        ),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
