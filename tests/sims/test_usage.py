"""Bad input: one clear line on standard error, exit code 2, nothing written; and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sims import coverage, single_weight, subset_sum
from sims.commands import cli

BAD = [
    (["--eps", "0"], "eps must be in (0, 1], got eps=0"),
    (["--eps", "-0.1"], "eps must be in (0, 1], got eps=-0.1"),
    (["--eps", "1.5"], "eps must be in (0, 1], got eps=1.5"),
    (["--eps", "nan"], "eps must be in (0, 1], got eps=nan"),
    (["--eps", "inf"], "eps must be in (0, 1], got eps=inf"),
    (["--eps", "small"], "--eps takes a number, got 'small'"),
    (["--eps", "0.1", "0.1"], "--eps names a value more than once"),
    (["--R", "0"], "R must be an integer in [1,"),
    (["--R", "-3"], "R must be an integer in [1,"),
    (["--R", "2.5"], "--R takes an integer, got '2.5'"),
    (["--R", "nan"], "--R takes an integer, got 'nan'"),
    (["--eps", "1e-13"], "eps must be at least 2^-40"),
    (["--n"], "--n needs at least one value"),
    (["--n", "0"], "n must be an integer in [1,"),
    (["--n", "8:1"], "--n got the reversed range '8:1'"),
    (["--n", "1:9:0"], "--n takes a positive step"),
    (["--n", "1:2:3:4"], "--n takes numbers or ranges"),
    (["--n", ":"], "--n takes an integer"),
    (["--n", "3", "1:4"], "--n names a value more than once"),
    (["--n", "1:1e12"], "--n got the range '1:1e12' of more than a million values"),
    (["--alpha", "1.01"], "alpha must be in [-1, 1], got alpha=1.01"),
    (["--alpha", "nan"], "alpha must be in [-1, 1], got alpha=nan"),
    (["--alpha", "unifrom"], "--alpha takes a number, got 'unifrom'"),
    (["--delta", "0"], "delta must be in (0, 1), got delta=0"),
    (["--trials", "0"], "trials must be an integer in [1, 1000000000000], got 0"),
    (["--trials", "1e13"], "trials must be an integer in [1, 1000000000000], got 10000000000000"),
    (["--trials", "1.5"], "--trials takes an integer, got '1.5'"),
    (["--until", "2"], "until must be in (0, 1), got 2"),
    (["--seed", "-1"], "seed must be an integer in [0,"),
    (["--seed", str(2**64)], "seed must be an integer in [0,"),
    (["--jobs", "0"], "jobs must be an integer in [1,"),
    (["--first-trial", "-1"], "first_trial must be an integer in [0,"),
    (["--colour", "red"], "--colour"),
    (["--eps"], "--eps"),
    (["--R", "1", "--eps", "0.1", "--R", "2"], "--R is given more than once"),
    (["--json", "--json"], "--json is given more than once"),
    (["--first-trial", "1", "--first_trial", "2"], "--first-trial is given more than once"),
    (["--csv", "missing/rows.csv"], "--csv missing/rows.csv: the folder 'missing' does not exist"),
    (["--plot", "missing/a.png"], "--plot missing/a.png: the folder 'missing' does not exist"),
    (["--csv", "a.png", "--plot", "./a.png"], "--csv and --plot name the same file"),
    (["--R", "1:8", "--plot", "a.png"], "--plot holds up to 7 settings of R, eps and alpha, got 8"),
    (["--R", "1e12"], "with R=1000000000000"),
    (["--plot", "a.gif"], "--plot takes a .png, .pdf or .svg file, got a.gif"),
]


@pytest.mark.parametrize("command", [subset_sum, single_weight], ids=["subset_sum", "single_weight"])
@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_one_clear_line_and_exit_2(command: object, argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--csv", "a.png", "--plot", "./a.png"], "--csv and --plot name the same file"),
        (["--R", "1:8", "--plot", "a.png"], "--plot holds up to 7 settings of R and eps, got 8"),
        (["--plot", "a.gif"], "--plot takes a .png, .pdf or .svg file, got a.gif"),
        (["--csv", "missing/rows.csv"], "the folder 'missing' does not exist"),
    ],
)
def test_coverage_checks_its_files_first_too(argv: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert coverage.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


@pytest.mark.parametrize(
    ("argv", "size"),
    [(["--n", "90"], "n=90 with R=1 needs"), (["--n", "12", "--R", "1000"], "n=12 with R=1000 needs"),
     (["--n", "6", "--R", "1e9"], "n=6 with R=1000000000 needs"), (["--n", "1000000"], "n=1000000 with R=1 needs"),
     (["--n", "1", "--R", "1e10"], "n=1 with R=10000000000 needs")],
)  # fmt: skip
def test_memory_is_predicted(argv: list[str], size: str, capsys: pytest.CaptureFixture) -> None:
    assert subset_sum.main(argv) == 2
    error = capsys.readouterr().err
    assert size in error
    assert "the limit is" in error


def test_only_regular_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert subset_sum.main(["--csv", str(tmp_path / "pipe")]) == 2
    assert "nothing reads this pipe" in capsys.readouterr().err
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert subset_sum.main(["--n", "1", "--trials", "10", "--quiet", "--csv", str(tmp_path / "link.csv")]) == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("n,R,eps")


TORCH = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.77 GiB"


@pytest.mark.parametrize(
    "problem",
    [MemoryError(), RuntimeError(f"{TORCH} 76800000000000 bytes."), RuntimeError("std::bad_alloc"),
     RuntimeError("Storage size calculation overflowed with sizes=[9223372036854775807, 2]"),
     RuntimeError("can't start new thread")],
    ids=["Python", "PyTorch", "C++", "sizes", "threads"],
)  # fmt: skip
def test_memory_errors_are_one_line(
    problem: Exception, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*args: object, **kwargs: object) -> None:
        raise problem

    monkeypatch.setattr("sims.counting.count_trials", exhausted)
    assert subset_sum.main(["--n", "1"]) == 2
    assert capsys.readouterr().err == "error: out of memory; use fewer threads (--jobs) or a smaller problem\n"


@pytest.mark.parametrize(
    "problem", [CUDA, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"]
)
def test_a_full_gpu_is_one_line(problem: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: object, **kwargs: object) -> None:
        raise RuntimeError(problem)

    monkeypatch.setattr("sims.counting.count_trials", exhausted)
    assert subset_sum.main(["--n", "1"]) == 2
    assert capsys.readouterr().err == "error: out of memory on the GPU; use --device cpu or a smaller problem\n"


def test_closed_output_is_no_traceback() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m sims.subset_sum --n 1 --trials 10 >&-"], capture_output=True, text=True,
        check=False, cwd=Path(cli.__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_unknown_model(capsys: pytest.CaptureFixture) -> None:
    assert subset_sum.main(["--model", "lottery"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--model" in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    tmp_path.chmod(0o500)
    assert subset_sum.main(["--csv", str(tmp_path / "a.csv")]) == 2
    assert "not writable" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        subset_sum.main(["--help"])
    assert stop.value.code == 0
    assert "--eps" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        subset_sum.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("strong-tickets ")


def test_ctrl_c_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sims.subset_sum", "--eps", "1e-6", "--trials", "1e9", "--csv", "rows.csv"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().startswith("seed ")  # from here on it is simulating
    time.sleep(1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted"
    assert out == ""
    assert os.listdir(tmp_path) == []
