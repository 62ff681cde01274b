"""A graph without its numbers as plain data for JSON, and back; what comes from a file is checked."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from nets.graph.graph import Array, Attribute, Graph, GraphError, Input, Node
from nets.graph.operators import FIRST_OPSET, LAST_OPSET, SUPPORTED

_ODD = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_TYPES = frozenset({"float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64", "uint8"})


def to_plain(graph: Graph) -> dict[str, Any]:
    """The graph without its constants as dicts, lists, numbers and texts; attributes by name, whatever their order.

    Examples
    --------
    >>> node = Node("LeakyRelu", ("x",), ("y",), {"alpha": 0.1})
    >>> graph = Graph(17, (Input("x", "float32", ("batch", 2)),), ("y",), (node,), {})
    >>> from_plain(to_plain(graph), {}) .nodes == graph.nodes
    True
    """
    return {
        "opset": graph.opset,
        "inputs": [[one.name, one.dtype, None if one.shape is None else list(one.shape)] for one in graph.inputs],
        "outputs": list(graph.outputs),
        "nodes": [
            [
                node.op,
                list(node.inputs),
                list(node.outputs),
                {k: _plain(v) for k, v in sorted(node.attributes.items())},
                node.name,
            ]
            for node in graph.nodes
        ],
        "assumptions": list(graph.assumptions),
    }


def from_plain(content: Any, constants: Mapping[str, Array]) -> Graph:
    """The graph of `to_plain` with the given constants.

    Raises
    ------
    GraphError
        If it is no graph: unknown operators, values that are used before they are made, or made twice.
    """
    if not isinstance(content, dict) or set(content) != {"opset", "inputs", "outputs", "nodes", "assumptions"}:
        raise GraphError("the graph must hold opset, inputs, outputs, nodes and assumptions")
    try:
        inputs = tuple(
            Input(_text(name), _text(dtype), None if shape is None else tuple(_side(side) for side in _list(shape)))
            for name, dtype, shape in map(_list, _list(content["inputs"]))
        )
        nodes = tuple(
            Node(
                _text(op),
                _texts(taken),
                _texts(made),
                {_text(k): _value(v) for k, v in attributes.items()},
                _text(name),
            )
            for op, taken, made, attributes, name in map(_list, _list(content["nodes"]))
        )
        opset, outputs, assumptions = content["opset"], _texts(content["outputs"]), _texts(content["assumptions"])
    except (TypeError, ValueError, AttributeError, KeyError):
        raise GraphError("the graph is not readable") from None
    if type(opset) is not int or not FIRST_OPSET <= opset <= LAST_OPSET:
        raise GraphError(f"opset must be {FIRST_OPSET} to {LAST_OPSET}, got {str(opset)[:20]}")
    if not inputs or not outputs:
        raise GraphError("the graph must name an input and an output")
    graph = Graph(opset, inputs, outputs, nodes, dict(constants), assumptions)
    _check(graph)
    return graph


def structure(graph: Graph) -> list[Any]:
    """What a graph is but for the names of its values and nodes: two exports of one network have the same.

    Attributes that have their default value are left out, and the version of the operators counts where it changes
    what they mean.

    Examples
    --------
    >>> a, b = (Graph(17, (Input(x, "float32", (1,)),), (y,), (Node("Relu", (x,), (y,)),), {}) for x, y in ("ab", "cd"))
    >>> structure(a) == structure(b)
    True
    """
    numbers: dict[str, int] = {"": -1}
    found: list[Any] = []
    for one in graph.inputs:
        numbers[one.name] = len(numbers)
        sides = None if one.shape is None else [side if isinstance(side, int) else "" for side in one.shape]
        found.append([one.dtype, sides])
    for node in graph.nodes:
        for name in (*node.inputs, *node.outputs):
            numbers.setdefault(name, len(numbers))
        ends = [[numbers[name] for name in names] for names in (node.inputs, node.outputs)]
        since, defaults = _meaning(node.op, graph.opset)
        own = sorted((key, _plain(value)) for key, value in node.attributes.items() if defaults.get(key) != value)
        found.append([node.op, since, *ends, own])
    return [*found, [numbers[name] for name in graph.outputs]]


def constants_in_use(graph: Graph) -> list[str]:
    """Names of the constants in the order in which nodes, then outputs, use them first."""
    used = [name for node in graph.nodes for name in node.inputs]
    return [name for name in dict.fromkeys((*used, *graph.outputs)) if name in graph.constants]


@functools.cache
def _meaning(op: str, opset: int) -> tuple[int, dict[str, Any]]:
    """The version of the operators from which `op` means what it does in version `opset`, and its default values."""
    from onnx import defs, helper

    try:
        schema = defs.get_schema(op, opset, "")
    except defs.SchemaError:  # newer than `opset`, but known here
        return opset, {}
    given = {name: helper.get_attribute_value(one.default_value) for name, one in schema.attributes.items()
             if one.default_value.name}  # fmt: skip
    plain = {name: value.decode() if isinstance(value, bytes) else value for name, value in given.items()}
    return schema.since_version, {n: tuple(v) if isinstance(v, list) else v for n, v in plain.items()}


def _check(graph: Graph) -> None:
    made = set(graph.constants)
    for one in graph.inputs:
        if one.name in made or not one.name:
            raise GraphError(f"the value {one.name!r} is made twice")
        if one.dtype not in _TYPES:
            raise GraphError(f"the input {one.name!r} has the unknown type {one.dtype!r}")
        made.add(one.name)
    for node in graph.nodes:
        if node.op not in SUPPORTED:
            raise GraphError(f"the operator {node.op!r} is not known")
        for name in node.inputs:
            if name and name not in made:
                raise GraphError(f"{node}: {name!r} is used before it is made")
        if not node.outputs:
            raise GraphError(f"{node}: makes nothing")
        for name in node.outputs:
            if name in made:
                raise GraphError(f"{node}: {name!r} is made twice")
            if name:
                made.add(name)
    for name in graph.outputs:
        if name not in made:
            raise GraphError(f"the output {name!r} is never made")


def _plain(value: Attribute) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _value(value: Any) -> Attribute:
    if isinstance(value, list):
        whole: Any = tuple(map(_number_or_text, value))
        if len({type(one) for one in whole}) > 1:
            raise ValueError(value)
        listed: Attribute = whole
        return listed
    return _number_or_text(value)


def _number_or_text(value: Any) -> int | float | str:
    if isinstance(value, dict):
        return _ODD[value["float"]]
    if type(value) not in (int, float, str) or (type(value) is int and not -(2**63) <= value < 2**63):
        raise ValueError(value)
    found: int | float | str = value
    return found


def _side(value: Any) -> int | str:
    if type(value) is str or (type(value) is int and 0 <= value < 2**40):
        side: int | str = value
        return side
    raise ValueError(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(value)
    return value


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError(value)
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in _list(values))
