"""The command ``sims.single_weight``: both samplers against the exact formula, and what they must notice."""

import json

import pytest

import sims.single_weight as command
from tests import naive
from theory.single_weight import SingleWeight


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> dict:
    assert command.main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("alpha", [0.5, -1.0, 0.97, "uniform"])
def test_every_trial_equals_the_slow_twin(alpha: float | str) -> None:
    n, R, eps = 3, 4, 0.05
    count = command.draws_counter(SingleWeight(R=R, eps=eps, alpha=alpha), [1, n], seed=6)
    for trial in range(200):
        target = naive.draw(6, 1, trial, 0) / 2**52 if alpha == "uniform" else float(alpha)
        hits = [abs(naive.draw(6, 0, trial, i) / 2**52 - target) <= eps for i in range(n * R)]
        assert count(trial, 1).tolist() == [any(hits[:R]), any(hits)]


def test_a_draw_on_either_edge_of_the_window_is_in_it() -> None:
    for trial in range(20):
        value = naive.draw(5, 0, trial, 0) / 2**52
        for eps in (0.25, -0.25):
            for beyond in (0.0, 2.0**-50):
                alpha = value - eps - beyond if eps > 0 else value - eps + beyond
                if abs(alpha) <= 1.0:
                    count = command.draws_counter(SingleWeight(eps=0.25, alpha=alpha), [1], 5)
                    assert count(trial, 1).tolist() == [int(beyond == 0.0)]


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
@pytest.mark.parametrize("alpha", ["0.5", "1", "0.95", "uniform"])
def test_exact_formula_and_rows(capsys: pytest.CaptureFixture, sampler: str, alpha: str) -> None:
    trials = "2e4" if alpha != "uniform" or sampler == "draws" else "3000"
    argv = ["--R", "1", "3", "--eps", "0.1", "--n", "1:9:4", "--alpha", alpha, "--sampler", sampler]
    content = run(capsys, *argv, "--trials", trials, "--seed", "2", "--check")
    for row in content["rows"]:
        assert row["verdict"] == "consistent"
        assert row["lower_bound"] == row["bound"] <= row["exact"] <= row["upper_bound"] + 1e-15
    for entry in content["summary"]:
        assert entry["necessary_n"] <= entry["required_n"]


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
def test_a_wrong_formula_is_refuted(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    import theory.single_weight

    honest = theory.single_weight.log_miss_prob_exact

    def wrong(n: int, R: int, *, eps: float, alpha: float) -> float:
        return honest(n, R, eps=0.8 * eps, alpha=alpha)

    monkeypatch.setattr(theory.single_weight.law, "log_miss_prob_exact", wrong)
    content = run(
        capsys, "--R", "2", "--eps", "0.1", "--n", "3", "--trials", "2e4", "--seed", "2", "--sampler", sampler,
        "--check", code=1,
    )  # fmt: skip
    assert content["rows"][0]["verdict"] == "refuted"


def test_a_billion_draws_by_the_nearest_sampler(capsys: pytest.CaptureFixture) -> None:
    argv = ["--R", "1e9", "--eps", "1e-9", "--n", "1:4", "--trials", "2e4", "--seed", "5", "--sampler", "nearest"]
    content = run(capsys, *argv)
    assert {row["verdict"] for row in content["rows"]} == {"consistent"}
    assert content["rows"][0]["success"] == pytest.approx(0.632, abs=0.03)


def test_too_many_honest_draws_are_refused(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["--R", "1e9", "--n", "100", "--seed", "1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "use --sampler nearest" in captured.err


def test_counts_do_not_depend_on_threads_or_parts(capsys: pytest.CaptureFixture) -> None:
    base = ["--R", "3", "--eps", "0.05", "--n", "2:6:2", "--seed", "9"]
    for extra in (["--sampler", "draws"], ["--sampler", "nearest"]):
        one, two, first, second = (
            [row["successes"] for row in run(capsys, *base, *extra, *more)["rows"]]
            for more in (
                ["--trials", "70000", "--jobs", "1"],
                ["--trials", "70000", "--jobs", "2"],
                ["--trials", "1000"],
                ["--trials", "69000", "--first-trial", "1000"],
            )
        )
        assert one == two == [a + b for a, b in zip(first, second, strict=True)]
