"""CIFAR-10 in its published form: batches pickled by Python 2, read without running anything that a pickle asks for.

The pickles name three NumPy functions; each is replaced by an inert record of its arguments, so neither NumPy nor any
other code runs while a file is read, and every other name is refused.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nets.pickled import check_pickle

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
BATCH_FOLDER = "cifar-10-batches-py"
BATCH_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
"""Published checksums, as in torchvision's loader (read)."""

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_MAX_BYTES = 64 * 2**20

Part = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


class _Record:
    """Stands for what a pickle would build; keeps the state that the pickle gives it."""

    state: Any = None

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Record):
    pass


class _Dtype(_Record):
    pass


class _Refused(Exception):
    pass


class _Reader(pickle.Unpickler):
    """Knows the names in CIFAR's pickles, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy", "ndarray"): _Record,
            ("numpy", "dtype"): _Dtype,
        }
        if (module, name) not in known:
            raise _Refused(f"it asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Refused("it asks for an object outside the file")


def read_batch(raw: bytes, name: str) -> Part:
    """Read one published batch: images (count, 3, 32, 32) and labels (count,).

    Parameters
    ----------
    raw : bytes
        The file's content.
    name : str
        For messages.

    Raises
    ------
    ValueError
        If the pickle asks for anything but arrays, is damaged, or does not hold images and labels that fit together.
    """
    try:
        check_pickle(raw)
        found = _Reader(io.BytesIO(raw), encoding="bytes").load()
    except _Refused as error:
        raise ValueError(f"{name}: refused, {error}; a CIFAR-10 batch holds arrays only, and no code is run") from None
    except Exception as error:  # a damaged pickle can raise almost anything
        raise ValueError(f"{name}: damaged, not a readable pickle ({type(error).__name__}); {_AGAIN}") from None
    if not isinstance(found, dict) or b"data" not in found or b"labels" not in found:
        raise ValueError(f"{name}: not a CIFAR-10 batch, it lacks 'data' or 'labels'")
    labels = found[b"labels"]
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 10 for label in labels):
        raise ValueError(f"{name}: labels must be integers in 0..9")
    data = _array(found[b"data"], name)
    if data.shape != (len(labels), 3072) or not labels:
        raise ValueError(f"{name}: {len(labels)} labels and images of shape {data.shape} do not fit")
    return data.reshape(-1, 3, 32, 32), np.array(labels, np.int64)


def _array(record: Any, name: str) -> npt.NDArray[np.uint8]:
    """Rebuild an array from its record, if it is a plain one of bytes."""
    try:
        _, shape, dtype, fortran, raw = record.state
        plain = isinstance(record, _Array) and isinstance(dtype, _Dtype) and isinstance(raw, bytes) and not fortran
        if not plain or dtype.args[0] not in ("u1", b"u1"):
            raise TypeError
        return np.frombuffer(raw, np.uint8).reshape([int(side) for side in shape])
    except (AttributeError, TypeError, ValueError, IndexError):
        raise ValueError(f"{name}: 'data' is not a plain array of bytes; {_AGAIN}") from None


_AGAIN = f"get {ARCHIVE} again, from {URL}"


def read_folder(folder: Path) -> tuple[Part, Part, str]:
    """Read the six batch files in a folder: train, test and a note on where they come from."""
    return _read({name: folder / name for name in BATCH_MD5}.__getitem__, _bytes_of)


def read_archive(path: Path, *, md5: str | None = None) -> tuple[Part, Part, str]:
    """Read the published archive without unpacking it; its checksum must be the published one.

    Raises
    ------
    ValueError
        If the archive is missing, damaged, has another checksum, or lacks a batch.
    """
    wanted = ARCHIVE_MD5 if md5 is None else md5
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != wanted:
            raise ValueError(f"{path.name}: md5 {found}, published is {wanted}: damaged or another file; {_AGAIN}")
        with tarfile.open(path, "r:gz") as archive:

            def member(name: str) -> bytes:
                entry = archive.getmember(f"{BATCH_FOLDER}/{name}")
                if not entry.isfile() or entry.size > _MAX_BYTES:
                    raise ValueError(f"{path.name}: {name} is not a file of a batch's size; {_AGAIN}")
                stream = archive.extractfile(entry)
                return stream.read() if stream else b""

            return _read(str, member)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"{path.name}: not readable ({type(error).__name__}); {_AGAIN}") from None
    except KeyError as error:
        raise ValueError(f"{path.name}: {error.args[0]}; {_AGAIN}") from None


def _bytes_of(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError(f"{path.name}: is no file in {str(path.parent)!r}; {_AGAIN}")
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"{path.name}: larger than a batch can be; {_AGAIN}")
        return path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else type(error).__name__
        raise ValueError(f"{path.name}: {reason} in {str(path.parent)!r}; {_AGAIN}") from None


def _read(where: Callable[[str], Any], get: Callable[[Any], bytes]) -> tuple[Part, Part, str]:
    parts, published = [], True
    for name, md5 in BATCH_MD5.items():
        raw = get(where(name))
        published &= hashlib.md5(raw, usedforsecurity=False).hexdigest() == md5
        parts.append(read_batch(raw, name))
    train = np.concatenate([part[0] for part in parts[:-1]]), np.concatenate([part[1] for part in parts[:-1]])
    note = "the published bits (checksums agree)" if published else "batch files that are NOT the published bits"
    return train, parts[-1], note


def download(cache: Path) -> Path:
    """Fetch the published archive into `cache` unless it is there; the checksum is checked.

    Raises
    ------
    ValueError
        If the network or the checksum fails.
    """
    import pooch

    try:
        return Path(pooch.retrieve(URL, f"md5:{ARCHIVE_MD5}", fname=ARCHIVE, path=os.fspath(cache)))
    except Exception as error:  # requests, urllib3, pooch and the file system each have their own
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"could not download {ARCHIVE} ({type(error).__name__}: {reason}); get it from {URL} by other means and "
            f"pass the folder that holds it"
        ) from None
