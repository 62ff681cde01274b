"""From floating-point values to the integers that the kernels work on, with the rounding known."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Floats, Integers

_PIECE = 256
"""Rows rounded at a time: what is needed in between then stays in the cache, and in memory that is there already."""

LIMIT = 2**60
"""What the kernels allow: the sum over the variables of the largest size, the target's included."""


def to_fixed_point(x: Floats, targets: Floats) -> tuple[Integers, Integers, npt.NDArray[np.int32], Floats]:
    """Scale every row by its own power of two and round to integers.

    ``x``, shape (rows, n, R): finite values. ``targets``, shape (rows,). Returns values : ndarray of int64, shape
    (rows, n, R): integers m that stand for m * 2^-exponent of their row. Returns targets : ndarray of int64, shape
    (rows,). Returns exponents : ndarray of int32, shape (rows,): chosen so that the sum over the variables of the
    largest size, target included, is at most ``LIMIT / 4``. Returns rounding : ndarray of float64, shape (rows,): upper
    bound on how far the rounding can move (sum - target) of any choice; 0 where nothing was rounded.

    Examples
    --------
    >>> m, t, e, r = to_fixed_point(np.array([[[0.5], [-0.25]]]), np.array([0.75]))
    >>> bool((m[0, :, 0] * 2.0 ** -e[0] == [0.5, -0.25]).all()), r.tolist()
    (True, [0.0])
    """
    with np.errstate(over="ignore"):
        reach = np.abs(x).max(axis=2).sum(axis=1) + np.abs(targets)
    if not np.isfinite(reach).all():
        raise ValueError("the values are too large: their sum is not finite in float64")
    # frexp: reach <= 2^power, so the scaled reach is at most LIMIT / 4, which leaves room for doubling
    power = np.frexp(reach)[1].astype(np.int32)
    exponents = np.where(reach > 0, (LIMIT // 4).bit_length() - 1 - power, 0).astype(np.int32)
    exponents = np.minimum(exponents, 1000).astype(np.int32)
    values, exact_values = np.empty(x.shape, np.int64), np.empty(x.shape, np.bool_)
    for start in range(0, len(x), _PIECE):
        part = slice(start, start + _PIECE)
        values[part], exact_values[part] = rounded(x[part], exponents[part, None, None])
    whole_targets, exact_targets = rounded(targets, exponents)
    exact = exact_values.all(axis=(1, 2)) & exact_targets
    rounding = np.where(exact, 0.0, np.ldexp(0.5 * (x.shape[1] + 1), -exponents))
    return values, whole_targets, exponents, rounding


def rounded(x: Floats, exponents: npt.NDArray[np.int32] | int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The integers nearest to x * 2^exponents, and which of them are exactly that.

    Examples
    --------
    >>> m, exact = rounded(np.array([0.75, 1e-300]), 2)
    >>> m.tolist(), exact.tolist()
    ([3, 0], [True, False])
    """
    scaled = np.ldexp(x, exponents)
    whole = np.rint(scaled)
    # scaling itself may have rounded, where a number far below the others underflows
    exact: npt.NDArray[np.bool_] = (whole == scaled) & (np.ldexp(scaled, np.negative(exponents)) == x)
    return whole.astype(np.int64), exact


def window(target: float, eps: float | Fraction, exponent: int) -> tuple[int, int]:
    """The integers m with \\|m * 2^-exponent - target\\| <= eps, as (twice the centre, width), exactly.

    A sum m lies in the window exactly when \\|2 m - centre2\\| <= width; a negative width means no integer does.

    Examples
    --------
    >>> window(0.5, 0.25, 3)
    (8, 4)
    """
    scale = Fraction(2) ** exponent
    low = -((-(Fraction(target) - Fraction(eps)) * scale) // 1)
    high = (Fraction(target) + Fraction(eps)) * scale // 1
    return int(low + high), int(high - low)


def exact_error(x: Floats, choice: npt.NDArray[Any], target: float) -> tuple[Fraction, Fraction]:
    """Sum of the chosen values and its distance from the target, in rational arithmetic.

    ``x``, shape (n, R). ``choice``, shape (n,): index of the chosen value, -1 for none.

    Examples
    --------
    >>> exact_error(np.array([[0.1], [0.2]]), np.array([0, 0], np.int32), 0.3)[1] < 3e-17
    True
    """
    total = sum((Fraction(float(x[i, r])) for i, r in enumerate(choice) if r >= 0), Fraction(0))
    return total, abs(total - Fraction(target))
