"""What a container, a job or a shell allows this process: memory and processors, where that is less than the machine's.

Read are control groups (versions 1 and 2, the process's own group and all above it), SLURM's variables and the limit of
the address space. What cannot be read limits nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path("/")


@dataclass(frozen=True)
class _Files:
    """Where a version of control groups keeps things: mounts below /sys/fs/cgroup, and the names of files."""

    mounts: tuple[str, ...]
    limit: str
    used: str
    reclaimable: str


_MEMORY = {
    1: _Files(("memory",), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: _Files((".", "unified"), "memory.max", "memory.current", "inactive_file"),
}
_CPU_MOUNTS = {1: ("cpu", "cpu,cpuacct", "cpuacct,cpu"), 2: (".", "unified")}
_NO_LIMIT = 2**60
"""Version 1 writes about 2^63 where there is none."""


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None


def _groups(root: Path, controller: str) -> Iterator[tuple[int, PurePosixPath]]:
    """Version and name of this process's control groups that may limit that controller's resource."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            yield 1, PurePosixPath(path)
        elif number == "0" and not names:
            yield 2, PurePosixPath(path)


def _folders(root: Path, mounts: tuple[str, ...], group: PurePosixPath) -> Iterator[Path]:
    """The group's folder and those above it; in a container, whose root is often all that is seen of them."""
    parts = [part for part in group.parts if part not in ("/", "..")]
    for mount in mounts:
        for depth in range(len(parts), -1, -1):
            yield root.joinpath("sys/fs/cgroup", mount, *parts[:depth])


@cache
def _limited(root: Path) -> tuple[tuple[int, Path, _Files], ...]:
    """The control groups that limit memory: by how much, and where they are."""
    found = []
    for version, group in _groups(root, "memory"):
        files = _MEMORY[version]
        for folder in _folders(root, files.mounts, group):
            limit = _number(_read(folder / files.limit))
            if limit is not None and limit < _NO_LIMIT:
                found.append((limit, folder, files))
    return tuple(found)


def _left(limit: int, folder: Path, files: _Files) -> int:
    """What a group has left: the pages of files that it holds are given back when asked for."""
    used = _number(_read(folder / files.used)) or 0
    for line in (_read(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == files.reclaimable:
            used = max(0, used - (_number(value) or 0))
    return limit - used


def _own(root: Path) -> tuple[int, int]:
    """The address space and the memory of this process, in bytes."""
    words = (_read(root / "proc/self/statm") or "0 0").split()
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
    return page * (_number(words[0]) or 0), page * (_number(words[1]) or 0)


def _slurm_bytes(environ: Mapping[str, str]) -> int | None:
    """Memory of the job on this node; 0 is SLURM's word for all of it."""
    whole = _number(environ.get("SLURM_MEM_PER_NODE"))
    if whole is None:
        each, cpus = (_number(environ.get(name)) for name in ("SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"))
        whole = None if each is None else each * (cpus or 1)
    return whole * 2**20 if whole else None


def _address_space() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def allowed_bytes(root: Path = ROOT, environ: Mapping[str, str] | None = None) -> float:
    """Memory that this process may still take, in bytes; infinite where nothing limits it.

    ``root``: of the file system. ``environ``: the process's own by default.
    """
    left = [float(_left(*group)) for group in _limited(root)]
    job, space = _slurm_bytes(os.environ if environ is None else environ), _address_space()
    if job is not None or space is not None:
        mapped, resident = _own(root)
        left += [job - resident] if job is not None else []
        left += [space - mapped] if space is not None else []
    return max(0.0, min(left, default=math.inf))


@cache
def _quota(root: Path) -> float:
    """Processors that the control groups allow."""
    found = math.inf
    for version, group in _groups(root, "cpu"):
        for folder in _folders(root, _CPU_MOUNTS[version], group):
            if version == 2:
                words = (_read(folder / "cpu.max") or "").split()
            else:
                words = [_read(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
            quota, period = (_number(word) for word in words) if len(words) == 2 else (None, None)
            if quota and period:
                found = min(found, quota / period)
    return found


def allowed_cpus(root: Path = ROOT, environ: Mapping[str, str] | None = None) -> float:
    """Processors that a container or a job allows, rounded up; infinite where nothing limits them."""
    given = os.environ if environ is None else environ
    job = _number(given.get("SLURM_CPUS_PER_TASK")) or _number(given.get("SLURM_CPUS_ON_NODE")) or math.inf
    quota = _quota(root)
    return min(job, math.ceil(quota) if math.isfinite(quota) else quota)
