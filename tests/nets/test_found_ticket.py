"""Found tickets: the same outputs bit for bit from every form of storage, and damage refused in one line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets import found_ticket as command
from nets.search import draws
from nets.search.methods import make_method
from nets.tickets import found_code, mask_bits
from nets.tickets.file import TicketError, file_bytes
from nets.tickets.found_code import coded
from nets.tickets.found_cost import describe
from nets.tickets.found_file import SCHEMA, FoundTicket, Layer, pack_numbers, read_found, unpack_numbers
from nets.tickets.found_values import Draws, cheapest
from nets.training.found import export_ticket, load_found, rebuild, verify
from nets.training.loop import Training
from nets.training.parts import Parts, build
from nets.training.recipes import METHODS
from nets.training.settings import Choices, TrainSettings, resolve
from tests import naive_masks
from tests.nets.ticket_files import bound_naively

FOLDER = Path(__file__).parent / "data"
FOUND = [method for method in METHODS if method != "dense"]
CASES = [
    *((method, init, "mlp") for method in FOUND for init in ("signed-constant", "kaiming-normal")),
    ("iterand", "kaiming-uniform", "resnet18"),
    ("mpt-1-1", "kaiming-normal", "conv2"),
]
OPTIONS = {
    "iterand": {"rerand_every": 2, "rerand_frac": 0.5},
    "recycle": {"recycle_every": 1, "recycle_frac": 0.4},
    "biprop-recycle": {"recycle_every": 1, "recycle_frac": 0.4},
}
VALUES = {  # what costs least, from the methods' definitions
    ("iterand", "signed-constant"): "signs", ("recycle", "signed-constant"): "signs",
    ("biprop-recycle", "signed-constant"): "signs", ("biprop-recycle", "kaiming-normal"): "signs",
    ("iterand", "kaiming-normal"): "history", ("iterand", "kaiming-uniform"): "history",
    ("recycle", "kaiming-normal"): "history",
    ("signed-supermask", "signed-constant"): "signs", ("signed-supermask", "kaiming-normal"): "signs",
}  # fmt: skip


def searched(method: str, init: str, arch: str = "mlp", **changes: Any) -> tuple[TrainSettings, Parts]:
    """A search on the digits that was trained for a few steps, events included."""
    given_ = {
        "method": method,
        "init": init,
        "arch": arch,
        "seed": 5,
        "device": "cpu",
        "epochs": 6,
        "batch": 360,
        "lr": 1.0,
    }
    given_ |= {"width": 0.2 if arch == "mlp" else 0.05, "density": 0.4, **OPTIONS.get(method, {}), **changes}
    params = resolve(Choices(**given_))
    parts = build(params)
    Training(params, parts).run()
    return params, parts


def exported(params: TrainSettings, parts: Parts) -> FoundTicket:
    assert parts.search is not None
    return export_ticket(parts.search, params, shape=parts.data.shape, classes=parts.data.classes)


@pytest.fixture(scope="module")
def iterand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ticket") / "t.safetensors"
    exported(*searched("iterand", "kaiming-uniform")).save(path)
    return path


@pytest.mark.parametrize(("method", "init", "arch"), CASES)
def test_the_same_outputs_bit_for_bit(method: str, init: str, arch: str, tmp_path: Path) -> None:
    params, parts = searched(method, init, arch)
    ticket = exported(params, parts)
    size = ticket.save(tmp_path / "t.safetensors")
    model = load_found(tmp_path / "t.safetensors")
    x, _ = next(parts.data.test.batches(64))
    with torch.no_grad():
        assert torch.equal(model(x), parts.model.eval()(x))
    assert all(float(layer.size or 1) > 0 for layer in ticket.layers)
    if method == "signed-supermask":
        assert {layer.size is None for layer in ticket.layers} == {init == "kaiming-normal"}
    kept = {name: mask.numpy() for name, mask in parts.search.masks().items()}
    numel, bits, entropy = 0, 0, 0.0
    for layer in ticket.layers:
        mask = np.unpackbits(ticket.packed_mask(layer.name), count=layer.numel, bitorder="little")
        assert np.array_equal(mask.reshape(layer.shape).astype(bool), kept[layer.name])
        numel += layer.numel
        share = layer.n_keep / layer.numel
        entropy -= layer.numel * (share * np.log2(share) + (1 - share) * np.log2(1 - share))
        bits += layer.numel
        bits += {"seed": 0, "signs": layer.n_keep, "floats": 32 * layer.n_keep}.get(
            layer.values, layer.n_keep + layer.moved * (layer.draw_bits + layer.origin_bits)
        )
    expected = VALUES.get((method, init), "seed")
    assert expected in {layer.values for layer in ticket.layers} <= {expected, "seed"}
    found = describe(tmp_path / "t.safetensors")
    assert (found["weights"], found["bytes"]) == (numel, size)
    assert size == (tmp_path / "t.safetensors").stat().st_size
    assert found["mask_entropy_bits_per_weight"] == pytest.approx(entropy / numel)
    assert found["bits_per_weight"] == 8 * size / numel
    plain = 8 * sum(array.nbytes for name, array in ticket.tensors.items() if not name.startswith(("rest", "logits")))
    assert 0 <= plain - bits <= 4 * 7 * len(ticket.layers)  # tensors end with whole bytes
    assert numel * (found["mask_bits_per_weight"] + found["value_bits_per_weight"]) <= plain + 1e-6
    values = hashlib.sha256()
    for layer in ticket.layers:
        with torch.no_grad():
            effective = parts.search.layers[layer.name].effective_weight().numpy()
        values.update(f"{layer.name} float32 [{', '.join(map(str, effective.shape))}]\0".encode())
        values.update(np.packbits(kept[layer.name], bitorder="little").tobytes())
        values.update(effective[kept[layer.name]].astype("<f4").tobytes())
    content = json.loads(ticket.meta())
    rest = json.dumps({**content, "values_sha256": ""}, sort_keys=True, separators=(",", ":"))
    assert bound_naively(values.hexdigest(), rest, ticket.tensors) == ticket.values_sha256
    assert verify(ticket) == {"values": True, "logits": True, "logit_error": 0.0, "ok": True}


@pytest.mark.parametrize("evaluation", ["sample", "threshold", "expectation"])
def test_a_stored_mask_does_not_depend_on_how_masks_are_sampled(evaluation: str, tmp_path: Path) -> None:
    """What the file holds is the network that was evaluated, whatever the rule by which it was found."""
    params, parts = searched("bernoulli", "kaiming-normal", lr=30.0)
    method = make_method("bernoulli", evaluation=evaluation)
    parts.search.method = method
    for layer in parts.search.layers.values():
        layer.method = method
    ticket = exported(params, parts)
    assert {layer.values for layer in ticket.layers} == {"floats" if evaluation == "expectation" else "seed"}
    shares = {layer.name: layer.n_keep / layer.numel for layer in ticket.layers}
    assert shares == {name: float(mask.double().mean()) for name, mask in parts.search.masks().items()}
    if evaluation == "threshold":
        assert any(abs(share - params.density) > 0.05 for share in shares.values())
    ticket.save(tmp_path / "t.safetensors")
    model = load_found(tmp_path / "t.safetensors")
    x, _ = next(parts.data.test.batches(64))
    with torch.no_grad():
        assert torch.equal(model(x), parts.model.eval()(x))
        assert torch.equal(model.train()(x), parts.model(x))


@pytest.mark.parametrize("method", ["biprop", "probmask"])
def test_counts_of_layers_are_free_under_global_scope(method: str) -> None:
    params, parts = searched(method, "kaiming-normal", scope="global")
    ticket = exported(params, parts)
    assert len({round(layer.n_keep / layer.numel, 2) for layer in ticket.layers}) > 1
    assert verify(ticket)["ok"]
    if method == "biprop":
        ticket.params["scope"] = "layer"
        with pytest.raises(TicketError, match=r"layer .* keeps \d+ weights, its density asks for \d+"):
            rebuild(ticket)


def test_the_floats_are_taken_where_they_cost_least() -> None:
    """Every weight moved, and numbers of more than 31 bits: 32 bits a weight are less."""
    n = 2**13
    base, kept = Layer("x", (n,), n, std=0.5), np.ones(n, bool)
    source, origins = Draws(3, "kaiming-uniform", None), torch.arange(n).flip(0)

    def made(draw: int) -> torch.Tensor:
        whole = np.empty(n)
        draws.pick.fill_elements(np.uint64(3), 2**24 + 7, origins.numpy(), np.full(n, draw), whole)
        return torch.from_numpy(whole * (3**0.5 * 0.5)).float()

    layer, tensors = cheapest(base, source, 7, kept, made(2**20), torch.full((n,), 2**20), origins)
    assert layer.values == "floats"  # 1 + 21 + 13 = 35 bits otherwise
    assert np.array_equal(tensors["floats.x"], made(2**20).numpy())
    layer, _ = cheapest(base, source, 7, kept, made(3), torch.full((n,), 3), origins)
    assert (layer.values, layer.draw_bits, layer.origin_bits, layer.moved) == ("history", 2, 13, n)
    layer, _ = cheapest(base, source, 7, kept, 2 * made(3), torch.full((n,), 3), origins)
    assert layer.values == "floats"  # the history does not give them


@given(st.integers(1, 40), st.lists(st.integers(0, 2**40 - 1), max_size=50))
def test_packed_numbers(bits: int, numbers: list[int]) -> None:
    values = np.array([number % 2**bits for number in numbers], np.int64)
    packed = pack_numbers(values, bits)
    assert len(packed) == -(-bits * len(values) // 8)
    text = "".join(format(int(value), f"0{bits}b")[::-1] for value in values)
    assert int(text[::-1] or "0", 2) == int.from_bytes(packed.tobytes(), "little")
    assert np.array_equal(unpack_numbers(packed, bits, len(values)), values)


def test_many_packed_numbers() -> None:
    values = np.arange(200_003) % 2**17
    assert np.array_equal(unpack_numbers(pack_numbers(values, 17), 17, len(values)), values)
    assert np.array_equal(unpack_numbers(pack_numbers(0 * values, 0), 0, len(values)), 0 * values)


def test_info_and_verify(iterand: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["info", str(iterand), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/nets.found_ticket/1"
    assert (content["method"], content["storage"], content["density"]) == ("iterand", "masks+history", 0.4)
    assert content["events"] == 12  # 24 steps, an event before every second
    assert content["event_masks_bits_per_weight"] == 13
    assert command.main(["info", str(iterand)]) == 0
    assert "bits_per_weight" in capsys.readouterr().out
    assert command.main(["verify", str(iterand)]) == 0
    assert "every kept weight is the one recorded; the outputs are equal bit for bit" in capsys.readouterr().out
    assert command.main(["verify", str(iterand), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_a_wrong_seed_is_found_out(iterand: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    ticket = read_found(iterand)
    other = replace(ticket, params={**ticket.params, "seed": 6})
    other.save(tmp_path / "other.safetensors")
    assert command.main(["verify", str(tmp_path / "other.safetensors")]) == 1
    assert "kept weights differ from those recorded" in capsys.readouterr().out


def written(ticket: FoundTicket, tensors: dict[str, np.ndarray] | None = None) -> bytes:
    """A file of these very tensors, whatever sense they make."""
    content = {**asdict(replace(ticket, tensors={}))}
    del content["tensors"], content["version"]
    return file_bytes(SCHEMA, json.dumps(content), ticket.tensors if tensors is None else tensors)


def test_damage_is_refused_in_one_line(iterand: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    ticket, good, bad = read_found(iterand), iterand.read_bytes(), tmp_path / "bad.safetensors"
    first = ticket.layers[0]
    mask = ticket.packed_mask(first.name)

    def changed(**tensors: np.ndarray) -> FoundTicket:
        return replace(ticket, tensors={**ticket.tensors, **{key.replace("__", "."): v for key, v in tensors.items()}})

    def with_layer(**fields: Any) -> FoundTicket:
        return replace(ticket, layers=(replace(first, **fields), *ticket.layers[1:]))

    def with_params(**fields: Any) -> FoundTicket:
        return replace(ticket, params={**ticket.params, **fields})

    files: list[tuple[bytes | FoundTicket, str]] = [
        (b"", "not a readable safetensors file"), (good[:-1], "not a readable"), (good[:50], "not a readable"),
        (good[:-3] + bytes([good[-3] ^ 1]) + good[-2:], "the checksum does not fit"),
        (good.replace(b"iterand", b"recycle"), "the checksum does not fit"),
        (good.replace(b"found-ticket/4", b"found-ticket/9"), "not strong-tickets/found-ticket/4"),
        (good.replace(b"found-ticket/4", b"found-ticket/1"), "found-ticket/1, which has no codes"),
        (good.replace(b"found-ticket/4", b"found-ticket/2"), "do not hold a found ticket"),
        (good.replace(b"strong-tickets/found-ticket/4", b"other-program/a-ticket-file/1"), "name no found ticket"),
        (changed(**{f"mask__{first.name}": mask ^ 1}), "must have"),
        (changed(**{f"mask__{first.name}": mask[:-1]}), "numbers of type U8"),
        (changed(extra=mask), "missing or too many: extra"),
        (changed(logits=np.zeros((8, 3), np.float32)), "logits must be"),
        (changed(rest__odd=mask.astype(np.uint32)), "has type uint32, which ticket files do not hold"),
        (changed(rest__odd=mask.astype(np.float64)), "must be numbers of type F32"),
        (changed(rest__odd=mask), "its network has 'odd', which the builder's has not"),
        (with_layer(n_keep=first.n_keep + 1), "must be"), (with_layer(size=1.0), "no sense"),
        (with_layer(values="guess"), "no sense"), (with_layer(n_keep=-1), "no sense"),
        (with_layer(shape=(first.shape[0] * 2, first.shape[1] // 2)), "has shape"),
        (with_params(method="dense"), "a dense network is no ticket"),
        (with_params(arch="conv99"), "make no network"), (with_params(width=1e5), "has shape"),
        (replace(ticket, params={}), "no sense"), (with_params(seed=2**64), "no sense"),
        (with_params(seed=True), "no sense"),
        (replace(ticket, law=None), "no sense"), (replace(ticket, law="keep"), "no sense"),
        (replace(ticket, builder="os:abort"), "no sense"), (replace(ticket, inputs=("0",)), "no sense"),
        (replace(ticket, bfloat16=("rest.odd",)), "must be numbers of type U16"),
        (with_layer(dtype="float8"), "no sense"), (with_layer(dtype="float16"), "no sense"),
        (with_layer(std=None), "no sense"), (with_layer(std=-1.0), "no sense"), (with_layer(index=2**24), "no sense"),
        (replace(ticket, values_sha256="x"), "no sense"),
        (replace(ticket, layers=()), "no sense"),
        (replace(ticket, layers=(*ticket.layers, ticket.layers[0])), "no sense"),
    ]  # fmt: skip
    for content, says in files:
        bad.write_bytes(content if isinstance(content, bytes) else written(content))
        assert command.main(["verify", str(bad)]) == 2, says
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert says in captured.err
    with pytest.raises(TicketError, match=r"none.safetensors: no such file"):
        read_found(tmp_path / "none.safetensors")
    for argv in ([], ["show", str(iterand)]):
        assert command.main(argv) == 2
        assert "the first word says what to do: info, verify or masks" in capsys.readouterr().err
    assert command.main(["--help"]) == 0


def test_codes_that_make_no_sense_are_refused_in_one_line(iterand: Path, tmp_path: Path) -> None:
    ticket, bad = read_found(iterand), tmp_path / "bad.safetensors"
    tensors = dict(coded(ticket))
    mask, moved = (f"coded.{kind}.{ticket.layers[0].name}" for kind in ("mask", "moved"))
    assert {mask, moved} < set(tensors)

    def other(**params: Any) -> FoundTicket:
        return replace(ticket, params={**ticket.params, **params})

    plain = {mask[6:]: ticket.tensors[mask[6:]]}
    longer = np.append(tensors[mask], np.uint32(1))
    nothing = {name: array for name, array in tensors.items() if name != mask}
    files = [
        (written(ticket, {**tensors, mask: tensors[mask][:-1]}), "no code of 3840 bits|must have 1536 ones"),
        (written(ticket, {**tensors, mask: longer}), "no code of 3840 bits"),
        (written(ticket, {**tensors, moved: longer}), "no code of 1536 bits"),
        (written(ticket, {**tensors, mask: longer[:0]}), "no code of 3840 bits|must have 1536 ones"),
        (written(ticket, {**tensors, mask: tensors[mask].view(np.uint8)}), "must be numbers of type U32"),
        (written(ticket, {**tensors, **plain}), "in place of mask.1"),
        (written(ticket, nothing), "mask.1 must have 1536 ones"),
        (written(ticket, {**nothing, mask[6:]: plain[mask[6:]] ^ 1}), "mask.1 must have 1536 ones"),
        (written(other(seed=6), tensors), "no code of|must have"),
        (written(other(score_seed=None), tensors), "no seeds to decode them with"),
        (written(other(method=None), tensors), "bits|ones|code"),
        (written(ticket, {**tensors, "coded.mask.odd": longer}), "missing or too many: coded.mask.odd"),
        (written(replace(ticket, layers=(replace(ticket.layers[0], shape=(2**30, 2**30)),)), tensors), "the limit is"),
    ]  # fmt: skip
    for content, says in files:
        bad.write_bytes(content)
        with pytest.raises(TicketError, match=says) as caught:
            read_found(bad)
        assert "\n" not in str(caught.value)
    bad.write_bytes(written(ticket, {**tensors, **plain}).replace(b"coded.mask.1", b"other.mask.1"))
    with pytest.raises(TicketError, match="checksum"):
        read_found(bad)


OLD = [(1, "iterand"), (1, "recycle"), (2, "iterand"), (2, "biprop"), (2, "biprop-recycle")]


@pytest.mark.parametrize(("version", "name"), OLD)
def test_files_of_older_versions_are_read(version: int, name: str, tmp_path: Path) -> None:
    """Written by the last program that wrote them; what it computed is recorded in them."""
    old, new = FOLDER / f"found_version{version}" / f"{name}.safetensors", tmp_path / "new.safetensors"
    ticket = read_found(old)
    assert verify(ticket) == {"values": True, "logits": True, "logit_error": pytest.approx(0, abs=1e-6), "ok": True}
    if version == 1:
        found = describe(old)
        assert found["mask_bits_per_weight"] == 8 * sum(-(-x.numel // 8) for x in ticket.layers) / ticket.weights
        assert ticket.save(new) < old.stat().st_size
    else:
        assert ticket.save(new) == old.stat().st_size
    again = read_found(new)
    assert again.version == 2
    assert asdict(replace(again, tensors={})) == asdict(replace(ticket, tensors={}, version=2))
    assert again.tensors.keys() == ticket.tensors.keys()
    assert all(np.array_equal(again.tensors[key], array) for key, array in ticket.tensors.items())
    kinds = {(1, "iterand"): "signs", (2, "biprop"): "seed", (2, "biprop-recycle"): "signs"}
    assert kinds.get((version, name), "history") in {layer.values for layer in ticket.layers}


def test_damage_in_a_file_of_version_2(tmp_path: Path) -> None:
    ticket, bad = read_found(FOLDER / "found_version2" / "iterand.safetensors"), tmp_path / "bad.safetensors"
    first = ticket.layers[0]
    files = [
        (replace(ticket, params={**ticket.params, "density": 0.5}), "its density asks for"),
        (replace(ticket, layers=(replace(first, std=1.0), *ticket.layers[1:])), "no sense"),
        (replace(ticket, law="kaiming-uniform"), "do not hold a found ticket"),
    ]
    for content, says in files:
        content.save(bad)
        with pytest.raises(TicketError, match=says):
            load_found(bad)


def test_two_bits_that_change_places_are_found_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two neighbours of one size and sign, of which one is kept: the kept weights are as before, but elsewhere."""
    path = tmp_path / "t.safetensors"
    ticket = exported(*searched("edge-popup", "signed-constant", width=0.1))
    first = ticket.layers[0]
    mask = np.unpackbits(ticket.packed_mask(first.name), count=first.numel, bitorder="little")
    negative = draws.uniform_draws(ticket.params["seed"], draws.WEIGHTS, 0, (first.numel,)).numpy() < 0
    place = np.flatnonzero((mask[:-1] != mask[1:]) & (negative[:-1] == negative[1:]))[0]
    mask[[place, place + 1]] = mask[[place + 1, place]]
    swapped = {**ticket.tensors, f"mask.{first.name}": np.packbits(mask, bitorder="little")}
    replace(ticket, tensors=swapped).save(path)
    assert command.main(["verify", str(path)]) == 1
    assert "kept weights differ from those recorded" in capsys.readouterr().out


@pytest.mark.parametrize(
    "method", ["edge-popup", "biprop", "iterand", "recycle", "bernoulli", "probmask", "signed-supermask"]
)
def test_codes_are_found_by_a_decoder_written_from_the_description(method: str) -> None:
    """Masks, and signs or moves, of a real search; they take less than what the densities leave."""
    params, parts = searched(method, "signed-constant", width=0.1)
    ticket = exported(params, parts)
    sampled = method in ("bernoulli", "probmask")
    tensors, signed = coded(ticket), method == "iterand" or sampled
    used = 0
    for index, layer in enumerate(ticket.layers):
        scores = 2**26 if sampled else 2**25
        own = naive_masks.known(layer.shape, layer.n_keep, (5, 5), index, signed, scores)
        mask = np.unpackbits(ticket.packed_mask(layer.name), count=layer.numel, bitorder="little").tolist()
        words = tensors.get(f"coded.mask.{layer.name}")
        if words is not None:
            assert naive_masks.decode(words.tolist(), own) == mask
            used += 32 * len(words)
        kept = [(*weight[:5], 0) for weight, bit in zip(own, mask, strict=True) if bit]
        words = tensors.get(f"coded.signs.{layer.name}")
        if words is not None:
            flips = naive_masks.decode(words.tolist(), kept)
            signs = [flip ^ weight[4] for flip, weight in zip(flips, kept, strict=True)]
            assert (
                signs
                == np.unpackbits(ticket.tensors[f"signs.{layer.name}"], count=len(kept), bitorder="little").tolist()
            )
    assert 0 < used < mask_bits.entropy_bits(ticket)
    assert any(name.startswith("coded.signs") for name in tensors) == (method in ("iterand", "recycle"))


def test_what_a_code_would_make_longer_stays_as_it_is() -> None:
    """Masks that have nothing to do with the first scores."""
    rng = np.random.default_rng(4)
    tensors = {f"mask.{name}": np.packbits(rng.permutation(400) < 200, bitorder="little") for name in "ab"}
    layers = tuple(Layer(name, (20, 20), 200) for name in "ab")
    params = {"seed": 1, "score_seed": 1, "method": "edge-popup"}
    ticket = FoundTicket(params, (1, 2, 2), 2, layers, 0, "0" * 64, {}, tensors)
    assert coded(ticket).keys() == tensors.keys()
    guess = found_code.known_weights(ticket, 1, layers[1]).guess
    foreseen = replace(ticket, tensors={**tensors, "mask.b": np.packbits(guess, bitorder="little")})
    assert coded(foreseen).keys() == {"mask.a", "coded.mask.b"}


def test_what_masks_cost(iterand: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["masks", str(iterand), str(iterand), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/nets.found_ticket.masks/1"
    row, again = content["rows"]
    assert row == again
    found = describe(iterand)
    for key in ("bits", "mask_bits", "mask_entropy_bits", "value_bits"):
        own = {"bits": "file", "mask_bits": "masks", "mask_entropy_bits": "entropy", "value_bits": "values"}[key]
        assert row[own] == found[f"{key}_per_weight"]
    assert row["masks"] <= row["signs"] < row["no_scores"]
    assert row["masks"] < row["entropy"] < 1
    assert command.main(["masks", str(iterand)]) == 0
    assert "| digits | iterand | 0.4 | 0.9" in capsys.readouterr().out
    for argv in (["masks"], ["masks", str(tmp_path)]):
        assert command.main(argv) == 2


def test_scores_are_ranked_as_the_methods_rank_them() -> None:
    signed = {name for name in METHODS if name != "dense" and make_method(name).score_key == "raw"}
    assert signed == set(found_code._SIGNED)
    assert {name for name in METHODS if name != "dense" and make_method(name).samples} == set(found_code._SAMPLED)
    assert (draws.WEIGHTS, draws.SCORES, draws.MASKS) == (found_code._WEIGHTS, found_code._SCORES, found_code._MASKS)


def test_layers_name_their_tensors() -> None:
    layer = Layer("a", (3, 3), 5, values="history", moved=3, draw_bits=2, origin_bits=4)
    assert layer.tensors == {
        "mask.a": ("U8", 2), "moved.a": ("U8", 1), "draws.a": ("U8", 1), "origins.a": ("U8", 2),
    }  # fmt: skip


def test_the_same_ticket_is_the_same_bytes() -> None:
    def written() -> bytes:
        return FoundTicket(
            params={}, shape=(1, 2, 2), classes=2, layers=(Layer("a", (2, 4), 1),), events=0, values_sha256="0" * 64,
            made_with={}, tensors={"mask.a": np.ones(1, np.uint8), "logits": np.zeros((8, 2), np.float32)},
        ).to_bytes()  # fmt: skip

    found = {written() for _ in range(30)}  # the library writes its three texts in one of six orders
    assert len(found) == 1
    (raw,) = found
    size = int.from_bytes(raw[:8], "little")
    assert size % 8 == 0
    assert len(raw) == 8 + size + 8 * 2 * 4 + 1
