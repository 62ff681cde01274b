"""Sums of binary weights, searched exactly: which multiples of the gain does some mask reach? Knows no theory.

Every path of a trial offers plus, minus or both; a kernel adds path after path to the set of reachable integers, a
plain dynamic programme over actual sums. Signs are those of ``sims.solver.philox`` draws: a draw >= 0 is a plus.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.jit import njit
from sims.solver.philox import GRID_BITS, VALUES, grid_draws

SECOND, OUTER = 2, 3
"""Streams of the second signs of products and the inner signs of two stages, and of the outer signs."""

KINDS = ("subset", "product", "two-stage")

_PLUS, _MINUS = 1, 2
_FAR = 2**60

Options = npt.NDArray[np.int8]
Integers = npt.NDArray[np.int64]


def _offers(plus: npt.NDArray[np.bool_], minus: npt.NDArray[np.bool_]) -> Options:
    return (plus * _PLUS + minus * _MINUS).astype(np.int8)


def sign_options(
    seed: int, first: int, trials: int, n: int, R: int, *, kind: str = "subset", inner: int = 1
) -> Options:
    """What every path of a range of trials offers: 1 plus, 2 minus, 3 both.

    ``seed``, ``first``, ``trials``: trials first, ..., first + trials - 1 of a seed. ``n``, ``R``: units, and draws of
    every re-sampled sign. ``kind``: subset: sign r of path i is draw i R + r of stream ``VALUES``. product: that times
    any draw of the same i in stream ``SECOND``. two-stage: path (j, i) is outer sign j (stream ``OUTER``, one draw)
    times draw (j inner + i) R + r of ``VALUES`` times inner sign i (stream ``SECOND``, one draw). ``inner``: inner
    signs of two stages. Returns ndarray of int8, shape (trials, n) or (trials, n * inner): the first columns do not
    depend on n.

    Examples
    --------
    >>> a = sign_options(1, 0, 3, 8, 2)
    >>> bool((a[1:, :5] == sign_options(1, 1, 2, 5, 2)).all()), sorted(set(a.ravel().tolist()))
    (True, [1, 2, 3])
    """

    def signs(count: int, stream: int) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = grid_draws(seed, first, trials, count, stream=stream) >= 0
        return found

    if kind == "two-stage":
        matrix = signs(n * inner * R, VALUES).reshape(trials, n, inner, R)
        ends = signs(n, OUTER)[:, :, None] == signs(inner, SECOND)[:, None, :]  # True: their product is plus
        paths = (matrix == ends[..., None]).reshape(trials, n * inner, R)
        return _offers(paths.any(axis=2), (~paths).any(axis=2))
    values = signs(n * R, VALUES).reshape(trials, n, R)
    plus, minus = np.asarray(values.any(axis=2)), np.asarray((~values).any(axis=2))
    if kind == "product":
        second = signs(n * R, SECOND).reshape(trials, n, R)
        up, down = np.asarray(second.any(axis=2)), np.asarray((~second).any(axis=2))
        return _offers((plus & up) | (minus & down), (plus & down) | (minus & up))
    return _offers(plus, minus)


def good_multiples(count: int, gain: Fraction, eps: float, alpha: float | None) -> tuple[Integers, Integers]:
    """For k = -count..count the targets m (on the grid of ``sims.solver.philox``) that gain k serves: low[k] <= m <=
    high[k].

    ``alpha``: None: the target is m / 2^52. A number: the window is everything where |gain k - alpha| <= eps, else
    nothing.

    Examples
    --------
    >>> low, high = good_multiples(2, Fraction(1, 4), 0.125, 0.5)
    >>> (low <= high).tolist()
    [False, False, False, False, True]
    """
    lows, highs = np.ones(2 * count + 1, np.int64), np.zeros(2 * count + 1, np.int64)
    width = Fraction(eps)
    for k in range(-count, count + 1):
        if alpha is not None:
            if abs(gain * k - Fraction(alpha)) <= width:
                lows[k + count], highs[k + count] = -_FAR, _FAR
        elif abs(gain * k) <= 2:
            lows[k + count] = -((-((gain * k - width) * 2**GRID_BITS)) // 1)
            highs[k + count] = ((gain * k + width) * 2**GRID_BITS) // 1
    return lows, highs


def _first_hit_py(options, lows, highs, targets, first):  # type: ignore[no-untyped-def]
    trials, paths = options.shape
    reach = np.zeros(2 * paths + 1, np.bool_)
    old = np.zeros(2 * paths + 1, np.bool_)
    for t in range(trials):
        m = targets[t]
        reach[:] = False
        reach[paths] = True
        low = high = paths
        first[t] = paths + 1
        if lows[paths] <= m <= highs[paths]:
            first[t] = 0
        i = 0
        while i < paths and first[t] > paths:
            offer = options[t, i]
            i += 1
            for k in range(low, high + 1):
                old[k] = reach[k]
            for k in range(low, high + 1):
                if not old[k]:
                    continue
                if offer & 1 and not reach[k + 1]:
                    reach[k + 1] = True
                    if lows[k + 1] <= m <= highs[k + 1]:
                        first[t] = i
                if offer & 2 and not reach[k - 1]:
                    reach[k - 1] = True
                    if lows[k - 1] <= m <= highs[k - 1]:
                        first[t] = i
            if reach[high + 1]:
                high += 1
            if reach[low - 1]:
                low -= 1


_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_first_hit = njit(**_JIT)(_first_hit_py)


def first_hit(options: Options, lows: Integers, highs: Integers, targets: Integers) -> Integers:
    """How many paths each trial takes, in order, until some choice of them hits its target.

    ``options``, shape (trials, paths): from `sign_options`. ``lows``, ``highs``, shape (2 paths + 1,): from
    `good_multiples`. ``targets``, shape (trials,): on the grid of ``sims.solver.philox``; anything in (-2^60, 2^60) for
    a fixed target. Returns ndarray of int64, shape (trials,): 0 if the empty sum hits, paths + 1 if nothing does.

    Examples
    --------
    >>> low, high = good_multiples(3, Fraction(1, 2), 0.0, 1.0)
    >>> first_hit(np.array([[1, 2, 1], [2, 2, 3]], np.int8), low, high, np.zeros(2, np.int64)).tolist()
    [3, 4]
    """
    trials, paths = options.shape
    if not (len(lows) == len(highs) == 2 * paths + 1 and len(targets) == trials):
        raise ValueError(f"lows and highs must have 2 paths + 1 = {2 * paths + 1} entries and targets {trials}")
    first = np.empty(trials, np.int64)
    _first_hit(np.ascontiguousarray(options, dtype=np.int8), lows, highs, targets, first)
    return first


def best_errors(options: Options, gain: float, alpha: float) -> npt.NDArray[np.float64]:
    """Smallest |gain k - alpha| over the reachable sums of every trial, to rounding.

    ``options``, shape (trials, paths).

    Examples
    --------
    >>> best_errors(np.array([[1, 1], [2, 2]], np.int8), 0.25, 1.0).tolist()
    [0.5, 1.0]
    """
    trials, paths = options.shape
    reach = np.zeros((trials, 2 * paths + 1), np.bool_)
    reach[:, paths] = True
    for i in range(paths):
        old = reach.copy()
        reach[:, 1:] |= old[:, :-1] & ((options[:, i, None] & _PLUS) > 0)
        reach[:, :-1] |= old[:, 1:] & ((options[:, i, None] & _MINUS) > 0)
    errors = np.abs(gain * np.arange(-paths, paths + 1) - alpha)
    found: npt.NDArray[np.float64] = np.where(reach, errors, np.inf).min(axis=1)
    return found
