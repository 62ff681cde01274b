"""Random crops and flips of whole batches, on the CPU or on a GPU, driven by random numbers that the caller gives.

The augmentations of the papers, by name (`AUGMENTATIONS`):

============  =========================================================================================================
none          the images as they are
crop-flip     4 black pixels around each image, a random crop of the old size, a flip half the time: Edge-Popup, Biprop
              and weight recycling on CIFAR-10
iterand       4 black pixels around, then a crop of random size and shape, resized to the old size, a flip half the
              time: IteRand on CIFAR-10, much stronger than crop-flip
resized-crop  a crop of random size and shape, resized, a flip half the time: ImageNet
============  =========================================================================================================

Every image takes its own row of uniform numbers in [0, 1), so what happens to it depends on nothing else. AugMix is not
offered.

Source: the reference codes (read); the law of the random crop is that of torchvision's `RandomResizedCrop` with its
usual ranges (recalled): area 8 to 100 % of the image, ratio of sides 3/4 to 4/3, log-uniform, ten tries. What differs:
its crops are resized as 8-bit images, ours keep the fractions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from nets.device import upload
from theory.numerics.check import shown

AUGMENTATIONS = ("none", "crop-flip", "iterand", "resized-crop")
"""Names that `augment` knows."""

PAD = 4
"""Black pixels on each side of an image, for crop-flip and iterand."""

TRIES = 10
SCALE = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)

DRAWS = {"none": 0, "crop-flip": 3, "iterand": 1 + 4 * TRIES, "resized-crop": 1 + 4 * TRIES}
"""Uniform numbers that one image takes; the first one decides the flip."""

Uniforms = npt.NDArray[np.float64]


def check_augmentation(name: str) -> None:
    """Refuse an unknown name with one line."""
    if not isinstance(name, str) or name not in AUGMENTATIONS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTATIONS)}, got augment={shown(name)}")


def augment(name: str, images: torch.Tensor, draws: Uniforms) -> torch.Tensor:
    """Augment a batch.

    Parameters
    ----------
    name : str
        One of `AUGMENTATIONS`.
    images : torch.Tensor of uint8, shape (batch, channels, height, width)
        On any device; the result is on the same one.
    draws : ndarray of float64, shape (batch, >= DRAWS[name])
        Uniform in [0, 1).

    Returns
    -------
    torch.Tensor, shape of `images`
        uint8 as given, or float32 in the same units where crops are resized.

    Raises
    ------
    ValueError
        If the name is unknown or the shapes do not fit.

    Examples
    --------
    >>> images = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    >>> augment("crop-flip", images, np.array([[0.2, 0.5, 0.5]]))[0, 0].tolist()  # flipped, and not moved
    [[1, 0], [3, 2]]
    """
    check_augmentation(name)
    if images.ndim != 4 or draws.ndim != 2 or len(draws) != len(images) or draws.shape[1] < DRAWS[name]:
        raise ValueError(f"{name} takes (batch, channels, height, width) and (batch, {DRAWS[name]}) uniform numbers")
    if name == "none" or not len(images):
        return images
    height, width = images.shape[-2:]
    if name != "resized-crop":
        images = torch.nn.functional.pad(images, (PAD, PAD, PAD, PAD))
    flips = draws[:, 0] < 0.5
    if name == "crop-flip":
        tops, lefts = (np.floor(draws[:, i] * (2 * PAD + 1)).astype(np.int64) for i in (1, 2))
        return crop(images, tops, lefts, (height, width), flips)
    sides = np.broadcast_to(np.array(images.shape[-2:]), (len(images), 2))
    return resize(images, crop_boxes(draws[:, 1:], sides), (height, width), flips)


def crop(
    images: torch.Tensor, tops: npt.ArrayLike, lefts: npt.ArrayLike, size: Sequence[int], flips: npt.ArrayLike
) -> torch.Tensor:
    """Cut one window of `size` out of every image, mirrored left to right where `flips` is true.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, channels, height, width)
    tops, lefts : array_like of int, shape (batch,)
    size : (height, width)
    flips : array_like of bool, shape (batch,)

    Returns
    -------
    torch.Tensor, shape (batch, channels, *size), dtype of `images`
    """
    columns = np.arange(size[1])
    across = np.asarray(lefts)[:, None] + np.where(np.asarray(flips)[:, None], columns[::-1], columns)
    down = np.asarray(tops)[:, None] + np.arange(size[0])
    device = images.device
    each = torch.arange(len(images), device=device)[:, None, None]
    rows, cols = upload(down, device), upload(across, device)
    # the indexed axes move to the front: (batch, height, width, channels)
    return images[each, :, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2).contiguous()


def crop_boxes(draws: Uniforms, sides: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Windows of random area and shape.

    Parameters
    ----------
    draws : ndarray of float64, shape (batch, >= 4 TRIES)
        Uniform in [0, 1); try t takes numbers 4t (area), 4t + 1 (ratio), 4t + 2 (top), 4t + 3 (left).
    sides : array_like of int, shape (batch, 2)
        Height and width of each image.

    Returns
    -------
    ndarray of int64, shape (batch, 4)
        Top, left, height, width. An image that no try fits gets the largest centred window of an allowed ratio.

    Examples
    --------
    >>> crop_boxes(np.full((1, 40), 0.5), [[40, 40]]).tolist()  # 54 % of the area, square
    [[6, 6, 29, 29]]
    """
    sides = np.asarray(sides, np.int64)
    heights, widths = sides[:, :1], sides[:, 1:]
    u = draws[:, : 4 * TRIES].reshape(len(draws), TRIES, 4)
    area = heights * widths * (SCALE[0] + u[..., 0] * (SCALE[1] - SCALE[0]))
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    ratio = np.exp(low + u[..., 1] * (high - low))  # width to height
    w, h = np.rint(np.sqrt(area * ratio)).astype(np.int64), np.rint(np.sqrt(area / ratio)).astype(np.int64)
    fits = (w > 0) & (w <= widths) & (h > 0) & (h <= heights)
    tops = np.floor(u[..., 2] * (heights - h + 1)).astype(np.int64)
    lefts = np.floor(u[..., 3] * (widths - w + 1)).astype(np.int64)
    first = fits.argmax(1)
    boxes: npt.NDArray[np.int64] = np.stack([tops, lefts, h, w], -1)[np.arange(len(draws)), first]
    for i in np.flatnonzero(~fits.any(1)):
        boxes[i] = _centred(int(heights[i, 0]), int(widths[i, 0]))
    return boxes


def _centred(height: int, width: int) -> tuple[int, int, int, int]:
    h, w = height, width
    if width < RATIO[0] * height:
        h = max(1, min(height, round(width / RATIO[0])))
    elif width > RATIO[1] * height:
        w = max(1, min(width, round(height * RATIO[1])))
    return (height - h) // 2, (width - w) // 2, h, w


def resize(
    images: torch.Tensor, boxes: npt.NDArray[np.int64], size: Sequence[int], flips: npt.ArrayLike
) -> torch.Tensor:
    """Cut a window of its own out of every image and resize it, bilinear and antialiased.

    Parameters
    ----------
    images : torch.Tensor, shape (batch, channels, height, width)
    boxes : ndarray of int64, shape (batch, 4)
        Top, left, height, width.
    size : (height, width)
        Of the result.
    flips : array_like of bool, shape (batch,)
        Which results to mirror left to right.

    Returns
    -------
    torch.Tensor of float32, shape (batch, channels, *size)

    Notes
    -----
    Resizing is linear in rows and in columns, so each image is multiplied by two matrices of its own. Their rows are
    the triangle filters of `interpolate(mode="bilinear", antialias=True)`.
    """
    down = _triangles(boxes[:, 0], boxes[:, 2], images.shape[-2], size[0])
    across = _triangles(boxes[:, 1], boxes[:, 3], images.shape[-1], size[1])
    across = np.where(np.asarray(flips)[:, None, None], across[:, ::-1], across)
    device = images.device
    left = upload(down.astype(np.float32), device)[:, None]
    right = upload(across.astype(np.float32), device)[:, None]
    return left @ images.to(torch.float32) @ right.transpose(-1, -2)


def _triangles(first: npt.NDArray[np.int64], count: npt.NDArray[np.int64], n_in: int, n_out: int) -> Uniforms:
    """Weights, shape (batch, n_out, n_in): row o averages pixels first .. first + count - 1 around output pixel o."""
    first, count = first[:, None, None], count[:, None, None]
    scale = count / n_out
    reach = np.maximum(scale, 1.0)
    centre = (np.arange(n_out)[:, None] + 0.5) * scale
    pixel = np.arange(n_in) - first
    weights = np.maximum(0.0, 1 - np.abs(pixel + 0.5 - centre) / reach)
    weights *= (pixel >= 0) & (pixel < count)
    return np.asarray(weights / weights.sum(-1, keepdims=True))
