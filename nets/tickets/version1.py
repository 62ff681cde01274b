"""Ticket files of version 1: dense ReLU chains, their biases in a constant coordinate; read as a graph, not written.

Their tensors are those of version 2 but for the draws (one unsigned integer each) and the witness (one, lifted); the
layers are the parts, with the same numbers in the generator's streams. ``values_sha256`` covers the kept values alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nets.construction.bits import pack_draws
from nets.graph.graph import Graph, Input, Node
from nets.tickets.approximation_file import Shapes, Ticket, TicketPart
from nets.tickets.fields import (
    check_common,
    check_counts,
    check_ends,
    integer,
    is_number,
    json_object,
    one_of,
    short,
)
from nets.tickets.file import Tensors, TicketError

_COMMON = ("kind", "construction", "signs", "seed", "n", "R", "eta", "target_sha256", "values_sha256", "generator")
_FIELDS = (*_COMMON, "halves", "widths", "has_bias", "scale", "numbers")
_OPSET = 20


def check(meta: str, shapes: Shapes) -> Ticket:
    """Refuse metadata and shapes of tensors that are none of version 1; returns the ticket without tensors."""
    content = _content(meta)
    made = _ticket(content)
    bits = made.mask_bits
    draws = {f"draws{name[4:]}" for name in bits} if made.R > 1 else set()
    wanted = {*bits, *draws, "witness"}
    if set(shapes) != wanted:
        raise TicketError(f"must hold the tensors {short(sorted(wanted))}, got {short(sorted(shapes))}")
    kind = f"U{8 * np.min_scalar_type(made.R - 1).itemsize}"
    for name, (dtype, shape) in shapes.items():
        if name in bits:
            good = dtype == "U8" and list(shape) == [-(-bits[name] // 8)]
        elif name in draws:
            good = dtype == kind and len(shape) == 1
        else:
            good = dtype == "F64" and list(shape) == [content["widths"][0]]
        if not good:
            raise TicketError(f"{name} has the wrong shape or type for these widths, n and R: {dtype} {list(shape)}")
    return made


def ticket(meta: str, tensors: Tensors) -> Ticket:
    """The ticket of a file of version 1.

    Raises
    ------
    TicketError
        As `nets.tickets.approximation_file.read_ticket`.
    """
    content = _content(meta)
    made = _ticket(content)
    kept = {name: int(np.bitwise_count(tensors[name]).sum(dtype=np.int64)) for name in made.mask_bits}
    held: dict[str, Any] = {}
    for name, array in tensors.items():
        if name.startswith("draws"):
            count = kept[f"mask{name[5:]}"]
            if len(array) != count:
                raise TicketError(f"{name} must name {count} draws, one for each kept value, got {len(array)}")
            if len(array) and int(array.max()) >= made.R:
                raise TicketError(f"{name} names draw {int(array.max())}, but R={made.R}")
            held[name] = pack_draws(array.astype(np.int64), R=made.R)
        elif name == "witness":
            held["witness1"] = array
        else:
            held[name] = array
    return _ticket(content, held)


def _content(meta: str) -> dict[str, Any]:
    content = json_object(meta, _FIELDS)
    check_common(content)
    one_of(content, "halves", ("both", "needed") if content["kind"] == "layered" else ("both",))
    one_of(content, "has_bias", (True, False))
    widths, scale = content["widths"], content["scale"]
    if not isinstance(widths, list) or not all(type(d) is int and 1 <= d <= 2**40 for d in widths):
        raise TicketError(f"widths must be integers from 1 to {2**40}, got {short(widths)}")
    if len(widths) < 2 or not isinstance(scale, list) or len(scale) != len(widths) - 1:
        raise TicketError(
            f"widths and scale must be d_0, ..., d_l and one number a layer, got {short([widths, scale])}"
        )
    if content["has_bias"] and widths[0] < 2:
        raise TicketError("a network with a bias needs an input besides the constant 1")
    layered = content["kind"] == "layered"
    good = all(is_number(c) and (c > 0 and math.frexp(c)[0] == 0.5 if layered else c >= 0) for c in scale)
    if not good or not (layered or len(set(scale)) == 1):
        raise TicketError(f"scale must be {'powers of two' if layered else 'one size >= 0'}, got {short(scale)}")
    numbers = content["numbers"]
    own = {"weights", "kept", "within_eta", "max_weight_error", "layers", "error"}
    if not isinstance(numbers, dict) or set(numbers) != own:
        raise TicketError(f"numbers must have the keys {sorted(own)}, got {short(numbers)}")
    if not isinstance(numbers["layers"], list) or len(numbers["layers"]) != len(scale):
        raise TicketError(f"numbers must have one entry for each of {len(scale)} layers")
    check_counts(numbers, numbers["layers"])
    error = numbers["error"]
    if not isinstance(error, dict) or set(error) != {"lower", "upper", "domain"}:
        raise TicketError(f"error must hold lower, upper and domain, got {short(error)}")
    one_of(error, "domain", ("l2", "linf"))
    check_ends(error)
    integer(numbers, "weights", 0, 2**62)
    return content


def _ticket(content: dict[str, Any], tensors: Tensors | None = None) -> Ticket:
    from nets.graph.text import to_plain

    widths, numbers = content["widths"], content["numbers"]
    layered = content["kind"] == "layered"
    parts = tuple(
        TicketPart(f"layer{i + 1}.weight", "dense", (rows, cols), 1, rows, cols, rows, float(gain),
                   halves=2 if layered and (i == 0 or content["halves"] == "both") else 1)
        for i, (rows, cols, gain) in enumerate(zip(widths[1:], widths[:-1], content["scale"], strict=True))
    )  # fmt: skip
    certificate = {**numbers["error"], "version": 1}
    rows = {key: value for key, value in numbers.items() if key not in ("layers", "error")}
    own = {key: content[key] for key in _COMMON}
    graph, exact = _chain(widths, content["has_bias"])
    held = {**(tensors or {}), **{f"exact{i}": array for i, array in enumerate(exact.values(), 1)}}
    return Ticket(
        **own,
        parts=parts,
        graph=to_plain(graph),
        exact=tuple(exact),
        numbers={**rows, "parts": numbers["layers"], "certificate": certificate},
        tensors=held,
        version=1,
    )


def _chain(widths: Sequence[int], has_bias: bool) -> tuple[Graph, dict[str, Any]]:
    """The chain of a version 1 ticket, which appends the constant 1 to its input where there is a bias."""
    exact = {"lift.pads": np.array([0, 0, 0, 1], np.int64), "lift.one": np.array(1.0)} if has_bias else {}
    value = "input"
    nodes = []
    if has_bias:
        nodes.append(Node("Pad", (value, "lift.pads", "lift.one"), ("lifted",), {"mode": "constant"}, "lift"))
        value = "lifted"
    last = len(widths) - 1
    for i in range(1, last + 1):
        out = "output" if i == last else f"layer{i}.out"
        nodes.append(Node("Gemm", (value, f"layer{i}.weight"), (out,), {"transB": 1}, f"layer{i}"))
        if i < last:
            nodes.append(Node("Relu", (out,), (f"layer{i}.active",), {}, f"layer{i}.relu"))
            value = f"layer{i}.active"
    given = Input("input", "float64", ("batch", widths[0] - int(has_bias)))
    return Graph(_OPSET, (given,), ("output",), tuple(nodes), {}), exact


def lifted(graph: Graph) -> Graph:
    """A chain of dense layers in the form of version 1: a layer with a bias as [[W, b], [0, 1]], the last as [W, b].

    Raises
    ------
    TicketError
        If the graph is no such chain.
    """
    layers = [node for node in graph.nodes if node.op == "Gemm"]
    between = [node.op for node in graph.nodes]
    if between != ["Gemm", *["Relu", "Gemm"] * (len(layers) - 1)] or not all(
        n.attributes == {"transB": 1} for n in layers
    ):
        raise TicketError("a ticket of version 1 stands for a chain of dense layers with ReLU, the target is none")
    weights = [np.asarray(graph.constants[node.inputs[1]], np.float64) for node in layers]
    has_bias = any(len(node.inputs) > 2 for node in layers)
    if has_bias:
        for i, (node, weight) in enumerate(zip(layers, weights, strict=True)):
            bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(len(weight))
            weights[i] = np.column_stack([weight, bias])
            if i < len(layers) - 1:
                constant = np.zeros((1, weights[i].shape[1]))
                constant[0, -1] = 1.0
                weights[i] = np.concatenate([weights[i], constant])
    chain, exact = _chain([weights[0].shape[1], *map(len, weights)], has_bias)
    named = {f"layer{i}.weight": weight for i, weight in enumerate(weights, 1)}
    return Graph(chain.opset, chain.inputs, chain.outputs, chain.nodes, {**named, **exact})


def ends(
    ticket: Ticket, weights: Sequence[Any], effective: Sequence[tuple[Any, Any]]
) -> dict[str, tuple[Any, Any, float]]:
    """Both recorded ends with what is found: the error at the witness, and an upper end that is not too low."""
    import torch

    from nets.certificate import certify
    from nets.certificate.ascent import proved_error
    from nets.targets.target import Target

    domain = ticket.numbers["certificate"]["domain"]
    witness = torch.from_numpy(np.array(ticket.tensors["witness1"], np.float64))
    pairs = [(torch.from_numpy(plus), torch.from_numpy(minus)) for plus, minus in effective]
    target = Target(tuple(torch.from_numpy(weight) for weight in weights))
    networks = [w[None] for w in target.weights], [plus[None] for plus, _ in pairs]
    networks[1][0] = torch.cat([pairs[0][0], -pairs[0][1]], -1)[None]
    lower = float(proved_error(witness[None], *networks, domain)[0]) if bool(witness.any()) else 0.0
    upper = certify(target, pairs, domain=domain, starts=1, steps=0).upper
    recorded = ticket.numbers["certificate"]["upper"]
    least = upper * (1 - 1e-6)  # the recorded one was found in another way, never below this
    if recorded is None:
        enough = not np.isfinite(upper)
    else:
        enough = bool(recorded >= least)
    return {
        "error lower": (ticket.numbers["certificate"]["lower"], lower if np.isfinite(lower) else None, 1e-6),
        "error upper": (recorded, recorded if enough else f"at least {upper}", 0.0),
    }
