"""A run goes on with the images and labels it began with, wherever they lie now, and with no others."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from nets import train as command
from nets.data import load_data
from nets.training.checkpoint import load_checkpoint, save_checkpoint
from nets.training.loop import Training
from nets.training.run_folder import RunFolder
from tests.nets.test_data import write_idx
from tests.nets.test_images import noise, write_folder

ARGV = ["--method", "edge-popup", "--width", "0.05", "--batch", "4", "--epochs", "3", "--seed", "3", "--device", "cpu"]


class Stop(Exception):
    pass


def begin(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until the first checkpoint is written."""
    save = Training.save

    def save_and_stop(self: Training) -> None:
        save(self)
        raise Stop

    with monkeypatch.context() as patched:
        patched.setattr(Training, "save", save_and_stop)
        with pytest.raises(Stop):
            command.main(argv)


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str], list[str]]:
    """The folder of the images, what begins a run on them and stops it, and what resumes it."""
    (tmp_path / "data").mkdir()
    data, out = write_idx(tmp_path / "data"), ["--out", str(tmp_path / "run")]
    begin([*ARGV, "--data", "mnist", "--data-dir", str(data), *out, "--quiet"], monkeypatch)
    return data, out, [*out, "--resume"]


def shuffle_labels(data: Path) -> None:
    path = data / "train-labels-idx1-ubyte.gz"
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:8] + raw[9:] + raw[8:9]))


def change_a_pixel(data: Path) -> None:
    path = data / "t10k-images-idx3-ubyte"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("change", [shuffle_labels, change_a_pixel])
def test_other_data_are_refused(
    mnist: tuple[Path, list[str], list[str]], change: object, capsys: pytest.CaptureFixture
) -> None:
    data, out, resume = mnist
    before = RunFolder(Path(out[1])).checkpoint.read_bytes()
    change(data)  # type: ignore[operator]
    assert command.main(resume) == 2
    captured = capsys.readouterr()
    assert "began with other images or labels: their SHA-256 is" in captured.err
    assert captured.err.count("\n") == 1
    assert RunFolder(Path(out[1])).checkpoint.read_bytes() == before


def test_the_same_data_elsewhere_are_taken(
    mnist: tuple[Path, list[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data, _, resume = mnist
    shutil.move(data, tmp_path / "moved")
    assert command.main(resume) == 2
    assert f"mnist: no files found in {data}; pass the folder (--data-dir)" in capsys.readouterr().err
    assert command.main([*resume, "--data-dir", str(tmp_path / "moved"), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert found["params"]["data_dir"] == str(tmp_path / "moved")
    assert command.main([*resume, "--json"]) == 0
    assert "is finished already" in capsys.readouterr().err


def test_a_run_without_a_record_goes_on_and_says_so(
    mnist: tuple[Path, list[str], list[str]], capsys: pytest.CaptureFixture
) -> None:
    _, out, resume = mnist
    folder = RunFolder(Path(out[1]))
    content = json.loads(folder.config.read_text())
    assert len(content["provenance"].pop("data_sha256")) == 64
    del content["sha256"]  # as older programs wrote it
    content["schema"] = "strong-tickets/nets.train.config/1"
    content["params_sha256"] = hashlib.sha256(json.dumps(content["params"], sort_keys=True).encode()).hexdigest()
    folder.config.write_text(json.dumps(content))
    state = load_checkpoint(folder.checkpoint)
    assert state.pop("images") == {}
    save_checkpoint(folder.checkpoint, state)
    assert command.main(resume) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"{folder.path} has no record of its images and labels")


def test_where_images_were_found_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    place = tmp_path / "shared" / "mnist" / "raw"
    place.mkdir(parents=True)
    write_idx(place)
    monkeypatch.setenv("STRONGTICKETS_DATA", str(tmp_path / "shared"))
    argv = [*ARGV, "--data", "mnist", "--out", str(tmp_path / "run")]
    assert command.main(argv) == 0
    assert capsys.readouterr().err.splitlines() == [f"mnist: found in {place}"]
    assert command.main([*argv[:-1], str(tmp_path / "other"), "--data-dir", str(place)]) == 0
    assert capsys.readouterr().err == ""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """Images that stay in their files, and what resumes a run on them that was stopped after its first epoch."""
    data = write_folder(tmp_path / "data", sizes=((100, 97),) * 3)
    argv = ["--data", "imagefolder", "--data-dir", str(data), "--arch", "mlp", "--out", str(tmp_path / "run")]
    begin([*ARGV, *argv, "--quiet"], monkeypatch)
    return data, ["--out", str(tmp_path / "run"), "--resume", "--quiet"]


def test_an_image_read_before_must_be_the_same(files: tuple[Path, list[str]], capsys: pytest.CaptureFixture) -> None:
    data, resume = files
    path = data / "train" / "ant" / "0001.png"
    size = path.stat().st_size
    noise(100, 97, seed=77).save(path)
    path.write_bytes(path.read_bytes()[:size].ljust(size, b"\0"))  # names and sizes are as they were
    assert command.main(resume) == 2
    captured = capsys.readouterr()
    assert captured.err == f"error: {path}: its content is not what it was when this run first read it\n"


def test_another_list_of_files_is_refused_at_once(files: tuple[Path, list[str]], capsys: pytest.CaptureFixture) -> None:
    data, resume = files
    (data / "train" / "ant" / "0001.png").rename(data / "train" / "bee" / "0009.png")
    assert command.main(resume) == 2
    assert "began with other images or labels" in capsys.readouterr().err


def test_files_elsewhere_are_taken(files: tuple[Path, list[str]], tmp_path: Path) -> None:
    data, resume = files
    shutil.move(data, tmp_path / "moved")
    assert command.main([*resume, "--data-dir", str(tmp_path / "moved")]) == 0
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["images"]["train"].any(1).all()


def test_digests_are_those_of_the_bytes(tmp_path: Path) -> None:
    data = load_data("imagefolder", write_folder(tmp_path / "set", sizes=((100, 97),) * 3), workers=2)
    digests = data.digests()["test"]
    assert not digests.any()
    next(data.test.batches(6))
    for path, found in zip(data.test.files, digests, strict=True):
        assert bytes(found.tolist()) == hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    assert not torch.equal(digests[0], digests[1])
    assert load_data("digits").digests() == {}
