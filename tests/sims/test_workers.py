"""Processes that do work: what dies takes only its own piece along, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sims.workers import Lost, outcomes

ROOT = Path(__file__).parents[2]


def prepare() -> None:
    """Nothing."""


def task(part: str) -> object:
    """What the part says."""
    if part == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if part == "gone":
        os._exit(3)
    if part == "wrong":
        raise ValueError("not\nthis")
    if part == "refused":
        raise KeyError("never")
    if part == "bug":
        raise RuntimeError("odd")
    if part == "big":
        raise MemoryError
    return (lambda: None) if part == "unsendable" else part.upper()


def test_each_fails_alone() -> None:
    parts = ["a", "killed", "wrong", "b", "gone", "big", "refused", "bug", "unsendable", "c"]
    found = dict(outcomes(task, parts, jobs=2, prepare=prepare, refused=(KeyError,)))
    unsendable = found.pop(8)
    assert isinstance(unsendable, Lost)
    assert "\n" not in unsendable.why
    assert found == {
        0: "A", 1: Lost("its process was ended by SIGKILL, as where memory runs out"), 2: Lost("not this"), 3: "B",
        4: Lost("its process ended with exit code 3"), 5: Lost("out of memory"),
        6: Lost("KeyError: 'never'", refused=True), 7: Lost("RuntimeError: odd"), 9: "C",
    }  # fmt: skip


PARENT = """
import os, time
from functools import partial
from sims.workers import outcomes
begin = partial(os.write, 1, b"begun\\n")  # at once: what two processes print may mix
if __name__ == "__main__":
    print(list(outcomes(os.getpgid, [0, 0], jobs=2, prepare=begin))[0][0], flush=True)
    list(outcomes(time.sleep, [600, 600], jobs=2, prepare=begin))
"""


def test_none_outlives_its_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "parent.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        # one worker may have done both parts of the first call before the other began
        while (line := process.stdout.readline().strip()) == "begun":
            pass
        assert line.isdigit()
        assert [process.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
        process.kill()
        assert process.stdout.read() == ""  # ends when the last of them has let go of it


def test_closing_ends_them() -> None:
    started = time.monotonic()
    found = outcomes(time.sleep, [0, 600, 600], jobs=2, prepare=prepare)
    assert next(found) == (0, None)
    found.close()
    assert time.monotonic() - started < 60
