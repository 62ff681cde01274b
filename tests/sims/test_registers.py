"""Which width of vectors is used: what the CPU has, what is faster, and what a person says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sims import jit
from sims.solver import registers
from sims.solver.kernels import vector
from tests.sims.test_vector import run


@pytest.fixture
def contest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[bool, list[int]]]:
    """The contests that are held; the last candidate wins each. The kernels' cache is tmp_path."""
    held: list[tuple[bool, list[int]]] = []

    def fastest(rounded: bool, candidates: list[int]) -> int:
        held.append((rounded, candidates))
        return candidates[-1]

    class Cache:
        cache_path: Any = str(tmp_path)

    monkeypatch.setattr(registers, "_fastest", fastest)
    monkeypatch.setattr(vector.sweep, "_cache", Cache)
    for name in ("STRONGTICKETS_WIDTH", "STRONGTICKETS_SCALAR"):
        monkeypatch.delenv(name, raising=False)
    return held


def anew(*, rounded: bool = True) -> int:
    """As a new process would choose."""
    return registers.chosen.__wrapped__(rounded=rounded)


@pytest.mark.parametrize(
    ("has", "held", "width"),
    [
        ({512, 256, 128}, [(True, [512, 256])], 256),
        ({256, 128}, [(True, [256, 128])], 128),
        ({128}, [(True, [128, 0]), (False, [128, 0])], 0),
        (set(), [], 0),
    ],
)
def test_the_two_widest_are_measured_once(
    contest: list[Any], monkeypatch: pytest.MonkeyPatch, has: set[int], held: list[Any], width: int
) -> None:
    monkeypatch.setattr(registers, "one_instruction", has.__contains__)
    assert [anew(rounded=True), anew(rounded=False), anew(rounded=True), anew(rounded=False)] == [width] * 4
    assert contest == held


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"width": 7}', '{"width": [512]}', "null"])
def test_a_damaged_file_is_made_anew(
    contest: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(registers, "one_instruction", lambda width: True)
    assert anew() == 256
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert anew() == 256
    assert len(contest) == 2
    assert json.loads(file.read_text())["width"] == 256
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_stops_nothing(contest: list[Any], tmp_path: Path) -> None:
    vector.sweep._cache.cache_path = str(tmp_path / "absent")
    assert anew() == contest[0][1][-1]
    vector.sweep._cache.cache_path = None
    assert anew() == contest[1][1][-1]
    assert list(tmp_path.iterdir()) == []


def test_another_cpu_and_other_kernels_measure_again(contest: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "one_instruction", lambda width: True)
    anew()

    class Codegen:
        def magic_tuple(self) -> tuple[str, ...]:
            return ("x86_64", "another", "+avx2")

    with monkeypatch.context() as patch:
        patch.setattr(registers, "_codegen", Codegen)
        anew()
    monkeypatch.setattr(jit, "digest", lambda module: "edited")
    anew()
    assert len(contest) == 3


@pytest.mark.parametrize(
    ("told", "scalar", "width"), [("512", "0", 512), ("128", "", 128), ("0", "", 0), ("256", "1", 0)]
)
def test_the_environment_decides(
    contest: list[Any], monkeypatch: pytest.MonkeyPatch, told: str, scalar: str, width: int
) -> None:
    monkeypatch.setenv("STRONGTICKETS_WIDTH", told)
    monkeypatch.setenv("STRONGTICKETS_SCALAR", scalar)
    assert anew() == width
    assert contest == []


@pytest.mark.parametrize("told", ["64", "wide", "-128", "1024", "256 "])
def test_no_other_width_is_taken(contest: list[Any], monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("STRONGTICKETS_WIDTH", told)
    with pytest.raises(ValueError, match=f"STRONGTICKETS_WIDTH must be one of 0, 128, 256, 512, got {told!r}"):
        anew()


def test_a_contest_ends_with_a_candidate() -> None:
    for rounded in (False, True):
        for candidates in ([512, 256], [128, 0]):
            assert registers._fastest(rounded, candidates) in candidates


ASSEMBLY = """
import re
from numba import types
from numba.core.caching import NullCache
from sims.solver import registers
from sims.solver.kernels import vector
print([width for width in registers.WIDTHS if registers.one_instruction(width)])
for lanes in (vector.Kernels(256, True).short, vector.Kernels(256, False).exact):
    vector.sweep._cache = NullCache()
    vector.sweep.compile((lanes._numba_type_, *[types.int64] * 7))
    made = vector.sweep.inspect_asm()[vector.sweep.signatures[-1]]
    print(sorted(set(re.findall(r"\\b(vpminsd|vpabsd|vpcmpgtq|vpsub[dq])\\b[^\\n]*ymm", made))), "zmm" in made)
"""


@pytest.mark.skipif(not registers.one_instruction(256), reason="needs AVX2")
def test_without_avx512_the_sweep_is_made_of_avx2_instructions() -> None:
    """And of no scalar ones: 64-bit words have no minimum there, but a comparison and a choice."""
    told = run(ASSEMBLY, NUMBA_CPU_FEATURES="-avx512f,-avx512bw,-avx512dq,-avx512vl").splitlines()
    assert told == ["[256, 128]", "['vpabsd', 'vpminsd', 'vpsubd'] False", "['vpcmpgtq', 'vpsubq'] False"]


def test_what_is_here_fits_the_cpu() -> None:
    if os.path.exists("/proc/cpuinfo") and "avx512vl" in Path("/proc/cpuinfo").read_text():
        assert registers.one_instruction(512)
