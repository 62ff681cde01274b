"""Small ONNX models, and other programs that run them: what the readers are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from nets.graph import Graph, GraphModule
from nets.graph.graph import GraphError
from nets.targets.onnx_file import model_graph

FLOAT = TensorProto.FLOAT


def tensor(name: str, array: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def value(name: str, shape: Any = ("batch", 3), kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto] | None = None,
    *,
    inputs: list[onnx.ValueInfoProto] | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    **more: Any,
) -> onnx.ModelProto:
    """A model with one input x of shape (batch, 3) and one output y, if nothing else is said."""
    graph = helper.make_graph(
        nodes,
        "net",
        [value("x")] if inputs is None else inputs,
        [onnx.ValueInfoProto(name=name, type=helper.make_tensor_type_proto(FLOAT, None)) for name in outputs],
        weights or [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10, **more)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node of blank-separated names; "-" is an input that is left out."""
    split = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, split, ["" if name == "-" else name for name in outputs.split()], **attributes)


W = tensor("w", np.random.default_rng(0).normal(size=(3, 3)))
MATMUL = node("MatMul", "x w", "y")
"""A weight for the input x of `model`, and its product."""


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    """The one line with which a call refuses."""
    with pytest.raises(GraphError) as caught:
        call(*arguments, **named)
    line = str(caught.value)
    assert "\n" not in line
    assert 0 < len(line) <= 400
    return line


def by_runtime(source: Any, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime makes of a model or file, its optimisations off."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    given = source.SerializeToString() if isinstance(source, onnx.ModelProto) else str(source)
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def by_us(graph: Graph, feeds: dict[str, np.ndarray], dtype: torch.dtype | None = None) -> list[np.ndarray]:
    given = {name: torch.from_numpy(array) for name, array in feeds.items()}
    found = GraphModule(graph, dtype=dtype)(**given)
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


def assert_same(graph: Graph, source: Any, feeds: dict[str, np.ndarray], tolerance: float = 2e-5) -> None:
    """The graph in float32 gives what onnxruntime gives, up to `tolerance` of the size of the output."""
    theirs = by_runtime(source, feeds)
    ours = by_us(graph, feeds)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        assert np.isfinite(other).all()
        size = max(float(np.abs(other).max(initial=0)), 1e-3)
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance * size)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def graph_of(nodes: list[onnx.NodeProto], output: str, weights: Any = ()) -> onnx.GraphProto:
    """A branch of an If."""
    return helper.make_graph(nodes, "branch", [], [value(output, None)], list(weights))


def choice(condition: str, then: Any, other: Any, output: str = "y", **more: Any) -> onnx.NodeProto:
    """An If."""
    return node("If", condition, output, then_branch=then, else_branch=other, **more)


def refused(proto: onnx.ModelProto, **options: Any) -> str:
    """The one line with which the reader refuses a model."""
    return refusal(model_graph, proto, **options)
