"""Bits of masks in a range coder, each with the chance that the bits before it and `nets.tickets.mask_known` leave it.

**The chance of a 1** is learned: for a score in this zone, in rows and columns with as many surprises and as many ones,
for a weight of this size and this sign. Seven tables hold a chance in 65536ths and an age in every cell; the log-odds
of a weight's seven cells are added with factors that are learned too (logistic mixing, as in the PAQ compressors). All
is integers, so every machine finds the same; ``>>`` and ``//`` round down.

*   ODDS[d], -3072 <= d <= 3072, is the chance of the binary log-odds d/256, in 2^-24ths: 2^64 // (2^40 + r(-d)) for
    d < 0 with r(d) = floor(2^(40 + d/256)), 2^24 - ODDS[-d] for d > 0, and 2^23 for d = 0. LOGIT[q], 1 <= q < 4096, is
    the largest d with ODDS[d] <= 4096 q + 2048.
*   A row or column of which v bits are out, s of them surprises and o of them 1, has unrest isqrt(256 (2 s + 1) //
    (2 v + 8)) and share (16 o + 8) // (v + 1), both 0 to 15.
*   The cells of a weight in zone z are z, 16 z + unrest of its row, 16 z + unrest of its column, 16 z + share of its
    row, 16 z + share of its column, 8 z + size and 2 z + negative, each in its own table. With their chances t_j,
    factors w_j and l_j = LOGIT[t_j >> 4] the chance of a 1 is p = ODDS[(sum of w_j l_j) >> 16, cut to -3071 .. 3071].
*   When the bit b is out, w_j += (l_j ((2^24 b - p) >> 12) + 1024) >> 11; then t_j += ((65536 b - t_j) (131072 //
    (2 a_j + 3))) >> 16, cut to 16 .. 65520; then a_j += 1, up to 255; for its row and its column v += 1, o += b, and
    s += 1 if b is not the guess.
*   In the beginning w_j = 16384, t_j = 32768, a_j = v = s = o = 0.

**The coder** is the ``RangeEncoder`` of constriction, words of 32 bits and a state of 64, with chances in 2^-24ths. A
bit whose chance of a 1 is p is given the chance a = 1 + (2^24 - p)(2^24 - 2) // 2^24 of a 0. A decoder, modulo 2^64,
words beyond the last being 0:

*   starts with low = 0, range = 2^64 - 1, and point = the first two words, the first one the higher;
*   for each bit takes part = range >> 24; the bit is 1 if (point - low) // part >= a. For a 0 range = part a; for a 1
    low += part a and range = part (2^24 - a). If then range < 2^32, low, range and point move up by 32 bits and the
    next word enters below point.

The library is not called for each bit, which would take seconds: one loop decodes, and the library's words for what was
found are compared with those read.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from nets.tickets.mask_known import ZONES, Known
from sims.jit import njit

Bits = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_TABLES = 7
_UNREST, _SHARE, _SIZE, _SIGN, _CELLS = (ZONES * cells for cells in (1, 33, 65, 73, 75))
_TOP = 3072
_LEAST_BITS = 1 / 2840
"""No bit takes less, even if it is foreseen: -log2(1 - ODDS[-3071] / 2^24) = 1/2832."""


def _odds() -> npt.NDArray[np.int64]:
    below = []
    for d in range(_TOP + 1):
        root = 1 << (40 * 256 + d)
        for _ in range(8):  # nested floors of square roots are the floor of the 256th root
            root = isqrt(root)
        below.append(2**64 // (2**40 + root))
    return np.array(below[:0:-1] + [2**24 - chance for chance in below])


ODDS = _odds()
"""ODDS[d + 3072] is the chance of the binary log-odds d/256, in 2^-24ths."""
LOGIT = np.searchsorted(ODDS, 4096 * np.arange(4096) + 2048, side="right") - 1 - _TOP
"""LOGIT[q], q >= 1, are the log-odds of q + 1/2 in 4096, in 256ths."""


def encode_bits(known: Known, bits: Bits) -> Words:
    """The words for some bits.

    Parameters
    ----------
    known : Known
        Of n weights.
    bits : bool array, shape (n,)

    Returns
    -------
    uint32 array
        The same on every machine.

    Examples
    --------
    >>> from nets.tickets.mask_known import known
    >>> layer = known(shape=(30, 40), n_keep=600, seed=1, weights=1, score_seed=1, scores=2, signed=False)
    >>> words = encode_bits(layer, layer.guess == 1)
    >>> len(words), bool((decode_bits(layer, words) == (layer.guess == 1)).all())
    (2, True)
    """
    return _written(bits, chances(known, bits))


def decode_bits(known: Known, words: Words) -> Bits:
    """The bits that `encode_bits` was given.

    Parameters
    ----------
    known : Known
        Of n weights.
    words : uint32 array

    Returns
    -------
    bool array, shape (n,)

    Raises
    ------
    ValueError
        If they are not the words of any n bits.
    """
    if len(known) * _LEAST_BITS > 32 * len(words) + 64:
        raise ValueError(f"{len(words)} words cannot hold {len(known)} bits")
    bits = np.zeros(len(known), np.int64)
    found = np.zeros(len(known), np.int64)
    _decode(words.astype(np.uint64), bits, found, ODDS, LOGIT, *_inputs(known))
    if not np.array_equal(_written(bits == 1, found), words):
        raise ValueError(f"they are no code of {len(known)} bits")
    return np.asarray(bits == 1)


def chances(known: Known, bits: Bits) -> npt.NDArray[np.int64]:
    """The chance of a 1 that a decoder gives to each of some bits, in 2^-24ths.

    Parameters
    ----------
    known : Known
        Of n weights.
    bits : bool array, shape (n,)

    Returns
    -------
    int64 array, shape (n,)
        From 4096 to 2^24 - 4096.

    Examples
    --------
    >>> zero = np.zeros(200, np.int8)
    >>> (chances(Known(zero, zero, zero, zero, zero, zero), zero == 0)[[0, 1, 199]] / 2**24).round(3).tolist()
    [0.5, 0.769, 1.0]
    """
    out = np.empty(len(bits), np.int64)
    _expect_all(bits.astype(np.int64), out, ODDS, LOGIT, *_inputs(known))
    return out


def _written(bits: Bits, found: npt.NDArray[np.int64]) -> Words:
    encoder = constriction.stream.queue.RangeEncoder()
    family = constriction.stream.model.Bernoulli(perfect=False)
    if len(bits):
        encoder.encode(bits.astype(np.int32), family, found / 2**24)  # the quotient is exact
    return np.asarray(encoder.get_compressed(), np.uint32)


def _inputs(known: Known) -> tuple[npt.NDArray[Any], ...]:
    """What the kernels take: the knowledge of each weight, and the model's state, blank."""
    rows, columns = (np.zeros((int(part.max(initial=-1)) + 1, 3), np.int64) for part in (known.row, known.column))
    each = known.row, known.column, known.zone, known.size, known.negative, known.guess
    cells = np.full(_CELLS, 32768), np.zeros(_CELLS, np.int64)
    return (*each, *cells, rows, columns, np.full(_TABLES, 16384), np.zeros((2, _TABLES), np.int64))


@njit(**_JIT)
def _unrest(counts):  # type: ignore[no-untyped-def]
    """Sixteenths of the root of the share of surprises."""
    share = 256 * (2 * counts[1] + 1) // (2 * counts[0] + 8)
    root = 0
    while (root + 1) * (root + 1) <= share:
        root += 1
    return root


@njit(**_JIT)
def _expect(  # type: ignore[no-untyped-def]
    i, odds, logit, row, column, zone, size, negative, guess, cells, ages, rows, columns, factors, now
):
    """The chance of bit i; `now` keeps its cells and their log-odds."""
    z = np.int64(zone[i])
    now[0, 0] = z
    for line, counts in enumerate((rows[row[i]], columns[column[i]])):
        now[0, 1 + line] = _UNREST + 16 * (ZONES * line + z) + _unrest(counts)
        now[0, 3 + line] = _SHARE + 16 * (ZONES * line + z) + (16 * counts[2] + 8) // (counts[0] + 1)
    now[0, 5] = _SIZE + 8 * z + size[i]
    now[0, 6] = _SIGN + 2 * z + negative[i]
    total = 0
    for j in range(_TABLES):
        now[1, j] = logit[cells[now[0, j]] >> 4]
        total += factors[j] * now[1, j]
    return odds[min(max(total >> 16, 1 - _TOP), _TOP - 1) + _TOP]


@njit(**_JIT)
def _learn(  # type: ignore[no-untyped-def]
    i, bit, chance, row, column, zone, size, negative, guess, cells, ages, rows, columns, factors, now
):
    """Take in bit i."""
    error = ((bit << 24) - chance) >> 12
    for j in range(_TABLES):
        cell = now[0, j]
        factors[j] += (now[1, j] * error + 1024) >> 11
        moved = cells[cell] + ((((bit << 16) - cells[cell]) * (131072 // (2 * ages[cell] + 3))) >> 16)
        cells[cell] = min(max(moved, 16), 65520)
        ages[cell] = min(ages[cell] + 1, 255)
    for counts in (rows[row[i]], columns[column[i]]):
        counts[0] += 1
        counts[1] += bit != guess[i]
        counts[2] += bit


@njit(**_JIT)
def _expect_all(bits, out, odds, logit, *state):  # type: ignore[no-untyped-def]
    """out[i] = the chance of bit i after the bits before it."""
    for i in range(len(bits)):
        out[i] = _expect(i, odds, logit, *state)
        _learn(i, bits[i], out[i], *state)


@njit(**_JIT)
def _decode(words, bits, out, odds, logit, *state):  # type: ignore[no-untyped-def]
    """Fill in bits and their chances from words."""
    word, precision = np.uint64(32), np.uint64(24)
    low, size, point = np.uint64(0), ~np.uint64(0), np.uint64(0)
    for place in range(2):
        point = (point << word) | (words[place] if place < len(words) else np.uint64(0))
    place = 2
    for i in range(len(bits)):
        out[i] = _expect(i, odds, logit, *state)
        zero = np.uint64(1 + ((2**24 - out[i]) * (2**24 - 2) >> 24))
        part = size >> precision
        if (point - low) // part >= zero:
            bits[i] = 1
            low += part * zero
            size = part * (np.uint64(2**24) - zero)
        else:
            size = part * zero
        if size >> word == 0:
            low, size = low << word, size << word
            point = (point << word) | (words[place] if place < len(words) else np.uint64(0))
            place += 1
        _learn(i, bits[i], out[i], *state)
