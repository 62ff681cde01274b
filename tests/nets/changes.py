"""Every plausible change of a file's fields and tensors, one at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

WORDS = [
    ("layered", "private", "shared"),
    ("window", "best", "halves", "thirds", "quarters", "subset-sum"),
    ("open", "assigned"),
    ("both", "needed"),
    ("proved", "measured"),
    ("draw", "block", "pool", "rank"),
    ("even", "independent"),
    ("matched", "uniform"),
    ("seed", "signs", "history", "floats"),
    ("float16", "float32", "float64", "bfloat16"),
    ("kaiming-normal", "kaiming-uniform", "signed-constant"),
    ("edge-popup", "biprop", "iterand", "dense"),
    ("keep", "non-affine"),
    ("cpu", "cuda"),
]


def leaves(content: Any, way: tuple = ()) -> Iterator[tuple]:
    """The ways to all numbers, words and empty lists."""
    steps = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    if not content or not isinstance(content, dict | list):
        yield way
    for step, inner in steps:
        yield from leaves(inner, (*way, step))


def at(content: Any, way: tuple) -> Any:
    for step in way:
        content = content[step]
    return content


def others(value: Any) -> list[Any]:
    """Values in a leaf's place: a little apart, another word, of another type."""
    if isinstance(value, bool):
        return [not value, None]
    if isinstance(value, int):
        return [value + 1, value - 1, value + 0.5, str(value), None]
    if isinstance(value, float):
        return [value * 1.001 or 0.001, value / 2 or 1.0, -value or -1.0, 1e308, str(value)]
    if isinstance(value, str):
        known = [word for words in WORDS if value in words for word in words if word != value]
        return [*known, f"{value}x", "", 3]
    return [{"x": 1}, 0.5, "x"]


def fields_changed(meta: dict[str, Any]) -> Iterator[tuple[tuple, Any, dict[str, Any]]]:
    """(way, what was done, metadata) for every leaf of metadata: other values, the field taken away, one added."""
    for way in leaves(meta):
        for value in others(at(meta, way)):
            changed = copy.deepcopy(meta)
            at(changed, way[:-1])[way[-1]] = value
            if json.dumps(changed) != json.dumps(meta):
                yield way, value, changed
        if isinstance(way[-1], str):
            changed = copy.deepcopy(meta)
            del at(changed, way[:-1])[way[-1]]
            yield way, "removed", changed
    for name in meta:
        if isinstance(meta[name], dict):
            yield (name, "odd"), "added", {**meta, name: {**meta[name], "odd": 1}}
        elif isinstance(meta[name], list):
            yield (name, len(meta[name])), "longer", {**meta, name: [*meta[name], *(meta[name][-1:] or ["x"])]}
    yield ("odd",), "added", {**meta, "odd": 1}


def tensors_changed(tensors: dict[str, np.ndarray]) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """(name, what was done, tensor or None) for every tensor: bits flipped and moved, entries swapped, other types."""
    for name, array in tensors.items():
        yield name, "removed", None
        yield name, "another shape", array[None]
        yield name, "another type", array.astype(np.float64 if array.dtype != np.float64 else np.float32)
        raw = np.frombuffer(array.tobytes(), np.uint8)
        for byte, bit in ((0, 0), (len(raw) // 2, 3), (-1, 7)) if len(raw) else ():
            flipped = raw.copy()
            flipped[byte] ^= 1 << bit
            yield name, f"bit {bit} of byte {byte}", flipped.view(array.dtype).reshape(array.shape)
        flat = array.reshape(-1)
        if len(flat) > 1 and flat[0] != flat[-1]:
            swapped = flat.copy()
            swapped[[0, -1]] = swapped[[-1, 0]]
            yield name, "ends swapped", swapped.reshape(array.shape)
        bits = np.unpackbits(raw, bitorder="little")
        apart = np.flatnonzero(bits[:-1] != bits[1:]) if array.dtype == np.uint8 else ()
        for place in {int(apart[len(apart) // 2])} if len(apart) else ():
            moved = bits.copy()
            moved[[place, place + 1]] = moved[[place + 1, place]]
            yield name, f"bits {place} and {place + 1} swapped", np.packbits(moved, bitorder="little")
    yield "odd", "added", np.zeros(3, np.uint8)
