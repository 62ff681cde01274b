"""Damage, floods and bombs: whatever a file holds, the reader ends soon, with a network or one line."""

from __future__ import annotations

import re
import time

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from nets.graph import GraphModule
from nets.graph.graph import GraphError
from nets.targets import load_target
from nets.targets.folding import prepared
from nets.targets.onnx_file import _parse, model_graph
from tests.nets.targets.models import (
    MATMUL,
    W,
    by_us,
    choice,
    graph_of,
    model,
    node,
    numbers,
    refusal,
    refused,
    tensor,
    value,
)

# --- What would take all memory or time -----------------------------------------------------------------------------

HUGE = tensor("s", [10**7, 10**7], np.int64)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([node("ConstantOfShape", "s", "h")], [HUGE]),
        ([node("Expand", "one s", "h")], [HUGE, tensor("one", 1.0)]),
        ([node("Tile", "t s", "h")], [HUGE, tensor("t", [[1.0]])]),
        (
            [node("Range", "a b d", "h")],
            [tensor("a", 0, np.int64), tensor("b", 10**14, np.int64), tensor("d", 1, np.int64)],
        ),
        ([node("Range", "a b d", "h")], [tensor("a", 0.0), tensor("b", np.inf), tensor("d", 1.0)]),
        ([node("Pad", "t p", "h")], [tensor("t", [1.0]), tensor("p", [0, 10**13], np.int64)]),
        (
            [node("OneHot", "i d v", "h")],
            [tensor("i", [1], np.int64), tensor("d", 10**13, np.int64), tensor("v", [0.0, 1.0])],
        ),
        ([node("Resize", "t - f", "h")], [tensor("t", [1.0]), tensor("f", [1e13])]),
        ([node("Resize", "t - - z", "h")], [tensor("t", [1.0]), tensor("z", [10**13], np.int64)]),
        (
            [node("Gather", "t i", "h", axis=0)],
            [tensor("t", np.zeros((1, 10**6))), tensor("i", np.zeros(10**7), np.int8)],
        ),
        ([node("Add", "t u", "h")], [tensor("t", np.zeros((10**6, 1))), tensor("u", np.zeros((1, 10**6)))]),
        ([node("MatMul", "t u", "h")], [tensor("t", np.zeros((10**6, 1))), tensor("u", np.zeros((1, 10**6)))]),
        ([node("Gemm", "t t", "h", transB=1)], [tensor("t", np.zeros((10**6, 1)))]),
        ([node("Einsum", "t t", "h", equation="i,j->ij")], [tensor("t", np.zeros(10**6))]),
        ([node("Conv", "t t", "h", pads=[10**13, 0])], [tensor("t", np.zeros((1, 1, 1)))]),
        ([node("ConvTranspose", "t t", "h", strides=[10**13])], [tensor("t", np.zeros((1, 1, 2)))]),
        ([node("ConvTranspose", "t t", "h", output_shape=[10**13])], [tensor("t", np.zeros((1, 1, 2)))]),
        (
            [
                node("Concat", "t t", "h0", axis=0),
                *(node("Concat", f"h{i} h{i}", f"h{i + 1}", axis=0) for i in range(60)),
                node("Identity", "h60", "h"),
            ],
            [tensor("t", [1.0])],
        ),
    ],
)
def test_constants_that_would_take_all_memory_are_refused(nodes, weights, monkeypatch):
    monkeypatch.setattr("nets.targets.folding.available_bytes", lambda: 2**30)
    proto = model([*nodes, node("ReduceSum", "h", "k"), node("Add", "x k", "y")], weights)
    assert "the limit is" in refused(proto)


@pytest.mark.parametrize(
    ("nodes", "weights", "message"),
    [
        ([node("Expand", "x s", "y")], [tensor("s", [10**6, 10**6, 3], np.int64)], "y (Expand): makes 10.9 TiB of"),
        ([node("Tile", "x s", "y")], [tensor("s", [10**6, 10**6], np.int64)], "y (Tile): makes 10.9 TiB of"),
        ([node("Pad", "x s", "y")], [tensor("s", [0, 0, 10**6, 10**6], np.int64)], "y (Pad): makes"),
        ([node("Resize", "x - s", "y")], [tensor("s", [1e6, 1e6])], "y (Resize): makes"),
        (
            [node("Unsqueeze", "x a", "h"), node("Conv", "h k", "y", pads=[10**13, 0])],
            [tensor("a", [0], np.int64), tensor("k", np.ones((1, 1, 1)))],
            "makes more of them than the memory holds",
        ),
        (
            [node("Concat", f"{f'h{i}' if i else 'x'} {f'h{i}' if i else 'x'}", f"h{i + 1}", axis=0) for i in range(60)]
            + [node("Identity", "h60", "y")],
            [],
            "of inputs and weights of",
        ),
    ],
)
def test_values_that_would_take_all_memory_are_not_made(nodes, weights, message, monkeypatch):
    monkeypatch.setattr("nets.graph.module._ALWAYS_BYTES", 2**20)
    module = GraphModule(model_graph(model(nodes, weights)))
    with pytest.raises(GraphError, match=re.escape(message)):
        module(torch.zeros(1, 3))


def test_sizes_of_a_resize_are_those_of_its_output(monkeypatch):
    monkeypatch.setattr("nets.graph.module._ALWAYS_BYTES", 2**10)
    monkeypatch.setattr("nets.graph.module._MOST_GROWTH", 4)
    sizes = tensor("s", [1, 1, 8, 8], np.int64)
    image = value("x", (1, 1, 8, 8))
    module = GraphModule(model_graph(model([node("Resize", "x - - s", "y")], [sizes], inputs=[image])))
    assert module(torch.ones(1, 1, 8, 8)).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("version", [999, 0, -1, 2, 2**40])
def test_versions_of_the_format_that_do_not_exist(version):
    proto = model([node("Relu", "x", "y")])
    proto.ir_version = version
    assert f"ir_version {version} is not read, only 3 to" in refused(proto)


def test_what_is_said_of_values_must_make_sense():
    for place, change, message in (
        ("output", {"elem_type": 77}, "'y' is said to have the type 77, which does not exist"),
        ("value_info", {"elem_type": -3}, "'y' is said to have the type -3, which does not exist"),
        ("output", {"side": -7}, "'y' is said to have a negative side: -7"),
        ("value_info", {"side": -2}, "'y' is said to have a negative side: -2"),
    ):
        proto = model([node("Relu", "x", "y")])
        value = proto.graph.output[0] if place == "output" else proto.graph.value_info.add(name="y")
        value.type.tensor_type.elem_type = change.get("elem_type", 1)
        if "side" in change:
            value.type.tensor_type.shape.dim.add().dim_value = change["side"]
        assert message in refused(proto)


def test_a_chain_of_a_hundred_thousand_operators():
    nodes = [node("Relu", "x", "h0")]
    nodes += [node("Identity" if i % 3 else "Neg", f"h{i}", f"h{i + 1}") for i in range(100_000)]
    nodes.append(node("MatMul", "h100000 w", "y"))
    proto = model(nodes, [W])
    begun = time.monotonic()
    graph = model_graph(proto)
    assert time.monotonic() - begun < 20
    assert len(graph.nodes) == 2 + 33_334
    x = numbers(1, 3)
    np.testing.assert_allclose(by_us(graph, {"x": x})[0], np.maximum(x, 0) @ numpy_helper.to_array(W), rtol=1e-5)


# --- Damage ---------------------------------------------------------------------------------------------------------


def test_empty_truncated_and_other_files(tmp_path):
    path = tmp_path / "m.onnx"
    content = model([MATMUL, node("Relu", "y", "z")], [W], outputs=("z",)).SerializeToString()
    for i in (1, 2, 7, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:i])
        assert refusal(load_target, path).startswith("m.onnx: ")
    for other in (b"", b"\0" * 100, b"not a network\n" * 9, bytes(range(256)), b"\x80" * 50):
        path.write_bytes(other)
        assert refusal(load_target, path).startswith("m.onnx: ")
    path.write_bytes(onnx.ModelProto().SerializeToString() or b"\x08\x08")
    assert "holds no network" in refusal(load_target, path)
    path.unlink()
    assert refusal(load_target, path) == "m.onnx: no such file"
    path.mkdir()
    assert refusal(load_target, path) == "m.onnx: no such file"


@pytest.mark.parametrize("place", ["value", "weight", "input", "side", "node", "op", "domain", "attribute", "output"])
def test_names_that_are_no_text(place):
    """Six bytes that are no UTF-8, in every kind of name."""
    names = {one: "abcdef" if one == place else one for one in ("value", "weight", "input", "side", "node", "output")}
    more = {"attribute": {"abcdef": 1.0}, "domain": {"domain": "abcdef"}}.get(place, {})
    op = "abcdef" if place == "op" else "Relu"
    nodes = [
        helper.make_node("MatMul", [names["input"], names["weight"]], [names["value"]]),
        helper.make_node(op, [names["value"]], [names["output"]], name=names["node"], **more),
    ]
    proto = model(
        nodes,
        [tensor(names["weight"], numbers(3, 3))],
        inputs=[value(names["input"], (names["side"], 3))],
        outputs=(names["output"],),
    )
    content = proto.SerializeToString().replace(b"abcdef", b"\xff\xfe\xff\xfe\xff\xfe")
    if place in ("node", "side"):
        assert isinstance(str(model_graph(_parse(content)).nodes[1]), str)
    else:
        assert "\\xff" in refusal(lambda: model_graph(_parse(content)))


def test_messages_do_not_hold_what_a_terminal_obeys():
    line = refused(model([helper.make_node("Relu", ["h"], ["y"], name="a\n\x1b[2Jb" + "c" * 10**5)]))
    assert line.isprintable()
    assert line.startswith("...ccc")


def test_changed_bytes_give_a_network_or_one_line(tmp_path):
    """Any byte of a network with many kinds of entries, changed: no error but ours, at reading and at running."""
    branch = graph_of([node("Relu", "h", "a")], "a")
    proto = model(
        [
            node("Conv", "x w b", "c", pads=[1, 1], group=1, name="conv"),
            node("BatchNormalization", "c b b b v", "n", epsilon=0.5),
            node("LeakyRelu", "n", "h", alpha=0.25),
            choice("yes", branch, branch, "r"),
            node("Reshape", "r shape", "f"),
            node("Softmax", "f", "s", axis=1),
            node("Gemm", "s m", "y", transB=1),
        ],
        [
            tensor("w", numbers(2, 1, 3)),
            tensor("b", numbers(2)),
            tensor("v", [1.0, 2.0]),
            tensor("yes", True, bool),
            tensor("shape", [0, -1], np.int64),
            tensor("m", numbers(2, 8)),
        ],
        inputs=[value("x", (1, 1, 4))],
    )
    content = proto.SerializeToString()

    rng = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    changes = [(place, int(rng.integers(256))) for place in range(len(content))]
    changes += [(place, content[place] ^ (1 << int(rng.integers(8)))) for place in range(len(content))]
    for place, byte in changes:
        broken = bytearray(content)
        broken[place] = byte
        try:
            graph = prepared(model_graph(_parse(bytes(broken)), folder=tmp_path))
            if len(graph.inputs) == 1 and graph.inputs[0].shape == (1, 1, 4) and graph.inputs[0].dtype == "float32":
                by_us(graph, {graph.inputs[0].name: numbers(1, 1, 4)})
            outcomes["read"] += 1
        except GraphError:  # any other error fails the test
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100
