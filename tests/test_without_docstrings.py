"""Python without docstrings (-OO): every command still says what it does."""

import subprocess
import sys
from pathlib import Path

from sims.commands.main import COMMANDS

VERBS = {"sims.store": ["info"], "nets.ticket": ["info"], "nets.found_ticket": ["info"], "sims.sweep.command": []}
HELPS = """
import contextlib, importlib, io, sys
for module, *words in {helps!r}:
    command = importlib.import_module(module)
    with contextlib.suppress(SystemExit):
        command.main([*words, "--help"])
    print("-- next")
"""


def said(*options: str) -> list[str]:
    helps = [(module, *words) for module, _ in COMMANDS.values() for words in ([], VERBS.get(module, []))]
    done = subprocess.run(
        [sys.executable, *options, "-c", HELPS.format(helps=helps)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[1], env={"COLUMNS": "100", "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.stdout.split("-- next\n")


def test_help_is_the_same_without_docstrings() -> None:
    with_docstrings, without = said(), said("-OO")
    assert len(without) > len(COMMANDS)
    assert without == with_docstrings
    for text in without[:-1]:
        assert "None\n" not in text.splitlines()
        assert len(text) > 200
