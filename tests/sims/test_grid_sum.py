"""The command ``sims.grid_sum``: trials against a slow twin, counts against bounds, and what must be refuted."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.grid_sum as command
from sims.run import run
from sims.solver.grid_sums import first_hit, steps_of
from tests import naive, naive_grid
from tests.stats import assert_probability
from theory.grid_sum import GridSum


@settings(max_examples=60)
@given(
    n=st.integers(1, 6),
    R=st.integers(1, 3),
    M=st.sampled_from([1, 2, 5, 33, 500, 10**4]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, 1.0, "uniform"]),
    tolerance=st.integers(0, 1),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(
    n: int, R: int, M: int, alpha: float | str, tolerance: int, first: int
) -> None:
    def needed(trial: int) -> int:
        one = GridSum(grid=M, alpha=alpha)
        target = naive_grid.step(naive.draw(5, 1, trial, 0), M) if alpha == "uniform" else one.target
        sums = {0}
        for i in range(n + 1):
            if any(abs(s - target) <= tolerance for s in sums):
                return i
            steps = [naive_grid.step(naive.draw(5, 0, trial, i * R + r), M) for r in range(R)]
            sums |= {s + x for s in sums for x in steps}
        return n + 1

    sizes = list(range(1, n + 1))
    count = command.EXPERIMENT.counter(GridSum(R=R, grid=M, alpha=alpha, tolerance=tolerance), sizes, 5)
    expected = [[needed(first + t) <= m for m in sizes] for t in range(3)]
    assert [count(first + t, 1).tolist() for t in range(3)] == expected
    assert count(first, 3).tolist() == [sum(column) for column in zip(*expected, strict=True)]


def test_steps_are_equal_parts() -> None:
    rng = np.random.default_rng(1)
    draws = np.concatenate([rng.integers(-(2**52), 2**52, 500), [-(2**52), -1, 0, 2**52 - 1]])
    for M in (1, 2, 100, 9999, 10**4):
        assert steps_of(draws, M).tolist() == [naive_grid.step(draw, M) for draw in draws.tolist()]
    with pytest.raises(ValueError, match="values must be at most 2 in size"):
        first_hit(np.full((1, 1, 1), 3), np.zeros(1, np.int64), 0, 2)


def test_steps_of_whole_words_move_no_bit_twice() -> None:
    """Multiples of 64: where the words are shifted as wholes, no bit of the word before may come along."""
    values = np.array([[[64], [1], [-128], [64]], [[128], [2], [-64], [-64]]])
    for target in range(-200, 201):
        for trial in range(2):
            sums, wanted = {0}, 0 if target == 0 else 5
            for i, step in enumerate(values[trial, :, 0].tolist(), 1):
                sums |= {s + step for s in sums}
                wanted = min(wanted, i if target in sums else 5)
            assert first_hit(values[trial][None], np.array([target]), 0, 128).tolist() == [wanted]


@pytest.mark.parametrize(("n", "R", "M", "alpha"), [(2, 1, 4, 0.5), (2, 2, 3, 1.0), (4, 1, 3, 0.3)])
def test_counts_follow_the_law_of_all_outcomes(n: int, R: int, M: int, alpha: float) -> None:
    one, trials = GridSum(R=R, grid=M, alpha=alpha), 40_000
    exact = float(naive_grid.success(n, R, M, one.target, 0))
    (hits,) = command.EXPERIMENT.counter(one, [n], 3)(0, trials).tolist()
    assert_probability(hits, trials, exact)
    with pytest.raises(AssertionError):  # the control: a grid with one step more
        assert_probability(hits, trials, exact * (2 * M + 1) / (2 * M + 3))


def test_rows_summary_and_a_wrong_bound(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["--grid", "20", "--n", "1:14", "--trials", "4000", "--seed", "1", "--check", "--json", "--delta", "0.05"]
    assert command.main(argv) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    (entry,) = content["summary"]
    assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"] < entry["required_n_one"]
    honest = GridSum.success_upper
    monkeypatch.setattr(GridSum, "success_upper", lambda self, n: 0.7 * honest(self, n))
    monkeypatch.setattr(GridSum, "success_lower", lambda self, n: 0.0)
    assert command.main(argv) == 1
    assert "refuted" in capsys.readouterr().out


def test_threads_and_parts_change_nothing() -> None:
    question = [GridSum(R=2, grid=M, alpha="uniform") for M in (7, 90)]
    whole, threads, first, second = (
        [row["successes"] for row in run(question, n=range(1, 7), seed=9, **more).rows]
        for more in (
            {"trials": 30_000, "jobs": 1},
            {"trials": 30_000, "jobs": 3},
            {"trials": 1000},
            {"trials": 29_000, "first_trial": 1000},
        )
    )
    assert whole == threads == [a + b for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--grid", "0"], "grid must be an integer >= 1, got grid=0"),
        (["--grid", "20000"], "grid must be at most 10000, got grid=20000"),
        (["--tolerance", "200"], "tolerance must be at most grid=100, got tolerance=200"),
        (["--R", "1e9", "--n", "4"], "the limits are"),
        (["--eps", "0.1"], "--eps"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_plot_and_csv(tmp_path: Path) -> None:
    argv = ["--n", "1:6", "--grid", "5", "9", "--trials", "200", "--seed", "1", "--quiet"]
    assert command.main([*argv, "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("n,R,grid,tolerance,alpha,trials")
    assert (tmp_path / "a.png").stat().st_size > 5000
