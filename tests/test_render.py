"""Voices, plans and their sound. Pitch and formants are measured by Praat, which knows nothing of the synthesiser."""

import itertools
from dataclasses import replace

import numpy as np
import parselmouth
import pytest

from sebridge_lite.studio.lexicon import TONES, parse_word
from sebridge_lite.studio.phones import PHONES
from sebridge_lite.studio.prosody import HOP, plan
from sebridge_lite.studio.render import SR, render
from sebridge_lite.studio.tones import CONTOURS, contour
from sebridge_lite.studio.voices import Style, engines, people

SENTENCES = {
    "th": ("pʰom:R", "tɕʰɔːp:F", "kin:M", "kʰaːw:F", "ma.naːw:M.M", "dek:L", "fon:R", "rɔːn:H", "sɯa:F"),
    "lo": ("kʰɔj:HF", "jaːk:L", "kin:L", "kʰaw:HF", "niaw:R", "hɔːn:H", "mɯː:M", "ni:H"),
    "bb": ("mia:R", "tʰɛːŋ:F", "kwaːj:H", "lon:L", "ɲɯː:M", "dek:F", "saːm:R"),
}
ENGINES, PEOPLE = engines(), people("train", 12)


def word(spoken: str, lang: str = "th"):
    ipa, tones = spoken.split(":")
    letters = "".join("abcdefgh"[: ipa.count(".") + 1])
    row = {"word": letters, "syllables": "-".join(letters), "ipa": ipa, "tones": tones, "classes": "N", "gloss": ""}
    return parse_word(row, lang, 1)


def sentence(lang: str = "th"):
    return [word(spoken, lang) for spoken in SENTENCES[lang]]


def say(words, voice, lang="th", seed=0, **settings):
    spoken = plan(words, lang, voice, np.random.default_rng(seed), **settings)
    return spoken, render([spoken], [voice], [seed])[0]


def praat(samples):
    return parselmouth.Sound(samples / 32768, SR)


def tracked_f0(spoken, samples):
    """Praat's F0 and the planned one at the frames that both call voiced."""
    pitch = praat(samples).to_pitch(0.01, 60, 520)
    heard = pitch.selected_array["frequency"]
    centres = (np.arange(len(spoken.f0)) + 0.5) * HOP / SR
    voiced = (np.interp(centres, pitch.xs(), (heard > 0).astype(float)) == 1) & (spoken.f0 > 0)
    return np.interp(centres, pitch.xs(), heard)[voiced], spoken.f0[voiced]


def level(samples, start, stop):
    """dB of the frames from start to stop."""
    return 10 * np.log10(np.mean(samples[int(start * HOP) : int(stop * HOP)].astype(float) ** 2) + 1e-3)


def bounds(spoken, index):
    return sum(spoken.durations[:index]), sum(spoken.durations[: index + 1])


@pytest.mark.parametrize("lang", SENTENCES)
@pytest.mark.parametrize("voice", ENGINES + PEOPLE[:4], ids=lambda voice: voice.id)
def test_plan_frames_add_up_to_whole_tokens(lang, voice):
    spoken, samples = say(sentence(lang), voice, lang)
    assert len(spoken.frames) == sum(spoken.durations) == len(spoken.f0) == len(spoken.energy)
    assert len(spoken.frames) % 4 == 0
    assert samples.shape == (len(spoken.frames) * HOP,)
    assert samples.dtype == np.int16


@pytest.mark.parametrize("voice", ENGINES, ids=lambda voice: voice.id)
def test_engine_is_deterministic_for_the_same_text(voice):
    first = plan(sentence(), "th", voice, None)
    second = plan(sentence(), "th", voice, np.random.default_rng(7), slip_rate=1.0)
    assert (first.phones, first.durations, first.tones, first.slips) == (
        second.phones,
        second.durations,
        second.tones,
        (),
    )
    assert np.array_equal(first.f0, second.f0)
    assert np.array_equal(first.energy, second.energy)
    one, other = render([first], [voice], [0])[0], render([second], [voice], [99])[0]
    assert one.tobytes() == other.tobytes()


def test_same_chunk_gives_the_same_bytes():
    voices = PEOPLE[:5] + ENGINES
    plans = [plan(sentence(), "th", voice, np.random.default_rng(i)) for i, voice in enumerate(voices)]
    first, second = (render(plans, voices, range(8)) for _ in range(2))
    assert [s.tobytes() for s in first] == [s.tobytes() for s in second]
    alone = render(plans[3:4], voices[3:4], [3])[0]
    assert np.abs(alone.astype(int) - first[3]).max() <= 1


def test_nothing_clips_and_both_kinds_are_equally_loud():
    voices = PEOPLE + ENGINES
    plans = [plan(sentence(), "th", voice, np.random.default_rng(i)) for i, voice in enumerate(voices)]
    sounds = render(plans, voices, range(len(voices)))
    assert max(np.abs(s.astype(int)).max() for s in sounds) <= 32767 * 10 ** (-3 / 20) + 1
    levels = [level(s, 0, len(s) / HOP) for s in sounds]
    assert np.ptp(levels) < 1.0


@pytest.mark.parametrize("lang", SENTENCES)
@pytest.mark.parametrize("voice", ENGINES + PEOPLE[:6], ids=lambda voice: voice.id)
def test_tracked_pitch_follows_the_plan(lang, voice):
    heard, planned = tracked_f0(*say(sentence(lang), voice, lang, slip_rate=0.0))
    assert len(heard) > 60
    assert np.corrcoef(heard, planned)[0, 1] > 0.9
    assert np.median(np.abs(heard / planned - 1)) < 0.05


@pytest.mark.parametrize("vowel", ["iː", "eː", "ɛː", "aː", "ɔː", "oː", "uː", "ɯː", "ɤː"])
def test_measured_formants_are_those_of_the_vowel(vowel):
    voice = replace(ENGINES[0], f0=90.0, tract=1.0)
    spoken, samples = say([word(f"ʔ{vowel}:M")], voice, style=Style(rate=0.4))
    start, stop = bounds(spoken, 1)
    formants = praat(samples).to_formant_burg(0.005, 5, 5000)
    times = np.linspace(0.3, 0.7, 21) * (stop - start) * HOP / SR + start * HOP / SR
    for number, target in enumerate(PHONES[vowel].formants[:2], start=1):
        measured = np.median([formants.get_value_at_time(number, t) for t in times])
        assert measured == pytest.approx(target, rel=0.15), f"F{number}"


def test_closures_are_silent_and_vowels_sound_where_planned():
    spoken, samples = say([word("taː:M"), word("kaː:M"), word("paː:M")], ENGINES[0])
    vowels = [bounds(spoken, i) for i, phone in enumerate(spoken.phones) if phone == "aː"]
    for (start, stop), (after, _) in itertools.pairwise(vowels):
        sounding = level(samples, start + 2, stop - 2)
        assert level(samples, stop + 2, after - 2.5) < sounding - 40
        assert level(samples, after - 2, after) > level(samples, stop + 2, after - 2.5) + 15  # the burst


@pytest.mark.parametrize("lang", SENTENCES)
def test_pitch_never_jumps_within_a_voiced_stretch(lang):
    for voice in ENGINES + PEOPLE:
        f0 = plan(sentence(lang), lang, voice, np.random.default_rng(0)).f0
        both = (f0[1:] > 0) & (f0[:-1] > 0)
        moves = 12 * np.abs(np.log2(f0[1:][both] / f0[:-1][both]))
        assert moves.max() < 3.0, voice.id  # tones lie up to 12 semitones apart


def test_slips_come_at_about_the_set_rate_and_are_what_they_say():
    words = [word("taːm:L"), word("kin:M"), word("maː:H")] * 10
    syllables = [s for w in words for s in w.syllables]
    rng, slips, spoken_syllables = np.random.default_rng(3), [], 0
    for _ in range(200):
        spoken = plan(words, "th", PEOPLE[1], rng, slip_rate=0.1)
        spoken_syllables += len(syllables)
        slips += spoken.slips
        for index, kind in spoken.slips:
            phones = tuple(p for p, s in zip(spoken.phones, spoken.syllables, strict=True) if s == index)
            assert (spoken.tones[index] != syllables[index].tone) == (kind == "tone")
            assert (phones == syllables[index].phones[:-1]) == (kind == "dropped")
            assert ("ɤ" in phones) == (kind == "reduced")
    assert len(slips) / spoken_syllables == pytest.approx(0.1, abs=0.02)
    assert {kind for _, kind in slips} == {"tone", "reduced", "dropped"}


# Phones, tones and voices

SHARES = np.linspace(0, 1, 21)


@pytest.mark.parametrize("lang", TONES)
def test_tones_of_a_language_are_three_semitones_apart_somewhere(lang):
    assert set(CONTOURS[lang]) == set(TONES[lang])
    for one, other in itertools.combinations(TONES[lang], 2):
        assert np.abs(contour(lang, one, SHARES) - contour(lang, other, SHARES)).max() >= 3, (one, other)


def test_groups_of_people_share_no_voice():
    voices = [
        voice for group in ("train", "unseen", "judge_a", "judge_b", "backbone", "dev") for voice in people(group, 60)
    ]
    assert len({voice.id for voice in voices}) == len(voices)
    assert len({(voice.tract, voice.f0, voice.breath) for voice in voices}) == len(voices)
