"""Whole success curves: one pass must say for every n what solving each n apart says."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver.curve import GridCurve
from sims.solver.fixed_point import window
from sims.solver.grid import GridSolver
from sims.solver.philox import grid_draws
from tests import naive

CASES = [(1, 1), (2, 1), (3, 1), (9, 1), (14, 1), (1, 4), (2, 9), (5, 2), (6, 2), (4, 3), (4, 5), (3, 9)]


@pytest.mark.parametrize("model", ["choice", "vector"])
@pytest.mark.parametrize(("n", "draws"), CASES)
def test_equals_solving_each_n_apart(n: int, draws: int, model: str) -> None:
    rows = 400
    x = grid_draws(n, 0, rows, n * draws)
    curve = GridCurve(n, draws, model=model)
    for eps in (0.2, 0.02, 0.0005):
        centre, width = window(0.3, eps, 52)
        centres, widths = np.full(rows, centre), np.full(rows, width)
        first = curve.first_n(x, centres, widths)
        for k in range(1, n + 1):
            part = np.ascontiguousarray(x[:, : k * draws])
            assert ((first <= k) == GridSolver(k, draws, model=model).mark(part, centres, widths)).all()


@settings(max_examples=150)
@given(
    rows=st.integers(1, 3).flatmap(
        lambda r: st.lists(
            st.lists(st.integers(-6, 6).map(lambda m: m * 2**40), min_size=r, max_size=r), min_size=1, max_size=6
        )
    ),
    target=st.integers(-20, 20).map(lambda m: m * 2**40),
    width=st.sampled_from([-1, 0, 1, 2**40, 2**41]),
)
def test_ties_zeros_and_edges(rows: list[list[int]], target: int, width: int) -> None:
    """Values full of duplicates and windows that end exactly on sums."""
    n, draws = len(rows), len(rows[0])
    first = GridCurve(n, draws).first_n(np.array(rows).reshape(1, -1), np.array([2 * target]), np.array([2 * width]))
    hits = [k for k in range(n + 1) if naive.best_error([[float(v) for v in row] for row in rows[:k]], target) <= width]
    assert first.tolist() == [min(hits) if hits and width >= 0 else n + 1]


@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 10**6))
def test_success_is_monotone_in_n_and_eps(n: int, draws: int, trial: int) -> None:
    x = grid_draws(5, trial, 20, n * draws)
    firsts = []
    for eps in (0.3, 0.03, 0.003):
        centre, width = window(-0.7, eps, 52)
        firsts.append(GridCurve(n, draws).first_n(x, np.full(20, centre), np.full(20, width)))
    assert (firsts[0] <= firsts[1]).all()
    assert (firsts[1] <= firsts[2]).all()
    shorter = GridCurve(max(1, n - 1), draws).first_n(
        np.ascontiguousarray(x[:, : max(1, n - 1) * draws]), np.full(20, centre), np.full(20, width)
    )
    assert (np.minimum(firsts[2], max(1, n - 1) + 1) == shorter).all()


def test_the_empty_choice_counts() -> None:
    x = grid_draws(1, 0, 5, 3)
    assert GridCurve(3, 1).first_n(x, np.zeros(5, np.int64), np.full(5, 2)).tolist() == [0] * 5


def test_exact_boundary() -> None:
    """A sum at distance eps counts, one grid step farther does not."""
    x = (np.array([[0.25, 0.5]]) * 2**52).astype(np.int64)
    for eps, expected in ((Fraction(1, 8), 2), (Fraction(1, 8) - Fraction(1, 2**52), 3)):
        centre, width = window(0.875, float(eps), 52)
        assert GridCurve(2, 1).first_n(x, np.array([centre]), np.array([width])).tolist() == [expected]


@pytest.mark.parametrize(
    ("n", "draws", "model"), [(12, 1, "choice"), (7, 2, "choice"), (5, 5, "choice"), (9, 3, "vector")]
)
def test_what_the_lists_do_not_hold_is_streamed(
    n: int, draws: int, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of a few variables only; the answers are those of the full lists."""
    rows = 300
    x = grid_draws(n, 1, rows, n * draws)
    centre, width = window(0.3, 2.0**-7, 52)
    centres, widths = np.full(rows, centre), np.where(np.arange(rows) % 50 == 0, -1, width)
    wanted = GridCurve(n, draws, model=model).first_n(x, centres, widths)
    assert len(set(wanted.tolist())) >= 5
    for words in (0, 30, 60):
        monkeypatch.setattr("sims.solver.curve._LISTED_WORDS", words)
        curve = GridCurve(n, draws, model=model)
        assert curve._listed < n
        assert curve.first_n(x, centres, widths).tolist() == wanted.tolist()


def test_long_curves_take_little_memory() -> None:
    """R = 5, n = 21: the lists of 20 variables alone would take 1.4 GB; a sum of 20 of them is hit with the 20th."""
    x = grid_draws(4, 0, 1, 21 * 5)
    curve = GridCurve(21, 5)
    assert curve.nbytes < 250e6
    target = int(x[0, 2::5][:20].sum())
    first = curve.first_n(x, np.array([2 * target]), np.array([0]))
    assert 18 <= first[0] <= 20


def test_memory_is_predicted() -> None:
    with pytest.raises(ValueError, match=r"n=90 with R=1 needs .* the limit is"):
        GridCurve(90, 1)


def test_what_no_stream_ends_is_listed() -> None:
    """Half of three variables with 10^7 values: 10^14 sums, but two lists of 10^7 tell all."""
    assert GridCurve(3, 10**7)._listed == 3
