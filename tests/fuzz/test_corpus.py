"""What the fuzzer kept is read again: every broken file gets an answer, in one line, soon and in little memory."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
TARGETS = sorted(path.name for path in CORPUS.iterdir())


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="most of the parsers are of nets, which need torch"
)
@pytest.mark.parametrize("target", TARGETS)
def test_every_kept_file_gets_an_answer(target: str) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.fuzz", "--corpus", target], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(" 0 crashes\n")
