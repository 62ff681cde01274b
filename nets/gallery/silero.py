"""Silero VAD, a voice-activity network: a spectrum and four convolutions on each 32 ms, an LSTM, one sigmoid output.

The package silero-vad holds it as an ONNX file that takes a whole sequence of frames, each with the last 64 samples of
the one before it.
"""

from __future__ import annotations

import numpy as np
import torch

from nets.gallery.entry import Entry, Loaded, Run, package_file
from nets.gallery.speech import FRAME, Array, auc, clips, missing

FRAMES, CONTEXT = 256, 64


def windows(sound: Array) -> torch.Tensor:
    """A clip of 256 frames as the network takes it, shape (256, 576)."""
    frames = sound.reshape(FRAMES, FRAME)
    before = np.zeros((FRAMES, CONTEXT))
    before[1:] = frames[:-1, -CONTEXT:]
    return torch.tensor(np.concatenate([before, frames], axis=1), dtype=torch.float32)


def _inputs(sound: Array) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return windows(sound), torch.zeros(1, 1, 128), torch.zeros(1, 1, 128)


def score(run: Run) -> dict[str, float]:
    """How well the outputs part the frames with speech from the others, over eight clips."""
    sound, speech = clips(FRAMES)
    with torch.inference_mode():
        found = np.stack([run(*_inputs(clip)).flatten().double().numpy() for clip in sound])
    return {
        "frame_auc": auc(found.ravel(), speech.ravel()),
        "frame_accuracy": float(np.mean((found > 0.5) == speech)),
    }


def read() -> Loaded:
    """The ONNX file, and two clips."""
    path = package_file("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx")
    sound, _ = clips(FRAMES)
    return Loaded(path, _inputs(sound[0]), _inputs(sound[1]))


ENTRIES = (
    Entry(
        name="silero-vad",
        package="silero-vad==6.2.3",
        licence="MIT",
        source="Silero Team, silero-vad 6.2.3",
        job="frames with speech in eight noisy clips by espeak-ng",
        read=read,
        score=score,
        metric="frame_auc",
        missing=missing,
    ),
)
