"""Bits in bytes, as all files keep them: the first bit is the lowest of the first byte, unused bits are 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Packed = npt.NDArray[np.uint8]


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


def pack_positions(positions: npt.NDArray[np.int64], count: int) -> Packed:
    """``count`` bits with ones at the given places, without a byte for every bit.

    Examples
    --------
    >>> pack_positions(np.array([0, 2, 9]), 12).tolist(), unpack_positions(np.array([5, 2], np.uint8)).tolist()
    ([5, 2], [0, 2, 9])
    """
    packed = np.zeros(-(-count // 8), np.uint8)
    np.bitwise_or.at(packed, positions >> 3, (1 << (positions & 7)).astype(np.uint8))
    return packed


def unpack_positions(packed: Packed) -> npt.NDArray[np.int64]:
    """Places of the ones, in order."""
    used = np.flatnonzero(packed)
    byte, bit = np.nonzero(np.unpackbits(packed[used][:, None], axis=1, bitorder="little"))
    return 8 * used[byte] + bit
