"""Upper bounds on the operator norm of a zero-padded convolution: theory/PROOFS.md, 4.8 (g).

The least of three, all on the channels of one group (groups act on separate channels, so the largest counts):

- views: along every axis either the input is cut into patches, each pixel lying in at most a of them, or the kernel's
  taps are spread over the output, each position meeting at most b of them. The norm is then at most that of the
  kernel as a matrix, (C_out x taps of spread axes) by (C_in x taps of cut axes), times sqrt(product of the a, b);
- sums: sqrt(largest row sum x largest column sum) of absolute values;
- frequencies: a torus large enough that nothing wraps around contains the convolution, and its norm is the largest
  of the norms of the kernel's transfer matrices, C_out by C_in x phases of the stride. Where a torus has too many
  frequencies, N points on an axis whose transfer matrix has degree k - 1 suffice up to 1 / cos((k - 1) pi / (2 N)).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from nets.arguments import of_type, real_tensor
from nets.certificate.norms import spectral_norm_upper
from nets.certificate.rounding import UNIT, mul, scaled, slack, up
from nets.threads import few_threads
from sims.solver.limits import between

BUDGET = 3 * 10**10
"""Multiplications that the bound by frequencies may take, a few seconds; beyond it, fewer frequencies or none."""
_CHUNK_ENTRIES = 2**21
_DENSITIES = (16, 12, 8, 6, 4, 3)


def convolution_norm_upper(
    kernel: torch.Tensor,
    *,
    groups: int = 1,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    input_sides: Sequence[int] | None = None,
    budget: int = BUDGET,
) -> float:
    """Bound the spectral norm of a convolution with zero padding, as a matrix from all inputs to all outputs.

    Parameters
    ----------
    kernel : torch.Tensor, shape (C_out, C_in / groups, k_1, ..., k_d), float64
        Every entry may be a rounded difference: the bound holds for the exact kernel.
    groups : int, >= 1
    strides, dilations : sequence of d int, >= 1
        Default 1.
    pads : sequence of 2d int, >= 0
        As in ONNX: all begins, then all ends. Default 0. Used only with `input_sides`.
    input_sides : sequence of d int, optional
        Sides of the input; without them the bound holds for every size.
    budget : int
        Multiplications that the bound by frequencies may take.

    Returns
    -------
    float
        For the transposed convolution with these numbers, whose output has sides `input_sides`, it is the same.

    Raises
    ------
    ValueError
        If an argument does not fit the kernel.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8 (g).

    Examples
    --------
    >>> blur = torch.full((1, 1, 3, 3), 1 / 9, dtype=torch.float64)
    >>> 1 <= convolution_norm_upper(blur) < 1.05
    True
    >>> round(convolution_norm_upper(blur, pads=[1, 1, 1, 1], input_sides=[5, 5]), 3) <= 1
    True
    """
    kernel = real_tensor("kernel", kernel)
    budget = between("budget", budget, 0, 2**62)
    axes = _axes(kernel, groups, strides, dilations, pads, input_sides)
    if not kernel.numel() or any(axis.outputs == 0 for axis in axes):
        return 0.0
    largest = kernel.abs().amax()
    if not bool(torch.isfinite(largest)):
        return math.inf
    k, scale = scaled(kernel.reshape(1, 1, -1))
    k = k.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    with few_threads(k[0].numel() * min(k.shape[1:3])):
        bounds = [_by_sums(k, axes), *_by_views(k, axes)]
        if max(k.shape[3:]) > 1:
            bounds += _by_frequencies(k, axes, budget)
    return float(mul(torch.stack(bounds).amin(), scale[0]))


@dataclass(frozen=True)
class _Axis:
    """One spatial axis: taps, stride, dilation; output positions and input side, None where any size is meant."""

    taps: int
    stride: int
    dilation: int
    begin: int
    outputs: int | None
    side: int | None

    @property
    def places(self) -> list[tuple[int, int]]:
        """For every tap t: (a, r) with t * dilation = a * stride + r."""
        return [divmod(t * self.dilation, self.stride) for t in range(self.taps)]

    @property
    def phases(self) -> list[int]:
        """The residues r that occur."""
        return sorted({r for _, r in self.places})

    @property
    def torus(self) -> int | None:
        """Positions of the outputs on the smallest torus on which nothing wraps around, if sizes are known."""
        if self.outputs is None or self.side is None:
            return None
        reach = (self.outputs - 1) * self.stride + (self.taps - 1) * self.dilation + 1
        least = max(reach - self.begin, self.begin + self.side, self.outputs * self.stride)
        return -(-least // self.stride)

    def grid(self, density: int) -> tuple[int, int, float]:
        """How many frequencies, the common divisor taken out of the places, and the factor that covers the rest."""
        shifts = [a for a, _ in self.places]
        divisor = math.gcd(*(a - shifts[0] for a in shifts)) or 1
        degree = (max(shifts) - min(shifts)) // divisor
        points = max(1, -(-degree * density // 2))
        if self.torus is not None and self.torus <= points:
            return self.torus, 1, 1.0
        return points, divisor, (1 + 16 * UNIT) / math.cos(math.pi * degree / (2 * points)) if degree else 1.0


def _axes(
    kernel: torch.Tensor,
    groups: int,
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    sides: Sequence[int] | None,
) -> list[_Axis]:
    d = kernel.ndim - 2
    if kernel.dtype != torch.float64 or d < 1:
        raise ValueError(f"kernel must be float64 with at least 3 axes, got {kernel.dtype}, {tuple(kernel.shape)}")
    if kernel.shape[0] % between("groups", groups, 1, max(1, kernel.shape[0])):
        raise ValueError(f"groups must divide the {kernel.shape[0]} output channels, got groups={groups}")
    strides = (1,) * d if strides is None else strides
    dilations = (1,) * d if dilations is None else dilations
    pads = (0,) * (2 * d) if pads is None else pads
    for name, value, length, least in (
        ("strides", strides, d, 1),
        ("dilations", dilations, d, 1),
        ("pads", pads, 2 * d, 0),
        ("input_sides", sides, d, 1),
    ):
        if value is None:
            continue
        whole = [between(name, number, -(2**31), 2**31) for number in of_type(name, value, (list, tuple), "a list")]
        if len(whole) != length or min(whole) < least:
            raise ValueError(f"{name} must be {length} numbers >= {least}, got {name}={whole}")
    axes = []
    for i, taps in enumerate(kernel.shape[2:]):
        side = outputs = None
        if sides is not None:
            side = sides[i]
            padded = side + pads[i] + pads[d + i]
            outputs = max(0, (padded - (taps - 1) * dilations[i] - 1) // strides[i] + 1)
        axes.append(_Axis(taps, strides[i], dilations[i], pads[i], outputs, side))
    return axes


def _by_sums(k: torch.Tensor, axes: list[_Axis]) -> torch.Tensor:
    """Bound by sums of absolute values; a column of the matrix meets the taps of one phase only."""
    size = k.abs()
    by_row = size.flatten(2).sum(-1).amax(-1)
    by_column = size.sum(1)
    for i, axis in enumerate(axes):
        phase = torch.tensor([r for _, r in axis.places], device=k.device)
        picked = [by_column.index_select(2 + i, (phase == r).nonzero().squeeze(-1)) for r in axis.phases]
        by_column = torch.stack([p.sum(2 + i) for p in picked], 2 + i)
    bound = (by_row * by_column.flatten(1).amax(-1)).sqrt().amax()
    return up(bound * (1 + slack(k.reshape(1, -1))))


def _by_views(k: torch.Tensor, axes: list[_Axis]) -> Iterator[torch.Tensor]:
    d = len(axes)
    for spread in itertools.product((False, True), repeat=d):
        rows = [1, *(3 + i for i in range(d) if spread[i])]
        columns = [2, *(3 + i for i in range(d) if not spread[i])]
        view = k.permute(0, *rows, *columns)
        view = view.reshape(len(k), math.prod(k.shape[i] for i in rows), -1)
        times = 1
        for axis, is_spread in zip(axes, spread, strict=True):
            if is_spread:
                hits = axis.taps if axis.side is None else min(axis.taps, -(-axis.side // axis.dilation))
            else:
                residues = [r for _, r in axis.places]
                hits = max(residues.count(r) for r in axis.phases)
                hits = hits if axis.outputs is None else min(hits, axis.outputs)
            times *= hits
        bound = spectral_norm_upper(view).amax()
        yield mul(bound, up(torch.full_like(bound, math.sqrt(times))))


def _by_frequencies(k: torch.Tensor, axes: list[_Axis], budget: int) -> Iterator[torch.Tensor]:
    """Bound by transfer matrices on the densest grid that the budget allows; nothing if it allows none."""
    groups, rows = k.shape[:2]
    columns = k.shape[2] * math.prod(len(axis.phases) for axis in axes)
    small, large = sorted((rows, columns))
    once = groups * (
        rows * columns * 2 * math.prod(k.shape[3:]) + (8 * small**2 * (large + 2 * small) if small > 1 else 0)
    )
    for density in _DENSITIES:
        grids = [axis.grid(density) for axis in axes]
        if once * (math.prod(points for points, _, _ in grids) // 2 + 1) > budget:
            continue
        factor = math.nextafter(math.prod(extra for _, _, extra in grids), math.inf)
        norm = _largest_transfer(k, axes, [grid[:2] for grid in grids])
        yield mul(norm, torch.full_like(norm, factor if factor > 1 + 2 * UNIT else 1.0))
        return


def _largest_transfer(k: torch.Tensor, axes: list[_Axis], grids: list[tuple[int, int]]) -> torch.Tensor:
    """Largest norm of the transfer matrices at the frequencies of a grid, rounded upward."""
    groups, rows, channels = k.shape[:3]
    flat = k.flatten(3)
    taps = list(itertools.product(*(axis.places for axis in axes)))
    phases = list(itertools.product(*(axis.phases for axis in axes)))
    members = [[t for t, places in enumerate(taps) if tuple(r for _, r in places) == phase] for phase in phases]
    shifts = torch.tensor([[a for a, _ in places] for places in taps], device=k.device)
    shifts = (shifts - shifts[0]) // torch.tensor([divisor for _, divisor in grids], device=k.device)
    sides = torch.tensor([points for points, _ in grids], device=k.device)
    waves = torch.cartesian_prod(*(torch.arange(points, device=k.device) for points, _ in grids))
    waves = waves.reshape(-1, len(grids))
    places = torch.tensor([math.prod(points for points, _ in grids[i + 1 :]) for i in range(len(grids))]).to(k.device)
    mirrored = ((-waves) % sides * places).sum(-1)
    waves = waves[torch.arange(len(waves), device=k.device) <= mirrored]  # a real kernel: the others are conjugates
    # |cos|, |sin| within 8 (d + 2) u, then sums of products: the error of an entry is below this times sum |k|
    wobble = (8 * (len(axes) + 2) + 2 * (flat.shape[-1] + 4)) * UNIT
    sums = torch.stack([flat[..., m].abs().sum(-1) for m in members], -1).flatten(2)
    off = up(math.sqrt(2) * wobble * torch.linalg.vector_norm(sums, dim=(-2, -1)) * (1 + slack(sums)))
    step = max(1, _CHUNK_ENTRIES // (4 * rows * channels * len(phases) * groups))
    top = torch.zeros(groups, dtype=k.dtype, device=k.device)
    for part in waves.split(step):
        angle = ((part[:, None] * shifts) % sides).to(k.dtype) * (2 * math.pi / sides)
        angle = angle.sum(-1)  # (frequencies, taps)
        blocks = [
            torch.stack([(flat[..., m] @ wave[:, m].mT).movedim(-1, 0) for m in members], -1).flatten(3)
            for wave in (angle.cos(), angle.sin())
        ]
        real, imaginary = (block.flatten(0, 1) for block in blocks)  # (frequencies x groups, rows, columns)
        if 1 in real.shape[-2:]:
            whole = torch.cat([real, imaginary], -1).flatten(1)[:, None]
        else:
            whole = torch.cat([torch.cat([real, -imaginary], -1), torch.cat([imaginary, real], -1)], -2)
        top = torch.maximum(top, spectral_norm_upper(whole).unflatten(0, (-1, groups)).amax(0))
    return up(top + off).amax()
