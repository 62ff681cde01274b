"""Images of other depths than eight bits are scaled by what their type calls white, or refused, never clipped."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from nets.data import load_data
from nets.data.depth import to_rgb
from nets.data.images import open_image
from tests.nets.test_images import write_folder

RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)


def stored(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(raw: bytes) -> np.ndarray:
    """Pixels of the one channel, which all three repeat."""
    found = np.asarray(open_image(raw, "x"))
    assert (found == found[..., :1]).all()
    return found[..., 0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(kind: str) -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = [[round(value / 257) for value in row] for row in every.tolist()]
    assert grey(stored(Image.fromarray(every), kind)).tolist() == expected
    assert expected[16][0] == 16


def test_twelve_bits_are_scaled_by_their_own_white() -> None:
    image = Image.open(io.BytesIO(stored(Image.fromarray(np.array([[0, 4095], [2048, 1000]], np.uint16)), "TIFF")))
    image.load()
    image.tag_v2[258] = (12,)  # bits per sample: Pillow reads such files, but does not write them
    assert np.asarray(to_rgb(image))[..., 0].tolist() == [[0, 255], [128, 62]]


@pytest.mark.parametrize("photometric", [0, 1])
def test_white_may_be_zero(photometric: int) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[262] = photometric
    raw = stored(Image.fromarray(RAMP), "TIFF", tiffinfo=info)
    low = grey(raw)[0, 0]
    assert low == (255 if photometric == 0 else 0)


def test_colours_of_sixteen_bits_keep_their_upper_eight() -> None:
    """Pillow cannot write them; this is a PNG of one pixel, R, G, B = 0x1234, 0x80ff, 0xffff."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    body = zlib.compress(b"\0" + bytes.fromhex("123480ffffff"))
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)) + chunk(b"IDAT", body)
    assert np.asarray(open_image(raw + chunk(b"IEND", b""), "x")).tolist() == [[[0x12, 0x80, 0xFF]]]


def test_floats_between_black_and_white_are_scaled() -> None:
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    assert grey(stored(Image.fromarray(values), "TIFF")).tolist() == np.rint(255.0 * values).astype(int).tolist()


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.array([[0, 255]], np.float32), "pixels go from 0 to 255, of floating-point ones 0 is black and 1 is white"),
        (np.array([[-0.5, 1]], np.float32), "pixels go from -0.5 to 1"),
        (np.array([[np.nan, 1]], np.float32), "pixels go from nan to nan"),
        (np.array([[0, 1 << 20]], np.int32), "signed or 32-bit integers"),
    ],
)
def test_what_does_not_say_its_white_is_refused(pixels: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=f"^x: its {says}|^x: its pixels are {says}") as caught:
        open_image(stored(Image.fromarray(pixels), "TIFF"), "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [8, 100])
def test_folders_hold_them_too(tmp_path: Path, side: int) -> None:
    """In memory and left in their files."""
    root = write_folder(tmp_path / "set", sizes=((side, side),) * 3)
    Image.fromarray(np.full((side, side), 4096, np.uint16)).save(root / "test" / "ant" / "0000.png")
    data = load_data("imagefolder", root, normalise="unit")
    assert ((next(data.test.batches(1))[0] * 255).round() == 16).all()
    Image.fromarray(np.full((side, side), 7, np.float32)).save(root / "test" / "ant" / "0000.tiff")
    (root / "test" / "ant" / "0000.png").unlink()
    with pytest.raises(ValueError, match=r"0000\.tiff: its pixels go from 7 to 7"):
        next(load_data("imagefolder", root).test.batches(1))
