"""Synthesised tones whose pitch is known, and how well a pitch network reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LOWEST, HIGHEST = 60.0, 1500.0
"""Pitches of the tones, Hz."""
CLOSE = 50.0
"""A reading within so many cents, half a semitone, is right."""


def tones(count: int, *, samples: int, rate: int, seed: int, snr: float = 20.0) -> tuple[Array, Array]:
    """Harmonic tones in white noise.

    Parameters
    ----------
    count, samples : int
        Tones, and samples of each.
    rate : int
        Samples a second.
    seed : int
    snr : float
        Power of the tone over that of the noise, dB.

    Returns
    -------
    sound : ndarray, shape (count, samples)
        Up to 12 harmonics below half the rate, random phases, amplitudes 1 / k times a random factor in [0.5, 1.5].
    pitch : ndarray, shape (count,)
        Hz, log-uniform in [60, 1500].
    """
    rng = np.random.default_rng(seed)
    pitch = np.exp(rng.uniform(np.log(LOWEST), np.log(HIGHEST), count))
    order = np.arange(1, 13)
    loud = rng.uniform(0.5, 1.5, (count, len(order))) / order * (np.outer(pitch, order) < rate / 2)
    phase = rng.uniform(0, 2 * np.pi, (count, len(order)))
    time = np.arange(samples) / rate
    sound = np.zeros((count, samples))
    for k in order:
        angle = 2 * np.pi * k * pitch[:, None] * time + phase[:, k - 1, None]
        sound += loud[:, k - 1, None] * np.sin(angle)
    power = np.sqrt(np.mean(sound**2, axis=1, keepdims=True) * 10 ** (-snr / 10))
    return sound + power * rng.standard_normal(sound.shape), pitch


def cents_off(found: Array, pitch: Array) -> Array:
    """How far readings are from the true pitches, cents, shape (count,).

    Examples
    --------
    >>> cents_off(np.array([440.0]), np.array([220.0])).tolist()
    [1200.0]
    """
    off: Array = np.abs(1200 * np.log2(found / pitch))
    return off


def pitch_score(found: Array, pitch: Array) -> dict[str, float]:
    """Share of the readings within 50 cents, and the median and mean distances in cents."""
    off = cents_off(found, pitch)
    return {
        "share_within_50_cents": float(np.mean(off <= CLOSE)),
        "median_cents": float(np.median(off)),
        "mean_cents": float(np.mean(off)),
    }
