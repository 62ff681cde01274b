"""Limits of containers and jobs, read from file systems made up for the test."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sims.solver import allowance, memory

MIB = 2**20
V1, V2 = "7:cpu,cpuacct:{0}\n5:memory:{0}\n0::/\n", "0::{0}\n"


def machine(root: Path, cgroup: str, files: dict[str, object]) -> Path:
    """A root with /proc/self/cgroup, a process of 100 and 10 pages, and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/statm").write_text("100 10 5 1 0 50 0\n")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "left"),
    [
        pytest.param(V2.format("/"), {}, math.inf, id="nothing is mounted"),
        pytest.param(V2.format("/a"), {"a/memory.max": "max", "a/memory.current": 5}, math.inf, id="v2, no limit"),
        pytest.param(V2.format("/a"), {"a/memory.max": 100, "a/memory.current": 30}, 70, id="v2"),
        pytest.param(
            V2.format("/a"),
            {"a/memory.max": 100, "a/memory.current": 30, "a/memory.stat": "anon 10\ninactive_file 20\nfile 20"},
            90,
            id="v2, pages that are given back",
        ),
        pytest.param(V2.format("/a/b"), {"a/memory.max": 50, "a/memory.current": 20, "a/b/memory.max": 99}, 30,
                     id="v2, the group above"),
        pytest.param(V2.format("/docker/0af3"), {"memory.max": 64, "memory.current": 4}, 60, id="v2 in a container"),
        pytest.param(V2.format("/../../x"), {"memory.max": 64, "memory.current": 4}, 60, id="v2, a namespace's name"),
        pytest.param(V2.format("/a"), {"a/memory.max": 10, "a/memory.current": 30}, 0, id="v2, more is used"),
        pytest.param(V1.format("/s"), {"memory/s/memory.limit_in_bytes": 9223372036854771712}, math.inf,
                     id="v1, no limit"),
        pytest.param(
            V1.format("/slurm/job_7"),
            {"memory/slurm/job_7/memory.limit_in_bytes": 80, "memory/slurm/job_7/memory.usage_in_bytes": 30,
             "memory/slurm/job_7/memory.stat": "inactive_file 1\ntotal_inactive_file 10"},
            60,
            id="v1",
        ),
        pytest.param(V1.format("/docker/0af3"), {"memory/memory.limit_in_bytes": 80}, 80, id="v1 in a container"),
        pytest.param(V1.format("/s"), {"unified/memory.max": 70}, 70, id="both versions"),
        pytest.param("no colons\n\n", {"memory.max": 3}, math.inf, id="nonsense"),
        pytest.param(V2.format("/"), {"memory.max": "-5"}, math.inf, id="nonsense for a limit"),
    ],
)  # fmt: skip
def test_memory_of_control_groups(tmp_path: Path, cgroup: str, files: dict, left: float) -> None:
    assert allowance.allowed_bytes(machine(tmp_path, cgroup, files), {}) == left


@pytest.mark.parametrize(
    ("environ", "mib"),
    [
        ({"SLURM_MEM_PER_NODE": "1024"}, 1024),
        ({"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "4"}, 400),
        ({"SLURM_MEM_PER_CPU": "100"}, 100),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({"SLURM_MEM_PER_NODE": "all"}, None),
        ({}, None),
    ],
)
def test_memory_of_a_job(tmp_path: Path, environ: dict, mib: int | None) -> None:
    root = machine(tmp_path, V2.format("/"), {})
    page = os.sysconf("SC_PAGE_SIZE")
    assert allowance.allowed_bytes(root, environ) == (math.inf if mib is None else mib * MIB - 10 * page)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text("1000\n")
    allowance._limited.cache_clear()
    assert allowance.allowed_bytes(root, environ) == 1000


@pytest.mark.parametrize(
    ("cgroup", "files", "environ", "cpus"),
    [
        (V2.format("/"), {}, {}, math.inf),
        (V2.format("/a"), {"a/cpu.max": "max 100000"}, {}, math.inf),
        (V2.format("/a"), {"a/cpu.max": "150000 100000"}, {}, 2),
        (V2.format("/a/b"), {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, {}, 3),
        (V2.format("/a"), {"cpu.max": "1000 100000"}, {}, 1),
        (V1.format("/d"), {"cpu/d/cpu.cfs_quota_us": -1, "cpu/d/cpu.cfs_period_us": 100000}, {}, math.inf),
        (V1.format("/d"), {"cpu,cpuacct/d/cpu.cfs_quota_us": 400000, "cpu,cpuacct/d/cpu.cfs_period_us": 100000}, {}, 4),
        (V2.format("/"), {}, {"SLURM_CPUS_PER_TASK": "3", "SLURM_CPUS_ON_NODE": "12"}, 3),
        (V2.format("/"), {}, {"SLURM_CPUS_ON_NODE": "12"}, 12),
        (V2.format("/"), {"cpu.max": "200000 100000"}, {"SLURM_CPUS_ON_NODE": "12"}, 2),
        (V2.format("/"), {}, {"SLURM_CPUS_PER_TASK": "0"}, math.inf),
    ],
)
def test_processors(tmp_path: Path, cgroup: str, files: dict, environ: dict, cpus: float) -> None:
    assert allowance.allowed_cpus(machine(tmp_path, cgroup, files), environ) == cpus


def test_a_machine_without_proc_limits_nothing(tmp_path: Path) -> None:
    assert allowance.allowed_bytes(tmp_path, {}) == math.inf
    assert allowance.allowed_cpus(tmp_path, {}) == math.inf


def test_commands_keep_to_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    monkeypatch.setattr(memory, "_known", (-1.0, 0), raising=False)  # what was asked for lately
    assert memory.default_jobs() == 1
    assert memory.available_bytes() == 0


def test_the_address_space_is_a_limit() -> None:
    """4 GiB for a process that has mapped some of them: less is left, and more than none."""
    pytest.importorskip("resource")
    code = "from sims.solver.memory import available_bytes as left; print(left())"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)); "
    found = subprocess.run([sys.executable, "-c", limited + code], capture_output=True, text=True, check=True,
                           env={**os.environ, "PYTHONPATH": str(Path(allowance.__file__).parents[2])})  # fmt: skip
    assert 0 < int(found.stdout) < 2**32
