"""The Lao text world: its lexicon, its grammar, the standard segmenter, and two independent checks of the sounds."""

import csv
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from lao2ipa import transliterate
from laonlp.tokenize import word_tokenize

from sebridge_lite.core.errors import UserError
from sebridge_lite.studio.grammar import load_grammar
from sebridge_lite.studio.lexicon import Syllable, load_lexicon
from sebridge_lite.studio.tones_lo import letter_class, syllable_tone, written_tone

TEXT = Path(__file__).parents[1] / "data" / "text" / "lo"
# lao2ipa writes the plain live tones of the high and the middle class alike, so its first contour allows both of ours.
THEIR_TONES = {"˩˧": ("R", "L"), "˧˥": ("H",), "˧": ("M",), "˧˩": ("LF",), "˥˨": ("HF",)}
THEIR_PHONES = (("iːə", "ia"), ("ɯːə", "ɯa"), ("uːə", "ua"), ("kʷ", "kw"), ("ʋ", "w"))


@cache
def lexicon():
    return load_lexicon(TEXT / "lexicon.tsv", "lo")


@cache
def grammar():
    return load_grammar(TEXT / "grammar.txt", lexicon())


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    return [tuple(word.text for word in grammar().sentence(rng)) for _ in range(count)]


def notes():
    lines = (TEXT / "g2p_notes.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader([line for line in lines if not line.startswith("#")], delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["word"]: row for row in rows}


def theirs(word):
    """(sounds, tone contour) of each syllable by lao2ipa, in our notation; it writes no glottal stops."""
    parts = re.findall(r"([^˩˧˥˨]+)([˩˧˥˨]*)", transliterate(word.text, "ipa"))
    result = []
    for sounds, tone in parts:
        for old, new in THEIR_PHONES:
            sounds = sounds.replace(old, new)
        result.append((sounds, tone))
    return result


def agrees(word):
    other = theirs(word)
    sounds = [syllable.ipa.replace("ʔ", "") for syllable in word.syllables]
    tones = [syllable.tone for syllable in word.syllables]
    same_tones = all(tone in THEIR_TONES.get(contour, ()) for tone, (_, contour) in zip(tones, other, strict=False))
    return sounds == [part for part, _ in other] and same_tones


def test_lexicon_holds_enough_words_that_all_parse():
    assert len(lexicon()) >= 250
    assert [word.rank for word in lexicon().values()] == list(range(1, len(lexicon()) + 1))


def test_lexicon_uses_all_six_tones():
    assert {s.tone for word in lexicon().values() for s in word.syllables} == {"R", "H", "HF", "M", "L", "LF"}


def test_every_word_can_be_said_by_the_grammar():
    used = {item.strip('[]"') for rules in grammar().rules.values() for _, items in rules for item in items}
    lost = [w.text for w in lexicon().values() if w.text not in used and not used & set(w.classes)]
    assert not lost
    symbols = set(grammar().rules) - {"S"}
    assert symbols <= used, f"rules that nothing calls: {sorted(symbols - used)}"


def test_segmenter_gives_back_our_words():
    drawn = sentences(1000, seed=1)
    wrong = [s for s in drawn if tuple(word_tokenize("".join(s))) != s]
    assert 1 - len(wrong) / len(drawn) >= 0.97, wrong[:5]


def test_sentences_are_short_and_hardly_ever_repeat():
    drawn = sentences(5000, seed=2)
    assert len(set(drawn)) / len(drawn) > 0.97
    assert 5 <= np.mean([len(s) for s in drawn]) <= 7


def test_every_disagreement_with_lao2ipa_is_explained_and_no_other():
    disagreements = {word.text for word in lexicon().values() if not agrees(word)}
    irregular = {word for word, row in notes().items() if row["why"].startswith("tone irregular")}
    assert set(notes()) - irregular == disagreements - irregular


def test_notes_quote_both_sides_and_give_a_reason():
    for text, row in notes().items():
        word = lexicon()[text]
        assert row["ours"] == ".".join(f"{s.ipa}/{s.tone}" for s in word.syllables)
        assert row["theirs"] == ".".join(f"{sounds}/{tone}" for sounds, tone in theirs(word))
        assert row["why"]


def test_tones_follow_the_spelling_unless_noted():
    irregular = {word.text for word in lexicon().values() if any(written_tone(s) != s.tone for s in word.syllables)}
    assert irregular == {word for word, row in notes().items() if row["why"].startswith("tone irregular")}


@pytest.mark.parametrize(
    ("text", "vowel", "coda", "tone"),
    [
        ("ຂາ", "aː", "", "R"),
        ("ກາ", "aː", "", "L"),
        ("ຄາ", "aː", "", "H"),
        ("ຂ່າ", "aː", "", "M"),
        ("ກ່າ", "aː", "", "M"),
        ("ຄ່າ", "aː", "", "M"),
        ("ຂ້າ", "aː", "", "LF"),
        ("ກ້າ", "aː", "", "HF"),
        ("ຄ້າ", "aː", "", "HF"),
        ("ຂາດ", "aː", "t", "LF"),
        ("ກາບ", "aː", "p", "LF"),
        ("ຄາບ", "aː", "p", "HF"),
        ("ຂັດ", "a", "t", "H"),
        ("ກັດ", "a", "t", "H"),
        ("ຄັດ", "a", "t", "M"),
        ("ຫຼາຍ", "aː", "j", "R"),
        ("ໝາ", "aː", "", "R"),
        ("ເຮືອ", "ɯa", "", "H"),
        ("ແລະ", "ɛ", "ʔ", "M"),
    ],
)
def test_tone_rule_by_class_mark_and_syllable_kind(text, vowel, coda, tone):
    assert written_tone(Syllable(text, "k", "", vowel, coda, "M")) == tone


def test_a_mark_outweighs_class_length_and_coda_for_mai_ek():
    tones = {syllable_tone(c, "\u0ec8", d, v) for c in ("high", "mid", "low") for d in (0, 1) for v in (0, 1)}
    assert tones == {"M"}


def test_a_text_without_a_consonant_is_refused_in_one_line():
    with pytest.raises(UserError, match="does not start like a Lao syllable"):
        letter_class("ເ")
