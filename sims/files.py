"""Files that commands write: checked before the work, whole or not at all, never over an input or a stranger's file.

A file that is there already is replaced only by one of its own `Kind`, or with ``--force``. What is no regular file (a
pipe, ``/dev/stdout``, ``/proc/self/fd/3``, ``>(command)``) is a stream: it is written to, never replaced.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

AnyPath = str | os.PathLike[str]

PICTURES = {".png": b"\x89PNG\r\n", ".pdf": b"%PDF-", ".svg": b"<?xml"}
"""What the names of pictures end in, and how their bytes begin."""

_MAX_LINKS = 40
_DESCRIPTORS = re.compile(r"/proc/(\d+)(/task/\d+)?/fd|/dev/fd")
_HEAD = 1 << 16


class WriteError(OSError):
    """A file that could not be written; the message is one line that names it."""

    def __init__(self, path: AnyPath, problem: OSError) -> None:
        super().__init__(f"{os.fspath(path)}: could not be written ({problem.strerror or problem})")


# -- what a file is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """What a command writes.

    Attributes
    ----------
    name : str
        For example "table".
    fits : callable
        Whether a file, given by its path, is one; it may raise ValueError or OSError where it is none.
    """

    name: str
    fits: Callable[[str], bool]


def head(path: str) -> bytes:
    """The first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(_HEAD)


def beginning_with(name: str, *starts: bytes) -> Kind:
    """The kind of all files that begin with one of these bytes."""
    return Kind(name, lambda path: head(path).startswith(starts))


def _is_table(path: str) -> bool:
    """Whether a file begins as `Result.to_csv` writes: a line of names, two at least, then as many cells a line."""
    raw = head(path)
    if not raw.strip():
        return True
    text = raw[: raw.rfind(b"\n") + 1].decode()
    names, *rows = csv.reader(io.StringIO(text), strict=True)
    plain = all(re.fullmatch(r"[A-Za-z_][\w .%/()+-]*", name) for name in names)
    return "\0" not in text and len(names) > 1 and plain and all(len(row) == len(names) for row in rows)


TABLE = Kind("CSV table", _is_table)
OWN = Kind("file of this command", lambda path: True)
"""What the command itself looks into before it writes."""
PICTURE = beginning_with("picture", *PICTURES.values())


@dataclass(frozen=True)
class OutputFile:
    """A file to be written: the flag that names it, for messages; its path, None for none; and what it will be."""

    flag: str
    path: AnyPath | None
    kind: Kind


# -- before the work ---------------------------------------------------------------------------------------------------


def check_outputs(*outputs: OutputFile, inputs: Iterable[AnyPath | None] = (), force: bool = False) -> None:
    """Refuse files that could not be written, or must not be, before any work is done.

    Parameters
    ----------
    inputs : iterable of path
        Files and folders that the command reads; words that name no file are passed over.
    force : bool
        Replace files of other kinds; inputs are never replaced.

    Raises
    ------
    ValueError
        One line: a file that cannot be written, is an input, lies among the inputs, is named twice, or is of another
        kind.
    """
    named = [(output, os.fspath(output.path)) for output in outputs if output.path is not None]
    for output, path in named:
        _check_place(output.flag, path)
    read = [os.fspath(one) for one in inputs if one is not None and os.path.exists(one)]
    for number, (output, path) in enumerate(named):
        for other, earlier in named[:number]:
            if _same(path, earlier):
                raise ValueError(f"{other.flag} and {output.flag} name the same file, {path}")
        if is_stream(path):
            continue
        for one in read:
            if _same(path, one):
                raise ValueError(f"{output.flag} {path} would replace an input, {one}")
            if _inside(path, one) and (output.kind is PICTURE or _is_stranger(path, output.kind)):
                raise ValueError(f"{output.flag} {path} would replace a file of an input, {one}")
        for stream, where in ((sys.stdout, "standard output"), (sys.stderr, "standard error")):
            if _is_file_behind(stream, path):
                raise ValueError(f"{output.flag} {path}: {where} goes there already")
        if not force and _is_stranger(path, output.kind):
            raise ValueError(
                f"{output.flag} {path}: the file is there and is no {output.kind.name}; --force replaces it"
            )


def _check_place(flag: str, path: str) -> None:
    if not path or path.endswith(os.sep) or os.path.isdir(path):
        raise ValueError(f"{flag} must name a file, got {path!r}")
    try:
        found: os.stat_result | None = os.stat(path)
    except FileNotFoundError:
        found = None
    except OSError as problem:  # a loop of links, a name that is too long, a folder that must not be searched
        raise ValueError(f"{flag} {path}: {problem.strerror}") from None
    if is_stream(path):
        _open_stream(flag, path)
        return
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{flag} {path}: neither a regular file nor a pipe")
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise ValueError(f"{flag} {path}: the folder {os.path.dirname(path) or folder!r} does not exist")
    if not os.access(folder, os.W_OK) or (found is not None and not os.access(target, os.W_OK)):
        raise ValueError(f"{flag} {path}: not writable")


def _same(a: str, b: str) -> bool:
    """Whether two paths are one file, or would be: links, other spellings, and folders that are blind to case."""
    a, b = os.path.realpath(a), os.path.realpath(b)
    with contextlib.suppress(OSError):
        return os.path.samefile(a, b)
    if a == b or a.casefold() != b.casefold() or os.path.exists(a) or os.path.exists(b):
        return a == b
    with tempfile.NamedTemporaryFile(prefix=".case-", dir=os.path.dirname(a)) as probe:
        folder, name = os.path.split(probe.name)
        return os.path.exists(os.path.join(folder, name.swapcase()))


def _inside(path: str, folder: str) -> bool:
    """Whether a file is there, in a folder that is there."""
    within = os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))
    return within and os.path.isdir(folder) and os.path.exists(path)


def _is_file_behind(stream: object, path: str) -> bool:
    try:
        behind, found = os.fstat(stream.fileno()), os.stat(path)  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):  # no file is behind it, or none is there
        return False
    return stat.S_ISREG(behind.st_mode) and os.path.samestat(behind, found)


def _is_stranger(path: str, kind: Kind) -> bool:
    """Whether a file is there, not empty, and of another kind."""
    try:
        return os.path.getsize(path) > 0 and not kind.fits(path)
    except FileNotFoundError:
        return False
    except Exception:  # whatever is not read as one is none
        return True


# -- streams -----------------------------------------------------------------------------------------------------------

_WAITING: dict[str, int] = {}
"""Named pipes that were opened before the work: whoever reads one must not see it end before anything came."""


def _descriptor(path: str) -> tuple[int | None, str] | None:
    """What an open file is named by, through any number of links: its number, if it is our own, and its last name."""
    for _ in range(_MAX_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder or ".")
        path = os.path.join(folder, name)
        found = _DESCRIPTORS.fullmatch(folder)
        if found and name.isdecimal():
            return int(name) if found[1] in (None, str(os.getpid())) else None, path
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return None


def is_stream(path: AnyPath) -> bool:
    """Whether a path names a pipe, a terminal or another open file, which is written to and never replaced."""
    path = os.fspath(path)
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return _descriptor(path) is not None
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or _descriptor(path) is not None


def is_stdout(path: AnyPath | None) -> bool:
    """Whether a path names standard output as a stream."""
    return path is not None and (_descriptor(os.fspath(path)) or (None,))[0] == 1


def _open_stream(flag: str, path: str) -> None:
    """Refuse a stream that nothing can be written to; open a named pipe."""
    found = _descriptor(path)
    try:
        if found is not None and found[0] is not None:
            import fcntl

            if fcntl.fcntl(found[0], fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise ValueError(f"{flag} {path}: open for reading only")
        elif stat.S_ISFIFO(os.stat(path).st_mode):
            if path not in _WAITING:
                _WAITING[path] = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(_WAITING[path], True)
        elif not os.access(path, os.W_OK):
            raise ValueError(f"{flag} {path}: not writable")
    except OSError as problem:
        import errno

        reason = "nothing reads this pipe" if problem.errno == errno.ENXIO else problem.strerror
        raise ValueError(f"{flag} {path}: {reason}") from None


def _pour(path: str, content: bytes) -> None:
    """Write to a stream, behind what is there."""
    own = (_descriptor(path) or (None,))[0]
    if own in (1, 2):
        (sys.stdout if own == 1 else sys.stderr).flush()
    if own is not None:
        handle = os.dup(own)
    elif path in _WAITING:
        handle = _WAITING.pop(path)
    else:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    with open(handle, "wb", buffering=0) as file:
        left = memoryview(content)
        while left:
            left = left[file.write(left) :]


# -- writing -----------------------------------------------------------------------------------------------------------


@contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """A temporary file that takes the place of ``path`` when the block ends well, and vanishes otherwise.

    It lies beside ``path``, whose permissions it keeps; a link stays a link. A stream is given its content.

    Raises
    ------
    WriteError
        For every OSError, also of the block.
    """
    path = os.fspath(path)
    stream = is_stream(path)
    target = Path(os.path.realpath(path))
    suffix = target.suffix if 1 < len(target.suffix) < 16 else ".tmp"
    temporary: Path | None = None
    try:
        folder = None if stream else target.parent
        handle, name = tempfile.mkstemp(prefix=f".{target.stem[:40]}-", suffix=suffix, dir=folder)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        if stream:
            _pour(path, temporary.read_bytes())
            return
        temporary.chmod(_permissions(target))
        with temporary.open("r+b") as written:  # Windows flushes nothing that is open for reading only
            os.fsync(written.fileno())  # the name must not reach the disk before the bytes
        os.replace(temporary, target)
    except WriteError:
        raise
    except OSError as problem:
        raise WriteError(path, problem) from problem
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _permissions(target: Path) -> int:
    """Of the file that is there, or of a new one."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def write_bytes(path: AnyPath, content: bytes) -> int:
    """Write a file so that it appears whole or not at all; returns its size."""
    if is_stream(path):
        try:
            _pour(os.fspath(path), content)
        except OSError as problem:
            raise WriteError(path, problem) from problem
        return len(content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def write_text(path: AnyPath, text: str) -> None:
    """Write a text file so that it appears whole or not at all; names that are no text are written as escapes."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
