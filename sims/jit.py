"""``njit`` for every kernel: Numba's, with a cache that never stands in the way.

Where no folder can be written, or the cache's disk is full, kernels are compiled for this run alone, and one line says
so. A damaged file of the cache is made anew: every file carries its checksum, for Numba would run what it finds.
"""

from __future__ import annotations

# mypy: allow-untyped-calls
import functools
import hashlib
import inspect
import pickle
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

_DIGEST = hashlib.sha256().digest_size
_said: set[str] = set()


def njit(*, cache: bool = False, uses: tuple[ModuleType, ...] = (), **options: Any) -> Callable[[Any], Any]:
    """As ``numba.njit``, with our cache where ``cache`` asks for one; ``uses``: modules whose edit makes it stale."""

    def compiled(function: Any) -> Any:
        made = numba.njit(**options)(function)
        if cache and made is not function:  # it is the function itself under NUMBA_DISABLE_JIT
            made._cache = _cache_of(function, uses)
        return made

    return compiled


def _cache_of(function: Any, uses: tuple[ModuleType, ...]) -> Any:
    try:
        return _Cache(function, uses)
    except (RuntimeError, OSError):  # Numba found no folder that can be written
        return _NoCache()


def _say(problem: str) -> None:
    if not _said and sys.stderr is not None:
        print(f"note: kernels are compiled for this run alone: {problem} (see NUMBA_CACHE_DIR)", file=sys.stderr)
    _said.add(problem)


class _NoCache(NullCache):
    def save_overload(self, sig: Any, data: Any) -> None:
        _say("no folder for their cache can be written")


class _Cache(FunctionCache):
    def __init__(self, function: Any, uses: tuple[ModuleType, ...]) -> None:
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), *map(digest, uses))
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except OSError as problem:
            _say(f"the cache {self._cache_path} cannot be read ({problem.strerror})")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as problem:
            _say(f"the cache {self._cache_path} cannot be written ({problem.strerror})")


@functools.cache
def digest(module: ModuleType) -> str:
    """Names this version of a module's source."""
    return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()


class _Files(IndexDataCacheFile):
    """The index and the data of one kernel; what is damaged counts as absent, and is then overwritten."""

    def _dump(self, obj: Any) -> bytes:
        content: bytes = super()._dump(obj)
        return hashlib.sha256(content).digest() + content

    def _load_index(self) -> Any:
        try:
            with open(self._index_path, "rb") as file:
                if pickle.load(file) != self._version:
                    return {}
                stamp, overloads = _undamaged(file.read())
        except OSError as problem:
            if isinstance(problem, FileNotFoundError):
                return {}
            raise
        except Exception:  # of unpickling: any
            return {}
        return overloads if stamp == self._source_stamp else {}

    def _load_data(self, name: str) -> Any:
        with open(self._data_path(name), "rb") as file:
            content = file.read()
        try:
            return _undamaged(content)
        except Exception:
            raise FileNotFoundError from None


def _undamaged(content: bytes) -> Any:
    if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        raise ValueError
    return pickle.loads(content[_DIGEST:])


__all__ = ["digest", "njit"]
