"""Flags: what is written behind them, their help, and what is said when one is wrong."""

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.commands import flags, main, output
from sims.registry import NAMES, experiment
from sims.statistics.result import Result
from sims.statistics.verdict import CONSISTENT, REFUTED

ROOT = Path(main.__file__).parent.parent.parent


@dataclass(frozen=True)
class Config:
    """A command."""

    examples: ClassVar[tuple[str, ...]] = ("python -m some.thing --R 3",)
    renamed: ClassVar[dict[str, str]] = {"--draws": "--R"}

    R: flags.Integers = (1, 2)
    """Draws."""
    eps: flags.Reals = (0.25,)
    """Accuracy."""
    n: flags.AutoIntegers = None
    """Numbers."""
    alpha: flags.Alphas = (0.5,)
    """Targets."""
    seed: flags.OptionalInteger = None
    """Seed."""
    csv: flags.OptionalFile = None
    """File."""


def read(*argv: str) -> Config:
    return flags.parse(Config, argv, prog="some.thing")


def test_values_arrive_typed() -> None:
    given = read("--R", "1e3", "4:8:2", "--eps", "1e-3", "--n", "auto", "--alpha", "uniform", "-0.5", "--seed", "7")
    assert given == Config(R=(1000, 4, 6, 8), eps=(1e-3,), alpha=("uniform", -0.5), seed=7)
    assert read() == Config()


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5, unique=True))
def test_integers_read_back(values: list[int]) -> None:
    assert flags.integers([str(value) for value in values]) == tuple(values)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--r", "2"], "did you mean --R for --r?"),
        (["--sed", "2"], "did you mean --seed for --sed?"),
        (["--R", "2.5"], "--R takes an integer, got '2.5'"),
        (["--seed", "None"], "--seed takes an integer, got 'None'"),
        (["--alpha", "half"], "--alpha takes a number, got 'half'"),
        (["--draws", "1", "--R", "2"], "--R is given more than once"),
    ],
)
def test_a_mistake_gets_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(flags.UsageError, match=r"^[^\n]+$") as problem:
        read(*argv)
    assert message in str(problem.value)


def test_spans_of_time() -> None:
    assert [flags.span(text) for text in ("90", "0.5s", "5m", "2h", "3d", "inf")] == [
        90,
        0.5,
        300,
        7200,
        259200,
        math.inf,
    ]
    for text in ("0", "-1m", "m", "nan", "1w"):
        with pytest.raises(ValueError, match="takes a time > 0"):
            flags.span(text)


def test_numbers_of_tables() -> None:
    shown = {
        0.0: "0",
        1.0: "1",
        0.25: "0.2500",
        3e-5: "3.0e-05",
        0.9999: "0.9999",
        1 - 3e-5: "1-3e-05",
        1 - 2e-9: "1-2e-09",
    }
    assert {p: output.number(p) for p in shown} == shown


def test_what_is_refuted_is_an_error_where_that_is_asked() -> None:
    rows = [{"n": 1, "verdict": REFUTED}, {"n": 2, "verdict": CONSISTENT}]
    for check in (False, True):
        for some, code in ((rows, int(check)), (rows[1:], 0)):
            assert output.refuted(Result("sims.subset_sum", {}, some, {}), flags.Output(check=check)) == code


def test_an_old_name_works_and_says_so(capsys: pytest.CaptureFixture) -> None:
    assert read("--draws", "5").R == (5,)
    assert capsys.readouterr().err == "note: --draws is now called --R\n"


def test_help_shows_defaults_and_ends_with_examples(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        read("--help")
    shown = capsys.readouterr().out
    assert "(default: 1 2)" in shown
    assert "None" not in shown
    assert shown.endswith("examples:\n  python -m some.thing --R 3\n")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "main_theorem"])
def test_every_experiment_has_such_a_help(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        flags.parse(experiment(name).config, ["--help"], prog="x")
    shown = capsys.readouterr().out
    assert "None" not in shown
    assert f"examples:\n  python -m sims.{name}" in shown


def test_the_entry_point_knows_every_command(capsys: pytest.CaptureFixture) -> None:
    assert main.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (module, text) in main.COMMANDS.items():
        assert f"  {name} " in shown
        assert text in shown
        path = ROOT / f"{module.replace('.', '/')}.py"
        assert "def main(" in path.read_text(encoding="utf-8"), module
    assert main.main(["subset-sums"]) == 2
    assert capsys.readouterr().err == (
        "error: there is no command subset-sums; did you mean subset-sum? (see strong-tickets --help)\n"
    )
    assert main.main(["subset-sum", "--n", "2", "--trials", "10", "--seed", "1", "--quiet"]) == 0
    assert main.main(["--version"]) == 0


def test_a_command_without_its_extra_says_which(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nets"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(main.COMMANDS, "needy", ("nets.construction.pruned", "x"))
    assert main.main(["needy"]) == 2
    assert capsys.readouterr().err == "error: needy needs torch: pip install 'strong-tickets[nets]'\n"


def test_the_module_and_the_entry_point_print_the_same() -> None:
    line = ["--n", "1:3", "--trials", "100", "--seed", "1"]
    outputs = [
        subprocess.run([sys.executable, "-m", *start, *line], cwd=ROOT, capture_output=True, text=True, check=True)
        for start in (["sims.subset_sum"], ["sims.commands.main", "subset-sum"])
    ]
    assert outputs[0].stdout == outputs[1].stdout
