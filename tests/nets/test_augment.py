"""Augmentation of batches against slow twins, one image at a time, and against its own law."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from nets.data import augment as module
from nets.data.augment import AUGMENTATIONS, DRAWS, augment, crop_boxes
from tests import stats


def images(count: int, height: int = 9, width: int = 7, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def uniforms(count: int, name: str, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((count, DRAWS[name]))


def twin_crop_flip(image: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Pixel by pixel: row i, column j of the result comes from the padded image."""
    channels, height, width = image.shape
    top, left, flip = int(u[1] * 9), int(u[2] * 9), u[0] < 0.5
    out = np.zeros_like(image)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                row = i + top - 4
                col = (width - 1 - j if flip else j) + left - 4
                if 0 <= row < height and 0 <= col < width:
                    out[c, i, j] = image[c, row, col]
    return out


def test_crop_flip_equals_the_slow_twin():
    batch, u = images(64), uniforms(64, "crop-flip")
    found = augment("crop-flip", batch, u)
    assert found.dtype == torch.uint8
    assert found.is_contiguous()
    for image, row, out in zip(batch.numpy(), u, found.numpy(), strict=True):
        assert (twin_crop_flip(image, row) == out).all()


def test_crop_flip_reaches_every_offset_and_nothing_else():
    grid = (np.arange(9) + 0.5) / 9
    u = np.array([[0.9, a, b] for a in grid for b in grid] + [[0.9, 0.0, 0.0], [0.9, 1 - 2**-53, 1 - 2**-53]])
    x = torch.zeros(len(u), 1, 1, 1, dtype=torch.uint8) + 7
    found = augment("crop-flip", x, u)
    assert int((found > 0).sum()) == 1, "a 1x1 image stays only at the middle offset"
    wide = torch.arange(1, 101, dtype=torch.uint8).reshape(1, 1, 10, 10).expand(len(u), 1, 10, 10)
    firsts = {tuple(out[0, 4, 4:6].tolist()) for out in augment("crop-flip", wide, u)}
    assert len(firsts) == 81


def twin_boxes(u: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """The law written down as a loop over tries."""
    for t in range(10):
        a, r, i, j = u[4 * t : 4 * t + 4]
        area = height * width * (0.08 + 0.92 * a)
        ratio = math.exp(math.log(3 / 4) + r * (math.log(4 / 3) - math.log(3 / 4)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(i * (height - h + 1)), int(j * (width - w + 1)), h, w
    if width / height < 3 / 4:
        h, w = min(height, max(1, round(width / (3 / 4)))), width
    elif width / height > 4 / 3:
        h, w = height, min(width, max(1, round(height * (4 / 3))))
    else:
        h, w = height, width
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (40, 40), (9, 7), (1, 1), (3, 500), (500, 3), (2, 3), (375, 500)]
)
def test_boxes_equal_the_slow_twin(height, width):
    u = np.random.default_rng(height * 1000 + width).random((400, 40))
    found = crop_boxes(u, np.broadcast_to([height, width], (400, 2)))
    assert [tuple(row) for row in found.tolist()] == [twin_boxes(row, height, width) for row in u]
    tops, lefts, h, w = found.T
    assert (tops >= 0).all()
    assert (lefts >= 0).all()
    assert (h >= 1).all()
    assert (w >= 1).all()
    assert (tops + h <= height).all()
    assert (lefts + w <= width).all()


def test_boxes_of_images_of_different_sizes():
    u, sides = np.random.default_rng(5).random((50, 40)), np.random.default_rng(6).integers(1, 60, (50, 2))
    assert crop_boxes(u, sides).tolist() == [list(twin_boxes(row, *side)) for row, side in zip(u, sides, strict=True)]


def test_area_and_shape_follow_their_laws():
    """At 1000x1000 the first try fits if both sides do; area and log-ratio are then uniform on what fits."""
    trials = 20_000
    u = np.random.default_rng(7).random((trials, 40))
    boxes = crop_boxes(u, np.full((trials, 2), 1000))
    area = boxes[:, 2] * boxes[:, 3] / 1e6
    ratio = boxes[:, 3] / boxes[:, 2]
    # below area 3/4 every ratio fits: given that, area is uniform on [.08, .75] and log-ratio on its whole range
    small = area < 0.75
    stats.assert_probability(int((area[small] < 0.415).sum()), int(small.sum()), 0.5)
    stats.assert_probability(int((ratio[small] < 1).sum()), int(small.sum()), 0.5)
    stats.assert_probability(int((ratio[small] < (3 / 4) ** 0.5).sum()), int(small.sum()), 0.25)
    assert area.min() >= 0.0795
    assert stats.power_against(0.5, 0.56, 10_000) > 0.99, "a law off by 12 % would be seen"
    assert math.isclose(float(ratio.min()), 3 / 4, rel_tol=0.01)
    assert math.isclose(float(ratio.max()), 4 / 3, rel_tol=0.01)
    # a try of area a > 3/4 fits with probability 1 - log(4a/3) / log(4/3) = -log a / log(4/3)
    xs = np.linspace(0.75, 1, 100_001)
    fit_large = float(np.trapezoid(-np.log(xs), xs)) / math.log(4 / 3) / 0.92
    fit_small = float(Fraction(67, 92))
    stats.assert_probability(int(small.sum()), trials, fit_small / (fit_small + fit_large))


@pytest.mark.parametrize("name", ["crop-flip", "iterand", "resized-crop"])
def test_flips_half_the_time(name):
    trials = 4000
    ramp = (10 * torch.arange(8, dtype=torch.uint8)).expand(trials, 1, 8, 8)
    u = uniforms(trials, name, seed=11)
    u[:, 1:5] = 0.5  # a window in the middle
    found = augment(name, ramp, u).float().sum((1, 2))
    left, right = found[:, :4].sum(1), found[:, 4:].sum(1)
    assert bool((left != right).all())
    stats.assert_probability(int((left > right).sum()), trials, 0.5)
    assert stats.power_against(0.5, 0.6, trials) > 0.999


@pytest.mark.parametrize("name", ["iterand", "resized-crop"])
def test_resized_crops_equal_pytorch_one_by_one(name):
    batch, u = images(60, 12, 10), uniforms(60, name)
    found = augment(name, batch, u)
    assert found.dtype == torch.float32
    padded = torch.nn.functional.pad(batch, (4, 4, 4, 4)) if name == "iterand" else batch
    for image, row, out in zip(padded, u, found, strict=True):
        top, left, h, w = twin_boxes(row[1:], *image.shape[-2:])
        window = image[None, :, top : top + h, left : left + w].float()
        expected = torch.nn.functional.interpolate(window, (12, 10), mode="bilinear", antialias=True)[0]
        expected = expected.flip(-1) if row[0] < 0.5 else expected
        assert torch.allclose(out, expected, atol=1e-3)  # of 255, in float32


def test_resized_crop_of_a_whole_image_is_the_image():
    batch = images(3, 6, 6)
    box = np.tile([0, 0, 6, 6], (3, 1))
    assert torch.equal(module.resize(batch, box, (6, 6), [False] * 3), batch.float())
    assert torch.equal(module.resize(batch, box, (6, 6), [True, False, True])[0], batch[0].flip(-1).float())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_image_depends_on_its_own_numbers_only(name):
    batch, u = images(8), uniforms(8, name)
    whole = augment(name, batch, u)
    for i in (0, 5):
        assert torch.allclose(augment(name, batch[i : i + 1], u[i : i + 1])[0].float(), whole[i].float(), atol=1e-3)
    assert augment(name, batch[:0], u[:0]).shape == (0, 3, 9, 7)


def test_none_changes_nothing():
    batch = images(4)
    assert torch.equal(augment("none", batch, np.empty((4, 0))), batch)


@pytest.mark.parametrize(
    ("name", "shape", "numbers", "message"),
    [
        ("cutmix", (2, 1, 3, 3), (2, 3), "augment must be one of none, crop-flip"),
        ("crop-flip", (1, 3, 3), (1, 3), "takes"),
        ("crop-flip", (2, 1, 3, 3), (3, 3), "takes"),
        ("iterand", (2, 1, 3, 3), (2, 40), "takes"),
    ],
)
def test_bad_input_is_refused(name, shape, numbers, message):
    with pytest.raises(ValueError, match=message):
        augment(name, torch.zeros(shape, dtype=torch.uint8), np.zeros(numbers))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_elsewhere(name, elsewhere):
    batch, u = images(16, 32, 32), uniforms(16, name)
    on_device = batch.to(elsewhere.device)
    with elsewhere, elsewhere.never_waiting():
        found = augment(name, on_device, u)
    assert found.device.type == elsewhere.device
    assert torch.allclose(found.cpu().float(), augment(name, batch, u).float(), atol=1e-3)
