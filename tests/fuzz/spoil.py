"""Ways to break a file that know nothing of its format, and values that a reader does not expect."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Sequence
from typing import Any

NUMBERS = [0, 1, -1, 2, 3, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400]
FLOATS = [0.0, -0.0, 0.5, -1.0, 1e-320, 1e300, 1.7e308, float("inf"), float("-inf"), float("nan")]
TEXTS = ["", "x", "0", "\x1b[31mred", "a\nb", "../../x", "=1+1", "é", "\0", "a" * 300]
OTHERS: list[Any] = [None, True, False, [], {}, [[]], [1, 2], {"x": 1}]


def value(rng: random.Random, old: Any) -> Any:
    """Something else than `old`, often of its own type."""
    if rng.random() < 0.6 and isinstance(old, bool | int | float | str | list):
        if isinstance(old, bool):
            return not old
        if isinstance(old, int):
            return rng.choice([old + 1, old - 1, -old, 2 * old, *NUMBERS])
        if isinstance(old, float):
            return rng.choice([-old, 2 * old, *FLOATS])
        if isinstance(old, str):
            return rng.choice([old + "x", old[:-1], old.upper(), *TEXTS])
        return rng.choice([old[:-1], old + old, old[::-1], [], [*old, 0]])
    return rng.choice([*NUMBERS, *FLOATS, *TEXTS, *OTHERS])


def leaf(rng: random.Random, content: Any, depth: int = 0) -> Any:
    """The JSON value with one thing in it changed, removed, added or doubled."""
    if isinstance(content, dict) and content and rng.random() < 0.97 - 0.05 * depth:
        key = rng.choice(list(content))
        action = rng.random()
        if action < 0.08:
            return {k: v for k, v in content.items() if k != key}
        if action < 0.12:
            return {**content, rng.choice(TEXTS): content[key]}
        if action < 0.16:
            return {**content, key: content[rng.choice(list(content))]}
        return {**content, key: leaf(rng, content[key], depth + 1)}
    if isinstance(content, list) and content and rng.random() < 0.9:
        place = rng.randrange(len(content))
        action = rng.random()
        if action < 0.06:
            return content[:place] + content[place + 1 :]
        if action < 0.12:
            return content[: place + 1] + content[place:]
        return [*content[:place], leaf(rng, content[place], depth + 1), *content[place + 1 :]]
    return value(rng, content)


def havoc(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """One to six blind changes of the bytes."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        data = rng.choice(_WAYS)(rng, data or b"\0", others)
    return data


def _place(rng: random.Random, data: bytes) -> int:
    """More often near one of the ends, where headers and directories are."""
    reach = rng.choice([len(data), len(data), 64, 512])
    place = rng.randrange(min(reach, len(data)))
    return place if rng.random() < 0.7 else len(data) - 1 - place


def _flip(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = _place(rng, data)
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _overwrite(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place, layout = _place(rng, data), rng.choice("bhiq")
    number = rng.choice([0, 1, -1, 2 ** (8 * struct.calcsize(layout) - 1) - 1, rng.randrange(-128, 128)])
    word = struct.pack(rng.choice("<>") + layout, number)
    return data[:place] + word + data[place + len(word) :]


def _insert(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = _place(rng, data)
    return data[:place] + rng.randbytes(rng.choice([1, 2, 4, 8, 64])) + data[place:]


def _cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place, size = _place(rng, data), rng.choice([1, 2, 4, 8, 64, len(data)])
    return data[:place] + data[place + size :]


def _double(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place, size = _place(rng, data), rng.choice([1, 4, 8, 64, 256])
    return data[: place + size] + data[place:]


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else data
    return data[: _place(rng, data)] + other[_place(rng, other or b"\0") :]


def _decimal(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Another number where one stands as text, as in headers."""
    found = list(re.finditer(rb"\d+", data[:4096]))
    if not found:
        return _flip(rng, data, others)
    one = rng.choice(found)
    word = str(rng.choice([*NUMBERS[:-1], int(one[0][:18]) + 1])).encode()
    return data[: one.start()] + word + data[one.end() :]


_WAYS = [_flip, _flip, _overwrite, _overwrite, _insert, _cut, _double, _splice, _decimal, _decimal]
