"""A small convolutional network, trained here on scikit-learn's digits: the gallery without extra packages."""

from __future__ import annotations

import functools

import torch
from torch import nn

from nets.gallery.entry import Entry, Loaded, Run, in_batches
from nets.targets.digits import Digits, digits_split

BATCH = 32
EPOCHS = 20


class ConvDigits(nn.Module):
    """Two convolutions with batch norm, ReLU and pooling, and two dense layers: (batch, 1, 8, 8) in, 10 logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.features(x))
        return logits


@functools.cache
def _split() -> Digits:
    return digits_split()


def _images(flat: torch.Tensor) -> torch.Tensor:
    return flat.float().reshape(-1, 1, 8, 8)


def read() -> Loaded:
    """The network, trained on 1437 images in a few seconds; the same on every run on one machine."""
    split = _split()
    x, y = _images(split.x_train), split.y_train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ConvDigits()
    order = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(x), generator=order).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
            optimiser.step()
    test = _images(split.x_test)
    return Loaded(network.eval().requires_grad_(False), (test[:BATCH],), (test[-BATCH:],))


def score(run: Run) -> dict[str, float]:
    """Accuracy on the 360 test images."""
    split = _split()
    found = in_batches(run, _images(split.x_test), BATCH).argmax(1)
    return {"accuracy": float((found == split.y_test).double().mean())}


ENTRIES = (
    Entry(
        name="digits",
        licence="MIT",
        source="trained here on scikit-learn's digits",
        job="accuracy on 360 test images",
        read=read,
        score=score,
        metric="accuracy",
    ),
)
