"""Words of any language, their script and phones; splits by phrase."""

import shutil
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.data.languages import language, main_script
from sebridge_lite.data.splits import PHRASE, SHARES, apart_from, split

WORDS_OF = {
    "ru": ("Добрый день, мир—да!", "добрый день мир да"),
    "en": ("Don't stop (now), co-op 7", "don't stop now co-op 7"),
    "tr": ("Işık İyi", "ışık iyi"),
    "hi": ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
    "zh": ("你好，世界", "你 好 世 界"),
    "es": ("e\u0301l", "él"),
}


@pytest.mark.parametrize("code", WORDS_OF)
def test_words_of_any_language(code):
    tongue, (text, words) = language(code), WORDS_OF[code]
    assert " ".join(tongue.segment(tongue.normalise(text))) == words


def test_a_script_is_known_or_that_of_most_letters():
    assert language("ru").in_script("да, OK") and not language("ru").in_script("hello")
    assert main_script(["გამარჯობა abc"]) == ("GEORGIAN",)
    assert not language("xx", ["გამარჯობა"]).in_script("hello") and language("xx").in_script("hello")


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_phones_keep_order_and_count_whatever_is_between():
    texts = ["hello, world. Yes!", "...", "one\ntwo", "hello"]
    said = language("en").phones(texts)
    assert len(said) == 4 and said[1] == [] and said[0][: len(said[3])] == said[3] and "," in said[0] and " " in said[2]


# Splits

WORDS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9).map(tuple)


def shares_a_phrase(one: tuple, other: tuple) -> bool:
    """Written apart from the library: as texts with spaces around words."""
    one, other = sorted((one, other), key=len)
    said = f" {' '.join(other)} "
    runs = [one[start : start + PHRASE] for start in range(len(one) - PHRASE + 1)] + [one] * (len(one) > 1)
    return one == other or any(f" {' '.join(run)} " in said for run in runs)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=20, max_size=60), st.randoms(use_true_random=False))
def test_no_phrase_of_a_held_out_text_is_on_the_other_side(texts, chance):
    most = {"dev": 5, "test": 8}
    try:
        places = split(texts, most)
    except UserError as error:
        assert "so alike" in str(error)
        return
    sides = {name: [words for words in places if places[words] == name] for name in ("real", *SHARES)}
    for one, other in (("real", "dev"), ("real", "test"), ("dev", "test")):
        assert not any(shares_a_phrase(*pair) for pair in product(sides[one], sides[other]))
    is_apart = apart_from(sides["test"])
    assert all(is_apart(words) for words in sides["real"]) and not any(map(is_apart, sides["test"]))
    assert split(chance.sample(texts, len(texts)), most) == places


@pytest.mark.parametrize(("texts", "most", "dev", "test"), [(40, 99, 4, 8), (40, 3, 3, 3), (4, 99, 1, 1)])
def test_dev_and_test_have_their_shares_at_most_what_is_asked_and_one_text_at_least(texts, most, dev, test):
    places = split([(f"a{i}", f"b{i}", f"c{i}") for i in range(texts)], {"dev": most, "test": most})
    counts = [list(places.values()).count(name) for name in ("dev", "test", "real")]
    assert counts == [dev, test, texts - dev - test]


def test_three_words_are_a_sentence_as_five_are_and_two_are_none():
    texts = [
        tuple(f"{i}{j}" for j in range(length)) for length in (2, 3, 5) for i in range(20 * length, 20 * length + 20)
    ]
    held_out = {len(words) for words, place in split(texts, {"dev": 99, "test": 99}).items() if place != "real"}
    assert held_out == {3, 5}


def test_a_text_said_thrice_among_few_trains_and_short_texts_train_while_there_are_longer_ones():
    def sets(times, words=("b", "c"), short=()):
        return split([*((f"a{i}", *words) for i in range(9) for _ in range(times)), *short], {"dev": 99, "test": 99})

    with pytest.raises(UserError, match="so alike"):
        sets(3)
    assert sets(2) and {place for words, place in sets(1, short=[("d",), ("e",)] * 5).items() if len(words) < 3} == {
        "real"
    }
