"""Linear maps with weights, as a bound sees them: norms, rows, and how often each row is applied; PROOFS.md 4.8."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from nets.certificate.rounding import l2, up
from nets.certificate.rules_fixed import padding
from nets.certificate.upward import INF, add, mul, root, upper
from nets.certificate.values import NoBound, Side, Step
from nets.graph.graph import Array

_UNIT, _LEAST = 2.0**-53, 2.0**-1074


@dataclass(frozen=True, eq=False)
class LinearMap:
    """x -> L(W) x, and its like with two halves: L(P) s(x) - L(N) s(-x).

    Attributes
    ----------
    norm : (W) -> float
        Bound on the norm of L(W); W may be a rounded difference.
    sup : (P, N) -> float
        Bound on the norm of L(P) s(x) - L(N) s(-x) over ||x|| <= 1.
    box : (P, N) -> float
        The same over ||x||_inf <= 1, for one place of the rows.
    rows : (W) -> tensor (R, K)
        The coefficients of one output entry for each row; padding may leave some of them out.
    places : float
        To how many places each row is applied.
    drops : bool
        Whether some coefficients meet padding.
    matrix : (W) -> tensor (m, n), or None
        W as a matrix that acts on the last axis alone, where it does.
    """

    norm: Callable[[Array], float]
    sup: Callable[[Array, Array], float]
    box: Callable[[Array, Array], float]
    rows: Callable[[Array], torch.Tensor]
    places: float
    drops: bool
    matrix: Callable[[Array], torch.Tensor] | None = None


def tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float64))


def dense(step: Step, place: int) -> LinearMap:
    """Gemm or MatMul whose input `place` is the constant."""
    norms, other, shape = step.norms, 1 - place, step.shape(place)
    if step.node.op == "Gemm":
        flipped = bool(step.attribute("transB" if place == 1 else "transA", 0)) == (place == 1)
        alpha = float(step.attribute("alpha", 1.0))
        last = place == 1 and not step.attribute("transA", 0)
    else:
        flipped, alpha, last = place == 0, 1.0, place == 1

    def blocks(array: Array) -> torch.Tensor:
        """(B, out, in): as it is where the constant's rows are the outputs."""
        found = tensor(array)
        found = found if array.ndim > 1 else found.reshape(1, -1) if flipped else found.reshape(-1, 1)
        found = found.reshape(-1, *found.shape[-2:])
        return found if flipped else found.mT

    many = len(blocks(np.zeros(shape)))
    seen_by = max(1, math.prod(step.out_shape[:-2]) // max(1, math.prod(step.shape(other)[:-2]))) if many > 1 else 1
    shared = many == seen_by > 1  # all blocks see the same matrix: they are one tall block
    size = mul(root(1.0 if shared else float(seen_by)), abs(alpha))

    def stacked(array: Array) -> torch.Tensor:
        return blocks(array).flatten(0, 1)[None] if shared else blocks(array)

    def sup(plus: Array, minus: Array) -> float:
        if plus is minus:
            return norm(plus)
        return mul(size, float(norms.first_layer(stacked(plus), stacked(minus), "l2").max()))

    def norm(array: Array) -> float:
        return mul(size, float(norms.spectral(stacked(array)).max()))

    def box(plus: Array, minus: Array) -> float:
        return mul(abs(alpha), _by_lines(blocks(plus), blocks(minus)))

    def rows(array: Array) -> torch.Tensor:
        return blocks(array).flatten(0, 1) * alpha

    places = max(1.0, step.out_size / rows(np.zeros(shape)).shape[0])
    matrix = (lambda array: blocks(array)[0]) if last and many == 1 and alpha == 1 and len(shape) > 1 else None
    return LinearMap(norm, sup, box, rows, places, False, matrix)


def convolution(step: Step) -> LinearMap:
    """Conv, or ConvTranspose as the transpose of the convolution with the same kernel."""
    transposed = step.node.op == "ConvTranspose"
    shape = step.shape(1)
    group = int(step.attribute("group", 1))
    kernel = list(shape[2:])
    ones = [1] * len(kernel)
    strides = [int(s) for s in step.attribute("strides", ones)]
    dilations = [int(d) for d in step.attribute("dilations", ones)]
    sides, outs = step.shape()[2:], step.out_shape[2:]
    wide, narrow = (outs, sides) if transposed else (sides, outs)
    before, after = padding(step, kernel, strides, dilations, wide, narrow)

    def one(kernel_: torch.Tensor) -> float:
        pads = tuple(before + after)
        return step.norms.convolution(
            kernel_, groups=group, strides=strides, dilations=dilations, pads=pads, input_sides=wide
        )

    def norm(array: Array) -> float:
        return one(tensor(array))

    def sup(plus: Array, minus: Array) -> float:
        if plus is minus:
            return norm(plus)
        p, n = tensor(plus), tensor(minus)
        rounding = mul(add(_total(p), _total(n)), 4 * _UNIT)
        split = add(one((p + n) / 2), one((p - n) / 2), rounding)
        if not transposed:
            return min(split, one(torch.cat([p, n], 1)))
        pair = torch.cat([t.reshape(group, -1, *shape[1:]) for t in (p, n)], 1)
        return min(split, one(pair.reshape(-1, *shape[1:])))

    def rows(array: Array) -> torch.Tensor:
        found = tensor(array)
        if not transposed:
            return found.flatten(1)
        return found.reshape(group, -1, *shape[1:]).transpose(1, 2).flatten(0, 1).flatten(1)

    def box(plus: Array, minus: Array) -> float:
        return _by_rows(rows(plus)[None], rows(minus)[None])

    places = math.prod(outs)
    return LinearMap(norm, sup, box, rows, float(places), transposed or any(before + after))


def row_range(
    linear: LinearMap, plus: Array, minus: Array, given: Side, bias: Array | None, *, aligned: bool
) -> tuple[float, float]:
    """Interval of all output entries: by intervals of the inputs, and by the norms of the rows.

    A coefficient pair (p, n) sends t to p s(t) - n s(-t), which is straight on both sides of 0: its ends are at the
    ends of the range, or at 0.
    """
    p, n = linear.rows(plus), linear.rows(minus)
    cells = p.shape[-1]
    slack = 1 + 8 * (cells + 8) * _UNIT
    either = torch.maximum(p.abs(), n.abs())
    reach = up(l2(either) * (slack * given.norm)) if 0 < given.norm < INF else l2(either) * given.norm
    reach = torch.nan_to_num(reach, nan=0.0, posinf=INF)
    low, high = -reach, reach
    if math.isfinite(given.largest):
        ends = [p * t if t >= 0 else n * t for t in (given.low, given.high)]
        if linear.drops or given.low < 0 < given.high:
            ends.append(torch.zeros_like(p))
        stacked = torch.stack(ends)
        off = either.sum(-1) * (given.largest * slack * (cells + 8) * _UNIT) + cells * _LEAST
        low = torch.maximum(low, stacked.amin(0).sum(-1) - off)
        high = torch.minimum(high, stacked.amax(0).sum(-1) + off)
    if bias is not None:
        b = tensor(bias).reshape(-1)
        if aligned and len(b) == len(low):
            low, high = low + b, high + b
        else:
            low, high = low + b.min(), high + b.max()
    rounding = 1 + 2.0**-50
    lowest, highest = float(low.min()), float(high.max())
    largest = max((abs(v) for v in (lowest, highest) if math.isfinite(v)), default=0.0)
    most = largest + (float(tensor(bias).abs().max()) if bias is not None else 0.0)
    room = upper(most * (rounding - 1))
    return lowest - room, highest + room


def _total(array: torch.Tensor) -> float:
    return float(array.abs().sum()) * (1 + 2.0**-20)


def _by_rows(plus: torch.Tensor, minus: torch.Tensor) -> float:
    """l2 norm of the sums of rows of max(|P|, |N|), (B, R, K), from above."""
    sums = torch.maximum(plus.abs(), minus.abs()).sum(-1)
    return float(l2(sums.flatten())) * (1 + 8 * (plus[0].numel() + 16) * _UNIT)


def _by_lines(plus: torch.Tensor, minus: torch.Tensor) -> float:
    """Bound on the cube ||x||_inf <= 1: by rows, or by columns (B = 1)."""
    rows = _by_rows(plus, minus)
    if len(plus) > 1:
        return rows
    columns = torch.maximum(l2(plus.mT), l2(minus.mT)).sum()
    return min(rows, float(columns) * (1 + 8 * (plus[0].numel() + 16) * _UNIT))


def operand(step: Step) -> int:
    """Which input of a linear node is the constant."""
    for place in (1, 0) if step.node.op in ("Gemm", "MatMul") else (1,):
        if step.constant(place) is not None:
            return place
    raise NoBound("has no bound: its weights are computed")
