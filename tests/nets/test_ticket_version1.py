"""Tickets that earlier programs wrote: they run, give what those programs computed, and are checked as strictly.

The files in data/version1, and the numbers beside them, were made by the last program that wrote version 1.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from nets import ticket
from nets.tickets import load_ticket, read_ticket, save_ticket
from nets.tickets.file import TicketError
from tests.nets.ticket_files import forge, found_by_verify, parsed, refused

FOLDER = Path(__file__).parent / "data" / "version1"
TARGETS = {
    "layered": "biased",
    "layered-R3": "plain",
    "layered-best": "biased",
    "layered-both": "biased",
    "private": "plain",
    "shared-R300": "biased",
}


def file(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"


def against(name: str) -> list[str]:
    return ["--target", str(file(TARGETS[name])), "--activation", "relu"]


@pytest.fixture(scope="module")
def computed() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "computed.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("name", TARGETS)
def test_old_tickets_give_what_the_old_program_computed(name: str, computed: dict[str, np.ndarray]) -> None:
    found = load_ticket(file(name))
    assert found.ticket.version == 1
    assert [one.shape for one in found.graph.inputs] == [("batch", 3)]
    made = [
        one.reshape(-1)
        for plus, minus in found.effective.values()
        for one in ([plus] if minus is plus else [plus, minus])
    ]
    np.testing.assert_array_equal(np.concatenate(made), computed[f"{name}.effective"])
    outputs = found(torch.from_numpy(computed["inputs"]))
    np.testing.assert_allclose(outputs.numpy(), computed[name], rtol=0, atol=1e-14)


def test_old_tickets_are_exported(
    computed: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("layered", "private"):
        assert ticket.main(["export", str(file(name)), str(tmp_path / "pruned.onnx")]) == 0
        session = onnxruntime.InferenceSession(tmp_path / "pruned.onnx", providers=["CPUExecutionProvider"])
        (answer,) = session.run(None, {"input": computed["inputs"]})
        np.testing.assert_allclose(answer, computed[name], rtol=0, atol=1e-13)
    assert ticket.main(["info", str(file("layered"))]) == 0
    assert "version  1" in capsys.readouterr().out
    inputs = ["--inputs", str(tmp_path / "x.npy"), *against("layered")]
    refused(["verify", str(file("layered")), *inputs], capsys, "version 1, which have no examples")


@pytest.mark.parametrize("name", TARGETS)
def test_old_tickets_are_verified(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ticket.main(["verify", str(file(name)), *against(name)]) == 0
    assert " 0 differ" in capsys.readouterr().out
    assert ticket.main(["verify", str(file(name)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mismatches"] == []


def test_old_tickets_are_read_but_not_written_again(tmp_path: Path) -> None:
    with pytest.raises(TicketError, match="version 1 is read, but not written"):
        save_ticket(tmp_path / "t.safetensors", read_ticket(file("layered")))
    assert list(tmp_path.iterdir()) == []


NUMBERS = {
    "weights": "weights",
    "kept": "kept",
    "within_eta": "within_eta",
    "max_weight_error": "max_weight_error",
    "layers 0 kept": "layer1.weight: kept",
    "layers 1 within_eta": "layer2.weight: within_eta",
    "layers 1 max_weight_error": "layer2.weight: max_weight_error",
    "error lower": "error lower",
}


@pytest.mark.parametrize("name", ["layered", "layered-R3", "layered-both", "private", "shared-R300"])
@pytest.mark.parametrize("field", NUMBERS)
def test_a_wrong_number_is_found(name: str, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = parsed(file(name))[1]["numbers"]
    *way, key = field.split()
    entry = numbers
    for step in way:
        entry = entry[int(step) if step.isdigit() else step]
    entry[key] = entry[key] + 1 if isinstance(entry[key], int) else entry[key] * 1.001
    wrong = forge(file(name), tmp_path / "t.safetensors", numbers=numbers)
    assert NUMBERS[field] in found_by_verify([str(wrong), *against(name)], capsys)


@pytest.mark.parametrize("name", ["layered", "layered-R3", "private", "shared-R300"])
def test_an_upper_end_below_what_is_proved_is_found(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = parsed(file(name))[1]["numbers"]
    numbers["error"]["upper"] = numbers["error"]["lower"]
    wrong = forge(file(name), tmp_path / "t.safetensors", numbers=numbers)
    assert found_by_verify([str(wrong), *against(name)], capsys) == ["error upper"]


def test_another_seed_is_found_or_makes_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("private", "shared-R300", "layered-both"):
        wrong = forge(file(name), tmp_path / "t.safetensors", seed=5)
        assert found_by_verify([str(wrong)], capsys) == ["values_sha256"]
    wrong = forge(file("layered"), tmp_path / "t.safetensors", seed=5)
    refused(["verify", str(wrong)], capsys, "layer2.weight: mask_b keeps a neuron with b <= 0")


CHANGES = {
    "target_sha256": (["layered", "private"], "0" * 64, "target_sha256"),
    "values_sha256": (["layered", "private"], "0" * 64, "values_sha256"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_another_field_is_found(field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, value, says = CHANGES[field]
    for name in names:
        wrong = forge(file(name), tmp_path / "t.safetensors", **{field: value})
        assert says in found_by_verify([str(wrong), *against(name)], capsys)


@pytest.mark.parametrize("name", ["layered", "private", "shared-R300"])
def test_another_mask_or_draw_is_found(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, meta, held = parsed(file(name))
    changed = held["mask2"].copy()
    place = np.flatnonzero(changed)[0]
    changed[place] &= changed[place] - 1  # one kept value less
    tensors = {"mask2": changed}
    if meta["R"] > 1:
        tensors["draws2"] = held["draws2"][1:]
    wrong = forge(file(name), tmp_path / "t.safetensors", tensors=tensors)
    assert {"values_sha256", "kept"} <= set(found_by_verify([str(wrong)], capsys))
    if meta["R"] > 1:
        drawn = held["draws1"].copy()
        drawn[0] = (drawn[0] + 1) % meta["R"]
        wrong = forge(file(name), tmp_path / "t.safetensors", tensors={"draws1": drawn})
        assert found_by_verify([str(wrong)], capsys) == ["values_sha256"]


def test_another_target_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = [np.ones((2, 3)), np.ones((2, 2))]
    np.savez(tmp_path / "far.npz", **{f"{i}.weight": weight for i, weight in enumerate(weights)})
    argv = [str(file("private")), "--target", str(tmp_path / "far.npz")]
    assert found_by_verify(argv, capsys) == ["shapes of the parts"]
    refused(["verify", argv[0], "--target", str(tmp_path / "far.npz"), "--activation", "tanh"], capsys, "version 1")


FIELDS = {
    "kind": "secret", "construction": "other", "signs": "none", "halves": "all", "has_bias": 1, "seed": -1, "n": 0,
    "R": 2**34, "widths": [3, 0, 2], "scale": [1.0, 3.0, 1.0], "eta": 0.0, "target_sha256": "abc",
    "values_sha256": "G" * 64, "generator": "mt19937",
}  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_values_that_make_no_sense_are_refused(field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = forge(file("layered"), tmp_path / "t.safetensors", **{field: FIELDS[field]})
    refused(["verify", str(out)], capsys, f"{field} must be")


def test_tensors_that_make_no_sense_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.safetensors"
    layered, private, drawn = file("layered"), file("private"), file("shared-R300")
    held, draws = parsed(private)[2], parsed(drawn)[2]
    last = held["mask2"].copy()
    last[-1] |= 0x80  # 70 bits: the last byte has 6
    for path, tensors, says in [
        (private, {"mask1": np.zeros(5, np.uint8)}, "mask1 has the wrong shape"),
        (private, {"mask1": held["mask1"].astype(np.uint16)}, "mask1 has the wrong shape or type"),
        (private, {"extra": np.zeros(5, np.uint8)}, "must hold the tensors"),
        (private, {"mask1": None}, "must hold the tensors"),
        (private, {"mask2": last}, "sets a bit beyond its 70 bits"),
        (private, {"witness": np.full(3, np.nan)}, "holds NaN"),
        (private, {"witness": np.zeros(4)}, "witness has the wrong shape"),
        (drawn, {"draws1": np.append(draws["draws1"][1:], np.uint16(300))}, "names draw 300, but R=300"),
        (drawn, {"draws1": draws["draws1"][1:]}, "must name"),
        (drawn, {"draws1": draws["draws1"].astype(np.uint32)}, "draws1 has the wrong shape or type"),
        (layered, {"mask3": np.zeros_like(parsed(layered)[2]["mask3"])}, "of a neuron that mask_b removes"),
    ]:
        refused(["verify", str(forge(path, out, tensors=tensors))], capsys, says)
    for n, says in [(10**6, "wrong shape"), (2**39, "n R must be")]:
        refused(["verify", str(forge(private, out, n=n))], capsys, says)
    refused(["verify", str(forge(private, out, widths=[2**40, 2**40, 2]))], capsys, "wrong shape")
    numbers = parsed(private)[1]["numbers"]
    refused(
        ["verify", str(forge(private, out, numbers={**numbers, "error": {**numbers["error"], "lower": -1.0}}))],
        capsys, "error lower must be",
    )  # fmt: skip
    refused(["verify", str(forge(private, out, numbers={}))], capsys, "numbers must have the keys")


@pytest.mark.parametrize("length", [0, 4, 8, 100, 1000, -20, -1])
def test_a_truncated_file_is_refused(length: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.safetensors"
    out.write_bytes(file("layered").read_bytes()[:length])
    refused(["verify", str(out)], capsys, "t.safetensors: not a readable safetensors file")
