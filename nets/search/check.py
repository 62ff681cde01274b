"""Arguments of the search, refused in one line that names them."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction

from theory.numerics.check import shown

Number = float | Fraction | Decimal | str
"""A float means the decimal that it prints as: 0.1 is 1/10."""


def exact_fraction(name: str, value: object) -> Fraction:
    """A number as the decimal that it is written as.

    Examples
    --------
    >>> exact_fraction("density", 0.1), exact_fraction("density", "1/3")
    (Fraction(1, 10), Fraction(1, 3))
    """
    try:
        if isinstance(value, bool | bytes | bytearray):
            raise ValueError
        if isinstance(value, int | Fraction | Decimal | str):
            return Fraction(value)
        return Fraction(repr(float(value)))  # type: ignore[arg-type]  # anything that has a float, or the TypeError
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(f"{name} must be a finite number, got {name}={shown(value)}") from None


def whole(name: str, value: object, low: int) -> None:
    """ValueError unless the value is an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be an integer >= {low}, got {name}={shown(value)}")


LARGEST = 2**62
"""Of a number that is counted, such as a step."""


def index(name: str, value: object, low: int) -> int:
    """An integer of any library, at least `low` and at most `LARGEST`.

    Examples
    --------
    >>> index("step", True, 0)
    Traceback (most recent call last):
        ...
    ValueError: step must be an integer >= 0, got step=True
    """
    try:
        found = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # or the TypeError
    except TypeError:
        found = low - 1
    if isinstance(value, bool) or found < low:
        raise ValueError(f"{name} must be an integer >= {low}, got {name}={shown(value)}")
    if found > LARGEST:
        raise ValueError(f"{name} must be at most 2^62, got {name}={shown(value)}")
    return found


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """ValueError unless the value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {name}={shown(value)}")
