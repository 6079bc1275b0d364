"""Your own speech for the stage `import`: recordings by set, engines beside them, and what a stack of your own needs more.

artifacts/corpus/backbone/LANG/backbone.jsonl   other engines than the study's, from whom the backbone learns to read
artifacts/corpus/lexicon/LANG.json              every word in the letters that a text is made of, the most frequent first

A text is its letters, or, where `text.units` asks for phones, what espeak-ng makes of it; its words stay as they are written.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sebridge_lite.core import paths
from sebridge_lite.core.errors import UserError
from sebridge_lite.core.params import CorpusParams
from sebridge_lite.core.seeds import rng_of
from sebridge_lite.data.engines import FOLDER, engine_folders, folder_recordings, in_turn, spoken
from sebridge_lite.data.languages import language
from sebridge_lite.data.manifest import Utterance
from sebridge_lite.data.own_data import good_rows
from sebridge_lite.data.recordings import Recording, take_seconds, write_set
from sebridge_lite.data.splits import Words, apart_from, by_set
from sebridge_lite.studio.texts import load_language, sentences, text_of

AT_ONCE = 200  # texts that espeak-ng is asked for at once


def own_sets(folder: Path, lang: str, p: CorpusParams) -> dict[str, list[Utterance]]:
    """Your own recordings by set: no text of dev or test is alike one that trains."""
    return by_set(good_rows(folder, lang, p.skip_bad), language(lang), p.dev_texts, p.test_texts)


def own_texts(lang: str, trained: Iterable[Utterance], is_apart: Callable[[Words], bool]) -> list[tuple[str, Words]]:
    """What engines say beside your own recordings: nothing that is alike a text of dev or test."""
    own, tongue = paths.data(f"texts.{lang}.txt"), language(lang)
    file = own if own.is_file() else paths.data("texts.txt")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else [said.text for said in trained]
    texts = dict.fromkeys(tongue.normalise(line) for line in lines)
    return [(text, words) for text in texts if (words := tongue.segment(text)) and is_apart(words)]


def engine_speech(
    lang: str, p: CorpusParams, seed: int, sets: Mapping[str, list[Utterance]], dropped: dict[str, int], work: Path
) -> Iterator[Recording]:
    """Speech of the engines that the settings name, one of each in turn; `sets` are your own recordings, if there are any."""
    is_apart = apart_from(said.words for name in ("dev", "test") for said in sets.get(name, ()))

    def kept_apart(recordings: Iterable[Recording]) -> Iterator[Recording]:
        for recording in recordings:
            if is_apart(recording.utterance.words):
                yield recording
            else:
                dropped["text held out"] = dropped.get("text held out", 0) + 1

    def queue(spec: str) -> Iterator[Recording]:
        if spec.startswith(FOLDER):
            name = spec.removeprefix(FOLDER)
            return kept_apart(folder_recordings(paths.data("synthetic", name), lang, name, p.skip_bad))
        if sets:
            texts = iter(own_texts(lang, sets["real"], is_apart))
        else:
            drawn = sentences(load_language(lang, p.zipf), "synthetic", seed)
            texts = ((text_of(words), tuple(word.text for word in words)) for words in drawn)
        return spoken(spec, texts, lang, work, seed)

    specs = engine_folders(paths.data("synthetic")) if p.synthetic_source == "folder" else p.engine_specs
    return in_turn([queue(spec) for spec in specs])


def as_units(recordings: Iterable[Recording], lang: str, units: str) -> Iterator[Recording]:
    """The recordings with texts in the letters that the LM reads."""
    if units == "characters":
        yield from recordings
        return
    stream = iter(recordings)
    while chunk := list(islice(stream, AT_ONCE)):
        said = language(lang).phones([recording.utterance.text for recording in chunk])
        for recording, phones in zip(chunk, said, strict=True):
            if phones:
                yield recording._replace(utterance=replace(recording.utterance, text="".join(phones)))


def backbone_texts(texts: Sequence[tuple[str, Words]], seed: int, engine: str, is_apart) -> Iterator[tuple[str, Words]]:
    """The texts in an order of the engine's own, then without end the first half of one and the second half of another."""
    rng = rng_of(seed, engine, "backbone")
    yield from (texts[place] for place in rng.permutation(len(texts)))
    long = [words for _, words in texts if len(words) > 1]
    if not long:
        raise UserError("corpus.backbone_minutes: every text is one word; give sentences by --texts FILE")
    while True:
        first, second = (long[int(place)] for place in rng.integers(len(long), size=2))
        words = (*first[: (len(first) + 1) // 2], *second[len(second) // 2 :])
        if is_apart(words):
            yield " ".join(words), words


def write_backbone(
    corpus: Path, lang: str, p: CorpusParams, seed: int, sets: Mapping[str, list[Utterance]], units: str, work: Path
) -> list[Utterance]:
    """What the backbone's engines say, after it is written."""
    is_apart = apart_from(said.words for name in ("dev", "test") for said in sets.get(name, ()))
    texts = own_texts(lang, sets["real"], is_apart)
    queues = [spoken(spec, backbone_texts(texts, seed, spec, is_apart), lang, work) for spec in p.backbone_engines]
    made = as_units(take_seconds(in_turn(queues), p.backbone_minutes * 60, f"{lang} backbone"), lang, units)
    return write_set(corpus / "backbone" / lang, "backbone", made)


def write_lexicon(corpus: Path, lang: str, units: str, sets: Iterable[Sequence[Utterance]]) -> None:
    """Writes how each word of the sets is spelt, or said."""
    counts = Counter(word for utterances in sets for utterance in utterances for word in utterance.words)
    words = [word for word, _ in counts.most_common()]
    if units == "phones":
        said = ["".join(phones).replace(" ", "").replace(",", "") for phones in language(lang).phones(words)]
    else:
        said = words
    path = corpus / "lexicon" / f"{lang}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(zip(words, said, strict=True)), ensure_ascii=False), encoding="utf-8")
