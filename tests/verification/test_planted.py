"""Errors planted in the source of theory, one at a time: the facts about rounding or other facts must notice each.

They are listed in ``tests/mutants/theory.toml``. Each is put into a copy of the package, where the facts of
``sims.verify`` are asked in a process of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant, load

pytestmark = pytest.mark.verification

ROOT = Path(__file__).parents[2]

FACTS = """
import sys
from sims.checks import run
from sims.checks.check import Fact
from sims.verify import chosen
facts = [check for check in run.collect(1, chosen(sys.argv[1:])) if isinstance(check, Fact)]
assert facts
sys.exit(any(outcome.failed for outcome in run.run(facts, 1, 5.0, 1, lambda *_: None)))
"""

PLANTED = [mutant for mutant in load(["theory"]) if mutant.facts]
"""Those that facts notice; `make mutants` asks the tests about all."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with a theory of its own."""
    tree = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "theory", tree / "theory", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "sims").symlink_to(ROOT / "sims")
    return tree


def exit_code(tree: Path, claims: str) -> int:
    """0 if no fact of these claims fails."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", FACTS, *claims.split()]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode


def test_nothing_is_noticed_where_nothing_is_planted(copy: Path) -> None:
    for claims in sorted({mutant.facts for mutant in PLANTED}):
        assert exit_code(copy, claims) == 0


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda mutant: mutant.name)
def test_a_planted_error_is_noticed(copy: Path, mutant: Mutant) -> None:
    path = copy / mutant.path
    source = path.read_text(encoding="utf-8")
    path.write_text(mutant.planted(source), encoding="utf-8")
    try:
        assert exit_code(copy, mutant.facts) == 1
    finally:
        path.write_text(source, encoding="utf-8")
