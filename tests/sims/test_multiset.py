"""The exact best multiset, against all multisets in rational arithmetic and against NumPy."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver import multiset
from sims.solver.fixed_point import window
from sims.solver.multiset import MultisetCurve, best_multiset, best_multisets
from sims.solver.philox import grid_draws

FINE = st.floats(-1.0, 1.0)
COARSE = st.integers(-4, 4).map(lambda m: m / 4)


def all_errors(x: list[float], alpha: float, slots: int) -> list[Fraction]:
    """Every multiset's distance from alpha, by listing what the slots hold."""
    exact = [Fraction(value) for value in x]
    held = (c for k in range(slots + 1) for c in itertools.combinations_with_replacement(exact, k))
    return [abs(sum(c, Fraction(0)) - Fraction(alpha)) for c in held]


def numpy_sums(x: np.ndarray) -> np.ndarray:
    """All sums of at most n of the n values, one array operation a value and a slot."""
    by_size = [np.zeros(1)] + [np.zeros(0)] * len(x)
    for value in x:
        longer = by_size[:1]
        for j in range(1, len(x) + 1):
            longer.append(np.concatenate([by_size[j], longer[j - 1] + value]))
        by_size = longer
    return np.concatenate(by_size)


@settings(max_examples=200)
@given(
    x=st.lists(FINE, min_size=1, max_size=5) | st.lists(COARSE, min_size=1, max_size=5),
    alpha=st.floats(-2.0, 2.0),
    slots=st.integers(1, 6),
)
def test_best_multiset_against_every_multiset(x: list[float], alpha: float, slots: int) -> None:
    found = best_multiset(x, alpha, slots=slots)
    best = min(all_errors(x, alpha, slots))
    counts = found.counts.tolist()
    assert min(counts) >= 0
    assert sum(counts) <= slots
    exact = sum((c * Fraction(v) for c, v in zip(counts, x, strict=True)), Fraction(0))
    assert found.sum == float(exact)
    assert found.error == float(abs(exact - Fraction(alpha)))
    assert best <= abs(exact - Fraction(alpha)) <= best + 2 * Fraction(found.rounding)
    assert found.rounding <= 1e-15


@pytest.mark.parametrize("n", [1, 2, 3, 6, 8, 9])
def test_as_many_slots_as_values_by_default(n: int) -> None:
    x = np.random.default_rng(n).uniform(-1, 1, (5, n))
    found = best_multisets(x, 0.3)
    assert len(numpy_sums(x[0])) == math.comb(2 * n, n)
    for row in range(5):
        assert found[row].error == pytest.approx(np.abs(numpy_sums(x[row]) - 0.3).min(), abs=1e-14)
    one = best_multisets(x, np.full(5, 0.3), jobs=3)
    assert (one.counts == found.counts).all()
    assert (best_multisets(x[2:4], 0.3, jobs=1).counts == found.counts[2:4]).all()


def test_a_batch_on_threads_is_the_rows_alone() -> None:
    x = np.random.default_rng(5).uniform(-1, 1, (300, 4))
    alphas = np.linspace(-1, 1, 300)
    whole = best_multisets(x, alphas, jobs=4)
    assert len(whole) == 300
    for row in range(0, 300, 37):
        alone = best_multiset(x[row], alphas[row])
        assert whole[row].error == alone.error
        assert whole[row].counts.tolist() == alone.counts.tolist()


def test_values_of_very_different_size_are_rounded_and_say_so() -> None:
    found = best_multiset([1e30, 1e-30, 0.25], 0.5)
    assert found.rounding > 0.0
    assert found.error - 2 * found.rounding <= float(min(all_errors([1e30, 1e-30, 0.25], 0.5, 3))) <= found.error


def test_repetition_beats_subsets_and_slots_limit_it() -> None:
    assert best_multiset([0.1, -0.9], 0.2).counts.tolist() == [2, 0]
    assert best_multiset([0.125], 0.5, slots=4).error == 0.0
    assert best_multiset([0.125], 0.5, slots=3).error == 0.125
    assert best_multiset([0.3, -0.7], 0.0).counts.tolist() == [0, 0]


@pytest.mark.parametrize("eps", [0.2, 0.02, 0.001])
def test_first_n_against_every_multiset(eps: float) -> None:
    n, rows = 5, 120
    x = grid_draws(11, 0, rows, n)
    centre, width = window(0.5, eps, 52)
    first = MultisetCurve(n).first_n(x, np.full(rows, centre), np.full(rows, width))
    for row in range(rows):
        values = np.ldexp(x[row].astype(float), -52).tolist()
        hits = [k for k in range(1, n + 1) if min(all_errors(values[:k], 0.5, k)) <= Fraction(eps)]
        assert first[row] == (min(hits) if hits else n + 1)
    assert len(set(first.tolist())) > 1


@settings(max_examples=100)
@given(
    x=st.lists(st.integers(-3, 3), min_size=1, max_size=6),
    target=st.integers(-8, 8),
    width=st.sampled_from([-1, 0, 1]),
)
def test_first_n_with_ties_zeros_and_edges(x: list[int], target: int, width: int) -> None:
    first = MultisetCurve(len(x)).first_n(
        np.array([x]) * 2**40, np.array([target]) * 2**41, np.array([2 * width]) * 2**40
    )
    hits = [k for k in range(len(x) + 1) if min(all_errors([float(v) for v in x[:k]], target, k)) <= width]
    assert first.tolist() == [hits[0] if hits and width >= 0 else len(x) + 1]


def test_first_n_agrees_with_best_multisets_at_larger_n() -> None:
    n, rows, eps = 10, 60, 2e-4
    x = grid_draws(2, 0, rows, n)
    centre, width = window(-0.7, eps, 52)
    first = MultisetCurve(n).first_n(x, np.full(rows, centre), np.full(rows, width))
    reals = np.ldexp(x.astype(float), -52)
    for k in range(1, n + 1):
        assert ((first <= k) == (best_multisets(reals[:, :k], -0.7).error <= eps)).all()
    assert len(set(first.tolist())) > 2


def test_exact_boundary_and_one_curve_used_twice() -> None:
    x = (np.array([[0.25, -0.5]]) * 2**52).astype(np.int64)
    curve = MultisetCurve(2)
    for eps, expected in ((Fraction(1, 8), 2), (Fraction(1, 8) - Fraction(1, 2**52), 3), (Fraction(1, 8), 2)):
        centre, width = window(0.625, float(eps), 52)  # 0.25 twice is 1/8 away
        assert curve.first_n(x, np.array([centre]), np.array([width])).tolist() == [expected]
    assert curve.first_n(x, np.array([0]), np.array([2])).tolist() == [0]


@pytest.mark.parametrize(("n", "slots"), [(1, 1), (2, 5), (5, 2), (7, 7), (8, 8)])
def test_predicted_memory_is_what_is_taken(n: int, slots: int) -> None:
    exact, _, most, _ = multiset._Memory(n, slots).arrays
    taken = len(exact) + len(most)
    assert taken <= multiset._words(n, slots) <= 1.5 * taken + 8
    assert multiset.half_sums(n, slots) > multiset._words(n, slots)


def test_too_large_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^n=40 needs .* of memory \(2 threads\), the limit is .*$"):
        MultisetCurve(40, threads=2)
    with pytest.raises(ValueError, match=r"^n=40 with 41 slots needs .* of memory \(1 thread\)"):
        best_multiset(np.zeros(40), 0.5, slots=41)
    with pytest.raises(ValueError, match="n=24 is out of reach"):
        multiset._check(24, 24, 1, limit=2**60)
    multiset._check(4, 4, 1, limit=8 * multiset._words(4, 4))
    with pytest.raises(ValueError, match=r"needs .* the limit is"):
        multiset._check(4, 4, 1, limit=8 * multiset._words(4, 4) - 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_multiset([[0.5]], 0.1), r"x must have shape \(n,\) with n >= 1, got shape \(1, 1\)"),
        (lambda: best_multiset([], 0.1), r"x must have shape \(n,\) with n >= 1"),
        (lambda: best_multiset([0.5], [0.1]), "alpha must be one number"),
        (lambda: best_multiset([math.nan], 0.1), "x must be finite"),
        (lambda: best_multiset(["a"], 0.1), "x must be numbers"),
        (lambda: best_multiset([0.5], math.inf), "alpha must be finite"),
        (lambda: best_multiset([0.5], 0.1, slots=0), r"slots must be an integer in \[1, 2147483647\], got 0"),
        (lambda: best_multisets([[0.5]], [0.1, 0.2]), "alpha must be a scalar or have one entry per row"),
        (lambda: best_multisets([0.5], 0.1), r"x must have shape \(rows, n\)"),
        (lambda: best_multiset([1e308, 1e308], 0.1), "too large"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
