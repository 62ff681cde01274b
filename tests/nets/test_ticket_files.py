"""Ticket files that are damaged, foreign or hostile: refused in one line, before memory is taken."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from nets import ticket
from nets.tickets import load_ticket, read_ticket, save_ticket
from nets.tickets.file import TicketError, checksum, file_bytes
from tests.nets.small_tickets import SEED, Made
from tests.nets.ticket_files import forge, parsed, refused


def test_every_edited_byte_is_refused(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = made.path("chain-shared").read_bytes()
    out = tmp_path / "t.safetensors"
    for place in range(len(content)):
        edited = bytearray(content)
        edited[place] ^= 1
        out.write_bytes(edited)
        with pytest.raises(TicketError):
            read_ticket(out)
    refused(["verify", str(out)], capsys, "checksum does not fit")


@pytest.mark.parametrize("length", [0, 4, 8, 100, 1000, -20, -1])
def test_a_truncated_file_is_refused(length: int, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "t.safetensors"
    out.write_bytes(made.path("chain-layered").read_bytes()[:length])
    refused(["verify", str(out)], capsys, "t.safetensors: not a readable safetensors file")


def test_foreign_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.safetensors"
    refused(["info", str(out)], capsys, "no such file")
    refused(["info", str(tmp_path)], capsys, "no such file")
    save_file({"a": np.zeros(3)}, out)
    refused(["info", str(out)], capsys, "no ticket")
    for schema, says in [
        ("strong-tickets/ticket/6", "newer"), ("strong-tickets/ticket/3", "holds the tensors"),
        ("strong-tickets/ticket/0", "does not exist"), ("other/1", "no ticket"),
    ]:  # fmt: skip
        save_file({"a": np.zeros(3)}, out, metadata={"schema": schema})
        refused(["info", str(out)], capsys, says)
    for version in (1, 2, 4):
        for meta, says in [
            ("", "are no JSON"), ("[" * 10**6, "are no JSON"), ('{"n": NaN}', "are no JSON"),
            ("9" * 10**5, "are no JSON"), ('{"n": 1, "n": 1}', "are no JSON"), ("[]", "the fields of a ticket"),
            ("{}", "the fields of a ticket"), ("x" * (2**25 + 1), "the limit is 33554432"),
        ]:  # fmt: skip
            save_file({"a": np.zeros(3)}, out, metadata={"schema": f"strong-tickets/ticket/{version}", "ticket": meta})
            refused(["info", str(out)], capsys, says)
    for content in [b"\xff" * 100, (2**40).to_bytes(8, "little") + b"{}", b"\x80\x04cos\nsystem\n" * 9, b"{}" * 99]:
        out.write_bytes(content)
        refused(["info", str(out)], capsys, "not a readable safetensors file")
    header = b'{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'
    out.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(["info", str(out)], capsys, "not a readable safetensors file")


def test_what_does_not_fit_into_memory_is_refused(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.path("chain-layered")
    with monkeypatch.context() as patch:
        patch.setattr("nets.tickets.file.available_bytes", lambda: 4000)
        refused(["info", str(path)], capsys, "does not fit into memory")
    monkeypatch.setattr("nets.tickets.approximation_file.available_bytes", lambda: 4000)
    refused(["info", str(path)], capsys, "rebuilding it needs")


FIELDS = {
    "kind": "secret", "construction": "other", "signs": "none", "seed": -1, "n": 0, "R": 2**34, "eta": 0.0,
    "target_sha256": "abc", "values_sha256": "G" * 64, "generator": "mt19937", "parts": [], "exact": {}, "numbers": {},
    "graph": [],
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("odd", [None, True, "text", [["list"]], {"a": 1}, -0.5, "own"])
def test_values_that_make_no_sense_are_refused(
    field: str, odd: Any, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = FIELDS[field] if odd == "own" else odd
    out = forge(made.path("chain-layered"), tmp_path / "t.safetensors", **{field: value})
    says = {"numbers": "numbers must have", "graph": "the graph", "parts": "part"}.get(field, f"{field} must be")
    refused(["verify", str(out)], capsys, says)


PARTS = [
    (0, "groups", 0, "groups must be"),
    (0, "groups", -1, "groups must be"),
    (0, "rows", 2**41, "rows must be"),
    (0, "cols", 3.0, "cols must be"),
    (0, "outputs", True, "outputs must be"),
    (0, "outputs", 5, "does not fit its shape"),
    (0, "shape", [4, 2, 3], "does not fit its shape"),
    (0, "shape", [4, 2, -3, -3], "shape of a part must be"),
    (0, "shape", [8, 0, 3, 3], "shape of a part must be"),
    (0, "shape", [2, 4, 3, 3], "not what the graph takes"),
    (0, "shape", [1] * 80 + [72], "the graph is not usable"),
    (0, "kind", "dense", "not what the graph takes"),
    (0, "kind", None, "kind of a part"),
    (0, "constant", "first.bias", "name every constant once"),
    (0, "constant", "other", "'first' is used before it is made"),
    (0, "gain", 3.0, "gain must be a power of two"),
    (0, "gain", 0.0, "gain must be a power of two"),
    (0, "gain", -1.0, "gain must be a power of two"),
    (0, "halves", 3, "halves must be"),
    (0, "relu", False, "halves must be one of (1,)"),
    (0, "relu", 1, "relu must be"),
    (1, "halves", 2, "halves of part 'first.bias' must be 1"),
]


@pytest.mark.parametrize(("number", "field", "value", "says"), PARTS)
def test_parts_that_do_not_fit_are_refused(
    number: int, field: str, value: Any, says: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.path("convolutional-layered")
    parts = copy.deepcopy(parsed(path)[1]["parts"])
    parts[number][field] = value
    refused(["verify", str(forge(path, tmp_path / "t.safetensors", parts=parts))], capsys, says)


def test_tables_that_are_not_the_graphs_are_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made.path("chain-private"), tmp_path / "t.safetensors"
    _, meta, tensors = parsed(path)
    parts, numbers = meta["parts"], copy.deepcopy(meta["numbers"])
    refused(["info", str(forge(path, out, parts=parts[:-1]))], capsys, "one entry for each of 3 parts")
    numbers["parts"].pop()
    fewer = {"parts": parts[:-1], "numbers": numbers}
    refused(["info", str(forge(path, out, tensors={"mask4": None}, **fewer))], capsys, "used before it is made")
    # the last bias as it is, but not in the table
    bias = {"mask4": None, "exact1": np.ones(2, np.float32)}
    changes = {**fewer, "exact": [parts[-1]["constant"]]}
    refused(["info", str(forge(path, out, tensors=bias, **changes))], capsys, "the graph has 4 parts, the table 3")
    swapped = [parts[1], parts[0], *parts[2:]]
    masks = {"mask1": tensors["mask2"], "mask2": tensors["mask1"]}
    refused(["info", str(forge(path, out, tensors=masks, parts=swapped))], capsys, "not what the graph takes")
    unused = {"exact1": np.ones(2, np.float32)}
    refused(["info", str(forge(path, out, tensors=unused, exact=["spare"]))], capsys, "which nothing uses")
    refused(["info", str(forge(path, out, tensors=unused, exact=["0.bias"]))], capsys, "name every constant once")
    refused(["info", str(forge(path, out, tensors=unused, exact=["a", "a"]))], capsys, "name every constant once")
    refused(["info", str(forge(path, out, exact=["spare"]))], capsys, "must hold the tensor exact1")
    many = dict.fromkeys(parts[0], 1)
    refused(["info", str(forge(path, out, parts=[many, *parts[1:]]))], capsys, "of a part must be a text")
    refused(["info", str(forge(path, out, parts=[[], *parts[1:]]))], capsys, "a part must have the fields")


def test_huge_shapes_are_refused_before_memory_is_taken(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made.path("chain-private"), tmp_path / "t.safetensors"
    _, meta, _ = parsed(path)
    for sides in ([2**39, 2**39], [2**20, 2**20]):
        parts = copy.deepcopy(meta["parts"])
        parts[0] |= {"shape": sides, "rows": sides[0], "cols": sides[1], "outputs": sides[0]}
        refused(["info", str(forge(path, out, parts=parts))], capsys, "mask1 has the wrong shape")
    for n, says in [(10**6, "wrong shape"), (2**39, "n R must be"), (2**41, "n must be")]:
        refused(["info", str(forge(path, out, n=n))], capsys, says)
    layered = made.path("chain-layered")
    for n in (10**6, 2**39):
        refused(["info", str(forge(layered, out, n=n))], capsys, "mask1 has the wrong shape")


def test_tensors_that_make_no_sense_are_refused(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.safetensors"
    layered, shared, drawn = (made.path(f"chain-{name}") for name in ("layered", "shared", "private-R"))
    held, draws = parsed(shared)[2], parsed(drawn)[2]
    last = held["mask3"].copy()
    last[-1] |= 0x80  # 10 weights of 9 bits: the last byte has 2
    count = int(np.bitwise_count(draws["mask1"]).sum())
    assert 3 * count % 8
    sevens = np.frombuffer(((1 << 3 * count) - 1).to_bytes(len(draws["draws1"]), "little"), np.uint8)
    fives = np.frombuffer(sum(5 << 3 * i for i in range(count)).to_bytes(len(sevens), "little"), np.uint8)
    spare = draws["draws1"].copy()
    spare[-1] |= 0x80
    neurons = parsed(layered)[2]["mask3"]
    for path, tensors, says in [
        (shared, {"mask1": np.zeros(5, np.uint8)}, "mask1 has the wrong shape"),
        (shared, {"mask1": held["mask1"].astype(np.uint16)}, "mask1 has the wrong shape or type"),
        (shared, {"mask1": held["mask1"][None]}, "mask1 has the wrong shape or type"),
        (shared, {"mask1": None}, "must hold the tensor mask1"),
        (shared, {"extra": np.zeros(5, np.uint8)}, "holds the tensor 'extra'"),
        (shared, {"draws1": np.zeros(5, np.uint8)}, "holds the tensor 'draws1'"),
        (shared, {"mask3": last}, "sets a bit beyond its 90 bits"),
        (shared, {"witness1": np.full((1, 3), np.nan)}, "witness1 holds NaN"),
        (shared, {"witness1": np.ones((1, 4))}, "witness1 has the wrong shape"),
        (shared, {"witness1": np.ones((1, 3), np.float32)}, "witness1 has the wrong shape or type"),
        (shared, {"witness1": np.ones((1, 3), np.int64)}, "witness1 has the wrong shape or type"),
        (shared, {"witness1": None}, "must hold the tensor witness1"),
        (shared, {"witness2": np.ones((1, 3))}, "holds the tensor 'witness2'"),
        (drawn, {"draws1": sevens}, "names draw 7, but R=5"),
        (drawn, {"draws1": fives}, "names draw 5, but R=5"),
        (drawn, {"draws1": spare}, "sets a bit beyond"),
        (drawn, {"draws1": draws["draws1"][1:]}, "must name"),
        (drawn, {"draws1": draws["draws1"].astype(np.uint16)}, "draws1 has the wrong shape or type"),
        (drawn, {"draws1": None}, "must hold the tensor draws1"),
        (layered, {"mask3": np.zeros_like(neurons)}, "0.bias: mask_a keeps a weight of a neuron that mask_b removes"),
    ]:
        refused(["verify", str(forge(path, out, tensors=tensors))], capsys, says)


def test_exact_constants_of_odd_types_are_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made.path("attention-private"), tmp_path / "t.safetensors"
    schema, meta, tensors = parsed(path)
    refused(["info", str(forge(path, out, tensors={"exact2": None}))], capsys, "must hold the tensor exact2")
    halves = {name: torch.from_numpy(array) for name, array in tensors.items()}
    halves["exact1"] = halves["exact1"].bfloat16()
    from safetensors.torch import save_file as save_tensors

    text = {"schema": schema, "ticket": json.dumps(meta), "checksum": "0" * 64}
    save_tensors(halves, out, metadata=text)
    refused(["info", str(out)], capsys, "exact1 has the wrong shape or type")
    # a matrix where a number stood makes a part that the table does not have
    weight = {"exact1": np.ones((2, 2), np.float32), "exact2": np.ones((2, 2), np.float32)}
    graph = copy.deepcopy(meta["graph"])
    (scaling,) = [node for node in graph["nodes"] if node[0] == "Mul"]
    scaling[0] = "MatMul"
    forged = forge(path, out, tensors=weight, graph=graph)
    refused(["info", str(forged)], capsys, "not what the graph takes")


def _node(graph: dict, op: str) -> list:
    return next(node for node in graph["nodes"] if node[0] == op)


GRAPHS = {
    "a cycle": (lambda g: _node(g, "Conv")[1].__setitem__(0, "y"), "'y' is used before it is made"),
    "a node before its input": (lambda g: g["nodes"].reverse(), "is used before it is made"),
    "an unknown operator": (lambda g: _node(g, "Relu").__setitem__(0, "System"), "'System' is not known"),
    "an operator of another domain": (lambda g: _node(g, "Relu").__setitem__(0, "com.x::Relu"), "is not known"),
    "a value made twice": (lambda g: g["nodes"].append(copy.deepcopy(g["nodes"][-1])), "is made twice"),
    "a constant made again": (lambda g: _node(g, "Relu")[2].append("deep"), "'deep' is made twice"),
    "an input that is a constant": (lambda g: g["inputs"].append(["deep", "float32", [1]]), "'deep' is made twice"),
    "an input twice": (lambda g: g["inputs"].append(g["inputs"][0]), "'x' is made twice"),
    "an input without a name": (lambda g: g["inputs"].append(["", "float32", [1]]), "is made twice"),
    "an input of no type": (lambda g: g["inputs"][0].__setitem__(1, "int7"), "unknown type 'int7'"),
    "an input of objects": (lambda g: g["inputs"][0].__setitem__(1, "object"), "unknown type 'object'"),
    "a negative side": (lambda g: g["inputs"][0][2].__setitem__(1, -4), "not readable"),
    "a huge side": (lambda g: g["inputs"][0][2].__setitem__(1, 2**50), "not readable"),
    "a side that is a list": (lambda g: g["inputs"][0][2].__setitem__(1, [4]), "not readable"),
    "no inputs": (lambda g: g.__setitem__("inputs", []), "must name an input"),
    "no outputs": (lambda g: g.__setitem__("outputs", []), "must name an input and an output"),
    "an output that nothing makes": (lambda g: g.__setitem__("outputs", ["z"]), "the output 'z' is never made"),
    "outputs that are a text": (lambda g: g.__setitem__("outputs", "y"), "not readable"),
    "nodes that are a text": (lambda g: g.__setitem__("nodes", "Relux"), "not readable"),
    "a node that is a text": (lambda g: g["nodes"].append("Relux"), "not readable"),
    "a node without outputs": (lambda g: _node(g, "Relu").__setitem__(2, []), "makes nothing"),
    "attributes that are a list": (lambda g: _node(g, "Relu").__setitem__(3, [1]), "not readable"),
    "an attribute that is null": (lambda g: _node(g, "LeakyRelu")[3].update(alpha=None), "not readable"),
    "an attribute that is a graph": (lambda g: _node(g, "LeakyRelu")[3].update(alpha={"nodes": []}), "not readable"),
    "an attribute that is no number": (lambda g: _node(g, "LeakyRelu")[3].update(alpha={"float": "x"}), "not readable"),
    "a nested attribute": (lambda g: _node(g, "LeakyRelu")[3].update(alpha=[[1]]), "not readable"),
    "an attribute of two types": (lambda g: _node(g, "LeakyRelu")[3].update(alpha=[1, 2.0]), "not readable"),
    "a huge attribute": (lambda g: _node(g, "Conv")[3].update(group=2**63), "not readable"),
    "groups of no channels": (lambda g: _node(g, "Conv")[3].update(group=0), "do not fall into 0 groups"),
    "negative groups": (lambda g: _node(g, "Conv")[3].update(group=-2), "do not fall into -2 groups"),
    "groups that do not divide": (lambda g: _node(g, "Conv")[3].update(group=3), "do not fall into 3 groups"),
    "groups that are a text": (lambda g: _node(g, "Conv")[3].update(group="two"), "do not fall into two groups"),
    "groups that are a list": (lambda g: _node(g, "Conv")[3].update(group=[2]), "do not fall into"),
    "an old opset": (lambda g: g.__setitem__("opset", 6), "opset must be 7 to"),
    "opset 99": (lambda g: g.__setitem__("opset", 99), "opset must be 7 to"),
    "an opset that is a number": (lambda g: g.__setitem__("opset", 17.0), "opset must be 7 to"),
    "a field too many": (lambda g: g.__setitem__("functions", []), "the graph must hold"),
    "a field too few": (lambda g: g.pop("assumptions"), "the graph must hold"),
    "an assumption that is a number": (lambda g: g.__setitem__("assumptions", [1]), "not readable"),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_graphs_that_are_none_are_refused(
    kind: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, says = GRAPHS[kind]
    path = made.path("convolutional-shared")
    graph = copy.deepcopy(parsed(path)[1]["graph"])
    change(graph)
    refused(["info", str(forge(path, tmp_path / "t.safetensors", graph=graph))], capsys, says)


def test_long_words_are_read(made: Made, tmp_path: Path) -> None:
    """A deep chain names all its layers in what was assumed."""
    path, out = made.path("chain-private"), tmp_path / "t.safetensors"
    forge(path, out, graph={**parsed(path)[1]["graph"], "assumptions": ["layers: " + "name, " * 2000]})
    assert len(read_ticket(out).graph["assumptions"][0]) > 10_000


def test_infinite_attributes_are_kept(made: Made, tmp_path: Path) -> None:
    path, out = made.path("convolutional-shared"), tmp_path / "t.safetensors"
    graph = copy.deepcopy(parsed(path)[1]["graph"])
    _node(graph, "LeakyRelu")[3]["alpha"] = {"float": "-inf"}
    forge(path, out, graph=graph)
    found = {node.op: node for node in load_ticket(out).graph.nodes}
    assert found["LeakyRelu"].attributes["alpha"] == -np.inf
    _node(graph, "LeakyRelu")[3]["alpha"] = float("nan")
    schema, meta, tensors = parsed(path)
    out.write_bytes(file_bytes(schema, json.dumps({**meta, "graph": graph}), tensors))
    with pytest.raises(TicketError, match="are no JSON"):
        read_ticket(out)


CERTIFICATES = {
    "word": ("certain", "word must be one of"),
    "lower_word": (None, "lower_word must be one of"),
    "reason": (None, "reason must be a text"),
    "domain": (["x"], "domain must be a text"),
    "size": (-1.0, "size must be >= 0 or null"),
    "lower": (True, "error lower must be"),
    "upper": (-0.1, "error upper must be"),
    "relative_upper": ("1", "relative_upper must be"),
    "domains": ({}, "domains must have one entry for each of ['input']"),
    "domains input": (1.0, "a domain must hold a radius"),
    "domains input radius": (-1.0, "radius must be a number > 0"),
    "domains input low": (0.0, "a domain must hold a radius"),
    "data": ({}, "data must be null or have the keys"),
}


@pytest.mark.parametrize("way", CERTIFICATES)
def test_certificates_that_make_no_sense_are_refused(
    way: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.path("chain-private")
    numbers = parsed(path)[1]["numbers"]
    *steps, last = way.split()
    entry = numbers["certificate"]
    for step in steps:
        entry = entry[step]
    entry[last], says = CERTIFICATES[way]
    refused(["info", str(forge(path, tmp_path / "t.safetensors", numbers=numbers))], capsys, says)


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ({"low": 1.0, "high": 0.0, "origin": ""}, "low must be <= high"),
        ({"low": "0", "high": 1.0, "origin": ""}, "a domain is not usable"),
        ({"low": [[0.0], [0.0, 1.0]], "high": 1.0, "origin": ""}, "a domain is not usable"),
        ({"low": None, "high": 1.0, "origin": ""}, "a domain is not usable"),
        ({"low": 0.0, "high": 1.0, "origin": 3}, "a domain must hold"),
        ({"radius": 1.0, "origin": 3}, "a domain must hold"),
        ({"radius": True, "origin": ""}, "a domain must hold"),
    ],
)
def test_domains_that_make_no_sense_are_refused(
    domain: dict, says: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.path("chain-private")
    numbers = parsed(path)[1]["numbers"]
    numbers["certificate"]["domains"] = {"input": domain}
    refused(["info", str(forge(path, tmp_path / "t.safetensors", numbers=numbers))], capsys, says)


def test_a_hundred_thousand_nodes_take_seconds(made: Made, tmp_path: Path) -> None:
    path, out = made.path("chain-private"), tmp_path / "t.safetensors"
    graph = copy.deepcopy(parsed(path)[1]["graph"])
    (last,) = graph["outputs"]
    for i in range(100_000):
        graph["nodes"].append(["Abs", [last if i == 0 else f"v{i}"], [f"v{i + 1}"], {}, ""])
    graph["outputs"] = ["v100000"]
    forge(path, out, graph=graph)
    started = time.process_time()
    found = load_ticket(out)
    assert time.process_time() - started < 20
    assert len(found.graph.nodes) == 100_003


def test_the_checksum_depends_on_everything() -> None:
    tensors = {"a": np.arange(4, dtype=np.uint8), "b": np.ones(2)}
    sums = {
        checksum("x", tensors),
        checksum("y", tensors),
        checksum("x", {**tensors, "b": np.zeros(2)}),
        checksum("x", {"a": tensors["a"].reshape(2, 2), "b": tensors["b"]}),
        checksum("x", {"c": tensors["a"], "b": tensors["b"]}),
        checksum("x", {"a": tensors["a"].view(np.int8), "b": tensors["b"]}),
    }
    assert len(sums) == 6


def test_info_states_the_cost(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.path("chain-private-R")
    assert ticket.main(["info", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["R"], found["seed"], found["version"]) == (3, 5, SEED, 4)
    weights = sum(part["groups"] * part["rows"] * part["cols"] for part in parsed(path)[1]["parts"])
    assert weights == 15 + 5 + 10 + 2 == found["weights"]
    assert found["parts"] == {"dense": 2, "bias": 2}
    assert found["operators"] == {"Gemm": 2, "Relu": 1}
    assert found["inputs"] == ["input float32 ['batch', 3]"]
    assert found["bits_per_weight"] == 8 * path.stat().st_size / weights
    assert found["mask_bits_per_weight"] == 3
    bits = [3 * found["kept_by_mask"][f"mask{i + 1}"] for i in range(4)]
    assert found["draw_bits_per_weight"] == sum(8 * -(-count // 8) for count in bits) / weights
    assert ticket.main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "bits_per_weight" in text
    assert "private" in text


def test_info_without_ends(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.path("chain-private")
    numbers = parsed(path)[1]["numbers"]
    numbers["certificate"] |= {"lower": None, "upper": None}
    assert ticket.main(["info", str(forge(path, tmp_path / "t.safetensors", numbers=numbers))]) == 0
    assert "from an unknown number to no upper bound where" in capsys.readouterr().out


def test_bad_command_lines(tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["check", "x"]):
        refused(argv, capsys, "the first word says what to do: verify, info or export")
    refused(["verify"], capsys, "--help")
    refused(["info", "x", "--target", "digits"], capsys, "--help")
    refused(["export", str(made.path("chain-private")), str(tmp_path / "x.pt")], capsys, "export writes an .onnx file")
    assert ticket.main(["--help"]) == 0
    assert "verify FILE" in capsys.readouterr().out


def test_an_unfinished_file_leaves_nothing(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    whole = read_ticket(made.path("chain-shared"))
    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        save_ticket(tmp_path / "t.safetensors", whole)
    assert list(tmp_path.iterdir()) == []


def test_digests_by_hand() -> None:
    """Places and values, part after part; values alone in the first version."""
    from nets.tickets.network import Digest

    masks, values = [np.array([1, 2], np.uint8), np.array([3], np.uint8)], np.array([0.5, -1.0])
    for version, whole in ((2, bytes([1, 2, 3]) + values.astype("<f8").tobytes()), (1, values.astype("<f8").tobytes())):
        digest = Digest(version)
        digest.places(masks)
        digest.values(values)
        assert digest.hexdigest() == hashlib.sha256(whole).hexdigest()
