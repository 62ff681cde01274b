"""Where a sweep keeps its finished chunks: one SQLite file that survives kill -9, power loss and full disks.

A store belongs to one sweep: its settings, seed and cells are written when it is made, and a sweep with others is
refused (``--trials`` alone may grow). One row per finished chunk of trials; a row is on the disk before it counts as
done. Writing a chunk twice changes nothing, so resumed runs, retries and overlapping shards are harmless.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
APPLICATION_ID = 0x53546B74  # "STkt"
_TABLES = """
CREATE TABLE header (content TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE cells (number INTEGER PRIMARY KEY, what TEXT NOT NULL, chunk INTEGER NOT NULL);
CREATE TABLE chunks (
    cell INTEGER NOT NULL, first INTEGER NOT NULL, trials INTEGER NOT NULL,
    counts TEXT NOT NULL, extra BLOB NOT NULL, seconds REAL NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (cell, first)
) WITHOUT ROWID;
"""


Writer = tuple[str | None, str | None]
"""Version and commit of a program."""

ANY_VERSION = "--any-version mixes what they counted"


class StoreError(ValueError):
    """A store that cannot be used; its text is the one line that the user sees."""


@dataclass(frozen=True)
class Chunk:
    """The counts of trials first, ..., first + trials - 1 of a cell.

    ``counts``: successes; one for each row that the cell gives. ``extra``: little-endian float64 numbers that the rows
    need besides, or nothing. ``seconds``: what it took.
    """

    cell: int
    first: int
    trials: int
    counts: tuple[int, ...]
    extra: bytes = b""
    seconds: float = 0.0

    @property
    def crc(self) -> int:
        """Checksum of everything but the seconds."""
        return zlib.crc32(self.extra, zlib.crc32(repr((self.cell, self.first, self.trials, self.counts)).encode()))


def _agree(a: Chunk, b: Chunk) -> bool:
    """Whether two chunks with the same start can both be right: a longer one has at least the shorter one's counts."""
    if a.trials == b.trials:
        return a.counts == b.counts
    short, long = sorted((a, b), key=lambda chunk: chunk.trials)
    rest = long.trials - short.trials
    pairs = zip(short.counts, long.counts, strict=False)
    return len(a.counts) == len(b.counts) and all(0 <= more - few <= rest for few, more in pairs)


class Store:
    """An open store.

    ``create``: make the store if there is none (or an empty file): a JSON-able mapping with the sweep's settings, and
    for every cell its description (JSON text) and chunk size. Where the store exists, this is ignored. ``write``: open
    for writing. Raises StoreError: there is no store, or the file is none, is damaged, was made by a later version or
    cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        create: tuple[Mapping[str, Any], Sequence[tuple[str, int]]] | None = None,
        write: bool = False,
    ) -> None:
        self.path = path
        self.writes = write or create is not None
        if Path(path).is_dir() or not path:
            raise StoreError(f"--store must name a file, got {path!r}")
        if create is None and not holds_something(path):
            raise StoreError(f"{path}: no such store, or an empty file")
        if create is not None and not Path(path).resolve().parent.is_dir():
            raise StoreError(f"{path}: the folder {str(Path(path).parent)!r} does not exist")
        with self._explained():
            self._db = self._connect()
        try:
            with self._explained():
                if create is not None:
                    self._create(*create)
                self._read()
        except BaseException:
            self._db.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        uri = Path(self.path).resolve().as_uri()
        if self.writes:
            return sqlite3.connect(f"{uri}?mode=rwc", uri=True, timeout=120.0, isolation_level=None)
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=120.0, isolation_level=None)
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:  # a read-only folder: no writer can be there, so it may be read as it lies
            db.close()
            log = Path(f"{Path(self.path).resolve()}-wal")
            if log.exists() and log.stat().st_size:
                raise StoreError(
                    f"{self.path}: its last chunks are in {log.name}, which cannot be read in a folder that cannot be "
                    "written: copy both files to one that can"
                ) from None
            db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
        return db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's complaints into one line."""
        try:
            yield
        except sqlite3.Error as problem:
            text = str(problem)
            code = getattr(problem, "sqlite_errorname", "") or ""
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                why = "this is no store of a sweep, or it is damaged"
            elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                why = "cannot be written" if self.writes else "cannot be read"
            elif code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                why = "writing failed; every finished chunk is kept: with room, --resume the sweep or repeat the merge"
            elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                why = "another process keeps it locked"
            else:
                why = "the store does not answer"
            raise StoreError(f"{self.path}: {why} ({text})") from None

    def _create(self, header: Mapping[str, Any], cells: Sequence[tuple[str, int]]) -> None:
        db = self._db
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            self._wal()
        with self._transaction():
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return  # another process was faster, or it was here before
            for statement in _TABLES.split(";"):
                db.execute(statement)
            text = json.dumps(header, sort_keys=True)
            db.execute("INSERT INTO header VALUES (?, ?)", (text, _crc_of_header(text, cells)))
            db.executemany("INSERT INTO cells VALUES (?, ?, ?)", [(i, *cell) for i, cell in enumerate(cells)])
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA}")

    def _wal(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"{self.path}: this file system does not do for a store (WAL); use a local disk")

    def _read(self) -> None:
        db = self._db
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path}: this is a database, but no store of a sweep")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA:
            raise StoreError(f"{self.path}: a store of layout {version}; this version reads layout {SCHEMA}")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self.path}: the store is damaged ({' '.join(found.split())})")
        if self.writes:
            self._wal()
            db.execute("PRAGMA synchronous = FULL")  # an acknowledged chunk survives a power cut
        text, crc = db.execute("SELECT content, crc FROM header").fetchone() or ("", 0)
        self.cells = [(what, chunk) for what, chunk in db.execute("SELECT what, chunk FROM cells ORDER BY number")]
        if crc != _crc_of_header(text, self.cells):
            raise StoreError(f"{self.path}: the store is damaged (its settings fail their checksum)")
        self.header = self._sound(text)

    def _sound(self, text: str) -> dict[str, Any]:
        """The header, if it and the cells are what a sweep writes: a checksum that fits may be anybody's."""
        try:
            header: dict[str, Any] = json.loads(text)
            settings, options = header["settings"], header["options"]
            whole = [("trials", header["trials"], 1), ("first_trial", options["first_trial"], 0)]
            whole += [("seed", options["seed"], 0), *(("chunk", chunk, 1) for _, chunk in self.cells)]
            until = options.get("until")
            for name, value, low in whole:
                if type(value) is not int or not low <= value < 2**64:
                    raise ValueError(f"{name} {value!r}")
            if not isinstance(settings["experiment"], str) or not isinstance(header["made"], dict):
                raise ValueError("no experiment")
            if until is not None and not (type(until) is float and 0.0 < until < 1.0):
                raise ValueError(f"until {until!r}")
            _writers(header)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
            raise StoreError(
                f"{self.path}: the store's settings make no sense ({type(problem).__name__}: {str(problem)[:80]})"
            ) from None
        return header

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def add(self, chunks: Iterable[Chunk]) -> int:
        """Write chunks, all or none; returns how many were new. When it returns, they are on the disk.

        Raises StoreError: a stored chunk has other counts (named), or the file cannot be written.
        """
        new = 0
        with self._explained(), self._transaction():
            for chunk in chunks:
                old = self._chunk(chunk.cell, chunk.first)
                if old is not None:
                    if not _agree(old, chunk):
                        raise StoreError(
                            f"{self.path}: conflicting counts for the chunk of {chunk.trials} trials from trial "
                            f"{chunk.first} of cell {chunk.cell} ({self.cells[chunk.cell][0]}): "
                            f"{list(old.counts)} and {list(chunk.counts)}"
                        )
                    if old.trials >= chunk.trials:
                        continue
                new += 1
                counts = json.dumps(list(chunk.counts))
                self._db.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (chunk.cell, chunk.first, chunk.trials, counts, chunk.extra, chunk.seconds, chunk.crc),
                )
        return new

    def grow(self, trials: int) -> None:
        """Raise the number of trials per row that the sweep is after."""
        if trials > self.header["trials"]:
            self._rewrite({**self.header, "trials": trials})

    @property
    def writers(self) -> tuple[Writer, ...]:
        """Who counted what it holds, in the order in which they came."""
        return _writers(self.header)

    def sign(self, *writers: Writer) -> None:
        """Note who counts into it."""
        known = self.writers
        new = [one for one in dict.fromkeys(writers) if one not in known]
        if new:
            self._rewrite({**self.header, "writers": [list(one) for one in (*known, *new)]})

    def _rewrite(self, header: dict[str, Any]) -> None:
        text = json.dumps(header, sort_keys=True)
        with self._explained(), self._transaction():
            self._db.execute("UPDATE header SET content = ?, crc = ?", (text, _crc_of_header(text, self.cells)))
        self.header = header

    def _chunk(self, cell: int, first: int) -> Chunk | None:
        return next(self._select("WHERE cell = ? AND first = ?", (cell, first)), None)

    def chunks(self, cell: int) -> dict[int, Chunk]:
        """The finished chunks of a cell by their first trial."""
        with self._explained():
            return {chunk.first: chunk for chunk in self._select("WHERE cell = ? ORDER BY first", (cell,))}

    def _select(self, where: str, values: tuple[int, ...]) -> Iterator[Chunk]:
        rows = self._db.execute(f"SELECT cell, first, trials, counts, extra, seconds, crc FROM chunks {where}", values)
        for cell, first, trials, counts, extra, seconds, crc in rows:
            try:
                chunk = Chunk(cell, first, trials, tuple(json.loads(counts)), bytes(extra), float(seconds))
                whole = chunk.crc == crc and self._possible(chunk)
            except (ValueError, TypeError, RecursionError):
                whole = False
            if not whole:
                raise StoreError(f"{self.path}: the store is damaged (chunk {first} of cell {cell} fails its checksum)")
            yield chunk

    def _possible(self, chunk: Chunk) -> bool:
        """Whether a chunk could be counted: a checksum that fits may be anybody's."""
        places = type(chunk.cell) is type(chunk.first) is type(chunk.trials) is int
        return (
            places and 0 <= chunk.cell < len(self.cells) and chunk.first >= 0 and 1 <= chunk.trials < 2**62
            and all(type(count) is int and 0 <= count <= chunk.trials for count in chunk.counts)
            and 0.0 <= chunk.seconds < float("inf")
        )  # fmt: skip

    def done(self) -> tuple[int, int, float]:
        """Finished chunks, their trials and their seconds, over all cells."""
        with self._explained():
            row = self._db.execute("SELECT count(*), total(trials), total(seconds) FROM chunks").fetchone()
            return int(row[0]), int(row[1]), float(row[2])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


def _crc_of_header(text: str, cells: Sequence[tuple[str, int]]) -> int:
    return zlib.crc32(repr((text, [tuple(cell) for cell in cells])).encode())


def files_of(path: str) -> tuple[str, ...]:
    """The files in which a store lies while it is written."""
    return path, f"{path}-wal", f"{path}-shm", f"{path}-journal"


def _writers(header: Mapping[str, Any]) -> tuple[Writer, ...]:
    """Of a header; the first ones have only who made it."""
    made = header["made"]
    listed = header.get("writers", [[made["version"], made.get("commit")]] if "version" in made else [])
    if not all(
        type(one) is list and len(one) == 2 and all(part is None or isinstance(part, str) for part in one)
        for one in listed
    ):
        raise ValueError("no writers")
    return tuple((version, commit) for version, commit in listed)


def other_version(store: Store, *writers: Writer) -> str | None:
    """Two versions, if not all that counted into a store, or will, are one; None if they are."""
    versions = list(dict.fromkeys(version for version, _ in (*store.writers, *writers)))
    return f"version {versions[0]} counted there, {versions[-1]} here" if len(versions) > 1 else None


def holds_something(path: str) -> bool:
    """Whether there is a file with something in it."""
    return Path(path).is_file() and Path(path).stat().st_size > 0


def difference(a: Store, header: Mapping[str, Any], cells: Sequence[tuple[str, int]]) -> str | None:
    """The first setting in which a sweep differs from that of a store, as text; None if it is the same sweep."""
    one, other = dict(a.header["settings"]), dict(header["settings"])
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            return f"{key} {json.dumps(one.get(key))} there, {json.dumps(other.get(key))} here"
    if [what for what, _ in a.cells] != [what for what, _ in cells]:
        return "the same settings, but this version makes other cells of them"
    for (what, there), (_, here) in zip(a.cells, cells, strict=True):
        if there != here:
            return f"chunks of {there} trials there, of {here} here, for cell {what}"
    return None


def merge(out: str, parts: Sequence[str], *, any_version: bool = False) -> tuple[int, int]:
    """Merge stores of one sweep; returns the chunks that were new in ``out`` and the chunks it now holds.

    ``out``: made if there is none; its own chunks are kept. ``parts``: never changed. ``any_version``: also where
    several versions counted them. Raises StoreError: one of them is
    no store, is of another sweep, or has other counts for the same chunk; ``out`` is then what it was, up to the parts
    before that one.
    """
    opened = []
    with contextlib.ExitStack() as stack:
        for part in parts:
            if Path(part).resolve() == Path(out).resolve() or (Path(out).exists() and Path(part).samefile(out)):
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
            target.grow(source.header["trials"])
            target.sign(*source.writers)
            try:
                new += target.add(chunk for cell in range(len(source.cells)) for chunk in source.chunks(cell).values())
            except StoreError as problem:
                raise StoreError(f"merging {source.path}: {problem}") from None
        return new, target.done()[0]
