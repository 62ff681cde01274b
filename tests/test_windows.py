"""Commands run where what Windows lacks is gone; what cannot be seen on Linux is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the pretence reads /proc")

HERE = Path(__file__).parent
SUBSET_SUM = ["--R", "1", "2", "--n", "1:4", "--seed", "1"]
SIMS = [
    ["sims.subset_sum", "--R", "2", "--n", "1:4", "--trials", "1000", "--csv", "a.csv", "--plot", "a.png"],
    ["sims.subset_sum", "--R", "2", "--n", "1:4", "--trials", "1000", "--csv", "a.csv", "--plot", "a.png"],
    ["sims.sweep.command", "subset_sum", *SUBSET_SUM, "--trials", "1000", "--store", "s.sqlite"],
    ["sims.sweep.command", "subset_sum", *SUBSET_SUM, "--trials", "2000", "--store", "s.sqlite", "--resume"],
    ["sims.store", "info", "s.sqlite"],
    ["sims.store", "merge", "m.sqlite", "s.sqlite"],
    ["sims.store", "export", "m.sqlite", "--csv", "e.csv"],
]
TRAIN = ["--data", "digits", "--method", "edge-popup", "--epochs"]
NETS = [
    ["nets.train", *TRAIN, "1", "--out", "run"],
    ["nets.train", *TRAIN, "1", "--out", "run", "--resume"],
    ["nets.found_ticket", "verify", "run"],
    ["nets.approximate", "net.npz", "--activation", "relu", "--n", "8", "--seed", "1", "--out", "t.safetensors"],
    ["nets.ticket", "verify", "t.safetensors"],
]


def run(code: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", *code],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "cp1252:strict", "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        encoding="cp1252",
        check=False,
    )


@pytest.mark.parametrize("commands", [SIMS, NETS], ids=["sims", "nets"])
def test_commands(commands: list[list[str]], tmp_path: Path) -> None:
    if commands is NETS:
        pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
        np.savez(tmp_path / "net.npz", **{"0.weight": np.full((3, 4), 0.3), "2.weight": np.full((2, 3), -0.2)})
    done = run([str(HERE / "pretend_windows.py"), json.dumps(commands)], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_pretence_bites(tmp_path: Path) -> None:
    tried = """
import os, signal
from tests.pretend_windows import prepare
prepare()
def fails(what, kind):
    try:
        what()
    except kind:
        return
    raise SystemExit(f"no {kind}")
file = open("a", "wb")
fails(lambda: os.replace("a", "b"), PermissionError)
fails(lambda: os.unlink("a"), PermissionError)
file.close()
fails(lambda: os.fsync(open("a", "rb")), OSError)
os.replace("a", "b")
fails(lambda: exec("import fcntl", {"__name__": "sims.files"}), ModuleNotFoundError)
fails(lambda: signal.pthread_sigmask, AttributeError)
fails(lambda: print("\u2501"), UnicodeEncodeError)
"""
    done = run(["-c", tried], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
