"""Which weights of a network are projections of an attention: no ReLU need stand between their two random layers."""

from __future__ import annotations

from nets.graph.graph import Graph, Node
from nets.graph.parts import part_inputs

_PASSES = frozenset(
    {
        "Reshape",
        "Transpose",
        "Split",
        "Squeeze",
        "Unsqueeze",
        "Slice",
        "Gather",
        "Flatten",
        "Identity",
        "Expand",
        "Tile",
    }
)
_SCALES = frozenset({"Add", "Mul", "Div", "Sub"})
_MEASURES = frozenset({"Shape", "Size"})


def projections(graph: Graph) -> set[str]:
    """The dense parts whose outputs go, but for bias, scale and order, into products with computed values only.

    Source
    ------
    Otsuka et al. (arXiv:2511.04217): the random attention that holds a given one has no ReLU between its factors.

    Examples
    --------
    >>> import numpy as np
    >>> from nets.graph.graph import Input
    >>> nodes = (Node("MatMul", ("x", "q"), ("h",)), Node("Transpose", ("x",), ("t",), {"perm": (1, 0)}),
    ...          Node("MatMul", ("h", "t"), ("y",)))
    >>> projections(Graph(17, (Input("x", "float32", (2, 2)),), ("y",), nodes, {"q": np.eye(2)}))
    {'q'}
    """
    consumers = graph.consumers()
    verdicts: dict[str, bool] = {}
    for node in graph.nodes:
        for _, part in part_inputs(graph, node):
            if part.kind == "dense":
                ends = _ends(graph, consumers, node.outputs[0])
                good = node.op in ("MatMul", "Gemm") and ends is not None and ends > 0
                verdicts[part.constant] = verdicts.get(part.constant, True) and good
    return {name for name, good in verdicts.items() if good}


def _ends(graph: Graph, consumers: dict[str, list[Node]], value: str) -> int | None:
    """Number of products of computed values that a value goes into; None if it goes anywhere else."""
    found = 0
    waiting, outputs = [value], set(graph.outputs)
    while waiting:
        value = waiting.pop()
        if value in outputs:
            return None
        for node in consumers.get(value, []):
            places = [place for place, name in enumerate(node.inputs) if name == value]
            constant = all(name in graph.constants for name in node.inputs if name and name != value)
            if node.op == "Attention" or (node.op == "MatMul" and not (constant and len(places) == 1)):
                found += 1
            elif (node.op in _PASSES and places == [0]) or (
                node.op in _SCALES and constant and len(places) == 1 and (node.op != "Div" or places == [0])
            ):
                waiting += [name for name in node.outputs if name]
            elif node.op not in _MEASURES:
                return None
    return found
