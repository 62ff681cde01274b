"""What a bound knows of one value of the graph: how large it is in both networks, and how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from nets.certificate.upward import INF, add, lower, mul, root, upper
from nets.graph.graph import Array, Graph, Node


class NoBound(Exception):
    """A node has no bound; the text says why, after the node's name."""


@dataclass(frozen=True)
class Side:
    """A value in one of the two networks.

    Attributes
    ----------
    norm : float
        Bound on the l2 norm of the whole tensor of one example.
    low, high : float
        Every entry lies between them.
    matrix : float
        Bound on the spectral norm of each matrix of the last two axes.
    """

    norm: float = INF
    low: float = -INF
    high: float = INF
    matrix: float = INF

    @property
    def largest(self) -> float:
        return max(abs(self.low), abs(self.high))


Halves = tuple[torch.Tensor, torch.Tensor | None]
"""Matrices (P, N) of P s(v) - N s(-v); (P, None) of P v."""


@dataclass(frozen=True, eq=False)
class Term:
    """What one vector v adds to a value on its last axis: to the pruned network's, and to its error.

    Attributes
    ----------
    pruned, error : Halves
        Matrices of one shape; `pruned` None for zero.
    norm, largest : float
        Bounds on ||v|| and on the entries of v.
    rows : int
        To how many rows the matrices are applied.
    size : float
        Bound on the norm of the error's part.
    """

    pruned: Halves | None
    error: Halves
    norm: float
    largest: float
    rows: int
    size: float


@dataclass(frozen=True, eq=False)
class Tail:
    """The error of a value as L times the sum of its terms, L diagonal with entries in [0, 1].

    With `whole` the pruned network's value is such a sum, too, with an L of its own.
    """

    terms: tuple[Term, ...]
    whole: bool


@dataclass(frozen=True, eq=False)
class Value:
    """Both sides of a value, and the error between them (None: not known, for that `reason`); `peak` of an entry."""

    target: Side
    pruned: Side
    error: float | None
    reason: str = ""
    tail: Tail | None = None
    peak: float | None = None

    @property
    def largest_error(self) -> float:
        """Bound on the error of one entry."""
        return self.peak if self.peak is not None else known_error(self)

    @property
    def both(self) -> tuple[float, float]:
        """Range of both networks' entries."""
        return min(self.target.low, self.pruned.low), max(self.target.high, self.pruned.high)


def known_error(value: Value) -> float:
    """The error of a value that has one; no rule runs on others."""
    assert value.error is not None
    return value.error


class HalfSplit(Protocol):
    """Bound on ||W L (P s(x) - N s(-x))|| over diagonal L with entries in [0, 1] and the unit ball; P x without N."""

    def __call__(
        self, weight: torch.Tensor, plus: torch.Tensor, minus: torch.Tensor | None = None, *, domain: str = "l2"
    ) -> torch.Tensor: ...


class ConvolutionNorm(Protocol):
    """Bound on the norm of a zero-padded convolution on inputs with these sides; the kernel may be a difference."""

    def __call__(
        self,
        kernel: torch.Tensor,
        *,
        groups: int,
        strides: Sequence[int],
        dilations: Sequence[int],
        pads: Sequence[int],
        input_sides: Sequence[int],
    ) -> float: ...


@dataclass(frozen=True)
class Norms:
    """Where bounds on norms come from.

    Attributes
    ----------
    spectral : (B, m, n) -> (B,)
    first_layer : (P, N, "l2" or "linf") -> (B,)
        Bound on ||P s(x) - N s(-x)|| over the unit ball.
    convolution : ConvolutionNorm
    half_split : HalfSplit, or None
    """

    spectral: Callable[[torch.Tensor], torch.Tensor]
    first_layer: Callable[[torch.Tensor, torch.Tensor, str], torch.Tensor]
    convolution: ConvolutionNorm
    half_split: HalfSplit | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One node with all that its rule may ask for.

    Attributes
    ----------
    effective : mapping of str to (plus, minus)
        The pruned network's arrays for the constants that are parts.
    origins : mapping of str to Node
        The node that makes each value.
    """

    node: Node
    graph: Graph
    effective: Mapping[str, tuple[Array, Array]]
    shapes: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Value]
    norms: Norms
    origins: Mapping[str, Node]

    def name(self, place: int) -> str:
        """Name of an input, "" where it is left out."""
        return self.node.inputs[place] if place < len(self.node.inputs) else ""

    def value(self, place: int = 0) -> Value:
        return self.values[self.node.inputs[place]]

    def shape(self, place: int = 0) -> tuple[int, ...]:
        return self.shapes[self.node.inputs[place]]

    def size(self, place: int = 0) -> int:
        return math.prod(self.shape(place))

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.shapes[self.node.outputs[0]]

    @property
    def out_size(self) -> int:
        return math.prod(self.out_shape)

    def spread(self, place: int) -> float:
        """Square root of how often each entry of an input is repeated when it is broadcast to the output."""
        return root(max(1.0, self.out_size / max(1, self.size(place))))

    def constant(self, place: int) -> Array | None:
        return self.graph.constants.get(self.name(place))

    def is_part(self, place: int) -> bool:
        return self.name(place) in self.effective

    def known(self, place: int) -> Array:
        """A constant that is not a part; NoBound where it is anything else."""
        found = self.constant(place)
        if found is None or self.is_part(place):
            raise NoBound(f"has no bound, as its input {self.name(place)!r} is no fixed constant")
        return found

    def integers(self, place: int, attribute: str) -> tuple[int, ...] | None:
        """A list of integers that is an attribute in old operators and a constant in new ones."""
        if self.name(place):
            return tuple(int(v) for v in self.known(place).reshape(-1))
        found = self.node.attributes.get(attribute)
        return tuple(int(v) for v in found) if isinstance(found, tuple) else None

    def attribute(self, name: str, default: Any) -> Any:
        return self.node.attributes.get(name, default)

    def axis(self, default: int) -> int:
        return int(self.attribute("axis", default)) % max(1, len(self.shape()))


def array_side(array: Array) -> Side:
    """Norm and range of a constant."""
    if array.dtype.kind not in "biuf" or array.size == 0:
        return Side() if array.size else Side(0.0, 0.0, 0.0, 0.0)
    numbers = array.astype(np.float64)
    norm = array_norm(numbers)
    return Side(norm, float(numbers.min()), float(numbers.max()), norm)


def array_norm(numbers: Array) -> float:
    """l2 norm of all entries, from above; of an exact array whose entries may each carry one rounding."""
    largest = float(np.abs(numbers).max()) if numbers.size else 0.0
    if largest == 0 or not math.isfinite(largest):
        return largest
    total = float(np.square(numbers.astype(np.float64) / largest).sum())
    return mul(largest, root(mul(total, 1 + 8 * (numbers.size + 8) * 2.0**-53))) if numbers.size > 1 else upper(largest)


def settled(value: Value, size: int) -> Value:
    """Let norms, ranges and the error sharpen one another; `size` is the number of entries."""
    many = root(float(size))
    target, pruned = _own(value.target, many), _own(value.pruned, many)
    error = value.error
    if error is not None:
        error = min(error, add(target.norm, pruned.norm), mul(many, _gap(target, pruned)))
        target, pruned = _beside(target, pruned, error), _beside(pruned, target, error)
    return Value(target, pruned, error, value.reason, value.tail, value.peak)


def _own(side: Side, many: float) -> Side:
    norm = min(side.norm, mul(many, side.largest))
    return Side(norm, max(side.low, -norm), min(side.high, norm), min(side.matrix, norm))


def _beside(side: Side, other: Side, error: float) -> Side:
    """One side where the other is near."""
    low, high = max(side.low, lower(other.low - error)), min(side.high, upper(other.high + error))
    return Side(min(side.norm, add(other.norm, error)), low, high, min(side.matrix, add(other.matrix, error)))


def _gap(a: Side, b: Side) -> float:
    gap = max(a.high - b.low, b.high - a.low, 0.0)
    return INF if math.isnan(gap) else upper(gap)


def hull(sides: list[Side]) -> tuple[float, float]:
    return min(side.low for side in sides), max(side.high for side in sides)
