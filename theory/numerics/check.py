"""Validation of the arguments that every formula takes, with one wording for every message.

Each function returns its argument in canonical form (``int`` or ``float``) or raises ``ValueError`` with the
argument's name and the offending value, e.g. ``eps must be in (0, 1], got eps=0``.
"""

from __future__ import annotations

import math
import operator
from decimal import Decimal
from numbers import Real
from typing import Any, Literal


def _integer(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool):
        raise ValueError(f"{name} must be an integer >= {least}, got {name}={shown(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        if isinstance(value, float) and value.is_integer():
            number = int(value)
        else:
            raise ValueError(f"{name} must be an integer >= {least}, got {name}={shown(value)}") from None
    if number < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {name}={shown(value)}")
    return number


def real(name: str, value: Any, domain: str) -> float:
    """A number; that it lies in ``domain`` is left to the caller."""
    one = value
    if getattr(one, "shape", None) == () and not isinstance(one, Real) and not getattr(one, "mask", False):
        one = one.item()
    try:
        if not isinstance(one, (Real, Decimal)):
            raise TypeError
        number = float(one)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number in {domain}, got {name}={shown(value)}") from None
    if math.isnan(number):
        raise ValueError(f"{name} must be in {domain}, got {name}={shown(value)}")
    return number


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, and not at length."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python writes
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def positive_int(name: str, value: Any) -> int:
    """An integer >= 1 (a float with an integral value is accepted)."""
    return _integer(name, value, 1)


MAX_DRAWS = 10**18
"""Largest R: more draws per element than any formula here needs, and few enough for a float."""


def draw_count(name: str, value: Any) -> int:
    """An integer in [1, MAX_DRAWS]: the R of re-sampling."""
    number = _integer(name, value, 1)
    if number > MAX_DRAWS:
        raise ValueError(f"{name} must be at most {MAX_DRAWS:.0e}, got {name} >= 2^{number.bit_length() - 1}")
    return number


def natural(name: str, value: Any) -> int:
    """An integer >= 0 (a float with an integral value is accepted)."""
    return _integer(name, value, 0)


def accuracy(name: str, value: Any) -> float:
    """A number in (0, 1]: the eps or eta of an approximation."""
    number = real(name, value, "(0, 1]")
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name} must be in (0, 1], got {name}={shown(value)}")
    return number


MIN_EPS = 1e-60
"""Smallest eps of the certified functions: below it products of probabilities could underflow."""


def certified_accuracy(name: str, value: Any) -> float:
    """A number in [MIN_EPS, 1]: the eps of a value whose rounding is known."""
    number = accuracy(name, value)
    if number < MIN_EPS:
        raise ValueError(f"{name} must be at least {MIN_EPS} for a certified value, got {name}={shown(value)}")
    return number


def open_probability(name: str, value: Any) -> float:
    """A number strictly between 0 and 1: the delta of a failure probability."""
    number = real(name, value, "(0, 1)")
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} must be in (0, 1), got {name}={shown(value)}")
    return number


def target_value(name: str, value: Any) -> float:
    """A number in [-1, 1]: one target weight alpha."""
    number = real(name, value, "[-1, 1]")
    if not -1.0 <= number <= 1.0:
        raise ValueError(f"{name} must be in [-1, 1], got {name}={shown(value)}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """A finite number >= 0: a distance."""
    number = real(name, value, "[0, inf)")
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be in [0, inf), got {name}={shown(value)}")
    return number


def target_or_uniform(name: str, value: Any) -> float | Literal["uniform"]:
    """A number in [-1, 1], or the word "uniform": a target drawn from U[-1, 1] independently of everything else."""
    if isinstance(value, str):
        if value != "uniform":
            raise ValueError(f'{name} must be a number in [-1, 1] or "uniform", got {name}={value!r}')
        return "uniform"
    return target_value(name, value)


def sampling_model(name: str, value: Any) -> Literal["choice", "vector"]:
    """How the R draws of n variables may be used: "choice" (one draw per variable) or "vector" (R whole vectors)."""
    if value == "choice":
        return "choice"
    if value == "vector":
        return "vector"
    raise ValueError(f'{name} must be "choice" or "vector", got {name}={value!r}')
