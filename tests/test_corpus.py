import dataclasses
import hashlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data import recordings, summary
from sebridge_lite.data.filters import Filter, filtered, fitted, stuck_share
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance, load_audio
from sebridge_lite.data.mixing import alpha_of, mix, seconds_of
from sebridge_lite.data.recordings import Recording, load_f0, take_seconds, write_set, write_sound
from sebridge_lite.data.sets import PLACES, load_set
from sebridge_lite.data.summary import data_card, mix_table, pitch_table
from sebridge_lite.experiments.corpus import read_aloud, run_import
from sebridge_lite.studio.backbone import backbone_grammar
from sebridge_lite.studio.texts import SPLITS, load_language, sentences, text_of
from sebridge_lite.studio.voices import people

ROOT = Path(__file__).parents[1]
SMOKE = load_params(ROOT / "params" / "smoke.yaml")


def with_corpus(**changes):
    return dataclasses.replace(SMOKE, corpus=dataclasses.replace(SMOKE.corpus, **changes))


MINUTES = {"real_minutes": 0.2, "synthetic_minutes": 1.0, "second_synthetic_minutes": 0.2}
SMALL = MINUTES | {"dev_texts": 3, "test_texts": 3, "transcript_noise": 0.5, "slip_rate": 0.1}
TINY = with_corpus(**SMALL)


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")


def made(folder: Path, params) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("SEBRIDGE_OUTPUTS", str(folder))
        for name, few in (("CHUNK", 8), ("AHEAD", 2)):  # else hundreds are rendered of which some twenty are kept
            patch.setattr(f"sebridge_lite.studio.studio.{name}", few)
        run_import(params)
    return folder / "artifacts" / "corpus"


def sets_of(corpus: Path, lang: str) -> dict[str, list[Utterance]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEBRIDGE_OUTPUTS", str(corpus.parents[1]))
        return {name: load_set(name, lang) for name in PLACES}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEBRIDGE_WORKERS", "1")
        return made(tmp_path_factory.mktemp("corpus"), TINY)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# Texts


@pytest.mark.parametrize("lang", ["th", "lo", "bb-th", "bb-lo"])
def test_splits_are_disjoint_whatever_the_seed(lang):
    grammar = load_language(lang)
    found = {
        split: {text_of(words) for seed in (0, 1) for words in islice(sentences(grammar, split, seed), 25)}
        for split in SPLITS
    }
    assert all(len(texts) > 25 for texts in found.values())
    assert sum(map(len, found.values())) == len(set().union(*found.values()))


def test_the_backbone_language_is_the_same_in_both_scripts():
    thai, lao = (list(backbone_grammar(script).lexicon.values()) for script in ("th", "lo"))
    sounds = [[[(s.ipa, s.tone) for s in word.syllables] for word in words] for words in (thai, lao)]
    assert sounds[0] == sounds[1]
    assert all("\u0e00" <= letter <= "\u0e7f" for word in thai for letter in word.text)
    assert all("\u0e80" <= letter <= "\u0eff" for word in lao for letter in word.text)


# The corpus


def test_two_processes_write_the_same_bytes_and_more_test_texts_leave_all_else_alone(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("SEBRIDGE_WORKERS", "2")
    again = made(tmp_path, with_corpus(**SMALL | {"test_texts": 5}))
    for place in ("train", "dev"):
        assert hashes(again / place) == hashes(corpus / place)
    ours, more = (sets_of(folder, "th")["test"] for folder in (corpus, again))
    assert more[:3] == ours and len(more) == 5


@pytest.mark.parametrize("lang", ["th", "lo"])
def test_no_text_and_no_reader_of_dev_or_test_is_in_any_other_set(corpus, lang):
    sets = {name: {u.text for u in rows} | {u.speaker for u in rows} for name, rows in sets_of(corpus, lang).items()}
    for held_out in ("dev", "test"):
        assert not sets[held_out] & set().union(*(found for name, found in sets.items() if name != held_out))


def test_minutes_are_what_was_asked_for_to_the_last_utterance(corpus):
    for lang, name, minutes in (("th", "real", 0.2), ("th", "synthetic", 1.0), ("lo", "synthetic", 0.2)):
        rows = sets_of(corpus, lang)[name]
        assert seconds_of(rows[:-1]) < 60 * minutes <= seconds_of(rows)
        assert {u.path for u in rows} == {f"{name}-000.wav"}  # a file holds two hours
    assert sets_of(corpus, "lo")["real"] == []


def test_a_text_of_the_test_set_may_be_several_sentences_and_no_other_text():
    def said(split: str, joined: int) -> list[tuple[str, ...]]:
        voices = people("unseen", 2)
        corpus = with_corpus(test_sentences=joined).corpus
        return [line.text for line in read_aloud(split, split, voices, "lo", corpus, 3, part=(0, 4))]

    alone = said("test", 1)
    assert said("test", 2)[:2] == [alone[0] + alone[1], alone[2] + alone[3]]
    assert len(set(said("test", 4))) == 4
    assert said("dev", 4) == said("dev", 1)


def test_every_utterance_has_its_audio_and_its_truth(corpus):
    folder = corpus / "train" / "th"
    for utterance in sets_of(corpus, "th")["real"]:
        samples, f0 = load_audio(utterance, folder), load_f0(utterance, folder)
        assert len(samples) == utterance.frames == 160 * sum(utterance.truth["durations"]) == 160 * len(f0)
        assert np.abs(samples).max() > 0.05
        assert len(utterance.truth["tones"]) == max(utterance.truth["syllables"]) + 1
        assert (f0 > 0).mean() > 0.3


def test_slips_and_wrong_transcripts_are_in_real_training_speech_only(corpus):
    for name, rows in sets_of(corpus, "th").items():
        wrong, slips = any(tuple(u.truth["words"]) != u.words for u in rows), any(u.truth["slips"] for u in rows)
        assert wrong == slips == (name == "real")


# Mixing


def toy(kind: str, seconds: list[float], engines: int = 1) -> list[Utterance]:
    def one(i: int, s: float) -> Utterance:
        engine = f"e{i % engines}" if kind == "engine" else ""
        return Utterance(f"{kind}{i}", "x", ("x",), "th", "v", kind, engine, "a.wav", s)

    return [one(i, s) for i, s in enumerate(seconds)]


LENGTHS = st.lists(st.floats(0.5, 5.0), min_size=4, max_size=30)


@given(LENGTHS, st.floats(0, 0.6), st.integers(0, 5))
@settings(deadline=None)
def test_a_mix_holds_all_real_speech_and_alpha_to_half_an_utterance(lengths, alpha, seed):
    real, synthetic = toy("people", lengths), toy("engine", lengths + lengths, 3)
    mixed = mix(real, synthetic, alpha, seed)
    assert mixed[: len(real)] == real
    off = abs(seconds_of(mixed[len(real) :]) - seconds_of(real) * alpha / (1 - alpha))
    assert off <= max(lengths) / 2 + 1e-9


@given(LENGTHS, st.floats(0, 0.6), st.floats(0, 0.6))
@settings(deadline=None)
def test_a_mix_of_larger_alpha_holds_every_smaller_one(lengths, one, other):
    real, synthetic = toy("people", lengths), toy("engine", lengths + lengths, 3)
    small, large = (mix(real, synthetic, alpha, 0) for alpha in sorted((one, other)))
    assert large[: len(small)] == small


def test_too_little_synthetic_speech_says_how_much_is_missing():
    with pytest.raises(
        UserError, match=r"alpha 0.9 needs 9.0 min of synthetic speech beside 1.0 min of real, but there are 1.0"
    ):
        mix(toy("people", [60.0]), toy("engine", [60.0]), 0.9, 0)
    with pytest.raises(UserError, match=r"but there are 0\.0"):
        mix(toy("people", [1.0]), [], 0.3, 0)
    assert len(mix(toy("people", [40.0]), toy("engine", [1.0, 60.0]), 0.675, 0)) == 3  # less than half of the longest


# Filters


def recording(samples: np.ndarray, text: str = "กินข้าว") -> Recording:
    utterance = Utterance("a", text, (text,), "th", "e", "engine", "e", "a.wav", len(samples) / 16000)
    return Recording(utterance, samples, None)


def noise(seconds: float) -> np.ndarray:
    return (3000 * np.random.default_rng(0).standard_normal(int(16000 * seconds))).astype(np.int16)


def test_a_stuck_sound_is_found_and_a_lively_one_is_not():
    tone = (3000 * np.sin(2 * np.pi * 125 * np.arange(32000) / 16000)).astype(np.int16)
    assert stuck_share(tone) == 1.0
    assert stuck_share(np.zeros(32000, np.int16)) == 1.0
    assert [stuck_share(np.zeros(640 * blocks, np.int16)) for blocks in (5, 6)] == [0, 1]  # 200 ms, and one block more
    assert stuck_share(noise(2.0)) == 0.0
    assert stuck_share(noise(0.1)) == 0.0
    half = np.concatenate([tone, noise(2.0)])  # 50 blocks stand still and 50 do not: 99 changes, 95 stretches of five
    assert stuck_share(half) == pytest.approx(45 / 95)


def lasting(letters: int, seconds: float, **more) -> Utterance:
    return dataclasses.replace(
        Utterance("a", "x" * letters, ("x",), "th", "e", "engine", "e", "a.wav", seconds), **more
    )


@pytest.mark.parametrize(
    ("said", "slope", "pause"),
    [
        ([(2, 1.5), (4, 2.5)], 0.5, 0.5),
        ([(2, 3.0), (4, 2.0)], 1.0, 0.0),  # a falling line: the median seconds a letter
        ([(2, 0.5), (4, 2.5)], 0.4375, 0.0),  # a line from below 0
        ([(2, 1.0), (2, 3.0)], 1.0, 0.0),  # no line
    ],
)
def test_expected_seconds_are_a_line_in_letters_where_there_is_one(said, slope, pause):
    rule = fitted([lasting(*one) for one in said], (1.0, 1.0), 0.5)
    assert (rule.seconds_per_letter, rule.pause) == pytest.approx((slope, pause))
    edge = dataclasses.replace(rule, seconds_per_letter=0.5, pause=pause + 0.5, duration_ratio=(0.5, 2.0))
    faults = [
        edge.fault(recording(noise(1.0))._replace(utterance=lasting(1, (1 + pause) * by))) for by in (0.4, 0.5, 2, 2.1)
    ]
    assert faults == ["duration", "", "", "duration"]


def test_fifty_failures_in_a_row_stop_the_run_and_fewer_do_not():
    good, bad, rule = recording(noise(1.4)), recording(noise(0.3)), Filter(0.2, (0.5, 2.0), 0.5)
    assert list(filtered([*[bad] * 49, good] * 2, rule, {})) == [good, good]
    with pytest.raises(UserError, match="e: 50 utterances in a row fail the duration filter"):
        list(filtered([good, *[bad] * 50], rule, {}))


def test_a_set_is_counted_by_hand(monkeypatch, tmp_path):
    truth = {"words": ["x"], "slips": [1], "tones": ["M"] * 4}
    said = [lasting(1, 30.0, truth=truth), lasting(1, 90.0, speaker="f", truth=truth | {"words": ["y"], "slips": []})]
    row, other = data_card({"real": said, "test": [lasting(1, 60.0)]}, 8).to_dict("records")
    assert list(row.values()) == ["real", 2, 2.0, 2, 1, 1 / 8, 1 / 8, 0.5]
    assert other["minutes"] == 1 and np.isnan([other["slips a syllable"], other["wrong transcripts"]]).all()
    f0 = np.append(np.zeros(5), 2 ** (np.arange(101) / 12))  # a semitone a frame: the 5th to the 95th percentile are 90
    monkeypatch.setattr(summary, "load_f0", lambda *_: f0)
    melody = pitch_table(said, tmp_path).iloc[0]
    assert melody[["id", "kind", "speaker"]].tolist() == ["a", "engine", "e"]
    assert melody[3:].tolist() == pytest.approx([np.arange(101).std(), 90, 4 / 30])


def test_a_mix_is_told_by_the_minutes_of_people_and_of_engines():
    made = [dataclasses.replace(lasting(1, 60.0), id=str(place), kind="engine", engine="e") for place in range(4)]
    people = [dataclasses.replace(one, id=f"p{one.id}", kind="people", engine="") for one in made[:3]]
    assert mix_table(people, made, [0.25], 0).to_numpy().tolist() == [[0.25, 3.0, 1.0, 0.25]]


def test_recordings_are_taken_until_the_seconds_are_full():
    assert len(list(take_seconds([recording(noise(1.0))] * 9, 3.0, ""))) == 3


def test_a_set_over_two_shards_reads_back_sample_by_sample_and_no_shard_is_over_its_limit(tmp_path, monkeypatch):
    sounds = [noise(seconds)[:-place] for place, seconds in enumerate((0.1, 0.2, 0.15, 0.7, 0.1), 1)]
    tracks = [np.full(len(sound) // 160, 100.0 + place) for place, sound in enumerate(sounds)]
    said = [
        Recording(dataclasses.replace(lasting(1, 1.0), id=str(place)), *both)
        for place, both in enumerate(zip(sounds, tracks, strict=True))
    ]
    monkeypatch.setattr(recordings, "SHARD_BYTES", 10_000)
    found = write_set(tmp_path, "real", said)
    assert [row.path for row in found] == [f"real-00{shard}.wav" for shard in (0, 0, 1, 2, 3)]
    sizes = {path.name: path.stat().st_size for path in sorted(tmp_path.glob("*.wav"))}
    assert all(
        size <= 10_000 or name == "real-002.wav" for name, size in sizes.items()
    )  # longer than a shard by itself
    for row, sound, track in zip(found, sounds, tracks, strict=True):
        assert np.array_equal(load_audio(row, tmp_path) * 32768, sound)
        assert np.array_equal(load_f0(row, tmp_path), track)
    write_sound(tmp_path / "whole.wav", np.concatenate(sounds[:2]))
    assert (tmp_path / "real-000.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_synthetic_speech_is_dropped_by_reason():
    rule, dropped = Filter(0.2, (0.5, 2.0), 0.5), {}
    made = [recording(noise(1.4)), recording(noise(0.3)), recording(noise(5.0)), recording(np.zeros(22400, np.int16))]
    assert list(filtered(made, rule, dropped)) == made[:1]
    assert dropped == {"duration": 2, "repetition": 1}


# Speech from elsewhere


def own_folder(folder: Path, texts: list[str], rate: int = 22050) -> Path:
    (folder / "wavs").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for index in range(len(texts)):
        soundfile.write(folder / "wavs" / f"u{index}.wav", 0.1 * rng.standard_normal(int(rate * 1.2)), rate)
    (folder / "metadata.csv").write_text("".join(f"u{i}|{text}\n" for i, text in enumerate(texts)), encoding="utf-8")
    return folder


def test_your_own_recordings_become_the_sets_of_a_corpus(tmp_path, monkeypatch):
    grammar = load_language("th")
    counts = {"real": 15, "dev": 3, "test": 3}
    texts = [text_of(words) for split, count in counts.items() for words in islice(sentences(grammar, split, 0), count)]
    home = tmp_path / "data"
    own_folder(home / "real", texts)
    for engine in ("one", "two"):
        own_folder(home / "synthetic" / engine, texts[:8])
    monkeypatch.setattr("sebridge_lite.core.paths.data", lambda *parts: home.joinpath(*parts))
    own = with_corpus(
        real_source="folder",
        synthetic_source="folder",
        real_minutes=0.2,
        synthetic_minutes=0.2,
        duration_ratio=(0.1, 10.0),
    )
    corpus = made(tmp_path, dataclasses.replace(own, roles=dataclasses.replace(own.roles, tdsc="none")))
    sets = sets_of(corpus, "th")
    assert (len(sets["dev"]), len(sets["test"])) == (2, 4)
    assert {u.kind for u in sets["real"]} == {"recording"}
    assert {u.engine for u in sets["synthetic"]} == {"one", "two"}
    utterance = sets["real"][0]
    assert utterance.words == language("th").segment(utterance.text)
    assert len(load_audio(utterance, corpus / "train" / "th")) == utterance.frames == 19200
    assert alpha_of(mix(sets["real"], sets["synthetic"], 0.5, 0)) == pytest.approx(0.5, abs=0.05)
