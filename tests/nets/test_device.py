"""Where PyTorch works: what is refused, how much memory there is, and whole commands by the operations of a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nets import approximate, main_theorem
from nets.construction import pick_torch
from nets.construction.scan import scan_layer
from nets.construction.source import Source, trial_seeds
from nets.construction.torch_solver import best_subsets_torch
from nets.data.split import Split
from nets.device import free_bytes, has_kernels, resolve_device, torch_operations, upload
from nets.targets.target import random_target
from nets.training.loop import own_random_state
from nets.training.memory import check_fits
from nets.training.models import make_model
from sims.commands.flags import UsageError
from sims.solver.memory import available_bytes
from sims.solver.philox import grid_draws
from tests.nets.elsewhere import Elsewhere
from tests.nets.live_bytes import LiveBytes

GB = 2**30


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The numbers of a card that is not there: 2 GiB free, 3 held by PyTorch, 1 of them in use."""
    numbers = SimpleNamespace(free=2 * GB, reserved=3 * GB, used=GB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (numbers.free, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: numbers.reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: numbers.used)
    return numbers


def test_what_pytorch_holds_without_use_is_free(card: SimpleNamespace) -> None:
    assert free_bytes("cuda") == free_bytes(torch.device("cuda", 0)) == 4 * GB
    assert 0.5 < free_bytes("cpu") / available_bytes() < 2


def test_pieces_of_work_fit_a_small_card(card: SimpleNamespace) -> None:
    whole = pick_torch.budget(torch.device("cuda"))
    assert 16 * 8 * whole < 4 * GB  # sixteen tensors of eight bytes an element
    card.free, card.reserved, card.used = 80 * GB, 0, 0
    assert whole < pick_torch.budget(torch.device("cuda")) == 2**25
    card.free = 0
    assert pick_torch.budget(torch.device("cuda")) == 1


def test_training_and_sources_too_large_for_a_card_are_refused(card: SimpleNamespace) -> None:
    with torch.device("meta"):
        model = make_model("mlp", width=0.1, shape=(1, 8, 8))
    card.free = card.reserved = card.used = 0
    with pytest.raises(UsageError, match="0 B are available"):
        check_fits(model, (1, 8, 8), 64, "cuda")
    with pytest.raises(ValueError, match="the limit is 0 B: stream it instead"):
        Source([5, 4], 30, seed=1).matrix(1, device="cuda")


def test_images_that_do_not_fit_stay_outside(card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(torch.zeros(8, 1, 4, 4, dtype=torch.uint8), torch.zeros(8, dtype=torch.int64))
    card.free, card.reserved, card.used = 4 * split.images.numel() - 1, 0, 0
    assert split._on(torch.device("cuda")) is split.images
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self.clone())
    card.free += 1
    resident = split._on(torch.device("cuda"))
    assert resident is not split.images
    card.free = 0
    assert split._on(torch.device("cuda")) is resident


def test_a_card_that_fails_at_its_first_operation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nFor debugging consider ...")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", broken)
    with pytest.raises(
        UsageError, match=r"^--device cuda: the device does not work: CUDA error: no kernel.*available$"
    ):
        resolve_device("cuda")
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"


def test_precision_set_by_the_new_names_is_left_alone() -> None:
    conv, cudnn = torch.backends.cudnn.conv, torch.backends.cudnn
    before, flags = conv.fp32_precision, (cudnn.benchmark, cudnn.deterministic)
    conv.fp32_precision = "ieee"
    try:
        with own_random_state(1, "cpu", 0):
            assert conv.fp32_precision == "ieee"
            assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
        assert (cudnn.benchmark, cudnn.deterministic) == flags
    finally:
        conv.fp32_precision = before


def test_kernels_come_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), torch_operations():
        1 // int(has_kernels("cpu"))
    assert has_kernels("cpu")
    assert not has_kernels("meta")


@pytest.mark.parametrize("n", [1, 9])
def test_a_row_that_does_not_fit_is_refused_before_it_is_tried(n: int) -> None:
    x, target = torch.ones(1, n, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    need = 96 * 2 ** max(1, -(-n // 2))
    with pytest.raises(ValueError, match=f"n={n} needs {need} bytes a row, the limit is max_bytes={need - 1}"):
        best_subsets_torch(x, target, max_bytes=need - 1)
    assert best_subsets_torch(x, target, max_bytes=need)[0].tolist() == [0]


@pytest.mark.parametrize(
    "more",
    [
        ["--construction", "best", "--sampler", "draws", "--R", "3"],
        ["--construction", "halves", "--sampler", "draws", "--R", "2"],
        ["--construction", "subset-sum", "--sampler", "draws", "--R", "1"],
    ],
    ids=["best", "halves", "subset-sum"],
)
def test_the_main_theorem_is_the_same_elsewhere(
    more: list[str], elsewhere: Elsewhere, capsys: pytest.CaptureFixture
) -> None:
    argv = ["--widths", "3", "4", "2", "--n", "7", "--eps", "0.5", "--trials", "12", "--seed", "3", *more]

    def rows(device: str) -> list[dict]:
        assert main_theorem.main([*argv, "--device", device, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["rows"]
        return [{key: value for key, value in row.items() if key != "seconds"} for row in found]

    here = rows("cpu")
    with elsewhere as device:
        assert rows(device) == here


@pytest.mark.parametrize(
    "more",
    [["--source", "private"], ["--source", "layered"], ["--source", "layered", "--construction", "halves"]],
    ids=["private", "gadget", "halves"],
)
def test_the_same_ticket_elsewhere(more: list[str], tmp_path: Path, elsewhere: Elsewhere) -> None:
    weights = {"0.weight": torch.linspace(-0.4, 0.4, 15).reshape(5, 3), "2.weight": torch.full((2, 5), 0.25)}
    model = tmp_path / "model.pt"
    torch.save(weights, model)
    argv = [str(model), "--n", "12", "--eta", "0.3", "--seed", "5", "--activation", "relu", "--quiet", *more]

    def ticket(device: str) -> dict[str, torch.Tensor]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.safetensors"
        assert approximate.main([*argv, "--device", device, "--out", str(out)]) == 0
        return load_file(out)

    here = ticket("cpu")
    with elsewhere as device:
        there = ticket(device)
    assert list(there) == list(here)
    assert all(torch.equal(there[name], part) for name, part in here.items())


def test_live_bytes_are_those_by_hand() -> None:
    with LiveBytes() as live:
        first = torch.zeros(100, dtype=torch.float64)
        second = first + 1.0
        del first
        third = second * 2.0
        view = third[:10]
    assert live.peak == 2 * 800
    assert view.numel() == 10


@pytest.mark.parametrize("n", [5, 10, 16, 21])
def test_subsets_take_no_more_memory_than_is_counted(n: int) -> None:
    x, targets = torch.from_numpy(grid_draws(1, 0, 64, n)), torch.zeros(64, dtype=torch.int64)
    limit = 32 * 96 * 2 ** (-(-n // 2))  # of half of the rows
    with LiveBytes() as live:
        best_subsets_torch(x, targets, max_bytes=limit)
    assert limit / 4 < live.peak <= limit + 8 * x.numel()


@pytest.mark.parametrize(
    ("construction", "R"), [("window", 8), ("best", 8), ("nearest", 100), ("halves", 8), ("thirds", 1)]
)
def test_neurons_take_no_more_memory_than_is_counted(
    construction: str, R: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = 2**14
    monkeypatch.setattr(pick_torch, "budget", lambda device: budget)
    weights = torch.stack([random_target((16, 8), seed=k).weights[0] for k in range(16)])
    options: dict[str, Any] = {"window": construction == "window", "by_law": construction == "nearest"}
    options["parts"] = {"halves": 2, "thirds": 3}.get(construction, 1)
    with torch_operations(), LiveBytes() as live:
        scan_layer(trial_seeds(1, 0, trials=16), 1, weights, n=16, R=R, eta=0.05, open_signs=False, halves=1, **options)
    assert budget < live.peak // 8 <= pick_torch._TEMPORARIES * budget


def test_what_is_sent_to_a_card_is_pinned_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: calls.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *place, **how: calls.append((*place, how)) or self)
    for device, expected in ((cuda, ["pinned", (cuda, {"non_blocking": True})]), (cpu, [(cpu, {})])):
        calls.clear()
        assert upload(np.arange(3), device).tolist() == [0, 1, 2]
        assert calls == expected


def test_subsets_of_one_row_are_the_ones_by_hand() -> None:
    x = torch.tensor([[5, -3, 8]])
    for target, error, mask in ((10, 0, [1, 1, 1]), (2, 0, [1, 1, 0]), (-9, 6, [0, 1, 0]), (0, 0, [0, 0, 0])):
        errors, masks = best_subsets_torch(x, torch.tensor([target]))
        assert errors.tolist() == [error]
        assert np.array_equal(masks[0].int().numpy(), mask)


def test_the_command_says_that_there_is_no_card(monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(main_theorem.main, ["--device", "cuda"], "--device cuda: this PyTorch finds no CUDA device")
