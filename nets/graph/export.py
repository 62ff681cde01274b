"""A graph as an ONNX model, for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nets.graph.graph import Graph, GraphError

_MAX_BYTES = 2**31 - 2**20


def to_onnx(graph: Graph) -> Any:
    """The graph as an `onnx.ModelProto`, its floating-point constants in the type of its inputs (else float32).

    Raises
    ------
    GraphError
        If it takes more than the 2 GiB that one ONNX file can hold.

    Examples
    --------
    >>> from nets.graph.graph import Input, Node
    >>> graph = Graph(17, (Input("x", "float32", ("batch", 2)),), ("y",), (Node("Relu", ("x",), ("y",)),), {})
    >>> to_onnx(graph).graph.node[0].op_type
    'Relu'
    """
    from onnx import helper, numpy_helper

    floats = [one.dtype for one in graph.inputs if one.floating]
    real = floats[0] if floats else "float32"
    initializers = []
    for name, array in graph.constants.items():
        array = np.asarray(array)
        initializers.append(numpy_helper.from_array(array.astype(real) if array.dtype.kind == "f" else array, name))
    if sum(tensor.ByteSize() for tensor in initializers) > _MAX_BYTES:
        raise GraphError("the network takes more than the 2 GiB that one ONNX file can hold")
    nodes = []
    for i, node in enumerate(graph.nodes):
        attributes: dict[str, Any] = dict(node.attributes)
        if node.op == "ConstantOfShape" and "value" in attributes:
            array = np.array([attributes.pop("value")], attributes.pop("dtype"))
            attributes["value"] = numpy_helper.from_array(array)
        nodes.append(helper.make_node(node.op, node.inputs, node.outputs, name=node.name or f"node{i}", **attributes))
    inputs = [
        helper.make_tensor_value_info(one.name, helper.np_dtype_to_tensor_dtype(np.dtype(one.dtype)), one.shape)
        for one in graph.inputs
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in graph.outputs]
    proto = helper.make_graph(nodes, "pruned", inputs, outputs, initializers)
    return helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=10, producer_name="strong-tickets"
    )
