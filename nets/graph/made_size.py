"""How many numbers an operator makes of constants, before it makes them: a line of a file can ask for any memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nets.graph.graph import Array, Node
from nets.graph.operators import elementwise

_WINDOWS = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"})


def made_by(node: Node, values: Sequence[Array | None]) -> int:
    """A bound on the numbers in the largest output; rough, and for operators that only shrink the size of the inputs.

    Examples
    --------
    >>> made_by(Node("ConstantOfShape", ("s",), ("y",)), [np.array([1000, 10**9])])
    1000000000000
    >>> made_by(Node("Neg", ("x",), ("y",)), [np.ones((2, 3))])
    6
    """
    given = [value for value in values if value is not None]
    total = sum(value.size for value in given)
    if not given:
        return total
    first, rest = given[0], given[1:]
    op = node.op
    if op == "ConstantOfShape":
        return _product(first)
    if op == "Expand" and rest:
        return first.size * _product(rest[0])
    if op == "Tile" and rest:
        return first.size * _product(rest[0])
    if op == "Range" and len(given) == 3:
        return _steps(*(value.reshape(-1)[:1] for value in given))
    if op == "OneHot" and rest:
        return first.size * _product(rest[0])
    if op in ("Resize", "Upsample"):
        return _resized(node, first, rest)
    if op == "Pad":
        pads = [int(side) for value in rest[:1] if value.dtype.kind == "i" for side in value.reshape(-1)]
        more = sum(max(side, 0) for side in [*pads, *_whole(node, "pads")])
        padded: int = math.prod(side + more for side in first.shape)
        return padded
    if op in _WINDOWS:
        return _windowed(node, first, rest)
    if op in ("Gather", "GatherND") and rest:
        axis = int(node.attributes.get("axis", 0)) if op == "Gather" else 0  # type: ignore[arg-type]
        if op == "Gather" and -first.ndim <= axis < first.ndim:
            return int(first.size // max(first.shape[axis], 1)) * int(rest[0].size)
        deep = int(rest[0].shape[-1]) if rest[0].ndim else 1
        return int(math.prod(first.shape[deep:]) * (rest[0].size // max(deep, 1)))
    if op in ("MatMul", "Gemm") and rest and first.ndim > 1 and rest[0].ndim > 1:
        left, right = first, rest[0]
        outer: int = max(left.size, 1) // max(min(left.shape[-2:]), 1) * max(right.shape[-2:])
        outer *= math.prod(right.shape[:-2])
        return max(total, outer)
    if op == "Einsum":
        return _einsum(node, given)
    if op in elementwise.OPERATORS or op == "PRelu":
        try:
            return math.prod(np.broadcast_shapes(*(value.shape for value in given)))
        except ValueError:  # which the operator will say
            return total
    return total


def _product(sides: Array) -> int:
    return math.prod(max(int(side), 1) for side in sides.reshape(-1) if np.isfinite(side))


def _whole(node: Node, name: str) -> list[int]:
    found = node.attributes.get(name, ())
    return [int(one) for one in found] if isinstance(found, tuple) else []


def _steps(start: Array, limit: Array, delta: Array) -> int:
    if not (start.size and limit.size and delta.size) or not delta[0]:
        return 0
    steps = (float(limit[0]) - float(start[0])) / float(delta[0])
    return max(math.ceil(steps), 0) if math.isfinite(steps) else 2**62


def _resized(node: Node, value: Array, rest: Sequence[Array]) -> int:
    listed = node.attributes.get("scales", ())
    factors = [float(one) for one in listed] if isinstance(listed, tuple) else []
    found = value.size
    for more in rest:
        if more.dtype.kind == "f":
            factors += more.reshape(-1).tolist()
        else:
            found = max(found, _product(more) * (value.size if more.size < value.ndim else 1))  # of some axes, or all
    grown = math.prod((max(one, 1.0) for one in factors if math.isfinite(one)), start=float(found))
    return math.ceil(grown) if math.isfinite(grown) else 2**62


def _windowed(node: Node, value: Array, rest: Sequence[Array]) -> int:
    """Of a convolution or pooling: every side at most grows by its strides, pads and windows."""
    kernel = [*_whole(node, "kernel_shape"), *(rest[0].shape[2:] if rest else ())]
    more = sum(map(abs, _whole(node, "pads") + _whole(node, "output_padding") + _whole(node, "output_shape")))
    more += max(kernel, default=1) * max(_whole(node, "dilations"), default=1)
    factor = max([1, *_whole(node, "strides")]) if node.op == "ConvTranspose" else 1
    channels = rest[0].shape[0] + value.shape[1] * rest[0].shape[1] if rest and value.ndim > 1 < rest[0].ndim else 1
    sides = [side * factor + more for side in value.shape[2:]]
    return math.prod([*sides, max(math.prod(value.shape[:2]), math.prod(value.shape[:1]) * int(channels))])


def _einsum(node: Node, values: Sequence[Array]) -> int:
    """The product of the sides that its letters have in the output."""
    left, _, right = str(node.attributes.get("equation", "")).replace(" ", "").partition("->")
    sides: dict[str, int] = {}
    for letters, value in zip(left.split(","), values, strict=False):
        if "." in letters:
            return math.prod(value.size for value in values)
        sides |= dict(zip(letters, value.shape, strict=False))
    return math.prod([side for letter, side in sides.items() if not right or letter in right])
