"""Bits in bytes, as all files keep them: the first bit is the lowest of the first byte, unused bits are 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Packed = npt.NDArray[np.uint8]
_PIECE = 2**20


def pack(bits: npt.NDArray[Any]) -> Packed:
    """Eight bits a byte, row-major; what is not 0 counts as 1.

    Examples
    --------
    >>> pack(np.array([[1, 0, 1], [0, 0, 0]])).tolist(), unpack(np.array([5], np.uint8), 3).tolist()
    ([5], [True, False, True])
    """
    return np.packbits(bits.reshape(-1), bitorder="little")


def unpack(packed: Packed, count: int) -> npt.NDArray[np.bool_]:
    """The first ``count`` bits."""
    return np.unpackbits(packed, count=count, bitorder="little").astype(bool)


def popcount(packed: Packed) -> int:
    """Number of bits that are 1."""
    return int(np.bitwise_count(packed).sum(dtype=np.int64))


def spare_bits(packed: Packed, count: int) -> bool:
    """Whether a bit beyond the first ``count`` is set in the last byte."""
    return bool(count % 8 and int(packed[-1]) >> (count % 8))


def set_bits(packed: Packed, positions: npt.NDArray[np.int64]) -> None:
    """Set bits at the given places."""
    np.bitwise_or.at(packed, positions >> 3, (1 << (positions & 7)).astype(np.uint8))


def unpack_positions(packed: Packed) -> npt.NDArray[np.int64]:
    """Places of the ones, in order.

    Examples
    --------
    >>> unpack_positions(np.array([5, 2], np.uint8)).tolist()
    [0, 2, 9]
    """
    used = np.flatnonzero(packed)
    byte, bit = np.nonzero(np.unpackbits(packed[used][:, None], axis=1, bitorder="little"))
    return 8 * used[byte] + bit


def draw_bits(R: int) -> int:
    """Bits that name one of R draws: none for R = 1."""
    return (R - 1).bit_length()


class DrawWriter:
    """Packs draws that come in pieces: ``draw_bits(R)`` bits each, the lowest first, without gaps.

    Examples
    --------
    >>> writer = DrawWriter(3)
    >>> writer.add(np.array([2, 1])), writer.add(np.array([0, 2, 1]))
    (None, None)
    >>> packed = writer.finish()
    >>> packed.tolist(), unpack_draws(packed, 5, R=3).tolist()
    ([134, 1], [2, 1, 0, 2, 1])
    """

    def __init__(self, R: int) -> None:
        self._width = draw_bits(R)
        self._parts: list[Packed] = []
        self._rest: npt.NDArray[Any] = np.empty(0, np.uint8)

    def add(self, draws: npt.NDArray[Any]) -> None:
        """Append draws, each in [0, R)."""
        if not self._width:
            return
        draws = np.concatenate([self._rest, draws]) if len(self._rest) else draws
        whole = len(draws) - len(draws) % 8
        for start in range(0, whole, _PIECE):
            self._parts.append(_pack_numbers(draws[start : min(start + _PIECE, whole)], self._width))
        self._rest = draws[whole:].copy()

    def finish(self) -> Packed:
        """All draws, packed; unused bits of the last byte are 0."""
        return np.concatenate([*self._parts, _pack_numbers(self._rest, self._width)])


def pack_draws(draws: npt.NDArray[Any], *, R: int) -> Packed:
    """Draws in [0, R), packed as `DrawWriter` does."""
    writer = DrawWriter(R)
    writer.add(draws)
    return writer.finish()


def unpack_draws(packed: Packed, count: int, *, R: int) -> npt.NDArray[np.int64]:
    """``count`` draws that were packed; zeros for R = 1."""
    width = draw_bits(R)
    draws = np.zeros(count, np.int64)
    for start in range(0, count if width else 0, _PIECE):
        bits = unpack(packed[start * width // 8 :], min(_PIECE, count - start) * width).reshape(-1, width)
        for i in range(width):
            draws[start : start + len(bits)] |= bits[:, i].astype(np.int64) << i
    return draws


def check_bits(name: str, packed: Packed, count: int) -> None:
    """Refuse packed bits that are not ``count`` bits with zeros in the rest of the last byte.

    Raises
    ------
    ValueError
        In one line, with the name.
    """
    if packed.dtype != np.uint8 or packed.shape != (-(-count // 8),):
        raise ValueError(f"{name} must be {-(-count // 8)} bytes for {count} bits, got {packed.dtype} {packed.shape}")
    if spare_bits(packed, count):
        raise ValueError(f"{name} sets a bit beyond its {count} bits")


def _pack_numbers(numbers: npt.NDArray[Any], width: int) -> Packed:
    bits = np.empty((len(numbers), width), np.uint8)
    for i in range(width):
        bits[:, i] = (numbers >> i) & 1
    return pack(bits)
