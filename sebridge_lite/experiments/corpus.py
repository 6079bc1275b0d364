"""Build a corpus: real, synthetic, dev and test speech of a language, each a manifest with audio in shards.

artifacts/corpus/th/{real,synthetic,dev,test}.jsonl      what was said, by whom, and the truth about it
artifacts/corpus/th/real-000.wav, real-000.f0.npy        many utterances in a row; true F0 every 10 ms
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import CorpusParams
from sebridge_lite.core.progress import progress
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.core.workers import workers
from sebridge_lite.data.engines import engine_folders, espeak_recordings, folder_recordings
from sebridge_lite.data.filters import Filter, filtered, letter_seconds
from sebridge_lite.data.manifest import RATE, Utterance, read_manifest, write_manifest
from sebridge_lite.studio.grammar import Grammar
from sebridge_lite.studio.prosody import HOP
from sebridge_lite.studio.studio import Line, Recording, crew, lines_of, mishear, record_all
from sebridge_lite.studio.texts import load_language, sentences, split_of
from sebridge_lite.studio.voices import engines, people

SETS = ("real", "synthetic", "dev", "test")
SHARD_SECONDS = 600.0
SPEED = 100.0  # times real time, a core, at the least


def take_seconds(recordings: Iterable[Recording], seconds: float, what: str) -> Iterator[Recording]:
    """Recordings until `seconds` are full, with a bar."""
    filled = 0.0
    with progress(None, what, "s", total=round(seconds)) as bar:
        for recording in recordings:
            yield recording
            filled += recording.utterance.seconds
            bar.update(round(filled) - bar.n)
            if filled >= seconds:
                return


def write_set(folder: Path, name: str, recordings: Iterable[Recording]) -> list[Utterance]:
    """Shards and manifest of one set; utterances come back with their place in the shards."""
    written: list[Utterance] = []
    shard, wav, tracks, filled = -1, None, [], np.inf

    def close() -> None:
        if wav is not None:
            wav.close()
            if all(track is not None for track in tracks):
                np.save(folder / f"{name}-{shard:03d}.f0.npy", np.concatenate(tracks).astype(np.float16))

    try:
        for recording in recordings:
            if filled >= SHARD_SECONDS * RATE:
                close()
                shard, tracks, filled = shard + 1, [], 0
                wav = soundfile.SoundFile(folder / f"{name}-{shard:03d}.wav", "w", RATE, 1, "PCM_16")
            wav.write(recording.samples)
            tracks.append(recording.f0)
            written.append(replace(recording.utterance, path=f"{name}-{shard:03d}.wav", start=filled))
            filled += len(recording.samples)
    finally:
        close()
    write_manifest(folder / f"{name}.jsonl", written)
    return written


def load_f0(utterance: Utterance, folder: Path) -> np.ndarray:
    """The true F0 of a studio utterance in Hz every 10 ms, 0 where unvoiced. (T,)"""
    track = np.load(folder / utterance.path.replace(".wav", ".f0.npy"), mmap_mode="r")
    first = utterance.start // HOP
    return np.asarray(track[first : first + utterance.frames // HOP], dtype=np.float32)


def noisy(lines: Iterable[Line], grammar: Grammar, share: float, split: str, seed: int) -> Iterator[Line]:
    """A few transcripts that do not say what was said, as in crowd-sourced recordings; the split stays the same."""
    words = list(grammar.lexicon.values())
    for line in lines:
        rng = rng_of(seed, line.id, "transcript")
        if rng.random() < share:
            wrong = [mishear(list(line.words), words, rng) for _ in range(32)]
            kept = [text for text in wrong if split_of("".join(text)) == split]
            line = replace(line, text=kept[0]) if kept else line
        yield line


def studio_real(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    grammar = load_language(lang, p.zipf)
    said = sentences(grammar, "real", seed, p.real_vocabulary)
    lines = lines_of("real", lang, said, people("train", p.people), seed, p.slip_rate)
    return record_all(noisy(lines, grammar, p.transcript_noise, "real", seed), seed, pool)


def studio_synthetic(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    vocabulary = p.real_vocabulary if p.shared_domain else 1.0
    said = sentences(load_language(lang, p.zipf), "synthetic", seed, vocabulary)
    return record_all(lines_of("synthetic", lang, said, engines("main", p.engines), seed), seed, pool)


def studio_held_out(split: str, count: int, lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    """Dev and test sentences, read by people who are in no training set; without slips, for they are the reference."""
    said = itertools.islice(sentences(load_language(lang, p.zipf), split, seed), count)
    voices = people("unseen" if split == "test" else "dev", p.unseen_people)
    return record_all(progress(lines_of(split, lang, said, voices, seed), f"{lang} {split}", total=count), seed, pool)


def synthetic_recordings(lang: str, p: CorpusParams, seed: int, pool=None) -> Iterator[Recording]:
    if p.synthetic_source == "folder":
        return engine_folders(paths.data("synthetic"), lang, p.skip_bad)
    if p.synthetic_source == "espeak-ng":
        said = sentences(load_language(lang, p.zipf), "synthetic", seed)
        return espeak_recordings((tuple(word.text for word in words) for words in said), lang)
    return studio_synthetic(lang, p, seed, pool)


def own_sets(folder: Path, lang: str, skip_bad: bool) -> dict[str, list[Recording]]:
    """Your own recordings, each in the split that its text belongs to; what is neither dev nor test trains."""
    sets: dict[str, list[Recording]] = {"real": [], "dev": [], "test": []}
    for recording in folder_recordings(folder, lang, skip_bad=skip_bad):
        split = split_of(recording.utterance.text)
        sets[split if split in sets else "real"].append(recording)
    for name, found in sets.items():
        if not found:
            raise UserError(
                f"{folder}: none of its texts falls into the {name} set; add recordings (dev takes 5 % of them)"
            )
    return sets


def build_language(
    folder: Path, lang: str, p: CorpusParams, seed: int, real: float, synthetic: float, pool=None
) -> dict:
    """All sets of one language, `real` and `synthetic` in minutes; returns what the filter dropped."""
    folder.mkdir(parents=True)
    if real and p.real_source == "folder":
        own = own_sets(paths.data("real"), lang, p.skip_bad)
        written = {name: write_set(folder, name, own[name]) for name in ("dev", "test")}
        recordings = iter(own["real"])
    else:
        counts = {"dev": p.dev_texts, "test": p.test_texts}
        written = {
            name: write_set(folder, name, studio_held_out(name, count, lang, p, seed, pool))
            for name, count in counts.items()
        }
        recordings = studio_real(lang, p, seed, pool)
    if real:
        written["real"] = write_set(folder, "real", take_seconds(recordings, real * 60, f"{lang} real"))
    dropped: dict[str, int] = {}
    rule = Filter(letter_seconds(written.get("real") or written["dev"]), p.duration_ratio, p.max_stuck)
    passing = filtered(synthetic_recordings(lang, p, seed, pool), rule, dropped)
    write_set(folder, "synthetic", take_seconds(passing, synthetic * 60, f"{lang} synthetic"))
    return dropped


def build_corpus(p: CorpusParams, seed: int, folder: Path) -> dict[str, dict]:
    """Both languages under `folder`, whole or not at all; returns what the filter dropped, by language."""
    if len(p.duration_ratio) != 2 or p.duration_ratio[0] >= p.duration_ratio[1]:
        raise UserError(f"params.yaml: corpus.duration_ratio: {list(p.duration_ratio)} is not [low, high]")
    minutes = p.real_minutes + p.synthetic_minutes + p.second_synthetic_minutes
    with paths.replacing(folder) as temporary, crew(workers(minutes * 60 / SPEED)) as pool:
        lang, second = p.language, p.second_language
        dropped = {lang: build_language(temporary / lang, lang, p, seed, p.real_minutes, p.synthetic_minutes, pool)}
        if second not in ("none", lang):
            studio = replace(p, synthetic_source="studio")
            dropped[second] = build_language(
                temporary / second, second, studio, seed, 0, p.second_synthetic_minutes, pool
            )
    return dropped


def load_sets(folder: Path) -> dict[str, list[Utterance]]:
    """The sets of one language that are there, by name."""
    found = {name: read_manifest(folder / f"{name}.jsonl") for name in SETS if (folder / f"{name}.jsonl").is_file()}
    if not found:
        raise UserError(f"{folder}: no corpus; `sebridge run corpus` builds it")
    return found
