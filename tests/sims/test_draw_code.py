"""The command ``sims.draw_code``: trials against a slow twin, counts against the law, means against the bounds."""

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.draw_code as command
from sims.run import run
from sims.solver.philox import first_in_box, grid_draws
from tests import naive
from tests.stats import assert_at_least, assert_at_most, assert_probability
from theory import bits
from theory.bits import DrawCode


def _index(seed: int, trial: int, one: DrawCode, limit: int) -> int:
    """Index of the first hit, from 1; limit + 1 if there is none."""
    scale = 2**52
    for k in range(limit):
        draws = [Fraction(naive.draw(seed, 0, trial, k * one.d + c), scale) for c in range(one.d)]
        if one.alpha == "uniform":
            block = [Fraction(naive.draw(seed, 1, trial, c), scale) for c in range(one.d)]
        else:
            block = [Fraction(one.alpha)] * one.d
        if all(abs(x - w) <= Fraction(one.eps) for x, w in zip(draws, block, strict=True)):
            return k + 1
    return limit + 1


@settings(max_examples=25)
@given(
    d=st.integers(1, 4),
    eps=st.sampled_from([0.7, 0.4, 0.15]),
    alpha=st.sampled_from([0.5, -0.95, 1.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(d: int, eps: float, alpha: float | str, first: int) -> None:
    one, sizes = DrawCode(d=d, eps=eps, alpha=alpha), [1, 2, 5]
    expected = [_index(5, first + t, one, 32) for t in range(4)]
    count = command.EXPERIMENT.counter(one, sizes, 5)
    for t, index in enumerate(expected):
        assert count(first + t, 1).tolist() == [int(index <= 2**n) for n in sizes]
    count.records.clear()
    assert count(first, 4).tolist() == [sum(index <= 2**n for index in expected) for n in sizes]
    means = command.Means.of(count.recorded(), 5)
    cut = [min(index, 32) for index in expected]
    assert (means.trials, means.hits) == (4, sum(index <= 32 for index in expected))
    assert means.looked == np.mean(cut)
    assert means.looked_error == pytest.approx(np.std(cut) / 2, abs=1e-4)
    assert means.log2 == pytest.approx(np.mean(np.log2(cut)), abs=1e-8)
    assert means.log2_error == pytest.approx(np.std(np.log2(cut)) / 2, abs=1e-4)
    hit = 0.2
    spent = [bits.geometric_bits(index, hit) if index <= 32 else -32 * math.log2(1 - hit) + 9.0 for index in expected]
    assert means.bits(hit, 9.0)[0] == pytest.approx(np.mean(spent))


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 40), st.integers(2**50, 2**52))
def test_first_in_box_is_the_first_vector_inside(trial: int, d: int, limit: int, width: int) -> None:
    lows = np.repeat([[-width, -(2**52), 1 - width, -width][:d]], 6, axis=0)
    highs = np.repeat([[width, width // 2, width, width - 1][:d]], 6, axis=0)
    found = first_in_box(9, trial, lows, highs, limit)
    values = grid_draws(9, trial, 6, limit * d).reshape(6, limit, d)
    for rows, index in zip(values, found, strict=True):
        inside = np.flatnonzero(((rows >= lows[0]) & (rows <= highs[0])).all(axis=1))
        assert index == (inside[0] if len(inside) else limit)


def test_a_box_contains_its_ends() -> None:
    values = grid_draws(4, 17, 1, 3)
    for low, high, expected in ((0, 0, 0), (1, 9, 1), (-9, -1, 1)):
        lows, highs = values.copy(), values.copy()
        lows[0, 2] += low
        highs[0, 2] += high
        assert first_in_box(4, 17, lows, highs, 1).tolist() == [expected]


@pytest.mark.parametrize(
    ("d", "eps", "alpha"), [(1, 0.05, "uniform"), (2, 0.2, "uniform"), (4, 0.5, "uniform"), (3, 0.4, 0.9)]
)
def test_counts_and_means_agree_with_the_law(d: int, eps: float, alpha: float | str) -> None:
    one, trials = DrawCode(d=d, eps=eps, alpha=alpha), 40_000
    last = one.required_n(1e-4)
    counter = command.EXPERIMENT.counter(one, [2, last // 2, last], 3)
    counts = counter(0, trials)
    for n, hits in zip([2, last // 2, last], counts.tolist(), strict=True):
        low, high = one.success_lower(n), one.success_upper(n)
        assert_at_least(hits, trials, low)
        assert_at_most(hits, trials, high)
    with pytest.raises(AssertionError):  # the control: one bit fewer
        assert_probability(int(counts[1]), trials, one.success_prediction(last // 2 - 1))
    means = command.Means.of(counter.recorded(), last)
    low, high = bits.mean_log2_index_capped(2**last, one)
    assert low - 5 * means.log2_error <= means.log2 <= high + 5 * means.log2_error
    spent, error = means.bits(bits.hit_share(2**last, one), 20.0)
    bound = bits.capped_bits_bound(2**last, one, exception_bits=20.0)
    assert abs(spent - bound) < 5 * error + 20 * 1e-3
    if alpha == "uniform":
        assert bits.necessary_bits(one) < spent - 5 * error
    if alpha == "uniform" and eps > 0.1:
        with pytest.raises(AssertionError):  # the control: the edges forgotten
            assert_probability(int(counts[1]), trials, 1 - (1 - eps**d) ** (2 ** (last // 2)))


def test_rows_summary_and_a_wrong_law(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["--eps", "0.05", "--d", "1", "2", "--trials", "4000", "--seed", "1", "--check", "--json"]
    assert command.main(argv) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    for entry in content["summary"]:
        assert entry["required_n"] == entry["necessary_n"]
        assert entry["necessary_bits"] < entry["entropy_lower"] < entry["bits_bound"]
        assert abs(entry["bits"] - entry["bits_bound"]) < 5 * entry["bits_error"]
    honest = DrawCode.success_upper
    monkeypatch.setattr(DrawCode, "success_upper", lambda self, n: honest(self, n - 1))
    monkeypatch.setattr(DrawCode, "success_lower", lambda self, n: 0.0)
    assert command.main(argv) == 1
    assert "refuted" in capsys.readouterr().out


def test_what_people_read(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["--eps", "0.1", "--alpha", "uniform", "0.5", "--trials", "2000", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert "d = 1, eps = 0.1, alpha = uniform" in out
    assert "an index of n = 6 bits is exactly what it takes (proved)" in out
    assert "measured, at most 4.748 (proved), 3.322 necessary (proved)." in out
    assert "at most 4.69 (proved), 0 necessary" in out  # a known weight


def test_threads_parts_and_stops_change_nothing() -> None:
    questions = [DrawCode(eps=0.2, d=d, alpha="uniform") for d in (1, 3)]
    whole, threads = (run(questions, n=[1, 3, 9], seed=9, trials=30_000, jobs=jobs) for jobs in (1, 3))
    assert whole.rows == threads.rows
    assert whole.summary == threads.summary
    parts = [
        run(questions, n=[1, 3, 9], seed=9, trials=trials, first_trial=first).rows
        for first, trials in ((0, 1000), (1000, 29_000))
    ]
    added = [sum(row["successes"] for row in rows) for rows in zip(*parts, strict=True)]
    assert added == [row["successes"] for row in whole.rows]
    stopped = run(questions[0], n=[1, 3], seed=9, trials=100_000, until=0.05)
    assert stopped.summary[0]["misses"] > 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--d", "5"], "d must be at most 4, got d=5"),
        (["--d", "2", "--n", "33"], "n must be at most 32 at d=2"),
        (["--n", "34"], "n must be an integer in [1, 33], got 34"),
        (["--eps", "1e-13", "--n", "4"], "eps must be at least 2^-40"),
        (["--eps", "0.001", "--d", "4"], "this would take about"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_plot_and_csv(tmp_path: Path) -> None:
    argv = ["--n", "1:6", "--d", "1", "2", "--eps", "0.2", "--trials", "200", "--seed", "1", "--quiet"]
    assert command.main([*argv, "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("n,d,eps,alpha,trials")
    assert (tmp_path / "a.png").stat().st_size > 5000
