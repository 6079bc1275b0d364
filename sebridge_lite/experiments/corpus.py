"""The stage `import`: real, synthetic, dev and test speech of each language, as manifests with sound in shards.

artifacts/corpus/{train,dev,test}/LANG/SET.jsonl              what was said, by whom, and the truth about it
artifacts/corpus/{train,dev,test}/LANG/SET-000.wav, .f0.npy   many utterances in a row; true F0 every 10 ms
artifacts/corpus/train/dropped.json                           what the filter of synthetic speech refused, by language
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import CorpusParams, Params
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.core.workers import crew, workers
from sebridge_lite.data.engines import engine_folders, espeak_recordings, folder_recordings
from sebridge_lite.data.filters import Filter, filtered, letter_seconds
from sebridge_lite.data.recordings import Recording, take_seconds, write_set
from sebridge_lite.data.sets import PLACES
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
    """Sentences of a split as `voices` read them in turn: all, or a part, as (from, to)."""
    said = islice(sentences(load_language(lang, p.zipf), split, seed, vocabulary), *(part or (None,)))
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


def synthetic_recordings(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    """Synthetic speech from the source that the settings name, without end where it is the studio."""
    if p.synthetic_source == "folder":
        return engine_folders(paths.data("synthetic"), lang, p.skip_bad)
    if p.synthetic_source == "espeak-ng":
        said = sentences(load_language(lang, p.zipf), "synthetic", seed)
        return espeak_recordings((tuple(word.text for word in words) for words in said), lang)
    vocabulary = p.real_vocabulary if p.shared_domain else 1.0
    lines = read_aloud("synthetic", "synthetic", engines("main", p.engines), lang, p, seed, vocabulary)
    return record_all(lines, seed, pool)


def own_sets(folder: Path, lang: str, skip_bad: bool) -> dict[str, list[Recording]]:
    """Your own recordings by set, each where its text belongs; what is neither dev nor test trains."""
    sets: dict[str, list[Recording]] = {"real": [], "dev": [], "test": []}
    for recording in folder_recordings(folder, lang, skip_bad=skip_bad):
        split = split_of(recording.utterance.text)
        sets[split if split in sets else "real"].append(recording)
    for name, found in sets.items():
        if not found:
            what = f"none of its texts falls into the {name} set; add recordings (dev takes 5 % of them)"
            raise UserError(f"{folder}: {what}")
    return sets


def build_language(
    corpus: Path, lang: str, p: CorpusParams, seed: int, real: float, synthetic: float, pool=None
) -> dict[str, int]:
    """What the filter dropped, after all sets of a language are written; `real` and `synthetic` are minutes."""

    def write(name: str, recordings: Iterable[Recording]) -> list:
        return write_set(corpus / PLACES[name] / lang, name, recordings)

    if real and p.real_source == "folder":
        own = own_sets(paths.data("real"), lang, p.skip_bad)
        dev, _ = write("dev", own["dev"]), write("test", own["test"])
        recordings = iter(own["real"])
    else:
        dev = write("dev", studio_held_out("dev", p.dev_texts, lang, p, seed, pool))
        write("test", studio_held_out("test", p.test_texts, lang, p, seed, pool))
        recordings = studio_real(lang, p, seed, pool)
    reference = write("real", take_seconds(recordings, real * 60, f"{lang} real")) if real else dev
    dropped: dict[str, int] = {}
    rule = Filter(letter_seconds(reference), p.duration_ratio, p.max_stuck)
    passing = filtered(synthetic_recordings(lang, p, seed, pool), rule, dropped)
    write("synthetic", take_seconds(passing, synthetic * 60, f"{lang} synthetic"))
    return dropped


def run_import(params: Params) -> dict[str, dict[str, int]]:
    """What the filter dropped, by language, after the corpus is written, whole or not at all."""
    p, seed, lang, second = params.corpus, params.seed, params.roles.dgsa, params.roles.tdsc
    minutes = p.real_minutes + p.synthetic_minutes + p.second_synthetic_minutes
    with paths.replacing(paths.artifacts("corpus")) as corpus, crew(workers(minutes * 60 / SPEED)) as pool:
        dropped = {lang: build_language(corpus, lang, p, seed, p.real_minutes, p.synthetic_minutes, pool)}
        if second not in ("none", lang):
            studio = replace(p, synthetic_source="studio")
            dropped[second] = build_language(corpus, second, studio, seed, 0, p.second_synthetic_minutes, pool)
        (corpus / "train" / "dropped.json").write_text(json.dumps(dropped) + "\n", encoding="utf-8")
    return dropped


def glosses(words: Iterable[str], lang: str) -> list[tuple[str, str]]:
    """Each word with its meaning in English, "" where the studio's lexicon does not have it."""
    lexicon = load_language(lang).lexicon
    return [(word, lexicon[word].gloss if word in lexicon else "") for word in words]
