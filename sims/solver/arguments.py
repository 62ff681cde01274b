"""What the public functions check of their arguments, once: finite numbers of the right shape."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver.limits import MAX_JOBS, between
from sims.solver.memory import default_jobs

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def finite_numbers(name: str, value: npt.ArrayLike) -> Floats:
    """The values as a contiguous array of floats, each exactly as it was given.

    Raises ValueError: with the name, if they are not real numbers, masked, not finite, or if float64 does not hold one.

    Examples
    --------
    >>> finite_numbers("x", [2**53, 2**53 + 1])
    Traceback (most recent call last):
    ...
    ValueError: x must be numbers that float64 holds exactly, and 9007199254740993 is none
    """
    if masked(value):
        raise ValueError(f"{name} has masked entries: fill them or leave them out")
    try:
        # a list is read number by number: NumPy would round its large integers without a word
        array = np.asarray(value) if hasattr(value, "__array__") else np.asarray(value, dtype=object)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{name} must be numbers, got a {type(value).__name__}") from None
    if array.dtype.kind not in "biufO":
        raise ValueError(f"{name} must be numbers, and real ones, got dtype {array.dtype}")
    if array.dtype.kind == "O" and not all(type(one) is float for one in array.flat):
        doubles = np.array([_double(name, one) for one in array.flat], np.float64).reshape(array.shape)
    else:
        with np.errstate(over="ignore"):
            doubles = np.asarray(array, dtype=np.float64, order="C")
    if not np.isfinite(doubles).all():
        raise ValueError(f"{name} must be finite")
    if array.dtype.kind in "iuf" and array.dtype.itemsize >= 8 and array.dtype != np.float64:
        for one, double in zip(array.flat, doubles.flat, strict=True):
            if abs(double) >= 2**53 or array.dtype.kind == "f":
                _check_same(name, int(one) if array.dtype.kind != "f" else one, float(double))
    return doubles


def masked(value: Any, depth: int = 4) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.is_masked(value))
    return depth > 0 and isinstance(value, (list, tuple)) and any(masked(one, depth - 1) for one in value)


def _double(name: str, one: Any) -> float:
    """One number of a list as a float, if that is the same number."""
    if not isinstance(one, (Real, Decimal, np.bool_)):
        raise ValueError(f"{name} must be numbers, and real ones, got a {type(one).__name__}")
    try:
        double = float(one)
    except (OverflowError, TypeError, ValueError):
        double = math.inf
    if not math.isfinite(double):
        raise ValueError(f"{name} must be finite in float64")
    _check_same(name, one, double)
    return double


def _check_same(name: str, one: Any, double: float) -> None:
    if one != double:
        raise ValueError(f"{name} must be numbers that float64 holds exactly, and {one} is none")


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


def jobs_of(jobs: int | None) -> int:
    """Threads: as many as asked for, all available cores if nothing was said."""
    return default_jobs() if jobs is None else between("jobs", jobs, 1, MAX_JOBS)
