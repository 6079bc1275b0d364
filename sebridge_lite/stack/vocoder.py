"""Mel to sound: a small net in the manner of Vocos (Siuzdak 2023), frames out through an inverse Fourier transform.

Vocos guesses phases and needs a discriminator to get them right. This one takes them from a source, as the neural
source-filter models do: the net reads pitch, voicing and two spectra, and shapes a pulse train of that pitch, and noise.
So it trains on spectral losses in minutes on a CPU. Left out: adversarial losses.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from sebridge_lite.core.fields import within
from sebridge_lite.stack.features import HOP, MELS, N_FFT, SAMPLE_RATE
from sebridge_lite.stack.layers import Block, valid

PARTS = 2  # sound frames in a mel frame: 10 ms, so that pitch moves smoothly
SHIFT = HOP // PARTS
FFT = 4 * SHIFT
BINS = FFT // 2 + 1
NOISE_SIZE = 1 << 16  # samples of the one noise that every utterance breathes
F0_MEAN, F0_STD = 5.1, 0.35  # of log Hz
MEL_MEAN, MEL_STD = -5.6, 2.9  # of studio speech


@dataclass(frozen=True)
class VocoderConfig:
    width: int = within(1, 65_536)
    blocks: int = within(1, 65_536)


class Vocoder(nn.Module):
    spread: Tensor
    noise: Tensor
    window: Tensor

    def __init__(self, config: VocoderConfig):
        super().__init__()
        width = config.width
        self.config = config
        self.inputs = nn.Conv1d(MELS, width, 7, padding=3)
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(width)
        self.pitch = nn.Linear(width, 2)  # log F0, and voicing as a logit
        self.filters = nn.Linear(width, PARTS * 2 * BINS)
        self.register_buffer("spread", _spread(), persistent=False)
        noise = torch.randn(NOISE_SIZE, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise, persistent=False)
        self.register_buffer("window", torch.hann_window(FFT), persistent=False)

    def read(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log F0, standardised (B, T), voicing as a logit (B, T), and log gains of pulses and noise (B, 2 T, 2, BINS)."""
        mask = valid(lengths, mel.shape[1])
        x = (mel - MEL_MEAN) / MEL_STD * mask[..., None]
        x = self.inputs(x.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        log_f0, voicing = self.pitch(x).float().unbind(-1)
        with torch.autocast(mel.device.type, enabled=False):  # bf16 would round the mel
            rough = mel.float() @ self.spread
        rough = rough.repeat_interleave(PARTS, 1)[:, :, None]  # the mel itself, which the net refines
        gains = self.filters(x).float().view(len(x), -1, 2, BINS) + rough
        return log_f0, voicing, gains

    def sound(self, f0: Tensor, gains: Tensor, lengths: Tensor) -> Tensor:
        """Pitch in Hz, 0 where unvoiced (B, T), and log gains -> (B, 320 T)."""
        size = HOP * f0.shape[1]
        place = torch.arange(f0.shape[1], device=f0.device)
        held = f0.gather(1, torch.minimum(place, (lengths - 1).clamp(min=0)[:, None]))  # no ramp into the padding
        inside = valid(HOP * lengths, size)
        noise = self.noise.repeat(size // NOISE_SIZE + 1)[:size] * inside
        spectra = torch.stack([self._spectrum(pulses(held) * inside), self._spectrum(noise)], 2)  # (B, 2 T, 2, BINS)
        shaped = (spectra * gains.clamp(max=6).exp()).sum(2)
        shaped = shaped * valid(PARTS * lengths, shaped.shape[1])[..., None]
        frames = torch.fft.irfft(shaped, FFT) * self.window / 1.5  # squared Hann windows add up to 1.5
        span = size + FFT - SHIFT
        whole = F.fold(frames.transpose(1, 2), (1, span), (1, FFT), stride=(1, SHIFT))[:, 0, 0]
        side = (FFT - SHIFT) // 2
        return whole[:, side : side + size]

    def _spectrum(self, x: Tensor) -> Tensor:
        side = (FFT - SHIFT) // 2
        return torch.fft.rfft(F.pad(x, (side, side)).unfold(1, FFT, SHIFT) * self.window)

    @torch.no_grad()
    def forward(self, mel: Tensor, lengths: Tensor, f0: Tensor | None = None) -> Tensor:
        """(B, T, 80) -> sound (B, 320 T) in [-1, 1], 0 beyond each end; at the pitch `f0` (B, T) Hz, or what the mel shows."""
        log_f0, voicing, gains = self.read(mel, lengths)
        if f0 is None:
            f0 = hertz(log_f0, voicing) * valid(lengths, mel.shape[1])
        sound = self.sound(f0, gains, lengths).clamp(-1, 1)
        return sound * valid(HOP * lengths, sound.shape[1])


def mel_bank() -> Tensor:
    """The features' mel bands over the bins of their spectrum. (513, 80)"""
    return melscale_fbanks(N_FFT // 2 + 1, 0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney")


def band_centres() -> Tensor:
    """The middle of each mel band in Hz. (80,)"""
    bank = mel_bank()
    return (bank * torch.arange(len(bank))[:, None]).sum(0) / bank.sum(0) * SAMPLE_RATE / N_FFT


def hertz(log_f0: Tensor, voicing: Tensor) -> Tensor:
    """Pitch as the nets write it (standardised log, and a logit) in Hz, 0 where unvoiced."""
    return (log_f0 * F0_STD + F0_MEAN).clamp(4.1, 6.2).exp() * (voicing > 0)


def _spread() -> Tensor:
    """Log mel to log magnitude by straight lines between the bands' centres. (80, BINS)"""
    bins, centres = np.arange(BINS) * SAMPLE_RATE / FFT, band_centres().numpy()
    return torch.from_numpy(np.stack([np.interp(bins, centres, band) for band in np.eye(MELS)])).float()


def pulses(f0: Tensor) -> Tensor:
    """A train of band-limited pulses (all harmonics, equally strong) at a pitch. (B, T) Hz -> (B, 320 T), 0 where unvoiced

    Pitch holds over gaps and moves linearly between frames, so the phase never jumps.
    """
    voiced = f0 > 0
    hertz = _filled(f0)
    hertz = F.interpolate(hertz[:, None], scale_factor=HOP, mode="linear")[:, 0]
    on = F.interpolate(voiced[:, None].float(), scale_factor=HOP, mode="linear")[:, 0]
    phase = (hertz.double() / SAMPLE_RATE).cumsum(1).remainder(1).float() * torch.pi
    harmonics = (SAMPLE_RATE / 2 / hertz).floor()
    low = phase.sin()
    train = torch.where(low.abs() < 1e-4, 2 * harmonics + 1, ((2 * harmonics + 1) * phase).sin() / low)
    return (train - 1) / harmonics.sqrt() * on


def _filled(f0: Tensor) -> Tensor:
    """The last voiced pitch in every unvoiced frame; before the first, the first."""
    place = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    last = torch.where(f0 > 0, place, -1).cummax(1).values
    first = (f0 > 0).float().argmax(1, keepdim=True)
    return f0.gather(1, torch.where(last < 0, first, last)).clamp(min=50.0)
