"""Attacks change sounds and nothing else; found marks, false alarms, words and errors are counted as they fall."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from sebridge_lite.extras import marking, watermark
from sebridge_lite.extras.marking import ATTACKS, Pair, detector_error, paired, runnable, survival, word_cost
from sebridge_lite.studio.teach.material import render_material
from sebridge_lite.studio.voices import people

RATE = 16_000


def noise(seconds: float, key: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(key).standard_normal(int(RATE * seconds)).astype(np.float32)


@pytest.fixture(scope="module")
def pairs():
    """Sentences of six people; the next person's stands for the clone."""
    made = list(render_material("marking", "th", "test", 7, people("unseen", 6), seed=0))
    sounds = [recording.samples.astype(np.float32) / 32768 for recording in made]
    return [
        Pair(clone, sound, one.utterance.speaker, one.utterance.words, "th")
        for clone, sound, one in zip(sounds[1:], sounds, made, strict=False)
    ]


@pytest.mark.parametrize("name", runnable()[0])
def test_an_attack_gives_a_sound_leaves_its_input_and_repeats(name):
    samples, before = noise(1.0, 0), noise(1.0, 0)
    (sound, rate), (again, _) = (ATTACKS[name](samples, np.random.default_rng(0)) for _ in range(2))
    assert np.array_equal(samples, before) and np.array_equal(sound, again)
    assert sound.ndim == 1 and np.isfinite(sound).all()
    seconds = {"cut to a half": 0.5, "cut to a quarter": 0.25, "1 % faster": 1 / 1.01}.get(name, 1.0)
    assert len(sound) / rate == pytest.approx(seconds, abs=0.15)  # codecs add a frame or two
    assert name == "none" or rate != RATE or len(sound) != len(samples) or not np.array_equal(sound, samples)


def test_a_codec_that_libsndfile_lacks_is_left_out_and_named(monkeypatch):
    monkeypatch.setattr(soundfile, "check_format", lambda form, subtype: form != "MP3")
    able, missing = runnable()
    assert set(missing) == {"mp3", "mp3, smallest"} and set(able) == set(ATTACKS) - set(missing)
    assert "libsndfile" in missing["mp3"] and "MPEG_LAYER_III" in missing["mp3"]


def test_the_mark_is_counted_where_it_is_and_where_it_is_not(pairs):
    """Nothing done: found. Wiped: gone. Stamped on everything: a false alarm each time."""
    ways = {
        "none": marking.untouched,
        "wiped": lambda samples, rng: (rng.standard_normal(len(samples)), RATE),
        "stamped": lambda samples, _: (watermark.embed(samples), RATE),
    }
    table = survival(pairs, 1.0, 0, ways).set_index("attack")
    assert table["n"].eq(len(pairs)).all() and table["unmarked"].eq(2 * len(pairs)).all()
    assert table["found"].to_dict() == {"none": len(pairs), "wiped": 0, "stamped": len(pairs)}
    assert table["alarms"].to_dict() == {"none": 0, "wiped": 0, "stamped": 2 * len(pairs)}
    alone = survival(pairs, 1.0, 0, {"wiped": ways["wiped"]}).set_index("attack")
    assert alone.loc["wiped"].equals(table.loc["wiped"])  # a row does not depend on the other attacks


def test_the_cost_in_words_is_that_of_the_mark_alone(pairs):
    """A judge that drops the last word of what is marked, and hears the rest rightly, each language by its own stack."""
    both = [pair._replace(lang=lang) for pair, lang in zip(pairs, ["th", "lo"] * 3, strict=True)]

    def judge(lang):
        own = [pair for pair in both if pair.lang == lang]
        said = {sound.tobytes(): pair.words for pair in own for sound in (pair.cloned, pair.recorded)}

        def hear(sounds, asked):
            assert asked == lang
            clean = [said.get(sound.numpy().tobytes()) for sound in sounds]
            marked = [pair.words[:-1] for pair in own]
            return [list(marked[i] if words is None else words) for i, words in enumerate(clean)]

        return SimpleNamespace(hear=hear)

    table = word_cost({lang: judge(lang) for lang in ("th", "lo")}, both, 0)
    expected = len(both) / sum(len(pair.words) for pair in both)
    assert table["speech"].tolist() == ["recorded", "cloned"] and table["texts"].eq(len(both)).all()
    assert table["wer"].tolist() == [0, 0] and table["cost"].to_numpy() == pytest.approx(expected)
    assert (table["cost_low"] > 0).all()


def told(colour: float, count: int = 24) -> list[Pair]:
    """Noise of six speakers; clones have some high frequencies taken away."""
    white = [noise(0.5, key) for key in range(2 * count)]
    cloned = [one[1:] + colour * one[:-1] for one in white[::2]]
    both = zip(cloned, white[1::2], strict=True)
    return [Pair(*sounds, f"s{i % 6}", ("a",), "th") for i, sounds in enumerate(both)]


def test_the_detector_tells_what_differs_and_not_what_does_not():
    easy, blind = detector_error(told(0.5), 0), detector_error(told(0.0), 0)
    assert easy.mean < 0.05 and easy.n == 6
    assert 0.3 < blind.mean < 0.7 and blind.low < 0.5 < blind.high


def test_the_detector_never_hears_whom_it_was_fitted_on(monkeypatch):
    some, taught = told(0.5), []
    fit, scores = marking.fit, marking.log_odds
    owner = {id(sound): pair.speaker for pair in some for sound in (pair.cloned, pair.recorded)}

    def fitted(*sides):
        taught.append({owner[id(sound)] for side in sides for sound in side})
        return fit(*sides)

    def scored(model, sounds):
        assert not taught[-1] & {owner[id(sound)] for sound in sounds}
        return scores(model, sounds)

    monkeypatch.setattr(marking, "fit", fitted)
    monkeypatch.setattr(marking, "log_odds", scored)
    detector_error(some, 0)
    assert sorted(map(len, taught)) == [3, 3] and not taught[0] & taught[1]


def test_a_text_of_which_nothing_was_said_has_no_pair():
    texts = [SimpleNamespace(speaker=who, words=(who,)) for who in "ab"]
    references = SimpleNamespace(utterances=texts, sounds=[torch.zeros(10), torch.ones(10)], lang="lo")
    (pair,) = paired(references, [torch.zeros(0), torch.ones(5)])
    assert (pair.speaker, pair.words, pair.lang, len(pair.cloned), len(pair.recorded)) == ("b", ("b",), "lo", 5, 10)


def test_level_and_silence_at_the_ends_are_no_clue():
    samples = noise(0.5, 0)
    padded = np.concatenate([np.zeros(3200), samples[:7680], np.zeros(3200)])
    torch.testing.assert_close(marking.pooled(samples / 10), marking.pooled(samples), atol=1e-3, rtol=0)
    torch.testing.assert_close(marking.pooled(padded)[:80], marking.pooled(samples[:7680])[:80], atol=0.15, rtol=0)


def test_one_loud_frame_is_enough_to_be_scored():
    detector = marking.fit([noise(0.5, key) for key in range(4)], [noise(0.5, key) for key in range(4, 8)])
    assert np.isfinite(marking.log_odds(detector, [np.pad(np.ones(320), 3200)])).all()
