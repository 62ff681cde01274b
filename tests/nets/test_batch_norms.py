"""Running statistics taken anew after the last step: plain means over training batches, and nothing else moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nets import train as command
from nets.data import load_data
from nets.training.batch_norms import settle_batch_norms
from nets.training.checkpoint import load_checkpoint
from nets.training.found import load_found
from nets.training.run_folder import RunFolder
from nets.training.settings import Choices, resolve

ARGV = ["--method", "mpt-1-1", "--width", "0.1", "--batch", "500", "--epochs", "2", "--seed", "4", "--device", "cpu"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run with 0, 1 and 2 passes."""
    folder = tmp_path_factory.mktemp("runs")
    for passes in range(3):
        argv = [*ARGV, "--batch-norm-passes", str(passes), "--out", str(folder / str(passes)), "--quiet"]
        assert command.main(argv) == 0
    return [folder / str(passes) for passes in range(3)]


@pytest.mark.parametrize("passes", [1, 2])
def test_statistics_are_means_over_further_epochs(runs: list[Path], passes: int) -> None:
    """By hand: the first layer's outputs in float64, with Bessel's correction inside each batch."""
    model = load_checkpoint(RunFolder(runs[passes]).checkpoint)["model"]
    first = load_found(RunFolder(runs[passes]).ticket)[1]
    means, spreads = [], []
    for epoch in range(2, 2 + passes):
        for x, _ in load_data("digits").train.batches(500, order=(4, epoch)):
            with torch.no_grad():
                out = first(x.flatten(1)).double()
            mean = out.sum(0) / len(out)
            means.append(mean)
            spreads.append(((out - mean) ** 2).sum(0) / (len(out) - 1))
    torch.testing.assert_close(model["2.running_mean"].double(), sum(means) / len(means), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model["2.running_var"].double(), sum(spreads) / len(spreads), rtol=1e-4, atol=1e-5)
    assert int(model["2.num_batches_tracked"]) == 3 * passes


def test_nothing_else_changes(runs: list[Path]) -> None:
    plain, *settled = (load_checkpoint(RunFolder(run).checkpoint) for run in runs)
    for one in settled:
        moved = {name for name, value in plain["model"].items() if not torch.equal(value, one["model"][name])}
        statistics = {f"{i}.{name}" for i in (2, 5) for name in ("running_mean", "running_var")}
        assert statistics <= moved <= statistics | {"2.num_batches_tracked", "5.num_batches_tracked"}
        assert torch.equal(plain["random"], one["random"])
    rows = [json.loads(RunFolder(run).metrics.read_text().splitlines()[-1]) for run in runs]
    assert rows[0]["train_loss"] == rows[1]["train_loss"] == rows[2]["train_loss"]
    assert rows[0]["test_loss"] != rows[1]["test_loss"], "what is measured is the settled network"


def test_a_batch_of_one_is_passed_over() -> None:
    norm = torch.nn.BatchNorm1d(1, affine=False).eval()
    x = torch.tensor([[1.0], [3.0], [100.0]])
    settle_batch_norms(norm, [(x[:2], torch.zeros(2)), (x[2:], torch.zeros(1))])
    assert (float(norm.running_mean), float(norm.running_var)) == (2.0, 2.0)
    assert (norm.training, norm.momentum) == (False, 0.1)


def test_who_settles() -> None:
    def passes(**choices: object) -> int:
        return resolve(Choices(seed=1, device="cpu", **choices)).batch_norm_passes  # type: ignore[arg-type]

    assert passes(method="mpt-1-1") == 1
    assert passes(method="mpt-1-1", batch_norm="none") == 0
    assert passes(method="biprop") == passes(method="edge-popup", arch="resnet18", data="cifar10") == 0
    assert passes(method="edge-popup", arch="resnet18", data="cifar10", batch_norm_passes=3) == 3
    assert passes(method="edge-popup", batch_norm="affine", batch_norm_passes=3) == 3
