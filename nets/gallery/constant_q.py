"""The constant-Q spectrum in the middle of a sound, as a pitch network's front end takes it."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@functools.cache
def kernels(samples: int, rate: int, lowest: float, bins: int, octave: int, gamma: float) -> npt.NDArray[np.complex128]:
    """Hann-windowed complex waves, centred at sample ``samples // 2``, each of sum 1 in absolute value.

    The window of frequency f is q rate / (f + gamma q) long, q = 1 / (2^(1/octave) - 1): gamma = 0 is a constant
    number of periods, gamma > 0 Hz shortens the low ones (Schörkhuber et al. 2014, the variable-Q transform).

    Returns
    -------
    ndarray, shape (bins, samples)
    """
    q = 1 / (2 ** (1 / octave) - 1)
    found = np.zeros((bins, samples), dtype=np.complex128)
    for i in range(bins):
        pitch = lowest * 2 ** (i / octave)
        length = math.ceil(q * rate / (pitch + gamma * q))
        start = math.ceil(samples / 2 - length / 2) - length % 2
        if start < 0:
            raise ValueError(f"samples must be at least {length}, the window at {pitch:.1f} Hz, got samples={samples}")
        place = np.arange(length)
        window = (0.5 - 0.5 * np.cos(2 * np.pi * place / length)) * np.exp(-2j * np.pi * pitch / rate * place)
        found[i, start : start + length] = window / np.abs(window).sum()
    return found


def spectrum(sound: Array, *, rate: int, lowest: float, bins: int, octave: int, gamma: float) -> Array:
    """Logarithm of the power in the middle of each sound.

    Parameters
    ----------
    sound : ndarray, shape (count, samples)
    rate : int
        Samples a second.
    lowest : float
        Frequency of the first bin, Hz.
    bins, octave : int
        Bins in all, and bins in an octave.
    gamma : float
        Hz; see `kernels`.

    Returns
    -------
    ndarray, shape (count, bins)
    """
    waves = kernels(sound.shape[1], rate, lowest, bins, octave, gamma)
    lengths = np.count_nonzero(waves, axis=1) + 1
    found: Array = 2 * np.log(np.abs(sound @ waves.T) * np.sqrt(lengths) + 2.0**-23)
    return found
