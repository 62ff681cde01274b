"""Speech by the program espeak-ng, in noise and in music-like chords, with the frames that are speech."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

RATE, FRAME = 16000, 512
SENTENCES = (
    ("en-us", "The north wind and the sun were disputing which was the stronger."),
    ("en-gb+f3", "A traveller came along, wrapped in a warm cloak."),
    ("en-us+m3", "Please bring these things with you from the store."),
    ("en-gb+f4", "She had your dark suit in greasy wash water all year."),
    ("de", "Einst stritten sich Nordwind und Sonne, wer von ihnen der Stärkere wäre."),
    ("fr", "La bise et le soleil se disputaient, chacun assurant qu'il était le plus fort."),
    ("es", "El viento norte y el sol discutían sobre cuál de ellos era el más fuerte."),
    ("en-us+f2", "Six spoons of fresh snow peas, five thick slabs of blue cheese."),
)
"""Voices of espeak-ng and what they say; one clip each."""
THRESHOLD = -35.0
"""A frame is speech where the clean voice is louder than this, dB under its loudest frame."""


def missing() -> str | None:
    """None where espeak-ng is there; otherwise what to install."""
    found = shutil.which("espeak-ng")
    return None if found else "needs the program espeak-ng for its speech: apt-get install espeak-ng"


def say(voice: str, text: str) -> Array:
    """A sentence, 16 kHz, largest sample 1."""
    from scipy.signal import resample_poly

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], check=True, capture_output=True)
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(float)
    common = np.gcd(rate, RATE)
    sound = resample_poly(sound, RATE // common, rate // common)
    found: Array = sound / np.abs(sound).max()
    return found


def chords(samples: int, rng: np.random.Generator) -> Array:
    """Two chords a second, of three decaying harmonic notes each; largest sample 1."""
    sound = np.zeros(samples)
    for start in range(0, samples, RATE // 2):
        time = np.arange(min(RATE, samples - start)) / RATE
        for note in rng.choice(np.arange(-12, 24), 3, replace=False):
            pitch = 220 * 2 ** (note / 12)
            for k in range(1, 6):
                sound[start : start + len(time)] += np.sin(2 * np.pi * k * pitch * time) * np.exp(-3 * time) / k
    found: Array = sound / np.abs(sound).max()
    return found


@functools.cache
def clips(frames: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Eight clips: a sentence somewhere in white noise (even ones) or chords (odd ones), 10 dB under the speech.

    Returns
    -------
    sound : ndarray, shape (8, 512 * frames)
    speech : ndarray of bool, shape (8, frames)
    """
    rng = np.random.default_rng(3)
    sound, speech = np.zeros((len(SENTENCES), FRAME * frames)), np.zeros((len(SENTENCES), frames), dtype=bool)
    for i, (voice, text) in enumerate(SENTENCES):
        said = say(voice, text)[: FRAME * frames]
        clean = np.zeros(FRAME * frames)
        start = int(rng.integers(0, len(clean) - len(said) + 1))
        clean[start : start + len(said)] = said
        other = chords(len(clean), rng) if i % 2 else rng.standard_normal(len(clean))
        power = np.mean(said**2) / np.mean(other**2) / 10
        sound[i] = 0.5 * (clean + np.sqrt(power) * other)
        loud = np.sqrt(np.mean(clean.reshape(frames, FRAME) ** 2, axis=1))
        speech[i] = loud > loud.max() * 10 ** (THRESHOLD / 20)
    return sound, speech


def auc(scores: Array, positive: npt.NDArray[np.bool_]) -> float:
    """Part of the pairs, one positive and one not, that the scores put in order; ties count half.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True]))
    0.875
    """
    from scipy.stats import rankdata

    wins = rankdata(scores)[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))
