"""One hostile file, read in a process of its own that may take little time and memory, and what came of it."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20
"""Of one processor; a fair reader of a small file takes a hundredth."""

BYTES = 2 * 2**30
"""Of memory, the program itself included."""

_WALL = 6 * SECONDS
_BEYOND = 8 * 2**30  # of address space, where the machine itself must be protected

Work = Callable[[Path], int]


@dataclass(frozen=True)
class Outcome:
    """What came of one file.

    Attributes
    ----------
    code : int
        The exit code; negative: the signal.
    out, err : str
        What was printed.
    bytes : int
        The largest memory.
    seconds : float
        Of the processor.
    """

    code: int
    out: str
    err: str
    bytes: int
    seconds: float

    def crash(self, codes: tuple[int, ...]) -> str | None:
        """What is wrong with it, in words; None: nothing. `codes`: the exit codes that are in order."""
        last = self.err.strip().splitlines()[-1:] or [""]
        if self.seconds > SECONDS or self.code == -signal.SIGXCPU:
            return f"{self.seconds:.0f} s"
        if self.code not in codes:
            return f"exit {self.code}: {last[0]}"
        if self.bytes > BYTES or "out of memory" in self.err:
            return f"{self.bytes / 2**30:.1f} GiB of memory: {last[0]}"
        if self.code == 2 and (not self.err.startswith("error: ") or self.err.count("\n") != 1):
            return f"not one line but {self.err.count(chr(10))}: {last[0]}"
        if any((ord(letter) < 32 and letter not in "\n\t") or ord(letter) == 127 for letter in self.out + self.err):
            return "control characters reach the terminal"
        return None

    @property
    def kind(self) -> str:
        """The outcome without its numbers and names: files of one kind say the same."""
        text = self.err if self.code else re.sub(r"[^\n:{}\[\]]", "", self.out)[:40]
        text = re.sub(
            r"\S*\.(safetensors|onnx|npz|npy|pt|sqlite|png|tif|gz)\b|'[^']*'|\"[^\"]*\"|[\w./]*\d[\w./]*", "#", text
        )
        return f"{self.code} {' '.join(text.split())[:120]}"


def import_for(work: Work, path: Path) -> None:
    """Import here whatever `work` imports in its own process, so that no fork has to."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"

        def listed(path: Path) -> int:
            code = work(path)
            names.write_text("\n".join(sys.modules))
            return code

        attempt(listed, path)
        for name in names.read_text().split() if names.exists() else ():
            if name.split(".")[0] not in ("__main__", "__mp_main__"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)


def attempt(work: Work, path: Path) -> Outcome:
    """Let `work` read `path` in a fork of this process, in an empty folder."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        inside = Path(folder) / "inside"
        inside.mkdir()
        child = os.fork()
        if child == 0:
            _in_child(work, path, inside, out, err)
        code, used = _waited(child)
        texts = [one.read_text(errors="replace") if one.exists() else "" for one in (out, err)]
    return Outcome(code, *texts, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime)


def _in_child(work: Work, path: Path, inside: Path, out: Path, err: Path) -> None:
    code = 70
    try:
        for place, stream in ((out, 1), (err, 2)):
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(handle, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1, SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_BEYOND, _BEYOND))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(inside)
        code = work(path)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _waited(child: int) -> tuple[int, resource.struct_rusage]:
    end = time.monotonic() + _WALL
    while time.monotonic() < end:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), used
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used
