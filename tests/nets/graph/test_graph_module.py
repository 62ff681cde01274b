"""A graph as a module: types, devices of its buffers, names, and one line where inputs do not fit."""

from __future__ import annotations

import copy
import gc
import re
import weakref

import numpy as np
import pytest
import torch

from nets.graph import Graph, GraphModule, Input, Node
from nets.graph.graph import GraphError


def small() -> Graph:
    nodes = (
        Node("MatMul", ("in.0", "w"), ("h",), {}, "first"),
        Node("Relu", ("h",), ("y",)),
        Node("Neg", ("h",), ("z",)),
    )
    inputs = (Input("in.0", "float32", ("batch", 2)),)
    return Graph(17, inputs, ("y", "z"), nodes, {"w": np.array([[1.0, -1.0], [2.0, 3.0]], np.float32)})


def test_outputs_values_and_constants():
    module = GraphModule(small())
    y, z = module(torch.tensor([[1.0, -2.0]]))
    assert y.tolist() == [[0.0, 0.0]]
    assert z.tolist() == [[3.0, 7.0]]
    values = module.values(torch.tensor([[1.0, -2.0]]))
    assert {name: value.tolist() for name, value in values.items()} == {
        "in.0": [[1.0, -2.0]], "h": [[-3.0, -7.0]], "y": [[0.0, 0.0]], "z": [[3.0, 7.0]],
    }  # fmt: skip
    assert module.constant("w").tolist() == [[1.0, -1.0], [2.0, 3.0]]
    assert list(module.parameters()) == []
    assert "3 operators" in repr(module)


def test_the_type_of_the_buffers_is_that_of_the_answer():
    module = GraphModule(small())
    x = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    assert module(x)[0].dtype == module.dtype == torch.float32
    assert copy.deepcopy(module).double()(x)[0].dtype == torch.float64
    assert module.half()(x.float())[0].dtype == module.dtype == torch.float16
    assert GraphModule(small(), dtype=torch.float64)(x.half())[0].dtype == torch.float64


def test_a_state_dict_goes_back_in():
    module, other = (
        GraphModule(small()),
        GraphModule(
            Graph(
                17, *(getattr(small(), k) for k in ("inputs", "outputs", "nodes")), {"w": np.zeros((2, 2), np.float32)}
            )
        ),
    )
    other.load_state_dict(module.state_dict())
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(module(x), other(x), strict=True))


@pytest.mark.parametrize(
    ("given", "named", "kind", "message"),
    [
        ((), {}, ValueError, "takes the inputs in.0, got 0 and []"),
        ((torch.ones(1, 2),) * 2, {}, ValueError, "takes the inputs in.0, got 2 and []"),
        ((torch.ones(1, 2),), {"in.0": torch.ones(1, 2)}, ValueError, "takes the inputs in.0, got 1 and ['in.0']"),
        ((), {"x": torch.ones(1, 2)}, ValueError, "takes the inputs in.0, got 0 and ['x']"),
        ((torch.ones(1, 3),), {}, ValueError, "in.0 must have shape (batch, 2), got (1, 3)"),
        ((torch.ones(2),), {}, ValueError, "in.0 must have shape (batch, 2), got (2,)"),
        ((torch.ones(1, 2, dtype=torch.int64),), {}, TypeError, "in.0 must be float32, got torch.int64"),
        (([[1.0, 2.0]],), {}, TypeError, "in.0 must be a tensor, got list"),
    ],
)
def test_inputs_that_do_not_fit(given, named, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        GraphModule(small())(*given, **named)
    GraphModule(small())(**{"in.0": torch.ones(1, 2)})


def test_an_operator_that_does_not_fit_is_named():
    graph = small()
    graph.constants["w"] = np.ones((3, 3), np.float32)
    with pytest.raises(GraphError, match=r"first \(MatMul\): inputs of shapes \(1, 2\), \(3, 3\)") as caught:
        GraphModule(graph)(torch.ones(1, 2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [1e30, np.inf])
def test_sizes_that_no_machine_has_are_refused(scale):
    """A scale that makes sides of more than 64 bits; one that has no whole part."""
    nodes = (Node("Resize", ("x", "", "s"), ("y",)),)
    graph = Graph(17, (Input("x", "float32", ("n",)),), ("y",), nodes, {"s": np.array([scale], np.float32)})
    with pytest.raises(GraphError, match="Resize"):
        GraphModule(graph)(torch.ones(2))


def test_whole_numbers_come_in_the_type_that_the_network_has():
    graph = Graph(17, (Input("i", "int64", ("n",)),), ("y",), (Node("Neg", ("i",), ("y",)),), {})
    for dtype in (torch.int32, torch.uint8, torch.int64):
        found = GraphModule(graph)(torch.tensor([2, 0], dtype=dtype))
        assert (found.tolist(), found.dtype) == ([-2, 0], torch.int64)


def test_constants_are_copies_and_values_are_let_go():
    """A chain of large values needs the memory of a few of them."""
    graph = small()
    module = GraphModule(graph)
    graph.constants["w"][:] = 0
    assert module.constant("w").abs().sum() == 7
    nodes = tuple(Node("Relu" if i % 2 else "Neg", (f"h{i}",), (f"h{i + 1}",)) for i in range(6))
    module = GraphModule(Graph(17, (Input("h0", "float32", ("n",)),), ("h6",), nodes, {}))
    alive = []
    steps = module._steps({"h0": torch.zeros(4)})
    for made in steps:
        alive.append(weakref.ref(next(iter(made.values()))))
        del made
        gc.collect()
        assert sum(one() is not None for one in alive) <= 3


def test_big_endian_constants():
    nodes = (Node("Mul", ("x", "w"), ("y",)),)
    graph = Graph(17, (Input("x", "float32", ("n",)),), ("y",), nodes, {"w": np.array([2.0, 3.0], ">f4")})
    assert GraphModule(graph)(torch.ones(2)).tolist() == [2.0, 3.0]
