"""Exact searches among sums of vectors: at most one of the R vectors of each variable, and errors in the max norm."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import Integers, finite_numbers
from sims.solver.fixed_point import to_fixed_point
from sims.solver.kernels import cells as _cells
from sims.solver.memory import check_memory

MAX_HALF_SUMS = 2**24
"""Sums of half of the variables that a search may list."""


def half_sums(n: int, draws: int) -> int:
    """Sums in the longer list of n variables."""
    size: int = (draws + 1) ** -(-n // 2)
    return size


def check_vectors(n: int, draws: int, d: int, threads: int) -> int:
    """Words of int64 that one thread's search takes.

    Raises ValueError: no machine ends it, or it does not fit into memory.

    Examples
    --------
    >>> check_vectors(4, 1, 2, 1)
    41
    >>> check_vectors(60, 1, 2, 1)
    Traceback (most recent call last):
    ...
    ValueError: n=60 with R=1 is out of reach, the limit is n=48
    """
    longest = 0
    while (draws + 1) ** (longest + 1) <= MAX_HALF_SUMS:
        longest += 1
    if n > 2 * longest:
        raise ValueError(f"n={n} with R={draws} is out of reach, the limit is n={2 * longest}")
    words = 3 * half_sums(n, draws) * (d + 1) + half_sums(n, draws) + 1
    check_memory(f"n={n} with R={draws} and d={d}", 8 * words, threads)
    return words


class VectorCurve:
    """Tells how many of n variables are needed until some choice of vectors hits a window; values are integers already.

    ``n``, ``draws``, ``d``: variables (at most), vectors of each (R), coordinates. ``threads``: how many of these will
    exist at once, for the memory check. Raises ValueError: the search does not fit into memory, or no machine ends it.

    Notes
    -----
    One object belongs to one thread: it owns its scratch. Values m and windows stand on a common integer grid; the
    caller makes sure that, in every coordinate, the sum over the variables of the largest size of m, plus that of
    centre2, is below 2^59.
    """

    def __init__(self, n: int, draws: int, d: int, *, threads: int = 1) -> None:
        self.n, self.draws, self.d = n, draws, d
        self.nbytes = 8 * check_vectors(n, draws, d, threads)
        self._scratch: tuple[Integers, ...] | None = None

    def first_n(self, values: Integers, centres2: Integers, widths: Integers) -> npt.NDArray[np.int64]:
        """How many variables every row needs: the smallest k such that a choice from its first k variables hits.

        ``values``, shape (rows, n * R * d): coordinate c of vector r of variable i is column (i * R + r) * d + c.
        ``centres2``, shape (rows, d); ``widths``, shape (rows,): a sum m hits if \\|2 m - centre2\\| <= width in every
        coordinate. A negative width is never hit. Returns ndarray of int64, shape (rows,): 0 where the empty choice
        hits, n + 1 where no choice does.
        """
        if self._scratch is None:
            self._scratch = _scratch(half_sums(self.n - 1, self.draws), self.d)
        doubled = (2 * values).reshape(len(values), self.n, self.draws, self.d)
        first = np.empty(len(values), np.int64)
        _cells.first_rows(doubled, centres2, widths, *self._scratch, first)
        return first


def _scratch(size: int, d: int) -> tuple[Integers, ...]:
    """Two lists, where the cells of one begin, and a spare list."""
    p, q, spare = (np.empty((size, d + 1), np.int64) for _ in range(3))
    return p, q, np.empty(size + 1, np.int64), spare


@dataclass(frozen=True)
class BestVector:
    """The sum of vectors that is nearest to a target.

    Attributes
    ----------
    choice : tuple of int
        For every variable the index of the vector taken, -1 for none.
    sum : tuple of float
        Exact in every coordinate, rounded once.
    error : float
        Largest distance of a coordinate from the target's, exact and rounded once.
    rounding : float
        0 when the search itself was exact; else no sum has an error below error - 2 rounding.
    """

    choice: tuple[int, ...]
    sum: tuple[float, ...]
    error: float
    rounding: float


def best_vector(x: npt.ArrayLike, alpha: npt.ArrayLike) -> BestVector:
    """The choice of vectors whose sum is nearest to the target in the max norm.

    Parameters
    ----------
    x : array_like of float, shape (n, R, d)
        At most one vector of each row is taken. Finite, any size; n, R, d >= 1.
    alpha : array_like of float, shape (d,)
        The target, finite.

    Returns
    -------
    BestVector
        Exact. The empty choice (sum 0) is allowed.

    Raises
    ------
    ValueError
        Wrong shape, values that are not finite, or a search that does not fit into memory.

    Examples
    --------
    >>> best_vector([[[0.5, 0.25]], [[-0.25, 0.5]], [[0.75, -0.5]]], [0.25, 0.75])
    BestVector(choice=(0, 0, -1), sum=(0.25, 0.75), error=0.0, rounding=0.0)
    """
    values, target = finite_numbers("x", x), finite_numbers("alpha", alpha)
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(f"x must have shape (n, R, d) with n, R, d >= 1, got shape {values.shape}")
    n, draws, d = values.shape
    if target.shape != (d,):
        raise ValueError(f"alpha must have shape ({d},), got shape {target.shape}")
    check_vectors(n, draws, d, 1)
    widest = target[[np.abs(target).argmax()]]  # one scale for all coordinates
    integers, _, exponents, _ = to_fixed_point(values.reshape(1, n, draws * d), widest)
    exponent, scaled = int(exponents[0]), np.ldexp(target, int(exponents[0]))
    whole = np.rint(scaled).astype(np.int64)
    off_grid = (np.ldexp(integers[0].astype(np.float64), -exponent) != values.reshape(n, -1)).any()
    rounded = off_grid or (whole != scaled).any() or (np.ldexp(scaled, -exponent) != target).any()
    codes = np.zeros(2, np.int64)
    _cells.nearest(integers.reshape(n, draws, d), whole, *_scratch(half_sums(n, draws), d), codes)
    choice = np.concatenate([_digits(int(codes[0]), n // 2, draws), _digits(int(codes[1]), n - n // 2, draws)])
    exact = [sum((Fraction(values[i, r, c]) for i, r in enumerate(choice) if r >= 0), Fraction(0)) for c in range(d)]
    error = max(abs(one - Fraction(goal)) for one, goal in zip(exact, target.tolist(), strict=True))
    rounding = float(np.ldexp(0.5 * (n + 1), -exponent)) if rounded else 0.0
    return BestVector(tuple(choice.tolist()), tuple(map(float, exact)), float(error), rounding)


def _digits(code: int, count: int, draws: int) -> npt.NDArray[np.int32]:
    """The choice of a group, first variable first: digit 0 takes nothing, digit r + 1 vector r."""
    digits = np.empty(count, np.int32)
    for k in range(count - 1, -1, -1):
        code, digit = divmod(code, draws + 1)
        digits[k] = digit - 1
    return digits
