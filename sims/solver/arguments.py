"""What the public functions check of their arguments, once: finite numbers of the right shape."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver.memory import default_jobs

MAX_JOBS = 4096
"""Threads that one may ask for."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def finite_numbers(name: str, value: npt.ArrayLike) -> Floats:
    """The values as a contiguous array of floats, none of them rounded.

    Raises ValueError: with the name, if they are not real numbers, are masked, not finite or not exact in float64.
    """
    try:
        given = np.asanyarray(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be numbers in a rectangular array, got {_short(value)}") from None
    parts = value if isinstance(value, list | tuple) else (given,)  # NumPy forgets the masks of what a list holds
    if any(isinstance(one, np.ma.MaskedArray) and np.ma.is_masked(one) for one in parts):
        raise ValueError(f"{name} must not be masked")
    given = np.asarray(given)
    if given.dtype.kind not in "biufO":
        raise ValueError(f"{name} must be real numbers, got {_short(value)}")
    if given.dtype.kind == "O":
        return _from_objects(name, given)
    with np.errstate(over="ignore"):  # a wider float may be too large: not finite
        array = np.ascontiguousarray(given, np.float64).reshape(given.shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    if given.dtype.kind in "iu":
        exact = _exact_integers(given, array)
    else:
        exact = given.dtype.itemsize <= 8 or bool((array.astype(given.dtype) == given).all())
    if not exact:
        raise ValueError(f"{name} must be exact in float64: it holds a number that float64 would round")
    return array


def _exact_integers(given: npt.NDArray[Any], array: Floats) -> bool:
    """NumPy compares integers with floats as floats, so those beyond 2^53 are compared as Python's."""
    large = np.abs(array) >= 2.0**53
    return all(int(one) == int(other) for one, other in zip(given[large], array[large], strict=True))


def _from_objects(name: str, given: npt.NDArray[np.object_]) -> Floats:
    """Python's own numbers: int, float, Fraction, Decimal."""
    array = np.empty(given.shape)
    for place, one in np.ndenumerate(given):
        if not isinstance(one, int | float | Fraction | Decimal | np.number):
            raise ValueError(f"{name} must be real numbers, got {_short(one)}")
        try:
            array[place] = float(one)
            exact = Fraction(float(one)) == (Fraction(one) if isinstance(one, int | Fraction | Decimal) else one)
        except (OverflowError, ValueError):
            raise ValueError(f"{name} must be finite and within the reach of float64, got {_short(one)}") from None
        if not exact:
            raise ValueError(f"{name} must be exact in float64, got {_short(one)}")
    return array


def _short(value: object) -> str:
    """A value for an error message."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of more digits than Python prints
        text = f"an integer of {int(value).bit_length()} bits"  # type: ignore[call-overload]
    return text if len(text) <= 60 else f"{text[:57]}..."


def thread_count(jobs: int | None) -> int:
    """Threads of a search: all available cores for None; ValueError if it is no integer in [1, 4096]."""
    return default_jobs() if jobs is None else whole_number("jobs", jobs, 1, MAX_JOBS)


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """An integer in [low, high]; ValueError with the name if it is none."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool | np.bool_) or not low <= number <= high:
        raise ValueError(f"{name} must be an integer in [{low}, {high}], got {name}={_short(value)}")
    return number


def one_number(name: str, value: npt.ArrayLike) -> float:
    """One finite number."""
    number = finite_numbers(name, value)
    if number.ndim:
        raise ValueError(f"{name} must be one number, got shape {number.shape}")
    return float(number)


def tables(x: npt.ArrayLike, *, rows: bool, draws: bool = True) -> tuple[Floats, bool]:
    """Values as (rows, n, R), and whether they were given with one value for each variable.

    ``x``: shape (n,) or (n, R), or with ``rows`` in front; n, R >= 1. ``rows``: whether x holds many tables; if not,
    the result has one row. ``draws``: whether several values for each variable are allowed.

    Examples
    --------
    >>> values, single = tables([0.5, 0.25], rows=False)
    >>> values.shape, single
    ((1, 2, 1), True)
    """
    given = finite_numbers("x", x)
    values = given if rows else given[None]
    single = values.ndim == 2
    if not (single or (draws and values.ndim == 3)) or 0 in values.shape[1:]:
        lead = "rows, " if rows else ""
        short = f"({lead}n)" if rows else "(n,)"
        wanted = f"{short} or ({lead}n, R) with n, R >= 1" if draws else f"{short} with n >= 1"
        raise ValueError(f"x must have shape {wanted}, got shape {given.shape}")
    return values[:, :, None] if single else values, single


def targets_of(alpha: npt.ArrayLike, rows: int) -> Floats:
    """One target for every row, from one for all or one for each."""
    targets = finite_numbers("alpha", alpha)
    if targets.ndim > 1 or (targets.ndim == 1 and len(targets) != rows):
        raise ValueError(f"alpha must be a scalar or have one entry per row, got shape {targets.shape}")
    return np.ascontiguousarray(np.broadcast_to(targets, rows))
