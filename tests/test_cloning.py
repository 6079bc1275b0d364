"""Cloning and the command, on tiny random parts: who lends the voice, floor and ceiling, intervals, and every refusal."""

import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from tiny import ROOT, recorded, tiny_config, tiny_lm, tiny_stack
from transformers import VitsConfig, VitsModel, VitsTokenizer

from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data import engines
from sebridge_lite.data.manifest import open_sound
from sebridge_lite.data.recordings import Recording
from sebridge_lite.experiments import cloning, systems
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.cloning import Clone, grid
from sebridge_lite.extras import clone as command
from sebridge_lite.extras.consent import read_provenance, write_consent
from sebridge_lite.measure.cloning import ENOUGH, bounds, gap, register, two_voices, voices_of
from sebridge_lite.studio.voices import people

SMOKE = load_params(ROOT / "params" / "smoke.yaml")
PARAMS = replace(SMOKE, sampling=replace(SMOKE.sampling, min_ratio=1.0, max_ratio=2.0))


@pytest.fixture(autouse=True)
def somewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SEBRIDGE_OUTPUTS", str(tmp_path / "outputs"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Six recordings of two people, and parts that know nothing."""
    folder = tmp_path_factory.mktemp("recorded")
    bench = Bench(PARAMS, "th", {"test": (recorded(folder, "th", "test", people("unseen", 2), 6), folder)})
    bench.__dict__ |= {"stack": tiny_stack(["th"]), "silence": [], "floor": 0.1}
    return bench


@pytest.fixture(scope="module")
def model(bench):
    return tiny_lm(tiny_config(bench.stack.text.size))


def given(bench, seconds):
    return cloning.voices(bench, Clone("", True, seconds, "th"))


def test_a_reference_is_of_the_same_speaker_never_the_text_itself_and_as_long_as_asked(bench):
    test, silence = bench.utterances("test"), 16_000
    marked = [torch.full((silence,), float(place)) for place in range(len(test))]
    quiet = SimpleNamespace(timbres=lambda sounds: None, tokens=lambda sounds: None, sample_rate=16_000)
    for text, sound in zip(test, voices_of(quiet, test, test, marked, 1.5).sounds, strict=True):
        heard = [test[int(place)] for place in sound.unique()]
        assert len(sound) == 24_000 and len(heard) == 2
        assert {one.speaker for one in heard} == {text.speaker} and text not in heard
    assert max(map(len, given(bench, 60.0).sounds)) < 60 * 16_000  # there is no more


def test_a_speaker_of_one_sentence_cannot_be_cloned_and_halves_of_one_sound_are_of_one_voice(bench):
    half = torch.randn(16_000)
    assert two_voices(bench.stack, [torch.cat([half, half])])[0] == pytest.approx(1, abs=1e-3)
    cut = []
    two_voices(SimpleNamespace(timbres=lambda sounds: cut.extend(sounds) or torch.ones(2, 1)), [torch.arange(6)])
    assert [half.tolist() for half in cut] == [[0, 1, 2], [3, 4, 5]]
    alone = bench.utterances("test")[:1]
    with pytest.raises(UserError, match="no other sentence to take a reference from"):
        voices_of(bench.stack, alone, alone, [torch.zeros(16_000)], 1.0)


def test_ceiling_is_the_same_speaker_and_floor_the_mean_of_all_others():
    readings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    references = SimpleNamespace(timbres=readings, utterances=[SimpleNamespace(speaker=who) for who in "aab"])
    ceiling, floor = bounds(references, SimpleNamespace(timbres=torch.tensor([[0.8, 0.6]] * 3)))
    assert np.allclose(ceiling, [0.8, 0.8, 0.6])
    assert np.allclose(floor, [0.6, 0.6, 0.8])


def test_a_register_is_the_median_pitch_where_enough_is_voiced():
    voiced = np.r_[np.zeros(5), np.linspace(200, 240, ENOUGH)]  # Hz, after a pause
    known, unknown = (register(SimpleNamespace(f0=f0)) for f0 in (voiced, voiced[:-1]))
    assert known == pytest.approx(12 * np.log2(220)) and np.isnan(unknown) and np.isnan(register(None))


def table(sims, speakers):
    return pd.DataFrame({"speaker": speakers, "sim": sims, "floor": 0.0, "words_wrong": 1, "words": 4})


def test_intervals_are_over_speakers_so_more_sentences_of_few_people_do_not_narrow_them():
    means, rng = np.linspace(0.2, 0.8, 6), np.random.default_rng(0)
    few, many = (
        table(np.repeat(means, n) + 0.01 * rng.normal(size=6 * n), np.repeat(list("abcdef"), n)) for n in (4, 64)
    )
    one, other = (gap([some], "sim") for some in (few, many))
    assert other.n == 384 and abs((other.high - other.low) - (one.high - one.low)) < 0.02
    assert gap([many], "sim", [many], "floor").low > 0
    assert np.isnan(gap([few[few["speaker"] == "a"]], "sim").mean)


def test_the_stage_scores_every_condition_and_its_readers_find_them(bench, model, monkeypatch):
    params = replace(PARAMS, roles=replace(PARAMS.roles, tdsc="none"))
    monkeypatch.setattr(cloning, "cached_bench", lambda params, lang: bench)
    monkeypatch.setattr(cloning, "policy_of", lambda bench, name, seed: model)
    monkeypatch.setenv("SEBRIDGE_WORKERS", "1")
    cells = cloning.run_cloning(params)
    assert cells == len(grid("th", params))
    for clone in grid("th", params):
        scores = cloning.clones(bench, clone, 0)
        assert scores.table["speaker"].tolist() == [text.speaker for text in bench.utterances("test")]
    heard = cloning.sounds_of(bench, clone, 0)
    assert [len(sound) for sound in heard] == [round(16_000 * seconds) for seconds in scores.table["seconds"]]
    (only,) = cloning.standard(bench, [scores.table.drop(columns="speaker")])
    assert only["speaker"].equals(scores.table["speaker"])


# Systems from outside


def exported(bench, folder, texts):
    """The first recordings as somebody else's export, in another order."""
    test = bench.utterances("test")[:texts]
    for utterance, sound in zip(test, bench.stack.load(test, bench.folder("test")), strict=True):
        soundfile.write(folder / f"{utterance.id}.wav", sound.numpy(), 16_000)
    rows = [f"{utterance.id}.wav,{utterance.text}" for utterance in reversed(test)]
    (folder / "manifest.csv").write_text("\n".join(["file,text", *rows]), encoding="utf-8")


@pytest.fixture
def made(bench, monkeypatch):
    """The stage `systems` has run: of what it makes here one engine speaks, as people do, and one is missing."""

    def said(spec, asked, *_):
        if spec == "mms":
            raise UserError("no weights of it here")
        test = bench.utterances("test")
        assert asked == [(text.text, text.words) for text in test]
        for utterance, sound in zip(test, bench.stack.load(test, bench.folder("test")), strict=True):
            samples = (sound.numpy() * 32768).astype(np.int16)
            yield Recording(replace(utterance, id=f"said-{utterance.id}", start=0), samples, None)

    monkeypatch.setattr(systems, "load_bench", lambda params, lang: bench)
    monkeypatch.setattr(systems, "spoken", said)
    systems.run_systems(replace(PARAMS, roles=replace(PARAMS.roles, tdsc="none")))


@pytest.mark.parametrize("texts", [6, 4])
def test_a_folder_of_all_test_texts_joins_the_table_and_any_other_stands_apart(bench, made, tmp_path, texts):
    exported(bench, tmp_path, texts)
    lines = systems.score_folder(PARAMS, tmp_path, "th", "azure")
    assert f"{texts} of the 6 test texts" in lines[0]
    paired, apart, why = systems.outside(bench)
    assert list(paired) == ["espeak-ng", *["azure"][: texts == 6]] and list(apart) == ["azure"][: texts != 6]
    assert set(why) == {"mms-tts", "CosyVoice2"}
    ids = [text.id for text in bench.utterances("test")]
    for scores in paired.values():
        assert scores.table["id"].tolist() == ids
        assert not {"sim", "f0_corr"} & set(scores.table)  # what would compare a recording with itself


def test_your_folders_outlive_the_stage_and_what_was_scored_is_what_was_said(bench, made, tmp_path):
    exported(bench, tmp_path, 6)
    systems.score_folder(PARAMS, tmp_path, "th", "azure")
    systems.run_systems(replace(PARAMS, roles=replace(PARAMS.roles, tdsc="none")))
    paired = systems.outside(bench)[0]
    assert set(paired) == {"espeak-ng", "azure"}
    assert paired["azure"].table["words_wrong"].equals(paired["espeak-ng"].table["words_wrong"])


def test_where_the_corpus_has_phones_other_systems_read_words_and_are_paired_by_them(bench, tmp_path, monkeypatch):
    exported(bench, tmp_path, 6)
    test = [replace(text, text=f"phones {place}") for place, text in enumerate(bench.utterances("test"))]
    params = replace(PARAMS, text=replace(PARAMS.text, units="phones"))
    other = bench.with_set("test", test, bench.folder("test"))
    other.params = params
    monkeypatch.setattr(systems, "load_bench", lambda params, lang: other)
    assert other.written(test[0]) == " ".join(test[0].words) and bench.written(test[0]) == "phones 0"
    assert "6 of the 6 test texts" in systems.score_folder(params, tmp_path, "th", "azure")[0]


@pytest.mark.parametrize("name", ["", "mms-tts", "../up", ".hidden"])
def test_a_name_that_is_no_plain_word_or_is_taken_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="choose another one with --name"):
        systems.score_folder(PARAMS, tmp_path, "th", name)


def test_weights_that_are_not_here_are_never_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "MMS", {"th": str(tmp_path / "none")})
    for lang in ("th", "xx"):
        with pytest.raises(UserError, match="no weights of"):
            engines.load_mms(lang)


def tiny_mms(folder, reads_latin):
    """A VITS of 8 numbers wide, in the form of MMS-TTS, that knows five letters and nothing else."""
    (folder / "vocab.json").write_text(json.dumps({letter: place for place, letter in enumerate("_กามปู |")}))
    how = {"pad_token": "_", "unk_token": "_", "phonemize": False, "is_uroman": reads_latin}
    VitsTokenizer(str(folder / "vocab.json"), **how).save_pretrained(folder)
    layers = (
        "num_hidden_layers",
        "prior_encoder_num_flows",
        "prior_encoder_num_wavenet_layers",
        "depth_separable_num_layers",
    )
    sizes = ("hidden_size", "ffn_dim", "flow_size", "vocab_size")
    ups = {"upsample_initial_channel": 16, "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8]}
    sizes = dict.fromkeys(sizes, 8) | dict.fromkeys(layers, 1) | ups | {"spectrogram_bins": 9, "window_size": 2}
    torch.manual_seed(0)
    VitsModel(VitsConfig(**sizes, num_attention_heads=2, sampling_rate=8_000)).save_pretrained(folder)


def test_mms_says_each_text_at_16_khz_alike_with_one_seed_and_no_language_in_other_letters(monkeypatch, tmp_path):
    tiny_mms(tmp_path, reads_latin=False)
    monkeypatch.setattr(engines, "MMS", {"th": str(tmp_path)})
    texts = [("กามา", ("กา", "มา")), ("ปู", ("ปู",))]
    once, again, other = (list(engines.spoken("mms", texts, "th", tmp_path, seed)) for seed in (0, 0, 1))
    assert [said.utterance.text for said in once] == ["กามา", "ปู"] and once[0].utterance.engine == engines.MMS_NAME
    sounds = [[said.samples.tolist() for said in some] for some in (once, again, other)]
    assert sounds[0] == sounds[1] != sounds[2] and all(
        len(sound) % 32 == 0 for sound in sounds[0]
    )  # 16 at 8 kHz a step
    tiny_mms(tmp_path, reads_latin=True)
    with pytest.raises(UserError, match="reads Latin letters alone"):
        engines.load_mms("th")


# The command


TIME = np.arange(24_000) / 16_000
VOICE = (
    0.3 * np.sin(2 * np.pi * 180 * TIME + 3 * np.sin(8 * TIME)) * (0.6 + 0.4 * np.sin(25 * TIME))
)  # moves as speech does


@pytest.fixture
def ask(bench, model, tmp_path, monkeypatch):
    """`clone` with tiny parts, a policy and consent for a reference of these samples."""
    monkeypatch.setattr(command, "active_params", lambda: PARAMS)
    monkeypatch.setattr(command, "load_bench", lambda params, lang: bench)
    monkeypatch.setattr(command, "policy_of", lambda bench, name, seed: model)

    def run(samples=VOICE, text="ผมไป", until="2030-01-01", today=date(2029, 1, 1)):
        soundfile.write(tmp_path / "ref.wav", samples, 16_000, "FLOAT")
        signed = date(2028, 1, 1)
        write_consent(tmp_path / "consent.json", "anna", "a test", until, tmp_path / "ref.wav", signed)
        return command.clone(text, tmp_path / "ref.wav", tmp_path / "consent.json", tmp_path / "out.wav", today=today)

    return run


def test_a_clone_is_written_with_where_it_comes_from_and_names_the_consent(ask, tmp_path):
    lines = ask()
    assert "by dgsa" in lines[0] and "anna" in lines[1]
    with open_sound(tmp_path / "out.wav") as sound:
        assert read_provenance(sound).model == "dgsa"
    samples, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == 16_000 and len(samples)


LOUD = np.random.default_rng(0).normal(size=24_000)


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ({"today": date(2031, 1, 1)}, "2030-01-01"),
        ({"samples": np.zeros(24_000)}, "silence"),
        ({"samples": 0.1 * LOUD[:100]}, "give another recording"),
        ({"samples": np.concatenate([0.1 * LOUD[:12_000], np.zeros(24_000)])}, "0.8 s of speech"),
        ({"samples": np.clip(3 * LOUD, -1, 1)}, "clipped"),
        ({"samples": 0.1 * LOUD}, "hardly any pitch"),
        ({"samples": 0.3 * np.sin(2_000 * TIME)}, "one pitch throughout"),
        ({"text": "ผมໄປ"}, "not wholly in Thai or in Lao script"),
        ({"text": "hello"}, "not wholly in Thai or in Lao script"),
        ({"text": "12"}, "no letter"),
    ],
)
def test_a_bad_request_is_one_line_and_writes_nothing(ask, tmp_path, how, part):
    with pytest.raises(UserError) as caught:
        ask(**how)
    assert part in str(caught.value) and not {"\n", "row"} & set(str(caught.value).split(" "))
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("name", ["ref.wav", "consent.json"])
def test_a_clone_never_takes_the_place_of_what_it_is_made_from(ask, tmp_path, name):
    ask()
    before = (tmp_path / name).read_bytes()
    given = tmp_path / "ref.wav", tmp_path / "consent.json"
    with pytest.raises(UserError, match=r"give a(nother)? name") as caught:
        command.clone("ผมไป", *given, tmp_path / name, today=date(2029, 1, 1))
    assert "\n" not in str(caught.value)
    assert (tmp_path / name).read_bytes() == before


def test_without_consent_nothing_is_cloned(ask, tmp_path):
    ask()
    (tmp_path / "out.wav").unlink()
    (tmp_path / "consent.json").unlink()
    with pytest.raises(UserError, match="consent"):
        command.clone("ผมไป", tmp_path / "ref.wav", tmp_path / "consent.json", tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_two_voices_in_a_row_are_told_from_two_seconds_on(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "two_voices", lambda stack, sounds: np.array([0.1]))
    soundfile.write(tmp_path / "two.wav", np.tile(VOICE, 2), 16_000)
    soundfile.write(tmp_path / "short.wav", VOICE, 16_000)
    with pytest.raises(UserError, match="sound like two people"):
        command.read_reference(tmp_path / "two.wav", bench.stack, 0.5)
    assert len(command.read_reference(tmp_path / "short.wav", bench.stack, 0.5)) > 16_000
