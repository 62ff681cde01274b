"""The command ``nets.main_theorem``: the three demonstrations, the corner computed and simulated, and its manners."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")

import torch

from nets import main_theorem as command
from nets.certificate import certify
from nets.construction.networks import Networks
from nets.construction.trials import Trials
from nets.targets.target import Target
from sims.run import run as simulate
from sims.statistics.result import Result
from tests.stats import assert_at_least, assert_probability, power_against
from theory.network import MainTheorem
from theory.network import width as network_width

COLUMNS = """
widths eps delta R statement construction n width_factor param_factor trials certified refuted undecided success
ci_low ci_high error_upper_median error_upper_max error_lower_median error_lower_max verdict seconds
"""


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> list[dict]:
    assert command.main([*argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    content = json.loads(captured.out)
    assert content["schema"] == "strong-tickets/nets.main_theorem/2"
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
        assert row["certified"] + row["refuted"] + row["undecided"] == row["trials"] == 120
        assert row["verdict"] == "consistent"
        assert_at_least(row["certified"], row["trials"], 0.8)
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
    assert row["certified"] == 60


@pytest.mark.parametrize(("statement", "sampler"), [("halves", "nearest"), ("halves", "draws"), ("pairs", "draws")])
def test_the_statements_of_two_products_hold(
    capsys: pytest.CaptureFixture, statement: str, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4.9 on networks that are built, with far fewer neurons than 4.4 asks for; two neurons are refuted."""
    argv = ["--widths", "3", "4", "2", "--eps", "0.3", "--delta", "0.2", "--construction", "halves", "--check"]
    argv += ["--statement", statement, "--sampler", sampler, "--seed", "5", "--trials", "120"]
    for row in run(capsys, *argv, "--R", "10", "40"):
        assert row["verdict"] == "consistent"
        assert_at_least(row["certified"], row["trials"], 0.8)
        ours = network_width.source_width([3, 4, 2], eps=0.3, delta=0.2, R=row["R"])
        assert 0.4 * min(ours.n) > max(row["n"]) >= 2
    monkeypatch.setattr(MainTheorem, "required_counts", lambda self, delta: (2, 2))
    (row,) = run(capsys, *argv, "--R", "2", code=1)
    assert row["verdict"] == "refuted"


def test_halves_with_n_by_hand_promise_nothing(capsys: pytest.CaptureFixture) -> None:
    """The best pair of drawn products is far nearer than one product of as many neurons."""
    argv = ["--n", "6", "--R", "30", "--sampler", "draws", "--trials", "50", "--seed", "5", "--check"]
    (one,), (two,) = (run(capsys, *argv, "--construction", word) for word in ("best", "halves"))
    assert one["verdict"] is two["verdict"] is None
    assert one["error_upper_max"] > 10 * two["error_upper_max"]


CUTS = [["--R", "1", "--n", "4"], ["--R", "20", "--n", "1"]]


@pytest.mark.parametrize("cut", CUTS)
def test_far_too_little_fails(capsys: pytest.CaptureFixture, cut: list[str]) -> None:
    """Demonstration 2, the control that must fail: n or R cut far below what is needed; nothing was promised."""
    (row,) = run(capsys, *cut, "--eps", "0.05", "--trials", "100", "--seed", "5", "--check")
    assert row["verdict"] is None
    assert row["refuted"] > 50
    assert row["certified"] == 0


@pytest.mark.parametrize("cut", CUTS)
def test_a_statement_that_asks_for_too_little_is_refuted(
    capsys: pytest.CaptureFixture, cut: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same control, promised: a statement that asks for so few candidates is caught, and --check says so."""
    few = int(cut[-1])
    monkeypatch.setattr(MainTheorem, "required_counts", lambda self, delta: (few,) * (len(self.widths) - 1))
    (row,) = run(capsys, *cut[:2], "--eps", "0.05", "--trials", "100", "--seed", "5", "--check", code=1)
    assert row["verdict"] == "refuted"


@pytest.mark.parametrize(
    ("certified", "refuted", "verdict", "code"),
    [(0, 5, "undecided", 0), (0, 0, "undecided", 0), (190, 0, "consistent", 0), (170, 0, "consistent", 0),
     (0, 80, "refuted", 1), (120, 80, "refuted", 1), (130, 2, "undecided", 0)],
)  # fmt: skip
def test_the_verdict_says_what_is_known(
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    certified: int,
    refuted: int,
    verdict: str,
    code: int,
) -> None:
    """200 trials against success >= 0.9, some of them undecided; the issue's example is the first."""
    shown = torch.zeros(200, dtype=torch.int8)
    shown[:certified], shown[certified : certified + refuted] = 1, -1
    errors = torch.full((2, 200), 0.1, dtype=torch.float64)
    monkeypatch.setattr(Trials, "judged", lambda self, first, trials: (errors, shown))
    (row,) = run(capsys, "--trials", "200", "--check", code=code)
    assert [row["certified"], row["refuted"], row["undecided"]] == [certified, refuted, 200 - certified - refuted]
    assert row["verdict"] == verdict
    assert command.main(["--trials", "200"]) == 0
    out = capsys.readouterr().out
    assert ("it depends on the undecided trials" in out) == (verdict == "undecided")


@pytest.mark.parametrize(
    ("argv", "certified"),
    [(["--widths", "4", "8", "3", "--eps", "0.1", "--delta", "0.1", "--R", "40", "--n", "1", "--seed", "3"], 195),
     (["--widths", "3", "5", "4", "2", "--eps", "0.2", "--R", "20", "--n", "1", "--seed", "3"], 200)],
)  # fmt: skip
def test_nothing_is_promised_for_an_n_given_by_hand(
    capsys: pytest.CaptureFixture, argv: list[str], certified: int
) -> None:
    (row,) = run(capsys, *argv, "--trials", "200", "--check", "--cones", "0")
    assert row["undecided"] > 100
    (row,) = run(capsys, *argv, "--trials", "200", "--check")
    assert (row["certified"], row["refuted"], row["undecided"]) == (certified, 200 - certified, 0)
    assert row["verdict"] is None
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "n given by hand: no promise" in out
    assert "promised" not in out
    assert "consistent" not in out


@pytest.mark.parametrize(("word", "shown"), [("holds", 1), ("refuted", -1), ("undecided", 0)])
def test_what_the_certificate_leaves_open_is_passed_on(word: str, shown: int) -> None:
    """Every undecided trial, and no other, goes to ``decide`` with its own target and its own effective weights."""
    question = MainTheorem(widths=(4, 8, 3), eps=0.1, R=40)
    networks, asked = Networks(3, "window", "nearest", "cpu"), []

    def decide(target: Target, effective: list, eps: float, *, domain: str) -> str:
        found = certify(target, effective, domain=domain, starts=16, steps=12)
        asked.append((found.lower, found.upper))
        assert eps == 0.1
        return word

    errors, before = Trials(question, (1, 1), networks, 3, 1).judged(0, 40)
    _, after = Trials(question, (1, 1), networks, 3, 1, decide=decide).judged(0, 40)
    open_ = (before == 0).nonzero()[:, 0]
    assert 0 < len(open_) < 40
    assert torch.tensor(asked, dtype=torch.float64).T.numpy() == pytest.approx(errors[:, open_].numpy(), rel=1e-9)
    assert (after[open_] == shown).all()
    assert (after[before != 0] == before[before != 0]).all()


def test_a_result_read_again_can_be_drawn(tmp_path: Path) -> None:
    result = simulate(MainTheorem(R=4000), trials=30, seed=1)
    again = Result.from_dict(json.loads(result.to_json()))
    assert again == result
    result.plot(tmp_path / "a.svg")
    again.plot(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(ValueError, match="without the errors of its trials"):
        dataclasses.replace(again, details=None).plot(tmp_path / "c.svg")


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
    assert row["certified"] >= 18
    assert best["error_upper_median"] > 5 * row["error_upper_median"]


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
def test_counts_do_not_depend_on_threads_or_parts(capsys: pytest.CaptureFixture, sampler: str) -> None:
    base = ["--eps", "0.05", "--R", "300", "--n", "1", "--seed", "5", "--sampler", sampler, "--targets", "3"]
    whole = without_seconds(run(capsys, *base, "--trials", "50", "--jobs", "1"))
    assert without_seconds(run(capsys, *base, "--trials", "50", "--jobs", "2")) == whole
    parts = [
        run(capsys, *base, "--first-trial", first, "--trials", count)[0] for first, count in (("0", "17"), ("17", "33"))
    ]
    for key in ("certified", "refuted", "undecided"):
        assert sum(part[key] for part in parts) == whole[0][key]
    assert max(part["error_upper_max"] for part in parts) == pytest.approx(whole[0]["error_upper_max"], rel=1e-9)


def test_table_csv_and_picture(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    csv, picture = tmp_path / "rows.csv", tmp_path / "errors.svg"
    argv = ["--R", "1000", "100000", "--trials", "10", "--seed", "1", "--csv", str(csv), "--plot", str(picture)]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "promised: error <= eps with probability >= 0.9" in out
    assert max(map(len, out.splitlines())) <= 100
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
        (["--construction", "halves"], "statement ours speaks of construction window or best: give n for halves"),
        (["--construction", "thirds", "--n", "2"], "construction 'thirds' needs n >= 3"),
        (["--statement", "halves"], "statement halves speaks of construction halves: give n for window"),
        (["--construction", "halves", "--statement", "pairs"], "statement pairs needs sampler draws"),
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
