"""How a store writes counts and cells in few bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence

_CELLS = 1000
"""Of a block, at most; a block of longer texts has fewer."""
_TEXT, _LONGEST = 2**20, 2**25
"""Bytes at which a block ends, and that one may have."""


def packed(counts: Sequence[int]) -> bytes:
    """Whole numbers as their differences, each in as many groups of seven bits as it takes.

    Examples
    --------
    >>> packed([5, 100, 99]).hex(), unpacked(packed([5, 100, 99]))
    ('0abe0101', (5, 100, 99))
    """
    found, last = bytearray(), 0
    for count in counts:
        step = count - last
        left, last = (step << 1) if step >= 0 else (~step << 1) | 1, count
        while left > 127:
            found.append(left & 127 | 128)
            left >>= 7
        found.append(left)
    return bytes(found)


def unpacked(data: bytes) -> tuple[int, ...]:
    """The numbers that `packed` wrote; ValueError for bytes that end in the middle of one."""
    found, last, step, shift = [], 0, 0, 0
    for byte in data:
        step |= (byte & 127) << shift
        if byte > 127:
            shift += 7
            if shift > 63:
                raise ValueError("a count of more than 64 bits")
            continue
        last += ~(step >> 1) if step & 1 else step >> 1
        found.append(last)
        step = shift = 0
    if shift:
        raise ValueError("counts that end early")
    return tuple(found)


def packed_cells(cells: Sequence[tuple[str, int]]) -> Iterator[tuple[int, bytes]]:
    """Cells, with their chunk sizes, in blocks: the number of the first one, and their descriptions, deflated."""
    first, length, block = 0, 0, list[tuple[str, int]]()
    for number, cell in enumerate(cells):
        if block and (len(block) == _CELLS or length + len(cell[0]) > _TEXT):
            yield first, zlib.compress(json.dumps(block).encode())
            first, length, block = number, 0, []
        block.append(cell)
        length += len(cell[0])
    if block:
        yield first, zlib.compress(json.dumps(block).encode())


def unpacked_cells(blocks: Iterable[tuple[int, bytes]], most: int) -> list[tuple[str, int]]:
    """The cells of such blocks; ValueError for anything else, or for more than ``most`` cells."""
    found: list[tuple[str, int]] = []
    for first, data in blocks:
        inflate = zlib.decompressobj()
        if first != len(found) or type(data) is not bytes:
            raise ValueError(f"no block of cells at {first!r}")
        try:
            text = inflate.decompress(data, _LONGEST)
        except zlib.error as problem:
            raise ValueError(str(problem)) from None
        if not inflate.eof or inflate.unused_data:
            raise ValueError(f"the block of cells at {first} has another length")
        for what, chunk in json.loads(text):
            if type(what) is not str:
                raise ValueError(f"cell {what!r}")
            found.append((what, chunk))
        if len(found) > most:
            raise ValueError(f"more than {most} cells")
    return found
