"""verify finds what is consistently wrong in a ticket: every field of it, its tensors, and another target."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from nets import approximate, ticket
from nets.targets import load_target
from nets.targets.examples import read_examples
from nets.tickets import TicketError, read_ticket, verification, verify
from nets.tickets.network import hollow_network
from tests.nets.changes import at, leaves
from tests.nets.small_networks import NETWORKS
from tests.nets.small_tickets import CASES, ETA, SEED, Made
from tests.nets.ticket_files import forge as forge_plainly
from tests.nets.ticket_files import found_by_verify, parsed, refused

FREE = [("eta",)]
"""Fields that may change a little: the ticket stays true."""
forge = functools.partial(forge_plainly, digest=True)
"""Whoever forges these tickets makes their networks again, and the digests fit."""


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.001 or 0.001
    return {type(None): 1.0, str: "x", list: ["x"], dict: {"x": 1}}[type(value)] if not value else f"{value}x"


@pytest.mark.parametrize("case", ["chain-layered-R", "attention-layered"])
def test_every_field_is_refused_or_found(case: str, made: Made, tmp_path: Path) -> None:
    path, network = tmp_path / "t.safetensors", made.network(case)
    np.save(tmp_path / "x.npy", network.examples(6))
    flags = [*network.flags, *CASES[case], "--eta", str(ETA), "--seed", str(SEED), "--inputs", str(tmp_path / "x.npy")]
    assert approximate.main([str(made.target(case)), *flags, "--out", str(path), "--quiet"]) == 0
    target = load_target(made.target(case), activation="relu" if network.flags else None)
    examples = read_examples(hollow_network(read_ticket(path)), str(tmp_path / "x.npy"))
    assert verify(read_ticket(path), target=target, examples=examples)[1] == []
    meta, unseen, found = parsed(path)[1], [], 0
    for way in leaves(meta):
        changed = copy.deepcopy(meta)
        at(changed, way[:-1])[way[-1]] = other(at(meta, way))
        forge(path, tmp_path / "forged.safetensors", **{"digest": way != ("values_sha256",), **changed})
        try:
            differ = verify(read_ticket(tmp_path / "forged.safetensors"), target=target, examples=examples)[1]
        except TicketError:
            continue
        found += bool(differ)
        unseen += [] if differ else [way]
    assert unseen == FREE
    assert found > 40


@pytest.mark.parametrize("name", ["entry", "median"])
def test_no_difference_on_data_exceeds_the_largest(name: str, made: Made, tmp_path: Path) -> None:
    path, network = tmp_path / "t.safetensors", made.network("chain-private")
    np.save(tmp_path / "x.npy", network.examples(6))
    flags = [*network.flags, *CASES["chain-private"], "--seed", str(SEED), "--inputs", str(tmp_path / "x.npy")]
    assert approximate.main([str(made.target("chain-private")), *flags, "--out", str(path), "--quiet"]) == 0
    assert verify(read_ticket(path))[1] == []
    meta = parsed(path)[1]
    data = meta["numbers"]["certificate"]["data"]
    data[name] = 1.01 * data["largest"]
    if name == "median":
        data["relative_median"] = data["median"] / data["size"]
    forge(path, tmp_path / "forged.safetensors", **meta)
    (said,) = verify(read_ticket(tmp_path / "forged.safetensors"))[1]
    assert "data largest is the largest" in said


NUMBERS = [
    (case, field)
    for case in ("chain-layered", "convolutional-private-R")
    for field in (
        "weights", "kept", "within_eta", "max_weight_error", "parts 0 kept", "parts 1 within_eta",
        "parts 2 max_weight_error", "certificate lower", "certificate upper",
    )
]  # fmt: skip


@pytest.mark.parametrize(("case", "field"), NUMBERS)
def test_a_consistently_wrong_number_is_found(
    case: str, field: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.path(case)
    meta = parsed(path)[1]
    numbers = meta["numbers"]
    way = tuple(int(step) if step.isdigit() else step for step in field.split())
    entry, key = at(numbers, way[:-1]), way[-1]
    entry[key] = entry[key] + 1 if isinstance(entry[key], int) else entry[key] * 1.001
    wrong = forge(path, tmp_path / "t.safetensors", numbers=numbers)
    name, also = str(key), {f"{key} of all", f"error relative_{key}", "error lower is not above upper"}
    if way[0] == "parts":
        name = f"{meta['parts'][way[1]]['constant']}: {key}"
    elif way[0] == "certificate":
        name = f"error {key}"
    assert set(found_by_verify([str(wrong), *made.against(case)], capsys)) - also == {name}


@pytest.mark.parametrize("case", ["chain-layered-R", "chain-shared", "convolutional-private-R"])
def test_other_random_values_are_found_without_the_target(
    case: str, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = made.path(case), tmp_path / "t.safetensors"
    _, meta, tensors = parsed(path)
    if meta["kind"] == "layered":
        refused(["verify", str(forge_plainly(path, out, seed=SEED + 1))], capsys, "keeps a neuron with b <= 0")
    else:
        assert found_by_verify([str(forge_plainly(path, out, seed=SEED + 1))], capsys) == ["values_sha256"]
    mask = "mask2"
    fewer = tensors[mask].copy()
    place = np.flatnonzero(fewer)[0]
    fewer[place] &= fewer[place] - 1  # one kept value less
    changes = {mask: fewer}
    if meta["R"] > 1:
        kept, width = int(np.bitwise_count(fewer).sum()), (meta["R"] - 1).bit_length()
        changes["draws2"] = np.zeros(-(-kept * width // 8), np.uint8)
    assert {"values_sha256", "kept"} <= set(found_by_verify([str(forge_plainly(path, out, tensors=changes))], capsys))
    if meta["R"] > 1:
        drawn = tensors["draws2"].copy()
        drawn[0] ^= 1 if drawn[0] & 3 != 2 else 2  # draw 0 or 1 becomes the other, 2 becomes 0
        assert found_by_verify([str(forge_plainly(path, out, tensors={"draws2": drawn}))], capsys) == ["values_sha256"]


def test_a_mask_at_another_place_is_found_where_the_values_are_the_same(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made.path("chain-shared")
    _, meta, tensors = parsed(path)
    n, cols = meta["n"], 3  # of the first part; the weights of a row share their values
    bits = np.unpackbits(tensors["mask1"], bitorder="little")[: 15 * n].reshape(5, cols, n)
    rows = [row for row in bits if (row[0] != row[1]).any() and row[0].sum() == row[1].sum()]
    assert rows
    swapped = bits.copy()
    for row in swapped:
        if row[0].sum() == row[1].sum() and (row[0] != row[1]).any():
            row[0], row[1] = row[1].copy(), row[0].copy()
            break
    packed = np.packbits(swapped.reshape(-1), bitorder="little")
    assert found_by_verify(
        [str(forge_plainly(path, tmp_path / "t.safetensors", tensors={"mask1": packed}))], capsys
    ) == ["values_sha256"]


def test_gains_halves_and_witnesses_are_compared(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, out = "convolutional-layered", tmp_path / "t.safetensors"
    path, against = made.path(case), made.against(case)
    _, meta, tensors = parsed(path)
    for number, field, value in [(0, "gain", 8.0), (5, "halves", 2)]:
        parts = copy.deepcopy(meta["parts"])
        parts[number][field] = value
        wrong = str(forge(path, out, parts=parts))
        assert f"{parts[number]['constant']}: {field}" in found_by_verify([wrong, *against], capsys)
    parts = copy.deepcopy(meta["parts"])
    parts[1]["halves"] = 2
    refused(["verify", str(forge(path, out, parts=parts))], capsys, "halves of part 'first.bias' must be 1")
    parts[1]["halves"], parts[0]["halves"] = 1, 1
    refused(["verify", str(forge(path, out, parts=parts))], capsys, "keeps a neuron with b <= 0")
    tensors = {"witness1": 2 * tensors["witness1"]}
    found = found_by_verify([str(forge(path, out, tensors=tensors)), *against], capsys)
    assert {"witness1 lies in the domain", "error lower"} <= set(found)


def test_another_construction_is_found(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.safetensors"
    for case, words in [
        ("chain-layered", ("best", "assigned")),
        ("chain-layered-best", ("subset-sum", "open")),
        ("chain-layered-halves", ("thirds", "open")),
        ("chain-layered-thirds-R", ("halves", "assigned")),
    ]:
        wrong = str(forge(made.path(case), out, construction=words[0], signs=words[1]))
        found = found_by_verify([wrong, *made.against(case)], capsys)
        assert {name.split(": ")[1] for name in found} == {"what a search finds"}
    wrong = forge(made.path("chain-layered-R"), out, construction="best", signs="open")
    refused(["verify", str(wrong)], capsys, "signs must be one of ('assigned',)")


def test_exact_constants_are_compared_in_their_places(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, out = "attention-layered", tmp_path / "t.safetensors"
    path = made.path(case)
    _, meta, tensors = parsed(path)
    assert len(meta["exact"]) == 2
    nearby = tensors["exact1"].copy()
    nearby.reshape(-1)[0] = np.nextafter(nearby.reshape(-1)[0], np.float32(9))
    for change in ({"exact1": nearby}, {"exact1": tensors["exact1"].astype(np.float64)}):
        wrong = str(forge(path, out, tensors=change))
        assert found_by_verify([wrong, *made.against(case)], capsys) == ["constants kept as they are"]
    # a batch norm that was made a scale and a shift keeps a mean 0 and a variance 1
    case = "convolutional-shared"
    path = made.path(case)
    _, meta, tensors = parsed(path)
    one, two = (f"exact{meta['exact'].index(name) + 1}" for name in ("b/mean", "b/variance"))
    wrong = str(forge(path, out, tensors={one: tensors[two], two: tensors[one]}))
    assert found_by_verify([wrong, *made.against(case)], capsys) == ["constants kept as they are"]


def test_another_attribute_is_found(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = "convolutional-shared"
    graph = copy.deepcopy(parsed(made.path(case))[1]["graph"])
    (node,) = [node for node in graph["nodes"] if node[0] == "LeakyRelu"]
    node[3]["alpha"] = 0.25
    wrong = forge(made.path(case), tmp_path / "t.safetensors", graph=graph)
    assert found_by_verify([str(wrong), *made.against(case)], capsys) == ["graph"]


def test_another_target_is_found(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(made.path("chain-shared"))
    wide = {name: torch.from_numpy(weight.copy()) for name, weight in NETWORKS["chain"].parts.items()}
    wide["1.weight"][0, 0] += 1e-12
    torch.save(wide, tmp_path / "near.pt")
    against = ["--target", str(tmp_path / "near.pt"), "--activation", "relu"]
    assert {"graph", "target_sha256"} == set(found_by_verify([path, *against], capsys))  # float64: another input
    torch.save({"0.weight": torch.ones(2, 3)}, tmp_path / "far.pt")
    against[1] = str(tmp_path / "far.pt")
    assert found_by_verify([path, *against], capsys) == ["shapes of the parts"]
    refused(["verify", path, "--target", str(tmp_path / "none.pt")], capsys, "none.pt: no such file")
    tanh = ["--target", str(made.target("chain-shared")), "--activation", "tanh"]
    assert found_by_verify([path, *tanh], capsys) == ["graph"]


def test_a_target_of_another_export_is_accepted(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = {name: array.astype(np.float32) for name, array in NETWORKS["chain"].parts.items()}
    nodes = [
        helper.make_node("Gemm", ["in", "w1", "b1"], ["a"], alpha=1.0, beta=1.0, transB=1),
        helper.make_node("Relu", ["a"], ["b"], name="other"),
        helper.make_node("Gemm", ["b", "w2", "b2"], ["out"], alpha=1.0, beta=1.0, transB=1),
    ]
    constants = [
        numpy_helper.from_array(array, name)
        for name, array in zip(("w1", "b1", "w2", "b2"), held.values(), strict=True)
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", side])
        for name, side in (("in", 3), ("out", 2))
    ]
    for opset, alpha in [(14, 1.0), (17, 1.0), (17, 0.5)]:
        nodes[2].attribute[0].f = alpha
        graph = helper.make_graph(nodes, "other", ends[:1], ends[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.save(model, tmp_path / "other.onnx")
        argv = [str(made.path("chain-layered")), "--target", str(tmp_path / "other.onnx")]
        if alpha == 1.0:
            assert ticket.main(["verify", *argv]) == 0
            assert " 0 differ" in capsys.readouterr().out
        else:
            assert "graph" in found_by_verify(argv, capsys)


def test_examples_are_compared(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, path = "chain-private", tmp_path / "t.safetensors"
    np.save(tmp_path / "x.npy", NETWORKS["chain"].examples(5))
    np.save(tmp_path / "y.npy", NETWORKS["chain"].examples(6))
    argv = [str(made.target(case)), "--activation", "relu", *CASES[case], "--inputs", str(tmp_path / "x.npy")]
    assert approximate.main([*argv, "--out", str(path), "--quiet"]) == 0
    against = [str(path), *made.against(case)]
    assert ticket.main(["verify", *against]) == 0
    assert "numbers about examples need --inputs" in capsys.readouterr().out
    assert ticket.main(["verify", *against, "--inputs", str(tmp_path / "x.npy")]) == 0
    assert "need" not in capsys.readouterr().out
    found = found_by_verify([*against, "--inputs", str(tmp_path / "y.npy")], capsys)
    assert "data examples" in found
    assert all(name.startswith("data ") for name in found)
    refused(["verify", str(path), "--inputs", str(tmp_path / "x.npy")], capsys, "--inputs needs --target")
    bare = [str(made.path(case)), *made.against(case), "--inputs", str(tmp_path / "x.npy")]
    assert found_by_verify(bare, capsys) == ["data"]


def test_the_order_of_attributes_and_inputs_in_a_file_is_no_difference(tmp_path: Path) -> None:
    """Exports keep attributes in any order, and inputs need not be in that of their names."""
    path, out = tmp_path / "m.onnx", tmp_path / "t.safetensors"
    node = helper.make_node("Conv", ["z", "w"], ["c"])
    for name, value in (("strides", [2]), ("pads", [1, 1]), ("group", 1)):
        node.attribute.append(helper.make_attribute(name, value))
    float32 = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(*one) for one in (("z", float32, ["n", 2, 6]), ("a", float32, ["n", 3, 3]))]
    outputs = [helper.make_tensor_value_info("y", float32, ["n", 3, 3])]
    w = numpy_helper.from_array(np.random.default_rng(1).uniform(-1, 1, (3, 2, 3)).astype(np.float32), "w")
    graph = helper.make_graph([node, helper.make_node("Add", ["c", "a"], ["y"])], "m", inputs, outputs, [w])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    np.savez(tmp_path / "x.npz", z=np.ones((2, 2, 6), np.float32), a=np.full((2, 3, 3), 0.5, np.float32))
    flags = ["--source", "shared", "--n", "9", "--seed", "1", "--inputs", str(tmp_path / "x.npz"), "--out", str(out)]
    assert approximate.main([str(path), *flags, "--quiet"]) == 0
    assert verify(read_ticket(out), target=load_target(path))[1] == []


def test_what_would_take_long_is_not_looked_for_again(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file may name any n and R; without the limit the last one makes 2^33 draws for each weight."""
    case = "chain-shared-R"
    argv = [str(made.path(case)), *made.against(case)]
    assert ticket.main(["verify", *argv]) == 0  # 301^2 sums
    assert "take long" not in capsys.readouterr().out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_MAX_STEPS", 1.0)
        assert ticket.main(["verify", *argv]) == 0
    assert "masks of this n and R are not looked for again" in capsys.readouterr().out
    assert not verification.searchable(replace(read_ticket(made.path(case)), R=2**33, n=1), 15)
    assert not verification.searchable(replace(read_ticket(made.path("chain-layered-best")), R=2**33), 15)
    assert verification.searchable(read_ticket(made.path("chain-layered")), 2**12)


def test_a_certificate_is_compared_with_itself(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the target or the examples, in a file whose digest fits."""
    case, path = "chain-private", tmp_path / "t.safetensors"
    np.save(tmp_path / "x.npy", NETWORKS["chain"].examples(5))
    argv = [str(made.target(case)), "--activation", "relu", *CASES[case], "--inputs", str(tmp_path / "x.npy")]
    assert approximate.main([*argv, "--out", str(path), "--quiet"]) == 0
    numbers = parsed(path)[1]["numbers"]
    own = numbers["certificate"]
    high, low = 2 * own["upper"], own["data"]["median"] / 2
    for change, name in [
        ({"word": "measured"}, "error word"),
        ({"lower_word": "measured"}, "error word"),
        ({"lower": high, "relative_lower": high / own["size"]}, "error lower is not above upper"),
        ({"relative_upper": high}, "error relative_upper"),
        (
            {"data": {**own["data"], "largest": low, "relative_largest": low / own["data"]["size"]}},
            "data largest is the",
        ),
        ({"size": high, **{f"relative_{end}": own[end] / high for end in ("lower", "upper")}}, "error size"),
        ({"domain": "||x||_2 <= 9"}, "error domain"),
    ]:
        forged = forge(path, tmp_path / "f.safetensors", numbers={**numbers, "certificate": {**own, **change}})
        (found,) = found_by_verify([str(forged)], capsys)
        assert found.startswith(name)
