"""Image folders, train/<class>/<image>, as directories or inside a tar archive, which is read without unpacking it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import itertools
import lzma
import os
import tarfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from nets.data.depth import DepthError, to_rgb

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
"""Files that count as images; all others are passed over and counted."""

_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "PPM", "TIFF", "GIF")
"""What such a file may hold, whatever its name: Pillow would hand others, as EPS, to programs of their own."""

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
TRAIN, TEST = "train", ("test", "val")
SMALL_SIDE = 96
"""Images no larger are held in memory, at their own size if they are square."""

MEMORY_BYTES = 4 * 2**30
"""Images that take more are left in their files."""

_MAX_FILE = 256 * 2**20
_AT_ONCE, _BYTES_AT_ONCE = 2048, 2**28
_ALWAYS_BYTES, _MOST_PACKED = 2**28, 200
_CACHE_FORMAT = 2

Part = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Listing:
    """Images of one part, sorted by class and name: paths, labels, and how many other files were passed over."""

    files: tuple[Path, ...]
    labels: npt.NDArray[np.int64]
    skipped: int


def list_folder(root: Path) -> tuple[tuple[str, ...], Listing, Listing]:
    """Find the classes and the images of train/ and of test/ or val/.

    Raises
    ------
    ValueError
        If a part is missing or empty, a class has no training images or is in the test part only, or what is named as
        an image is no file.
    """
    tests = [root / name for name in TEST if (root / name).is_dir()]
    if not (root / TRAIN).is_dir() or len(tests) != 1:
        raise ValueError(f"{root}: must hold train/<class>/<image> and either test/<class>/ or val/<class>/")
    classes = tuple(sorted(entry.name for entry in (root / TRAIN).iterdir() if _is_class(entry)))
    extra = sorted(entry.name for entry in tests[0].iterdir() if _is_class(entry) and entry.name not in classes)
    if extra:
        raise ValueError(f"{tests[0]}: class {extra[0]!r} is not among the {len(classes)} classes of train/")
    train = _list_part(root / TRAIN, classes)
    if empty := sorted(set(classes).difference(file.parent.name for file in train.files)):
        raise ValueError(f"{root / TRAIN}: class {empty[0]!r} has no images")
    return classes, train, _list_part(tests[0], classes)


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and _is_class_name(entry.name)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # links that go round
        return False


def _is_class_name(name: str) -> bool:
    return not name.startswith((".", "__"))


def _list_part(folder: Path, classes: Sequence[str]) -> Listing:
    files, labels, skipped = [], [], 0
    for label, name in enumerate(classes):
        if not (folder / name).is_dir():
            continue
        with os.scandir(folder / name) as entries:
            found = sorted((entry.name, _is_file(entry)) for entry in entries)
        kept = [folder / name / file for file, _ in found if _is_image(file)]
        if odd := [file for file, is_file in found if _is_image(file) and not is_file]:  # a pipe would be waited for
            raise ValueError(f"{folder / name / odd[0]}: is named as an image, but is no file")
        skipped += len(found) - len(kept)
        files += kept
        labels += [label] * len(kept)
    if not files:
        raise ValueError(f"{folder}: no images ({' '.join(SUFFIXES)}) in folders named after the classes")
    return Listing(tuple(files), np.array(labels, np.int64), skipped)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def open_image(source: Path | bytes, name: str) -> Any:
    """Decode one image to 8-bit RGB, see `nets.data.depth.to_rgb`.

    Raises
    ------
    ValueError
        If it cannot be decoded, or its pixels do not say what is white.
    """
    try:
        with _opened(source, name) as image:
            return to_rgb(image)
    except DepthError as error:
        raise ValueError(f"{name}: {error}") from None


@contextlib.contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Any]:
    """An image whose header was read, and which Pillow does not think a bomb; what it warns of is passed over."""
    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")  # for good: a filter for a while is not safe with threads
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS) as image:
            yield image
    except DepthError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"{name}: has more than {Image.MAX_IMAGE_PIXELS} pixels; replace or remove it") from None
    except Exception as error:  # a damaged image can raise almost anything
        reason = " ".join(str(error).split())[:120]
        raise ValueError(
            f"{name}: not a readable image ({type(error).__name__}: {reason}); replace or remove it"
        ) from None


def fit(image: Any, side: int, name: str, *, shorter: int | None = None) -> npt.NDArray[np.uint8]:
    """Resize so that the shorter side is `shorter` (default: `side`), cut the centre out; (3, side, side).

    An image that has the wanted size already is returned as it is.

    Raises
    ------
    ValueError
        With the image's `name`, if it is so narrow that it would take more pixels than Pillow lets an image have.
    """
    from PIL import Image

    width, height = image.size
    target = side if shorter is None else shorter
    if min(width, height) != target:
        scale = target / min(width, height)
        wanted = (max(target, round(width * scale)), max(target, round(height * scale)))
        if wanted[0] * wanted[1] > (limit := Image.MAX_IMAGE_PIXELS or 2**27):
            raise ValueError(
                f"{name}: {width}x{height} is too narrow, {wanted[0]}x{wanted[1]} have more than {limit} pixels"
            )
        image = image.resize(wanted, Image.Resampling.BILINEAR)
        width, height = image.size
    left, top = (width - side) // 2, (height - side) // 2
    if (width, height) != (side, side):
        image = image.crop((left, top, left + side, top + side))
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))


def decode_all(files: Sequence[Path], side: int, *, workers: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Decode every file to (count, 3, side, side), and count those that had another size and were fitted."""
    out = np.empty((len(files), 3, side, side), np.uint8)

    def work(i: int) -> bool:
        image = open_image(files[i], str(files[i]))
        out[i] = fit(image, side, str(files[i]))
        return bool(image.size != (side, side))

    with ThreadPoolExecutor(workers) as pool:
        fitted = sum(pool.map(work, range(len(files)), chunksize=64))
    return out, fitted


def usual_size(files: Sequence[Path]) -> tuple[int, int]:
    """Commonest (width, height) among up to 64 images spread over the list; only headers are read."""
    found: Counter[tuple[int, int]] = Counter()
    for path in files[:: max(1, len(files) // 64)]:
        with _opened(path, str(path)) as image:
            found[image.size] += 1
    return found.most_common(1)[0][0]


def read_tar(
    path: Path, side: int | None, *, cache: Path | None, workers: int
) -> tuple[tuple[str, ...], Part, Part, str]:
    """Read an image folder inside a tar archive into memory, through a cache of decoded pixels.

    Parameters
    ----------
    path : Path
        Members [any/]train/<class>/<image> and [any/]test/... or val/...; nothing is unpacked to the disk.
    side : int, optional
        Images of another size are fitted. Default: the side of the first image, which must be square and small.
    cache : Path, optional
        Where decoded pixels are kept, in one file named after the archive's sha256; None keeps nothing.
    workers : int
        Threads that decode.

    Returns
    -------
    classes, train, test, sha256 of the archive

    Raises
    ------
    ValueError
        If the archive is missing, damaged, cut short, too large for memory, or holds no such folder.
    """
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: not readable ({type(error).__name__})") from None
    kept = None
    if cache is not None:
        kept = cache / f"images-{sha256[:32]}-{side or 'own'}-v{_CACHE_FORMAT}.npz"
        if (found := _load_cache(kept)) is not None:
            return *found, sha256
    result = _decode_tar(path, side, workers)
    if kept is not None:
        _save_cache(kept, *result)
    return *result, sha256


def _decode_tar(path: Path, side: int | None, workers: int) -> tuple[tuple[str, ...], Part, Part]:
    found: dict[str, list[tuple[str, str, npt.NDArray[np.uint8]]]] = {"train": [], "test": []}
    count = 0

    def decode(member: tuple[str, str, str, bytes]) -> npt.NDArray[np.uint8]:
        assert side is not None
        name = f"{path.name}: {member[2]}"
        return fit(open_image(member[3], name), side, name)

    try:
        with ThreadPoolExecutor(workers) as pool:
            members = _members(path)
            while some := _some(members):
                side = side or _own_side(some[0][3], f"{path.name}: {some[0][2]}")
                count += len(some)
                if 3 * side * side * count > MEMORY_BYTES:
                    raise ValueError(f"{path.name}: too large for memory at {side}x{side}; unpack it, pass the folder")
                for (part, kind, name, _), pixels in zip(some, pool.map(decode, some), strict=True):
                    found[part].append((kind, name, pixels))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"{path.name}: damaged archive ({type(error).__name__}: {error}); get it again") from None
    classes = tuple(sorted({kind for kind, _, _ in found["train"]}))
    parts = []
    for part, images in found.items():
        if not images:
            raise ValueError(f"{path.name}: no images in {part}/<class>/")
        images.sort(key=lambda entry: entry[:2])
        for one, other in itertools.pairwise(images):
            if one[:2] == other[:2]:
                raise ValueError(f"{path.name}: holds {part}/{one[0]}/{one[1]} twice")
        if extra := sorted({kind for kind, _, _ in images} - set(classes)):
            raise ValueError(f"{path.name}: class {extra[0]!r} of {part}/ is not among the classes of train/")
        labels = np.array([classes.index(kind) for kind, _, _ in images], np.int64)
        parts.append((np.stack([pixels for _, _, pixels in images]), labels))
    return classes, parts[0], parts[1]


def _own_side(raw: bytes, name: str) -> int:
    image = open_image(raw, name)
    if image.width != image.height or image.width > SMALL_SIDE:
        raise ValueError(
            f"{name} is not a square of at most {SMALL_SIDE} pixels; pass size, or unpack the archive, pass the folder"
        )
    return int(image.width)


def _some(members: Iterator[tuple[str, str, str, bytes]]) -> list[tuple[str, str, str, bytes]]:
    """The next members, as many as memory should hold at once."""
    found: list[tuple[str, str, str, bytes]] = []
    size = 0
    for member in members:
        found.append(member)
        size += len(member[3])
        if len(found) == _AT_ONCE or size > _BYTES_AT_ONCE:
            break
    return found


class _Tail:
    """A stream that remembers its last bytes: a whole tar archive ends in two blocks of zeros. It has an end."""

    def __init__(self, stream: IO[bytes], limit: int, name: str) -> None:
        self.stream, self.last, self.left, self.name = stream, b"", limit, name

    def read(self, size: int) -> bytes:
        found = self.stream.read(size)
        self.left -= len(found)
        if self.left < 0:
            raise ValueError(f"{self.name}: unpacks to more than {_MOST_PACKED} times its size, as no images do")
        self.last = (self.last + found)[-1024:]
        return found


def _members(path: Path) -> Iterator[tuple[str, str, str, bytes]]:
    """Yield (part, class, name, content) of the regular files that are images of a part, in the archive's order."""
    openers: dict[str, Callable[..., Any]] = {
        ".gz": gzip.open,
        ".tgz": gzip.open,
        ".xz": lzma.open,
        ".bz2": bz2.open,
    }
    with openers.get(path.suffix.lower(), open)(path, "rb") as stream:
        whole = _Tail(stream, max(_ALWAYS_BYTES, _MOST_PACKED * path.stat().st_size), path.name)
        roots: set[tuple[tuple[str, ...], str]] = set()
        with tarfile.open(fileobj=cast(IO[bytes], whole), mode="r|") as archive:
            for member in archive:
                pieces = PurePosixPath(member.name).parts
                if not member.isfile() or len(pieces) < 3 or not _is_image(pieces[-1]):
                    continue
                part = {TRAIN: "train", **dict.fromkeys(TEST, "test")}.get(pieces[-3])
                if part is None or not _is_class_name(pieces[-2]):
                    continue
                roots.add((pieces[:-3], pieces[-3]))
                if len({root for root, _ in roots}) > 1 or len(roots) > 2:
                    named = ", ".join(sorted("/".join((*root, kind)) for root, kind in roots))
                    raise ValueError(f"{path.name}: must hold one train/ and either test/ or val/, got {named}")
                if member.size > _MAX_FILE:
                    raise ValueError(f"{path.name}: {member.name} has {member.size} bytes, the limit is {_MAX_FILE}")
                content = archive.extractfile(member)
                yield part, pieces[-2], pieces[-1], content.read() if content else b""
        while whole.read(2**20):  # to the end, where checksums are compared
            pass
    if whole.last != bytes(1024):  # tarfile itself takes a cut between two members for the end
        raise tarfile.ReadError("cut short")


def _load_cache(kept: Path) -> tuple[tuple[str, ...], Part, Part] | None:
    """What was decoded before; None if there is nothing or it is damaged, which costs only time."""
    import zipfile

    try:
        with open(kept, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in ("classes", "x_train", "y_train", "x_test", "y_test")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    parts = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    return tuple(str(name) for name in arrays["classes"]), *parts


def _save_cache(kept: Path, classes: Iterable[str], train: Part, test: Part) -> None:
    """Write beside the final name, then rename: a reader sees all or nothing. A full or read-only disk is no error."""
    temporary = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            np.savez(
                file, classes=np.array(classes), x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1]
            )
        os.replace(temporary, kept)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
