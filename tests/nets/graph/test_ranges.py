"""Signs by analysis, against the onnx project's reference implementation on signed inputs of many sizes."""

import numpy as np
import onnx
import onnx.reference
import pytest

from nets.graph import kinds, ranges
from nets.graph.graph import Graph, Input, Node
from nets.graph.ranges import nonnegative

RNG = np.random.default_rng(0)
SIGNED = RNG.normal(size=(1, 4, 6, 6)).astype(np.float32) * 3
POSITIVE = np.abs(SIGNED)
MATRIX = RNG.normal(size=(6, 5)).astype(np.float32)
KERNEL = RNG.normal(size=(3, 4, 3, 3)).astype(np.float32)
VECTOR = RNG.normal(size=3).astype(np.float32)
FOUR = np.ones(4, np.float32)
I64 = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "sizes": np.array([1, 4, 12, 12]), "new": np.array([1, -1])}
EMPTY = np.array([], np.float32)


def f32(*values):
    return np.array(values[0] if len(values) == 1 else values, np.float32)


def graph_of(op, constants, attributes, opset=18, first="x"):
    node = Node(op, (first, *constants), ("y",), attributes)
    return Graph(opset, (Input("x", "float32", SIGNED.shape),), ("y",), (node,), dict(constants))


def run(graph, x):
    nodes = [onnx.helper.make_node(n.op, n.inputs, n.outputs, **n.attributes) for n in graph.nodes]
    held = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    made = onnx.helper.make_graph(nodes, "g", inputs, outputs, held)
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", graph.opset)])
    return onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]


CASES = [  # operator, constants, attributes, >= 0 for signed inputs, >= 0 for inputs >= 0
    ("Relu", {}, {}, True, True),
    ("LeakyRelu", {}, {"alpha": 0.1}, False, True),
    ("Sigmoid", {}, {}, True, True),
    ("Tanh", {}, {}, False, True),
    ("Elu", {}, {}, False, True),
    ("Selu", {}, {}, False, True),
    ("Selu", {}, {"gamma": -1.0}, False, False),
    ("Softplus", {}, {}, True, True),
    ("HardSigmoid", {}, {}, True, True),
    ("HardSwish", {}, {}, False, True),
    ("Abs", {}, {}, True, True),
    ("Neg", {}, {}, False, False),
    ("Exp", {}, {}, True, True),
    ("Softmax", {}, {"axis": 1}, True, True),
    ("LogSoftmax", {}, {"axis": 1}, False, False),
    ("Clip", {"low": f32(0.0), "high": f32(6.0)}, {}, True, True),
    ("Clip", {"low": f32(-1.0), "high": f32(6.0)}, {}, False, True),
    ("Clip", {"low": f32(-2.0), "high": f32(-1.0)}, {}, False, False),
    ("ThresholdedRelu", {}, {"alpha": 0.5}, True, True),
    ("ThresholdedRelu", {}, {"alpha": -1.0}, False, True),
    ("Pow", {"two": f32(2.0)}, {}, True, True),
    ("Pow", {"three": f32(3.0)}, {}, False, True),
    ("MaxPool", {}, {"kernel_shape": (2, 2)}, False, True),
    ("AveragePool", {}, {"kernel_shape": (2, 2), "pads": (1, 1, 1, 1)}, False, True),
    ("GlobalAveragePool", {}, {}, False, True),
    ("Flatten", {}, {}, False, True),
    ("Reshape", {"new": I64["new"]}, {}, False, True),
    ("Transpose", {}, {"perm": (0, 2, 1, 3)}, False, True),
    ("Pad", {"pads": I64["pads"]}, {}, False, True),
    ("Pad", {"pads": I64["pads"], "fill": f32(-1.0)}, {}, False, False),
    ("Pad", {"pads": I64["pads"], "fill": f32(1.0)}, {}, False, True),
    ("Resize", {"roi": EMPTY, "scales": EMPTY, "sizes": I64["sizes"]}, {"mode": "nearest"}, False, True),
    ("Resize", {"roi": EMPTY, "scales": EMPTY, "sizes": I64["sizes"]}, {"mode": "linear"}, False, True),
    ("Resize", {"roi": EMPTY, "scales": EMPTY, "sizes": I64["sizes"]}, {"mode": "cubic"}, False, False),
    ("MatMul", {"w": MATRIX}, {}, False, False),
    ("MatMul", {"w": np.abs(MATRIX)}, {}, False, True),
    ("Conv", {"w": KERNEL}, {}, False, False),
    ("Conv", {"w": np.abs(KERNEL)}, {}, False, True),
    ("Conv", {"w": np.abs(KERNEL), "b": VECTOR - 100}, {}, False, False),
    ("Conv", {"w": np.abs(KERNEL), "b": np.abs(VECTOR)}, {}, False, True),
    ("Add", {"c": f32(1.0)}, {}, False, True),
    ("Add", {"c": f32(-1.0)}, {}, False, False),
    ("Sub", {"c": f32(1.0)}, {}, False, False),
    ("Mul", {"c": f32(2.0)}, {}, False, True),
    ("Mul", {"c": f32(-2.0)}, {}, False, False),
    ("Div", {"c": f32(2.0)}, {}, False, True),
    ("Max", {"c": f32(0.0)}, {}, True, True),
    ("Min", {"c": f32(2.0)}, {}, False, True),
    ("Min", {"c": f32(-2.0)}, {}, False, False),
    ("LRN", {}, {"size": 3}, False, True),
    ("ReduceMean", {"axes": np.array([2, 3])}, {}, False, True),
    ("ReduceL2", {"axes": np.array([2, 3])}, {}, True, True),
    ("LayerNormalization", {"scale": np.ones(6, np.float32)}, {}, False, False),
    ("BatchNormalization", {"s": FOUR, "b": FOUR - 1, "m": FOUR, "v": FOUR * 2}, {}, False, False),
]


@pytest.mark.parametrize(("op", "constants", "attributes", "signed", "kept"), CASES, ids=lambda v: str(v)[:20])
def test_the_signs_found_are_those_of_the_reference(op, constants, attributes, signed, kept):
    graph = graph_of(op, constants, attributes)
    assert ("y" in nonnegative(graph)) is signed
    assert ("y" in nonnegative(graph, inputs={"x"})) is kept
    assert bool((run(graph, SIGNED) >= 0).all()) is signed  # the examples show a negative entry wherever one may be
    assert bool((run(graph, POSITIVE) >= 0).all()) is kept


def test_a_part_counts_as_signed_because_its_replacement_may_be():
    graph = graph_of("MatMul", {"w": np.abs(MATRIX)}, {})
    assert "y" in nonnegative(graph, inputs={"x"})
    assert "y" not in nonnegative(graph, inputs={"x"}, parts={"w"})


@pytest.mark.parametrize(
    ("attributes", "signed"), [({"min": 0.0, "max": 6.0}, True), ({"min": -1.0, "max": 6.0}, False)]
)
def test_clip_by_attributes(attributes, signed):
    assert ("y" in nonnegative(graph_of("Clip", {}, attributes, opset=6))) is signed


def test_a_residual_block_and_a_squared_value():
    nodes = (
        Node("Relu", ("x",), ("h",)),
        Node("Conv", ("h", "w"), ("c",)),
        Node("Add", ("h", "c"), ("r",)),  # signed: c is
        Node("Mul", ("r", "r"), ("s",)),
        Node("Concat", ("s", "h"), ("k",), {"axis": 1}),
        Node("Where", ("q", "s", "h"), ("o",)),
        Node("Where", ("q", "c", "h"), ("p",)),
        Node("LSTM", ("h", "w", "w"), ("l",)),
    )
    constants = {"w": KERNEL, "q": np.array(True)}
    graph = Graph(18, (Input("x", "float32", None),), ("k",), nodes, constants)
    assert nonnegative(graph) == {"h", "s", "k", "o", "q"}


def test_every_operator_of_the_table_has_one_kind_and_one_sign():
    listed = [op for row in kinds._ROWS for op in row[2:]]
    assert len(listed) == len(set(listed)) == len(kinds.KINDS) == len(kinds.SIGNS)
    assert {op for op in listed if kinds.SIGNS[op] == "asks"} == set(ranges._RULES)
    assert [op for op in listed if not onnx.defs.has(op) and op != "Swish"] == []  # Swish is of onnx 1.19 and later
