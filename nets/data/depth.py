"""8-bit RGB from images of other depths: scaled by what their type calls white, or refused, never clipped."""

from __future__ import annotations

from typing import Any

import numpy as np

_SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


class DepthError(ValueError):
    """Pixels whose type does not say which value is white."""


def to_rgb(image: Any) -> Any:
    """The image as 8-bit RGB; grey images get three equal channels.

    Parameters
    ----------
    image : PIL.Image.Image
        16-bit grey is divided by 65535 (12-bit TIFF by 4095); floating-point pixels must lie in [0, 1], where 1 is
        white. Both are rounded to the nearest of 256 levels. All other modes are converted by Pillow, which keeps the
        upper eight bits of 16-bit colours.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    DepthError
        If floating-point pixels leave [0, 1], or pixels are signed or 32-bit integers.

    Examples
    --------
    >>> from PIL import Image
    >>> np.asarray(to_rgb(Image.fromarray(np.array([[0, 4096, 65535]], np.uint16))))[0, :, 0].tolist()
    [0, 16, 255]
    """
    if image.mode in _SIXTEEN or (image.mode == "I" and image.format in ("PNG", "PPM")):
        white = 2.0 ** int(_tag(image, _BITS_PER_SAMPLE, (16,))[0]) - 1
    elif image.mode == "F":
        white = 1.0
    elif image.mode == "I":
        raise DepthError(
            "its pixels are signed or 32-bit integers, which have no value for white; make it 8 or 16 bits"
        )
    else:
        return image.convert("RGB")
    stored = np.asarray(image)
    low, high = float(stored.min()) / white, float(stored.max()) / white
    if not 0 <= low <= high <= 1:
        raise DepthError(f"its pixels go from {low:g} to {high:g}, of floating-point ones 0 is black and 1 is white")
    inverted = _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
    grey = np.empty(stored.shape, np.uint8)
    for row, line in enumerate(stored):  # by rows: an image in float64 takes eight times the memory
        values = line.astype(np.float64) / white
        grey[row] = np.rint(255 * (1 - values if inverted else values))
    from PIL import Image

    return Image.fromarray(grey).convert("RGB")


def _tag(image: Any, number: int, usual: Any) -> Any:
    """A field of a TIFF file's header; other files have none."""
    return getattr(image, "tag_v2", {}).get(number, usual)
