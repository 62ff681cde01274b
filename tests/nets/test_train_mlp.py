"""The MNIST reader and the training of the published experiment's target."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from nets import train_mlp
from nets.data.mnist import load_mnist, read_idx
from nets.targets.target import Target
from nets.training import mlp
from tests.nets.test_approximate import run_json, save

DATA = Path(os.environ.get("STRONGTICKETS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "mnist"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny_mnist(tmp_path: Path) -> Path:
    """Images of 2 x 3 pixels whose brightest pixel is the label."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 300), ("t10k", 60)):
        labels = rng.integers(0, 6, count)
        images = rng.integers(0, 120, (count, 6))
        images[np.arange(count), labels] = 250
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
        packed = folder / f"{prefix}-images-idx3-ubyte.gz"
        packed.write_bytes(gzip.compress(idx(images.reshape(count, 2, 3))))
    return folder


def test_a_network_is_trained_saved_and_approximated(
    tiny_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    argv = [
        "--data",
        f"mnist:{tiny_mnist}",
        "--widths",
        "6",
        "12",
        "6",
        "--epochs",
        "6",
        "--batch",
        "16",
        "--seed",
        "3",
    ]
    for out in ("a.pt", "b.pt"):
        assert train_mlp.main([*argv, "--out", str(tmp_path / out)]) == 0
    printed = capsys.readouterr().out.splitlines()[0]
    first, second = (torch.load(tmp_path / out, weights_only=True) for out in ("a.pt", "b.pt"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert list(first) == ["0.weight", "1.weight"]
    x, y = load_mnist(tiny_mnist)
    outputs = torch.relu(x @ first["0.weight"].double().T) @ first["1.weight"].double().T
    direct = float((outputs.argmax(-1) == y).double().mean())
    assert direct > 0.9
    assert f"test accuracy {100 * direct:.2f} %" in printed
    flags = ["--activation", "relu", "--source", "shared", "--n", "14", "--seed", "1", "--eval", f"mnist:{tiny_mnist}"]
    assert run_json([str(tmp_path / "a.pt"), *flags], capsys)["accuracy"]["target"] == direct


def test_mnist_files(tiny_mnist: Path) -> None:
    x, y = load_mnist(tiny_mnist, "train")
    assert x.shape == (300, 6)
    assert torch.equal(x.argmax(-1), y)
    assert float(x.max()) == 250 / 255
    scaled, _ = load_mnist(tiny_mnist, "train", pixels="standard")
    torch.testing.assert_close(scaled, (x - 0.1307) / 0.3081)
    for arguments in ({"part": "valid"}, {"pixels": "grey"}):
        with pytest.raises(ValueError, match="must be"):
            load_mnist(tiny_mnist, **arguments)
    labels = tiny_mnist / "t10k-labels-idx1-ubyte"
    good = labels.read_bytes()
    for content, says in [
        (b"", "starts with nothing"), (b"\x1f\x8b\x08\x00" + good, "not an IDX file"),
        (b"\0\0\x0d\x01" + good[4:], "0x0d"),
        (good[:6], "truncated inside its header"), (good[:-1], "must hold 60 bytes"), (good + b"x", "got more"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", "the limit is"), (idx(np.zeros(7)), "do not fit"),
        (idx(np.zeros((60, 1))), "do not fit"),
    ]:  # fmt: skip
        labels.write_bytes(content)
        with pytest.raises(ValueError, match=says):
            load_mnist(tiny_mnist)
    labels.unlink()
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte: no such file"):
        load_mnist(tiny_mnist)
    packed = labels.with_name(labels.name + ".gz")
    for content in [gzip.compress(good)[:-12], b"not gzip at all", gzip.compress(good)[:5]]:
        packed.write_bytes(content)
        with pytest.raises(ValueError, match="not readable"):
            load_mnist(tiny_mnist)


TRAIN_BAD = [
    (["--data", "cifar:x"], "--data takes"), (["--data", "mnist:"], "--data takes"),
    (["--out", "x.npz"], "--out takes"),
    (["--widths", "6"], "--widths needs"), (["--widths", "7", "6"], "must start with 6 pixels"),
    (["--lr", "-1"], "--lr"),
    (["--widths", "6", "3"], "more than 5 outputs"), (["--lr", "1e30"], "not finite"), (["--epochs", "0"], "--epochs"),
    (["--widths", "6", "1000000", "1000000", "6"], "this needs about 14.6 TiB of memory"),
    (["--epochs", "1e6", "--max-time", "1s"], "more than --max-time, 1 s"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "says"), TRAIN_BAD)
def test_bad_training_gets_one_line(
    flags: list[str], says: str, tiny_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given = {
        "--data": ["mnist"],
        "--data-dir": [str(tiny_mnist)],
        "--out": [str(tmp_path / "x.pt")],
        "--widths": ["6", "5", "6"],
    }
    given |= {"--epochs": ["2"], "--seed": ["1"], flags[0]: flags[1:]}
    assert train_mlp.main([token for flag, values in given.items() for token in (flag, *values)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert not (tmp_path / "x.pt").exists()


@pytest.mark.skipif(not DATA.is_dir(), reason="no MNIST files (set STRONGTICKETS_DATA to the folder that holds mnist/)")
def test_real_mnist(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    x, y = load_mnist(DATA)
    assert x.shape == (10000, 784)
    assert torch.bincount(y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert read_idx(DATA / "t10k-images-idx3-ubyte.gz")[0, 14].sum() > 0
    weights = mlp.train_mlp(x[:4000].float(), y[:4000], widths=(784, 12, 10), seed=1, epochs=2)
    path = save(tmp_path / "net.pt", *weights)
    flags = ["--activation", "relu", "--source", "shared", "--n", "14", "--seed", "1", "--eval", f"mnist:{DATA}"]
    found = run_json([path, *flags], capsys)
    outputs = Target(tuple(weights))(x)
    assert found["accuracy"]["target"] == float((outputs.argmax(-1) == y).double().mean()) > 0.75
    assert abs(found["accuracy"]["pruned"] - found["accuracy"]["target"]) < 0.02
