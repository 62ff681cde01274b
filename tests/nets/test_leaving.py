"""What a search found as a plain network: folded, with its batch norms folded, and as an ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import TicketSearch, export_onnx, find_tickets, fold, from_linear, masked_weight_of, to_linear
from nets.search.inputs import difference, outputs


class Network(nn.Module):
    """Convolutions of several kinds with batch norms that can and cannot be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2)
        self.up_norm = nn.BatchNorm2d(6, affine=False)
        self.grouped_up = nn.ConvTranspose2d(6, 6, 1, groups=2)
        self.grouped_up_norm = nn.BatchNorm2d(6)
        self.before = nn.BatchNorm2d(6)
        self.split = nn.Conv2d(6, 6, 3, groups=3)
        self.split_norm = nn.BatchNorm2d(6)
        self.batch = nn.BatchNorm2d(6, track_running_stats=False)
        self.read_twice = nn.Conv2d(6, 6, 1)
        self.read_twice_norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 5)
        self.head_norm = nn.BatchNorm1d(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = self.grouped_up_norm(self.grouped_up(self.up_norm(self.up(x))))
        x = self.before(torch.relu(x))
        x = self.batch(torch.relu(self.split_norm(self.split(x))))
        twice = self.read_twice(x)
        x = twice + self.read_twice_norm(twice)
        return self.head_norm(self.head(x.mean((2, 3))))


def searched(model: nn.Module, *shape: int) -> tuple[TicketSearch, torch.Tensor]:
    """A search whose batch norms have seen something, and inputs."""
    torch.manual_seed(1)
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    search = find_tickets(model, density=0.5, seed=3)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
                module.weight.normal_()
                module.bias.normal_()
    for _ in range(3):
        model(3 * x + 1)
    return search, x


def test_batch_norms_are_folded_where_they_can_be() -> None:
    """The reference is the same network in float64 with nothing folded."""
    search, x = searched(Network(), 4, 3, 8, 8)
    before = {key: value.clone() for key, value in search.model.state_dict().items()}
    plain = fold(search.model, batch_norm=True, example=x)
    folded = {name for name, module in plain.named_modules() if isinstance(module, nn.Identity)}
    assert folded == {"norm", "up_norm", "split_norm", "head_norm"}
    assert type(plain) is Network
    assert not plain.training
    exact = outputs(fold(search.model).double(), x.double())
    assert difference(exact, outputs(plain.double(), x.double())) < 1e-6
    assert all(torch.equal(before[key], value) for key, value in search.model.state_dict().items())
    assert search.model.training
    without = fold(search.model, batch_norm=True)
    assert isinstance(without.head_norm, nn.BatchNorm1d)  # an example is needed to see what it gets
    assert difference(exact, outputs(without.double(), x.double())) < 1e-6


def test_the_state_is_that_of_the_plain_class() -> None:
    search, x = searched(Network(), 4, 3, 8, 8)
    fresh = Network()
    fresh.load_state_dict(fold(search.model).state_dict())
    assert difference(outputs(search.model, x), outputs(fresh, x)) == 0
    folded = fold(search.model, batch_norm=True, example=x)
    fresh.load_state_dict(fold(folded).state_dict(), strict=False)  # what is missing are the folded norms
    assert torch.equal(fresh.first.weight, folded.first.weight)


def test_a_norm_over_another_axis_is_not_folded() -> None:
    """Behind a linear layer with three axes a batch norm is over the second, whatever the sizes."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    search, x = searched(model, 6, 4, 4)
    for example in (None, x):
        with pytest.raises(ValueError, match=r"none of the 1 batch norms can be folded: .* need example="):
            fold(search.model, batch_norm=True, example=example)
    assert isinstance(fold(search.model, batch_norm=True, example=x[0])[1], nn.Identity)


def test_layers_that_are_used_twice_are_left() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.other = nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2), nn.BatchNorm1d(2)
            self.last = nn.Conv1d(2, 2, 1)
            self.last_norm = nn.BatchNorm1d(2)
            self.tied = nn.Conv1d(2, 2, 1)
            self.tied.weight = self.last.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.other(self.conv(self.norm(self.conv(x))))
            return self.last_norm(self.last(x)) + self.tied(x)

    search, x = searched(Shared(), 3, 2, 5)
    plain = fold(search.model, batch_norm=True, example=x)
    assert {name for name, module in plain.named_modules() if isinstance(module, nn.Identity)} == {"last_norm"}
    exact = outputs(fold(search.model).double(), x.double())
    assert difference(exact, outputs(plain.double(), x.double())) < 1e-6


def test_hooks_and_unknown_kinds_are_left() -> None:
    class Own(nn.Conv1d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).relu()

    model = nn.Sequential(Own(2, 2, 1), nn.BatchNorm1d(2), nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2))
    model[2].register_forward_hook(lambda module, args, out: 2 * out)
    search, _ = searched(model, 3, 2, 5)
    with pytest.raises(ValueError, match="none follows a convolution or a linear layer that nothing else uses"):
        fold(search.model, batch_norm=True)


def test_models_that_cannot_be_traced_are_refused() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.conv(x)) if x.sum() > 0 else x

    search, _ = searched(Branching(), 3, 2, 5)
    with pytest.raises(ValueError, match=r"torch.fx cannot trace the model \(.*control flow.*\)"):
        fold(search.model, batch_norm=True)
    with pytest.raises(ValueError, match="the model has no batch norm"):
        fold(nn.Sequential(nn.Linear(2, 2)), batch_norm=True)


def test_an_onnx_file_computes_the_same(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    search, x = searched(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(1)), 4, 3, 5, 5)
    masked = search.model
    error = export_onnx(masked, x, tmp_path / "net.onnx", any_batch=True)
    assert 0 <= error < 1e-5
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for some in (x, x[:1], torch.cat([x, -x])):
        (found,) = session.run(None, {session.get_inputs()[0].name: some.numpy()})
        (wanted,) = outputs(masked, some)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)
    assert masked.training
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) if bool(x.sum() > 0) else x

    path, x = tmp_path / "net.onnx", torch.ones(2, 3)
    plain = nn.Linear(3, 3)
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: export_onnx(Odd(3, 3), x, path), "Odd cannot be exported to ONNX"),
        (lambda: export_onnx(plain, [], path), "example must be a tensor"),
        (lambda: export_onnx(plain, x[:1], path, any_batch=True), "2 or more in the first axis"),
        (lambda: export_onnx(nn.Linear(3, 3).bfloat16(), x.bfloat16(), path), "bfloat16 cannot be checked"),
    ]
    for call, says in cases:
        with pytest.raises(ValueError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("nets.search.export.tensors_of", lambda output: [output + 1])
    with pytest.raises(ValueError, match="computes something else"):
        export_onnx(plain, x, path)
    assert list(tmp_path.iterdir()) == []


def test_one_layer_leaves_by_itself() -> None:
    torch.manual_seed(0)
    layer = from_linear(nn.Linear(5, 4), n_keep=7)
    with torch.no_grad():
        masked_weight_of(layer).scores.normal_()
    plain = to_linear(layer)
    assert type(plain) is nn.Linear
    assert int((plain.weight != 0).sum()) == 7
    x = torch.randn(3, 5)
    assert torch.equal(plain(x), layer(x))


def test_a_sequence_without_a_batch_is_not_taken_for_a_batch() -> None:
    """BatchNorm1d reads (channels, length) as (batch, channels)."""
    search, _ = searched(nn.Sequential(nn.Conv1d(3, 5, 1), nn.BatchNorm1d(5)), 2, 3, 5)
    with pytest.raises(ValueError, match="one-dimensional ones need example="):
        fold(search.model, batch_norm=True)
    with pytest.raises(ValueError, match="one-dimensional ones need example="):
        fold(search.model, batch_norm=True, example=torch.randn(3, 5))
    assert type(fold(search.model, batch_norm=True, example=torch.randn(2, 3, 5))[1]) is nn.Identity
