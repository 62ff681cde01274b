"""The grid of the draws, and the ranges of whole numbers; without Numba, for those who only ask."""

from __future__ import annotations

import math
import operator
from typing import Any

GRID_BITS = 52
"""Draws are integers m that stand for m * 2**-GRID_BITS."""

VALUES, TARGETS = 0, 1
"""Streams: the values of the variables, and random targets."""

MAX_SEED = 2**64 - 1
MAX_TRIAL = 2**63 - 1
MAX_JOBS = 4096


def between(name: str, value: Any, low: int, high: int) -> int:
    """An integer in [low, high]; a float with an integral value (1e5) is one, True is none; else ValueError."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer in [{low}, {high}], got {value!r}") from None
    if not low <= number <= high:
        shown = value if abs(number) < 2**200 else f"one of {number.bit_length()} bits"
        raise ValueError(f"{name} must be an integer in [{low}, {high}], got {shown}")
    return number


def finite_number(name: str, value: Any) -> float:
    """A finite number; ValueError with the name if it is none, or an integer that float64 does not hold.

    Examples
    --------
    >>> finite_number("radius", "2")
    Traceback (most recent call last):
    ...
    ValueError: radius must be a finite number, got '2'
    """
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(value)
        if isinstance(value, int) and number != value:  # it would be another number
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{name} must be a finite number, got {str(value)[:60] if isinstance(value, float) else repr(value)[:60]}"
        )
    return number
