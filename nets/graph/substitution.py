"""The pruned network as a graph: a target's graph with the weights of the random network in place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nets.graph.graph import Array, Graph, Node, fresh_name
from nets.graph.parts import part_inputs

Effective = Mapping[str, tuple[Array, Array]]
"""For every part, by its constant: the weights that act on s(h) and on s(-h), the same array where they do not differ.

A linear operator L on a value h acts as L(W_plus) s(h) - L(W_minus) s(-h), s being ReLU.
"""

_GEMM_WITHOUT_BIAS = 11  # from this opset on, its third input may be left out


def substituted(graph: Graph, effective: Effective) -> Graph:
    """Put the weights of a pruned network in place of a target's.

    Parameters
    ----------
    graph : Graph
    effective : mapping of str to pairs of arrays
        See `Effective`; arrays of the constants' shapes. Constants that are not named stay.

    Returns
    -------
    Graph
        Nodes whose halves differ become two nodes, on s(h) and on s(-h), and their difference.

    Examples
    --------
    >>> from nets.graph.graph import Input
    >>> node = Node("MatMul", ("x", "w"), ("y",))
    >>> graph = Graph(17, (Input("x", "float32", (1, 1)),), ("y",), (node,), {"w": np.array([[2.0]])})
    >>> made = substituted(graph, {"w": (np.array([[2.1]]), np.array([[1.9]]))})
    >>> [node.op for node in made.nodes]
    ['Relu', 'MatMul', 'Neg', 'Relu', 'MatMul', 'Sub']
    """
    constants = dict(graph.constants)
    names = _Names(graph.names())
    nodes: list[Node] = []
    minuses: dict[str, str] = {}
    for node in graph.nodes:
        halved = False
        for _, part in part_inputs(graph, node):
            name = part.constant
            if name in effective:
                plus, minus = effective[name]
                constants[name] = plus
                if minus is not plus:
                    if name not in minuses:
                        minuses[name] = names.fresh(f"{name}/minus")
                    constants[minuses[name]] = minus
                    halved = True
        nodes += _halves(graph, node, minuses, constants, names) if halved else [node]
    return replace(graph, nodes=tuple(nodes), constants=constants)


@dataclass
class _Names:
    """Names of values that are taken."""

    taken: set[str]

    def fresh(self, name: str) -> str:
        """This name, or one like it, taken from now on."""
        found = fresh_name(name, self.taken)
        self.taken.add(found)
        return found


def _halves(
    graph: Graph, node: Node, minuses: Mapping[str, str], constants: dict[str, Array], names: _Names
) -> list[Node]:
    """A node as the difference of two, on the positive and on the negative part of what it takes."""
    out = node.outputs[0]
    plus, minus = list(node.inputs), list(node.inputs)
    place = 0
    for at, part in part_inputs(graph, node):
        if part.kind == "bias":
            if node.op == "BatchNormalization" or (node.op == "Gemm" and graph.opset < _GEMM_WITHOUT_BIAS):
                minus[at] = names.fresh(f"{part.constant}/zero")
                constants[minus[at]] = np.zeros(part.shape)
            else:
                minus[at] = ""
        else:
            place = 1 - at
            minus[at] = minuses.get(part.constant, part.constant)
    data = node.inputs[place]
    plus[place], minus[place] = names.fresh(f"{out}/positive"), names.fresh(f"{out}/negative")
    flipped, made_plus, made_minus = (names.fresh(f"{out}/{word}") for word in ("flipped", "plus", "minus"))
    while not minus[-1]:
        minus.pop()
    name = node.name or out
    return [
        Node("Relu", (data,), (plus[place],), {}, f"{name}/positive"),
        replace(node, inputs=tuple(plus), outputs=(made_plus,), name=f"{name}/plus"),
        Node("Neg", (data,), (flipped,), {}, f"{name}/flipped"),
        Node("Relu", (flipped,), (minus[place],), {}, f"{name}/negative"),
        replace(node, inputs=tuple(minus), outputs=(made_minus,), name=f"{name}/minus"),
        Node("Sub", (made_plus, made_minus), (out,), {}, f"{name}/difference"),
    ]
