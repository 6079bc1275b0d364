"""Mel to sound: a small net in the manner of Vocos (Siuzdak 2023), frames out through an inverse Fourier transform.

Vocos guesses phases and needs a discriminator to get them right. This one takes them from a source, as the neural
source-filter models do: the net reads pitch, voicing and two spectra, and shapes a pulse train of that pitch, and noise.
So it trains on spectral losses in minutes on a CPU. `griffin_lim` needs no training at all. Left out: adversarial losses.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchaudio.functional import melscale_fbanks
from torchaudio.transforms import GriffinLim

from sebridge_lite.core.fields import within
from sebridge_lite.stack.features import HOP, MELS, N_FFT, SAMPLE_RATE, WINDOW, log_mel
from sebridge_lite.stack.layers import Block, valid

PARTS = 2  # sound frames in a mel frame: 10 ms, so that pitch moves smoothly
SHIFT = HOP // PARTS
FFT = 4 * SHIFT
BINS = FFT // 2 + 1
NOISE_SIZE = 1 << 16  # samples of the one noise that every utterance breathes
F0_MEAN, F0_STD = 5.1, 0.35  # of log Hz
MEL_MEAN, MEL_STD = -5.6, 2.9  # of studio speech
RESOLUTIONS = (256, 512, 1024)


@dataclass(frozen=True)
class VocoderConfig:
    width: int = within(1)
    blocks: int = within(1)


class Vocoder(nn.Module):
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

    def read(self, mel: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
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

    def sound(self, f0: torch.Tensor, gains: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
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

    def _spectrum(self, x: torch.Tensor) -> torch.Tensor:
        side = (FFT - SHIFT) // 2
        return torch.fft.rfft(F.pad(x, (side, side)).unfold(1, FFT, SHIFT) * self.window)

    @torch.no_grad()
    def forward(self, mel: torch.Tensor, lengths: torch.Tensor, f0: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, 80) -> sound (B, 320 T) in [-1, 1], 0 beyond each end; at the pitch `f0` (B, T) Hz, or what the mel shows."""
        log_f0, voicing, gains = self.read(mel, lengths)
        if f0 is None:
            f0 = hertz(log_f0, voicing) * valid(lengths, mel.shape[1])
        sound = self.sound(f0, gains, lengths).clamp(-1, 1)
        return sound * valid(HOP * lengths, sound.shape[1])


def _bank() -> torch.Tensor:
    """The features' mel bands over the bins of their spectrum. (513, 80)"""
    return melscale_fbanks(N_FFT // 2 + 1, 0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm="slaney", mel_scale="slaney")


def band_centres() -> torch.Tensor:
    """The middle of each mel band in Hz. (80,)"""
    bank = _bank()
    return (bank * torch.arange(len(bank))[:, None]).sum(0) / bank.sum(0) * SAMPLE_RATE / N_FFT


def hertz(log_f0: torch.Tensor, voicing: torch.Tensor) -> torch.Tensor:
    """Pitch as the nets write it (standardised log, and a logit) in Hz, 0 where unvoiced."""
    return (log_f0 * F0_STD + F0_MEAN).clamp(4.1, 6.2).exp() * (voicing > 0)


def _spread() -> torch.Tensor:
    """Log mel to log magnitude by straight lines between the bands' centres. (80, BINS)"""
    bins, centres = np.arange(BINS) * SAMPLE_RATE / FFT, band_centres().numpy()
    return torch.from_numpy(np.stack([np.interp(bins, centres, band) for band in np.eye(MELS)])).float()


def pulses(f0: torch.Tensor) -> torch.Tensor:
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


def _filled(f0: torch.Tensor) -> torch.Tensor:
    """The last voiced pitch in every unvoiced frame; before the first, the first."""
    place = torch.arange(f0.shape[1], device=f0.device).expand_as(f0)
    last = torch.where(f0 > 0, place, -1).cummax(1).values
    first = (f0 > 0).float().argmax(1, keepdim=True)
    return f0.gather(1, torch.where(last < 0, first, last)).clamp(min=50.0)


@dataclass(frozen=True, eq=False)
class VocoderBatch:
    """Crops of equal length: no padding."""

    audio: torch.Tensor  # (B, 320 T)
    mel: torch.Tensor  # (B, T, 80)
    f0: torch.Tensor  # (B, T) Hz, 0 where unvoiced


def vocoder_loss(model: Vocoder, batch: VocoderBatch) -> tuple[torch.Tensor, int, dict]:
    """Spectra at three resolutions and mel of the sound made with the true pitch; pitch and voicing by themselves."""
    lengths = torch.full((len(batch.mel),), batch.mel.shape[1], device=batch.mel.device)
    log_f0, voicing, gains = model.read(batch.mel, lengths)
    sound = model.sound(batch.f0, gains, lengths)
    spectral = sum(_spectral_loss(sound, batch.audio, size) for size in RESOLUTIONS) / len(RESOLUTIONS)
    mel = (log_mel(sound) - batch.mel).abs().mean()
    voiced = batch.f0 > 0
    true = (batch.f0.clamp(min=1).log() - F0_MEAN) / F0_STD
    pitch = ((log_f0 - true).abs() * voiced).sum() / voiced.sum().clamp(min=1)
    switch = F.binary_cross_entropy_with_logits(voicing, voiced.float())
    parts = {"spectral": spectral, "mel": mel, "pitch": pitch, "voicing": switch}
    return spectral + mel + 3 * pitch + switch, len(batch.mel), parts


def _spectral_loss(a: torch.Tensor, b: torch.Tensor, size: int) -> torch.Tensor:
    window = torch.hann_window(size, device=a.device)

    def magnitude(x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(x.float(), size, size // 4, window=window, return_complex=True)
        return torch.view_as_real(spectrum).square().sum(-1).clamp(min=1e-7).sqrt()

    a, b = magnitude(a), magnitude(b)
    return (a.log() - b.log()).abs().mean() + (a - b).norm() / b.norm().clamp(min=1e-3)


@torch.no_grad()
def griffin_lim(mel: torch.Tensor, iterations: int = 32) -> torch.Tensor:
    """The fallback without any training: mel bands spread back to bins, phases found by iteration. (B, T, 80) -> (B, 320 T)"""
    bins = (mel.exp().cpu() @ torch.linalg.pinv(_bank())).clamp(min=0)
    invert = GriffinLim(N_FFT, iterations, WINDOW, HOP, power=1, rand_init=False)
    return F.pad(invert(bins.transpose(1, 2)), (HOP // 2, HOP // 2)).to(mel.device)
