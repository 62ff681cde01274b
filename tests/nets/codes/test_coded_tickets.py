"""Coded tickets as files: what other code reads in them, damage, runs that are stopped, and the command."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from nets import approximate, ticket
from nets.targets import random_target
from nets.tickets import CodedTicket, CodeSettings, TicketError, code_network, load_ticket, read_ticket, verify
from nets.tickets.approximation import as_graph
from nets.tickets.coding import rebuilt, remove_parts
from nets.tickets.file import file_bytes
from tests.nets.codes import naive_decoder
from tests.nets.small_networks import NETWORKS

CODES = {
    "draw": {"code": "draw"},
    "independent": {"code": "draw", "draws": "independent"},
    "block4": {"code": "block", "R": 2**12},
    "absolute": {"code": "pool", "R": 128, "absolute": True},
    "block3": {"code": "block", "d": 3, "R": 64},
    "block2": {"code": "block", "d": 2, "R": 2**12, "draws": "independent"},
    "pool": {"code": "pool", "R": 64},
    "rank": {"code": "rank", "n": 7},
}
SEED = 2**63 + 12345


@pytest.fixture(scope="module")
def graph():
    return as_graph(random_target((3, 7, 2), seed=1))


@pytest.fixture(scope="module")
def made(graph):
    return {name: code_network(graph, CodeSettings(eta=0.02, seed=SEED, jobs=2, **one)) for name, one in CODES.items()}


@pytest.mark.parametrize("code", CODES)
def test_other_code_reads_the_same_values(made, graph, code):
    found = made[code]
    plain, parts = naive_decoder.decode(found.ticket.to_bytes())
    assert plain["seed"] == SEED
    for (name, _, size, _), values in zip(plain["parts"], parts, strict=True):
        ours = found.effective[name][0].reshape(-1)
        assert ours.tolist() == values
        for value, weight in zip(values, np.asarray(graph.constants[name], float).reshape(-1).tolist(), strict=True):
            limit = 0.02 if plain["absolute"] else 0.02 * size
            assert naive_decoder.far(value, weight) <= naive_decoder.far(limit, 0)


@pytest.mark.parametrize("code", CODES)
def test_a_file_holds_what_was_coded(made, graph, tmp_path, code):
    found, path = made[code], tmp_path / "t.safetensors"
    assert found.ticket.save(path) == path.stat().st_size
    back = read_ticket(path)
    assert isinstance(back, CodedTicket)
    assert back.to_bytes() == path.read_bytes()
    network = load_ticket(path)
    assert network.values_sha256 == found.ticket.values_sha256
    for name, (values, _) in found.effective.items():
        assert (network.effective[name][0] == values).all()
    checked, lines = verify(back, target=graph)
    assert len(checked) > 8
    assert lines == []
    with pytest.raises(TicketError, match="no layers of its own"):
        network.random_layers()


def test_a_part_is_decoded_alone(made):
    whole = made["block4"].ticket
    last = len(whole.parts) - 1
    alone = replace(whole, content=(b"",) * last + whole.content[last:])
    values = made["block4"].effective[whole.parts[last].constant][0]
    assert (alone.decode(last).values == values.reshape(-1)).all()
    with pytest.raises(TicketError, match="cut off"):
        alone.decode(0)


@pytest.mark.parametrize("code", CODES)
def test_a_changed_ticket_does_not_verify(made, graph, code):
    found = made[code].ticket
    other = code_network(graph, CodeSettings(eta=0.02, seed=SEED + 1, jobs=1, **CODES[code])).ticket
    assert verify(replace(other, values_sha256=found.values_sha256))[1]
    assert verify(replace(found, numbers={**found.numbers, "exceptions": 99}))[1]
    assert verify(replace(found, numbers={**found.numbers, "max_weight_error": 0.5}), target=graph)[1]
    stricter = verify(replace(found, eta=found.eta / 4), target=graph)[1]
    assert any(line.startswith("within_eta") for line in stricter)
    assert verify(found, target=as_graph(random_target((3, 7, 2), seed=2)))[1]


def test_a_law_that_is_not_the_one_recorded_is_noticed(graph):
    """Draws of a fitted law under the name of the uniform one, in a file whose digest does not cover the name."""
    for law, differ in (("uniform", False), ("matched", True)):
        made = code_network(graph, CodeSettings(code="draw", R=2**12, eta=0.02, seed=SEED, jobs=1, law=law)).ticket
        old = replace(made, version=3, law="uniform")
        named = replace(old, values_sha256=rebuilt(old).digest)
        assert any(": law: recorded uniform" in line for line in verify(named)[1]) == differ


def test_a_draw_that_is_not_the_first_is_noticed(made, graph):
    """The same values under another order of draws: coding again gives other bytes."""
    found = made["pool"].ticket
    more = code_network(graph, CodeSettings(code="pool", R=128, eta=0.02, seed=SEED, jobs=1)).ticket
    mixed = replace(found, content=more.content, parts=more.parts, values_sha256=more.values_sha256)
    assert any("coding it again" in line for line in verify(mixed, target=graph)[1])


def damaged(raw, change=None, **tensors):
    """The file with other metadata or bytes, its checksum made right again."""
    size = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    held = {k: np.frombuffer(data[slice(*v["data_offsets"])], np.uint8) for k, v in header.items() if k[0] != "_"}
    if change is not None:
        plain = json.loads(zlib.decompress(held["meta"].tobytes()))
        change(plain)
        held["meta"] = np.frombuffer(zlib.compress(json.dumps(plain).encode()), np.uint8)
    return file_bytes(header["__metadata__"]["schema"], "", {**held, **tensors})


def put(name, value):
    return lambda plain: plain.__setitem__(name, value)


BAD = {
    "code": (put("code", "mask"), "code must be one of"),
    "d": (put("d", 5), "d must be an integer"),
    "R": (put("R", 0), "R must be an integer"),
    "n": (put("n", 21), "n must be an integer"),
    "seed": (put("seed", -1), "seed must be"),
    "eta": (put("eta", 0), "eta must be > 0"),
    "draws": (put("draws", "odd"), "draws must be one of"),
    "absolute": (put("absolute", 1), "absolute must be one of"),
    "law": (put("law", "normal"), "law must be one of"),
    "generator": (put("generator", "mt"), "generator must be"),
    "sha": (put("values_sha256", "0"), "64 hexadecimal"),
    "parts": (put("parts", []), "at least one part"),
    "row": (put("parts", [["a", [1], 1.0]]), "a part must be"),
    "size": (lambda plain: plain["parts"][0].__setitem__(2, -1.0), "a part must be"),
    "twice": (lambda plain: plain["parts"].append(plain["parts"][0]), "every constant once"),
    "bytes": (lambda plain: plain["parts"][0].__setitem__(3, 3), "the file has"),
    "sides": (lambda plain: plain["parts"][0].__setitem__(1, [2, 2]), "do not end where they should"),
    "graph": (lambda plain: plain["graph"]["nodes"][0].__setitem__(0, "Exec"), "graph is not usable"),
    "exact": (lambda plain: plain["exact"].append(["x", "f4", [1]]), "the constants take 4 bytes"),
    "type": (lambda plain: plain["exact"].append(["x", "O", [1]]), "a constant must be"),
    "numbers": (put("numbers", {}), "numbers must have"),
    "field": (put("more", 1), "do not hold the fields"),
    "large": (lambda plain: plain["parts"][0].__setitem__(1, [2**38]), "limit is"),
}


@pytest.mark.parametrize("what", BAD)
def test_metadata_that_make_no_sense(made, tmp_path, what):
    change, message = BAD[what]
    path = tmp_path / "t.safetensors"
    path.write_bytes(damaged(made["draw"].ticket.to_bytes(), change))
    with pytest.raises(TicketError, match=message) as error:
        load_ticket(path)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_code(made, tmp_path):
    raw, path = made["pool"].ticket.to_bytes(), tmp_path / "t.safetensors"
    rng = np.random.default_rng(1)
    for length in (0, 5, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(TicketError):
            read_ticket(path)
    for _ in range(30):
        content = bytearray(raw)
        content[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        with pytest.raises(TicketError):
            read_ticket(path)
    bomb = np.frombuffer(zlib.compress(bytes(2**27)), np.uint8)
    longer = np.frombuffer(zlib.compress(made["pool"].ticket.meta().encode()) + b"more", np.uint8)
    for tensors, message in (
        ({"meta": bomb}, "does not end"),
        ({"exact": bomb}, "does not end"),
        ({"meta": np.zeros(9, np.uint8)}, "not compressed"),
        ({"meta": np.frombuffer(zlib.compress(b"\xff"), np.uint8)}, "no text"),
        ({"meta": longer}, "does not end"),
        ({"more": bomb}, "holds the tensors"),
        ({"code": np.zeros(3, np.uint32)}, "must be bytes"),
    ):
        path.write_bytes(damaged(raw, **tensors))
        with pytest.raises(TicketError, match=message):
            read_ticket(path)
    junk = np.frombuffer(made["pool"].ticket.content[0] * 9, np.uint8)[: sum(map(len, made["pool"].ticket.content))]
    path.write_bytes(damaged(raw, code=junk[::-1].copy()))
    with pytest.raises(TicketError):
        load_ticket(path)


class Stop(Exception):
    pass


def test_a_run_that_is_stopped_goes_on(graph, made, tmp_path):
    settings, store = made["draw"].settings, tmp_path / "t.unfinished"
    done = []

    def stop(amount, label=None):
        done.append(label)
        if len(set(done)) == 2:
            raise Stop

    with pytest.raises(Stop):
        code_network(graph, settings, advance=stop, store=store)
    kept = sorted(path.name for path in store.iterdir())
    assert kept == ["part1.bin", "run.json"]
    with pytest.raises(ValueError, match=f"parts of another run .seed {SEED}"):
        code_network(graph, replace(settings, seed=7), store=store)
    other = as_graph(random_target((3, 7, 2), seed=2))
    with pytest.raises(ValueError, match="another network"):
        code_network(other, settings, store=store)
    (store / "part1.bin").write_bytes(b"damaged" * 9)
    again = code_network(graph, replace(settings, jobs=1), store=store)
    assert again.ticket.to_bytes() == made["draw"].ticket.to_bytes()
    assert store.is_dir()  # until the ticket is kept
    remove_parts(store)
    store.mkdir()
    (store / "mine.txt").write_text("kept")
    with pytest.raises(ValueError, match="in the way"):
        code_network(graph, settings, store=store)
    assert (store / "mine.txt").read_text() == "kept"


def test_parts_that_are_done_are_not_coded_again(graph, made, tmp_path, monkeypatch):
    from nets.tickets.codes import part

    store, calls = tmp_path / "u", []
    encode = part.PartCode.encode

    def counted(self, *args, **kwargs):
        calls.append(self.part)
        if len(calls) == 2:
            raise Stop
        return encode(self, *args, **kwargs)

    monkeypatch.setattr(part.PartCode, "encode", counted)
    with pytest.raises(Stop):
        code_network(graph, made["rank"].settings, store=store)
    code_network(graph, made["rank"].settings, store=store)
    assert calls == [0, 1, 1, *range(2, len(made["rank"].parts))]


@pytest.mark.parametrize("wrong", [
    {"code": "mask"}, {"eta": 0}, {"eta": 1.0}, {"eta": float("nan")}, {"law": "normal"}, {"code": "block", "d": 5},
    {"code": "rank", "n": 21}, {"R": 2**24 + 1}, {"code": "pool", "R": 1000}, {"seed": -1}, {"jobs": 0},
])  # fmt: skip
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ValueError):
        CodeSettings(**{"code": "draw", "seed": 1, **wrong})


def test_weights_that_are_not_finite_are_refused(graph):
    name = code_network(graph, CodeSettings(code="pool", eta=0.1, seed=1)).parts[0].constant
    array = np.array(graph.constants[name])
    array.flat[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        code_network(replace(graph, constants={**graph.constants, name: array}), CodeSettings(code="pool", seed=1))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_command_end_to_end(network, tmp_path, capsys):
    small = NETWORKS[network]
    target, out = small.write(tmp_path), tmp_path / "t.safetensors"
    flags = [str(target), *small.flags, "--code", "pool", "--eta", "0.05", "--seed", "3", "--out", str(out), "--json"]
    assert approximate.main(flags) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["params"]["code"] == "pool"
    assert result["within_eta"] == result["weights"]
    assert result["bits_per_weight"] == 8 * out.stat().st_size / result["weights"]
    assert not (tmp_path / "t.safetensors.unfinished").exists()
    assert ticket.main(["verify", str(out), "--target", str(target), *small.flags]) == 0
    assert "0 differ" in capsys.readouterr().out
    assert ticket.main(["info", str(out)]) == 0
    assert "pool" in capsys.readouterr().out
    assert ticket.main(["export", str(out), str(tmp_path / "m.onnx")]) == 0


@pytest.mark.parametrize(("flags", "message"), [
    (["--code", "pool", "--source", "private"], "--source is not for --code pool"),
    (["--code", "draw", "--d", "2"], "--d is not for --code draw"),
    (["--law", "uniform"], "--law is not for --code mask"),
    (["--absolute"], "--absolute is not for --code mask"),
    (["--code", "pool", "--absolute", "--eta", "-1"], "eta must be a number > 0"),
    (["--code", "draw", "--eta", "0"], "eta must be in"),
    (["--code", "block", "--d", "7"], "d must be"),
    (["--code", "rank", "--device", "cuda"], "runs on the CPU"),
])  # fmt: skip
def test_flags_that_make_no_sense(flags, message, capsys):
    assert approximate.main(["digits", *flags]) == 2
    text = capsys.readouterr()
    assert text.out == ""
    assert message in text.err
    assert text.err.count("\n") <= 2
