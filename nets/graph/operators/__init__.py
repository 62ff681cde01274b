"""ONNX operators in PyTorch: one function for each, found by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nets.graph.graph import GraphError, Node
from nets.graph.operators import (
    activation,
    attention,
    elementwise,
    indexing,
    linear,
    normalisation,
    pooling,
    recurrent,
    reduction,
    resize,
    shape,
    types,
)
from nets.graph.operators.call import Call, Operator

__all__ = ["FIRST_OPSET", "LAST_OPSET", "SUPPORTED", "run"]

FIRST_OPSET, LAST_OPSET = 7, 28  # from the opset that brought NumPy's broadcasting to the last one checked

_FAMILIES = (
    activation,
    attention,
    elementwise,
    indexing,
    linear,
    normalisation,
    pooling,
    recurrent,
    reduction,
    resize,
    shape,
    types,
)
_REGISTRY: dict[str, Operator] = {name: one for family in _FAMILIES for name, one in family.OPERATORS.items()}

SUPPORTED: frozenset[str] = frozenset(_REGISTRY)
"""Names of the operators that can be run."""


def run(
    node: Node, values: Sequence[torch.Tensor | None], *, opset: int, real: torch.dtype
) -> tuple[torch.Tensor, ...]:
    """Run one operator of ONNX's default domain.

    Parameters
    ----------
    node : Node
    values : sequence of Tensor or None
        Its inputs in order, of any device; None for one that is left out. They are never changed, and an output may
        share their memory.
    opset : int
        7 to 28.
    real : torch.dtype
        Type of the real numbers that the operator makes from other types or from nothing; a cast to any real type
        gives this one.

    Returns
    -------
    tuple of Tensor
        As many as the node has outputs.

    Raises
    ------
    GraphError
        If the operator or one of its options is not supported, or the inputs do not fit.

    Examples
    --------
    >>> node = Node("Clip", ("x", "", "high"), ("y",))
    >>> run(node, [torch.tensor([-7.0, 0.5, 9.0]), None, torch.tensor(6.0)], opset=13, real=torch.float32)
    (tensor([-7.0000,  0.5000,  6.0000]),)
    """
    operator = _REGISTRY.get(node.op)
    if operator is None:
        raise GraphError(f"{node}: operator {node.op} is not supported")
    if not FIRST_OPSET <= opset <= LAST_OPSET:
        raise GraphError(f"{node}: opset must be {FIRST_OPSET} to {LAST_OPSET}, got opset={opset}")
    return operator(Call(node, values, opset, real))
