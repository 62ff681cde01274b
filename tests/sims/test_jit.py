"""Kernels run whatever the state of Numba's cache."""

from __future__ import annotations

import errno
import importlib.util
import textwrap
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching

from sims import jit

SOURCE = textwrap.dedent(
    """
    from sims.jit import njit

    @njit(cache=True)
    def twice(x):
        return 2 * x
    """
)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the kernel anew, as a new process would."""
    monkeypatch.setattr(jit, "_said", set())
    file = tmp_path / "kernel.py"
    file.write_text(SOURCE)

    def new() -> Any:
        names: dict[str, Any] = {"__name__": "kernel", "__file__": str(file)}
        exec(compile(SOURCE, str(file), "exec"), names)
        return names["twice"]

    return new


def hits(kernel: Any) -> int:
    assert kernel(21) == 42
    return sum(kernel.stats.cache_hits.values())


def test_a_kernel_is_compiled_once(kernel: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert [hits(kernel()), hits(kernel())] == [0, 1]
    assert capsys.readouterr().err == ""


def test_an_edit_of_what_a_kernel_uses_is_noticed(tmp_path: Path) -> None:
    """Numba looks at the kernel's own file only."""
    used, file = tmp_path / "used.py", tmp_path / "kernel.py"
    file.write_text(SOURCE.replace("cache=True", "cache=True, uses=(used,)").replace("2 * x", "used.factor(x)"))

    def new(factor: int) -> Any:
        used.write_text(f"from numba import njit\n\n\n@njit\ndef factor(x):\n    return {factor} * x\n")
        found = importlib.util.spec_from_file_location("used", used)
        assert found is not None and found.loader is not None  # noqa: PT018
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        names: dict[str, Any] = {"__name__": "kernel", "__file__": str(file), "used": module}
        exec(compile(file.read_text(), str(file), "exec"), names)
        return names["twice"]

    for factor, cached in ((2, 0), (2, 1), (10, 0), (10, 1)):
        kernel = new(factor)
        assert kernel(21) == factor * 21
        assert sum(kernel.stats.cache_hits.values()) == cached


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda old: b"",
        lambda old: old[: len(old) // 2],
        lambda old: b"garbage" * 50,
        lambda old: old[:-9] + bytes(9),
        lambda old: old[:200] + b"?" + old[201:],
    ],
)
def test_a_damaged_cache_is_made_anew(kernel: Any, tmp_path: Path, suffix: str, damage: Any) -> None:
    hits(kernel())
    (file,) = tmp_path.rglob(f"*.{suffix}")
    file.write_bytes(damage(file.read_bytes()))
    assert [hits(kernel()), hits(kernel())] == [0, 1]


def test_no_folder_for_the_cache(
    kernel: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    made = kernel(), kernel()
    assert capsys.readouterr().err == ""  # nothing is said before something is compiled
    assert [hits(one) for one in made] == [0, 0]
    (line,) = capsys.readouterr().err.splitlines()
    assert "no folder for their cache can be written" in line


def test_a_full_disk_is_named(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    assert [hits(kernel()), hits(kernel())] == [0, 0]
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line
    assert "No space left on device" in line


def test_a_cache_that_cannot_be_read(kernel: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hits(kernel())
    (index,) = tmp_path.rglob("*.nbi")
    index.unlink()
    index.mkdir()
    assert hits(kernel()) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line


def test_every_kernel_goes_through_it() -> None:
    root = Path(__file__).parents[2]
    plain = [
        str(file)
        for package in ("sims", "nets", "theory", "figures")
        for file in (root / package).rglob("*.py")
        if file.name != "jit.py" and "import njit" in (text := file.read_text()) and "from sims.jit" not in text
    ]
    assert plain == []
