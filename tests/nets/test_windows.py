"""Gains of windows: never below the norm of the matrix that PyTorch's own means and resizes have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nets.certificate.windows import mean_gain, overlap, resize_gain


def norm(matrix: torch.Tensor) -> float:
    return float(np.linalg.norm(matrix.numpy(), 2))


@pytest.mark.parametrize(("side", "out"), [(4, 8), (2, 7), (5, 5), (9, 4), (3, 1), (1, 6)])
@pytest.mark.parametrize("way", ["half_pixel", "align_corners"])
def test_linear_resizes(side: int, out: int, way: str) -> None:
    eye = torch.eye(side, dtype=torch.float64)[None]
    made = F.interpolate(eye, out, mode="linear", align_corners=way == "align_corners")[0]
    gain = resize_gain(
        side, out, out / side, mode="linear", transformation=way, nearest="floor", cubic_or_antialias=False
    )
    assert norm(made) * (1 - 1e-12) <= gain <= norm(made) * 1.5


@pytest.mark.parametrize(("side", "out"), [(4, 8), (2, 7), (9, 4), (3, 1), (1, 6)])
def test_nearest_resizes(side: int, out: int) -> None:
    made = F.interpolate(torch.eye(side, dtype=torch.float64)[None], out, mode="nearest")[0]
    gain = resize_gain(
        side, out, out / side, mode="nearest", transformation="asymmetric", nearest="floor", cubic_or_antialias=False
    )
    assert norm(made) * (1 - 1e-12) <= gain <= norm(made) * 1.5  # a tie may go either way


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(2, 2, 0), (3, 1, 1), (3, 2, 1), (4, 1, 2), (2, 3, 0)])
def test_means(kernel: int, stride: int, pad: int, counted: bool) -> None:
    side = 9
    eye = torch.eye(side, dtype=torch.float64)[:, None]
    made = F.avg_pool1d(eye, kernel, stride, pad, count_include_pad=counted)[:, 0]
    gain = mean_gain([side], [made.shape[1]], [kernel], [stride], [1], [pad], [pad], counted)
    assert norm(made) * (1 - 1e-12) <= gain <= norm(made) * 1.2


def test_overlaps_by_hand() -> None:
    """How many windows a place lies in, at most."""
    assert [overlap(*one) for one in ((3, 1, 1), (3, 2, 1), (2, 2, 1), (3, 2, 2), (5, 3, 1))] == [3, 2, 1, 3, 2]
