"""The stage `import`: real, synthetic, dev and test speech of each language, as manifests with sound in shards.

artifacts/corpus/{train,dev,test}/LANG/SET.jsonl              what was said, by whom, and the truth about it
artifacts/corpus/{train,dev,test}/LANG/SET-000.wav, .f0.npy   many utterances in a row; true F0 every 10 ms
artifacts/corpus/train/dropped.json                           what the filter of synthetic speech refused, by language

Your own recordings are in data/real/, engines' speech in data/synthetic/ENGINE/, and the sentences that other engines say in
data/texts.txt (else they say the transcripts of the training recordings). `sebridge new` puts them there; own_corpus.py reads.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.params import CorpusParams, Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.core.workers import crew, workers
from sebridge_lite.data.engines import loaded
from sebridge_lite.data.filters import Filter, filtered, fitted, letter_seconds
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.recordings import Recording, take_seconds, write_set
from sebridge_lite.data.sets import PLACES
from sebridge_lite.experiments.own_corpus import as_units, engine_speech, own_sets, write_backbone, write_lexicon
from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.studio import Line, lines_of, mishear, record_all
from sebridge_lite.studio.texts import load_language, sentences, split_of
from sebridge_lite.studio.voices import engines, people

SPEED = 100.0  # times real time, a core, at the least


def noisy(lines: Iterable[Line], words: list[Word], share: float, seed: int) -> Iterator[Line]:
    """A few transcripts that do not say what was said, as in crowd-sourced recordings; the split stays the same."""
    for line in lines:
        rng = rng_of(seed, line.id, "transcript")
        if rng.random() < share:
            wrong = [mishear(list(line.words), words, rng) for _ in range(32)]
            kept = [text for text in wrong if split_of("".join(text)) == "real"]
            line = replace(line, text=kept[0]) if kept else line
        yield line


def read_aloud(
    name: str, split: str, voices: list, lang: str, p: CorpusParams, seed: int, vocabulary=1.0, slips=0.0, part=()
) -> Iterator[Line]:
    """Texts of a split as `voices` read them in turn: all, or a part, as (from, to). One of the test set may be several."""
    found, joined = sentences(load_language(lang, p.zipf), split, seed, vocabulary), p.test_sentences
    texts = iter(lambda: list(chain(*islice(found, joined))), None) if split == "test" else found
    said = islice(texts, *(part or (None,)))
    return lines_of(name, lang, said, voices, seed, slips)


def studio_real(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    """Sentences as studio people read them, with slips and with wrong transcripts."""
    lines = read_aloud("real", "real", people("train", p.people), lang, p, seed, p.real_vocabulary, p.slip_rate)
    words = list(load_language(lang).lexicon.values())
    return record_all(noisy(lines, words, p.transcript_noise, seed), seed, pool)


def studio_held_out(split: str, count: int, lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    """Dev and test sentences, read by people who are in no training set; without slips, for they are the reference."""
    voices = people("unseen" if split == "test" else "dev", p.unseen_people)
    lines = read_aloud(split, split, voices, lang, p, seed, part=(0, count))
    return record_all(progress(lines, f"{lang} {split}", total=count), seed, pool)


def studio_engines(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    """Sentences as studio engines read them, without end."""
    vocabulary = p.real_vocabulary if p.shared_domain else 1.0
    lines = read_aloud("synthetic", "synthetic", engines("main", p.engines), lang, p, seed, vocabulary)
    return record_all(lines, seed, pool)


def build_language(
    corpus: Path, lang: str, params: Params, real: float, synthetic: float, work: Path, pool=None
) -> dict[str, int]:
    """What the filter dropped, after all sets of a language are written; `real` and `synthetic` are minutes."""
    p, seed, units = params.corpus, params.seed, params.text.units

    def write(name: str, recordings: Iterable[Recording]) -> list:
        return write_set(corpus / PLACES[name] / lang, name, recordings)

    sets: dict[str, list[Utterance]] = {}
    if p.real_source == "folder" and (real or params.stack == "hub"):
        folder = paths.data("real", lang) if paths.data("real", lang).is_dir() else paths.data("real")
        sets = own_sets(folder, lang, p)
        heard = {name: as_units(loaded(said, folder, lang), lang, units) for name, said in sets.items()}
        dev, test, recordings = write("dev", heard["dev"]), write("test", heard["test"]), heard["real"]
    else:
        dev = write("dev", studio_held_out("dev", p.dev_texts, lang, p, seed, pool))
        test = write("test", studio_held_out("test", p.test_texts, lang, p, seed, pool))
        recordings = studio_real(lang, p, seed, pool)
    trained = write("real", take_seconds(recordings, real * 60, f"{lang} real")) if real else []
    dropped: dict[str, int] = {}
    if sets:
        rule = fitted(trained or dev, p.duration_ratio, p.max_stuck)
    else:
        rule = Filter(letter_seconds(trained or dev), p.duration_ratio, p.max_stuck)
    if p.synthetic_source == "studio":
        made = studio_engines(lang, p, seed, pool)
    else:
        made = as_units(engine_speech(lang, p, seed, sets, dropped, work), lang, units)
    said = write("synthetic", take_seconds(filtered(made, rule, dropped), synthetic * 60, f"{lang} synthetic"))
    if params.stack != "studio":
        more = write_backbone(corpus, lang, p, seed, sets, units, work)
        write_lexicon(corpus, lang, units, [trained, said, dev, test, more])
    return dropped


def run_import(params: Params) -> dict[str, dict[str, int]]:
    """What the filter dropped, by language, after the corpus is written, whole or not at all."""
    p, lang, second = params.corpus, params.roles.dgsa, params.roles.tdsc
    minutes, place = p.real_minutes + p.synthetic_minutes + p.second_synthetic_minutes, paths.artifacts("corpus")
    with paths.working(place) as work, paths.replacing(place) as corpus, crew(workers(minutes * 60 / SPEED)) as pool:
        for name in ("backbone", "lexicon") if params.stack == "studio" else ():
            paths.leave_empty(corpus / name)
        dropped = {lang: build_language(corpus, lang, params, p.real_minutes, p.synthetic_minutes, work, pool)}
        if second not in ("none", lang):
            studio = replace(params, corpus=replace(p, synthetic_source="studio"))
            other = params if params.stack == "hub" else studio
            dropped[second] = build_language(corpus, second, other, 0, p.second_synthetic_minutes, work, pool)
        (corpus / "train" / "dropped.json").write_text(json.dumps(dropped) + "\n", encoding="utf-8")
    return dropped


def glosses(words: Iterable[str], lang: str) -> list[tuple[str, str]]:
    """Each word with its meaning in English, "" where the studio's lexicon does not have it."""
    lexicon = load_language(lang).lexicon if paths.data("text", lang).is_dir() else {}
    return [(word, lexicon[word].gloss if word in lexicon else "") for word in words]
