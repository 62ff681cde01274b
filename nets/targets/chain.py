"""A plain chain of dense layers as a graph."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from nets.arguments import of_type, real_tensor
from nets.graph.graph import Array, Attribute, Graph, GraphError, Input, Node
from nets.targets.target import Target
from theory.numerics.check import shown

ACTIVATIONS: dict[str, tuple[str, Mapping[str, Attribute]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "relu6": ("Clip", {}),
    "gelu": ("Gelu", {}),
    "elu": ("Elu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "none": ("Identity", {}),
}
"""Activations that may stand between the layers of a chain, with PyTorch's defaults: their ONNX operators."""

OPSET = 20


def chain_graph(
    weights: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor | None],
    *,
    names: Sequence[str],
    activation: str = "relu",
    assumptions: Sequence[str] = (),
) -> Graph:
    """The graph of W_l a(... a(W_1 x + b_1) ...) + b_l.

    Parameters
    ----------
    weights, biases : sequences of torch.Tensor, shapes (d_i, d_{i-1}) and (d_i,)
    names : sequence of str
        Of the layers.
    activation : str
        One of `ACTIVATIONS`.

    Raises
    ------
    GraphError
        If the shapes do not chain, or two layers have one name.

    Examples
    --------
    >>> chain_graph([torch.ones(3, 2), torch.ones(1, 3)], [None, torch.zeros(1)], names=["a", "b"])
    <Graph of 3 operators, 10 numbers, inputs input>
    """
    for what, listed in (("weights", weights), ("biases", biases), ("names", names)):
        if len(of_type(what, listed, (list, tuple), "a list")) != len(weights) or not weights:
            raise GraphError(f"{what} must be one for each layer, one at least, got {len(listed)}")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise GraphError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {shown(activation)}")
    if len(set(names)) < len(names):
        raise GraphError(f"two layers have one name: {', '.join(names)}")
    constants: dict[str, Array] = {}
    nodes, outputs = [], 0
    op, attributes = ACTIVATIONS[activation]
    value = "input"
    for i, (given, bias, name) in enumerate(zip(weights, biases, names, strict=True), 1):
        weight = constants[f"{name}.weight"] = _numbers(f"{name}.weight", given, 2)
        if i > 1 and weight.shape[1] != outputs:
            raise GraphError(f"{name}: takes {weight.shape[1]} inputs, but {names[i - 2]} gives {outputs}")
        outputs = len(weight)
        inputs = [value, f"{name}.weight"]
        if bias is not None:
            constants[f"{name}.bias"] = _numbers(f"{name}.bias", bias, 1)
            if len(bias) != outputs:
                raise GraphError(f"{name}: a bias of shape {(len(bias),)} does not fit {outputs} outputs")
            inputs.append(f"{name}.bias")
        value = "output" if i == len(weights) else f"{name}.out"
        nodes.append(Node("Gemm", tuple(inputs), (value,), {"transB": 1}, name))
        if i < len(weights) and op != "Identity":
            taken: tuple[str, ...] = (value,)
            if op == "Clip":
                constants |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
                taken = (value, "zero", "six")
            nodes.append(Node(op, taken, (f"{name}.active",), attributes, f"{name}.{activation}"))
            value = f"{name}.active"
    first = constants[f"{names[0]}.weight"]
    dtype = str(first.dtype)
    dtype = dtype if dtype in ("float16", "float32") else "float64"
    entry = Input("input", dtype, ("batch", int(first.shape[1])))
    return Graph(OPSET, (entry,), ("output",), tuple(nodes), constants, tuple(assumptions))


def _numbers(name: str, given: torch.Tensor, ndim: int) -> Array:
    """Finite numbers of a layer; those of bfloat16, which NumPy does not have, as float32."""
    try:
        value = real_tensor(name, given, ndim=ndim).cpu()
    except ValueError as error:
        raise GraphError(str(error)) from None
    if not value.numel() or not bool(torch.isfinite(value).all()):
        raise GraphError(f"{name} is empty or holds NaN or infinity")
    found: Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return found


def target_graph(target: Target) -> Graph:
    """A dense ReLU target as a graph, the constant coordinate of its biases taken out again.

    Raises
    ------
    GraphError
        If `target.has_bias`, but a hidden layer does not keep the constant as [0, 1].

    Examples
    --------
    >>> from nets.targets import with_biases
    >>> target_graph(with_biases([torch.ones(2, 3), torch.ones(1, 2)], [torch.ones(2), None])).inputs[0].shape
    ('batch', 3)
    """
    of_type("target", target, Target)
    names = [f"layer{i}" for i in range(1, target.depth + 1)]
    if not target.has_bias:
        return chain_graph(target.weights, [None] * target.depth, names=names)
    weights, biases = [], []
    for name, last, lifted in zip(
        names, itertools.chain([False] * (target.depth - 1), [True]), target.weights, strict=True
    ):
        if not last and not bool((lifted[-1] == torch.eye(lifted.shape[1], dtype=lifted.dtype)[-1]).all()):
            raise GraphError(
                f"{name}: its last row does not keep the constant coordinate, as a target with a bias does"
            )
        matrix = lifted if last else lifted[:-1]
        weights.append(matrix[:, :-1])
        biases.append(matrix[:, -1])
    return chain_graph(weights, [b if bool(b.any()) else None for b in biases], names=names)
