"""What a training run takes is foreseen, and refused where it is too much; and an interruption says what goes on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nets import train
from nets.training import run
from nets.training.settings import Choices, resolve
from sims.commands.prediction import Prediction


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--width", "1e5"], "this needs about 10.7 PiB of memory"), (["--width", "1e9"], "--width must be"),
        (["--arch", "resnet50", "--width", "1e4"], "this needs about"), (["--epochs", "1e6"], "more than --max-time"),
        (["--multi-prize", "1000"], "more than --max-time"), (["--arch", "resnet50"], "more than --max-time"),
        (["--width", "0.01", "--stem-width", "1e6", "--arch", "resnet18"], "of memory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_takes_too_much_is_refused_before_anything_is_made(
    argv: list[str], says: str, tmp_path: Path, refused: Callable
) -> None:
    refused(train.main, [*argv, "--out", str(tmp_path / "run"), "--device", "cpu", "--max-time", "1m"], says)
    assert not (tmp_path / "run").exists()


def test_the_prediction_is_of_the_right_size_and_changes_nothing(tmp_path: Path) -> None:
    """Good to a factor of about 3; here 10, as the machine may be busy with other tests."""
    settings = resolve(Choices(method="iterand", batch=8, epochs=4, width=0.5, seed=1, device="cpu", rerand_every=20))
    told: list[Prediction] = []
    plain = run.train(settings, tmp_path / "plain")
    started = time.monotonic()
    found = run.train(settings, tmp_path / "foreseen", foresee=told.append)
    spent = time.monotonic() - started
    assert found.rows[0]["test_accuracy"] == plain.rows[0]["test_accuracy"]
    same = [(tmp_path / name / "ticket.safetensors").read_bytes() for name in ("plain", "foreseen")]
    assert same[0] == same[1]
    assert told[0].seconds / 10 < spent < 10 * told[0].seconds


def test_an_interrupted_run_says_what_goes_on(tmp_path: Path) -> None:
    argv = ["--epochs", "10000", "--width", "0.1", "--device", "cpu", "--out", str(tmp_path / "run"), "--seed", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nets.train", *argv, "--max-time", "inf"], stderr=subprocess.PIPE, text=True,
        cwd=Path(train.__file__).parents[1],
    )  # fmt: skip
    while not (tmp_path / "run" / "checkpoint.pt").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    last = rf"interrupted; \d+ epochs? and the last checkpoint are in {tmp_path}/run: --resume goes on"
    assert re.fullmatch(last, err.splitlines()[-1])
    assert "Traceback" not in err
