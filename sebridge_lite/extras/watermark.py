"""A mark in generated speech: one second of noise, always the same, 27 dB below the speech and in the speech's own spectrum.

The noise repeats every 1.02 s with phases from a public key, so a listener needs no original: whiten the sound, fold it
at the period, correlate with the key at every shift. Between its harmonics speech is weak, and there the mark stands out.
It outlives mp3, ogg and opus, other sampling rates from 8 kHz, levels, noise, and cuts down to about a second.
Left out: a listening test of whether it is heard, changes of speed or pitch, a marked sentence inside much other sound,
and whoever wants the mark gone: the key is public, and a mark that anybody can find anybody can remove or forge.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d
from scipy.special import ndtr

from sebridge_lite.data.manifest import resample

PERIOD = 1 << 14  # samples
BAND = slice(256, 3584)  # bins of the period's spectrum: 250 to 3500 Hz, what a telephone lets through
SNR = 27.0  # dB of speech over mark
SHAPE = 0.8  # exponent of the speech's envelope: below 1 the mark is nearer to the speech where that is weak
WIDTH, LENGTH = 41, 3  # of the envelope: bins of 16 Hz (harmonics are not followed), frames of 16 ms
FFT, HOP = 1024, 256
BLOCK = 60 * PERIOD  # samples whitened at once
FALSE_ALARMS = 1e-3
# Phases of the noise. From a hash, because generators of random numbers change between versions.
_HASH = hashlib.shake_256(b"sebridge_lite: this speech was made by a machine").digest(2 * (BAND.stop - BAND.start))
KEY = np.exp(2j * np.pi * np.frombuffer(_HASH, "<u2") / 65536)


class Mark(NamedTuple):
    score: float  # standard deviations above what an unmarked sound gives at one shift
    p: float  # chance that an unmarked sound reaches the score at any shift
    found: bool


def _stft(samples: np.ndarray) -> torch.Tensor:
    sound = torch.as_tensor(samples, dtype=torch.float32)
    return torch.stft(sound, FFT, HOP, window=torch.hann_window(FFT), pad_mode="constant", return_complex=True)


def _istft(spectrum: torch.Tensor, size: int) -> np.ndarray:
    return torch.istft(spectrum, FFT, HOP, window=torch.hann_window(FFT), length=size).numpy()


def _at_shifts(spectrum: np.ndarray) -> np.ndarray:
    """From the band's bins to a signal of one period."""
    whole = np.zeros(PERIOD // 2 + 1, complex)
    whole[BAND] = spectrum
    return np.fft.irfft(whole, PERIOD)


def embed(samples: np.ndarray) -> np.ndarray:
    """(N,) float at the mark's rate -> (N,) float32 with the mark; silence, and less than a frame, comes back as it is."""
    samples = np.asarray(samples, np.float32)
    if len(samples) < FFT:
        return samples
    power = uniform_filter1d(_stft(samples).abs().square().numpy(), WIDTH, axis=0, mode="constant")
    envelope = uniform_filter1d(power, LENGTH, axis=1, mode="constant").clip(0) ** (SHAPE / 2)
    noise = np.resize(_at_shifts(KEY), len(samples))
    mark = _istft(_stft(noise) * torch.from_numpy(envelope), len(samples))
    loud, own = np.square(samples).sum(), np.square(mark).sum()
    return samples + mark * np.sqrt(loud / own / 10 ** (SNR / 10)) if own > 0 else samples


def _folded(samples: np.ndarray) -> np.ndarray:
    """Whitened (each cell of the STFT over its own magnitude) and summed over periods. (N,) -> (PERIOD,)"""
    spectrum = _stft(samples)
    size = spectrum.abs()
    floor = 1e-3 * size.square().mean().sqrt()
    white = _istft(spectrum / (size + floor).clamp(min=1e-9), len(samples))
    return np.pad(white, (0, -len(white) % PERIOD)).reshape(-1, PERIOD).sum(0)


def scores(samples: np.ndarray, key: np.ndarray = KEY) -> np.ndarray:
    """(N,) at the mark's rate -> (PERIOD,) correlation with the key at each shift.

    Over keys of random phases each is standard normal whatever the sound, so no threshold has to be learnt.
    """
    starts = range(0, max(1, len(samples)), BLOCK)
    band = np.fft.rfft(sum(_folded(samples[start : start + BLOCK]) for start in starts))[BAND]
    scale = np.sqrt(np.square(np.abs(band)).sum() / 2)
    return _at_shifts(band * key.conj()) * (PERIOD / 2) / max(scale, 1e-9)


def detect(samples: np.ndarray, rate: int, key: np.ndarray = KEY) -> Mark:
    """Is the mark in (N,) samples at `rate`?"""
    sound = resample(np.asarray(samples), rate)
    best = float(scores(sound, key).max()) if len(sound) >= FFT else 0.0
    p = min(1.0, PERIOD * float(ndtr(-best)))
    return Mark(best, p, p < FALSE_ALARMS)
