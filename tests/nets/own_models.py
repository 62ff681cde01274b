"""Models as users write them, built by functions whose arguments JSON can hold, with inputs for each."""

from __future__ import annotations

import torch
from torch import nn

Inputs = torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]


def mlp(width: int = 12, activation: str = "ReLU") -> nn.Module:
    """Two linear layers."""
    return nn.Sequential(nn.Linear(6, width), getattr(nn, activation)(), nn.Linear(width, 4))


def functional_mlp(width: int = 12) -> nn.Module:
    """The same modules, used in another way."""
    return _Doubled(*mlp(width))


class _Doubled(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(2 * x)


def cnn(channels: list[int]) -> nn.Module:
    """Convolutions of three kinds, with batch norms."""
    a, b = channels
    return nn.Sequential(
        nn.Conv2d(3, a, 3, bias=False), nn.BatchNorm2d(a), nn.ReLU(),
        nn.ConvTranspose2d(a, b, 3, groups=2), nn.BatchNorm2d(b), nn.ReLU(),
        nn.Flatten(2), nn.Conv1d(b, 2, 5, stride=5), nn.Flatten(), nn.Linear(2 * 20, 4), nn.BatchNorm1d(4),
    )  # fmt: skip


def encoder() -> nn.Module:
    """Attention with its weights in one tensor."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Recurrent(nn.Module):
    """An LSTM behind a random projection that is no part of the state."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection", torch.randn(5, 4), persistent=False)
        self.lstm = nn.LSTM(4, 6, 2, bidirectional=True)
        self.out = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(x @ self.projection)[0])


class Tied(nn.Module):
    """A small language model whose head is its embedding table; inputs by name, several outputs."""

    def __init__(self, *, vocabulary: int, tied: bool = True) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.block2 = Conv1D(8, 8)
        self.head = nn.Linear(8, vocabulary, bias=False)
        if tied:
            self.head.weight = self.table.weight
        self.register_buffer("ahead", torch.full((5, 5), -1e9).triu(1), persistent=False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, tokens: torch.Tensor, shift: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.block(self.table(tokens), src_mask=self.ahead) + shift
        return {"logits": self.head(self.block2(x)), "features": x}


class Conv1D(nn.Module):
    """GPT-2's linear layer, weight (inputs, outputs)."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.randn(nx, nf) / 8)
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


MODELS = ("mlp", "cnn", "encoder", "Recurrent", "Tied")
ARGUMENTS: dict[str, dict[str, object]] = {"cnn": {"channels": [4, 6]}, "Tied": {"vocabulary": 11}}


def inputs(name: str) -> Inputs:
    """Inputs of one of the models, always the same."""
    make = torch.Generator().manual_seed(4)
    if name == "Tied":
        return {"tokens": torch.randint(0, 11, (2, 5), generator=make), "shift": torch.rand(8, generator=make)}
    shapes = {"mlp": (3, 6), "cnn": (3, 3, 10, 10), "encoder": (2, 5, 8), "Recurrent": (7, 2, 5)}
    x = torch.randn(shapes[name], generator=make)
    return (x,) if name == "encoder" else x
