"""The command ``sims.subset_sum``: counts against a slow twin, invariance, verdicts and the planted wrong bound."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.commands.output
import sims.subset_sum as command
from sims.statistics.intervals import band_p_value, band_p_value_anytime, clopper_pearson, confidence_sequence
from tests import naive
from tests.stats import assert_at_least, assert_at_most, power_against
from theory.subset_sum import SubsetSum

COLUMNS = (
    "n R eps alpha model trials successes success ci_low ci_high "
    "lower_bound upper_bound prediction prediction_clamped verdict"
)


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> dict:
    assert command.main([*argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def counts(content: dict) -> list[int]:
    return [row["successes"] for row in content["rows"]]


def twin(n: int, R: int, eps: float, alpha: float | str, model: str, seed: int, trial: int) -> bool:
    """One trial from the definitions: slow generator, all choices, rational arithmetic."""
    x = [[naive.draw(seed, 0, trial, i * R + r) / 2**52 for r in range(R)] for i in range(n)]
    target = naive.draw(seed, 1, trial, 0) / 2**52 if alpha == "uniform" else float(alpha)
    options = [x] if model == "choice" else [[[row[r]] for row in x] for r in range(R)]
    return any(naive.best_error(option, target) <= Fraction(eps) for option in options)


@settings(max_examples=25)
@given(
    n=st.integers(1, 6),
    R=st.integers(1, 3),
    eps=st.sampled_from([0.3, 0.1, 0.02]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, "uniform"]),
    model=st.sampled_from(["choice", "vector"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(
    n: int, R: int, eps: float, alpha: float | str, model: str, first: int
) -> None:
    sizes = sorted({1, (n + 1) // 2, n})
    count = command.EXPERIMENT.counter(SubsetSum(R=R, eps=eps, alpha=alpha, model=model), sizes, seed=5)
    assert count.piece >= 1
    expected = [[twin(size, R, eps, alpha, model, 5, first + t) for size in sizes] for t in range(8)]
    assert [count(first + t, 1).tolist() for t in range(8)] == expected
    assert count(first, 8).tolist() == [sum(column) for column in zip(*expected, strict=True)]


def test_rows_and_summary(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--R", "5", "--eps", "0.01", "--trials", "2e4", "--seed", "3")
    assert content["schema"] == "strong-tickets/sims.subset_sum/1"
    assert all(list(row) == COLUMNS.split() for row in content["rows"])
    assert [row["n"] for row in content["rows"]] == list(range(1, len(content["rows"]) + 1))
    for row in content["rows"]:
        assert row["success"] == row["successes"] / row["trials"]
        assert row["ci_low"] <= row["success"] <= row["ci_high"]
        assert row["lower_bound"] <= row["upper_bound"]
        assert row["verdict"] == "consistent"
    (entry,) = content["summary"]
    assert {"R", "eps", "alpha", "delta", "necessary_n", "required_n", "first_n"} <= set(entry)
    first = [row["n"] for row in content["rows"] if row["ci_low"] >= 0.99]
    assert entry["first_n"] == min(first)
    assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]
    assert content["provenance"]["seed"] == 3


def test_default_n_ends_two_past_the_predicted_one(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--R", "2", "--eps", "0.05", "--trials", "100", "--seed", "3", "--delta", "0.1")
    predictions = [row["prediction"] for row in content["rows"]]
    assert predictions[-3] >= 0.9
    assert max(predictions[:-3]) < 0.9


@pytest.mark.parametrize(
    ("R", "n", "truth"), [("1", "8", 0.7108), ("1", "12", 0.9812), ("5", "3", 0.7717), ("5", "4", 0.9965)]
)
def test_independently_simulated_probabilities(capsys: pytest.CaptureFixture, R: str, n: str, truth: float) -> None:
    """Values at eps = .01, alpha = .5 from an independent simulation, known to within .005."""
    (row,) = run(capsys, "--R", R, "--n", n, "--trials", "4e4", "--seed", "17")["rows"]
    assert_at_least(row["successes"], row["trials"], truth - 0.005)
    assert_at_most(row["successes"], row["trials"], min(1.0, truth + 0.005))
    assert power_against(truth - 0.005, truth - 0.03, row["trials"]) > 0.99


@pytest.mark.parametrize("alpha", ["0.5", "-1", "0", "uniform"])
@pytest.mark.parametrize("R", [1, 2, 5])
def test_against_floating_point_simulation(capsys: pytest.CaptureFixture, R: int, alpha: str) -> None:
    """An independent sampler (NumPy's generator, all sums) at several eps: the two counts agree."""
    n, trials = {1: 8, 2: 5, 5: 3}[R], 6000
    rng = np.random.default_rng([R, n])
    x = rng.uniform(-1, 1, (trials, n, R))
    targets = rng.uniform(-1, 1, trials) if alpha == "uniform" else np.full(trials, float(alpha))
    error = np.array([naive.best_error_vectorised(x[t : t + 1], targets[t])[0] for t in range(trials)])
    content = run(
        capsys, "--R", str(R), "--n", str(n), "--eps", "0.1", "1e-2", "1e-3", "--alpha", alpha,
        "--trials", "2e4", "--seed", "29",
    )  # fmt: skip
    for row in content["rows"]:
        theirs = int((error <= row["eps"]).sum())
        from scipy.stats import fisher_exact

        table = [[theirs, trials - theirs], [row["successes"], row["trials"] - row["successes"]]]
        assert fisher_exact(table).pvalue > 1e-6
        assert row["verdict"] != "refuted"


@pytest.mark.parametrize("model", ["choice", "vector"])
def test_counts_do_not_depend_on_how_the_work_is_cut(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    base = ["--R", "2", "--eps", "0.02", "--n", "1:5", "--seed", "8", "--model", model, "--alpha", "uniform"]
    whole = counts(run(capsys, *base, "--trials", "3001", "--jobs", "1"))
    assert counts(run(capsys, *base, "--trials", "3001", "--jobs", "2")) == whole
    parts = [
        counts(run(capsys, *base, "--first-trial", first, "--trials", trials))
        for first, trials in (("0", "1234"), ("1234", "1"), ("1235", "1766"))
    ]
    assert [sum(part) for part in zip(*parts, strict=True)] == whole
    monkeypatch.setattr(command, "_PIECE_VALUES", 130)
    assert counts(run(capsys, *base, "--trials", "3001", "--jobs", "3")) == whole
    assert counts(run(capsys, *base[:-4], "--trials", "3001", "--model", model)) != whole


def test_until_stops_early_and_says_so(capsys: pytest.CaptureFixture) -> None:
    base = ["--R", "1", "--eps", "0.1", "--n", "1:6", "--seed", "8", "--until", "0.05", "--trials", "1e5"]
    content = run(capsys, *base, "--jobs", "1")
    assert all(1000 <= row["trials"] < 1e5 for row in content["rows"])
    assert all(row["ci_high"] - row["ci_low"] < 0.05 for row in content["rows"])
    assert run(capsys, *base, "--jobs", "2")["rows"] == content["rows"]


def test_stopping_early_is_judged_as_such(capsys: pytest.CaptureFixture) -> None:
    """Under --until the interval is the anytime-valid one; else it is Clopper and Pearson's."""
    base = ["--R", "1", "--eps", "0.1", "--n", "3", "--seed", "8", "--trials", "5000"]
    (row,) = run(capsys, *base, "--until", "0.05")["rows"]
    assert (row["ci_low"], row["ci_high"]) == confidence_sequence(row["successes"], row["trials"])
    (row,) = run(capsys, *base)["rows"]
    assert (row["ci_low"], row["ci_high"]) == clopper_pearson(row["successes"], row["trials"])


def test_first_n_needs_the_whole_interval_above(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--R", "5", "--n", "3:6", "--delta", "0.0036", "--trials", "2e4", "--seed", "3")
    for entry, row in ((content["summary"][0], row) for row in content["rows"]):
        assert (row["n"] >= entry["first_n"]) == (row["ci_low"] >= 1 - 0.0036)
    assert any(
        row["ci_low"] < 1 - 0.0036 <= row["ci_high"] for row in content["rows"]
    )  # the case that tells them apart


def test_sequential_verdicts_use_the_anytime_test(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A band that the fixed-sample test excludes at its level, but the anytime test does not."""
    base = ["--R", "1", "--eps", "0.1", "--n", "3", "--seed", "8"]
    (row,) = run(capsys, *base, "--until", "0.05", "--trials", "5000")["rows"]
    edge = next(
        p for p in np.arange(row["success"], 1, 1e-4)
        if band_p_value(row["successes"], row["trials"], p, 1.0) < 1e-6
    )  # fmt: skip
    assert band_p_value_anytime(row["successes"], row["trials"], edge, 1.0) > 1e-6
    monkeypatch.setattr(SubsetSum, "success_lower", lambda self, n: float(edge))
    monkeypatch.setattr(SubsetSum, "success_upper", lambda self, n: 1.0)
    (fixed,) = run(capsys, *base, "--trials", str(row["trials"]))["rows"]
    (anytime,) = run(capsys, *base, "--until", "0.05", "--trials", "5000")["rows"]
    assert (fixed["verdict"], anytime["verdict"]) == ("refuted", "consistent")


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(
    ("name", "planted"),
    [("success_lower", lambda p: min(1.0, 1.3 * p)), ("success_upper", lambda p: 0.7 * p)],
)
def test_a_planted_wrong_bound_is_refuted(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str, planted: object, sequential: bool
) -> None:
    honest = getattr(SubsetSum, name)
    argv = ["--R", "1", "--eps", "0.05", "--n", "2:5", "--trials", "3e4", "--seed", "4", "--check"]
    argv += ["--until", "0.0005"] if sequential else []
    assert {row["verdict"] for row in run(capsys, *argv)["rows"]} == {"consistent"}
    monkeypatch.setattr(SubsetSum, name, lambda self, n: planted(honest(self, n)))
    content = run(capsys, *argv, code=1)
    assert "refuted" in {row["verdict"] for row in content["rows"]}


def test_too_few_trials_have_no_power(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--R", "1", "--eps", "0.01", "--n", "1", "--trials", "3", "--seed", "4", "--check")
    assert [row["verdict"] for row in content["rows"]] == ["no power"]


def test_table_for_people(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    csv, picture = str(tmp_path / "rows.csv"), str(tmp_path / "picture.png")
    argv = ["--R", "5", "--trials", "500", "--seed", "12", "--csv", csv, "--plot", picture]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "seed 12" in out
    assert "is necessary (proved)" in out
    assert "suffices (proved" in out
    assert csv in out
    assert picture in out
    assert all(len(line.rstrip()) <= 100 for line in out.splitlines() if line.startswith(("│", "┃", "┏")))
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert len(Path(csv).read_text().splitlines()) == 7
    first = Path(picture).read_bytes()
    assert command.main([*argv, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert Path(picture).read_bytes() == first


def test_the_seed_is_drawn_and_printed(capsys: pytest.CaptureFixture) -> None:
    seeds = {run(capsys, "--n", "1", "--trials", "1")["params"]["seed"] for _ in range(2)}
    assert len(seeds) == 2
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_number_never_rounds_to_certainty() -> None:
    assert [sims.commands.output.number(p) for p in (0.5, 1 - 1e-6, 1e-9)] == ["0.5000", "1-1e-06", "1.0e-09"]
