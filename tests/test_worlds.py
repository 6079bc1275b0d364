"""Policies of other worlds, on speech of seconds and a tiny model: what a world changes, what is kept, what is read off."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from sebridge_lite.core.checkpoint import key_of
from sebridge_lite.core.params import load_params
from sebridge_lite.experiments import worlds as W
from sebridge_lite.experiments.phase import mixture_of, natural_range
from sebridge_lite.experiments.policies import Bench, policy_folder
from sebridge_lite.lm.lm import LMConfig, TextSpeechLM
from sebridge_lite.measure.entropy import jackknife
from sebridge_lite.measure.evaluate import Scores, rate
from sebridge_lite.measure.saved import save_scores
from sebridge_lite.measure.worlds import agreement, over_alpha, peak_row
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.studio.studio import lines_of, record_all
from sebridge_lite.studio.texts import load_language, sentences
from sebridge_lite.studio.voices import engines, people

CODES = 27
LM = LMConfig(CharVocab().size, CODES, 16, 1, 2, 1, 16, max_positions=400, rope_theta=1e4, pace=2.5)
SMOKE = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml")
WORLDS = dataclasses.replace(SMOKE.worlds, alphas=(0.03, 0.5, 1.0), steps=2, narrow=0.9)
PARAMS = dataclasses.replace(
    SMOKE, worlds=WORLDS, sft=dataclasses.replace(SMOKE.sft, budget=400, style_tokens=9),
    sampling=dataclasses.replace(SMOKE.sampling, max_ratio=1.5),
    corpus=dataclasses.replace(SMOKE.corpus, real_minutes=0.2, people=4, unseen_people=2, test_texts=4),
)  # fmt: skip


def tokens(sounds):
    """A code a stretch of 40 ms: how loud it is."""
    return [(row[: len(row) // 640 * 640].view(-1, 640).abs().amax(1) * CODES).long() for row in sounds]


STACK = SimpleNamespace(
    tokens=tokens, tokenizer=SimpleNamespace(fsq=SimpleNamespace(codes=CODES)), device="cpu",
    read=lambda rows, lang: [["no"] for _ in rows],
)  # fmt: skip


@pytest.fixture
def bench(project, monkeypatch):
    """Four utterances of people, eight of engines and four of test; every part of the backbone tiny and alike."""

    def backbone(*_):
        torch.manual_seed(0)
        return TextSpeechLM(LM)

    monkeypatch.setattr(W, "load_part", backbone)
    grammar, sets, codes = load_language("th"), {}, {}
    for name, count, voices in (
        ("real", 4, people("train", 4)),
        ("synthetic", 8, engines()),
        ("test", 4, people("unseen", 2)),
    ):
        said = (words for words, _ in zip(sentences(grammar, name, 0), range(count), strict=False))
        made = list(record_all(lines_of(name, "th", said, voices, 0), 0))
        sets[name] = [one.utterance for one in made]
        codes |= dict(
            zip([u.id for u in sets[name]], tokens([torch.tensor(one.samples) / 32768 for one in made]), strict=True)
        )
    return Bench(STACK, sets, codes, [], project, "th", 0.0)


def test_engines_of_another_range_say_the_same_sentences_in_the_same_time(bench):
    flat = W.world("flat", bench, PARAMS)
    for before, after in zip(bench.sets["synthetic"], flat.sets["synthetic"], strict=True):
        assert (after.id, after.words, after.engine, after.seconds) == (
            before.id,
            before.words,
            before.engine,
            before.seconds,
        )
    assert flat.sets["real"] is bench.sets["real"]
    natural = natural_range(people("train", 4))
    assert [natural_range([voice]) for voice in W.stand_ins("flat", PARAMS).values()] == pytest.approx(
        [0.25 * natural] * 3
    )
    assert any(not torch.equal(flat.codes[u.id], bench.codes[u.id]) for u in flat.sets["synthetic"])


def test_in_the_world_of_one_engine_there_is_one(bench):
    assert {u.engine for u in W.world("one", bench, PARAMS).sets["synthetic"]} == {engines()[0].id}


def test_in_the_narrow_world_only_people_keep_to_the_common_words(bench):
    lexicon, narrow = load_language("th").lexicon, W.world("narrow", bench, PARAMS)
    for name in ("real", "narrow"):
        assert max(lexicon[w].rank for u in narrow.sets[name] for w in u.words) <= WORLDS.narrow * len(lexicon)
    assert narrow.sets["synthetic"] is bench.sets["synthetic"]
    assert {name: len(texts) for name, texts in W.tests_of(narrow).items()} == {"whole": 4, "narrow": 4}


def test_a_world_and_a_policy_are_made_once_and_anew_when_their_settings_change(bench, monkeypatch):
    first, trained = W.cell(W.world("flat", bench, PARAMS), "flat", 0.5, 0, PARAMS), []
    monkeypatch.setattr(W, "encoded", lambda *_: pytest.fail("rendered again"))
    tune = W.fine_tune
    monkeypatch.setattr(W, "fine_tune", lambda *given: trained.append(given) or tune(*given))
    again = W.cell(W.world("flat", bench, PARAMS), "flat", 0.5, 0, PARAMS)
    assert not trained and np.array_equal(first["whole"].counts, again["whole"].counts)
    other = dataclasses.replace(PARAMS, worlds=dataclasses.replace(WORLDS, steps=3))
    W.cell(W.world("flat", bench, other), "flat", 0.5, 0, other)
    assert len(trained) == 1 and trained[0][3].steps == 3


def test_the_study_s_own_policy_serves_where_its_settings_agree(bench, monkeypatch):
    ids = [u.id for u in bench.sets["test"]]
    said = [torch.full((5,), place) for place in range(4)]
    table = pd.DataFrame({"id": ids, "words_wrong": 1, "words": 2})
    settings = key_of(dataclasses.replace(PARAMS.sft, steps=WORLDS.steps), PARAMS.sampling)
    summary = {"wer": rate([table], "wer")}
    save_scores(policy_folder("additive-0.50", 0), Scores(table, np.eye(4), said, summary), settings=settings)
    monkeypatch.setattr(W, "fine_tune", lambda *_: pytest.fail("trained again"))
    found = W.cell(bench, "studio", 0.5, 0, PARAMS)["whole"]
    assert [row.tolist() for row in found.codes] == [row.tolist() for row in said]
    assert found.table["words"].tolist() == [len(u.words) for u in bench.sets["test"]]


def test_a_run_has_a_row_a_cell_and_sums_its_seconds(bench, project):
    peaks = W.run_worlds(bench, PARAMS)
    table, _ = W.worlds(bench, PARAMS)
    assert list(zip(table["world"], table["domain"], table["alpha"], strict=True)) == [
        ("flat", "whole", a) for a in WORLDS.alphas
    ]
    assert (table["wer_tokens"] > 0.9).all() and table["texts"].eq(4).all()  # the judge reads one wrong word
    assert peaks["world"].tolist() == ["flat"] and peaks["seeds"].tolist() == [1]
    folder = project / "artifacts" / "worlds"
    for path in folder.glob("*/*-s*/*/summary.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 7.0}))
    W.run_worlds(bench, PARAMS)
    assert json.loads((folder / "seconds.json").read_text())["seconds"] == 7.0 * len(WORLDS.alphas)


@pytest.mark.parametrize("own", [{"real_source": "folder"}, {"synthetic_source": "espeak-ng"}])
def test_of_speech_of_your_own_there_are_no_other_worlds(own):
    params = dataclasses.replace(PARAMS, corpus=dataclasses.replace(PARAMS.corpus, **own))
    assert W.kinds_of(params) == [] and W.kinds_of(PARAMS) == ["flat"]


def test_none_of_the_worlds_trains_nothing(bench, monkeypatch):
    monkeypatch.setattr(W, "fine_tune", lambda *_: pytest.fail("trained"))
    params = dataclasses.replace(PARAMS, worlds=dataclasses.replace(WORLDS, kinds=("none",)))
    assert W.run_worlds(bench, params).empty


def generated(p: np.ndarray, seed: int) -> Scores:
    counts = np.random.default_rng(seed).multinomial(60, p, 200)
    table = pd.DataFrame({"id": [f"{i:03d}" for i in range(200)], "words_wrong": 1, "words": 4})
    return Scores(table, counts, [], {"hp": jackknife(counts)})


@pytest.mark.parametrize(("engine", "peak"), [((1 / 8, 7 / 8), "inside"), ((7 / 8, 1 / 8), "none")])
def test_policies_that_are_mixtures_peak_where_their_corpora_do(engine, peak):
    real, syn = np.array([3 / 4, 1 / 4]), np.array(engine)
    found = {a: [generated((1 - a) * real + a * syn, 7)] for a in (0.0, 0.2, 0.4, 0.7, 1.0)}
    table, hp = over_alpha(found, 0)
    row = peak_row(hp, mixture_of(generated(real, 1).counts, generated(syn, 2).counts, 0))
    assert row["peak"] == row["predicted_peak"] == peak
    assert row["observed"] == (0.4 if peak == "inside" else 0.0) and abs(row["observed"] - row["predicted"]) < 0.06
    assert table["wer_tokens"].eq(0.25).all() and (table["hp_low"] < table["hp"]).all()
    said = agreement(pd.DataFrame([row]))
    assert said[peak] == said["places meet"] == 1
