"""Files that commands write: whole or not at all, never over an input, never over a stranger's, into any stream."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sims.commands.output import Delivery
from sims.files import (
    OWN,
    PICTURE,
    TABLE,
    OutputFile,
    WriteError,
    atomic_path,
    check_outputs,
    is_stream,
    write_bytes,
    write_text,
)
from sims.run import run
from theory.subset_sum import SubsetSum

CSV = "n,R,eps\n1,2,0.5\n"


def check(path: object, **more: object) -> None:
    check_outputs(OutputFile("--csv", str(path), TABLE), **more)  # type: ignore[arg-type]


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write_text(target, "first")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("second, cut")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["out.json"]


def test_permissions_are_ordinary_or_those_of_the_file_before(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
    (tmp_path / "a").chmod(0o640)
    write_text(tmp_path / "a", "y")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_long_names_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 250 + ".csv", "n." + "s" * 250):
        write_text(tmp_path / name, CSV)
        assert (tmp_path / name).read_text() == CSV


def test_names_that_are_no_text_are_written_as_escapes(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "odd \udcff\n")
    assert (tmp_path / "a").read_text() == "odd \\udcff\n"


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    target = tmp_path / "old.csv"
    target.write_text(CSV)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(WriteError, match=r"old\.csv: could not be written \(File too large\)$"):
            write_bytes(target, bytes(1 << 17))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == CSV
    assert os.listdir(tmp_path) == ["old.csv"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "file").write_text(CSV)
    refused = {
        "missing/a.csv": "the folder .* does not exist",
        ".": "must name a file",
        "new/": "must name a file",
        "loop": "Too many levels of symbolic links",
        "n" * 300: "File name too long",
        "file/a.csv": "Not a directory",
    }
    for name, why in refused.items():
        with pytest.raises(ValueError, match=f"^--csv .*{why}"):
            check(f"{tmp_path}/{name}")
    with pytest.raises(ValueError, match="--csv must name a file"):
        check("")
    check_outputs(OutputFile("--csv", None, TABLE))
    check(tmp_path / "fine.csv")


def test_no_output_is_an_input_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.csv").write_text(CSV)
    Path("soft").symlink_to("net.csv")
    os.link("net.csv", "hard")
    Path("folder").mkdir()
    for name in ("net.csv", "./net.csv", "folder/../net.csv", str(tmp_path / "net.csv"), "soft", "hard"):
        for force in (False, True):
            with pytest.raises(ValueError, match="would replace an input"):
                check(name, inputs=["net.csv"], force=force)
    check("other.csv", inputs=["net.csv", "digits", None])


def test_files_in_a_folder_that_is_read_stay(tmp_path: Path) -> None:
    for name, content in (("a.gz", b"\x1f\x8b"), ("old.csv", CSV.encode()), ("cat.png", b"\x89PNG\r\n")):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="a file of an input"):
        check(tmp_path / "a.gz", inputs=[tmp_path], force=True)
    with pytest.raises(ValueError, match="a file of an input"):
        check_outputs(OutputFile("--plot", tmp_path / "cat.png", PICTURE), inputs=[tmp_path])
    check(tmp_path / "old.csv", inputs=[tmp_path])
    check(tmp_path / "new.csv", inputs=[tmp_path])


def test_no_two_outputs_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("a.csv")  # of a file that is not there yet
    for other in ("a.csv", "./a.csv", str(tmp_path / "a.csv"), "link"):
        with pytest.raises(ValueError, match="--csv and --out name the same file"):
            check_outputs(OutputFile("--csv", "a.csv", TABLE), OutputFile("--out", other, OWN), force=True)
    check_outputs(OutputFile("--csv", "a.csv", TABLE), OutputFile("--out", "A.csv", OWN))


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 weights", b"\x89PNG\r\n", b"# Notes\n\nof mine, all\n", b'{"a": 1, "b": 2}\n', b"import os, sys\n",
        b"a,b\n1,2\n3\n", b"one\n2\n", b"a,b\n1,\xff\n", b"a,b\0\n1,2\n", b"no line end",
    ],
)  # fmt: skip
def test_files_of_another_kind_need_force(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "old"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no CSV table; --force replaces it"):
        check(path)
    check(path, force=True)


@pytest.mark.parametrize("content", ["", "\n", CSV, 'a,"b (c)"\n"[1, 2]",\n' * 1, "n,R\n" + "1,2\n" * 40_000])
def test_tables_are_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "old.csv"
    path.write_text(content)
    check(path)


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_pipe_is_written_to_and_one_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert is_stream(path)
    with pytest.raises(ValueError, match="nothing reads this pipe"):
        check(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    check(path)
    write_text(path, CSV)
    assert os.read(reader, 100) == CSV.encode()
    os.close(reader)


def test_an_open_file_is_written_to_behind_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open("a") as log:
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{log.fileno()}")
        for name in (f"/proc/self/fd/{log.fileno()}", f"/dev/fd/{log.fileno()}", tmp_path / "link"):
            check(name)
            write_text(name, CSV)
        with atomic_path(tmp_path / "link") as temporary:
            temporary.write_text("drawn\n")
    assert path.read_text() == "before\n" + 3 * CSV + "drawn\n"
    with path.open() as log, pytest.raises(ValueError, match="open for reading only"):
        check(f"/dev/fd/{log.fileno()}")
    with pytest.raises(ValueError, match="--csv /dev/fd/987"):
        check("/dev/fd/987")


def test_a_full_stream_is_one_line() -> None:
    check("/dev/full")
    with pytest.raises(WriteError, match=r"/dev/full: could not be written \(No space left on device\)"):
        write_text("/dev/full", CSV)


ROWS = ["-m", "sims.subset_sum", "--n", "1:2", "--trials", "10", "--seed", "1"]


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    python = " ".join([sys.executable, *ROWS])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        ["bash", "-c", line.replace("RUN", python)], capture_output=True, text=True, check=False, cwd=folder,
        env=environment,
    )  # fmt: skip


def test_streams_of_a_shell(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("kept\n")
    shell("RUN --quiet --csv table.csv", tmp_path)
    table = (tmp_path / "table.csv").read_text()
    assert table.startswith("n,R,eps")
    assert shell("RUN --quiet --csv /dev/stdout >> log", tmp_path).returncode == 0
    assert (tmp_path / "log").read_text() == "kept\n" + table
    shell("RUN --quiet --csv >(cat > copy); sleep 0.2", tmp_path)
    assert (tmp_path / "copy").read_text() == table
    done = shell("RUN --csv /dev/stdout > all", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "all").read_text().endswith(table)
    done = shell("RUN --csv same > same", tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: --csv same: standard output goes there already\n")
    assert shell("RUN --json --csv /dev/stdout", tmp_path).returncode == 2


# -- what is computed is not lost --------------------------------------------------------------------------------------


def test_what_fails_is_said_and_the_rest_is_done(tmp_path: Path) -> None:
    line = "RUN --quiet --csv /dev/full --plot p.png; echo $?"
    done = shell(line, tmp_path)
    assert done.stderr == "error: /dev/full: could not be written (No space left on device)\n"
    assert done.stdout == "2\n"
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    done = shell("RUN --json --csv t.csv > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: stdout: could not be written (No space left on device)\n")
    assert (tmp_path / "t.csv").is_file()
    done = shell("RUN --json --csv u.csv | true; exit ${PIPESTATUS[0]}", tmp_path)
    assert done.stderr == ""
    assert (tmp_path / "u.csv").is_file()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_picture_on_a_full_disk_is_one_line(suffix: str, tmp_path: Path) -> None:
    picture = tmp_path / f"p.{suffix}"
    picture.symlink_to("/dev/full")
    result = run(SubsetSum(), n=(1, 2), trials=10, seed=1)
    with pytest.raises(WriteError, match=rf"p\.{suffix}: could not be written \(No space left on device\)"):
        result.plot(picture)


def test_a_notebook_s_backend_does_not_matter(tmp_path: Path) -> None:
    for backend in ("module://matplotlib_inline.backend_inline", "nonsense"):
        done = shell(f"MPLBACKEND={backend} RUN --json --plot {len(backend)}.png", tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("{")
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_an_error_of_any_kind_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def failing(problem: Exception) -> Callable[[], None]:
        def work() -> None:
            raise problem

        return work

    delivery = Delivery(silent=False)
    delivery.write("picture", "p.png", failing(KeyError("axes\nx")))
    delivery.write("table", None, failing(AssertionError()))
    delivery.write("table", "t.csv", lambda: None)
    out, error = capsys.readouterr()
    assert error == "error: picture p.png failed (KeyError: 'axes\\nx')\n"
    assert out == "table: t.csv\n"
    assert delivery.code == 2


def test_a_reader_of_the_table_that_leaves_costs_no_file(tmp_path: Path) -> None:
    table = tmp_path / "budget.csv"
    command = [sys.executable, "-m", "sims.budget", "--bits", "3", "--csv", str(table)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        said = started.stderr.read()
        assert started.wait(60) == 141
    assert said == ""
    assert table.read_text(encoding="utf-8").startswith("way,")
