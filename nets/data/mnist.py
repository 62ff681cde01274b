"""A small reader of the MNIST files (IDX format, as published, gzipped or not); nothing is downloaded.

It stays because the one library that reads them, torchvision, fixes the version of PyTorch and is larger than this.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sims.solver.memory import available_bytes, readable

PIXELS = ("unit", "standard")
"""Inputs are x / 255 ("unit", in [0, 1]) or (x / 255 - 0.1307) / 0.3081 ("standard", as many training scripts do)."""

MEAN, SPREAD = 0.1307, 0.3081
_MAX_BYTES, _ALWAYS_BYTES, _MOST_PACKED = 2**30, 2**26, 200
_PREFIXES = {"train": "train", "test": "t10k"}
_INSIDE = ("", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw")


def idx_file(folder: str | Path, part: str, kind: str) -> Path:
    """Where images or labels lie in a folder, under any of their usual names.

    Parameters
    ----------
    part : {"train", "test"}
    kind : {"images", "labels"}

    Returns
    -------
    Path
        ``train-images-idx3-ubyte`` as published, ``train-images.idx3-ubyte``, or one of these with .gz; the first if
        there is none.
    """
    stem, dimensions = f"{_PREFIXES[part]}-{kind}", {"images": 3, "labels": 1}[kind]
    names = [f"{stem}{mark}idx{dimensions}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    places = [Path(folder) / name for name in names]
    return next((place for place in places if place.is_file()), places[0])


def mnist_folder(root: str | Path) -> Path | None:
    """The folder with the four files: `root`, its raw/, or one of torchvision's MNIST/raw/, FashionMNIST/raw/ and
    KMNIST/raw/ in it, the first that has the training images; None if none has.
    """
    places = [Path(root) / inside for inside in _INSIDE]
    return next((place for place in places if idx_file(place, "train", "images").is_file()), None)


def read_idx(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes.

    Parameters
    ----------
    path : str or Path
        A file ending in .gz is unpacked on the fly.

    Returns
    -------
    ndarray of uint8
        Of the shape that the file's header states.

    Raises
    ------
    ValueError
        If the file is missing, not IDX, of another type than unsigned bytes, not as long as its header says, or
        packed to less than a 200th.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path.name}: is no file in {str(path.parent)!r}")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or not 1 <= head[3] <= 4:
                raise ValueError(f"{path.name}: not an IDX file, it starts with {head.hex() or 'nothing'}")
            if head[2] != 8:
                raise ValueError(f"{path.name}: IDX type 0x{head[2]:02x} is not supported, only unsigned bytes (0x08)")
            sides = file.read(4 * head[3])
            if len(sides) < 4 * head[3]:
                raise ValueError(f"{path.name}: truncated inside its header")
            shape = struct.unpack(f">{head[3]}I", sides)
            size = math.prod(shape)
            if size > (limit := min(_MAX_BYTES, max(_ALWAYS_BYTES, _MOST_PACKED * path.stat().st_size))):
                raise ValueError(f"{path.name}: its header asks for {size} bytes, the limit is {limit}")
            body = file.read(size + 1)
    except FileNotFoundError:
        raise ValueError(f"{path.name}: no such file in {str(path.parent)!r}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name}: not readable ({type(error).__name__}: {error})") from None
    if len(body) != size:
        found = f"{len(body)} bytes" if len(body) < size else "more"
        raise ValueError(f"{path.name}: must hold {size} bytes for shape {shape}, got {found}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def read_part(folder: str | Path, part: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read images (count, rows, columns) and labels (count,) of one part; see `load_mnist`."""
    if part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test', got part={part!r}")
    prefix, place = _PREFIXES[part], mnist_folder(folder) or Path(folder)
    images, labels = (read_idx(idx_file(place, part, kind)) for kind in ("images", "labels"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or images.size == 0:
        raise ValueError(f"{prefix}: images of shape {images.shape} and labels of shape {labels.shape} do not fit")
    return images, labels


def load_mnist(
    folder: str | Path, part: str = "test", *, pixels: str = "unit", dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor]:
    """Load one part of MNIST (or of a data set in the same four files).

    Parameters
    ----------
    folder : str or Path
        See `mnist_folder`; the files' names: `idx_file`.
    part : {"train", "test"}
    pixels : {"unit", "standard"}
        See `PIXELS`.
    dtype : torch.dtype
        Of the images.

    Returns
    -------
    images : torch.Tensor, shape (count, rows * columns)
    labels : torch.Tensor of int64, shape (count,)

    Raises
    ------
    ValueError
        If a file is missing or damaged, or images and labels do not fit together.
    """
    if pixels not in PIXELS:
        raise ValueError(f"pixels must be one of {PIXELS}, got pixels={pixels!r}")
    images, labels = read_part(folder, part)
    if (size := 2 * images.size * dtype.itemsize) > available_bytes():
        raise ValueError(f"{_PREFIXES[part]}: {len(images)} images take {readable(size)}, more than the memory")
    values = torch.from_numpy(images.reshape(len(images), -1).copy()).to(dtype) / 255
    if pixels == "standard":
        values = (values - MEAN) / SPREAD
    return values, torch.from_numpy(labels.astype(np.int64))
