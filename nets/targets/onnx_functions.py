"""Puts the local functions of an ONNX model in the place of their calls, once it is sure that this comes to an end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from nets.graph.graph import GraphError

OWN_DOMAINS = ("", "ai.onnx")
_MOST_NODES = 2_000_000
_MOST_NESTED = 200  # calls of calls: the library goes down by recursion

_Key = tuple[str, str]


def inlined(model: Any) -> Any:
    """The model without local functions.

    Parameters
    ----------
    model : onnx.ModelProto

    Raises
    ------
    GraphError
        If a function stands in for one of ONNX's own operators, calls itself, or makes too much of the model.
    """
    from onnx import inliner

    bodies: dict[_Key, Any] = {}
    for one in model.functions:
        if one.domain in OWN_DOMAINS or not one.domain.strip():
            raise GraphError(f"a local function redefines ONNX's operator {one.name}")
        key = one.domain, one.name
        if key in bodies:
            raise GraphError(f"the local function {one.domain}.{one.name} is defined twice")
        if not any(used.domain in OWN_DOMAINS for used in one.opset_import) and any(
            node.domain in OWN_DOMAINS for node in _nodes(one)
        ):
            raise GraphError(f"the local function {one.domain}.{one.name} names no version of ONNX's operators")
        bodies[key] = one
    sizes = _sizes(bodies)
    total = sum(sizes.get((node.domain, node.op_type), 1) for node in _nodes(model.graph))
    if total > _MOST_NODES:
        raise GraphError(f"its local functions make {float(total):.3g} operators of it, the limit is {_MOST_NODES}")
    try:
        found = inliner.inline_local_functions(model)
    except Exception as error:  # the library names no type
        raise GraphError(f"the local functions cannot be resolved ({' '.join(str(error).split())[:150]})") from None
    for node in _nodes(found.graph):
        if (body := bodies.get((node.domain, node.op_type))) is not None:
            versions = [used.version for used in body.opset_import if used.domain in OWN_DOMAINS]
            raise GraphError(f"the local function {body.domain}.{body.name} is written for another opset, {versions}")
    return found


def _sizes(bodies: dict[_Key, Any]) -> dict[_Key, int]:
    """How many operators each function comes to."""
    calls = {
        key: [found for node in _nodes(body) if (found := (node.domain, node.op_type)) in bodies]
        for key, body in bodies.items()
    }
    own = {key: sum(1 for _ in _nodes(body)) for key, body in bodies.items()}
    sizes: dict[_Key, int] = {}
    for round_ in itertools.count():
        ready = [key for key in bodies if key not in sizes and all(called in sizes for called in calls[key])]
        if not ready:
            break
        if round_ == _MOST_NESTED:
            raise GraphError(f"its local functions call each other more than {_MOST_NESTED} deep")
        sizes |= {key: own[key] + sum(sizes[called] for called in calls[key]) for key in ready}
    if len(sizes) < len(bodies):
        domain, name = next(key for key in bodies if key not in sizes)
        raise GraphError(f"the local function {domain}.{name} calls itself")
    return sizes


def _nodes(holder: Any) -> Iterator[Any]:
    """Every node of a graph or function, with those of its subgraphs."""
    waiting = [holder]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for one in node.attribute:
                waiting += [one.g] if one.HasField("g") else []
                waiting += one.graphs
