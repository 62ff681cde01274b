"""Checkpoints whose content was changed and whose digest fits again: refused in one line that names the part."""

from __future__ import annotations

import copy
import math
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nets import train as command
from nets.training import loop
from nets.training.checkpoint import SCHEMA, CheckpointError, digest, load_checkpoint, save_checkpoint
from nets.training.loop import Training
from nets.training.parts import build
from nets.training.settings import Choices, resolve
from nets.training.stored_state import StateError, check_state

RUNS = {
    "iterand": {"rerand_every": 2},
    "recycle": {"recycle_every": 1, "epochs": 4},
    "mpt-1-1": {"optimiser": "adam", "momentum": 0.0, "lr": 0.01},
    "dense": {},
}
FREE = {  # why nothing goes wrong
    ("params", "data_dir"): "the folder may be another",
    **{("params", name): "null is what a ticket's settings have there" for name in ("device", "amp", "compile")},
    ("params", "test_each_epoch"): "as before",
    ("optimiser", "param_groups", 0, "lr"): "set anew before every epoch",
    ("search", "progress"): "older programs did not have it",
    ("random_cuda",): "as before", ("images",): "as before",
    **{("state", name): "time that was spent" for name in ("seconds", "train_seconds")},
    ("torch",): "said where it is another", ("threads",): "as before",
}  # fmt: skip


class Stop(Exception):
    pass


def begun(method: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Training, dict[str, Any]]:
    """A run that has just begun, and the content of a checkpoint in its second epoch or later."""
    given = {"method": method, "seed": 5, "width": 0.05, "epochs": 3, "batch": 500, "device": "cpu", **RUNS[method]}
    settings = resolve(Choices(**given))
    kept: list[dict[str, Any]] = []

    def save(self: Training) -> None:
        kept.append(copy.deepcopy(self.content()))
        if len(kept) == (4 if method == "iterand" else 2):
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", save)
        with pytest.raises(Stop):
            Training(settings, build(settings), checkpoint_every=2 if method == "iterand" else 0).run()
    return Training(settings, build(settings)), kept[-1]


def leaves(content: Any, way: tuple = ()) -> Iterator[tuple]:
    """The ways to all that is in a content, containers too."""
    steps = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for step, inner in steps:
        yield (*way, step)
        yield from leaves(inner, (*way, step))


def others(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        found = [None, 3, value[None], value.double() if value.dtype != torch.float64 else value.float()]
        if value.is_floating_point() and value.numel():
            for odd in (math.nan, math.inf):
                found.append(value.clone())
                found[-1].view(-1)[0] = odd
        return [*found, value.reshape(-1)[:-1]]
    if isinstance(value, bool):
        return [not value, None, "x"]
    if isinstance(value, int):
        return [value + 1, value - 1, 2**70, value + 0.5, "x", None]
    if isinstance(value, float):
        return [value + 0.125, math.nan, "x", None]
    if isinstance(value, str):
        return [f"{value}x", 3, None]
    if isinstance(value, dict):
        return [None, [], {}, {**value, "odd": 1}, {**value, 7: 1}]
    if isinstance(value, list | tuple):
        return [None, [], [*value, *(value[-1:] or [1])], {}]
    return [3, "x"]


def changed(content: dict[str, Any]) -> Iterator[tuple[tuple, Any]]:
    for way in leaves(content):
        *before, last = way
        for value in [*others(at(content, way)), "removed"]:
            made = copy.deepcopy(content)
            if value == "removed" if isinstance(value, str) else False:
                del at(made, before)[last]
            else:
                at(made, before)[last] = value
            if digest_of(made) != digest_of(content):
                yield way, made


def digest_of(content: Any) -> str:
    return digest(content)


def at(content: Any, way: Any) -> Any:
    for step in way:
        content = content[step]
    return content


@pytest.mark.parametrize("method", RUNS)
def test_every_part_is_checked(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training, content = begun(method, monkeypatch)
    own = training.content()
    check_state(content, own, training.settings, training.parts)
    kept, count = set(), 0
    for way, made in changed(content):
        count += 1
        try:
            check_state(made, own, training.settings, training.parts)
        except (ValueError, TypeError) as error:
            assert len(str(error)) < 600  # noqa: PT017
            continue
        kept.add(way)
    assert count > 300
    metrics = {way for way in kept if way[:2] == ("state", "rows") and len(way) == 4}  # as they are in metrics.jsonl
    assert {way[3] for way in metrics} <= {"events", "train_loss", "train_accuracy", "val_loss", "test_loss"}
    events = {way for way in kept if way[:2] == ("search", "events")}
    assert {way[3:] for way in events} <= {("changed",)}  # a count for the record
    settings = {way for way in kept if way[:2] == ("search", "settings")}  # compared when they are taken over
    layers = {way for way in kept if way[:2] == ("search", "layers")}
    rules = {way for way in kept if str(way[-1]).endswith(".rule") or way == ("model",)}  # as well
    assert kept - metrics - events - settings - layers - rules <= set(FREE)


def test_counts_that_do_not_fit_one_another_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    training, content = begun("iterand", monkeypatch)
    own = training.content()
    assert content["state"]["batch"] == 0
    assert len(content["search"]["events"]) == content["state"]["step"] // 2 > 2
    first, *others_ = content["search"]["events"]
    for way, value, says in [
        (("state", "sums"), torch.tensor([1.0, 1.0, 500.0], dtype=torch.float64), "state sums"),
        (("state", "sums"), torch.tensor([0.0, 0.5, 0.0], dtype=torch.float64), "state sums"),
        (("state", "epoch"), content["state"]["epoch"] + 1, "state step"),
        (("state", "hook_due"), False, "state hook_due"),
        (("search", "events"), [first, first, *others_[1:]], "one of them twice"),
        (("search", "events"), [first, *others_[:-1]], "search events"),
        (("search", "events", 0, "step"), 2, "search event 1"),
        (("search", "progress"), 1.0, "search progress"),
        (("optimiser", "state"), {}, "optimiser state"),
        (("state", "rows", 0, "events"), 99, "search events"),
        (("state", "rows", 0, "lr"), 9.0, "state rows 1"),
    ]:
        made = copy.deepcopy(content)
        at(made, way[:-1])[way[-1]] = value
        with pytest.raises(StateError, match=says):
            check_state(made, own, training.settings, training.parts)


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run that was stopped."""
    real = loop.save_checkpoint

    def save(path: Path, content: Any) -> None:
        real(path, content)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", save)
        with pytest.raises(Stop):
            command.main(["--out", str(tmp_path / "run"), "--seed", "5", "--width", "0.05", "--epochs", "2", "--quiet"])
    return tmp_path / "run"


def refused(out: Path, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (out / "checkpoint.pt").read_bytes()
    assert command.main(["--out", str(out), "--resume", "--quiet"]) == 2
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.count("\n") == 1
    assert "checkpoint.pt" in text.err
    assert says in text.err
    assert (out / "checkpoint.pt").read_bytes() == before


def test_random_numbers_go_on_where_they_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, content = begun("dense", monkeypatch)
    with torch.random.fork_rng():
        torch.manual_seed(12345)
        assert not torch.equal(torch.get_rng_state(), content["random"])
        fresh.restore(content)
        assert torch.equal(torch.get_rng_state(), content["random"])


def test_another_folder_of_data_is_the_same_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh, content = begun("dense", monkeypatch)
    fresh.restore({**content, "params": {**content["params"], "data_dir": str(tmp_path)}})
    for name, value in (("seed", 6), ("lr", 0.2), ("width", 0.06)):
        with pytest.raises(ValueError, match=f"made with another {name}$"):
            fresh.restore({**content, "params": {**content["params"], name: value}})


def test_a_resume_says_what_is_wrong(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stopped / "checkpoint.pt"
    content = load_checkpoint(path)
    scores = next(name for name in content["model"] if name.endswith("scores"))
    nan = content["model"][scores].clone()
    nan[0, 0] = math.nan
    for way, value, says in [
        (("model", scores), nan, f"model {scores} holds NaN or infinity"),
        (("model", scores), nan.double(), "has type torch.float64 and shape"),
        (("model", scores), nan[0], f"model {scores} has type torch.float32 and shape"),
        (("model",), {}, "Missing key(s)"),
        (("optimiser", "state", 0, "momentum_buffer"), nan, "optimiser state 0 momentum_buffer holds NaN"),
        (("search", "settings", "seed"), 6, "seed (6, here 5)"),
        (("state", "step"), 3, "state step makes no sense: 3"),
        (("random",), content["random"][:-1], "random has type torch.uint8 and shape (5055,)"),
    ]:
        made = copy.deepcopy(content)
        at(made, way[:-1])[way[-1]] = value
        save_checkpoint(path, made)
        refused(stopped, says, capsys)
    del content["random"]
    save_checkpoint(path, content)
    refused(stopped, "it lacks random", capsys)


def test_what_is_larger_than_its_file_is_refused_first(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stopped / "checkpoint.pt"
    wide = torch.zeros(1).expand(10**6, 10**6)
    endless: list[Any] = []
    endless.append(endless)
    for content, says in [
        ({"x": wide}, "its tensors are larger than the file"),
        ({"x": torch.zeros(10**5).as_strided((10**5, 10**5), (0, 1))}, "its tensors are larger than the file"),
        ({"x": torch.empty(2, device="meta")}, "a tensor of another kind"),
        ({"x": torch.eye(3).to_sparse()}, "a tensor of another kind"),
        ({"x": endless}, "its tensors are larger than the file"),
        ({"x": 10**5000}, "no checkpoint"),
        ([1, 2], "no checkpoint"),
    ]:
        torch.save({"schema": SCHEMA, "digest": "0" * 64, "content": content}, path)
        refused(stopped, says, capsys)


def test_packed_files_are_refused(tmp_path: Path) -> None:
    """A file of some kilobytes that holds a gigabyte."""
    torch.save({"schema": SCHEMA, "digest": "", "content": {"x": torch.zeros(10**6)}}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as plain,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert (tmp_path / "b.pt").stat().st_size < 10**5
    with pytest.raises(CheckpointError, match="holds more than the file's size"):
        load_checkpoint(tmp_path / "b.pt")


def test_pickles_of_another_kind_are_refused_without_a_warning(
    stopped: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    torch.save({"schema": SCHEMA}, stopped / "checkpoint.pt", pickle_protocol=2)
    with zipfile.ZipFile(stopped / "checkpoint.pt") as plain, zipfile.ZipFile(stopped / "b.pt", "w") as other:
        for name in plain.namelist():
            content = plain.read(name)
            other.writestr(name, b"\x80\x00" + content[2:] if name.endswith("data.pkl") else content)
    (stopped / "b.pt").replace(stopped / "checkpoint.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        refused(stopped, "no checkpoint", capsys)
    assert not recwarn.list
