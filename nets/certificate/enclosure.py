"""Run a network in float64 with a bound on the rounding error of every entry; theory/PROOFS.md 4.8 (lower end).

Each value carries `off`: not below the distance of each computed entry from the exact one. A sum of n products in any
order is off by at most n u / (1 - n u) times the sum of their sizes, so a linear node is run once more, with absolute
values. Convolutions and products must be sums of products (no FFT, no Winograd): those of PyTorch in float64 on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from nets.certificate.rounding import l2
from nets.graph.graph import Array, Graph, Node
from nets.graph.kinds import kind
from nets.graph.module import as_tensor
from nets.graph.operators import run
from nets.graph.pointwise import function

_UNIT = 2.0**-53
_TINY = 2.0**-1000
_RAISE = 1 + 2.0**-20  # more than the rounding of the bounds themselves
_EXACT = frozenset({"Relu", "Abs", "Clip"})
_STRAIGHT = frozenset({"LeakyRelu", "PRelu", "HardSigmoid", "HardSwish"})
_SMOOTH = frozenset({"Sigmoid", "Tanh", "Erf", "Gelu"})
_MOVES = frozenset(
    {"Identity", "Dropout", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice", "Expand"}
    | {"Tile", "DepthToSpace", "SpaceToDepth", "Neg", "Gather"}
)
_MEANS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceSum", "ReduceMean"})


class NotEnclosed(Exception):
    """A node whose rounding is not bounded; the text names it."""


@dataclass(frozen=True)
class Enclosed:
    """A computed tensor and a bound on its distance from the exact one, entry by entry; None for exact."""

    value: torch.Tensor
    off: torch.Tensor | None = None

    @property
    def room(self) -> torch.Tensor:
        return torch.zeros_like(self.value) if self.off is None else self.off


def enclose(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Enclosed]:
    """Return the outputs of a network, the constants and inputs taken as exact.

    Raises
    ------
    NotEnclosed
        If some node on the way has no rule: softmax, products of matrices of values, ...
    """
    given: dict[str, Array] = {**graph.constants, **inputs}
    values = {name: Enclosed(_double(as_tensor(np.asarray(array)))) for name, array in given.items()}
    for node in graph.nodes:
        results = _of_node(node, [values[name] if name else None for name in node.inputs], graph)
        values |= {name: one for name, one in zip(node.outputs, results, strict=False) if name}
    return {name: values[name] for name in graph.outputs}


def proved_distance(f: Mapping[str, Enclosed], g: Mapping[str, Enclosed]) -> float:
    """Lower bound on the l2 distance of two networks' outputs."""
    gaps = torch.cat([(g[name].value - f[name].value).flatten() for name in f])
    rooms = torch.cat([(g[name].room + f[name].room).flatten() for name in f])
    slack = 4 * (gaps.numel() + 16) * _UNIT
    low = float(l2(gaps)) * (1 - slack) - float(l2(rooms)) * (1 + slack)
    return max(0.0, low) * (1 - slack) if math.isfinite(low) else 0.0


def _double(value: torch.Tensor) -> torch.Tensor:
    return value.double() if value.is_floating_point() else value


def _of_node(node: Node, given: list[Enclosed | None], graph: Graph) -> list[Enclosed]:
    values = [None if one is None else one.value for one in given]
    found = _run(node, values, graph)
    held = [one for one in given if one is not None]
    if all(one.off is None and not one.value.is_floating_point() for one in held) or kind(node.op) == "shape":
        return [Enclosed(value) for value in found]
    if node.op in _MOVES and all(one is None or one.off is None for one in given[1:]):
        if held[0].off is None:
            return [Enclosed(value) for value in found]
        return [
            Enclosed(*pair) for pair in zip(found, _run(_plain(node), [held[0].off, *values[1:]], graph), strict=True)
        ]
    return [Enclosed(found[0], _off(node, given, found[0], graph))]


def _off(node: Node, given: list[Enclosed | None], out: torch.Tensor, graph: Graph) -> torch.Tensor:
    """Bound on the rounding error of the first output."""
    held = [one for one in given if one is not None]
    first = held[0]
    values = [None if one is None else one.value for one in given]
    if kind(node.op) == "linear":
        return _linear(node, given, graph)
    if node.op in _MEANS:
        many = max(1, first.value.numel() // max(1, out.numel()), math.prod(_kernel(node)))
        return _raised(_run(node, [first.room + _gamma(many) * first.value.abs(), *values[1:]], graph)[0])
    if kind(node.op) == "maxpool":
        return _run(
            replace(node, op="ReduceMax") if node.op == "ReduceMin" else node, [first.room, *values[1:]], graph
        )[0]
    if node.op in _EXACT | _STRAIGHT | _SMOOTH:
        found = function(node, graph.constants)
        if found is None:
            raise NotEnclosed(str(node))
        slope = found.slope(-math.inf, math.inf)
        shift = 0.0 if node.op in _EXACT else 2.0**-46 if node.op in _SMOOTH else 2.0**-50
        return _raised(slope * first.room + shift * (out.abs() + (slope + 1) * first.value.abs()))
    if node.op in ("Add", "Sub", "Sum", "Max", "Min"):
        total = 2 * len(held) * _UNIT * sum(one.value.abs() for one in held) + sum(one.room for one in held)
        return _raised(torch.as_tensor(total).expand_as(out))
    if node.op == "Mul":
        a, b = held
        return _raised(a.value.abs() * b.room + b.value.abs() * a.room + a.room * b.room + 2 * _UNIT * out.abs())
    if node.op == "Concat":
        return _run(node, [one.room for one in held], graph)[0]
    if node.op == "BatchNormalization":
        return _batch_norm(node, held, out)
    raise NotEnclosed(str(node))


def _linear(node: Node, given: list[Enclosed | None], graph: Graph) -> torch.Tensor:
    """|W| (off + gamma |x|) + gamma |b|, run by the operator itself with absolute values."""
    at = 0
    if node.op in ("Gemm", "MatMul") and node.inputs[1] not in graph.constants:
        at = 1
    x, w = given[at], given[1 - at]
    bias = given[2] if len(given) > 2 else None
    if x is None or w is None or w.off is not None or (bias is not None and bias.off is not None):
        raise NotEnclosed(str(node))
    gamma = _gamma(_terms(node, tuple(w.value.shape)))
    sizes: list[torch.Tensor | None] = [None, None]
    sizes[at], sizes[1 - at] = x.room + gamma * x.value.abs(), w.value.abs()
    if bias is not None:
        sizes.append(gamma * bias.value.abs())
    scales = {k: abs(v) for k, v in node.attributes.items() if k in ("alpha", "beta") and isinstance(v, int | float)}
    return _raised(_run(replace(node, attributes={**node.attributes, **scales}), sizes, graph)[0])


def _terms(node: Node, shape: tuple[int, ...]) -> int:
    """How many products an output entry is the sum of, or more."""
    if node.op in ("Conv", "ConvTranspose"):
        return math.prod(shape) // max(1, shape[0 if node.op == "Conv" else 1])
    return max(shape[-2:])


def _batch_norm(node: Node, held: list[Enclosed], out: torch.Tensor) -> torch.Tensor:
    x, scale, bias, mean, variance = held
    epsilon = node.attributes.get("epsilon", 1e-5)
    assert isinstance(epsilon, int | float)
    sides = (-1, *[1] * (x.value.ndim - 2))
    a = (scale.value / (variance.value + float(epsilon)).sqrt()).abs().reshape(sides)
    sizes = a * (x.value.abs() + mean.value.abs().reshape(sides)) + bias.value.abs().reshape(sides)
    return _raised(a * x.room + 2.0**-48 * sizes)


def _gamma(terms: int) -> float:
    return 2 * (terms + 8) * _UNIT


def _raised(off: torch.Tensor) -> torch.Tensor:
    return torch.where(off > 0, off * _RAISE + _TINY, off)


def _plain(node: Node) -> Node:
    """Bounds on errors keep their sign."""
    return replace(node, op="Identity") if node.op == "Neg" else node


def _kernel(node: Node) -> tuple[int, ...]:
    found = node.attributes.get("kernel_shape", ())
    return tuple(int(k) for k in found) if isinstance(found, tuple) else ()


def _run(node: Node, values: list[torch.Tensor | None], graph: Graph) -> tuple[torch.Tensor, ...]:
    return run(node, values, opset=graph.opset, real=torch.float64)
