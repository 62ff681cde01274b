"""Densities of sums of U[-1, 1] and probabilities of short windows, by recurrences without a single subtraction.

Notation: S_k is the sum of k independent U[-1, 1], f_k its density, and G_k(t) = P(|t + S_k - alpha| <= eps). With
z+ = alpha + eps - t and z- = alpha - eps - t (theory/PROOFS.md, 2.0):

    f_k(z) = ((k+z) f_{k-1}(z+1) + (k-z) f_{k-1}(z-1)) / (2(k-1)),
    G_k(t) = ((k+z+) (G_{k-1}(t-1) + (2 eps/k) f_k(z+)) + (k-z-) (G_{k-1}(t+1) + (2 eps/k) f_k(z-))) / (2k + 2 eps).

Every number involved is nonnegative, so every value comes with a relative error known in advance, however small eps
is. A point is stored as an integer plus a fraction w in [0, 1] whose complement 1 - w is stored too: then k + z and
k - z are sums of nonnegative numbers. Functions at a jump take their limit from the right in z.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UNIT = 2.0**-53
"""Half the spacing of doubles at 1: the relative error of one rounding."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """Points z = whole + part on a lattice: axis 0 moves z by +1 (step = 1) or -1 (step = -1).

    Attributes
    ----------
    whole : array, shape (rows, columns)
        Integer parts.
    part, rest : array, shape (columns,)
        w in [0, 1] and 1 - w, each with a relative error of at most 5 UNIT.
    step : int
        Change of z from one row to the next, +1 or -1.
    """

    whole: Array
    part: Array
    rest: Array
    step: int


def _moved(values: Array, rows: int) -> Array:
    """The array whose row i is row i + rows of ``values``, zero outside (rows is -1 or +1)."""
    out = np.empty_like(values)
    if rows == 1:
        out[:-1], out[-1] = values[1:], 0.0
    else:
        out[1:], out[0] = values[:-1], 0.0
    return out


def densities(order: int, z: Points) -> Iterator[Array]:
    """Yield f_1, ..., f_order at the points z; the lattice must cover every support.

    Proved in theory/PROOFS.md, 2.0.

    ``order``: last k, >= 0; ``z``: points whose rows reach beyond [-order, order].

    f_k carries a relative error of at most 9 (k-1) UNIT where it does not underflow (below 2^-1000 it may be 0).
    """
    value = np.where((z.whole >= -1.0) & (z.whole < 1.0), 0.5, 0.0) + 0.0 * z.part
    for k in range(1, order + 1):
        if k > 1:
            left = (z.whole + k) + z.part  # k + z
            right = (k - 1.0 - z.whole) + z.rest  # k - z
            value = (left * _moved(value, z.step) + right * _moved(value, -z.step)) / (2.0 * (k - 1))
        yield value


def windows(order: int, upper: Points, lower: Points, eps: float) -> Iterator[Array]:
    """Yield G_0, ..., G_order at the points t with z+ = upper and z- = lower (both with step -1: rows increase t).

    Proved in theory/PROOFS.md, 2.0.

    ``order``: last k, >= 0; ``upper``, ``lower``: alpha + eps - t and alpha - eps - t; ``eps``: half the window's
    width, in [check.MIN_EPS, 1].

    G_k carries a relative error of at most (11 k + 2) UNIT.
    """
    value = np.where((upper.whole >= 0.0) & (lower.whole < 0.0), 1.0, 0.0)
    yield value
    pairs = zip(densities(order, upper), densities(order, lower), strict=True)
    for k, (density_upper, density_lower) in enumerate(pairs, start=1):
        left = (upper.whole + k) + upper.part  # k + z+
        right = (k - 1.0 - lower.whole) + lower.rest  # k - z-
        weight = 2.0 * eps / k
        first = _moved(value, -1) + weight * density_upper
        second = _moved(value, 1) + weight * density_lower
        value = (left * first + right * second) / (2.0 * k + 2.0 * eps)
        yield value


def window_error(k: int) -> float:
    """Relative error bound of a computed G_k, with the second-order terms included.

    Returns (11 k + 2) UNIT, increased by one per cent. Proved in theory/PROOFS.md, 2.0.

    ``k``: number of summands.
    """
    return 1.01 * (11 * k + 2) * UNIT


def single_point(value: Fraction, rows: int) -> Points:
    """The lattice value - i, i = -rows..rows-1, of one exact number.

    One column; row number ``rows`` is i = 0.

    ``value``: the point at i = 0; ``rows``: half the number of rows.
    """
    whole = math.floor(value)
    part = value - whole
    index = np.arange(-rows, rows, dtype=np.float64)[:, None]
    return Points(whole - index, np.array([float(part)]), np.array([float(1 - part)]), -1)


@lru_cache(maxsize=256)
def _hit_table(alpha: float, eps: float, order: int) -> tuple[float, ...]:
    centre, half = Fraction(alpha), Fraction(eps)
    rows = order + 4
    columns = windows(order, single_point(centre + half, rows), single_point(centre - half, rows), eps)
    values = [float(column[rows, 0]) for column in columns]
    values[0] = 1.0 if abs(alpha) <= eps else 0.0  # the closed window: a jump has no one-sided choice here
    return tuple(values)


def hit_table(order: int, *, alpha: float, eps: float) -> tuple[float, ...]:
    """P(|S_k - alpha| <= eps) for k = 0, ..., at least ``order``, each within window_error(k).

    In [0, 1]. Proved in theory/PROOFS.md, 2.0.

    ``order``: last k wanted; the table is cached at the next power of two; ``alpha``: target in [-1, 1]; ``eps``:
    accuracy in [check.MIN_EPS, 1].

    Examples
    --------
    >>> [round(p, 6) for p in hit_table(3, alpha=0.5, eps=0.01)[:4]]
    [0.0, 0.01, 0.0075, 0.006875]
    """
    return _hit_table(abs(alpha), eps, max(8, 1 << (order - 1).bit_length()) if order else 8)
