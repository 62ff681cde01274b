"""The gallery's own sounds and spectra: against Fourier transforms, hand calculations and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from nets.gallery import constant_q, crepe, pesto, silero, speech
from nets.gallery.tones import cents_off, pitch_score, tones


def test_tones_are_harmonics_of_their_pitch_in_noise_of_the_stated_power() -> None:
    rate, samples = 16000, 16000
    clean, pitch = tones(20, samples=samples, rate=rate, seed=5, snr=300.0)
    noisy, same = tones(20, samples=samples, rate=rate, seed=5, snr=20.0)
    assert np.array_equal(pitch, same)
    assert np.all((pitch >= 60) & (pitch <= 1500))
    power = np.mean(clean**2, axis=1) / np.mean((noisy - clean) ** 2, axis=1)
    assert np.allclose(10 * np.log10(power), 20, atol=0.3)
    spectra = np.abs(np.fft.rfft(clean * np.hanning(samples), axis=1)) ** 2
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    for one, spectrum in zip(pitch, spectra, strict=True):
        near = np.abs(frequency / one - np.round(frequency / one)) * one <= 4
        assert spectrum[near].sum() > 0.999 * spectrum.sum()
        assert spectrum[np.abs(frequency - one) <= 2].sum() > 0.2 * spectrum.sum()


def test_cents_and_scores_by_hand() -> None:
    pitch = np.array([100.0, 100.0, 100.0, 100.0])
    found = 100 * 2 ** (np.array([0, 40, -60, 1200]) / 1200)
    assert np.allclose(cents_off(found, pitch), [0, 40, 60, 1200])
    score = pitch_score(found, pitch)
    assert score == pytest.approx({"share_within_50_cents": 0.5, "median_cents": 50, "mean_cents": 325})


def test_decoders_read_a_peak_between_two_outputs() -> None:
    import torch

    outputs = torch.zeros(2, 360)
    outputs[0, 100], outputs[1, 100], outputs[1, 101] = 1, 0.5, 0.5
    outputs[:, 300] = 0.4  # far from the peak: does not count
    cents = 1200 * np.log2(crepe.decode(outputs) / 10)
    assert np.allclose(cents, 1997.3794084376191 + 20 * np.array([100, 100.5]))
    shares = torch.zeros(1, 384)
    shares[0, 20 + 3 * 69] = 1
    assert pesto.decode(shares, 20)[0] == pytest.approx(440)


@pytest.mark.parametrize("gamma", [0.0, 7.0])
@pytest.mark.parametrize("bin_", [12, 40, 71])
def test_a_pure_tone_is_loudest_in_its_bin_and_as_loud_as_its_window_says(gamma: float, bin_: int) -> None:
    rate, lowest, octave, samples = 16000, 220.0, 24, 8192
    pitch = lowest * 2 ** (bin_ / octave)
    sound = 0.8 * np.sin(2 * np.pi * pitch * np.arange(samples) / rate + 0.3)[None]
    found = constant_q.spectrum(sound, rate=rate, lowest=lowest, bins=80, octave=octave, gamma=gamma)[0]
    assert found.argmax() == bin_
    q = 1 / (2 ** (1 / octave) - 1)
    length = np.ceil(q * rate / (pitch + gamma * q))
    assert found[bin_] == pytest.approx(2 * np.log(0.4 * np.sqrt(length)), abs=2e-3)
    waves = constant_q.kernels(samples, rate, lowest, 80, octave, gamma)
    assert np.allclose(np.abs(waves).sum(axis=1), 1)
    middle = (np.abs(waves) * np.arange(samples)).sum(axis=1)
    assert np.all(np.abs(middle - samples / 2) <= 1)


def test_a_sound_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="got samples=512"):
        constant_q.spectrum(np.zeros((1, 512)), rate=16000, lowest=55.0, bins=3, octave=36, gamma=0.0)


def test_auc_is_the_part_of_ordered_pairs() -> None:
    rng = np.random.default_rng(4)
    scores, positive = rng.integers(0, 8, 60).astype(float), rng.random(60) < 0.3
    wins = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert speech.auc(scores, positive) == pytest.approx(np.mean(wins))


def test_clips_hold_speech_where_they_say() -> None:
    reason = speech.missing()
    if reason is not None:
        pytest.skip(reason)
    frames = 256
    sound, marked = speech.clips(frames)
    assert sound.shape == (8, 512 * frames)
    assert np.all((marked.sum(axis=1) > 40) & (marked.sum(axis=1) < 200))
    loud = np.sqrt(np.mean(sound.reshape(8, frames, 512) ** 2, axis=2))
    for one, where in zip(loud[::2], marked[::2], strict=True):  # in white noise, which is equally loud everywhere
        assert one[where].mean() > 1.5 * one[~where].mean()
        assert one[~where].std() < 0.2 * one[~where].mean()


def test_windows_overlap_by_what_the_network_remembers() -> None:
    sound = np.arange(256 * 512.0)
    found = silero.windows(sound).numpy()
    assert found.shape == (256, 576)
    assert np.array_equal(found[0], [*np.zeros(64), *range(512)])
    assert np.array_equal(found[7], np.arange(7 * 512 - 64, 8 * 512))
