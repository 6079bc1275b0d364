"""The vocoder's source, filter and losses on tones and noise."""

import math

import pytest
import torch

from sebridge_lite.stack.features import f0, log_mel
from sebridge_lite.stack.vocoder import (
    FFT,
    HOP,
    SAMPLE_RATE,
    Vocoder,
    VocoderConfig,
    pulses,
)
from sebridge_lite.studio.teach.losses import Batch, vocoder_loss

CONFIG = VocoderConfig(width=24, blocks=2)


def vocoder() -> Vocoder:
    torch.manual_seed(0)
    return Vocoder(CONFIG).eval()


def buzz(hertz: float, frames: int = 60) -> torch.Tensor:
    """A harmonic sound with a falling spectrum. (1, 320 T)"""
    time = torch.arange(frames * HOP) / SAMPLE_RATE
    wave = sum((2 * math.pi * k * hertz * time).sin() / k for k in range(1, 20))
    return 0.2 * wave[None]


def test_a_frame_of_mel_is_320_samples_within_one_and_padding_never_changes_them():
    mel = log_mel(torch.cat([buzz(120), buzz(200)]))
    lengths = torch.tensor([60, 37])
    together = vocoder()(mel, lengths)
    assert together.shape == (2, 60 * HOP)
    assert together.abs().max() <= 1
    alone = vocoder()(mel[1:, :37], lengths[1:])
    assert torch.allclose(together[1, : 37 * HOP], alone[0], atol=1e-4)
    assert not together[1, 37 * HOP :].any()


@pytest.mark.parametrize("hertz", [80.0, 137.0, 310.0])
def test_pulses_have_the_pitch_asked_for_and_nothing_above_half_the_sample_rate(hertz):
    train = pulses(torch.full((1, 50), hertz))
    spectrum = torch.fft.rfft(train[0] * torch.hann_window(train.shape[1])).abs()
    bins = torch.arange(len(spectrum)) * SAMPLE_RATE / train.shape[1]
    off = (bins / hertz - (bins / hertz).round()).abs() * hertz
    assert spectrum[off > 6].max() < 0.02 * spectrum.max()
    assert f0(train)[0, 5:-5].median().item() == pytest.approx(hertz, rel=0.01)


def test_pulses_are_silent_where_unvoiced_and_glide_without_a_click():
    silent = pulses(torch.zeros(1, 20))
    assert not silent.any()
    assert pulses(torch.full((1, 30), 100.0)).isfinite().all()
    pitch = torch.linspace(100, 140, 50)[None]
    assert f0(pulses(pitch))[0, 5:-5].sub(pitch[0, 5:-5]).abs().max() < 4


def test_with_flat_filters_the_source_comes_back_as_it_was():
    """Windows and overlap add up to one, away from the edges."""
    model, pitch = vocoder(), torch.full((1, 40), 120.0)
    gains = torch.zeros(1, 80, 2, FFT // 2 + 1)
    gains[:, :, 1] = -30.0
    sound = model.sound(pitch, gains, torch.tensor([40]))
    inner = slice(FFT, -FFT)
    assert torch.allclose(sound[0, inner], pulses(pitch)[0, inner], atol=1e-3)


def test_a_pitch_that_is_given_is_the_pitch_of_the_sound():
    model, mel = vocoder(), log_mel(buzz(150))
    with torch.no_grad():
        model.filters.weight.zero_()  # the bare mel as filter, and no noise
        model.filters.bias.copy_(torch.tensor([0.0, -20.0])[None, :, None].expand(2, 2, FFT // 2 + 1).reshape(-1))
    sound = model(mel, torch.tensor([60]), torch.full((1, 60), 210.0))
    assert f0(sound)[0, 5:-5].median().item() == pytest.approx(210, rel=0.02)


def test_training_brings_the_sound_nearer_and_finds_its_pitch():
    pitches = [110.0, 140.0, 170.0, 220.0]
    audio = torch.cat([buzz(hertz, 24) for hertz in pitches])
    target = Batch(audio=audio, mel=log_mel(audio), f0=torch.tensor(pitches)[:, None].expand(-1, 24))
    model = vocoder().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = vocoder_loss(model, target)[0].item()
    for _ in range(80):
        loss, weight, parts = vocoder_loss(model, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert weight == 4
    assert loss.item() < 0.6 * first
    assert parts["pitch"] < 0.3
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
