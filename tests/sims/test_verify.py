"""The command ``sims.verify``: what it says, what it exits with, and that it does what its pieces promise."""

import contextlib
import json
import re
from pathlib import Path

import pytest

import sims.verify
import theory.network.gadget
import theory.single_weight
from sims.checks import run as _run
from sims.checks import table as _table
from sims.checks.check import Untested
from theory.claims import CLAIMS

ROOT = Path(__file__).parents[2]
FAST = ["--only", "1.1", "1.2", "4.5(c)", "--budget", "1s", "--seed", "1"]


@pytest.fixture(scope="module")
def checks() -> list:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    return _run.collect(1, [claim.id for claim in CLAIMS])


def test_every_claim_has_a_check_or_a_reason(checks: list) -> None:
    reasons = {check.claim: check.reason for check in checks if isinstance(check, Untested)}
    assert {check.claim for check in checks} == {claim.id for claim in CLAIMS}
    assert "no check is written" not in reasons.values()
    for check in checks:
        assert check.claim not in reasons or isinstance(check, Untested)


def test_every_tested_section_has_controls(checks: list) -> None:
    controls = [check for check in checks if not isinstance(check, Untested) and check.control]
    assert {check.claim[0] for check in controls} == {claim.id[0] for claim in CLAIMS}
    assert len(controls) >= 50


def test_equal_keys_are_equal_simulations(checks: list) -> None:
    known: dict[str, tuple] = {}
    for check in checks:
        if hasattr(check, "simulation"):
            one = check.simulation
            assert known.setdefault(one.key, (one.cost, one.least, one.most)) == (one.cost, one.least, one.most)


def test_json_and_determinism(capsys: pytest.CaptureFixture) -> None:
    assert sims.verify.main([*FAST, "--json", "--jobs", "1"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert sims.verify.main([*FAST, "--json", "--jobs", "2"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["schema"] == "strong-tickets/sims.verify/1"
    assert first["rows"] == second["rows"]
    assert first["summary"] == second["summary"]
    assert {row["claim"] for row in first["rows"]} == {"1.1", "1.2", "4.5 (c)"}
    assert {row["verdict"] for row in first["rows"] if row["control"]} == {"refuted"}
    assert not any(row["failed"] for row in first["rows"])


def test_a_planted_wrong_bound_is_refuted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    right = theory.single_weight.miss_prob_bound
    monkeypatch.setattr(theory.single_weight, "miss_prob_bound", lambda n, R, *, eps: right(n, R, eps=eps) / 2)
    assert sims.verify.main(["--only", "1.2", "--budget", "1s", "--seed", "1"]) == 1
    shown = capsys.readouterr().out
    assert "REFUTED: 1.2" in shown
    last = shown.splitlines()[-1]
    assert "1 proved statement, " in last
    assert "seed 1" in last


def test_a_control_that_passes_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    free = theory.network.width.corner_log_failure_exact
    monkeypatch.setattr(theory.network.width, "corner_log_failure_designated", free)
    assert sims.verify.main(["--only", "4.5(c)", "--budget", "1s", "--seed", "1"]) == 1
    assert "CONTROL PASSES: 4.5 (c), roles fixed" in capsys.readouterr().out


def test_a_recalled_statement_that_fails_is_a_finding(capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    assert sims.verify.main(["--only", "4.5", "--budget", "1s", "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "Finding: 4.5 (recalled)" in shown
    assert "R=5603" in shown


def test_report_and_readme_block(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    assert sims.verify.main([*FAST, "--quiet", "--report", str(report)]) == 0
    text = report.read_text(encoding="utf-8")
    assert "## Controls" in text
    assert "roles fixed" in text
    assert "- seed: 1" in text
    widths = {len(re.split(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert widths == {9}
    with pytest.raises(ValueError, match="once each"):
        _table.rewritten("no markers", [], "x")
    done = _table.rewritten(f"a\n{_table.BEGIN}\nformer\n{_table.END}\nb\n", [], "x")
    assert "former" not in done
    assert done.startswith("a\n")
    assert done.endswith("\nb\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--only", "9.9"], "which is no claim"),
        (["--only", ""], "which is no claim"),
        (["--budget", "soon"], "--budget takes seconds"),
        (["--budget", "0"], "--budget must be in"),
        (["--budget", "nan"], "--budget must be in"),
        (["--seed", "-1"], "--seed must be"),
        (["--jobs", "0"], "--jobs must be"),
        (["--report", "/nowhere/x.md"], "does not exist"),
        (["--table", "README.md", "--only", "1.1"], "needs every claim"),
    ],
)
def test_mistakes_get_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert sims.verify.main(argv) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") == 1
    assert not told.out


def test_the_former_name_of_a_flag_works_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    page = tmp_path / "page.md"
    page.write_text("no markers", encoding="utf-8")
    assert sims.verify.main(["--readme", str(page)]) == 2
    told = capsys.readouterr().err
    assert "note: --readme is now called --table" in told
    assert "page.md must hold the lines" in told


def test_which_claims_are_meant() -> None:
    assert sims.verify.chosen(["1"]) == ("1.1", "1.2", "1.3")
    assert sims.verify.chosen(["4.5"]) == ("4.5", "4.5 (b)", "4.5 (c)", "4.5 (d)")
    assert sims.verify.chosen(["4.5 (c)"]) == sims.verify.chosen(["4.5(c)"]) == ("4.5 (c)",)
    assert len(sims.verify.chosen([])) == len(CLAIMS)
    assert [sims.verify.seconds(text) for text in ("5s", "2m", "1h", "7")] == [5, 120, 3600, 7]


def test_list_and_help(capsys: pytest.CaptureFixture) -> None:
    assert sims.verify.main(["--list", "--only", "1", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1.1", "1.2", "1.3"]
    with contextlib.suppress(SystemExit):
        sims.verify.main(["--help"])
    assert "--budget" in capsys.readouterr().out


def test_without_pytorch_its_claims_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _run.importlib.import_module

    def missing(name: str) -> object:
        if name == "nets.checks":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name)

    monkeypatch.setattr(_run.importlib, "import_module", missing)
    found = _run.collect(1, ["4.8"])
    assert [(check.claim, check.reason) for check in found] == [("4.8", "needs the nets extra (PyTorch)")]
