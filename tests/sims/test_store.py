"""Stores: nothing acknowledged is lost, nothing foreign or damaged is read, merging changes no count."""

import dataclasses
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import store as store_cli
from sims.sweep import command as sweep
from sims.sweep.merge import merge
from sims.sweep.store import Chunk, Store, StoreError

HEADER = {
    "settings": {"experiment": "some_other", "seed": 3},
    "options": {"seed": 3, "first_trial": 0},
    "trials": 100,
    "made": {},
}
CELLS = [("first", 10), ("second", 20)]
ROOT = Path(sweep.__file__).parents[2]


def new(path: Path, **changes: object) -> Store:
    return Store(str(path), create=({**HEADER, **changes}, CELLS))


def chunk(cell: int, index: int, shift: int = 0) -> Chunk:
    return Chunk(cell, 10 * index, 10, (index % 10, 3 + shift), b"x" * index, 0.5)


def contents(path: Path) -> list[Chunk]:
    with Store(str(path)) as store:
        return [one for cell in range(len(store.cells)) for one in store.chunks(cell).values()]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    chunks = [chunk(0, i) for i in range(5)] + [chunk(1, 2)]
    with new(tmp_path / "s") as store:
        assert store.add(chunks) == 6
        assert store.add(chunks) == 0
        assert store.done() == (6, 60, 3.0)
    assert contents(tmp_path / "s") == chunks
    with Store(str(tmp_path / "s")) as store:
        assert store.header == HEADER
        assert store.cells == CELLS


def test_an_existing_store_is_not_made_again(tmp_path: Path) -> None:
    new(tmp_path / "s").close()
    with new(tmp_path / "s", trials=7) as store:
        assert store.header == HEADER


def test_a_conflict_names_the_chunk_and_writes_nothing(tmp_path: Path) -> None:
    with new(tmp_path / "s") as store:
        store.add([chunk(1, 4)])
        with pytest.raises(StoreError, match=r"conflicting counts .* 10 trials from trial 40 of cell 1 \(second\)"):
            store.add([chunk(0, 0), chunk(1, 4, shift=1)])
    assert contents(tmp_path / "s") == [chunk(1, 4)]


@pytest.mark.parametrize(("counts", "fits"), [((4, 3), True), ((9, 8), True), ((3, 3), False), ((10, 3), False)])
def test_a_longer_chunk_takes_the_place_of_a_shorter_one(counts: tuple[int, int], fits: bool, tmp_path: Path) -> None:
    longer = Chunk(0, 40, 15, counts)
    with new(tmp_path / "s") as store:
        store.add([chunk(0, 4)])
        if not fits:  # fewer successes in more trials, or more additional successes than trials
            with pytest.raises(StoreError, match="conflicting counts"):
                store.add([longer])
            return
        assert store.add([longer]) == 1
        assert store.add([chunk(0, 4)]) == 0
    assert contents(tmp_path / "s") == [longer]


@settings(max_examples=12)
@given(st.lists(st.sets(st.integers(0, 7), max_size=8), min_size=1, max_size=4))
def test_merging_is_the_union_whatever_overlaps(tmp_path_factory: pytest.TempPathFactory, sets: list[set[int]]) -> None:
    folder = tmp_path_factory.mktemp("merge")
    parts = []
    for number, indexes in enumerate(sets):
        parts.append(str(folder / f"part{number}"))
        with new(Path(parts[-1])) as store:
            store.add([chunk(i % 2, i) for i in indexes])
    union = sorted({(i % 2, i) for indexes in sets for i in indexes})
    assert merge(str(folder / "whole"), parts) == (len(union), len(union))
    assert merge(str(folder / "whole"), parts[::-1]) == (0, len(union))
    assert contents(folder / "whole") == [chunk(*one) for one in union]


def test_conflicting_and_foreign_parts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    a, b, c, out = (str(tmp_path / name) for name in "abco")
    with new(Path(a)) as store:
        store.add([chunk(0, 1)])
    with new(Path(b)) as store:
        store.add([chunk(0, 1, shift=2)])
    other = {"seed": 4, "first_trial": 0}
    new(Path(c), settings={"experiment": "some_other", "seed": 4}, options=other).close()
    assert store_cli.main(["merge", out, a, b]) == 2
    assert "conflicting counts for the chunk of 10 trials from trial 10 of cell 0" in capsys.readouterr().err
    assert store_cli.main(["merge", out, a, c]) == 2
    assert "is of another sweep" in (error := capsys.readouterr().err)
    assert "seed 3 there, 4 here" in error
    assert store_cli.main(["merge", a, a]) == 2
    assert "the output is also an input" in capsys.readouterr().err
    assert contents(Path(a)) == [chunk(0, 1)]


def test_trials_of_a_merge_are_the_largest(tmp_path: Path) -> None:
    new(tmp_path / "a", trials=100).close()
    new(tmp_path / "b", trials=300).close()
    merge(str(tmp_path / "o"), [str(tmp_path / "a"), str(tmp_path / "b")])
    with Store(str(tmp_path / "o")) as store:
        assert store.header["trials"] == 300


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()


def newer(path: Path) -> None:
    new(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def one_count(path: Path) -> None:
    with new(path) as store:
        store.add([chunk(0, 1)])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE chunks SET counts = x'0402'")
    db.close()


def one_setting(path: Path) -> None:
    new(path).close()
    with sqlite3.connect(path) as db:
        (data,) = db.execute("SELECT described FROM cells").fetchone()
        data = zlib.compress(zlib.decompress(data).replace(b'"first", 10', b'"first", 11'))
        db.execute("UPDATE cells SET described = ?", (data,))
    db.close()


def one_page(path: Path) -> None:
    with new(path) as store:
        store.add([Chunk(0, i, 1, (0, 1), b"x" * 3000) for i in range(20)])
    data = bytearray(path.read_bytes())
    data[8192:12288] = os.urandom(4096)
    path.write_bytes(data)


def one_name(path: Path) -> None:
    """A byte that is no text in the name of a table, which SQLite quotes in its complaint."""
    new(path).close()
    data = path.read_bytes().replace(b"tableheaderheader", b"tablehea\xfcerheader")
    path.write_bytes(data.replace(b"CREATE TABLE header", b"CREATE TAXLE header"))


DAMAGE = [
    (lambda path: path.write_bytes(b""), "no such store, or an empty file"),
    (lambda path: None, "no such store, or an empty file"),
    (lambda path: path.write_text("n,R,eps\n" * 1000), "no store of a sweep, or it is damaged"),
    (lambda path: path.mkdir(), "a store must be a regular file"),
    (foreign, "a database, but no store of a sweep"),
    (newer, "layout 99"),
    (one_count, "fails its checksum"),
    (one_setting, "its settings fail their checksum"),
    (one_page, "damaged"),
    (one_name, "damaged"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=range(len(DAMAGE)))
def test_damage_is_one_clear_line(damage: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    damage(tmp_path / "s")
    before = (tmp_path / "s").read_bytes() if (tmp_path / "s").is_file() else None
    for argv in (["info", str(tmp_path / "s")], ["merge", str(tmp_path / "out"), str(tmp_path / "s")]):
        assert store_cli.main(argv) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
    if before is not None:
        assert (tmp_path / "s").read_bytes() == before


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    with new(tmp_path / "s") as store:
        store.add([chunk(0, 1)])
    assert contents(tmp_path / "s") == [chunk(0, 1)]


def test_a_foreign_database_is_not_written(tmp_path: Path) -> None:
    foreign(tmp_path / "s")
    before = (tmp_path / "s").read_bytes()
    with pytest.raises(StoreError, match="no store of a sweep"):
        new(tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == before


def test_a_store_opened_for_reading_refuses_writes(tmp_path: Path) -> None:
    new(tmp_path / "s").close()
    with Store(str(tmp_path / "s")) as store, pytest.raises(StoreError, match=r"cannot be read|readonly"):
        store.add([chunk(0, 1)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_and_folder(tmp_path: Path) -> None:
    with new(tmp_path / "s") as store:
        store.add([chunk(0, 1)])
    (tmp_path / "s").chmod(0o400)
    tmp_path.chmod(0o500)
    assert contents(tmp_path / "s") == [chunk(0, 1)]
    with pytest.raises(StoreError, match="cannot be written"):
        new(tmp_path / "s")
    tmp_path.chmod(0o700)


def test_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    with new(tmp_path / "s") as store:
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 5}")
        kept = 0
        message = ""
        while not message and kept < 100:
            try:
                store.add([Chunk(0, kept, 1, (0, 1), b"x" * 3000)])
                kept += 1
            except StoreError as problem:
                message = str(problem)
        assert "every finished chunk is kept" in message
    assert 0 < kept < 20
    assert [one.first for one in contents(tmp_path / "s")] == list(range(kept))


def test_a_disk_that_is_full_under_the_command(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    argv = [sys.executable, "-m", "sims.sweep", "subset_sum", "--n", "1:4", "--trials", "4e5", "--chunk", "100"]
    done = subprocess.run(
        [*argv, "--store", str(tmp_path / "s"), "--seed", "1", "--jobs", "1"], cwd=ROOT, preexec_fn=limit, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--resume the sweep" in done.stderr
    assert done.stderr.count("\n") == 1
    kept = contents(tmp_path / "s")
    assert 0 < len(kept) < 4000


def _write(path: str, start: int) -> None:
    with Store(path, write=True) as store:
        for i in range(start, 60, 2):
            store.add([chunk(0, i)])
            store.add([chunk(1, 7)])


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    new(tmp_path / "s").close()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path / "s"), start)) for start in (0, 1)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
        assert one.exitcode == 0
    assert contents(tmp_path / "s") == [chunk(0, i) for i in range(60)] + [chunk(1, 7)]


def test_the_checksum_covers_everything_but_the_time() -> None:
    whole = chunk(0, 3)
    assert dataclasses.replace(whole, seconds=9.0).crc == whole.crc
    for change in ({"cell": 1}, {"first": 31}, {"trials": 11}, {"counts": (3, 4)}, {"extra": b"xxy"}):
        assert dataclasses.replace(whole, **change).crc != whole.crc


@pytest.mark.parametrize("argv", [[], ["look"], ["merge", "only-one"]])
def test_usage(argv: list[str], capsys: pytest.CaptureFixture) -> None:
    assert store_cli.main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_no_regular_file_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A loop of links, a pipe, a device: neither read nor made into a store."""
    new(tmp_path / "s").close()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    before = set(os.listdir("/dev"))
    for name in ("loop", "pipe", "device"):
        path = str(tmp_path / name)
        for argv in (["info", path], ["merge", str(tmp_path / "out"), path], ["merge", path, str(tmp_path / "s")]):
            assert store_cli.main(argv) == 2
            error = capsys.readouterr().err
            assert path in error
            assert error.count("\n") == 1
        argv = [
            "subset_sum",
            "--n",
            "1:3",
            "--trials",
            "100",
            "--seed",
            "1",
            "--jobs",
            "1",
            "--store",
            path,
            "--resume",
        ]
        assert sweep.main(argv) == 2
        assert path in capsys.readouterr().err
    assert set(os.listdir("/dev")) == before
