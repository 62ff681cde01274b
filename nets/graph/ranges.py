"""Which values of a network can never be negative, so that a random part on them needs no second half."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from nets.graph import kinds
from nets.graph.graph import Array, Graph, Node


def nonnegative(graph: Graph, *, inputs: Collection[str] = (), parts: Collection[str] = ()) -> set[str]:
    """Find the values that are >= 0 in every entry, in the network and in each network that differs in its parts only.

    Parameters
    ----------
    graph : Graph
    inputs : collection of str
        Graph inputs whose every entry is >= 0 in the domain; the others may be negative.
    parts : collection of str
        Constants that the pruned network replaces by others near them: whatever their signs, they count as signed.

    Returns
    -------
    set of str
        Names of inputs, constants and nodes' outputs. By signs alone, so in floating point as well; NaN apart.

    Examples
    --------
    >>> from nets.graph.graph import Input
    >>> nodes = (Node("Relu", ("x",), ("h",)), Node("LeakyRelu", ("x",), ("k",)), Node("Add", ("h", "k"), ("y",)))
    >>> sorted(nonnegative(Graph(18, (Input("x", "float32", (1, 3)),), ("y",), nodes, {})))
    ['h']
    """
    found = {name for name, array in graph.constants.items() if name not in parts and _all_nonnegative(array)}
    found |= set(inputs)
    for node in graph.nodes:
        if _node_is_nonnegative(node, found, graph):
            found.update(name for name in node.outputs if name)
    return found


def _node_is_nonnegative(node: Node, known: set[str], graph: Graph) -> bool:
    given = [name in known for name in node.inputs if name]
    sign = kinds.SIGNS.get(node.op, kinds.SIGNED)
    if sign == kinds.KEEPS:
        return given[0]
    if sign == kinds.ASKS:
        return _RULES[node.op](node, known, graph)
    return sign == kinds.ALWAYS or (sign == kinds.ALL and all(given)) or (sign == kinds.ANY and any(given))


def _all_nonnegative(array: Array) -> bool:
    return array.dtype.kind in "biuf" and bool(np.all(array >= 0))


def _input(node: Node, place: int) -> str:
    return node.inputs[place] if place < len(node.inputs) else ""


def _number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    return float(value) if isinstance(value, int | float) else float("nan")


def _gemm(node: Node, known: set[str], graph: Graph) -> bool:
    scales = _number(node, "alpha", 1.0) >= 0 and _number(node, "beta", 1.0) >= 0
    return scales and all(name in known for name in node.inputs if name)


def _pad(node: Node, known: set[str], graph: Graph) -> bool:
    filled = _input(node, 2)
    return node.inputs[0] in known and (filled in known if filled else _number(node, "value", 0.0) >= 0)


def _resize(node: Node, known: set[str], graph: Graph) -> bool:
    """Nearest and linear take means of entries; cubic has negative weights."""
    kept = node.attributes.get("mode", "nearest") in ("nearest", "linear", "bilinear")
    return kept and node.inputs[0] in known and _number(node, "extrapolation_value", 0.0) >= 0


def _clip(node: Node, known: set[str], graph: Graph) -> bool:
    low, high = _input(node, 1), _input(node, 2)
    above = high in known if high else _number(node, "max", 0.0) >= 0
    below = low in known if low else _number(node, "min", -1.0) >= 0
    return above and (below or node.inputs[0] in known)


def _selu(node: Node, known: set[str], graph: Graph) -> bool:
    return node.inputs[0] in known and _number(node, "gamma", 1.0) >= 0


def _pow(node: Node, known: set[str], graph: Graph) -> bool:
    exponent = graph.constants.get(node.inputs[1])
    even = exponent is not None and bool(np.all(exponent % 2 == 0))
    return even or node.inputs[0] in known


def _mul(node: Node, known: set[str], graph: Graph) -> bool:
    a, b = node.inputs
    return a == b or (a in known and b in known)


def _where(node: Node, known: set[str], graph: Graph) -> bool:
    return all(name in known for name in node.inputs[1:])


def _thresholded(node: Node, known: set[str], graph: Graph) -> bool:
    return node.inputs[0] in known or _number(node, "alpha", 1.0) >= 0


def _lrn(node: Node, known: set[str], graph: Graph) -> bool:
    return node.inputs[0] in known and _number(node, "alpha", 1e-4) >= 0 and _number(node, "bias", 1.0) >= 0


def _filled(node: Node, known: set[str], graph: Graph) -> bool:
    value = node.attributes.get("value")
    return value is None or value in known


_RULES: dict[str, Callable[[Node, set[str], Graph], bool]] = {
    "Gemm": _gemm,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "Clip": _clip,
    "Selu": _selu,
    "Pow": _pow,
    "Mul": _mul,
    "Where": _where,
    "ThresholdedRelu": _thresholded,
    "LRN": _lrn,
    "ConstantOfShape": _filled,
}
