"""The standard's own test cases, and single operators run by onnxruntime: what our operators are compared with."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

from nets.graph.graph import Attribute, Node
from nets.graph.operators import run

DOMAINS = ("", "ai.onnx")
REALS = {"bfloat16", "float16", "float32", "float64"}


@cache
def cases() -> dict[str, Any]:
    """Every case that ONNX generates for operators, by name."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what ONNX does to make the cases
        return {one.name: one for one in collect_testcases(None)}


def as_attribute(proto: onnx.AttributeProto) -> Attribute:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, int | float):
        return value
    return tuple(one.decode() if isinstance(one, bytes) else one for one in value)


def as_node(proto: onnx.NodeProto) -> Node:
    """A node as a graph holds it: a tensor of one number becomes that number and its type."""
    attributes: dict[str, Attribute] = {}
    for one in proto.attribute:
        if one.type == onnx.AttributeProto.TENSOR:
            array = numpy_helper.to_array(one.t)
            attributes |= {"value": array.reshape(-1)[0].item(), "dtype": str(array.dtype)}
        else:
            attributes[one.name] = as_attribute(one)
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, proto.name)


def as_array(value: Any) -> np.ndarray:
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def is_real(array: np.ndarray) -> bool:
    return array.dtype.name in REALS


def as_tensor(array: np.ndarray, real: torch.dtype) -> torch.Tensor:
    if is_real(array):
        return torch.tensor(array.astype(np.float64)).to(real)
    return torch.tensor(array)


def opset_of(model: onnx.ModelProto) -> int:
    return next(one.version for one in model.opset_import if one.domain in DOMAINS)


def run_model(model: onnx.ModelProto, inputs: list[np.ndarray], real: torch.dtype) -> list[torch.Tensor]:
    """A model node by node with our operators; checks that none of them changes its inputs."""
    opset = opset_of(model)
    values: dict[str, torch.Tensor | None] = {"": None}
    values |= {one.name: as_tensor(array, real) for one, array in zip(model.graph.input, inputs, strict=True)}
    values |= {one.name: as_tensor(as_array(one), real) for one in model.graph.initializer}
    for proto in model.graph.node:
        if proto.op_type == "Constant":
            (given,) = proto.attribute
            array = as_array(given.t) if given.type == onnx.AttributeProto.TENSOR else np.array(as_attribute(given))
            values[proto.output[0]] = as_tensor(array, real)
            continue
        taken = [values[name] for name in proto.input]
        made = run(as_node(proto), taken, opset=opset, real=real)
        assert all(one is None or one._version == 0 for one in taken), f"{proto.op_type} changed an input"
        values |= dict(zip(proto.output, made, strict=True))
    return [values[one.name] for one in model.graph.output]


def compare(ours: torch.Tensor, theirs: np.ndarray, real: torch.dtype, tolerance: float) -> None:
    """Shape, type and numbers."""
    assert tuple(ours.shape) == theirs.shape
    if is_real(theirs):
        assert ours.dtype == real
    else:
        assert str(ours.dtype) == f"torch.{theirs.dtype.name}"
    np.testing.assert_allclose(
        ours.detach().double().numpy(), theirs.astype(np.float64), rtol=tolerance, atol=tolerance
    )


def single(
    op: str, arrays: list[np.ndarray | None], opset: int, outputs: int = 1, **attributes: Any
) -> onnx.ModelProto:
    """A model of one operator; None is an input left out."""
    names = ["" if array is None else f"x{place}" for place, array in enumerate(arrays)]
    made = [f"y{place}" for place in range(outputs)]
    node = onnx.helper.make_node(op, names, made, **attributes)
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=True)
        if array is not None
    ]
    graph = onnx.helper.make_graph([node], "single", inputs, [onnx.ValueInfoProto(name=name) for name in made])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


def by_runtime(model: onnx.ModelProto, arrays: list[np.ndarray | None]) -> list[np.ndarray]:
    """What onnxruntime makes of a model of one operator; it raises what it cannot run."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {f"x{place}": array for place, array in enumerate(arrays) if array is not None})


def agrees(op: str, arrays: list[np.ndarray | None], opset: int, outputs: int = 1, **attributes: Any) -> None:
    """Our operator gives what onnxruntime's gives."""
    model = single(op, arrays, opset, outputs, **attributes)
    given = [array for array in arrays if array is not None]
    for real in (torch.float32, torch.float64):
        for ours, theirs in zip(run_model(model, given, real), by_runtime(model, arrays), strict=True):
            compare(ours, theirs, real, 2e-5)
