"""The README says what the code does: its claim table, its commands and its pictures."""

import contextlib
import importlib
import itertools
import re
import shlex
from pathlib import Path

import pytest

from theory.claims import CLAIMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = {
    cells[0]: cells
    for line in README.splitlines()
    if re.match(r"\| \d\.\d", line)
    for cells in [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]]
}


def test_every_claim_has_its_row_and_its_word() -> None:
    assert set(TABLE) == {claim.id for claim in CLAIMS}
    for claim in CLAIMS:
        assert TABLE[claim.id][2] == claim.status


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_row_names_things_that_exist(claim: object) -> None:
    _, _, _, functions, _, test, _, _ = TABLE[claim.id]
    registered = {name.rsplit(".", 1)[1] for name in claim.functions}
    for name in re.findall(r"`([\w.]+)`", functions):
        assert name.rsplit(".", 1)[-1] in registered
    (file,) = re.findall(r"`([\w/.]+)`", test)
    assert (ROOT / "tests" / file).is_file()


def test_the_claim_table_is_what_the_command_writes(tmp_path: Path) -> None:
    """Rewritten with the budget and the seed that the README names, it is the same."""
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    (budget, seed) = re.search(r"sims\.verify --budget (\w+) --seed (\d+) --table", README).groups()
    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    main = importlib.import_module("sims.verify").main
    assert main(["--budget", budget, "--seed", seed, "--table", str(copy), "--quiet"]) == 0
    assert copy.read_text(encoding="utf-8").splitlines() == README.splitlines()


def test_pictures_exist() -> None:
    for path in re.findall(r"\]\((figures/[^)]+)\)", README):
        assert (ROOT / path).is_file()


def test_flags_of_every_command_exist(capsys: pytest.CaptureFixture) -> None:
    commands = set(re.findall(r"python -m ([\w.]+)((?: [^`\n|]+)?)", README))
    assert {module for module, _ in commands} >= {"sims.subset_sum", "sims.single_weight"}
    for module, rest in commands:
        if module.startswith("nets."):
            pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
        found = importlib.import_module(module)
        main = importlib.import_module(f"{module}.__main__").main if hasattr(found, "__path__") else found.main
        words = shlex.split(rest)
        flags = {word for word in words if word.startswith("--")} - {"--help"}
        leading = list(itertools.takewhile(lambda word: not word.startswith("-"), words))  # a subcommand, say
        if module.startswith("figures."):
            continue
        with contextlib.suppress(SystemExit):
            assert main([*leading, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(flag in shown for flag in flags), (module, flags)
