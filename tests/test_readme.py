"""README and docs say what the code does: the claim table, the commands, the pictures, the outputs that are shown."""

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
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLAIM_PAGE = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
TABLE = {
    cells[0]: cells
    for line in CLAIM_PAGE.splitlines()
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
    """Rewritten with the budget and the seed that the page names, it is the same."""
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    (budget, seed) = re.search(r"sims\.verify --budget (\w+) --seed (\d+) --table", CLAIM_PAGE).groups()
    copy = tmp_path / "claims.md"
    copy.write_text(CLAIM_PAGE, encoding="utf-8")
    main = importlib.import_module("sims.verify").main
    assert main(["--budget", budget, "--seed", seed, "--table", str(copy), "--quiet"]) == 0
    assert copy.read_text(encoding="utf-8").splitlines() == CLAIM_PAGE.splitlines()


def test_the_demo_prints_what_the_readme_shows(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = re.findall(r"<!-- demo: begin -->\n```\n(.*?)```", README, re.S)
    recipe = re.search(
        r"^demo:.*\n\t@?COLUMNS=(\d+) \$\(BIN\)/python -m sims\.subset_sum (.*)$",
        ROOT.joinpath("Makefile").read_text(),
        re.M,
    )
    assert f"python -m sims.subset_sum {recipe[2]}\n" in README
    monkeypatch.setenv("COLUMNS", recipe[1])
    assert importlib.import_module("sims.subset_sum").main(shlex.split(recipe[2])) == 0
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_the_library_call_prints_what_the_readme_shows(capsys: pytest.CaptureFixture) -> None:
    ((code, shown),) = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.S)
    exec(code, {})
    assert capsys.readouterr().out == shown


def test_the_readme_is_short() -> None:
    assert 80 <= len(README.splitlines()) <= 120
    assert len(README.split()) < 1100


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for path in re.findall(r"\]\(([\w./-]+)\)", page.read_text(encoding="utf-8")):
            if not path.startswith("_figures/"):
                assert (page.parent / path).exists(), (page, path)


def test_flags_of_every_command_exist(capsys: pytest.CaptureFixture) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
    commands = set(re.findall(r"(?:^|`)python -m ((?:sims|nets|figures)[\w.]*)((?: [^`\n|#]+)?)", text, re.M))
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
