"""Tickets: rebuilt by other code from the file alone, and refused when anything in the file is wrong."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from nets import approximate, ticket
from nets.targets.target import Target
from nets.tickets import load_ticket
from nets.tickets.approximation_file import Ticket, read_ticket, save_ticket
from nets.tickets.file import TicketError, checksum
from tests import naive

SEED = 2**63 + 12345
CASES = {
    "layered": ["--source", "layered", "--n", "5"],
    "layered-R": ["--source", "layered", "--n", "4", "--R", "3"],
    "layered-best": ["--source", "layered", "--n", "6", "--construction", "best"],
    "layered-window-R": ["--source", "layered", "--n", "3", "--construction", "window", "--R", "300"],
    "private": ["--source", "private", "--n", "7"],
    "private-R": ["--source", "private", "--n", "3", "--R", "5"],
    "shared": ["--source", "shared", "--n", "9"],
    "shared-R": ["--source", "shared", "--n", "4", "--R", "300"],
}


@pytest.fixture(scope="module")
def target() -> Target:
    generator = torch.Generator().manual_seed(4)
    sizes = {(5, 3): 0.7, (2, 5): 1.5}  # the second layer is scaled in a layered ticket
    return Target(tuple(s * (2 * torch.rand(shape, generator=generator).double() - 1) for shape, s in sizes.items()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, target: Target) -> Path:
    folder = tmp_path_factory.mktemp("tickets")
    torch.save({f"{i}.weight": w for i, w in enumerate(target.weights)}, folder / "target.pt")
    for name, flags in CASES.items():
        out = str(folder / f"{name}.safetensors")
        argv = [str(folder / "target.pt"), *flags, "--eta", "0.05", "--seed", str(SEED), "--out", out, "--quiet"]
        assert approximate.main(argv) == 0
    return folder


def bits(packed: np.ndarray) -> list[int]:
    return [place for place in range(8 * len(packed)) if packed[place // 8] >> (place % 8) & 1]


def rebuild_naively(path: Path) -> tuple[dict, list[tuple[np.ndarray, np.ndarray]], str]:
    """Effective weights from nothing but the file: safetensors, a Philox on Python integers, and sums."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    meta = json.loads(header["__metadata__"]["ticket"])
    tensors = load_file(path)
    n, R, seed, widths = meta["n"], meta["R"], meta["seed"], meta["widths"]
    values = hashlib.sha256()
    effective = []

    def kept(name: str) -> list[tuple[int, int]]:
        places = bits(tensors[f"mask{name}"])
        draws = tensors[f"draws{name}"].tolist() if R > 1 else [0] * len(places)
        assert len(draws) == len(places)
        return list(zip(places, draws, strict=True))

    for i, (d_in, d_out) in enumerate(itertools.pairwise(widths), 1):
        plus, minus = np.zeros((d_out, d_in)), np.zeros((d_out, d_in))
        if meta["kind"] == "layered":
            b, width = {}, 2 * n * d_in
            for h, draw in kept(str(2 * i - 1)):
                b[h] = naive.draw(seed, 2 + 2 * i - 1, h * d_in + h // (2 * n), draw) / 2**52
                values.update(np.float64(b[h]).tobytes())
            for place, draw in kept(str(2 * i)):
                o, h = divmod(place, width)
                a = naive.draw(seed, 2 + 2 * i, place, draw) / 2**52
                values.update(np.float64(a).tobytes())
                (plus if b[h] > 0 else minus)[o, h // (2 * n)] += meta["scale"][i - 1] * a * b[h]
        else:
            stream = {"private": 2**30, "shared": 2**30 + 2**29}[meta["kind"]] + i
            rho, exponent = math.frexp(meta["scale"][0])
            for place, draw in kept(str(i)):
                e, k = divmod(place, n)
                m = naive.draw(seed, stream, e if meta["kind"] == "private" else e // d_in, k * R + draw)
                value = math.ldexp(round(float(m) * rho), exponent - 52)
                values.update(np.float64(value).tobytes())
                plus[e // d_in, e % d_in] += value
            minus = plus
        effective.append((plus, minus))
    return meta, effective, values.hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_anyone_can_rebuild_the_network_from_the_file(name: str, folder: Path, target: Target) -> None:
    path = folder / f"{name}.safetensors"
    meta, effective, values = rebuild_naively(path)
    found = load_ticket(path)
    assert values == meta["values_sha256"] == found.values_sha256
    within = kept = 0
    largest = 0.0
    for i, ((plus, minus), (new_plus, new_minus), weight) in enumerate(
        zip(effective, found.effective, target.weights, strict=True)
    ):
        np.testing.assert_allclose(new_plus.numpy(), plus, rtol=0, atol=1e-15)
        np.testing.assert_allclose(new_minus.numpy(), minus, rtol=0, atol=1e-15)
        error = np.abs(plus - weight.numpy())
        if i == 0:
            error = np.maximum(error, np.abs(minus - weight.numpy()))
        assert meta["numbers"]["layers"][i]["within_eta"] == (error <= 0.05).sum()
        assert meta["numbers"]["layers"][i]["max_weight_error"] == pytest.approx(error.max(), abs=1e-15)
        within += (error <= 0.05).sum()
        largest = max(largest, error.max())
    kept = sum(len(bits(array)) for name, array in load_file(path).items() if name.startswith("mask"))
    numbers = meta["numbers"]
    assert (numbers["weights"], numbers["within_eta"], numbers["kept"]) == (25, within, kept)
    assert numbers["max_weight_error"] == pytest.approx(largest, abs=1e-15)
    assert within > 0
    shapes = b"".join(np.array(w.shape, "<i8").tobytes() + w.numpy().tobytes() for w in target.weights)
    assert meta["target_sha256"] == hashlib.sha256(shapes).hexdigest()


@pytest.mark.parametrize("name", CASES)
def test_the_recorded_error_is_attained_at_the_witness(name: str, folder: Path, target: Target) -> None:
    path = folder / f"{name}.safetensors"
    meta, effective, _ = rebuild_naively(path)
    x = load_file(path)["witness"]
    (first_plus, first_minus), (second, _) = effective
    hidden = first_plus @ np.maximum(x, 0) - first_minus @ np.maximum(-x, 0)
    wanted = target.weights[1].numpy() @ np.maximum(target.weights[0].numpy() @ x, 0)
    error = np.linalg.norm(second @ np.maximum(hidden, 0) - wanted) / np.linalg.norm(x)
    assert meta["numbers"]["error"]["lower"] == pytest.approx(error, rel=1e-9)
    assert error <= meta["numbers"]["error"]["upper"]
    rebuilt = load_ticket(path)
    got = rebuilt(torch.from_numpy(x))
    np.testing.assert_allclose(got.numpy(), second @ np.maximum(hidden, 0), atol=1e-13)
    if rebuilt.pruned is not None:
        product = math.prod(meta["scale"])
        torch.testing.assert_close(product * rebuilt.pruned(torch.from_numpy(x)), got, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_verify_accepts_what_approximate_wrote(name: str, folder: Path, capsys: pytest.CaptureFixture) -> None:
    path = str(folder / f"{name}.safetensors")
    assert ticket.main(["verify", path, "--target", str(folder / "target.pt")]) == 0
    assert " 0 differ" in capsys.readouterr().out
    assert ticket.main(["verify", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert "kept" in found["checked"]
    assert "within_eta" not in found["checked"]


def forge(path: Path, out: Path, *, tensors: dict | None = None, **changes: object) -> Path:
    """A ticket with other content and a checksum that fits it."""
    old = read_ticket(path)
    save_ticket(out, replace(old, tensors={**old.tensors, **(tensors or {})}, **changes))
    return out


def refused(argv: list[str], capsys: pytest.CaptureFixture, says: str) -> None:
    assert ticket.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert says in captured.err


NUMBERS = [
    (name, field)
    for name in ("layered", "private-R")
    for field in (
        "weights", "kept", "within_eta", "max_weight_error", "layer 1 kept", "layer 2 within_eta",
        "layer 2 max_weight_error", "error lower", "error upper",
    )
]  # fmt: skip


@pytest.mark.parametrize(("name", "field"), NUMBERS)
def test_a_consistently_wrong_number_is_found(
    name: str, field: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = folder / f"{name}.safetensors"
    numbers = json.loads(json.dumps(read_ticket(path).numbers))
    *group, key = field.split() if field.startswith(("layer", "error")) else [field]
    entry = numbers["error"] if group == ["error"] else numbers["layers"][int(group[1]) - 1] if group else numbers
    entry[key] = entry[key] + 1 if isinstance(entry[key], int) else entry[key] * 1.001
    wrong = forge(path, tmp_path / "t.safetensors", numbers=numbers)
    assert ticket.main(["verify", str(wrong), "--target", str(folder / "target.pt")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [field]


@pytest.mark.parametrize("name", ["layered", "shared", "private"])
def test_another_seed_or_mask_is_found_without_the_target(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = folder / f"{name}.safetensors"
    assert ticket.main(["verify", str(forge(path, tmp_path / "t.safetensors", seed=SEED + 1))]) == 1
    assert capsys.readouterr().out.startswith("values_sha256: recorded ")
    mask = "mask2"
    changed = read_ticket(path).tensors[mask].copy()
    place = np.flatnonzero(changed)[0]
    changed[place] &= changed[place] - 1  # one kept value less
    assert ticket.main(["verify", str(forge(path, tmp_path / "t.safetensors", tensors={mask: changed}))]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {"values_sha256", "kept"} <= {line.split(":")[0] for line in lines}


def test_another_target_is_found(folder: Path, target: Target, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = str(folder / "shared.safetensors")
    other = [w.clone() for w in target.weights]
    other[1][0, 0] += 1e-12
    torch.save({f"{i}.weight": w for i, w in enumerate(other)}, tmp_path / "near.pt")
    assert ticket.main(["verify", path, "--target", str(tmp_path / "near.pt")]) == 1
    assert capsys.readouterr().out.startswith("target_sha256: recorded ")
    torch.save({"0.weight": torch.ones(2, 3)}, tmp_path / "far.pt")
    assert ticket.main(["verify", path, "--target", str(tmp_path / "far.pt")]) == 1
    assert "widths: recorded [3, 5, 2], found [3, 2]" in capsys.readouterr().out
    refused(["verify", path, "--target", str(tmp_path / "none.pt")], capsys, "none.pt: no such file")


def test_every_edited_byte_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    content = (folder / "shared.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    out = tmp_path / "t.safetensors"
    for place in [*range(start, len(content)), content.index(b'"eta') + 9, content.index(b"checksum") + 13]:
        edited = bytearray(content)
        edited[place] ^= 1
        out.write_bytes(edited)
        with pytest.raises(TicketError):
            read_ticket(out)
    refused(["verify", str(out)], capsys, "checksum does not fit")


@pytest.mark.parametrize("length", [0, 4, 8, 100, 1000, -20, -1])
def test_a_truncated_file_is_refused(length: int, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "t.safetensors"
    out.write_bytes((folder / "layered.safetensors").read_bytes()[:length])
    refused(["verify", str(out)], capsys, "t.safetensors: not a readable safetensors file")


def test_foreign_and_hostile_files_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t.safetensors"
    refused(["info", str(out)], capsys, "no such file")
    refused(["info", str(tmp_path)], capsys, "no such file")
    save_file({"a": np.zeros(3)}, out)
    refused(["info", str(out)], capsys, "no ticket")
    for schema, says in [
        ("strong-tickets/ticket/2", "newer"), ("strong-tickets/ticket/0", "does not exist"), ("other/1", "no ticket"),
    ]:  # fmt: skip
        save_file({"a": np.zeros(3)}, out, metadata={"schema": schema})
        refused(["info", str(out)], capsys, says)
    schema = "strong-tickets/ticket/1"
    for meta, says in [
        ("", "are no JSON"), ("[" * 10**6, "are no JSON"), ('{"n": NaN}', "are no JSON"), ("9" * 10**5, "are no JSON"),
        ("[]", "the fields of a ticket"), ("{}", "the fields of a ticket"), ("x" * 2**23, "the limit is 4194304"),
    ]:  # fmt: skip
        save_file({"a": np.zeros(3)}, out, metadata={"schema": schema, "ticket": meta})
        refused(["info", str(out)], capsys, says)
    for content in [b"\xff" * 100, (2**40).to_bytes(8, "little") + b"{}", b"\x80\x04cos\nsystem\n" * 9, b"{}" * 99]:
        out.write_bytes(content)
        refused(["info", str(out)], capsys, "not a readable safetensors file")
    header = b'{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'
    out.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(["info", str(out)], capsys, "not a readable safetensors file")
    monkeypatch.setattr("nets.tickets.file.available_bytes", lambda: 4000)
    refused(["info", str(folder / "shared.safetensors")], capsys, "does not fit into memory")
    monkeypatch.undo()
    monkeypatch.setattr("nets.tickets.approximation_file.available_bytes", lambda: 12000)
    refused(["info", str(folder / "layered.safetensors")], capsys, "rebuilding it needs")


BAD_FIELDS = {
    "kind": "secret", "construction": "other", "signs": "none", "halves": "all", "has_bias": 1, "seed": -1, "n": 0,
    "R": 2**34, "widths": (3, 0, 2), "scale": (1.0, 3.0), "eta": 0.0, "target_sha256": "abc", "values_sha256": "G" * 64,
    "generator": "mt19937",
}  # fmt: skip


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_values_that_make_no_sense_are_refused(
    field: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = forge(folder / "layered.safetensors", tmp_path / "t.safetensors", **{field: BAD_FIELDS[field]})
    refused(["verify", str(out)], capsys, f"{field} must be")


def test_tensors_that_make_no_sense_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "t.safetensors"
    layered, shared, draws = (folder / f"{name}.safetensors" for name in ("layered", "shared", "private-R"))
    old = read_ticket(draws)
    last = read_ticket(shared).tensors["mask2"].copy()
    last[-1] |= 0x80  # 90 bits: the last byte has 2
    for path, tensors, says in [
        (shared, {"mask1": np.zeros(5, np.uint8)}, "mask1 has the wrong shape"),
        (shared, {"mask1": np.zeros(17, np.uint16)}, "mask1 has the wrong shape or type"),
        (shared, {"extra": np.zeros(5, np.uint8)}, "must hold the tensors"),
        (shared, {"mask2": last}, "sets a bit beyond its 90 bits"),
        (shared, {"witness": np.full(3, np.nan)}, "witness holds NaN"),
        (draws, {"draws1": np.append(old.tensors["draws1"][1:], np.uint8(5))}, "names draw 5, but R=5"),
        (draws, {"draws1": old.tensors["draws1"][1:]}, "must name"),
        (draws, {"draws1": old.tensors["draws1"].astype(np.uint16)}, "draws1 has the wrong shape or type"),
        (layered, {"mask3": np.zeros(7, np.uint8)}, "mask4 keeps a weight of a neuron that mask3 removes"),
    ]:
        refused(["verify", str(forge(path, out, tensors=tensors))], capsys, says)
    for n in (10**6, 2**39):
        refused(["verify", str(forge(shared, out, n=n))], capsys, "wrong shape" if n < 2**33 else "n R must be")
    refused(["verify", str(forge(shared, out, widths=(2**40, 2**40, 2)))], capsys, "wrong shape")
    numbers = {**old.numbers, "error": {"lower": -1.0, "upper": None, "domain": "l2"}}
    refused(["verify", str(forge(shared, out, numbers=numbers))], capsys, "error lower must be")
    refused(["verify", str(forge(shared, out, numbers={}))], capsys, "numbers must have the keys")


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


def test_info_states_the_cost(folder: Path, capsys: pytest.CaptureFixture) -> None:
    path = folder / "private-R.safetensors"
    assert ticket.main(["info", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["weights"], found["widths"], found["n"], found["R"], found["seed"]) == (25, [3, 5, 2], 3, 5, SEED)
    assert found["bits_per_weight"] == 8 * path.stat().st_size / 25
    assert found["mask_bits_per_weight"] == 3
    assert found["draw_bits_per_weight"] == 8 * found["kept"] / 25
    assert ticket.main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "bits_per_weight" in text
    assert "private" in text


def test_bad_command_lines(capsys: pytest.CaptureFixture) -> None:
    for argv in ([], ["check", "x"]):
        refused(argv, capsys, "the first word says what to do: verify or info")
    refused(["verify"], capsys, "--help")
    refused(["info", "x", "--target", "digits"], capsys, "--help")
    assert ticket.main(["--help"]) == 0
    assert "verify FILE" in capsys.readouterr().out


def test_an_unfinished_file_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    made: Ticket = read_ticket(folder / "shared.safetensors")
    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        save_ticket(tmp_path / "t.safetensors", made)
    assert list(tmp_path.iterdir()) == []
