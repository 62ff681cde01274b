"""Graphs as plain data: back and forth exactly, and everything else refused with one line."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nets.graph.graph import Graph, GraphError, Input, Node
from nets.graph.text import from_plain, structure, to_plain

NAMES = st.text(min_size=1, max_size=5)
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=4),
    st.lists(st.integers(-9, 9), max_size=3).map(tuple), st.lists(st.floats(allow_nan=False), max_size=3).map(tuple),
    st.lists(st.text(max_size=2), max_size=3).map(tuple),
)  # fmt: skip
SIDES = st.one_of(st.integers(0, 2**39), NAMES)


@given(
    attributes=st.dictionaries(NAMES, VALUES, max_size=4),
    shape=st.one_of(st.none(), st.lists(SIDES, max_size=4).map(tuple)),
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    assumptions=st.lists(NAMES, max_size=2).map(tuple),
)
def test_back_and_forth_by_way_of_json(attributes, shape, names, assumptions):
    x, w, y = names
    node = Node("MatMul", (x, "", w), (y, ""), attributes, "any \n name")
    graph = Graph(17, (Input(x, "float32", shape),), (y, x), (node,), {w: np.ones(2)}, assumptions)
    back = from_plain(json.loads(json.dumps(to_plain(graph), allow_nan=False)), graph.constants)
    for field in ("opset", "inputs", "outputs", "nodes", "assumptions"):
        assert getattr(back, field) == getattr(graph, field)
    assert all(type(back.nodes[0].attributes[name]) is type(value) for name, value in attributes.items())
    assert back.constants.keys() == graph.constants.keys()


def test_nan_comes_back():
    graph = Graph(17, (Input("x", "float32", None),), ("y",), (Node("Elu", ("x",), ("y",), {"alpha": math.nan}),), {})
    back = from_plain(json.loads(json.dumps(to_plain(graph), allow_nan=False)), {})
    assert math.isnan(back.nodes[0].attributes["alpha"])


GOOD = to_plain(
    Graph(17, (Input("x", "float32", ("n", 3)),), ("y",), (Node("MatMul", ("x", "w"), ("h",), {"k": 1}, "a"),
          Node("Relu", ("h",), ("y",), {}, "b")), {"w": np.ones((3, 3))})
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "bad", "message"),
    [
        ((), [], "must hold opset, inputs"),
        ((), None, "must hold opset, inputs"),
        ((), {}, "must hold opset, inputs"),
        (("opset",), 1.0, "opset must be 7 to 28"),
        (("opset",), True, "opset must be 7 to 28"),
        (("opset",), 6, "opset must be 7 to 28"),
        (("opset",), 99, "opset must be 7 to 28"),
        (("inputs",), [], "must name an input and an output"),
        (("outputs",), [], "must name an input and an output"),
        (("outputs",), "y", "not readable"),
        (("outputs",), ["z"], "the output 'z' is never made"),
        (("outputs",), [1], "not readable"),
        (("inputs",), 3, "not readable"),
        (("inputs", 0), ["x", "float32"], "not readable"),
        (("inputs", 0, 0), "", "the value '' is made twice"),
        (("inputs", 0, 0), "w", "the value 'w' is made twice"),
        (("inputs", 0, 1), "intx", "has the unknown type 'intx'"),
        (("inputs", 0, 1), "uint64", "has the unknown type 'uint64'"),
        (("inputs", 0, 1), "complex64", "has the unknown type"),
        (("inputs", 0, 2), "abc", "not readable"),
        (("inputs", 0, 2), [-1], "not readable"),
        (("inputs", 0, 2), [2**50], "not readable"),
        (("inputs", 0, 2), [True], "not readable"),
        (("inputs", 0, 2), [1.5], "not readable"),
        (("nodes",), {"a": 1}, "not readable"),
        (("nodes", 0), None, "not readable"),
        (("nodes", 0, 0), "Eval", "the operator 'Eval' is not known"),
        (("nodes", 0, 0), "If", "the operator 'If' is not known"),
        (("nodes", 0, 1), "xw", "not readable"),
        (("nodes", 0, 1), ["x", "y"], "'y' is used before it is made"),
        (("nodes", 0, 2), [], "makes nothing"),
        (("nodes", 0, 2), [""], "used before it is made"),
        (("nodes", 0, 2), ["x"], "'x' is made twice"),
        (("nodes", 0, 2), ["w"], "'w' is made twice"),
        (("nodes", 0, 3), [], "not readable"),
        (("nodes", 0, 3, "k"), None, "not readable"),
        (("nodes", 0, 3, "k"), True, "not readable"),
        (("nodes", 0, 3, "k"), {}, "not readable"),
        (("nodes", 0, 3, "k"), {"float": "1"}, "not readable"),
        (("nodes", 0, 3, "k"), [None], "not readable"),
        (("nodes", 0, 3, "k"), 10**400, "not readable"),
        (("nodes", 0, 4), 5, "not readable"),
        (("assumptions",), [5], "not readable"),
    ],
)
def test_what_is_no_graph_is_refused(path, bad, message):
    content = {"all": copy.deepcopy(GOOD)}
    place = content
    for key in ("all", *path)[:-1]:
        place = place[key]
    place[("all", *path)[-1]] = bad
    with pytest.raises(GraphError, match=message):
        from_plain(content["all"], {"w": np.ones((3, 3))})
    from_plain(GOOD, {"w": np.ones((3, 3))})


def test_structure_forgets_names_and_nothing_else():
    def graph(x="x", w="w", v="v", h="h", y="y", *, op="Relu", taken=None, axis=1, dtype="float32"):
        nodes = (
            Node("MatMul", (x, w), (h,), {}, x),
            Node(op, (h,), (y,), {"axis": axis}, y),
            Node("MatMul", taken or (y, v), ("z" + y,)),
        )
        return Graph(17, (Input(x, dtype, (x, 3)),), ("z" + y,), nodes, {w: np.ones(2), v: np.ones(3)})

    same = structure(graph())
    assert structure(graph("v", "x", "w", "y", "h")) == same
    for other in (graph(op="Elu"), graph(axis=2), graph(taken=("y", "w")), graph(taken=("v", "y")),
                  graph(taken=("h", "v")), graph(dtype="int64")):  # fmt: skip
        assert structure(other) != same
