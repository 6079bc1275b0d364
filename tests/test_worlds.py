"""Policies of other worlds, on speech of seconds and a tiny model: what a world changes, what is kept, what is read off."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import CODES, recorded, tiny_config, tiny_lm

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import load_params
from sebridge_lite.data.manifest import load_audio
from sebridge_lite.experiments import worlds as W
from sebridge_lite.experiments.bench import Bench
from sebridge_lite.experiments.worlds import mixture_of, natural_range
from sebridge_lite.measure.entropy import jackknife
from sebridge_lite.measure.evaluate import Scores
from sebridge_lite.measure.trends import agreement, over_alpha, peak_row
from sebridge_lite.stack.characters import CharVocab
from sebridge_lite.studio.texts import load_language
from sebridge_lite.studio.voices import engines, people

SMOKE = load_params(Path(__file__).parents[1] / "params" / "smoke.yaml")
WORLDS = dataclasses.replace(SMOKE.worlds, alphas=(0.03, 0.5, 1.0), steps=2, narrow=0.9)
SFT = dataclasses.replace(SMOKE.sft, budget=400, style_tokens=9)
SAMPLING = dataclasses.replace(SMOKE.sampling, max_ratio=1.5)
CORPUS = dataclasses.replace(SMOKE.corpus, real_minutes=0.2, people=4, unseen_people=2, test_texts=4)
PARAMS = dataclasses.replace(SMOKE, worlds=WORLDS, sft=SFT, sampling=SAMPLING, corpus=CORPUS)


def tokens(sounds):
    """A code a stretch of 40 ms: how loud it is."""
    return [(row[: len(row) // 640 * 640].view(-1, 640).abs().amax(1) * CODES).long() for row in sounds]


STACK = SimpleNamespace(
    tokens=tokens, codes=CODES, text=CharVocab(), device="cpu", read=lambda rows, lang: [["no"] for _ in rows]
)


@pytest.fixture
def bench(project):
    """Four utterances of people, eight of engines and four of test; every part of the backbone tiny and alike."""
    said = {"real": (people("train", 4), 4), "synthetic": (engines(), 8), "test": (people("unseen", 2), 4)}
    sets = {name: (recorded(project, "th", name, *how), project) for name, how in said.items()}
    spoken = [utterance for utterances, _ in sets.values() for utterance in utterances]
    codes = {u.id: row for u in spoken for row in tokens([torch.from_numpy(load_audio(u, project))])}

    class TinyBench(Bench):
        stack = STACK

        def _codes(self, name):
            return codes

    return TinyBench(PARAMS, "th", sets)


@pytest.fixture
def world(bench, project, monkeypatch):
    """A function that runs the stage for a world and gives its speech."""
    monkeypatch.setattr(W, "load_bench", lambda params: bench)
    monkeypatch.setattr(W, "load_backbone", lambda: tiny_lm(tiny_config(CharVocab().size), 0))

    def run(kind):
        bench.params = dataclasses.replace(PARAMS, worlds=dataclasses.replace(WORLDS, kinds=(kind,)))
        W.run_worlds(bench.params)
        return W.speech_of(kind, bench, paths.artifacts("worlds", kind) / "speech")

    return run


def test_engines_of_another_range_say_the_same_sentences_in_the_same_time(bench, world):
    said = world("flat")
    for before, after in zip(bench.utterances("synthetic"), said["synthetic"][0], strict=True):
        first, second = ((u.id, u.words, u.engine, u.seconds) for u in (before, after))
        assert first == second
    assert said["real"][0] is bench.utterances("real")
    natural = natural_range(people("train", 4))
    ranges = [natural_range([voice]) for voice in W.stand_ins("flat", PARAMS).values()]
    assert ranges == pytest.approx([0.25 * natural] * 3)
    differ = [not torch.equal(*rows) for rows in zip(said["synthetic"][1], bench.tokens("synthetic"), strict=True)]
    assert any(differ)


def test_in_the_narrow_world_only_people_keep_to_the_common_words(bench, world):
    lexicon, said = load_language("th").lexicon, world("narrow")
    for name in ("real", "narrow"):
        assert max(lexicon[w].rank for u in said[name][0] for w in u.words) <= WORLDS.narrow * len(lexicon)
    assert said["synthetic"][0] is bench.utterances("synthetic")
    tests = W.tests_of(bench, said)
    assert {name: len(texts) for name, texts in tests.items()} == {"whole": 4, "narrow": 4}


def test_the_study_s_own_policies_say_what_they_said_and_are_refused_when_trained_otherwise(bench, monkeypatch):
    said = [torch.full((5,), place) for place in range(4)]
    monkeypatch.setattr(Bench, "scored", lambda *_: (SimpleNamespace(codes=said), {}))
    with pytest.raises(UserError, match=r"worlds\.steps differs from sft\.steps"):
        W._of_the_study(bench, 0.5, 0)
    bench.params = dataclasses.replace(PARAMS, sft=dataclasses.replace(PARAMS.sft, steps=WORLDS.steps))
    assert W._of_the_study(bench, 0.5, 0) is said
    scores = W.as_read(bench, said, bench.utterances("test"), 0)
    assert scores.table["words"].tolist() == [len(u.words) for u in bench.utterances("test")]


def test_a_run_has_a_row_a_cell_and_leaves_no_work_folder(bench, world, project):
    world("flat")
    table, peaks = W.worlds(bench)
    assert table["alpha"].tolist() == list(WORLDS.alphas)
    assert (table["wer_tokens"] > 0.9).all() and table["texts"].eq(4).all()  # the judge reads one wrong word
    assert peaks["world"].tolist() == ["flat"] and peaks["seeds"].tolist() == [1]
    assert [path.name for path in (project / "artifacts" / "worlds").iterdir()] == ["flat"]


@pytest.mark.parametrize("own", [{"real_source": "folder"}, {"synthetic_source": "engines"}])
def test_of_speech_of_your_own_there_are_no_other_worlds(own):
    params = dataclasses.replace(PARAMS, corpus=dataclasses.replace(PARAMS.corpus, **own))
    assert W.kinds_of(params) == [] and W.kinds_of(PARAMS) == ["flat"]


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
