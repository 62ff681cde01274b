"""The parts of a network: the weights that are to be found in a random one, each with its view as matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from nets.graph.graph import Array, Graph, GraphError, Node

LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
KINDS = ("dense", "convolution", "transposed convolution", "embedding", "scale", "bias")


@dataclass(frozen=True)
class Part:
    """Weights of a network that act as one linear map: a constant of its graph, seen as `groups` matrices.

    A random network of depth 2 stands in for each: row r of group g is an output (of a convolution: an output channel
    and a tap), column c an input channel. A bias is a column that is fed by the constant 1.

    Attributes
    ----------
    constant : str
        Name in `Graph.constants`.
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Of the constant.
    split, order : tuple of int
        ``constant.reshape(split).transpose(order)`` has the axes (groups, rows..., cols).
    groups, rows, cols : int
    outputs : int
        Output channels of one group: rows / taps.
    signed : bool
        Whether what it takes can be negative: then both halves are needed.
    """

    constant: str
    kind: str
    shape: tuple[int, ...]
    split: tuple[int, ...]
    order: tuple[int, ...]
    groups: int
    rows: int
    cols: int
    outputs: int
    signed: bool

    @property
    def weights(self) -> int:
        """Numbers in it."""
        return self.groups * self.rows * self.cols

    def matrices(self, constant: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """The constant as float64, shape (groups, rows, cols)."""
        ordered = np.asarray(constant, np.float64).reshape(self.split).transpose(self.order)
        return np.ascontiguousarray(ordered).reshape(self.groups, self.rows, self.cols)

    def restored(self, matrices: Array) -> Array:
        """The inverse of `matrices`: an array of the constant's shape."""
        sides = tuple(self.split[axis] for axis in self.order)
        back = np.argsort(self.order)
        return np.ascontiguousarray(matrices.reshape(sides).transpose(back)).reshape(self.shape)

    def by_output(self, matrices: Array) -> Array:
        """(groups, rows, cols) with one row for each output channel: shape (groups outputs, taps cols)."""
        return rows_by_output(matrices, self.outputs)


def rows_by_output(matrices: Array, outputs: int) -> Array:
    """Matrices (groups, rows, cols) with one row for each of `outputs` channels of a group, its taps side by side."""
    return np.ascontiguousarray(matrices).reshape(len(matrices) * outputs, -1)


def find_parts(graph: Graph, nonnegative: frozenset[str] | set[str] = frozenset()) -> tuple[Part, ...]:
    """The parts of a graph, in the order of its nodes; a constant that several nodes use is one part.

    Parameters
    ----------
    nonnegative : set of str
        Values that are never negative (`nets.graph.ranges.nonnegative`).

    Raises
    ------
    GraphError
        If a constant is used in two different ways; `nets.targets` gives each use its own copy.
    """
    found: dict[str, Part] = {}
    for part, data in _uses(graph):
        part = replace(part, signed=part.signed and data not in nonnegative)
        same = found.get(part.constant)
        if same is None:
            found[part.constant] = part
        elif replace(same, signed=part.signed) != part:
            raise GraphError(f"{part.constant}: is used as {same.kind} and as {part.kind}")
        else:
            found[part.constant] = replace(same, signed=same.signed or part.signed)
    return tuple(found.values())


def part_inputs(graph: Graph, node: Node) -> list[tuple[int, Part]]:
    """Which inputs of a node are parts: their places and the parts, all of them signed."""
    made = _origins_of_channels(graph)
    return [(place, part) for place, part, _ in _node_uses(graph, node, made)]


def _uses(graph: Graph) -> Iterator[tuple[Part, str]]:
    made = _origins_of_channels(graph)
    for node in graph.nodes:
        for _, part, data in _node_uses(graph, node, made):
            yield part, data


_CHANNELS: WeakKeyDictionary[Graph, dict[str, tuple[int, int]]] = WeakKeyDictionary()


def _origins_of_channels(graph: Graph) -> dict[str, tuple[int, int]]:
    """For outputs of linear nodes: their number of channels, and the axes that come after them; kept with the graph."""
    known = _CHANNELS.get(graph)
    if known is not None:
        return known
    found: dict[str, tuple[int, int]] = {}
    for node in graph.nodes:
        if node.op in LINEAR:
            for place in (1, 0):
                weight = _floating(graph, node, place)
                if weight is not None:
                    part = _linear(node, place, weight)
                    if part is not None:
                        after = max(weight.ndim - 2, 0) if node.op in ("Conv", "ConvTranspose") else place ^ 1
                        found[node.outputs[0]] = part.groups * part.outputs if "onv" in node.op else part.outputs, after
                    break
    _CHANNELS[graph] = found
    return found


def _node_uses(graph: Graph, node: Node, made: dict[str, tuple[int, int]]) -> Iterator[tuple[int, Part, str]]:
    """(place, part, value that it is applied to; "" for the constant 1) for every part that a node takes."""
    if node.op in LINEAR:
        for place in (1, 0):
            weight = _floating(graph, node, place)
            if weight is None or (place == 0 and node.op not in ("Gemm", "MatMul")):
                continue
            part = _linear(node, place, weight)
            if part is not None:
                yield place, part, node.inputs[1 - place]
                bias = _floating(graph, node, 2)
                if bias is not None:
                    yield 2, _bias(node.inputs[2], bias), ""
            break
    elif node.op == "BatchNormalization":
        scale, shift = _floating(graph, node, 1), _floating(graph, node, 2)
        if scale is not None and shift is not None:
            count = scale.size
            yield (
                1,
                Part(node.inputs[1], "scale", scale.shape, (count, 1, 1), (0, 1, 2), count, 1, 1, 1, True),
                node.inputs[0],
            )
            yield 2, _bias(node.inputs[2], shift), ""
    elif node.op == "Gather" and node.attributes.get("axis", 0) == 0:
        table = _floating(graph, node, 0)
        if table is not None and table.ndim == 2 and node.inputs[1] not in graph.constants:
            words, width = table.shape
            yield (
                0,
                Part(
                    node.inputs[0],
                    "embedding",
                    table.shape,
                    (1, words, width),
                    (0, 2, 1),
                    1,
                    width,
                    words,
                    width,
                    False,
                ),
                "",
            )
    elif node.op == "Add":
        for place in (0, 1):
            shift = _floating(graph, node, place)
            if shift is not None and node.inputs[1 - place] in made:
                channels, after = made[node.inputs[1 - place]]
                if shift.size == channels and shift.ndim > after and shift.shape[-after - 1] == channels:
                    yield place, _bias(node.inputs[place], shift), ""


def _floating(graph: Graph, node: Node, place: int) -> Array | None:
    if place >= len(node.inputs):
        return None
    array = graph.constants.get(node.inputs[place])
    return array if array is not None and np.issubdtype(array.dtype, np.floating) and array.size else None


def _bias(name: str, array: Array) -> Part:
    return Part(name, "bias", array.shape, (1, array.size, 1), (0, 1, 2), 1, array.size, 1, array.size, False)


def _linear(node: Node, place: int, weight: Array) -> Part | None:
    """The view of the weight of a linear node; None if it is no matrix (a vector in MatMul)."""
    name, shape = node.inputs[place], weight.shape
    if node.op in ("Conv", "ConvTranspose"):
        if place != 1 or weight.ndim < 3:
            return None
        groups = node.attributes.get("group", 1)
        taps = math.prod(shape[2:])
        if not isinstance(groups, int) or groups < 1 or shape[0] % groups:
            raise GraphError(f"{node}: {shape[0]} channels do not fall into {groups} groups")
        each = shape[0] // groups
        if node.op == "Conv":
            return Part(name, "convolution", shape, (groups, each, shape[1], taps), (0, 1, 3, 2),
                        groups, each * taps, shape[1], each, True)  # fmt: skip
        return Part(name, "transposed convolution", shape, (groups, each, shape[1], taps), (0, 2, 3, 1),
                    groups, shape[1] * taps, each, shape[1], True)  # fmt: skip
    if weight.ndim < 2 or (node.op == "Gemm" and weight.ndim != 2):
        return None
    groups = math.prod(shape[:-2])
    flipped = node.op == "Gemm" and bool(node.attributes.get("transB" if place == 1 else "transA", 0))
    # the rows of the view are outputs: the last axis of a right factor, the last but one of a left one
    order = (0, 2, 1) if (place == 1) != flipped else (0, 1, 2)
    rows, cols = shape[order[1] - 3], shape[order[2] - 3]
    return Part(name, "dense", shape, (groups, *shape[-2:]), order, groups, rows, cols, rows, True)
