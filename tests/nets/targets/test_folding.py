"""Graphs made simpler: the same function by onnxruntime before and by our own after, whatever the geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from nets.graph.graph import Graph, Input, Node
from nets.graph.parts import find_parts
from nets.targets.folding import folded, prepared
from nets.targets.onnx_file import model_graph
from tests.nets.targets.models import assert_same, by_runtime, by_us, model, node, numbers, refusal, tensor, value


def norm_weights(channels: int, seed: int = 9) -> list:
    rng = np.random.default_rng(seed)
    arrays = {"gamma": rng.normal(size=channels), "beta": rng.normal(size=channels), "mean": rng.normal(size=channels)}
    arrays["var"] = rng.uniform(0.1, 2, size=channels)
    return [tensor(name, array) for name, array in arrays.items()]


def normed(inputs: str = "h gamma beta mean var", outputs: str = "y", **attributes):
    return node("BatchNormalization", inputs, outputs, **attributes)


def assert_absorbed(proto, feeds, absorbed=True) -> Graph:
    graph = prepared(model_graph(proto))
    assert ("BatchNormalization" not in {one.op for one in graph.nodes}) == absorbed
    assert_same(graph, proto, feeds, tolerance=1e-4)
    np.testing.assert_allclose(by_us(graph, feeds, torch.float64)[0], by_runtime(proto, feeds)[0], rtol=1e-3, atol=1e-4)
    return graph


@settings(max_examples=40)
@given(
    op=st.sampled_from(["Conv", "ConvTranspose"]),
    groups=st.integers(1, 3),
    each_in=st.integers(1, 3),
    each_out=st.integers(1, 3),
    taps=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    bias=st.booleans(),
    epsilon=st.sampled_from([None, 0.1]),
)
def test_batch_norms_behind_convolutions_are_absorbed(op, groups, each_in, each_out, taps, bias, epsilon):
    channels = groups * each_out
    shape = (channels, each_in, *taps) if op == "Conv" else (groups * each_in, each_out, *taps)
    weights = [tensor("w", numbers(*shape)), *norm_weights(channels)]
    weights += [tensor("b", numbers(channels, seed=2))] if bias else []
    more = {} if epsilon is None else {"epsilon": epsilon}
    nodes = [node(op, "x w b" if bias else "x w", "h", group=groups), normed(**more), node("Relu", "y", "z")]
    sides = (2, groups * each_in, *(5,) * len(taps))
    proto = model(nodes, weights, inputs=[value("x", sides)], outputs=("z",))
    graph = assert_absorbed(proto, {"x": numbers(*sides, seed=3)})
    assert [part.kind for part in find_parts(graph)][1:] == ["bias"]


@settings(max_examples=40)
@given(
    transposed=st.booleans(),
    alpha=st.sampled_from([None, 0.5, -2.0]),
    beta=st.sampled_from([None, 0.25, -1.0]),
    bias=st.sampled_from([None, (), (1,), (4,), (1, 4), (1, 1), (4, 4), (4, 1)]),
)
def test_batch_norms_behind_gemm_are_absorbed(transposed, alpha, beta, bias):
    """With its factors and every shape of bias; a bias that differs between examples stays."""
    weights = [tensor("w", numbers(*((4, 3) if transposed else (3, 4)))), *norm_weights(4)]
    weights += [] if bias is None else [tensor("b", numbers(*bias, seed=2))]
    more = {key: one for key, one in (("alpha", alpha), ("beta", beta)) if one is not None}
    first = node("Gemm", "x w" if bias is None else "x w b", "h", transB=int(transposed), **more)
    proto = model([first, normed()], weights, inputs=[value("x", (4, 3))])
    assert_absorbed(proto, {"x": numbers(4, 3, seed=3)}, absorbed=bias not in ((4, 4), (4, 1)))


def test_batch_norms_that_cannot_be_absorbed_become_scale_and_shift():
    """After an activation, on the input, where the convolution's output is used twice, and after another norm."""
    conv = node("Conv", "x w", "c")
    weights = [tensor("w", numbers(3, 3, 1)), *norm_weights(3)]
    again = "gamma beta mean var"
    cases = {
        "activation": [conv, node("Relu", "c", "h"), normed()],
        "input": [normed(f"x {again}", "n"), node("Conv", "n w", "y")],
        "used twice": [conv, normed(f"c {again}", "n"), node("Add", "c n", "y")],
        "two": [conv, normed(f"c {again}", "n"), normed(f"n {again}", "y", epsilon=0.5)],
        "weights shared": [conv, node("Conv", "c w", "d"), normed(f"d {again}", "n"), node("Conv", "n w", "y")],
    }
    for name, nodes in cases.items():
        proto = model(nodes, weights, inputs=[value("x", (2, 3, 4))])
        graph = assert_absorbed(proto, {"x": numbers(2, 3, 4, seed=3)}, absorbed=name == "weights shared")
        for one in graph.nodes:
            if one.op == "BatchNormalization":
                mean, variance = (graph.constants[key] for key in one.inputs[3:5])
                assert not mean.any()
                assert (variance == 1).all()
                assert one.attributes == {"epsilon": 0.0}
        kinds = [part.kind for part in find_parts(graph)]
        assert kinds.count("scale") == sum(one.op == "BatchNormalization" for one in graph.nodes)


def test_an_output_in_the_middle_stays_what_it_is():
    """The convolution's own output is asked for, so the norm behind it may not go into its weights."""
    weights = [tensor("w", numbers(3, 3, 1)), *norm_weights(3)]
    proto = model([node("Conv", "x w", "h"), normed()], weights, inputs=[value("x", (2, 3, 4))], outputs=("y", "h"))
    assert_absorbed(proto, {"x": numbers(2, 3, 4)}, absorbed=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": numbers(1)}, "must have one number a channel, got (1,), (3,), (3,), (3,)"),
        ({"var": -np.ones(3)}, "its scale or shift is NaN or infinity"),
        ({"mean": np.full(3, np.nan)}, "its scale or shift is NaN or infinity"),
        ({"gamma": numbers(3, 1)}, "must have one number a channel"),
    ],
)
def test_batch_norms_that_do_not_fit_are_refused(change, message):
    weights = {one.name: one for one in [tensor("w", numbers(3, 3, 1)), *norm_weights(3)]}
    weights |= {name: tensor(name, array) for name, array in change.items()}
    proto = model([node("Conv", "x w", "h"), normed()], list(weights.values()), inputs=[value("x", (2, 3, 4))])
    assert message in refusal(prepared, model_graph(proto))


def test_batch_norms_of_a_wrong_width_are_not_spread_over_the_channels():
    weights = [tensor("w", numbers(3, 3, 1)), *norm_weights(1)]
    proto = model([node("Conv", "x w", "h"), normed()], weights, inputs=[value("x", (2, 3, 4))])
    assert "BatchNormalization" in {one.op for one in prepared(model_graph(proto)).nodes}


def test_training_is_refused():
    weights = [tensor("w", numbers(3, 3, 1)), *norm_weights(3)]
    inputs = [value("x", (2, 3, 4))]
    for last in (normed(training_mode=1), normed(outputs="y a b", training_mode=1)):
        proto = model([node("Conv", "x w", "h"), last], weights, inputs=inputs)
        assert "in training mode" in refusal(prepared, model_graph(proto))
    proto = model([node("Add", "x x", "gamma2"), normed("x gamma2 beta mean var")], norm_weights(3), inputs=inputs)
    assert "must be constants" in refusal(prepared, model_graph(proto))
    proto = model([node("Dropout", "x r t", "y")], [tensor("r", 0.5), tensor("t", True, bool)])
    assert "a dropout in training mode" in refusal(model_graph, proto)


def test_every_way_to_use_a_weight_gets_a_constant_of_its_own():
    """A square weight used from the left, from the right, transposed, as a table and as a number."""
    nodes = [
        node("MatMul", "x w", "a"),
        node("Gemm", "a w", "b", transB=1),
        node("MatMul", "b w", "c"),
        node("MatMul", "w c", "d"),
        node("Gather", "w i", "e"),
        node("Add", "d e", "f"),
        node("Mul", "f w", "y"),
    ]
    inputs = [value("x", (3, 3)), value("i", (3,), TensorProto.INT64)]
    proto = model(nodes, [tensor("w", numbers(3, 3))], inputs=inputs)
    feeds = {"x": numbers(3, 3, seed=1), "i": np.array([2, 0, 1])}
    graph = prepared(model_graph(proto))
    assert_same(graph, proto, feeds)
    parts = find_parts(graph)
    assert [part.kind for part in parts] == ["dense", "dense", "embedding"]
    uses = [name for one in graph.nodes for name in one.inputs if name in graph.constants]
    assert uses == ["w", "w/use2", "w", "w/use2", "w/use3", "w/use4"], "x W^T and W x are one matrix"


def test_names_that_clash_with_ours():
    """Values and weights called as we would call our own: w/use2, y/scale, w/y, h/y/bias."""
    nodes = [
        node("Gemm", "x w", "w/use2"),
        node("Gemm", "w/use2 w", "h/y/bias", transB=1),
        node("Conv", "c w/y h/y/scale", "h"),
        normed("h gamma beta mean var", "y"),
        node("Relu", "y", "y/scale"),
        normed("y/scale gamma beta mean var", "y/mean"),
        node("ReduceSum", "y/mean axes", "k", keepdims=0),
        node("Add", "k h/y/bias", "z"),
    ]
    weights = [tensor("w", numbers(3, 3)), tensor("w/y", numbers(3, 3, 1)), tensor("h/y/scale", numbers(3))]
    weights += [*norm_weights(3), tensor("axes", [2], np.int64)]
    proto = model(nodes, weights, inputs=[value("x", (2, 3)), value("c", (2, 3, 4))], outputs=("z",))
    assert_same(prepared(model_graph(proto)), proto, {"x": numbers(2, 3), "c": numbers(2, 3, 4)}, tolerance=1e-4)


def test_what_hangs_on_constants_alone_is_evaluated_once():
    nodes = [
        node("Shape", "w", "s"),
        node("Gather", "s zero", "n"),
        node("Concat", "minus n", "shape", axis=0),
        node("Transpose", "w", "t"),
        node("Identity", "t", "same"),
        node("MatMul", "x same", "h"),
        node("Reshape", "h shape", "r"),
        node("Dropout", "r", "y mask"),
        node("Exp", "h", "unused"),
    ]
    weights = [tensor("w", numbers(3, 3)), tensor("zero", [0], np.int64), tensor("minus", [-1], np.int64)]
    proto = model(nodes, weights)
    graph = model_graph(proto)
    assert [one.op for one in graph.nodes] == ["MatMul", "Reshape"]
    assert set(graph.constants) == {"t", "shape"}
    assert_same(graph, proto, {"x": numbers(2, 3)})


def test_the_mask_of_a_dropout_may_be_used():
    nodes = [node("Dropout", "x", "d m"), node("Cast", "m", "c", to=TensorProto.FLOAT), node("Mul", "d c", "y")]
    x = numbers(2, 3)
    np.testing.assert_array_equal(by_us(model_graph(model(nodes)), {"x": x})[0], x)


def test_numbers_are_folded_in_the_type_of_the_file():
    """2^24 + 1 is no float32: a cast to double keeps it, a cast to float rounds it."""
    for kind, expected in ((TensorProto.DOUBLE, 2**24 + 1), (TensorProto.FLOAT, 2**24)):
        nodes = [
            node("Cast", "i", "f", to=kind),
            node("Cast", "f", "j", to=TensorProto.INT64),
            node("Cast", "x", "k", to=7),
        ]
        proto = model(
            [*nodes, node("Add", "k j", "y")], [tensor("i", [2**24 + 1], np.int64)], inputs=[value("x", (1,))]
        )
        assert by_us(model_graph(proto), {"x": np.zeros(1, np.float32)})[0].tolist() == [expected]


def test_operators_that_do_not_fit_their_constants_are_refused():
    cases = [
        ([node("MatMul", "a b", "c")], {"a": numbers(2, 3), "b": numbers(2, 3)}, "MatMul"),
        ([node("Reshape", "a s", "c")], {"a": numbers(2, 3), "s": np.array([4])}, "Reshape"),
        ([node("Gather", "a s", "c")], {"a": numbers(2, 3), "s": np.array([4])}, "Gather"),
        ([node("Div", "s z", "c")], {"s": np.array([4]), "z": np.array([0])}, "Div"),
        ([node("Range", "s t z", "c")], {"s": np.array(4), "t": np.array(9), "z": np.array(0)}, "Range"),
        ([node("Conv", "a b", "c", group=0)], {"a": numbers(1, 1, 3), "b": numbers(1, 1, 1)}, "Conv"),
        ([node("Expand", "a s", "c")], {"a": numbers(2), "s": np.array([-4])}, "Expand"),
    ]
    for nodes, constants, op in cases:
        weights = [tensor(name, array, array.dtype) for name, array in constants.items()]
        proto = model([*nodes, node("ReduceSum", "c", "d"), node("Add", "x d", "y")], weights)
        line = refusal(model_graph, proto)
        assert op in line


def test_folding_leaves_the_given_graph_alone():
    graph = Graph(17, (Input("x", "float32", (2,)),), ("y",), (
        Node("Neg", ("w",), ("v",)), Node("Add", ("x", "v"), ("y",))), {"w": np.ones(2)})  # fmt: skip
    small = folded(graph)
    assert len(graph.nodes) == 2
    assert set(graph.constants) == {"w"}
    assert [one.op for one in small.nodes] == ["Add"]
    assert small.constants["v"].tolist() == [-1, -1]
