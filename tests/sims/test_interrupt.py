"""Ctrl-C and SIGTERM, sent to real processes: one line within a second, exit code 130 or 143, whatever is running."""

import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from sims.commands import cli

ROOT = Path(cli.__file__).parents[2]
PATIENCE = 5.0
"""Seconds that an answer may take; it takes a few hundredths where the machine is not busy with other tests."""

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch (extra: nets)")

ONE_KERNEL = ["sims.single_weight", "--R", "4e9", "--eps", "3e-10", "--n", "1", "--trials", "8", "--seed", "1"]
"""Each trial is one call of a kernel that takes half a minute."""


def start(*argv: str, cwd: Path, options: tuple[str, ...] = ()) -> subprocess.Popen:
    environment, pipe = {**os.environ, "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *options, "-m", *argv], cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True
    )


def interrupted(process: subprocess.Popen, number: signal.Signals = signal.SIGINT) -> tuple[str, float]:
    """What it says on standard error, and how long it took to end."""
    assert process.poll() is None, process.communicate()
    started = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    return err, time.monotonic() - started


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_deep_in_a_kernel(tmp_path: Path, jobs: str) -> None:
    process = start(*ONE_KERNEL, "--jobs", jobs, "--csv", "rows.csv", cwd=tmp_path)
    assert process.stdout.readline().startswith("seed ")
    time.sleep(1.0)
    err, took = interrupted(process)
    assert err.splitlines()[-1] == "interrupted"
    assert err.startswith("this takes about ")
    assert took < PATIENCE
    assert os.listdir(tmp_path) == []


def test_a_sweep_deep_in_a_kernel_keeps_its_store(tmp_path: Path) -> None:
    argv = [part.removeprefix("sims.") for part in ONE_KERNEL]
    process = start("sims.sweep", *argv, "--jobs", "2", "--store", "s.sqlite", cwd=tmp_path)
    assert process.stdout.readline().startswith("seed ")
    time.sleep(1.0)
    err, took = interrupted(process)
    last = err.splitlines()[-1]
    assert re.fullmatch(r"interrupted; \d of 8 chunks are in s\.sqlite: the same command with --resume goes on", last)
    assert took < PATIENCE


@needs_torch
def test_the_main_theorem_with_a_huge_n(tmp_path: Path) -> None:
    argv = ["--widths", "2", "2", "--n", "1e11", "--construction", "best", "--trials", "9", "--max-time", "inf"]
    process = start("nets.main_theorem", *argv, cwd=tmp_path)
    assert process.stdout.readline().startswith("seed ")
    time.sleep(2.0)
    err, took = interrupted(process)
    assert err.splitlines()[-1] == "interrupted"
    assert took < PATIENCE


@pytest.mark.parametrize(
    "argv",
    [["sims.subset_sum", "--eps", "1e-6"], ["sims.sweep", "subset_sum", "--eps", "1e-6", "--store", "s"],
     pytest.param(["nets.main_theorem", "--eps", "1e-3"], marks=needs_torch)],
    ids=["subset_sum", "sweep", "main_theorem"],
)  # fmt: skip
@pytest.mark.parametrize("after", [0.08, 0.2, 0.4])
def test_while_it_is_still_importing(argv: list[str], after: float, tmp_path: Path) -> None:
    options = ("-Ximporttime",)  # says what is imported: before the first of ours, Ctrl-C is Python's own affair
    process = start(*argv, "--trials", "1e8", "--max-time", "inf", cwd=tmp_path, options=options)
    assert any(line.split()[-1] == "sims._early" for line in process.stderr)
    time.sleep(after)
    err, took = interrupted(process)
    assert "interrupted" in err  # in the middle of a line about imports, it may be
    assert "Traceback" not in err
    assert took < PATIENCE


def test_the_exit_code_is_130_even_out_of_an_exec(tmp_path: Path) -> None:
    """Python itself would end by a signal."""
    (tmp_path / "work.py").write_text(
        "import os, signal, sys\nfrom sims.commands import cli\n"
        "def work(argv): exec('os.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(10**6): pass')\n"
        "sys.exit(cli.run(work, []))\n"
    )
    process = start("work", cwd=tmp_path)
    assert process.communicate(timeout=60) == ("", "interrupted\n")
    assert process.returncode == 130


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
@pytest.mark.parametrize("step", ["time.sleep(60)", "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"])
def test_one_line_says_what_goes_on(step: str, number: signal.Signals, word: str, tmp_path: Path) -> None:
    """Also where the main thread is deep in native code, which does not ask for signals."""
    (tmp_path / "work.py").write_text(
        "import hashlib, sys, time\nfrom sims.commands import cli, interrupt\n"
        "def work(argv):\n"
        "    with interrupt.keeping(lambda: 'half of it: --resume goes on'):\n"
        f"        print('begun', flush=True); {step}\n"
        "sys.exit(cli.run(work, []))\n"
    )
    process = start("work", cwd=tmp_path)
    assert process.stdout.readline() == "begun\n"
    err, took = interrupted(process, number)
    assert err == f"{word}; half of it: --resume goes on\n"
    assert took < PATIENCE


def test_a_command_leaves_the_signals_of_its_caller_alone() -> None:
    code = (
        "import signal; from sims.commands import cli\n"
        "before = [signal.getsignal(number) for number in (2, 15)]\n"
        "assert cli.run(lambda argv: 0, []) == 0\n"
        "assert [signal.getsignal(number) for number in (2, 15)] == before\n"
        "def stopped(argv): signal.raise_signal(2)\n"
        "assert cli.run(stopped, []) == 130\n"
        "assert [signal.getsignal(number) for number in (2, 15)] == before\n"
        "assert signal.set_wakeup_fd(-1) == -1\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_importing_the_library_leaves_ctrl_c_alone() -> None:
    code = "import signal; import sims.run, nets, figures; assert signal.getsignal(2) is signal.default_int_handler"
    done = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(2, signal.default_int_handler); {code}"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0


@needs_torch
def test_main_theorem_is_imported_without_torch() -> None:
    code = "import sys, nets.main_theorem; assert not {'torch', 'matplotlib', 'onnx'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_missing_extra_is_one_line(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from nets import main_theorem

    monkeypatch.setitem(sys.modules, "torch", None)
    assert main_theorem.main(["--trials", "3"]) == 2
    assert capsys.readouterr().err == "error: this needs torch: pip install 'strong-tickets[nets]'\n"
