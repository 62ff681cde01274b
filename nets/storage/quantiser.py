"""The plain way to store weights within a largest error: round to a grid, and code the grid's numbers by their counts.

A part with largest error e is rounded to multiples of a step just below 2 e. Its numbers k are split: the low j bits of
k - low are kept as they are, the rest is a symbol under a table of coarse counts; j is what costs least, the table
counted. A head for each part, the tables and the coder's words are all that a reader needs beside the parts' shapes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.tickets.codes.entropy import Reader, Writer, coarse, counts_of, model_of, uniform

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_HEAD = struct.Struct("<diBH")
_SHRINK = 1 - 2.0**-24
"""Of the step, so that no rounding takes a weight out."""
_FINE = 16
"""Counts are kept in these parts of one, so that small ones stay apart."""
_MAX_LOW_BITS = 23


def encode(parts: Sequence[Floats], errors: Sequence[float]) -> bytes:
    """All bytes that stand for the weights of some parts.

    Parameters
    ----------
    parts : sequence of ndarray
        Weights of each part, any shapes, at least one in each.
    errors : sequence of float
        Largest error of each part, >= 0; 0 for a part of zeros alone.

    Raises
    ------
    ValueError
        An error of 0 for other weights, or one below 2^-21 of the largest weight.

    Examples
    --------
    >>> weights = np.linspace(-1, 1, 10_000)
    >>> made = encode([weights], [0.01])
    >>> bool(np.abs(decode(made, [(10_000,)])[0] - weights).max() <= 0.01), 8 * len(made) / 10_000 < 7
    (True, True)
    """
    writer, heads = Writer(), []
    for weights, error in zip(parts, errors, strict=True):
        step, numbers = _rounded(np.asarray(weights, np.float64).reshape(-1), error)
        low = int(numbers.min())
        bits, table = _table(numbers - low)
        heads.append(_HEAD.pack(step, low, bits, table.size) + table.tobytes())
        shifted = numbers - low
        if table.size > 1:
            writer.add(shifted >> bits, model_of(counts_of(table)))
        if bits:
            writer.add(shifted & ((1 << bits) - 1), uniform(bits))
    return b"".join(heads) + writer.to_bytes()


def decode(content: bytes, shapes: Sequence[tuple[int, ...]]) -> list[Floats]:
    """The weights that bytes of `encode` stand for, each within its part's error.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of the parts.

    Raises
    ------
    ValueError
        For bytes that are cut off, or too many.
    """
    heads: list[tuple[float, int, int, npt.NDArray[np.uint8]]] = []
    at = 0
    for _ in shapes:
        if len(content) < at + _HEAD.size:
            raise ValueError("the head of a part is cut off")
        step, low, bits, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size + size
        heads.append((step, low, bits, np.frombuffer(content[at - size : at], np.uint8)))
    reader = Reader(content[at:])
    made: list[Floats] = []
    for (step, low, bits, table), shape in zip(heads, shapes, strict=True):
        count = int(np.prod(shape))
        numbers = np.zeros(count, np.int64)
        if table.size > 1:
            numbers = reader.take(count, model_of(counts_of(table))).astype(np.int64) << bits
        if bits:
            numbers += reader.take(count, uniform(bits))
        made.append(np.asarray(step * (numbers + low), np.float64).reshape(shape))
    reader.finish()
    return made


def _rounded(weights: Floats, error: float) -> tuple[float, Integers]:
    """A step just below 2 error, and the multiples of it that are within the error of the weights."""
    largest = float(np.abs(weights).max())
    if not largest:
        return 0.0, np.zeros(weights.size, np.int64)
    if not error >= 2.0**-21 * largest:
        raise ValueError(f"error must be at least 2^-21 of the largest weight, {largest:g}, got {error:g}")
    step = 2 * error * _SHRINK
    return step, np.rint(weights / step).astype(np.int64)


def _table(numbers: Integers) -> tuple[int, npt.NDArray[np.uint8]]:
    """Low bits that are kept as they are, and the coarse counts of what is above them: what costs least."""
    counts = np.bincount(numbers)
    best: tuple[float, int, Any] | None = None
    for bits in range(_MAX_LOW_BITS + 1):
        table = coarse(_FINE * counts)
        cost = 8 * table.size + bits * numbers.size + _cost(counts, counts_of(table))
        if table.size <= 0xFFFF and (best is None or cost < best[0]):
            best = cost, bits, table
        if counts.size == 1:
            break
        counts = np.concatenate([counts, np.zeros(counts.size % 2, counts.dtype)]).reshape(-1, 2).sum(axis=1)
    assert best is not None  # a table of one symbol is among them
    return best[1], best[2]


def _cost(counts: Integers, frequencies: Integers) -> float:
    """Bits of symbols under frequencies."""
    seen = counts > 0
    return float((counts[seen] * np.log2(frequencies.sum() / frequencies[seen])).sum())
