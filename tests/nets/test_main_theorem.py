"""The command ``nets.main_theorem``: the three demonstrations, the corner computed and simulated, and its manners."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")

from nets import main_theorem as command
from tests.stats import assert_at_least, assert_probability, power_against
from theory.network import width as network_width

COLUMNS = """
widths eps delta R statement construction n width_factor param_factor trials successes refuted undecided success
ci_low ci_high error_upper_median error_upper_max error_lower_median error_lower_max verdict seconds
"""


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> list[dict]:
    assert command.main([*argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    content = json.loads(captured.out)
    assert content["schema"] == "strong-tickets/nets.main_theorem/1"
    assert all(list(row) == COLUMNS.split() for row in content["rows"])
    return content["rows"]


def without_seconds(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_our_statement_holds(capsys: pytest.CaptureFixture, domain: str) -> None:
    """Demonstration 1: R = 10, 1000 and the corner n = 1, with the widths that our statement asks for."""
    rows = run(
        capsys, "--widths", "3", "4", "2", "--eps", "0.3", "--delta", "0.2", "--R", "10", "1000", "100000",
        "--trials", "120", "--seed", "5", "--domain", domain, "--check",
    )  # fmt: skip
    assert rows[-1]["n"] == [1, 1]
    for row in rows:
        assert row["successes"] + row["refuted"] + row["undecided"] == row["trials"] == 120
        assert row["verdict"] == "consistent"
        assert_at_least(row["successes"], row["trials"], 0.8)
        assert row["error_lower_max"] <= row["error_upper_max"] <= 0.3
        asked = network_width.source_width([3, 4, 2], eps=0.3, delta=0.2, R=row["R"], domain=domain)
        assert tuple(row["n"]) == asked.n
        assert row["param_factor"] == pytest.approx(asked.param_factor)


def test_our_statement_without_resampling(capsys: pytest.CaptureFixture) -> None:
    """Demonstration 1 at R = 1, every draw made: thousands of neurons for each weight."""
    (row,) = run(
        capsys, "--widths", "2", "2", "--eps", "0.3", "--delta", "0.2", "--R", "1", "--trials", "60", "--seed", "5",
        "--sampler", "draws", "--check",
    )  # fmt: skip
    assert min(row["n"]) > 1000
    assert row["successes"] == 60


@pytest.mark.parametrize("cut", [["--R", "1", "--n", "4"], ["--R", "20", "--n", "1"]])
def test_far_too_little_is_refuted(capsys: pytest.CaptureFixture, cut: list[str]) -> None:
    """Demonstration 2, the control that must fail: n or R cut far below what is needed."""
    (row,) = run(capsys, *cut, "--eps", "0.05", "--trials", "100", "--seed", "5", "--check", code=1)
    assert row["verdict"] == "refuted"
    assert row["refuted"] > 50


@pytest.mark.parametrize(("eps", "R"), [(0.1, 80), (0.3, 25)])
def test_the_corner_with_fixed_roles_is_what_theory_computes(capsys: pytest.CaptureFixture, eps: float, R: int) -> None:
    """Demonstration 3: widths 1 1, n = 1, each neuron reserved for one sign; simulated against the exact formula."""
    import math

    failure = math.exp(network_width.corner_log_failure_designated(eps, R))
    assert 0.02 < failure < 0.6
    (row,) = run(
        capsys, "--widths", "1", "1", "--eps", str(eps), "--R", str(R), "--n", "1", "--construction", "best",
        "--trials", "20000", "--seed", "31", "--sampler", "draws",
    )  # fmt: skip
    assert row["undecided"] == 0
    assert_probability(row["refuted"], row["trials"], failure)
    assert power_against(failure, 1.2 * failure, row["trials"]) > 0.99


def test_the_recalled_corner_holds_where_simulation_has_power(capsys: pytest.CaptureFixture) -> None:
    """As we recall it the theorem asks for n = 1 at this R; roles fixed or free, the failure stays below delta = .1."""
    import math

    R = network_width.corner_R(0.1, 0.1)
    (row,) = run(
        capsys, "--widths", "1", "1", "--statement", "recalled", "--eps", "0.1", "--delta", "0.1", "--R", str(R),
        "--construction", "best", "--trials", "20000", "--seed", "7", "--check",
    )  # fmt: skip
    assert row["n"] == [1]
    assert row["verdict"] == "consistent"
    exact, fixed = (
        math.exp(value(0.1, R))
        for value in (network_width.corner_log_failure_exact, network_width.corner_log_failure_designated)
    )
    assert exact < fixed < 0.1
    assert_probability(row["refuted"], row["trials"], fixed)


def test_subset_sums_need_few_neurons(capsys: pytest.CaptureFixture) -> None:
    base = ["--widths", "3", "3", "--eps", "0.1", "--R", "1", "--trials", "20", "--seed", "3"]
    (row,) = run(capsys, *base, "--construction", "subset-sum", "--n", "22")
    (best,) = run(capsys, *base, "--construction", "best", "--n", "22")
    assert row["successes"] >= 18
    assert best["error_upper_median"] > 5 * row["error_upper_median"]


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
def test_counts_do_not_depend_on_threads_or_parts(capsys: pytest.CaptureFixture, sampler: str) -> None:
    base = ["--eps", "0.05", "--R", "300", "--n", "1", "--seed", "5", "--sampler", sampler, "--targets", "3"]
    whole = without_seconds(run(capsys, *base, "--trials", "50", "--jobs", "1"))
    assert without_seconds(run(capsys, *base, "--trials", "50", "--jobs", "2")) == whole
    parts = [
        run(capsys, *base, "--first-trial", first, "--trials", count)[0] for first, count in (("0", "17"), ("17", "33"))
    ]
    for key in ("successes", "refuted", "undecided"):
        assert sum(part[key] for part in parts) == whole[0][key]
    assert max(part["error_upper_max"] for part in parts) == pytest.approx(whole[0]["error_upper_max"], rel=1e-9)


def test_table_csv_and_picture(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    csv, picture = tmp_path / "rows.csv", tmp_path / "errors.svg"
    argv = ["--R", "1000", "100000", "--trials", "10", "--seed", "1", "--csv", str(csv), "--plot", str(picture)]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "promised: error <= eps with probability >= 0.9" in out
    assert max(map(len, out.splitlines())) <= 120
    assert len(csv.read_text().splitlines()) == 3
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--widths", "4"], "widths must hold at least 2 integers, d_0..d_l with l >= 1"),
        (["--widths", "4", "0"], "widths must be an integer in [1,"),
        (["--eps", "0"], "eps must be in (0, 1], got eps=0"),
        (["--delta", "1"], "delta must be in (0, 1), got delta=1"),
        (["--R", "1e13"], "R must be an integer in [1,"),
        (["--n", "1", "2", "3"], "n takes one number or 2"),
        (["--construction", "subset-sum"], "construction subset-sum needs n"),
        (["--statement", "published"], "--statement"),
        (["--trials", "0"], "trials must be an integer in [1,"),
        (["--seed", "1", "--seed", "2"], "--seed is given more than once"),
        (["--csv", "missing/a.csv"], "the folder 'missing' does not exist"),
        (["--R", *map(str, range(1, 9)), "--plot", "a.png"], "--plot holds up to 7 settings of eps and R, got 8"),
        (["--csv", "a.png", "--plot", "./a.png"], "--csv and --plot name the same file"),
        (["--plot", "a.gif"], "--plot takes a .png, .pdf or .svg file"),
    ],
)
def test_bad_input(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


def test_cuda_is_refused_where_there_is_none(capsys: pytest.CaptureFixture) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert command.main(["--device", "cuda"]) == 2
    assert "finds no CUDA device" in capsys.readouterr().err
