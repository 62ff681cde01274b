"""The random layers of a ticket against its effective network, their weights against a Philox on Python integers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch

from nets.graph.export import to_onnx
from nets.graph.graph import Graph, GraphError, Input, Node
from nets.targets import from_module
from nets.tickets import TicketError, layers, read_ticket, rebuild, save_ticket
from nets.tickets.approximation import ApproximationSettings, _solve, _ticket, as_graph, parts_of
from nets.tickets.approximation_file import Ticket, TicketPart
from nets.tickets.layers import random_layers
from tests import naive

SEED = 2**63 + 12345


def _uniform(*shape: int) -> np.ndarray:
    return np.random.default_rng(math.prod(shape)).uniform(-1.5, 1.5, shape)


def _graph(shape: tuple[int, ...], *nodes: Node, dtype: str = "float64", **constants: np.ndarray) -> Graph:
    return Graph(20, (Input("x", dtype, shape),), ("y",), nodes, constants)


def _one(op: str, shape: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] = (), **attributes) -> Graph:
    """One node that takes x and a weight, and a bias perhaps."""
    names = ("x", "w", "b") if bias else ("x", "w")
    constants = {"w": _uniform(*weight), **({"b": _uniform(*bias)} if bias else {})}
    return _graph(shape, Node(op, names, ("y",), attributes), **constants)


def _norm(before: str) -> Graph:
    norm = Node("BatchNormalization", ("h", "s", "t", "m", "v"), ("y",), {"epsilon": 0.25})
    return _graph(
        (2, 3, 5),
        Node(before, ("x",), ("h",)),
        norm,
        s=_uniform(3),
        t=_uniform(3) + 1,
        m=_uniform(3),
        v=_uniform(3) ** 2,
    )


def _residual() -> Graph:
    return _graph(
        (2, 4, 7),
        Node("Conv", ("x", "w", "b"), ("h",), {"pads": (1, 1)}),
        Node("Relu", ("h",), ("r",)),
        Node("Conv", ("r", "w", "b"), ("g",), {"pads": (1, 1)}),  # the same part again
        Node("Add", ("g", "x"), ("s",)),
        Node("LeakyRelu", ("s",), ("l",)),
        Node("Conv", ("l", "v"), ("y",), {"group": 4}),
        w=_uniform(4, 4, 3), b=_uniform(4), v=_uniform(8, 1, 2),
    )  # fmt: skip


def _taken_names() -> Graph:
    """Names that the random layers would take are there already."""
    return _graph(
        (3, 4),
        Node("MatMul", ("x", "w"), ("h",)),
        Node("Add", ("h", "w/b"), ("h/Einsum",)),
        Node("Mul", ("h/Einsum", "w/a"), ("y",)),
        **{"w": _uniform(4, 3), "w/b": _uniform(3), "w/a": _uniform(3)},
    )


def _embedding() -> Graph:
    return _graph(
        (2, 3),
        Node("Gather", ("w", "x"), ("h",)),
        Node("Add", ("h", "p"), ("e",)),
        Node("MatMul", ("e", "v"), ("y",)),
        dtype="int64", w=_uniform(6, 4), p=_uniform(1, 3, 4), v=_uniform(4, 2),
    )  # fmt: skip


def _scores() -> Graph:
    """What an attention compares: two projections, and the value of a third network."""
    return _graph(
        (2, 3, 4),
        Node("MatMul", ("x", "q"), ("a",)),
        Node("MatMul", ("x", "k"), ("b",)),
        Node("Transpose", ("b",), ("c",), {"perm": (0, 2, 1)}),
        Node("MatMul", ("a", "c"), ("s",)),
        Node("Softmax", ("s",), ("p",)),
        Node("MatMul", ("p", "x"), ("o",)),
        Node("MatMul", ("o", "w"), ("y",)),
        q=_uniform(4, 3), k=_uniform(4, 3) - 0.25, w=_uniform(4, 2),
    )  # fmt: skip


class _Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.inner = torch.nn.MultiheadAttention(6, 2, batch_first=True)
        torch.nn.init.normal_(self.inner.in_proj_bias)
        torch.nn.init.normal_(self.inner.out_proj.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


def _attention() -> Graph:
    graph = from_module(_Attention(), torch.randn(2, 4, 6))
    return replace(graph, inputs=tuple(replace(one, dtype="float64", shape=(2, 4, 6)) for one in graph.inputs))


IMAGE = (2, 4, 7, 6)
GRAPHS = {
    "convolution": lambda: _one("Conv", IMAGE, (3, 4, 3, 2), (3,), pads=(1, 0, 2, 1), strides=(2, 1)),
    "grouped, dilated": lambda: _one("Conv", IMAGE, (6, 2, 2, 2), (6,), group=2, dilations=(2, 3)),
    "depthwise": lambda: _one("Conv", IMAGE, (8, 1, 3, 3), group=4, auto_pad="SAME_UPPER"),
    "one axis": lambda: _one("Conv", (2, 3, 9), (4, 3, 3), (4,), strides=(2,), dilations=(2,), pads=(2, 1)),
    "transposed": lambda: _one("ConvTranspose", IMAGE, (4, 3, 3, 2), (3,), strides=(2, 3), output_padding=(1, 0)),
    "transposed, grouped": lambda: _one("ConvTranspose", (2, 4, 5), (4, 3, 3), (6,), group=2, pads=(1, 2)),
    "Gemm": lambda: _one("Gemm", (3, 4), (5, 4), (5,), transB=1, alpha=0.5, beta=-3.0),
    "Gemm of a transposed input": lambda: _one("Gemm", (4, 3), (4, 5), (1, 5), transA=1),
    "Gemm, left": lambda: _graph(
        (3, 4), Node("Gemm", ("w", "x"), ("y",), {"transA": 1, "transB": 1}), w=_uniform(4, 2)
    ),
    "MatMul": lambda: _one("MatMul", (2, 3, 4), (4, 5)),
    "MatMul of a vector": lambda: _one("MatMul", (4,), (4, 5)),
    "MatMul, left": lambda: _graph((2, 4, 3), Node("MatMul", ("w", "x"), ("y",)), w=_uniform(5, 4)),
    "MatMul, many": lambda: _one("MatMul", (1, 3, 4), (2, 4, 5)),
    "MatMul, one of many": lambda: _one("MatMul", (2, 3, 4), (1, 4, 5)),
    "MatMul, left, many": lambda: _graph((3, 2, 4, 3), Node("MatMul", ("w", "x"), ("y",)), w=_uniform(2, 2, 4)),
    "batch norm after ReLU": lambda: _norm("Relu"),
    "batch norm after Tanh": lambda: _norm("Tanh"),
    "residual": _residual,
    "embedding": _embedding,
    "attention": _attention,
    "scores": _scores,
    "taken names": _taken_names,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A network, and the ticket that was read back from its file."""

    graph: Graph
    ticket: Ticket


def _nothing_certified(graph: Graph) -> dict:
    domains = {one.name: {"radius": 1.0, "origin": "stated"} for one in graph.inputs if one.floating}
    sizes = dict.fromkeys(("upper", "size", "relative_lower", "relative_upper", "data"))
    words = {"lower_word": "measured", "word": "measured", "domain": "", "reason": ""}
    return {"lower": 0.0, **sizes, **words, "domains": domains}


def _found(name: str, folder: Path, **settings) -> Found:
    graph = as_graph(GRAPHS[name]())
    return Found(graph, _ticket_of(graph, folder, **settings))


def _ticket_of(graph: Graph, folder: Path, **settings) -> Ticket:
    """Search a network, with no certificate: written to a file and read again."""
    chosen = ApproximationSettings(**{"n": 4, "eta": 0.1, "seed": SEED, "jobs": 1, **settings})
    parts = parts_of(graph)
    solved = _solve(graph, parts, chosen, lambda count, label: None)
    numbers = {"weights": sum(part.weights for part in parts), "kept": sum(solved.kept), "within_eta": 0}
    each = [{"kept": kept, "within_eta": 0, "max_weight_error": 0.0} for kept in solved.kept]
    numbers |= {"max_weight_error": 0.0, "parts": each, "certificate": _nothing_certified(graph)}
    certificate = SimpleNamespace(witness={one.name: np.zeros(one.shape, one.dtype) for one in graph.inputs})
    save_ticket(folder / "ticket.safetensors", _ticket(graph, parts, solved, chosen, numbers, certificate))
    return read_ticket(folder / "ticket.safetensors")


CASES = [(name, {"R": R}) for R in (1, 3) for name in GRAPHS]
CASES += [("residual", {"R": R, "construction": c}) for R in (1, 3) for c in ("best", "window", "halves")]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: ", ".join(map(str, [case[0], *case[1].values()])))
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    name, settings = request.param
    return _found(name, tmp_path_factory.mktemp("layers"), **settings)


def _input(graph: Graph) -> torch.Tensor:
    rng = np.random.default_rng(8)
    one = graph.inputs[0]
    tokens = np.arange(6).reshape(2, 3)
    return torch.from_numpy(tokens if one.dtype == "int64" else rng.normal(size=one.shape))


def test_the_random_layers_are_the_effective_network(found: Found) -> None:
    x = _input(found.graph)
    wanted = rebuild(found.ticket)(x)
    got = rebuild(found.ticket).random_layers()(x)
    assert got.dtype == torch.float64
    assert float(wanted.abs().max()) > 0.1
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


def test_other_code_runs_them_to_the_same_result(found: Found) -> None:
    graph, (one,) = random_layers(found.ticket).graph, found.graph.inputs
    if one.dtype == "float64":  # which onnxruntime has no convolution for
        graph = replace(graph, inputs=(replace(one, dtype="float32"),))
    model = to_onnx(graph).SerializeToString()
    if len(found.ticket.parts[0].shape) == 3 and len(one.shape or ()) == 4 and found.ticket.parts[0].kind == "dense":
        with pytest.raises(Exception, match="Ellipsis for input 1 represents 1 dimensions"):  # it wants equal ranks
            onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = _input(found.graph)
    (got,) = session.run(None, {one.name: (x if one.dtype == "int64" else x.float()).numpy()})
    np.testing.assert_allclose(got, rebuild(found.ticket).double()(x).numpy(), rtol=0, atol=2e-5)


def _places(row: TicketPart, group: int, r: int, c: int, k: int, block: int) -> tuple[tuple, tuple]:
    """Where the b and the a of a neuron of coordinate (group, c) stand in the arrays of the nodes."""
    taps = math.prod(row.shape[2:])
    tap = np.unravel_index(r % taps, row.shape[2:]) if row.shape[2:] and "convolution" in row.kind else ()
    coordinate = group * row.cols + c
    lead = np.unravel_index(group, row.shape[:-2]) if row.shape[:-2] else ()
    return {
        "convolution": ((coordinate * block + k,), (group * row.outputs + r // taps, c * block + k, *tap)),
        "transposed convolution": ((coordinate * block + k,), (coordinate * block + k, r // taps, *tap)),
        "dense": ((*lead, c, k), (*lead, r, c, k)),
        "embedding": ((c, k), (c, r, k)),
        "scale": ((group, k), (group, k)),
        "bias": ((0, k), (r, 0, k)),
    }[row.kind]


def test_every_weight_is_a_draw_of_its_own_element(found: Found) -> None:
    ticket = found.ticket
    constants = dict(random_layers(ticket).graph.constants)
    for number, row in enumerate(ticket.parts):
        block = 2 * ticket.n if row.relu else ticket.n
        b, a, gain = (
            constants.pop(f"{row.constant}/{word}2" if f"{row.constant}/{word}" in found.graph.constants else
                          f"{row.constant}/{word}")
            for word in ("b", "a", "gain")
        )  # fmt: skip
        coordinates = row.groups * row.cols
        drawn = range(ticket.R)
        seen_b, kept_a = set(), 0
        for group, r, c, k in np.ndindex(row.groups, row.rows, row.cols, block):
            coordinate = group * row.cols + c
            at_b, at_a = _places(row, group, r, c, k, block)
            h = coordinate * block + k
            if a[at_a]:
                element = ((group * row.rows + r) * row.cols + c) * block + k
                assert a[at_a] in [naive.draw(ticket.seed, 2 * number + 4, element, d) / 2**52 for d in drawn]
                kept_a += 1
            if h not in seen_b and b[at_b].item():
                element = h * coordinates + coordinate
                assert b[at_b].item() in [naive.draw(ticket.seed, 2 * number + 3, element, d) / 2**52 for d in drawn]
                seen_b.add(h)
        masks = [sum(map(int.bit_count, ticket.tensors[name].tolist())) for name in ticket.masks_of(number)]
        assert masks == [len(seen_b), kept_a] == [np.count_nonzero(b), np.count_nonzero(a)]
        assert math.frexp(gain)[0] == 0.5
        assert not np.isin([*b[b != 0], *a[a != 0]], found.graph.constants[row.constant]).any()
    for name in set(constants) - set(ticket.exact):  # nothing else holds weights of the target
        array = constants[name]
        assert array.dtype == np.int64 or array.size == 1 or (array == 1).all()


def _without_one(ticket: Ticket, number: int) -> Ticket:
    """A ticket whose first kept bit of a mask is removed, and its draw."""
    name, width = f"mask{number}", (ticket.R - 1).bit_length()
    mask = ticket.tensors[name].copy()
    first = np.flatnonzero(mask)[0]
    mask[first] &= mask[first] - 1
    changed = {name: mask}
    if ticket.R > 1:
        draws = int.from_bytes(ticket.tensors[f"draws{number}"].tobytes(), "little") >> width
        size = -(-(ticket.kept()[name] - 1) * width // 8)
        changed[f"draws{number}"] = np.frombuffer(draws.to_bytes(size, "little"), np.uint8)
    return replace(ticket, tensors={**ticket.tensors, **changed})


def test_one_bit_of_a_mask_changes_the_result(found: Found) -> None:
    x = _input(found.graph)
    changed, whole = random_layers(_without_one(found.ticket, 2)), rebuild(found.ticket)
    # of x and -x, one reaches the neuron
    both = [x] if found.graph.inputs[0].dtype == "int64" else [x, -x]
    assert max(float((changed(one) - whole(one)).abs().max()) for one in both) > 1e-6


def test_a_neuron_that_is_removed_carries_nothing(tmp_path: Path) -> None:
    ticket = _found("MatMul", tmp_path).ticket
    with pytest.raises(TicketError, match="mask_a keeps a weight of a neuron that mask_b removes"):
        random_layers(_without_one(ticket, 1))


def test_projections_of_an_attention_have_no_relu(tmp_path: Path) -> None:
    ticket = _found("scores", tmp_path).ticket
    assert [row.relu for row in ticket.parts] == [False, False, True]
    nodes = random_layers(ticket).graph.nodes
    assert [node.op for node in nodes[:3]] == ["Einsum", "Einsum", "Mul"]
    assert sum(node.op == "Relu" for node in nodes) == 1


@pytest.mark.parametrize("source", ["private", "shared"])
def test_tickets_without_layers_are_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"a {source} ticket has no random layers"):
        random_layers(_found("MatMul", tmp_path, source=source).ticket)


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = _found("MatMul", tmp_path).ticket
    needed = (16 + 32) * 8 * (4 + 20)  # b and a: 2n each for 4 coordinates and 20 weights
    monkeypatch.setattr(layers, "available_bytes", lambda: 2 * needed)
    random_layers(ticket)
    monkeypatch.setattr(layers, "available_bytes", lambda: 2 * needed - 2)
    with pytest.raises(ValueError, match=r"random layers with n=4 need 9\.0 KiB of memory, the limit is 9\.0 KiB"):
        random_layers(ticket)


def test_a_batch_norm_with_a_mean_is_refused(tmp_path: Path) -> None:
    ticket = _found("batch norm after Tanh", tmp_path).ticket
    place = next(i for i, name in enumerate(ticket.exact, 1) if name.endswith("/mean"))
    moved = replace(ticket, tensors={**ticket.tensors, f"exact{place}": np.ones(3)})
    with pytest.raises(GraphError, match="its mean must be 0"):
        random_layers(moved)


def test_a_part_that_is_used_as_it_is_is_refused(tmp_path: Path) -> None:
    nodes = Node("MatMul", ("x", "w"), ("h",)), Node("Mul", ("h", "w"), ("y",), {}, "product")
    graph = _graph((4, 4), *nodes, w=_uniform(4, 4))
    with pytest.raises(GraphError, match=r"product \(Mul\): takes 'w' as it is"):
        random_layers(_ticket_of(graph, tmp_path))
