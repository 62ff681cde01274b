"""The command ``sims.fixed_size``: trials against a slow twin, counts against bounds, and what must be refuted."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.fixed_size as command
from sims.run import run
from sims.solver.sized import SizedCurve
from tests import naive, naive_sized
from tests.stats import assert_at_least, assert_at_most, assert_probability
from theory.fixed_size import FixedSize, success_prob_second_moment, success_prob_upper


@settings(max_examples=40)
@given(
    n=st.integers(1, 5),
    R=st.integers(1, 3),
    size=st.integers(1, 5),
    eps=st.sampled_from([0.3, 0.1, 0.02]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(
    n: int, R: int, size: int, eps: float, alpha: float | str, first: int
) -> None:
    def succeeds(count: int, trial: int) -> bool:
        target = Fraction(naive.draw(5, 1, trial, 0), 2**52) if alpha == "uniform" else Fraction(alpha)
        rows = naive_sized.rows_of(5, trial, count, R)
        return naive_sized.hits(rows, target, lambda k: Fraction(eps) if k == size else None)

    sizes = list(range(1, n + 1))
    count = command.EXPERIMENT.counter(FixedSize(R=R, eps=eps, alpha=alpha, size=size), sizes, 5)
    expected = [[succeeds(m, first + t) for m in sizes] for t in range(4)]
    assert [count(first + t, 1).tolist() for t in range(4)] == expected
    assert count(first, 4).tolist() == [sum(column) for column in zip(*expected, strict=True)]


def test_planted_sums_are_found_at_the_right_size_and_variable() -> None:
    rng = np.random.default_rng(3)
    n, R, size = 17, 2, 6
    for _ in range(20):
        values = rng.integers(-(2**52), 2**52, size=(1, n * R))
        chosen = np.sort(rng.choice(n, size, replace=False))
        total = 2 * int(sum(values[0, i * R + 1] for i in chosen))
        centres = np.full((1, size + 1), total)
        for k, expected in ((size, int(chosen[-1]) + 1), (size - 1, n + 1)):
            widths = np.where(np.arange(size + 1) == k, 0, -1)
            assert SizedCurve(n, R, size).first_n(values, centres, widths).tolist() == [expected]
    with pytest.raises(ValueError, match="the limit is 2"):
        SizedCurve(80, 1, 30)


@pytest.mark.parametrize(("R", "size", "alpha"), [(1, 4, 0.5), (2, 3, -0.8), (1, 5, "uniform")])
def test_counts_lie_between_the_bounds(R: int, size: int, alpha: float | str) -> None:
    one, trials = FixedSize(R=R, eps=0.02, alpha=alpha, size=size), 40_000
    at = {"eps": 0.02, "alpha": alpha, "size": size}
    sizes = [size, size + 1, size + 2]
    for n, hit in zip(sizes, command.EXPERIMENT.counter(one, sizes, 3)(0, trials).tolist(), strict=True):
        low, high = success_prob_second_moment(n, R, **at), success_prob_upper(n, R, **at)
        assert_at_least(hit, trials, low)
        assert_at_most(hit, trials, high)
        with pytest.raises(AssertionError):  # the control: one size too large
            assert_probability(hit, trials, success_prob_upper(n, R, **{**at, "size": size + 1}))


def test_rows_summary_and_a_wrong_bound(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["--n", "5:16", "--trials", "4000", "--seed", "1", "--check", "--json"]
    assert command.main(argv) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    assert {row["size"] for row in content["rows"]} == {5}
    (entry,) = content["summary"]
    assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]
    honest = FixedSize.success_lower
    monkeypatch.setattr(FixedSize, "success_lower", lambda self, n: honest(self, 3 * n))
    assert command.main(argv) == 1
    assert "refuted" in capsys.readouterr().out


def test_threads_and_parts_change_nothing() -> None:
    question = [FixedSize(R=2, eps=0.05, size=size, alpha="uniform") for size in (1, 3)]
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
        (["--size", "0"], "size must be an integer >= 1, got size=0"),
        (["--size", "65"], "size must be at most 64, got size=65"),
        (["--size", "30", "--n", "80"], "the limit is 2^27"),
        (["--R", "1e9", "--n", "4"], "draws, the limit is"),
        (["--eps", "1e-13", "--n", "4"], "eps must be at least 2^-40"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_plot_and_csv(tmp_path: Path) -> None:
    argv = ["--n", "3:6", "--size", "2", "3", "--eps", "0.1", "--trials", "200", "--seed", "1", "--quiet"]
    assert command.main([*argv, "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("n,R,eps,alpha,size,trials")
    assert (tmp_path / "a.png").stat().st_size > 5000
