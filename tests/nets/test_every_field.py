"""Every field and every tensor of a ticket file is checked: one that is changed, its checksum made to fit, is refused.

Nothing else than the ticket is given: no target, and of a found ticket no more than what builds its model.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from nets import approximate, ticket
from nets.search import export_ticket, find_tickets
from nets.search.ticket import compare
from nets.search.ticket import rebuild as rebuild_any
from nets.targets import load_target, random_target
from nets.tickets import CodeSettings, TicketError, code_network, read_ticket, verify
from nets.tickets.approximation import as_graph
from nets.tickets.file import file_bytes
from nets.tickets.found_file import read_found
from nets.training import found
from tests.nets.changes import fields_changed, tensors_changed
from tests.nets.small_tickets import Made
from tests.nets.test_found_ticket import exported, searched
from tests.nets.test_ticket_version1 import TARGETS, file

FOLDER = Path(__file__).parent / "data"
Judge = Callable[[Path], bool]


def good(path: Path, target: Any = None) -> bool:
    return verify(read_ticket(path), target=target)[1] == []


def good_found(path: Path) -> bool:
    ticket = read_found(path)
    if ticket.shape is not None:
        return bool(found.verify(ticket)["ok"])
    return bool(compare(ticket, rebuild_any(ticket, build=nn.Linear))["ok"])


def changed_files(path: Path, out: Path) -> Iterator[tuple[Any, Any]]:
    """Write every changed file to `out`: (field or tensor, what was done)."""
    content = path.read_bytes()
    text = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    held, packed = load_file(path), not text["ticket"]
    meta = json.loads(zlib.decompress(held["meta"].tobytes()) if packed else text["ticket"])
    for way, what, other in fields_changed(meta):
        changed = json.dumps(other)
        if packed:
            whole = {**held, "meta": np.frombuffer(zlib.compress(changed.encode()), np.uint8)}
        out.write_bytes(file_bytes(text["schema"], "" if packed else changed, whole if packed else held))
        yield way, what
    for name, what, array in tensors_changed(held):
        whole = {key: value for key, value in {**held, name: array}.items() if value is not None}
        out.write_bytes(file_bytes(text["schema"], text["ticket"], whole))
        yield name, what


def unseen(path: Path, out: Path, judge: Judge) -> dict[Any, list[Any]]:
    """What was changed and neither refused nor found."""
    assert judge(path)
    kept: dict[Any, list[Any]] = {}
    count, lines = 0, set()
    for where, what in changed_files(path, out):
        count += 1
        try:
            if judge(out):
                kept.setdefault(where, []).append(what)
        except TicketError as error:
            lines |= {str(error).count("\n"), len(str(error)) > 500}
    assert count > 150
    assert lines == {0}
    return kept


@pytest.mark.parametrize(
    "case",
    ["chain-layered-R", "chain-layered-thirds-R", "chain-private-R", "chain-shared", "attention-layered-R"],
)
def test_masks(case: str, made: Made, tmp_path: Path) -> None:
    assert unseen(made.path(case), tmp_path / "f.safetensors", good) == {}


@pytest.mark.parametrize(
    "code",
    [{"code": "draw", "R": 2**12}, {"code": "block", "d": 2, "R": 2**12, "law": "uniform"},
     {"code": "pool", "R": 64}, {"code": "rank", "n": 7, "absolute": True}],
    ids=lambda code: code["code"],
)  # fmt: skip
def test_codes(code: dict, tmp_path: Path) -> None:
    graph = as_graph(random_target((3, 7, 2), seed=1))
    path = tmp_path / "t.safetensors"
    code_network(graph, CodeSettings(eta=0.02, seed=9, jobs=1, **code)).ticket.save(path)
    assert unseen(path, tmp_path / "f.safetensors", good) == {}


@pytest.mark.parametrize(
    ("method", "init"),
    [("iterand", "kaiming-uniform"), ("recycle", "signed-constant"), ("bernoulli", "kaiming-normal")],
)
def test_found_in_a_run(method: str, init: str, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    exported(*searched(method, init, width=0.1)).save(path)
    assert unseen(path, tmp_path / "f.safetensors", good_found) == {}


def test_found_in_any_model(tmp_path: Path) -> None:
    path, search = tmp_path / "t.safetensors", find_tickets(nn.Linear(16, 16), density=0.5, seed=3)
    size = {"in_features": 16, "out_features": 16}
    export_ticket(search, path, build=nn.Linear, arguments=size, example=torch.ones(2, 16))
    assert unseen(path, tmp_path / "f.safetensors", good_found) == {}


# Files of older versions: what can change a little, and why nothing is wrong then.
ETA = {("eta",)}  # the counts are as true of another bound that no error lies between
ENDS = {("numbers", "error", "upper"), "witness", "witness1"}  # version 1: an upper end that is not below today's; last
# bits of the place where the lower end is attained
CODES = {
    ("R",),
    ("code",),
    ("draws",),
    ("law",),
}  # version 3: draws that no weight names, a block of one weight, what is
# of no meaning for the code


@pytest.mark.parametrize("name", ["layered-R3", "private"])
def test_version_1(name: str, tmp_path: Path) -> None:
    """With its target, as only the seed and the values were in its digest."""
    target = load_target(str(file(TARGETS[name])), activation="relu")
    kept = unseen(file(name), tmp_path / "f.safetensors", lambda path: good(path, target))
    assert kept.keys() <= ETA | ENDS


@pytest.mark.parametrize("case", ["chain-shared", "attention-layered"])
def test_version_2(case: str, made: Made, tmp_path: Path) -> None:
    network = made.network(case)
    target = load_target(made.target(case), activation="relu" if network.flags else None)
    path = FOLDER / "version2" / f"{case}.safetensors"
    kept = unseen(path, tmp_path / "f.safetensors", lambda path: good(path, target))
    assert kept.keys() <= ETA | ENDS


@pytest.mark.parametrize("code", ["draw", "pool", "rank"])
def test_version_3(code: str, tmp_path: Path) -> None:
    target = as_graph(random_target((3, 7, 2), seed=1))
    path = FOLDER / "version3" / f"{code}.safetensors"
    kept = unseen(path, tmp_path / "f.safetensors", lambda path: good(path, target))
    assert kept.keys() <= ETA | CODES


@pytest.mark.parametrize("name", ["edge-popup", "linear"])
def test_found_version_3(name: str, tmp_path: Path) -> None:
    """Its digest covers masks and weights; the rest is looked at where it makes the network or its outputs."""
    path = FOLDER / "found_version3" / f"{name}.safetensors"
    kept = unseen(path, tmp_path / "f.safetensors", good_found)
    assert not any(isinstance(where, str) and where.startswith(("mask", "coded", "signs", "moved")) for where in kept)
    free = {"params", "events", "made_with", "builder", "classes", "shape", "layers"}
    assert {where[0] for where in kept if isinstance(where, tuple)} <= free
    ways = {where for where in kept if isinstance(where, tuple) and where[0] == "layers"}
    assert all(way[2] == "std" for way in ways)  # of layers whose values do not depend on it


def test_what_old_files_cannot_say_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, says in [
        (file("private"), "in a file of version 1 all but the seed, the masks and what they keep does"),
        (FOLDER / "version2" / "chain-shared.safetensors", "in a file of version 2 all but"),
        (FOLDER / "version3" / "pool.safetensors", "in a file of version 3 all but"),
    ]:
        assert ticket.main(["verify", str(path)]) == 0
        assert says in capsys.readouterr().out
    from nets import found_ticket

    for version in (1, 2, 3):
        path = FOLDER / f"found_version{version}" / "iterand.safetensors"
        assert found_ticket.main(["verify", str(path)]) == 0
        assert f"not checked in files of version {version}: " in capsys.readouterr().out


@pytest.mark.parametrize("size", [1e-200, 1e299, 1e300, 1.5e308])
@pytest.mark.parametrize(
    "flags",
    [["--source", "layered"], ["--source", "shared"], ["--source", "private", "--R", "3"], ["--code", "pool"],
     ["--code", "draw", "--R", "4096"], ["--code", "rank"]],
    ids=lambda flags: flags[1],
)  # fmt: skip
def test_what_is_written_is_read(
    size: float, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights up to 1e300; larger ones are refused, by the name of the part, and nothing is written."""
    weights = {"0.weight": torch.tensor([[size, -size / 2], [0.3 * size, size]], dtype=torch.float64)}
    torch.save({**weights, "1.weight": torch.tensor([[0.5, 0.25]], dtype=torch.float64)}, tmp_path / "n.pt")
    out = tmp_path / "t.safetensors"
    argv = [str(tmp_path / "n.pt"), "--activation", "relu", *flags, "--n", "6", "--seed", "1", "--out", str(out)]
    argv = [word for word in argv if word not in ("--n", "6")] if flags[1] in ("pool", "draw") else argv
    if size >= 1e300:
        assert approximate.main([*argv, "--quiet"]) == 2
        assert capsys.readouterr().err == f"error: n.pt: 0.weight holds {size:g}: weights must be below 1e+300\n"
        assert not out.exists()
        return
    assert approximate.main([*argv, "--quiet"]) == 0
    assert ticket.main(["verify", str(out), "--target", str(tmp_path / "n.pt"), "--activation", "relu"]) == 0


def test_a_small_file_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    """The constants of a coded ticket unpack, and its parts and those of found tickets decode, from few bytes."""
    path = tmp_path / "t.safetensors"
    graph = as_graph(random_target((3, 7, 2), seed=1))
    whole = code_network(graph, CodeSettings(code="pool", eta=0.02, R=64, seed=9, jobs=1)).ticket
    for change, says in [
        ({"parts": (replace(whole.parts[0], shape=(2**13, 2**13)), *whole.parts[1:])}, "rebuilding it needs"),
        ({"exact": (("big", "f8", (2**27,)),), "held": {"big": np.zeros(2**3)}}, "unpacking its constants needs"),
    ]:
        replace(whole, **change).save(path)
        with pytest.raises(TicketError, match=says):
            read_ticket(path)
    ticket = read_found(FOLDER / "found_version3" / "edge-popup.safetensors")
    wide = replace(ticket.layers[0], shape=(2**13, 2**12))
    tensors = {name: array for name, array in ticket.tensors.items() if "mask" not in name}
    tensors |= {f"coded.mask.{layer.name}": np.ones(400, np.uint32) for layer in ticket.layers}
    made = replace(ticket, layers=(wide, *ticket.layers[1:]), version=4)
    path.write_bytes(file_bytes("strong-tickets/found-ticket/4", made.meta(), tensors))
    with pytest.raises(TicketError, match=r"to decode layer .* needs"):
        read_found(path)
    made = replace(ticket, shape=(3, 2**12, 2**12), version=4)
    path.write_bytes(file_bytes("strong-tickets/found-ticket/4", made.meta(), made.tensors))
    with pytest.raises(TicketError, match="no sense"):
        read_found(path)
