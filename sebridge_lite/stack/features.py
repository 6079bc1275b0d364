"""Log-mel, pitch and energy of a batch of waveforms, 50 frames a second: frame t covers the samples around 320 t + 160.

A batch is padded with zeros at its end, and every feature of a valid frame is the same alone and in a batch. Left out:
pre-emphasis, dither, mean normalisation (the networks do their own), pitch by a network.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torchaudio.transforms import MelSpectrogram

from sebridge_lite.core.errors import UserError

SAMPLE_RATE, HOP, FRAME_RATE = 16_000, 320, 50
N_FFT, WINDOW, MELS = 1024, 800, 80  # the window, 50 ms, holds three periods of the lowest pitch
MEL_FLOOR, DB_FLOOR = 1e-5, -100.0
F0_MIN, F0_MAX = 60.0, 500.0
LAGS = torch.arange(int(SAMPLE_RATE / F0_MIN) + 3)  # two more than the longest period, for the parabola at its peak
CANDIDATES = 6
CUTOFF = 2000.0  # Hz: what lies above makes the peaks of the autocorrelation too narrow for a parabola
# Praat's defaults, except for silence (0.03 there), which also drops the murmur of closures and the hiss of a vocoder.
SILENCE, VOICED = 0.06, 0.45
OCTAVE_COST, JUMP_COST, SWITCH_COST = 0.01, 0.35, 0.14


def _checked(audio: torch.Tensor) -> torch.Tensor:
    if audio.ndim != 2 or audio.shape[1] < HOP:
        raise UserError(
            f"audio of shape {tuple(audio.shape)}: features need (B, N) with at least {HOP} samples (20 ms)"
        )
    return audio.float()


@lru_cache
def _mel_transform(device: torch.device) -> MelSpectrogram:
    mel = MelSpectrogram(
        SAMPLE_RATE, N_FFT, WINDOW, HOP, n_mels=MELS, power=1, norm="slaney", mel_scale="slaney", center=False
    )
    return mel.to(device)


def log_mel(audio: torch.Tensor) -> torch.Tensor:
    """Natural log of the mel magnitudes, differentiable. (B, N) -> (B, N // 320, 80)"""
    side = (N_FFT - HOP) // 2
    with torch.autocast(audio.device.type, enabled=False):
        mel = _mel_transform(audio.device)(F.pad(_checked(audio), (side, side)))
        return mel.clamp(min=MEL_FLOOR).log().transpose(1, 2)


def _frames(audio: torch.Tensor) -> torch.Tensor:
    """Windows of 50 ms around the frames. (B, N) -> (B, N // 320, 800)"""
    side = (WINDOW - HOP) // 2
    return F.pad(_checked(audio), (side, side)).unfold(1, WINDOW, HOP)


def energy_db(audio: torch.Tensor) -> torch.Tensor:
    """Root mean square in dB of full scale, not below -100. (B, N) -> (B, N // 320)"""
    window = torch.hann_window(WINDOW, device=audio.device)
    power = (_frames(audio).square() * window).sum(-1) / window.sum()
    return (10 * power.clamp(min=1e-20).log10()).clamp(min=DB_FLOOR)


def _autocorrelation(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the windowed frames, over the window's own, so that a period scores 1 at any lag; and each frame's power."""
    size = 1 << (WINDOW + len(LAGS)).bit_length()
    window = torch.hann_window(WINDOW, device=frames.device)
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, device=frames.device)
    low = 1 / (1 + (hertz / CUTOFF) ** 8)

    def correlate(x, weight):
        return torch.fft.irfft(torch.fft.rfft(x, size).abs().square() * weight, size)[..., : len(LAGS)]

    raw, of_window = (
        correlate((frames - frames.mean(-1, keepdim=True)) * window, low),
        correlate(window, torch.ones_like(low)),
    )
    power = raw[..., :1].clamp(min=1e-12)
    return raw / power * (of_window[0] / of_window), power[..., 0]


def _peaks(correlation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The best local maxima of each frame: pitch in Hz and strength. (B, T, LAGS) -> 2 x (B, T, CANDIDATES)"""
    left, mid, right = correlation[..., :-2], correlation[..., 1:-1], correlation[..., 2:]
    curve = (left - 2 * mid + right).clamp(max=-1e-6)
    shift = (0.5 * (left - right) / curve).clamp(-0.5, 0.5)
    hertz = SAMPLE_RATE / (LAGS[1:-1].to(shift) + shift)
    height = mid - 0.25 * (left - right) * shift
    is_peak = (mid > left) & (mid >= right) & (hertz >= F0_MIN) & (hertz <= F0_MAX)
    score = height + OCTAVE_COST * torch.log2(hertz / F0_MIN)
    score, index = score.masked_fill(~is_peak, -torch.inf).topk(CANDIDATES, dim=-1)
    return hertz.gather(-1, index), score


def _best_path(hertz: torch.Tensor, score: torch.Tensor) -> torch.Tensor:
    """Viterbi over the candidates of each frame, the last of which is "unvoiced" (0 Hz). (B, T, C) -> (B, T) Hz

    Both ends are tied to silence, so that padding, which is silence, changes nothing.
    """
    octave = hertz.clamp(min=1).log2()
    voiced = hertz > 0
    total = score[:, 0] - SWITCH_COST * voiced[:, 0]
    back = []
    for t in range(1, hertz.shape[1]):
        jump = JUMP_COST * (octave[:, t, None, :] - octave[:, t - 1, :, None]).abs()
        switch = voiced[:, t, None, :] != voiced[:, t - 1, :, None]
        best, where = (total[:, :, None] - torch.where(switch, SWITCH_COST, jump)).max(1)
        total = best + score[:, t]
        back.append(where)
    state = (total - SWITCH_COST * voiced[:, -1]).argmax(1, keepdim=True)
    path = [state]
    for where in reversed(back):
        path.append(where.gather(1, path[-1]))
    return hertz.gather(2, torch.stack(path[::-1], 1))[..., 0]


@torch.no_grad()
def f0(audio: torch.Tensor) -> torch.Tensor:
    """Pitch in Hz, 60 to 500, and 0 where unvoiced. (B, N) -> (B, N // 320)

    Boersma's (1993) autocorrelation method with a parabola at the peaks and a path over the candidates.
    """
    frames = _frames(audio)
    correlation, power = _autocorrelation(frames)
    hertz, score = _peaks(correlation)
    loud = (power / power.amax(1, keepdim=True)).sqrt()
    unvoiced = VOICED + (2 - loud * (1 + VOICED) / SILENCE).clamp(min=0)
    unvoiced = torch.where(power > 1e-9, unvoiced, torch.inf)
    peaks = torch.isfinite(score)
    hertz = torch.cat([torch.where(peaks, hertz, 0), torch.zeros_like(hertz[..., :1])], -1)
    score = torch.cat([torch.where(peaks, score, -9.0), unvoiced.clamp(max=9.0)[..., None]], -1)
    return _best_path(hertz, score)
