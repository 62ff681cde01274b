"""Which weights are projections of an attention, in networks as PyTorch exports them and in doubtful ones."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nets.graph.attention import projections
from nets.graph.graph import Graph, Input, Node
from nets.targets.folding import prepared
from nets.targets.onnx_file import read_onnx
from tests.nets.targets.test_exports import exported


def graph_of(nodes, outputs=("y",)) -> Graph:
    constants = {name: np.eye(4) for name in ("q", "k", "v")} | {
        "b": np.ones(4),
        "s": np.float64(2),
        "shape": np.ones(2),
    }
    made = tuple(Node(op, tuple(i.split()), tuple(o.split())) for op, i, o in nodes)
    return Graph(17, (Input("x", "float32", (4, 4)),), outputs, made, constants)


HEAD = [("MatMul", "x q", "a"), ("MatMul", "x k", "c")]


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([*HEAD, ("MatMul", "a c", "y")], {"q", "k"}),
        ([*HEAD, ("Add", "a b", "d"), ("Reshape", "d shape", "e"), ("Mul", "s e", "f"), ("MatMul", "f c", "y")],
         {"q", "k"}),
        ([*HEAD, ("Shape", "a", "n"), ("Reshape", "a n", "e"), ("MatMul", "e c", "y")], {"q", "k"}),
        ([*HEAD, ("Div", "a s", "d"), ("MatMul", "d c", "y")], {"q", "k"}),
        ([*HEAD, ("Div", "s a", "d"), ("MatMul", "d c", "y")], {"k"}),
        ([*HEAD, ("Mul", "a a", "d"), ("MatMul", "d c", "y")], {"k"}),
        ([*HEAD, ("Mul", "a x", "d"), ("MatMul", "d c", "y")], {"k"}),
        ([*HEAD, ("Relu", "a", "d"), ("MatMul", "d c", "y")], {"k"}),
        ([*HEAD, ("MatMul", "a c", "d"), ("Relu", "a", "e"), ("Add", "d e", "y")], {"k"}),
        ([*HEAD, ("Split", "a", "d e"), ("MatMul", "d c", "f"), ("Relu", "e", "g"), ("Add", "f g", "y")], {"k"}),
        ([*HEAD, ("MatMul", "a v", "d"), ("MatMul", "d c", "y")], {"k", "v"}),
        ([("MatMul", "x q", "a"), ("MatMul", "a a", "y")], {"q"}),
        ([("MatMul", "x q", "a"), ("Gather", "v a", "d"), ("MatMul", "d x", "y")], set()),
        ([("MatMul", "x q", "y")], set()),
        ([("MatMul", "x q", "y"), ("MatMul", "x k", "unused")], set()),
        ([("MatMul", "x q", "e"), ("Relu", "e", "f"), ("MatMul", "x q", "a"), ("MatMul", "a x", "d"),
          ("Add", "d f", "y")], set()),
    ],
)  # fmt: skip
def test_where_an_output_may_go(nodes, found):
    assert projections(graph_of(nodes)) == found


def test_an_output_of_the_network_is_no_projection():
    assert projections(graph_of([*HEAD, ("MatMul", "a c", "y")], ("y", "a"))) == {"k"}


@pytest.mark.parametrize(
    ("name", "exporter", "count"), [("heads", "older", 3), ("heads", "newer", 3), ("attention", "older", 1)]
)
def test_exported_attention(tmp_path, name, exporter, count):
    """Query, key and value: three weights where they are apart, one where PyTorch keeps them in one."""
    exported(name, tmp_path / "m.onnx", exporter)
    graph = prepared(read_onnx(tmp_path / "m.onnx"))
    assert len(projections(graph)) == count


def test_a_hundred_thousand_steps_behind_a_weight():
    nodes = [("MatMul", "x q", "h0"), *(("Reshape", f"h{i} shape", f"h{i + 1}") for i in range(100_000))]
    begun = time.monotonic()
    assert projections(graph_of([*nodes, ("MatMul", "h100000 x", "y")])) == {"q"}
    assert time.monotonic() - begun < 10
