"""The weights of one part, coded and decoded.

The bytes of a part are a header, whose length stands in the first two bytes (little-endian), and the words of the coder
(`nets.tickets.codes.entropy`). What the header holds, and what the words say, in this order:

block, draw
    Header: the ends of the law (`nets.tickets.codes.law`), and a byte for each level: symbols in its table.
    Words: the steps of the law; level after level its table, and an index for each of its blocks. The first level cuts
    the weights, in their order, into blocks of d (the last one may be short); the next level has the halves of the
    blocks that have no index (of 3 weights: single weights), down to single weights. Draw: one level, d = 1.
    Independent draws of "draw" are private; all others are rotated.
pool
    Header: a byte log2 R, the number of kept values (4 bytes). Words: a table with the counts of symbol 0 and of each
    kept value; the draw of each kept value; a symbol for each weight: 0 for none, s for the kept value s - 1.
rank
    Header: a byte: symbols in the table. Words: the table, and an index for each weight.

Then, for all codes, the weights that have no value as float64: the lowest 16 bits of each, the next 16 of each, and so
on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nets.tickets.codes import draws as streams
from nets.tickets.codes import pool, rank
from nets.tickets.codes.entropy import Reader, Writer, coarse, counts_of, index_table, model_of, uniform
from nets.tickets.codes.law import ENDS_SIZE, Floats, Law, fitted_law, read_law, uniform_law

Integers = npt.NDArray[np.int64]
CODES = ("draw", "block", "pool", "rank")
DRAWS, LAWS = ("even", "independent"), ("matched", "uniform")
_QUARTERS = np.arange(0, 64, 16, dtype=np.uint64)


class Coded(NamedTuple):
    """A part: its bytes, the values they stand for, and how many weights are exceptions, and have a random value."""

    content: bytes
    values: Floats
    exceptions: int
    kept: int


@dataclass(frozen=True)
class PartCode:
    """How the weights of a part are coded.

    Attributes
    ----------
    code : {"draw", "block", "pool", "rank"}
    seed : int
        In [0, 2^64).
    part : int
        Number of the part, from 0.
    size : float
        The largest absolute value of its weights.
    eta : float
        Largest error, as a share of `size` unless `absolute`.
    d : int
        block: weights in a block, 1 to 4.
    n : int
        rank: values for each weight, 1 to 20.
    R : int
        Draws, at most 2^24; pool: a power of two.
    draws : {"even", "independent"}
        draw, block: how the draws of one block belong together (`nets.tickets.codes.draws`).
    absolute : bool
        Whether eta is the largest error itself.
    law : {"matched", "uniform"}
        draw, block: law of the random values: fitted to the weights, or U[-size, size].
    """

    code: str
    seed: int
    part: int
    size: float
    eta: float
    d: int = 4
    n: int = 18
    R: int = 2**22
    draws: str = "even"
    law: str = "matched"
    absolute: bool = False

    @property
    def error(self) -> float:
        """Largest error of a weight."""
        return self.eta if self.absolute else self.eta * self.size

    @property
    def _private(self) -> bool:
        return self.code == "draw" and self.draws == "independent"

    def encode(
        self,
        weights: Floats,
        *,
        law: Law | None = None,
        stream: streams.RotatedStreams | None = None,
        jobs: int = 1,
        tick: Any = None,
    ) -> Coded:
        """Code weights, shape (N,).

        Parameters
        ----------
        law : Law, optional
            draw, block: the law of the draws, instead of the one that `self.law` says.
        stream : RotatedStreams, optional
            The streams of the ticket, so that their index is made once.
        """
        writer = Writer()
        if self.code in ("draw", "block"):
            header, values, found = self._encode_draws(weights, law, writer, stream, jobs, tick)
        elif self.code == "pool":
            header, values, found = self._encode_pool(weights, writer, tick)
        else:
            header, values, found = self._encode_rank(weights, writer, jobs, tick)
        kept = int(found.sum())
        missing = found == 0
        values[missing] = weights[missing]
        whole = weights[missing].view(np.uint64)
        for shift in _QUARTERS:
            writer.add((whole >> shift) & 0xFFFF, uniform(16))
        return Coded(struct.pack("<H", len(header)) + header + writer.to_bytes(), values, int(missing.sum()), kept)

    def decode(self, content: bytes, count: int) -> Coded:
        """The values of `count` weights.

        Raises
        ------
        ValueError
            For bytes that are not the code of so many weights.
        """
        header, reader = _opened(content)
        make = {"pool": self._decode_pool, "rank": self._decode_rank}.get(self.code, self._decode_draws)
        values, found = make(header, reader, count)
        missing = found == 0
        many = int(missing.sum())
        whole = np.zeros(many, np.uint64)
        for shift in _QUARTERS:
            whole |= reader.take(many, uniform(16)).astype(np.uint64) << shift
        values[missing] = whole.view(np.float64)
        reader.finish()
        header.finish()
        if not np.isfinite(values).all():
            raise ValueError("the code of a part holds a number that is not finite")
        return Coded(content, values, many, int(found.sum()))

    def _levels(self, count: int) -> Iterator[tuple[int, Integers, Callable[[npt.NDArray[np.bool_]], None]]]:
        """Size and numbers of the blocks of every level; the caller says which of them have no index."""
        d = 1 if self.code == "draw" else self.d
        blocks = np.arange(-(-count // d), dtype=np.int64)
        while blocks.size:
            failed: list[npt.NDArray[np.bool_]] = []
            yield d, blocks, failed.append
            starts = blocks[failed[0]] * d
            if d == 1:
                break
            smaller = d // 2 if d % 2 == 0 else 1
            starts = (starts[:, None] + np.arange(0, d, smaller)).reshape(-1)
            blocks, d = starts[starts < count] // smaller, smaller

    def _words(self, d: int, blocks: Integers, found: Integers) -> streams.Words:
        if self._private:
            return streams.private_words(self.seed, self.part, blocks, found)[:, None]
        return streams.rotated_words(self.seed, self.part, d, blocks, found, even=self.draws == "even")

    def _encode_draws(
        self,
        weights: Floats,
        law: Law | None,
        writer: Writer,
        stream: streams.RotatedStreams | None,
        jobs: int,
        tick: Any,
    ) -> tuple[bytes, Floats, Integers]:
        if law is None:
            law = fitted_law(weights, self.error) if self.law == "matched" else uniform_law(self.size)
        low, width, good = law.windows(weights, self.error)
        writer.add_table(law.steps)
        sizes, values, kept = [], np.zeros(weights.size), np.zeros(weights.size, np.int64)
        stream = stream or streams.RotatedStreams(self.seed, self.R, even=self.draws == "even")
        for d, blocks, fail in self._levels(weights.size):
            places = blocks[:, None] * d + np.arange(d)
            there = places < weights.size
            held = np.minimum(places, weights.size - 1)
            lows, widths = np.where(there, low[held], 0), np.where(there, width[held], 2**32 - 1)
            able = (good[held] | ~there).all(1)
            found = np.full(blocks.size, -1, np.int64)
            if self._private:
                found[able] = streams.first_private(
                    self.seed, self.part, blocks[able], lows[able, 0], widths[able, 0], self.R, jobs=jobs, tick=tick
                )
            else:
                lows, widths = lows.astype(np.uint32), widths.astype(np.uint32)
                found[able] = stream.of(d).first(
                    self.part, blocks[able], lows[able], widths[able], jobs=jobs, tick=tick
                )
            table = index_table(found)
            sizes.append(table.size)
            writer.add_table(table)
            writer.add_indices(found, table)
            self._fill(law, d, blocks, found, values, kept)
            fail(found < 0)
        return law.to_bytes() + bytes(sizes), values, kept

    def _fill(self, law: Law, d: int, blocks: Integers, found: Integers, values: Floats, kept: Integers) -> None:
        """Put the values of the blocks that have an index where they belong."""
        here = found >= 0
        places = blocks[here, None] * d + np.arange(d)
        there = places < values.size
        made = law.values(self._words(d, blocks[here], found[here]))
        values[places[there]] = made[there]
        kept[places[there]] = 1

    def _decode_draws(self, header: _Header, reader: Reader, count: int) -> tuple[Floats, Integers]:
        law = read_law(header.take(ENDS_SIZE), reader.take_table)
        values, kept = np.zeros(count), np.zeros(count, np.int64)
        for d, blocks, fail in self._levels(count):
            found = reader.take_indices(blocks.size, self._table(header, reader))
            self._check_below(found, self.R)
            self._fill(law, d, blocks, found, values, kept)
            fail(found < 0)
        return values, kept

    def _encode_pool(self, weights: Floats, writer: Writer, tick: Any) -> tuple[bytes, Floats, Integers]:
        made = pool.pool_values(self.seed, self.part, self.size, np.arange(self.R))
        names, taken = pool.cover(made, weights, self.error)
        bits = self.R.bit_length() - 1
        codes = coarse(np.bincount(taken + 1, minlength=names.size + 1))
        writer.add_table(codes)
        writer.add(names, uniform(bits))
        if names.size:
            writer.add(taken + 1, model_of(counts_of(codes)))
        if tick is not None:
            tick(weights.size)
        values = np.where(taken < 0, 0.0, made[names[taken]] if names.size else 0.0)
        return struct.pack("<BI", bits, names.size), values, (taken >= 0).astype(np.int64)

    def _decode_pool(self, header: _Header, reader: Reader, count: int) -> tuple[Floats, Integers]:
        bits, size = struct.unpack("<BI", header.take(5))
        if not (1 <= bits <= 23 and size <= min(count, 1 << bits)):
            raise ValueError("the pool of a part is not usable")
        codes = reader.take_table(size + 1)
        names = reader.take(size, uniform(bits)).astype(np.int64)
        if size == 0:
            return np.zeros(count), np.zeros(count, np.int64)
        taken = reader.take(count, model_of(counts_of(codes))).astype(np.int64) - 1
        values = pool.pool_values(self.seed, self.part, self.size, names)[taken]
        return np.where(taken < 0, 0.0, values), (taken >= 0).astype(np.int64)

    def _encode_rank(self, weights: Floats, writer: Writer, jobs: int, tick: Any) -> tuple[bytes, Floats, Integers]:
        found = rank.first_subset(
            self.seed, self.part, weights, n=self.n, size=self.size, error=self.error, jobs=jobs, tick=tick
        )
        table = index_table(found)
        writer.add_table(table)
        writer.add_indices(found, table)
        return bytes([table.size]), *self._sums(found)

    def _decode_rank(self, header: _Header, reader: Reader, count: int) -> tuple[Floats, Integers]:
        found = reader.take_indices(count, self._table(header, reader))
        self._check_below(found, 1 << self.n)
        return self._sums(found)

    def _sums(self, found: Integers) -> tuple[Floats, Integers]:
        """The sums of the subsets, and whether there is one."""
        at = np.maximum(found, 0)
        sums = rank.subset_sums(self.seed, self.part, self.size, np.arange(found.size), self.n, at)
        return np.where(found < 0, 0.0, sums), (found >= 0).astype(np.int64)

    @staticmethod
    def _table(header: _Header, reader: Reader) -> npt.NDArray[np.uint8]:
        return reader.take_table(header.take(1)[0])

    def _check_below(self, found: Integers, limit: int) -> None:
        if found.max(initial=-1) >= limit:
            raise ValueError(f"an index is not below {limit}")


def law_of(content: bytes) -> Law:
    """The law of a part that is coded by draw or block."""
    header, reader = _opened(content)
    return read_law(header.take(ENDS_SIZE), reader.take_table)


def _opened(content: bytes) -> tuple[_Header, Reader]:
    """The header and the words of a part."""
    end = 2 + int.from_bytes(content[:2], "little")
    if len(content) < max(end, 2):
        raise ValueError("the code of a part is cut off")
    return _Header(content[2:end]), Reader(content[end:])


class _Header:
    """Reads a header."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def take(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise ValueError("the header of a part is cut off")
        held, self._rest = self._rest[:count], self._rest[count:]
        return held

    def finish(self) -> None:
        if self._rest:
            raise ValueError("the header of a part does not end where it should")
