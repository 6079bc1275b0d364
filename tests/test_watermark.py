"""The mark is quiet, found after what happens to files, and not found where it is not."""

import io

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from sebridge_lite.extras.watermark import PERIOD, SNR, detect, embed, scores
from sebridge_lite.studio.teach.material import render_material
from sebridge_lite.studio.voices import engines, people

RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    """Twelve sentences by people, and two by engines."""
    voices = (*people("unseen", 12), *engines("main", 2))
    made = render_material("mark", "th", "test", len(voices), voices, seed=0)
    return [recording.samples.astype(np.float32) / 32768 for recording in made]


@pytest.fixture(scope="module")
def marked(speech):
    return [embed(samples) for samples in speech]


def coded(samples, form, subtype=None, **settings):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=form, subtype=subtype, **settings)
    file.seek(0)
    return soundfile.read(file)


CHANGES = {
    "mp3": lambda x: coded(x, "MP3"),
    "ogg": lambda x: coded(x, "OGG", "VORBIS"),
    "opus": lambda x: coded(x, "OGG", "OPUS"),
    "telephone": lambda x: (resample_poly(x, 1, 2), 8_000),
    "22.05 kHz": lambda x: (resample_poly(x, 441, 320), 22_050),
    "quiet": lambda x: (x / 50, RATE),
    "noise": lambda x: (x + 0.1 * x.std() * np.random.default_rng(0).standard_normal(len(x)), RATE),
    "cut": lambda x: (x[7_001:23_001], RATE),
    "cut, then mp3": lambda x: coded(x[7_001:23_001], "MP3"),
}


def test_the_mark_is_quieter_than_the_speech_by_what_it_says(speech, marked):
    for before, after in zip(speech, marked, strict=True):
        assert after.shape == before.shape
        ratio = 10 * np.log10(np.square(before).sum() / np.square(after - before).sum())
        assert ratio == pytest.approx(SNR, abs=0.1)


@pytest.mark.parametrize("change", CHANGES)
def test_the_mark_is_found_after(change, marked):
    found = [detect(*CHANGES[change](samples)).found for samples in marked]
    assert np.mean(found) >= 0.9


def test_unmarked_speech_has_no_mark_and_another_key_finds_nothing(speech, marked):
    other = np.exp(2j * np.pi * np.random.default_rng(1).random(3328))
    assert not any(detect(samples, RATE).found for samples in speech)
    assert not any(detect(samples, RATE, other).found for samples in marked)


def test_the_score_of_any_sound_is_standard_normal_over_keys():
    """Worst cases: a steady tone, and noise that repeats at the mark's own period."""
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * PERIOD) / RATE)
    for sound in (tone, np.tile(rng.standard_normal(PERIOD), 2)):
        keys = np.exp(2j * np.pi * rng.random((40, 3328)))
        found = np.array([scores(sound, key)[::61] for key in keys])
        assert abs(found.mean()) < 0.05
        assert found.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(0), np.ones(10), np.zeros(PERIOD * 3)])
def test_silence_and_nothing_carry_no_mark(samples):
    assert np.array_equal(embed(samples), samples)
    assert not detect(samples, RATE).found
