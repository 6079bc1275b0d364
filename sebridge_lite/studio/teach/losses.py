"""What the embedded parts learn from: a batch, and a loss for each, as the loop of `lm/train.py` wants them."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchaudio.functional import create_dct

from sebridge_lite.stack.features import MELS, log_mel
from sebridge_lite.stack.flow import Flow
from sebridge_lite.stack.layers import STEPS, masked_mean, valid
from sebridge_lite.stack.recogniser import SoundJudge, TokenJudge
from sebridge_lite.stack.speaker import SpeakerEncoder
from sebridge_lite.stack.tokenizer import CEPSTRA, PROSODY, Tokenizer
from sebridge_lite.stack.vocoder import F0_MEAN, F0_STD, MEL_MEAN, MEL_STD, Vocoder

RESOLUTIONS = (256, 512, 1024)
ABSENT: Any = None  # a batch holds what its own loss reads


@dataclass(frozen=True, eq=False)
class Batch:
    """Of B utterances what a loss reads of them, padded with 0."""

    inputs: Tensor = ABSENT  # of a judge: codes (B, S) or mel (B, T, 80)
    mel: Tensor = ABSENT  # (B, T, 80), of the decoder T = 2 S
    lengths: Tensor = ABSENT  # (B,) of mel or inputs; None: crops of equal length
    codes: Tensor = ABSENT  # (B, S)
    audio: Tensor = ABSENT  # (B, 320 T)
    f0: Tensor = ABSENT  # (B, T) Hz, 0 where unvoiced
    units: Tensor = ABSENT  # (B, U) from 1
    unit_lengths: Tensor = ABSENT  # (B,)
    pitch: Tensor = ABSENT  # (B, T) log F0 over the speaker's median, in units of 3 semitones; anything where unvoiced
    voiced: Tensor = ABSENT  # (B, T) bool
    energy: Tensor = ABSENT  # (B, T) dB over the utterance's mean, in units of 10 dB
    speaker: Tensor = ABSENT  # (B,) index
    timbre: Tensor = ABSENT  # (B, E)


def speaker_loss(model: SpeakerEncoder, batch: Batch) -> tuple[Tensor, int, dict]:
    """AAM-softmax: cross entropy over cosines, the right one taken at `margin` more than its angle."""
    cosine = model(batch.mel, batch.lengths) @ F.normalize(model.prototypes, dim=-1).T
    right = F.one_hot(batch.speaker, cosine.shape[1]).bool()
    angle = cosine.clamp(-1 + 1e-6, 1 - 1e-6).acos()
    logits = model.config.scale * torch.where(right, (angle + model.config.margin).cos(), cosine)
    accuracy = (cosine.argmax(1) == batch.speaker).float().mean()
    return F.cross_entropy(logits, batch.speaker), len(logits), {"accuracy": accuracy}


def heads(model: Tokenizer, values: Tensor, lengths: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Log-probabilities of phones and tones (B, 2 S, units); log F0, voicing (a logit) and energy (B, 2 S, 3) at 50 Hz; the
    envelope of the mel (B, 2 S, 20) where the model has that head.

    All are read in quantised values (B, S, channels) with a little context, all but the first given the timbre of the
    speaker (B, E).
    """
    mask, x = valid(lengths, values.shape[1]), model.expand(values)
    for block in model.decoder:
        x = block(x, mask)
    units = model.phones(x).view(len(x), -1, model.config.units).float().log_softmax(-1)
    given = torch.cat([x, speaker[:, None].expand(-1, x.shape[1], -1)], -1)
    shape = model.spectrum(given).view(len(x), -1, CEPSTRA).float() if model.config.spectrum else None
    return units, model.prosody(given).view(len(x), -1, PROSODY).float(), shape


def tokenizer_loss(model: Tokenizer, batch: Batch, prosody: float, spectrum: float = 0.0) -> tuple:
    """CTC, and by weight `prosody` mean absolute errors of pitch (voiced frames) and energy, cross entropy of voicing.

    By weight `spectrum`, the mean squared error of the mel's envelope.
    """
    values, lengths = model.quantise(batch.mel, batch.lengths)
    units, contours, shape = heads(model, values, lengths, batch.timbre)
    heard = ctc(units, STEPS * lengths, batch.units, batch.unit_lengths).mean()
    size = batch.mel.shape[1]
    pitch, voicing, energy = contours[:, :size].unbind(-1)
    inside = valid(batch.lengths, size)
    voiced = batch.voiced & inside
    pitch = (pitch - batch.pitch)[voiced].abs().sum() / voiced.sum().clamp(min=1)
    voicing = F.binary_cross_entropy_with_logits(voicing[inside], batch.voiced[inside].float())
    energy = (energy - batch.energy)[inside].abs().mean()
    loss = heard + prosody * (pitch + voicing + energy)
    parts = {"ctc": heard, "pitch": pitch, "voicing": voicing, "energy": energy}
    if shape is not None:
        parts["envelope"] = _error(shape[:, :size], envelope(batch.mel, inside), inside) * CEPSTRA / MELS
        loss = loss + spectrum * parts["envelope"]
    return loss, len(batch.mel), parts


def envelope(mel: Tensor, inside: Tensor) -> Tensor:
    """The first cepstral coefficients of a mel over its own mean: the level of a recording is not in its tokens.

    (B, T, 80), (B, T) -> (B, T, 20)
    """
    return (mel - masked_mean(mel, inside)[:, None]) / MEL_STD @ create_dct(CEPSTRA, MELS, "ortho").to(mel)


def spoilt(judge: TokenJudge | SoundJudge, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What the judge makes of inputs with wrong tokens, or with stretches hidden, as its settings ask for training."""
    if isinstance(judge, SoundJudge):
        return judge(inputs, lengths, stretches(inputs, lengths, judge.config.time_mask, judge.config.band_mask))
    if (config := judge.config).noise:
        wrong = torch.rand(inputs.shape, device=inputs.device) < config.noise
        inputs = torch.where(wrong, torch.randint_like(inputs, config.codes), inputs)
    return judge(inputs, lengths)


def stretches(mel: Tensor, lengths: Tensor, time: int, bands: int) -> Tensor:
    """SpecAugment: True in one stretch of time and one of bands of each utterance. (B, T, 80)"""

    def stretch(size: int, longest: int, within: Tensor) -> Tensor:
        length = (torch.rand(len(mel), device=mel.device) * (longest + 1)).long()
        start = (torch.rand(len(mel), device=mel.device) * (within - length).clamp(min=1)).long()
        place = torch.arange(size, device=mel.device)
        return (place >= start[:, None]) & (place < (start + length)[:, None])

    in_time = stretch(mel.shape[1], time, lengths)
    in_bands = stretch(mel.shape[2], bands, torch.full_like(lengths, mel.shape[2]))
    return in_time[..., None] | in_bands[:, None]


def judge_loss(judge: TokenJudge | SoundJudge, batch: Batch) -> tuple[Tensor, float, dict]:
    """CTC loss a unit; `weight` is the number of utterances. Also the share of utterances too short for their units."""
    log_probs, frames = spoilt(judge, batch.inputs, batch.lengths)
    loss = ctc(log_probs, frames, batch.units, batch.unit_lengths)
    return loss.mean(), len(loss), {"too_short": (loss == 0).float().mean()}


def ctc(log_probs: Tensor, frames: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """CTC loss a target symbol, for each utterance; blank is 0. An utterance too short for its text counts 0. -> (B,)"""
    loss = F.ctc_loss(
        log_probs.float().transpose(0, 1), targets, frames, target_lengths, reduction="none", zero_infinity=True
    )
    return loss / target_lengths.clamp(min=1)


def flow_loss(model: Flow, batch: Batch) -> tuple[Tensor, int, dict]:
    """Errors of velocity, mean mel, pitch and voicing. Half of the rows have a beginning given, which the velocity may copy."""
    size, device, mel = len(batch.mel), batch.mel.device, (batch.mel - MEL_MEAN) / MEL_STD
    mask = valid(batch.lengths, mel.shape[1])
    share = (torch.rand(size, device=device) - 0.5).clamp(min=0)
    is_given = valid((share * batch.lengths).long(), mel.shape[1])
    dropped = torch.rand(size, device=device) < model.config.drop
    mean, pitch = model.expect(batch.codes, (batch.lengths + 1) // 2, batch.timbre, batch.f0)
    shown = mean.detach() * ~dropped[:, None, None]
    start = shown + model.config.noise * torch.randn_like(mel)
    t = torch.rand(size, device=device)
    x = start + t[:, None, None] * (mel - start)
    velocity = model(x, t, shown, mel, is_given & mask, mask)
    matching = _error(velocity, mel - start, mask & ~is_given)
    expected = _error(mean, mel, mask)
    voiced = mask & (batch.f0 > 0)
    tune = (pitch[..., 0] - (batch.f0.clamp(min=1).log() - F0_MEAN) / F0_STD).abs() * voiced
    tune = tune.sum() / voiced.sum().clamp(min=1)
    voicing = F.binary_cross_entropy_with_logits(pitch[..., 1][mask], voiced[mask].float())
    parts = {"matching": matching, "mean": expected, "pitch": tune, "voicing": voicing}
    return sum(parts.values(), torch.zeros(())), int(batch.lengths.sum()), parts


def _error(guess: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    return (guess - wanted)[mask].square().mean()


def vocoder_loss(model: Vocoder, batch: Batch) -> tuple[Tensor, int, dict]:
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


def _spectral_loss(a: Tensor, b: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=a.device)

    def magnitude(x: Tensor) -> Tensor:
        spectrum = torch.stft(x.float(), size, size // 4, window=window, return_complex=True)
        return torch.view_as_real(spectrum).square().sum(-1).clamp(min=1e-7).sqrt()

    a, b = magnitude(a), magnitude(b)
    return (a.log() - b.log()).abs().mean() + (a - b).norm() / b.norm().clamp(min=1e-3)
