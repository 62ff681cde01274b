"""Tickets of version 4: the network rebuilt by other code from the file alone, and every number found again."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from nets import ticket
from nets.tickets import load_ticket
from tests import naive
from tests.nets.small_networks import NETWORKS
from tests.nets.small_tickets import CASES, ETA, Made, bits
from tests.nets.ticket_files import bound_naively, parsed

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def numbers_of(packed: np.ndarray, count: int, R: int) -> list[int]:
    """`count` draws of ceil(log2 R) bits each, the lowest bit first."""
    width = math.ceil(math.log2(R))
    whole = int.from_bytes(packed.tobytes(), "little")
    assert len(packed) == -(-count * width // 8)
    assert whole >> (count * width) == 0
    return [whole >> (width * i) & (2**width - 1) for i in range(count)]


def kept(meta: dict, tensors: dict, number: int) -> list[tuple[int, int]]:
    """(place, draw) of everything that mask `number` keeps."""
    places = bits(tensors[f"mask{number}"])
    R = meta["R"]
    return list(
        zip(places, numbers_of(tensors[f"draws{number}"], len(places), R) if R > 1 else [0] * len(places), strict=True)
    )


def gadget_naively(meta: dict, tensors: dict, part: dict, number: int, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Part `number` of a layered ticket, from 0: the two sums of products for every (group, row, col)."""
    groups, rows, cols = (part[name] for name in ("groups", "rows", "cols"))
    block = 2 * meta["n"] if part["relu"] else meta["n"]
    b = {}
    for h, draw in kept(meta, tensors, 2 * number + 1):
        b[h] = naive.draw(meta["seed"], 2 * number + 3, h * groups * cols + h // block, draw) / 2**52
        values.update(np.float64(b[h]).tobytes())
    plus, minus = np.zeros((groups, rows, cols)), np.zeros((groups, rows, cols))
    for place, draw in kept(meta, tensors, 2 * number + 2):
        cell, k = divmod(place, block)
        group, rest = divmod(cell, rows * cols)
        row, col = divmod(rest, cols)
        a = naive.draw(meta["seed"], 2 * number + 4, place, draw) / 2**52
        values.update(np.float64(a).tobytes())
        h = block * (group * cols + col) + k
        half = plus if b[h] > 0 or not part["relu"] else minus
        half[group, row, col] += a * b[h] * part["gain"]
    return plus, (minus if part["halves"] == 2 else plus)


def sums_naively(meta: dict, tensors: dict, part: dict, number: int, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Part `number` of a private or shared ticket, from 0: sums of the kept values of each weight."""
    groups, rows, cols = (part[name] for name in ("groups", "rows", "cols"))
    own = rows * cols // part["outputs"]  # weights of one output channel
    stream = {"private": 2**30, "shared": 2**30 + 2**29}[meta["kind"]] + number + 1
    rho, exponent = math.frexp(part["gain"])
    made = np.zeros(groups * rows * cols)
    for place, draw in kept(meta, tensors, number + 1):
        e, k = divmod(place, meta["n"])
        m = naive.draw(meta["seed"], stream, e if meta["kind"] == "private" else e // own, k * meta["R"] + draw)
        value = math.ldexp(round(float(m) * rho), exponent - 52)
        values.update(np.float64(value).tobytes())
        made[e] += value
    return (made.reshape(groups, rows, cols),) * 2


def in_its_shape(part: dict, matrices: np.ndarray) -> np.ndarray:
    """A matrix view back in the shape of its constant, entry by entry."""
    shape, found = part["shape"], np.empty(part["shape"])
    taps = part["rows"] // part["outputs"]
    for place in np.ndindex(*shape):
        if part["kind"] == "convolution":
            group, output = divmod(place[0], part["outputs"])
            tap = int(np.ravel_multi_index(place[2:], shape[2:]))
            where = group, output * taps + tap, place[1]
        elif part["kind"] == "scale":
            where = place[0], 0, 0
        elif part["kind"] == "bias":
            where = 0, place[0], 0
        elif part["transposed"]:
            where = 0, place[0], place[1]
        else:
            where = 0, place[1], place[0]
        found[place] = matrices[where]
    return found


@functools.cache
def rebuild_naively(path: Path, name: str) -> tuple[dict, Pairs, str]:
    """Weights from nothing but the file: safetensors, a Philox on Python integers, and sums; and their digest."""
    _, meta, tensors = parsed(path)
    values = hashlib.sha256()
    found = {}
    makes = gadget_naively if meta["kind"] == "layered" else sums_naively
    step = 2 if meta["kind"] == "layered" else 1
    right_factors = {node[1][1] for node in meta["graph"]["nodes"] if node[0] == "MatMul"}
    for number, (weight, part) in enumerate(zip(NETWORKS[name].parts, meta["parts"], strict=True)):
        for i in range(step * number, step * (number + 1)):
            values.update(tensors[f"mask{i + 1}"].tobytes())
        plus, minus = makes(meta, tensors, part, number, values)
        seen = {**part, "transposed": part["constant"] not in right_factors}
        found[weight] = in_its_shape(seen, plus), in_its_shape(seen, minus)
    rest = json.dumps({**meta, "values_sha256": ""}, sort_keys=True)
    return meta, found, bound_naively(values.hexdigest(), rest, tensors)


@pytest.mark.parametrize("case", CASES)
def test_anyone_can_rebuild_the_network_from_the_file(case: str, made: Made) -> None:
    path, small = made.path(case), made.network(case)
    meta, pairs, digest = rebuild_naively(path, small.name)
    assert meta["values_sha256"] == digest
    numbers, rows, errors = meta["numbers"], meta["numbers"]["parts"], []
    found = load_ticket(path)
    for pair, own, weight, row in zip(
        pairs.values(), found.effective.values(), small.parts.values(), rows, strict=True
    ):
        for made_here, made_there in zip(pair, own, strict=True):
            np.testing.assert_allclose(made_there, made_here, rtol=0, atol=1e-15 * max(1, np.abs(weight).max()))
        error = np.maximum(*(np.abs(half - weight) for half in pair))
        assert row["within_eta"] == (error <= ETA).sum()
        assert row["max_weight_error"] == pytest.approx(error.max(), abs=1e-14)
        errors.append(error.reshape(-1))
    whole = np.concatenate(errors)
    assert (numbers["weights"], numbers["within_eta"]) == (whole.size, (whole <= ETA).sum())
    assert numbers["max_weight_error"] == pytest.approx(whole.max(), abs=1e-14)
    assert numbers["within_eta"] > 0
    tensors = parsed(path)[2]
    counts = [len(bits(tensors[f"mask{i + 1}"])) for i in range(sum(name.startswith("mask") for name in tensors))]
    step = len(counts) // len(rows)
    assert [row["kept"] for row in rows] == [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    assert numbers["kept"] == sum(counts)
    sides = b"".join(np.array(w.shape, "<i8").tobytes() + w.tobytes() for w in small.parts.values())
    assert meta["target_sha256"] == hashlib.sha256(sides).hexdigest()


@pytest.mark.parametrize("case", CASES)
def test_the_rebuilt_network_computes_what_other_code_computes(case: str, made: Made, tmp_path: Path) -> None:
    path, small = made.path(case), made.network(case)
    _, pairs, _ = rebuild_naively(path, small.name)
    x = small.examples()
    wanted = small.run(pairs, x.astype(np.float64))
    found = load_ticket(path, dtype=torch.float64)(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-13)
    assert ticket.main(["export", str(path), str(tmp_path / "pruned.onnx")]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "pruned.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: x})
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=1e-5)
    single = load_ticket(path)(torch.from_numpy(x))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_recorded_error_is_attained_at_the_witness(case: str, made: Made) -> None:
    path, small = made.path(case), made.network(case)
    meta, pairs, _ = rebuild_naively(path, small.name)
    x = parsed(path)[2]["witness1"]
    assert x.shape == (1, *small.shape)
    assert np.linalg.norm(x) <= 1
    same = {name: (weight, weight) for name, weight in small.parts.items()}
    error = np.linalg.norm(small.run(pairs, x) - small.run(same, x))
    certificate = meta["numbers"]["certificate"]
    assert certificate["lower"] == pytest.approx(error, rel=1e-9, abs=1e-12)
    assert certificate["lower"] > 0
    if certificate["upper"] is not None:
        assert error <= certificate["upper"]
    assert (certificate["upper"] is None) == (small.name == "attention")
    assert certificate["word"] == ("measured" if certificate["upper"] is None else "proved")


def test_every_kind_of_part_is_there(made: Made) -> None:
    rows = {case: parsed(made.path(case))[1]["parts"] for case in CASES}
    assert [(r["halves"], r["relu"]) for r in rows["attention-layered"]] == [
        (1, False), (1, False), (1, True), (2, True), (2, True)
    ]  # fmt: skip
    assert [r["halves"] for r in rows["convolutional-layered"]] == [2, 1, 2, 1, 2, 1, 1]
    assert [r["kind"] for r in rows["convolutional-layered"]] == [
        "convolution", "bias", "scale", "bias", "convolution", "dense", "bias",
    ]  # fmt: skip
    assert [r["groups"] for r in rows["convolutional-layered"]] == [2, 1, 4, 1, 4, 1, 1]
    largest = [float(np.abs(weight).max()) for weight in NETWORKS["chain"].parts.values()]
    assert [r["gain"] for r in rows["chain-layered"]] == [2.0 ** math.ceil(math.log2(size)) for size in largest]
    assert [r["gain"] for r in rows["chain-private"]] == largest


@pytest.mark.parametrize("case", CASES)
def test_verify_accepts_what_approximate_wrote(case: str, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(made.path(case))
    assert ticket.main(["verify", path, *made.against(case)]) == 0
    assert " 0 differ" in capsys.readouterr().out
    assert ticket.main(["verify", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert "kept" in found["checked"]
    assert "within_eta" not in found["checked"]
