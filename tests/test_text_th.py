"""The Thai lexicon, its grammar, and the two checks from script to sound (sea-g2p, and the spelling rule of tones)."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pythainlp import word_tokenize

from sebridge_lite.studio.grammar import load_grammar
from sebridge_lite.studio.lexicon import Word, load_lexicon
from sebridge_lite.studio.tones_th import tone_rule, word_tones

FOLDER = Path(__file__).parents[1] / "data" / "text" / "th"
CHAO = {"˧": "M", "˨˩": "L", "˥˩": "F", "˦˥": "H", "˩˩˦": "R"}


@pytest.fixture(scope="module")
def lexicon():
    return load_lexicon(FOLDER / "lexicon.tsv", "th")


@pytest.fixture(scope="module")
def grammar(lexicon):
    return load_grammar(FOLDER / "grammar.txt", lexicon)


@pytest.fixture(scope="module")
def sentences(grammar):
    rng = np.random.default_rng(7)
    return [tuple(word.text for word in grammar.sentence(rng)) for _ in range(6_000)]


@pytest.fixture(scope="module")
def notes():
    lines = (FOLDER / "g2p_notes.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return {row["word"]: row for row in rows}


def our_tones(word: Word) -> tuple[str, ...]:
    return tuple(syllable.tone for syllable in word.syllables)


def our_sound(word: Word) -> str:
    return ".".join(syllable.ipa for syllable in word.syllables) + " " + ".".join(our_tones(word))


def their_sound(pipeline, text: str) -> str:
    """sea-g2p writes `len˥˩ ...` with an unreleased sign on final stops; bring it to our notation."""
    syllables = pipeline.run(text).replace("\u031a", "").split()
    segments = [syllable.rstrip("˥˦˧˨˩") for syllable in syllables]
    tones = [CHAO[syllable[len(segment) :]] for syllable, segment in zip(syllables, segments, strict=True)]
    return ".".join(segments) + " " + ".".join(tones)


def test_lexicon_is_large_enough_and_every_syllable_parses(lexicon):
    assert len(lexicon) >= 350  # load_lexicon has parsed every syllable or raised
    assert {syllable.tone for word in lexicon.values() for syllable in word.syllables} == {"M", "L", "F", "H", "R"}


def test_every_word_is_reachable_from_s(grammar, lexicon):
    symbols, found = ["S"], set()
    visited = set(symbols)
    while symbols:
        for item in (item.strip("[]") for _, items in grammar.rules[symbols.pop()] for item in items):
            if item.startswith('"'):
                found.add(item.strip('"'))
            elif item in grammar.classes:
                found.update(word.text for word in grammar.classes[item][0])
            elif item not in visited:
                visited.add(item)
                symbols.append(item)
    assert set(lexicon) - found == set()
    assert set(grammar.rules) - visited == set()


def test_no_symbol_of_the_grammar_hides_a_class(grammar):
    assert set(grammar.rules).isdisjoint(grammar.classes)


def test_segmenter_gives_back_our_words(sentences):
    sample = sentences[:1000]
    same = sum(word_tokenize("".join(words), engine="newmm") == list(words) for words in sample)
    assert same / len(sample) >= 0.97


def test_sentences_seldom_repeat_and_have_a_natural_length(sentences):
    assert len(set(sentences)) / len(sentences) > 0.97
    assert 5 <= np.mean([len(words) for words in sentences]) <= 7


def test_speaker_of_a_sentence_is_one_man_or_one_woman(sentences):
    female = {"ฉัน", "ค่ะ", "คะ", "นะคะ"}
    mixed = [words for words in sentences if female & set(words) and {"ผม", "ครับ"} & set(words)]
    assert mixed == []


def test_every_disagreement_with_sea_g2p_or_the_tone_rule_is_explained(lexicon, notes):
    pipeline = pytest.importorskip("sea_g2p").SEAPipeline(lang="th")
    expected = {}
    for word in lexicon.values():
        theirs = their_sound(pipeline, word.text)
        if our_sound(word) != theirs or our_tones(word) != word_tones(word):
            expected[word.text] = (our_sound(word), theirs)
    assert {text: (row["ours"], row["theirs"]) for text, row in notes.items()} == expected


def test_only_words_noted_as_irregular_break_the_tone_rule(lexicon, notes):
    irregular = {word.text for word in lexicon.values() if our_tones(word) != word_tones(word)}
    assert irregular == {text for text, row in notes.items() if row["why"].startswith("tone irregular: ")}
    assert all(row["why"].strip() for row in notes.values())


@pytest.mark.parametrize(
    ("consonants", "mark", "dead", "long", "tone"),
    [
        ("mid", "", False, True, "M"),  # กา
        ("high", "", False, True, "R"),  # ขา
        ("low", "", True, False, "H"),  # รัก
        ("low", "", True, True, "F"),  # มาก
        ("low", "่", False, True, "F"),  # พ่อ
        ("low", "้", False, True, "H"),  # ม้า
        ("high", "้", False, True, "F"),  # ข้าว
        ("mid", "๋", False, True, "R"),  # เดี๋ยว
    ],
)
def test_tone_rule_on_worked_examples(consonants, mark, dead, long, tone):
    assert tone_rule(consonants, mark, dead, long) == tone
