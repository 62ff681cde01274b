"""What a fact comes to: how pairs of numbers, or yes-or-no cases, are compared, and with which random cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import SupportsFloat

import numpy as np

from sims.checks.check import Closest, own_seed
from sims.plain_text import counted

Rng = np.random.Generator
Pairs = Iterator[tuple[SupportsFloat, SupportsFloat]]
"""Pairs of numbers, the one that theory gives first."""


def generator(seed: int, key: str) -> np.random.Generator:
    """Random cases for a fact."""
    return np.random.default_rng(own_seed(seed, key))


def agree(tolerance: float, key: str = "") -> Callable[[Callable[..., Pairs]], Callable[..., Closest]]:
    """Make a generator of (claimed, true) pairs a fact: every pair agrees up to a relative error.

    The generator is given random numbers of that key, and what else the fact is called with.
    """
    return lambda cases: lambda seed, **given: equal(cases(generator(seed, key), **given), tolerance)


def never_above(key: str = "", *, slack: float = 0.0) -> Callable[[Callable[..., Pairs]], Callable[..., Closest]]:
    """As ``agree``: no first number of a pair is above the second."""
    return lambda cases: lambda seed, **given: at_most(cases(generator(seed, key), **given), slack=slack)


def equal(pairs: Iterable[tuple[SupportsFloat, SupportsFloat]], tolerance: float) -> Closest:
    """Every (claimed, true) pair agrees up to a relative error."""
    worst, cases = 0.0, 0
    for claimed, true in pairs:
        cases += 1
        worst = max(worst, relative_error(float(claimed), float(true)))
    return Closest(
        math.inf if worst == 0.0 else tolerance / worst,
        f"error {worst:.0e} of {tolerance:.0e} allowed, {counted(cases, 'case')}"
        if worst
        else f"equal, {counted(cases, 'case')}",
        1.0 + tolerance,
    )


def relative_error(claimed: float, true: float) -> float:
    """|claimed - true| / |true|; infinite where only one of them is zero or infinite, or one is not a number."""
    if claimed == true:
        return 0.0
    if not (math.isfinite(claimed) and math.isfinite(true)) or true == 0.0:
        return math.inf
    return abs(claimed - true) / abs(true)


def at_most(pairs: Iterable[tuple[SupportsFloat, SupportsFloat]], *, slack: float = 0.0) -> Closest:
    """First <= second in every pair of numbers >= 0; the ratio is the least second / first."""
    ratios = [_ratio(float(smaller), float(larger)) for smaller, larger in pairs]
    least = min(ratios)
    return Closest(least * (1.0 + slack), f"closest {least:.4g}, {counted(len(ratios), 'case')}", least)


def _ratio(smaller: float, larger: float) -> float:
    if math.isnan(smaller) or math.isnan(larger) or larger < 0.0:
        return 0.0
    if smaller <= 0.0:
        return math.inf
    return float(larger / smaller)


def measured(errors: Sequence[float], allowed: float, text: str = "") -> Closest:
    """A prediction: its largest relative error, which contradicts it only beyond what is allowed."""
    worst = max(errors)
    shown = f"{text}off by {100 * worst:.2g} % at most, {counted(len(errors), 'case')}"
    return Closest(allowed / worst if worst else math.inf, shown, 1.0 + allowed, worst)


def all_true(cases: Sequence[bool], text: str) -> Closest:
    """A yes-or-no statement that holds in every case."""
    wrong = sum(not case for case in cases)
    tried = counted(len(cases), "case")
    shown = f"{text}, {tried}" if not wrong else f"fails in {wrong} of {tried}: {text}"
    return Closest(0.0 if wrong else math.inf, shown, 1.0)
