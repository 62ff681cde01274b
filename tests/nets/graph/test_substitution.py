"""Pruned weights put into a graph: what its halves say, run by onnxruntime; and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from nets.graph.export import to_onnx
from nets.graph.graph import Graph, Input, Node
from nets.graph.parts import find_parts
from nets.graph.substitution import substituted
from tests.nets.targets.models import by_runtime, by_us, numbers


def single(op: str, shape: tuple[int, ...], sides: tuple[int, ...], *, opset=17, bias=None, left=False, **attributes):
    """A graph of one linear operator."""
    names = ("w", "x") if left else ("x", "w")
    constants = {"w": numbers(*shape)} | ({} if bias is None else {"b": numbers(bias, seed=1)})
    node = Node(op, (*names, *(() if bias is None else ("b",))), ("y",), attributes)
    return Graph(opset, (Input("x", "float32", sides),), ("y",), (node,), constants)


def halves_of(graph: Graph) -> dict:
    """Different weights for both signs of every matrix, other biases."""
    return {
        part.constant: (
            both := numbers(*part.shape, seed=11),
            both if part.kind == "bias" else numbers(*part.shape, seed=12),
        )
        for part in find_parts(graph)
    }


CASES = {
    "conv": single("Conv", (4, 2, 3), (2, 4, 6), bias=4, group=2, pads=(1, 1)),
    "conv without bias": single("Conv", (4, 2, 3), (2, 4, 6), group=2),
    "transposed conv": single("ConvTranspose", (4, 2, 3), (2, 4, 6), bias=4, group=2, strides=(2,)),
    "gemm": single("Gemm", (3, 4), (2, 4), bias=3, transB=1, alpha=0.5, beta=2.0),
    "old gemm": single("Gemm", (3, 4), (2, 4), opset=9, bias=3, transB=1),
    "left gemm": single("Gemm", (3, 4), (4, 2), left=True),
    "matmul": single("MatMul", (4, 3), (2, 4)),
    "left matmul": single("MatMul", (3, 4), (4, 2), left=True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_linear_operator_acts_on_both_halves(name):
    """L(plus) s(h) - L(minus) s(-h), each term by onnxruntime with the original operator."""
    graph = CASES[name]
    effective = halves_of(graph)
    made = substituted(graph, effective)
    x = numbers(*graph.inputs[0].shape, seed=5)

    def run(weight, data, bias):
        constants = {"w": weight} | ({"b": bias} if "b" in graph.constants else {})
        return by_runtime(to_onnx(Graph(graph.opset, graph.inputs, ("y",), graph.nodes, constants)), {"x": data})[0]

    plus, minus = effective["w"]
    bias = effective["b"][0] if "b" in effective else np.zeros(0)
    wanted = run(plus, np.maximum(x, 0), bias) - run(minus, np.maximum(-x, 0), np.zeros_like(bias))
    for found in (by_us(made, {"x": x})[0], by_runtime(to_onnx(made), {"x": x})[0]):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert [one.op for one in made.nodes].count("Relu") == 2


def test_weights_that_do_not_differ_take_their_place_only():
    graph = CASES["conv"]
    new = {name: (array, array) for name, array in (("w", numbers(4, 2, 3, seed=8)), ("b", numbers(4, seed=9)))}
    made = substituted(graph, new)
    assert made.nodes == graph.nodes
    assert all(made.constants[name] is pair[0] for name, pair in new.items())
    assert substituted(graph, {}).constants == graph.constants
    assert graph.constants["w"] is not new["w"][0]


def test_a_batch_norm_acts_on_both_halves():
    node = Node("BatchNormalization", ("x", "s", "t", "zero", "one"), ("y",), {"epsilon": 0.0})
    constants = {
        "s": numbers(3),
        "t": numbers(3, seed=1),
        "zero": np.zeros(3, np.float32),
        "one": np.ones(3, np.float32),
    }
    graph = Graph(17, (Input("x", "float32", (2, 3, 4)),), ("y",), (node,), constants)
    plus, minus, shift = (numbers(3, seed=seed) for seed in (2, 3, 4))
    made = substituted(graph, {"s": (plus, minus), "t": (shift, shift)})
    x = numbers(2, 3, 4, seed=5)
    scaled = plus[:, None] * np.maximum(x, 0) - minus[:, None] * np.maximum(-x, 0) + shift[:, None]
    for found in (by_us(made, {"x": x})[0], by_runtime(to_onnx(made), {"x": x})[0]):
        np.testing.assert_allclose(found, scaled, rtol=1e-5, atol=1e-5)


def test_shared_weights_and_names_that_clash():
    """One weight used twice, among values that have the names that we would give."""
    nodes = (
        Node("Exp", ("x",), ("w/minus",)),
        Node("Neg", ("x",), ("h/positive",)),
        Node("MatMul", ("x", "w"), ("h",)),
        Node("MatMul", ("h", "w"), ("k",)),
        Node("Add", ("k", "w/minus"), ("h/plus",)),
        Node("Add", ("h/plus", "h/positive"), ("y",)),
    )
    graph = Graph(17, (Input("x", "float32", (2, 3)),), ("y",), nodes, {"w": numbers(3, 3)})
    plus, minus = numbers(3, 3, seed=1), numbers(3, 3, seed=2)
    made = substituted(graph, {"w": (plus, minus)})
    values = [name for node in made.nodes for name in node.outputs]
    assert len(set(values) | made.constants.keys()) == len(values) + 2
    x = numbers(2, 3, seed=5)
    act = lambda h: np.maximum(h, 0) @ plus - np.maximum(-h, 0) @ minus  # noqa: E731
    wanted = act(act(x)) + np.exp(x) - x
    for found in (by_us(made, {"x": x})[0], by_runtime(to_onnx(made), {"x": x})[0]):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_bias_that_is_added_later_and_an_embedding_have_one_half():
    nodes = (Node("Gather", ("t", "i"), ("h",)), Node("MatMul", ("h", "w"), ("k",)), Node("Add", ("k", "b"), ("y",)))
    constants = {"t": numbers(5, 3), "w": numbers(3, 2), "b": numbers(2)}
    graph = Graph(17, (Input("i", "int64", (4,)),), ("y",), nodes, constants)
    table, bias = numbers(5, 3, seed=1), numbers(2, seed=4)
    plus, minus = numbers(3, 2, seed=2), numbers(3, 2, seed=3)
    made = substituted(graph, {"t": (table, table), "w": (plus, minus), "b": (bias, bias)})
    i = np.array([4, 0, 1, 1])
    h = table[i]
    wanted = np.maximum(h, 0) @ plus - np.maximum(-h, 0) @ minus + bias
    np.testing.assert_allclose(by_runtime(to_onnx(made), {"i": i})[0], wanted, rtol=1e-5, atol=1e-5)
