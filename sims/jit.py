"""Numba's ``njit``, whose cache may be missing, full or damaged without stopping anything.

A cached kernel carries a SHA-256 of its bytes: one that was cut short or changed is compiled anew and written over, and
never run. Where no cache can be written, kernels are compiled in every process, and one line says so.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

_numba: Any = caching  # its annotations are few
_DIGEST = hashlib.sha256().digest_size
_said = False


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As ``numba.njit(**options)``; ``cache=True`` takes the cache of this module."""
    cached = options.pop("cache", False)
    compiled = numba.njit(**options)

    def decorate(function: Callable[..., Any]) -> Any:
        kernel: Any = compiled(function)
        if cached and hasattr(kernel, "_cache"):  # a plain function where the compiler is switched off
            try:
                kernel._cache = _Cache(function)
            except RuntimeError:  # neither beside the source nor in the user's own folder
                _say("no folder for compiled kernels can be written (NUMBA_CACHE_DIR names another)")
        return kernel

    return decorate


class _Files(_numba.IndexDataCacheFile):  # type: ignore[misc]
    """The files of one kernel, their bytes behind a digest."""

    def _save_data(self, name: str, data: Any) -> None:
        raw = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(raw).digest() + raw)

    def _load_data(self, name: str) -> Any:
        import pickle

        raw = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(raw[_DIGEST:]).digest() != raw[:_DIGEST]:
            raise OSError("damaged")  # which counts as a file that is not there
        return pickle.loads(raw[_DIGEST:])


class _Cache(_numba.FunctionCache):  # type: ignore[misc]
    """The cache of one kernel: what cannot be read is not there, what cannot be written is left out."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _Files(
            cache_path=self._cache_path, filename_base=self._impl.filename_base, source_stamp=stamp
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged index: pickle raises many kinds
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            try:
                super().save_overload(sig, data)
            except OSError:
                raise
            except Exception:  # a damaged index is begun anew
                self.flush()
                super().save_overload(sig, data)
        except OSError as problem:
            _say(f"compiled kernels cannot be kept in {self.cache_path!r} ({problem.strerror or problem})")


def _say(why: str) -> None:
    global _said
    if not _said and sys.stderr is not None:
        _said = True
        print(f"note: {why}: they are compiled anew in every run", file=sys.stderr, flush=True)
