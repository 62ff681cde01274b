"""Where a sweep keeps its finished chunks: one SQLite file that survives kill -9, power loss and full disks.

A store belongs to one sweep: its settings, seed and cells are written when it is made, and a sweep with others is
refused (``--trials`` alone may grow). One row per finished chunk of trials; a row is on the disk before it counts as
done. Writing a chunk twice changes nothing, so resumed runs, retries and overlapping shards are harmless.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.sweep.packing import packed, packed_cells, unpacked, unpacked_cells

SCHEMA = 2
APPLICATION_ID = 0x53546B74  # "STkt"
_TABLES = (
    "CREATE TABLE header (content TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE cells (first INTEGER PRIMARY KEY, described BLOB NOT NULL)",
    """CREATE TABLE chunks (
    cell INTEGER NOT NULL, first INTEGER NOT NULL, trials INTEGER NOT NULL,
    counts BLOB NOT NULL, extra BLOB NOT NULL, seconds REAL NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (cell, first)
) WITHOUT ROWID""",
)
_LONGEST = 2**24
"""Bytes of one value."""
MAX_CELLS, MAX_CHUNKS = 10**6, 2 * 10**6
"""Of a sweep."""

Writer = Mapping[str, str | None]
"""A program that counted, and where: what `PROGRAM` names."""

PROGRAM = ("version", "commit", "python", "numpy", "numba", "platform", "cpu")


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
        self._rows: dict[int, int] = {}
        if not path or (os.path.exists(path) and not os.path.isfile(path)):
            raise StoreError(f"a store must be a regular file, got {path!r}")
        if create is None and not holds_something(path):
            raise StoreError(f"{path}: no such store, or an empty file")
        if create is not None and not os.path.isdir(os.path.dirname(_place(path))):
            raise StoreError(f"{path}: the folder {str(Path(path).parent)!r} does not exist")
        with self._explained():
            self._db = self._connect()
        try:
            with self._explained():
                self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
                if create is not None:
                    self._create(*create)
                self._read()
        except BaseException:
            self._db.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        uri = Path(_place(self.path)).as_uri()
        if self.writes:
            return sqlite3.connect(f"{uri}?mode=rwc", uri=True, timeout=120.0, isolation_level=None)
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=120.0, isolation_level=None)
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:  # a read-only folder: no writer can be there, so it may be read as it lies
            db.close()
            for log in map(Path, files_of(self.path)[1:]):
                if not log.name.endswith("-shm") and log.exists() and log.stat().st_size:
                    raise StoreError(
                        f"{self.path}: its last chunks are in {log.name}, which cannot be read in a folder that "
                        "cannot be written: copy both files to one that can"
                    ) from None
            db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)
        return db

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's complaints into one line."""
        try:
            yield
        except sqlite3.Error as problem:
            text = " ".join(str(problem).split())[:160]
            code = getattr(problem, "sqlite_errorname", "") or ""
            if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or text.startswith("Could not decode"):
                why = "this is no store of a sweep, or it is damaged"
            elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                why = "cannot be written" if self.writes else "cannot be read"
            elif code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                why = "writing failed; every finished chunk is kept: with room, --resume the sweep or repeat the merge"
            elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                why = "another process keeps it locked"
            elif code.startswith("SQLITE_TOOBIG"):
                why = f"a value of more than {_LONGEST} bytes"
            else:
                why = "the store does not answer"
            raise StoreError(f"{self.path}: {why} ({text})") from None
        except UnicodeDecodeError:  # SQLite's complaint quotes the file
            raise StoreError(f"{self.path}: this is no store of a sweep, or it is damaged") from None

    def _create(self, header: Mapping[str, Any], cells: Sequence[tuple[str, int]]) -> None:
        db = self._db
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            self._wal()
        with self._transaction():
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return  # another process was faster, or it was here before
            for statement in _TABLES:
                db.execute(statement)
            text = json.dumps(header, sort_keys=True)
            db.execute("INSERT INTO header VALUES (?, ?)", (text, _crc_of_header(text, cells)))
            db.executemany("INSERT INTO cells VALUES (?, ?)", packed_cells(cells))
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
        made = db.execute("SELECT sql FROM sqlite_master ORDER BY rowid LIMIT 9").fetchall()
        if {_plain(sql) for (sql,) in made} != set(map(_plain, _TABLES)):
            raise StoreError(f"{self.path}: not the tables that a sweep makes")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self.path}: the store is damaged ({' '.join(found.split())})")
        if self.writes:
            self._wal()
            db.execute("PRAGMA synchronous = FULL")  # an acknowledged chunk survives a power cut
        for table, most in (("header", 1), ("cells", MAX_CELLS), ("chunks", 4 * MAX_CHUNKS)):  # --until looks between
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
            if rows > most:
                raise StoreError(f"{self.path}: {rows} rows of {table}, more than a sweep makes")
        text, crc = db.execute("SELECT content, crc FROM header").fetchone() or ("", 0)
        blocks = db.execute("SELECT first, described FROM cells ORDER BY first")
        try:
            self.cells = unpacked_cells(blocks, MAX_CELLS)
        except (ValueError, TypeError, RecursionError) as problem:
            raise StoreError(f"{self.path}: the store is damaged (its cells: {str(problem)[:80]})") from None
        if crc != _crc_of_header(text, self.cells):
            raise StoreError(f"{self.path}: the store is damaged (its settings fail their checksum)")
        strange = db.execute("SELECT cell FROM chunks WHERE cell NOT BETWEEN 0 AND ? LIMIT 1", (len(self.cells) - 1,))
        if found := strange.fetchone():
            raise StoreError(f"{self.path}: a chunk is of cell {found[0]}, of {len(self.cells)}")
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
            if not settings["experiment"].isidentifier() or not isinstance(header["made"], dict):
                raise ValueError("no experiment")
            for name in settings.keys() - {"experiment"}:
                if options[name] != settings[name]:
                    raise ValueError(f"{name} {settings[name]!r} and {options[name]!r}")
            if until is not None and not (type(until) is float and 0.0 < until < 1.0):
                raise ValueError(f"until {until!r}")
            _writers(header)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
            reason = f"{type(problem).__name__}: {' '.join(str(problem).split())[:80]}"
            raise StoreError(f"{self.path}: the store's settings make no sense ({reason})") from None
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

    def add(self, chunks: Iterable[Chunk], *, trials: int = 0, writers: Sequence[Writer] = ()) -> int:
        """Write chunks, all or none; returns how many were new. When it returns, they are on the disk.

        ``trials``, ``writers``: as `note` has them, together with the chunks or not at all. Raises StoreError: a stored
        chunk has other counts (named), or the file cannot be written.
        """
        new = 0
        with self._explained(), self._transaction():
            noted = self._note(trials, writers)
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
                self._check_rows(chunk)
                new += 1
                values = (packed(chunk.counts), chunk.extra, chunk.seconds, chunk.crc)
                self._db.execute(
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (chunk.cell, chunk.first, chunk.trials, *values),
                )
        self.header = noted
        return new

    def _check_rows(self, chunk: Chunk) -> None:
        """Every chunk of a cell counts the same rows."""
        cell, found = chunk.cell, len(chunk.counts)
        if cell not in self._rows:
            self._rows[cell] = len(next(self._select("WHERE cell = ? LIMIT 1", (cell,)), chunk).counts)
        if found != self._rows[cell]:
            raise StoreError(f"{self.path}: a chunk of cell {cell} counts {found} rows, another {self._rows[cell]}")

    @property
    def writers(self) -> tuple[Writer, ...]:
        """Who counted what it holds, in the order in which they came."""
        return _writers(self.header)

    def note(self, trials: int, *writers: Writer) -> None:
        """Raise the trials per row that the sweep is after to ``trials``, and note who counts into it."""
        with self._explained(), self._transaction():
            noted = self._note(trials, writers)
        if noted != self.header:  # in the file itself, as far as readers allow: a copy without the log knows it
            self.header = noted
            with self._explained():
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _note(self, trials: int, writers: Sequence[Writer]) -> dict[str, Any]:
        """As `note`, within a transaction: what another process has noted meanwhile stays. Returns the header."""
        (text,) = self._db.execute("SELECT content FROM header").fetchone()
        header: dict[str, Any] = json.loads(text)
        changed = {**header, "trials": max(trials, header["trials"])}
        if writers:
            known = {tuple(one[name] for name in PROGRAM): one for one in (*_writers(header), *writers)}
            changed["writers"] = list(known.values())
        if changed != header:
            text = json.dumps(changed, sort_keys=True)
            self._db.execute("UPDATE header SET content = ?, crc = ?", (text, _crc_of_header(text, self.cells)))
        return changed

    def _chunk(self, cell: int, first: int) -> Chunk | None:
        return next(self._select("WHERE cell = ? AND first = ?", (cell, first)), None)

    def chunks(self, cell: int) -> dict[int, Chunk]:
        """The finished chunks of a cell by their first trial."""
        with self._explained():
            return self._tiled(cell, self._select("WHERE cell = ? ORDER BY first", (cell,)))

    def every(self) -> Iterator[dict[int, Chunk]]:
        """The finished chunks of each cell, as `chunks` has them, in one reading."""
        with self._explained():
            due = 0
            for cell, held in itertools.groupby(self._select("ORDER BY cell, first"), key=lambda chunk: chunk.cell):
                yield from ({} for _ in range(cell - due))
                yield self._tiled(cell, held)
                due = cell + 1
            yield from ({} for _ in range(len(self.cells) - due))

    def _tiled(self, cell: int, chunks: Iterable[Chunk]) -> dict[int, Chunk]:
        found: dict[int, Chunk] = {}
        last = None
        for chunk in chunks:
            if last is not None and last.first + last.trials > chunk.first:
                raise StoreError(f"{self.path}: chunks {last.first} and {chunk.first} of cell {cell} overlap")
            if last is not None and len(last.counts) != len(chunk.counts):
                raise StoreError(f"{self.path}: the chunks of cell {cell} count different rows")
            found[chunk.first] = last = chunk
        return found

    def _select(self, where: str, values: tuple[int, ...] = ()) -> Iterator[Chunk]:
        rows = self._db.execute(f"SELECT cell, first, trials, counts, extra, seconds, crc FROM chunks {where}", values)
        for cell, first, trials, counts, extra, seconds, crc in rows:
            try:
                if type(extra) is not bytes or type(counts) is not bytes:  # bytes(10**12) would be a terabyte
                    raise TypeError("not bytes")
                chunk = Chunk(cell, first, trials, unpacked(counts), extra, float(seconds))
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
            and 0.0 <= chunk.seconds < 1e12
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
    crc = zlib.crc32(text.encode())
    for cell in cells:
        crc = zlib.crc32(repr(cell).encode(), crc)
    return crc


def _place(path: str) -> str:
    """Where a file is, or will be; a loop of links stays what it is."""
    return os.path.realpath(path)


def files_of(path: str) -> tuple[str, ...]:
    """The files in which a store lies while it is written."""
    place = _place(path)
    return path, f"{place}-wal", f"{place}-shm", f"{place}-journal"


def _writers(header: Mapping[str, Any]) -> tuple[Writer, ...]:
    """Of a header; the first ones have only who made it."""
    made = header["made"]
    known = [{name: made.get(name) for name in PROGRAM}] if "version" in made else []
    listed = header.get("writers", known)
    for one in listed:
        told = [part for part in one.values() if part is not None]
        if one.keys() != set(PROGRAM) or not all(isinstance(part, str) and part.isprintable() for part in told):
            raise ValueError(f"writer {one!r}")
    return tuple(listed)


def _plain(sql: object) -> str:
    return " ".join(str(sql).split())


def holds_something(path: str) -> bool:
    """Whether there is a file with something in it."""
    return Path(path).is_file() and Path(path).stat().st_size > 0
