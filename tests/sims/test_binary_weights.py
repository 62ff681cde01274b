"""The command ``sims.binary_weights``: trials against a slow twin, counts against the law, and what must be refuted."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.binary_weights as command
from sims.solver import binary_sums
from tests import naive, naive_binary
from tests.stats import assert_probability, power_against
from theory.binary_weights import BinaryWeights, equivalent_subset, error_quantile_exact, success_prob_exact


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> dict:
    assert command.main([*argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


@pytest.mark.parametrize("kind", binary_sums.KINDS)
def test_every_path_offers_what_the_slow_twin_says(kind: str) -> None:
    codes = {(1,): 1, (-1,): 2, (-1, 1): 3}
    for R in (1, 2):
        found = binary_sums.sign_options(5, 2**33, 6, 3, R, kind=kind, inner=2)
        for t, row in enumerate(found.tolist()):
            offers = naive_binary.path_signs(5, 2**33 + t, 3, R, kind, 2)
            assert row == [codes[tuple(sorted(offer))] for offer in offers]


@settings(max_examples=30)
@given(
    n=st.integers(1, 4),
    R=st.integers(1, 3),
    kind=st.sampled_from(binary_sums.KINDS),
    inner=st.integers(1, 2),
    gain=st.sampled_from([0.1, 0.3, 0.5, 1.0]),
    eps=st.sampled_from([0.3, 0.1, 0.02]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, 1.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(
    n: int, R: int, kind: str, inner: int, gain: float, eps: float, alpha: float | str, first: int
) -> None:
    def succeeds(size: int, trial: int) -> bool:
        offers = naive_binary.path_signs(5, trial, size, R, kind, inner)
        target = Fraction(naive.draw(5, 1, trial, 0), 2**52) if alpha == "uniform" else Fraction(alpha)
        return any(
            abs(Fraction(gain) * k - target) <= Fraction(eps) for k in naive_binary.sums(list(map(sorted, offers)))
        )

    sizes = sorted({1, n})
    count = command.EXPERIMENT.counter(
        BinaryWeights(R=R, eps=eps, alpha=alpha, kind=kind, gain=gain, inner=inner), sizes, 5
    )
    assert count.piece >= 1
    expected = [[succeeds(size, first + t) for size in sizes] for t in range(4)]
    assert [count(first + t, 1).tolist() for t in range(4)] == expected
    assert count(first, 4).tolist() == [sum(column) for column in zip(*expected, strict=True)]


@pytest.mark.parametrize("kind", binary_sums.KINDS)
@pytest.mark.parametrize(
    ("R", "alpha", "gain"), [(1, 0.5, "best"), (2, -1.0, "best"), (1, "uniform", 0.17), (2, 0.9, 0.31)]
)
def test_counts_follow_the_exact_law(kind: str, R: int, alpha: float | str, gain: float | str) -> None:
    eps, n, trials = 0.1, 7, 20_000
    step = 2 * eps if gain == "best" else gain
    count = command.EXPERIMENT.counter(BinaryWeights(R=R, eps=eps, alpha=alpha, kind=kind, gain=step, inner=2), [n], 3)
    values, draws = equivalent_subset(n, R, kind=kind, inner=2)
    law = success_prob_exact(values, draws, eps=eps, alpha=alpha, gain=gain)
    successes = int(count(0, trials)[0])
    assert_probability(successes, trials, law)
    fewer = success_prob_exact(values - 1, draws, eps=eps, alpha=alpha, gain=gain)  # the control: one sign short
    if abs(fewer - law) > 0.03:
        assert power_against(fewer, law, trials) > 0.99
        with pytest.raises(AssertionError):
            assert_probability(successes, trials, fewer)


def test_controls_are_not_empty() -> None:
    for kind in binary_sums.KINDS:
        values, draws = equivalent_subset(7, 1, kind=kind, inner=2)
        pair = [success_prob_exact(n, draws, eps=0.1, alpha=0.5) for n in (values - 1, values)]
        assert kind == "two-stage" or pair[1] - pair[0] > 0.03


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(1, 3), min_size=6, max_size=6), min_size=1, max_size=4), st.data())
def test_kernel_and_plain_function_and_best_error_agree(rows: list[list[int]], data: st.DataObject) -> None:
    options = np.array(rows, np.int8)
    gain, alpha = data.draw(st.sampled_from([0.125, 0.25, 0.75])), data.draw(st.sampled_from([0.5, -1.0, 0.875]))
    signs = {1: (1,), 2: (-1,), 3: (-1, 1)}
    for eps in (0.125, 0.25, 0.03125):
        lows, highs = binary_sums.good_multiples(6, Fraction(gain), eps, alpha)
        zeros = np.zeros(len(rows), np.int64)
        found = binary_sums.first_hit(options, lows, highs, zeros)
        plain = np.empty(len(rows), np.int64)
        binary_sums._first_hit_py(options, lows, highs, zeros, plain)
        expected = [
            next(
                (
                    i
                    for i in range(7)
                    if any(abs(gain * k - alpha) <= eps for k in naive_binary.sums([signs[o] for o in row[:i]]))
                ),
                7,
            )
            for row in rows
        ]
        assert found.tolist() == plain.tolist() == expected
    errors = [min(abs(gain * k - alpha) for k in naive_binary.sums([signs[o] for o in row])) for row in rows]
    assert binary_sums.best_errors(options, gain, alpha).tolist() == errors


def test_simulated_error_quantiles_follow_the_law() -> None:
    n, R, gain, alpha, trials = 12, 1, 0.15, 1.0, 4000
    errors = binary_sums.best_errors(binary_sums.sign_options(2, 0, trials, n, R), gain, alpha)
    for level in (0.3, 0.5, 0.9):
        bound = error_quantile_exact(n, R, level, alpha=alpha, gain=gain)
        share = float((errors <= bound + 1e-12).mean())
        assert share >= level - 0.04
        assert float((errors < bound - 1e-12).mean()) <= level + 0.04
    with pytest.raises(ValueError, match="2 paths"):
        binary_sums.first_hit(
            np.ones((2, 3), np.int8), np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(2, np.int64)
        )


def test_windows_of_a_uniform_target_are_exact() -> None:
    lows, highs = binary_sums.good_multiples(3, Fraction(0.3), 0.1, None)
    for k in range(-3, 4):
        low, high = (Fraction(0.3) * k + side * Fraction(0.1) for side in (-1, 1))
        inside = [int(lows[k + 3]), int(highs[k + 3])]
        assert all(low <= Fraction(m, 2**52) <= high for m in inside)
        assert Fraction(inside[0] - 1, 2**52) < low
        assert Fraction(inside[1] + 1, 2**52) > high


def test_rows_summary_and_verdicts(capsys: pytest.CaptureFixture) -> None:
    argv = ["--n", "4:28:8", "--R", "1", "2", "--eps", "0.05", "--alpha", "1", "--delta", "0.05", "--trials", "4000"]
    content = run(capsys, *argv, "--seed", "1", "--check")
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    assert {row["gain"] for row in content["rows"]} == {0.1}
    assert [entry["required_n"] for entry in content["summary"]] == [28, 17]
    assert all(entry["continuous_n"] < entry["required_n"] for entry in content["summary"])
    row = next(row for row in content["rows"] if (row["n"], row["R"]) == (20, 1))
    assert row["exact"] == pytest.approx(0.588099, abs=1e-6)  # P(Bin(20, 1/2) >= 10)


@pytest.mark.parametrize("alpha", ["0.5", "uniform"])
def test_a_wrong_law_is_refuted(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, alpha: str) -> None:
    honest = BinaryWeights.success_exact
    monkeypatch.setattr(BinaryWeights, "success_exact", lambda self, n: honest(self, n + 1))
    argv = ["--n", "8", "--eps", "0.05", "--alpha", alpha, "--trials", "20000", "--seed", "1", "--check"]
    assert run(capsys, *argv, code=1)["rows"][0]["verdict"] == "refuted"


@pytest.mark.parametrize("kind", binary_sums.KINDS)
def test_counts_do_not_depend_on_threads_or_parts(capsys: pytest.CaptureFixture, kind: str) -> None:
    base = ["--R", "2", "--eps", "0.1", "--n", "2:6:2", "--seed", "9", "--kind", kind, "--alpha", "uniform"]
    one, two, first, second = (
        [row["successes"] for row in run(capsys, *base, *more)["rows"]]
        for more in (
            ["--trials", "40000", "--jobs", "1"],
            ["--trials", "40000", "--jobs", "2"],
            ["--trials", "1000"],
            ["--trials", "39000", "--first-trial", "1000"],
        )
    )
    assert one == two == [a + b for a, b in zip(first, second, strict=True)]


def test_a_gain_that_steps_over_the_target(capsys: pytest.CaptureFixture) -> None:
    argv = ["--eps", "0.05", "--gain", "0.3", "--trials", "1000", "--seed", "1"]
    content = run(capsys, *argv)
    assert {row["successes"] for row in content["rows"]} == {0}
    assert content["summary"][0]["required_n"] is None
    assert command.main(argv) == 0
    assert "with gain 0.3 no n reaches it (proved)" in capsys.readouterr().out


def test_two_stages_count_units(capsys: pytest.CaptureFixture) -> None:
    argv = [
        "--eps",
        "0.05",
        "--alpha",
        "1",
        "--delta",
        "0.05",
        "--trials",
        "2000",
        "--seed",
        "1",
        "--kind",
        "two-stage",
    ]
    content = run(capsys, *argv, "--inner", "5")
    assert content["summary"][0]["required_n"] == 6  # 28 signs
    assert command.main([*argv, "--inner", "5", "--n", "6"]) == 0
    assert "n = 6, 5 inner signs each, is exactly what it takes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--gain", "0"], "gain must be best or in (0, 1e6], got gain=0"),
        (["--gain", "nan"], "gain must be in (0, 1e6], got gain=nan"),
        (["--gain", "-1"], "gain must be best or in (0, 1e6], got gain=-1"),
        (["--gain", "big"], "--gain takes a number, got 'big'"),
        (["--inner", "0"], "--inner must be an integer in [1, 4096], got 0"),
        (["--kind", "triple"], "--kind"),
        (["--n", "5000"], "the limits are 4096 signs"),
        (["--R", "1e9", "--n", "4"], "draws"),
        (["--eps", "1e-13", "--n", "4"], "eps must be at least 2^-40"),
        (["--plot", "a.gif"], "--plot takes a .png, .pdf or .svg file, got a.gif"),
        (["--eps", "0"], "eps must be in (0, 1], got eps=0"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_plot_and_csv(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    argv = ["--n", "1:8", "--R", "1", "2", "--eps", "0.1", "--trials", "200", "--seed", "1"]
    files = ["--csv", str(tmp_path / "rows.csv"), "--plot", str(tmp_path / "a.png")]
    assert command.main([*argv, *files, "--quiet"]) == 0
    assert (tmp_path / "rows.csv").read_text().startswith("n,R,eps,alpha,kind,trials,successes,success")
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert capsys.readouterr().out == ""
