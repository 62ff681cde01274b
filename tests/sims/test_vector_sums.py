"""Sums of vectors: the solver and every trial against slow twins, the proved band, and the planted wrong bound."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.vector_sum as command
from sims.run import run
from sims.solver.vector_sums import VectorCurve, best_vector, check_vectors
from sims.subset_sum import EXPERIMENT as ONE_DIMENSION
from tests import naive_vectors
from tests.stats import assert_at_most, assert_probability, power_against
from theory.subset_sum import SubsetSum
from theory.vector_sum import VectorSum

COLUMNS = (
    "n d R eps alpha trials successes success ci_low ci_high "
    "lower_bound upper_bound prediction prediction_clamped verdict"
)


@st.composite
def instances(draw: st.DrawFn, values: st.SearchStrategy) -> tuple[list, list]:
    d, R = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    n = draw(st.integers(1, {1: 7, 2: 5, 3: 4}[R]))
    vector = st.lists(values, min_size=d, max_size=d)
    return [[draw(vector) for _ in range(R)] for _ in range(n)], draw(vector)


def check(x: list, target: list) -> None:
    """The answer is what its choice says it is, and the best there is."""
    found = best_vector(x, target)
    own, best = naive_vectors.error(x, found.choice, target), naive_vectors.best_error(x, target)
    assert found.error == float(own)
    assert own == best if found.rounding == 0.0 else own <= best + 2 * Fraction(found.rounding)


@settings(max_examples=150)
@given(instances(st.integers(-64, 64).map(lambda m: m / 32)))
def test_best_vector_on_a_coarse_grid_with_ties(case: tuple[list, list]) -> None:
    check(*case)
    assert best_vector(*case).rounding == 0.0


@settings(max_examples=100)
@given(instances(st.floats(-1, 1) | st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1e-9])))
def test_best_vector_on_wild_values(case: tuple[list, list]) -> None:
    check(*case)


@pytest.mark.parametrize(("d", "R", "n"), [(1, 1, 16), (2, 1, 14), (3, 1, 14), (4, 2, 9), (2, 4, 6)])
def test_long_lists_are_searched_whole(d: int, R: int, n: int) -> None:
    """Cells with many sums: the best error by all sums at once in float64, exact on this grid."""
    rng = np.random.default_rng([d, R, n])
    for scale in (2**3, 2**20):  # many ties, and none
        x, target = rng.integers(-scale, scale, (n, R, d)) / scale, rng.integers(-scale, scale, d) / scale
        sums = np.zeros((1, d))
        for row in x:
            sums = np.concatenate([sums, *(sums + vector for vector in row)])
        assert best_vector(x, target).error == np.abs(sums - target).max(axis=1).min()


def test_wrong_arguments() -> None:
    for x, target, message in (
        ([[0.5]], [0.5], r"x must have shape \(n, R, d\) with n, R, d >= 1, got shape \(1, 1\)"),
        ([[[0.5, 0.5]]], [0.5], r"alpha must have shape \(2,\), got shape \(1,\)"),
        ([[[np.inf]]], [0.5], "x must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            best_vector(x, target)
    with pytest.raises(ValueError, match="n=49 with R=1 is out of reach, the limit is n=48"):
        check_vectors(49, 1, 2, 1)
    with pytest.raises(ValueError, match=r"n=48 with R=1 and d=4 needs .* of memory"):
        VectorCurve(48, 1, 4, threads=10**6)


@settings(max_examples=40)
@given(
    n=st.integers(1, 6),
    R=st.integers(1, 3),
    d=st.integers(1, 4),
    eps=st.sampled_from([0.5, 0.3, 0.1]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(n: int, R: int, d: int, eps: float, alpha: float | str, first: int) -> None:
    n = min(n, 6 if R == 1 else 4)
    sizes = sorted({1, n})
    count = command.EXPERIMENT.counter(VectorSum(d=d, R=R, eps=eps, alpha=alpha), sizes, seed=5)
    expected = [[naive_vectors.hits(size, R, d, eps, alpha, 5, first + t) for size in sizes] for t in range(3)]
    assert [count(first + t, 1).tolist() for t in range(3)] == expected
    assert count(first, 3).tolist() == [sum(column) for column in zip(*expected, strict=True)]


@pytest.mark.parametrize("alpha", [0.5, "uniform"])
@pytest.mark.parametrize("R", [1, 4])
def test_one_dimension_is_the_subset_sum(R: int, alpha: float | str) -> None:
    sizes = range(1, 10) if R == 1 else range(1, 5)
    ours = command.EXPERIMENT.counter(VectorSum(d=1, R=R, eps=0.02, alpha=alpha), sizes, 3)(7, 4000)
    theirs = ONE_DIMENSION.counter(SubsetSum(R=R, eps=0.02, alpha=alpha), sizes, 3)(7, 4000)
    assert ours.tolist() == theirs.tolist()
    assert 0 < ours[0] < ours[-1]


def test_one_vector_is_a_product_of_windows() -> None:
    """n = 1: P(success) = 1 - (1 - eps^d)^R exactly, and the controls are refuted."""
    trials = 40_000
    (row,) = run(VectorSum(d=2, R=3, eps=0.2), n=1, trials=trials, seed=2).rows
    p = 1 - (1 - 0.2**2) ** 3
    assert_probability(row["successes"], trials, p)
    assert power_against(p, 1 - (1 - 0.2**2) ** 4, trials) > 0.99
    with pytest.raises(AssertionError):
        assert_probability(row["successes"], trials, 1 - (1 - 0.2) ** 3)


def test_rows_and_summary(capsys: pytest.CaptureFixture) -> None:
    argv = ["--d", "2", "3", "--eps", "0.2", "--R", "2", "--trials", "4000", "--seed", "3", "--json"]
    assert command.main(argv) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/sims.vector_sum/1"
    assert " ".join(content["rows"][0]) == COLUMNS
    assert "refuted" not in {row["verdict"] for row in content["rows"]}
    for row in content["rows"]:
        assert row["lower_bound"] <= row["upper_bound"]
    for entry in content["summary"]:
        assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]


def test_counts_do_not_depend_on_how_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    question, options = VectorSum(d=3, R=2, eps=0.2, alpha="uniform"), {"n": range(1, 6), "seed": 8}
    whole = [row["successes"] for row in run(question, trials=2001, jobs=1, **options).rows]
    monkeypatch.setattr(command, "_PIECE_VALUES", 900)
    assert [row["successes"] for row in run(question, trials=2001, jobs=2, **options).rows] == whole
    first = [row["successes"] for row in run(question, trials=700, **options).rows]
    rest = [row["successes"] for row in run(question, trials=1301, first_trial=700, **options).rows]
    assert [a + b for a, b in zip(first, rest, strict=True)] == whole


@pytest.mark.parametrize(
    ("name", "planted"),
    [("success_lower", lambda p: min(1.0, 1.3 * p)), ("success_upper", lambda p: 0.7 * p)],
)
def test_a_planted_wrong_bound_is_refuted(monkeypatch: pytest.MonkeyPatch, name: str, planted: object) -> None:
    question, options = VectorSum(d=2, eps=0.2), {"n": range(2, 6), "trials": 20_000, "seed": 4}
    assert {row["verdict"] for row in run(question, **options).rows} == {"consistent"}
    honest = getattr(VectorSum, name)
    monkeypatch.setattr(VectorSum, name, lambda self, n: planted(honest(self, n)))
    assert "refuted" in {row["verdict"] for row in run(question, **options).rows}


def test_required_n_suffices_and_a_third_does_not() -> None:
    question, trials = VectorSum(d=2, R=2, eps=0.1), 4000
    enough = question.required_n(0.05)
    few, whole = run(question, n=(enough // 3, enough), trials=trials, seed=6).rows
    assert_at_most(trials - whole["successes"], trials, 0.05)
    with pytest.raises(AssertionError):
        assert_at_most(trials - few["successes"], trials, 0.05)


def test_one_clear_line_and_exit_2(capsys: pytest.CaptureFixture) -> None:
    for argv, message in (
        (["--d", "5"], "d must be at most 4, got d=5"),
        (["--d", "0"], "d must be an integer >= 1, got d=0"),
        (["--eps", "0"], "eps must be in (0, 1]"),
        (["--n", "60"], "n=60 with R=1 is out of reach, the limit is n=48"),
        (["--eps", "1e-13", "--n", "3"], "eps must be at least 2^-40"),
    ):
        assert command.main(argv) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_table_and_picture_for_people(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    picture = str(tmp_path / "picture.png")
    argv = ["--d", "1:3", "--R", "5", "--eps", "0.2", "--trials", "500", "--seed", "12", "--plot", picture]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "R = 5, eps = 0.2, d = 3, alpha = 0.5" in out
    assert "is necessary (proved)" in out
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
