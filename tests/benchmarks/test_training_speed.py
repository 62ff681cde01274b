"""Speed of training scores beside training weights, on one Conv-6 network: ``make bench``.

Every group holds the same step, forward and backward and SGD at batch 128, for the dense network and for each method;
the ratio to "dense" is what a method costs. "sorted" is Edge-Popup as its published code does it, with a full sort of
every layer's scores in every forward pass. Nothing here asserts a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
METHODS = ["edge-popup", "biprop", "iterand", "recycle", "biprop-recycle"]
BATCH = 128


def conv6() -> Any:
    """Three pairs of convolutions and three linear layers: 2,261,184 weights."""
    from torch import nn

    layers: list[nn.Module] = []
    for inside, outside in ((3, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.ReLU()]
        layers += [nn.Conv2d(outside, outside, 3, padding=1, bias=False), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Linear(4096, 256, bias=False), nn.ReLU(), nn.Linear(256, 256, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, *head, nn.Linear(256, 10, bias=False))


def sorted_layers(model: Any) -> None:
    """Give every layer the published forward pass: sort all scores, cut at a place, multiply."""
    from torch.nn.utils import parametrize

    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, key: Any) -> Any:
            order = key.reshape(-1).sort()[1]
            out = torch.empty(key.numel(), dtype=key.dtype, device=key.device)
            out[order[: key.numel() // 2]] = 0
            out[order[key.numel() // 2 :]] = 1
            return out.reshape(key.shape)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad

    class Masked(torch.nn.Module):
        def __init__(self, weight: Any) -> None:
            super().__init__()
            self.scores = torch.nn.Parameter(torch.rand_like(weight) - 0.5)

        def forward(self, weight: Any) -> Any:
            return weight * Cut.apply(self.scores.abs())

    for module in list(model.modules()):
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            parametrize.register_parametrization(module, "weight", Masked(module.weight))
            module.parametrizations.weight.original.requires_grad_(False)


def make_step(kind: str, device: str, batch: int = BATCH) -> Callable[[], None]:
    """One training step of a kind on fixed images."""
    from nets.search import find_tickets

    torch.manual_seed(1)
    model = conv6().to(device)
    x, y = torch.randn(batch, 3, 32, 32, device=device), torch.randint(0, 10, (batch,), device=device)
    search = find_tickets(model, method=kind, density=0.5) if kind in METHODS else None
    if kind == "sorted":
        sorted_layers(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)
    count = iter(range(10**9))

    def step() -> None:
        if search is not None:
            search.before_step(next(count))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["dense", *METHODS, "sorted"])
@pytest.mark.benchmark(group="Conv-6, batch 128, one training step")
def test_step(benchmark: Any, kind: str, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    benchmark.pedantic(make_step(kind, device), rounds=3 if device == "cpu" else 100, warmup_rounds=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["dense weights", "masks", "effective weights", "sorted masks"])
@pytest.mark.benchmark(group="Conv-6, the masks of one training step alone")
def test_masks(benchmark: Any, kind: str, device: str) -> None:
    from nets.search import find_tickets

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    search = find_tickets(conv6().to(device), density=0.5)

    def masks() -> None:
        for layer in search.layers.values():
            if kind == "dense weights":
                layer.frozen.clone()
            elif kind == "sorted masks":
                layer.scores.detach().abs().reshape(-1).sort()
            else:
                _ = layer.mask() if kind == "masks" else layer.effective_weight()
        if device == "cuda":
            torch.cuda.synchronize()

    benchmark.pedantic(masks, rounds=10, warmup_rounds=2)
    assert sum(int(mask.sum()) for mask in search.masks().values()) == 2_261_184 // 2
