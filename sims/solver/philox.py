"""Counter-based random numbers: Philox 4x32-10, so that draw (trial, index) is the same on every machine.

A draw is a pure function of ``(seed, stream, trial, index)``: nothing is remembered, so threads, processes, chunks and
resumed runs produce the same numbers, and any single draw can be made again alone.

The layout of the 128-bit counter, least significant word first, is

======  =======================================================
word 0  block number = index // 2 (one block makes two draws)
word 1  stream (0: values, 1: targets, further ones: the caller)
word 2  trial, low 32 bits
word 3  trial, high 32 bits
======  =======================================================

and the 64-bit key is the seed. A draw takes 64 random bits; its top 53 are read as an integer m in [-2^52, 2^52),
which stands for the value m / 2^52 in [-1, 1), exactly representable in float64.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (bibliography key
``salmon2011``); the constants are the published ones, checked by the authors' known-answer vectors in the tests.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.jit import njit
from sims.solver.limits import GRID_BITS, MAX_SEED, MAX_TRIAL, TARGETS, VALUES

__all__ = [
    "GRID_BITS",
    "MAX_SEED",
    "MAX_TRIAL",
    "TARGETS",
    "VALUES",
    "block",
    "first_in_box",
    "first_within",
    "grid_draws",
    "uniforms",
]

_MAX_BLOCKS = 2**32

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(inline="always")
def _philox4x32_10(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Ten rounds of Philox on four 32-bit words held in uint64; keys likewise."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    for _ in range(10):
        p0 = c0 * np.uint64(0xD2511F53)
        p1 = c2 * np.uint64(0xCD9E8D57)
        c0 = (p1 >> shift) ^ c1 ^ k0
        c2 = (p0 >> shift) ^ c3 ^ k1
        c1 = p1 & low
        c3 = p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


@njit(**_JIT)
def _block(counter, key):  # type: ignore[no-untyped-def]
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    out = np.empty(4, np.uint32)
    w0, w1, w2, w3 = _philox4x32_10(
        np.uint64(counter[0]),
        np.uint64(counter[1]),
        np.uint64(counter[2]),
        np.uint64(counter[3]),
        key & low,
        key >> shift,
    )
    out[0], out[1], out[2], out[3] = w0, w1, w2, w3
    return out


@njit(**_JIT)
def _fill(seed, stream, first_trial, first_index, out):  # type: ignore[no-untyped-def]
    """out[t, i] = draw (first_trial + t, first_index + i); first_index is even."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    k0, k1 = seed & low, seed >> shift
    half = np.int64(1) << np.int64(52)
    drop = np.uint64(11)
    trials, count = out.shape
    for t in range(trials):
        trial = first_trial + np.uint64(t)
        for i in range(0, count, 2):
            block = np.uint64(first_index + i) >> np.uint64(1)
            w0, w1, w2, w3 = _philox4x32_10(block, stream, trial & low, trial >> shift, k0, k1)
            out[t, i] = np.int64(((w1 << shift) | w0) >> drop) - half
            if i + 1 < count:
                out[t, i + 1] = np.int64(((w3 << shift) | w2) >> drop) - half


def _bounded(name: str, value: Any, limit: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer in [0, {limit}], got {name}={value!r}") from None
    if not 0 <= number <= limit:
        raise ValueError(f"{name} must be an integer in [0, {limit}], got {name}={value!r}")
    return number


def block(counter: npt.ArrayLike, key: int) -> npt.NDArray[np.uint32]:
    """The four 32-bit words of one Philox 4x32-10 block.

    Parameters
    ----------
    counter : array_like of 4 unsigned 32-bit integers
        Least significant word first.
    key : int
        In [0, 2^64); its low half is the first key word.

    Returns
    -------
    ndarray of uint32, shape (4,)

    Source
    ------
    Salmon et al. 2011 (``salmon2011``), section 4.3.

    Examples
    --------
    >>> [hex(word) for word in block([0, 0, 0, 0], 0).tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    words = np.asarray(counter, dtype=np.uint64)
    if words.shape != (4,) or (words > 0xFFFFFFFF).any():
        raise ValueError(f"counter must be four 32-bit words, got counter={counter!r}")
    result: npt.NDArray[np.uint32] = _block(words, np.uint64(_bounded("key", key, MAX_SEED)))
    return result


def grid_draws(
    seed: int,
    first_trial: int,
    trials: int,
    draws: int,
    *,
    stream: int = VALUES,
    first_index: int = 0,
    out: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Independent uniform grid values, one row per trial.

    Parameters
    ----------
    seed : int
        In [0, 2^64).
    first_trial, trials : int
        The rows are trials first_trial, ..., first_trial + trials - 1, all below 2^63.
    draws : int
        Values per trial; value ``i`` is the same whatever ``draws`` is.
    stream : int
        Independent sequences of one seed: ``VALUES``, ``TARGETS`` or any 32-bit number.
    first_index : int, even
        Start inside the trial's sequence.
    out : ndarray of int64, shape (trials, draws), optional
        Filled instead of a new array.

    Returns
    -------
    ndarray of int64, shape (trials, draws)
        Integers m in [-2^52, 2^52): the values m / 2^52, uniform on that grid.

    Examples
    --------
    >>> a = grid_draws(7, 0, 4, 6)
    >>> bool((a[2:, :3] == grid_draws(7, 2, 2, 3)).all())
    True
    """
    seed = _bounded("seed", seed, MAX_SEED)
    stream = _bounded("stream", stream, 2**32 - 1)
    trials = _bounded("trials", trials, MAX_TRIAL)
    first_trial = _bounded("first_trial", first_trial, MAX_TRIAL - trials)
    draws = _bounded("draws", draws, 2 * _MAX_BLOCKS)
    first_index = _bounded("first_index", first_index, 2 * _MAX_BLOCKS - draws)
    if first_index % 2:
        raise ValueError(f"first_index must be even, got first_index={first_index}")
    if out is None:
        out = np.empty((trials, draws), np.int64)
    elif out.shape != (trials, draws) or out.dtype != np.int64 or not out.flags.c_contiguous:
        raise ValueError(
            f"out must be a contiguous int64 array of shape {(trials, draws)}, got {out.dtype} {out.shape}"
        )
    _fill(np.uint64(seed), np.uint64(stream), np.uint64(first_trial), first_index, out)
    return out


def uniforms(
    seed: int, first_trial: int, trials: int, draws: int, *, stream: int = VALUES, first_index: int = 0
) -> npt.NDArray[np.float64]:
    """The same draws as float64 in [-1, 1), exactly (``grid_draws / 2**52``).

    Examples
    --------
    >>> x = uniforms(1, 0, 3, 2)
    >>> x.shape, bool((abs(x) <= 1).all())
    ((3, 2), True)
    """
    integers = grid_draws(seed, first_trial, trials, draws, stream=stream, first_index=first_index)
    return np.ldexp(integers.astype(np.float64), -GRID_BITS)


@njit(**_JIT)
def _first_within(seed, stream, first_trial, lows, highs, limit, out):  # type: ignore[no-untyped-def]
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    k0, k1 = seed & low, seed >> shift
    half = np.int64(1) << np.int64(52)
    drop = np.uint64(11)
    for t in range(len(out)):
        trial = first_trial + np.uint64(t)
        out[t] = limit
        for i in range(0, limit, 2):
            w0, w1, w2, w3 = _philox4x32_10(np.uint64(i) >> np.uint64(1), stream, trial & low, trial >> shift, k0, k1)
            a = np.int64(((w1 << shift) | w0) >> drop) - half
            b = np.int64(((w3 << shift) | w2) >> drop) - half
            if lows[t] <= a <= highs[t]:
                out[t] = i
                break
            if i + 1 < limit and lows[t] <= b <= highs[t]:
                out[t] = i + 1
                break


def first_within(
    seed: int, first_trial: int, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64], limit: int
) -> npt.NDArray[np.int64]:
    """Index of each trial's first draw in its window; the draws after it are not made.

    Parameters
    ----------
    seed, first_trial : int
        As for ``grid_draws``; the stream is ``VALUES``.
    lows, highs : ndarray of int64, shape (trials,)
        The windows [low, high] on the grid.
    limit : int
        Draws per trial at most.

    Returns
    -------
    ndarray of int64, shape (trials,)
        The index, or ``limit`` where no draw hit.

    Examples
    --------
    >>> everything = np.full(2, -(2**52)), np.full(2, 2**52)
    >>> first_within(1, 0, *everything, 5).tolist()
    [0, 0]
    """
    seed = _bounded("seed", seed, MAX_SEED)
    first_trial = _bounded("first_trial", first_trial, MAX_TRIAL - len(lows))
    limit = _bounded("limit", limit, 2 * _MAX_BLOCKS)
    out = np.empty(len(lows), np.int64)
    _first_within(np.uint64(seed), np.uint64(VALUES), np.uint64(first_trial), lows, highs, limit, out)
    return out


@njit(**_JIT)
def _first_in_box(seed, stream, first_trial, lows, highs, limit, out):  # type: ignore[no-untyped-def]
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    k0, k1 = seed & low, seed >> shift
    half = np.int64(1) << np.int64(52)
    drop = np.uint64(11)
    trials, d = lows.shape
    for t in range(trials):
        trial = first_trial + np.uint64(t)
        out[t] = limit
        made = np.int64(-1)
        a = b = np.int64(0)
        for i in range(limit):
            inside = True
            for c in range(d):
                index = i * d + c
                if index >> 1 != made:
                    made = index >> 1
                    w0, w1, w2, w3 = _philox4x32_10(np.uint64(made), stream, trial & low, trial >> shift, k0, k1)
                    a = np.int64(((w1 << shift) | w0) >> drop) - half
                    b = np.int64(((w3 << shift) | w2) >> drop) - half
                value = b if index & 1 else a
                if value < lows[t, c] or value > highs[t, c]:
                    inside = False
                    break
            if inside:
                out[t] = i
                break


def first_in_box(
    seed: int, first_trial: int, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64], limit: int
) -> npt.NDArray[np.int64]:
    """Index of each trial's first vector in its box; coordinate c of vector i is draw i d + c.

    Coordinates after the first one outside are not looked at, and vectors after the first one inside are not made.

    Parameters
    ----------
    seed, first_trial : int
        As for ``grid_draws``; the stream is ``VALUES``.
    lows, highs : ndarray of int64, shape (trials, d)
        The boxes [low, high] on the grid.
    limit : int
        Vectors per trial at most.

    Returns
    -------
    ndarray of int64, shape (trials,)
        The index, or ``limit`` where no vector hit.

    Examples
    --------
    >>> below = np.full((2, 3), -(2**52)), np.full((2, 3), 0)
    >>> first_in_box(1, 0, *below, 50).tolist()
    [18, 14]
    """
    seed = _bounded("seed", seed, MAX_SEED)
    first_trial = _bounded("first_trial", first_trial, MAX_TRIAL - len(lows))
    limit = _bounded("limit", limit, 2 * _MAX_BLOCKS // lows.shape[1])
    out = np.empty(len(lows), np.int64)
    _first_in_box(np.uint64(seed), np.uint64(VALUES), np.uint64(first_trial), lows, highs, limit, out)
    return out
