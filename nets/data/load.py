"""Data sets for finding tickets: digits, MNIST, CIFAR-10 and image folders, as uint8 images with labels.

`load_data` reads, `Split.batches` shuffles, augments and normalises. Nothing is downloaded unless asked for, nothing is
unpacked, and no pickle runs code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nets.arguments import file_path, flag, of_type
from nets.data import cifar as _cifar
from nets.data import images as _images
from nets.data.augment import check_augmentation
from nets.data.split import FileSplit, Split
from sims.solver.limits import MAX_SEED, between, finite_number
from theory.numerics.check import shown

__all__ = ["AUGMENTS", "DATASETS", "NORMALISE", "Data", "Split", "cache_folder", "load_data"]

DATASETS = ("digits", "mnist", "cifar10", "imagefolder")
"""Names that `load_data` knows."""

NORMALISE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "unit": ((0.0,), (1.0,)),
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation by name; pixels are in [0, 1] before. Edge-Popup, Biprop and recycling take "cifar10" for
CIFAR-10, IteRand takes "imagenet" for it."""

AUGMENTS = {"digits": "none", "mnist": "none", "cifar10": "crop-flip", "imagefolder": "resized-crop"}
"""What `augment=None` means."""

_USUAL = {"digits": "unit", "mnist": "mnist", "cifar10": "cifar10", "imagefolder": "imagenet"}
_PASS = "pass the folder (--data-dir)"
JPEG_ARCHIVE = "cifar10-jpeg.tar.xz"


@dataclass(frozen=True)
class Data:
    """A data set in two or three parts."""

    name: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    """Channels, height, width."""
    train: Split = field(repr=False)
    validation: Split | None = field(repr=False)
    """Held out of the published training part, or None."""
    test: Split = field(repr=False)
    note: str
    """Where the images come from and what is special about them; show it beside every accuracy."""
    place: Path | None = None
    """Where they were found, for data that are looked for in several places."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def digests(self) -> dict[str, torch.Tensor]:
        """Of images left in their files, by part: `nets.data.split.FileSplit.digests`; empty for images in memory."""
        return {name: part.digests for name, part in self._in_files()}

    def expect(self, digests: Mapping[str, torch.Tensor]) -> None:
        """From now on refuse files whose bytes are not those of `digests`, which `digests()` gave for the same data."""
        for name, part in self._in_files():
            if name in digests:
                part.digests.copy_(digests[name])

    def _in_files(self) -> list[tuple[str, FileSplit]]:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return [(name, part) for name, part in parts.items() if isinstance(part, FileSplit)]

    @cached_property
    def sha256(self) -> str:
        """Of all images and labels, part by part (100 MB take a tenth of a second).

        Of images left in their files it takes names and sizes only; their bytes are compared as they are read, see
        `nets.data.split.FileSplit.digests`.
        """
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            if part is None:
                continue
            digest.update(f"{len(part)} {tuple(part.images.shape)} ".encode())
            if isinstance(part, FileSplit):
                for path in part.files:
                    digest.update(f"{path.parent.name}/{path.name} {path.stat().st_size}\n".encode())
            digest.update(np.ascontiguousarray(part.images.numpy()).data)
            digest.update(np.ascontiguousarray(part.labels.numpy()).data)
        return digest.hexdigest()


def load_data(
    name: str,
    folder: str | Path | None = None,
    *,
    augment: str | None = None,
    validation: int | float = 0,
    normalise: str | tuple[Sequence[float], Sequence[float]] | None = None,
    seed: int = 0,
    noise: float = 0.0,
    download: bool = False,
    size: int | None = None,
    workers: int | None = None,
    cache: str | Path | None = None,
) -> Data:
    """Read a data set.

    Parameters
    ----------
    name : {"digits", "mnist", "cifar10", "imagefolder"}
        "digits" comes with scikit-learn: 1797 images of 8x8; the 360 that `nets.targets.digits.digits_split(seed=0)`
        puts aside are the test part, whatever `seed` is. "mnist": four IDX files, in the folder or where torchvision
        puts them (`nets.data.mnist`). "cifar10": the published Python
        batches, or an image folder or archive of one with the ten classes. "imagefolder": train/<class>/<image> and
        test/<class>/<image> or val/<class>/<image>, such as ImageNet; grey images get three equal channels; of
        several frames the first counts, transparency and the orientation in a photograph's EXIF data do not; files that
        are no images are passed over and counted in the note.
    folder : str or Path, optional
        Where the files lie, or the archive itself. Default for "mnist" and "cifar10": $STRONGTICKETS_DATA (its mnist/
        and cifar10/, and it itself), then `cache_folder()`.
    augment : str, optional
        One of `nets.data.augment.AUGMENTATIONS`, for shuffled batches of the training part. Default: see `AUGMENTS`.
    validation : int >= 0, or float in [0, 1)
        Images, or part of them, that are held out of the training part. 0 holds out nothing: then nothing can be chosen
        without looking at the test images.
    normalise : str or (mean, std), optional
        One of `NORMALISE`, or numbers per channel. Default: that of the data set; digits are left in [0, 1].
    seed : int
        Of the validation images only: the last ones of `torch.randperm(count)` under a generator with this seed, as
        `torch.utils.data.random_split` takes them. IteRand holds out 10 % with seed 777.
    noise : float >= 0
        Standard deviation of noise on augmented pixels in [0, 1], clamped after (Biprop's robustness option: 0.1).
    download : bool
        Let "cifar10" fetch the published archive (170 MB) into `cache_folder()` where no files are found.
    size : int, optional
        Image folders: side of the images. Default: as they are if most are square and at most 96 wide, else 224.
        A test image is resized, its shorter side to size (small images) or size * 256 / 224, and its centre cut out.
    workers : int, optional
        Threads that decode images. Default: as many as there are processors, at most 16.
    cache : str or Path, optional
        Instead of `cache_folder()`. Images out of an archive are kept there after decoding (CIFAR-10: 184 MB).

    Raises
    ------
    ValueError
        If a name or number is out of range, or a file is missing or damaged: one line, with what to do.

    Examples
    --------
    >>> data = load_data("digits", validation=0.1)
    >>> data.shape, data.classes, len(data.train), len(data.validation), len(data.test)
    ((1, 8, 8), 10, 1293, 144, 360)
    >>> x, y = next(data.train.batches(32, order=(7, 0)))
    >>> x.shape, y.shape
    (torch.Size([32, 1, 8, 8]), torch.Size([32]))
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise ValueError(f"name must be one of {', '.join(DATASETS)}, got name={shown(name)}")
    augmentation = AUGMENTS[name] if augment is None else augment
    check_augmentation(augmentation)
    if (noise := finite_number("noise", noise)) < 0:
        raise ValueError(f"noise must be a number >= 0, got noise={noise!r}")
    seed, download = between("seed", seed, 0, MAX_SEED), flag("download", download)
    folder = folder if folder is None else file_path("folder", folder)
    for label, number in (("size", size), ("workers", workers)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise ValueError(f"{label} must be an integer >= 1, got {label}={number!r}")
    if size is not None and name != "imagefolder":
        raise ValueError(f"size is for imagefolder only, got size={size} for {name}")
    kept = None if cache is None else Path(file_path("cache", cache))
    threads = workers or min(16, os.cpu_count() or 1)
    if name == "digits":
        parts = _digits(folder)
    elif name == "mnist":
        parts = _mnist(folder, kept)
    elif name == "cifar10":
        parts = _cifar10(folder, kept, download, threads)
    else:
        parts = _folder(folder, kept, threads, size, augmentation)
    mean, std = _constants(_USUAL[name] if normalise is None else normalise, parts.shape[0])
    options: dict[str, Any] = {"levels": parts.levels, "mean": mean, "std": std, **parts.options}
    for_training = {"augmentation": augmentation, "noise": noise}
    train, held = _hold_out(len(parts.train[1]), validation, seed)
    return Data(
        name,
        parts.class_names,
        parts.shape,
        _split(parts.train, train, {**options, **for_training}),
        None if held is None else _split(parts.train, held, options),
        _split(parts.test, None, options),
        parts.note,
        parts.place,
    )


def cache_folder() -> Path:
    """Where downloads and decoded images are kept: $STRONGTICKETS_CACHE, or the user's own cache folder."""
    if chosen := os.environ.get("STRONGTICKETS_CACHE"):
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("strong-tickets"))


@dataclass(frozen=True)
class _Parts:
    """What a reader found: images (an array, or file names) and labels."""

    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    train: tuple[Any, Any]
    test: tuple[Any, Any]
    note: str
    levels: int = 255
    options: dict[str, Any] = field(default_factory=dict)
    place: Path | None = None


def _split(part: tuple[Any, Any], chosen: np.ndarray | None, options: dict[str, Any]) -> Split:
    images, labels = part
    if chosen is not None:
        labels = labels[chosen]
        images = tuple(images[i] for i in chosen) if isinstance(images, tuple) else images[chosen]
    y = torch.from_numpy(np.ascontiguousarray(labels))
    if isinstance(images, tuple):
        return FileSplit(images, y, **options)
    return Split(torch.from_numpy(np.require(images, requirements=["C", "W"])), y, **options)


def _hold_out(count: int, validation: int | float, seed: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Indices that stay and indices that are held out, each in the file's order."""
    part = 0.0 if isinstance(validation, int) else finite_number("validation", validation)
    number = validation if isinstance(validation, int) else round(part * count) if 0 <= part < 1 else -1
    if isinstance(validation, bool) or not 0 <= number < count:
        raise ValueError(
            f"validation must be an integer in [0, {count}) or a part in [0, 1), got validation={shown(validation)}"
        )
    if number == 0:
        return None, None
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).numpy()
    return np.sort(order[: count - number]), np.sort(order[count - number :])


def _constants(normalise: Any, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(normalise, str):
        if normalise not in NORMALISE:
            raise ValueError(f"normalise must be one of {', '.join(NORMALISE)}, got normalise={normalise!r}")
        normalise = NORMALISE[normalise]
    pair = of_type("normalise", normalise, (tuple, list), "a name or (means, spreads)")
    if len(pair) != 2 or not all(isinstance(side, Sequence) and not isinstance(side, str) for side in pair):
        raise ValueError(f"normalise must be a name or (means, spreads), got {shown(normalise)}")
    mean, std = (tuple(finite_number("normalise", v) for v in side) for side in pair)
    if any(len(side) not in (1, channels) for side in (mean, std)) or not all(v > 0 for v in std):
        need = "1" if channels == 1 else f"1 or {channels}"
        raise ValueError(
            f"normalise must give {need} mean{'s' * (channels > 1)} and as many positive spreads for images of "
            f"{channels} channel{'s' * (channels > 1)}, got {mean}, {std}"
        )
    return tuple(np.broadcast_to(mean, channels).tolist()), tuple(np.broadcast_to(std, channels).tolist())


def _places(kind: str, cache: Path | None) -> list[Path]:
    """Where files are looked for if no folder is given."""
    shared = os.environ.get("STRONGTICKETS_DATA")
    roots = [Path(shared)] if shared else []
    return [place for root in roots for place in (root / kind, root)] + [(cache or cache_folder()) / kind]


def _digits(folder: str | Path | None) -> _Parts:
    from nets.targets.digits import digits_split

    if folder is not None:
        raise ValueError(f"digits come with scikit-learn and take no folder, got folder={str(folder)!r}")
    found = digits_split(seed=0)  # pixels are multiples of 1/16
    train, test = (
        ((x * 16).round().to(torch.uint8).reshape(-1, 1, 8, 8).numpy(), y.numpy())
        for x, y in ((found.x_train, found.y_train), (found.x_test, found.y_test))
    )
    names = tuple(str(digit) for digit in range(10))
    return _Parts(names, (1, 8, 8), train, test, "digits of scikit-learn, 1437 + 360 images of 8x8", levels=16)


def _mnist(folder: str | Path | None, cache: Path | None) -> _Parts:
    from nets.data.mnist import mnist_folder, read_part

    places = _places("mnist", cache) if folder is None else [Path(folder)]
    place = next((found for root in places if (found := mnist_folder(root)) is not None), None)
    if place is None:
        raise ValueError(f"mnist: no files found in {', '.join(map(str, places))}; {_PASS} with the four files")
    parts = []
    for part in ("train", "test"):
        try:
            images, labels = read_part(place, part)
        except ValueError as error:
            raise ValueError(f"mnist: {error}; the folder must hold the four published IDX files") from None
        if images.shape[1] != images.shape[2]:
            raise ValueError(f"mnist: the {part} images in {place} are {images.shape[1]}x{images.shape[2]}, not square")
        if (highest := int(labels.max())) > 9:
            raise ValueError(f"mnist: the {part} labels in {place} go up to {highest}, not 9")
        parts.append((images[:, None], labels.astype(np.int64)))
    shape = parts[0][0].shape[1:]
    if parts[1][0].shape[1:] != shape:
        raise ValueError(f"mnist: training images of shape {shape}, test images of shape {parts[1][0].shape[1:]}")
    names = tuple(str(digit) for digit in range(10))
    whose = f" of {place.parent.name}" if place.name == "raw" else ""
    note = f"IDX files{whose}, {len(parts[0][1])} + {len(parts[1][1])} images of {shape[1]}x{shape[2]}"
    return _Parts(names, shape, parts[0], parts[1], note, place=place)


def _cifar10(folder: str | Path | None, cache: Path | None, download: bool, threads: int) -> _Parts:
    places = _places("cifar10", cache) if folder is None else [Path(folder)]
    place = next((found for root in places if (found := _cifar_in(root)) is not None), None)
    if place is None and not download:
        raise ValueError(
            f"cifar10: no files found in {', '.join(map(str, places))}; {_PASS} that holds "
            f"{_cifar.ARCHIVE} (from {_cifar.URL}) or an image folder, or, in Python, download=True"
        )
    if place is None:
        place = _cifar.download(places[-1])
    if place.name.endswith(".gz"):
        train, test, note = _cifar.read_archive(place)
    elif (place / "data_batch_1").exists():
        train, test, note = _cifar.read_folder(place)
    else:
        parts = _folder(place, cache, threads, 32, "none")
        if parts.class_names != _cifar.CLASSES:
            raise ValueError(f"cifar10: {place} must hold the classes {', '.join(_cifar.CLASSES)}")
        return replace(parts, note=f"CIFAR-10, JPEG copy, not the published bits: {parts.note}", place=place)
    return _Parts(_cifar.CLASSES, (3, 32, 32), train, test, f"CIFAR-10, {note}", place=place)


def _cifar_in(root: Path) -> Path | None:
    """Find CIFAR-10 in a place, the published form before a copy: batches, their archive, a JPEG archive or folder."""
    if root.is_file():
        return root
    candidates = (root, root / _cifar.BATCH_FOLDER)
    if found := next((entry for entry in candidates if (entry / "data_batch_1").exists()), None):
        return found
    if found := next((root / name for name in (_cifar.ARCHIVE, JPEG_ARCHIVE) if (root / name).is_file()), None):
        return found
    return root if (root / _images.TRAIN).is_dir() else None


def _folder(folder: str | Path | None, cache: Path | None, threads: int, size: int | None, augmentation: str) -> _Parts:
    if folder is None:
        raise ValueError("imagefolder: pass the folder that holds train/<class>/ and test/<class>/ or val/<class>/")
    root = Path(folder)
    if root.is_file():
        if not root.name.endswith(_images.TAR_SUFFIXES):
            raise ValueError(f"{root}: must be a folder or an archive ({' '.join(_images.TAR_SUFFIXES)})")
        classes, train, test, sha256 = _images.read_tar(root, size, cache=cache or cache_folder(), workers=threads)
        note = f"{root.name} (sha256 {sha256[:12]}), {len(train[1])} + {len(test[1])} images"
        return _Parts(classes, train[0].shape[1:], train, test, note)
    classes, train_list, test_list = _images.list_folder(root)
    skipped = train_list.skipped + test_list.skipped
    note = f"{root.name}/, {len(train_list.files)} + {len(test_list.files)} images"
    note += f", {skipped} other files passed over" if skipped else ""
    width, height = _images.usual_size(train_list.files)
    side = size or (width if width == height and width <= _images.SMALL_SIDE else 224)
    count = len(train_list.files) + len(test_list.files)
    if side <= _images.SMALL_SIDE and 3 * side * side * count <= _images.MEMORY_BYTES:
        pixels, fitted = _images.decode_all(train_list.files, side, workers=threads)
        test_pixels, more = _images.decode_all(test_list.files, side, workers=threads)
        note += (
            f", {fitted + more} of another size resized and centre-cropped to {side}x{side}" if fitted + more else ""
        )
        return _Parts(classes, (3, side, side), (pixels, train_list.labels), (test_pixels, test_list.labels), note)
    if augmentation not in ("none", "resized-crop"):
        raise ValueError(
            f"images read from their files take augment none or resized-crop, got augment={augmentation!r}"
        )
    options = {"side": side, "shorter": round(side * 256 / 224), "workers": threads}
    parts = (train_list.files, train_list.labels), (test_list.files, test_list.labels)
    return _Parts(classes, (3, side, side), *parts, f"{note}, read as they are needed, {side}x{side}", options=options)
