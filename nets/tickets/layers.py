"""The random network of a layered ticket itself: two masked random layers for every part, as nodes of a graph.

`nets.tickets.network` runs a pruned network by its effective weights. Here every floating-point weight of a part's
nodes is 0 or an unmodified draw of the source:

=====================  ==============================================================================================
convolution            Conv 1x1 with a group for every input channel (2n channels each), Relu, the convolution itself
                       from 2n times as many channels; transposed alike
dense, any rank        Einsum of every coordinate with its own 2n weights, Relu, Einsum over coordinates and neurons
bias                   the dense one on a constant coordinate 1
scale                  a dense one for every channel, then the batch norm with scale 1
embedding              Gather of the token's first weights, Relu, Einsum with its gathered second weights
=====================  ==============================================================================================

and behind each the product with the part's gain. A part of an attention has no Relu. The halves need no care: a neuron
with b > 0 gives b s(h), one with b < 0 gives -b s(-h).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from nets.construction.gadget import Floats, Record, masked_layers
from nets.graph.graph import Array, Attribute, Graph, GraphError, Node
from nets.graph.module import GraphModule
from nets.graph.parts import Part, part_inputs
from nets.tickets.approximation_file import Ticket
from nets.tickets.file import TicketError
from nets.tickets.network import hollow_network, views
from nets.tickets.parts import Source
from sims.solver.memory import available_bytes, readable


def random_layers(ticket: Ticket, *, dtype: torch.dtype = torch.float64) -> GraphModule:
    """The pruned random network, run layer by layer.

    It computes what `nets.tickets.rebuild` does, up to rounding, with 2n times as many products and that much more
    memory for weights and for values on the way.

    Parameters
    ----------
    ticket : Ticket
        Of kind layered.
    dtype : torch.dtype
        Of the module. Draws are multiples of 2^-52, which narrower types than the default round.

    Returns
    -------
    GraphModule
        On the target's inputs. The draws stand in its graph's constants, as float64. Other programs run the graph from
        opset 12 on, which brought Einsum; onnxruntime wants stacks of matrices of the rank of their data.

    Raises
    ------
    ValueError
        If the ticket is not layered, or the network needs more than half of the available memory.
    TicketError
        If masks and draws do not belong to the parts.
    GraphError
        If a constant is used both as a part and as it is.
    """
    if ticket.kind != "layered":
        raise ValueError(f"a {ticket.kind} ticket has no random layers: its weights are sums of random values")
    needed = _bytes(ticket)
    if needed > available_bytes() // 2:
        raise ValueError(
            f"the random layers with n={ticket.n} need {readable(needed)} of memory, "
            f"the limit is {readable(available_bytes() // 2)}"
        )
    source = Source.of(ticket)
    layers = {}
    for number, part in enumerate(views(ticket)):
        row = ticket.parts[number]
        masks, draws = source.tensors_of(number, ticket.tensors)
        try:
            b, a = masked_layers(source.gadget(number, row), Record(masks[0], masks[1], draws[0], draws[1]))
        except ValueError as error:
            raise TicketError(" ".join(str(error).split())) from None
        layers[part.constant] = _arranged(part, b, a, row.gain, row.relu)
    return GraphModule(_Writer(hollow_network(ticket), layers).written(), dtype=dtype)


def _bytes(ticket: Ticket) -> int:
    """Memory at the peak: graph and buffers hold every element, and one part is being made."""
    sizes = [sum(part.mask_bits(ticket.kind, ticket.n)) for part in ticket.parts]
    return 16 * sum(sizes) + 32 * max(sizes)


@dataclass(frozen=True, eq=False)
class _Layers:
    """The two random layers of a part as its nodes take them."""

    part: Part
    b: Floats
    a: Floats
    gain: float
    relu: bool


def _arranged(part: Part, b: Floats, a: Floats, gain: float, relu: bool) -> _Layers:
    """Bring b (coordinates, 2n) and a (groups, rows, cols, 2n) into the forms of the part's nodes."""
    block = b.shape[1]
    if part.kind in ("convolution", "transposed convolution"):
        kernel = part.shape[2:]
        taps = math.prod(kernel)
        b = b.reshape(-1, 1, *(1 for _ in kernel))
        a = a.reshape(part.groups, part.outputs, taps, part.cols, block)
        if part.kind == "convolution":
            a = a.transpose(0, 1, 3, 4, 2).reshape(part.groups * part.outputs, part.cols * block, *kernel)
        else:
            a = a.transpose(0, 3, 4, 1, 2).reshape(part.groups * part.cols * block, part.outputs, *kernel)
    elif part.kind == "dense":
        lead = part.shape[:-2]
        b, a = b.reshape(*lead, part.cols, block), a.reshape(*lead, part.rows, part.cols, block)
    elif part.kind == "embedding":
        a = a[0].transpose(1, 0, 2)
    elif part.kind == "scale":
        a = a.reshape(part.groups, block)
    else:
        a = a[0]
    return _Layers(part, b, np.ascontiguousarray(a), gain, relu)


class _Writer:
    """Writes the random network's nodes, one node of the target after the other."""

    def __init__(self, graph: Graph, layers: dict[str, _Layers]) -> None:
        self._graph, self._layers = graph, layers
        self._constants: dict[str, Array] = {
            name: array for name, array in graph.constants.items() if name not in layers
        }
        self._nodes: list[Node] = []
        self._names = {*graph.constants, *(one.name for one in graph.inputs), *graph.origins()}
        self._held: dict[str, tuple[str, str, str]] = {}
        self._biases: dict[str, str] = {}

    def written(self) -> Graph:
        """The whole graph."""
        for node in self._graph.nodes:
            uses = part_inputs(self._graph, node)
            inputs = list(node.inputs)
            weight = None
            for place, part in uses:
                if part.kind == "bias":
                    inputs[place] = self._bias(part)
                else:
                    weight = place, self._layers[part.constant]
            own = {place for place, _ in uses}
            for place, name in enumerate(node.inputs):
                if name in self._layers and place not in own:
                    raise GraphError(f"{node}: takes {name!r} as it is, which the random network does not hold")
            self._node(replace(node, inputs=tuple(inputs)), weight)
        return replace(self._graph, nodes=tuple(self._nodes), constants=self._constants)

    def _node(self, node: Node, weight: tuple[int, _Layers] | None) -> None:
        if weight is None:
            self._nodes.append(node)
            return
        place, layers = weight
        kind = layers.part.kind
        if kind == "scale":
            self._scale(node, layers)
        elif kind == "embedding":
            self._embedding(node, layers)
        elif kind == "dense":
            self._dense(node, place, layers)
        else:
            self._convolution(node, layers)
        self._nodes[-1] = replace(self._nodes[-1], outputs=node.outputs)

    def _bias(self, part: Part) -> str:
        """The value of a bias, made once for all nodes that take it."""
        name = part.constant
        if name not in self._biases:
            layers = self._layers[name]
            one, shape = (
                self._hold(f"{name}/one", np.ones(1)),
                self._hold(f"{name}/shape", np.array(part.shape, np.int64)),
            )
            b, a, gain = self._constants_of(layers)
            hidden = self._active(name, self._add(name, "Einsum", one, b, equation="c,ck->ck"), layers)
            sums = self._add(name, "Einsum", hidden, a, equation="ck,rck->r")
            scaled = self._add(name, "Mul", sums, gain)
            self._biases[name] = self._add(name, "Reshape", scaled, shape)
        return self._biases[name]

    def _convolution(self, node: Node, layers: _Layers) -> None:
        out, part = node.outputs[0], layers.part
        b, a, gain = self._constants_of(layers)
        hidden = self._add(out, "Conv", node.inputs[0], b, group=part.groups * part.cols)
        sums = self._add(out, node.op, self._active(out, hidden, layers), a, **node.attributes)
        value = self._add(out, "Mul", sums, gain)
        if len(node.inputs) > 2 and node.inputs[2]:
            column = self._hold(f"{out}/column", np.array([-1, *(1 for _ in part.shape[2:])], np.int64))
            self._add(out, "Add", value, self._add(out, "Reshape", node.inputs[2], column))

    def _dense(self, node: Node, place: int, layers: _Layers) -> None:
        """c: coordinates, k: their neurons, r: rows, m: the axis of the data that stays beside them."""
        out, gemm = node.outputs[0], node.op == "Gemm"
        lead, batched = "" if gemm else "...", "..." if layers.part.groups > 1 or len(layers.part.shape) > 2 else ""
        own = "" if place == 1 and not gemm and not batched else "m"
        flipped = gemm and bool(node.attributes.get("transB" if place == 0 else "transA", 0))
        given = f"{own}c" if (place == 1) != flipped else "cm"
        made = f"{own}r" if place == 1 else "rm"
        b, a, gain = self._constants_of(layers)
        if gemm and node.attributes.get("alpha", 1.0) != 1:
            gain = self._hold(f"{out}/gain", np.array(layers.gain * float(node.attributes["alpha"])))  # type: ignore[arg-type]
        first, second = (
            f"{lead}{given},{batched}ck->{lead}{own}ck",
            f"{lead}{own}ck,{batched}rck->{lead}{made}",
        )
        hidden = self._add(out, "Einsum", node.inputs[1 - place], b, equation=first)
        sums = self._add(out, "Einsum", self._active(out, hidden, layers), a, equation=second)
        value = self._add(out, "Mul", sums, gain)
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = node.inputs[2]
            if node.attributes.get("beta", 1.0) != 1:
                beta = self._hold(f"{out}/beta", np.array(float(node.attributes["beta"])))  # type: ignore[arg-type]
                bias = self._add(out, "Mul", bias, beta)
            self._add(out, "Add", value, bias)

    def _scale(self, node: Node, layers: _Layers) -> None:
        out = node.outputs[0]
        if np.any(self._constants.get(node.inputs[3], np.ones(1))):
            raise GraphError(f"{node}: its mean must be 0, so that its scale acts on the value itself")
        b, a, gain = self._constants_of(layers)
        hidden = self._active(out, self._add(out, "Einsum", node.inputs[0], b, equation="nc...,ck->nck..."), layers)
        sums = self._add(out, "Einsum", hidden, a, equation="nck...,ck->nc...")
        value = self._add(out, "Mul", sums, gain)
        ones = self._hold(f"{out}/ones", np.ones(layers.part.shape))
        self._add(out, node.op, value, ones, *node.inputs[2:], **node.attributes)

    def _embedding(self, node: Node, layers: _Layers) -> None:
        out, token = node.outputs[0], node.inputs[1]
        b, a, gain = self._constants_of(layers)
        hidden = self._active(out, self._add(out, "Gather", b, token, axis=0), layers)
        rows = self._add(out, "Gather", a, token, axis=0)
        self._add(out, "Mul", self._add(out, "Einsum", hidden, rows, equation="...k,...wk->...w"), gain)

    def _active(self, out: str, value: str, layers: _Layers) -> str:
        """The hidden neurons of a part."""
        return self._add(out, "Relu", value) if layers.relu else value

    def _constants_of(self, layers: _Layers) -> tuple[str, str, str]:
        """Names of b, a and the gain of a part, the same for all nodes that take it."""
        name = layers.part.constant
        if name not in self._held:
            arrays = {"b": layers.b, "a": layers.a, "gain": np.array(layers.gain)}
            b, a, gain = (self._hold(f"{name}/{word}", array) for word, array in arrays.items())
            self._held[name] = b, a, gain
        return self._held[name]

    def _hold(self, name: str, array: Array) -> str:
        name = self._fresh(name)
        self._constants[name] = array
        return name

    def _add(self, out: str, op: str, *inputs: str, **attributes: Attribute) -> str:
        """A node on the way to the value `out`; returns the value that it makes."""
        made = self._fresh(f"{out}/{op}")
        self._nodes.append(Node(op, inputs, (made,), attributes, made))
        return made

    def _fresh(self, name: str) -> str:
        """A name that nothing has yet."""
        found, count = name, 1
        while found in self._names:
            count += 1
            found = f"{name}{count}"
        self._names.add(found)
        return found
