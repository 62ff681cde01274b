"""Small graphs of every kind with random parts, and two ways to run them that share no code with nets."""

from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.reference

from nets.graph.graph import Graph, Input, Node


@dataclass
class Case:
    """A network, the shape of its input, which constants are parts, and what they become."""

    label: str
    nodes: list[Node]
    constants: dict
    shape: tuple[int, ...]
    parts: tuple[str, ...] = ()
    noise: float = 0.05
    opset: int = 20
    equal_halves: bool = False
    output: str = "y"
    integer: bool = False
    effective: dict = field(default_factory=dict)

    def __post_init__(self):
        rng = np.random.default_rng(abs(hash_of(self.label)))
        for name in self.parts:
            source = self.constants[name].astype(np.float64)
            plus, minus = (source + self.noise * rng.uniform(-1, 1, source.shape) for _ in range(2))
            self.effective[name] = (plus, plus if self.equal_halves else minus)

    @property
    def graph(self) -> Graph:
        inputs = (Input("x", "int64" if self.integer else "float64", self.shape),)
        return Graph(self.opset, inputs, (self.output,), tuple(self.nodes), self.constants)


def hash_of(text):
    return int.from_bytes(text.encode(), "little") % (2**32)


def evaluator(nodes, constants, opset, names, integer=False):
    """The onnx project's reference implementation in float64, with every value as an output."""
    made = [onnx.helper.make_node(n.op, n.inputs, n.outputs, **n.attributes) for n in nodes]
    held = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    kind = onnx.TensorProto.INT64 if integer else onnx.TensorProto.DOUBLE
    inputs = [onnx.helper.make_tensor_value_info("x", kind, None)]
    outputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None) for name in names]
    graph = onnx.helper.make_graph(made, "g", inputs, outputs, held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return onnx.reference.ReferenceEvaluator(model)


def pruned_nodes(case):
    """The pruned network: a linear node with a part becomes op(plus, s(h)) - op(minus, s(-h)), bias with the first."""
    nodes, constants = [], dict(case.constants)
    for name, (plus, minus) in case.effective.items():
        constants[name], constants[name + "-"] = plus, minus
    for node in case.nodes:
        parts = [k for k, name in enumerate(node.inputs) if name in case.effective]
        weights = [k for k in parts if k < 2]
        if node.op in ("Add", "Sub", "Gather") or not weights:
            nodes.append(node)
            continue
        place = weights[0]
        at = 1 - place
        if case.equal_halves:
            nodes.append(node)
            continue
        without = () if node.op != "BatchNormalization" else ("zero", *node.inputs[3:])
        constants["zero"] = np.zeros(3)
        h, y = node.inputs[at], node.outputs[0]
        nodes += [
            Node("Relu", (h,), (f"{y}:p",)),
            Node("Neg", (h,), (f"{y}:n",)),
            Node("Relu", (f"{y}:n",), (f"{y}:m",)),
        ]
        first, second = list(node.inputs), [*node.inputs[:2], *without]
        first[at], second[at], second[place] = f"{y}:p", f"{y}:m", node.inputs[place] + "-"
        nodes.append(Node(node.op, tuple(first), (f"{y}:a",), node.attributes))
        nodes.append(Node(node.op, tuple(second), (f"{y}:b",), node.attributes))
        nodes.append(Node("Sub", (f"{y}:a", f"{y}:b"), (y,)))
    return nodes, constants


def both(case):
    """Functions x -> dict of values, for the target and for the pruned network."""
    names = [name for node in case.nodes for name in node.outputs if name]
    runs = []
    for nodes, constants in ((case.nodes, case.constants), pruned_nodes(case)):
        model = evaluator(nodes, constants, case.opset, names, case.integer)
        runs.append(lambda x, model=model: dict(zip(names, model.run(None, {"x": x}), strict=True)))
    return runs


def points(case, domain, count, seed=0):
    """Points of the domain: random ones on its border and inside, and corners."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        x = rng.normal(size=case.shape)
        if domain.radius is not None:
            yield x / np.linalg.norm(x) * domain.radius * (1 if k % 3 else rng.uniform()) * (1 - 1e-12)
        else:
            t = (x > 0).astype(float) if k % 2 else rng.uniform(size=case.shape)
            yield domain.low + t * (domain.high - domain.low)
