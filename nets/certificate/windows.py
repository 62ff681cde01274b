"""Norms of the maps along one axis that pooling, padding and resizing are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from nets.certificate.upward import mul, root, upper
from nets.graph.graph import Array, GraphError


def overlap(kernel: int, stride: int, dilation: int) -> int:
    """In how many windows of one axis an entry lies at most.

    Entry p lies at tap t of a window iff t dilation = p + pad modulo stride: every stride/gcd-th tap.

    Examples
    --------
    >>> overlap(3, 1, 1), overlap(3, 2, 1), overlap(2, 2, 1), overlap(3, 2, 2)
    (3, 2, 1, 3)
    """
    return math.ceil(kernel / (stride // math.gcd(dilation, stride)))


def mean_gain(
    sides: Sequence[int],
    outs: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    before: Sequence[int],
    after: Sequence[int],
    count_padding: bool,
) -> float:
    """Norm of an average pooling from above: the product over axes of sqrt(largest row sum * largest column sum)."""
    gain = 1.0
    for side, out, k, s, d, low, high in zip(sides, outs, kernel, strides, dilations, before, after, strict=True):
        places = np.arange(out)[:, None] * s + np.arange(k) * d - low
        inside = (places >= 0) & (places < side)
        counted = (places < side + high) if count_padding else inside
        weights = inside / np.maximum(counted.sum(1, keepdims=True), 1)
        columns = np.zeros(side)
        np.add.at(columns, places[inside], weights[inside])
        largest = float(columns.max(initial=0.0)) * float(weights.sum(1).max(initial=0.0))
        gain = mul(gain, root(upper(largest * (1 + 8 * (k + 8) * 2.0**-53)) if largest != 1 else 1.0))
    return gain


def resize_gain(
    side: int, out: int, scale: float, *, mode: str, transformation: str, nearest: str, cubic_or_antialias: bool
) -> float:
    """Norm along one axis of ONNX's Resize, nearest or linear, from above: sqrt(row sum 1 * largest column sum)."""
    if cubic_or_antialias or transformation not in _COORDINATES:
        raise GraphError(f"has no bound for mode {mode!r} with {transformation!r}")
    x = _COORDINATES[transformation](np.arange(out, dtype=np.float64), scale, side, out)
    columns = np.zeros(side)
    if mode == "nearest":
        # a coordinate within 1e-9 of a tie may go either way
        for shift in (-1e-9, 1e-9):
            rounded = _ROUND[nearest](x + shift).clip(0, side - 1).astype(int)
            columns = np.maximum(columns, np.bincount(rounded, minlength=side))
        return root(float(columns.max()))
    x = x.clip(0, side - 1)
    left = np.floor(x).astype(int)
    right = np.minimum(left + 1, side - 1)
    np.add.at(columns, left, 1 - (x - left))
    np.add.at(columns, right, x - left)
    return root(upper(float(columns.max()) * (1 + 1e-9)))


_COORDINATES: dict[str, Callable[[Array, float, int, int], Array]] = {
    "half_pixel": lambda i, scale, side, out: (i + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda i, scale, side, out: (i + 0.5) / scale - 0.5 if out > 1 else 0 * i,
    "asymmetric": lambda i, scale, side, out: i / scale,
    "align_corners": lambda i, scale, side, out: i * ((side - 1) / (out - 1)) if out > 1 else 0 * i,
}
_ROUND: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
