"""Image folders, as directories and inside archives: sizes, junk, damage, the cache, and files read as needed."""

from __future__ import annotations

import io
import lzma
import os
import re
import struct
import tarfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nets.data import augment, load_data
from nets.data import images as _images
from nets.data.split import FileSplit, image_draws

DATA = Path(os.environ.get("STRONGTICKETS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
JPEG = DATA / "cifar10-jpeg.tar.xz"
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def noise(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    depth = {"RGB": (3,), "L": (), "RGBA": (4,)}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (height, width, *depth), dtype=np.uint8)
    return Image.fromarray(values, mode=None)


def write_folder(root: Path, *, classes=("ant", "bee"), sizes=((8, 8),) * 3, test="test") -> Path:
    for p, part in enumerate(("train", test)):
        for c, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for i, size in enumerate(sizes):
                noise(*size, seed=100 * p + 10 * c + i).save(root / part / name / f"{i:04}.png")
    return root


def write_tar(path: Path, root: Path, *, top: str = "set/") -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:]}" if path.suffix != ".tar" else "w") as archive:
        for file in sorted(root.rglob("*.*"), reverse=True):  # an order that is not the one we want
            archive.add(file, arcname=top + file.relative_to(root).as_posix())
    return path


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).transpose(2, 0, 1)


@pytest.mark.parametrize("test", ["test", "val"])
def test_small_images_are_held_as_they_are(tmp_path, test):
    data = load_data("imagefolder", write_folder(tmp_path / "set", test=test))
    assert (data.shape, data.class_names, data.classes) == ((3, 8, 8), ("ant", "bee"), 2)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1] == data.test.labels.tolist()
    assert (data.train.images[4].numpy() == pixels(noise(8, 8, seed=11))).all()
    assert (data.test.images[2].numpy() == pixels(noise(8, 8, seed=102))).all()
    assert data.note == "set/, 6 + 6 images"


def test_junk_is_passed_over_and_counted(tmp_path):
    root = write_folder(tmp_path / "set")
    (root / "train" / "ant" / "Thumbs.db").write_bytes(b"junk")
    (root / "train" / "ant" / ".hidden.png").write_bytes(b"junk")
    (root / "test" / "bee" / "notes.txt").write_text("junk")
    (root / "train" / "README").write_text("junk")
    (root / "train" / ".git").mkdir()
    (root / "train" / "__MACOSX").mkdir()
    data = load_data("imagefolder", root)
    assert data.class_names == ("ant", "bee")
    assert (len(data.train), len(data.test)) == (6, 6)
    assert data.note == "set/, 6 + 6 images, 3 other files passed over"


def test_grey_and_transparent_images_become_rgb(tmp_path):
    root = write_folder(tmp_path / "set")
    grey = noise(8, 8, seed=50, mode="L")
    grey.save(root / "train" / "ant" / "0000.png")
    noise(8, 8, seed=51, mode="RGBA").save(root / "train" / "ant" / "0001.png")
    data = load_data("imagefolder", root)
    assert (data.train.images[0].numpy() == np.asarray(grey)[None]).all()
    assert data.train.images.shape == (6, 3, 8, 8)


def test_other_sizes_are_fitted_and_counted(tmp_path):
    root = write_folder(tmp_path / "set", sizes=((8, 8), (8, 8), (13, 8), (5, 9), (8, 8)))
    data = load_data("imagefolder", root)
    assert data.shape == (3, 8, 8)
    assert data.note.endswith("8 of another size resized and centre-cropped to 8x8")
    assert (data.train.images[2].numpy() == pixels(noise(13, 8, seed=2))[:, :, 2:10]).all()  # 13 wide: 2 off, 3 off
    resized = noise(5, 9, seed=3).resize((8, 14), Image.Resampling.BILINEAR)
    assert (data.train.images[3].numpy() == pixels(resized)[:, 3:11]).all()
    asked = load_data("imagefolder", root, size=4)
    assert asked.shape == (3, 4, 4)
    assert (
        asked.train.images[0].numpy() == pixels(noise(8, 8, seed=0).resize((4, 4), Image.Resampling.BILINEAR))
    ).all()


def test_large_images_are_read_as_needed(tmp_path):
    sizes = ((120, 100), (97, 240), (30, 20), (224, 224), (300, 256))
    root = write_folder(tmp_path / "set", sizes=sizes)
    data = load_data("imagefolder", root, normalise="unit", workers=2)
    assert isinstance(data.train, FileSplit)
    assert data.shape == (3, 224, 224)
    assert "read as they are needed, 224x224" in data.note
    (x, y), *rest = data.test.batches(7)
    assert [len(found[1]) for found in rest] == [3]
    assert y.tolist() == [0] * 5 + [1] * 2
    for i, (width, height) in enumerate(sizes):  # shorter side 256, then the centre, as ImageNet is tested
        image = noise(width, height, seed=100 + i)
        scale = 256 / min(width, height)
        image = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        expected = pixels(image)[:, top : top + 224, left : left + 224]
        assert ((x[i] * 255).round().numpy() == expected).all()


def test_large_images_are_cropped_by_the_same_law(tmp_path):
    root = write_folder(tmp_path / "set", sizes=((120, 100), (97, 140), (110, 160)))
    data = load_data("imagefolder", root, normalise="unit", workers=2)
    x = torch.cat([x for x, _ in data.train.batches(4, order=(3, 5))])
    shuffled = torch.cat([y for _, y in data.train.batches(4, order=(3, 5))])
    assert sorted(shuffled.tolist()) == [0, 0, 0, 1, 1, 1]
    plain = [image for image, _ in data.train.batches(1)]
    assert len(plain) == 6
    draws = image_draws(3, 5, 0, 6)
    order = [int(np.argmin([match(x[p], path, draws[p]) for path in data.train.files])) for p in range(6)]
    assert sorted(order) == list(range(6)), "each image once, each cut as its position says"
    assert data.train.labels[torch.tensor(order)].tolist() == shuffled.tolist()
    errors = [match(x[p], data.train.files[order[p]], draws[p]) for p in range(6)]
    assert max(errors) < 0.01  # 8-bit rounding of ours against float32
    late = [x for x, _ in data.train.batches(4, order=(3, 5), first_batch=1)]
    assert len(late) == 1
    assert torch.equal(late[0], x[4:])
    still = torch.cat([x for x, _ in data.train.batches(4, order=(3, 5), augment=False)])
    assert torch.equal(still[0], plain[order[0]][0])


def match(found: torch.Tensor, path: Path, u: np.ndarray) -> float:
    """Largest difference from the crop that PyTorch cuts."""
    with Image.open(path) as image:
        whole = torch.from_numpy(pixels(image.convert("RGB")).astype(np.float32))[None]
    top, left, h, w = augment.crop_boxes(u[None, 1:], [whole.shape[-2:]])[0].tolist()
    cut = torch.nn.functional.interpolate(
        whole[..., top : top + h, left : left + w], (224, 224), mode="bilinear", antialias=True
    )[0]
    return float((found - (cut.flip(-1) if u[0] < 0.5 else cut) / 255).abs().max())


def test_files_are_not_read_ahead_without_bound(tmp_path, monkeypatch):
    root = write_folder(tmp_path / "set", sizes=((100, 100),) * 20)
    data = load_data("imagefolder", root, workers=1)
    opened = []
    original = _images.open_image
    monkeypatch.setattr("nets.data.split.open_image", lambda path, name: opened.append(path) or original(path, name))
    batches = data.test.batches(1)
    next(batches)
    while len(opened) < 3:  # the reader works on while nobody asks
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(opened) <= 4, "one batch given, three ahead"
    batches.close()


def test_files_take_no_other_augmentation(tmp_path):
    root = write_folder(tmp_path / "set", sizes=((100, 100),))
    with pytest.raises(ValueError, match="augment none or resized-crop, got augment='crop-flip'"):
        load_data("imagefolder", root, augment="crop-flip")
    data = load_data("imagefolder", root, augment="none")
    a, b = (torch.cat([x for x, _ in data.train.batches(1, order=order)]) for order in (None, (1, 1)))
    assert torch.equal(a.sum((1, 2, 3)).sort().values, b.sum((1, 2, 3)).sort().values)


@pytest.mark.parametrize("damage", ["text", "cut", "empty"])
@pytest.mark.parametrize("side", [8, 100])
def test_a_damaged_image_is_named(tmp_path, damage, side):
    root = write_folder(tmp_path / "set", sizes=((side, side),) * 70)
    bad = root / "test" / "bee" / "0001.png"
    raw = bad.read_bytes()
    bad.write_bytes({"text": b"no image", "cut": raw[: len(raw) // 2], "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"0001.png: not a readable image .*replace or remove it") as caught:
        for _ in load_data("imagefolder", root).test.batches(50):
            pass
    assert "\n" not in str(caught.value)


def png_of(width: int, height: int) -> bytes:
    """A PNG file whose header alone says that it is large."""
    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    )


@pytest.mark.parametrize("sides", [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (100_000, 100_000)])
@pytest.mark.parametrize("size", [None, 8])
def test_an_image_of_too_many_pixels_is_refused_without_a_warning(tmp_path, sides, size):
    root = write_folder(tmp_path / "set")
    (root / "train" / "ant" / "0000.png").write_bytes(png_of(*sides))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match=r"0000.png: has more than \d+ pixels; replace or remove it"):
            load_data("imagefolder", root, size=size)
    assert heard == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "nothing"])
def test_what_is_named_as_an_image_must_be_a_file(tmp_path, kind):
    root = write_folder(tmp_path / "set")
    path = root / "train" / "ant" / "odd.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"odd.png: is named as an image, but is no file"):
        load_data("imagefolder", root)
    path.rmdir() if kind == "folder" else path.unlink()
    path.symlink_to(root / "train" / "ant" / "0000.png")
    assert len(load_data("imagefolder", root).train) == 7


def test_a_class_without_training_images_is_refused(tmp_path):
    (write_folder(tmp_path / "set") / "train" / "cat").mkdir()
    with pytest.raises(ValueError, match="train: class 'cat' has no images"):
        load_data("imagefolder", tmp_path / "set")


def test_only_formats_of_images_are_decoded(tmp_path):
    """Pillow would start Ghostscript for this one."""
    root = write_folder(tmp_path / "set")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (root / "train" / "ant" / "0000.png").write_bytes(eps)
    with pytest.raises(ValueError, match=r"0000.png: not a readable image \(UnidentifiedImageError"):
        load_data("imagefolder", root, size=8)
    Image.new("L", (8, 8), 7).save(root / "train" / "ant" / "0000.png", "gif")
    assert int(load_data("imagefolder", root, size=8).train.images[0].max()) == 7


@pytest.mark.parametrize("size", [16, 224])
def test_an_image_so_narrow_that_resizing_it_fills_the_memory_is_refused(tmp_path, monkeypatch, size):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60_000)
    root = write_folder(tmp_path / "set")
    Image.new("1", (1, 4000)).save(root / "test" / "ant" / "0000.png")
    with pytest.raises(ValueError, match=r"0000.png: 1x4000 is too narrow, \d+x\d+ have more than 60000 pixels"):
        for _ in load_data("imagefolder", root, size=size).test.batches(1):
            pass


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(ValueError, match="imagefolder: pass the folder"):
        load_data("imagefolder")
    with pytest.raises(ValueError, match="must hold train/<class>/<image> and either test"):
        load_data("imagefolder", tmp_path / "nowhere")
    root = write_folder(tmp_path / "set")
    (root / "val").mkdir()
    with pytest.raises(ValueError, match="either test/<class>/ or val/<class>/"):
        load_data("imagefolder", root)
    (root / "val").rmdir()
    (root / "test" / "cow").mkdir()
    with pytest.raises(ValueError, match="class 'cow' is not among the 2 classes"):
        load_data("imagefolder", root)
    (root / "test" / "cow").rmdir()
    for file in (root / "train").rglob("*.png"):
        file.unlink()
    with pytest.raises(ValueError, match="train: no images"):
        load_data("imagefolder", root)
    (tmp_path / "file.zip").write_bytes(b"")
    with pytest.raises(ValueError, match="must be a folder or an archive"):
        load_data("imagefolder", tmp_path / "file.zip")


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_an_archive_equals_its_folder(tmp_path, suffix):
    root = write_folder(tmp_path / "set")
    (root / "train" / "ant" / "notes.txt").write_text("junk")
    path = write_tar(tmp_path / f"set{suffix}", root)
    a, b = load_data("imagefolder", root), load_data("imagefolder", path, cache=tmp_path / "cache")
    assert a.class_names == b.class_names
    assert torch.equal(a.train.images, b.train.images)
    assert torch.equal(a.test.images, b.test.images)
    assert torch.equal(a.train.labels, b.train.labels)
    assert a.sha256 == b.sha256


def test_the_cache_is_used_keyed_by_content_and_never_trusted_when_damaged(tmp_path, monkeypatch):
    root, cache = write_folder(tmp_path / "set"), tmp_path / "cache"
    path = write_tar(tmp_path / "set.tar", root)
    first = load_data("imagefolder", path, cache=cache)
    (kept,) = cache.iterdir()
    monkeypatch.setattr(_images, "_decode_tar", lambda *args: pytest.fail("decoded again"))
    again = load_data("imagefolder", path, cache=cache)
    assert again.sha256 == first.sha256
    assert again.note == first.note
    monkeypatch.undo()
    kept.write_bytes(kept.read_bytes()[:-300])
    assert load_data("imagefolder", path, cache=cache).sha256 == first.sha256
    noise(8, 8, seed=999).save(root / "train" / "ant" / "0000.png")
    write_tar(path, root)
    assert load_data("imagefolder", path, cache=cache).sha256 != first.sha256
    assert load_data("imagefolder", path, cache=cache, size=4).shape == (3, 4, 4)
    assert {entry.suffix for entry in cache.iterdir()} == {".npz"}, "no half-written file is left"


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    path = write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set"))
    (tmp_path / "file").write_text("in the way")
    assert len(load_data("imagefolder", path, cache=tmp_path / "file").train) == 6


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("STRONGTICKETS_CACHE", str(tmp_path / "mine"))
    load_data("imagefolder", write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set")))
    assert len(list((tmp_path / "mine").iterdir())) == 1


def test_members_that_point_outside_do_no_harm(tmp_path):
    path = write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set"))
    buffer = io.BytesIO()
    noise(8, 8, seed=1).save(buffer, "png")
    with tarfile.open(path, "a") as archive:
        for name in ("../../elsewhere/ant/evil.png", "/abs/ant/evil2.png"):
            member = tarfile.TarInfo(name)
            member.size = len(buffer.getvalue())
            archive.addfile(member, io.BytesIO(buffer.getvalue()))
        link = tarfile.TarInfo("set/train/ant/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    before = sorted(tmp_path.parent.rglob("*"))
    data = load_data("imagefolder", path, cache=tmp_path / "set" / "cache")
    assert len(data.train) == 6, "a link is no file"
    assert [p for p in sorted(tmp_path.parent.rglob("*")) if p not in before and "cache" not in p.parts] == []


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    noise(8, 8, seed=seed).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("set/train/ant/0000.png", "holds train/ant/0000.png twice"),
        (
            "other/train/ant/0009.png",
            "must hold one train/ and either test/ or val/, got other/train, set/test, set/train",
        ),
        (
            "../../train/ant/evil.png",
            "must hold one train/ and either test/ or val/, got ../../train, set/test, set/train",
        ),
        ("set/val/ant/0009.png", "must hold one train/ and either test/ or val/, got set/test, set/train, set/val"),
        ("set/train/.hidden/0009.png", None),
        ("set/train/__MACOSX/0009.png", None),
    ],
)
def test_an_archive_is_one_folder_that_holds_nothing_twice(tmp_path, name, says):
    path = write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set"))
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(png(9))
        archive.addfile(member, io.BytesIO(png(9)))
    if says is None:
        data = load_data("imagefolder", path, cache=tmp_path / "cache")
        assert (data.class_names, len(data.train)) == (("ant", "bee"), 6), "as in a folder"
        return
    with pytest.raises(ValueError, match=re.escape(f"set.tar: {says}")):
        load_data("imagefolder", path, cache=tmp_path / "cache")


def test_an_archive_that_unpacks_to_far_more_than_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(_images, "_ALWAYS_BYTES", 2**20)
    path = tmp_path / "set.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        member = tarfile.TarInfo("set/readme")
        member.size = 2**22
        archive.addfile(member, io.BytesIO(bytes(2**22)))
    with pytest.raises(ValueError, match=r"set.tar.xz: unpacks to more than 200 times its size"):
        load_data("imagefolder", path, cache=tmp_path / "cache")


def test_an_archive_is_read_in_pieces_that_fit_into_memory(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set"))
    whole = load_data("imagefolder", path, cache=tmp_path / "a")
    sizes = []
    monkeypatch.setattr(_images, "_BYTES_AT_ONCE", 500)  # two images
    real = _images._some
    monkeypatch.setattr(_images, "_some", lambda members: sizes.append(len(some := real(members))) or some)
    assert load_data("imagefolder", path, cache=tmp_path / "b").sha256 == whole.sha256
    assert max(sizes) <= 3
    assert sum(sizes) == 12


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_every_cut_of_an_archive_is_noticed(tmp_path, suffix):
    path = write_tar(tmp_path / f"set{suffix}", write_folder(tmp_path / "set", sizes=((8, 8),)))
    raw = path.read_bytes()
    tails = range(1, len(raw) - 1, max(1, len(raw) // 40))
    if suffix == ".tar":  # the padding after the two closing blocks is nothing: cut from the last file's end on
        end = len(raw.rstrip(b"\0"))
        tails = [0, 512, 700, 1024, 1536, end // 2, end - 1, end, (end + 511) // 512 * 512 + 512]
    for cut in tails:
        path.write_bytes(raw[:cut])
        with pytest.raises(ValueError, match=r"damaged archive|no images in|not a readable image"):
            load_data("imagefolder", path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists(), "nothing of a damaged archive is kept"
    path.write_bytes(raw)
    assert len(load_data("imagefolder", path, cache=tmp_path / "cache").train) == 2


def test_damage_inside_a_compressed_archive_is_noticed(tmp_path):
    path = write_tar(tmp_path / "set.tar.xz", write_folder(tmp_path / "set"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(ValueError, match="damaged archive"):
        load_data("imagefolder", path, cache=tmp_path)
    path.write_bytes(lzma.compress(b"no archive" * 200))
    with pytest.raises(ValueError, match="damaged archive"):
        load_data("imagefolder", path, cache=tmp_path)
    with pytest.raises(ValueError, match=r"gone.tar: must hold|gone.tar: not readable"):
        load_data("imagefolder", tmp_path / "gone.tar")


def test_archives_of_large_images_are_refused_unless_a_size_is_given(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "set.tar", write_folder(tmp_path / "set", sizes=((100, 120),)))
    with pytest.raises(ValueError, match="not a square of at most 96 pixels; pass size, or unpack"):
        load_data("imagefolder", path, cache=tmp_path / "cache")
    assert load_data("imagefolder", path, size=16, cache=tmp_path / "cache").shape == (3, 16, 16)
    monkeypatch.setattr(_images, "MEMORY_BYTES", 3 * 15 * 15 * 3)
    with pytest.raises(ValueError, match="too large for memory at 15x15"):
        load_data("imagefolder", path, size=15, cache=tmp_path / "cache")


def test_cifar_from_images_says_that_it_is_a_copy(tmp_path):
    root = write_folder(tmp_path / "set", classes=CIFAR, sizes=((32, 32),) * 2)
    data = load_data("cifar10", root)
    assert "JPEG copy, not the published bits" in data.note
    assert data.shape == (3, 32, 32)
    path = write_tar(tmp_path / "cifar10-jpeg.tar.xz", root)
    for place in (path, tmp_path):
        again = load_data("cifar10", place, cache=tmp_path / "cache")
        assert "JPEG copy, not the published bits" in again.note
        assert again.sha256 == data.sha256
    with pytest.raises(ValueError, match="must hold the classes airplane"):
        load_data("cifar10", write_folder(tmp_path / "other"))


@pytest.mark.slow
@pytest.mark.skipif(
    not JPEG.is_file(),
    reason="no CIFAR-10 images (set STRONGTICKETS_DATA to the folder that holds cifar10-jpeg.tar.xz)",
)
def test_the_real_cifar_images(tmp_path, monkeypatch):
    monkeypatch.setenv("STRONGTICKETS_DATA", str(DATA))
    data = load_data("cifar10", cache=tmp_path)
    assert (len(data.train), len(data.test), data.shape, data.class_names) == (50_000, 10_000, (3, 32, 32), CIFAR)
    assert "JPEG copy, not the published bits" in data.note
    assert torch.bincount(data.train.labels).tolist() == [5000] * 10
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    mean = data.train.images.numpy().mean((0, 2, 3)) / 255
    assert mean.tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)  # the known means of the published bits
    x, _ = next(data.train.batches(5000, order=(1, 0), augment=False))
    assert x.mean((0, 2, 3)).abs().max() < 0.05
    assert (x.std((0, 2, 3)) - 1).abs().max() < 0.05
    with tarfile.open(JPEG, "r:xz") as archive:  # one image, found and decoded another way
        member = next(entry for entry in archive if entry.isfile() and "/frog/" in entry.name and "train" in entry.name)
        image = Image.open(io.BytesIO(archive.extractfile(member).read()))
        frogs = data.train.images[data.train.labels == 6].numpy()
        assert (frogs == pixels(image.convert("RGB"))).all((1, 2, 3)).any()


def test_a_file_that_changes_between_two_epochs_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    split = FileSplit((path,), torch.zeros(1, dtype=torch.int64), side=8, shorter=8, workers=1)
    assert split._bytes(0) == split._bytes(0) == b"first"
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"a\.png: its content is not what it was when this run first read it"):
        split._bytes(0)
