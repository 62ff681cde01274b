"""The solver against exhaustive search in rational arithmetic, and its promises about ties, rounding and threads."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.solver import any_within, best_subset, best_subsets, best_subsets_shared
from sims.solver.fixed_point import to_fixed_point, window
from sims.solver.grid import GridSolver
from sims.solver.philox import uniforms
from tests import naive

GRID = st.integers(-(2**20), 2**20).map(lambda m: m / 2**18)
SMALL = st.sampled_from([0.0, 0.0, 0.25, -0.25, 0.5, -0.5, 1.0])
WILD = st.floats(-1e6, 1e6) | st.floats(-1e-6, 1e-6) | st.floats(-1, 1)


def tables(values: st.SearchStrategy, n: int = 7, draws: int = 4) -> st.SearchStrategy:
    return st.integers(1, draws).flatmap(
        lambda r: st.lists(st.lists(values, min_size=r, max_size=r), min_size=1, max_size=n if r > 2 else n + 2)
    )


def check(x: list, alpha: float, *, exact: bool = True) -> None:
    """The solver's answer is what its choice says it is, and the best there is."""
    found = best_subset(x, alpha)
    total = naive.choice_sum(x, found.choice.tolist())
    assert found.sum == float(total)
    assert found.error == float(abs(total - Fraction(alpha)))
    best = naive.best_error(x, alpha)
    if exact:
        assert found.rounding == 0.0
    if found.rounding == 0.0:
        assert abs(total - Fraction(alpha)) == best
    else:
        assert best >= abs(total - Fraction(alpha)) - 2 * Fraction(found.rounding)


@settings(max_examples=300)
@given(tables(GRID), GRID)
def test_equals_exhaustive_search(x: list, alpha: float) -> None:
    check(x, alpha)


@given(tables(SMALL), st.sampled_from([0.0, 0.1, 0.5, -0.75, 5.0, -9.0]))
def test_ties_duplicates_zeros_and_far_targets(x: list, alpha: float) -> None:
    check(x, alpha, exact=False)


@given(tables(WILD), WILD)
def test_values_of_very_different_size(x: list, alpha: float) -> None:
    check(x, alpha, exact=False)


@given(st.lists(GRID, min_size=1, max_size=14), GRID)
def test_one_value_each(x: list[float], alpha: float) -> None:
    found = best_subset(x, alpha)
    assert found.choice.dtype == bool
    picked = sum((Fraction(v) for v, taken in zip(x, found.choice, strict=True) if taken), Fraction(0))
    assert Fraction(found.sum) == picked
    assert abs(picked - Fraction(alpha)) == naive.best_error([[v] for v in x], alpha)


@pytest.mark.parametrize(("n", "draws"), [(14, 1), (10, 2), (8, 3), (7, 4)])
def test_large_exhaustive(n: int, draws: int) -> None:
    x = np.round(uniforms(n, 0, 40, n * draws).reshape(40, n, draws) * 2**36) / 2**36
    values = x[:, :, 0] if draws == 1 else x
    found = best_subsets(values, 0.3125)
    assert (found.error == naive.best_error_vectorised(x, 0.3125)).all()


@pytest.mark.parametrize(
    ("x", "alpha", "error"),
    [
        ([-0.5, -0.25, -0.125], -0.7, 0.05),
        ([-0.5, -0.25, -0.125], 3.0, 3.0),
        ([0.0, 0.0, 0.0], 0.0, 0.0),
        ([0.3] * 9, 0.85, 0.05),
        ([5.0, 7.0, -3.0], 9.0, 0.0),
    ],
)
def test_hand_checked(x: list[float], alpha: float, error: float) -> None:
    assert best_subset(x, alpha).error == pytest.approx(error, abs=1e-12)


def test_rounding_is_reported_when_small_values_are_lost_beside_large_ones() -> None:
    found = best_subset([1e20, -1e20, 1.0], 1.0)
    assert found.rounding >= 0.5
    assert found.error - 2 * found.rounding <= 0.0 <= found.error


@given(tables(SMALL | GRID, n=6), st.lists(GRID, min_size=1, max_size=5))
def test_the_kernels_agree(x: list, alphas: list[float]) -> None:
    """Binary, choice and shared kernels, alone and in a batch, reach the same error."""
    rows = best_subsets([x] * len(alphas), alphas)
    shared = best_subsets_shared(x, alphas)
    assert rows.error.tolist() == shared.error.tolist() == [best_subset(x, alpha).error for alpha in alphas]
    if len(x[0]) == 1:
        flat = [row[0] for row in x]
        binary = best_subsets([flat] * len(alphas), alphas)
        assert binary.error.tolist() == rows.error.tolist()
        assert best_subsets_shared(flat, alphas).error.tolist() == rows.error.tolist()
    for row, alpha in enumerate(alphas):
        total = naive.choice_sum(x, shared[row].choice.tolist())
        assert float(abs(total - Fraction(alpha))) == shared.error[row]


def canonical(x: list[int], target: int) -> tuple[bool, ...]:
    """The documented winner for one value each, by looking at all choices of flipped sizes."""
    n = max(len(x), 2)
    sizes = [abs(v) for v in x] + [0] * (n - len(x))
    target -= sum(v for v in x if v < 0)
    half = n // 2

    def rank(taken: tuple[int, ...]) -> tuple:
        first = sum(s for s, t in zip(sizes[:half], taken[:half], strict=True) if t)
        total = sum(s for s, t in zip(sizes, taken, strict=True) if t)
        left_out = [*taken[half:][::-1], *taken[:half][::-1]]
        return abs(total - target), first, total, left_out

    best = min(itertools.product((0, 1), repeat=n), key=rank)
    return tuple((best[i] == 1) != (v < 0) for i, v in enumerate(x))


@settings(max_examples=200)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8), st.integers(-9, 9))
def test_among_equals_the_documented_choice_wins(x: list[int], target: int) -> None:
    assert tuple(best_subset([float(v) for v in x], float(target)).choice.tolist()) == canonical(x, target)


def test_a_sum_on_the_edge_of_the_window_is_within() -> None:
    x = np.array([[2**50, 2**49]])
    for width, expected in ((2**48, True), (2**48 - 1, False)):
        # sums 0, 2^49, 2^50, 3 2^49; the target 5 2^47 lies 2^47 from the nearest, 2^48 in doubled units
        assert GridSolver(2, 1).mark(x, np.array([5 * 2**48]), np.array([width])).tolist() == [expected]


@given(tables(SMALL, n=5, draws=3), st.permutations(range(4)))
def test_ties_do_not_depend_on_the_batch(x: list, order: list[int]) -> None:
    alphas = np.array([0.0, 0.1, 0.3, 1.0])[order]
    together = best_subsets([x] * 4, alphas)
    for row, alpha in enumerate(alphas):
        assert best_subset(x, float(alpha)).choice.tolist() == together.choice[row].tolist()


def test_many_targets_on_one_value_set() -> None:
    x = uniforms(8, 0, 1, 16)[0]
    alphas = np.linspace(-2.5, 2.5, 333)
    assert (best_subsets_shared(x, alphas).error == best_subsets(np.tile(x, (333, 1)), alphas).error).all()


@pytest.mark.parametrize("draws", [1, 3])
def test_threads_and_pieces_change_nothing(draws: int) -> None:
    x = uniforms(4, 0, 501, 9 * draws).reshape(501, 9, draws)
    one, three = (best_subsets(x, 0.25, jobs=jobs) for jobs in (1, 3))
    assert (one.choice == three.choice).all()
    assert (one.error == three.error).all()


@given(tables(GRID, n=5), GRID, st.integers(0, 2**14).map(lambda m: m / 2**18))
def test_any_within_is_the_definition(x: list, alpha: float, eps: float) -> None:
    assert any_within(x, alpha, eps) == (naive.best_error(x, alpha) <= Fraction(eps))


@given(tables(GRID, n=5), st.floats(-3, 3))
def test_any_within_on_the_boundary(x: list, alpha: float) -> None:
    """Targets off the grid, tolerances one rounding to either side of the exact error."""
    error = float(naive.best_error(x, alpha))
    for eps in (np.nextafter(error, 0), error, np.nextafter(error, 9)):
        assert any_within(x, alpha, eps) == (naive.best_error(x, alpha) <= Fraction(float(eps)))


def test_any_within_on_the_boundary_of_a_long_search() -> None:
    x = np.full(44, 0.5)  # 2^22 half sums: all threads search it together
    assert any_within(x, 0.25, 0.25)
    assert not any_within(x, 0.25, 0.25 - 2.0**-50)


def test_any_within_says_when_it_cannot_decide() -> None:
    x, alpha = [1e17, 1.0, 1e-9, 3e-10], 1e-10
    error = best_subset(x, alpha)
    assert error.rounding > 0
    assert not any_within(x, alpha, 9e-11)  # decided in fractions, as there are few
    assert any_within(x, alpha, 1e-10)
    x += [1e17] * 26
    with pytest.raises(ValueError, match="spans too many orders of magnitude"):
        any_within(x, alpha, 9e-11)
    assert any_within(x, alpha, 1e-10)


@pytest.mark.parametrize("model", ["choice", "vector"])
@pytest.mark.parametrize(("n", "draws"), [(1, 1), (2, 3), (5, 2), (9, 1), (4, 4)])
def test_grid_solver_is_the_definition(n: int, draws: int, model: str) -> None:
    rows = 60
    x = uniforms(n, 0, rows, n * draws).reshape(rows, n, draws)
    integers = (x * 2**52).astype(np.int64).reshape(rows, -1)
    eps = {1: 0.1, 2: 0.05}.get(n, 0.004)
    centre, width = window(0.3, eps, 52)
    marks = GridSolver(n, draws, model=model).mark(integers, np.full(rows, centre), np.full(rows, width))
    for row in range(rows):
        options = [x[row].tolist()] if model == "choice" else [[[v] for v in x[row, :, r]] for r in range(draws)]
        expected = any(naive.best_error(option, 0.3) <= Fraction(eps) for option in options)
        assert marks[row] == expected
    assert not GridSolver(n, draws).mark(integers, np.full(rows, centre), np.full(rows, -1)).any()


@given(st.floats(-1, 1), st.floats(1e-9, 1), st.integers(3, 52), st.data())
def test_window_holds_exactly_the_integers_within(alpha: float, eps: float, bits: int, data: st.DataObject) -> None:
    centre, width = window(alpha, eps, bits)
    for edge in ((centre - width) // 2, (centre + width) // 2):
        for m in (edge - 1, edge, edge + 1, data.draw(st.integers(-(2**bits), 2**bits))):
            inside = abs(Fraction(m, 2**bits) - Fraction(alpha)) <= Fraction(eps)
            assert (abs(2 * m - centre) <= width) == inside


@given(tables(WILD, n=5), WILD)
def test_fixed_point_rounding_is_bounded(x: list, alpha: float) -> None:
    integers, target, exponent, rounding = to_fixed_point(np.array([x]), np.array([alpha]))
    scale = Fraction(2) ** int(exponent[0])
    for choice in list(naive.choices(x))[:50]:
        true = naive.choice_sum(x, choice) - Fraction(alpha)
        fixed = Fraction(int(sum(integers[0, i, r] for i, r in enumerate(choice) if r >= 0) - target[0])) / scale
        assert abs(true - fixed) <= Fraction(float(rounding[0]))
    assert abs(integers).max(axis=2).sum() + abs(target[0]) <= 2**58 + len(x) + 1


@pytest.mark.parametrize(
    ("x", "alpha", "message"),
    [
        ([[[1.0]]], 0.0, "x must have shape"),
        ([], 0.0, "x must have shape"),
        ([1.0, float("nan")], 0.0, "x must be finite"),
        ([1.0], float("inf"), "alpha must be finite"),
        (["a"], 0.0, "x must be numbers"),
        ([1e308] * 9, 0.0, "too large"),
        (np.zeros(100), 0.0, "n=100 with R=1 is out of reach, the limit is n=60"),
    ],
)
def test_bad_input(x: object, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_subset(x, alpha)


def test_bad_batches() -> None:
    with pytest.raises(ValueError, match="one entry per row"):
        best_subsets(np.zeros((3, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="eps must be at least 0, got eps=-1"):
        any_within([1.0], 0.0, -1)
    with pytest.raises(ValueError, match="alphas must have shape"):
        best_subsets_shared([1.0], 0.5)
