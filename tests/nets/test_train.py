"""Training: bit-for-bit resume under every method, the loop by hand, the recipes, and the command's manners."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from nets import train as command
from nets.data import load_data
from nets.training.checkpoint import load_checkpoint
from nets.training.found import load_found
from nets.training.loop import Training
from nets.training.optimisation import Optimisation
from nets.training.recipes import METHODS, TABLE, recipe
from nets.training.run import train
from nets.training.run_folder import RunFolder
from nets.training.settings import Choices, TrainSettings, resolve
from sims.commands import flags as command_flags
from tests.nets.test_checkpoint import same

KEYS = "method arch data density width seed epochs test_accuracy val_accuracy train_loss step_ms mask_ms seconds"
TINY = ["--width", "0.1", "--batch", "400", "--epochs", "5", "--seed", "3", "--device", "cpu"]
EVENTS = {
    "iterand": ["--rerand-every", "3", "--rerand-frac", "0.5", "--init", "kaiming-uniform"],
    "recycle": ["--recycle-every", "1", "--recycle-frac", "0.3", "--init", "kaiming-normal"],
    "biprop-recycle": ["--recycle-every", "2", "--recycle-frac", "0.3"],
    "mpt-1-1": ["--batch-norm", "affine"],
}
"""Settings with an event at nearly every checkpoint; 1437 images make four steps an epoch."""


def flags(method: str, out: Path, *more: str) -> list[str]:
    return ["--method", method, *TINY, *EVENTS.get(method, []), "--out", str(out), "--quiet", *more]


def settings(*tokens: str) -> TrainSettings:
    return resolve(command_flags.parse(command.Train, [*tokens, "--out", "x"], prog="test"))


def assert_same_run(a: Path, b: Path) -> None:
    """Every tensor, every number but the times, the bytes of the metrics, and the ticket with its checksum."""
    one, two = (load_checkpoint(RunFolder(path).checkpoint) for path in (a, b))
    for content in (one, two):
        del content["state"]["seconds"], content["state"]["train_seconds"]
    for part in one:
        assert same(one[part], two[part]), part
    assert RunFolder(a).metrics.read_bytes() == RunFolder(b).metrics.read_bytes()
    assert RunFolder(a).ticket.is_file() == RunFolder(b).ticket.is_file()
    if RunFolder(a).ticket.is_file():
        texts = [safe_open(RunFolder(path).ticket, framework="numpy").metadata() for path in (a, b)]
        assert texts[0] == texts[1]
    rows = [json.loads(RunFolder(path).result.read_text())["rows"][0] for path in (a, b)]
    for row in rows:
        del row["step_ms"], row["mask_ms"], row["seconds"]
    assert rows[0] == rows[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One uninterrupted run of each method, without checkpoints inside epochs."""
    folder = tmp_path_factory.mktemp("whole")
    for method in METHODS:
        assert command.main(flags(method, folder / method)) == 0
    return {method: folder / method for method in METHODS}


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", METHODS)
def test_a_stop_after_every_checkpoint_changes_nothing(
    method: str, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acceptance test 9: the run is stopped and resumed after each of its checkpoints, inside epochs and between."""
    out, save = tmp_path / "run", Training.save

    def save_and_stop(self: Training) -> None:
        save(self)
        raise Stop

    monkeypatch.setattr(Training, "save", save_and_stop)
    params, stops = settings(*flags(method, out)[:-3]), 0
    while True:
        try:
            train(params, out, resume=stops > 0, checkpoint_every=1)
            break
        except Stop:
            stops += 1
            lines = RunFolder(out).metrics.read_text() if RunFolder(out).metrics.is_file() else ""
            assert lines.count("\n") <= (stops + 3) // 4
    assert stops == 20
    assert_same_run(whole[method], out)


SERVER = """
import json, os, sys, tempfile
import torch
torch.set_num_threads(1)
from nets import train
with tempfile.TemporaryDirectory() as folder:  # imports and compiles what the children need
    train.main(["--epochs", "1", "--width", "0.1", "--method", "iterand", "--out", folder + "/a", "--quiet"])
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os._exit(train.main(json.loads(line)))
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
"""Runs commands in processes of their own, without importing PyTorch anew for each."""


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=PIPE, stdout=PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("method", METHODS)
def test_kills_at_random_moments_change_nothing(
    method: str, whole: dict[str, Path], tmp_path: Path, server: subprocess.Popen
) -> None:
    """Acceptance test 9 with SIGKILL, while steps, hooks and writes go on."""
    out, kills, status = tmp_path / "run", 0, -1
    random = np.random.default_rng(METHODS.index(method))
    checkpoint = RunFolder(out).checkpoint
    while status != 0:
        more = ["--checkpoint-every", "1", *(["--resume"] if RunFolder(out).config.is_file() else [])]
        before = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
        server.stdin.write(json.dumps(flags(method, out, *more)) + "\n")
        server.stdin.flush()
        pid, give_up = int(server.stdout.readline()), time.monotonic() + 30
        while kills < 3 and time.monotonic() < give_up and not RunFolder(out).result.is_file():
            if checkpoint.is_file() and checkpoint.stat().st_mtime_ns > before:
                time.sleep(0.03 * random.random())
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.0005)
        status = int(server.stdout.readline())
        assert status in (0, signal.SIGKILL)
        kills += status == signal.SIGKILL
    assert kills > 0
    assert command.main(["--out", str(out), "--resume", "--quiet"]) == 0
    assert_same_run(whole[method], out)


def test_events_happened(whole: dict[str, Path]) -> None:
    """Or the tests above would prove nothing: event steps 2, 5, ..., 17 and epochs 1, 2, 3 and 2 of five."""
    counts = {method: load_checkpoint(RunFolder(path).checkpoint)["search"] for method, path in whole.items()}
    events = {method: [] if found is None else found["events"] for method, found in counts.items()}
    assert [event["step"] for event in events["iterand"]] == [2, 5, 8, 11, 14, 17]
    assert [event["epoch"] for event in events["recycle"]] == [1, 2, 3]
    assert [event["epoch"] for event in events["biprop-recycle"]] == [2]
    assert all(event["changed"] > 0 for found in events.values() for event in found)
    assert {name for name, found in events.items() if found} == {"iterand", "recycle", "biprop-recycle"}


def test_the_test_images_are_looked_at_once(whole: dict[str, Path]) -> None:
    for path in whole.values():
        lines = [json.loads(line) for line in RunFolder(path).metrics.read_text().splitlines()]
        assert [line["test_accuracy"] is None for line in lines] == [True] * 4 + [False]
        assert lines[-1]["test_accuracy"] == json.loads(RunFolder(path).result.read_text())["rows"][0]["test_accuracy"]


def test_the_loop_by_hand(tmp_path: Path) -> None:
    """Edge-Popup with momentum, weight decay on scores, warm-up and cosine, in plain tensors with a sorted mask."""
    tokens = ["--width", "0.1", "--batch", "800", "--epochs", "3", "--warmup", "1", "--lr", "0.2", "--density", "0.3"]
    tokens += ["--weight-decay", "0.05", "--momentum", "0.8", "--label-smoothing", "0.1", "--seed", "9"]
    params = settings("--method", "edge-popup", *tokens)
    from nets.training.parts import build

    parts = build(params)
    assert parts.search is not None
    weights = [layer.frozen.clone() for layer in parts.search.layers.values()]
    scores = [layer.scores.detach().clone() for layer in parts.search.layers.values()]
    speed: list[Any] = [None] * len(scores)
    data = load_data("digits")
    for epoch, lr in enumerate((0.2, 0.2, 0.1)):  # warm-up of one epoch; cosine over two: 1, then 1/2
        for x, y in data.train.batches(800, order=(9, epoch)):
            hidden = x.flatten(1)
            effective = []
            for i, (weight, score) in enumerate(zip(weights, scores, strict=True)):
                keep = round(0.3 * weight.numel())
                mask = torch.zeros(weight.numel())
                mask[score.abs().reshape(-1).argsort(descending=True)[:keep]] = 1
                effective.append((weight * mask.reshape(weight.shape)).requires_grad_())
                hidden = (hidden.relu() if i else hidden) @ effective[-1].T
            logs = hidden.log_softmax(-1)
            target = 0.9 * F.one_hot(y, 10) + 0.01
            loss = -(target * logs).sum(-1).mean()
            grads = torch.autograd.grad(loss, effective)
            for i, grad in enumerate(grads):
                slope = grad * weights[i] * scores[i].sign() + 0.05 * scores[i]
                speed[i] = slope if speed[i] is None else 0.8 * speed[i] + slope
                scores[i] = scores[i] - lr * speed[i]
    start = [score.detach().clone() for score in scores]
    train(params, tmp_path / "run")
    model = load_checkpoint(tmp_path / "run" / "checkpoint.pt")["model"]
    for name, found in zip(("1", "3", "5"), start, strict=True):
        torch.testing.assert_close(model[f"{name}.masked_weights.weight.scores"], found, rtol=1e-4, atol=1e-6)


def test_the_accuracy_is_the_last_epochs(tmp_path: Path) -> None:
    """Not the best one: the learning rate is raised until the run gets worse; checked by the ticket's own outputs."""
    out = tmp_path / "run"
    params = settings("--lr", "0", "--cooldown", "1", "--cooldown-lr", "1e4", "--epochs", "4", "--seed", "1",
                      "--validation", "100", "--test-each-epoch", "--method", "mpt-1-1")  # fmt: skip
    params = replace(params, lr=0.1)
    (row,) = train(params, out).rows
    lines = [json.loads(line) for line in RunFolder(out).metrics.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert row["test_accuracy"] == lines[-1]["test_accuracy"] < max(line["test_accuracy"] for line in lines)
    assert row["val_accuracy"] == lines[-1]["val_accuracy"]
    model, test = load_found(RunFolder(out).ticket), load_data("digits").test
    x, y = next(test.batches(len(test)))
    assert float((model(x).argmax(-1) == y).double().mean()) == row["test_accuracy"]
    assert lines[-1]["steps"] == 4 * math.ceil(1337 / 64)


TABLE_READ = {  # as published: (optimiser, lr, momentum, weight decay, batch, epochs, label smoothing, warm-up)
    ("edge-popup", "conv4", "cifar10"): ("sgd", 0.1, 0.9, 1e-4, 128, 100, 0, 0),
    ("edge-popup", "mlp", "mnist"): ("sgd", 0.1, 0.9, 1e-4, 128, 100, 0, 0),
    ("edge-popup", "resnet18", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 256, 100, 0, 0),
    ("edge-popup", "resnet50-imagenet", "imagefolder"): ("sgd", 0.256, 0.875, 3.0517578e-5, 256, 100, 0.1, 5),
    ("biprop", "conv8", "cifar10"): ("sgd", 0.1, 0.9, 1e-4, 128, 100, 0, 0),
    ("biprop", "resnet18", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 256, 100, 0, 0),
    ("biprop", "vgg-small", "cifar10"): ("adam", 0.1, 0, 0, 128, 100, 0, 0),
    ("mpt-1-1", "conv2", "cifar10"): ("adam", 0.1, 0, 0, 128, 100, 0, 0),
    ("mpt-1-1", "resnet18", "cifar10"): ("adam", 0.1, 0, 0, 256, 100, 0, 0),
    ("mpt-1-1", "vgg-small", "cifar10"): ("adam", 2e-4, 0, 0, 128, 100, 0, 0),
    ("mpt-1-1", "resnet34-imagenet", "imagefolder"): ("adam", 2e-4, 0, 0, 256, 120, 0.1, 0),
    ("iterand", "conv6", "cifar10"): ("sgd", 0.3, 0.9, 1e-4, 128, 100, 0, 0),
    ("iterand", "resnet34", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 128, 100, 0, 0),
    ("iterand", "resnet50-imagenet", "imagefolder"): ("sgd", 0.1, 0.9, 1e-4, 128, 105, 0, 5),
    ("recycle", "conv4", "cifar10"): ("sgd", 0.1, 0.9, 1e-4, 128, 250, 0, 0),
    ("recycle", "resnet18", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 128, 250, 0, 0),
    ("recycle", "resnet50-imagenet", "imagefolder"): ("sgd", 0.1, 0.875, 3.0517578e-5, 256, 100, 0.1, 5),
    ("biprop-recycle", "conv6", "cifar10"): ("sgd", 0.1, 0.9, 1e-4, 128, 250, 0, 0),
    ("biprop-recycle", "resnet18", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 128, 200, 0, 0),
    ("biprop-recycle", "resnet50-imagenet", "imagefolder"): ("sgd", 0.1, 0.875, 3.0517578e-5, 256, 150, 0.1, 10),
    ("dense", "conv4", "cifar10"): ("sgd", 0.1, 0.9, 1e-4, 128, 100, 0, 0),
    ("dense", "mlp", "mnist"): ("sgd", 0.1, 0.9, 1e-4, 128, 100, 0, 0),
    ("bernoulli", "mlp", "mnist"): ("sgd", 100, 0.9, 0, 250, 100, 0, 0),
    ("probmask", "resnet18", "cifar10"): ("adam", 0.006, 0, 0, 256, 300, 0, 0),
    ("signed-supermask", "conv4", "cifar10"): ("sgd", 0.05, 0.9, 5e-4, 128, 100, 0, 0),
    ("dense", "resnet18", "cifar10"): ("sgd", 0.1, 0.9, 5e-4, 128, 100, 0, 0),
}
EVENTS_READ = {  # method, arch: (rerand_every, rerand_frac) or (recycle_every, recycle_frac)
    ("iterand", "conv6"): (300, 0.1), ("iterand", "resnet18"): (300, 0.1),
    ("iterand", "resnet50-imagenet"): (1000, 0.1),
    ("recycle", "conv2"): (3, 0.1), ("recycle", "conv6"): (10, 0.2), ("recycle", "resnet18"): (10, 0.2),
    ("biprop-recycle", "conv2"): (10, 0.2), ("biprop-recycle", "resnet18"): (10, 0.2),
}  # fmt: skip


def test_the_recipes_are_the_papers() -> None:
    for place, expected in TABLE_READ.items():
        found = recipe(*place)
        values = (found.optimiser, found.lr, found.momentum, found.weight_decay, found.batch, found.epochs)
        assert (*values, found.label_smoothing, found.warmup) == expected, place
    for (method, arch), expected in EVENTS_READ.items():
        found = recipe(method, arch, "cifar10")
        kind = "rerand" if method == "iterand" else "recycle"
        assert (getattr(found, f"{kind}_every"), getattr(found, f"{kind}_frac")) == expected
    inits = {method: recipe(method, "conv4", "cifar10").init for method in METHODS}
    signed = {"edge-popup", "iterand", "recycle", "signed-supermask"}
    assert {name for name, init in inits.items() if init == "signed-constant"} == signed
    scaled = {key for key, row in TABLE.items() if row.scale == "reference-code"}
    assert scaled == {key for key in TABLE if key[0] in ("biprop", "mpt-1-1")} | {
        ("recycle", "imagenet"), ("biprop-recycle", "imagenet")
    }  # fmt: skip
    assert {row.scale for row in TABLE.values()} == {"unscaled", "reference-code"}
    keys = {method: (row.score_key, row.score_init) for (method, _), row in TABLE.items()}
    assert keys.pop("iterand") == ("raw", "kaiming-uniform-relu")
    assert set(keys.values()) == {("abs", "kaiming-uniform-a5")}
    assert {method for (method, _), row in TABLE.items() if row.batch_norm_passes} == {"mpt-1-1"}
    schedules = {key for key, row in TABLE.items() if row.schedule == "constant"}
    assert schedules == {("mpt-1-1", "imagenet")}
    own = recipe("iterand", "conv6", "cifar10")
    assert (own.augment, own.normalise, own.validation) == ("iterand", "imagenet", 0.1)
    large = recipe("iterand", "resnet50-imagenet", "imagefolder")
    assert (large.cooldown, large.cooldown_lr, large.stem_width, large.validation) == (5, 1e-5, 64, 0.01)
    with pytest.raises(ValueError, match="method must be one of"):
        recipe("edge-pop", "mlp", "digits")
    with pytest.raises(ValueError, match="data must be one of"):
        recipe("biprop", "mlp", "svhn")


def test_learning_rates() -> None:
    base = Optimisation(lr=0.4, epochs=3)
    rates = [base.rate(epoch) for epoch in range(3)]
    assert rates == pytest.approx([0.4, 0.3, 0.1])  # (1 + cos) / 2 at 0, 60 and 120 degrees
    slow = replace(base, warmup=4, cooldown=2, cooldown_lr=1e-5, epochs=9)
    rates = [slow.rate(epoch) for epoch in range(9)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.1, 1e-5, 1e-5])
    assert replace(slow, schedule="constant").rate(6) == 0.4


def test_json_and_resume_of_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = str(tmp_path / "run")
    argv = ["--method", "biprop", *TINY, "--epochs", "1", "--out", out, "--json"]
    argv.remove("5")
    argv.pop(argv.index("--epochs"))
    assert command.main(argv) == 0
    captured = capsys.readouterr()
    content = json.loads(captured.out)
    assert captured.err == ""
    assert content["schema"] == "strong-tickets/nets.train/1"
    assert set(content) == {"schema", "command", "params", "rows", "provenance", "summary"}
    (row,) = content["rows"]
    assert list(row)[:13] == KEYS.split()
    assert [row[key] for key in KEYS.split()[:5]] == ["biprop", "mlp", "digits", 0.5, 0.1]
    assert (row["seed"], row["epochs"], row["val_accuracy"]) == (3, 1, None)
    assert row["weights"] == 64 * 30 + 30 * 10 + 10 * 10
    assert row["bits_per_weight"] == 8 * RunFolder(Path(out)).ticket.stat().st_size / row["weights"]
    assert content["provenance"]["recipe"].startswith("diffenderfer2021multiprize")
    before = {path.name: path.stat().st_mtime_ns for path in Path(out).iterdir()}
    assert command.main(["--out", out, "--resume", "--json"]) == 0
    captured = capsys.readouterr()
    assert "is finished already: nothing to do" in captured.err
    assert json.loads(captured.out) == content
    assert before == {path.name: path.stat().st_mtime_ns for path in Path(out).iterdir()}
    for more, says in [
        ([], "holds a run already; add --resume"),
        (["--resume", "--lr", "0.3"], "--lr is 0.1 there, 0.3 here"),
        (
            ["--resume", "--method", "dense", "--seed", "4"],
            "--method is biprop there, dense here; --seed is 3",
        ),
    ]:
        assert command.main(["--out", out, *more]) == 2
        captured = capsys.readouterr()
        assert says in captured.err
        assert captured.err.count("\n") == 1


BAD = [
    (["--method", "edge-pop"], "--method"), (["--arch", "conv3"], "--arch must be one of mlp, conv2"),
    (["--data", "svhn"], "--data"), (["--density", "0"], "--density must be a number in (0, 1], got 0"),
    (["--density", "1.5"], "--density"), (["--width", "-1"], "--width"), (["--epochs", "0"], "--epochs"),
    (["--lr", "nan"], "--lr must be a number in [0, 1e+30], got nan"), (["--momentum", "1"], "--momentum"),
    (["--batch", "2.5"], "--batch takes an integer"), (["--seed", "-1"], "--seed must be an integer in [0,"),
    (["--recycle-every", "3"], "--recycle-every belongs to recycle, biprop-recycle, not to edge-popup"),
    (["--method", "dense", "--density", "0.5"], "--method dense keeps every weight"),
    (["--method", "dense", "--score-seed", "5"], "--score-seed belongs to"),
    (["--method", "dense", "--multi-prize", "2"], "--multi-prize needs a method that trains scores"),
    (["--multi-prize", "1"], "--multi-prize must be an integer in [2,"),
    (["--warmup", "9", "--epochs", "8"], "--epochs 8 is less than --warmup 9 and --cooldown 0 together"),
    (["--method", "mpt-1-1", "--momentum", "0.9"], "--momentum belongs to --optimiser sgd"),
    (["--gradient", "sign"], "--gradient belongs to biprop, mpt-1-1, biprop-recycle, not to edge-popup"),
    (["--method", "dense", "--score-key", "raw"], "--score-key belongs to edge-popup, biprop"),
    (["--with-rerand"], "--with-rerand belongs to recycle, biprop-recycle, not to edge-popup"),
    (["--rerand-init", "kaiming"], "--rerand-init must be one of"),
    (["--sources", "lowest"], "--sources must be one of"),
    (["--method", "biprop", "--schedule-epochs", "2"], "--schedule-epochs belongs to --scope global, got 2 with layer"),
    (["--method", "biprop", "--scope", "global", "--schedule-epochs", "20"], "must be less than --epochs 20"),
    (["--batch-norm-passes", "1"], "--batch-norm-passes belongs to networks with batch norm, and mlp for edge-popup"),
    (["--stem-width", "64"], "--stem-width belongs to ResNets, not to mlp"), (["--resume"], "holds no run"),
    (["--data", "mnist", "--data-dir", "/nonexistent"], "no files found"),
    (["--validation", "1.5"], "--validation takes"),
    (["--validation", "5000"], "validation must be"), (["--density", "1", "--scale", "reference-code"], "is infinite"),
    (["--lr", "1e30", "--epochs", "1"], "scores or weights are not finite in epoch 1: --lr 1e+30 is too large"),
    (["--method", "dense", "--lr", "1e9", "--epochs", "1"], "the loss is not finite in epoch 1: --lr 1e+09 is"),
    (["--checkpoint-every", "-1"], "--checkpoint-every"), (["--seed", "1", "--seed", "2"], "more than once"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "says"), BAD)
def test_bad_flags_get_one_line(argv: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main([*argv, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    from nets.training.run import locked
    from nets.training.run_folder import RunError

    held = pytest.raises(RunError, match="is being trained by another process")
    with locked(RunFolder(tmp_path)), held, locked(RunFolder(tmp_path)):
        pass
    with locked(RunFolder(tmp_path)):
        pass


def test_settings_are_text_once() -> None:
    tokens = ["--seed", "1e3", "--width", "0.25", "--validation", "100", "--out", "x"]
    found = command_flags.parse(command.Train, tokens, prog="test").given()
    assert found == {"seed": 1000, "width": 0.25, "validation": 100}
    assert isinstance(found["validation"], int)
    assert resolve(Choices(method="mpt-1-1", optimiser="sgd")).momentum == 0.9
    assert resolve(Choices(data="cifar10")).arch == "conv4"
    assert resolve(Choices(method="dense")).density == 1.0
    found = resolve(Choices(seed=5))
    assert (found.score_seed, found.rerand_every, found.recycle_frac, found.stem_width) == (5, None, None, None)
    assert resolve(Choices(method="dense", seed=5)).score_seed is None
    assert TrainSettings.from_json(found.to_json()) == found


@pytest.mark.parametrize("training", [False, True])
def test_a_model_is_left_in_the_mode_it_was_scored_in(training):
    from nets.training.tally import evaluate

    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout()).train(training)
    seen = []
    model[1].register_forward_hook(lambda module, *_: seen.append(module.training))
    found = evaluate(model, [(torch.ones(4, 2), torch.zeros(4, dtype=torch.int64))], "cpu")
    assert (found.count, seen) == (4, [False])
    assert model.training == model[1].training == training
