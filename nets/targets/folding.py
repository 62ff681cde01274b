"""Simplifies a graph without changing what it computes: constants folded, batch norms absorbed, a weight a use."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from nets.graph.graph import Array, Attribute, Graph, GraphError, Node, fresh_name
from nets.graph.made_size import made_by
from nets.graph.module import as_tensor
from nets.graph.operators import run
from nets.graph.parts import Part, part_inputs
from sims.solver.memory import available_bytes, readable

_MOST_BYTES = 2**32
_DOUBLE = 11  # what ONNX calls float64


def folded(graph: Graph, *, outputs_too: bool = False) -> Graph:
    """Evaluate what hangs on constants alone, and drop what nothing uses.

    Parameters
    ----------
    outputs_too : bool
        Whether outputs may become constants; else a network whose output does not depend on its input is refused.

    Raises
    ------
    GraphError
        If an operator does not fit its constants.
    """
    nodes: list[Node] = []
    constants = dict(graph.constants)
    renamed: dict[str, str] = {}
    used = {*graph.outputs, *(name for node in graph.nodes for name in node.inputs if name)}
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        idle = node.op == "Identity" or (node.op == "Dropout" and not _trains(node, constants))
        if idle and not used.intersection(node.outputs[1:]):
            renamed[node.outputs[0]] = node.inputs[0]
        elif all(name in constants or not name for name in node.inputs):
            constants |= _evaluated(node, constants, graph.opset)
        else:
            nodes.append(node)
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    for name in outputs:
        if not outputs_too and name in constants:
            raise GraphError(f"the output {name!r} does not depend on the inputs")
    graph = replace(graph, nodes=tuple(nodes), constants=constants, outputs=outputs)
    return _pruned(graph)


def _trains(node: Node, constants: dict[str, Array]) -> bool:
    """Whether a Dropout is in training mode."""
    if len(node.inputs) < 3 or not node.inputs[2]:
        return False
    mode = constants.get(node.inputs[2])
    if mode is None or bool(np.any(mode)):
        raise GraphError(f"{node}: a dropout in training mode is no network of fixed weights: export it in eval mode")
    return False


def _evaluated(node: Node, constants: dict[str, Array], opset: int) -> dict[str, Array]:
    arrays = [constants[name] if name else None for name in node.inputs]
    limit = min(available_bytes() // 4, _MOST_BYTES)
    if (size := 8 * made_by(node, arrays)) > limit:
        raise GraphError(f"{node}: makes a constant of {readable(size)}, the limit is {readable(limit)}")
    values = [None if array is None else as_tensor(array) for array in arrays]
    floats = [value.dtype for value in values if value is not None and value.is_floating_point()]
    real = max(floats, key=lambda d: d.itemsize, default=torch.float32)
    if node.op == "Cast" and node.attributes.get("to") == _DOUBLE:
        real = torch.float64
    try:
        results = run(node, values, opset=opset, real=real)
    except GraphError:
        raise
    except (RuntimeError, IndexError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise GraphError(f"{node}: does not fit its constants ({reason})") from None
    return {name: value.numpy() for name, value in zip(node.outputs, results, strict=False) if name}


def _pruned(graph: Graph) -> Graph:
    """Drop nodes and constants that no output needs."""
    needed = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    return replace(graph, nodes=tuple(reversed(kept)), constants=constants)


def prepared(graph: Graph) -> Graph:
    """The graph with its batch norms absorbed and every use of a weight a constant of its own.

    A batch norm behind a linear operator that nothing else uses goes into its weights; any other becomes one with mean
    0 and variance 1, whose scale and shift are parts.

    Raises
    ------
    GraphError
        If a weight is NaN or infinite.
    """
    graph = _separated(_batch_norms(graph))
    for node in graph.nodes:
        for _, part in part_inputs(graph, node):
            if not np.isfinite(graph.constants[part.constant]).all():
                raise GraphError(f"{node}: its {part.kind} {part.constant!r} holds NaN or infinity")
    return graph


def _batch_norms(graph: Graph) -> Graph:
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update(graph.outputs)
    origins = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
    constants = dict(graph.constants)
    taken = graph.names()
    nodes: list[Node | None] = list(graph.nodes)
    renamed: dict[str, str] = {}

    def add(name: str, array: Array) -> str:
        name = fresh_name(name, taken)
        taken.add(name)
        constants[name] = array
        return name

    for i, node in enumerate(graph.nodes):
        if node.op != "BatchNormalization":
            continue
        scale, shift = _affine(graph, node)
        before = origins.get(node.inputs[0])
        known = nodes[before] if before is not None and uses[node.inputs[0]] == 1 else None
        absorbed = _absorbed(graph, known, scale, shift) if known is not None else None
        out = node.outputs[0]
        if absorbed is not None and before is not None and known is not None:
            weight, bias, attributes = absorbed
            names = add(f"{known.inputs[1]}/{out}", weight), add(f"{known.outputs[0]}/{out}/bias", bias)
            nodes[before] = Node(known.op, (known.inputs[0], *names), known.outputs, attributes, known.name)
            nodes[i] = None
            renamed[out] = known.outputs[0]
        elif not _is_plain(graph, node):
            held = {"scale": scale, "shift": shift, "mean": np.zeros_like(shift), "variance": np.ones_like(shift)}
            inputs = node.inputs[0], *(add(f"{out}/{word}", array) for word, array in held.items())
            nodes[i] = Node(node.op, inputs, node.outputs[:1], {"epsilon": 0.0}, node.name)
    fresh = [
        replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        for node in nodes
        if node is not None
    ]
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    return _pruned(replace(graph, nodes=tuple(fresh), constants=constants, outputs=outputs))


def _affine(graph: Graph, node: Node) -> tuple[Array, Array]:
    """Scale and shift of a batch norm, float64."""
    if any(name not in graph.constants for name in node.inputs[1:5]):
        raise GraphError(f"{node}: its scale, shift, mean and variance must be constants")
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise GraphError(f"{node}: a batch norm in training mode is no network of fixed weights")
    gamma, beta, mean, var = (graph.constants[name].astype(np.float64) for name in node.inputs[1:5])
    if gamma.ndim != 1 or not gamma.shape == beta.shape == mean.shape == var.shape:
        shapes = ", ".join(str(array.shape) for array in (gamma, beta, mean, var))
        raise GraphError(f"{node}: scale, shift, mean and variance must have one number a channel, got {shapes}")
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(var + float(node.attributes.get("epsilon", 1e-5)))  # type: ignore[arg-type]
        shift = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        raise GraphError(f"{node}: its scale or shift is NaN or infinity")
    return scale, shift


def _is_plain(graph: Graph, node: Node) -> bool:
    """Whether a batch norm is a scale and a shift already, as an earlier pass leaves it."""
    mean, variance = (graph.constants[name] for name in node.inputs[3:5])
    return node.attributes.get("epsilon") == 0.0 and not mean.any() and bool((variance == 1).all())


def _absorbed(graph: Graph, node: Node, scale: Array, shift: Array) -> tuple[Array, Array, dict[str, Attribute]] | None:
    """Weight, bias and attributes of a convolution or Gemm with the affine map behind it; None where it does not go."""
    named = node.inputs[1:]
    if node.op not in ("Conv", "ConvTranspose", "Gemm") or any(one and one not in graph.constants for one in named):
        return None
    weight = graph.constants[named[0]].astype(np.float64)
    bias = graph.constants[named[1]].astype(np.float64) if len(named) > 1 and named[1] else np.zeros_like(shift)
    attributes = dict(node.attributes)
    if node.op == "Gemm":
        if weight.ndim != 2 or weight.shape[0 if attributes.get("transB") else 1] != len(shift):
            return None
        weight = weight * float(attributes.pop("alpha", 1.0))  # type: ignore[arg-type]
        weight = weight * (scale[:, None] if attributes.get("transB") else scale)
        bias = bias * float(attributes.pop("beta", 1.0))  # type: ignore[arg-type]
        if bias.size not in (1, len(shift)) or (bias.ndim == 2 and len(bias) > 1):
            return None  # one bias an example
        bias = np.broadcast_to(bias, (1, len(shift)))[0]
    else:
        groups = int(attributes.get("group", 1))  # type: ignore[arg-type]
        channels = len(weight) if node.op == "Conv" else groups * weight.shape[1]
        if weight.ndim < 3 or groups < 1 or len(weight) % groups or channels != len(shift) or bias.shape != shift.shape:
            return None
        each = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
        axes = (groups, -1, 1) if node.op == "Conv" else (groups, 1, -1)
        weight = (each * scale.reshape(*axes, *(1,) * (weight.ndim - 2))).reshape(weight.shape)
    return weight, bias * scale + shift, attributes


def _separated(graph: Graph) -> Graph:
    """Give every way in which a constant is used a constant of its own, so that a part is all that its name means."""
    views: dict[str, list[Part | None]] = {}
    copies: dict[tuple[str, int], str] = {}
    taken = graph.names()
    nodes: list[Node] = []
    constants = dict(graph.constants)
    for node in graph.nodes:
        parts = dict(part_inputs(graph, node))
        inputs = list(node.inputs)
        for place, name in enumerate(node.inputs):
            if name not in graph.constants:
                continue
            known = views.setdefault(name, [])
            part = parts.get(place)
            if part not in known:
                copies[name, len(known)] = fresh_name(f"{name}/use{len(known) + 1}", taken)
                taken.add(copies[name, len(known)])
                known.append(part)
            if known.index(part):
                inputs[place] = copies[name, known.index(part)]
                constants[inputs[place]] = graph.constants[name]
        nodes.append(replace(node, inputs=tuple(inputs)))
    return _pruned(replace(graph, nodes=tuple(nodes), constants=constants))
