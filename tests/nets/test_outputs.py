"""What every command that writes a file refuses, before any work: inputs, other outputs, files of other kinds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import figures.__main__
import figures.report
from nets import approximate, bits, compare, experiments, federated, similarity, ticket, train, train_mlp
from nets.gallery import __main__ as gallery_command
from nets.tickets.file import TICKET
from sims import constants, store, subset_sum, verify
from sims.sweep import command as sweep

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "approximate": approximate.main, "bits": bits.main, "compare": compare.main, "constants": constants.main,
    "experiments": experiments.main, "federated": federated.main, "figures": figures.__main__.main,
    "gallery": gallery_command.main, "report": figures.report.main, "similarity": similarity.main, "store": store.main,
    "subset_sum": subset_sum.main, "sweep": sweep.main, "ticket": ticket.main, "train": train.main,
    "train_mlp": train_mlp.main, "verify": verify.main,
}  # fmt: skip

INPUT, KIND, TWICE = "would replace", "--force replaces it", "name the same file"
NET = "net.safetensors --activation relu"
CASES = [
    (INPUT, f"approximate {NET} --out net.safetensors --force"),
    (INPUT, f"approximate {NET} --out soft.safetensors"),
    (INPUT, f"approximate {NET} --csv hard.safetensors --force"),
    (INPUT, f"approximate {NET} --inputs x.npy --csv ./x.npy --force"),
    (INPUT, "approximate digits --data mnist --data-dir data --csv data/labels.gz --force"),
    (TWICE, f"approximate {NET} --out new.safetensors --csv ./new.safetensors"),
    (KIND, f"approximate {NET} --csv net.pt"),
    (KIND, f"approximate {NET} --out other.safetensors"),
    (INPUT, f"bits {NET} --csv net.safetensors --force"),
    (KIND, f"bits {NET} --plot notes.png"),
    (TWICE, f"bits {NET} --csv new.svg --plot new.svg"),
    (INPUT, "compare run --csv run/metrics.jsonl --force"),
    (KIND, "compare run --csv notes.md"),
    (INPUT, "similarity run t.safetensors --csv t.safetensors --force"),
    (KIND, "constants --csv notes.md"),
    (TWICE, "experiments digits --out runs --csv runs/table.md"),
    (KIND, "experiments digits --out mine --csv new.csv"),
    (INPUT, "federated --data mnist --data-dir data --csv data/labels.gz --force"),
    (KIND, "figures --out . --format png"),
    (KIND, "gallery digits --csv notes.md"),
    (INPUT, "report --verdicts found.json --out found.json --force"),
    (KIND, "report --out notes.md"),
    (INPUT, "store export s.sqlite --csv s.sqlite --force"),
    (KIND, "subset_sum --csv net.pt"),
    (KIND, "subset_sum --csv subset_sum.png"),
    (KIND, "subset_sum --plot notes.png"),
    (TWICE, "sweep subset_sum --n 1 --store new.sqlite --csv new.sqlite"),
    (TWICE, "sweep subset_sum --n 1 --store new.sqlite --csv new.sqlite-wal --force"),
    (INPUT, "ticket export t.onnx ./t.onnx --force"),
    (KIND, "ticket export t.safetensors model.onnx"),
    (INPUT, "train --method dense --data mnist --data-dir data --out new --plot data/cat.png --force"),
    (KIND, "train --method dense --data digits --out new --plot notes.png"),
    (KIND, "train_mlp --data mnist --data-dir data --out run.pt"),
    (KIND, "train_mlp --data mnist --data-dir data --out net.pth"),
    (INPUT, "train_mlp --data mnist --data-dir data --out data/net.pth --force"),
    (KIND, "verify --report notes.md"),
    (KIND, "verify --csv notes.md"),
    (TWICE, "verify --csv new --report new"),
    (TWICE, "verify --table notes.md --report notes.md --force"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_store: Path) -> Path:
    """A working folder with a file of every sort."""
    monkeypatch.chdir(tmp_path)
    save_file({"0.weight": torch.ones(1, 2)}, "net.safetensors")
    for name in ("other.safetensors", "t.onnx", "t.safetensors"):
        shutil.copy("net.safetensors", name)
    Path("soft.safetensors").symlink_to("net.safetensors")
    Path("hard.safetensors").hardlink_to("net.safetensors")
    np.save("x.npy", np.ones((1, 2)))
    for name in ("net.pt", "run.pt"):
        torch.save({"schema": "strong-tickets/checkpoint/1", "fc.weight": torch.ones(1, 2)}, name)
    for name in ("net.pth", "notes.png", "notes.md", "model.onnx", "subset_sum.png", "found.json"):
        Path(name).write_text("# Notes\n\nof mine\n")
    for name in ("data/labels.gz", "data/cat.png", "data/net.pth", "run/metrics.jsonl", "run/config.json"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("{}")
    for name in ("runs", "mine"):
        Path(name).mkdir()
    Path("mine/table.md").write_text("# Notes\n")
    shutil.copy(command_store, "s.sqlite")
    return tmp_path


@pytest.fixture(scope="module")
def command_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "s.sqlite"
    assert sweep.main(["subset_sum", "--n", "1", "--trials", "10", "--seed", "1", "--quiet", "--store", str(path)]) == 0
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".sqlite-" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(("why", "line"), CASES)
def test_files_stay(why: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    word, *flags = line.split()
    assert COMMANDS[word](flags) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert why in error
    assert contents(folder) == before


def test_files_of_the_same_kind_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"0.weight": torch.ones(1, 2)}, "net.safetensors")
    assert not _fits("net.safetensors")
    for seed in ("1", "2"):
        flags = f"{NET} --seed {seed} --n 16 --out t.safetensors --csv t.csv --quiet".split()
        assert approximate.main(flags) == 0
        assert ticket.main(["export", "t.safetensors", "m.onnx"]) == 0
    assert _fits("t.safetensors")
    assert approximate.main(f"{NET} --n 16 --csv m.onnx --force --quiet".split()) == 0
    assert Path("m.onnx").read_text().startswith("part,")


def _fits(path: str) -> bool:
    try:
        return TICKET.fits(path)
    except KeyError:
        return False
