"""Bound on how far a pruned network is from its target, value by value through the graph; theory/PROOFS.md 4.8.

Every value gets a bound on its norm and its range in both networks, and on the l2 error between them. A node without
a bound ends it: what follows has none, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nets.certificate.convolution import convolution_norm_upper
from nets.certificate.domain import Domain
from nets.certificate.half_split import half_split
from nets.certificate.norms import first_layer_sup, spectral_norm_upper
from nets.certificate.rules_fixed import FIXED, MAXPOOL, pointwise, softmax
from nets.certificate.rules_linear import linear
from nets.certificate.rules_pairs import added, chosen, multiplied
from nets.certificate.rules_scale import batch_norm
from nets.certificate.upward import joined
from nets.certificate.values import NoBound, Norms, Side, Step, Value, array_side, settled
from nets.graph.graph import Array, Graph
from nets.graph.kinds import kind

NORMS = Norms(spectral_norm_upper, first_layer_sup, convolution_norm_upper, half_split)


@dataclass(frozen=True)
class NodeBound:
    """One output of one node.

    Attributes
    ----------
    value : str
        Its name in the graph.
    node, kind : str
    norm : float
        Bound on the l2 norm of the target's value, for one example.
    low, high : float
        Range of its entries.
    error : float or None
        Bound on the l2 distance from the pruned network's value.
    """

    value: str
    node: str
    kind: str
    norm: float
    low: float
    high: float
    error: float | None


@dataclass(frozen=True)
class GraphBound:
    """Upper bound on the distance of two networks over a domain.

    Attributes
    ----------
    upper : float or None
        On the l2 distance of all outputs together, for one example; None where some output has no bound.
    reason : str
        Why there is none.
    outputs : dict of str to float or None
        The same for each output.
    rows : tuple of NodeBound
    """

    upper: float | None
    reason: str
    outputs: dict[str, float | None]
    rows: tuple[NodeBound, ...]


def graph_bound(
    graph: Graph,
    effective: Mapping[str, tuple[Array, Array]],
    shapes: Mapping[str, tuple[int, ...]],
    domain: Domain | Mapping[str, Domain],
    *,
    norms: Norms = NORMS,
) -> GraphBound:
    """Bound the l2 distance between a network and its pruned counterpart on every example of a domain.

    Parameters
    ----------
    graph : Graph
        The target.
    effective : mapping of str to (plus, minus)
        For each constant that is a part, the pruned network's two arrays in the constant's shape, taken as exact: a
        linear node acts on a value h as L(plus) s(h) - L(minus) s(-h). The same object twice where they are equal.
        A part that is added (a bias) uses plus.
    shapes : mapping of str to tuple of int
        Of every value for one example, the side of the batch 1.
    domain : Domain or mapping of str to Domain
        Of every floating input, or of each. Integer inputs are the same in both networks.
    norms : Norms

    Returns
    -------
    GraphBound
        Of the two networks in exact arithmetic; every step is rounded outward.

    Raises
    ------
    ValueError
        If a part is not a constant of the graph or has another shape, or an input has no domain.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8 (graph).

    Examples
    --------
    >>> from nets.graph.graph import Input, Node
    >>> node = Node("MatMul", ("x", "w"), ("y",))
    >>> graph = Graph(18, (Input("x", "float32", (1, 2)),), ("y",), (node,), {"w": np.eye(2)})
    >>> near = np.eye(2) * 1.5
    >>> found = graph_bound(graph, {"w": (near, near)}, {"x": (1, 2), "y": (1, 2)}, Domain.ball(2.0))
    >>> 1.0 <= found.upper < 1 + 1e-12
    True
    """
    _check(graph, effective)
    values: dict[str, Value] = {}
    for name, array in graph.constants.items():
        side = array_side(array)
        values[name] = Value(side, side, 0.0)
    for one in graph.inputs:
        values[one.name] = _of_input(one.name, one.dtype, shapes[one.name], domain)
    origins = graph.origins()
    known = {**{name: array.shape for name, array in graph.constants.items()}, **shapes}
    rows = []
    for node in graph.nodes:
        found = _of_node(Step(node, graph, effective, known, values, norms, origins))
        for name, value in zip(node.outputs, found, strict=False):
            if name:
                values[name] = settled(value, math.prod(known.get(name, ())))
                side = values[name].target
                sort = kind(node.op)
                rows.append(NodeBound(name, str(node), sort, side.norm, side.low, side.high, values[name].error))
    errors = {name: values[name].error for name in graph.outputs}
    reasons = [values[name].reason for name in graph.outputs if values[name].error is None]
    known_errors = [error for error in errors.values() if error is not None]
    whole = None if reasons else joined(known_errors)
    if whole == math.inf:
        return GraphBound(None, "the values have no finite bound", errors, tuple(rows))
    return GraphBound(whole, reasons[0] if reasons else "", errors, tuple(rows))


def _check(graph: Graph, effective: Mapping[str, tuple[Array, Array]]) -> None:
    for name, pair in effective.items():
        if name not in graph.constants:
            raise ValueError(f"effective: {name!r} is no constant of the network")
        for half in pair:
            if np.shape(half) != graph.constants[name].shape:
                raise ValueError(
                    f"effective[{name!r}] must have shape {graph.constants[name].shape}, got {np.shape(half)}"
                )
            if not np.isfinite(half).all():
                raise ValueError(f"effective[{name!r}] must be finite, got NaN or infinity")


def _of_input(name: str, dtype: str, shape: tuple[int, ...], domain: Domain | Mapping[str, Domain]) -> Value:
    if not dtype.startswith("float"):
        return Value(Side(), Side(), 0.0)
    if not isinstance(domain, Domain):
        if name not in domain:
            raise ValueError(f"domain must be given for input {name!r}, got {sorted(domain)}")
        domain = domain[name]
    side = Side(domain.farthest(shape), *domain.range())
    return settled(Value(side, side, 0.0), math.prod(shape))


_RULES: dict[str, Callable[[Step], list[Value]]] = {
    "linear": linear,
    "pointwise": pointwise,
    "softmax": softmax,
    "add": added,
    "product": multiplied,
    "select": chosen,
    "scale": batch_norm,
}
_TAKES_PARTS = ("linear", "add", "product", "scale")


def _of_node(step: Step) -> list[Value]:
    node = step.node
    given = [step.values[name] for name in node.inputs if name]
    parts = [name for name in node.inputs if name in step.effective]
    if kind(node.op) == "shape":
        return [Value(Side(low=0.0), Side(low=0.0), 0.0) for _ in node.outputs]
    broken = [value.reason for value in given if value.error is None]
    if broken:
        return [Value(Side(), Side(), None, broken[0]) for _ in node.outputs]
    try:
        rule = _RULES.get(kind(node.op)) or FIXED.get(node.op) or MAXPOOL.get(node.op)
        if rule is None:
            raise NoBound("has no bound")
        if parts and kind(node.op) not in _TAKES_PARTS and not (node.op == "Gather" and parts == [node.inputs[0]]):
            raise NoBound(f"has no bound: it takes the part {parts[0]!r}")
        return rule(step)
    except NoBound as reason:
        if not parts and all(value.error == 0 for value in given):
            return [Value(Side(), Side(), 0.0) for _ in node.outputs]
        name = f"{node.op} {node.name!r}" if node.name else f"{node.op} that makes {node.outputs[0]!r}"
        return [Value(Side(), Side(), None, f"{name} {reason}") for _ in node.outputs]
