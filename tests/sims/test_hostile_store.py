"""Stores that anybody may have made, with checksums that fit, and what is said of who counted."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sims import store as store_cli
from sims.sweep import cluster
from sims.sweep import command as sweep
from sims.sweep.packing import packed
from sims.sweep.store import Chunk, Store, files_of

ARGV = ["subset_sum", "--R", "1", "2", "--eps", "0.1", "--n", "1:3", "--trials", "300", "--chunk", "100", "--seed", "1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "s.sqlite"
    assert sweep.main([*ARGV, "--store", str(path), "--quiet", "--jobs", "1"]) == 0
    return path


def with_header(path: Path, change: Callable[[Any], Any]) -> None:
    """The header changed, or another in its place, and its checksum mended."""
    db = sqlite3.connect(path)
    text = json.dumps(change(json.loads(db.execute("SELECT content FROM header").fetchone()[0])))
    blocks = db.execute("SELECT described FROM cells ORDER BY first").fetchall()
    crc = zlib.crc32(text.encode())
    for cell in (tuple(cell) for (data,) in blocks for cell in json.loads(zlib.decompress(data))):
        crc = zlib.crc32(repr(cell).encode(), crc)
    db.execute("UPDATE header SET content = ?, crc = ?", (text, crc))
    db.commit()
    db.close()


def with_cell(path: Path, what: str | None, chunk: object = 100) -> None:
    db = sqlite3.connect(path)
    cells = json.loads(zlib.decompress(db.execute("SELECT described FROM cells").fetchone()[0]))
    cells[0] = [cells[0][0] if what is None else what, chunk]
    db.execute("UPDATE cells SET described = ?", (zlib.compress(json.dumps(cells).encode()),))
    db.commit()
    db.close()
    with_header(path, lambda header: header)


def with_block(path: Path, text: bytes) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE cells SET described = ?", (zlib.compress(text),))
    db.commit()
    db.close()


def with_chunk(path: Path, trials: Any, counts: Any) -> None:
    db = sqlite3.connect(path)
    crc = zlib.crc32(b"", zlib.crc32(repr((0, 0, trials, counts)).encode()))
    try:
        written: object = packed(counts)
    except TypeError:
        written = json.dumps(counts)
    values = (trials, written, crc)
    db.execute("UPDATE chunks SET trials = ?, counts = ?, crc = ? WHERE cell = 0 AND first = 0", values)
    db.commit()
    db.close()


def with_sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        db = sqlite3.connect(path)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    return change


def endless(table: str, columns: str) -> Callable[[Path], None]:
    """A view without end in a table's place."""
    rows = f"WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c) SELECT {columns} FROM c"
    return with_sql(f"DROP TABLE {table}", f"CREATE VIEW {table} AS {rows}")


def both(**changes: object) -> Callable[[Path], None]:
    """Settings and options alike."""

    def change(header: Any) -> Any:
        return {**header, **{part: {**header[part], **changes} for part in ("settings", "options")}}

    return lambda path: with_header(path, change)


def one_more(cell: int, first: int) -> Callable[[Path], None]:
    """Another chunk of 100 trials."""
    crc = zlib.crc32(b"", zlib.crc32(repr((cell, first, 100, (1, 2, 3))).encode()))
    return with_sql(f"INSERT INTO chunks VALUES ({cell}, {first}, 100, x'{packed((1, 2, 3)).hex()}', x'', 0.0, {crc})")


def options(**changes: object) -> Callable[[Path], None]:
    return lambda path: with_header(path, lambda h: {**h, "options": {**h["options"], **changes}})


WRONG: dict[str, Callable[[Path], None]] = {
    "an empty header": lambda path: with_header(path, lambda h: {}),
    "a list": lambda path: with_header(path, lambda h: []),
    "a number": lambda path: with_header(path, lambda h: 3),
    "trials in words": lambda path: with_header(path, lambda h: {**h, "trials": "300"}),
    "negative trials": lambda path: with_header(path, lambda h: {**h, "trials": -300}),
    "trials as a fraction": lambda path: with_header(path, lambda h: {**h, "trials": 300.5}),
    "no options": lambda path: with_header(path, lambda h: {k: v for k, v in h.items() if k != "options"}),
    "options of nothing": lambda path: with_header(path, lambda h: {**h, "options": {}}),
    "an option in words": options(delta="much"),
    "an infinite until": options(until=float("inf")),
    "R of text": options(R=["one"]),
    "eps of a list": options(eps=[[0.1]]),
    "no settings": lambda path: with_header(path, lambda h: {**h, "settings": {}}),
    "another experiment": lambda path: with_header(path, lambda h: {**h, "settings": {"experiment": "coverage"}}),
    "writers of text": lambda path: with_header(path, lambda h: {**h, "writers": ["me"]}),
    "no maker": lambda path: with_header(path, lambda h: {**h, "made": None}),
    "a cell of nothing": lambda path: with_cell(path, "{}"),
    "a cell that is no JSON": lambda path: with_cell(path, "x"),
    "a cell that nests too deep": lambda path: with_cell(path, "[" * 10**5),
    "a cell of other settings": lambda path: with_cell(
        path, '{"R": 7, "eps": 0.1, "alpha": 0.5, "kind": "choice", "n": [1, 2, 3]}'
    ),
    "a chunk of no trials": lambda path: with_cell(path, None, 0),
    "a chunk in words": lambda path: with_cell(path, None, "many"),
    "counts of text": lambda path: with_chunk(path, 100, ["1", "2", "3"]),
    "negative counts": lambda path: with_chunk(path, 100, (-1, 2, 3)),
    "more successes than trials": lambda path: with_chunk(path, 100, (101, 2, 3)),
    "counts of too few rows": lambda path: with_chunk(path, 100, (1,)),
    "counts that are a number": lambda path: with_chunk(path, 100, 3),
    "trials of a chunk in words": lambda path: with_chunk(path, "100", (1, 2, 3)),
    "a chunk of negative trials": lambda path: with_chunk(path, -100, (0, 0, 0)),
    "chunks that reach beyond the trials": lambda path: with_chunk(path, 10**6, (1, 2, 3)),
    "chunks that overlap": one_more(0, 50),
    "a chunk of no cell": one_more(9, 0),
    "no table of cells": with_sql("DROP TABLE cells"),
    "cells without end": endless("cells", "x AS first, x'' AS described"),
    "cells that are no block": with_sql("UPDATE cells SET described = x'00ff'"),
    "cells in words": with_sql("UPDATE cells SET described = 'x'"),
    "half a block of cells": with_sql("UPDATE cells SET described = substr(described, 1, length(described) / 2)"),
    "a block that swells": lambda path: with_block(path, b"[" * 2**26),
    "a block that nests too deep": lambda path: with_block(path, b"[" * 10**5),
    "a block of numbers": lambda path: with_block(path, b"[1, 2]"),
    "a block elsewhere": with_sql("UPDATE cells SET first = 1"),
    "counts that end early": with_sql("UPDATE chunks SET counts = x'80'"),
    "counts without end": with_sql(f"UPDATE chunks SET counts = x'{'ff' * 20}'"),
    "chunks without end": endless(
        "chunks", "0 AS cell, x AS first, 1 AS trials, x'00' AS counts, x'' AS extra, 0.0 AS seconds, 0 AS crc"
    ),
    "a trigger": with_sql("CREATE TRIGGER t AFTER INSERT ON chunks BEGIN DELETE FROM chunks; END"),
    "a further column": with_sql("ALTER TABLE chunks ADD COLUMN more TEXT"),
    "two headers": with_sql("INSERT INTO header SELECT * FROM header"),
    "a number as bytes": with_sql("UPDATE chunks SET extra = 1000000000000"),
    "text that is none": with_sql("UPDATE chunks SET counts = CAST(x'fffe0a41' AS TEXT)"),
    "endless seconds": with_sql("UPDATE chunks SET seconds = 1e308"),
    "a header of 17 MB": lambda path: with_header(path, lambda h: {**h, "more": "x" * (17 * 10**6)}),
    "settings that are not its options": lambda path: with_header(
        path, lambda h: {**h, "settings": {**h["settings"], "R": [7]}}
    ),
    "a setting that nothing knows": both(further=1),
    "other sizes than its cells": both(n=[1000]),
    "a hundred million questions": both(R=list(range(1, 10**4 + 1)), eps=[1 / (i + 2) for i in range(10**4)]),
    "a writer with control characters": lambda path: with_header(
        path, lambda h: {**h, "writers": [{**h["writers"][0], "cpu": "\x1b[2J\n"}]}
    ),
    "a writer without a version": lambda path: with_header(path, lambda h: {**h, "writers": [{}]}),
    "an experiment of two lines": lambda path: with_header(path, lambda h: {**h, "settings": {"experiment": "a\nb"}}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_no_sweep_writes_is_one_line_that_names_the_file(
    what: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "mine.sqlite"
    shutil.copy(made, path)
    WRONG[what](path)
    before = path.read_bytes()
    verbs = [["export", str(path), "--json"], ["info", str(path)]]
    verbs += [["merge", str(tmp_path / "out"), str(path)], ["merge", str(path), str(made)]]
    for argv in verbs:
        assert store_cli.main(argv) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert f"{path}: " in captured.err[:400]
        assert len(captured.err) < 1000
    assert sweep.main([*ARGV, "--store", str(path), "--resume", "--jobs", "1"]) == 2
    assert str(path) in capsys.readouterr().err
    assert path.read_bytes() == before


def test_huge_numbers_of_chunks_are_counted_without_listing_them(made: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "huge.sqlite"
    shutil.copy(made, path)
    with_header(path, lambda h: {**h, "trials": 10**12})
    assert store_cli.main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chunks_in_all"] == 2 * 10**10


def test_a_log_that_cannot_be_read_is_not_passed_over(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that cannot be written: SQLite then opens a store only as it lies, without its log."""
    path = tmp_path / "killed.sqlite"
    shutil.copy(made, path)
    connect = sqlite3.connect

    class Refusing:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("unable to open database file")

        def close(self) -> None: ...

    def read_only(place: str, **options: Any) -> Any:
        return connect(place, **options) if "immutable" in place else Refusing()

    monkeypatch.setattr(sqlite3, "connect", read_only)
    assert store_cli.main(["info", str(path)]) == 0
    capsys.readouterr()
    Path(f"{path}-wal").write_bytes(b"chunks")
    for argv in (["info", str(path)], ["export", str(path)], ["merge", str(tmp_path / "out"), str(path)]):
        assert store_cli.main(argv) == 2
        assert "its last chunks are in killed.sqlite-wal" in capsys.readouterr().err


def test_a_copy_without_its_log_does_not_call_itself_finished(made: Path, tmp_path: Path) -> None:
    """As after ``--resume --trials``: a sweep that is killed leaves its chunks in the log, but not what it is after."""
    path, copy = tmp_path / "s.sqlite", tmp_path / "copy.sqlite"
    shutil.copy(made, path)
    with Store(str(path), write=True) as store:
        store.note(3000)
        store.add([Chunk(0, 300, 100, (1, 2, 3))])
        shutil.copy(path, copy)
    with Store(str(copy)) as store:
        assert store_cli.describe(store)["chunks"] == 6
        assert store_cli.describe(store)["trials"] == 3000
        assert not store_cli.describe(store)["finished"]


def test_what_two_processes_note_stays(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    shutil.copy(made, path)
    with Store(str(path), write=True) as a, Store(str(path), write=True) as b:
        other = {**a.writers[0], "cpu": "Abacus"}
        a.note(3000)
        b.note(0, other)
    with Store(str(path)) as store:
        assert store.header["trials"] == 3000
        assert [one["cpu"] for one in store.writers][1:] == ["Abacus"]


def test_a_merge_that_fails_changes_nothing(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Neither the trials that it is after nor who counted; chunks of other rows are no chunks of the cell."""
    out, part = tmp_path / "out.sqlite", tmp_path / "part.sqlite"
    for counts, why in (((100, 0, 0), "conflicting counts"), ((1,), "counts 1 rows, another 3")):
        for path in (out, part):
            shutil.copy(made, path)
        with_chunk(part, 100, counts)
        with_sql("DELETE FROM chunks WHERE first > 0")(part)
        if len(counts) == 1:
            with_sql("DELETE FROM chunks WHERE first = 0")(out)
        with_header(part, lambda h: {**h, "trials": 900, "writers": [{**h["writers"][0], "cpu": "Abacus"}]})
        with Store(str(out)) as store:
            before = store.header, store.done()
        assert store_cli.main(["merge", str(out), str(part)]) == 2
        assert why in capsys.readouterr().err
        with Store(str(out)) as store:
            assert (store.header, store.done()) == before


def test_the_log_of_a_link_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "s.sqlite")
    assert str(tmp_path.resolve() / "there" / "s.sqlite-wal") in files_of(str(tmp_path / "link"))


def by(path: Path, version: str) -> None:
    with_header(
        path,
        lambda h: {
            **h,
            "made": {**h["made"], "version": version, "commit": "c" * 40},
            "writers": [{**h["writers"][0], "version": version, "commit": "c" * 40, "cpu": "Abacus"}],
        },
    )


def test_two_versions_do_not_count_into_one_store(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    old, out = tmp_path / "old.sqlite", tmp_path / "out.sqlite"
    shutil.copy(made, old)
    by(old, "0.1.0")
    go_on = [*ARGV, "--trials", "400", "--store", str(old), "--resume", "--quiet", "--jobs", "1"]
    go_on.remove("300"), go_on.remove("--trials")
    assert sweep.main(go_on) == 2
    assert "version 0.1.0 counted there" in capsys.readouterr().err
    for argv in (["merge", str(out), str(made), str(old)], ["merge", str(old), str(made)]):
        assert store_cli.main(argv) == 2
        assert "--any-version mixes what they counted" in capsys.readouterr().err
    assert store_cli.main(["export", str(old), "--json"]) == 0  # alone it is read, and says who counted it
    found = json.loads(capsys.readouterr().out)["provenance"]
    assert (found["version"], found["commit"], found["cpu"]) == ("0.1.0", "c" * 40, "Abacus")
    assert found["shown_by"]["version"] != "0.1.0"
    assert sweep.main([*go_on, "--any-version"]) == 0
    assert store_cli.main(["info", str(old), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["counted_by"]
    assert [one["version"] for one in told] == ["0.1.0", found["shown_by"]["version"]]


def test_a_store_without_writers_was_counted_by_its_maker(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "first.sqlite"
    shutil.copy(made, path)
    with_header(path, lambda h: {k: v for k, v in {**h, "made": {"version": "0.1.0"}}.items() if k != "writers"})
    with Store(str(path)) as store:
        assert [(one["version"], one["commit"], one["cpu"]) for one in store.writers] == [("0.1.0", None, None)]


def test_other_chunks_are_called_other_chunks(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "s.sqlite"
    shutil.copy(made, path)
    argv = [word if word != "100" else "50" for word in ARGV]
    assert sweep.main([*argv, "--store", str(path), "--resume"]) == 2
    error = capsys.readouterr().err
    assert "chunks of 100 trials there, of 50 here" in error
    assert "version" not in error


def test_a_counter_is_of_one_seed_and_one_cell() -> None:
    """Tasks of two sweeps on one thread: each is counted as if alone."""
    from importlib.metadata import version

    def task(seed: int, alpha: float) -> cluster.Task:
        cell = json.dumps({"R": 1, "eps": 0.1, "alpha": alpha, "kind": "choice", "n": [1, 2, 3, 4]})
        return cluster.Task("subset_sum", 0, cell, seed, 0, 3000, version("strong-tickets"))

    tasks = [task(1, 0.5), task(2, 0.5), task(2, 0.25), task(1, 0.5)]
    together = [cluster.run_task(one).counts for one in tasks]
    alone = []
    for one in tasks:
        cluster._own.__dict__.clear()
        alone.append(cluster.run_task(one).counts)
    assert together == alone
    assert len(set(alone)) == 3


@pytest.mark.parametrize("until", [[], ["--until", "0.5"]])
def test_a_sweep_that_goes_on_names_the_store_whose_counts_fit_no_row(
    until: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "mine.sqlite"
    argv = [*ARGV, *until, "--store", str(path), "--quiet", "--jobs", "1"]
    assert sweep.main(argv) == 0
    with_chunk(path, 100, (1,))
    capsys.readouterr()
    assert sweep.main([*argv, "--resume"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {path}: ")
    assert captured.err.count("\n") == 1


def test_a_merge_without_room_speaks_of_merging(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge has no ``--resume``: the same command goes on."""

    def full(*_: object) -> None:
        problem = sqlite3.OperationalError("database or disk is full")
        problem.sqlite_errorname = "SQLITE_FULL"
        raise problem

    monkeypatch.setattr(Store, "_transaction", full)
    assert store_cli.main(["merge", str(tmp_path / "all.sqlite"), str(made)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "repeat the merge" in error
