"""Kernels run whatever becomes of their cache: damaged, full, or nowhere to be written; each is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = """
import sys
from sims.jit import njit

@njit(cache=True, nogil=True)
def twice(x):
    return 2 * x

@njit(cache=True)
def thrice(x):
    return 3 * x

print(twice(21), thrice(2), *(sum(kernel.stats.cache_hits.values()) for kernel in (twice, thrice)))
"""
Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the kernels of a module in a process of its own: what it printed, and what it said on standard error."""
    (tmp_path / "kernels.py").write_text(SOURCE)

    def once(before: str = "") -> tuple[str, str]:
        code = f"{before}\nimport kernels"
        held = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
        held.pop("NUMBA_CACHE_DIR", None)
        done = subprocess.run([sys.executable, "-c", code], env=held, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    return once


def _files(tmp_path: Path, ending: str) -> list[Path]:
    found = sorted((tmp_path / "__pycache__").glob(f"*.{ending}"))
    assert len(found) == 2
    return found


def test_what_was_compiled_is_read_again(run: Run) -> None:
    assert run() == ("42 6 0 0", "")
    assert run() == ("42 6 1 1", "")


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("how", ["empty", "cut", "garbage", "flipped"])
def test_a_damaged_cache_is_compiled_anew_and_mended(run: Run, tmp_path: Path, ending: str, how: str) -> None:
    run()
    for path in _files(tmp_path, ending):
        whole = path.read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes({"empty": b"", "cut": whole[:middle], "garbage": b"x" * 300, "flipped": flipped}[how])
    hits, said = run()
    assert said == ""
    if (ending, how) == ("nbi", "flipped"):
        assert hits.startswith("42 6 ")  # a bit of an index may not matter
    else:
        assert hits == "42 6 0 0"
    assert run() == ("42 6 1 1", "")


def test_no_folder_for_a_cache_is_said_once_and_stops_nothing(run: Run) -> None:
    nowhere = "import numba.core.caching as c; c.CacheImpl._locator_classes = []"
    out, said = run(nowhere)
    assert out == "42 6 0 0"
    assert said.count("\n") == 1
    assert "no folder for compiled kernels can be written" in said


def test_a_full_disk_is_said_once_with_its_folder(run: Run, tmp_path: Path) -> None:
    full = (
        "import numba.core.caching as c, contextlib\n"
        "@contextlib.contextmanager\n"
        "def full(self, path):\n"
        "    raise OSError(28, 'No space left on device')\n"
        "    yield\n"
        "c.IndexDataCacheFile._open_for_write = full"
    )
    out, said = run(full)
    assert out == "42 6 0 0"
    assert said.count("\n") == 1
    assert f"{str(tmp_path / '__pycache__')!r} (No space left on device)" in said


def test_every_kernel_has_this_cache() -> None:
    """Nobody takes numba's own decorator: its cache ends a run when it is damaged."""
    root = Path(__file__).parents[2]
    for room in ("theory", "sims", "nets", "figures"):
        for path in (root / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path != root / "sims" / "jit.py":
                assert "from numba import njit" not in text, path
                assert "numba.njit" not in text, path
