"""Outward rounding of results that are accurate to a unit in the last place."""

from __future__ import annotations

import math


def raised(x: float) -> float:
    """x plus two units in the last place, for functions accurate to one."""
    return math.nextafter(math.nextafter(x, math.inf), math.inf)


def lowered(x: float) -> float:
    """x minus two units in the last place."""
    return math.nextafter(math.nextafter(x, -math.inf), -math.inf)
