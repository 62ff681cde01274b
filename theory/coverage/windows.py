"""Which interval the share is measured on, and how much of it must be covered (3.3, from the share to the targets)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from theory.coverage.parameters import CoverageParameters

SPLITS = (Fraction(1, 2), Fraction(5, 8))
"""Parts of eps that are tried as the accuracy of the share; any in (0, 1) is valid."""


@dataclass(frozen=True)
class Window:
    """An interval of length 2x that holds 0 and the targets, measured at a part of the accuracy eps.

    0 covers a share ``start`` of it; if at most a share ``missing`` of it stays uncovered, all targets are covered with
    accuracy eps. ``x`` is in [1/2, 1]; start and missing are in [0, 1), rounded down.
    """

    x: float
    start: float
    missing: float

    @property
    def stop(self) -> float:
        """The share to reach, 1 - missing, rounded up."""
        return math.nextafter(1.0 - self.missing, 2.0)


def _window(asked: CoverageParameters, left: Fraction, length: Fraction, split: Fraction) -> Window:
    """The window [left, left + length]."""
    near = split * Fraction(asked.eps)
    slack = Fraction(asked.eps) - near
    right = left + length
    margin = min(Fraction(asked.low) - left, right - Fraction(asked.high))
    missing = min(2 * slack, slack + margin)
    begun = min(near, -left) + min(near, right)
    return Window(float(length / 2), _below(begun / length), _below(missing / length))


def _below(share: Fraction) -> float:
    """The float at or below a positive number, less than 1."""
    value = min(float(share), math.nextafter(1.0, 0.0))
    return value if Fraction(value) <= share else math.nextafter(value, 0.0)


@lru_cache(maxsize=4096)
def narrow_windows(asked: CoverageParameters) -> tuple[Window, ...]:
    """Windows of length 1, as central as can be, for an interval at most that long; none for a longer one."""
    low, high, half = Fraction(asked.low), Fraction(asked.high), Fraction(1, 2)
    if high - low > 1:
        return ()
    centre = max(high - half, min(Fraction(0), low + half))
    return tuple(_window(asked, centre - half, Fraction(1), split) for split in SPLITS)


@lru_cache(maxsize=4096)
def wide_windows(asked: CoverageParameters) -> tuple[Window, ...]:
    """The window [-1, 1], for any interval."""
    return tuple(_window(asked, Fraction(-1), Fraction(2), split) for split in SPLITS)
