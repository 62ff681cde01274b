"""Data sets and their batches: parts, validation, order, resuming, normalising, messages."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from nets.data import AUGMENTS, DATASETS, NORMALISE, load_data
from nets.data import augment as augmentation
from nets.data.mnist import load_mnist
from nets.data.split import AUGMENT, ORDER, Split, image_draws
from nets.targets.digits import digits_split
from sims.solver import philox
from tests import stats

DATA = Path(os.environ.get("STRONGTICKETS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "mnist"


def split(count: int = 50, side: int = 6, **options) -> Split:
    """Images that carry their own number in every pixel but the flags of a ramp."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 3, side, side).contiguous()
    return Split(images, torch.arange(count), **{"mean": (0.0,) * 3, "std": (1.0,) * 3, **options})


def noise_split(count: int = 40, **options) -> Split:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(count), **{"mean": (0.0,) * 3, "std": (1.0,) * 3, **options})


def test_digits_are_scikit_learns():
    data = load_data("digits")
    assert (data.name, data.shape, data.classes, len(data.train), len(data.test)) == (
        "digits",
        (1, 8, 8),
        10,
        1437,
        360,
    )
    assert data.validation is None
    found = torch.cat([data.train.images, data.test.images]).reshape(1797, 64)
    found_labels = torch.cat([data.train.labels, data.test.labels])
    pixels, labels = load_digits(return_X_y=True)
    ours = sorted((int(y), row.tolist()) for row, y in zip(found, found_labels, strict=True))
    assert ours == sorted((int(y), row.astype(int).tolist()) for row, y in zip(pixels, labels, strict=True))
    twin = digits_split(seed=0)
    ((x, y),) = data.test.batches(1000, dtype=torch.float64)
    assert torch.equal(x.reshape(360, 64), twin.x_test)
    assert torch.equal(y, twin.y_test)
    assert load_data("digits", seed=5).sha256 == data.sha256, "the test part does not move with the seed"


def write_idx(folder: Path, count: int = 12, side: int = 5) -> Path:
    rng = np.random.default_rng(3)
    for prefix, n in (("train", count), ("t10k", count // 2)):
        images, labels = rng.integers(0, 256, (n, side, side), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
        head = struct.pack(">4B3I", 0, 0, 8, 3, n, side, side)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        with gzip.open(folder / f"{prefix}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4BI", 0, 0, 8, 1, n) + labels.tobytes())
    return folder


def test_mnist_files_are_read_to_the_bit(tmp_path):
    write_idx(tmp_path)
    data = load_data("mnist", tmp_path)
    assert (data.shape, data.classes, len(data.train), len(data.test)) == ((1, 5, 5), 10, 12, 6)
    raw = (tmp_path / "train-images-idx3-ubyte").read_bytes()[16:]
    assert data.train.images.numpy().tobytes() == raw
    assert data.note == "IDX files, 12 + 6 images of 5x5"
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"mnist: t10k-labels-idx1-ubyte.gz: .*four published IDX files"):
        load_data("mnist", tmp_path)
    with pytest.raises(ValueError, match=r"mnist: no files found in .*pass the folder"):
        load_data("mnist", tmp_path / "nowhere")


def test_mnist_images_that_are_not_square_are_not_reshaped(tmp_path):
    """4 x 9 pixels are as many as 6 x 6."""
    write_idx(tmp_path, side=6)
    for part, count in (("t10k", 6), ("train", 12)):
        for sides in ((4, 9), (0, 0)):
            head = struct.pack(">4B3I", 0, 0, 8, 3, count, *sides)
            (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(head + bytes(count * sides[0] * sides[1]))
            with pytest.raises(ValueError, match="are 4x9, not square" if sides[0] else r"of shape \(\d+, 0, 0\)"):
                load_data("mnist", tmp_path)
        write_idx(tmp_path, side=6)
    assert load_data("mnist", tmp_path).shape == (1, 6, 6)


def test_mnist_files_that_unpack_to_far_more_than_they_are(tmp_path, monkeypatch):
    write_idx(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    sides = 1000, 100, 100
    packed = gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, *sides) + bytes(10**7))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(packed)
    monkeypatch.setattr("nets.data.mnist._ALWAYS_BYTES", 10**6)
    limit = 200 * len(packed)
    assert limit < 10**7
    with pytest.raises(ValueError, match=f"asks for 10000000 bytes, the limit is {limit};"):
        load_data("mnist", tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="labels of shape"):
        load_data("mnist", tmp_path)
    monkeypatch.setattr("nets.data.mnist.available_bytes", lambda: 100)
    write_idx(tmp_path)
    with pytest.raises(ValueError, match=r"12 images take 4.7 KiB, more than the memory"):
        load_mnist(tmp_path, "train")


def test_a_pipe_is_no_file(tmp_path):
    write_idx(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    os.mkfifo(labels)
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte: is no file in"):
        load_data("mnist", tmp_path)
    os.mkfifo(tmp_path / "data_batch_1")
    with pytest.raises(ValueError, match="data_batch_1: is no file in"):
        load_data("cifar10", tmp_path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("inside", ["", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw"])
def test_mnist_is_found_in_the_usual_layouts(tmp_path, inside, mark, packed):
    (tmp_path / "a").mkdir()
    write_idx(tmp_path / "a")
    images = load_data("mnist", tmp_path / "a").train.images
    place = tmp_path / "b" / inside
    place.mkdir(parents=True)
    for path in (tmp_path / "a").iterdir():
        raw = gzip.decompress(path.read_bytes()) if path.suffix else path.read_bytes()
        name = path.name.removesuffix(".gz").replace("-idx", f"{mark}idx")
        (place / (name + ".gz" * packed)).write_bytes(gzip.compress(raw) if packed else raw)
    data = load_data("mnist", tmp_path / "b")
    assert torch.equal(data.train.images, images)
    assert data.place == place
    whose = f" of {place.parent.name}" if inside else ""
    assert data.note == f"IDX files{whose}, 12 + 6 images of 5x5"


def test_a_folder_of_a_files_name_is_no_file(tmp_path):
    write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.rename(tmp_path / "train-images.idx3-ubyte")
    path.mkdir()
    assert len(load_data("mnist", tmp_path).train) == 12


def test_of_torchvisions_folders_mnists_comes_first(tmp_path):
    for name in ("FashionMNIST", "MNIST"):
        (tmp_path / name / "raw").mkdir(parents=True)
        write_idx(tmp_path / name / "raw", count=12 if name == "MNIST" else 14)
    assert len(load_data("mnist", tmp_path).train) == 12
    assert len(load_data("mnist", tmp_path / "FashionMNIST").train) == 14


def test_without_a_folder_it_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setenv("STRONGTICKETS_DATA", str(tmp_path / "shared"))
    monkeypatch.setenv("STRONGTICKETS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="no files found") as caught:
        load_data("mnist")
    for place in ("shared/mnist", "shared", "cache/mnist"):
        assert str(tmp_path / place) in str(caught.value)
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    write_idx(tmp_path / "cache" / "mnist")
    assert load_data("mnist").place == tmp_path / "cache" / "mnist"


def test_every_byte_of_mnist_survives(tmp_path):
    write_idx(tmp_path, count=300, side=9)
    data = load_data("mnist", tmp_path)
    assert len(data.train.images.unique()) == 256
    assert data.train.images.numpy().tobytes() == (tmp_path / "train-images-idx3-ubyte").read_bytes()[16:]


@pytest.mark.skipif(not DATA.is_dir(), reason="no MNIST files (set STRONGTICKETS_DATA to the folder that holds mnist/)")
def test_the_real_mnist(monkeypatch):
    monkeypatch.setenv("STRONGTICKETS_DATA", str(DATA.parent))
    data = load_data("mnist")
    assert (data.shape, len(data.train), len(data.test)) == ((1, 28, 28), 60_000, 10_000)
    assert torch.bincount(data.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    x, _ = next(data.train.batches(60_000))
    assert abs(float(x.mean())) < 1e-3
    assert abs(float(x.std()) - 1) < 1e-3


@pytest.mark.parametrize("batch", [1, 7, 16, 50, 1000])
def test_an_epoch_is_a_permutation(batch):
    found = list(split().batches(batch, order=(3, 4)))
    assert [len(y) for _, y in found] == [batch] * (50 // batch) + ([50 % batch] if 50 % batch else [])
    y = torch.cat([y for _, y in found])
    assert sorted(y.tolist()) == list(range(50))
    assert y.tolist() != list(range(50))
    x = torch.cat([x for x, _ in found])
    assert torch.equal((x[:, 0, 0, 0] * 255).round().long(), y), "images and labels stay together"


def test_without_order_the_file_is_read_as_it_is():
    part = noise_split(augmentation="crop-flip", noise=0.5)
    x, y = next(part.batches(40))
    assert y.tolist() == list(range(40))
    assert torch.equal((x * 255).round().to(torch.uint8), part.images)


def test_order_depends_on_seed_and_epoch_only():
    orders = {
        (seed, epoch): torch.cat([y for _, y in split().batches(9, order=(seed, epoch))]).tolist()
        for seed in (0, 1, 2**64 - 1)
        for epoch in (0, 1, 2)
    }
    assert len({tuple(order) for order in orders.values()}) == 9
    again = torch.cat([y for _, y in split().batches(50, order=(1, 2), augment=False)]).tolist()
    assert again == orders[1, 2]
    keys = philox.uniforms(1, 2, 1, 50, stream=ORDER)[0]
    assert again == sorted(range(50), key=lambda i: keys[i])


def test_orders_are_uniform():
    first = [int(next(split(5).batches(1, order=(9, epoch)))[1]) for epoch in range(600)]
    for image in range(5):
        stats.assert_probability(first.count(image), 600, 0.2)
    assert stats.power_against(0.2, 0.35, 600) > 0.999


@pytest.mark.parametrize("name", ["none", "crop-flip", "iterand", "resized-crop"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_every_batch_can_be_made_again_alone(name, noise):
    part = noise_split(augmentation=name, noise=noise)
    whole = list(part.batches(8, order=(5, 6)))
    again = list(part.batches(8, order=(5, 6)))
    for (a, i), (b, j) in zip(whole, again, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(i, j)
    for first in (1, 3, 4, 5, 6):
        rest = list(part.batches(8, order=(5, 6), first_batch=first))
        assert len(rest) == max(0, 5 - first)
        for (a, i), (b, j) in zip(whole[first:], rest, strict=True):
            assert torch.equal(a, b)
            assert torch.equal(i, j)
    other = list(part.batches(8, order=(5, 7)))
    assert not torch.equal(torch.cat([x for x, _ in whole]), torch.cat([x for x, _ in other]))


@pytest.mark.parametrize("name", ["crop-flip", "iterand"])
def test_augmentation_is_that_of_the_position_whatever_the_batch(name):
    part = noise_split(augmentation=name)
    small = torch.cat([x for x, _ in part.batches(3, order=(5, 6))])
    large = torch.cat([x for x, _ in part.batches(40, order=(5, 6))])
    assert torch.allclose(small, large, atol=1e-5)
    shuffled = torch.cat([y for _, y in part.batches(40, order=(5, 6))])
    numbers = (philox.uniforms(5, 6, 1, 44 * 40, stream=AUGMENT)[0].reshape(40, 44) + 1) / 2
    expected = augmentation.augment(name, part.images[shuffled], numbers).float() / 255
    assert torch.allclose(large, expected, atol=1e-5)
    plain = torch.cat([x for x, _ in part.batches(40, order=(5, 6), augment=False)])
    assert torch.equal(plain, part.images[shuffled].float() / 255)


def test_augmentation_differs_between_epochs_seeds_and_positions():
    rows = np.concatenate([image_draws(seed, epoch, 0, 5) for seed in (1, 2) for epoch in (0, 1)])
    assert len(np.unique(rows)) == rows.size == 20 * 44
    assert (image_draws(1, 1, 3, 2) == image_draws(1, 1, 0, 5)[3:]).all()
    assert rows.min() >= 0
    assert rows.max() < 1
    many = image_draws(4, 0, 0, 500).ravel()
    stats.assert_probability(int((many < 0.25).sum()), many.size, 0.25)
    assert max(augmentation.DRAWS.values()) < 44, "the last number is the noise's own"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_normalising(dtype):
    part = noise_split(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0), levels=200)
    ((x, y),) = part.batches(100, dtype=dtype)
    assert (x.dtype, y.dtype) == (dtype, torch.int64)
    for c, (mean, std) in enumerate([(0.1, 0.5), (0.2, 0.25), (0.3, 2.0)]):
        expected = (part.images[:, c].numpy().astype(float) / 200 - mean) / std
        error = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 1e-6, torch.float64: 1e-14}[dtype]
        assert np.abs(x[:, c].double().numpy() - expected).max() < error * max(1, np.abs(expected).max())
    if dtype.itemsize == 2:  # worked out in float32 and rounded once
        ((single, _),) = part.batches(100)
        assert torch.equal(x, single.to(dtype))


def test_channels_last():
    part = noise_split(augmentation="crop-flip")
    a = next(part.batches(8, order=(0, 0)))[0]
    b = next(part.batches(8, order=(0, 0), channels_last=True))[0]
    assert a.is_contiguous()
    assert b.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(a, b)


def test_noise_has_its_spread_and_is_clamped():
    part = split(40, side=16, levels=80, noise=0.1)  # pixels 0 .. 39/80: nothing near 1
    x, y = next(part.batches(40, order=(2, 0)))
    dark = x[y == 0]
    stats.assert_probability(int((dark == 0).sum()), dark.numel(), 0.5)
    grey = (x[y == 39] - 39 / 80).flatten()
    stats.assert_probability(int((grey < 0.1).sum()), grey.numel(), 0.8413447)
    stats.assert_probability(int((grey < 0).sum()), grey.numel(), 0.5)
    assert stats.power_against(0.8413447, 0.97, grey.numel()) > 0.999  # half the spread
    assert float(x.min()) == 0.0
    assert float(split(250, levels=250, noise=0.3).batches(250, order=(2, 0)).__next__()[0].max()) == 1.0
    assert not torch.equal(grey[:256], grey[256:512])
    same = Split(torch.full((8, 1, 4, 4), 100, dtype=torch.uint8), torch.arange(8), noise=0.1)
    batches = [x for epoch in (0, 1) for x, _ in same.batches(4, order=(2, epoch))]
    assert len(torch.stack(batches).flatten(1).unique(dim=0)) == 4, "no two batches share their noise"
    assert torch.equal(next(part.batches(40, order=(2, 0), augment=False))[0] * 80, part.images[y].float())


def test_validation_is_held_out_as_random_split_does():
    whole = load_data("digits")
    data = load_data("digits", validation=0.1, seed=777)
    assert (len(data.train), len(data.validation), len(data.test)) == (1293, 144, 360)
    kept, held = torch.utils.data.random_split(range(1437), [1293, 144], torch.Generator().manual_seed(777))
    assert torch.equal(data.train.images, whole.train.images[sorted(kept.indices)])
    assert torch.equal(data.validation.images, whole.train.images[sorted(held.indices)])
    assert torch.equal(data.validation.labels, whole.train.labels[sorted(held.indices)])
    assert torch.equal(data.test.images, whole.test.images)
    assert load_data("digits", validation=144, seed=777).sha256 == data.sha256
    assert load_data("digits", validation=144).sha256 != data.sha256
    assert load_data("digits", validation=0.0).validation is None


def test_validation_and_test_are_never_augmented():
    data = load_data("digits", validation=40, augment="iterand", noise=0.2)
    assert (data.train.augmentation, data.train.noise) == ("iterand", 0.2)
    for part in (data.validation, data.test):
        assert (part.augmentation, part.noise) == ("none", 0.0)
        shuffled = torch.cat([x for x, _ in part.batches(16, order=(1, 1))])
        plain = torch.cat([x for x, _ in part.batches(16)])
        assert torch.equal(shuffled.flatten(1).sum(1).sort().values, plain.flatten(1).sum(1).sort().values)


def test_the_papers_constants():
    assert NORMALISE["cifar10"] == ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))
    assert NORMALISE["imagenet"] == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert NORMALISE["mnist"] == ((0.1307,), (0.3081,))
    assert set(AUGMENTS) == set(DATASETS)
    assert AUGMENTS["cifar10"] == "crop-flip"
    data = load_data("digits", normalise=([0.5], [0.25]))
    x, _ = next(data.test.batches(5))
    assert torch.equal(x, (data.test.images[:5].float() / 16 - 0.5) / 0.25)
    assert load_data("digits", normalise="mnist").train.mean == (0.1307,)


def test_sha256_sees_every_part():
    digests = {load_data("digits", validation=n).sha256 for n in (0, 1, 2)}
    data = load_data("digits")
    for change in ("images", "labels"):
        other = load_data("digits")
        getattr(other.test, change)[0] += 1
        digests.add(other.sha256)
    assert len(digests) == 5
    assert data.sha256 in digests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "svhn"}, "name must be one of digits, mnist, cifar10, imagefolder"),
        ({"augment": "mixup"}, "augment must be one of"),
        ({"normalise": "zscore"}, "normalise must be one of unit, mnist, cifar10, imagenet, got"),
        ({"normalise": "cifar10"}, "normalise must give 1 mean and as many positive spreads for images of 1 channel,"),
        ({"normalise": ([0.0], [0.0])}, "positive spreads"),
        ({"validation": 1437}, r"validation must be an integer in \[0, 1437\)"),
        ({"validation": -1}, "validation must be"),
        ({"validation": 1.0}, "validation must be"),
        ({"validation": float("nan")}, "validation must be"),
        ({"validation": True}, "validation must be"),
        ({"noise": -0.1}, "noise must be"),
        ({"noise": float("nan")}, "noise must be"),
        ({"size": 32}, "size is for imagefolder only"),
        ({"workers": 0}, "workers must be"),
        ({"folder": "x"}, "digits come with scikit-learn and take no folder"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_data(**{"name": "digits", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be"),
        ({"batch": 2.0}, "batch must be"),
        ({"batch": True}, "batch must be"),
        ({"first_batch": -1}, "first_batch must be"),
        ({"dtype": torch.int64}, "dtype must be floating"),
        ({"order": (1,)}, "order must be"),
        ({"order": (-1, 0)}, "order must be"),
        ({"order": (2**64, 0)}, "order must be"),
        ({"order": (0, -1)}, "order must be"),
        ({"order": (0.5, 0)}, "order must be"),
        ({"order": 3}, "order must be"),
    ],
)
def test_bad_batches_are_refused_at_the_call(options, message):
    with pytest.raises(ValueError, match=message):
        split().batches(**{"batch": 4, **options})


@pytest.mark.parametrize("name", ["none", "crop-flip", "iterand"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_same_batches_elsewhere(name, noise, elsewhere):
    part = noise_split(augmentation=name, noise=noise)
    cpu = list(part.batches(8, order=(5, 6)))
    with elsewhere as device:
        gpu = list(part.batches(8, order=(5, 6), device=device))
        again = []
        batches = part.batches(8, order=(5, 6), device=device, first_batch=2)
        again.append(next(batches))  # labels, mean and so on are moved here
        with elsewhere.never_waiting():
            again += batches
    for (a, i), (b, j) in zip(cpu, gpu, strict=True):
        assert b.device.type == j.device.type == device
        assert torch.allclose(a, b.cpu(), atol=1e-5)
        assert torch.equal(i, j.cpu())
    for (a, _), (b, _) in zip(gpu[2:], again, strict=True):
        assert torch.equal(a, b)
