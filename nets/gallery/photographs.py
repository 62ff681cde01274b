"""Photographs that scikit-learn and scikit-image ship, cut into crops for an image network."""

from __future__ import annotations

import functools
from importlib import metadata

import torch

from nets.gallery.entry import package_file

FILES = {
    "china": ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    "flower": ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
    "astronaut": ("scikit-image", "skimage/data/astronaut.png"),
    "chelsea": ("scikit-image", "skimage/data/chelsea.png"),
    "coffee": ("scikit-image", "skimage/data/coffee.png"),
    "motorcycle": ("scikit-image", "skimage/data/motorcycle_left.png"),
    "rocket": ("scikit-image", "skimage/data/rocket.jpg"),
}
CROPS = ((0.5, 0.5, 1.0), (0.5, 0.5, 0.875), (0.3, 0.5, 0.8), (0.7, 0.5, 0.8), (0.5, 0.3, 0.8), (0.5, 0.7, 0.8))
"""Where the crop is, from left and top as parts of what is left over, and its side as a part of the shorter side."""
LABELS = {
    "china": (663, 698),
    "flower": (985,),
    "chelsea": (281, 282, 285),
    "coffee": (504, 967, 968),
    "motorcycle": (665, 670),
    "rocket": (657, 744, 812),
}
"""Right ImageNet classes: a monastery, a palace; a daisy; cats; a mug, an espresso, a cup; a moped, a scooter; a
missile, a projectile, a space shuttle. The astronaut has none."""


def missing() -> str | None:
    """None where the photographs are there; otherwise what to install."""
    try:
        metadata.distribution("scikit-image")
    except metadata.PackageNotFoundError:
        return "needs the package scikit-image for its photographs: pip install scikit-image"
    return None


@functools.cache
def photographs(side: int) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Six crops of each photograph and their mirror images.

    Returns
    -------
    images : torch.Tensor, shape (84, 3, side, side)
        (p - 127) / 128 for a pixel p of 0 to 255.
    names : tuple of str
        The photograph of each.
    """
    import numpy as np
    from PIL import Image

    images, names = [], []
    for name, (package, path) in FILES.items():
        with Image.open(package_file(package, path)) as file:
            picture = file.convert("RGB")
        for left, top, part in CROPS:
            size = round(part * min(picture.size))
            x, y = round(left * (picture.width - size)), round(top * (picture.height - size))
            crop = picture.crop((x, y, x + size, y + size)).resize((side, side), Image.Resampling.BICUBIC)
            pixels = torch.from_numpy((np.asarray(crop, dtype=np.float32) - 127) / 128).permute(2, 0, 1)
            images += [pixels, pixels.flip(2)]
            names += [name, name]
    return torch.stack(images), tuple(names)
