"""Random targets that are chains of zero-padded convolutions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

from nets.certificate.convolution import convolution_norm_upper
from nets.graph.graph import Graph, Input, Node
from nets.targets.chain import OPSET
from theory.network import ConvolutionTheorem

_STEP = 1.0 - 2.0**-50


def random_convolutions(question: ConvolutionTheorem, *, seed: int) -> Graph:
    """Draw a chain of convolutions with independent Gaussian weights and ReLU between, every one scaled to norm 1.

    Parameters
    ----------
    question : ConvolutionTheorem
        Its channels `widths`, square `kernel` and image `side` are used, and its `norm`: "spectral" scales so that the
        proved upper bound of the operator norm on images of that side is 1, "frobenius" so that kernel times the
        Frobenius norm of the weights is.
    seed : int
        Seed of a generator of its own.

    Returns
    -------
    Graph
        Layer i has the constant "layer<i>.weight" of shape (c_i, c_(i-1), kernel, kernel), float64. Every computed norm
        is at most 1 and within a few roundings of 1.

    Source
    ------
    Assumption ||T(K_i)|| <= 1 of theory/PROOFS.md, 4.4 (conv).

    Examples
    --------
    >>> graph = random_convolutions(ConvolutionTheorem(widths=(1, 2, 1), kernel=2, side=4), seed=1)
    >>> [node.op for node in graph.nodes], graph.constants["layer2.weight"].shape
    (['Conv', 'Relu', 'Conv'], (1, 2, 2, 2))
    """
    generator = torch.Generator().manual_seed(seed)
    kernel, side, widths = question.kernel, question.side, question.widths
    pads = padding(kernel)
    constants: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    nodes: list[Node] = []
    value, layers = "input", len(widths) - 1
    for i, (into, out) in enumerate(itertools.pairwise(widths), 1):
        draw = torch.randn(out, into, kernel, kernel, generator=generator, dtype=torch.float64)
        constants[f"layer{i}.weight"] = _unit(draw, question.norm, side).numpy()
        made = "output" if i == layers else f"layer{i}.out"
        nodes.append(Node("Conv", (value, f"layer{i}.weight"), (made,), {"pads": pads}, f"layer{i}"))
        if i < layers:
            value = f"layer{i}.active"
            nodes.append(Node("Relu", (made,), (value,), {}, f"layer{i}.relu"))
    given = Input("input", "float64", ("batch", widths[0], side, side))
    return Graph(OPSET, (given,), ("output",), tuple(nodes), constants)


def padding(kernel: int) -> tuple[int, int, int, int]:
    """Zeros on each end of both axes so that a square kernel keeps the side, as in ONNX.

    Examples
    --------
    >>> padding(3), padding(2)
    ((1, 1, 1, 1), (0, 0, 1, 1))
    """
    before, after = (kernel - 1) // 2, kernel // 2
    return before, before, after, after


def norm_upper(weight: torch.Tensor, norm: str, side: int) -> float:
    """The upper bound of the operator norm that `norm` names, for images of that side."""
    kernel = weight.shape[-1]
    if norm == "frobenius":
        return kernel * float(torch.linalg.vector_norm(weight))
    return convolution_norm_upper(weight, pads=padding(kernel), input_sides=(side, side))


def _unit(weight: torch.Tensor, norm: str, side: int) -> torch.Tensor:
    """Scale a non-zero kernel so that its computed norm is 1 or just below."""
    found = norm_upper(weight, norm, side)
    if not (math.isfinite(found) and found > 0):
        raise ValueError(f"weight must have a finite norm > 0, got norm={found}")
    weight = weight / found
    while norm_upper(weight, norm, side) > 1:
        weight = weight * _STEP
    return weight
