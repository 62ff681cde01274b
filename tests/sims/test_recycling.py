"""``python -m sims.recycling``: counts against an independent sampler, the choice model beside, and the files."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from sims import recycling as command
from sims import subset_sum as choice_command
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from tests.sims.test_multiset import numpy_sums
from tests.stats import assert_at_least, assert_at_most
from theory.recycling import Recycling

COLUMNS = (
    "n eps alpha trials successes success ci_low ci_high lower_bound upper_bound prediction prediction_clamped "
    "R1 R1_ci_low R1_ci_high R2 R2_ci_low R2_ci_high R3 R3_ci_low R3_ci_high worth_R expected_R verdict"
)


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> dict:
    assert command.main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def counts(content: dict) -> list[int]:
    return [row["successes"] for row in content["rows"]]


def test_result_is_complete_and_consistent(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--eps", "0.01", "--trials", "2e4", "--seed", "3")
    assert content["schema"] == "strong-tickets/sims.recycling/1"
    assert all(list(row) == COLUMNS.split() for row in content["rows"])
    sizes = [row["n"] for row in content["rows"]]
    assert sizes == list(range(1, len(sizes) + 1))
    assert next(row["n"] for row in content["rows"] if row["prediction"] >= 0.95) == sizes[-3]
    for row in content["rows"]:
        assert row["success"] == row["successes"] / row["trials"]
        assert (row["ci_low"], row["ci_high"]) == clopper_pearson(row["successes"], row["trials"])
        assert row["R2_ci_low"] <= row["R2"] <= row["R2_ci_high"]
        assert row["lower_bound"] <= row["upper_bound"]
        assert row["verdict"] == "consistent"
        assert row["success"] >= row["R1"]  # the same values, and more sums of them
    assert content["rows"][0]["success"] == content["rows"][0]["R1"]  # n = 1: one value, used once, or none
    (entry,) = content["summary"]
    reached = [row["n"] for row in content["rows"] if row["ci_low"] >= 0.95]
    assert entry["first_n"] == min(reached)
    assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]
    at = next(row for row in content["rows"] if row["n"] == entry["gain_n"])
    assert abs(at["success"] - 0.5) == min(abs(row["success"] - 0.5) for row in content["rows"])
    assert entry["sums"] == math.comb(2 * at["n"], at["n"])
    total = math.log(entry["sums"]) - at["n"] * math.log(2)
    assert entry["gain_left"] == pytest.approx(at["n"] * math.log((at["worth_R"] + 1) / 2) / total)
    assert entry["gain_after_spread"] == pytest.approx(at["n"] * math.log((at["expected_R"] + 1) / 2) / total)


def test_first_n_needs_the_whole_interval_above(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--n", "6:9", "--delta", "0.0285", "--trials", "1e4", "--seed", "3", "--R", "1")
    (entry,) = content["summary"]
    for row in content["rows"]:
        assert (row["n"] >= entry["first_n"]) == (row["ci_low"] >= 1 - 0.0285)
    assert any(row["ci_low"] < 1 - 0.0285 <= row["ci_high"] for row in content["rows"])


def test_choice_columns_are_those_of_the_other_command(capsys: pytest.CaptureFixture) -> None:
    base = ["--n", "2:5", "--eps", "0.02", "--alpha", "0.5", "uniform", "--trials", "3000", "--seed", "9"]
    ours = run(capsys, *base, "--R", "1", "4")["rows"]
    assert choice_command.main([*base, "--R", "1", "4", "--json"]) == 0
    theirs = json.loads(capsys.readouterr().out)["rows"]
    for row in ours:
        for R in (1, 4):
            key = (R, row["n"], row["alpha"])
            (other,) = (other for other in theirs if (other["R"], other["n"], other["alpha"]) == key)
            assert row[f"R{R}"] == other["success"]
            assert (row[f"R{R}_ci_low"], row[f"R{R}_ci_high"]) == (other["ci_low"], other["ci_high"])
        assert (row["worth_R"] is not None) == (row["R1"] <= row["success"] <= row["R4"] < 1)


@pytest.mark.parametrize("alpha", ["0.5", "-1", "uniform"])
def test_against_floating_point_simulation(capsys: pytest.CaptureFixture, alpha: str) -> None:
    """An independent sampler (NumPy's generator, all sums): the two counts agree; a wrong n is told apart."""
    n, trials = 5, 4000
    rng = np.random.default_rng(n)
    x = rng.uniform(-1, 1, (trials, n))
    targets = rng.uniform(-1, 1, trials) if alpha == "uniform" else np.full(trials, float(alpha))
    error = np.array([np.abs(numpy_sums(x[t]) - targets[t]).min() for t in range(trials)])
    content = run(
        capsys, "--n", "4:5", "--eps", "0.1", "0.01", "1e-3", "--alpha", alpha, "--trials", "2e4", "--seed", "29",
        "--R", "1",
    )  # fmt: skip
    for row in content["rows"]:
        theirs = int((error <= row["eps"]).sum())
        table = [[theirs, trials - theirs], [row["successes"], row["trials"] - row["successes"]]]
        p_value = fisher_exact(table).pvalue
        assert p_value > 1e-6 if row["n"] == 5 else p_value < 1e-6
        assert row["verdict"] != "refuted"


@pytest.mark.parametrize("eps", ["0.01", "0.001"])
@pytest.mark.parametrize("alpha", ["0.1", "0.5", "-1", "uniform"])
def test_error_of_the_prediction(capsys: pytest.CaptureFixture, eps: str, alpha: str) -> None:
    """Success is predicted to 0.03; failures are never overestimated by much, nor underestimated tenfold."""
    content = run(capsys, "--eps", eps, "--alpha", alpha, "--n", "1:10", "--trials", "2e4", "--seed", "5", "--R", "1")
    for row in content["rows"]:
        assert_at_least(row["successes"], row["trials"], max(0.0, row["prediction"] - 0.03))
        assert_at_most(row["successes"], row["trials"], min(1.0, row["prediction"] + 0.01))
        failures = row["trials"] - row["successes"]
        assert_at_most(failures, row["trials"], min(1.0, 2.5 * (1.0 - row["prediction"])))
    middle = [row for row in content["rows"] if 0.85 < row["prediction"] < 0.985]
    assert any(row["success"] < row["prediction"] - 0.005 for row in middle)  # where it is known to be too high


def test_correlation_costs_nothing_halfway_and_much_in_the_tail(capsys: pytest.CaptureFixture) -> None:
    """Up to success 1/2 recycling is worth the R that expects as many good sums; far up it is worth less."""
    content = run(capsys, "--eps", "0.01", "--n", "5", "10", "--trials", "5e4", "--seed", "6")
    half, far = content["rows"]
    assert half["worth_R"] == pytest.approx(half["expected_R"], abs=0.05)
    assert far["worth_R"] < far["expected_R"] - 0.25
    assert far["R2"] > far["success"] > far["R1"]


def test_counts_do_not_depend_on_how_the_work_is_cut(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ["--eps", "0.02", "--n", "1:6", "--seed", "8", "--alpha", "uniform", "--R", "1"]
    whole = counts(run(capsys, *base, "--trials", "3001", "--jobs", "1"))
    assert counts(run(capsys, *base, "--trials", "3001", "--jobs", "2")) == whole
    parts = [
        counts(run(capsys, *base, "--first-trial", first, "--trials", trials))
        for first, trials in (("0", "1234"), ("1234", "1"), ("1235", "1766"))
    ]
    assert [sum(part) for part in zip(*parts, strict=True)] == whole
    assert counts(run(capsys, *base[:3], "3:6", *base[4:], "--trials", "3001")) == whole[2:]
    monkeypatch.setattr(command, "_PIECE_VALUES", 130)
    assert counts(run(capsys, *base, "--trials", "3001", "--jobs", "3")) == whole


def test_until_stops_early_and_is_judged_as_such(capsys: pytest.CaptureFixture) -> None:
    base = ["--eps", "0.1", "--n", "1:4", "--seed", "8", "--until", "0.05", "--trials", "1e5", "--R", "1", "2"]
    content = run(capsys, *base)
    for row in content["rows"]:
        assert 1000 <= row["trials"] < 1e5
        assert row["ci_high"] - row["ci_low"] < 0.05
        assert (row["ci_low"], row["ci_high"]) == confidence_sequence(row["successes"], row["trials"])


@pytest.mark.parametrize(
    ("name", "planted"),
    [("success_lower", lambda p: min(1.0, 1.3 * p)), ("success_upper", lambda p: 0.7 * p if p < 0.9 else p)],
)
def test_a_planted_wrong_bound_is_refuted(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str, planted: object
) -> None:
    honest = getattr(Recycling, name)
    argv = ["--eps", "0.02", "--n", "2:4", "--trials", "3e4", "--seed", "4", "--check", "--R", "1"]
    assert {row["verdict"] for row in run(capsys, *argv)["rows"]} == {"consistent"}
    monkeypatch.setattr(Recycling, name, lambda self, n: planted(honest(self, n)))
    content = run(capsys, *argv, code=1)
    assert "refuted" in {row["verdict"] for row in content["rows"]}


def test_table_for_people(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    csv, picture = str(tmp_path / "rows.csv"), str(tmp_path / "picture.png")
    argv = ["--trials", "2000", "--seed", "12", "--csv", csv, "--plot", picture, "--R", "1:4", "--n", "1:7"]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "seed 12" in out
    assert "is necessary (proved)" in out
    assert "n = 14 suffices (proved)" in out
    assert "At n = 5 recycling has 252 sums, as many as R = 2.02 fresh draws a slot" in out
    assert "Further R are in --json and --csv: 4." in out
    assert all(len(line.rstrip()) <= 100 for line in out.splitlines() if line.startswith(("│", "┃", "┏")))
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert len(Path(csv).read_text().splitlines()) == 8
    assert command.main([*argv, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert command.main(["--n", "1", "--trials", "100", "--seed", "1"]) == 0
    assert "The gain is not measured" in capsys.readouterr().out
    assert command.main(["--n", "1", "--trials", "100", "--alpha", "uniform", "--delta", "1e-9", "--seed", "1"]) == 0
    assert "no n is proved to suffice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--eps", "0"], "eps must be in (0, 1], got eps=0"),
        (["--eps", "1e-13"], "eps must be at least 2^-40"),
        (["--n", "0"], "n must be an integer in [1,"),
        (["--n", "40"], "n=40 needs"),
        (["--R", "0"], "R must be an integer in [1,"),
        (["--R", "1:7", "--plot", "a.png"], "--plot holds up to 6 values of R, got 7"),
        (["--eps", *(f"0.{k}" for k in range(1, 9)), "--plot", "a.png"], "--plot holds up to 7 settings of eps and"),
        (["--plot", "a.gif"], "--plot takes a .png, .pdf or .svg file, got a.gif"),
        (["--trials", "0"], "trials must be an integer in [1,"),
        (["--model", "vector"], "--model"),
    ],
)
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_the_piece_is_bounded_by_sums_and_by_values() -> None:
    small, large = (command.EXPERIMENT.counter(Recycling(), (n,), 1).piece for n in (2, 14))
    assert small == 2**15 // 2
    assert 1 <= large < 20
