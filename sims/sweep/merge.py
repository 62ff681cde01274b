"""Stores side by side: whether they are of one sweep, and several put into one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from sims.sweep.store import Store, StoreError, Writer

ANY_VERSION = "--any-version mixes what they counted"


def other_version(store: Store, *writers: Writer) -> str | None:
    """Two versions, if not all that counted into a store, or will, are one; None if they are."""
    versions = list(dict.fromkeys(one["version"] for one in (*store.writers, *writers)))
    return f"version {versions[0]} counted there, {versions[-1]} here" if len(versions) > 1 else None


def difference(a: Store, header: Mapping[str, Any], cells: Sequence[tuple[str, int]]) -> str | None:
    """The first setting in which a sweep differs from that of a store, as text; None if it is the same sweep."""
    one, other = dict(a.header["settings"]), dict(header["settings"])
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            return f"{key} {_short(one.get(key))} there, {_short(other.get(key))} here"
    if [what for what, _ in a.cells] != [what for what, _ in cells]:
        return "the same settings, but this version makes other cells of them"
    for (what, there), (_, here) in zip(a.cells, cells, strict=True):
        if there != here:
            return f"chunks of {there} trials there, of {here} here, for cell {what}"
    return None


def _same(a: str, b: str) -> bool:
    return os.path.exists(a) and os.path.exists(b) and os.path.samefile(a, b)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def merge(out: str, parts: Sequence[str], *, any_version: bool = False) -> tuple[int, int]:
    """Merge stores of one sweep; returns the chunks that were new in ``out`` and the chunks it now holds.

    ``out``: made if there is none; its own chunks are kept. ``parts``: never changed. ``any_version``: also where
    several versions counted them. Raises StoreError: one of them is no store, is of another sweep, or has other counts
    for the same chunk; ``out`` is then what it was, with the parts before that one.
    """
    opened = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            if os.path.realpath(part) == os.path.realpath(out) or _same(part, out):
                raise StoreError(f"{part}: the output is also an input")
            opened.append(stack.enter_context(Store(part)))
        head = opened[0]
        for source in opened:
            unlike = difference(head, source.header, source.cells)
            if unlike is not None:
                raise StoreError(f"{source.path} is of another sweep than {head.path}: {unlike}")
            mixed = other_version(head, *source.writers)
            if mixed is not None and not any_version:
                raise StoreError(f"{source.path} and {head.path}: {mixed}; {ANY_VERSION}")
        target = stack.enter_context(Store(out, create=(head.header, head.cells)))
        unlike = difference(target, head.header, head.cells)
        if unlike is not None:
            raise StoreError(f"{out} is of another sweep than {head.path}: {unlike}")
        mixed = other_version(target, *head.writers)
        if mixed is not None and not any_version:
            raise StoreError(f"{out} and {head.path}: {mixed}; {ANY_VERSION}")
        new = 0
        for source in opened:
            chunks = (chunk for held in source.every() for chunk in held.values())
            try:
                new += target.add(chunks, trials=source.header["trials"], writers=source.writers)
            except StoreError as problem:
                raise StoreError(f"merging {source.path}: {problem}") from None
        return new, target.done()[0]
