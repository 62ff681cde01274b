"""The command ``sims.movable_sum``: trials against a slow twin, counts against bounds, and what must be refuted."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.movable_sum as command
from sims import subset_sum
from sims.run import run
from tests import naive, naive_sized
from tests.stats import assert_at_least, assert_at_most
from theory.movable_sum import MovableSum, success_prob_upper
from theory.subset_sum import SubsetSum


@settings(max_examples=40)
@given(
    n=st.integers(1, 5),
    R=st.integers(1, 2),
    eps=st.sampled_from([0.1, 0.02]),
    move=st.sampled_from([0.0, 0.01, 0.1, 0.7]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(
    n: int, R: int, eps: float, move: float, alpha: float | str, first: int
) -> None:
    def succeeds(count: int, trial: int) -> bool:
        target = Fraction(naive.draw(5, 1, trial, 0), 2**52) if alpha == "uniform" else Fraction(alpha)
        rows = naive_sized.rows_of(5, trial, count, R)
        return naive_sized.hits(rows, target, lambda k: Fraction(eps) + k * Fraction(move))

    sizes = list(range(1, n + 1))
    count = command.EXPERIMENT.counter(MovableSum(R=R, eps=eps, alpha=alpha, move=move), sizes, 5)
    expected = [[succeeds(m, first + t) for m in sizes] for t in range(4)]
    assert [count(first + t, 1).tolist() for t in range(4)] == expected
    assert count(first, 4).tolist() == [sum(column) for column in zip(*expected, strict=True)]


@pytest.mark.parametrize(("R", "alpha"), [(1, 0.5), (3, -0.8), (2, "uniform")])
def test_values_that_do_not_move_count_as_ever(R: int, alpha: float | str) -> None:
    sizes = range(1, 9)
    still = command.EXPERIMENT.counter(MovableSum(R=R, eps=0.01, alpha=alpha, move=0.0), sizes, 3)(0, 3000)
    plain = subset_sum.EXPERIMENT.counter(SubsetSum(R=R, eps=0.01, alpha=alpha), sizes, 3)(0, 3000)
    assert still.tolist() == plain.tolist()


@pytest.mark.parametrize(("R", "alpha", "move"), [(1, 0.5, 0.01), (2, -0.8, 0.005)])
def test_counts_lie_between_the_bounds(R: int, alpha: float, move: float) -> None:
    one, trials = MovableSum(R=R, eps=0.01, alpha=alpha, move=move), 40_000
    for n, hit in zip((2, 3), command.EXPERIMENT.counter(one, [2, 3], 3)(0, trials).tolist(), strict=True):
        assert_at_least(hit, trials, one.success_lower(n))
        assert_at_most(hit, trials, one.success_upper(n))
        with pytest.raises(AssertionError):  # the control: values that do not move
            assert_at_most(hit, trials, success_prob_upper(n, R, eps=0.01, alpha=alpha, move=0.0))


def test_rows_summary_and_a_wrong_bound(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["--n", "1:12", "--trials", "4000", "--seed", "1", "--check", "--json", "--delta", "0.05", "--move", "0.01"]
    assert command.main(argv) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    (entry,) = content["summary"]
    assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]
    honest = MovableSum.success_upper
    monkeypatch.setattr(MovableSum, "success_upper", lambda self, n: 0.7 * honest(self, n))
    monkeypatch.setattr(MovableSum, "success_lower", lambda self, n: 0.0)
    assert command.main(argv) == 1
    assert "refuted" in capsys.readouterr().out


def test_threads_and_parts_change_nothing() -> None:
    question = [MovableSum(R=2, eps=0.05, move=move, alpha="uniform") for move in (0.0, 0.02)]
    whole, threads, first, second = (
        [row["successes"] for row in run(question, n=range(1, 6), seed=9, **more).rows]
        for more in (
            {"trials": 20_000, "jobs": 1},
            {"trials": 20_000, "jobs": 3},
            {"trials": 1000},
            {"trials": 19_000, "first_trial": 1000},
        )
    )
    assert whole == threads == [a + b for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--move", "2"], "move must be in [0, 1], got move=2"),
        (["--n", "80"], "n must be at most 60, got n=80"),
        (["--n", "60"], "the limit is 2^27"),
        (["--eps", "1e-13", "--n", "4"], "eps must be at least 2^-40"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_plot_and_csv(tmp_path: Path) -> None:
    argv = ["--n", "1:5", "--move", "0", "0.1", "--eps", "0.1", "--trials", "200", "--seed", "1", "--quiet"]
    assert command.main([*argv, "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("n,R,eps,alpha,move,trials")
    assert (tmp_path / "a.png").stat().st_size > 5000
