"""Odd and hostile ONNX files: names, versions, operators, attributes, tensors; refused with one line, or read."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from nets.targets import load_target
from nets.targets.folding import prepared
from nets.targets.onnx_file import model_graph
from tests.nets.targets.models import (
    FLOAT,
    MATMUL,
    W,
    assert_same,
    by_us,
    model,
    node,
    numbers,
    refusal,
    refused,
    tensor,
    value,
)

# --- Names, order, versions -----------------------------------------------------------------------------------------

RELU = node("Relu", "x", "y")


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (model([node("Relu", "h", "y"), node("Relu", "y", "h")]), "'h' is used before it is made"),
        (model([node("Relu", "y", "y")]), "'y' is used before it is made"),
        (model([node("Relu", "h", "y"), node("Relu", "x", "h")]), "'h' is used before it is made"),
        (model([MATMUL]), "'w' is used before it is made"),
        (model([RELU, RELU]), "'y' is made twice"),
        (model([node("Relu", "x", "x")], outputs=("x",)), "'x' is made twice"),
        (model([MATMUL], [W, W]), "'w' is made twice"),
        (model([node("Relu", "x", "w"), MATMUL], [W]), "'w' is made twice"),
        (model([RELU], inputs=[value("x"), value("x")]), "'x' is made twice"),
        (model([node("Split", "x", "y y", axis=1)]), "'y' is made twice"),
        (model([RELU], [tensor("", 1.0)]), "a weight has no name"),
        (model([RELU], inputs=[value("")]), "an input has no name"),
        (model([node("Relu", "x", "-")]), "has no output"),
        (model([RELU, helper.make_node("Constant", [], [], value_int=1)]), "has no output"),
        (model([RELU], outputs=("z",)), "the output 'z' is never made"),
        (model([RELU], inputs=[]), "the network has no input"),
        (model([MATMUL], [W], inputs=[value("w")]), "the network has no input"),
        (model([MATMUL], [W], outputs=("w",)), "'w' does not depend on the inputs"),
        (model([node("Relu", "w", "y")], [W]), "'y' does not depend on the inputs"),
        (model([node("MatMul", "x w", "y")], [W], outputs=("y", "w")), "'w' does not depend"),
        (model([RELU], outputs=()), "holds no network"),
        (model([RELU], opset=1), "opset 1 is not read, only 7 to"),
        (model([RELU], opset=99), "opset 99 is not read"),
        (model([RELU], opset=-1), "opset -1 is not read"),
        (model([RELU], inputs=[value("x", (2, -3))]), "has a negative side: -3"),
        (model([RELU], inputs=[value("x", None, TensorProto.STRING)]), "has the type STRING"),
        (model([RELU], inputs=[value("x", None, TensorProto.COMPLEX64)]), "has the type COMPLEX64"),
        (model([RELU], inputs=[value("x", None, 0)]), "has the type UNDEFINED"),
        (model([RELU], inputs=[helper.make_tensor_sequence_value_info("x", FLOAT, None)]), "'x' is no tensor"),
    ],
)
def test_names_and_versions(proto, message, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    line = refusal(load_target, path)
    assert message in line
    assert line.startswith("m.onnx: ")


@pytest.mark.parametrize(
    ("opsets", "message"), [([], "got none"), ([("", 17), ("", 9)], "got [17, 9]"), ([("com.other", 1)], "got none")]
)
def test_the_version_must_be_named_once(opsets, message):
    proto = model([RELU])
    del proto.opset_import[:]
    proto.opset_import.extend(helper.make_opsetid(*one) for one in opsets)
    assert message in refused(proto)


def test_ai_onnx_is_the_default_domain():
    proto = model([helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")])
    proto.opset_import[0].domain = "ai.onnx"
    assert [one.op for one in model_graph(proto).nodes] == ["Relu"]


def test_a_weight_that_is_also_an_input_is_a_weight():
    proto = model([MATMUL], [W], inputs=[value("x"), value("w", (3, 3))])
    graph = model_graph(proto)
    assert [one.name for one in graph.inputs] == ["x"]
    assert_same(graph, proto, {"x": numbers(2, 3, seed=4)})


def test_an_output_that_is_an_input():
    proto = model([RELU], outputs=("y", "x"))
    feeds = {"x": numbers(2, 3)}
    for mine, other in zip(by_us(model_graph(proto), feeds), [np.maximum(feeds["x"], 0), feeds["x"]], strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_side_of_minus_one_is_free():
    """Some converters write it so, and onnxruntime reads it so."""
    graph = model_graph(model([RELU], inputs=[value("x", (-1, 3))]))
    assert graph.inputs[0].shape == ("side0", 3)


# --- Operators and attributes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([RELU, *(node("Loop", "- - x", f"l{i}") for i in range(3)), node("Scan", "x", "s")], "3 x Loop, 1 x Scan"),
        ([RELU, helper.make_node("Relu", ["x"], ["z"], domain="com.microsoft")], "1 x com.microsoft.Relu"),
        ([RELU, *(node("SequenceAt", "x x", f"s{i}") for i in range(2))], "2 x SequenceAt"),
        ([*(helper.make_node(f"Op{i}", ["x"], [f"o{i}"]) for i in range(20)), RELU], "1 x Op7, ..."),
        ([node("Relu", "x", "y", alpha=1.0)], "has no attribute 'alpha' in opset 17"),
        ([node("LeakyRelu", "x", "y", alpha=1)], "its attribute 'alpha' has the wrong type"),
        ([node("LeakyRelu", "x", "y", alpha="x")], "its attribute 'alpha' has the wrong type"),
        ([node("Transpose", "x", "y", perm=1)], "its attribute 'perm' has the wrong type"),
        ([node("Relu", "x x", "y")], "takes 1 to 1 inputs, got 2"),
        ([node("MatMul", "x", "y")], "takes 2 to 2 inputs, got 1"),
        ([node("Relu", "x", "y z")], "has at most 1 outputs, got 2"),
        ([node("Gelu", "x", "y")], "does not exist in opset 17"),
        ([node("Upsample", "x x", "y")], "does not exist any more in opset 17"),
        ([helper.make_node("LSTM", ["x"] * 3, ["", ""])], "has no output"),
        ([node("Constant", "", "c"), RELU], "must have one attribute, got 0"),
        ([node("Constant", "", "c", value_string="s"), RELU], "'value_string' is not read"),
        ([node("Constant", "", "c", value_int=1, value_float=2.0), RELU], "must have one attribute, got 2"),
        ([node("Constant", "", "c", value=3), RELU], "'value' has the wrong type"),
        ([node("Constant", "x", "c", value_int=3), RELU], "takes 0 to 0 inputs, got 1"),
        ([node("If", "x", "c"), RELU], "depends on the input x"),
        ([node("If", "", "c"), RELU], "takes 1 to 1 inputs, got 0"),
        ([node("If", "-", "c"), RELU], "If: has no condition"),
    ],
)
def test_operators_and_attributes(nodes, message):
    assert message in refused(model(nodes))


def test_an_attribute_named_twice_or_without_a_kind():
    proto = model([node("LeakyRelu", "x", "y", alpha=0.5)])
    proto.graph.node[0].attribute.add().CopyFrom(proto.graph.node[0].attribute[0])
    assert "names the attribute 'alpha' twice" in refused(proto)
    proto = model([node("LeakyRelu", "x", "y", alpha=0.5)])
    proto.graph.node[0].attribute[0].ClearField("type")
    assert "has the wrong type" in refused(proto)
    proto = model([node("LeakyRelu", "x", "y", alpha=0.5)])
    proto.graph.node[0].attribute[0].ref_attr_name = "outer"
    assert "refers to a function that is not there" in refused(proto)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_type": TensorProto.STRING}, "has the type STRING, which is not read"),
        ({"data_type": TensorProto.COMPLEX128}, "has the type COMPLEX128"),
        ({"data_type": 0}, "has the type UNDEFINED"),
        ({"data_type": 12345}, "has the type 12345"),
        ({"raw_data": b"\0" * 35}, "do not fit its shape (3, 3)"),
        ({"raw_data": b"\0" * 40}, "do not fit its shape (3, 3)"),
        ({"raw_data": b""}, "do not fit its shape (3, 3)"),
        ({"dims": [2**62, 2**62]}, "the limit is"),
        ({"dims": [2**62, 2**62, 0]}, "do not fit its shape"),
        ({"dims": [3, -3]}, "has a negative side: (3, -3)"),
        ({"dims": [-1]}, "has a negative side: (-1,)"),
    ],
)
def test_tensors_that_do_not_fit(change, message):
    proto = model([MATMUL], [W])
    for name, entry in change.items():
        if name == "dims":
            proto.graph.initializer[0].dims[:] = entry
        else:
            setattr(proto.graph.initializer[0], name, entry)
    assert message in refused(proto)


def test_numbers_that_stand_there_twice_or_are_wider_than_their_type():
    proto = model([MATMUL], [W])
    proto.graph.initializer[0].float_data.extend([1.0] * 9)
    assert refused(proto) == "'w' has its data twice, in raw_data and in float_data"
    for kind, numbers_ in (("INT8", [300, 1]), ("UINT8", [-1, 1]), ("UINT16", [70_000, 1]), ("FLOAT16", [70_000, 1])):
        proto = model([node("Cast", "s", "f", to=FLOAT), node("Sum", "x f", "y")])
        proto.graph.initializer.append(
            onnx.TensorProto(name="s", dims=[2], data_type=getattr(TensorProto, kind), int32_data=numbers_)
        )
        assert refused(proto) == f"'s' holds numbers that are not of its type, {kind}"
        proto.graph.initializer[0].int32_data[:] = [0x3C00, 0] if kind == "FLOAT16" else [7, 0]
        assert model_graph(proto).constants["f"].tolist() == ([1, 0] if kind == "FLOAT16" else [7, 0])
    proto.graph.initializer[0].CopyFrom(
        onnx.TensorProto(name="s", dims=[1], data_type=TensorProto.UINT32, uint64_data=[2**32 + 1])
    )
    assert "not of its type, UINT32" in refused(proto)


@pytest.mark.parametrize(
    "said", [value("w", (3, 4)), value("w", (3,)), value("w", (3, 3), TensorProto.INT64), value("w", ("n", 4))]
)
def test_a_weight_that_is_said_to_be_another_input(said):
    proto = model([MATMUL], [W], inputs=[value("x"), said])
    assert refused(proto) == "'w' is a weight, FLOAT (3, 3), and said to be another input"
    for fine in (value("w", None), value("w", ("n", 3))):
        assert len(model_graph(model([MATMUL], [W], inputs=[value("x"), fine])).inputs) == 1


def test_huge_dims_without_data():
    proto = model([MATMUL], [W])
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.dims[:] = (30_000, 1000)
    assert "do not fit its shape (30000, 1000)" in refused(proto)


def test_sparse_weights_are_refused():
    proto = model([MATMUL])
    sparse = proto.graph.sparse_initializer.add()
    sparse.values.CopyFrom(tensor("w", [1.0]))
    sparse.indices.CopyFrom(tensor("i", [4], np.int64))
    sparse.dims[:] = (3, 3)
    assert refused(proto) == "sparse weights are not read"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused_when_a_network_is_prepared(bad):
    weight = numbers(3, 3)
    weight[1, 2] = bad
    graph = model_graph(model([MATMUL], [tensor("w", weight)]))
    assert refusal(prepared, graph) == "y (MatMul): its dense 'w' holds NaN or infinity"
