"""How much memory a search needs, and whether the machine has it."""

from __future__ import annotations

import os
import time

from sims.solver.allowance import allowed_bytes, allowed_cpus

_MOST_HALF_SUMS = 2**30


_known: tuple[float, int] = -1.0, 0


def available_bytes() -> int:
    """Memory that can be taken without swapping, and without the limits of a container or a job, in bytes.

    It is asked for twice a second at most.
    """
    global _known
    asked, found = _known
    if not 0.0 <= time.monotonic() - asked < 0.5 or asked < 0.0:
        found = int(min(_machine_bytes(), allowed_bytes()))
        _known = time.monotonic(), found
    return found


def _machine_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def default_jobs() -> int:
    """Cores this process may use: its container's or job's share of the machine's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return int(min(cores, allowed_cpus()))


def readable(size: float) -> str:
    """A size in bytes for people.

    Examples
    --------
    >>> readable(3 * 2**30)
    '3.0 GiB'
    """
    if size >= 2**1000:
        return "more than any machine's worth"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "B" else f"{int(size)} B"
        size /= 1024
    return f"{size:.3g} PiB"


def check_memory(what: str, bytes_per_thread: int, threads: int, *, limit: int | None = None) -> None:
    """Refuse a search that would take more than half of the available memory.

    Raises ValueError: with the predicted size and the limit.

    Examples
    --------
    >>> check_memory("n=90 with R=1", 2**48, 2, limit=2**33)
    Traceback (most recent call last):
    ...
    ValueError: n=90 with R=1 needs 512.0 TiB of memory (2 threads), the limit is 8.0 GiB
    """
    allowed = available_bytes() // 2 if limit is None else limit
    needed = bytes_per_thread * threads
    if needed > allowed:
        plural = "s" if threads != 1 else ""
        raise ValueError(
            f"{what} needs {readable(needed)} of memory ({threads} thread{plural}), the limit is {readable(allowed)}"
        )


def check_scratch(n: int, draws: int, words: int, threads: int) -> None:
    """``check_memory`` for words of int64."""
    check_memory(f"n={n} with R={draws}", 8 * words, threads)


def longest_search(draws: int) -> int:
    """Most variables of a search: a half of them has at most 2^30 sums.

    Examples
    --------
    >>> longest_search(1), longest_search(5)
    (60, 22)
    """
    half = 0
    while (draws + 1) ** (half + 1) <= _MOST_HALF_SUMS:
        half += 1
    return 2 * half


def check_size(n: int, draws: int) -> None:
    """Refuse a search that no machine ends: more than 2^30 sums in a half of the variables.

    Raises ValueError: with the largest n.

    Examples
    --------
    >>> check_size(60, 1)
    >>> check_size(61, 1)
    Traceback (most recent call last):
    ...
    ValueError: n=61 with R=1 is out of reach, the limit is n=60
    """
    if n > longest_search(draws):
        raise ValueError(f"n={n} with R={draws} is out of reach, the limit is n={longest_search(draws)}")
