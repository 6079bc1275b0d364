"""Plans to sound: a source and a filter, for a whole batch at once.

A glottal pulse (KLGLOTT88, Klatt & Klatt 1990) plus breath noise goes through a cascade of resonators, frication noise
through one of its own. The filters are evaluated as spectra every 5 ms and applied by overlap-add. Left out: coupling
of source and tract, subglottal resonances, cheeks, lips, room and microphone.
"""

from collections.abc import Sequence

import numpy as np
import torch

from sebridge_lite.core.seeds import seed_of
from sebridge_lite.studio.phones import PAUSE, PHONES, is_vowel
from sebridge_lite.studio.prosody import EDGE_CLOSURE, HOP, Plan
from sebridge_lite.studio.voices import Voice

SR = 16_000
STEP = 80  # samples between filters: 5 ms
NFFT = 640  # a window of 2 steps and 30 ms of ringing: shorter would click under dark vowels
TAIL = NFFT // STEP - 1  # steps that a window reaches beyond itself
GAP = TAIL + 1  # silent steps between utterances, so that none rings into the next
BLOCK = 1024  # windows filtered at once: what the processor's cache holds
LEVEL, CEILING = 0.085, 10 ** (-3 / 20)  # RMS aimed at, and the peak never exceeded
FRICATION_GAIN = 2.4  # brings noise of amplitude 1 to the level of an open vowel
NAMES = list(PHONES)
INDEX = {name: i for i, name in enumerate(NAMES)}
NASAL_WIDTH = 100.0
_POWERS = np.exp(-2j * np.pi * np.outer(np.arange(12), np.arange(NFFT // 2 + 1)) / NFFT)  # of 1/z, at each bin


def _column(name: str) -> np.ndarray:
    return np.array([getattr(phone, name) for phone in PHONES.values()], dtype=float)


_START = _column("formants")  # (phones, 4)
_END = np.array([phone.end or phone.formants for phone in PHONES.values()])
_PULL, _BANDWIDTHS, _BAND = _column("pull"), _column("bandwidths"), _column("noise_band")
_NASAL = np.array([phone.nasal or (1000.0, 1000.0) for phone in PHONES.values()])
_AMPS = np.stack([_column(name) for name in ("voicing", "aspiration", "noise")], axis=1)
_CLOSURE, _BURST, _DULL, _GLIDE = (_column(name) for name in ("closure", "burst", "dull", "glide_ms"))
_IS_VOWEL = np.array([is_vowel(name) for name in NAMES])


def _pulse_tables(harmonics: np.ndarray, size: int = 2048, open_share: float = 0.6) -> np.ndarray:
    """One period of glottal flow derivative for each number of harmonics, so that no pitch aliases. (tables, size)"""
    t = np.arange(8 * size) / (8 * size)
    flow = np.where(t < open_share, 2 * t / open_share - 3 * (t / open_share) ** 2, 0.0)
    spectrum = np.fft.rfft(flow)[: size // 2 + 1] / 8
    spectrum[0] = 0
    kept = np.arange(size // 2 + 1) <= harmonics[:, None]
    tables = np.fft.irfft(spectrum * kept, size)
    return (tables / tables.std(axis=1, keepdims=True)).astype(np.float32)


_TOP_F0 = 50 * 2 ** (np.arange(1, 43) / 12)  # a table a semitone, up to 566 Hz
_TABLES = _pulse_tables(np.floor(7600 / _TOP_F0))


class _Batch:
    """The phones of all utterances in one row, and where they lie on the common axis of 5 ms steps."""

    def __init__(self, plans: Sequence[Plan], voices: Sequence[Voice]):
        per = HOP // STEP
        self.steps = np.array([per * len(plan.frames) for plan in plans])
        self.begin = np.cumsum(np.append(0, self.steps + GAP)[:-1]) + 1
        self.total = int(self.begin[-1] + self.steps[-1] + GAP)
        self.inside = np.concatenate([b + np.arange(n) for b, n in zip(self.begin, self.steps, strict=True)])
        self.phone = np.array([INDEX[p] for plan in plans for p in plan.phones])
        self.length = per * np.array([d for plan in plans for d in plan.durations])
        counts = [len(plan.phones) for plan in plans]
        self.first = np.cumsum([0, *counts[:-1]])
        self.start = self.inside[np.cumsum(self.length) - self.length]
        self.vowel = self._vowels(plans, np.repeat(np.arange(len(plans)), counts))
        self.closed = self._closed(per)
        owner = np.searchsorted(self.begin, np.arange(self.total), side="right") - 1
        self.owner = np.maximum(owner, 0)  # the utterance of each step
        self.tract = np.array([voice.tract for voice in voices])[self.owner]
        self.breath = np.array([voice.breath for voice in voices])[self.owner]

    def _vowels(self, plans: Sequence[Plan], utterance: np.ndarray) -> np.ndarray:
        """The phone that is the vowel of each phone's syllable; a pause is its own."""
        syllables = np.array([s for plan in plans for s in plan.syllables])
        key = utterance * 10**6 + syllables
        is_vowel = np.flatnonzero(_IS_VOWEL[self.phone])
        found = is_vowel[np.minimum(np.searchsorted(key[is_vowel], key), len(is_vowel) - 1)]
        return np.where(syllables < 0, np.arange(len(key)), found)

    def _closed(self, per: int) -> np.ndarray:
        """Steps for which each phone is shut; a stop after its vowel is not released."""
        stop, coda = _CLOSURE[self.phone] > 0, np.arange(len(self.phone)) > self.vowel
        share = np.where(coda & stop, 1.0, _CLOSURE[self.phone])
        burst = 2 * ((_BURST[self.phone] > 0) & ~coda)
        closed = np.minimum(np.rint(share * self.length), self.length - burst)
        closed[self.first] = np.minimum(closed[self.first], per * EDGE_CLOSURE)
        return closed.astype(int)

    def by_step(self, values: np.ndarray, gap: float = 0.0) -> np.ndarray:
        """A value for each phone, repeated over its steps."""
        track = np.full((self.total, *values.shape[1:]), gap)
        track[self.inside] = np.repeat(values, self.length, axis=0)
        return track


def _formants(batch: _Batch) -> tuple[np.ndarray, np.ndarray]:
    """F1 to F4 of each step (steps, 4), and where each phone starts (phones, 4): locus leaning to its vowel."""
    phone, vowel = batch.phone, batch.vowel
    before = np.arange(len(phone)) < vowel
    near = np.where(before[:, None], _START[phone[vowel]], _END[phone[vowel]])
    start, end = (f[phone] + _PULL[phone] * (near - f[phone]) for f in (_START, _END))
    glide = np.rint(_GLIDE[phone] / 5)
    inner, outer = np.minimum(glide, 0.35 * batch.length), np.minimum(glide, 0.45 * batch.length)
    outer = np.where(batch.closed > 0, batch.length - batch.closed, outer)
    final = np.append(batch.first[1:], len(phone)) - 1
    inner[batch.first], outer[final] = 0, 0
    inner[batch.closed > 0] = 0
    keep = phone != INDEX[PAUSE]
    times = np.stack([batch.start + inner, batch.start + batch.length - outer], axis=1)[keep].ravel()
    values = np.stack([start, end], axis=1)[keep].reshape(-1, 4)
    steps = np.arange(batch.total)
    tracks = np.stack([np.interp(steps, times, values[:, k]) for k in range(4)], axis=1)
    return tracks, start


def _amplitudes(batch: _Batch, plans: Sequence[Plan]) -> np.ndarray:
    """Voicing, breath and frication of each step (steps, 3), with closures, bursts and the energy of the plan."""
    tracks = batch.by_step(_AMPS[batch.phone])
    place = np.arange(batch.total) - batch.by_step(batch.start)
    shut = batch.by_step(batch.closed)
    tracks[place < shut, 1:] = 0
    burst = (place >= shut) & (place < shut + 2) & (shut > 0)
    tracks[burst, 1] = 0
    tracks[burst, 2] = np.maximum(tracks[burst, 2], batch.by_step(_BURST[batch.phone])[burst])
    for k in (0, 1):
        tracks[:, k] = np.convolve(tracks[:, k], [0.25, 0.5, 0.25], mode="same")
    tracks[:, 1] += batch.breath * tracks[:, 0]
    tracks[:, 2] *= FRICATION_GAIN
    loud = np.ones(batch.total)
    loud[batch.inside] = np.repeat(10 ** (np.concatenate([plan.energy for plan in plans]) / 20), HOP // STEP)
    return tracks * loud[:, None]


def _section(frequency: np.ndarray, bandwidth: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """z^-1 and z^-2 coefficients of a second-order section."""
    r = np.exp(-np.pi * bandwidth / SR)
    return -2 * r * np.cos(2 * np.pi * frequency / SR), r * r


def _times(poly: np.ndarray, section: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    out = np.pad(poly, ((0, 0), (0, 2)))
    out[:, 1:-1] += np.reshape(section[0], (-1, 1)) * poly
    out[:, 2:] += np.reshape(section[1], (-1, 1)) * poly
    return out


def _tract_filter(batch: _Batch, formants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerator (steps, 3) and denominator (steps, 12) of the vocal tract, unity at 0 Hz."""
    widths = _ramp(batch.by_step(_BANDWIDTHS[batch.phone], gap=100.0))
    poles, zeros = (_ramp(batch.by_step(_NASAL[batch.phone], gap=1000.0)) / batch.tract[:, None]).T
    dull = _ramp(batch.by_step(_DULL[batch.phone]))
    heard = np.minimum(formants / batch.tract[:, None], 7600)
    poly = np.stack([np.ones(batch.total), -dull], axis=1)
    for section in [_section(heard[:, k], widths[:, k]) for k in range(4)] + [_section(poles, NASAL_WIDTH)]:
        poly = _times(poly, section)
    zero = _times(np.ones((batch.total, 1)), _section(zeros, NASAL_WIDTH))
    return zero * (poly.sum(axis=1) / zero.sum(axis=1))[:, None], poly


def _ramp(tracks: np.ndarray) -> np.ndarray:
    """Moves of 15 ms instead of steps."""
    return (tracks + np.roll(tracks, 1, axis=0) + np.roll(tracks, -1, axis=0)) / 3


def _voice_response(voice: Voice) -> np.ndarray:
    """What of the spectrum never changes in a voice: the resonances above F4 and the darkness of its source."""
    z = _POWERS[1]
    response = (1 - 0.5 * voice.tilt) / (1 - 0.5 * voice.tilt * z)
    for frequency, bandwidth in ((4500, 300), (5500, 400), (6500, 500)):
        b, c = _section(np.minimum(frequency / voice.tract, 7600), bandwidth)
        response *= (1 + b + c) / (1 + b * z + c * z * z)
    return response


def _source(batch: _Batch, plans: Sequence[Plan], voices: Sequence[Voice], seeds: Sequence[int]) -> tuple:
    """Glottal pulses and noise of every sample, as rows of one step. (steps, 80) each"""
    pulses, noise = (np.zeros((batch.total, STEP), dtype=np.float32) for _ in range(2))
    for plan, voice, seed, begin, steps in zip(plans, voices, seeds, batch.begin, batch.steps, strict=True):
        if voice.kind == "engine":  # whose breath depends on what it says and on nothing else
            seed = seed_of(plan.lang, plan.voice, *plan.phones, *plan.tones)
        rng = np.random.default_rng(seed)
        noise[begin : begin + steps] = rng.standard_normal((steps, STEP), dtype=np.float32)
        pulses[begin : begin + steps] = _pulses(plan, voice, rng).reshape(steps, STEP)
    return pulses, noise


def _pulses(plan: Plan, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    samples = len(plan.frames) * HOP
    voiced = np.flatnonzero(plan.f0 > 0)
    steps = np.arange(samples // STEP + 1) * STEP
    f0 = np.interp(steps, voiced * HOP + HOP // 2, plan.f0[voiced])
    if voice.style.jitter:
        f0 *= 1 + voice.style.jitter * np.clip(rng.standard_normal(len(f0)), -3, 3)
    f0 = np.interp(np.arange(samples), steps, f0)
    phase = np.cumsum(f0) / SR % 1 * _TABLES.shape[1]
    table = np.searchsorted(_TOP_F0, f0)
    return _TABLES[table, phase.astype(np.int32)]


def _frication(batch: _Batch, loci: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Spectra of the noise made at the constriction, all of equal power, for the active steps only. (active, bins)"""
    band = _BAND[batch.phone].copy()
    follows = band[:, 0] == 0
    band[follows, 0] = 1.1 * loci[follows, 1]
    centre, width = np.minimum(batch.by_step(band, gap=1000.0)[active] / batch.tract[active, None], 7000).T
    b, c = (part.astype(np.float32)[:, None] for part in _section(centre, width))
    z = _POWERS[1].astype(np.complex64)
    spectra = (1 - 0.9 * z) / (1 + b * z + c * z * z)
    return spectra / np.sqrt((np.abs(spectra) ** 2).mean(axis=1, keepdims=True))


def _windows(rows: np.ndarray, gains: np.ndarray) -> torch.Tensor:
    """Hann windows of two steps around each step boundary. (steps, 160)"""
    windows = np.empty((len(rows), 2 * STEP), dtype=np.float32)
    windows[0, :STEP], windows[1:, :STEP], windows[:, STEP:] = 0, rows[:-1], rows
    hann = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * STEP) / STEP)
    return torch.from_numpy(windows * (gains.astype(np.float32)[:, None] * hann.astype(np.float32)))


def _response(poly: np.ndarray) -> torch.Tensor:
    """In double precision: near 0 Hz the terms of the product cancel, and single precision clicks. (rows, bins)"""
    powers = _POWERS[: poly.shape[1]]
    return torch.complex(*(torch.from_numpy((poly @ part).astype(np.float32)) for part in (powers.real, powers.imag)))


def _row(batch: _Batch, plans: Sequence[Plan], voices: Sequence[Voice], seeds: Sequence[int]) -> np.ndarray:
    """The sound of all utterances in one row. (steps, 80)"""
    pulses, noise = _source(batch, plans, voices, seeds)
    amps = _amplitudes(batch, plans)
    formants, loci = _formants(batch)
    zeros, poles = _tract_filter(batch, formants)
    glottis = _windows(pulses, amps[:, 0]) + _windows(noise, amps[:, 1])
    active = np.flatnonzero(amps[:, 2] > 0)
    hiss, spectra = _windows(noise, amps[:, 2])[active], torch.from_numpy(_frication(batch, loci, active))
    timbre = torch.from_numpy(np.stack([_voice_response(voice) for voice in voices]).astype(np.complex64))
    owner = torch.from_numpy(batch.owner)
    out = torch.zeros(batch.total + TAIL + 1, STEP)  # one step of lead: the first half of the first window
    for at in range(0, batch.total, BLOCK):
        rows = slice(at, at + BLOCK)
        spectrum = torch.fft.rfft(glottis[rows], NFFT) * timbre[owner[rows]] * _response(zeros[rows])
        spectrum /= _response(poles[rows])
        lo, hi = np.searchsorted(active, [at, at + BLOCK])
        if lo < hi:
            spectrum[torch.from_numpy(active[lo:hi] - at)] += torch.fft.rfft(hiss[lo:hi], NFFT) * spectra[lo:hi]
        pieces = torch.fft.irfft(spectrum, NFFT).view(-1, NFFT // STEP, STEP)
        for k in range(NFFT // STEP):
            out[at + k : at + k + len(pieces)] += pieces[:, k]
    return out.numpy()[1:]


def _levelled(sound: np.ndarray) -> np.ndarray:
    gain = min(LEVEL / np.sqrt(np.mean(sound**2)), CEILING / np.abs(sound).max())
    return np.rint(sound * (gain * 32767)).astype(np.int16)


def render(plans: Sequence[Plan], voices: Sequence[Voice], seeds: Sequence[int]) -> list[np.ndarray]:
    """Samples int16 at 16 kHz, `len(plan.frames) * 160` of each plan; a seed is the noise of a person, engines ignore it."""
    batch = _Batch(plans, voices)
    sound = _row(batch, plans, voices, seeds)
    return [_levelled(sound[b : b + n].ravel()) for b, n in zip(batch.begin, batch.steps, strict=True)]
