"""What the benchmarks share: timing, numbers for people, and tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any


def timed(work: Callable[[], Any], *, rounds: int = 7) -> list[float]:
    """Seconds of each round, after one that is not counted."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def median_within(work: Callable[[], Any], budget: float, *, rounds: int = 9) -> float:
    """Median seconds of as many rounds as fit a budget in seconds, at least one; the first call is not counted."""
    work()
    seconds: list[float] = []
    while len(seconds) < rounds and (not seconds or sum(seconds) + min(seconds) < budget):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def readable(seconds: float) -> str:
    """A duration with three digits and its unit.

    Examples
    --------
    >>> readable(0.00123), readable(2.5e-8)
    ('1.23 ms', '25 ns')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def many(count: float) -> str:
    """A count with three digits and its unit.

    Examples
    --------
    >>> many(12_345_678), many(950.4), many(0.5)
    ('12.3 M', '950', '0.5')
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.3g}"


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
