"""What the public functions check of their arguments, once: finite numbers of the right shape."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def finite_numbers(name: str, value: npt.ArrayLike) -> Floats:
    """The values as a contiguous array of floats.

    Raises ValueError: with the name, if they are not numbers, or not finite.
    """
    try:
        array = np.asarray(value, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {name}={value!r}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


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
