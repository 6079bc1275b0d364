"""Sentences to recordings: who says what, planned and rendered in chunks by several processes.

A chunk is always the same sentences, whoever renders it, so any number of processes gives the same bytes.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from sebridge_lite.core.seeds import rng_of, seed_of
from sebridge_lite.core.workers import one_thread
from sebridge_lite.data.manifest import RATE, Utterance
from sebridge_lite.data.recordings import Recording
from sebridge_lite.studio.lexicon import Word
from sebridge_lite.studio.prosody import plan
from sebridge_lite.studio.render import render
from sebridge_lite.studio.voices import Voice

CHUNK = 64  # utterances rendered at once
AHEAD = 8  # chunks in flight: few, so that a limit in seconds wastes little


@dataclass(frozen=True)
class Line:
    """One sentence for one voice. `text` is the transcript, which differs from `words` where it is wrong."""

    id: str
    words: tuple[Word, ...]
    text: tuple[str, ...]
    voice: Voice
    lang: str
    slip_rate: float


def record(lines: list[Line], seed: int) -> list[Recording]:
    """The recordings of one chunk: each line is planned, and all are rendered at once."""
    rngs = [rng_of(seed, line.id, "prosody") for line in lines]
    plans = [
        plan(line.words, line.lang.split("-")[0], line.voice, rng, slip_rate=line.slip_rate)
        for line, rng in zip(lines, rngs, strict=True)
    ]
    seeds = [seed_of(seed, line.id, "sound") for line in lines]
    with one_thread():
        sounds = render(plans, [line.voice for line in lines], seeds)
    recordings = []
    for line, spoken, samples in zip(lines, plans, sounds, strict=True):
        # What was really said, kept for measuring: words, phones with durations in 10 ms frames, tones, slips.
        truth = {name: list(getattr(spoken, name)) for name in ("phones", "durations", "syllables", "tones")}
        truth = {"words": [word.text for word in line.words], **truth, "slips": [list(slip) for slip in spoken.slips]}
        engine = line.voice.id if line.voice.kind == "engine" else ""
        utterance = Utterance(
            line.id, "".join(line.text), line.text, line.lang, line.voice.id, line.voice.kind, engine,
            path="", seconds=len(samples) / RATE, frames=len(samples), truth=truth,
        )  # fmt: skip
        recordings.append(Recording(utterance, samples, spoken.f0))
    return recordings


def record_all(lines: Iterable[Line], seed: int, pool: ProcessPoolExecutor | None = None) -> Iterator[Recording]:
    """Recordings in the order of `lines`, which may go on for ever: only what is read, and a little more, is rendered."""
    lines = iter(lines)
    chunks = iter(lambda: list(itertools.islice(lines, CHUNK)), [])
    if pool is None:
        for chunk in chunks:
            yield from record(chunk, seed)
        return
    flight = deque(pool.submit(record, chunk, seed) for chunk in itertools.islice(chunks, AHEAD))
    while flight:
        done = flight.popleft().result()
        flight.extend(pool.submit(record, chunk, seed) for chunk in itertools.islice(chunks, 1))
        yield from done


def mishear(words: list[Word], grammar_words: list[Word], rng: np.random.Generator) -> tuple[str, ...]:
    """A wrong transcript as crowds write them: one word left out or another in its place."""
    text = [word.text for word in words]
    place = int(rng.integers(len(text)))
    if rng.random() < 0.5 and len(text) > 1:
        del text[place]
    else:
        text[place] = grammar_words[int(rng.integers(len(grammar_words)))].text
    return tuple(text)


def lines_of(
    name: str, lang: str, sentences: Iterable[list[Word]], voices: list[Voice], seed: int, slip_rate: float = 0.0
) -> Iterator[Line]:
    """Lines that give sentence after sentence to the voices in turn, each round in a new order."""
    rng = rng_of(seed, name, lang, "voices")
    turns = itertools.chain.from_iterable(rng.permutation(len(voices)) for _ in itertools.count())
    for index, (words, turn) in enumerate(zip(sentences, turns, strict=False)):
        text = tuple(word.text for word in words)
        yield Line(f"{lang}-{name}-{index:06d}", tuple(words), text, voices[turn], lang, slip_rate)


def say(
    words: list[Word], lang: str, voice: Voice, speed=1.0, pitch_range=1.0, take=0, flat=False
) -> tuple[np.ndarray, np.ndarray]:
    """(samples, true F0) of one sentence. `flat` drops a person's random prosody and keeps the voice."""
    style = replace(voice.style, rate=voice.style.rate * speed, range=voice.style.range * pitch_range)
    rng = None if flat or voice.kind == "engine" else np.random.default_rng(take)
    spoken = plan(words, lang, voice, rng, style=style, slip_rate=0.0)
    return render([spoken], [voice], [take])[0], spoken.f0
