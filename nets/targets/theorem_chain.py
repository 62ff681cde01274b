"""A network as the theorems have it: a chain of dense layers, or of zero-padded convolutions, with ReLU between."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from nets.certificate.convolution import convolution_norm_upper
from nets.certificate.norms import spectral_norm_upper
from nets.graph.graph import Array, Graph, GraphError, Node
from nets.targets.convolutions import padding

_SHAPES = frozenset({"Identity", "Flatten", "Reshape", "Dropout"})
"""Operators that move numbers about, where they stand before the first layer or behind the last."""


@dataclass(frozen=True)
class TheoremChain:
    """What the theorems ask of a target, biases as weights of a coordinate (or channel) that is constantly 1.

    Attributes
    ----------
    widths : tuple of int
        d_0, ..., d_l: units or channels, the constant one counted.
    kernel : int or None
        Side of the square kernels; None for dense layers.
    has_bias : bool
    norms : tuple of float
        Upper bounds of the layers' operator norms, the constant coordinate's included.
    constant_norm : float
        l2 norm of the constant coordinate: 1, the root of the pixels of a constant channel, or 0 without biases.
    """

    widths: tuple[int, ...]
    kernel: int | None
    has_bias: bool
    norms: tuple[float, ...]
    constant_norm: float

    def scale(self, radius: float) -> float:
        """Product of the norms, times the largest norm of an input of norm up to ``radius``; rounded up.

        The theorems' eps is the error over this: a ReLU network is positively homogeneous, so its layers may be scaled
        to norm 1.
        """
        found = math.nextafter(math.hypot(radius, self.constant_norm) * (1.0 + 2.0**-50), math.inf)
        for norm in self.norms:
            found = math.nextafter(found * norm, math.inf)
        return found


def theorem_chain(graph: Graph) -> TheoremChain:
    """The chain that a prepared graph is.

    Raises
    ------
    GraphError
        It is none that a theorem covers; the message names the first operator that does not fit, and why.
    """
    layers = _layers(graph)
    kinds = {node.op == "Conv" for node, _, _ in layers}
    if len(kinds) > 1:
        raise GraphError("dense layers behind convolutions: the theorems join layers of one kind (4.2, 4.4 conv)")
    if not kinds.pop():
        return _dense(layers)
    for node in graph.nodes[: graph.nodes.index(layers[0][0])]:
        if node.op in ("Flatten", "Reshape"):
            raise GraphError(f"{node}: stands before the convolutions, whose images must be those of the input")
    return _convolutions(graph, layers)


def _layers(graph: Graph) -> list[tuple[Node, Array, Array | None]]:
    """The linear operators with their weights, dense ones as (out, in), and biases; ReLU between is checked."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise GraphError(f"the theorems have one input and one output, got {len(graph.inputs)} and "
                         f"{len(graph.outputs)}")  # fmt: skip
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(graph.outputs)
    value = graph.inputs[0].name
    found: list[tuple[Node, Array, Array | None]] = []
    active = True  # whether a layer may follow
    for node in graph.nodes:
        if not any(name in graph.constants for name in node.inputs) and not set(node.inputs) & {value}:
            raise GraphError(f"{node}: stands beside the chain, and the theorems have none but chains")
        if uses[value] > 1:
            raise GraphError(f"{node}: {value!r} is used {uses[value]} times: no theorem covers branches or residuals")
        if value not in node.inputs:
            raise GraphError(f"{node}: stands beside the chain, and the theorems have none but chains")
        weight = _linear(graph, node, value)
        if weight is not None:
            if found and not active:
                raise GraphError(f"{node}: no ReLU stands before it: the theorems have one between layers")
            found.append((node, *weight))
            active = False
        elif node.op == "Add" and found and not active and found[-1][2] is None and found[-1][0].op != "Conv":
            bias = _bias_of_add(graph, node, value, len(found[-1][1]))
            found[-1] = (found[-1][0], found[-1][1], bias)
        elif node.op == "Relu" and found and not active:
            active = True
        elif node.op in _SHAPES and found and node.outputs[0] != graph.outputs[0]:
            raise GraphError(f"{node}: stands inside the chain: no theorem joins convolutions and dense layers")
        elif node.op not in _SHAPES:
            raise GraphError(f"{node}: no theorem covers it: they have layers and ReLU alone{_hint(node)}")
        value = node.outputs[0]
    if not found:
        raise GraphError("there is no layer")
    if active:
        raise GraphError("a ReLU stands behind the last layer: the theorems have none there")
    if value != graph.outputs[0]:
        raise GraphError("the output is not the end of the chain")
    return found


def _hint(node: Node) -> str:
    if node.op in ("Softmax", "MatMul", "Gather", "LayerNormalization"):
        return "; of attention one alone is covered (4.10): --arch attention --widths D D OUT --heads H answers for it"
    return ""


def _linear(graph: Graph, node: Node, value: str) -> tuple[Array, Array | None] | None:
    """Weights and bias of a linear operator that takes the chain's value; None for another one."""
    if node.op == "Conv" and node.inputs[0] == value and node.inputs[1] in graph.constants:
        bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 and node.inputs[2] else None
        return graph.constants[node.inputs[1]].astype(np.float64), None if bias is None else bias.astype(np.float64)
    if node.op == "MatMul" and node.inputs[0] == value and node.inputs[1] in graph.constants:
        weight = graph.constants[node.inputs[1]]
        return (weight.astype(np.float64).T, None) if weight.ndim == 2 else None
    if node.op == "Gemm" and node.inputs[0] == value and node.inputs[1] in graph.constants:
        given = dict(node.attributes)
        if given.get("transA", 0) or given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0:
            raise GraphError(f"{node}: transA, alpha and beta are not those of a layer")
        weight = graph.constants[node.inputs[1]].astype(np.float64)
        weight = weight if given.get("transB", 0) else weight.T
        bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 and node.inputs[2] else None
        return weight, None if bias is None else np.broadcast_to(bias.astype(np.float64), (len(weight),))
    return None


def _bias_of_add(graph: Graph, node: Node, value: str, outputs: int) -> Array:
    other = node.inputs[1] if node.inputs[0] == value else node.inputs[0]
    bias = graph.constants.get(other)
    if bias is None or bias.size not in (1, outputs) or max(bias.shape or (1,)) != bias.size:
        raise GraphError(f"{node}: no theorem covers it: it adds more than a bias")
    return np.broadcast_to(bias.astype(np.float64).reshape(-1), (outputs,))


def _dense(layers: list[tuple[Node, Array, Array | None]]) -> TheoremChain:
    biased = any(bias is not None and bool(bias.any()) for _, _, bias in layers)
    widths, norms = [layers[0][1].shape[1] + biased], []
    for number, (node, weight, bias) in enumerate(layers, 1):
        lifted, last = weight, number == len(layers)
        if biased:
            lifted = np.zeros((len(weight) + (not last), weight.shape[1] + 1))
            lifted[: len(weight), :-1] = weight
            lifted[: len(weight), -1] = 0.0 if bias is None else bias
            if not last:
                lifted[-1, -1] = 1.0
        norms.append(
            _positive(node, float(spectral_norm_upper(torch.from_numpy(np.ascontiguousarray(lifted))[None])[0]))
        )
        widths.append(len(lifted))
    return TheoremChain(tuple(widths), None, biased, tuple(norms), float(biased))


def _convolutions(graph: Graph, layers: list[tuple[Node, Array, Array | None]]) -> TheoremChain:
    sides = graph.inputs[0].shape
    if sides is None or len(sides) != 4 or not all(isinstance(side, int) for side in sides[2:]):
        raise GraphError(f"4.4 (conv) needs images of known sides, got an input of shape {sides}")
    image = tuple(int(side) for side in sides[2:])
    kernel = max(weight.shape[-1] for _, weight, _ in layers)
    if kernel > min(image):
        raise GraphError(f"4.4 (conv) needs kernels no larger than the images, got {kernel} and {image}")
    biased = any(bias is not None and bool(bias.any()) for _, _, bias in layers)
    widths, norms = [layers[0][1].shape[1] + biased], []
    for number, (node, weight, bias) in enumerate(layers, 1):
        _check_convolution(node, weight, kernel)
        out, into, side = weight.shape[0], weight.shape[1], weight.shape[-1]
        last = number == len(layers)
        lifted = np.zeros((out + (biased and not last), into + biased, kernel, kernel))
        start, centre = (kernel - side) // 2, (kernel - 1) // 2
        lifted[:out, :into, start : start + side, start : start + side] = weight
        if biased:
            lifted[:out, -1, centre, centre] = 0.0 if bias is None else bias
            if not last:
                lifted[-1, -1, centre, centre] = 1.0
        norm = convolution_norm_upper(torch.from_numpy(lifted), pads=padding(kernel), input_sides=image)
        norms.append(_positive(node, norm))
        widths.append(len(lifted))
    constant = math.sqrt(math.prod(image)) * (1.0 + 2.0**-50) if biased else 0.0
    return TheoremChain(tuple(widths), kernel, biased, tuple(norms), constant)


def _check_convolution(node: Node, weight: Array, kernel: int) -> None:
    """Refuse what is not 4.4 (conv): another stride, groups, padding, or form of the kernel."""
    given = dict(node.attributes)
    side = weight.shape[-1]
    if weight.ndim != 4 or weight.shape[2] != side:
        raise GraphError(f"{node}: 4.4 (conv) has square kernels, got {'x'.join(map(str, weight.shape[2:]))}")
    for name, wanted in (("group", 1), ("strides", (1, 1)), ("dilations", (1, 1))):
        if given.get(name, wanted) != wanted:
            raise GraphError(f"{node}: 4.4 (conv) has {name} {wanted} alone, got {given[name]}")
    same = given.get("auto_pad", "NOTSET")
    pads = {"SAME_UPPER": padding(side), "VALID": (0, 0, 0, 0)}.get(str(same), given.get("pads", (0, 0, 0, 0)))
    if same == "SAME_LOWER":
        pads = (side // 2, side // 2, (side - 1) // 2, (side - 1) // 2)
    if pads != padding(side):
        raise GraphError(f"{node}: 4.4 (conv) pads with zeros so that the sides stay, {padding(side)}, got {pads}")
    if side != kernel and (side % 2 == 0 or kernel % 2 == 0):
        raise GraphError(f"{node}: kernels of different sides, {side} and {kernel}, must be odd to share a centre")


def _positive(node: Node, norm: float) -> float:
    if not 0.0 < norm < math.inf:
        raise GraphError(f"{node}: its norm must be finite and > 0, got {norm:g}")
    return norm
