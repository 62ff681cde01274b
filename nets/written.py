"""Files that appear whole or not at all, and say which one could not be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sims.statistics.result import atomic_path


@contextlib.contextmanager
def names_file(path: str | Path) -> Iterator[None]:
    """Let every failure of the system inside name the file.

    Raises
    ------
    OSError
        One line.
    """
    try:
        yield
    except OSError as error:
        if str(path) in str(error):
            raise
        raise OSError(f"{path} could not be written: {error.strerror or error}") from None


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to write to; its bytes reach the disk before its name does, and if anything fails the old one stays."""
    with names_file(path), atomic_path(path) as temporary, temporary.open("wb") as file:
        noted = _Noted(file)
        try:
            yield noted  # type: ignore[misc]
        except RuntimeError:  # what PyTorch makes of a failure to write
            if noted.failure is not None:
                raise noted.failure from None
            raise
        file.flush()
        os.fsync(file.fileno())


class _Noted:
    """Writes to a file and notes how it failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return self._file.write(content)
        except OSError as failure:
            self.failure = failure
            raise

    def flush(self) -> None:
        self._file.flush()
