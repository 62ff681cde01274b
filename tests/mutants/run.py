"""One slip at a time: a copy of the tree, the slip put in, its tests run until one fails.

Every run has a tree of its own, so that nothing compiled or cached for one program is read by another: a planted file
is newer than what Python and Numba remember of it, and what they remember is deleted besides.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants.mutant import Mutant

Verdict = Literal["killed", "timed out", "survived", "stale", "untested"]
"""Stale: the slip has no place, or no tests. Untested: its tests fail where nothing is planted."""

_LEFT_OUT = shutil.ignore_patterns(".*", "out", "runs", "build", "dist", "_build", "_figures", "*.egg-info")
_MEMORY = 16 * 2**30
"""Address space of one run, in bytes: a slip may make a loop that never stops taking memory."""
_LEAST_SECONDS = 30.0
_COMPILING = 240.0
"""What a run may take at least where the planted file is compiled, as it is anew."""
_SLACK = 5.0
"""A run may take so many times the clean one's seconds."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its verdict, what says so (the failed test, say), and its seconds."""

    verdict: Verdict
    detail: str
    seconds: float


def copied(root: Path, tree: Path) -> None:
    """A copy of the tree, with what is compiled already."""
    shutil.copytree(root, tree, ignore=_LEFT_OUT)


def clean(tree: Path, tests: str, only: str, seconds: float) -> Outcome:
    """How the tests of one file end where nothing is planted: they should survive that."""
    code, output, taken = _pytest(tree, [tests], only, seconds)
    passed = code in (0, 5)  # 5: nothing in this file was chosen
    return Outcome("survived" if passed else "untested", "" if passed else output[-3000:], taken)


def attempt(tree: Path, mutant: Mutant, clean_seconds: float, seconds: float) -> Outcome:
    """Whether the tests notice the slip, planted in a copy of that tree."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        own = Path(folder) / "tree"
        copied(tree, own)
        try:
            compiled = "njit" in plant(own, mutant)
        except (OSError, ValueError) as problem:
            return Outcome("stale", str(problem), 0.0)
        limit = min(seconds, max(_COMPILING if compiled else _LEAST_SECONDS, _SLACK * clean_seconds))
        code, output, taken = _pytest(own, mutant.tests, mutant.only, limit)
    if code is None:
        enough = 3.0 * clean_seconds <= limit
        text = f"stopped after {taken:.0f} s (clean: {clean_seconds:.0f} s)"
        return Outcome("timed out" if enough else "survived", text, taken)
    if code == 0:
        return Outcome("survived", "", taken)
    if code in (4, 5):
        return Outcome("stale", f"pytest found no tests (exit {code})", taken)
    return Outcome("killed", _failed(output) or f"exit {code}", taken)


def plant(tree: Path, mutant: Mutant) -> str:
    """Put the slip into that tree, delete what is remembered of the file, and return its new source."""
    path = tree / mutant.path
    planted = mutant.planted(path.read_text(encoding="utf-8"))
    path.write_text(planted, encoding="utf-8")
    for remembered in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        remembered.unlink()
    return planted


def _failed(output: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", output, flags=re.MULTILINE)
    return found.group(1) if found else ""


def _pytest(tree: Path, tests: Sequence[str], only: str, seconds: float) -> tuple[int | None, str, float]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=line"]
    command += ["-m", "not verification and not slow", *(["-k", only] if only else []), *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "mutants"}
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        with contextlib.suppress(ProcessLookupError, AttributeError):  # Linux has it
            resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        code: int | None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):  # those that it started, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        taken = time.monotonic() - started
        log.seek(0)
        return code, log.read(), taken
