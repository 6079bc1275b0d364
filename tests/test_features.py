"""Mel, energy and pitch. Pitch is held to Praat's and to what the studio planned."""

import numpy as np
import parselmouth
import pytest
import torch

from sebridge_lite.core.errors import UserError
from sebridge_lite.stack import features
from sebridge_lite.studio.lexicon import parse_word
from sebridge_lite.studio.prosody import plan
from sebridge_lite.studio.render import render
from sebridge_lite.studio.voices import engines, people

SR, HOP = features.SAMPLE_RATE, features.HOP
SPOKEN = "pʰom:R tɕʰɔːp:F kin:M kʰaːw:F ma.naːw:M.M dek:L fon:R rɔːn:H sɯa:F"


def centres(frames: int) -> np.ndarray:
    return (np.arange(frames) * HOP + HOP / 2) / SR


def voice(hertz: np.ndarray, tilt: float = 1.0, strongest: int = 1) -> np.ndarray:
    """A harmonic tone of the given pitch (N,), its harmonics falling by 1 / n ** tilt, the first ones weak if asked."""
    phase = 2 * np.pi * np.cumsum(hertz) / SR
    sound = np.zeros(len(hertz))
    for n in range(1, 60):
        level = n**-tilt * (0.1 if n < strongest else 1)
        sound += np.where(n * hertz < SR / 2, level, 0) * np.sin(n * phase + n * n)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def glide(low: float, high: float, seconds: float = 1.5) -> np.ndarray:
    return np.geomspace(low, high, int(seconds * SR))


def praat_f0(sound: np.ndarray) -> np.ndarray:
    pitch = parselmouth.Sound(sound.astype(float), SR).to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=500)
    return np.nan_to_num([pitch.get_value_at_time(t) for t in centres(len(sound) // HOP)])


def errors(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Share of gross errors (over 20 %) and median relative error, on frames that both call voiced."""
    both = (found > 0) & (wanted > 0)
    relative = np.abs(found[both] / wanted[both] - 1)
    return float(np.mean(relative > 0.2)), float(np.median(relative))


@pytest.fixture(scope="module")
def studio():
    """Twelve people and three engines saying a sentence: padded batch (B, N), lengths, and the planned pitch of each."""
    rows = [dict(zip(("ipa", "tones"), spoken.split(":"), strict=True)) for spoken in SPOKEN.split()]
    letters = ["abcd"[: row["ipa"].count(".") + 1] for row in rows]
    extra = [{"word": x, "syllables": "-".join(x), "classes": "N", "gloss": ""} for x in letters]
    words = [parse_word(row | more, "th", 1) for row, more in zip(rows, extra, strict=True)]
    voices = people("judge_a", 12) + engines()
    plans = [plan(words, "th", v, np.random.default_rng(i)) for i, v in enumerate(voices)]
    sounds = [torch.from_numpy(x / np.float32(32768)) for x in render(plans, voices, list(range(len(voices))))]
    lengths = [len(x) for x in sounds]
    return torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True), lengths, [p.f0 for p in plans]


def test_frames_are_a_fiftieth_of_a_second():
    for frames in (1, 7, 50):
        audio = torch.randn(2, frames * HOP)
        assert features.log_mel(audio).shape == (2, frames, features.MELS)
        assert features.f0(audio).shape == features.energy_db(audio).shape == (2, frames)


def test_an_utterance_has_the_same_features_alone_and_in_a_padded_batch(studio):
    audio, lengths, _ = studio
    row = int(np.argmin(lengths))
    alone, frames = audio[row : row + 1, : lengths[row]], lengths[row] // HOP
    for feature in (features.log_mel, features.energy_db, features.f0):
        torch.testing.assert_close(feature(audio)[row, :frames], feature(alone)[0], atol=1e-4, rtol=1e-4)


def test_mel_finds_a_tone_in_its_band_and_silence_on_the_floor():
    time = torch.arange(SR) / SR
    tones = torch.stack([0.1 * torch.sin(2 * torch.pi * hertz * time) for hertz in (300, 1000, 4000)])
    bands = features.log_mel(tones)[:, 10:-10].mean(1).argmax(-1)
    assert bands.tolist() == sorted(set(bands.tolist()))
    edges = features._mel_transform(tones.device).mel_scale.fb.argmax(0) * SR / features.N_FFT  # the peak of each band
    assert torch.allclose(edges[bands], torch.tensor([300.0, 1000.0, 4000.0]), rtol=0.1)
    assert torch.all(features.log_mel(torch.zeros(1, SR)) == np.float32(np.log(features.MEL_FLOOR)))


def test_a_doubled_signal_is_6_db_and_ln_2_louder_and_keeps_its_pitch(studio):
    quiet = studio[0][:2] / 4
    energy = features.energy_db(quiet)
    heard = energy > features.DB_FLOOR + 7
    assert torch.allclose((features.energy_db(2 * quiet) - energy)[heard], torch.tensor(6.0206), atol=1e-3)
    mel = features.log_mel(quiet)
    clear = mel > np.log(features.MEL_FLOOR) + 0.01
    assert torch.allclose((features.log_mel(2 * quiet) - mel)[clear], torch.tensor(np.log(2.0)).float(), atol=1e-3)
    assert torch.allclose(features.f0(2 * quiet), features.f0(quiet), rtol=1e-3)


def test_energy_of_a_sine_by_hand():
    """Amplitude 0.1: -20 dB, and 3.01 dB less as RMS."""
    sine = 0.1 * torch.sin(2 * torch.pi * 400 * torch.arange(SR) / SR)[None]
    assert features.energy_db(sine)[0, 5:-5].numpy() == pytest.approx(-23.01, abs=0.01)
    assert torch.all(features.energy_db(torch.zeros(1, SR)) == features.DB_FLOOR)


@pytest.mark.parametrize(("low", "high"), [(70, 140), (140, 70), (110, 330), (450, 180), (480, 480), (65, 65)])
@pytest.mark.parametrize(("tilt", "strongest"), [(1.0, 1), (0.3, 1), (1.0, 3)])
def test_pitch_follows_harmonic_glides_as_praat_does(low, high, tilt, strongest):
    hertz = glide(low, high)
    sound = voice(hertz, tilt, strongest)
    sound += 0.01 * np.random.default_rng(0).normal(size=len(sound)).astype(np.float32)
    found = features.f0(torch.from_numpy(sound)[None])[0].numpy()[2:-2]
    truth = hertz[(centres(len(sound) // HOP) * SR).astype(int)][2:-2]
    assert np.mean(found > 0) > 0.98
    gross, median = errors(found, truth)
    assert gross == 0 and median < 0.005
    gross, median = errors(found, praat_f0(sound)[2:-2])
    assert gross < 0.05 and median < 0.005


def test_pitch_of_studio_speech_agrees_with_praat_and_with_the_plan(studio):
    audio, lengths, planned = studio
    found = [row[: n // HOP] for row, n in zip(features.f0(audio).numpy(), lengths, strict=True)]
    theirs = [praat_f0(row[:n].numpy()) for row, n in zip(audio, lengths, strict=True)]
    halves = [f.reshape(-1, 2) for f in planned]
    truth = [np.where((h > 0).all(1), h.mean(1), 0) for h in halves]
    found, theirs, truth = map(np.concatenate, (found, theirs, truth))
    for wanted in (theirs, truth):
        gross, median = errors(found, wanted)
        assert gross < 0.01 and median < 0.01
    assert np.mean((found > 0) != (theirs > 0)) < 0.06
    assert np.mean(found[truth > 0] > 0) > 0.95


def test_noise_and_silence_have_no_pitch():
    generator = torch.Generator().manual_seed(0)
    assert torch.all(features.f0(torch.zeros(2, SR)) == 0)
    assert (features.f0(0.1 * torch.randn(4, SR, generator=generator)) > 0).float().mean() < 0.1


@pytest.mark.parametrize("audio", [torch.zeros(1, HOP - 1), torch.zeros(SR)])
def test_too_little_audio_or_no_batch_is_one_clear_line(audio):
    for feature in (features.log_mel, features.energy_db, features.f0):
        with pytest.raises(UserError, match=r"\(B, N\) with at least 320 samples"):
            feature(audio)
