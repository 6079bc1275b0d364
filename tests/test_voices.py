"""The phones, the tones and the people and engines who speak them."""

import itertools

import numpy as np
import pytest

from sebridge_lite.core.errors import UserError
from sebridge_lite.studio.lexicon import CODAS, ONSETS, TONES, VOWELS
from sebridge_lite.studio.phones import PHONES
from sebridge_lite.studio.tones import CONTOURS, NOMINAL_RANGE, contour
from sebridge_lite.studio.voices import GROUPS, engines, people

SHARES = np.linspace(0, 1, 21)


def test_every_phone_of_the_inventory_has_a_sound():
    assert {*ONSETS, *VOWELS, *CODAS, *"rlw"} - {""} <= set(PHONES)


def test_long_vowels_last_clearly_longer_than_short_ones():
    for vowel in VOWELS:
        if vowel.endswith("ː"):
            assert PHONES[vowel].ms >= 1.8 * PHONES[vowel[:-1]].ms


@pytest.mark.parametrize("lang", TONES)
def test_tones_of_a_language_are_three_semitones_apart_somewhere(lang):
    assert set(CONTOURS[lang]) == set(TONES[lang])
    for one, other in itertools.combinations(TONES[lang], 2):
        assert np.abs(contour(lang, one, SHARES) - contour(lang, other, SHARES)).max() >= 3, (one, other)


@pytest.mark.parametrize("lang", TONES)
def test_tones_span_the_nominal_range(lang):
    levels = [contour(lang, tone, SHARES) for tone in TONES[lang]]
    assert np.ptp(levels) == pytest.approx(NOMINAL_RANGE, abs=0.5)


def test_tones_of_the_backbone_language_are_not_thai():
    for tone in CONTOURS["bb"]:
        assert np.abs(contour("bb", tone, SHARES) - contour("th", tone, SHARES)).max() >= 2.5, tone


def test_groups_of_people_share_no_voice():
    voices = [voice for group in GROUPS for voice in people(group, 60)]
    assert len({voice.id for voice in voices}) == len(voices)
    assert len({(voice.tract, voice.f0, voice.breath) for voice in voices}) == len(voices)


def test_the_nth_person_does_not_depend_on_how_many_are_asked_for():
    assert people("train", 60)[:5] == people("train", 5)
    assert people("train", 5, seed=1) != people("train", 5)


def test_half_of_the_people_are_male_like_and_half_female_like():
    voices = people("train", 60)
    assert sum(voice.f0 < 150 and voice.tract > 0.93 for voice in voices) == 30
    assert sum(voice.f0 > 165 and voice.tract < 0.92 for voice in voices) == 30


def test_nobodys_tones_are_squeezed():
    for group in GROUPS:
        for voice in people(group, 60):
            assert voice.range_st / NOMINAL_RANGE * voice.style.range >= 0.8, voice.id


def test_engines_have_no_spread_of_any_kind():
    for voice in engines() + engines("judge_a", 24):
        style = voice.style
        spreads = (style.register, style.tempo, style.rhythm, style.energy, style.jitter, style.emphasis, style.pauses)
        assert voice.kind == "engine"
        assert not any(spreads), voice.id


def test_the_three_engines_are_flat_in_different_ways():
    level, narrow, metronome = engines()
    assert (level.style.hold, level.style.metronome) == (True, False)
    assert metronome.style.metronome and not metronome.style.hold
    assert narrow.style.range < min(level.style.range, metronome.style.range)


def test_engines_of_judges_are_none_of_the_study():
    ids = [voice.id for voice in engines() + engines("judge_a", 24) + engines("judge_b", 24)]
    assert len(set(ids)) == 51


@pytest.mark.parametrize("ask", [lambda: people("nobody", 1), lambda: engines("nobody", 1), lambda: engines("main", 4)])
def test_an_unknown_group_is_named_with_the_known_ones(ask):
    with pytest.raises(UserError, match=r"main|train"):
        ask()
