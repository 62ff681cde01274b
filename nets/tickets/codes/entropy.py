"""Entropy coding of symbols and indices: constriction's `AnsCoder` under models that are made of integers alone.

A model is a list of frequencies f_0, f_1, ..., f_(A-1) >= 0, not all 0, A >= 2. Of 2^24 equally likely numbers the
symbol s has those from c_s to c_(s+1) - 1, where c_s = s + floor((f_0 + ... + f_(s-1)) (2^24 - A) / (f_0 + ... +
f_(A-1))): no rounding of a floating-point number decides, and no symbol has probability 0.

An index k >= 0 is two numbers. With x = k + 1 and e = floor(log2 x) it is in bin x - 1 where e < 2, else in bin
4 e - 5 + (the two bits of x below its highest one); the e - 2 lowest bits of x follow as they are. Symbol 0 says that
there is no index, symbol s > 0 stands for bin s - 1.

A table of coarse counts is its first byte, as 8 fair bits, then for each further one the difference to the one before
it, as the symbol 2 v - 1 where the difference v is positive and -2 v where not, under the 512 frequencies
floor(2^22 / (s + 2)^2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
PRECISION = 24
MAX_COARSE = 200
_STEPS = 2**22 // (np.arange(512, dtype=np.int64) + 2) ** 2


def coarse(counts: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Counts >= 0 in a byte each, to within 1 part in 16: 0 for 0, else the code of `counts_of` that is nearest.

    Examples
    --------
    >>> counts_of(coarse([0, 1, 8, 1000])).tolist()
    [0, 8, 8, 1024]
    """
    x = np.maximum(np.asarray(counts, np.int64), 0)
    exponent = np.maximum(np.frexp(x.astype(np.float64))[1] - 4, 0)
    mantissa = (x + ((1 << exponent) >> 1)) >> exponent
    over = mantissa == 16
    exponent, mantissa = exponent + over, np.where(over, 8, np.maximum(mantissa, 8))
    made: npt.NDArray[np.uint8] = np.where(x == 0, 0, 1 + 8 * exponent + mantissa - 8).astype(np.uint8)
    return made


def counts_of(codes: npt.ArrayLike) -> Integers:
    """The counts that bytes stand for: 0 for 0, else (8 + (c - 1) mod 8) 2^floor((c - 1) / 8)."""
    c = np.asarray(codes, np.int64) - 1
    made: Integers = np.where(c < 0, 0, (8 + (c & 7)) << (np.maximum(c, 0) >> 3))
    return made


def model_of(frequencies: npt.ArrayLike) -> Any:
    """The model of given frequencies.

    Raises
    ------
    ValueError
        For fewer than two symbols, more than 2^20, or frequencies that are all 0 or sum to 2^39 or more.
    """
    from constriction import stream

    f = np.asarray(frequencies, np.int64)
    total = int(f.sum())
    if not (2 <= f.size <= 2**20 and (f >= 0).all() and 0 < total < 2**39):
        raise ValueError(f"a model needs 2 to 2^20 frequencies with a sum in [1, 2^39), got {f.size} of sum {total}")
    ends = np.concatenate([[0], np.cumsum(f)]) * (2**PRECISION - f.size) // total
    return stream.model.Categorical(np.diff(ends).astype(np.float64), perfect=False)


def uniform(bits: int) -> Any:
    """The model of `bits` fair bits, 1 to 23."""
    from constriction import stream

    return stream.model.Uniform(1 << bits)


class Writer:
    """Collects symbols in the order in which they are read again.

    Examples
    --------
    >>> writer = Writer()
    >>> writer.add([0, 1, 1, 1], model_of([1, 3]))
    >>> Reader(writer.to_bytes()).take(4, model_of([1, 3])).tolist()
    [0, 1, 1, 1]
    """

    def __init__(self) -> None:
        self._held: list[tuple[npt.NDArray[np.int32], Any]] = []

    def add(self, symbols: npt.ArrayLike, model: Any) -> None:
        """Write symbols under one model."""
        held = np.ascontiguousarray(symbols, np.int32)
        if held.size:
            self._held.append((held, model))

    def add_table(self, table: npt.NDArray[np.uint8]) -> None:
        """Write a table of coarse counts."""
        self.add(table[:1], uniform(8))
        steps = np.diff(table.astype(np.int32))
        self.add(np.where(steps > 0, 2 * steps - 1, -2 * steps), model_of(_STEPS))

    def add_indices(self, indices: Integers, table: npt.NDArray[np.uint8]) -> None:
        """Write indices, -1 for none, under the table of `index_table`."""
        symbols, bits, low = _split(indices)
        self.add(symbols, model_of(counts_of(table)))
        for count in range(1, int(bits.max(initial=0)) + 1):
            self.add(low[bits == count], uniform(count))

    def to_bytes(self) -> bytes:
        """The words of the coder, little-endian."""
        from constriction import stream

        coder = stream.stack.AnsCoder()
        for symbols, model in reversed(self._held):
            coder.encode_reverse(symbols, model)
        return bytes(coder.get_compressed().astype("<u4").tobytes())


class Reader:
    """Reads what a `Writer` wrote.

    Raises
    ------
    ValueError
        For bytes that no writer makes; `take` may return nonsense for them before it is noticed.
    """

    def __init__(self, content: bytes) -> None:
        from constriction import stream

        if len(content) % 4:
            raise ValueError("the coded words are cut off")
        self._coder = stream.stack.AnsCoder(np.frombuffer(content, "<u4").astype(np.uint32))

    def take(self, count: int, model: Any) -> npt.NDArray[np.int32]:
        """The next symbols, all under one model."""
        return np.asarray(self._coder.decode(model, count) if count else np.empty(0, np.int32))

    def take_table(self, count: int) -> npt.NDArray[np.uint8]:
        """The next table of coarse counts."""
        first = self.take(min(count, 1), uniform(8)).astype(np.int64)
        steps = self.take(max(count - 1, 0), model_of(_STEPS)).astype(np.int64)
        codes = np.cumsum(np.concatenate([first, np.where(steps & 1, (steps + 1) >> 1, -(steps >> 1))]))
        if codes.min(initial=0) < 0 or codes.max(initial=0) > MAX_COARSE:
            raise ValueError("a table of counts is not usable")
        return codes.astype(np.uint8)

    def take_indices(self, count: int, table: npt.NDArray[np.uint8]) -> Integers:
        """The next indices, -1 for none."""
        symbols = self.take(count, model_of(counts_of(table))).astype(np.int64)
        x, bits = _start(symbols)
        for some in range(1, int(bits.max(initial=0)) + 1):
            here = bits == some
            x[here] |= self.take(int(here.sum()), uniform(some))
        return x - 1

    def finish(self) -> None:
        """Refuse words that are left over."""
        if not self._coder.is_empty():
            raise ValueError("the coded words do not end where they should")


def index_table(indices: Integers) -> npt.NDArray[np.uint8]:
    """Coarse counts of the symbols of indices, -1 for none; at least two."""
    symbols, _, _ = _split(indices)
    return coarse(np.bincount(symbols, minlength=2))


def _split(indices: Integers) -> tuple[Integers, Integers, Integers]:
    """Symbol, number of bits that follow, and these bits."""
    x = np.asarray(indices, np.int64) + 1
    exponent = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
    bits = np.maximum(exponent - 2, 0)
    bins = np.where(exponent < 2, x - 1, 4 * exponent - 5 + ((x >> bits) & 3))
    return np.where(x == 0, 0, bins + 1), np.where(x == 0, 0, bits), x & ((1 << bits) - 1)


def _start(symbols: Integers) -> tuple[Integers, Integers]:
    """k + 1 without the bits that follow, and how many follow."""
    bins = symbols - 1
    exponent = np.where(bins < 3, 0, (bins + 5) >> 2)
    bits = np.maximum(exponent - 2, 0)
    return np.where(bins < 3, symbols, (4 + ((bins + 5) & 3)) << bits), bits
