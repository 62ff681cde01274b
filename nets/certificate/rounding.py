"""Upward arithmetic on float64 tensors: every result is at or above the exact value of its one operation."""

from __future__ import annotations

import math

import torch

UNIT = 2.0**-53  # half the spacing of float64 at 1


def up(x: torch.Tensor) -> torch.Tensor:
    """Next float64 above, which is above the exact value of the one operation that x rounds; 0 stays 0."""
    return torch.where(x == 0, x, torch.nextafter(x, torch.full_like(x, math.inf)))


def add(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a + b, rounded upward."""
    return up(a + b)


def mul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a b for a, b >= 0, rounded upward; exactly 0 where a factor is 0."""
    product = torch.nextafter(a * b, torch.full_like(a, math.inf))
    return torch.where((a == 0) | (b == 0), torch.zeros_like(a), product)


def slack(matrix: torch.Tensor) -> float:
    """Relative error of any sum of non-negative terms over an m x n matrix, four times over."""
    return 4 * (matrix.shape[-2] * matrix.shape[-1] + 16) * UNIT


def scaled(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide every matrix by a power of two that brings its largest entry near 1, so that squares stay in range.

    Returns
    -------
    matrix : torch.Tensor, shape (B, m, n)
        Zero where the matrix has an entry that is not finite.
    scale : torch.Tensor, shape (B,)
        The powers of two.
    """
    largest = matrix.abs().amax((-2, -1))
    exponent = torch.frexp(torch.where(torch.isfinite(largest), largest, torch.ones_like(largest))).exponent
    exponent = exponent.to(torch.int64).clamp(-1000, 1000)
    scale, down = (((sign * exponent + 1023) << 52).view(torch.float64) for sign in (1, -1))
    clean = torch.where(torch.isfinite(largest)[:, None, None], matrix, torch.zeros_like(matrix))
    return clean * down[:, None, None], scale


def l2(rows: torch.Tensor) -> torch.Tensor:
    """l2 norm over the last axis, also where squares would be infinite or 0; differentiable.

    Examples
    --------
    >>> l2(2.0**torch.tensor([[-700.0] * 4, [0.0] * 4, [700.0] * 4], dtype=torch.float64)).log2().tolist()
    [-699.0, 1.0, 701.0]
    """
    with torch.no_grad():  # a power of two, so that nothing is rounded anew
        largest = rows.abs().amax(-1, keepdim=True)
        scale = torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent.clamp(-1000, 1000))
        scale = torch.where(largest.isfinite() & (largest > 0), scale, 1.0)
    found: torch.Tensor = torch.linalg.vector_norm(rows / scale, dim=-1) * scale.squeeze(-1)
    return found
