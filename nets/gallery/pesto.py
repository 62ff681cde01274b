"""PESTO, a pitch network of one-dimensional convolutions over the constant-Q spectrum of one moment.

Layer norm, a convolution and two more whose inputs are added to their outputs, all over 39 bins; four convolutions over
1 bin; a dense layer whose matrix is Toeplitz, which is a convolution over 1040 bins; softmax over 384 thirds of a
semitone. Described in Riou et al. 2023, "PESTO: pitch estimation with self-supervised transposition-equivariant
objective" (arXiv:2309.02265). The weights, in the package pesto-pitch, are under the LGPL; they are read where they
are and nothing of the package is in here.
"""

from __future__ import annotations

import collections

import numpy as np
import torch
from torch import nn

from nets.gallery.constant_q import spectrum
from nets.gallery.entry import Entry, Loaded, Run, in_batches, package_file
from nets.gallery.tones import Array, pitch_score, tones

RATE, SAMPLES = 16000, 4096
BINS, CROP = 251, 16
"""Bins of the spectrum, and how many at its lower end the network does not see."""
SEEN, OUTPUTS, THIRDS = 219, 384, 3
GAMMA = 7.0
SHIFT = 20
"""The output of MIDI note 0; the checkpoint says 6.678 semitones, which is 20 thirds."""
LOWEST = 27.5 * 2 ** (-1 / 36)
"""Hz; the three bins of a semitone lie about its centre."""
BATCH, TONES = 16, 192


class Pesto(nn.Module):
    """The encoder: (batch, 1, 219) logarithms of power in, (batch, 384) shares out."""

    def __init__(self) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm((1, SEEN))
        self.conv1 = self._wide(1)
        self.prefilt_layers = nn.ModuleList(self._wide(40) for _ in range(2))
        narrow: list[nn.Module] = []
        for inner, outer in ((40, 30), (30, 30), (30, 10), (10, 3)):
            narrow += [nn.Conv1d(inner, outer, 1), nn.LeakyReLU(0.3), nn.Identity()]
        self.conv_layers = nn.Sequential(*narrow)
        self.fc = nn.Conv1d(1, 1, 3 * SEEN + OUTPUTS - 1, padding=OUTPUTS - 1, bias=False)

    @staticmethod
    def _wide(inner: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv1d(inner, 40, 39, padding=19), nn.LeakyReLU(0.3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(self.layernorm(x))
        for layer in self.prefilt_layers:
            x = x + layer(x)
        x = self.conv_layers(x)
        return torch.softmax(self.fc(x.flatten(1).unsqueeze(1)).squeeze(1), dim=-1)


def moments(count: int, seed: int) -> tuple[torch.Tensor, Array]:
    """Tones as the network takes them, and their pitches in Hz."""
    sound, pitch = tones(count, samples=SAMPLES, rate=RATE, seed=seed)
    sound /= np.abs(sound).max(axis=1, keepdims=True)
    loud = spectrum(sound, rate=RATE, lowest=LOWEST, bins=BINS, octave=12 * THIRDS, gamma=GAMMA)
    return torch.tensor(loud[:, None, CROP : CROP + SEEN], dtype=torch.float32), pitch


class _Setting:
    """Stands for a class of the checkpoint's settings, which are not needed; it keeps nothing and runs nothing."""

    def __setstate__(self, state: object) -> None:
        """Forget it."""


_SETTINGS = (
    "listconfig.ListConfig",
    "dictconfig.DictConfig",
    "base.ContainerMetadata",
    "base.Metadata",
    "nodes.AnyNode",
)


def network() -> Pesto:
    """With its weights, in eval mode."""
    known = [(_Setting, f"omegaconf.{name}") for name in _SETTINGS] + [(_Setting, "typing.Any")]
    path = package_file("pesto-pitch", "pesto/weights/mir-1k_g7.ckpt")
    with torch.serialization.safe_globals([*known, list, dict, int, collections.defaultdict]):
        weights = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    found = Pesto()
    prefix = "encoder."
    found.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    return found.eval()


def decode(outputs: torch.Tensor, shift: int) -> Array:
    """Pitches in Hz: the mean of the outputs within 2 of the largest, weighted; ``shift`` outputs below is MIDI 0."""
    likely = outputs.double().numpy()
    place = np.arange(OUTPUTS)
    near = likely * (np.abs(place - likely.argmax(axis=1)[:, None]) <= 2)
    found: Array = 440 * 2 ** (((near @ place / near.sum(axis=1) - shift) / THIRDS - 69) / 12)
    return found


def score(run: Run) -> dict[str, float]:
    """Pitch of 192 noisy harmonic tones."""
    inputs, pitch = moments(TONES, seed=1)
    return pitch_score(decode(in_batches(run, inputs, BATCH), SHIFT), pitch)


def read() -> Loaded:
    """The network and 32 tones."""
    inputs, _ = moments(2 * BATCH, seed=2)
    return Loaded(network(), (inputs[:BATCH],), (inputs[BATCH:],))


ENTRIES = (
    Entry(
        name="pesto",
        package="pesto-pitch==2.0.1",
        licence="LGPL-3.0",
        source="Riou et al. 2023 (arXiv:2309.02265), weights in pesto-pitch 2.0.1",
        job="pitch of 192 noisy harmonic tones, 60 to 1500 Hz",
        read=read,
        score=score,
        metric="share_within_50_cents",
    ),
)
